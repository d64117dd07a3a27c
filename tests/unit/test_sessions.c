/* Histories of groups: one scenario a row, shown as what is in force from which minute on; then
 * times at the edges, and bounds. Random sequences are in test_sessions_random.c. */
#include "backstep/core/sessions.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BASE     INT64_C(1795716000000)
#define MINUTE   INT64_C(60000)
#define NO_END   INT64_MAX
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Drills, as the documents have them. */

#define PHASE(text, duration)                                                                      \
    {                                                                                              \
        .name = {text, sizeof(text) - 1}, .duration_s = (duration)*60                              \
    }

static struct bs_phase back_phases[] = {PHASE("imprint", 10), PHASE("carry", 5)};
static struct bs_phase changed_phases[] = {PHASE("imprint", 20), PHASE("hold", 20)};
static struct bs_phase hand_phases[] = {PHASE("warm", 0), PHASE("imprint", 10)};
static struct bs_phase split_phases[] = {PHASE("imprint", 4), PHASE("imprint", 6),
                                         PHASE("carry", 5)};
static struct bs_phase wrap_phases[] = {PHASE("a", 1), PHASE("b", 2), PHASE("a", 3)};
static struct bs_phase single_phases[] = {PHASE("a", 1)};

enum { GONE, BACK, CHANGED, HAND, SPLIT, WRAP, SINGLE };
static const struct bs_drill_document drills[] = {
    [BACK] = {.repeat = 2, .phases = {back_phases, COUNT(back_phases)}},
    [CHANGED] = {.repeat = 1, .phases = {changed_phases, COUNT(changed_phases)}},
    [HAND] = {.repeat = 3, .phases = {hand_phases, COUNT(hand_phases)}},
    [SPLIT] = {.repeat = 2, .phases = {split_phases, COUNT(split_phases)}},
    [WRAP] = {.repeat = 2, .phases = {wrap_phases, COUNT(wrap_phases)}},
    [SINGLE] = {.repeat = 100, .phases = {single_phases, 1}},
};

/* Scenarios. Times are minutes since BASE. */

enum verb { NONE, FOLLOW, FOLLOW_DRILL, CLOSE, NOTE, FIND, FORGET_BEFORE };

struct act {
    enum verb verb;
    int64_t at, start, end; /* NOTE: the step's event time is `start` */
    int drill;
    const char *phase;
};

#define WORD(verb_, at_, start_, end_, drill_, phase_)                                             \
    {                                                                                              \
        .verb = verb_, .at = at_, .start = start_, .end = end_, .drill = drill_, .phase = phase_   \
    }
#define DOCUMENT(...)    WORD(FOLLOW, __VA_ARGS__)
#define DRILL(...)       WORD(FOLLOW_DRILL, __VA_ARGS__)
#define STEP(at_, time_) WORD(NOTE, at_, time_, 0, GONE, NULL)
#define DELETE(at_)      WORD(CLOSE, at_, 0, 0, GONE, NULL)
#define LOOK(at_)        WORD(FIND, at_, 0, 0, GONE, NULL)
#define FORGET(at_)      WORD(FORGET_BEFORE, at_, 0, 0, GONE, NULL)

struct scenario {
    const char *name;
    struct act acts[8];
    const char *expected; /* "minute:phase": from then on; "-": nothing runs, "none": no phase */
};

