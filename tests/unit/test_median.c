/* Exact medians, against sorting. */
#include "backstep/core/median.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 513

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static double sorted_median(const int32_t *values, size_t count)
{
    int32_t sorted[COUNT_MAX];
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    if (count % 2)
        return sorted[count / 2];
    return ((double)sorted[count / 2 - 1] + (double)sorted[count / 2]) / 2;
}

static void assert_median(const int32_t *values, size_t count, const char *what)
{
    int32_t copy[COUNT_MAX];
    memcpy(copy, values, count * sizeof *copy);
    double found = bs_median(copy, count), expected = sorted_median(values, count);
    if (found != expected)
        fail_msg("%s, %zu values: median %.9g, expected %.9g", what, count, found, expected);
    qsort(copy, count, sizeof *copy, by_value);
    int32_t sorted[COUNT_MAX];
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    assert_memory_equal(copy, sorted, count * sizeof *copy); /* reordered and no more */
}

static void few_values(void **state)
{
    (void)state;
    int32_t values[] = {7, -3, 9, 2};
    assert_true(bs_median((int32_t[]){7}, 1) == 7);
    assert_true(bs_median((int32_t[]){7, -3}, 2) == 2);
    assert_true(bs_median((int32_t[]){7, 8}, 2) == 7.5);
    assert_true(bs_median((int32_t[]){7, -3, 9}, 3) == 7);
    assert_true(bs_median(values, 4) == 4.5);
}

/* All sequences of up to six values out of six. */
static void all_orders(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 6; count++)
        for (unsigned code = 0; code < 46656; code++) {
            int32_t values[6];
            unsigned rest = code;
            for (size_t i = 0; i < count; i++, rest /= 6)
                values[i] = (int32_t)(rest % 6);
            if (rest == 0) /* else it was there with fewer values */
                assert_median(values, count, "all orders");
        }
}

static void the_mean_of_the_middle_two_does_not_overflow(void **state)
{
    (void)state;
    assert_true(bs_median((int32_t[]){INT32_MAX, INT32_MAX - 1}, 2) == (double)INT32_MAX - 0.5);
    assert_true(bs_median((int32_t[]){INT32_MIN, INT32_MIN + 1}, 2) == (double)INT32_MIN + 0.5);
    assert_true(bs_median((int32_t[]){INT32_MIN, INT32_MAX}, 2) == -0.5);
}

static void orders_that_are_bad_for_selection(void **state)
{
    (void)state;
    int32_t values[COUNT_MAX];
    for (size_t count = 1; count <= COUNT_MAX; count += count < 64 ? 1 : 64) {
        for (size_t i = 0; i < count; i++)
            values[i] = (int32_t)i;
        assert_median(values, count, "ascending");
        for (size_t i = 0; i < count; i++)
            values[i] = (int32_t)(count - i);
        assert_median(values, count, "descending");
        for (size_t i = 0; i < count; i++)
            values[i] = 5;
        assert_median(values, count, "equal");
        for (size_t i = 0; i < count; i++)
            values[i] = (int32_t)(i < count / 2 ? i : count - i);
        assert_median(values, count, "up and down");
        for (size_t i = 0; i < count; i++)
            values[i] = (int32_t)(i % 2);
        assert_median(values, count, "two values");
    }
}

static void random_values(void **state)
{
    (void)state;
    const uint64_t seed = 20261124;
    uint64_t drawn = seed;
    int32_t values[COUNT_MAX];
    for (int round = 0; round < 2000; round++) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        size_t count = 1 + (size_t)(drawn >> 33) % COUNT_MAX;
        uint64_t range = 1 + (drawn >> 13) % 1000;
        for (size_t i = 0; i < count; i++) {
            drawn = drawn * 6364136223846793005u + 1442695040888963407u;
            values[i] = (int32_t)((drawn >> 33) % range) - 500;
        }
        char what[64];
        snprintf(what, sizeof what, "seed %" PRIu64 ", round %d", seed, round);
        assert_median(values, count, what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_values),
        cmocka_unit_test(all_orders),
        cmocka_unit_test(the_mean_of_the_middle_two_does_not_overflow),
        cmocka_unit_test(orders_that_are_bad_for_selection),
        cmocka_unit_test(random_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
