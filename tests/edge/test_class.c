/* Classes of persons: order of contacts, timetable, who keeps how much, and slips with the step
 * that was told. Must never take the order of events from the class itself. */
#include "class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START_MS 1000000

static const struct bs_class_phase phases[] = {{BS_DIRECTION_BACKWARD, 20000},
                                               {BS_DIRECTION_FORWARD, 10000}};

static struct bs_class_options small_class(void)
{
    return (struct bs_class_options){.members = 7,
                                     .duration_ms = 60000,
                                     .timetable = {.phases = phases, .count = 2},
                                     .person = {.pace_spm = 110},
                                     .seed = 42};
}

static struct bs_class *new_class(const struct bs_class_options *options)
{
    struct bs_class *c;
    assert_int_equal(bs_class_new(&c, options, START_MS), BS_OK);
    return c;
}

static void test_a_class_comes_in_order_of_time(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    struct bs_class *c = new_class(&options);
    uint32_t next[7] = {0};
    unsigned count = 0;
    int64_t last_ms = START_MS;
    struct bs_contact k;
    for (; bs_class_next(c, &k); count++) {
        assert_true(k.event.time_ms >= last_ms && k.event.time_ms < START_MS + 60000);
        last_ms = k.event.time_ms;
        assert_int_equal(k.number, next[k.member]++);
        assert_false(k.shifts);
        int64_t phase_ms = (k.event.time_ms - START_MS) % 30000;
        /* A step that began before the turn ends in its own direction. */
        if (phase_ms > 1000 && (phase_ms < 20000 || phase_ms > 21000))
            assert_int_equal(k.event.direction,
                             phase_ms < 20000 ? BS_DIRECTION_BACKWARD : BS_DIRECTION_FORWARD);
    }
    assert_in_range(count, 650, 880);
    bs_class_free(c);
}

