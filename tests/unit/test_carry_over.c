/* Habit, back, block: which steps they are over, and what is said of them. */
#include "backstep/core/carry_over.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

/* In mm, ms, 1/100 degree; 0 mm or ms: unknown. */
static struct bs_carry_value value_of(int mm, int ms, int trunk)
{
    return (struct bs_carry_value){(uint16_t)(2 * mm), (uint16_t)(2 * ms), (int16_t)trunk,
                                   BS_CARRY_UNKNOWN};
}

#define NO_TRUNK BS_CARRY_UNKNOWN

static void walk(struct bs_carry *c, int steps, int mm, int ms)
{
    struct bs_carry_value v = value_of(mm, ms, NO_TRUNK);
    for (int i = 0; i < steps; i++)
        bs_carry_take_forward(c, &v);
}

/* A backward bout that is long enough. */
static void back(struct bs_carry *c, int steps, int mm, int ms, int trunk)
{
    struct bs_carry_value v = value_of(mm, ms, trunk);
    for (int i = 0; i < steps; i++)
        bs_carry_take_backward(c, &v);
    bs_carry_tell_habit(c);
    bs_carry_end_backward(c, true, (uint32_t)steps, 1000);
}

/* A block of so many steps, of which the first `with` have length and time. */
static struct bs_carry_figures compare(const struct bs_carry *c, int steps, int with,
                                       struct bs_carry_value v)
{
    struct bs_carry_block b;
    struct bs_carry_figures f;
    assert_true(bs_carry_block_init(&b, (uint16_t)steps));
    for (int i = 0; i < steps; i++)
        b.values[b.count++] = i < with ? v : value_of(0, 0, NO_TRUNK);
    bs_carry_compare(c, &b, &f);
    bs_carry_block_fini(&b);
    assert_null(b.values);
    return f;
}

static struct bs_carry_figures compare_all(const struct bs_carry *c, int mm, int ms)
{
    return compare(c, 20, 20, value_of(mm, ms, NO_TRUNK));
}

static void assert_pct(double found, double expected)
{
    if (!(fabs(found - expected) < 1e-9))
        fail_msg("%.12g, expected %.12g", found, expected);
}

/* What of a step is compared. */

static void values_of_a_step(void **state)
{
    (void)state;
    struct bs_step step = {0};
    struct bs_sample sample = {.step = &step};
    int16_t value = 77;
    struct bs_carry_value v = bs_carry_value_of(&sample);
    for (unsigned m = 0; m < BS_SLIP_METRICS; m++)
        assert_false(bs_carry_value_get(&v, m, &value));
    sample.step_length_halves = 1401;
    sample.step_time_halves = 1101;
    bs_step_set(&step, BS_FIELD_TRUNK_CDEG, 0);
    bs_step_set(&step, BS_FIELD_VO_MM, 0);
    v = bs_carry_value_of(&sample);
    assert_true(bs_carry_value_get(&v, BS_SLIP_STEP_LENGTH, &value) && value == 1401);
    assert_true(bs_carry_value_get(&v, BS_SLIP_STEP_TIME, &value) && value == 1101);
    assert_true(bs_carry_value_get(&v, BS_SLIP_TRUNK_PITCH, &value) && value == 0);
    assert_true(bs_carry_value_get(&v, BS_SLIP_VERTICAL_OSCILLATION, &value) && value == 0);
    bs_step_set(&step, BS_FIELD_TRUNK_CDEG, -4500);
    bs_step_set(&step, BS_FIELD_VO_MM, 300);
    v = bs_carry_value_of(&sample);
    assert_true(bs_carry_value_get(&v, BS_SLIP_TRUNK_PITCH, &value) && value == -4500);
    assert_true(bs_carry_value_get(&v, BS_SLIP_VERTICAL_OSCILLATION, &value) && value == 300);
}

/* Retention. */

static void retention_is_how_much_of_the_way_is_kept(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 20, 700, 500);
    back(&c, 10, 500, 520, NO_TRUNK);
    struct bs_carry_figures f = compare_all(&c, 550, 510);
    assert_true(f.has_length && f.has_ratio && !f.has_trunk);
    assert_pct(f.length_pct, 75);
    assert_pct(f.ratio_pct, 100 * (700 * 500.0 - 550 * 510) / (700 * 500.0 - 500 * 520));
    double mean;
    assert_true(bs_carry_retention(&f, &mean));
    assert_pct(mean, (f.length_pct + f.ratio_pct) / 2);
    bs_carry_fini(&c);
}

