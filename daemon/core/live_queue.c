/* The boards by deadline: a binary heap whose members know their places. Must never let two boards
 * of one deadline leave in another order than their groups'. */
#include "live_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

#define ROOM_FIRST 16u

bool bs_live_queue_reserve(struct bs_live_queue *q)
{
    if (q->count < q->room)
        return true;
    uint32_t room = q->room ? q->room * 2 : ROOM_FIRST;
    struct bs_live_board **boards =
        realloc(q->boards, room * sizeof *boards); /* NOLINT: pointers are what it holds */
    if (!boards)
        return false;
    q->boards = boards;
    q->room = room;
    return true;
}

static bool before(const struct bs_live_board *a, const struct bs_live_board *b)
{
    if (a->due != b->due)
        return a->due < b->due;
    return bs_slice_compare(bs_live_group(a), bs_live_group(b)) < 0;
}

static void put(struct bs_live_queue *q, uint32_t place, struct bs_live_board *b)
{
    q->boards[place] = b;
    b->place = place;
}

static void rise(struct bs_live_queue *q, struct bs_live_board *b)
{
    uint32_t at = b->place;
    for (; at > 0 && before(b, q->boards[(at - 1) / 2]); at = (at - 1) / 2)
        put(q, at, q->boards[(at - 1) / 2]);
    put(q, at, b);
}

static void sink(struct bs_live_queue *q, struct bs_live_board *b)
{
    uint32_t at = b->place;
    for (uint32_t child; (child = 2 * at + 1) < q->count; at = child) {
        if (child + 1 < q->count && before(q->boards[child + 1], q->boards[child]))
            child++;
        if (!before(q->boards[child], b))
            break;
        put(q, at, q->boards[child]);
    }
    put(q, at, b);
}

void bs_live_queue_add(struct bs_live_queue *q, struct bs_live_board *b)
{
    bs_check(q->count < q->room);
    put(q, q->count++, b);
    rise(q, b);
}

void bs_live_queue_move(struct bs_live_queue *q, struct bs_live_board *b)
{
    bs_check(q->boards[b->place] == b);
    rise(q, b);
    sink(q, b);
}

void bs_live_queue_remove(struct bs_live_queue *q, struct bs_live_board *b)
{
    bs_check(q->boards[b->place] == b);
    struct bs_live_board *last = q->boards[--q->count];
    if (last == b)
        return;
    put(q, b->place, last);
    bs_live_queue_move(q, last);
}

bool bs_live_queue_lay(struct bs_live_queue *q, struct bs_live_board *const *order)
{
    bool is_heap = true;
    for (uint32_t i = 0; i < q->count; i++) {
        put(q, i, order[i]);
        is_heap = is_heap && (i == 0 || !before(order[i], order[(i - 1) / 2]));
    }
    return is_heap;
}
