/* The two-sided CUSUM, by sequences worked out by hand. */
#include "backstep/core/slip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

/* Around 100 a value is its own percentage. */
static const struct bs_slip_rule percent = {
    .relative = true, .drift = 8, .threshold = 30, .hold_off_steps = 4};
static const struct bs_slip_rule degrees = {
    .relative = false, .drift = 1.5, .threshold = 6, .hold_off_steps = 4};

struct watch {
    struct bs_slip_watch w;
    struct bs_slip_rule rule;
    int taken;
};

static void begin(struct watch *x, double reference, const struct bs_slip_rule *rule)
{
    bs_slip_watch_init(&x->w, reference);
    x->rule = *rule;
    x->taken = 0;
}

static void end(struct watch *x)
{
    bs_slip_watch_fini(&x->w);
    assert_null(x->w.rest);
}

static void quiet(struct watch *x, int16_t value, int times)
{
    for (int i = 0; i < times; i++) {
        double deviation = 1234;
        enum bs_slip_sign sign = bs_slip_take(&x->w, &x->rule, value, &deviation);
        x->taken++;
        if (sign != BS_SLIP_NONE || deviation != 1234)
            fail_msg("value %d of the sequence, %d: sign %d, deviation %.9g", x->taken, value,
                     (int)sign, deviation);
    }
}

static void slip(struct watch *x, int16_t value, enum bs_slip_sign expected, double expected_mean)
{
    double deviation = NAN;
    enum bs_slip_sign sign = bs_slip_take(&x->w, &x->rule, value, &deviation);
    x->taken++;
    if (sign != expected || !(fabs(deviation - expected_mean) < 1e-9))
        fail_msg("value %d of the sequence, %d: sign %d, deviation %.9g; expected %d, %.9g",
                 x->taken, value, (int)sign, deviation, (int)expected, expected_mean);
}

/* Adding up. */

/* 18 − 8 = 10 each: 10, 20, 30 is not over 30, 40 is. */
static void a_slip_is_over_the_threshold(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 118, 3);
    slip(&x, 118, BS_SLIP_UP, 18);
    end(&x);
    begin(&x, 100, &percent);
    quiet(&x, 82, 3);
    slip(&x, 82, BS_SLIP_DOWN, -18);
    end(&x);
}

static void within_the_drift_nothing_adds_up(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 108, 1000);
    quiet(&x, 92, 1000);
    quiet(&x, 109, 30); /* 1 % each: 30 is not over 30 */
    slip(&x, 109, BS_SLIP_UP, 9);
    end(&x);
}

/* Limited to 20: 12, 24, 36. */
static void one_step_alone_is_never_a_slip(void **state)
{
    (void)state;
    struct watch x;
    for (int value = 121; value < 32768; value *= 3) {
        begin(&x, 100, &percent);
        quiet(&x, (int16_t)value, 2);
        slip(&x, (int16_t)value, BS_SLIP_UP, 20);
        end(&x);
    }
    begin(&x, 100, &percent);
    quiet(&x, -32768, 2);
    slip(&x, 0, BS_SLIP_DOWN, -20);
    end(&x);
}

/* 12 once, then down by 8 each step. */
static void a_sum_falls_back_to_zero(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 150, 1); /* 12 */
    quiet(&x, 100, 1); /* 4 */
    quiet(&x, 100, 1); /* 0, not −4 */
    quiet(&x, 118, 3); /* 10, 20, 30 */
    quiet(&x, 108, 5); /* stays */
    quiet(&x, 107, 1); /* 29 */
    quiet(&x, 109, 1); /* 30 */
    slip(&x, 109, BS_SLIP_UP, (3 * 18 + 5 * 8 + 7 + 9 + 9) / 11.0);
    end(&x);
}

/* The step that takes the sum above 0 is the first; one that takes it back to 0 is none. */
static void the_mean_is_since_the_sum_was_zero(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 150, 1); /* 12 */
    quiet(&x, 96, 1);  /* 12 + (−4 − 8) = 0 */
    quiet(&x, 113, 1); /* 5 */
    quiet(&x, 119, 2); /* 16, 27 */
    slip(&x, 119, BS_SLIP_UP, (13 + 3 * 19) / 4.0);
    end(&x);
}

/* Up and down do not touch each other: what takes one down to 0 lifts the other. */
static void both_sides_add_up_alone(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 120, 2); /* up 12, 24 */
    quiet(&x, 80, 1);  /* up 0, down 12 */
    quiet(&x, 120, 1); /* up 12, down 0 */
    quiet(&x, 80, 2);  /* up 0, 0; down 12, 24 */
    slip(&x, 80, BS_SLIP_DOWN, -20);
    end(&x);
}

/* Resting. */

static void after_a_slip_the_metric_rests(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 120, 2);
    slip(&x, 120, BS_SLIP_UP, 20);
    quiet(&x, 120, 1000); /* an onset is one slip, however long it lasts */
    end(&x);
}

/* Four values must have come, and their median be near: 100, 100, 100, 100 ends it with the fourth,
 * which is not added. */
static void the_rest_ends_with_enough_values_near(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 120, 2);
    slip(&x, 120, BS_SLIP_UP, 20);
    quiet(&x, 100, 3);
    assert_non_null(x.w.rest);
    quiet(&x, 120, 1); /* the fourth: their median is 100; it is not added */
    assert_null(x.w.rest);
    quiet(&x, 120, 2);
    slip(&x, 120, BS_SLIP_UP, 20);
    end(&x);
}

