/* The windows' insides, shared by their parts: window.c (life, time, adding), window_rows.c (rows:
 * memory, look-up, opening and closing), window_groups.c (group rows), window_write.c (writing,
 * deadlines), window_snapshot.c. */
#ifndef BACKSTEP_CORE_WINDOW_PARTS_H
#define BACKSTEP_CORE_WINDOW_PARTS_H

#include "backstep/core/group_window.h"
#include "backstep/core/heap.h"
#include "backstep/core/line.h"
#include "backstep/core/window.h"

#include "hash_table.h"

#define BS_ROWS_CHUNK  4096u
#define BS_ROWS_CHUNKS (BS_WINDOW_ROWS_MAX / BS_ROWS_CHUNK)

struct bs_frame_key {
    int64_t start_ms, end_ms;
    int64_t stored; /* as wide as its neighbours: no padding in a hashed key */
};

/* One window: all its rows. */
struct bs_frame {
    struct bs_frame_key key;
    uint32_t first_row, first_group; /* newest first */
    uint32_t held;                   /* steps that are still to be added */
    bool ended;                      /* its end has come */
    bool overdue;                    /* its time to be final has come */
    uint64_t number;                 /* in the order in which they were made */
    struct bs_frame *next_overdue;
    UT_hash_handle hh;
};

/* The direction of a group row, which is over all of them. */
#define BS_DIRECTION_GROUP BS_DIRECTION_COUNT

/* Rows lie in chunks that never move and are named by their index; 0 is no row. A group row lies
 * among them; in place of sums it has its members' rows, which live as long as it does. */
struct bs_row {
    union {
        struct bs_sums sums;
        struct {
            uint32_t first, count; /* members' rows, newest first */
            uint32_t slips, retention_count;
            struct bs_group_retention *retentions;
        } group;
    };
    struct bs_tags *tags;            /* of a group row: those of whoever opened it */
    struct bs_window_member *member; /* NULL: a group row */
    struct bs_frame *frame;
    int64_t dirty_since; /* tick */
    uint32_t next_in_bucket, next_in_frame;
    uint32_t next_of_member, previous_of_member; /* oldest first */
    uint32_t in_group, next_in_group;            /* 0: in none */
    uint32_t dirty_next, dirty_previous;         /* oldest dirt first */
    uint32_t more; /* sums of earlier steps, where one row's are full */
    uint16_t held; /* steps that are still to be added */
    uint8_t direction;
    bool named : 1; /* its tags are; a member's row that is not is never dirty */
    bool dirty : 1;
};

/* A carry-over's, in the group row of the window that it began in. */
struct bs_group_retention {
    struct bs_group_retention *next;
    struct bs_group_retention **holder; /* NULL: it will not change any more */
    uint32_t row;
    double value_pct;
};

struct bs_windows {
    struct bs_tiling tiling;
    int64_t lateness_ms[2], refresh_ms; /* live, stored */
    int64_t final_until[2];             /* windows that end at or before it were final once */
    int64_t now_wall;
    int64_t latest; /* event time among all that was accepted */
    struct bs_frame *frames;
    uint64_t frames_made;
    struct bs_heap ends, finals[2]; /* by end; of equal ends as they were made */
    struct bs_frame *overdue;       /* newest first; out of the heaps */
    uint32_t overdue_ready;         /* of them, those that nothing holds open any more */
    struct bs_row *chunks[BS_ROWS_CHUNKS];
    uint32_t rows_made, rows_open, free_row; /* the free list runs through next_in_bucket */
    uint32_t *buckets, bucket_count;
    uint32_t members_seen;
    uint32_t dirty_first, dirty_last;

    int64_t group_min;
    uint32_t largest_group;      /* rows of members in it, at any time */
    uint32_t largest_retentions; /* likewise */
    uint32_t members_room, values_room;
    struct bs_group_member *members; /* where a group row gathers what it says */
    double *values;                  /* to be sorted: one a member, behind them the retentions */

    struct bs_line line;
};

static inline struct bs_row *bs_row_at(const struct bs_windows *w, uint32_t index)
{
    return &w->chunks[index / BS_ROWS_CHUNK][index % BS_ROWS_CHUNK];
}

