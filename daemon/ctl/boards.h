/* The boards that have come, by group, and how old each is. Holds no lock. */
#ifndef BACKSTEP_CTL_BOARDS_H
#define BACKSTEP_CTL_BOARDS_H

#include "board_words.h"

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct cJSON;

struct bs_board {
    struct cJSON *document;
    uint64_t written_ns; /* when it was written, on our CLOCK_MONOTONIC */
    bool news;           /* the caller's: not shown yet */
    UT_hash_handle hh;
    char group[];
};

struct bs_boards {
    struct bs_board *by_group; /* ascending */
    char trouble[256];         /* what was no board, "" if nothing was */
};

struct bs_boards_moment {
    uint64_t now_ns; /* CLOCK_MONOTONIC */
    int64_t wall_ms; /* our own clock's */
};

/* A message on live/{group}: an empty one takes the board away. One that is just published is as
 * old as it says by nobody's clock: it is new. One that lay at the broker is as old as `t` says. */
void bs_boards_take(struct bs_boards *boards, struct bs_slice group, struct bs_slice payload,
                    bool retained, const struct bs_boards_moment *moment);

/* False where it is so old that it says nothing any more: BS_BOARD_HIDE_S. */
bool bs_board_view(const struct bs_board *board, uint64_t now_ns, struct bs_board_view *ret);

void bs_boards_fini(struct bs_boards *boards);

#endif
