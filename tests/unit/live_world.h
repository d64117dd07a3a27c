/* Boards alone, with members, steps, sessions and time; keeps what they publish. For tests only. */
#ifndef BACKSTEP_TESTS_LIVE_WORLD_H
#define BACKSTEP_TESTS_LIVE_WORLD_H

#include "backstep/base/buffer.h"
#include "backstep/core/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_NOW     INT64_C(1795716000000)
#define WORLD_REFRESH 2000

/* What one group does in a stretch of time; nothing runs in the others. */
struct world_session {
    const char *group, *drill, *phase;
    int64_t from_ms, until_ms;
};

struct world {
    struct bs_live *live;
    struct bs_buffer said; /* a line each: seconds since WORLD_NOW, group, payload */
    int count;             /* of these since the last world_said */
    const struct world_session *sessions;
    size_t session_count;
    int64_t now, ahead; /* wall, and by how much it is before the tick */
};

static void world_line(void *context, struct bs_slice line, bool open)
{
    (void)context;
    (void)open;
    fail_msg("boards write %.*s", (int)line.length, line.at);
}

/* "{"t":NOW," is checked and left out. */
static void world_publish(void *context, const struct bs_publication *p)
{
    struct world *w = context;
    struct bs_slice root = BS_SLICE("t/live/");
    char head[64];
    assert_true(bs_slice_starts(p->topic, root));
    assert_true(p->retained && p->qos == 0 && p->correlation.length == 0 && !p->unchanged);
    assert_int_equal(p->expiry_s, p->payload.length ? 60 : 0);
    struct bs_slice group = bs_slice_after(p->topic, root.length);
    bs_buffer_add_format(&w->said, "%.1f %.*s", (double)(w->now - WORLD_NOW) / 1000,
                         (int)group.length, group.at);
    if (p->payload.length) {
        snprintf(head, sizeof head, "{\"t\":%lld,\"group\":\"%.*s\"", (long long)w->now,
                 (int)group.length, group.at);
        if (!bs_slice_starts(p->payload, bs_slice_text(head)))
            fail_msg("%.*s does not begin with %s", (int)p->payload.length, p->payload.at, head);
        bs_buffer_add_char(&w->said, ' ');
        bs_buffer_add(&w->said, bs_slice_after(p->payload, strlen(head) + 1));
    }
    bs_buffer_add_char(&w->said, '\n');
    w->count++;
}

static void world_find_session(void *context, struct bs_slice group, struct bs_session_place *ret)
{
    const struct world *w = context;
    *ret = (struct bs_session_place){.from_ms = INT64_MIN, .until_ms = INT64_MAX};
    for (size_t i = 0; i < w->session_count; i++) {
        const struct world_session *s = &w->sessions[i];
        if (!bs_slice_equal(group, bs_slice_text(s->group)))
            continue;
        if (w->now >= s->until_ms && s->until_ms > ret->from_ms)
            ret->from_ms = s->until_ms;
        else if (w->now < s->from_ms && s->from_ms < ret->until_ms)
            ret->until_ms = s->from_ms;
        if (w->now < s->from_ms || w->now >= s->until_ms)
            continue;
        *ret = (struct bs_session_place){.running = true,
                                         .drill = bs_slice_text(s->drill),
                                         .phase = bs_slice_text(s->phase),
                                         .from_ms = s->from_ms,
                                         .until_ms = s->until_ms};
        return;
    }
}

static inline void world_fire(struct world *w)
{
    struct bs_effects effects = {w, world_line, world_publish};
    bs_live_fire_tick(w->live, (struct bs_tick_ms){w->now - w->ahead}, (struct bs_wall_ms){w->now},
                      &effects);
}

static inline void world_begin(struct world *w)
{
    *w = (struct world){.now = WORLD_NOW, .ahead = 5000000};
    bs_buffer_init(&w->said, 64u << 20);
    struct bs_live_options options = {
        .topic = BS_SLICE("t/live/"), .find_session = world_find_session, .context = w};
    assert_int_equal(bs_live_new(&w->live, &options), BS_OK);
    bs_live_set_refresh(w->live, WORLD_REFRESH);
    world_fire(w);
}

static inline void world_end(struct world *w)
{
    bs_live_free(w->live);
    bs_buffer_fini(&w->said);
}

static inline void world_run(struct world *w, const struct world_session *sessions, size_t count)
{
    w->sessions = sessions;
    w->session_count = count;
    for (size_t i = 0; i < count; i++)
        bs_live_note_session(w->live, bs_slice_text(sessions[i].group));
    world_fire(w);
}

/* What was published since the last call, as text. */
static inline const char *world_said(struct world *w)
{
    bs_buffer_add_char(&w->said, 0);
    assert_false(w->said.failed);
    w->said.length = 0;
    w->count = 0;
    return w->said.at;
}

/* Lets time pass, from deadline to deadline. */
static inline void world_wait(struct world *w, int64_t ms)
{
    int64_t until = w->now + ms;
    for (;;) {
        int64_t due = bs_live_tick_deadline(w->live).ms;
        if (due == BS_NEVER_MS || due + w->ahead > until)
            break;
        w->now = due + w->ahead;
        world_fire(w);
    }
    w->now = until;
    world_fire(w);
}

/* Steps. */

static inline struct bs_tags *world_tags(const char *group, const char *member, const char *alias)
{
    struct bs_tags_names names = {.site = BS_SLICE("gym"),
                                  .group = bs_slice_text(group),
                                  .drill = BS_SLICE("none"),
                                  .phase = BS_SLICE("none"),
                                  .member = bs_slice_text(member),
                                  .alias = bs_slice_text(alias),
                                  .named = true};
    struct bs_tags *tags = bs_tags_new(&names);
    assert_non_null(tags);
    return tags;
}

struct world_step {
    int64_t ago_ms; /* before now */
    enum bs_direction direction;
    int step_ms, step_mm; /* 0: unknown */
    bool late;            /* after its place */
};

static inline bool world_take(struct world *w, struct bs_live_member *m, struct bs_tags *tags,
                              struct world_step s)
{
    struct bs_step step = {.time_ms = w->now - s.ago_ms, .direction = (uint8_t)s.direction};
    struct bs_passed passed = {.sample = {.step = &step,
                                          .step_time_halves = (uint16_t)(2 * s.step_ms),
                                          .step_length_halves = (uint16_t)(2 * s.step_mm)},
                               .tags = tags,
                               .in_order = !s.late};
    return bs_live_take(w->live, m, &passed);
}

#define STEP                                                                                       \
    (struct world_step)                                                                            \
    {                                                                                              \
        .direction = BS_DIRECTION_BACKWARD, .step_ms = 600, .step_mm = 400                         \
    }

/* And then what is due at once. */
static inline void world_step(struct world *w, struct bs_live_member *m, struct bs_tags *tags)
{
    assert_true(world_take(w, m, tags, STEP));
    world_fire(w);
}

/* What is published of Ruth, who is m1, and of STEP. */
#define RUTH                "{\"member\":\"m1\",\"alias\":\"Ruth\",\"dir\":\"B\","
#define FIGURES             "\"cadence_spm\":100.0,\"step_mm\":400,\"walk_ratio\":0.00400"
#define IDLE                "\"drill\":\"none\",\"phase\":\"none\",\"members\":["

#define EXPECT(w, expected) assert_string_equal(world_said(w), expected)
#define MINUTE              60000

#endif
