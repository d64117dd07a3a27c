/* A small world around the engine: makes records, keeps what the fold says. With
 * BACKSTEP_SNAPSHOT_EVERY=N in the environment each Nth record is folded by an engine that came out
 * of a snapshot of the one before: what a test expects must hold all the same. For tests only. */
#ifndef BACKSTEP_TESTS_ENGINE_WORLD_H
#define BACKSTEP_TESTS_ENGINE_WORLD_H

#include "backstep/base/buffer.h"
#include "backstep/core/engine.h"
#include "engine_again.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define WORLD_NOW INT64_C(1795716000000) /* a multiple of every window size */

struct world {
    struct bs_engine *engine;
    struct bs_buffer lines, publications;
    uint64_t position;
    int64_t tick; /* = wall: the first start record's offset is 0 */
};

static void world_line(void *context, struct bs_slice line, bool open)
{
    struct world *w = context;
    (void)open;
    bs_buffer_add(&w->lines, line);
}

static void world_publish(void *context, const struct bs_publication *p)
{
    struct world *w = context;
    bs_buffer_add(&w->publications, p->topic);
    bs_buffer_add_char(&w->publications, ' ');
    bs_buffer_add(&w->publications, p->correlation);
    bs_buffer_add_text(&w->publications, p->unchanged ? " unchanged " : " ");
    bs_buffer_add(&w->publications, p->payload);
    bs_buffer_add_char(&w->publications, '\n');
}

static inline void world_restart(struct world *w)
{
    static const struct bs_engine_options options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    static long every = -1, folded;
    if (every < 0) {
        const char *text = getenv("BACKSTEP_SNAPSHOT_EVERY");
        every = text ? strtol(text, NULL, 10) : 0;
    }
    if (every > 0 && ++folded % every == 0)
        engine_again(&w->engine, &options);
}

static inline void world_fold(struct world *w, enum bs_record_type type, uint8_t flags,
                              struct bs_slice body)
{
    world_restart(w);
    struct bs_record r = {.position = w->position,
                          .next = w->position + 64,
                          .tick = {w->tick},
                          .type = (uint8_t)type,
                          .flags = flags,
                          .body = body};
    struct bs_effects effects = {w, world_line, world_publish};
    w->position = r.next;
    assert_int_equal(bs_engine_step(w->engine, &r, &effects), BS_OK);
    assert_true(bs_books_balance(bs_engine_books(w->engine)));
}

static inline void world_ask(struct world *w, const char *topic, const char *correlation,
                             uint8_t flags, struct bs_slice payload)
{
    static char body[128 * 1024];
    char head[256];
    int topic_length = snprintf(head, sizeof head, "backstep/v1/gym/%s", topic);
    int length = topic_length + snprintf(head + topic_length, sizeof head - (size_t)topic_length,
                                         "%s", correlation);
    bs_message_head_write((uint16_t)topic_length, (uint16_t)(length - topic_length),
                          (uint8_t *)body);
    memcpy(body + BS_MESSAGE_HEAD_BYTES, head, (size_t)length);
    memcpy(body + BS_MESSAGE_HEAD_BYTES + length, payload.at, payload.length);
    world_fold(w, BS_RECORD_MESSAGE, flags,
               bs_slice_of(body, BS_MESSAGE_HEAD_BYTES + (size_t)length + payload.length));
}

static inline void world_say(struct world *w, const char *topic, uint8_t flags,
                             struct bs_slice payload)
{
    world_ask(w, topic, "", flags, payload);
}

static inline void world_say_text(struct world *w, const char *topic, const char *payload)
{
    world_say(w, topic, 0, bs_slice_text(payload));
}

__attribute__((format(printf, 3, 4))) static inline void world_step(struct world *w,
                                                                    const char *device,
                                                                    const char *format, ...)
{
    char topic[128], payload[1024];
    snprintf(topic, sizeof topic, "device/%s/steps", device);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(payload, sizeof payload, format, arguments);
    va_end(arguments);
    world_say_text(w, topic, payload);
}

/* Lets time pass as the shell does: a tick record at each deadline, rounded up to 100 ms, but for
 * the last. */
static inline void world_wait(struct world *w, int64_t ms)
{
    int64_t until = w->tick + ms;
    for (;;) {
        int64_t due = bs_engine_deadline(w->engine).ms;
        if (due > until)
            break;
        int64_t rounded = due - due % 100 + 100;
        rounded = rounded < until ? rounded : until;
        w->tick = rounded > w->tick ? rounded : w->tick;
        world_fold(w, BS_RECORD_TICK, 0, (struct bs_slice){0});
    }
    w->tick = until;
}

static inline void world_start(struct world *w, uint64_t hash_seed)
{
    struct bs_start_body start = {.offset_ms = 0, .hash_seed = hash_seed};
    uint8_t bytes[BS_START_BODY_BYTES];
    bs_start_body_write(&start, bytes);
    world_fold(w, BS_RECORD_START, 0, bs_slice_of(bytes, sizeof bytes));
}

static inline void world_begin_seeded(struct world *w, uint64_t hash_seed)
{
    *w = (struct world){.tick = WORLD_NOW};
    bs_buffer_init(&w->lines, 64u << 20);
    bs_buffer_init(&w->publications, 1u << 20);
    struct bs_engine_options options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    assert_int_equal(bs_engine_new(&w->engine, &options), BS_OK);
    world_start(w, hash_seed);
}

static inline void world_begin(struct world *w)
{
    world_begin_seeded(w, 7);
}

/* Steps pass at once, as long as their time has come. */
static inline void world_welcome_guests(struct world *w, const char *more)
{
    char document[512];
    snprintf(document, sizeof document, "{\"unknown_devices\":\"guest\",\"reorder_ms\":0%s}", more);
    world_say(w, "config/settings/site", BS_RECORD_RETAINED, bs_slice_text(document));
}

static inline void world_end(struct world *w)
{
    bs_engine_free(w->engine);
    bs_buffer_fini(&w->lines);
    bs_buffer_fini(&w->publications);
}

/* What was written since the last call, as text. */
static inline const char *world_lines(struct world *w)
{
    bs_buffer_add_char(&w->lines, 0);
    assert_false(w->lines.failed);
    w->lines.length = 0;
    return w->lines.at;
}

#endif
