/* The tables of a step agree with the letters and ranges of the interface. */
#include "backstep/core/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_letters(void **state)
{
    (void)state;
    static const char letters[] = "XFBLRUDTN";
    assert_int_equal(strlen(letters), BS_DIRECTION_COUNT);
    for (int d = 0; d < BS_DIRECTION_COUNT; d++) {
        enum bs_direction back = BS_DIRECTION_COUNT;
        assert_int_equal(bs_direction_letter((enum bs_direction)d), letters[d]);
        assert_true(bs_direction_of_letter(letters[d], &back));
        assert_int_equal(back, d);
    }
}

static void test_no_such_letter(void **state)
{
    (void)state;
    for (int c = -128; c < 128; c++) {
        enum bs_direction untouched = BS_DIRECTION_TURN;
        if (c != 0 && strchr("XFBLRUDTN", c))
            continue;
        assert_false(bs_direction_of_letter((char)c, &untouched));
        assert_int_equal(untouched, BS_DIRECTION_TURN);
    }
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct bs_field_range expected[BS_FIELD_COUNT] = {
        {"step_ms", 140, 2200},      {"stride_ms", 300, 3000}, {"contact_ms", 50, 3000},
        {"step_mm", 30, 3000},       {"stride_mm", 100, 5500}, {"trunk_cdeg", -4500, 6000},
        {"pitch_cdeg", -6000, 6000}, {"vo_mm", 0, 300},        {"impact_g16", 0, 256},
        {"quality", 0, 100},
    };
    for (int f = 0; f < BS_FIELD_COUNT; f++) {
        assert_string_equal(bs_field_ranges[f].name, expected[f].name);
        assert_int_equal(bs_field_ranges[f].min, expected[f].min);
        assert_int_equal(bs_field_ranges[f].max, expected[f].max);
    }
}

static void test_zero_is_a_value(void **state)
{
    (void)state;
    struct bs_step s = {0};
    for (int f = 0; f < BS_FIELD_COUNT; f++)
        assert_false(bs_step_has(&s, (enum bs_field)f));
    bs_step_set(&s, BS_FIELD_VO_MM, 0);
    assert_true(bs_step_has(&s, BS_FIELD_VO_MM));
    assert_int_equal(s.known, 1 << BS_FIELD_VO_MM);
    bs_step_set(&s, BS_FIELD_PITCH_CDEG, -2532);
    assert_int_equal(s.value[BS_FIELD_PITCH_CDEG], -2532);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_no_such_letter),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_zero_is_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
