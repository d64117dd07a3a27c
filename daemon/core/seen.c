/* Duplicates of one (device, boot): a ring of bits for the last 4096 seq and, below it, the runs
 * that were never marked. Must never call a seq new twice; where it no longer knows it says so. */
#include "backstep/core/seen.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORDS (BS_SEEN_BITS / 64)

void bs_seen_init(struct bs_seen *s)
{
    memset(s, 0, sizeof *s);
}

void bs_seen_fini(struct bs_seen *s)
{
    free(s->more);
    s->more = NULL;
    s->hole_count = 0;
}

static struct bs_seen_hole *holes_of(struct bs_seen *s)
{
    return s->more ? s->more : s->near_holes;
}

const struct bs_seen_hole *bs_seen_holes(const struct bs_seen *s)
{
    return s->more ? s->more : s->near_holes;
}

static void remove_hole(struct bs_seen *s, unsigned i)
{
    struct bs_seen_hole *holes = holes_of(s);
    s->hole_count--;
    memmove(holes + i, holes + i + 1, (s->hole_count - i) * sizeof *holes);
}

static void forget_lowest(struct bs_seen *s)
{
    struct bs_seen_hole lowest = holes_of(s)[0];
    if (!s->forgot)
        s->forgotten_first = lowest.first;
    s->forgot = 1;
    s->forgotten_last = lowest.last;
    remove_hole(s, 0);
}

/* One more place for a hole: false where that takes forgetting the lowest one. */
static bool has_room(struct bs_seen *s)
{
    if (s->more)
        return s->hole_count < BS_SEEN_HOLES_MAX;
    if (s->hole_count < BS_SEEN_HOLES_NEAR)
        return true;
    s->more = malloc(BS_SEEN_HOLES_MAX * sizeof *s->more);
    if (s->more)
        memcpy(s->more, s->near_holes, sizeof s->near_holes);
    return s->more != NULL;
}

/* A run above all holes so far that leaves the ring unmarked. */
static void add_hole(struct bs_seen *s, uint32_t first, uint32_t last)
{
    struct bs_seen_hole *holes = holes_of(s);
    if (s->hole_count > 0 && holes[s->hole_count - 1].last + 1 == first) {
        holes[s->hole_count - 1].last = last;
        return;
    }
    if (!has_room(s))
        forget_lowest(s);
    holes_of(s)[s->hole_count++] = (struct bs_seen_hole){first, last};
}

/* Hole i becomes two around seq, which stands inside it and at neither of its ends. */
static void split_hole(struct bs_seen *s, unsigned i, uint32_t seq)
{
    if (!has_room(s)) {
        if (i == 0) {
            /* Its own lower half is the lowest hole then. */
            struct bs_seen_hole *lowest = holes_of(s);
            uint32_t last = lowest->last;
            lowest->last = seq - 1;
            forget_lowest(s);
            memmove(holes_of(s) + 1, holes_of(s), s->hole_count * sizeof *lowest);
            holes_of(s)[0] = (struct bs_seen_hole){seq + 1, last};
            s->hole_count++;
            return;
        }
        forget_lowest(s);
        i--;
    }
    struct bs_seen_hole *holes = holes_of(s);
    memmove(holes + i + 1, holes + i, (s->hole_count - i) * sizeof *holes);
    s->hole_count++;
    holes[i].last = seq - 1;
    holes[i + 1].first = seq + 1;
}

static void fill(struct bs_seen *s, unsigned i, uint32_t seq)
{
    struct bs_seen_hole *hole = &holes_of(s)[i];
    if (hole->first == hole->last)
        remove_hole(s, i);
    else if (hole->first == seq)
        hole->first++;
    else if (hole->last == seq)
        hole->last--;
    else
        split_hole(s, i, seq);
}

