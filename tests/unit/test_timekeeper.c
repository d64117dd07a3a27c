/* When the fold's clock follows the machine's. */
#include "backstep/core/timekeeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW INT64_C(1795716000000)

/* One look, `difference` between the machine's clock and the fold's. */
static enum bs_timekeeper_advice look(struct bs_timekeeper *k, int64_t at_s, int64_t difference,
                                      const int64_t *median, int64_t *ret)
{
    struct bs_timekeeper_look l = {.tick = {NOW + at_s * 1000},
                                   .machine = {NOW + at_s * 1000 + 50 + difference},
                                   .offset_ms = 50,
                                   .has_median = median != NULL,
                                   .median_delay_ms = median ? *median : 0};
    return bs_timekeeper_judge(k, &l, ret);
}

static void small_differences_are_slewed(void **state)
{
    (void)state;
    struct bs_timekeeper k = {0};
    int64_t offset = 0;
    assert_int_equal(look(&k, 0, 0, NULL, &offset), BS_CLOCK_KEEP);
    assert_int_equal(look(&k, 0, 1, NULL, &offset), BS_CLOCK_KEEP);
    assert_int_equal(look(&k, 0, 3, NULL, &offset), BS_CLOCK_SLEW);
    assert_int_equal(offset, 53);
    assert_int_equal(look(&k, 0, -1999, NULL, &offset), BS_CLOCK_SLEW);
    assert_int_equal(offset, 45);
}

static void an_hour_forth_and_back_within_minutes_changes_nothing(void **state)
{
    (void)state;
    struct bs_timekeeper k = {0};
    int64_t offset = -1, still_right = 20;
    for (int64_t s = 0; s < 590; s += 10)
        assert_int_equal(look(&k, s, 3600000, &still_right, &offset), BS_CLOCK_KEEP);
    assert_int_equal(look(&k, 590, 0, &still_right, &offset), BS_CLOCK_KEEP);
    for (int64_t s = 600; s < 1190; s += 10)
        assert_int_equal(look(&k, s, 3600000, NULL, &offset), BS_CLOCK_KEEP);
    assert_int_equal(offset, -1);
}

static void what_stands_for_ten_minutes_is_believed(void **state)
{
    (void)state;
    struct bs_timekeeper k = {0};
    int64_t offset = 0;
    for (int64_t s = 0; s < 600; s += 10)
        assert_int_equal(look(&k, s, -7200000 + s, NULL, &offset), BS_CLOCK_KEEP);
    assert_int_equal(look(&k, 600, -7199400, NULL, &offset), BS_CLOCK_STEP);
    assert_int_equal(offset, 50 - 7199400);
}

static void a_difference_that_wanders_never_stands(void **state)
{
    (void)state;
    struct bs_timekeeper k = {0};
    int64_t offset = 0;
    for (int64_t s = 0; s < 3600; s += 10)
        assert_int_equal(look(&k, s, 10000 + s * 100, NULL, &offset), BS_CLOCK_KEEP);
}

static void devices_that_agree_are_believed_at_once(void **state)
{
    (void)state;
    struct bs_timekeeper k = {0};
    int64_t offset = 0, behind = -3599000, elsewhere = -1800000;
    assert_int_equal(look(&k, 0, 3600000, &elsewhere, &offset), BS_CLOCK_KEEP);
    assert_int_equal(look(&k, 10, 3600000, &behind, &offset), BS_CLOCK_STEP);
    assert_int_equal(offset, 3600050);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_differences_are_slewed),
        cmocka_unit_test(an_hour_forth_and_back_within_minutes_changes_nothing),
        cmocka_unit_test(what_stands_for_ten_minutes_is_believed),
        cmocka_unit_test(a_difference_that_wanders_never_stands),
        cmocka_unit_test(devices_that_agree_are_believed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