static const struct scenario scenarios[] = {
    {"by timetable, and none after the last round",
     {DOCUMENT(-5, 0, 60, BACK, "")},
     "0:imprint 10:carry 15:imprint 25:carry 30:none 60:-"},
    {"the end cuts the timetable", {DOCUMENT(-5, 0, 12, BACK, "")}, "0:imprint 10:carry 12:-"},
    {"a phase without a duration: no timetable", {DOCUMENT(-5, 0, 60, HAND, "")}, "0:none 60:-"},
    {"by hand", {DOCUMENT(-5, 0, 60, HAND, "warm")}, "0:warm 60:-"},
    {"neighbours of one name are one stretch",
     {DOCUMENT(-5, 0, 60, SPLIT, "")},
     "0:imprint 10:carry 15:imprint 25:carry 30:none 60:-"},
    {"and where rounds meet", {DOCUMENT(-5, 0, 20, WRAP, "")}, "0:a 1:b 3:a 7:b 9:a 12:none 20:-"},
    {"and all rounds of one phase", {DOCUMENT(0, 0, 120, SINGLE, "")}, "0:a 100:none 120:-"},
    {"a phase that the drill does not have", {DOCUMENT(-5, 0, 60, BACK, "warm")}, "0:none 60:-"},
    {"begins in the past", {DOCUMENT(12, 0, 60, BACK, "carry")}, "0:carry 60:-"},
    {"moved on by hand",
     {DOCUMENT(-5, 0, 60, HAND, "warm"), DOCUMENT(20, 0, 60, HAND, "imprint")},
     "0:warm 20:imprint 60:-"},
    {"from hand to timetable: it counts from the start",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DOCUMENT(12, 0, 60, BACK, "")},
     "0:carry 15:imprint 25:carry 30:none 60:-"},
    {"two changes before the start",
     {DOCUMENT(-9, 0, 60, HAND, "warm"), DOCUMENT(-5, 0, 60, BACK, "carry"),
      DOCUMENT(-1, 0, 60, HAND, "imprint")},
     "0:imprint 60:-"},
    {"the same again",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DOCUMENT(9, 0, 60, BACK, "carry")},
     "0:carry 60:-"},
    {"a drill that comes after its session",
     {DOCUMENT(-5, 0, 60, GONE, ""), DRILL(20, 0, 60, BACK, "")},
     "0:imprint 10:carry 15:imprint 25:carry 30:none 60:-"},
    {"a drill that does not come", {DOCUMENT(-5, 0, 60, GONE, "")}, "-"},
    {"a drill that goes and comes back",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DRILL(5, 0, 60, GONE, "carry"),
      DRILL(8, 0, 60, BACK, "carry")},
     "0:carry 5:- 8:carry 60:-"},
    {"a drill that goes and comes back before the start",
     {DOCUMENT(-9, 0, 60, BACK, "carry"), DRILL(-8, 0, 60, GONE, "carry"),
      DRILL(8, 0, 60, BACK, "carry")},
     "0:carry 60:-"},
    {"other phases: from the drill's arrival, by the session's start",
     {DOCUMENT(-5, 0, 60, BACK, ""), DRILL(12, 0, 60, CHANGED, "")},
     "0:imprint 10:carry 12:imprint 20:hold 40:none 60:-"},
    {"other phases without the one chosen by hand",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DRILL(12, 0, 60, CHANGED, "carry")},
     "0:carry 12:none 60:-"},
    {"the end comes nearer",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DOCUMENT(30, 0, 20, BACK, "carry")},
     "0:carry 20:-"},
    {"the end moves on after it passed",
     {DOCUMENT(-5, 0, 20, BACK, "carry"), DOCUMENT(30, 0, 40, BACK, "imprint")},
     "0:carry 30:imprint 40:-"},
    {"without an end, no step",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), LOOK(719)},
     "0:carry 720:-"},
    {"without an end: half an hour after the last step",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), STEP(11, 11), STEP(38, 38), STEP(40, 37)},
     "0:carry 68:-"},
    {"a step after the silence opens nothing",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), STEP(11, 11), STEP(41, 41)},
     "0:carry 41:-"},
    {"nor does a late one from before its end",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), STEP(11, 11), LOOK(41), STEP(42, 40)},
     "0:carry 41:-"},
    {"twelve hours at most",
     {DOCUMENT(690, 0, NO_END, BACK, "carry"), STEP(700, 700), STEP(719, 719)},
     "0:carry 720:-"},
    {"a document opens it again",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), STEP(11, 11), DOCUMENT(50, 0, NO_END, BACK, "carry"),
      STEP(51, 51)},
     "0:carry 41:- 50:carry 81:-"},
    {"with an end",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), STEP(11, 11), DOCUMENT(50, 0, 60, BACK, "")},
     "0:carry 41:- 50:none 60:-"},
    {"after twelve hours",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), DOCUMENT(730, 0, 740, BACK, "carry")},
     "0:carry 720:- 730:carry 740:-"},
    {"a drill does not open it",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), STEP(11, 11), DRILL(50, 0, NO_END, CHANGED, "")},
     "0:carry 41:-"},
    {"but tells later what a closed one was",
     {DOCUMENT(-5, 0, NO_END, GONE, "carry"), DRILL(800, 0, NO_END, BACK, "carry")},
     "0:carry 720:-"},
    {"the end is taken away",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), STEP(50, 50), DOCUMENT(55, 0, NO_END, BACK, "carry")},
     "0:carry 80:-"},
    {"the end is taken away after long silence",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), STEP(10, 10), DOCUMENT(55, 0, NO_END, BACK, "carry")},
     "0:carry 720:-"},
    {"deleted", {DOCUMENT(-5, 0, 60, BACK, "carry"), DELETE(20)}, "0:carry 20:-"},
    {"deleted before it began", {DOCUMENT(-5, 0, 60, BACK, "carry"), DELETE(-1)}, "-"},
    {"deleted at its start: the same one again is new",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DELETE(0), DOCUMENT(9, 0, 60, BACK, "carry")},
     "0:carry 60:-"},
    {"deleted, and the same start again",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DELETE(20), DOCUMENT(30, 0, 60, BACK, "carry")},
     "0:carry 20:- 30:carry 60:-"},
    {"deleted and forgotten: the same start is new",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DELETE(20), FORGET(20),
      DOCUMENT(30, 0, 60, BACK, "carry")},
     "0:carry 60:-"},
    {"the next session deleted before it began",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DOCUMENT(10, 30, 60, HAND, "warm"), DELETE(20)},
     "0:carry 20:-"},
    {"another start: the one before goes on until then",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), DOCUMENT(10, 30, 60, HAND, "warm")},
     "0:carry 30:warm 60:-"},
    {"or to its own end",
     {DOCUMENT(-5, 0, 20, BACK, "carry"), DOCUMENT(10, 30, 60, HAND, "warm")},
     "0:carry 20:- 30:warm 60:-"},
    {"an older one does not shine through one that ended",
     {DOCUMENT(-5, 0, 90, BACK, "carry"), DOCUMENT(10, 30, 60, HAND, "warm")},
     "0:carry 30:warm 60:-"},
    {"nor through one without its drill",
     {DOCUMENT(-5, 0, 90, BACK, "carry"), DOCUMENT(10, 30, 60, GONE, "warm")},
     "0:carry 30:-"},
    {"an earlier start, before it began",
     {DOCUMENT(-30, 10, 90, BACK, "carry"), DOCUMENT(-20, 0, 60, HAND, "warm")},
     "0:warm 60:-"},
    {"an earlier start, from its past",
     {DOCUMENT(-30, 10, 90, BACK, "carry"), DOCUMENT(20, 0, 60, HAND, "warm")},
     "0:warm 60:-"},
    {"a clock that was set back",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DOCUMENT(30, 0, 60, BACK, "imprint"),
      DOCUMENT(20, 0, 60, HAND, "warm")},
     "0:carry 20:warm 60:-"},
    {"what is over is forgotten",
     {DOCUMENT(-5, 0, 60, BACK, "carry"), DOCUMENT(20, 0, 60, BACK, "imprint"),
      DOCUMENT(30, 0, 60, BACK, "carry"), FORGET(20)},
     "20:imprint 30:carry 60:-"},
    {"a session that closed is known while its document is in force",
     {DOCUMENT(-5, 0, NO_END, BACK, "carry"), STEP(11, 11), FORGET(300),
      DRILL(310, 0, NO_END, CHANGED, "")},
     "0:carry 41:-"},
};

