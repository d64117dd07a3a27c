/* One member's order alone, with events and time; keeps what passes. For tests only. */
#ifndef BACKSTEP_TESTS_ORDER_WORLD_H
#define BACKSTEP_TESTS_ORDER_WORLD_H

#include "backstep/core/birth.h"
#include "backstep/core/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times in these tests are ms after this moment. */
#define WORLD_NOW INT64_C(1795716000000)

struct event {
    int64_t at;
    unsigned slot;
    enum bs_sensor_kind kind;
    enum bs_foot foot;
    enum bs_direction direction;
    bool stored;
    int16_t fields[BS_FIELD_COUNT]; /* 0: unknown */
};

/* A step as it passed. */
struct passing {
    struct bs_step step;
    struct bs_sample sample;
    bool in_order, stored;
};

struct world {
    struct bs_order *order;
    struct bs_order_rules rules;
    int64_t now; /* ms after WORLD_NOW */
    uint32_t arrived;
    struct passing passed[4096];
    unsigned count, asserted;
};

static inline void world_begin(struct world *w)
{
    *w = (struct world){.order = bs_order_new(), .rules = {.reorder_ms = 2000, .fuse_ms = 120}};
    assert_non_null(w->order);
}

static inline void world_end(struct world *w)
{
    bs_order_free(w->order);
}

static inline void world_keep(struct world *w, const struct bs_passed *p)
{
    assert_true(w->count < 4096);
    w->passed[w->count++] = (struct passing){
        .step = *p->sample.step, .sample = p->sample, .in_order = p->in_order, .stored = p->stored};
}

static inline void world_pass(struct world *w, bool all)
{
    struct bs_passed p;
    struct bs_order_errand errand;
    while (bs_order_pass(w->order, &w->rules, WORLD_NOW + w->now, all, &p, &errand)) {
        assert_true(p.in_order && !p.stored);
        assert_int_equal(errand.row, p.sample.step->seq); /* the errand is the step's own */
        world_keep(w, &p);
    }
}

static inline struct bs_step world_step(struct world *w, const struct event *e)
{
    struct bs_step step = {.time_ms = WORLD_NOW + e->at,
                           .seq = ++w->arrived,
                           .foot = (uint8_t)e->foot,
                           .direction = (uint8_t)e->direction};
    for (unsigned f = 0; f < BS_FIELD_COUNT; f++)
        if (e->fields[f])
            bs_step_set(&step, f, e->fields[f]);
    return step;
}

/* An accepted event, now: it joins a step or is one of its own; then what may pass passes. True
 * where it joined. */
static inline bool world_send(struct world *w, struct event e)
{
    struct bs_step step = world_step(w, &e);
    struct bs_order_event event = {&step, e.slot, (uint8_t)e.kind, e.stored};
    struct bs_order_place place = bs_order_find(w->order, &event, &w->rules);
    assert_true(bs_order_know(w->order, e.slot));
    if (place.joins) {
        bs_order_join(w->order, &event, &place);
    } else {
        struct bs_order_errand errand = {.row = step.seq};
        struct bs_passed p;
        assert_true(bs_order_reserve(w->order, &event));
        if (!bs_order_add(w->order, &event, &errand, WORLD_NOW + w->now, &p))
            world_keep(w, &p);
    }
    if (!e.stored)
        bs_order_note(w->order, step.time_ms);
    world_pass(w, false);
    return place.joins;
}

/* Lets time pass, from deadline to deadline. */
static inline void world_wait(struct world *w, int64_t ms)
{
    int64_t until = w->now + ms;
    for (;;) {
        int64_t due = bs_order_due(w->order, &w->rules);
        if (due == INT64_MAX || due - WORLD_NOW > until)
            break;
        unsigned waiting = bs_order_waiting(w->order);
        w->now = due - WORLD_NOW > w->now ? due - WORLD_NOW : w->now;
        world_pass(w, false);
        if (bs_order_waiting(w->order) == waiting && bs_order_due(w->order, &w->rules) <= due)
            fail_msg("due at %lld, and nothing passes", (long long)(due - WORLD_NOW));
    }
    w->now = until;
}

/* The times of what has passed since the last call; `!` where it came after its place, `s` where it
 * is stored. */
static inline void assert_passed(struct world *w, const char *expected)
{
    char found[8192] = "";
    size_t length = 0;
    for (; w->asserted < w->count; w->asserted++) {
        const struct passing *p = &w->passed[w->asserted];
        length += (size_t)snprintf(found + length, sizeof found - length, "%s%lld%s",
                                   length ? " " : "", (long long)(p->step.time_ms - WORLD_NOW),
                                   p->stored     ? "s"
                                   : p->in_order ? ""
                                                 : "!");
        assert_true(length < sizeof found);
    }
    assert_string_equal(found, expected);
}

/* All that waits has passed now; the last of it. */
static inline const struct passing *world_last(struct world *w)
{
    world_pass(w, true);
    assert_true(w->count > 0);
    w->asserted = w->count;
    return &w->passed[w->count - 1];
}

#endif