static inline bool bs_row_is_group(const struct bs_row *r)
{
    return r->direction == BS_DIRECTION_GROUP;
}

/* A member's row whose steps still wait, or went to another direction. */
static inline bool bs_row_is_empty(const struct bs_row *r)
{
    return r->sums.steps == 0 && !r->more;
}

static inline bool bs_row_is_full(const struct bs_row *r)
{
    return r->sums.steps + r->held >= BS_SUMS_STEPS_MAX;
}

static inline bool bs_window_joins_group(const struct bs_window_key *key)
{
    return key->tags->grouped && !key->stored;
}

/* window.c. */

/* Windows that end at or before it stay final, whatever the lateness. */
void bs_windows_keep_final(struct bs_windows *w, int64_t end_ms, bool stored);
/* A new one, without rows; NULL where memory is out. */
struct bs_frame *bs_windows_make_frame(struct bs_windows *w, const struct bs_frame_key *key);
void bs_windows_free_frame(struct bs_windows *w, struct bs_frame *f);
/* Puts it into the heaps, which have room: where its end has not come into both. */
void bs_windows_await_frame(struct bs_windows *w, struct bs_frame *f);
/* The window's frame; NULL: none is open. */
struct bs_frame *bs_windows_find_frame(struct bs_windows *w, const struct bs_frame_key *key);
/* A step more is to be added to it, which is not full. */
void bs_windows_hold_row(struct bs_windows *w, struct bs_row *r);

/* window_rows.c. */

/* Makes sure that `count` rows can be taken, and that they are found again. */
bool bs_rows_reserve(struct bs_windows *w, uint32_t count);
/* A zeroed row; room was reserved. */
uint32_t bs_rows_take(struct bs_windows *w);
/* Links a row that has its tags, direction and frame into its bucket. */
void bs_rows_enter(struct bs_windows *w, uint32_t index);
/* First of the bucket in which a group row with these tags would be. */
uint32_t bs_rows_group_bucket(const struct bs_windows *w, const struct bs_tags *tags,
                              int64_t start_ms);
/* Takes it out of all but its frame and its group, which go with it; drops its tags. */
void bs_rows_close(struct bs_windows *w, uint32_t index);
/* Whether a row of that member and window can be had: BS_WINDOW_MEMBER_… */
bool bs_rows_member_has_room(const struct bs_windows *w, const struct bs_window_member *m,
                             const struct bs_window_key *key, const struct bs_window_place *place);
/* The place of a step of that key in that window. */
struct bs_window_place bs_rows_find(const struct bs_windows *w, const struct bs_window_member *m,
                                    const struct bs_window_key *key, struct bs_tile tile);
uint32_t bs_rows_open(struct bs_windows *w, struct bs_window_member *m,
                      const struct bs_window_key *key, struct bs_frame *f);
/* It becomes the last one of its member's. */
void bs_rows_move_last(struct bs_windows *w, uint32_t index);
/* A row's sums are full: they move to a row of their own behind it, and it begins again. */
void bs_rows_set_aside(struct bs_windows *w, struct bs_row *r);

/* window_groups.c. */

/* Makes sure that one more row can join any group. */
bool bs_groups_reserve(struct bs_windows *w);
/* A group's row; room for it was reserved, and there is none of these tags in that window yet. */
uint32_t bs_groups_open(struct bs_windows *w, struct bs_tags *tags, struct bs_frame *f);
/* Puts a new row of a member, with its frame, into its group's row; opens that where it is the
 * first. Rows for both were reserved. */
void bs_groups_join(struct bs_windows *w, uint32_t index);
/* A retention that the row will have one more of, to be linked into it; NULL where memory is out.
 */
struct bs_group_retention *bs_groups_make_retention(struct bs_windows *w, uint32_t row);
/* Frees what a group row that closes holds. */
void bs_groups_fini(struct bs_row *group);
/* The group's row as a line; empty where it must not be written. */
struct bs_slice bs_groups_line(struct bs_windows *w, const struct bs_row *group, bool final);

/* window_write.c. */

/* Marks a clean row dirty: behind all that are. */
void bs_windows_queue(struct bs_windows *w, uint32_t index, struct bs_tick_ms now);

#endif
