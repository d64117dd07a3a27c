/* The truth's bouts and carry-overs, of steps made by hand and counted by hand. Must never be made
 * from what the simulator walks. */
#include "true_bouts.h"
#include "true_carry_over.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MS   500
#define BOUTS_MAX 16

/* One member with a belt (T) and pods (L, R). */
struct world {
    struct bs_traces traces;
    int64_t now_ms;
};

enum { T = 1, PODS = 6 };

static void open_world(struct world *w)
{
    struct bs_sensor_set sensors;
    assert_true(bs_sensors_parse("trunk,pods", &sensors));
    *w = (struct world){.now_ms = 1000000};
    assert_int_equal(bs_traces_init(&w->traces, 1, &sensors, false), BS_OK);
}

static struct bs_member_traces *member(struct world *w)
{
    return &w->traces.members[0];
}

/* A contact, and what arrived of it live. */
static void step(struct world *w, char letter, unsigned live, int step_mm)
{
    struct bs_contact c = {.number = member(w)->count};
    enum bs_direction direction = BS_DIRECTION_UNKNOWN;
    assert_true(bs_direction_of_letter(letter, &direction));
    c.event.time_ms = w->now_ms += STEP_MS;
    c.event.direction = (uint8_t)direction;
    c.event.foot = c.number % 2 ? BS_FOOT_RIGHT : BS_FOOT_LEFT;
    bs_event_set(&c.event, BS_FIELD_STEP_MS, STEP_MS);
    bs_event_set(&c.event, BS_FIELD_STEP_MM, step_mm);
    bs_traces_add(&w->traces, &c);
    assert_false(w->traces.failed);
    struct bs_trace *trace = &member(w)->at[c.number];
    trace->live = (uint8_t)live;
    trace->time_ms = trace->made_ms;
}

/* A letter is a step that arrived; x: its belt's reading did not; -: none of it did; a digit: so
 * many seconds without a step. The direction of x and - is F. */
static void walk(struct world *w, const char *letters, int step_mm)
{
    for (const char *at = letters; *at; at++) {
        if (*at >= '0' && *at <= '9')
            w->now_ms += 1000 * (*at - '0');
        else if (*at == 'x' || *at == '-')
            step(w, 'F', *at == 'x' ? PODS : 0, step_mm);
        else
            step(w, *at, T | PODS, step_mm);
    }
}

struct found {
    struct bs_true_bout bouts[BOUTS_MAX]; /* without steps */
    uint32_t first[BOUTS_MAX], last[BOUTS_MAX], follow[BOUTS_MAX];
    int count;
};

static void take(void *context, const struct bs_true_bout *bout)
{
    struct found *f = context;
    assert_true(f->count < BOUTS_MAX);
    f->bouts[f->count] = *bout;
    f->first[f->count] = bout->steps[0].contact;
    f->last[f->count] = bout->steps[bout->count - 1].contact;
    for (uint32_t i = 0; i < bout->count; i++)
        f->follow[f->count] += bout->steps[i].follows;
    f->count++;
}

/* `expected`: the bouts' letters and counts of steps, "F12 B8". */
static void expect_bouts(const char *letters, const char *expected)
{
    struct world w;
    struct found f = {0};
    char text[256] = "";
    open_world(&w);
    walk(&w, letters, 600);
    assert_int_equal(bs_true_bouts(&w.traces, member(&w), take, &f), BS_OK);
    for (int i = 0; i < f.count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s%c%u", i ? " " : "",
                 bs_direction_letter(f.bouts[i].direction), f.bouts[i].count);
    }
    if (strcmp(text, expected) != 0)
        fail_msg("of %s: found '%s', expected '%s'", letters, text, expected);
    bs_traces_fini(&w.traces);
}

