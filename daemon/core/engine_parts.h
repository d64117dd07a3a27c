/* The engine's insides, shared by its parts: engine.c (life, deadlines, records, time),
 * engine_steps.c (messages of wearables, verdicts), engine_pass.c (steps on their way through the
 * order), engine_gait.c (what bouts tell), engine_tags.c (which tags a step carries),
 * engine_summaries.c (which summary it is in), engine_documents.c (configuration), engine_health.c
 * (rows about devices), engine_live.c (boards). */
#ifndef BACKSTEP_CORE_ENGINE_PARTS_H
#define BACKSTEP_CORE_ENGINE_PARTS_H

#include "backstep/core/bouts.h"
#include "backstep/core/config.h"
#include "backstep/core/decode.h"
#include "backstep/core/engine.h"
#include "backstep/core/heap.h"
#include "backstep/core/live.h"
#include "backstep/core/order.h"
#include "backstep/core/roster.h"
#include "backstep/core/sessions.h"
#include "backstep/core/summaries.h"
#include "backstep/core/topic.h"
#include "backstep/core/window.h"

#define BS_ENGINE_SWEEP_MS 60000 /* how often what may be forgotten is */

struct bs_engine {
    struct bs_books books;
    struct bs_config *config;
    struct bs_sessions *sessions;
    struct bs_roster *roster;
    struct bs_windows *windows;
    struct bs_bouts *bouts;
    struct bs_live *live;
    struct bs_summaries *summaries;
    struct bs_heap timers;            /* members to be looked at, by wall time */
    const struct bs_effects *effects; /* of the record that is folded */
    struct bs_buffer root;            /* "backstep/v1/north/" */
    struct bs_buffer topic;
    struct bs_minute minute; /* the turns of active devices */
    struct bs_line line;
    struct bs_tick_ms now, next_sweep;
    int64_t offset_ms;
    bool started;
    struct bs_message message; /* the one being judged: too large for the stack of a fold */
};

static inline struct bs_wall_ms bs_engine_wall(const struct bs_engine *e)
{
    return (struct bs_wall_ms){e->now.ms + e->offset_ms};
}

/* No live step of an earlier event time is accepted any more, whatever size its window has. */
static inline struct bs_wall_ms bs_engine_settled(const struct bs_engine *e)
{
    int64_t lateness_s = bs_config_settings(e->config)->allowed_lateness_s;
    return (struct bs_wall_ms){bs_engine_wall(e).ms -
                               (lateness_s + BS_SETTINGS_WINDOW_S_MAX) * 1000};
}

/* engine.c: what the settings in force mean for the windows. */
void bs_engine_apply_settings(struct bs_engine *e);

/* engine.c: something is held that may have to be forgotten. */
void bs_engine_arm_sweep(struct bs_engine *e);

/* engine.c: what only steps needed that are not accepted any more goes from the histories. */
void bs_engine_forget_sessions(struct bs_engine *e);

/* engine_tags.c: the tags of a step of that event time; NULL where memory is out. m->tagging has
 * the session that it belongs to. */
struct bs_tags *bs_engine_tags(struct bs_engine *e, struct bs_member *m, int64_t time_ms);

/* engine_pass.c. */

/* The member has what its steps need; false where memory is out. */
bool bs_engine_ready_member(struct bs_member *m);
void bs_engine_release_member(void *context, struct bs_member *m);

/* The step that an event of a ready member joins, and room for it as a step of its own. */
struct bs_order_place bs_engine_find_step(struct bs_engine *e, const struct bs_member *m,
                                          const struct bs_order_event *event);
bool bs_engine_reserve_step(struct bs_engine *e, struct bs_member *m,
                            const struct bs_order_event *event);

/* An accepted event joins a step, or is one of its own. */
void bs_engine_take_event(struct bs_engine *e, struct bs_member *m,
                          const struct bs_order_event *event, const struct bs_order_place *join);
void bs_engine_take_step(struct bs_engine *e, struct bs_member *m,
                         const struct bs_order_event *event, const struct bs_order_errand *errand);

/* Passes all that waits, ends the running bout. */
void bs_engine_settle_member(struct bs_engine *e, struct bs_member *m);

struct bs_wall_ms bs_engine_timers_deadline(const struct bs_engine *e);
void bs_engine_fire_timers(struct bs_engine *e);

/* Settings have changed that timers hang on. */
void bs_engine_rearm_timers(struct bs_engine *e);

/* After a stepped clock: settles all members and begins their order anew. */
void bs_engine_restart_order(struct bs_engine *e);

/* Gives back what no step can go on with. */
void bs_engine_quieten_members(struct bs_engine *e);

/* engine_gait.c */
struct bs_bout_listener bs_engine_bout_listener(struct bs_engine *e);
/* engine_summaries.c: finds the summary of a live step, whose tags were asked for just before:
 * m->tagging has it then. False where a bound or memory is reached. */
bool bs_engine_find_summary(struct bs_engine *e, struct bs_member *m);

/* engine_summaries.c: when the next summary may have to be written. */
struct bs_tick_ms bs_engine_summaries_deadline(const struct bs_engine *e);

/* engine_steps.c: the member of a document in force, made where it is new; NULL where memory is
 * out. */
struct bs_member *bs_engine_member(struct bs_engine *e, struct bs_slice id);

/* engine_steps.c: a message on `steps`, or on `birth`, of a device. */
void bs_engine_take_steps(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload, bool retained);
void bs_engine_take_birth(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload, bool retained);

/* engine_health.c: the device has just spoken, and what became of its steps (NULL: it sent none);
 * a message on `state`; the rows that are due. */
void bs_engine_hear_device(struct bs_engine *e, struct bs_device *d,
                           const struct bs_device_counts *counts);
void bs_engine_take_state(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload, bool retained);
void bs_engine_fire_health(struct bs_engine *e);

/* engine_documents.c: a document, and its answer. */
void bs_engine_take_document(struct bs_engine *e, const struct bs_topic *topic,
                             const struct bs_message_body *body, bool retained,
                             const struct bs_effects *effects);

/* engine_live.c. */
enum bs_status bs_engine_make_live(struct bs_engine *e);
/* What is due of the boards. */
void bs_engine_fire_live(struct bs_engine *e);
/* A member's step has passed. */
void bs_engine_show_step(struct bs_engine *e, struct bs_member *m, const struct bs_passed *step);
/* The member's document came, changed or went, and took effect elsewhere. */
void bs_engine_show_member(struct bs_engine *e, struct bs_member *m);

#endif
