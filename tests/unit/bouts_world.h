/* One member's bouts alone, with steps and time; keeps the rows and what the listener hears. For
 * tests only. */
#ifndef BACKSTEP_TESTS_BOUTS_WORLD_H
#define BACKSTEP_TESTS_BOUTS_WORLD_H

#include "backstep/base/buffer.h"
#include "backstep/core/bouts.h"
#include "backstep/core/window.h"
#include "rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times in these tests are ms after this moment. */
#define WORLD_NOW INT64_C(1795716000000)

struct world {
    struct bs_bouts *bouts;
    struct bs_bout_member *member;
    struct bs_settings settings;
    struct bs_tags *tags;
    struct bs_buffer lines;
    struct bs_buffer heard;
    struct bs_carry_over_news carried; /* the last */
    struct bs_slip_news slipped;
    int64_t at, every_ms, late_ms; /* of the next step; between steps; arrival behind event time */
    int ms, mm, stride_ms, contact_ms, trunk, vo; /* of the next steps; 0: unknown */
    bool exact, missed;
};

/* What is said. */

/* `open`, as the outbox is told it, is what the bout's row says. */
static void world_line(void *context, struct bs_slice line, bool open)
{
    struct world *w = context;
    bs_buffer_add(&w->lines, line);
    char text[4096];
    snprintf(text, sizeof text, "%.*s", (int)line.length, line.at);
    if (row_is_of(text, "gait_bout"))
        assert_non_null(strstr(text, open ? ",open=true " : ",open=false "));
    else if (row_is_of(text, "slip"))
        assert_false(open);
}

static void world_publish(void *context, const struct bs_publication *p)
{
    (void)context;
    fail_msg("bouts publish %.*s", (int)p->topic.length, p->topic.at);
}

static inline struct bs_effects world_effects(struct world *w)
{
    return (struct bs_effects){w, world_line, world_publish};
}

__attribute__((format(printf, 2, 3))) static inline void world_hear(struct world *w,
                                                                    const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (w->heard.length)
        bs_buffer_add_char(&w->heard, ' ');
    bs_buffer_add_text(&w->heard, text);
}

static void world_began(void *context, void *owner)
{
    assert_ptr_equal(owner, context);
    world_hear(context, "began");
}

static void world_written(void *context, void *owner, struct bs_summary *summary)
{
    assert_ptr_equal(owner, context);
    assert_null(summary); /* the steps are in none */
    world_hear(context, "written");
}

static void world_carried(void *context, void *owner, const struct bs_carry_over_news *news)
{
    struct world *w = context;
    assert_ptr_equal(owner, context);
    assert_non_null(news->in_group);
    w->carried = *news;
    world_hear(w, "carried@%lld", (long long)(news->time_ms - WORLD_NOW));
}

static void world_slipped(void *context, void *owner, const struct bs_slip_news *news)
{
    struct world *w = context;
    assert_ptr_equal(owner, context);
    w->slipped = *news;
    world_hear(w, "slipped@%lld", (long long)(news->time_ms - WORLD_NOW));
}

/* Life. */

static inline struct bs_tags *world_tags(const char *phase, bool named)
{
    struct bs_tags_names names = {.site = BS_SLICE("gym"),
                                  .group = BS_SLICE("tue"),
                                  .drill = BS_SLICE("back-twenty"),
                                  .phase = bs_slice_text(phase),
                                  .member = BS_SLICE("m1"),
                                  .alias = BS_SLICE("Ruth"),
                                  .named = named};
    struct bs_tags *tags = bs_tags_new(&names);
    assert_non_null(tags);
    return tags;
}

static inline void world_begin(struct world *w)
{
    *w = (struct world){.tags = world_tags("imprint", true), .every_ms = 500, .ms = 500, .mm = 600};
    w->exact = true;
    bs_settings_default(&w->settings);
    bs_buffer_init(&w->lines, 1u << 24);
    bs_buffer_init(&w->heard, 1u << 20);
    struct bs_bout_listener listener = {w, world_began, world_written, world_carried,
                                        world_slipped};
    assert_int_equal(bs_bouts_new(&w->bouts, &w->settings, &listener), BS_OK);
    w->member = bs_bouts_add_member(w);
    assert_non_null(w->member);
}

static inline void world_end(struct world *w)
{
    bs_bouts_free_member(w->bouts, w->member);
    bs_bouts_free(w->bouts);
    assert_int_equal(w->tags->references, 1);
    bs_tags_drop(w->tags);
    bs_buffer_fini(&w->lines);
    bs_buffer_fini(&w->heard);
}

/* Steps. */

static inline struct bs_step world_step_of(const struct world *w, char letter)
{
    struct bs_step step = {.time_ms = WORLD_NOW + w->at};
    enum bs_direction direction;
    assert_true(bs_direction_of_letter(letter, &direction));
    step.direction = (uint8_t)direction;
    if (w->stride_ms)
        bs_step_set(&step, BS_FIELD_STRIDE_MS, (int16_t)w->stride_ms);
    if (w->contact_ms)
        bs_step_set(&step, BS_FIELD_CONTACT_MS, (int16_t)w->contact_ms);
    if (w->trunk)
        bs_step_set(&step, BS_FIELD_TRUNK_CDEG, (int16_t)w->trunk);
    if (w->vo)
        bs_step_set(&step, BS_FIELD_VO_MM, (int16_t)w->vo);
    return step;
}