static void test_bouts(void **state)
{
    (void)state;
    static const struct {
        const char *letters, *expected;
    } cases[] = {
        {"", ""},
        {"FF", ""},
        {"FFF", "F3"},
        {"FFFFFFFFFFBBBBB", "F10 B5"},
        /* Fewer than three are strays, and count in nothing. */
        {"FFFFFBBFFFFF", "F10"},
        {"FFFFFBBLLFFFFF", "F10"},
        {"FFFFFBBLLL", "F5 L3"},
        /* A step without direction is in no bout and ends none, but eight in a row do. */
        {"FFFxFFFxxF", "F7"},
        {"FFFxxxxxxxFFF", "F6"},
        {"FFFxxxxxxxxFFF", "F3 F3"},
        {"FFFTTTTTTTTFFF", "F3 F3"},
        {"FFFTTTTTBBFFF", "F6"},
        /* Two that wait go on behind them. */
        {"BBBFFxxxxxxxxF", "B3 F3"},
        /* What nobody heard of is a longer step; a pause of over three seconds is an end. */
        {"FFF-FFF--FFF", "F9"},
        {"FFF----FFF", "F6"},
        {"FFF-----FFF", "F6"},
        {"FFF------FFF", "F3 F3"},
        {"FFF2FFF", "F6"},
        {"FFF3FFF", "F3 F3"},
        {"BBBFF3F", "B3"},
        {"NNNNTTTTxxx", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_bouts(cases[i].letters, cases[i].expected);
}

/* A step time counts only where the step before it, of those that arrived, is of the bout. */
static void test_what_follows_within_a_bout(void **state)
{
    (void)state;
    struct world w;
    struct found f = {0};
    open_world(&w);
    walk(&w, "BBBBFFFFxFF-FFBF", 600);
    assert_int_equal(bs_true_bouts(&w.traces, member(&w), take, &f), BS_OK);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.follow[0], 3);
    assert_int_equal(f.bouts[1].count, 9);
    assert_int_equal(f.first[1], 4);
    assert_int_equal(f.last[1], 15);
    assert_int_equal(f.follow[1], 6); /* not the first, the one behind x, the one behind B */
    bs_traces_fini(&w.traces);
}

/* ---- carry-over ---- */

struct carried {
    struct world w;
    struct bs_carry_over_finder finder;
    struct bs_true_carry_over last;
    int count;
};

static void compare_next(void *context, const struct bs_true_bout *bout)
{
    struct carried *c = context;
    c->count += bs_carry_over_take(&c->finder, &c->w.traces, member(&c->w), bout, &c->last);
}

static void carry_over(struct carried *c)
{
    assert_int_equal(bs_true_bouts(&c->w.traces, member(&c->w), compare_next, c), BS_OK);
}

static void expect_retention(const struct carried *c, double length, double ratio)
{
    const double expected[] = {length, ratio};
    for (int i = 0; i < BS_CARRIED_METRICS; i++) {
        assert_int_equal(c->last.has_retention[i], expected[i] >= 0);
        double off = c->last.retention_pct[i] - expected[i];
        if (expected[i] >= 0 && (off > 1e-9 || off < -1e-9))
            fail_msg("metric %d: %.9f, expected %.9f", i, c->last.retention_pct[i], expected[i]);
    }
}

#define TEN    "FFFFFFFFFF"
#define TWENTY TEN TEN
#define BACK   "BBBBBBBBBB"

static void test_retention(void **state)
{
    (void)state;
    struct carried c = {0};
    open_world(&c.w);
    walk(&c.w, TWENTY, 700);
    walk(&c.w, BACK, 500);
    walk(&c.w, TEN, 550);
    walk(&c.w, TEN, 560); /* of twenty the median is between both tens */
    walk(&c.w, TWENTY, 700);
    carry_over(&c);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.last.back_steps, 10);
    assert_int_equal(c.last.block_steps, 20);
    assert_int_equal(c.last.start_ms, member(&c.w)->at[30].time_ms);
    /* Of 19 walk ratios, for the first has no step time, the median is that of 560. */
    expect_retention(&c, 100 * (700 - 555) / 200.0, 100 * (700 - 560) / 200.0);
    bs_traces_fini(&c.w.traces);
}

static void test_retention_is_clipped(void **state)
{
    (void)state;
    static const struct {
        int block_mm;
        double expected;
    } cases[] = {{450, 100}, {750, 0}, {600, 50}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct carried c = {0};
        open_world(&c.w);
        walk(&c.w, TWENTY, 700);
        walk(&c.w, BACK, 500);
        walk(&c.w, TEN, cases[i].block_mm);
        carry_over(&c);
        assert_int_equal(c.last.block_steps, 10);
        expect_retention(&c, cases[i].expected, cases[i].expected);
        bs_traces_fini(&c.w.traces);
    }
}

