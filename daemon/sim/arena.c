/* A list of chunks. Must never move what it gave. */
#include "arena.h"

#include "backstep/base/check.h"

#include <stdlib.h>

#define CHUNK_BYTES ((size_t)256 * 1024)

struct sim_chunk {
    struct sim_chunk *next;
    size_t room;
    _Alignas(8) char bytes[];
};

static struct sim_chunk *add_chunk(struct sim_arena *a, size_t bytes)
{
    size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct sim_chunk *c = malloc(sizeof *c + room);
    bs_check(c);
    c->room = room;
    c->next = a->current ? a->current->next : NULL;
    *(a->current ? &a->current->next : &a->first) = c;
    return c;
}

void *sim_arena_take(struct sim_arena *a, size_t bytes)
{
    bytes = (bytes + 7) & ~(size_t)7;
    if (!a->current || a->used + bytes > a->current->room) {
        struct sim_chunk *next = a->current ? a->current->next : a->first;
        a->current = next && next->room >= bytes ? next : add_chunk(a, bytes);
        a->used = 0;
    }
    void *at = a->current->bytes + a->used;
    a->used += bytes;
    return at;
}

struct bs_slice sim_arena_copy(struct sim_arena *a, struct bs_slice bytes)
{
    char *at = sim_arena_take(a, bytes.length);
    if (bytes.length > 0)
        memcpy(at, bytes.at, bytes.length);
    return bs_slice_of(at, bytes.length);
}

/* Large ones would lie where the next user wants them seldom, and become more and more. */
void sim_arena_reset(struct sim_arena *a)
{
    for (struct sim_chunk **at = &a->first, *c; (c = *at) != NULL;) {
        if (c->room == CHUNK_BYTES) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c);
    }
    a->current = a->first;
    a->used = 0;
}

void sim_arena_fini(struct sim_arena *a)
{
    for (struct sim_chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *a = (struct sim_arena){0};
}
