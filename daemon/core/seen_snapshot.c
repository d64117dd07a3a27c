/* What was marked, to a snapshot and back. Must never let holes overlap, nor reach into the ring:
 * a seq would be new twice. */
#include "backstep/core/seen.h"
#include "backstep/core/snapshot.h"

#include <stdbool.h>
#include <stdlib.h>

#define WORDS (BS_SEEN_BITS / 64)

_Static_assert(WORDS == 64, "a mask of the words is a word");

/* Most rings are marked nearly everywhere, a young one nearly nowhere: of two masks of words, those
 * that are not full and, of them, those that are not empty, the latter follow. */
static uint64_t words_that_are_not(const struct bs_seen *seen, uint64_t value)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < WORDS; i++)
        mask |= (uint64_t)(seen->bits[i] != value) << i;
    return mask;
}

static void keep_ring(struct bs_snapshot *s, struct bs_seen *seen)
{
    uint64_t open = words_that_are_not(seen, UINT64_MAX);
    uint64_t some = open & words_that_are_not(seen, 0);
    open = bs_snapshot_u64(s, open, UINT64_MAX);
    some = bs_snapshot_u64(s, some, UINT64_MAX);
    bs_snapshot_require(s, !(some & ~open));
    for (unsigned i = 0; i < WORDS; i++) {
        if (some >> i & 1)
            seen->bits[i] = bs_snapshot_u64(s, seen->bits[i], UINT64_MAX);
        else
            seen->bits[i] = open >> i & 1 ? 0 : UINT64_MAX;
    }
}

/* Room for so many; false where memory is out. */
static bool reserve(struct bs_seen *seen, unsigned count)
{
    if (count > BS_SEEN_HOLES_NEAR)
        seen->more = malloc(BS_SEEN_HOLES_MAX * sizeof *seen->more);
    return count <= BS_SEEN_HOLES_NEAR || seen->more;
}

static void keep_holes(struct bs_snapshot *s, struct bs_seen *seen)
{
    uint8_t count = bs_snapshot_u8(s, seen->hole_count, BS_SEEN_HOLES_MAX);
    if (bs_snapshot_loads(s) && !reserve(seen, count)) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    struct bs_seen_hole *holes = seen->more ? seen->more : seen->near_holes;
    for (unsigned i = 0; i < count; i++) {
        struct bs_seen_hole *h = &holes[i];
        h->first = bs_snapshot_u32(s, h->first, UINT32_MAX);
        h->last = bs_snapshot_u32(s, h->last, UINT32_MAX);
        bs_snapshot_require(s, h->first <= h->last && seen->head >= BS_SEEN_BITS &&
                                   h->last <= seen->head - BS_SEEN_BITS);
        bs_snapshot_require(s, i == 0 || (h->first > h[-1].last && h->first - h[-1].last > 1));
    }
    seen->hole_count = count;
}

void bs_seen_snapshot(struct bs_snapshot *s, struct bs_seen *seen)
{
    seen->any = bs_snapshot_flag(s, seen->any);
    if (!seen->any)
        return;
    seen->head = bs_snapshot_u32(s, seen->head, UINT32_MAX);
    keep_ring(s, seen);
    keep_holes(s, seen);
    seen->forgot = bs_snapshot_flag(s, seen->forgot);
    if (!seen->forgot)
        return;
    seen->forgotten_first = bs_snapshot_u32(s, seen->forgotten_first, UINT32_MAX);
    seen->forgotten_last = bs_snapshot_u32(s, seen->forgotten_last, UINT32_MAX);
}
