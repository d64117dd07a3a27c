/* Time, as types that cannot be mixed up. Nothing here reads a clock: time arrives in the record.
 */
#ifndef BACKSTEP_BASE_TIME_H
#define BACKSTEP_BASE_TIME_H

#include <stdint.h>

/* Wall time: Unix time in UTC, milliseconds. Windows, sessions, lateness and `future` use it. */
struct bs_wall_ms {
    int64_t ms;
};

/* A record's tick: monotone over the life of a log, also across restarts. Timers and ages use it.
 * wall time = tick + offset; the offset changes only by a clock record. */
struct bs_tick_ms {
    int64_t ms;
};

/* CLOCK_MONOTONIC, nanoseconds: for measuring our own work only, never in a record. */
struct bs_mono_ns {
    uint64_t ns;
};

#define BS_NEVER_MS INT64_MAX

#endif
