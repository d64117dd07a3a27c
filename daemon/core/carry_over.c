/* Habit, back, block, retention. Must never compare a visit with itself after the feeling was
 * learned. */
#include "backstep/core/carry_over.h"

#include "backstep/base/check.h"
#include "backstep/core/median.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HABIT_STEPS_MIN   15
#define BLOCK_VALUES_MIN  5

/* A short bout's, and then at once all there may be: memory is asked for twice a visit. */
#define SERIES_ROOM_FIRST 32u

struct bs_carry_value bs_carry_value_of(const struct bs_sample *sample)
{
    const struct bs_step *s = sample->step;
    struct bs_carry_value v = {sample->step_length_halves, sample->step_time_halves,
                               BS_CARRY_UNKNOWN, BS_CARRY_UNKNOWN};
    if (bs_step_has(s, BS_FIELD_TRUNK_CDEG))
        v.trunk_cdeg = s->value[BS_FIELD_TRUNK_CDEG];
    if (bs_step_has(s, BS_FIELD_VO_MM))
        v.vo_mm = s->value[BS_FIELD_VO_MM];
    return v;
}

/* Series. */

static bool reserve(struct bs_carry_series *s)
{
    if (s->count < s->room || s->room == BS_CARRY_VALUES_MAX)
        return true;
    unsigned room = s->room ? BS_CARRY_VALUES_MAX : SERIES_ROOM_FIRST;
    uint16_t *values = realloc(s->values, room * s->columns * sizeof *values);
    if (!values)
        return false;
    s->values = values;
    s->room = (uint16_t)room;
    s->next = s->count;
    return true;
}

static void push(struct bs_carry_series *s, const struct bs_carry_value *v, uint16_t columns)
{
    s->columns = columns;
    if (!reserve(s))
        return;
    uint16_t *at = s->values + s->next * columns;
    at[0] = v->length_halves;
    at[1] = v->time_halves;
    if (columns > 2)
        at[2] = (uint16_t)v->trunk_cdeg;
    s->next = (uint16_t)((s->next + 1) % s->room);
    if (s->count < s->room)
        s->count++;
}

static void clear(struct bs_carry_series *s)
{
    free(s->values);
    *s = (struct bs_carry_series){0};
}

/* False where the step does not have the metric. A ratio is a product of halves. */
static bool metric_of(const uint16_t *step, enum bs_carry_metric metric, int32_t *ret)
{
    if (metric == BS_CARRY_TRUNK) {
        *ret = (int16_t)step[2];
        return *ret != BS_CARRY_UNKNOWN;
    }
    *ret = metric == BS_CARRY_LENGTH ? step[0] : step[0] * step[1];
    return *ret != 0;
}

static struct bs_middle middle_of(int32_t *values, uint32_t count)
{
    return (struct bs_middle){count ? bs_median(values, count) : 0, count};
}

static struct bs_middle series_middle(const struct bs_carry_series *s, enum bs_carry_metric metric)
{
    int32_t values[BS_CARRY_VALUES_MAX];
    uint32_t count = 0;
    for (unsigned i = 0; i < s->count; i++)
        count += metric_of(s->values + i * s->columns, metric, &values[count]);
    return middle_of(values, count);
}

/* Habit. */

void bs_carry_fini(struct bs_carry *c)
{
    clear(&c->walked);
    clear(&c->backed);
}

void bs_carry_tell_habit(struct bs_carry *c)
{
    if (c->habit_told)
        return;
    c->habit_told = true;
    for (unsigned m = 0; m < 2; m++)
        c->habit[m] = series_middle(&c->walked, m);
    clear(&c->walked);
}

void bs_carry_begin_visit(struct bs_carry *c)
{
    bs_carry_tell_habit(c);
    for (unsigned m = 0; m < 2; m++)
        if (c->habit[m].count >= HABIT_STEPS_MIN)
            c->kept[m] = c->habit[m];
    c->habit_told = false;
}

static struct bs_middle habit_of(const struct bs_carry *c, enum bs_carry_metric metric)
{
    bs_check(c->habit_told);
    return c->habit[metric].count >= HABIT_STEPS_MIN ? c->habit[metric] : c->kept[metric];
}

void bs_carry_take_forward(struct bs_carry *c, const struct bs_carry_value *value)
{
    if (!c->habit_told)
        push(&c->walked, value, 2);
}

/* Back. */

void bs_carry_take_backward(struct bs_carry *c, const struct bs_carry_value *value)
{
    push(&c->backed, value, 3);
}

