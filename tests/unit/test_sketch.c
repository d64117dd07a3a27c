/* Quantiles of the sketch against exact ones, over its whole range. */
#include "backstep/core/sketch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCURACY 0.01

static struct bs_sketch_scale scale;

static int make_scale(void **state)
{
    (void)state;
    bs_sketch_scale_init(&scale);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* A hair more than 1 %: both sides of the comparison are rounded. */
static void assert_near(double found, int expected, const char *what)
{
    if (fabs(found - expected) > (ACCURACY + 1e-9) * expected)
        fail_msg("%s: %.9g, exact %d", what, found, expected);
}

static void assert_quantiles(const struct bs_sketch *s, int *values, size_t count, const char *what)
{
    assert_int_equal(s->count, count);
    qsort(values, count, sizeof *values, by_value);
    for (unsigned percent = 0; percent <= 100; percent++)
        assert_near(bs_sketch_quantile(s, percent), values[(count - 1) * percent / 100], what);
}

static void each_value_alone(void **state)
{
    (void)state;
    for (int value = BS_SKETCH_MIN; value <= BS_SKETCH_MAX; value++) {
        struct bs_sketch s = {0};
        bs_sketch_add(&s, &scale, value);
        for (unsigned percent = 0; percent <= 100; percent += 50)
            assert_near(bs_sketch_quantile(&s, percent), value, "alone");
        bs_sketch_fini(&s);
        assert_null(s.counts);
    }
}

/* The figure is the bin's, so it is the same wherever the stretch of memory begins. */
static void the_bins_are_those_of_a_ddsketch(void **state)
{
    (void)state;
    const double growth = 1.01 / 0.99;
    struct bs_sketch s = {0};
    for (int value = BS_SKETCH_MIN; value <= BS_SKETCH_MAX; value += 97) {
        bs_sketch_clear(&s);
        bs_sketch_add(&s, &scale, value);
        double expected = 2 * pow(growth, ceil(log(value) / log(growth))) / (growth + 1);
        double found = bs_sketch_quantile(&s, 50);
        if (fabs(found / expected - 1) > 1e-12)
            fail_msg("%d: %.15g, expected %.15g", value, found, expected);
    }
    bs_sketch_fini(&s);
}

/* Lower quantiles: the rank is rounded down. */
static void ranks_are_rounded_down(void **state)
{
    (void)state;
    struct bs_sketch s = {0};
    bs_sketch_add(&s, &scale, 1000);
    bs_sketch_add(&s, &scale, 2000);
    assert_near(bs_sketch_quantile(&s, 0), 1000, "p0");
    assert_near(bs_sketch_quantile(&s, 50), 1000, "p50 of two");
    assert_near(bs_sketch_quantile(&s, 99), 1000, "p99 of two");
    assert_near(bs_sketch_quantile(&s, 100), 2000, "p100");
    bs_sketch_add(&s, &scale, 4000);
    assert_near(bs_sketch_quantile(&s, 49), 1000, "p49 of three");
    assert_near(bs_sketch_quantile(&s, 50), 2000, "p50 of three");
    assert_near(bs_sketch_quantile(&s, 95), 2000, "p95 of three");
    bs_sketch_fini(&s);
}

/* From the middle to either end and past it again. */
static void the_stretch_grows_both_ways(void **state)
{
    (void)state;
    static const int ways[][6] = {{600, 6000, 60, 700, 61, 5999},  {60, 6000, 600, 60, 6000, 600},
                                  {6000, 60, 5999, 61, 3000, 90},  {1000, 900, 800, 700, 600, 500},
                                  {500, 600, 700, 800, 900, 1000}, {61, 62, 60, 64, 63, 66}};
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        struct bs_sketch s = {0};
        int values[6];
        char what[16];
        snprintf(what, sizeof what, "way %zu", way);
        for (size_t i = 0; i < 6; i++) {
            values[i] = ways[way][i];
            bs_sketch_add(&s, &scale, values[i]);
            int sorted[6];
            memcpy(sorted, values, sizeof sorted);
            assert_quantiles(&s, sorted, i + 1, what);
        }
        assert_true(s.first + s.room <= BS_SKETCH_BINS);
        bs_sketch_fini(&s);
    }
}

