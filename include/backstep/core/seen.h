/* Which `seq` of one (device, boot) were already marked: the last 4096 exactly (ring bitmap of
 * RFC 6479), below them up to 64 holes, runs never marked. The lowest holes are forgotten first. */
#ifndef BACKSTEP_CORE_SEEN_H
#define BACKSTEP_CORE_SEEN_H

#include <stddef.h>
#include <stdint.h>

#define BS_SEEN_BITS      4096
#define BS_SEEN_HOLES_MAX 64

enum bs_seen_verdict { BS_SEEN_NEW, BS_SEEN_DUPLICATE, BS_SEEN_STALE };

struct bs_seen_hole {
    uint32_t first, last; /* inclusive */
};

struct bs_seen {
    uint32_t head; /* the highest marked; meaningless while `any` is 0 */
    uint8_t any;
    uint8_t hole_count;
    uint8_t hole_room;       /* of `more`; 0 while the inline ones suffice */
    uint8_t forgot;          /* a hole was forgotten */
    uint32_t forgotten_last; /* the highest seq of forgotten holes */
    struct bs_seen_hole near_holes[2];
    struct bs_seen_hole *more; /* ascending with near_holes; NULL until more than two */
    uint64_t bits[BS_SEEN_BITS / 64];
};

void bs_seen_init(struct bs_seen *s);
void bs_seen_fini(struct bs_seen *s);

/* Judges and marks. ret_lost: seq − the highest marked before − 1 where positive and at most 4096,
 * else 0; 0 at the first of a boot. Allocates only when holes outgrow the inline ones (once); if
 * that memory is not to be had the lowest hole is forgotten. */
enum bs_seen_verdict bs_seen_mark(struct bs_seen *s, uint32_t seq, uint32_t *ret_lost);

#endif
