/* Exact sums: against plain arithmetic, in any order, up to the most a row may hold. */
#include "backstep/core/sums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

static struct bs_step step_of(int seed)
{
    struct bs_step s = {.foot = (uint8_t)(seed % 3)};
    for (int f = 0; f < BS_FIELD_COUNT; f++)
        if ((seed + f) % 4) {
            int span = bs_field_ranges[f].max - bs_field_ranges[f].min + 1;
            bs_step_set(&s, (enum bs_field)f,
                        (int16_t)(bs_field_ranges[f].min + seed * 7919 % span));
        }
    return s;
}

static void add(struct bs_sums *sums, int seed)
{
    struct bs_step step = step_of(seed);
    struct bs_sample sample = {.step = &step,
                               .step_time_halves = (uint16_t)(280 + seed % 4000),
                               .step_length_halves = (uint16_t)(seed % 5 ? 60 + seed % 5000 : 0),
                               .step_time_exact = seed % 2,
                               .late = seed % 7 == 0,
                               .lost = (uint16_t)(seed % 3)};
    bs_sums_add(sums, &sample);
}

static void order_and_grouping_change_nothing(void **state)
{
    (void)state;
    struct bs_sums all = {0}, backwards = {0}, odd = {0}, even = {0};
    for (int i = 0; i < 5000; i++) {
        add(&all, i);
        add(&backwards, 4999 - i);
        add(i % 2 ? &odd : &even, i);
    }
    assert_memory_equal(&all, &backwards, sizeof all);
    struct bs_totals one = {0}, two = {0};
    bs_totals_add(&one, &all);
    bs_totals_add(&two, &odd);
    bs_totals_add(&two, &even);
    assert_memory_equal(&one, &two, sizeof one);
}

static void figures_equal_plain_arithmetic(void **state)
{
    (void)state;
    struct bs_sums sums = {0};
    double sum = 0, squares = 0, n = 0;
    for (int i = 0; i < 1000; i++) {
        add(&sums, i);
        struct bs_step step = step_of(i);
        if (bs_step_has(&step, BS_FIELD_TRUNK_CDEG)) {
            sum += step.value[BS_FIELD_TRUNK_CDEG];
            n++;
        }
    }
    for (int i = 0; i < 1000; i++) {
        struct bs_step step = step_of(i);
        if (bs_step_has(&step, BS_FIELD_TRUNK_CDEG))
            squares += pow(step.value[BS_FIELD_TRUNK_CDEG] - sum / n, 2);
    }
    struct bs_totals t = {0};
    bs_totals_add(&t, &sums);
    assert_true(fabs(bs_total_mean(&t.trunk) - sum / n) < 1e-9);
    assert_true(fabs(bs_total_deviation(&t.trunk) / sqrt(squares / (n - 1)) - 1) < 1e-12);
}

static void the_largest_values_fit(void **state)
{
    (void)state;
    struct bs_step step = {.foot = BS_FOOT_LEFT};
    for (int f = 0; f < BS_FIELD_COUNT; f++)
        bs_step_set(&step, (enum bs_field)f, bs_field_ranges[f].max);
    struct bs_sample sample = {.step = &step,
                               .step_time_halves = 4400,
                               .step_length_halves = 6000,
                               .step_time_exact = true,
                               .late = true,
                               .lost = 4096};
    struct bs_sums sums = {0};
    for (unsigned i = 0; i < BS_SUMS_STEPS_MAX; i++)
        bs_sums_add(&sums, &sample);
    struct bs_totals t = {0};
    for (int i = 0; i < 3; i++)
        bs_totals_add(&t, &sums);
    assert_int_equal(t.steps, 3 * BS_SUMS_STEPS_MAX);
    assert_int_equal(t.lost, 3ull * BS_SUMS_STEPS_MAX * 4096);
    assert_true(bs_total_mean(&t.step_length) == 6000);
    assert_true(bs_total_deviation(&t.step_length) == 0);
    assert_true(bs_total_mean(&t.stride_time) == 3000);
    assert_true(bs_total_mean(&t.pitch) == 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_grouping_change_nothing),
        cmocka_unit_test(figures_equal_plain_arithmetic),
        cmocka_unit_test(the_largest_values_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
