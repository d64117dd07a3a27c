/* Summaries over real sessions, with members, steps and time; keeps what they write. For tests
 * only. Times are minutes since WORLD_BEGIN, and wall = tick but where a test steps the clock. */
#ifndef BACKSTEP_TESTS_SUMMARIES_WORLD_H
#define BACKSTEP_TESTS_SUMMARIES_WORLD_H

#include "backstep/base/buffer.h"
#include "backstep/core/summaries.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define WORLD_BEGIN   INT64_C(1795716000000)
#define WORLD_MINUTE  INT64_C(60000)
#define WORLD_NO_END  (INT64_MAX / WORLD_MINUTE)
#define WORLD_REFRESH 2000

struct world {
    struct bs_sessions *sessions;
    struct bs_summaries *summaries;
    struct bs_buffer lines;
    int64_t tick, offset;
};

struct person {
    struct bs_summary_member member;
    const char *id, *alias;
    bool unnamed; /* consent is `group` */
};

static inline struct bs_wall_ms world_wall(const struct world *w)
{
    return (struct bs_wall_ms){w->tick + w->offset};
}

static inline int64_t world_time(int64_t minute)
{
    return WORLD_BEGIN + minute * WORLD_MINUTE;
}

/* "open Ruth/back/tue/m1 0 steps=3i,…" */
static void world_line(void *context, struct bs_slice line, bool open)
{
    struct world *w = context;
    char alias[64], drill[64], group[64], member[64], fields[512], text[1024];
    long long stamp;
    snprintf(text, sizeof text, "%.*s", (int)line.length, line.at);
    int found = sscanf(text,
                       "session_summary,alias=%63[^,],drill=%63[^,],group=%63[^,],member=%63[^,],"
                       "site=gym %511s %lld\n",
                       alias, drill, group, member, fields, &stamp);
    if (found != 6)
        fail_msg("no row of a session: %s", text);
    bs_buffer_add_format(&w->lines, "%s %s/%s/%s/%s %lld %s\n", open ? "open" : "closed", alias,
                         drill, group, member, (stamp - WORLD_BEGIN) / WORLD_MINUTE, fields);
}

static void world_publish(void *context, const struct bs_publication *p)
{
    (void)context;
    fail_msg("summaries publish %.*s", (int)p->topic.length, p->topic.at);
}

static inline struct bs_effects world_effects(struct world *w)
{
    return (struct bs_effects){w, world_line, world_publish};
}

static inline void world_begin(struct world *w)
{
    *w = (struct world){.tick = WORLD_BEGIN};
    bs_buffer_init(&w->lines, 16u << 20);
    assert_int_equal(bs_sessions_new(&w->sessions), BS_OK);
    assert_int_equal(bs_summaries_new(&w->summaries, w->sessions), BS_OK);
    bs_summaries_set_refresh(w->summaries, WORLD_REFRESH);
}

static inline void world_end(struct world *w)
{
    bs_summaries_free(w->summaries);
    bs_sessions_free(w->sessions);
    bs_buffer_fini(&w->lines);
}

/* What was written since the last call, as text. */
static inline const char *world_lines(struct world *w)
{
    bs_buffer_add_char(&w->lines, 0);
    assert_false(w->lines.failed);
    w->lines.length = 0;
    return w->lines.at;
}

/* Each line begins with what is expected of it. */
static inline void world_expect(struct world *w, int count, const char *const expected[])
{
    const char *all = world_lines(w), *at = all;
    for (int i = 0; i < count; i++) {
        if (strncmp(at, expected[i], strlen(expected[i])) != 0)
            fail_msg("line %d is not \"%s\" in\n%s", i, expected[i], all);
        at += strcspn(at, "\n") + 1;
    }
    if (*at)
        fail_msg("after %d lines there is \n%s", count, at);
}

#define EXPECT_LINES(w, ...)                                                                       \
    do {                                                                                           \
        const char *const expected_[] = {__VA_ARGS__};                                             \
        world_expect(w, (int)(sizeof expected_ / sizeof expected_[0]), expected_);                 \
    } while (0)
#define EXPECT_NOTHING(w) world_expect(w, 0, NULL)