/* It arrives when it is made, and so much later. */
static inline void world_take(struct world *w, char letter)
{
    struct bs_step step = world_step_of(w, letter);
    struct bs_passed passed = {.sample = {.step = &step,
                                          .step_time_halves = (uint16_t)(2 * w->ms),
                                          .step_length_halves = (uint16_t)(2 * w->mm),
                                          .step_time_exact = w->exact && w->ms,
                                          .missed = w->missed,
                                          .late = true, /* neither is the bout's */
                                          .lost = 7},
                               .tags = w->tags,
                               .in_order = true};
    struct bs_effects effects = world_effects(w);
    struct bs_tick_ms now = {WORLD_NOW + w->at + w->late_ms};
    struct bs_wall_ms wall = {now.ms};
    bs_bouts_take(w->bouts, w->member, &passed, now, wall, &effects);
    w->at += w->every_ms;
}

static inline void world_walk(struct world *w, const char *letters)
{
    for (; *letters; letters++)
        world_take(w, *letters);
}

static inline void world_repeat(struct world *w, char letter, int steps)
{
    for (int i = 0; i < steps; i++)
        world_take(w, letter);
}

/* So long after the last step comes the next one. */
static inline void world_pause(struct world *w, int64_t ms)
{
    w->at += ms - w->every_ms;
}

static inline void world_stop(struct world *w)
{
    struct bs_effects effects = world_effects(w);
    bs_bouts_end(w->bouts, w->member, &effects);
}

/* What came out since the last call. */

static inline const char *world_heard(struct world *w)
{
    bs_buffer_add_char(&w->heard, 0);
    assert_false(w->heard.failed);
    w->heard.length = 0;
    return w->heard.at;
}

static inline const char *world_lines(struct world *w)
{
    bs_buffer_add_char(&w->lines, 0);
    assert_false(w->lines.failed);
    w->lines.length = 0;
    return w->lines.at;
}

/* One line as text: `F@0 12+1 open` is a bout with 12 steps and a stray, `C@0 8/20 71` a carry-over
 * of 8 backward steps and 20 of the block with its retention, `S@0 step_length up 24` a slip. */
static inline int world_tell(char *to, size_t room, const char *line)
{
    long long at = strtoll(strrchr(line, ' '), NULL, 10) - WORLD_NOW;
    const char *direction = strstr(line, ",direction="), *metric = strstr(line, ",metric=");
    const char *sign = strstr(line, ",sign=");
    if (row_is_of(line, "gait_bout"))
        return snprintf(to, room, "%c@%lld %g+%g %s\n", direction[11], at, row_field(line, "steps"),
                        row_field(line, "strays"), strstr(line, "open=true") ? "open" : "closed");
    if (row_is_of(line, "carry_over"))
        return snprintf(to, room, "C@%lld %g/%g %.4g\n", at, row_field(line, "back_steps"),
                        row_field(line, "block_steps"), row_field(line, "retention_pct"));
    assert_true(row_is_of(line, "slip"));
    return snprintf(to, room, "S@%lld %.*s %.*s %g\n", at, (int)strcspn(metric + 8, ", "),
                    metric + 8, (int)strcspn(sign + 6, ", "), sign + 6, row_field(line, "step"));
}

enum world_rows { WORLD_BOUTS = 1, WORLD_CARRIED = 2, WORLD_ALL = 3 };

/* Rows of these kinds that were written since the last call, each as text. */
static inline const char *world_told(struct world *w, enum world_rows kinds)
{
    static char told[8192];
    size_t length = 0;
    char line[4096];
    for (const char *at = world_lines(w), *end; *at; at = end) {
        end = strchr(at, '\n') + 1;
        snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
        bool bout = row_is_of(line, "gait_bout");
        if (kinds & (bout ? WORLD_BOUTS : WORLD_CARRIED))
            length += (size_t)world_tell(told + length, sizeof told - length, line);
        assert_true(length < sizeof told);
    }
    told[length] = 0;
    return told;
}

static inline void assert_rows(struct world *w, const char *expected)
{
    assert_string_equal(world_told(w, WORLD_ALL), expected);
}

/* Fires what is due at that moment, as the engine does. */
static inline void world_fire(struct world *w, int64_t at)
{
    struct bs_effects effects = world_effects(w);
    bs_bouts_fire_silence(w->bouts, w->member, (struct bs_wall_ms){WORLD_NOW + at}, &effects);
    bs_bouts_fire(w->bouts, (struct bs_tick_ms){WORLD_NOW + at}, &effects);
}

/* Carry-overs. */

static inline void world_walk_mm(struct world *w, char letter, int steps, int mm)
{
    w->mm = mm;
    world_repeat(w, letter, steps);
}

/* Bouts' own rows and notes are tested elsewhere. */
static inline void assert_carried(struct world *w, const char *expected)
{
    world_heard(w);
    assert_string_equal(world_told(w, WORLD_CARRIED), expected);
}

/* A habit of 700 mm and a backward bout of 500 mm, which ends at 13500. */
static inline void world_walk_back(struct world *w)
{
    world_walk_mm(w, 'F', 20, 700);
    world_walk_mm(w, 'B', 8, 500);
}

#endif
