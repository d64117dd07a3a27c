/* A small world around the engine in which members walk and rows are read back. For tests only. */
#ifndef BACKSTEP_TESTS_GAIT_WORLD_H
#define BACKSTEP_TESTS_GAIT_WORLD_H

#include "engine_world.h"
#include "rows.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* A device, and what its next event says. */
struct walker {
    const char *device;
    uint32_t boot, seq;
    int mm;        /* 0: unknown */
    bool no_feet;  /* it does not tell them; else left and right in turn */
    int64_t ahead; /* of its event times before their arrival */
};

static inline void say(struct world *w, const char *document, const char *payload)
{
    char topic[128];
    uint64_t rejected = bs_engine_books(w->engine)->config_rejected;
    snprintf(topic, sizeof topic, "config/%s", document);
    world_say(w, topic, BS_RECORD_RETAINED, bs_slice_text(payload));
    if (bs_engine_books(w->engine)->config_rejected != rejected)
        fail_msg("%s: %.*s", document, (int)w->publications.length, w->publications.at);
    w->publications.length = 0;
}

/* One event, now. */
static inline void step(struct world *w, struct walker *d, char direction)
{
    char length[32] = "";
    if (d->mm)
        snprintf(length, sizeof length, ",\"step_mm\":%d", d->mm);
    char foot = d->no_feet ? 'U' : d->seq % 2 ? 'L' : 'R';
    world_step(w, d->device,
               "{\"v\":1,\"boot\":%u,\"seq\":%u,\"t\":%lld,\"foot\":\"%c\",\"dir\":\"%c\"%s}",
               d->boot, d->seq++, (long long)(w->tick + d->ahead), foot, direction, length);
}

/* A step every 500 ms. */
static inline void walk(struct world *w, struct walker *d, char direction, int steps)
{
    for (int i = 0; i < steps; i++) {
        step(w, d, direction);
        world_wait(w, 500);
    }
}

static inline const struct bs_books *books(const struct world *w)
{
    return bs_engine_books(w->engine);
}

/* Until everything has passed and is final. */
static inline void settle(struct world *w)
{
    world_wait(w, 30 * MINUTE);
    assert_int_equal(books(w)->steps_waiting, 0);
    struct bs_engine_held held;
    bs_engine_get_held(w->engine, &held);
    assert_int_equal(held.windows, 0);
}

static inline void step_clock(struct world *w, int64_t offset_ms)
{
    struct bs_clock_body clock = {.offset_ms = offset_ms, .stepped = true};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    bs_clock_body_write(&clock, bytes);
    world_fold(w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
}

/* What was published since the last call, as text. */
static inline const char *world_publications(struct world *w)
{
    bs_buffer_add_char(&w->publications, 0);
    assert_false(w->publications.failed);
    w->publications.length = 0;
    return w->publications.at;
}

#endif
