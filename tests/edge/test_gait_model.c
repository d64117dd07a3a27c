/* Walkers against what is known of real ones. Must never ask for more than the figures that were
 * measured: means, spread and memory of strides, signs, ranges. */
#include "class.h"
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

static struct bs_class_options small_class(void)
{
    static const struct bs_class_phase phases[] = {{BS_DIRECTION_BACKWARD, 20000},
                                                   {BS_DIRECTION_FORWARD, 10000}};
    return (struct bs_class_options){.members = 7,
                                     .devices_each = 2,
                                     .prefix = "sim",
                                     .duration_ms = 60000,
                                     .timetable = {.phases = phases, .count = 2},
                                     .pace_spm = 110,
                                     .loss_pct = 5,
                                     .seed = 42};
}

static void test_a_class_comes_in_order_of_time(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    struct bs_class *c;
    assert_int_equal(bs_class_new(&c, &options, 1000000), BS_OK);
    uint32_t device, next_seq[14] = {0};
    uint64_t sent = 0, gaps = 0;
    int64_t last_ms = 1000000;
    struct bs_event e;
    for (; bs_class_next(c, &device, &e); sent++) {
        assert_true(e.time_ms >= last_ms && e.time_ms < 1060000);
        last_ms = e.time_ms;
        assert_true(device < 14);
        assert_int_equal(e.foot, device % 2 ? BS_FOOT_RIGHT : BS_FOOT_LEFT);
        assert_true(e.seq >= next_seq[device]);
        gaps += e.seq - next_seq[device];
        next_seq[device] = e.seq + 1;
        int64_t phase_ms = (e.time_ms - 1000000) % 30000;
        /* A step that began before the turn ends in its own direction. */
        if (phase_ms > 1000 && (phase_ms < 20000 || phase_ms > 21000))
            assert_int_equal(e.direction,
                             phase_ms < 20000 ? BS_DIRECTION_BACKWARD : BS_DIRECTION_FORWARD);
    }
    expect_between("steps", (double)sent, 600, 850);
    expect_between("lost", (double)bs_class_lost(c), 10, 80);
    assert_true(gaps <= bs_class_lost(c));
    bs_class_free(c);
}

static void test_a_timetable_ends_in_its_last_phase(void **state)
{
    (void)state;
    static const struct bs_class_phase phases[] = {
        {BS_DIRECTION_BACKWARD, 1000}, {BS_DIRECTION_UP, 0}, {BS_DIRECTION_LEFT, 500}};
    const struct {
        uint32_t repeat;
        int64_t ahead_ms, ms;
        enum bs_direction expected;
    } cases[] = {
        {2, 0, 0, BS_DIRECTION_BACKWARD},    {2, 0, 999, BS_DIRECTION_BACKWARD},
        {2, 0, 1000, BS_DIRECTION_LEFT},     {2, 0, 1500, BS_DIRECTION_BACKWARD},
        {2, 0, 2999, BS_DIRECTION_LEFT},     {2, 0, 3000, BS_DIRECTION_LEFT},
        {0, 0, 3000, BS_DIRECTION_BACKWARD}, {0, 0, 1500000, BS_DIRECTION_BACKWARD},
        {2, 1200, 0, BS_DIRECTION_LEFT},     {2, -1200, 1100, BS_DIRECTION_BACKWARD},
        {2, -1200, 2300, BS_DIRECTION_LEFT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bs_class_timetable t = {phases, 3, cases[i].repeat, cases[i].ahead_ms};
        enum bs_direction found = bs_class_direction(&t, cases[i].ms);
        if (found != cases[i].expected)
            fail_msg("case %zu: direction %d, expected %d", i, found, cases[i].expected);
    }
}

static void test_a_class_is_what_its_seed_says(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    options.steps_max = 500;
    struct bs_class *a, *b;
    assert_int_equal(bs_class_new(&a, &options, 0), BS_OK);
    assert_int_equal(bs_class_new(&b, &options, 0), BS_OK);
    uint32_t device, other_device;
    struct bs_event e = {0}, other = {0};
    unsigned sent = 0;
    for (; bs_class_next(a, &device, &e); sent++) {
        assert_true(bs_class_next(b, &other_device, &other));
        assert_int_equal(device, other_device);
        assert_int_equal(e.time_ms, other.time_ms);
        assert_memory_equal(e.value, other.value, sizeof e.value);
    }
    assert_int_equal(sent, 500);
    assert_false(bs_class_next(b, &device, &e));
    bs_class_free(a);
    bs_class_free(b);
}

static void test_devices_by_name(void **state)
{
    (void)state;
    static const char *const devices[] = {"belt-01", "belt-03"};
    struct bs_class_options options = small_class();
    options.members = 2;
    options.devices_each = 1;
    options.devices = devices;
    struct bs_wearable w;
    for (uint32_t i = 0; i < bs_class_wearable_count(&options); i++) {
        bs_class_wearable(&options, i, 1000, &w);
        assert_string_equal(w.id, devices[i]);
    }
}

static void test_another_start_or_seed_is_another_boot(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    struct bs_wearable w, again, later, reseeded;
    bs_class_wearable(&options, 3, 1000, &w);
    bs_class_wearable(&options, 3, 1000, &again);
    bs_class_wearable(&options, 3, 1001, &later);
    options.seed++;
    bs_class_wearable(&options, 3, 1000, &reseeded);
    assert_string_equal(w.id, "sim-002R");
    assert_int_equal(w.boot, again.boot);
    assert_int_not_equal(w.boot, later.boot);
    assert_int_not_equal(w.boot, reseeded.boot);
    assert_true(w.powered_up_ms < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backwards_is_shorter_not_slower),
        cmocka_unit_test(test_strides_remember),
        cmocka_unit_test(test_first_step_after_the_turn_takes_longer),
        cmocka_unit_test(test_feet_alternate_within_hard_ranges),
        cmocka_unit_test(test_a_class_comes_in_order_of_time),
        cmocka_unit_test(test_a_timetable_ends_in_its_last_phase),
        cmocka_unit_test(test_devices_by_name),
        cmocka_unit_test(test_a_class_is_what_its_seed_says),
        cmocka_unit_test(test_another_start_or_seed_is_another_boot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
