/* Members' bouts, how much of a backward one is carried over into the forward one after it, and
 * when that slips: `gait_bout`, `carry_over` and `slip` rows.
 *
 * A bout is a run of steps in one confirmed direction (forward, backward, left, right, up, down)
 * with no pause over `bout_gap_ms` of event time between any two successive steps.
 *
 *   direction   F F F F B B F F B B B …     a new direction is confirmed by so many steps in a row
 *   bout        1 1 1 1 s s 1 1 2 2 2       and begins at the first of them; fewer, followed by the
 *                                           old direction again, are strays (s) of the running bout
 *
 * Turns, steps on the spot and unknown ones count in no bout, but prevent a pause and interrupt no
 * confirmation. Eight steps in a row that are not the bout's own end it before the first of them.
 * Steps that are not settled yet wait; all values count settled steps only. A step time counts only
 * where the step before it is a settled one of the same bout.
 *
 * Rows carry the tags of their bout's first step. They are written at the bout's end and, from
 * `bout_min_steps` on, while it is open: once they have been dirty for `refresh_s` the first time,
 * when a silent bout goes on and when a carry-over changes; else, since they are long and say
 * little new, for BS_BOUT_REFRESHES of it. A carry-over is written from the full block on
 * (carry_over.h), a slip at once (slip.h). A bout that fell silent is shown as not open; it may go
 * on. Rows whose tags are not `named`, or whose member is withheld, are not written, but what they
 * would say is told to the listener all the same. */
#ifndef BACKSTEP_CORE_BOUTS_H
#define BACKSTEP_CORE_BOUTS_H

#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/carry_over.h"
#include "backstep/core/effects.h"
#include "backstep/core/passed.h"
#include "backstep/core/settings.h"
#include "backstep/core/summaries.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

/* What only goes on is written so many times more seldom than what changes. */
#define BS_BOUT_REFRESHES 5

struct bs_bouts;

/* One member's; NULL where the member has no step yet. */
struct bs_bout_member;

struct bs_group_retention;

struct bs_slip_news {
    struct bs_tags *tags;
    enum bs_slip_metric metric;
    bool up;
    double deviation; /* percent; of trunk pitch degrees */
    int64_t time_ms;  /* of the step that set it off */
    bool named;       /* its row is written */
    struct bs_summary *summary;
};

struct bs_carry_over_news {
    struct bs_tags *tags;
    struct bs_summary *summary;
    int64_t time_ms; /* of the forward bout's first step */
    bool first;      /* nothing was told of it before */
    bool had_retention, has_retention;
    double old_retention_pct, retention_pct;
    struct bs_group_retention **in_group; /* the listener's, as long as the carry-over is told of */
};

/* Who wants to know; `owner` is the member's, `summary` that of the bout's first step. Called while
 * a step is taken, or a bout ends. */
struct bs_bout_listener {
    void *context;
    void (*began)(void *context, void *owner); /* a bout was confirmed */
    /* It reached bout_min_steps. */
    void (*written)(void *context, void *owner, struct bs_summary *summary);
    void (*carried)(void *context, void *owner, const struct bs_carry_over_news *news);
    void (*slipped)(void *context, void *owner, const struct bs_slip_news *news);
};

/* The settings and the listener must hold as long as it does. */
enum bs_status bs_bouts_new(struct bs_bouts **ret, const struct bs_settings *settings,
                            const struct bs_bout_listener *listener);

/* After all members' were freed. */
void bs_bouts_free(struct bs_bouts *b);

/* NULL where memory is out. */
struct bs_bout_member *bs_bouts_add_member(void *owner);
void bs_bouts_free_member(struct bs_bouts *b, struct bs_bout_member *m);

/* A step that passed in order. */
void bs_bouts_take(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_passed *passed,
                   struct bs_tick_ms now, struct bs_wall_ms wall, const struct bs_effects *effects);

/* Ends the running bout, and forgets what is not settled; the next step begins anew. */
void bs_bouts_end(struct bs_bouts *b, struct bs_bout_member *m, const struct bs_effects *effects);

/* Consent is `member` from now on: the habit and the backward bout that were walked under less are
 * in no row of the member's own. No bout may run. */
void bs_bouts_forget_gait(struct bs_bout_member *m);

/* Consent is below `member` now: no row of the member's is written while that lasts. */
void bs_bouts_withhold(struct bs_bout_member *m, bool withheld);

/* When the member's bout is shown as not open any more, wall time; INT64_MAX: it is not open. */
int64_t bs_bouts_silent_at(const struct bs_bouts *b, const struct bs_bout_member *m);

/* Shows it so, where that time has come. */
void bs_bouts_fire_silence(struct bs_bouts *b, struct bs_bout_member *m, struct bs_wall_ms now,
                           const struct bs_effects *effects);

/* True where nothing of the member's is left that a step could go on with: event times before
 * `settled` are not accepted any more. Ends what had only fallen silent. */
bool bs_bouts_settle(struct bs_bouts *b, struct bs_bout_member *m, struct bs_wall_ms settled,
                     const struct bs_effects *effects);

/* The tick at which the oldest dirt is due, and what then is to be done. */
struct bs_tick_ms bs_bouts_deadline(const struct bs_bouts *b);
void bs_bouts_fire(struct bs_bouts *b, struct bs_tick_ms now, const struct bs_effects *effects);

/* One member's, NULL or not (BS_SNAPSHOT_BOUT_MEMBER), all but its place among those that are to be
 * written; the tags, summaries and retentions that it refers to are there. Loading: *m is NULL, and
 * is the caller's to free whatever came of it. */
void bs_bouts_member_snapshot(struct bs_snapshot *s, struct bs_bout_member **m, void *owner);

/* After all members': whose rows are to be written, and since when. */
void bs_bouts_snapshot(struct bs_snapshot *s, struct bs_bouts *b);

#endif
