/* The boards: what each group does at present, retained on live/{group} for whoever looks at a
 * screen in the gym.
 *
 *   {"t":…,"group":…,"drill":…,"phase":…,"members":[{"member":…,"alias":…,"dir":"B",
 *    "cadence_spm":98.2,"step_mm":402,"walk_ratio":0.00409,"retention_pct":71.0,
 *    "slip":{"metric":"step_length","age_s":4},"last_step_age_s":0.6}, …]}
 *
 * A member is on the board of the group that the last step was made in, from a step in order on,
 * with consent `member` only, until BS_LIVE_SILENCE_MS after that step's event time: what is older
 * than that when it comes, a backlog, brings nobody in. Figures are over the last BS_LIVE_STEPS
 * steps of this visit that were made in a group; a key without data is left out. `t` is the wall
 * time of the writing, drill and phase are those in force then. Members stand in the order of their
 * ids, the first BS_LIVE_SHOWN_MAX of them.
 *
 * A board is published when anything but `t` and the ages changed, at most every `refresh_ms`, but
 * every BS_LIVE_ALIVE_MS at the latest while somebody is on it. Who leaves it for a document's sake
 * (consent, deletion, another group) is gone from it within BS_LIVE_AT_ONCE_MS. With nobody left it
 * says so once. When the group's session closes, whoever is on the board leaves it and the message
 * is deleted; steps made before bring nobody in any more. An empty board of a group without a
 * session is deleted BS_LIVE_SILENCE_MS after it was published, when it has expired anyway at a
 * broker that knows expiry.
 *
 * Ticks and wall time are those of the last bs_live_fire_tick. */
#ifndef BACKSTEP_CORE_LIVE_H
#define BACKSTEP_CORE_LIVE_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"
#include "backstep/core/effects.h"
#include "backstep/core/passed.h"
#include "backstep/core/sessions.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

#define BS_LIVE_STEPS      10
#define BS_LIVE_SILENCE_MS 60000
#define BS_LIVE_ALIVE_MS   10000
#define BS_LIVE_AT_ONCE_MS 100
#define BS_LIVE_EXPIRY_S   60

/* A screen shows no more, and a message every other second should stay below 100 KB. */
#define BS_LIVE_SHOWN_MAX  200u

/* Boards that are there, as many as groups have a history (sessions.h). */
#define BS_LIVE_BOARDS_MAX BS_SESSION_GROUPS_MAX

/* Steps further apart than that belong to two visits; what the first one led to is not shown in the
 * second. */
#define BS_LIVE_VISIT_MS   (10 * INT64_C(60000))

struct bs_live;
struct bs_live_board;

/* What one member holds here; zero it before the first use. */
struct bs_live_member {
    struct bs_live_board *board; /* NULL: on none */
    struct bs_live_member *next, *previous;
    struct bs_tags *tags; /* of the last step while on a board: held */
    int64_t last_ms;      /* event time of the last step in order; Unix time */
    int64_t slip_ms;      /* event time, where there is a metric */
    const char *slip_metric;
    uint32_t time_sum, length_sum; /* halves, over the steps below */
    float retention_pct;
    struct {
        uint16_t time_halves, length_halves; /* 0: unknown */
    } steps[BS_LIVE_STEPS];
    uint8_t count, next_step; /* steps held, where the next one goes */
    uint8_t time_count, length_count;
    uint8_t direction; /* enum bs_direction, of the last step */
    bool has_retention;
};

struct bs_live_options {
    struct bs_slice topic; /* "backstep/v1/north/live/", copied */
    /* What the group does at the present wall time. */
    void (*find_session)(void *context, struct bs_slice group, struct bs_session_place *ret);
    void *context;
};

enum bs_status bs_live_new(struct bs_live **ret, const struct bs_live_options *options);
/* Whoever is on a board leaves it: before the members go. */
void bs_live_free(struct bs_live *l);

/* The key of the table, from the first start record; without effect once a board is there. */
void bs_live_seed(struct bs_live *l, uint64_t seed);
/* > 0; before the first step. */
void bs_live_set_refresh(struct bs_live *l, int64_t refresh_ms);

/* A step has passed; one that is not in order changes nothing. `m` must outlive its time on the
 * board. False where the group's board found no room. */
bool bs_live_take(struct bs_live *l, struct bs_live_member *m, const struct bs_passed *step);

/* The member's document changed: `tags` are those of a step made now, NULL where none of the
 * member's own may be shown: then all that is held of the member is forgotten. */
void bs_live_follow(struct bs_live *l, struct bs_live_member *m, struct bs_tags *tags);

/* Of the member's last carry-over, in percent. */
void bs_live_note_retention(struct bs_live *l, struct bs_live_member *m, double retention_pct);

/* `metric` is a name of a table that lives as long as the program; time_ms the step's. It is shown
 * until the next bout begins. */
void bs_live_note_slip(struct bs_live *l, struct bs_live_member *m, const char *metric,
                       int64_t time_ms);
void bs_live_note_bout(struct bs_live *l, struct bs_live_member *m);

/* What the group does now may have changed by a document. */
void bs_live_note_session(struct bs_live *l, struct bs_slice group);

/* The daemon started: what it published last may never have gone out. All is published anew. */
void bs_live_restart(struct bs_live *l);

/* The wall clock was stepped: event times before it say nothing about ages after it. Everybody
 * leaves, until the next step. */
void bs_live_empty(struct bs_live *l);

struct bs_tick_ms bs_live_tick_deadline(const struct bs_live *l);

/* Fires what is due, boards in the order of their deadlines, of equal ones by group. */
void bs_live_fire_tick(struct bs_live *l, struct bs_tick_ms now, struct bs_wall_ms wall,
                       const struct bs_effects *effects);

uint32_t bs_live_boards(const struct bs_live *l);

/* What a member holds here, but for the board that it is on. Loading: into a zeroed one. */
void bs_live_member_snapshot(struct bs_snapshot *s, struct bs_live_member *m);

/* All boards, with who is on them; members and their tags are defined. Loading: into a new one. */
void bs_live_snapshot(struct bs_snapshot *s, struct bs_live *l);

#endif