static const struct bs_slice group = {"tue-track", 9};

static void say(struct bs_sessions *s, const struct act *a)
{
    struct bs_session_document document = {
        .drill = BS_SLICE("back-twenty"),
        .phase = bs_slice_text(a->phase),
        .start_ms = BASE + a->start * MINUTE,
        .end_ms = a->end == NO_END ? NO_END : BASE + a->end * MINUTE,
    };
    struct bs_session_word word = {.group = group,
                                   .session = &document,
                                   .drill = a->drill == GONE ? NULL : &drills[a->drill],
                                   .at = {BASE + a->at * MINUTE},
                                   .settled = {BASE + a->at * MINUTE},
                                   .by_drill = a->verb == FOLLOW_DRILL};
    assert_int_equal(bs_sessions_follow(s, &word), BS_OK);
}

static void step(struct bs_sessions *s, const struct act *a)
{
    struct bs_wall_ms now = {BASE + a->at * MINUTE};
    struct bs_session_place place;
    bs_sessions_find(s, group, BASE + a->start * MINUTE, now, &place);
    if (place.running)
        bs_sessions_note(place.history, BASE + a->start * MINUTE, now);
}

static void act(struct bs_sessions *s, const struct act *a)
{
    struct bs_wall_ms at = {BASE + a->at * MINUTE};
    struct bs_session_place place;
    switch (a->verb) {
    case FOLLOW:
    case FOLLOW_DRILL:
        say(s, a);
        break;
    case CLOSE:
        bs_sessions_close(s, group, at);
        break;
    case NOTE:
        step(s, a);
        break;
    case FIND:
        bs_sessions_find(s, group, at.ms, at, &place);
        break;
    case FORGET_BEFORE:
        bs_sessions_forget(s, at);
        break;
    case NONE:
        break;
    }
}

