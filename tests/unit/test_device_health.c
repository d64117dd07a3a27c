/* The `device_health` row's text, and which count a verdict falls into. */
#include "backstep/core/device_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

static void assert_line(const struct bs_device_health_row *row, const char *expected)
{
    static struct bs_line line;
    char got[512];
    struct bs_slice text = bs_device_health_write(row, &line);
    snprintf(got, sizeof got, "%.*s", (int)text.length, text.at);
    assert_string_equal(got, expected);
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    struct bs_device_counts counts = {0};
    struct bs_device_health_row row = {.site = BS_SLICE("north"),
                                       .device = BS_SLICE("pod-12L"),
                                       .counts = &counts,
                                       .battery_pct = -1,
                                       .at = {1795716000000}};
    assert_line(&row, "device_health,device=pod-12L,site=north received=0i,duplicate=0i,lost=0i,"
                      "rejected=0i,last_seen_age_s=0 1795716000000\n");
    counts = (struct bs_device_counts){1842, 3, 2, 12};
    row.battery_pct = 0;
    row.clock = (struct bs_device_clock_reading){true, true, -12.0, 31.25};
    row.last_seen_age_ms = 1500;
    assert_line(&row, "device_health,device=pod-12L,site=north received=1842i,duplicate=3i,"
                      "lost=12i,rejected=2i,battery_pct=0,clock_offset_ms=-12,"
                      "clock_skew_ppm=31.25,last_seen_age_s=1.5 1795716000000\n");
}

static void every_verdict_has_its_count(void **state)
{
    (void)state;
    struct bs_device_counts each = {.received = BS_STEP_REASON_COUNT, .lost = 5}, sum = {0};
    for (int reason = 0; reason < BS_STEP_REASON_COUNT; reason++)
        bs_device_counts_reject(&each, (enum bs_step_reason)reason);
    for (int i = 0; i < 3; i++)
        bs_device_counts_add(&sum, &each);
    assert_int_equal(sum.duplicate, 3 * 2); /* duplicate, stale_seq */
    assert_int_equal(sum.rejected, 3 * (BS_STEP_REASON_COUNT - 2));
    assert_int_equal(sum.received, 3 * BS_STEP_REASON_COUNT);
    assert_int_equal(sum.lost, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(every_verdict_has_its_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