static void retention_lies_between_0_and_100(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 20, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 800, 500).length_pct, 0);
    assert_pct(compare_all(&c, 700, 500).length_pct, 0);
    assert_pct(compare_all(&c, 500, 500).length_pct, 100);
    assert_pct(compare_all(&c, 400, 500).length_pct, 100);
    bs_carry_fini(&c);
}

/* Whoever strides out backwards. */
static void the_way_may_lead_upwards(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 20, 500, 500);
    back(&c, 10, 600, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 575, 500).length_pct, 75);
    assert_pct(compare_all(&c, 480, 500).length_pct, 0);
    bs_carry_fini(&c);
}

/* 5 % of 1000 mm, from both sides. */
static void less_than_5_percent_of_habit_is_nothing_learned(void **state)
{
    (void)state;
    static const struct {
        int back_halves;
        bool there;
    } cases[] = {{1900, true},  {1899, true}, {1901, false}, {2000, false},
                 {2099, false}, {2100, true}, {2101, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bs_carry c = {0};
        walk(&c, 15, 1000, 500);
        struct bs_carry_value v = value_of(0, 500, NO_TRUNK);
        v.length_halves = (uint16_t)cases[i].back_halves;
        bs_carry_take_backward(&c, &v);
        bs_carry_tell_habit(&c);
        bs_carry_end_backward(&c, true, 8, 0);
        struct bs_carry_figures f = compare_all(&c, 1000, 500);
        if (f.has_length != cases[i].there || f.has_ratio != cases[i].there)
            fail_msg("back %d halves: length %d, ratio %d; expected %d", cases[i].back_halves,
                     f.has_length, f.has_ratio, cases[i].there);
        bs_carry_fini(&c);
    }
}

static void the_mean_is_of_what_is_there(void **state)
{
    (void)state;
    double mean = 1234;
    struct bs_carry_figures f = {.length_pct = 40, .ratio_pct = 70};
    assert_false(bs_carry_retention(&f, &mean));
    assert_pct(mean, 1234);
    f.has_length = true;
    assert_true(bs_carry_retention(&f, &mean));
    assert_pct(mean, 40);
    f.has_ratio = true;
    assert_true(bs_carry_retention(&f, &mean));
    assert_pct(mean, 55);
    f.has_length = false;
    assert_true(bs_carry_retention(&f, &mean));
    assert_pct(mean, 70);
}

/* The ratio's way is less than 5 % where shorter steps come slower. */
static void one_metric_may_be_left_out(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 20, 600, 500);
    back(&c, 10, 500, 600, NO_TRUNK);
    struct bs_carry_figures f = compare_all(&c, 550, 550);
    assert_true(f.has_length && !f.has_ratio);
    bs_carry_fini(&c);
}

/* Habit. */

static void a_habit_is_15_steps_with_the_metric(void **state)
{
    (void)state;
    for (int steps = 14; steps <= 15; steps++) {
        struct bs_carry c = {0};
        walk(&c, steps, 700, 500);
        walk(&c, 50, 0, 500);
        walk(&c, 50, 700, 0); /* with a length, and no ratio */
        back(&c, 10, 500, 500, NO_TRUNK);
        struct bs_carry_figures f = compare_all(&c, 600, 500);
        assert_true(f.has_length);
        assert_int_equal(f.has_ratio, steps == 15);
        bs_carry_fini(&c);
    }
    struct bs_carry c = {0};
    walk(&c, 14, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_false(compare_all(&c, 600, 500).has_length);
    bs_carry_fini(&c);
}

static void steps_after_the_first_backward_bout_are_no_habit(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 20, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    walk(&c, 400, 500, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 600, 500).length_pct, 50);
    bs_carry_fini(&c);
}

/* Too few before the first backward bout: what comes after it does not make up for them. */
static void a_short_habit_is_not_filled_up_later(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 14, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    walk(&c, 400, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_false(compare_all(&c, 600, 500).has_length);
    bs_carry_fini(&c);
}

static void a_habit_is_kept_for_later_visits(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 15, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    bs_carry_begin_visit(&c);
    walk(&c, 14, 900, 500); /* too few to count */
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 600, 500).length_pct, 50);
    bs_carry_begin_visit(&c); /* nor did they become the kept one */
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 600, 500).length_pct, 50);
    bs_carry_begin_visit(&c);
    walk(&c, 15, 900, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 600, 500).length_pct, 75); /* this visit's own comes first */
    bs_carry_begin_visit(&c);
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 600, 500).length_pct, 75);
    bs_carry_fini(&c);
}

