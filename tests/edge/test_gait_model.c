/* Walkers against what is known of real ones. Must never ask for more than the figures that were
 * measured: means, spread and memory of strides, signs, ranges. */
#include "gait_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALKERS 60
#define STEPS   2400

static const struct {
    int64_t min, max;
} ranges[BS_FIELD_COUNT] = {
#define RANGE(name, text, min, max) {min, max},
    BS_FIELDS(RANGE)
#undef RANGE
};

static void expect_between(const char *what, double value, double low, double high)
{
    if (value < low || value > high)
        fail_msg("%s is %g, expected %g to %g", what, value, low, high);
}

/* Means over steps of one direction. */
struct averages {
    double step_ms, step_mm, pitch_cdeg;
};

static struct averages walk(uint64_t seed, enum bs_direction direction)
{
    struct bs_gait_walker w;
    struct averages a = {0};
    bs_gait_walker_init(&w, seed, 110);
    for (int i = 0; i < STEPS; i++) {
        struct bs_event e = {0};
        bs_gait_walker_step(&w, direction, &e);
        a.step_ms += (double)e.value[BS_FIELD_STEP_MS] / STEPS;
        a.step_mm += (double)e.value[BS_FIELD_STEP_MM] / STEPS;
        a.pitch_cdeg += (double)e.value[BS_FIELD_PITCH_CDEG] / STEPS;
    }
    return a;
}

static void test_backwards_is_shorter_not_slower(void **state)
{
    (void)state;
    double time = 0, length = 0, cadence = 0;
    for (uint64_t seed = 1; seed <= WALKERS; seed++) {
        struct averages f = walk(seed, BS_DIRECTION_FORWARD);
        struct averages b = walk(seed, BS_DIRECTION_BACKWARD);
        time += b.step_ms / f.step_ms / WALKERS;
        length += b.step_mm / f.step_mm / WALKERS;
        cadence += 60000 / f.step_ms / WALKERS;
        expect_between("forward pitch", f.pitch_cdeg, 1000, 3000);
        expect_between("backward pitch", b.pitch_cdeg, -3500, -1500);
        expect_between("forward step length", f.step_mm, 480, 820);
        expect_between("forward step time", f.step_ms, 450, 650);
    }
    expect_between("step time ratio", time, 0.98, 1.00);
    expect_between("step length ratio", length, 0.75, 0.79);
    expect_between("cadence", cadence, 107, 113);
}

static void test_strides_remember(void **state)
{
    (void)state;
    double cv_sum = 0, lag1_sum = 0;
    static double strides[STEPS / 2];
    const int n = STEPS / 2;
    for (uint64_t seed = 1; seed <= WALKERS; seed++) {
        struct bs_gait_walker w;
        struct bs_event e = {0};
        bs_gait_walker_init(&w, seed, 110);
        double mean = 0, variance = 0, covariance = 0;
        for (int i = 0; i < STEPS; i++) {
            bs_gait_walker_step(&w, BS_DIRECTION_FORWARD, &e);
            if (i % 2 == 1)
                mean += (strides[i / 2] = (double)e.value[BS_FIELD_STRIDE_MS]) / n;
        }
        for (int i = 0; i < n; i++) {
            variance += (strides[i] - mean) * (strides[i] - mean) / n;
            if (i > 0)
                covariance += (strides[i] - mean) * (strides[i - 1] - mean) / n;
        }
        cv_sum += 100 * sqrt(variance) / mean;
        lag1_sum += covariance / variance;
        expect_between("stride time CV", 100 * sqrt(variance) / mean, 0.9, 2.0);
    }
    expect_between("mean stride time CV", cv_sum / WALKERS, 1.1, 1.8);
    expect_between("mean lag-1 correlation", lag1_sum / WALKERS, 0.2, 0.4);
}

static void test_first_step_after_the_turn_takes_longer(void **state)
{
    (void)state;
    double ratio = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct bs_gait_walker w;
        struct bs_event turn = {0}, e = {0};
        bs_gait_walker_init(&w, seed, 110);
        for (int i = 0; i < 10; i++)
            bs_gait_walker_step(&w, BS_DIRECTION_BACKWARD, &e);
        bs_gait_walker_step(&w, BS_DIRECTION_FORWARD, &turn);
        bs_gait_walker_step(&w, BS_DIRECTION_FORWARD, &e);
        ratio += (double)turn.value[BS_FIELD_STEP_MS] / (double)e.value[BS_FIELD_STEP_MS] / 400;
    }
    expect_between("first step after the turn", ratio, 1.25, 1.29);
}

