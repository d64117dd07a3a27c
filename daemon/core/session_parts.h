/* What the parts of the sessions module share among themselves: sessions.c (the table of groups),
 * session_history.c (one group's), drill_version.c (drills as they were), sessions_snapshot.c.
 * Nothing outside includes it. */
#ifndef BACKSTEP_DAEMON_CORE_SESSION_PARTS_H
#define BACKSTEP_DAEMON_CORE_SESSION_PARTS_H

#include "backstep/core/sessions.h"

#include "hash_table.h"

/* Event times (or times since a start) from_ms <= t < until_ms. */
struct bs_stretch {
    int64_t from_ms, until_ms;
};

/* drill_version.c: drills as they were, those of the same content once. */
struct bs_drill_version;

struct bs_drill_versions {
    struct bs_drill_version *by_content;
    uint64_t seed;
};

/* Holds the version that says what the drill says, made where there is none. BS_FULL,
 * BS_NO_MEMORY. */
enum bs_status bs_drill_version_hold(struct bs_drill_versions *versions, struct bs_slice id,
                                     const struct bs_drill_document *drill,
                                     struct bs_drill_version **ret);
void bs_drill_version_drop(struct bs_drill_versions *versions, struct bs_drill_version *v);

/* One more holder of a version that is held. */
struct bs_drill_version *bs_drill_version_share(struct bs_drill_version *v);

struct bs_slice bs_drill_version_id(const struct bs_drill_version *v);

/* A phase is known by its index; where it is none the name is empty. */
#define BS_PHASE_NONE         (-1)
#define BS_PHASE_BY_TIMETABLE (-2) /* of an interval: as the drill says */
int bs_drill_version_phase(const struct bs_drill_version *v, struct bs_slice name);
struct bs_slice bs_drill_version_phase_name(const struct bs_drill_version *v, int phase);

/* The phase by the timetable, so long (>= 0) after the session's start, and how long it lasts. */
int bs_drill_version_phase_at(const struct bs_drill_version *v, int64_t since_start_ms,
                              struct bs_stretch *ret_since_start);

/* A phase of it that an interval may be in. */
bool bs_drill_version_has(const struct bs_drill_version *v, int phase);

/* Saves all versions, or loads them with one holder each, which defines them. Once all others who
 * hold one were loaded, and after a failure, bs_drill_versions_loaded takes that holder away; a
 * version that nobody holds then fails. */
void bs_drill_versions_snapshot(struct bs_snapshot *s, struct bs_drill_versions *versions);
void bs_drill_versions_loaded(struct bs_snapshot *s, struct bs_drill_versions *versions);

/* session_history.c: one group's sessions, ascending by start, and their intervals, ascending by
 * session and begin: the newest of both come last. A session has one interval at least, and its
 * first begins at its start, unless that was lost. */
struct bs_interval {
    int64_t begin_ms;
    struct bs_drill_version *drill; /* held; NULL: nothing runs */
    int phase;                      /* BS_PHASE_NONE, or BS_PHASE_BY_TIMETABLE */
};

struct bs_session {
    int64_t start_ms, end_ms;             /* INT64_MAX: no end was given */
    int64_t last_step_ms;                 /* INT64_MIN: none was noted */
    int64_t closed_ms;                    /* INT64_MAX: it is not closed for good */
    size_t first;                         /* of its intervals */
    struct bs_drill_version *first_drill; /* held, however old; NULL: it has had none */
    bool lost_intervals;                  /* its oldest ones went */
    bool asked_beyond; /* it was said that nothing runs where another step may open it */
};

struct bs_group_history {
    struct bs_sessions *owner;
    struct bs_session *sessions;
    struct bs_interval *intervals;
    size_t session_count, session_room, interval_count, interval_room;
    int64_t deleted_ms; /* INT64_MAX: a document is in force */
    UT_hash_handle hh;
    size_t group_length;
    char group[];
};

/* The heap's part of it. */
void bs_history_fini(struct bs_group_history *h);

/* Room for what bs_history_follow and a bs_history_close after it add: neither can fail.
 * BS_NO_MEMORY. */
enum bs_status bs_history_reserve(struct bs_group_history *h);

/* The word, whose drill is `version`: taken over. */
void bs_history_follow(struct bs_group_history *h, const struct bs_session_word *word,
                       struct bs_drill_version *version);
void bs_history_close(struct bs_group_history *h, int64_t at_ms);

/* Closes for good what no step of before could keep open any more. */
void bs_history_settle(struct bs_group_history *h, int64_t settled_ms);

/* As bs_sessions_find, _note (both once it is settled), _recall and _forget. */
void bs_history_find(struct bs_group_history *h, int64_t time_ms, struct bs_session_place *ret);
bool bs_history_recall(const struct bs_group_history *h, int64_t start_ms,
                       struct bs_session_facts *ret);
void bs_history_note(struct bs_group_history *h, int64_t time_ms);
void bs_history_forget(struct bs_group_history *h, int64_t before_ms);

/* sessions.c: the group's history, empty; BS_FULL, BS_NO_MEMORY. */
enum bs_status bs_sessions_add(struct bs_sessions *s, struct bs_slice group,
                               struct bs_group_history **ret);

/* NULL: it has none. */
struct bs_group_history *bs_sessions_history(const struct bs_sessions *s, struct bs_slice group);

struct bs_sessions {
    struct bs_group_history *histories;
    struct bs_drill_versions versions;
    uint64_t generation;
};

#endif
