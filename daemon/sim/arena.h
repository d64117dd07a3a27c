/* Memory that grows and never moves, and is given up all at once. */
#ifndef BACKSTEP_SIM_ARENA_H
#define BACKSTEP_SIM_ARENA_H

#include "backstep/base/slice.h"

#include <stddef.h>

struct sim_chunk;

struct sim_arena {
    struct sim_chunk *first, *current;
    size_t used; /* of the current one */
};

/* Of 8-byte alignment; not zeroed. */
void *sim_arena_take(struct sim_arena *a, size_t bytes);
struct bs_slice sim_arena_copy(struct sim_arena *a, struct bs_slice bytes);

/* Empty; the memory is kept. */
void sim_arena_reset(struct sim_arena *a);
void sim_arena_fini(struct sim_arena *a);

#endif
