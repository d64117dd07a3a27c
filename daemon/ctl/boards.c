/* Boards by group. Must never show one that is old as if it were of now. */
#include "boards.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS  UINT64_C(1000000000)

/* Larger ones are nobody's board. */
#define BYTES_MAX  (1024u * 1024)
#define BOARDS_MAX 32768u

static void drop(struct bs_boards *boards, struct bs_board *b)
{
    HASH_DEL(boards->by_group, b); /* NOLINT: it is in the table */
    cJSON_Delete(b->document);
    free(b);
}

static int by_group(const struct bs_board *a, const struct bs_board *b)
{
    return strcmp(a->group, b->group);
}

static struct bs_board *find_or_add(struct bs_boards *boards, struct bs_slice group)
{
    struct bs_board *b = NULL;
    HASH_FIND(hh, boards->by_group, group.at, group.length, b);
    if (b || HASH_COUNT(boards->by_group) >= BOARDS_MAX)
        return b;
    b = calloc(1, sizeof *b + group.length + 1);
    if (!b)
        return NULL;
    memcpy(b->group, group.at, group.length);
    HASH_ADD_KEYPTR(hh, boards->by_group, b->group, group.length, b);
    HASH_SORT(boards->by_group, by_group);
    return b;
}

/* Clocks of two machines may differ: nothing is written in the future. */
static uint64_t written_ns(const cJSON *document, bool retained,
                           const struct bs_boards_moment *moment)
{
    int64_t age_ms = moment->wall_ms - bs_board_time_ms(document);
    if (!retained || age_ms <= 0)
        return moment->now_ns;
    uint64_t age_ns = (uint64_t)age_ms * 1000000;
    return age_ns < moment->now_ns ? moment->now_ns - age_ns : 0;
}

void bs_boards_take(struct bs_boards *boards, struct bs_slice group, struct bs_slice payload,
                    bool retained, const struct bs_boards_moment *moment)
{
    struct bs_board *b = NULL;
    if (payload.length == 0) {
        HASH_FIND(hh, boards->by_group, group.at, group.length, b);
        if (b)
            drop(boards, b);
        return;
    }
    cJSON *document =
        payload.length <= BYTES_MAX ? cJSON_ParseWithLength(payload.at, payload.length) : NULL;
    if (bs_slice_is_id(group) && bs_board_is_one(document))
        b = find_or_add(boards, group);
    if (!b) {
        snprintf(boards->trouble, sizeof boards->trouble, "what came on live/%.*s is no board",
                 (int)(group.length < 64 ? group.length : 64), group.at);
        cJSON_Delete(document);
        return;
    }
    cJSON_Delete(b->document);
    b->document = document;
    b->written_ns = written_ns(document, retained, moment);
    b->news = true;
}

bool bs_board_view(const struct bs_board *board, uint64_t now_ns, struct bs_board_view *ret)
{
    uint64_t age_ns = now_ns > board->written_ns ? now_ns - board->written_ns : 0;
    if (age_ns >= BS_BOARD_HIDE_S * SECOND_NS)
        return false;
    *ret = (struct bs_board_view){.document = board->document,
                                  .group = board->group,
                                  .age_s = (double)age_ns / (double)SECOND_NS};
    return true;
}

void bs_boards_fini(struct bs_boards *boards)
{
    struct bs_board *b, *next;
    HASH_ITER(hh, boards->by_group, b, next)
    drop(boards, b);
}
