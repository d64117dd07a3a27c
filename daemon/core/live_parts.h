/* The boards' insides, shared by their parts: live.c (life), live_member.c (members and their
 * steps), live_publish.c (time, and what is published when), live_text.c (a board as JSON),
 * live_queue.c (which board is due first), live_snapshot.c. */
#ifndef BACKSTEP_DAEMON_CORE_LIVE_PARTS_H
#define BACKSTEP_DAEMON_CORE_LIVE_PARTS_H

#include "backstep/base/buffer.h"
#include "backstep/core/live.h"

#include "hash_table.h"

/* A tick at which nothing had happened yet. */
#define BS_LIVE_LONG_AGO (INT64_MIN / 2)

/* What the retained message says, as far as we published one. */
enum bs_live_said { BS_LIVE_NOTHING, BS_LIVE_MEMBERS, BS_LIVE_NOBODY };

/* One group's. It is there while somebody is on it, something of it is at the broker, or steps made
 * before its session closed may still come. */
struct bs_live_board {
    struct bs_live_member *first; /* in any order */
    uint32_t count;
    uint32_t place;    /* in the queue */
    int64_t due;       /* tick */
    int64_t built;     /* tick at which the text was made last, whether it was published or not */
    int64_t published; /* tick, of the last one */
    int64_t leaves_ms; /* wall; nobody leaves before it */
    int64_t until_ms;  /* wall; before it the session says what it said last */
    int64_t closed_ms; /* wall, of the last session that closed */
    uint64_t content;  /* hash of what was published last, but for `t` and the ages */
    enum bs_live_said said;
    bool changed; /* since it was built */
    bool at_once; /* somebody is on it who must not be */
    bool running; /* a session was, when it was asked for last */
    UT_hash_handle hh;
    uint8_t group_length;
    char group[];
};

struct bs_live_queue {
    struct bs_live_board **boards; /* a binary heap */
    uint32_t count, room;
};

struct bs_live {
    void (*find_session)(void *context, struct bs_slice group, struct bs_session_place *ret);
    void *context;
    struct bs_live_board *boards;
    struct bs_live_queue queue;
    uint64_t seed;
    int64_t refresh_ms;
    struct bs_tick_ms now;
    struct bs_wall_ms wall;
    struct bs_buffer topic, text;
    size_t root_length;                              /* of the topic, before a group's id */
    struct bs_live_member *shown[BS_LIVE_SHOWN_MAX]; /* where a board gathers whom it shows */
};

static inline struct bs_slice bs_live_group(const struct bs_live_board *b)
{
    return bs_slice_of(b->group, b->group_length);
}

/* live.c: the group's board, made where there is none; NULL where it finds no room. */
struct bs_live_board *bs_live_open(struct bs_live *l, struct bs_slice group);

/* live.c: takes it out of everything and frees it; nobody is on it. */
void bs_live_drop(struct bs_live *l, struct bs_live_board *b);
/* live.c: whose last step was made before `since_ms` leaves; the board is to be armed then. */
void bs_live_let_go(struct bs_live_board *b, int64_t since_ms);

/* live_publish.c: when it is due may have changed. */
void bs_live_arm(struct bs_live *l, struct bs_live_board *b);
/* live_publish.c: it says something else now; `at_once`: somebody is on the published one who must
 * not be. */
void bs_live_change(struct bs_live *l, struct bs_live_board *b, bool at_once);

/* live_member.c: takes a member off the board that it is on. */
void bs_live_take_off(struct bs_live_member *m);
/* live_member.c: one more of the member's last steps. */
void bs_live_add_step(struct bs_live_member *m, const struct bs_sample *s);

/* live_text.c: what the board says at present, into l->text; the hash of all but `t` and ages. */
uint64_t bs_live_write(struct bs_live *l, const struct bs_live_board *b,
                       const struct bs_session_place *session);

/* live_queue.c. */
bool bs_live_queue_reserve(struct bs_live_queue *q);
void bs_live_queue_add(struct bs_live_queue *q, struct bs_live_board *b);
/* After its `due` changed. */
void bs_live_queue_move(struct bs_live_queue *q, struct bs_live_board *b);
void bs_live_queue_remove(struct bs_live_queue *q, struct bs_live_board *b);
/* Its boards lie in that order now, q->count of them, each once; false where it is none of a heap.
 */
bool bs_live_queue_lay(struct bs_live_queue *q, struct bs_live_board *const *order);

#endif
