/* The summaries' insides, shared by their parts: summaries.c (life, look-up, opening and freeing,
 * adding), summaries_write.c (dirt, writing, when a session is over), summaries_snapshot.c. */
#ifndef BACKSTEP_CORE_SUMMARIES_PARTS_H
#define BACKSTEP_CORE_SUMMARIES_PARTS_H

#include "backstep/core/line.h"
#include "backstep/core/summaries.h"

#include "hash_table.h"

struct bs_summary {
    struct bs_summary_sums sums;
    struct bs_summary_session *session;
    struct bs_summary_member *member;
    struct bs_summary *next_in_session, *next_of_member;
    struct bs_summary *dirty_next, *dirty_previous;
    int64_t dirty_since; /* tick */
    uint32_t holders;
    uint16_t tags_length;
    bool dirty, dirty_soon; /* and in which queue */
    bool written;           /* at any time */
    bool changed;           /* since it was written as closed */
    char tags[];            /* as they stand in the line */
};

/* One session's, of all members. */
struct bs_summary_session {
    struct bs_summary_group *group;
    struct bs_summary_session *next; /* of the group */
    struct bs_summary *first, *last; /* in the order in which they were opened */
    int64_t start_ms;
    int64_t ask_ms; /* when to ask again whether it is over, wall; INT64_MAX: it was, when asked */
    bool over;
};

struct bs_summary_group {
    struct bs_summary_session *first; /* newest first */
    UT_hash_handle hh;
    size_t id_length;
    char id[];
};

/* Dirty ones of one delay, oldest dirt first. */
struct bs_summary_queue {
    struct bs_summary *first, *last;
    int64_t delay_ms;
};

struct bs_summaries {
    const struct bs_sessions *sessions;
    struct bs_summary_group *groups;
    struct bs_summary_queue queues[2]; /* while a session runs, and to be written soon */
    int64_t ask_ms;                    /* no session is to be asked before */
    uint32_t open;
    struct bs_line line;
};

static inline struct bs_slice bs_summary_group_id(const struct bs_summary_group *g)
{
    return bs_slice_of(g->id, g->id_length);
}

/* summaries.c: a group without sessions; NULL where memory is out. */
struct bs_summary_group *bs_summaries_add_group(struct bs_summaries *s, struct bs_slice id);
void bs_summaries_append_to_session(struct bs_summary_session *session, struct bs_summary *summary);

/* NULL: there is none. */
struct bs_summary_group *bs_summaries_find_group(const struct bs_summaries *s, struct bs_slice id);
/* Frees the session's summaries, all clean, that nobody holds. */
void bs_summaries_free_unheld(struct bs_summaries *s, struct bs_summary_session *session);
/* Frees the group's sessions without summaries, and a group without sessions. */
void bs_summaries_free_empty(struct bs_summaries *s, struct bs_summary_group *group);

/* summaries_write.c */

/* One that is clean, behind the others of the queue that it says (dirty_soon). */
void bs_summaries_enqueue(struct bs_summaries *s, struct bs_summary *summary, int64_t since);

/* Something of it has changed. */
void bs_summaries_mark(struct bs_summaries *s, struct bs_summary *summary, struct bs_tick_ms now);

#endif
