/* Habit, back and block, to a snapshot and back. Must never let in what no step has: products of
 * values and quotients of medians rely on it. */
#include "backstep/core/carry_over.h"
#include "backstep/core/snapshot.h"

#include <math.h>

/* Step length and time in halves: hard ranges (step.h). */
#define HALVES_MAX  6000
#define TRUNK_MIN   bs_field_ranges[BS_FIELD_TRUNK_CDEG].min
#define TRUNK_MAX   bs_field_ranges[BS_FIELD_TRUNK_CDEG].max
#define VO_MAX      bs_field_ranges[BS_FIELD_VO_MM].max

/* Differences of medians of the trunk's pitch in degrees are below. */
#define DEGREES_MAX 1000

/* Values of steps. */

static int16_t keep_known(struct bs_snapshot *s, int16_t value, int16_t min, int16_t max)
{
    value = (int16_t)bs_snapshot_between(s, value, BS_CARRY_UNKNOWN, max);
    bs_snapshot_require(s, s->failed || value == BS_CARRY_UNKNOWN || value >= min);
    return value;
}

static void keep_value(struct bs_snapshot *s, struct bs_carry_value *v, unsigned columns)
{
    v->length_halves = bs_snapshot_u16(s, v->length_halves, HALVES_MAX);
    v->time_halves = bs_snapshot_u16(s, v->time_halves, HALVES_MAX);
    if (columns > 2)
        v->trunk_cdeg = keep_known(s, v->trunk_cdeg, TRUNK_MIN, TRUNK_MAX);
    if (columns > 3)
        v->vo_mm = keep_known(s, v->vo_mm, 0, VO_MAX);
}

/* The i-th value from the oldest on. */
static struct bs_carry_value value_at(const struct bs_carry_series *series, unsigned i)
{
    unsigned oldest = series->next + (unsigned)series->room - series->count;
    unsigned place = (oldest + i) % series->room;
    const uint16_t *at = series->values + place * series->columns;
    return (struct bs_carry_value){.length_halves = at[0],
                                   .time_halves = at[1],
                                   .trunk_cdeg = series->columns > 2 ? (int16_t)at[2] : 0};
}

/* Loading, they are taken as the steps' were. */
static void keep_series(struct bs_snapshot *s, struct bs_carry *c, struct bs_carry_series *series,
                        unsigned columns,
                        void (*take)(struct bs_carry *, const struct bs_carry_value *))
{
    unsigned count = bs_snapshot_u32(s, series->count, BS_CARRY_VALUES_MAX);
    for (unsigned i = 0; i < count && !s->failed; i++) {
        struct bs_carry_value value = {0};
        if (!bs_snapshot_loads(s))
            value = value_at(series, i);
        keep_value(s, &value, columns);
        if (!bs_snapshot_loads(s) || s->failed)
            continue;
        take(c, &value);
        if (series->count != i + 1)
            bs_snapshot_fail(s, BS_NO_MEMORY);
    }
}

/* Medians. */

/* The mean of two values at most: kept as its double. */
static void keep_middle(struct bs_snapshot *s, struct bs_middle *m, enum bs_carry_metric metric)
{
    static const int64_t most[] = {
        [BS_CARRY_LENGTH] = HALVES_MAX, [BS_CARRY_RATIO] = HALVES_MAX * HALVES_MAX};
    bool is_trunk = metric == BS_CARRY_TRUNK;
    int64_t min = is_trunk ? TRUNK_MIN : 1, max = is_trunk ? TRUNK_MAX : most[metric];
    m->count = bs_snapshot_u32(s, m->count, BS_CARRY_VALUES_MAX);
    if (m->count)
        m->value = (double)bs_snapshot_between(s, (int64_t)(2 * m->value), 2 * min, 2 * max) / 2;
}

static void keep_back(struct bs_snapshot *s, struct bs_carry_back *back)
{
    back->steps = bs_snapshot_u32(s, back->steps, UINT32_MAX);
    if (!back->steps)
        return;
    back->has_partner = bs_snapshot_flag(s, back->has_partner);
    back->last_ms = bs_snapshot_moment(s, back->last_ms);
    for (unsigned m = 0; m < BS_CARRY_METRICS; m++)
        keep_middle(s, &back->middles[m], m);
}

/* A habit that is told has no values any more, one that is not has no medians yet. */
void bs_carry_snapshot(struct bs_snapshot *s, struct bs_carry *c)
{
    for (unsigned m = 0; m < 2; m++)
        keep_middle(s, &c->kept[m], m);
    c->habit_told = bs_snapshot_flag(s, c->habit_told);
    for (unsigned m = 0; m < 2 && c->habit_told; m++)
        keep_middle(s, &c->habit[m], m);
    if (!c->habit_told)
        keep_series(s, c, &c->walked, 2, bs_carry_take_forward);
    keep_series(s, c, &c->backed, 3, bs_carry_take_backward);
    keep_back(s, &c->back);
}

/* The block. */

void bs_carry_block_snapshot(struct bs_snapshot *s, struct bs_carry_block *b)
{
    uint16_t room = bs_snapshot_u16(s, b->room, BS_CARRY_VALUES_MAX);
    uint16_t count = bs_snapshot_u16(s, b->count, room);
    bs_snapshot_require(s, s->failed || room > 0);
    if (s->failed)
        return;
    if (bs_snapshot_loads(s) && !bs_carry_block_init(b, room)) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        struct bs_carry_value value = {0};
        if (!bs_snapshot_loads(s))
            value = b->values[i];
        keep_value(s, &value, 4);
        b->values[i] = value;
    }
    b->count = count;
}

static double keep_percent(struct bs_snapshot *s, double pct)
{
    pct = bs_snapshot_real(s, pct);
    bs_snapshot_require(s, pct >= 0 && pct <= 100);
    return pct;
}

void bs_carry_figures_snapshot(struct bs_snapshot *s, struct bs_carry_figures *f)
{
    f->has_length = bs_snapshot_flag(s, f->has_length);
    f->has_ratio = bs_snapshot_flag(s, f->has_ratio);
    f->has_trunk = bs_snapshot_flag(s, f->has_trunk);
    if (f->has_length)
        f->length_pct = keep_percent(s, f->length_pct);
    if (f->has_ratio)
        f->ratio_pct = keep_percent(s, f->ratio_pct);
    if (!f->has_trunk)
        return;
    f->trunk_deg = bs_snapshot_real(s, f->trunk_deg);
    bs_snapshot_require(s, fabs(f->trunk_deg) <= DEGREES_MAX);
}
