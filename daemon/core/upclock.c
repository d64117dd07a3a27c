/* A sliding minimum in bounded memory. Must never forget the offset of a boot, however long it is
 * silent: a device that comes back keeps its time. */
#include "backstep/core/upclock.h"

#include "backstep/core/snapshot.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(BS_UPCLOCK_SPAN_MS / BS_UPCLOCK_CELL_MS + 1 < BS_UPCLOCK_LOWS,
               "one low for each cell leaves room for another");

struct bs_upclock *bs_upclock_new(void)
{
    return calloc(1, sizeof(struct bs_upclock));
}

static bool is_past(struct bs_upclock_low low, struct bs_tick_ms now)
{
    return now.ms - low.tick.ms > BS_UPCLOCK_SPAN_MS;
}

/* The first low that still counts at `now`; `count` where none does. */
static unsigned first_of(const struct bs_upclock *c, struct bs_tick_ms now)
{
    unsigned i = 0;
    while (i < c->count && is_past(c->lows[i], now))
        i++;
    return i;
}

static int64_t cell_of(struct bs_upclock_low low)
{
    return low.tick.ms / BS_UPCLOCK_CELL_MS;
}

/* Leaves one low for each cell of time: the smallest, which stands as long as the last. There is
 * room for another then, also where ticks once ran backwards and cells are more: the largest, which
 * would be the last to count, goes. */
static void thin(struct bs_upclock *c)
{
    uint8_t kept = 0;
    for (unsigned i = 1; i < c->count; i++) {
        if (cell_of(c->lows[i]) == cell_of(c->lows[kept]))
            c->lows[kept].tick = c->lows[i].tick;
        else
            c->lows[++kept] = c->lows[i];
    }
    c->count = kept + 1 < BS_UPCLOCK_LOWS ? (uint8_t)(kept + 1) : BS_UPCLOCK_LOWS - 1;
}

/* What is not below the new one will never be the minimum again: the new one outlives it. */
static void add(struct bs_upclock *c, struct bs_tick_ms tick, int64_t offset_ms)
{
    while (c->count > 0 && c->lows[c->count - 1].offset_ms >= offset_ms)
        c->count--;
    if (c->count == BS_UPCLOCK_LOWS)
        thin(c);
    c->lows[c->count++] = (struct bs_upclock_low){tick, offset_ms};
}

void bs_upclock_hear(struct bs_upclock *c, struct bs_tick_ms tick,
                     int64_t arrival_minus_newest_up_ms)
{
    unsigned past = first_of(c, tick);
    c->count = (uint8_t)(c->count - past);
    memmove(c->lows, c->lows + past, c->count * sizeof *c->lows);
    if (c->known && c->count == 0)
        add(c, tick, c->offset_ms);
    add(c, tick, arrival_minus_newest_up_ms);
    c->offset_ms = c->lows[0].offset_ms;
    c->known = true;
}

bool bs_upclock_offset(const struct bs_upclock *c, struct bs_tick_ms tick, int64_t *ret_offset_ms)
{
    if (!c->known)
        return false;
    unsigned first = first_of(c, tick);
    *ret_offset_ms = first < c->count ? c->lows[first].offset_ms : c->offset_ms;
    return true;
}

void bs_upclock_reset(struct bs_upclock *c)
{
    c->known = false;
    c->count = 0;
}

void bs_upclock_snapshot(struct bs_snapshot *s, struct bs_upclock *c)
{
    c->known = bs_snapshot_flag(s, c->known);
    c->count = bs_snapshot_u8(s, c->count, BS_UPCLOCK_LOWS);
    bs_snapshot_require(s, c->known || c->count == 0);
    if (c->known)
        c->offset_ms = bs_snapshot_moment(s, c->offset_ms);
    for (unsigned i = 0; i < c->count; i++) {
        struct bs_upclock_low *low = &c->lows[i];
        low->tick.ms = bs_snapshot_moment(s, low->tick.ms);
        low->offset_ms = bs_snapshot_moment(s, low->offset_ms);
        bs_snapshot_require(s, i == 0 || low->offset_ms > low[-1].offset_ms);
    }
}
