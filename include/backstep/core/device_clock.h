/* How a device's clock stands against the daemon's, and how fast it gains on it: from how far
 * behind their own times its live messages arrive. What delays a message only ever adds, so the
 * least delay since the last reading is the one that tells.
 *
 *   d = arrival (wall) − time of the message's newest event, the least since the last reading
 *
 *   offset   = −d                          for `t`: above 0 the device is ahead of the daemon
 *            = d at the boot's first reading − d    for `up`, whose zero means nothing: what it has
 *              gained since
 *   skew     = 10⁶ · (d then − d now) / (arrival now − arrival then), then: the first reading
 *
 * Skew is told from ten minutes on. A reading is wrong by what the least delays differ: 10 ms are
 * 17 ppm of ten minutes, 3 ppm of an hour. What is compared with begins anew with another boot,
 * with the other kind of time, and where a `t` clock was set: where d differs by
 * BS_DEVICE_CLOCK_SET_MS or more from one reading to the next. */
#ifndef BACKSTEP_CORE_DEVICE_CLOCK_H
#define BACKSTEP_CORE_DEVICE_CLOCK_H

#include "backstep/base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

#define BS_DEVICE_CLOCK_SKEW_AFTER_MS 600000
#define BS_DEVICE_CLOCK_SET_MS        2000

/* A device may say any year within ±2⁵³ ms; a reading (ms, ppm) beyond this is told as this. */
#define BS_DEVICE_CLOCK_READING_MAX   1e14

struct bs_device_clock_delay {
    int64_t ms;
    struct bs_tick_ms at;
};

/* Zeroed: nothing was heard. */
struct bs_device_clock {
    struct bs_device_clock_delay least; /* since the last reading, if `heard` */
    struct bs_device_clock_delay first; /* what is compared with, if `begun` */
    int64_t last_ms;                    /* d of the last reading, if `begun` */
    uint32_t boot;
    bool uses_up, heard, begun;
};

struct bs_device_clock_reading {
    bool has_offset, has_skew; /* the latter only with the former */
    double offset_ms, skew_ppm;
};

/* A message that is not stored arrived at `now`, delay_ms behind its newest event. */
void bs_device_clock_hear(struct bs_device_clock *c, uint32_t boot, bool uses_up, int64_t delay_ms,
                          struct bs_tick_ms now);

/* The reading over what was heard since the last one; nothing was heard: no offset. */
void bs_device_clock_read(struct bs_device_clock *c, struct bs_device_clock_reading *ret);

/* Loading: into a zeroed one. */
void bs_device_clock_snapshot(struct bs_snapshot *s, struct bs_device_clock *c);

#endif
