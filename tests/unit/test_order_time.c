/* Step time, step length, and the step that nobody saw: each rule where it applies, and where it
 * does not. */
#include "order_world.h"

#define U BS_FOOT_UNKNOWN
#define L BS_FOOT_LEFT
#define R BS_FOOT_RIGHT

static void send(struct world *w, int64_t at, unsigned slot, enum bs_foot foot)
{
    world_send(w, (struct event){.at = at, .slot = slot, .foot = foot});
}

static void send_with(struct world *w, int64_t at, unsigned slot, enum bs_foot foot,
                      enum bs_field field, int16_t value)
{
    struct event e = {.at = at, .slot = slot, .foot = foot};
    e.fields[field] = value;
    world_send(w, e);
}

/* Of the last step: its time in half milliseconds, 0: unknown; whether it is exact. */
static void assert_time(struct world *w, int halves, bool exact)
{
    const struct passing *p = world_last(w);
    if (p->sample.step_time_halves != halves || p->sample.step_time_exact != exact)
        fail_msg("step at %lld: time %d halves, exact %d; expected %d, %d",
                 (long long)(p->step.time_ms - WORLD_NOW), p->sample.step_time_halves,
                 p->sample.step_time_exact, halves, exact);
}

/* 1: step_ms. */

static void what_the_device_says_comes_first(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send_with(&w, 0, 1, L, BS_FIELD_STEP_MS, 140);
    assert_time(&w, 280, true);
    struct event e = {.at = 500, .slot = 1, .foot = L}; /* the same foot: said is said */
    e.fields[BS_FIELD_STEP_MS] = 2200;
    e.fields[BS_FIELD_STRIDE_MS] = 900;
    world_send(&w, e);
    assert_time(&w, 4400, true);
    world_end(&w);
}

/* 2: by the clock of a device that reported both steps. */

static void two_steps_of_one_device(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    assert_time(&w, 0, false);
    send_with(&w, 500, 1, R, BS_FIELD_STRIDE_MS, 900);
    assert_time(&w, 1000, true);
    send(&w, 1000, 1, U);
    assert_time(&w, 1000, true);
    send(&w, 1500, 1, L); /* after an unknown one any foot is another */
    assert_time(&w, 1000, true);
    world_end(&w);
}

static void a_difference_lies_in_the_hard_range(void **state)
{
    (void)state;
    static const struct {
        int ms, halves;
    } cases[] = {{139, 0}, {140, 280}, {2200, 4400}, {2201, 0}};
    for (int i = 0; i < 8; i++) {
        bool across = i >= 4; /* by one device's clock, or across two */
        struct world w;
        world_begin(&w);
        send(&w, 0, 1, L);
        send(&w, cases[i % 4].ms, across ? 2 : 1, R);
        assert_time(&w, cases[i % 4].halves, cases[i % 4].halves && !across);
        world_end(&w);
    }
}

static void twice_the_same_foot_is_no_step_time(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    send(&w, 200, 1, L); /* nor a stride, so soon */
    assert_time(&w, 0, false);
    world_end(&w);
}

/* By the events' own times, not by the steps', which are those of other devices. */
static void the_devices_own_clock_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    send(&w, 70, 2, L);
    send(&w, 500, 3, R);
    send(&w, 480, 2, R);
    assert_time(&w, 2 * (480 - 70), true);
    world_end(&w);
}

/* The first by arrival of the devices that reported both; where that says what cannot be, no other
 * one is asked. */
static void the_first_of_several_devices_is_asked(void **state)
{
    (void)state;
    for (int beyond = 0; beyond < 2; beyond++) {
        struct world w;
        world_begin(&w);
        send(&w, 0, 1, L);
        send(&w, beyond ? 100 : 30, 2, L);
        send(&w, beyond ? 200 : 500, 2, R);
        send(&w, beyond ? 210 : 510, 1, R);
        assert_time(&w, beyond ? 0 : 940, !beyond);
        world_end(&w);
    }
}

/* A second device saw a step in between: the difference is to the previous step or it is none. */
static void only_the_previous_step_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, U);
    send(&w, 500, 2, U);
    send(&w, 1000, 1, U);
    assert_time(&w, 1000, false); /* across the devices */
    world_end(&w);
}

static void a_step_remembers_its_first_four_events(void **state)
{
    (void)state;
    for (unsigned last = 3; last < 5; last++) {
        struct world w;
        world_begin(&w);
        for (unsigned slot = 0; slot < 5; slot++)
            send(&w, 10 * (int64_t)slot, slot, L);
        send(&w, 500, last, R);
        if (last == 3)
            assert_time(&w, 2 * (500 - 30), true);
        else
            assert_time(&w, 0, false); /* it is known to have seen both: no other clock is taken */
        world_end(&w);
    }
}