/* "0:carry 60:-": every stretch there is, after what is so from the beginning of time. */
static void show(struct bs_sessions *s, int64_t now, char *text, size_t size)
{
    size_t length = 0;
    struct bs_session_place p = {.until_ms = INT64_MIN};
    do {
        int64_t from = p.until_ms;
        bs_sessions_find(s, group, from, (struct bs_wall_ms){now}, &p);
        if (p.from_ms != from || p.until_ms <= from)
            fail_msg("from %" PRIi64 ": a stretch %" PRIi64 "..%" PRIi64, from, p.from_ms,
                     p.until_ms);
        struct bs_slice what = !p.running        ? BS_SLICE("-")
                               : !p.phase.length ? BS_SLICE("none")
                                                 : p.phase;
        if (p.running)
            assert_true(bs_slice_equal(p.drill, BS_SLICE("back-twenty")));
        if (from > INT64_MIN)
            length += (size_t)snprintf(text + length, size - length, "%s%" PRIi64 ":%.*s",
                                       length ? " " : "", (from - BASE) / MINUTE, (int)what.length,
                                       what.at);
        else
            assert_false(p.running);
    } while (p.until_ms < INT64_MAX);
    if (length == 0)
        snprintf(text, size, "-");
}

static void test_scenarios(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(scenarios); i++) {
        const struct scenario *c = &scenarios[i];
        struct bs_sessions *s;
        assert_int_equal(bs_sessions_new(&s), BS_OK);
        int64_t now = INT64_MIN;
        for (const struct act *a = c->acts; a->verb != NONE; a++) {
            act(s, a);
            now = BASE + a->at * MINUTE;
        }
        char text[512];
        show(s, now, text, sizeof text);
        if (strcmp(text, c->expected) != 0)
            fail_msg("%s:\n  %s\nexpected\n  %s", c->name, text, c->expected);
        bs_sessions_free(s);
    }
}

/* Single questions. */

static struct bs_session_place find(struct bs_sessions *s, int64_t time_ms, int64_t now_ms)
{
    struct bs_session_place place;
    bs_sessions_find(s, group, time_ms, (struct bs_wall_ms){now_ms}, &place);
    return place;
}

static void test_an_unknown_group(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    struct bs_session_place place = find(s, BASE, BASE);
    assert_false(place.running);
    assert_true(place.from_ms == INT64_MIN && place.until_ms == INT64_MAX && !place.history);
    bs_sessions_close(s, group, (struct bs_wall_ms){BASE});
    bs_sessions_forget(s, (struct bs_wall_ms){BASE});
    bs_sessions_free(s);
    bs_sessions_free(NULL);
}

static void test_to_the_millisecond(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    say(s, &(struct act)DOCUMENT(-5, 0, 60, BACK, ""));
    assert_false(find(s, BASE - 1, BASE).running);
    assert_true(bs_slice_equal(find(s, BASE, BASE).phase, BS_SLICE("imprint")));
    assert_true(bs_slice_equal(find(s, BASE + 10 * MINUTE - 1, BASE).phase, BS_SLICE("imprint")));
    assert_true(bs_slice_equal(find(s, BASE + 10 * MINUTE, BASE).phase, BS_SLICE("carry")));
    assert_true(bs_slice_equal(find(s, BASE + 30 * MINUTE, BASE).phase, BS_SLICE("")));
    assert_true(find(s, BASE + 60 * MINUTE - 1, BASE).running);
    assert_false(find(s, BASE + 60 * MINUTE, BASE).running);
    bs_sessions_free(s);
}

