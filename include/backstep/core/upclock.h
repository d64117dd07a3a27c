/* Where the `up` clock of one (device, boot) stands against wall time: the smallest of
 * (arrival − `up` of the newest event) over the messages of the last 60 s that were not stored. The
 * smallest, because what delays a message only ever adds.
 *
 * After a silence of more than 60 s the offset in force before it takes part for another 60 s, so
 * that a backlog that is then sent keeps its times. Exact, but for one bound: where more than
 * BS_UPCLOCK_LOWS arrivals of the last 60 s rise one above the other, a low may stand up to
 * BS_UPCLOCK_CELL_MS longer than 60 s. */
#ifndef BACKSTEP_CORE_UPCLOCK_H
#define BACKSTEP_CORE_UPCLOCK_H

#include "backstep/base/time.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

#define BS_UPCLOCK_SPAN_MS 60000
#define BS_UPCLOCK_LOWS    32
#define BS_UPCLOCK_CELL_MS 2000

/* Half a KiB: only boots that give `up` have one. */
struct bs_upclock {
    int64_t offset_ms; /* as the last hearing left it */
    bool known;        /* there was a hearing since the beginning or the last reset */
    uint8_t count;
    /* What may still become the minimum: ascending in both. */
    struct bs_upclock_low {
        struct bs_tick_ms tick;
        int64_t offset_ms;
    } lows[BS_UPCLOCK_LOWS];
};

/* On the heap, ended by free(); NULL where there is no memory. */
struct bs_upclock *bs_upclock_new(void);

/* A message that is not stored arrived at `tick` (never before the last one's). */
void bs_upclock_hear(struct bs_upclock *c, struct bs_tick_ms tick,
                     int64_t arrival_minus_newest_up_ms);

/* The offset at `tick`: wall time = up + offset. False where nothing was heard yet. */
bool bs_upclock_offset(const struct bs_upclock *c, struct bs_tick_ms tick, int64_t *ret_offset_ms);

/* The wall clock was stepped: what was heard before it is of no use. */
void bs_upclock_reset(struct bs_upclock *c);

/* Loading: into a new one. */
void bs_upclock_snapshot(struct bs_snapshot *s, struct bs_upclock *c);

#endif
