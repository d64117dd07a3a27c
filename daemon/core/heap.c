/* The deadlines' heap. Must never let two equal keys leave in an order that depends on memory. */
#include "backstep/core/heap.h"

#include "backstep/base/check.h"

#include <stdlib.h>

void bs_heap_init(struct bs_heap *h)
{
    *h = (struct bs_heap){0};
}

void bs_heap_fini(struct bs_heap *h)
{
    free(h->entries);
    bs_heap_init(h);
}

bool bs_heap_reserve(struct bs_heap *h)
{
    if (h->count < h->room)
        return true;
    size_t room = h->room ? h->room * 2 : 64;
    struct bs_heap_entry *entries = realloc(h->entries, room * sizeof *entries);
    if (!entries)
        return false;
    h->entries = entries;
    h->room = room;
    return true;
}

static bool before(const struct bs_heap_entry *a, const struct bs_heap_entry *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

void bs_heap_push(struct bs_heap *h, int64_t key, void *item)
{
    bs_check(h->count < h->room);
    struct bs_heap_entry entry = {key, h->next_order++, item};
    size_t at = h->count++;
    while (at > 0 && before(&entry, &h->entries[(at - 1) / 2])) {
        h->entries[at] = h->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    h->entries[at] = entry;
}

int64_t bs_heap_least(const struct bs_heap *h)
{
    return h->count ? h->entries[0].key : INT64_MAX;
}

void *bs_heap_pop(struct bs_heap *h)
{
    bs_check(h->count > 0);
    void *item = h->entries[0].item;
    struct bs_heap_entry last = h->entries[--h->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && before(&h->entries[child + 1], &h->entries[child]))
            child++;
        if (!before(&h->entries[child], &last))
            break;
        h->entries[at] = h->entries[child];
        at = child;
    }
    h->entries[at] = last;
    return item;
}
