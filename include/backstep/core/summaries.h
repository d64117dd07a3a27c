/* What each member did in each session: the sums behind `session_summary` rows, and when those are
 * written.
 *
 * A summary is of one member and one session (a group and its `start`). It is opened by the first
 * step with consent `member` and keeps the alias of that step; its drill is the session's first,
 * whatever the drill of the step. So a change of alias, drill or phase in the middle opens no
 * second row. Steps without that consent are in no summary: where it is given in the middle of a
 * class the summary begins there, and where it is withdrawn and given again the same one goes on.
 *
 * A changed summary is written
 *   - while its session runs, as open: the first time once it has been dirty for `refresh_ms`, then
 *     for BS_SUMMARY_RUNNING_MS,
 *   - when the session is over, as closed, as it then is every time from there on,
 *   - after that, once it has been dirty for `refresh_ms`: for as long as steps of it are accepted
 *     and pass, and what hangs on them (a bout, its slips) goes on.
 * A session without an end is over as far as is known after its silence; every time that its end as
 * it was believed has come the sessions are asked again, and whenever a document has said something
 * of the group. One that goes on is written as running again.
 *
 * A summary stays until its session is known no longer and nobody holds it. As long as it is known,
 * a document may let it go on, and a summary that began anew would overwrite the row with less.
 *
 * Sessions are of wall time, the age of dirt is of ticks. */
#ifndef BACKSTEP_CORE_SUMMARIES_H
#define BACKSTEP_CORE_SUMMARIES_H

#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/effects.h"
#include "backstep/core/passed.h"
#include "backstep/core/session_summary.h"
#include "backstep/core/sessions.h"
#include "backstep/core/tags.h"

#include <stdbool.h>
#include <stdint.h>

/* How often a summary is written while its session runs. A class without an end would else have no
 * row before it closes, and a board wants its totals; nobody watches a total closer than this, and
 * at the default settings it adds one row to about forty of windows. */
#define BS_SUMMARY_RUNNING_MS 60000

/* Summaries: 2 Mi are two for each of the most members that a site can have, the class that is on
 * and the one before. With 300 to 400 bytes each they take half of what windows may at most. */
#define BS_SUMMARIES_MAX      (2u << 20)

struct bs_snapshot;
struct bs_summaries;
struct bs_summary;

/* What one member has here; zero it before the first use. It must outlive its summaries. */
struct bs_summary_member {
    struct bs_summary *first; /* all of them, in the order in which they were opened */
    bool withheld;            /* the caller's: consent is below `member` now */
};

/* `sessions` is asked, and must outlive what it returns. */
enum bs_status bs_summaries_new(struct bs_summaries **ret, const struct bs_sessions *sessions);

/* All of it, held or not. */
void bs_summaries_free(struct bs_summaries *s);

/* Up to BS_SUMMARY_RUNNING_MS. */
void bs_summaries_set_refresh(struct bs_summaries *s, int64_t refresh_ms);

/* The summary that a step with these tags is in, made in the session of the tags' group with that
 * start, which is known; opened where it is the first; NULL where the tags are not `named`: it is
 * in none. False where BS_SUMMARIES_MAX or memory is reached. It is there, and the answer stays
 * what it is, as long as bs_sessions_generation does. */
bool bs_summaries_find(struct bs_summaries *s, struct bs_summary_member *m,
                       const struct bs_tags *tags, int64_t start_ms, struct bs_summary **ret);

/* A summary is there for as long as anybody holds it, too: a step that waits, a bout that may still
 * slip. What follows takes NULL for what is in no summary, and does nothing then. */
void bs_summary_hold(struct bs_summary *summary);
void bs_summary_drop(struct bs_summary *summary);

/* Adds a step to its summary. */
void bs_summaries_add(struct bs_summaries *s, const struct bs_passed *p, struct bs_tick_ms now);

/* Counts one bout, carry-over or slip more. */
void bs_summaries_count(struct bs_summaries *s, struct bs_summary *summary,
                        enum bs_summary_count what, struct bs_tick_ms now);

/* The retention of one of its carry-overs, 0..100 %; `remove` takes back what was added, where it
 * is no more what it was. */
void bs_summaries_add_retention(struct bs_summaries *s, struct bs_summary *summary, double pct,
                                struct bs_tick_ms now);
void bs_summaries_remove_retention(struct bs_summaries *s, struct bs_summary *summary, double pct,
                                   struct bs_tick_ms now);

/* The wall time at which a session may be over, and the tick at which the oldest dirt is due. */
struct bs_wall_ms bs_summaries_wall_deadline(const struct bs_summaries *s);
struct bs_tick_ms bs_summaries_tick_deadline(const struct bs_summaries *s);

/* Fires what is due by either clock, both of one moment. */
void bs_summaries_fire(struct bs_summaries *s, struct bs_wall_ms wall, struct bs_tick_ms tick,
                       const struct bs_effects *effects);

/* A document has said something of the group's session, or was deleted. */
void bs_summaries_follow(struct bs_summaries *s, struct bs_slice group, struct bs_wall_ms wall,
                         const struct bs_effects *effects);

/* After a stepped clock: what is dirty is written, and every session is asked by the new time. */
void bs_summaries_follow_clock(struct bs_summaries *s, struct bs_wall_ms wall,
                               const struct bs_effects *effects);

/* Writes each summary of a member that has changed since it was written as closed once more, as
 * closed: before `withheld` is set (nothing where it is). */
void bs_summaries_write_member(struct bs_summaries *s, const struct bs_summary_member *m,
                               const struct bs_effects *effects);

/* Writes and frees what nobody needs any more: after sessions were forgotten. */
void bs_summaries_sweep(struct bs_summaries *s, const struct bs_effects *effects);

uint32_t bs_summaries_open(const struct bs_summaries *s);

/* Saves all summaries, whose members were defined as BS_SNAPSHOT_SUMMARY_MEMBER, and defines them;
 * or loads them, where there are none, to members without any. Not kept: what is set here
 * (bs_summaries_set_refresh, `withheld`), and who holds a summary: nobody does once it is loaded.
 */
void bs_summaries_snapshot(struct bs_snapshot *s, struct bs_summaries *summaries);

/* While the rest is loaded: one of the retentions that were added is the caller's, who may remove
 * it. False where others have claimed them all. */
bool bs_summary_claim_retention(struct bs_summary *summary);

#endif
