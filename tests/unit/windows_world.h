/* Windows alone, with members, steps and time; keeps what they write. For tests only. */
#ifndef BACKSTEP_TESTS_WINDOWS_WORLD_H
#define BACKSTEP_TESTS_WINDOWS_WORLD_H

#include "backstep/base/buffer.h"
#include "backstep/core/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define WORLD_NOW      INT64_C(1795716000000) /* a multiple of every window size */
#define WORLD_SIZE     10000
#define WORLD_LATENESS 300000
#define WORLD_REFRESH  2000

struct world {
    struct bs_windows *windows;
    struct bs_buffer lines;
    unsigned closed; /* of the lines since the last world_lines: given out as closed */
    int64_t now;     /* wall = tick */
};

static void world_line(void *context, struct bs_slice line, bool open)
{
    struct world *w = context;
    bs_buffer_add(&w->lines, line);
    w->closed += !open;
}

static void world_publish(void *context, const struct bs_publication *p)
{
    (void)context;
    fail_msg("windows publish %.*s", (int)p->topic.length, p->topic.at);
}

static inline struct bs_effects world_effects(struct world *w)
{
    return (struct bs_effects){w, world_line, world_publish};
}

static inline void world_begin(struct world *w)
{
    *w = (struct world){.now = WORLD_NOW};
    bs_buffer_init(&w->lines, 256u << 20);
    assert_int_equal(bs_windows_new(&w->windows, WORLD_SIZE), BS_OK);
    bs_windows_set_lateness(w->windows, WORLD_LATENESS, WORLD_LATENESS * INT64_C(1000));
    bs_windows_set_refresh(w->windows, WORLD_REFRESH);
    bs_windows_set_group_min(w->windows, 5);
    bs_windows_advance(w->windows, (struct bs_wall_ms){w->now});
}

static inline void world_end(struct world *w)
{
    bs_windows_free(w->windows);
    bs_buffer_fini(&w->lines);
}

/* What was written since the last call, as text. */
static inline const char *world_lines(struct world *w)
{
    bs_buffer_add_char(&w->lines, 0);
    assert_false(w->lines.failed);
    w->lines.length = 0;
    w->closed = 0;
    return w->lines.at;
}

/* Lets time pass, from deadline to deadline. */
static inline void world_wait(struct world *w, int64_t ms)
{
    int64_t until = w->now + ms;
    struct bs_effects effects = world_effects(w);
    for (;;) {
        int64_t wall = bs_windows_wall_deadline(w->windows).ms;
        int64_t tick = bs_windows_tick_deadline(w->windows).ms;
        int64_t due = wall < tick ? wall : tick;
        if (due > until)
            break;
        w->now = due > w->now ? due : w->now;
        bs_windows_fire_wall(w->windows, (struct bs_wall_ms){w->now}, &effects);
        bs_windows_fire_tick(w->windows, (struct bs_tick_ms){w->now}, &effects);
        bs_windows_advance(w->windows, (struct bs_wall_ms){w->now});
    }
    w->now = until;
}

/* Steps. */

struct world_step {
    int64_t time_ms;
    enum bs_direction direction;
    int step_ms, step_mm; /* 0: unknown */
    bool stored;
};

/* A step that has its place and may still wait. */
struct world_held {
    struct world_step step;
    uint32_t row; /* 0: there was no room */
    bool late;
};

static inline struct world_held world_hold(struct world *w, struct bs_window_member *m,
                                           struct bs_tags *tags, const struct world_step *s)
{
    struct bs_window_key key = {tags, s->time_ms, s->direction, s->stored};
    assert_false(bs_windows_too_late(w->windows, s->time_ms, s->stored));
    struct bs_window_place place = bs_windows_find(w->windows, m, &key);
    struct world_held held = {*s, 0, w->now >= place.end_ms};
    if (bs_windows_reserve(w->windows, m, &key, &place))
        held.row = bs_windows_hold(w->windows, m, &key, &place);
    return held;
}

static inline void world_pass(struct world *w, const struct world_held *held)
{
    const struct world_step *s = &held->step;
    struct bs_step step = {.direction = (uint8_t)s->direction};
    struct bs_sample sample = {.step = &step,
                               .step_time_halves = (uint16_t)(2 * s->step_ms),
                               .step_length_halves = (uint16_t)(2 * s->step_mm),
                               .step_time_exact = s->step_ms != 0,
                               .late = held->late};
    bs_windows_add(w->windows, held->row, &sample, (struct bs_tick_ms){w->now});
}

static inline bool world_try(struct world *w, struct bs_window_member *m, struct bs_tags *tags,
                             const struct world_step *s)
{
    struct world_held held = world_hold(w, m, tags, s);
    if (held.row)
        world_pass(w, &held);
    return held.row != 0;
}

static inline void world_add(struct world *w, struct bs_window_member *m, struct bs_tags *tags,
                             struct world_step s)
{
    assert_true(world_try(w, m, tags, &s));
}

static inline struct bs_tags *world_tags(const struct bs_tags_names *names)
{
    struct bs_tags *tags = bs_tags_new(names);
    assert_non_null(tags);
    return tags;
}

/* A class's tags but for the member, and the tags of member m0, m1 … in it. */
static const struct bs_tags_names world_class = {.site = BS_SLICE("gym"),
                                                 .group = BS_SLICE("tue"),
                                                 .drill = BS_SLICE("back-twenty"),
                                                 .phase = BS_SLICE("carry over"),
                                                 .alias = BS_SLICE("Ruth")};

static inline struct bs_tags *world_member_tags(const struct bs_tags_names *names, int member,
                                                bool named)
{
    char id[16];
    snprintf(id, sizeof id, "m%d", member);
    struct bs_tags_names own = *names;
    own.member = bs_slice_text(id);
    own.named = named;
    return world_tags(&own);
}

#endif