static void test_feet_alternate_within_hard_ranges(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= WALKERS; seed++) {
        struct bs_gait_walker w;
        uint8_t last_foot = BS_FOOT_UNKNOWN;
        bs_gait_walker_init(&w, seed, seed % 2 ? 30 : 300);
        for (int i = 0; i < 200; i++) {
            struct bs_event e = {0};
            bs_gait_walker_step(&w, (enum bs_direction)(1 + i / 20 % (BS_DIRECTION_COUNT - 1)), &e);
            assert_true(e.foot == BS_FOOT_LEFT || e.foot == BS_FOOT_RIGHT);
            assert_int_not_equal(e.foot, last_foot);
            last_foot = e.foot;
            for (int f = 0; f < BS_FIELD_COUNT; f++) {
                if (bs_event_has(&e, (enum bs_field)f))
                    assert_in_range(e.value[f] - ranges[f].min, 0, ranges[f].max - ranges[f].min);
            }
        }
    }
}

/* Pairs of values of noise that is asked for a memory, as strides are of steps. */
static void measure_noise(double sd, double lag1, double *ret_sd, double *ret_lag1)
{
    enum { RUNS = 80, PAIRS = 2000 };
    double square = 0, product = 0;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        struct bs_random r;
        struct bs_gait_noise n;
        bs_random_init(&r, seed);
        bs_gait_noise_init(&n, &r, sd, lag1);
        double last = 0;
        for (int i = 0; i < PAIRS; i++) {
            double first = bs_gait_noise_next(&n, &r),
                   pair = (first + bs_gait_noise_next(&n, &r)) / 2;
            square += pair * pair;
            product += i > 0 ? pair * last : 0;
            last = pair;
        }
    }
    *ret_sd = sqrt(square / (RUNS * PAIRS));
    *ret_lag1 = product / (RUNS * (PAIRS - 1)) / (square / (RUNS * PAIRS));
}

static void test_noise_remembers_as_it_is_told(void **state)
{
    (void)state;
    static const double lags[] = {0.15, 0.3, 0.55};
    for (size_t i = 0; i < sizeof lags / sizeof *lags; i++) {
        double sd, lag1;
        measure_noise(0.02, lags[i], &sd, &lag1);
        expect_between("standard deviation", sd, 0.0195, 0.0205);
        expect_between("lag-1 correlation", lag1, lags[i] - 0.03, lags[i] + 0.03);
    }
}

/* Each stride's mean of a field, and the correlation of neighbours; the spread is of one step. */
static double stride_lag1(uint64_t seed, enum bs_field field, double *ret_sd)
{
    static double strides[STEPS / 2];
    struct bs_gait_walker w;
    struct bs_event e = {0};
    double mean = 0, variance = 0, covariance = 0, square = 0, first = 0;
    const int n = STEPS / 2;
    bs_gait_walker_init(&w, seed, 110);
    for (int i = 0; i < STEPS; i++) {
        bs_gait_walker_step(&w, BS_DIRECTION_FORWARD, &e);
        double value = (double)e.value[field];
        square += value * value / STEPS;
        if (i % 2 == 1)
            mean += (strides[i / 2] = (first + value) / 2) / n;
        first = value;
    }
    for (int i = 0; i < n; i++) {
        variance += (strides[i] - mean) * (strides[i] - mean) / n;
        if (i > 0)
            covariance += (strides[i] - mean) * (strides[i - 1] - mean) / n;
    }
    *ret_sd = sqrt(square - mean * mean);
    return covariance / variance;
}

/* What a slip is looked for in must not be kinder to the detector than strides are. */
static void test_all_that_is_judged_remembers(void **state)
{
    (void)state;
    static const struct {
        enum bs_field field;
        const char *what;
        double sd_min, sd_max;
    } cases[] = {{BS_FIELD_STEP_MS, "step time", 5, 15},
                 {BS_FIELD_STEP_MM, "step length", 12, 30},
                 {BS_FIELD_VO_MM, "oscillation", 1, 2},
                 {BS_FIELD_TRUNK_CDEG, "trunk pitch", 35, 75}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double lag1 = 0, sd = 0, sd_sum = 0;
        for (uint64_t seed = 1; seed <= WALKERS; seed++) {
            lag1 += stride_lag1(seed, cases[i].field, &sd) / WALKERS;
            sd_sum += sd / WALKERS;
        }
        printf("%s: lag-1 %.3f, sd of a step %.2f\n", cases[i].what, lag1, sd_sum);
        expect_between(cases[i].what, lag1, 0.15, 0.4);
        expect_between(cases[i].what, sd_sum, cases[i].sd_min, cases[i].sd_max);
    }
}

