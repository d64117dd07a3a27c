/* The search for bad lines against a database that is an array: random bad lines, random sizes, one
 * that stores the good lines of a part that failed and one that does not. */
#include "backstep/core/bisection.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINES_MAX = 6000, KEYS = 40 };

/* Line i writes the value i to a key of its own or one that other lines write too. */
struct trial {
    uint64_t seed;
    uint32_t lines, too_many; /* a request of so many lines is too large */
    bool stores_the_rest;
    bool bad[LINES_MAX], blamed[LINES_MAX], suspected[LINES_MAX], stored[LINES_MAX];
    uint32_t key[LINES_MAX];
    int64_t value[KEYS];
    uint32_t requests, refused_for_size;
    uint32_t settled; /* all before it were blamed, suspected or passed */
};

static void complain(const struct trial *t, const char *what, uint32_t line)
{
    fail_msg("seed %llu, %u lines, %s, %u a request: line %u %s", (unsigned long long)t->seed,
             t->lines, t->stores_the_rest ? "rest stored" : "nothing stored", t->too_many - 1, line,
             what);
}

static void store(struct trial *t, uint32_t first, uint32_t beyond)
{
    for (uint32_t i = first; i < beyond; i++) {
        if (t->bad[i])
            continue;
        t->stored[i] = true;
        t->value[t->key[i]] = i;
    }
}

static enum bs_bisection_result answer(struct trial *t, uint32_t first, uint32_t beyond)
{
    if (beyond - first >= t->too_many) {
        t->refused_for_size++;
        return BS_BISECTION_TOO_LARGE;
    }
    t->requests++;
    bool failed = memchr(t->bad + first, 1, beyond - first) != NULL;
    if (!failed || t->stores_the_rest)
        store(t, first, beyond);
    return failed ? BS_BISECTION_FAILED : BS_BISECTION_PASSED;
}

static void run(struct trial *t)
{
    struct bs_bisection b;
    bs_bisection_init(&b, t->lines, UINT32_MAX);
    for (;;) {
        struct bs_bisection_step s = bs_bisection_next(&b);
        if (s.action == BS_BISECTION_DONE)
            break;
        if (s.first != t->settled || s.beyond <= s.first || s.beyond > t->lines)
            complain(t, "is not what comes next", s.first);
        if (s.action != BS_BISECTION_SEND) {
            memset((s.action == BS_BISECTION_BLAME ? t->blamed : t->suspected) + s.first, 1,
                   s.beyond - s.first);
            t->settled = s.beyond;
            continue;
        }
        struct bs_bisection_step again = bs_bisection_next(&b);
        assert_memory_equal(&s, &again, sizeof s);
        enum bs_bisection_result result = answer(t, s.first, s.beyond);
        bs_bisection_take(&b, result);
        t->settled = result == BS_BISECTION_PASSED ? s.beyond : t->settled;
    }
    assert_int_equal(t->settled, t->lines);
}

static void assert_each_line_ended_well(const struct trial *t)
{
    for (uint32_t i = 0; i < t->lines; i++) {
        if (t->blamed[i] && !t->bad[i])
            complain(t, "is good and was blamed", i);
        if (t->bad[i] && !t->blamed[i] && !t->suspected[i])
            complain(t, "is bad and nobody knows", i);
        if (!t->bad[i] && !t->stored[i] && !t->suspected[i])
            complain(t, "is good and was lost", i);
    }
}

/* Each key has the newest value that could be stored. */
static void assert_newest_values(const struct trial *t)
{
    int64_t newest[KEYS];
    memset(newest, -1, sizeof newest);
    for (uint32_t i = 0; i < t->lines; i++)
        if (t->stored[i])
            newest[t->key[i]] = i;
    for (uint32_t key = 0; key < KEYS; key++)
        if (t->value[key] != newest[key])
            complain(t, "was overwritten by an older one", (uint32_t)newest[key]);
}