static void metrics_are_kept_each_by_itself(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 15, 800, 500);
    bs_carry_begin_visit(&c);
    walk(&c, 15, 600, 0); /* a length, and no ratio */
    bs_carry_begin_visit(&c);
    back(&c, 10, 400, 500, NO_TRUNK);
    struct bs_carry_figures f = compare_all(&c, 500, 500);
    assert_pct(f.length_pct, 50);
    assert_pct(f.ratio_pct, 75);
    bs_carry_fini(&c);
}

static void a_visit_without_a_backward_bout_keeps_what_it_walked(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 100, 700, 500);
    bs_carry_begin_visit(&c);
    assert_null(c.walked.values);
    back(&c, 10, 500, 500, NO_TRUNK);
    assert_pct(compare_all(&c, 600, 500).length_pct, 50);
    bs_carry_fini(&c);
}

/* Of 612 steps 100 are forgotten: 256 short ones are half of the rest. */
static void habit_and_back_are_over_the_last_512_steps(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 356, 700, 500);
    walk(&c, 256, 800, 500);
    struct bs_carry_value longer = value_of(500, 500, 0), shorter = value_of(400, 500, 100);
    for (int i = 0; i < 612; i++)
        bs_carry_take_backward(&c, i < 356 ? &longer : &shorter);
    bs_carry_tell_habit(&c);
    bs_carry_end_backward(&c, true, 612, 0);
    assert_int_equal(c.back.steps, 612);
    struct bs_carry_figures f = compare(&c, 20, 20, value_of(600, 500, 50));
    assert_pct(f.length_pct, 50); /* from 750 to 450 */
    assert_pct(f.ratio_pct, 50);
    assert_pct(f.trunk_deg, 0); /* from 0.5 */
    bs_carry_fini(&c);
}

/* The memory of a series grows twice; nothing may be lost or turned round meanwhile. */
static void series_of_all_lengths(void **state)
{
    (void)state;
    for (int steps = 1; steps <= 1100; steps += steps < 40 ? 1 : 59) {
        struct bs_carry c = {0};
        for (int i = 1; i <= steps; i++)
            walk(&c, 1, 1000 + i, 500);
        bs_carry_tell_habit(&c);
        int first = steps > 512 ? steps - 511 : 1;
        assert_int_equal(c.habit[BS_CARRY_LENGTH].count, steps - first + 1);
        assert_pct(c.habit[BS_CARRY_LENGTH].value, 2000 + first + steps);
        bs_carry_fini(&c);
    }
}

/* Back. */

static void the_last_written_backward_bout_is_back(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 20, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    c.back.has_partner = true;
    struct bs_carry_value v = value_of(300, 500, NO_TRUNK);
    for (int i = 0; i < 7; i++)
        bs_carry_take_backward(&c, &v);
    bs_carry_end_backward(&c, false, 7, 5000); /* too short */
    assert_true(c.back.has_partner && c.back.steps == 10 && c.back.last_ms == 1000);
    assert_pct(compare_all(&c, 600, 500).length_pct, 50);
    back(&c, 8, 300, 500, NO_TRUNK); /* of the short one's steps nothing is left */
    assert_true(!c.back.has_partner && c.back.steps == 8);
    assert_int_equal(c.back.middles[BS_CARRY_LENGTH].count, 8);
    assert_pct(compare_all(&c, 600, 500).length_pct, 25);
    bs_carry_fini(&c);
}

static void one_value_of_back_is_enough(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    walk(&c, 20, 700, 500);
    struct bs_carry_value v = value_of(500, 500, NO_TRUNK), unknown = value_of(0, 0, NO_TRUNK);
    for (int i = 0; i < 9; i++)
        bs_carry_take_backward(&c, i == 4 ? &v : &unknown);
    bs_carry_tell_habit(&c);
    bs_carry_end_backward(&c, true, 9, 0);
    assert_pct(compare_all(&c, 600, 500).length_pct, 50);
    bs_carry_fini(&c);
    c = (struct bs_carry){0};
    walk(&c, 20, 700, 500);
    back(&c, 9, 0, 500, NO_TRUNK);
    assert_false(compare_all(&c, 600, 500).has_length);
    bs_carry_fini(&c);
}

/* Block. */

