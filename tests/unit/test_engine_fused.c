/* One step of several sensors, from messages to rows: what joins, what it brings, what it lets
 * pass, and for how long it may. */
#include "gait_world.h"

static void begin(struct world *w)
{
    world_begin(w);
    say(w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\",\"belt\"]}");
}

static void event(struct world *w, const char *device, int64_t at, const char *more)
{
    static uint32_t seq;
    world_step(w, device, "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld%s}", ++seq,
               (long long)(WORLD_NOW + at), more);
}

/* Each figure from the sensor that is asked for it first, whichever came first. */
static void a_step_is_told_by_its_sensors_together(void **state)
{
    (void)state;
    for (int belt_first = 0; belt_first < 2; belt_first++) {
        struct world w;
        begin(&w);
        world_say_text(&w, "device/pod/birth", "{\"kind\":\"foot\",\"side\":\"L\"}");
        world_say_text(&w, "device/belt/birth", "{\"kind\":\"trunk\"}");
        for (int i = 0; i < 2; i++) {
            if (i == belt_first)
                event(&w, "pod", 0, ",\"dir\":\"B\",\"contact_ms\":700,\"vo_mm\":90");
            else
                event(&w, "belt", 20, ",\"dir\":\"B\",\"contact_ms\":500,\"vo_mm\":30");
        }
        settle(&w);
        assert_int_equal(books(&w)->steps_counted, 1);
        assert_int_equal(books(&w)->steps_fused, 1);
        struct row_summary row = rows_of(world_lines(&w), "gait_window", "direction=B", NULL);
        assert_true(row_field(row.last, "steps") == 1);
        assert_true(row_field(row.last, "contact_ms") == 700);
        assert_true(row_field(row.last, "vertical_oscillation_mm") == 30);
        world_end(&w);
    }
}

/* The newest event is what lets steps pass, and one that joins is an event. */
static void an_event_that_joins_lets_others_pass(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.tick += 10000;
    event(&w, "pod", 7000, "");
    event(&w, "pod", 8950, "");
    assert_int_equal(books(&w)->steps_waiting, 2);
    event(&w, "belt", 9000, "");
    assert_int_equal(books(&w)->steps_fused, 1);
    assert_int_equal(books(&w)->steps_waiting, 1);
    world_end(&w);
}

static void a_stored_event_lets_none_pass(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.tick += 10000;
    event(&w, "pod", 7000, "");
    event(&w, "pod", 10000, ",\"stored\":true");
    assert_int_equal(books(&w)->steps_counted, 2);
    assert_int_equal(books(&w)->steps_waiting, 1);
    world_end(&w);
}

/* As long as its window takes steps, whatever else fell silent: else it would count twice. */
static void a_stored_step_is_joined_hours_later(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    event(&w, "pod", 0, ",\"stored\":true");
    world_wait(&w, 5 * HOUR);
    event(&w, "belt", 50, ",\"stored\":true");
    assert_int_equal(books(&w)->steps_counted, 1);
    assert_int_equal(books(&w)->steps_fused, 1);
    world_end(&w);
}

/* A clock that was stepped by a second: what was before it says nothing of the time between, and is
 * not joined. */
static void a_stepped_clock_begins_the_order_anew(void **state)
{
    (void)state;
    struct world w;
    struct walker pod = {.device = "pod", .boot = 9};
    begin(&w);
    walk(&w, &pod, 'F', 20); /* the last at 9500 */
    step_clock(&w, 1000);
    pod.ahead = 1000;
    walk(&w, &pod, 'F', 1); /* at 11000: 1500 ms by two clocks */
    settle(&w);
    const char *rows = world_lines(&w);
    struct row_summary after = rows_of(rows, "gait_window", " 1795716010000\n", NULL);
    assert_true(row_field(after.last, "steps") == 1);
    assert_true(isnan(row_field(after.last, "step_time_ms")));
    struct row_summary before = rows_of(rows, "gait_window", " 1795716000000\n", NULL);
    assert_true(row_field(before.last, "duration_s") == 9.5);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_told_by_its_sensors_together),
        cmocka_unit_test(an_event_that_joins_lets_others_pass),
        cmocka_unit_test(a_stored_event_lets_none_pass),
        cmocka_unit_test(a_stored_step_is_joined_hours_later),
        cmocka_unit_test(a_stepped_clock_begins_the_order_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
