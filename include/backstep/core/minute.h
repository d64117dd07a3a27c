/* A minute in parts of 100 ms, for what comes up once a minute: whoever is in it has a part of its
 * own choosing, the one in which it came in, and its turn comes again and again in exactly 60 s.
 *
 * So the work is spread over the minute as its owners came. Where very many came at once, the later
 * ones get the next parts: no part holds many more than its share. Who has a turn in one part comes
 * up in the order in which they came in. */
#ifndef BACKSTEP_CORE_MINUTE_H
#define BACKSTEP_CORE_MINUTE_H

#include "backstep/base/time.h"

#include <stdint.h>

#define BS_MINUTE_PART_MS 100
#define BS_MINUTE_PARTS   600

struct bs_minute;
struct bs_snapshot;

/* A place in a minute, part of whoever has it; zeroed: in none. */
struct bs_minute_place {
    struct bs_minute_place *next, *previous; /* in the same part */
    struct bs_minute *minute;                /* NULL: in none */
    uint32_t part;
};

/* Zeroed: nobody is in it. Must not move while somebody is. */
struct bs_minute {
    struct bs_minute_part {
        struct bs_minute_place *first, *last;
        uint32_t count;
    } parts[BS_MINUTE_PARTS];
    uint32_t count;
    int64_t next; /* the next turn's part, counted from tick 0; while somebody is in it */
};

/* The place must be in none. Its first turn is a minute from `now`, or as much later as the parts
 * are full. */
void bs_minute_enter(struct bs_minute *m, struct bs_minute_place *place, struct bs_tick_ms now);

/* Whether or not it is in one; also while its own turn is on. */
void bs_minute_leave(struct bs_minute_place *place);

/* When the next turn is due; BS_NEVER_MS: nobody is in it. */
struct bs_tick_ms bs_minute_deadline(const struct bs_minute *m);

/* The first whose turn it is then, the others behind it by `next`; NULL: all of them left. */
struct bs_minute_place *bs_minute_turn(const struct bs_minute *m);

/* The turn is over: the deadline is the next one. */
void bs_minute_advance(struct bs_minute *m);

/* Saves it, or loads it into one in which nobody is. Places are referred to as the objects of
 * BS_SNAPSHOT_DEVICE, which begin with theirs. */
void bs_minute_snapshot(struct bs_snapshot *s, struct bs_minute *m);

#endif
