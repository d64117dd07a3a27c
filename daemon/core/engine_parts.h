/* The engine's insides, shared by its parts: engine.c (life, deadlines, records, time),
 * engine_steps.c (messages of wearables), engine_documents.c (configuration). */
#ifndef BACKSTEP_CORE_ENGINE_PARTS_H
#define BACKSTEP_CORE_ENGINE_PARTS_H

#include "backstep/core/config.h"
#include "backstep/core/decode.h"
#include "backstep/core/engine.h"
#include "backstep/core/roster.h"
#include "backstep/core/topic.h"
#include "backstep/core/window.h"

#define BS_ENGINE_SWEEP_MS 60000 /* how often what may be forgotten is */

struct bs_engine {
    struct bs_books books;
    struct bs_config *config;
    struct bs_roster *roster;
    struct bs_windows *windows;
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

/* engine.c: what the settings in force mean for the windows. */
void bs_engine_apply_settings(struct bs_engine *e);

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
