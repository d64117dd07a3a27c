/* The size of the tumbling windows over event time. A changed size holds from a boundary on, so
 * that no step that was ever placed finds its window changed:
 *
 *   from = first multiple of max(old size, new size) at or after arrival + max_future
 *
 * Where the old size does not divide `from`, the last old window reaches over it; where the new one
 * does not, the first new window begins before it. Neither start is one of the other size's, so no
 * two rows share a key. */
#ifndef BACKSTEP_CORE_TILING_H
#define BACKSTEP_CORE_TILING_H

#include <stddef.h>
#include <stdint.h>

struct bs_snapshot;

/* A change takes at least one window; 64 of them reach back an hour even at one a minute. What is
 * older than the oldest kept size is too late (bs_tiling_floor). */
#define BS_TILING_SIZES_MAX 64

struct bs_tiling {
    size_t count;
    struct {
        int64_t from_ms; /* the first has INT64_MIN until an older one was forgotten */
        int64_t size_ms;
    } sizes[BS_TILING_SIZES_MAX]; /* ascending by from_ms */
};

struct bs_tile {
    int64_t start_ms, size_ms;
};

void bs_tiling_init(struct bs_tiling *t, int64_t size_ms);

/* A new size from the boundary after `arrival_ms` + `max_future_ms` (the larger of old and new). A
 * size that was to begin at or after that moment never does. */
void bs_tiling_change(struct bs_tiling *t, int64_t size_ms, int64_t arrival_ms,
                      int64_t max_future_ms);

/* Sizes whose last window ended at or before `before_ms` are no longer asked for. */
void bs_tiling_forget(struct bs_tiling *t, int64_t before_ms);

/* The window of an event time that is not before bs_tiling_floor. */
struct bs_tile bs_tiling_find(const struct bs_tiling *t, int64_t time_ms);

void bs_tiling_snapshot(struct bs_snapshot *s, struct bs_tiling *t);

/* Event times before it have no known size. */
static inline int64_t bs_tiling_floor(const struct bs_tiling *t)
{
    return t->sizes[0].from_ms;
}

#endif
