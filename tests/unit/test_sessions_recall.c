/* Sessions by their start: when each is over, as far as is known, and which drill was its first. */
#include "backstep/core/sessions.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BASE   INT64_C(1795716000000)
#define MINUTE INT64_C(60000)
#define NO_END (INT64_MAX / MINUTE)

static const struct bs_slice group = {"tue-track", 9};

/* Times are minutes since BASE. A drill without a name is not there. */
static void say(struct bs_sessions *s, int64_t at, int64_t start, int64_t end, const char *drill)
{
    struct bs_phase phase = {.name = BS_SLICE("a")};
    struct bs_drill_document drill_document = {.repeat = 1, .phases = {&phase, 1}};
    struct bs_session_document document = {.drill = bs_slice_text(drill),
                                           .start_ms = BASE + start * MINUTE,
                                           .end_ms =
                                               end == NO_END ? INT64_MAX : BASE + end * MINUTE};
    struct bs_session_word word = {.group = group,
                                   .session = &document,
                                   .drill = *drill ? &drill_document : NULL,
                                   .at = {BASE + at * MINUTE},
                                   .settled = {BASE + at * MINUTE}};
    assert_int_equal(bs_sessions_follow(s, &word), BS_OK);
}

static struct bs_session_place find(struct bs_sessions *s, int64_t time)
{
    struct bs_session_place place;
    bs_sessions_find(s, group, BASE + time * MINUTE, (struct bs_wall_ms){BASE}, &place);
    return place;
}

static void step(struct bs_sessions *s, int64_t time)
{
    struct bs_session_place place = find(s, time);
    assert_true(place.running);
    bs_sessions_note(place.history, BASE + time * MINUTE, (struct bs_wall_ms){BASE});
}

static void expect(struct bs_sessions *s, int64_t start, int64_t over, const char *drill)
{
    struct bs_session_facts facts;
    if (!bs_sessions_recall(s, group, BASE + start * MINUTE, &facts))
        fail_msg("the session of minute %" PRIi64 " is not known", start);
    if (facts.over_ms != BASE + over * MINUTE ||
        !bs_slice_equal(facts.first_drill, bs_slice_text(drill)))
        fail_msg("over at %" PRIi64 ", first drill %.*s; expected %" PRIi64 ", %s",
                 (facts.over_ms - BASE) / MINUTE, (int)facts.first_drill.length,
                 facts.first_drill.at, over, drill);
}

static void expect_unknown(struct bs_sessions *s, int64_t start)
{
    struct bs_session_facts facts;
    assert_false(bs_sessions_recall(s, group, BASE + start * MINUTE, &facts));
}

static void test_without_an_end(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    expect_unknown(s, 0);
    say(s, -5, 0, NO_END, "d");
    expect_unknown(s, 1);
    expect_unknown(s, -1);
    expect(s, 0, 720, "d");
    step(s, 11);
    expect(s, 0, 41, "d");
    step(s, 14);
    expect(s, 0, 44, "d");
    step(s, 12);
    expect(s, 0, 44, "d");
    bs_sessions_free(s);
}

static void test_what_documents_say(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    say(s, -5, 0, 20, "d");
    expect(s, 0, 20, "d");
    say(s, 25, 0, 90, "d");
    expect(s, 0, 90, "d");
    say(s, 26, 30, 60, "d"); /* the next one: it ends the one before */
    expect(s, 0, 30, "d");
    expect(s, 30, 60, "d");
    bs_sessions_close(s, group, (struct bs_wall_ms){BASE + 40 * MINUTE});
    expect(s, 0, 30, "d");
    expect(s, 30, 40, "d");
    say(s, 45, 30, 60, "d");
    expect(s, 30, 60, "d");
    say(s, 50, 10, 60, "d"); /* an earlier start: the later one never was */
    expect(s, 0, 10, "d");
    expect_unknown(s, 30);
    bs_sessions_free(s);
}

static void test_forgetting(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    say(s, -5, 0, 20, "d");
    bs_sessions_forget(s, (struct bs_wall_ms){BASE + 600 * MINUTE});
    expect(s, 0, 20, "d"); /* its document may still move its end */
    bs_sessions_close(s, group, (struct bs_wall_ms){BASE + 700 * MINUTE});
    bs_sessions_forget(s, (struct bs_wall_ms){BASE + 700 * MINUTE - 1});
    expect(s, 0, 20, "d");
    bs_sessions_forget(s, (struct bs_wall_ms){BASE + 700 * MINUTE});
    expect_unknown(s, 0);
    bs_sessions_free(s);
}

static void test_the_first_drill(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    say(s, -9, 0, 60, "announced");
    say(s, -8, 0, 60, "");
    expect(s, 0, 60, "");
    say(s, -7, 0, 60, "first");
    say(s, 5, 0, 60, "second");
    expect(s, 0, 60, "first");
    say(s, 9, 0, 60, "third");
    bs_sessions_forget(s, (struct bs_wall_ms){BASE + 9 * MINUTE});
    assert_false(find(s, 8).running);
    expect(s, 0, 60, "first"); /* though its interval is forgotten */
    bs_sessions_free(s);
}

static void test_a_drill_that_comes_late(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    say(s, -9, 0, 60, "");
    expect(s, 0, 60, "");
    say(s, 20, 0, 60, "first");
    expect(s, 0, 60, "first");
    say(s, 30, 0, 60, "");
    say(s, 40, 0, 60, "second");
    expect(s, 0, 60, "first");
    bs_sessions_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_an_end),
        cmocka_unit_test(test_what_documents_say),
        cmocka_unit_test(test_forgetting),
        cmocka_unit_test(test_the_first_drill),
        cmocka_unit_test(test_a_drill_that_comes_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