static void test_the_edges_of_time(void **state)
{
    (void)state;
    static const int64_t starts[] = {0, BASE, INT64_C(253402300799999)};
    static const int64_t asked[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < 2 * COUNT(starts); i++) {
        struct bs_sessions *s;
        assert_int_equal(bs_sessions_new(&s), BS_OK);
        int64_t start = starts[i / 2], end = i % 2 ? NO_END : INT64_C(253402300800000);
        struct bs_session_document document = {
            .drill = BS_SLICE("d"), .start_ms = start, .end_ms = end};
        struct bs_session_word word = {.group = group,
                                       .session = &document,
                                       .drill = &drills[BACK],
                                       .at = {start},
                                       .settled = {start}};
        assert_int_equal(bs_sessions_follow(s, &word), BS_OK);
        for (size_t k = 0; k < COUNT(asked); k++)
            assert_int_equal(find(s, asked[k], start).running, asked[k] == start);
        struct bs_session_place place = find(s, start, start);
        assert_true(place.running && place.from_ms == start);
        bs_sessions_note(place.history, start, (struct bs_wall_ms){start});
        bs_sessions_note(place.history, INT64_MAX, (struct bs_wall_ms){start});
        bs_sessions_note(place.history, INT64_MIN, (struct bs_wall_ms){start});
        assert_false(find(s, INT64_MAX, INT64_MAX).running);
        bs_sessions_forget(s, (struct bs_wall_ms){INT64_MIN});
        bs_sessions_close(s, group, (struct bs_wall_ms){INT64_MAX});
        bs_sessions_forget(s, (struct bs_wall_ms){INT64_MAX});
        bs_sessions_free(s);
    }
}

/* Two classes of one drill that meet are not one stretch. */
static void test_the_start_of_what_runs(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    say(s, &(struct act)DOCUMENT(-5, 0, 60, BACK, "carry"));
    say(s, &(struct act)DOCUMENT(5, 30, 60, BACK, "carry"));
    struct bs_session_place first = find(s, BASE + 30 * MINUTE - 1, BASE);
    struct bs_session_place second = find(s, BASE + 30 * MINUTE, BASE);
    assert_int_equal(first.start_ms, BASE);
    assert_int_equal(first.until_ms, BASE + 30 * MINUTE);
    assert_int_equal(second.start_ms, BASE + 30 * MINUTE);
    assert_int_equal(second.from_ms, BASE + 30 * MINUTE);
    bs_sessions_free(s);
}

/* What a cached answer relies on. */
static void test_the_generation(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    uint64_t before = bs_sessions_generation(s);
    say(s, &(struct act)DOCUMENT(0, 0, NO_END, BACK, "carry"));
    assert_true(bs_sessions_generation(s) > before);

    struct bs_session_place place = find(s, BASE, BASE);
    assert_int_equal(place.until_ms, BASE + BS_SESSION_LONGEST_MS);
    before = bs_sessions_generation(s);
    bs_sessions_note(place.history, BASE + MINUTE, (struct bs_wall_ms){BASE + MINUTE});
    assert_true(bs_sessions_generation(s) > before);

    before = bs_sessions_generation(s);
    for (int64_t t = BASE + MINUTE; t < BASE + 60 * MINUTE; t += MINUTE / 2)
        bs_sessions_note(place.history, t, (struct bs_wall_ms){t});
    assert_int_equal(bs_sessions_generation(s), before);

    /* Where nothing runs nothing is noted. */
    int64_t over = find(s, BASE, BASE + 60 * MINUTE).until_ms;
    bs_sessions_note(place.history, over, (struct bs_wall_ms){over - 1});
    bs_sessions_note(place.history, BASE - 1, (struct bs_wall_ms){over - 1});
    assert_int_equal(find(s, BASE, over - 1).until_ms, over);

    /* Of a fast clock: beyond the end as yet, which the next step moves. */
    assert_false(find(s, over, over - 1).running);
    bs_sessions_note(place.history, over - 1, (struct bs_wall_ms){over - 1});
    assert_true(bs_sessions_generation(s) > before);
    assert_true(find(s, over, over - 1).running);

    before = bs_sessions_generation(s);
    find(s, BASE, over + BS_SESSION_SILENCE_MS);
    assert_true(bs_sessions_generation(s) > before);

    before = bs_sessions_generation(s);
    bs_sessions_close(s, group, (struct bs_wall_ms){over});
    assert_true(bs_sessions_generation(s) > before);
    before = bs_sessions_generation(s);
    bs_sessions_forget(s, (struct bs_wall_ms){over});
    assert_true(bs_sessions_generation(s) > before);
    bs_sessions_free(s);
}

/* Bounds. */

