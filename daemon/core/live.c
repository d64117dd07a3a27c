/* Boards: their life, and who stays on them. Must never let a board go while somebody is on it. */
#include "live_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

#include <stdlib.h>

/* Everybody who is shown, each with 70 bytes of id, 32 code points of alias, quoted, and some 230
 * bytes more. Taken once, so that showing never fails. */
#define TEXT_BYTES_MAX (128u * 1024)

enum bs_status bs_live_new(struct bs_live **ret, const struct bs_live_options *options)
{
    struct bs_live *l = calloc(1, sizeof *l);
    if (!l)
        return BS_NO_MEMORY;
    l->root_length = options->topic.length;
    l->find_session = options->find_session;
    l->context = options->context;
    bs_buffer_init(&l->text, TEXT_BYTES_MAX);
    bs_buffer_init(&l->topic, options->topic.length + BS_ID_MAX);
    bs_buffer_add(&l->topic, options->topic);
    if (!bs_buffer_room(&l->topic, BS_ID_MAX) || !bs_buffer_room(&l->text, TEXT_BYTES_MAX)) {
        bs_live_free(l);
        return BS_NO_MEMORY;
    }
    *ret = l;
    return BS_OK;
}

void bs_live_drop(struct bs_live *l, struct bs_live_board *b)
{
    bs_check(b->count == 0);
    bs_live_queue_remove(&l->queue, b);
    HASH_DELETE(hh, l->boards, b); /* NOLINT: it is in the table */
    free(b);
}

void bs_live_free(struct bs_live *l)
{
    if (!l)
        return;
    struct bs_live_board *b, *next;
    HASH_ITER(hh, l->boards, b, next)
    {
        while (b->first)
            bs_live_take_off(b->first);
        bs_live_drop(l, b);
    }
    free(l->queue.boards);
    bs_buffer_fini(&l->topic);
    bs_buffer_fini(&l->text);
    free(l);
}

void bs_live_seed(struct bs_live *l, uint64_t seed)
{
    if (!l->boards)
        l->seed = seed;
}

void bs_live_set_refresh(struct bs_live *l, int64_t refresh_ms)
{
    l->refresh_ms = refresh_ms;
}

uint32_t bs_live_boards(const struct bs_live *l)
{
    return l->queue.count;
}

/* Boards by group. */

static unsigned hash_group(const struct bs_live *l, struct bs_slice group)
{
    return (unsigned)bs_hash_bytes(l->seed, group);
}

static struct bs_live_board *find(const struct bs_live *l, struct bs_slice group)
{
    struct bs_live_board *b;
    HASH_FIND_BYHASHVALUE(hh, l->boards, group.at, group.length, hash_group(l, group), b);
    return b;
}

static struct bs_live_board *make(struct bs_slice group)
{
    struct bs_live_board *b = calloc(1, sizeof *b + group.length);
    if (!b)
        return NULL;
    b->built = b->published = BS_LIVE_LONG_AGO;
    b->leaves_ms = BS_NEVER_MS;
    b->until_ms = b->closed_ms = INT64_MIN;
    b->group_length = (uint8_t)group.length;
    memcpy(b->group, group.at, group.length);
    return b;
}

struct bs_live_board *bs_live_open(struct bs_live *l, struct bs_slice group)
{
    struct bs_live_board *b = find(l, group);
    if (b || l->queue.count >= BS_LIVE_BOARDS_MAX || !bs_live_queue_reserve(&l->queue))
        return b;
    b = make(group);
    struct bs_live_board *added = b;
    if (b)
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, l->boards, b->group, group.length, hash_group(l, group),
                                    added);
    if (!added) { /* uthash found no memory */
        free(b);
        return NULL;
    }
    bs_live_queue_add(&l->queue, b);
    return b;
}

void bs_live_let_go(struct bs_live_board *b, int64_t since_ms)
{
    b->leaves_ms = BS_NEVER_MS;
    for (struct bs_live_member *m = b->first, *next; m; m = next) {
        next = m->next;
        if (m->last_ms >= since_ms) {
            int64_t leaves_ms = m->last_ms + BS_LIVE_SILENCE_MS;
            b->leaves_ms = leaves_ms < b->leaves_ms ? leaves_ms : b->leaves_ms;
            continue;
        }
        bs_live_take_off(m);
        b->changed = true;
    }
}

/* What comes from elsewhere. */

void bs_live_note_session(struct bs_live *l, struct bs_slice group)
{
    struct bs_live_board *b = find(l, group);
    if (!b)
        return;
    b->until_ms = INT64_MIN;
    bs_live_arm(l, b);
}

void bs_live_restart(struct bs_live *l)
{
    for (struct bs_live_board *b = l->boards; b; b = b->hh.next) {
        if (b->said == BS_LIVE_NOBODY)
            b->said = BS_LIVE_MEMBERS;
        b->built = b->published = BS_LIVE_LONG_AGO;
        b->content = 0;
        b->changed = true;
        bs_live_arm(l, b);
    }
}

void bs_live_empty(struct bs_live *l)
{
    for (struct bs_live_board *b = l->boards; b; b = b->hh.next) {
        bs_live_let_go(b, INT64_MAX);
        b->until_ms = b->closed_ms = INT64_MIN;
        bs_live_arm(l, b);
    }
}