/* Each rest counts anew. */
static void a_second_rest_is_as_long(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    for (int i = 0; i < 3; i++) {
        quiet(&x, 120, 2);
        slip(&x, 120, BS_SLIP_UP, 20);
        quiet(&x, 100, 3);
        assert_non_null(x.w.rest);
        quiet(&x, 100, 1);
        assert_null(x.w.rest);
    }
    end(&x);
}

/* Of the last four only: after four far ones the third near one makes the median near. */
static void the_median_is_of_the_last_values(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    quiet(&x, 120, 2);
    slip(&x, 120, BS_SLIP_UP, 20);
    quiet(&x, 120, 7);
    quiet(&x, 100, 1);
    quiet(&x, 100, 1); /* 120 120 100 100: 110 */
    assert_non_null(x.w.rest);
    quiet(&x, 100, 1); /* 120 100 100 100 */
    assert_null(x.w.rest);
    quiet(&x, 80, 2); /* both sums began at 0 */
    slip(&x, 80, BS_SLIP_DOWN, -20);
    end(&x);
}

/* To the drift exactly, on either side, and not limited. */
static void near_is_within_the_drift(void **state)
{
    (void)state;
    struct watch x;
    for (int side = -1; side <= 1; side += 2) {
        begin(&x, 100, &percent);
        quiet(&x, 120, 2);
        slip(&x, 120, BS_SLIP_UP, 20);
        quiet(&x, (int16_t)(100 + 9 * side), 50);
        quiet(&x, (int16_t)(100 + 8 * side), 2); /* median 8.5 */
        assert_non_null(x.w.rest);
        quiet(&x, (int16_t)(100 + 8 * side), 1); /* 8 */
        assert_null(x.w.rest);
        end(&x);
    }
}

static void a_rest_of_one_value(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    x.rule.hold_off_steps = 1;
    quiet(&x, 120, 2);
    slip(&x, 120, BS_SLIP_UP, 20);
    quiet(&x, 109, 10);
    quiet(&x, 108, 1);
    assert_null(x.w.rest);
    end(&x);
}

/* hold_off_steps of the moment of the slip, the drift of each step. */
static void rules_that_change(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 100, &percent);
    x.rule.hold_off_steps = 512;
    quiet(&x, 120, 2);
    slip(&x, 120, BS_SLIP_UP, 20);
    x.rule.hold_off_steps = 1;
    quiet(&x, 115, 511);
    x.rule.drift = 15;
    assert_non_null(x.w.rest);
    quiet(&x, 115, 1);
    assert_null(x.w.rest);
    x.rule.drift = 8;
    quiet(&x, 118, 2);
    x.rule.threshold = 15; /* limited to 10 from now on */
    slip(&x, 118, BS_SLIP_UP, (18 + 18 + 10) / 3.0);
    end(&x);
}

/* Other units. */

/* In hundredths; 3 − 1.5 = 1.5 each; limited to 4. */
static void the_trunk_is_judged_in_degrees(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, -250, &degrees);
    quiet(&x, 50, 4); /* 1.5, 3, 4.5, 6 */
    slip(&x, 50, BS_SLIP_UP, 3);
    quiet(&x, -100, 3);
    quiet(&x, -100, 1); /* 1.5 off is within the drift */
    assert_null(x.w.rest);
    quiet(&x, -4500, 2); /* 2.5 each */
    slip(&x, -4500, BS_SLIP_DOWN, -4);
    end(&x);
}

static void a_reference_of_zero_degrees(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 0, &degrees);
    quiet(&x, 0, 1000);
    quiet(&x, 400, 2);
    slip(&x, 400, BS_SLIP_UP, 4);
    end(&x);
}

/* The mean of two middle values is one half off the values. */
static void a_reference_between_two_values(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 1000.5, &percent);
    quiet(&x, 1000, 100);
    quiet(&x, 1001, 100);
    quiet(&x, 1081, 500); /* 8.046 %: 0.046 each */
    end(&x);
}

static void a_gait_without_any_scatter_never_slips(void **state)
{
    (void)state;
    struct watch x;
    begin(&x, 800, &percent);
    quiet(&x, 800, 10000);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_is_over_the_threshold),
        cmocka_unit_test(within_the_drift_nothing_adds_up),
        cmocka_unit_test(one_step_alone_is_never_a_slip),
        cmocka_unit_test(a_sum_falls_back_to_zero),
        cmocka_unit_test(the_mean_is_since_the_sum_was_zero),
        cmocka_unit_test(both_sides_add_up_alone),
        cmocka_unit_test(after_a_slip_the_metric_rests),
        cmocka_unit_test(the_rest_ends_with_enough_values_near),
        cmocka_unit_test(a_second_rest_is_as_long),
        cmocka_unit_test(the_median_is_of_the_last_values),
        cmocka_unit_test(near_is_within_the_drift),
        cmocka_unit_test(a_rest_of_one_value),
        cmocka_unit_test(rules_that_change),
        cmocka_unit_test(the_trunk_is_judged_in_degrees),
        cmocka_unit_test(a_reference_of_zero_degrees),
        cmocka_unit_test(a_reference_between_two_values),
        cmocka_unit_test(a_gait_without_any_scatter_never_slips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
