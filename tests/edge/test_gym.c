/* The example gym of configs/: every document of it is a good one, and its classes walk as it says.
 * Must never use a document of its own where the gym has one. */
#include "exit_status.h"
#include "gym.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS INT64_C(3600000)

static const char *example(void)
{
    static char path[4096];
    const char *end = strstr(__FILE__, "tests/edge/test_gym.c");
    snprintf(path, sizeof path, "%.*sconfigs/example-gym", (int)(end - __FILE__), __FILE__);
    return path;
}

static void expect_devices(const struct bs_gym *g, const char *const *expected, uint32_t count)
{
    assert_int_equal(g->device_count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_string_equal(g->devices[i], expected[i]);
}

/* Loading reads every member, both sessions and both drills; one device of each member walks. */
static void test_a_drill_by_the_clock(void **state)
{
    (void)state;
    static const char *const devices[] = {"belt-01", "belt-02", "belt-03", "belt-04", "belt-05",
                                          "belt-06", "belt-07", "belt-08", "belt-09"};
    struct bs_gym g;
    assert_int_equal(bs_gym_load(&g, example(), "tue-track"), BS_EXIT_DONE);
    expect_devices(&g, devices, 9);
    assert_int_equal(g.end_ms - g.start_ms, HOUR_MS);
    struct bs_class_options class = {0};
    struct bs_wearables_options worn = {0};
    bs_gym_class(&g, g.start_ms + 70000, &class, &worn);
    assert_int_equal(class.members, 9);
    assert_int_equal(bs_wearables_count(&worn), 9);
    assert_ptr_equal(worn.devices, g.devices);
    assert_int_equal(bs_class_direction(&class.timetable, 0), BS_DIRECTION_FORWARD);
    assert_int_equal(bs_class_direction(&class.timetable, 50000), BS_DIRECTION_BACKWARD);
    assert_int_equal(bs_class_direction(&class.timetable, HOUR_MS), BS_DIRECTION_FORWARD);
    bs_gym_fini(&g);
}

static void test_a_class_outside_its_session_begins_with_the_drill(void **state)
{
    (void)state;
    struct bs_gym g;
    assert_int_equal(bs_gym_load(&g, example(), "tue-track"), BS_EXIT_DONE);
    const int64_t outside[] = {g.start_ms - 1, g.end_ms, g.end_ms + 70000};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        struct bs_class_options class = {0};
        struct bs_wearables_options worn = {0};
        bs_gym_class(&g, outside[i], &class, &worn);
        assert_int_equal(bs_class_direction(&class.timetable, 0), BS_DIRECTION_BACKWARD);
        assert_int_equal(bs_class_direction(&class.timetable, 60000), BS_DIRECTION_FORWARD);
    }
    bs_gym_fini(&g);
}

static void test_a_drill_by_hand_stays_in_its_phase(void **state)
{
    (void)state;
    static const char *const devices[] = {"belt-01", "belt-02", "belt-10", "belt-11", "belt-12"};
    struct bs_gym g;
    assert_int_equal(bs_gym_load(&g, example(), "thu-steps"), BS_EXIT_DONE);
    expect_devices(&g, devices, 5);
    struct bs_class_options class = {0};
    struct bs_wearables_options worn = {0};
    bs_gym_class(&g, g.start_ms + HOUR_MS, &class, &worn);
    assert_int_equal(bs_class_direction(&class.timetable, 0), BS_DIRECTION_UP);
    assert_int_equal(bs_class_direction(&class.timetable, HOUR_MS), BS_DIRECTION_UP);
    bs_gym_fini(&g);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    struct bs_gym g;
    assert_int_equal(bs_gym_load(&g, example(), "wed-walk"), BS_EXIT_NO_INPUT);
    assert_int_equal(g.device_count, 0);
    assert_int_equal(bs_gym_load(&g, "/nowhere", "tue-track"), BS_EXIT_NO_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_drill_by_the_clock),
        cmocka_unit_test(test_a_class_outside_its_session_begins_with_the_drill),
        cmocka_unit_test(test_a_drill_by_hand_stays_in_its_phase),
        cmocka_unit_test(test_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
