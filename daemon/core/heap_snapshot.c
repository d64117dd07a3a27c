/* The deadlines' heap in a snapshot: the array as it lies. Must never let a forged one in that does
 * not give its entries in order. */
#include "backstep/core/heap.h"
#include "backstep/core/snapshot.h"

static bool is_behind_its_parent(const struct bs_heap *h, size_t at)
{
    if (at == 0)
        return true;
    const struct bs_heap_entry *parent = &h->entries[(at - 1) / 2], *entry = &h->entries[at];
    return parent->key < entry->key || (parent->key == entry->key && parent->order < entry->order);
}

/* A key of INT64_MIN is no moment that anything can be due at, and nothing can be taken from it. */
static void code_entry(struct bs_snapshot *s, const struct bs_heap *h, struct bs_heap_entry *entry)
{
    entry->key = bs_snapshot_time(s, entry->key);
    bs_snapshot_require(s, entry->key != INT64_MIN);
    entry->order = bs_snapshot_u64(s, entry->order, h->next_order);
    bs_snapshot_require(s, s->failed || entry->order < h->next_order);
}

void bs_heap_snapshot(struct bs_snapshot *s, struct bs_heap *h, bs_heap_item_snapshot *item,
                      void *context)
{
    h->next_order = bs_snapshot_u64(s, h->next_order, UINT64_MAX);
    size_t count = bs_snapshot_count(s, h->count, SIZE_MAX);
    for (size_t i = 0; i < count && !s->failed; i++) {
        if (bs_snapshot_loads(s) && !bs_heap_reserve(h)) {
            bs_snapshot_fail(s, BS_NO_MEMORY);
            return;
        }
        struct bs_heap_entry entry =
            bs_snapshot_loads(s) ? (struct bs_heap_entry){0} : h->entries[i];
        code_entry(s, h, &entry);
        entry.item = item(context, s, entry.item);
        if (bs_snapshot_loads(s) && !s->failed) {
            h->entries[h->count++] = entry;
            bs_snapshot_require(s, is_behind_its_parent(h, i));
        }
    }
}