static uint32_t suspects(const struct trial *t)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->lines; i++)
        count += t->suspected[i];
    return count;
}

static void prepare(struct trial *t, uint64_t seed, uint32_t lines, uint32_t bad)
{
    struct bs_random random;
    memset(t, 0, sizeof *t);
    memset(t->value, -1, sizeof t->value);
    bs_random_init(&random, seed);
    t->seed = seed;
    t->lines = lines;
    t->too_many = UINT32_MAX;
    t->stores_the_rest = bs_random_next(&random) % 2;
    for (uint32_t i = 0; i < lines; i++)
        t->key[i] = (uint32_t)(bs_random_next(&random) % KEYS);
    for (uint32_t i = 0; i < bad; i++)
        t->bad[bs_random_next(&random) % lines] = true;
}

static void random_bad_lines_are_found_in_64_requests(void **state)
{
    (void)state;
    struct trial *t = malloc(sizeof *t);
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct bs_random random;
        bs_random_init(&random, ~seed);
        uint32_t lines = 1 + (uint32_t)(bs_random_next(&random) % (seed % 3 ? 200 : LINES_MAX));
        uint32_t bad = (uint32_t)(bs_random_next(&random) % (seed % 5 ? 12 : 2 * lines));
        prepare(t, seed, lines, bad);
        run(t);
        assert_each_line_ended_well(t);
        assert_newest_values(t);
        if (t->requests > BS_BISECTION_REQUESTS_MAX)
            complain(t, "was the last of too many requests", t->requests);
        if (bad <= 2 && suspects(t) > 0)
            complain(t, "is suspected for nothing", suspects(t));
    }
    free(t);
}

static void what_is_too_large_is_sent_in_parts(void **state)
{
    (void)state;
    struct trial *t = malloc(sizeof *t);
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct bs_random random;
        bs_random_init(&random, seed << 32);
        prepare(t, seed, 1 + (uint32_t)(bs_random_next(&random) % 300),
                (uint32_t)(bs_random_next(&random) % 4));
        t->too_many = 2 + (uint32_t)(bs_random_next(&random) % 40);
        run(t);
        assert_each_line_ended_well(t);
        assert_newest_values(t);
        assert_true(t->refused_for_size <= 9);
        if (suspects(t) > 0 && t->requests < BS_BISECTION_REQUESTS_MAX / 2)
            complain(t, "is suspected too early", suspects(t));
    }
    free(t);
}

static void a_line_that_is_too_large_alone_is_to_blame(void **state)
{
    (void)state;
    struct trial *t = malloc(sizeof *t);
    prepare(t, 1, 13, 0);
    t->too_many = 1;
    struct bs_bisection b;
    bs_bisection_init(&b, 13, UINT32_MAX);
    uint32_t blamed = 0;
    for (;;) {
        struct bs_bisection_step s = bs_bisection_next(&b);
        if (s.action == BS_BISECTION_DONE)
            break;
        if (s.action == BS_BISECTION_SEND)
            bs_bisection_take(&b, BS_BISECTION_TOO_LARGE);
        else
            blamed +=
                s.action == BS_BISECTION_BLAME && s.first == blamed && s.beyond == s.first + 1;
    }
    assert_int_equal(blamed, 13);
    free(t);
}

/* What the others need is not learned of it. */
static void one_line_that_is_too_large_does_not_slow_the_others(void **state)
{
    (void)state;
    for (uint32_t large = 0; large < 5000; large += 31) {
        struct bs_bisection b;
        bs_bisection_init(&b, 5000, 100000);
        uint32_t requests = 0;
        for (;;) {
            struct bs_bisection_step s = bs_bisection_next(&b);
            if (s.action == BS_BISECTION_DONE)
                break;
            if (s.action == BS_BISECTION_SEND) {
                requests++;
                bs_bisection_take(&b, s.first <= large && large < s.beyond ? BS_BISECTION_TOO_LARGE
                                                                           : BS_BISECTION_PASSED);
                continue;
            }
            assert_int_equal(s.action, BS_BISECTION_BLAME);
            assert_int_equal(s.first, large);
        }
        if (requests > 60)
            fail_msg("line %u: %u requests", large, requests);
        assert_true(b.part_grows);
    }
}

