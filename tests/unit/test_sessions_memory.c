/* Memory that runs out at every single allocation of every word: nothing has changed, and the same
 * word is taken a moment later. */
#include "failing_memory.h"

#include "backstep/core/sessions.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START  INT64_C(1795716000000)
#define MINUTE INT64_C(60000)

struct said {
    int group, drill; /* by number; drill -1: it is not there */
    int64_t at, start;
};

struct name {
    char text[16];
};

static struct bs_slice name_of(char kind, int number, struct name *name)
{
    snprintf(name->text, sizeof name->text, "%c%d", kind, number);
    return bs_slice_text(name->text);
}

static enum bs_status say(struct bs_sessions *s, const struct said *said)
{
    struct name group, drill;
    struct bs_phase phase = {.name = BS_SLICE("a"), .duration_s = 60};
    struct bs_drill_document drill_document = {.repeat = 1, .phases = {&phase, 1}};
    struct bs_session_document document = {.drill = name_of('d', said->drill, &drill),
                                           .start_ms = START + said->start * MINUTE,
                                           .end_ms = INT64_MAX};
    struct bs_session_word word = {.group = name_of('g', said->group, &group),
                                   .session = &document,
                                   .drill = said->drill >= 0 ? &drill_document : NULL,
                                   .at = {START + said->at * MINUTE},
                                   .settled = {START + said->at * MINUTE}};
    return bs_sessions_follow(s, &word);
}

/* All that can be asked about a group, as one text. */
struct picture {
    char text[16384];
};

static void draw(struct bs_sessions *s, int group, struct picture *ret)
{
    struct name name;
    size_t used = 0;
    struct bs_session_place p = {.until_ms = INT64_MIN};
    while (p.until_ms < INT64_MAX) {
        bs_sessions_find(s, name_of('g', group, &name), p.until_ms, (struct bs_wall_ms){START}, &p);
        used += (size_t)snprintf(ret->text + used, sizeof ret->text - used,
                                 "%" PRIi64 ":%.*s/%.*s ", p.from_ms, (int)p.drill.length,
                                 p.drill.at, (int)p.phase.length, p.phase.at);
    }
}

/* How many allocations it takes. */
static int say_without_memory(struct bs_sessions *s, const struct said *said)
{
    static struct picture before, after;
    for (int allowed = 0;; allowed++) {
        uint64_t generation = bs_sessions_generation(s);
        draw(s, said->group, &before);
        until_failure = allowed;
        enum bs_status status = say(s, said);
        bool failed = until_failure < 0;
        until_failure = -1;
        assert_int_equal(status, failed ? BS_NO_MEMORY : BS_OK);
        if (!failed)
            return allowed;
        draw(s, said->group, &after);
        if (strcmp(before.text, after.text) != 0)
            fail_msg("after %d allocations:\n%s\nwas\n%s", allowed, after.text, before.text);
        assert_int_equal(bs_sessions_generation(s), generation);
    }
}

static void test_words(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    assert_true(say_without_memory(s, &(struct said){.group = 1, .drill = 1}) > 4);
    for (int i = 0; i < 100; i++) {
        struct said again = {.group = 1, .drill = i % 5 - 1, .at = i, .start = i / 7};
        say_without_memory(s, &again);
    }
    bs_sessions_free(s);
}

/* Tables grow with what is in them. */
static void test_growing_tables(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    int most = 0;
    for (int i = 0; i < 1000; i++) {
        int took = say_without_memory(s, &(struct said){.group = i, .drill = i});
        most = took > most ? took : most;
    }
    assert_true(most > say_without_memory(s, &(struct said){.group = 1000, .drill = 1000}));
    bs_sessions_free(s);
}

/* No memory is needed to end what runs, nor to ask, to note or to forget. */
static void test_closing(void **state)
{
    (void)state;
    struct bs_sessions *s;
    assert_int_equal(bs_sessions_new(&s), BS_OK);
    for (int i = 0; i < 2 * BS_SESSION_INTERVALS_MAX; i++) {
        struct said said = {.group = 1, .drill = i, .at = 2 * i};
        assert_int_equal(say(s, &said), BS_OK);
        until_failure = 0;
        struct bs_wall_ms at = {START + (2 * i + 1) * MINUTE};
        struct bs_session_place place;
        bs_sessions_find(s, BS_SLICE("g1"), at.ms, at, &place);
        assert_true(place.running);
        bs_sessions_note(place.history, at.ms, at);
        bs_sessions_close(s, BS_SLICE("g1"), at);
        bs_sessions_find(s, BS_SLICE("g1"), at.ms, at, &place);
        assert_false(place.running);
        assert_int_equal(until_failure, 0);
        until_failure = -1;
    }
    until_failure = 0;
    bs_sessions_forget(s, (struct bs_wall_ms){START + 1000 * MINUTE});
    assert_int_equal(until_failure, 0);
    until_failure = -1;
    bs_sessions_free(s);
}

static void test_new(void **state)
{
    (void)state;
    struct bs_sessions *s = NULL;
    until_failure = 0;
    assert_int_equal(bs_sessions_new(&s), BS_NO_MEMORY);
    until_failure = -1;
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_growing_tables),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
