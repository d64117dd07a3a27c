/* Which size a window has at an event time. Must never change the answer for a time that may
 * already have been asked for. */
#include "backstep/core/tiling.h"

#include "backstep/base/check.h"

#include <string.h>

static int64_t floor_to(int64_t time_ms, int64_t size_ms)
{
    int64_t rest = time_ms % size_ms;
    return time_ms - (rest < 0 ? rest + size_ms : rest);
}

void bs_tiling_init(struct bs_tiling *t, int64_t size_ms)
{
    t->count = 1;
    t->sizes[0].from_ms = INT64_MIN;
    t->sizes[0].size_ms = size_ms;
}

static void drop_first(struct bs_tiling *t)
{
    t->count--;
    memmove(&t->sizes[0], &t->sizes[1], t->count * sizeof t->sizes[0]);
}

void bs_tiling_change(struct bs_tiling *t, int64_t size_ms, int64_t arrival_ms,
                      int64_t max_future_ms)
{
    int64_t earliest = arrival_ms + max_future_ms;
    while (t->count > 1 && t->sizes[t->count - 1].from_ms >= earliest)
        t->count--;
    int64_t old = t->sizes[t->count - 1].size_ms;
    if (old == size_ms)
        return;
    int64_t larger = old > size_ms ? old : size_ms;
    int64_t from = floor_to(earliest + larger - 1, larger);
    if (t->count == BS_TILING_SIZES_MAX)
        drop_first(t);
    t->sizes[t->count].from_ms = from;
    t->sizes[t->count].size_ms = size_ms;
    t->count++;
}

/* Its last window may reach over the boundary. */
static int64_t first_ends(const struct bs_tiling *t)
{
    int64_t size = t->sizes[0].size_ms;
    return floor_to(t->sizes[1].from_ms - 1, size) + size;
}

void bs_tiling_forget(struct bs_tiling *t, int64_t before_ms)
{
    while (t->count > 1 && first_ends(t) <= before_ms)
        drop_first(t);
}

struct bs_tile bs_tiling_find(const struct bs_tiling *t, int64_t time_ms)
{
    size_t i = t->count - 1;
    while (i > 0 && time_ms < t->sizes[i].from_ms)
        i--;
    int64_t size = t->sizes[i].size_ms;
    return (struct bs_tile){floor_to(time_ms, size), size};
}
