/* A binary min-heap of (key, item); equal keys leave in the order they came. For deadlines. */
#ifndef BACKSTEP_CORE_HEAP_H
#define BACKSTEP_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bs_snapshot;

struct bs_heap_entry {
    int64_t key;
    uint64_t order; /* drawn from a counter: breaks ties */
    void *item;
};

struct bs_heap {
    struct bs_heap_entry *entries;
    size_t count, room;
    uint64_t next_order;
};

void bs_heap_init(struct bs_heap *h);
void bs_heap_fini(struct bs_heap *h);

/* Makes sure that one more entry fits; false where memory is out. */
bool bs_heap_reserve(struct bs_heap *h);

/* Adds; room must have been reserved. */
void bs_heap_push(struct bs_heap *h, int64_t key, void *item);

/* The smallest key, INT64_MAX where the heap is empty. */
int64_t bs_heap_least(const struct bs_heap *h);

/* Takes the entry with the smallest key; the heap must not be empty. */
void *bs_heap_pop(struct bs_heap *h);

/* Refers to an item in the snapshot and gives it back, or the one that is read; NULL only after a
 * failure. */
typedef void *bs_heap_item_snapshot(void *context, struct bs_snapshot *s, void *item);

/* Saves the array as it lies, or loads it into an empty heap. Keys are times (bs_snapshot_time). */
void bs_heap_snapshot(struct bs_snapshot *s, struct bs_heap *h, bs_heap_item_snapshot *item,
                      void *context);

#endif