static void half_of_the_block_and_five_steps_have_the_metric(void **state)
{
    (void)state;
    static const struct {
        int steps, with;
        bool there;
    } cases[] = {{20, 10, true}, {20, 9, false}, {21, 11, true},   {21, 10, false},
                 {10, 5, true},  {11, 5, false}, {8, 5, true},     {8, 4, false},
                 {5, 5, true},   {4, 4, false},  {200, 100, true}, {200, 99, false}};
    struct bs_carry c = {0};
    walk(&c, 20, 700, 500);
    back(&c, 10, 500, 500, NO_TRUNK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bs_carry_figures f =
            compare(&c, cases[i].steps, cases[i].with, value_of(600, 500, 0));
        if (f.has_length != cases[i].there || f.has_ratio != cases[i].there)
            fail_msg("%d of %d: length %d, ratio %d, expected %d", cases[i].with, cases[i].steps,
                     f.has_length, f.has_ratio, cases[i].there);
        f = compare(&c, cases[i].steps, cases[i].with, value_of(600, 0, 0));
        assert_true(f.has_length == cases[i].there && !f.has_ratio);
        f = compare(&c, cases[i].steps, cases[i].with, value_of(0, 500, 0));
        assert_true(!f.has_length && !f.has_ratio);
    }
    bs_carry_fini(&c);
}

static void medians_of_a_block(void **state)
{
    (void)state;
    struct bs_carry_block b;
    assert_true(bs_carry_block_init(&b, 200));
    for (unsigned m = 0; m < BS_SLIP_METRICS; m++)
        assert_int_equal(bs_carry_block_middle(&b, m).count, 0);
    for (int i = 0; i < 200; i++) {
        struct bs_carry_value v = value_of(600, 500, -100);
        v.length_halves = (uint16_t)(1000 + i);
        v.vo_mm = i < 120 ? 30 : BS_CARRY_UNKNOWN;
        b.values[b.count++] = v;
    }
    assert_pct(bs_carry_block_middle(&b, BS_SLIP_STEP_LENGTH).value, 1099.5);
    assert_pct(bs_carry_block_middle(&b, BS_SLIP_STEP_TIME).value, 1000);
    assert_pct(bs_carry_block_middle(&b, BS_SLIP_TRUNK_PITCH).value, -100);
    assert_pct(bs_carry_block_middle(&b, BS_SLIP_VERTICAL_OSCILLATION).value, 30);
    assert_int_equal(bs_carry_block_middle(&b, BS_SLIP_VERTICAL_OSCILLATION).count, 120);
    bs_carry_block_fini(&b);
}

/* One value on each side is enough: it is no retention. */
static void the_trunk_is_told_as_a_difference(void **state)
{
    (void)state;
    struct bs_carry c = {0};
    back(&c, 1, 0, 0, -250);
    struct bs_carry_figures f = compare(&c, 20, 1, value_of(0, 0, 125));
    assert_true(f.has_trunk && !f.has_length && !f.has_ratio);
    assert_pct(f.trunk_deg, 3.75);
    assert_false(compare(&c, 20, 0, value_of(0, 0, 0)).has_trunk);
    back(&c, 1, 0, 0, NO_TRUNK);
    assert_false(compare(&c, 20, 20, value_of(0, 0, 125)).has_trunk);
    bs_carry_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_a_step),
        cmocka_unit_test(retention_is_how_much_of_the_way_is_kept),
        cmocka_unit_test(retention_lies_between_0_and_100),
        cmocka_unit_test(the_way_may_lead_upwards),
        cmocka_unit_test(less_than_5_percent_of_habit_is_nothing_learned),
        cmocka_unit_test(the_mean_is_of_what_is_there),
        cmocka_unit_test(one_metric_may_be_left_out),
        cmocka_unit_test(a_habit_is_15_steps_with_the_metric),
        cmocka_unit_test(steps_after_the_first_backward_bout_are_no_habit),
        cmocka_unit_test(a_short_habit_is_not_filled_up_later),
        cmocka_unit_test(a_habit_is_kept_for_later_visits),
        cmocka_unit_test(metrics_are_kept_each_by_itself),
        cmocka_unit_test(a_visit_without_a_backward_bout_keeps_what_it_walked),
        cmocka_unit_test(habit_and_back_are_over_the_last_512_steps),
        cmocka_unit_test(series_of_all_lengths),
        cmocka_unit_test(the_last_written_backward_bout_is_back),
        cmocka_unit_test(one_value_of_back_is_enough),
        cmocka_unit_test(half_of_the_block_and_five_steps_have_the_metric),
        cmocka_unit_test(medians_of_a_block),
        cmocka_unit_test(the_trunk_is_told_as_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
