/* The engine's insides, shared by its parts: engine.c (life, deadlines, records, time),
 * engine_steps.c (messages of wearables), engine_tags.c (which tags a step carries),
 * engine_summaries.c (which summary it is in), engine_documents.c (configuration). */
#ifndef BACKSTEP_CORE_ENGINE_PARTS_H
#define BACKSTEP_CORE_ENGINE_PARTS_H

#include "backstep/core/config.h"
#include "backstep/core/decode.h"
#include "backstep/core/engine.h"
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
    struct bs_summaries *summaries;
    struct bs_buffer root; /* "backstep/v1/north/" */
    struct bs_buffer topic;
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

/* engine_summaries.c: finds the summary of a live step, whose tags were asked for just before:
 * m->tagging has it then. False where a bound or memory is reached. */
bool bs_engine_find_summary(struct bs_engine *e, struct bs_member *m);

/* engine_summaries.c: that step passes. */
void bs_engine_add_to_summary(struct bs_engine *e, const struct bs_member *m,
                              const struct bs_sample *sample);

/* engine_summaries.c: when the next summary may have to be written. */
struct bs_tick_ms bs_engine_summaries_deadline(const struct bs_engine *e);

/* engine_steps.c: the member of a document in force, made where it is new; NULL where memory is
 * out. */
struct bs_member *bs_engine_member(struct bs_engine *e, struct bs_slice id);

/* engine_steps.c: a message on `steps`, or on `birth`, of a device. */
void bs_engine_take_steps(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload, bool retained);
void bs_engine_take_birth(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload);

/* engine_documents.c: a document, and its answer. */
void bs_engine_take_document(struct bs_engine *e, const struct bs_topic *topic,
                             const struct bs_message_body *body, bool retained,
                             const struct bs_effects *effects);

#endif
