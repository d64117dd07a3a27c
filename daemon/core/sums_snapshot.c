/* Sums in a snapshot. Must never let any in that no steps add up to: what is added to them later,
 * and the figures made of them, rely on these bounds. */
#include "backstep/core/snapshot.h"
#include "backstep/core/sums.h"

/* Times and lengths in halves: of a step at least one, and at most twice 3000 mm. */
#define HALVES_MAX       6000

/* So many steps make sums of 64 bits, and nobody walks them. */
#define TOTALS_STEPS_MAX (UINT64_C(1) << 36)

/* Each of a sum's values lies within. */
struct range {
    int64_t min, max;
};

static const struct range halves = {1, HALVES_MAX};

static struct range range_of(enum bs_field f)
{
    return (struct range){bs_field_ranges[f].min, bs_field_ranges[f].max};
}

/* A quantity, packed or wide; `counted_max`: how many values there may be. */
static void code_sum(struct bs_snapshot *s, struct bs_total *t, uint64_t counted_max,
                     struct range range)
{
    t->count = bs_snapshot_u64(s, t->count, counted_max);
    int64_t count = (int64_t)t->count;
    t->sum = count ? bs_snapshot_between(s, t->sum, count * range.min, count * range.max) : 0;
}

/* n · Σx² is never below (Σx)². */
static void code_squares(struct bs_snapshot *s, struct bs_total *t, struct range range)
{
    uint64_t most = (uint64_t)(range.max > -range.min ? range.max : -range.min);
    if (!t->count)
        return;
    t->squares = bs_snapshot_u64(s, (uint64_t)t->squares, t->count * most * most);
    __int128 sum = t->sum;
    bs_snapshot_require(s, s->failed || t->count * t->squares >= (unsigned __int128)(sum * sum));
}

static void code_quantities(struct bs_snapshot *s, struct bs_totals *t)
{
    code_sum(s, &t->step_time, t->steps, halves);
    code_sum(s, &t->left_time, t->step_time.count, halves);
    code_sum(s, &t->right_time, t->step_time.count, halves);
    code_sum(s, &t->contact, t->steps, range_of(BS_FIELD_CONTACT_MS));
    code_sum(s, &t->pitch, t->steps, range_of(BS_FIELD_PITCH_CDEG));
    code_sum(s, &t->oscillation, t->steps, range_of(BS_FIELD_VO_MM));
    code_sum(s, &t->impact, t->steps, range_of(BS_FIELD_IMPACT_G16));
    code_sum(s, &t->exact_time, t->step_time.count, halves);
    code_squares(s, &t->exact_time, halves);
    code_sum(s, &t->step_length, t->steps, halves);
    code_squares(s, &t->step_length, halves);
    code_sum(s, &t->stride_time, t->steps, range_of(BS_FIELD_STRIDE_MS));
    code_squares(s, &t->stride_time, range_of(BS_FIELD_STRIDE_MS));
    code_sum(s, &t->trunk, t->steps, range_of(BS_FIELD_TRUNK_CDEG));
    code_squares(s, &t->trunk, range_of(BS_FIELD_TRUNK_CDEG));
}

/* What stands twice where a step was missed. */
static int64_t code_doubled(struct bs_snapshot *s, int64_t sum, const struct bs_total *of)
{
    return of->count ? bs_snapshot_between(s, sum, of->sum, 2 * of->sum) : 0;
}

static void code_totals(struct bs_snapshot *s, struct bs_totals *t, uint64_t steps_max)
{
    t->steps = bs_snapshot_u64(s, t->steps, steps_max);
    t->late = bs_snapshot_u64(s, t->late, t->steps);
    t->lost = bs_snapshot_u64(s, t->lost, t->steps * BS_SUMS_LOST_MAX);
    t->missed = bs_snapshot_u64(s, t->missed, t->steps);
    code_quantities(s, t);
    t->duration_sum = code_doubled(s, t->duration_sum, &t->step_time);
    t->distance_sum = code_doubled(s, t->distance_sum, &t->step_length);
    if (!t->step_time.count || !t->step_length.count)
        return;
    t->both_time_sum = bs_snapshot_between(s, t->both_time_sum, 0, t->step_time.sum);
    t->both_length_sum = bs_snapshot_between(s, t->both_length_sum, 0, t->step_length.sum);
}

void bs_totals_snapshot(struct bs_snapshot *s, struct bs_totals *t)
{
    code_totals(s, t, TOTALS_STEPS_MAX);
}

void bs_sample_snapshot(struct bs_snapshot *s, struct bs_sample *sample)
{
    sample->step_time_halves = bs_snapshot_u16(s, sample->step_time_halves, HALVES_MAX);
    sample->step_length_halves = bs_snapshot_u16(s, sample->step_length_halves, HALVES_MAX);
    sample->step_time_exact = bs_snapshot_flag(s, sample->step_time_exact);
    sample->missed = bs_snapshot_flag(s, sample->missed);
    sample->late = bs_snapshot_flag(s, sample->late);
    sample->lost = bs_snapshot_u16(s, sample->lost, BS_SUMS_LOST_MAX);
}

/* Through the wide form: what is bounded by 65 535 steps fits the packed one. */
void bs_sums_snapshot(struct bs_snapshot *s, struct bs_sums *sums)
{
    struct bs_totals t = {0};
    bs_totals_add(&t, sums);
    code_totals(s, &t, BS_SUMS_STEPS_MAX);
    if (!bs_snapshot_loads(s))
        return;
    *sums = (struct bs_sums){.steps = (uint16_t)t.steps,
                             .late = (uint16_t)t.late,
                             .lost = (uint32_t)t.lost,
                             .missed = (uint16_t)t.missed,
                             .duration_sum = (int32_t)t.duration_sum,
                             .distance_sum = (int32_t)t.distance_sum,
                             .both_time_sum = (int32_t)t.both_time_sum,
                             .both_length_sum = (int32_t)t.both_length_sum};
#define PACK_QUANTITY(name)                                                                        \
    sums->name##_count = (uint16_t)t.name.count;                                                   \
    sums->name##_sum = (int32_t)t.name.sum;
    BS_SUMS_QUANTITIES(PACK_QUANTITY)
    BS_SUMS_SQUARED(PACK_QUANTITY)
#undef PACK_QUANTITY
#define PACK_SQUARES(name) sums->name##_squares = (uint64_t)t.name.squares;
    BS_SUMS_SQUARED(PACK_SQUARES)
#undef PACK_SQUARES
}
