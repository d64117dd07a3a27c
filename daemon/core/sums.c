/* Exact sums. Must never round before a figure is asked for. */
#include "backstep/core/sums.h"

#include "backstep/base/check.h"

#include <math.h>

static void add_times(struct bs_sums *s, const struct bs_sample *sample)
{
    int32_t halves = sample->step_time_halves;
    if (!halves)
        return;
    s->step_time_count++;
    s->step_time_sum += halves;
    s->duration_sum += halves << sample->missed;
    if (sample->step_length_halves) {
        s->both_time_sum += halves;
        s->both_length_sum += sample->step_length_halves;
    }
    if (!sample->step_time_exact)
        return;
    s->exact_time_count++;
    s->exact_time_sum += halves;
    s->exact_time_squares += (uint64_t)(halves * (int64_t)halves);
    if (sample->step->foot == BS_FOOT_LEFT) {
        s->left_time_count++;
        s->left_time_sum += halves;
    } else if (sample->step->foot == BS_FOOT_RIGHT) {
        s->right_time_count++;
        s->right_time_sum += halves;
    }
}

#define ADD_FIELD(sums, step, name, field)                                                         \
    do {                                                                                           \
        if (bs_step_has(step, field)) {                                                            \
            (sums)->name##_count++;                                                                \
            (sums)->name##_sum += (step)->value[field];                                            \
        }                                                                                          \
    } while (0)

static void add_fields(struct bs_sums *s, const struct bs_step *step)
{
    ADD_FIELD(s, step, stride_time, BS_FIELD_STRIDE_MS);
    ADD_FIELD(s, step, contact, BS_FIELD_CONTACT_MS);
    ADD_FIELD(s, step, pitch, BS_FIELD_PITCH_CDEG);
    ADD_FIELD(s, step, oscillation, BS_FIELD_VO_MM);
    ADD_FIELD(s, step, impact, BS_FIELD_IMPACT_G16);
    ADD_FIELD(s, step, trunk, BS_FIELD_TRUNK_CDEG);
    if (bs_step_has(step, BS_FIELD_STRIDE_MS)) {
        int64_t stride = step->value[BS_FIELD_STRIDE_MS];
        s->stride_time_squares += (uint64_t)(stride * stride);
    }
    if (bs_step_has(step, BS_FIELD_TRUNK_CDEG)) {
        int64_t trunk = step->value[BS_FIELD_TRUNK_CDEG];
        s->trunk_squares += (uint64_t)(trunk * trunk);
    }
}

void bs_sums_add(struct bs_sums *s, const struct bs_sample *sample)
{
    bs_check(s->steps < BS_SUMS_STEPS_MAX);
    s->steps++;
    s->late = (uint16_t)(s->late + sample->late);
    s->missed = (uint16_t)(s->missed + sample->missed);
    s->lost += sample->lost;
    add_times(s, sample);
    int64_t length = sample->step_length_halves;
    if (length) {
        s->step_length_count++;
        s->step_length_sum += (int32_t)length;
        s->distance_sum += (int32_t)length << sample->missed;
        s->step_length_squares += (uint64_t)(length * length);
    }
    add_fields(s, sample->step);
}

void bs_totals_add(struct bs_totals *t, const struct bs_sums *s)
{
    t->steps += s->steps;
    t->late += s->late;
    t->lost += s->lost;
    t->missed += s->missed;
    t->duration_sum += s->duration_sum;
    t->distance_sum += s->distance_sum;
    t->both_time_sum += s->both_time_sum;
    t->both_length_sum += s->both_length_sum;
#define ADD_QUANTITY(name)                                                                         \
    t->name.count += s->name##_count;                                                              \
    t->name.sum += s->name##_sum;
    BS_SUMS_QUANTITIES(ADD_QUANTITY)
    BS_SUMS_SQUARED(ADD_QUANTITY)
#undef ADD_QUANTITY
#define ADD_SQUARES(name) t->name.squares += s->name##_squares;
    BS_SUMS_SQUARED(ADD_SQUARES)
#undef ADD_SQUARES
}

double bs_total_mean(const struct bs_total *t)
{
    bs_check(t->count > 0);
    return (double)t->sum / (double)t->count;
}

double bs_total_deviation(const struct bs_total *t)
{
    bs_check(t->count > 1);
    unsigned __int128 n = t->count;
    __int128 sum = t->sum;
    unsigned __int128 spread = n * t->squares - (unsigned __int128)(sum * sum);
    return sqrt((double)spread / ((double)t->count * (double)(t->count - 1)));
}