static enum bs_seen_verdict mark_below(struct bs_seen *s, uint32_t seq)
{
    const struct bs_seen_hole *holes = holes_of(s);
    unsigned low = 0, high = s->hole_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (holes[middle].last < seq)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < s->hole_count && holes[low].first <= seq) {
        fill(s, low, seq);
        return BS_SEEN_NEW;
    }
    bool unknown = s->forgot && seq >= s->forgotten_first && seq <= s->forgotten_last;
    return unknown ? BS_SEEN_STALE : BS_SEEN_DUPLICATE;
}

static bool take_bit(struct bs_seen *s, uint32_t seq)
{
    uint64_t *word = &s->bits[seq / 64 % WORDS], bit = UINT64_C(1) << seq % 64;
    bool was_set = *word & bit;
    *word |= bit;
    return was_set;
}

/* The bits of `word` that belong to seq in first..last, all of them of that one word. */
static uint64_t mask_of(uint32_t first, uint32_t last)
{
    return (~UINT64_C(0) << first % 64) & (~UINT64_C(0) >> (63 - last % 64));
}

/* Where the zeros of `word` become holes: `first`..`last` is the part of it that leaves. */
static void add_zeros(struct bs_seen *s, uint64_t word, uint32_t first, uint32_t last)
{
    uint64_t zeros = ~word & mask_of(first, last);
    uint32_t base = first - first % 64;
    while (zeros) {
        unsigned from = (unsigned)__builtin_ctzll(zeros);
        uint64_t ones = ~zeros & (~UINT64_C(0) << from);
        unsigned end = ones ? (unsigned)__builtin_ctzll(ones) : 64;
        add_hole(s, base + from, base + end - 1);
        zeros = end == 64 ? 0 : zeros & (~UINT64_C(0) << end);
    }
}

/* first..last leaves the ring for what comes in its place, a word at a time: what it has not marked
 * becomes holes, and the bits are clear for their next owners. */
static void leave_ring(struct bs_seen *s, uint32_t first, uint32_t last)
{
    for (;;) {
        uint32_t word_last = first | 63;
        uint32_t part_last = word_last < last ? word_last : last;
        uint64_t *word = &s->bits[first / 64 % WORDS];
        add_zeros(s, *word, first, part_last);
        *word &= ~mask_of(first, part_last);
        if (part_last == last)
            return;
        first = part_last + 1;
    }
}

/* The ring moves up until seq is its head. Before that many have come nothing leaves it. */
static void advance(struct bs_seen *s, uint32_t seq)
{
    if (seq >= BS_SEEN_BITS) {
        uint32_t leaving_last = seq - BS_SEEN_BITS;
        uint32_t leaving_first = s->head >= BS_SEEN_BITS ? s->head - BS_SEEN_BITS + 1 : 0;
        leave_ring(s, leaving_first, leaving_last < s->head ? leaving_last : s->head);
        if (leaving_last > s->head)
            add_hole(s, s->head + 1, leaving_last);
    }
    s->head = seq;
    take_bit(s, seq);
}

static void begin(struct bs_seen *s, uint32_t seq)
{
    if (seq >= BS_SEEN_BITS)
        add_hole(s, 0, seq - BS_SEEN_BITS);
    s->any = 1;
    s->head = seq;
    take_bit(s, seq);
}

enum bs_seen_verdict bs_seen_mark(struct bs_seen *s, uint32_t seq, uint32_t *ret_lost)
{
    *ret_lost = 0;
    if (!s->any) {
        begin(s, seq);
        return BS_SEEN_NEW;
    }
    if (seq > s->head) {
        uint32_t between = seq - s->head - 1;
        *ret_lost = between <= BS_SEEN_BITS ? between : 0;
        advance(s, seq);
        return BS_SEEN_NEW;
    }
    if (s->head - seq >= BS_SEEN_BITS)
        return mark_below(s, seq);
    return take_bit(s, seq) ? BS_SEEN_DUPLICATE : BS_SEEN_NEW;
}