static void only_the_stretch_takes_memory(void **state)
{
    (void)state;
    struct bs_sketch s = {0};
    for (int value = 1000; value < 1150; value++) /* seven bins */
        bs_sketch_add(&s, &scale, value);
    assert_true(s.room <= 16);
    bs_sketch_fini(&s);
    for (int value = BS_SKETCH_MIN; value <= BS_SKETCH_MAX; value++)
        bs_sketch_add(&s, &scale, value);
    assert_int_equal(s.first, 0);
    assert_int_equal(s.room, BS_SKETCH_BINS);
    bs_sketch_fini(&s);
}

static void a_cleared_one_begins_again_in_its_memory(void **state)
{
    (void)state;
    struct bs_sketch s = {0};
    bs_sketch_clear(&s);
    assert_int_equal(s.count, 0);
    bs_sketch_add(&s, &scale, 1000);
    bs_sketch_add(&s, &scale, 3000);
    const uint32_t *memory = s.counts;
    bs_sketch_clear(&s);
    assert_int_equal(s.count, 0);
    bs_sketch_add(&s, &scale, 2000);
    assert_ptr_equal(s.counts, memory);
    assert_near(bs_sketch_quantile(&s, 0), 2000, "p0");
    assert_near(bs_sketch_quantile(&s, 100), 2000, "p100");
    bs_sketch_fini(&s);
}

static void counts_saturate(void **state)
{
    (void)state;
    struct bs_sketch s = {0};
    bs_sketch_add(&s, &scale, 1000);
    s.count = UINT32_MAX; /* as if it had been there so often */
    s.counts[scale.bins[1000] - s.first] = UINT32_MAX;
    bs_sketch_add(&s, &scale, 1000);
    bs_sketch_add(&s, &scale, 3000);
    assert_int_equal(s.count, UINT32_MAX);
    assert_near(bs_sketch_quantile(&s, 100), 1000, "p100");
    bs_sketch_fini(&s);
}

/* Of all shapes: narrow, wide, with two humps; and in two orders. */
static void random_values_in_any_order(void **state)
{
    (void)state;
    enum { VALUES = 400 };
    const uint64_t seed = 20261124;
    uint64_t drawn = seed;
    for (int round = 0; round < 300; round++) {
        int values[VALUES];
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        size_t count = 1 + (size_t)(drawn >> 40) % VALUES;
        int low = BS_SKETCH_MIN + (int)((drawn >> 20) % 3000);
        int range = 1 + (int)((drawn >> 5) % (uint64_t)(BS_SKETCH_MAX - low + 1));
        struct bs_sketch forwards = {0}, backwards = {0};
        for (size_t i = 0; i < count; i++) {
            drawn = drawn * 6364136223846793005u + 1442695040888963407u;
            values[i] = low + (int)((drawn >> 33) % (uint64_t)range);
            if (round % 3 == 0 && i % 2)
                values[i] = BS_SKETCH_MAX - values[i] / 10;
            bs_sketch_add(&forwards, &scale, values[i]);
        }
        for (size_t i = count; i > 0; i--)
            bs_sketch_add(&backwards, &scale, values[i - 1]);
        char what[64];
        snprintf(what, sizeof what, "seed %" PRIu64 ", round %d", seed, round);
        assert_quantiles(&forwards, values, count, what);
        for (unsigned percent = 0; percent <= 100; percent++)
            assert_true(bs_sketch_quantile(&forwards, percent) ==
                        bs_sketch_quantile(&backwards, percent));
        bs_sketch_fini(&forwards);
        bs_sketch_fini(&backwards);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_alone),
        cmocka_unit_test(the_bins_are_those_of_a_ddsketch),
        cmocka_unit_test(ranks_are_rounded_down),
        cmocka_unit_test(the_stretch_grows_both_ways),
        cmocka_unit_test(only_the_stretch_takes_memory),
        cmocka_unit_test(a_cleared_one_begins_again_in_its_memory),
        cmocka_unit_test(counts_saturate),
        cmocka_unit_test(random_values_in_any_order),
    };
    return cmocka_run_group_tests(tests, make_scale, NULL);
}