static void test_a_timetable_ends_in_its_last_phase(void **state)
{
    (void)state;
    static const struct bs_class_phase three[] = {
        {BS_DIRECTION_BACKWARD, 1000}, {BS_DIRECTION_UP, 0}, {BS_DIRECTION_LEFT, 500}};
    const struct {
        uint32_t repeat;
        int64_t ahead_ms, ms;
        enum bs_direction before, expected;
    } cases[] = {
        {2, 0, 0, 0, BS_DIRECTION_BACKWARD},
        {2, 0, 999, 0, BS_DIRECTION_BACKWARD},
        {2, 0, 1000, 0, BS_DIRECTION_LEFT},
        {2, 0, 1500, 0, BS_DIRECTION_BACKWARD},
        {2, 0, 2999, 0, BS_DIRECTION_LEFT},
        {2, 0, 3000, 0, BS_DIRECTION_LEFT},
        {0, 0, 3000, 0, BS_DIRECTION_BACKWARD},
        {0, 0, 1500000, 0, BS_DIRECTION_BACKWARD},
        {2, 1200, 0, 0, BS_DIRECTION_LEFT},
        {2, -1200, 1100, 0, BS_DIRECTION_BACKWARD},
        {2, -1200, 2300, 0, BS_DIRECTION_LEFT},
        {2, -1200, 1199, BS_DIRECTION_FORWARD, BS_DIRECTION_FORWARD},
        {2, -1200, 1200, BS_DIRECTION_FORWARD, BS_DIRECTION_BACKWARD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bs_class_timetable t = {three, 3, cases[i].repeat, cases[i].ahead_ms,
                                       cases[i].before};
        enum bs_direction found = bs_class_direction(&t, cases[i].ms);
        if (found != cases[i].expected)
            fail_msg("case %zu: direction %d, expected %d", i, found, cases[i].expected);
    }
}

static void test_a_class_is_what_its_seed_says(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    struct bs_class *a = new_class(&options), *b = new_class(&options);
    options.seed++;
    struct bs_class *other = new_class(&options);
    struct bs_contact k = {0}, l = {0}, m = {0};
    unsigned different = 0;
    while (bs_class_next(a, &k)) {
        assert_true(bs_class_next(b, &l));
        assert_int_equal(k.member, l.member);
        assert_int_equal(k.event.time_ms, l.event.time_ms);
        assert_memory_equal(k.event.value, l.event.value, sizeof k.event.value);
        different += bs_class_next(other, &m) && m.event.time_ms != k.event.time_ms;
    }
    assert_false(bs_class_next(b, &l));
    assert_true(different > 100);
    bs_class_free(a);
    bs_class_free(b);
    bs_class_free(other);
}

static void test_everybody_keeps_a_share_of_their_own(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    options.members = 200;
    options.person.retention_min = 0.2;
    options.person.retention_max = 0.9;
    struct bs_class *c = new_class(&options);
    double sum = 0;
    unsigned low = 0, high = 0;
    for (uint32_t i = 0; i < options.members; i++) {
        double kept = bs_class_retention(c, i);
        assert_true(kept >= 0.2 && kept <= 0.9);
        sum += kept;
        low += kept < 0.35;
        high += kept > 0.75;
    }
    if (sum < 200 * 0.5 || sum > 200 * 0.6 || low < 20 || high < 20)
        fail_msg("mean %g, %u below 0.35, %u over 0.75", sum / 200, low, high);
    bs_class_free(c);
}

struct member {
    unsigned phase_steps, shifts;
    uint8_t direction;
};

/* The shift must come with the step that it names, counted here. */
static void expect_shift(const struct bs_contact *k, const struct member *m)
{
    assert_int_equal(k->event.direction, BS_DIRECTION_FORWARD);
    assert_int_equal(k->shift.step, m->phase_steps);
    assert_in_range(k->shift.step, 5, 9);
    double size = k->shift.size < 0 ? -k->shift.size : k->shift.size;
    double unit = k->shift.metric == BS_SHIFT_TRUNK_PITCH ? BS_DEGREES_PER_PERCENT : 1;
    if (size != 12 * unit && size != 25 * unit)
        fail_msg("size %g of metric %d", k->shift.size, k->shift.metric);
}

static void test_a_slip_begins_at_the_step_that_was_told(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    options.members = 100;
    options.duration_ms = 121000;
    options.person =
        (struct bs_person_options){.pace_spm = 110,
                                   .slips_pct = 40,
                                   .shift_pct = {12, 25},
                                   .shift_count = 2,
                                   .metrics = 1u << BS_SHIFT_STEP_TIME | 1u << BS_SHIFT_TRUNK_PITCH,
                                   .shift_step_min = 5,
                                   .shift_step_max = 9};
    struct bs_class *c = new_class(&options);
    static struct member members[100];
    unsigned by_metric[BS_SHIFT_METRICS] = {0}, up = 0, all = 0, slippers = 0;
    struct bs_contact k;
    while (bs_class_next(c, &k)) {
        struct member *m = &members[k.member];
        m->phase_steps = m->direction == k.event.direction ? m->phase_steps + 1 : 1;
        m->direction = k.event.direction;
        if (!k.shifts)
            continue;
        expect_shift(&k, m);
        m->shifts++;
        all++;
        by_metric[k.shift.metric]++;
        up += k.shift.size > 0;
    }
    for (int i = 0; i < 100; i++) {
        assert_true(members[i].shifts == 0 || members[i].shifts == 4); /* the forward phases */
        slippers += members[i].shifts > 0;
    }
    assert_in_range(slippers, 25, 55);
    assert_int_equal(by_metric[BS_SHIFT_STEP_LENGTH] + by_metric[BS_SHIFT_OSCILLATION], 0);
    assert_in_range(by_metric[BS_SHIFT_STEP_TIME], all / 3, all - all / 3);
    assert_in_range(up, all / 3, all - all / 3);
    bs_class_free(c);
}

static void test_nobody_slips_before_a_backward_phase(void **state)
{
    (void)state;
    struct bs_class_options options = small_class();
    options.timetable.ahead_ms = -30000;
    options.timetable.before = BS_DIRECTION_FORWARD;
    options.duration_ms = 30000;
    options.person.slips_pct = 100;
    options.person.shift_pct[0] = 25;
    options.person.shift_count = 1;
    options.person.metrics = 1;
    options.person.shift_step_min = options.person.shift_step_max = 10;
    struct bs_class *c = new_class(&options);
    struct bs_contact k;
    while (bs_class_next(c, &k)) {
        assert_int_equal(k.event.direction, BS_DIRECTION_FORWARD);
        assert_false(k.shifts);
    }
    bs_class_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_class_comes_in_order_of_time),
        cmocka_unit_test(test_a_timetable_ends_in_its_last_phase),
        cmocka_unit_test(test_a_class_is_what_its_seed_says),
        cmocka_unit_test(test_everybody_keeps_a_share_of_their_own),
        cmocka_unit_test(test_a_slip_begins_at_the_step_that_was_told),
        cmocka_unit_test(test_nobody_slips_before_a_backward_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