/* Lets time pass, from deadline to deadline. */
static inline void world_wait_ms(struct world *w, int64_t ms)
{
    int64_t until = w->tick + ms;
    struct bs_effects effects = world_effects(w);
    for (;;) {
        int64_t wall = bs_summaries_wall_deadline(w->summaries).ms;
        int64_t by_wall = wall == BS_NEVER_MS ? BS_NEVER_MS : wall - w->offset;
        int64_t by_tick = bs_summaries_tick_deadline(w->summaries).ms;
        int64_t due = by_wall < by_tick ? by_wall : by_tick;
        if (due > until)
            break;
        w->tick = due > w->tick ? due : w->tick;
        bs_summaries_fire(w->summaries, world_wall(w), (struct bs_tick_ms){w->tick}, &effects);
    }
    w->tick = until;
}

static inline void world_wait_until(struct world *w, int64_t minute)
{
    world_wait_ms(w, world_time(minute) - w->tick);
}

/* What documents say: from now on. */

static inline void world_follow(struct world *w, const char *group)
{
    struct bs_effects effects = world_effects(w);
    bs_summaries_follow(w->summaries, bs_slice_text(group), world_wall(w), &effects);
}

static inline void world_say(struct world *w, const char *group, int64_t start, int64_t end,
                             const char *drill)
{
    struct bs_phase phase = {.name = BS_SLICE("a")};
    struct bs_drill_document drill_document = {.repeat = 1, .phases = {&phase, 1}};
    struct bs_session_document document = {.drill = bs_slice_text(drill),
                                           .start_ms = world_time(start),
                                           .end_ms =
                                               end == WORLD_NO_END ? INT64_MAX : world_time(end)};
    struct bs_session_word word = {.group = bs_slice_text(group),
                                   .session = &document,
                                   .drill = &drill_document,
                                   .at = world_wall(w),
                                   .settled = {WORLD_BEGIN}};
    assert_int_equal(bs_sessions_follow(w->sessions, &word), BS_OK);
    world_follow(w, group);
}

static inline void world_delete(struct world *w, const char *group)
{
    bs_sessions_close(w->sessions, bs_slice_text(group), world_wall(w));
    world_follow(w, group);
}

static inline void world_forget(struct world *w, int64_t before)
{
    struct bs_effects effects = world_effects(w);
    bs_sessions_forget(w->sessions, (struct bs_wall_ms){world_time(before)});
    bs_summaries_sweep(w->summaries, &effects);
}

/* Steps. */

static inline struct bs_tags *world_tags(const struct person *p, struct bs_slice group,
                                         const struct bs_session_place *place)
{
    struct bs_tags_names names = {.site = BS_SLICE("gym"),
                                  .group = group,
                                  .drill = place->drill,
                                  .phase = place->phase,
                                  .member = bs_slice_text(p->id),
                                  .alias = bs_slice_text(p->alias ? p->alias : p->id),
                                  .named = !p->unnamed};
    return bs_tags_new(&names);
}

/* The summary of a step of that event time, whose session runs. False where there is no memory. */
static inline bool world_find(struct world *w, struct person *p, const char *group, int64_t time_ms,
                              struct bs_summary **ret)
{
    struct bs_session_place place;
    bs_sessions_find(w->sessions, bs_slice_text(group), time_ms, (struct bs_wall_ms){WORLD_BEGIN},
                     &place);
    if (!place.running)
        fail_msg("%s is not on at minute %g", group,
                 (double)(time_ms - WORLD_BEGIN) / (double)WORLD_MINUTE);
    struct bs_tags *tags = world_tags(p, bs_slice_text(group), &place);
    if (!tags)
        return false;
    bool found = bs_summaries_find(w->summaries, &p->member, tags, place.start_ms, ret);
    bs_tags_drop(tags);
    if (found)
        bs_sessions_note(place.history, time_ms, (struct bs_wall_ms){WORLD_BEGIN});
    return found;
}

static inline void world_pass(struct world *w, struct bs_summary *summary)
{
    struct bs_step step = {.direction = BS_DIRECTION_FORWARD};
    struct bs_passed passed = {.sample = {.step = &step}, .summary = summary, .in_order = true};
    bs_summaries_add(w->summaries, &passed, (struct bs_tick_ms){w->tick});
}

static inline void world_step_at(struct world *w, struct person *p, const char *group,
                                 int64_t time_ms)
{
    struct bs_summary *summary;
    assert_true(world_find(w, p, group, time_ms, &summary));
    world_pass(w, summary);
}

static inline void world_step(struct world *w, struct person *p, const char *group)
{
    world_step_at(w, p, group, world_wall(w).ms);
}

#endif
