/* Step times from what devices say and from when they say it. Must never take a difference between
 * two clocks for an exact one. */
#include "order_parts.h"

/* So long ago a contact of the same foot means that the other one's was not seen. */
#define MISSED_MAX_MS 3000

static bool within(int64_t value, enum bs_field field)
{
    return value >= bs_field_ranges[field].min && value <= bs_field_ranges[field].max;
}

static void set_time(struct bs_sample *sample, int64_t halves, bool exact)
{
    sample->step_time_halves = (uint16_t)halves;
    sample->step_time_exact = exact;
}

/* Half a stride stands for a step; halves, so that it is exact. */
static void measure_length(const struct bs_step *step, struct bs_sample *ret)
{
    if (bs_step_has(step, BS_FIELD_STEP_MM))
        ret->step_length_halves = (uint16_t)(2 * step->value[BS_FIELD_STEP_MM]);
    else if (bs_step_has(step, BS_FIELD_STRIDE_MM))
        ret->step_length_halves = (uint16_t)step->value[BS_FIELD_STRIDE_MM];
}

static bool take_step_time(const struct bs_step *step, struct bs_sample *ret)
{
    if (!bs_step_has(step, BS_FIELD_STEP_MS))
        return false;
    set_time(ret, 2 * step->value[BS_FIELD_STEP_MS], true);
    return true;
}

static bool take_stride_time(const struct bs_step *step, struct bs_sample *ret)
{
    if (!bs_step_has(step, BS_FIELD_STRIDE_MS))
        return false;
    set_time(ret, step->value[BS_FIELD_STRIDE_MS], false);
    return true;
}

void bs_order_measure_alone(const struct bs_step *step, struct bs_sample *ret)
{
    if (!take_step_time(step, ret))
        take_stride_time(step, ret);
    measure_length(step, ret);
}

static bool is_other_foot(const struct bs_order *o, const struct bs_order_waiting *w)
{
    return w->step.foot == BS_FOOT_UNKNOWN || w->step.foot != o->previous_foot;
}

/* When a device of both steps saw the previous one; BS_NO_TIME: no device is known to have seen
 * both. */
static int64_t previous_of(const struct bs_order *o, unsigned slot)
{
    for (unsigned i = 0; i < o->previous.count; i++)
        if (o->previous.at[i].slot == slot)
            return o->previous_ms + o->previous.at[i].after_ms;
    return BS_NO_TIME;
}

/* By the clock of the first device that reported both steps, unless that says what cannot be. */
static bool take_own_difference(const struct bs_order *o, const struct bs_order_waiting *w,
                                struct bs_sample *ret)
{
    if (!is_other_foot(o, w))
        return false;
    for (unsigned i = 0; i < w->events.count; i++) {
        int64_t before = previous_of(o, w->events.at[i].slot);
        if (before == BS_NO_TIME)
            continue;
        int64_t difference = w->step.time_ms + w->events.at[i].after_ms - before;
        if (within(difference, BS_FIELD_STEP_MS))
            set_time(ret, 2 * difference, true);
        break;
    }
    return ret->step_time_exact;
}

/* By the clock of the first device that reported that foot before, likewise. */
static bool take_same_foot(const struct bs_order *o, const struct bs_order_waiting *w,
                           struct bs_sample *ret)
{
    for (unsigned i = 0; i < w->events.count; i++) {
        const struct bs_order_own *own = &w->events.at[i];
        if (own->foot == BS_FOOT_UNKNOWN)
            continue;
        int64_t before = o->worn[own->slot].foot_ms[own->foot - BS_FOOT_LEFT];
        if (before == BS_NO_TIME)
            continue;
        int64_t stride = w->step.time_ms + own->after_ms - before;
        if (within(stride, BS_FIELD_STRIDE_MS))
            set_time(ret, stride, false);
        break;
    }
    return ret->step_time_halves > 0;
}

static void take_difference(const struct bs_order *o, const struct bs_order_waiting *w,
                            struct bs_sample *ret)
{
    int64_t difference = w->step.time_ms - o->previous_ms;
    if (!(w->events.slots & o->previous.slots) && is_other_foot(o, w) &&
        within(difference, BS_FIELD_STEP_MS))
        set_time(ret, 2 * difference, false);
}

/* The first that applies. */
static void measure_time(const struct bs_order *o, const struct bs_order_waiting *w,
                         struct bs_sample *ret)
{
    if (take_step_time(&w->step, ret))
        return;
    if (o->has_previous && take_own_difference(o, w, ret))
        return;
    if (take_stride_time(&w->step, ret) || take_same_foot(o, w, ret))
        return;
    if (o->has_previous)
        take_difference(o, w, ret);
}

void bs_order_measure(const struct bs_order *o, const struct bs_order_waiting *w,
                      struct bs_sample *ret)
{
    measure_time(o, w, ret);
    measure_length(&w->step, ret);
    ret->missed = o->has_previous && !is_other_foot(o, w) &&
                  w->step.time_ms - o->previous_ms <= MISSED_MAX_MS;
}

void bs_order_set_previous(struct bs_order *o, const struct bs_order_waiting *w)
{
    o->has_previous = true;
    o->previous_foot = w->step.foot;
    o->previous_ms = w->step.time_ms;
    o->previous = w->events;
    for (unsigned i = 0; i < w->events.count; i++) {
        const struct bs_order_own *own = &w->events.at[i];
        if (own->foot != BS_FOOT_UNKNOWN)
            o->worn[own->slot].foot_ms[own->foot - BS_FOOT_LEFT] = w->step.time_ms + own->after_ms;
    }
}
