/* Ticks over restarts and reboots, and from many threads at once. The reboot is a START record of
 * another boot id; the kernel's clocks are the real ones. */
#include "backstep/edge/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define HOUR_MS  INT64_C(3600000)
/* What may pass between two readings on a busy machine. */
#define SLACK_MS 2000

static void expect_near(const char *what, int64_t value, int64_t expected)
{
    if (value < expected || value > expected + SLACK_MS)
        fail_msg("%s: %lld, expected %lld to %lld", what, (long long)value, (long long)expected,
                 (long long)expected + SLACK_MS);
}

static void test_empty_log(void **state)
{
    (void)state;
    struct bs_clock clock;
    struct bs_clock_past past = {.any = false};
    int64_t wall = bs_clock_wall().ms;
    bs_clock_init(&clock, &past);
    expect_near("first tick", bs_clock_tick(&clock).ms, wall);
    struct bs_start_body body;
    bs_clock_start_body(&clock, &body);
    assert_in_range(body.offset_ms + SLACK_MS, 0, 2 * SLACK_MS);
}

static void test_held(void **state)
{
    (void)state;
    struct bs_clock clock;
    bs_clock_hold(&clock, (struct bs_tick_ms){1795716000000});
    assert_int_equal(bs_clock_tick(&clock).ms, 1795716000000);
    assert_int_equal(bs_clock_tick(&clock).ms, 1795716000000);
}

/* The last start was half this kernel's life ago by CLOCK_BOOTTIME, whatever the wall clock says.
 */
static void test_same_boot(void **state)
{
    (void)state;
    struct bs_clock clock;
    struct bs_clock_past past = {.any = false};
    bs_clock_init(&clock, &past);
    past.any = true;
    bs_clock_start_body(&clock, &past.start);
    past.start.boottime_ms /= 2;
    int64_t gone_ms = (int64_t)past.start.boottime_ms;
    past.start_tick.ms = 5000;
    past.last_tick.ms = 5001;
    past.offset_ms = 77;
    bs_clock_init(&clock, &past);
    expect_near("tick", bs_clock_tick(&clock).ms, 5000 + gone_ms);
    past.last_tick.ms = 5000 + gone_ms + HOUR_MS;
    bs_clock_init(&clock, &past);
    expect_near("tick where the log ended", bs_clock_tick(&clock).ms, past.last_tick.ms);
}

static void test_other_boot(void **state)
{
    (void)state;
    struct bs_clock clock;
    struct bs_clock_past past = {.any = true, .start = {.boottime_ms = 1, .boot_id = {1, 2, 3}}};
    int64_t wall = bs_clock_wall().ms;
    past.start_tick.ms = wall - 3 * HOUR_MS;
    past.last_tick.ms = wall - 2 * HOUR_MS;
    past.offset_ms = HOUR_MS;
    bs_clock_init(&clock, &past);
    expect_near("tick by the wall", bs_clock_tick(&clock).ms, wall - HOUR_MS);
    past.offset_ms = 3 * HOUR_MS; /* the wall clock was set back meanwhile */
    bs_clock_init(&clock, &past);
    expect_near("tick where the log ended", bs_clock_tick(&clock).ms, past.last_tick.ms);
}

static void test_start_body(void **state)
{
    (void)state;
    struct bs_clock clock;
    struct bs_clock_past past = {.any = false};
    struct bs_start_body a, b;
    static const uint8_t none[16];
    bs_clock_init(&clock, &past);
    bs_clock_start_body(&clock, &a);
    bs_clock_start_body(&clock, &b);
    assert_memory_equal(a.boot_id, b.boot_id, 16);
    assert_memory_not_equal(a.boot_id, none, 16);
    assert_int_not_equal(a.hash_seed, b.hash_seed);
    assert_true(a.boottime_ms > 0 && b.boottime_ms >= a.boottime_ms);
    char text[64] = "", shown[64];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    int used = 0;
    for (int i = 0; i < 16; i++)
        used += snprintf(shown + used, sizeof shown - (size_t)used,
                         i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", a.boot_id[i]);
    text[strcspn(text, "\n")] = 0;
    assert_string_equal(shown, text);
}

#define THREADS      4
#define READINGS_MAX 200000

static struct bs_clock shared_clock;
static _Atomic int64_t highest;

/* No tick is below the highest that anybody was given before it was asked for. */
static void *read_ticks(void *context)
{
    int64_t *wrong = context;
    for (int i = 0; i < READINGS_MAX; i++) {
        int64_t before = atomic_load(&highest);
        int64_t tick = bs_clock_tick(&shared_clock).ms;
        *wrong += tick < before;
        while (tick > before)
            if (atomic_compare_exchange_weak(&highest, &before, tick))
                break;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct bs_clock_past past = {.any = false};
    pthread_t threads[THREADS];
    int64_t wrong[THREADS] = {0};
    bs_clock_init(&shared_clock, &past);
    uint64_t begin = bs_clock_mono().ns;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_ticks, &wrong[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    print_message("%.0f ns a reading, tests' own work included\n",
                  (double)(bs_clock_mono().ns - begin) / (THREADS * READINGS_MAX));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(wrong[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_log),  cmocka_unit_test(test_held),
        cmocka_unit_test(test_same_boot),  cmocka_unit_test(test_other_boot),
        cmocka_unit_test(test_start_body), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