/* 3: half of stride_ms. */

static void half_a_stride_where_no_device_saw_both(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    send_with(&w, 500, 2, R, BS_FIELD_STRIDE_MS, 1101);
    assert_time(&w, 1101, false);
    send_with(&w, 800, 2, R, BS_FIELD_STRIDE_MS, 1102); /* twice the same foot */
    assert_time(&w, 1102, false);
    send_with(&w, 5000, 2, L, BS_FIELD_STRIDE_MS, 1103); /* beyond a step's range */
    assert_time(&w, 1103, false);
    world_end(&w);
}

/* 4: half the difference to that device's previous event of the same known foot. */

static void a_pod_alone_tells_half_a_stride(void **state)
{
    (void)state;
    static const struct {
        int ms, halves;
    } cases[] = {{299, 0}, {300, 300}, {1101, 1101}, {3000, 3000}, {3001, 0}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_begin(&w);
        send(&w, 0, 1, L);
        send(&w, cases[i].ms, 1, L);
        assert_time(&w, cases[i].halves, false);
        world_end(&w);
    }
}

/* Steps of others lie between, and its own times count. */
static void a_pods_stride_is_its_own(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 2, L);
    send(&w, 60, 1, L);
    send(&w, 600, 2, R);
    send(&w, 690, 3, R);
    send(&w, 1200, 4, L);
    send(&w, 1190, 1, L);
    assert_time(&w, 1190 - 60, false);
    world_end(&w);
}

static void the_other_foot_or_an_unknown_one_is_no_stride(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    send(&w, 100, 2, R); /* the previous step: too soon for any difference */
    send(&w, 2500, 1, R);
    assert_time(&w, 0, false);
    send(&w, 5000, 1, U);
    assert_time(&w, 0, false);
    send(&w, 5500, 2, R); /* R of device 2 was long ago, R of device 1 is none of it */
    assert_time(&w, 1000, false);
    world_end(&w);
}

/* The first by arrival that names a foot and had one before; its word holds. */
static void the_first_device_with_a_stride_is_asked(void **state)
{
    (void)state;
    for (int beyond = 0; beyond < 2; beyond++) {
        struct world w;
        world_begin(&w);
        send(&w, 0, 1, L);
        send(&w, beyond ? -100 : 20, 2, L);
        send(&w, 500, 3, R);
        send(&w, 2900, 4, L); /* had none before */
        send(&w, 2901, 2, L);
        send(&w, 2902, 1, L);
        assert_time(&w, beyond ? 0 : 2881, false);
        world_end(&w);
    }
}

static void a_step_after_its_place_gives_no_stride(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 3000, 2, R);
    world_last(&w);
    send(&w, 2000, 1, L); /* after its place */
    assert_false(w.passed[w.count - 1].in_order);
    send(&w, 3100, 1, L);
    assert_time(&w, 0, false);
    world_end(&w);
}

static void a_new_device_in_a_slot_had_none_before(void **state)
{
    (void)state;
    for (int renewed = 0; renewed < 2; renewed++) {
        struct world w;
        world_begin(&w);
        send(&w, 0, 1, L);
        send(&w, 100, 2, R);
        world_last(&w);
        if (renewed)
            bs_order_clear_slot(w.order, 1);
        bs_order_clear_slot(w.order, 31); /* of which nothing is known */
        send(&w, 2800, 1, L);
        assert_time(&w, renewed ? 0 : 2800, false);
        world_end(&w);
    }
}

/* 5: across devices. */

static void across_devices_the_steps_times_count(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    send(&w, 90, 2, L);
    send(&w, 500, 3, R);
    send(&w, 410, 4, R); /* earlier than the first event of its step */
    assert_time(&w, 1000, false);
    send(&w, 900, 5, R);
    assert_time(&w, 0, false);
    world_end(&w);
}

/* Late and stored ones. */

