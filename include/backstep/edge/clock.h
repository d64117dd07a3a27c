/* The only place that reads clocks for records. A tick is CLOCK_BOOTTIME plus a base that makes it
 * go on monotonically where the log ended. */
#ifndef BACKSTEP_EDGE_CLOCK_H
#define BACKSTEP_EDGE_CLOCK_H

#include "backstep/base/record.h"
#include "backstep/base/time.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bs_clock {
    int64_t base_ms; /* tick = CLOCK_BOOTTIME + base */
    _Atomic int64_t last_ms;
};

/* What the log says of the time before this start. */
struct bs_clock_past {
    bool any;                     /* there was a START record */
    struct bs_start_body start;   /* the last one */
    struct bs_tick_ms start_tick; /* its tick */
    struct bs_tick_ms last_tick;  /* of the last record */
    int64_t offset_ms;            /* in force at the end of the log */
};

/* Sets the base: within one kernel boot ticks go on as CLOCK_BOOTTIME does; after another boot the
 * first tick is max(last tick, wall − offset); in an empty log the first tick is the wall time. */
void bs_clock_init(struct bs_clock *c, const struct bs_clock_past *past);

/* Before bs_clock_init the clock stands at `tick`, the later of the logs' last ones: rows that the
 * fold says again at a start may still have to be appended to the outbox. */
void bs_clock_hold(struct bs_clock *c, struct bs_tick_ms tick);

/* The present tick; never less than one given before. Thread-safe. */
struct bs_tick_ms bs_clock_tick(struct bs_clock *c);

struct bs_wall_ms bs_clock_wall(void);
struct bs_mono_ns bs_clock_mono(void);

/* This start's record: boot id, boottime, the offset the wall clock proposes, a drawn hash seed. */
void bs_clock_start_body(struct bs_clock *c, struct bs_start_body *ret);

#endif