static void test_a_flood_for_one_group(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    enum { WORDS = 10000 };
    for (int64_t i = 0; i < WORDS; i++)
        say(s, &(struct act)DOCUMENT(i, i / 100 * 100, WORDS, BACK, i % 2 ? "carry" : "imprint"));
    size_t running = 0;
    for (struct bs_session_place p = find(s, INT64_MIN, BASE); p.until_ms < INT64_MAX;) {
        p = find(s, p.until_ms, BASE);
        running += p.running;
    }
    assert_int_equal(running, BS_SESSION_INTERVALS_MAX);
    /* The 64 newest are there, nothing before. */
    int64_t oldest = BASE + (WORDS - BS_SESSION_INTERVALS_MAX) * MINUTE;
    assert_false(find(s, oldest - 1, BASE).running);
    assert_int_equal(find(s, oldest, BASE).from_ms, oldest);
    bs_sessions_free(s);
}

static enum bs_status follow_numbered(struct bs_sessions *s, int64_t number, int64_t duration_s)
{
    char name[24];
    int length = snprintf(name, sizeof name, "g%" PRIi64, number);
    struct bs_phase phase = {.name = BS_SLICE("a"), .duration_s = duration_s};
    struct bs_drill_document drill = {.repeat = 1, .phases = {&phase, 1}};
    struct bs_session_document document = {
        .drill = BS_SLICE("d"), .start_ms = BASE, .end_ms = BASE + 60 * MINUTE};
    struct bs_session_word word = {.group = bs_slice_of(name, (size_t)length),
                                   .session = &document,
                                   .drill = &drill,
                                   .at = {BASE},
                                   .settled = {BASE}};
    return bs_sessions_follow(s, &word);
}

static void test_all_groups(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    bs_sessions_seed(s, 7);
    for (int64_t i = 0; i < BS_SESSION_GROUPS_MAX; i++)
        assert_int_equal(follow_numbered(s, i, 60), BS_OK);
    uint64_t generation = bs_sessions_generation(s);
    assert_int_equal(follow_numbered(s, BS_SESSION_GROUPS_MAX, 60), BS_FULL);
    assert_int_equal(bs_sessions_generation(s), generation);
    assert_int_equal(follow_numbered(s, 5, 120), BS_OK);

    bs_sessions_close(s, BS_SLICE("g17"), (struct bs_wall_ms){BASE + MINUTE});
    bs_sessions_forget(s, (struct bs_wall_ms){BASE + MINUTE - 1});
    assert_int_equal(follow_numbered(s, BS_SESSION_GROUPS_MAX, 60), BS_FULL);
    bs_sessions_forget(s, (struct bs_wall_ms){BASE + MINUTE});
    assert_int_equal(follow_numbered(s, BS_SESSION_GROUPS_MAX, 60), BS_OK);
    assert_int_equal(follow_numbered(s, BS_SESSION_GROUPS_MAX + 1, 60), BS_FULL);
    bs_sessions_free(s);
}

/* What was deleted before it began holds no place. */
static void test_groups_that_never_began(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    for (int64_t i = 0; i <= BS_SESSION_GROUPS_MAX; i++) {
        char name[24];
        int length = snprintf(name, sizeof name, "g%" PRIi64, i);
        assert_int_equal(follow_numbered(s, i, 60), BS_OK);
        bs_sessions_close(s, bs_slice_of(name, (size_t)length), (struct bs_wall_ms){BASE});
    }
    bs_sessions_free(s);
}

static void test_all_drills(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    for (int64_t i = 0; i < BS_SESSION_DRILLS_MAX; i++)
        assert_int_equal(follow_numbered(s, i / 2, 1 + i), BS_OK);
    /* At their start each of the groups was told something else: half of them are not used. */
    for (int64_t i = 0; i < BS_SESSION_DRILLS_MAX / 2; i++)
        assert_int_equal(follow_numbered(s, BS_SESSION_DRILLS_MAX / 2 + i, 100000 + i), BS_OK);
    assert_int_equal(follow_numbered(s, 1, 99999), BS_FULL);
    assert_int_equal(follow_numbered(s, 1, 2), BS_OK); /* one that is there */
    bs_sessions_close(s, BS_SLICE("g0"), (struct bs_wall_ms){BASE});
    assert_int_equal(follow_numbered(s, 1, 99999), BS_OK);
    bs_sessions_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios),          cmocka_unit_test(test_an_unknown_group),
        cmocka_unit_test(test_to_the_millisecond), cmocka_unit_test(test_the_edges_of_time),
        cmocka_unit_test(test_the_generation),     cmocka_unit_test(test_a_flood_for_one_group),
        cmocka_unit_test(test_all_groups),         cmocka_unit_test(test_groups_that_never_began),
        cmocka_unit_test(test_all_drills),         cmocka_unit_test(test_the_start_of_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