/* What there is of carry-overs, and what of retention, in steps of 700, 500 and 600 mm. */
static void expect_carried(const char *habit, const char *back, const char *between,
                           const char *block, int expected, double retention)
{
    struct carried c = {0};
    open_world(&c.w);
    walk(&c.w, habit, 700);
    walk(&c.w, back, 500);
    walk(&c.w, between, 600);
    walk(&c.w, block, 600);
    carry_over(&c);
    if (c.count != expected)
        fail_msg("%s %s %s %s: %d, expected %d", habit, back, between, block, c.count, expected);
    if (expected > 0)
        expect_retention(&c, retention, retention);
    bs_traces_fini(&c.w.traces);
}

static void test_when_there_is_a_carry_over(void **state)
{
    (void)state;
    expect_carried(TWENTY, BACK, "", TEN, 1, 50);
    expect_carried(TWENTY, BACK, "LLLLLLLLLL", TEN, 1, 50);
    expect_carried(TWENTY, "BBBBBBB", "", TEN, 0, 0);   /* too short a bout */
    expect_carried(TWENTY, BACK, "FFFFF4", TEN, 1, 50); /* too short a block: the next */
    expect_carried(TWENTY, BACK, TEN "4", TEN, 1, 50);  /* one comparison only */
    expect_carried(TWENTY, BACK, "999999", TEN, 1, 50); /* 54.5 s behind it */
    expect_carried(TWENTY, BACK, "9999996", TEN, 0, 0); /* 60.5 s */
    expect_carried("FFFFFFFFFF", BACK, "", TEN, 1, -1); /* no habit */
    expect_carried(TEN "FFFFFFFF", BACK, "", "FFFFxxxxxxxFFFF", 1, 50);
}

/* Sixteen steps have a length, but fourteen a walk ratio: the first has no step time, and the one
 * behind those without direction does not follow a step of the bout. */
static void test_each_metric_has_a_habit_of_its_own(void **state)
{
    (void)state;
    struct carried c = {0};
    open_world(&c.w);
    walk(&c.w, TEN "FFFFxxxxFF", 700);
    walk(&c.w, BACK, 500);
    walk(&c.w, TEN, 600);
    carry_over(&c);
    expect_retention(&c, 50, -1);
    bs_traces_fini(&c.w.traces);
}

/* Half of the block, and five, must have the metric: the pods' readings of these are lost. */
static void test_what_the_block_must_have(void **state)
{
    (void)state;
    for (int missing = 4; missing <= 6; missing++) {
        struct carried c = {0};
        open_world(&c.w);
        walk(&c.w, TWENTY, 700);
        walk(&c.w, BACK, 500);
        for (int i = 0; i < 10; i++)
            step(&c.w, 'F', i < missing ? T : T | PODS, 600);
        carry_over(&c);
        assert_int_equal(c.count, 1);
        expect_retention(&c, missing <= 5 ? 50 : -1, missing <= 5 ? 50 : -1);
        bs_traces_fini(&c.w.traces);
    }
}

static void test_habit_and_back_that_are_alike(void **state)
{
    (void)state;
    static const int backs[] = {665, 666};
    for (size_t i = 0; i < 2; i++) {
        struct carried c = {0};
        open_world(&c.w);
        walk(&c.w, TWENTY, 700);
        walk(&c.w, BACK, backs[i]);
        walk(&c.w, TEN, 700);
        carry_over(&c);
        assert_int_equal(c.last.has_retention[BS_CARRIED_STEP_LENGTH], i == 0);
        bs_traces_fini(&c.w.traces);
    }
}

/* Only the last 512 steps are the habit. */
static void test_the_last_steps_are_the_habit(void **state)
{
    (void)state;
    struct carried c = {0};
    open_world(&c.w);
    for (int i = 0; i < 60; i++)
        walk(&c.w, TEN, 900);
    for (int i = 0; i < 26; i++) /* 260 of 512: more than half */
        walk(&c.w, TEN, 700);
    walk(&c.w, BACK, 500);
    walk(&c.w, TWENTY, 600);
    carry_over(&c);
    expect_retention(&c, 50, 50);
    bs_traces_fini(&c.w.traces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bouts),
        cmocka_unit_test(test_what_follows_within_a_bout),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_retention_is_clipped),
        cmocka_unit_test(test_when_there_is_a_carry_over),
        cmocka_unit_test(test_each_metric_has_a_habit_of_its_own),
        cmocka_unit_test(test_what_the_block_must_have),
        cmocka_unit_test(test_habit_and_back_that_are_alike),
        cmocka_unit_test(test_the_last_steps_are_the_habit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
