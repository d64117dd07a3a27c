/* The sliding minimum of `up` offsets: rows of (tick, heard, expected), then random arrivals
 * against a model that keeps them all. */
#include "backstep/core/upclock.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOTHING INT64_MIN

struct row {
    int64_t tick, heard, expected; /* heard NOTHING: only asked; expected NOTHING: no offset */
};

static void run(const struct row *rows, size_t count)
{
    struct bs_upclock *c = bs_upclock_new();
    assert_non_null(c);
    for (size_t i = 0; i < count; i++) {
        struct bs_tick_ms tick = {rows[i].tick};
        int64_t got;
        if (rows[i].heard != NOTHING)
            bs_upclock_hear(c, tick, rows[i].heard);
        if (!bs_upclock_offset(c, tick, &got))
            got = NOTHING;
        if (got != rows[i].expected)
            fail_msg("row %zu: offset %lld, expected %lld", i, (long long)got,
                     (long long)rows[i].expected);
    }
    free(c);
}

#define RUN(...)                                                                                   \
    do {                                                                                           \
        static const struct row rows[] = __VA_ARGS__;                                              \
        run(rows, sizeof rows / sizeof *rows);                                                     \
    } while (0)

static void test_minimum_of_a_minute(void **state)
{
    (void)state;
    RUN({{0, NOTHING, NOTHING},
         {1000, 500, 500},
         {2000, 520, 500},
         {3000, 480, 480},
         {4000, 510, 480},
         {5000, 505, 480},
         {63000, 530, 480},
         {63001, NOTHING, 505},
         {65001, 540, 530},
         {123002, NOTHING, 540},
         {126000, NOTHING, 530}});
}

static void test_silence(void **state)
{
    (void)state;
    /* The backlog after ten minutes arrives late by up to that; it keeps the offset before. */
    RUN({{1000, 100, 100},
         {601000, NOTHING, 100},
         {601000, 600100, 100},
         {602000, 300100, 100},
         {603000, 150, 100},
         {661000, 160, 100},
         {661001, NOTHING, 150},
         {663001, 170, 160}});
    /* Exactly 60 s are no silence. */
    RUN({{1000, 100, 100}, {61000, 200, 100}, {61001, NOTHING, 200}});
}

static void test_reset(void **state)
{
    (void)state;
    struct bs_upclock *c = bs_upclock_new();
    int64_t offset = 7;
    bs_upclock_hear(c, (struct bs_tick_ms){1000}, 100);
    bs_upclock_reset(c);
    assert_false(bs_upclock_offset(c, (struct bs_tick_ms){1001}, &offset));
    assert_int_equal(offset, 7);
    bs_upclock_hear(c, (struct bs_tick_ms){1002}, 3600100);
    assert_true(bs_upclock_offset(c, (struct bs_tick_ms){1002}, &offset));
    assert_int_equal(offset, 3600100);
    free(c);
}

static void test_extreme_offsets(void **state)
{
    (void)state;
    int64_t far = (INT64_C(1) << 53) + INT64_C(1795716000123);
    struct bs_upclock *c = bs_upclock_new();
    int64_t offset;
    bs_upclock_hear(c, (struct bs_tick_ms){0}, far);
    bs_upclock_hear(c, (struct bs_tick_ms){1}, -far);
    assert_true(bs_upclock_offset(c, (struct bs_tick_ms){2}, &offset));
    assert_true(offset == -far);
    free(c);
}

#define ARRIVALS 2000

/* The minimum over all arrivals that are at most `span` old; `last` where there are none. */
static int64_t naive(const struct row *heard, size_t count, int64_t tick, int64_t span,
                     int64_t last)
{
    int64_t lowest = INT64_MAX;
    for (size_t i = count; i-- > 0 && tick - heard[i].tick <= span;)
        lowest = heard[i].heard < lowest ? heard[i].heard : lowest;
    return lowest == INT64_MAX ? last : lowest;
}

static void run_random(uint64_t seed, unsigned gap, int64_t rise, int64_t slack)
{
    static struct row heard[2 * ARRIVALS];
    struct bs_random r;
    struct bs_upclock *c = bs_upclock_new();
    size_t count = 0;
    int64_t tick = 0, got = 0;
    bs_random_init(&r, seed);
    for (int i = 0; i < ARRIVALS; i++) {
        tick += (int64_t)bs_random_below(&r, gap);
        if (bs_random_below(&r, 100) == 0)
            tick += 59990 + (int64_t)bs_random_below(&r, 20);
        int64_t value = i * rise + (int64_t)bs_random_below(&r, 400);
        if (count > 0 && tick - heard[count - 1].tick > BS_UPCLOCK_SPAN_MS)
            heard[count++] = (struct row){tick, got, 0};
        heard[count++] = (struct row){tick, value, 0};
        bs_upclock_hear(c, (struct bs_tick_ms){tick}, value);
        assert_true(bs_upclock_offset(c, (struct bs_tick_ms){tick}, &got));
        int64_t most = naive(heard, count, tick, BS_UPCLOCK_SPAN_MS, got);
        int64_t least = naive(heard, count, tick, BS_UPCLOCK_SPAN_MS + slack, got);
        if (got < least || got > most)
            fail_msg("seed %llu, arrival %d at %lld: offset %lld, model %lld..%lld",
                     (unsigned long long)seed, i, (long long)tick, (long long)got, (long long)least,
                     (long long)most);
    }
    free(c);
}

static void test_random_against_the_model(void **state)
{
    (void)state;
    const char *given = getenv("BACKSTEP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261124;
    print_message("seed %llu (BACKSTEP_SEED sets another)\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < 4; i++) {
        run_random(seed + i, 2000, 0, 0);
        run_random(seed + i, 30000, 0, 0);
        run_random(seed + i, 1000, 200, BS_UPCLOCK_CELL_MS); /* more lows than are kept */
        run_random(seed + i, 100, 400, BS_UPCLOCK_CELL_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimum_of_a_minute),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_extreme_offsets),
        cmocka_unit_test(test_random_against_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
