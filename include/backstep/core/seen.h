/* Which `seq` of one (device, boot) were already marked: the last 4096 exactly (ring bitmap of
 * RFC 6479), below them up to 64 holes, runs never marked. The lowest holes are forgotten first. */
#ifndef BACKSTEP_CORE_SEEN_H
#define BACKSTEP_CORE_SEEN_H

#include <stddef.h>
#include <stdint.h>

struct bs_snapshot;

#define BS_SEEN_BITS       4096
#define BS_SEEN_HOLES_MAX  64
#define BS_SEEN_HOLES_NEAR 2

/* STALE: at or between holes that were forgotten, so that nobody knows any more. */
enum bs_seen_verdict { BS_SEEN_NEW, BS_SEEN_DUPLICATE, BS_SEEN_STALE };

struct bs_seen_hole {
    uint32_t first, last; /* inclusive */
};

struct bs_seen {
    uint32_t head; /* the highest marked; meaningless while `any` is 0 */
    uint8_t any;
    uint8_t forgot; /* a hole was forgotten */
    uint8_t hole_count;
    uint32_t forgotten_first, forgotten_last; /* from the lowest forgotten seq to the highest */
    struct bs_seen_hole near_holes[BS_SEEN_HOLES_NEAR];
    struct bs_seen_hole *more; /* NULL, or all holes: room for BS_SEEN_HOLES_MAX */
    /* Bit seq % 4096 of each seq in head-4095..head, of those that are not negative. */
    uint64_t bits[BS_SEEN_BITS / 64];
};

void bs_seen_init(struct bs_seen *s);
void bs_seen_fini(struct bs_seen *s);

/* The holes, hole_count of them, ascending, disjoint, not touching each other, all of them below
 * the last 4096. */
const struct bs_seen_hole *bs_seen_holes(const struct bs_seen *s);

/* Judges and marks. ret_lost: seq − the highest marked before − 1 where positive and at most 4096,
 * else 0; 0 at the first of a boot. Allocates only when holes outgrow the inline ones (once); if
 * that memory is not to be had the lowest hole is forgotten. */
enum bs_seen_verdict bs_seen_mark(struct bs_seen *s, uint32_t seq, uint32_t *ret_lost);

/* Loading: into one that was initialised. */
void bs_seen_snapshot(struct bs_snapshot *s, struct bs_seen *seen);

#endif
