/* What every group does when: its sessions by event time, with the drill and the phase in force.
 *
 * A group's history is a list of sessions; a session (known by its `start`) is a list of intervals,
 * each with the drill as it was then. Asked for an event time, the newest session that had begun by
 * then answers, with its newest interval that had begun by then; outside of [start, end) of that
 * session nothing runs, an older one does not shine through. So what a late or stored step finds is
 * what was in force when it was made.
 *
 *   session 18:00   [18:00 back-twenty, by timetable   [18:20 back-twenty, imprint     end 19:00)
 *   session 19:30                                       [19:30 (its drill is not there)  [19:34 …
 *
 * Times are Unix time in ms, of the years 1970 to 9999; `at` is the arrival of what changes
 * something. No live step of an event time before `settled` is accepted any more: what such steps
 * could say has been said. */
#ifndef BACKSTEP_CORE_SESSIONS_H
#define BACKSTEP_CORE_SESSIONS_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/kinds.h"

#include <stdbool.h>
#include <stdint.h>

/* Intervals a group keeps; of what is older nobody knows any more: not running. */
#define BS_SESSION_INTERVALS_MAX 64

/* Groups with a history. As many sessions can be in force (config.h), twice that with the ones
 * that were deleted within the lateness. */
#define BS_SESSION_GROUPS_MAX    32768

/* Drills as they were, that some interval still needs or that were a session's first: two for each
 * session that can be in force. Those that say the same are shared. */
#define BS_SESSION_DRILLS_MAX    32768

/* Without an end a session closes so long after the last step, and so long after its start. */
#define BS_SESSION_SILENCE_MS    (30 * INT64_C(60000))
#define BS_SESSION_LONGEST_MS    (12 * INT64_C(3600000))

struct bs_sessions;
struct bs_snapshot;

/* One group's history. */
struct bs_group_history;

enum bs_status bs_sessions_new(struct bs_sessions **ret);
void bs_sessions_free(struct bs_sessions *s);

/* The key of the tables, from the first start record; without effect once there is a history. No
 * answer depends on it. */
void bs_sessions_seed(struct bs_sessions *s, uint64_t seed);

/* What the group's document says from `at` on: called when it came into force and whenever the
 * drill that it names came, changed or went (`drill` NULL: it is not there, the session is not
 * running until it is).
 *
 * The first interval of a session that has a drill begins at its `start`, a later one at `at` or at
 * its start, whichever comes later, in place of any that would begin then or after it. Where drill
 * (its id, its phases' names and durations) and phase are what they were, none begins. A changed
 * end is the whole session's. A session with another `start` is another one: the one before goes on
 * until the new one begins, so one that was to begin later is gone, also from the past.
 *
 * A session that has closed for want of an end is opened again, from `at` on, by the group's
 * document, but not by a drill.
 *
 * Everything is copied. BS_FULL, BS_NO_MEMORY: nothing has changed. */
struct bs_session_word {
    struct bs_slice group;
    const struct bs_session_document *session;
    const struct bs_drill_document *drill;
    struct bs_wall_ms at, settled;
    bool by_drill; /* the group's document is what it was: only its drill came, changed or went */
};
enum bs_status bs_sessions_follow(struct bs_sessions *s, const struct bs_session_word *word);

/* The group's document was deleted: whatever runs or was to run ends at `at`. The same start later
 * continues that session, until bs_sessions_forget has passed `at`. */
void bs_sessions_close(struct bs_sessions *s, struct bs_slice group, struct bs_wall_ms at);

/* What was in force at an event time. The same answer holds for every event time in
 * from_ms <= time < until_ms, the widest such stretch (INT64_MIN, INT64_MAX: for ever), and slices
 * and history are there, for as long as bs_sessions_generation stays what it is after the call. */
struct bs_session_place {
    bool running;
    int64_t start_ms;      /* of the session; only where running, as is its drill */
    struct bs_slice drill; /* the id */
    struct bs_slice phase; /* empty: none is in force */
    int64_t from_ms, until_ms;
    struct bs_group_history *history; /* for bs_sessions_note; NULL where not running */
};
void bs_sessions_find(struct bs_sessions *s, struct bs_slice group, int64_t time_ms,
                      struct bs_wall_ms settled, struct bs_session_place *ret);

/* A live step of the group was counted at that event time: a session without an end stays open for
 * another BS_SESSION_SILENCE_MS of event time, so a backlog keeps its class however late it comes.
 * Once what is settled is that far past the last one it is closed for good, as of then. A time at
 * which nothing runs notes nothing. */
void bs_sessions_note(struct bs_group_history *history, int64_t time_ms, struct bs_wall_ms settled);

/* What is known of a group's session by its start. */
struct bs_session_facts {
    /* No step of this time or later is of the session, as far as is known: a document may move it,
     * and so may the next step of a session without an end (the first brings it nearer). */
    int64_t over_ms;
    struct bs_slice first_drill; /* the id, as long as the generation stays; empty: none yet */
};

/* False where nothing is known of it, or not any more: no step will be of that session. */
bool bs_sessions_recall(const struct bs_sessions *s, struct bs_slice group, int64_t start_ms,
                        struct bs_session_facts *ret);

/* Steps of event times before `before` are not accepted any more: what only they needed goes. What
 * the document in force of a group says stays. */
void bs_sessions_forget(struct bs_sessions *s, struct bs_wall_ms before);

/* How often an answer of bs_sessions_find may have changed; a cached one of another count is void.
 */
uint64_t bs_sessions_generation(const struct bs_sessions *s);

/* Saves all histories, defining them in the order of their table; or loads them, where there are
 * none. */
void bs_sessions_snapshot(struct bs_snapshot *s, struct bs_sessions *sessions);

#endif