/* Mean step length and walk ratio, in mm ms, of one direction after another. */
static void walk_on(struct bs_gait_walker *w, enum bs_direction direction, double *ret_mm,
                    double *ret_ratio)
{
    *ret_mm = *ret_ratio = 0;
    for (int i = 0; i < STEPS; i++) {
        struct bs_event e = {0};
        bs_gait_walker_step(w, direction, &e);
        *ret_mm += (double)e.value[BS_FIELD_STEP_MM] / STEPS;
        *ret_ratio += (double)(e.value[BS_FIELD_STEP_MM] * e.value[BS_FIELD_STEP_MS]) / STEPS;
    }
}

static void test_as_much_is_kept_as_asked_for(void **state)
{
    (void)state;
    static const double retentions[] = {0, 0.2, 0.5, 1};
    for (size_t i = 0; i < sizeof retentions / sizeof *retentions; i++) {
        double length = 0, ratio = 0;
        for (uint64_t seed = 1; seed <= WALKERS; seed++) {
            struct bs_gait_walker w;
            double habit[2], back[2], block[2];
            bs_gait_walker_init(&w, seed, 110);
            w.retention = retentions[i];
            walk_on(&w, BS_DIRECTION_FORWARD, &habit[0], &habit[1]);
            walk_on(&w, BS_DIRECTION_BACKWARD, &back[0], &back[1]);
            walk_on(&w, BS_DIRECTION_FORWARD, &block[0], &block[1]);
            length += (habit[0] - block[0]) / (habit[0] - back[0]) / WALKERS;
            ratio += (habit[1] - block[1]) / (habit[1] - back[1]) / WALKERS;
        }
        printf("asked for %g: length %.3f, walk ratio %.3f\n", retentions[i], length, ratio);
        expect_between("retention of step length", length, retentions[i] - 0.03,
                       retentions[i] + 0.03);
        expect_between("retention of walk ratio", ratio, retentions[i] - 0.03,
                       retentions[i] + 0.03);
    }
}

/* The same seed with and without a shift: whatever else it does is the same noise. */
static void test_a_shift_moves_one_metric_until_the_turn(void **state)
{
    (void)state;
    static const enum bs_field fields[BS_SHIFT_METRICS] = {
        [BS_SHIFT_STEP_LENGTH] = BS_FIELD_STEP_MM,
        [BS_SHIFT_STEP_TIME] = BS_FIELD_STEP_MS,
        [BS_SHIFT_OSCILLATION] = BS_FIELD_VO_MM,
        [BS_SHIFT_TRUNK_PITCH] = BS_FIELD_TRUNK_CDEG,
    };
    for (int m = 0; m < BS_SHIFT_METRICS; m++) {
        struct bs_gait_walker plain, shifted;
        bs_gait_walker_init(&plain, 7, 110);
        bs_gait_walker_init(&shifted, 7, 110);
        double before = 0, during = 0, after = 0, expected = 0;
        for (int i = 0; i < 300; i++) {
            struct bs_event a = {0}, b = {0};
            enum bs_direction d = i < 200 ? BS_DIRECTION_FORWARD : BS_DIRECTION_LEFT;
            if (i == 100)
                bs_gait_walker_shift(&shifted, (enum bs_shift_metric)m, -10);
            bs_gait_walker_step(&plain, d, &a);
            bs_gait_walker_step(&shifted, d, &b);
            double moved = (double)(b.value[fields[m]] - a.value[fields[m]]);
            *(i < 100 ? &before : i < 200 ? &during : &after) += moved / 100;
            if (i >= 100 && i < 200)
                expected += -(double)a.value[fields[m]] / 1000;
            for (int other = 0; other < BS_SHIFT_METRICS; other++)
                assert_true(other == m || a.value[fields[other]] == b.value[fields[other]]);
        }
        if (m == BS_SHIFT_TRUNK_PITCH)
            expected = -1000;
        expect_between("before it", before, 0, 0);
        expect_between("shift", during, expected - 1, expected + 1);
        expect_between("behind the turn", after, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backwards_is_shorter_not_slower),
        cmocka_unit_test(test_strides_remember),
        cmocka_unit_test(test_first_step_after_the_turn_takes_longer),
        cmocka_unit_test(test_feet_alternate_within_hard_ranges),
        cmocka_unit_test(test_noise_remembers_as_it_is_told),
        cmocka_unit_test(test_all_that_is_judged_remembers),
        cmocka_unit_test(test_as_much_is_kept_as_asked_for),
        cmocka_unit_test(test_a_shift_moves_one_metric_until_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
