/* Retention by its definition. Must never use a mean, a sketch or a rounded value. */
#include "true_carry_over.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CARRY_OVER_STEPS  20u
#define CARRY_OVER_GAP_MS 60000
#define HABIT_STEPS_MIN   15u
#define BLOCK_VALUES_MIN  5u
#define DISTANCE_MIN      0.05 /* between habit and back, of the habit */

static void add_value(struct bs_carried_values *v, int64_t value)
{
    v->at[v->steps++ % BS_MEDIAN_STEPS_MAX] = value;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* How many of the steps have the metric; where there are any, *ret_median is twice the median, so
 * that it is whole. */
static uint32_t double_median(const struct bs_carried_values *v, int64_t *ret_median)
{
    int64_t sorted[BS_MEDIAN_STEPS_MAX];
    uint64_t steps = v->steps < BS_MEDIAN_STEPS_MAX ? v->steps : BS_MEDIAN_STEPS_MAX;
    uint32_t n = 0;
    for (uint64_t i = 0; i < steps; i++) {
        if (v->at[i] >= 0)
            sorted[n++] = v->at[i];
    }
    qsort(sorted, n, sizeof *sorted, compare);
    if (n > 0)
        *ret_median = sorted[(n - 1) / 2] + sorted[n / 2];
    return n;
}

/* Adds what the bout's first `steps` steps have of both metrics. */
static void add_steps(const struct bs_traces *t, const struct bs_member_traces *m,
                      const struct bs_true_bout *bout, uint32_t steps,
                      struct bs_carried_values to[BS_CARRIED_METRICS])
{
    for (uint32_t i = 0; i < steps; i++) {
        const struct bs_trace *trace = &m->at[bout->steps[i].contact];
        int64_t length = bs_trace_half_step_mm(t, trace);
        int64_t time = bout->steps[i].follows ? bs_trace_half_step_ms(t, trace) : -1;
        add_value(&to[BS_CARRIED_STEP_LENGTH], length);
        add_value(&to[BS_CARRIED_WALK_RATIO], length >= 0 && time >= 0 ? length * time : -1);
    }
}

static bool retention(const struct bs_carried_values *habit, const struct bs_carried_values *back,
                      const struct bs_carried_values *block, double *ret)
{
    int64_t from = 0, to = 0, now = 0;
    uint32_t block_values = double_median(block, &now);
    if (double_median(habit, &from) < HABIT_STEPS_MIN || double_median(back, &to) == 0 ||
        block_values < BLOCK_VALUES_MIN || 2 * block_values < block->steps)
        return false;
    double distance = (double)(from - to);
    if (fabs(distance) < DISTANCE_MIN * (double)from)
        return false;
    *ret = fmax(0, fmin(100, 100 * (double)(from - now) / distance));
    return true;
}

static void compare_bout(const struct bs_carry_over_finder *f, const struct bs_traces *t,
                         const struct bs_member_traces *m, const struct bs_true_bout *bout,
                         struct bs_true_carry_over *ret)
{
    struct bs_carried_values block[BS_CARRIED_METRICS] = {0};
    *ret = (struct bs_true_carry_over){
        .start_ms = m->at[bout->steps[0].contact].time_ms,
        .back_steps = f->back_steps,
        .block_steps = bout->count < CARRY_OVER_STEPS ? bout->count : CARRY_OVER_STEPS,
    };
    add_steps(t, m, bout, ret->block_steps, block);
    for (int i = 0; i < BS_CARRIED_METRICS; i++)
        ret->has_retention[i] =
            retention(&f->habit[i], &f->back[i], &block[i], &ret->retention_pct[i]);
}

static void take_backward(struct bs_carry_over_finder *f, const struct bs_traces *t,
                          const struct bs_member_traces *m, const struct bs_true_bout *bout)
{
    memset(f->back, 0, sizeof f->back);
    add_steps(t, m, bout, bout->count, f->back);
    f->has_imprint = true;
    f->compared = false;
    f->back_steps = bout->count;
    f->back_end_ms = m->at[bout->steps[bout->count - 1].contact].time_ms;
}

bool bs_carry_over_take(struct bs_carry_over_finder *f, const struct bs_traces *t,
                        const struct bs_member_traces *m, const struct bs_true_bout *bout,
                        struct bs_true_carry_over *ret)
{
    bool is_long = bout->count >= BS_BOUT_MIN_STEPS;
    if (bout->direction == BS_DIRECTION_BACKWARD && is_long)
        take_backward(f, t, m, bout);
    if (bout->direction != BS_DIRECTION_FORWARD)
        return false;
    if (!f->has_imprint) {
        add_steps(t, m, bout, bout->count, f->habit);
        return false;
    }
    int64_t pause_ms = m->at[bout->steps[0].contact].time_ms - f->back_end_ms;
    if (!is_long || f->compared || pause_ms > CARRY_OVER_GAP_MS)
        return false;
    compare_bout(f, t, m, bout, ret);
    f->compared = true;
    return true;
}