static void a_step_alone_has_its_own_words_only(void **state)
{
    (void)state;
    for (int stored = 0; stored < 2; stored++) {
        struct world w;
        world_begin(&w);
        send(&w, 0, 1, L);
        send(&w, 1000, 1, L);
        world_last(&w);
        struct event e = {.at = 500, .slot = 1, .foot = L, .stored = stored};
        world_send(&w, e);
        assert_time(&w, 0, false);
        assert_false(w.passed[w.count - 1].sample.missed);
        e.at = 501;
        e.fields[BS_FIELD_STRIDE_MS] = 1101;
        e.fields[BS_FIELD_STRIDE_MM] = 1301;
        world_send(&w, e);
        assert_time(&w, 1101, false);
        assert_int_equal(w.passed[w.count - 1].sample.step_length_halves, 1301);
        e.at = 502;
        e.fields[BS_FIELD_STEP_MS] = 550;
        e.fields[BS_FIELD_STEP_MM] = 650;
        world_send(&w, e);
        assert_time(&w, 1100, true);
        assert_int_equal(w.passed[w.count - 1].sample.step_length_halves, 1300);
        world_end(&w);
    }
}

/* It does not become the previous step of the next one. */
static void after_a_step_alone_the_order_goes_on(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, L);
    send(&w, 1000, 1, R);
    world_last(&w);
    send(&w, 800, 1, L);
    world_send(&w, (struct event){.at = 1400, .slot = 1, .foot = L, .stored = true});
    send(&w, 1500, 1, L);
    assert_time(&w, 1000, true);
    world_end(&w);
}

/* Step length. */

static void length_is_the_steps_or_half_the_strides(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    struct event e = {.at = 0, .slot = 1};
    world_send(&w, e);
    assert_int_equal(world_last(&w)->sample.step_length_halves, 0);
    e.at = 500;
    e.fields[BS_FIELD_STRIDE_MM] = 5500;
    world_send(&w, e);
    assert_int_equal(world_last(&w)->sample.step_length_halves, 5500);
    e.at = 1000;
    e.fields[BS_FIELD_STEP_MM] = 3000;
    world_send(&w, e);
    assert_int_equal(world_last(&w)->sample.step_length_halves, 6000);
    world_end(&w);
}

/* Missed. */

static bool is_missed(int64_t after_ms, enum bs_foot before, enum bs_foot foot)
{
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, before);
    assert_false(world_last(&w)->sample.missed);
    send(&w, after_ms, 2, foot);
    bool missed = world_last(&w)->sample.missed;
    world_end(&w);
    return missed;
}

static void the_same_known_foot_soon_after_stands_for_a_missed_one(void **state)
{
    (void)state;
    assert_true(is_missed(1000, L, L));
    assert_true(is_missed(3000, R, R));
    assert_false(is_missed(3001, L, L));
    assert_false(is_missed(1000, L, R));
    assert_false(is_missed(1000, U, U));
    assert_false(is_missed(1000, U, L));
    assert_false(is_missed(1000, L, U));
}

/* Whatever its step time comes from; the fused step's foot and time count. */
static void missed_is_of_the_step_as_fused(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1, U);
    send(&w, 0, 2, L);
    send_with(&w, 3000, 1, U, BS_FIELD_STEP_MS, 500);
    send(&w, 3100, 2, L);
    assert_time(&w, 1000, true);
    assert_true(w.passed[w.count - 1].sample.missed);
    send(&w, 6001, 1, U);
    send(&w, 5950, 2, L); /* within 3000 ms, but the step is not */
    assert_false(world_last(&w)->sample.missed);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_device_says_comes_first),
        cmocka_unit_test(two_steps_of_one_device),
        cmocka_unit_test(a_difference_lies_in_the_hard_range),
        cmocka_unit_test(twice_the_same_foot_is_no_step_time),
        cmocka_unit_test(the_devices_own_clock_counts),
        cmocka_unit_test(the_first_of_several_devices_is_asked),
        cmocka_unit_test(only_the_previous_step_counts),
        cmocka_unit_test(a_step_remembers_its_first_four_events),
        cmocka_unit_test(half_a_stride_where_no_device_saw_both),
        cmocka_unit_test(a_pod_alone_tells_half_a_stride),
        cmocka_unit_test(a_pods_stride_is_its_own),
        cmocka_unit_test(the_other_foot_or_an_unknown_one_is_no_stride),
        cmocka_unit_test(the_first_device_with_a_stride_is_asked),
        cmocka_unit_test(a_step_after_its_place_gives_no_stride),
        cmocka_unit_test(a_new_device_in_a_slot_had_none_before),
        cmocka_unit_test(across_devices_the_steps_times_count),
        cmocka_unit_test(a_step_alone_has_its_own_words_only),
        cmocka_unit_test(after_a_step_alone_the_order_goes_on),
        cmocka_unit_test(length_is_the_steps_or_half_the_strides),
        cmocka_unit_test(the_same_known_foot_soon_after_stands_for_a_missed_one),
        cmocka_unit_test(missed_is_of_the_step_as_fused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