static void one_bad_line_takes_few_requests(void **state)
{
    (void)state;
    struct trial *t = malloc(sizeof *t);
    uint32_t most = 0;
    for (uint32_t bad = 0; bad < 5000; bad += 7) {
        prepare(t, bad, 5000, 0);
        t->bad[bad] = true;
        run(t);
        assert_each_line_ended_well(t);
        assert_int_equal(suspects(t), 0);
        most = t->requests > most ? t->requests : most;
    }
    assert_in_range(most, 14, 27); /* 13 halvings, two requests each, and the first */
    free(t);
}

static void a_batch_of_nothing_but_bad_lines_ends(void **state)
{
    (void)state;
    struct trial *t = malloc(sizeof *t);
    for (uint32_t lines = 1; lines <= 5000; lines = lines * 3 + 1) {
        prepare(t, lines, lines, 0);
        memset(t->bad, 1, lines);
        run(t);
        assert_each_line_ended_well(t);
        assert_true(t->requests <= BS_BISECTION_REQUESTS_MAX);
        if (lines <= 16)
            assert_int_equal(suspects(t), 0);
    }
    free(t);
}

static void what_the_server_names_needs_no_search(void **state)
{
    (void)state;
    struct bs_bisection b;
    bs_bisection_init(&b, 100, UINT32_MAX);
    assert_true(bs_bisection_is_untouched(&b));
    assert_int_equal(bs_bisection_next(&b).beyond, 100);
    assert_true(bs_bisection_is_untouched(&b));
    bs_bisection_take_named(&b, 7);
    bs_bisection_take_named(&b, 8);
    bs_bisection_take_named(&b, 50);
    assert_false(bs_bisection_is_untouched(&b));
    bs_bisection_take(&b, BS_BISECTION_REST_UNKNOWN);
    struct bs_bisection_step s = bs_bisection_next(&b);
    assert_int_equal(s.action, BS_BISECTION_SEND);
    assert_int_equal(s.first, 51);
    assert_int_equal(s.beyond, 100);
    bs_bisection_take_named(&b, 99);
    bs_bisection_take(&b, BS_BISECTION_PASSED);
    assert_int_equal(bs_bisection_next(&b).action, BS_BISECTION_DONE);
}

/* A list that is cut off after one name each time: the rest is given up when the requests are. */
static void naming_ends_too(void **state)
{
    (void)state;
    struct bs_bisection b;
    bs_bisection_init(&b, 1000, UINT32_MAX);
    for (uint32_t i = 0; i < BS_BISECTION_REQUESTS_MAX; i++) {
        struct bs_bisection_step s = bs_bisection_next(&b);
        assert_int_equal(s.action, BS_BISECTION_SEND);
        assert_int_equal(s.first, i);
        bs_bisection_take_named(&b, i);
        bs_bisection_take(&b, BS_BISECTION_REST_UNKNOWN);
    }
    struct bs_bisection_step s = bs_bisection_next(&b);
    assert_int_equal(s.action, BS_BISECTION_SUSPECT);
    assert_int_equal(s.beyond, 1000);
    assert_int_equal(bs_bisection_next(&b).action, BS_BISECTION_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bad_lines_are_found_in_64_requests),
        cmocka_unit_test(what_is_too_large_is_sent_in_parts),
        cmocka_unit_test(a_line_that_is_too_large_alone_is_to_blame),
        cmocka_unit_test(one_line_that_is_too_large_does_not_slow_the_others),
        cmocka_unit_test(one_bad_line_takes_few_requests),
        cmocka_unit_test(a_batch_of_nothing_but_bad_lines_ends),
        cmocka_unit_test(what_the_server_names_needs_no_search),
        cmocka_unit_test(naming_ends_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
