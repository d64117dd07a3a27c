/* Readings of a device's clock. Must never compare two boots, or the times before a clock was set
 * with those after.
 */
#include "backstep/core/device_clock.h"

#include "backstep/core/snapshot.h"

#include <math.h>
#include <stdlib.h>

void bs_device_clock_hear(struct bs_device_clock *c, uint32_t boot, bool uses_up, int64_t delay_ms,
                          struct bs_tick_ms now)
{
    if (c->boot != boot || c->uses_up != uses_up)
        *c = (struct bs_device_clock){.boot = boot, .uses_up = uses_up};
    if (!c->heard || delay_ms < c->least.ms)
        c->least = (struct bs_device_clock_delay){delay_ms, now};
    c->heard = true;
}

/* Time since power-up cannot be set: there a jump is a network that was slow for a minute. */
static bool was_set(const struct bs_device_clock *c)
{
    return !c->uses_up && llabs(c->least.ms - c->last_ms) >= BS_DEVICE_CLOCK_SET_MS;
}

static double limited(double reading)
{
    return fmax(-BS_DEVICE_CLOCK_READING_MAX, fmin(reading, BS_DEVICE_CLOCK_READING_MAX));
}

void bs_device_clock_read(struct bs_device_clock *c, struct bs_device_clock_reading *ret)
{
    *ret = (struct bs_device_clock_reading){0};
    if (!c->heard)
        return;
    c->heard = false;
    if (!c->begun || was_set(c))
        c->first = c->least;
    c->begun = true;
    c->last_ms = c->least.ms;
    int64_t gained_ms = c->first.ms - c->least.ms;
    int64_t passed_ms = c->least.at.ms - c->first.at.ms;
    ret->has_offset = true;
    ret->offset_ms = limited((double)(c->uses_up ? gained_ms : -c->least.ms));
    ret->has_skew = passed_ms >= BS_DEVICE_CLOCK_SKEW_AFTER_MS;
    if (ret->has_skew)
        ret->skew_ppm = limited(1e6 * (double)gained_ms / (double)passed_ms);
}

static void keep_delay(struct bs_snapshot *s, struct bs_device_clock_delay *d)
{
    d->ms = bs_snapshot_moment(s, d->ms);
    d->at.ms = bs_snapshot_moment(s, d->at.ms);
}

void bs_device_clock_snapshot(struct bs_snapshot *s, struct bs_device_clock *c)
{
    c->boot = bs_snapshot_u32(s, c->boot, UINT32_MAX);
    c->uses_up = bs_snapshot_flag(s, c->uses_up);
    c->heard = bs_snapshot_flag(s, c->heard);
    c->begun = bs_snapshot_flag(s, c->begun);
    if (c->heard)
        keep_delay(s, &c->least);
    if (!c->begun)
        return;
    keep_delay(s, &c->first);
    c->last_ms = bs_snapshot_moment(s, c->last_ms);
}
