/* A device's clock against the daemon's: offset and skew of `t` and of `up`, what a slow network
 * does to them, and from where they begin anew. */
#include "backstep/core/device_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#define MINUTE_MS INT64_C(60000)
#define NONE      NAN

static void assert_reading(struct bs_device_clock *c, double offset_ms, double skew_ppm)
{
    struct bs_device_clock_reading got;
    bs_device_clock_read(c, &got);
    double offset = got.has_offset ? got.offset_ms : NONE;
    double skew = got.has_skew ? got.skew_ppm : NONE;
    if (!(fabs(offset - offset_ms) < 1e-6 || (isnan(offset) && isnan(offset_ms))))
        fail_msg("offset %g ms, expected %g", offset, offset_ms);
    if (!(fabs(skew - skew_ppm) < 1e-3 || (isnan(skew) && isnan(skew_ppm))))
        fail_msg("skew %g ppm, expected %g", skew, skew_ppm);
}

static void hear(struct bs_device_clock *c, bool uses_up, int64_t delay_ms, int64_t at)
{
    bs_device_clock_hear(c, 7, uses_up, delay_ms, (struct bs_tick_ms){at});
}

static void the_least_delay_tells(void **state)
{
    (void)state;
    struct bs_device_clock c = {0};
    assert_reading(&c, NONE, NONE);
    hear(&c, false, 40, 0);
    hear(&c, false, -150, 100); /* its clock is ahead of ours by 150 ms at least */
    hear(&c, false, 900, 200);
    assert_reading(&c, 150, NONE);
    assert_reading(&c, NONE, NONE); /* nothing was heard since */
    hear(&c, false, 80, MINUTE_MS);
    assert_reading(&c, -80, NONE);
}

static void skew_is_told_from_ten_minutes_on(void **state)
{
    (void)state;
    for (int uses_up = 0; uses_up < 2; uses_up++) {
        struct bs_device_clock c = {0};
        /* It gains 3 ms a minute. */
        for (int64_t i = 0; i < 30; i++) {
            hear(&c, uses_up, 500 - 3 * i, i * MINUTE_MS);
            double gained = 3.0 * (double)i;
            assert_reading(&c, uses_up ? gained : gained - 500, i < 10 ? NONE : 50);
        }
        hear(&c, uses_up, 500 + 120, 40 * MINUTE_MS); /* and loses it */
        assert_reading(&c, uses_up ? -120 : -620, -50);
    }
}

static void a_clock_that_was_set_begins_anew(void **state)
{
    (void)state;
    struct bs_device_clock c = {0};
    hear(&c, false, INT64_C(1795716000000), 0); /* 1970 */
    assert_reading(&c, -1795716000000.0, NONE);
    hear(&c, false, 20, 5 * MINUTE_MS);
    assert_reading(&c, -20, NONE);
    hear(&c, false, 20 + 1999, 14 * MINUTE_MS);
    assert_reading(&c, -2019, NONE);
    hear(&c, false, 20, 15 * MINUTE_MS);
    assert_reading(&c, -20, 0);
    hear(&c, false, 2020, 16 * MINUTE_MS);
    assert_reading(&c, -2020, NONE);
}

/* Nobody sets the time since power-up. */
static void a_slow_network_sets_no_clock(void **state)
{
    (void)state;
    struct bs_device_clock c = {0};
    hear(&c, true, 1000, 0);
    assert_reading(&c, 0, NONE);
    hear(&c, true, 7000, 11 * MINUTE_MS);
    assert_reading(&c, -6000, -6000e6 / (11.0 * MINUTE_MS));
    hear(&c, true, 1000, 12 * MINUTE_MS);
    assert_reading(&c, 0, 0);
}

static void another_boot_begins_anew(void **state)
{
    (void)state;
    struct bs_device_clock c = {0};
    hear(&c, true, 500, 0);
    assert_reading(&c, 0, NONE);
    hear(&c, true, 100, 20 * MINUTE_MS);
    bs_device_clock_hear(&c, 8, true, 9000, (struct bs_tick_ms){20 * MINUTE_MS});
    assert_reading(&c, 0, NONE);
    bs_device_clock_hear(&c, 8, false, 30, (struct bs_tick_ms){40 * MINUTE_MS});
    assert_reading(&c, -30, NONE); /* the other kind of time, too */
}

static void the_wildest_clocks_are_limited(void **state)
{
    (void)state;
    struct bs_device_clock c = {0};
    hear(&c, true, INT64_C(1) << 53, 0);
    assert_reading(&c, 0, NONE);
    hear(&c, true, -(INT64_C(1) << 53), 10 * MINUTE_MS);
    assert_reading(&c, BS_DEVICE_CLOCK_READING_MAX, BS_DEVICE_CLOCK_READING_MAX);
    hear(&c, false, INT64_C(1) << 53, 11 * MINUTE_MS);
    assert_reading(&c, -BS_DEVICE_CLOCK_READING_MAX, NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_delay_tells),
        cmocka_unit_test(skew_is_told_from_ten_minutes_on),
        cmocka_unit_test(a_clock_that_was_set_begins_anew),
        cmocka_unit_test(a_slow_network_sets_no_clock),
        cmocka_unit_test(another_boot_begins_anew),
        cmocka_unit_test(the_wildest_clocks_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