void bs_carry_end_backward(struct bs_carry *c, bool written, uint32_t steps, int64_t last_ms)
{
    if (written) {
        c->back = (struct bs_carry_back){.steps = steps, .last_ms = last_ms};
        for (unsigned m = 0; m < BS_CARRY_METRICS; m++)
            c->back.middles[m] = series_middle(&c->backed, m);
    }
    clear(&c->backed);
}

/* Block. */

bool bs_carry_block_init(struct bs_carry_block *b, uint16_t steps)
{
    *b = (struct bs_carry_block){.values = malloc(steps * sizeof *b->values), .room = steps};
    return b->values != NULL;
}

void bs_carry_block_fini(struct bs_carry_block *b)
{
    free(b->values);
    b->values = NULL;
}

bool bs_carry_value_get(const struct bs_carry_value *value, enum bs_slip_metric metric,
                        int16_t *ret)
{
    switch (metric) {
    case BS_SLIP_STEP_LENGTH:
        *ret = (int16_t)value->length_halves;
        return *ret != 0;
    case BS_SLIP_STEP_TIME:
        *ret = (int16_t)value->time_halves;
        return *ret != 0;
    case BS_SLIP_VERTICAL_OSCILLATION:
        *ret = value->vo_mm;
        return *ret != BS_CARRY_UNKNOWN;
    case BS_SLIP_TRUNK_PITCH:
        *ret = value->trunk_cdeg;
        return *ret != BS_CARRY_UNKNOWN;
    case BS_SLIP_METRICS:
        break;
    }
    return false;
}

struct bs_middle bs_carry_block_middle(const struct bs_carry_block *b, enum bs_slip_metric metric)
{
    int32_t values[BS_CARRY_VALUES_MAX];
    uint32_t count = 0;
    bs_check(b->count <= BS_CARRY_VALUES_MAX);
    for (unsigned i = 0; i < b->count; i++) {
        int16_t value;
        if (bs_carry_value_get(&b->values[i], metric, &value))
            values[count++] = value;
    }
    return middle_of(values, count);
}

static struct bs_middle block_ratio(const struct bs_carry_block *b)
{
    int32_t values[BS_CARRY_VALUES_MAX];
    uint32_t count = 0;
    for (unsigned i = 0; i < b->count; i++) {
        values[count] = b->values[i].length_halves * b->values[i].time_halves;
        count += values[count] != 0;
    }
    return middle_of(values, count);
}

bool bs_carry_block_tells(const struct bs_carry_block *b, uint32_t count)
{
    return count >= BLOCK_VALUES_MIN && 2 * count >= b->count;
}

/* Comparing. */

/* False where it is left out. */
static bool retention(struct bs_middle habit, struct bs_middle back, struct bs_middle block,
                      double *ret_pct)
{
    double learned = habit.value - back.value;
    if (!habit.count || !back.count || 20 * fabs(learned) < fabs(habit.value))
        return false;
    *ret_pct = fmax(0, fmin(100, 100 * (habit.value - block.value) / learned));
    return true;
}

void bs_carry_compare(const struct bs_carry *c, const struct bs_carry_block *b,
                      struct bs_carry_figures *ret)
{
    *ret = (struct bs_carry_figures){0};
    struct bs_middle length = bs_carry_block_middle(b, BS_SLIP_STEP_LENGTH);
    struct bs_middle ratio = block_ratio(b);
    struct bs_middle trunk = bs_carry_block_middle(b, BS_SLIP_TRUNK_PITCH);
    ret->has_length = bs_carry_block_tells(b, length.count) &&
                      retention(habit_of(c, BS_CARRY_LENGTH), c->back.middles[BS_CARRY_LENGTH],
                                length, &ret->length_pct);
    ret->has_ratio = bs_carry_block_tells(b, ratio.count) &&
                     retention(habit_of(c, BS_CARRY_RATIO), c->back.middles[BS_CARRY_RATIO], ratio,
                               &ret->ratio_pct);
    ret->has_trunk = trunk.count && c->back.middles[BS_CARRY_TRUNK].count;
    if (ret->has_trunk)
        ret->trunk_deg = (trunk.value - c->back.middles[BS_CARRY_TRUNK].value) / 100;
}

bool bs_carry_retention(const struct bs_carry_figures *f, double *ret_pct)
{
    if (!f->has_length && !f->has_ratio)
        return false;
    double sum = (f->has_length ? f->length_pct : 0) + (f->has_ratio ? f->ratio_pct : 0);
    *ret_pct = sum / (f->has_length + f->has_ratio);
    return true;
}
