/* Input that no gait is: what becomes of it is defined, it holds no more memory the longer it
 * lasts, and whoever walks beside it is counted as ever. */
#include "backstep/core/order.h"
#include "counting_memory.h"
#include "gait_world.h"

static struct walker good;

static void begin(struct world *w)
{
    world_begin(w);
    good = (struct walker){.device = "good", .boot = 1, .mm = 600};
    say(w, "settings/site", "{\"allowed_lateness_s\":60,\"stored_lateness_s\":60}");
    say(w, "member/good", "{\"consent\":\"member\",\"devices\":[\"good\"]}");
    say(w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"a\"],\"groups\":[\"tue\"]}");
    say(w, "member/m2", "{\"consent\":\"member\",\"devices\":[\"b\"],\"groups\":[\"tue\"]}");
}

/* Twelve good steps are a bout of twelve. */
static void end(struct world *w)
{
    settle(w);
    world_lines(w);
    walk(w, &good, 'F', 12);
    settle(w);
    const char *rows = world_lines(w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "member=good", NULL);
    assert_non_null(bouts.last);
    assert_true(row_field(bouts.last, "steps") == 12);
    assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 12);
    world_end(w);
}

/* What the engine holds then. */
static size_t bytes_after(struct world *w, int64_t ms)
{
    world_wait(w, ms);
    return bytes_held - w->lines.capacity - w->publications.capacity;
}

/* Plays ten minutes or so of it, over and over: once all that it needs is there, no more is taken.
 */
static void assert_no_growth(struct world *w, void (*play)(struct world *w), const char *what)
{
    size_t before = 0;
    for (int round = 0; round < 8; round++) {
        play(w);
        world_lines(w);
        world_publications(w);
        size_t bytes = bytes_after(w, 0);
        if (round == 4)
            before = bytes;
        if (round > 4 && bytes > before)
            fail_msg("%s, round %d: %zu bytes, %zu at round 4", what, round, bytes, before);
    }
}

/* A device that jumps between members: each step is of whoever wore it then. */

static struct walker jumping;

static void jump(struct world *w)
{
    static const char *const wears = "{\"consent\":\"member\",\"devices\":[\"a\"]}";
    static const char *const bare = "{\"consent\":\"member\"}";
    for (int i = 0; i < 60; i++) {
        say(w, i % 2 ? "member/m1" : "member/m2", bare);
        say(w, i % 2 ? "member/m2" : "member/m1", wears);
        walk(w, &jumping, 'F', 3);
    }
}

static void a_device_that_jumps_between_members(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say(&w, "member/m2", "{\"consent\":\"member\"}");
    jumping = (struct walker){.device = "a", .boot = 1, .no_feet = true};
    jump(&w);
    settle(&w);
    const char *rows = world_lines(&w);
    assert_int_equal(books(&w)->steps_counted, 180);
    assert_true(rows_of(rows, "gait_window", "member=m1", NULL).count > 0);
    struct row_summary m1 = rows_of(rows, "gait_bout", "member=m1", NULL),
                       m2 = rows_of(rows, "gait_bout", "member=m2", NULL);
    assert_true(row_field(m1.last, "steps") == 90 && row_field(m2.last, "steps") == 90);
    /* The 2000 ms between two stints are a step time, too, but no exact one: the device that comes
     * back is a new one. */
    double mean = (60 * 500 + 29 * 2000) / 89.0;
    assert_true(fabs(row_field(m1.last, "step_time_ms") - mean) < 1e-6);
    assert_true(row_field(m1.last, "step_time_sd_ms") == 0);
    assert_no_growth(&w, jump, "jumping");
    end(&w);
}

static void devices_that_are_swapped_in_mid_class(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct walker a = {.device = "a", .boot = 1}, b = {.device = "b", .boot = 1};
    for (int i = 0; i < 20; i++) {
        step(&w, &a, 'F');
        step(&w, &b, 'L');
        world_wait(&w, 500);
    }
    say(&w, "member/m1", "{\"consent\":\"member\",\"groups\":[\"tue\"]}");
    say(&w, "member/m2", "{\"consent\":\"member\",\"devices\":[\"a\"],\"groups\":[\"tue\"]}");
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"b\"],\"groups\":[\"tue\"]}");
    for (int i = 0; i < 20; i++) {
        step(&w, &a, 'F');
        step(&w, &b, 'L');
        world_wait(&w, 500);
    }
    settle(&w);
    const char *rows = world_lines(&w);
    static const char *const tags[] = {
        "direction=F,drill=none,group=tue,member=m1", "direction=L,drill=none,group=tue,member=m1",
        "direction=F,drill=none,group=tue,member=m2", "direction=L,drill=none,group=tue,member=m2"};
    for (int i = 0; i < 4; i++) {
        struct row_summary bouts = rows_of(rows, "gait_bout", tags[i], NULL);
        assert_non_null(bouts.last);
        assert_true(row_field(bouts.last, "steps") == 20 && row_field(bouts.last, "strays") == 0);
        assert_true(row_has(bouts.last, "open=false"));
        assert_true(row_field(bouts.last, "step_time_ms") == 500);
        struct row_summary windows = rows_of(rows, "gait_window", tags[i], NULL);
        assert_true(windows.count > 0);
    }
    assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 80);
    end(&w);
}

/* Each event lies before the one before it: those that are there when the first one's time comes
 * pass in order, all others come after their place, until they are too late. */

static struct walker backwards;

static void run_backwards(struct world *w)
{
    backwards.ahead = 0;
    for (int i = 0; i < 1200; i++) {
        step(w, &backwards, 'F');
        world_wait(w, 500);
        backwards.ahead -= 1000;
    }
}

static void a_clock_that_runs_backwards(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    backwards = (struct walker){.device = "a", .boot = 1, .no_feet = true};
    run_backwards(&w);
    settle(&w);
    const struct bs_books *b = books(&w);
    assert_int_equal(b->steps_counted + b->steps_rejected[BS_STEP_TOO_LATE], 1200);
    assert_true(b->steps_rejected[BS_STEP_TOO_LATE] > 1000);
    const char *rows = world_lines(&w);
    struct row_summary windows = rows_of(rows, "gait_window", "final=true", "steps");
    assert_true(windows.sum == (double)b->steps_counted);
    /* Four in order, 500 ms apart: three step times. */
    assert_true(rows_of(rows, "gait_window", "final=true", "duration_s").sum == 1.5);
    assert_int_equal(rows_of(rows, "gait_bout", "", NULL).count, 0);
    assert_no_growth(&w, run_backwards, "backwards");
    end(&w);
}

/* The same power-up counts anew from a lower number: what was never seen is new, what was is a
 * duplicate, and nothing is lost meanwhile. */
static void a_boot_that_is_reused_with_lower_numbers(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct walker a = {.device = "a", .boot = 7, .seq = 3000};
    walk(&w, &a, 'F', 20);
    a.seq = 2990; /* ten new ones, then those that were */
    walk(&w, &a, 'F', 20);
    a.seq = 1;
    walk(&w, &a, 'F', 20);
    settle(&w);
    assert_int_equal(books(&w)->steps_counted, 50);
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_DUPLICATE], 10);
    const char *rows = world_lines(&w);
    assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 50);
    assert_true(rows_of(rows, "gait_window", "final=true", "lost").sum == 0);
    struct row_summary bouts = rows_of(rows, "gait_bout", "", NULL);
    assert_true(row_field(bouts.last, "steps") == 20);
    end(&w);
}

/* A step every 10 ms, each in another direction; or all in one. */

static struct walker whirling;
static const char *whirl_directions;

static void whirl(struct world *w)
{
    size_t count = strlen(whirl_directions);
    for (size_t i = 0; i < 6000; i++) {
        step(w, &whirling, whirl_directions[i % count]);
        if (i % 10 == 9)
            world_wait(w, 100);
        whirling.ahead = (int64_t)(i + 1) % 10 * 10;
    }
    world_wait(w, 10 * MINUTE);
}

static void a_hundred_directions_a_second(void **state)
{
    (void)state;
    static const char *const all[] = {"FBLRUDTNX", "FB", "F", "FFBBFFLL"};
    for (int i = 0; i < 4; i++) {
        struct world w;
        begin(&w);
        whirling = (struct walker){.device = "a", .boot = 1, .no_feet = true};
        whirl_directions = all[i];
        whirl(&w);
        settle(&w);
        const char *rows = world_lines(&w);
        assert_int_equal(books(&w)->steps_counted, 6000);
        assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 6000);
        assert_true(rows_of(rows, "gait_window", "", "duration_s").sum == 0);
        struct row_summary bouts = rows_of(rows, "gait_bout", "", NULL);
        assert_int_equal(bouts.count > 0, i == 2);
        assert_true(i != 2 || row_field(bouts.last, "steps") == 6000);
        assert_no_growth(&w, whirl, all[i]);
        end(&w);
    }
}

/* More than may wait: a thousand a second. The earliest pass at once, in order all the same. */

static void storm(struct world *w)
{
    for (int i = 0; i < 6000; i++) {
        whirling.ahead = i % 100;
        step(w, &whirling, 'F');
        assert_true(books(w)->steps_waiting <= BS_ORDER_WAITING_MAX);
        if (i % 100 == 99)
            world_wait(w, 100);
    }
    world_wait(w, 10 * MINUTE);
}

static void a_thousand_steps_a_second(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    whirling = (struct walker){.device = "a", .boot = 1, .no_feet = true};
    storm(&w);
    settle(&w);
    const char *rows = world_lines(&w);
    assert_int_equal(books(&w)->steps_counted, 6000);
    assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 6000);
    struct row_summary bouts = rows_of(rows, "gait_bout", "", NULL);
    assert_true(row_field(bouts.last, "steps") == 6000);
    assert_no_growth(&w, storm, "a thousand a second");
    end(&w);
}

/* Many devices of one member. */

#define DEVICES_MAX 33

static struct walker worn[DEVICES_MAX];
static char names[DEVICES_MAX][16];
static int devices;

static void walk_all(struct world *w)
{
    for (int i = 0; i < 60; i++) {
        for (int d = 0; d < devices; d++) {
            worn[d].ahead = d;
            step(w, &worn[d], 'F');
        }
        world_wait(w, 500);
    }
    world_wait(w, 10 * MINUTE);
}

static void many_devices_of_one_member(void **state)
{
    (void)state;
    for (devices = 20; devices <= DEVICES_MAX; devices += 13) {
        struct world w;
        char document[1024];
        begin(&w);
        int length = snprintf(document, sizeof document, "{\"consent\":\"member\",\"devices\":[");
        for (int d = 0; d < devices; d++) {
            snprintf(names[d], sizeof names[d], "w%d", d);
            worn[d] = (struct walker){.device = names[d], .boot = 1};
            length += snprintf(document + length, sizeof document - (size_t)length, "%s\"%s\"",
                               d ? "," : "", names[d]);
        }
        snprintf(document + length, sizeof document - (size_t)length, "]}");
        say(&w, "member/m3", document);
        walk_all(&w);
        settle(&w);
        const struct bs_books *b = books(&w);
        int heard = devices < 32 ? devices : 32;
        assert_int_equal(b->steps_counted, 60);
        assert_int_equal(b->steps_fused, 60 * (heard - 1));
        assert_int_equal(b->steps_rejected[BS_STEP_OVER_LIMIT], 60 * (devices - heard));
        struct row_summary bouts = rows_of(world_lines(&w), "gait_bout", "member=m3", NULL);
        assert_true(row_field(bouts.last, "steps") == 60);
        assert_true(row_field(bouts.last, "step_time_ms") == 500);
        assert_no_growth(&w, walk_all, "many devices");
        end(&w);
    }
}

/* A step 1 ms before the previous one. */
static void a_step_just_before_the_previous_one(void **state)
{
    (void)state;
    for (int passed = 0; passed < 2; passed++) {
        struct world w;
        begin(&w);
        struct walker a = {.device = "a", .boot = 1, .no_feet = true};
        for (int i = 0; i < 10; i++) {
            a.ahead = 0;
            step(&w, &a, 'F');
            if (passed)
                world_wait(&w, 3000); /* its place is passed */
            a.ahead = -1 - (passed ? 3000 : 0);
            step(&w, &a, 'F');
            world_wait(&w, passed ? 0 : 3000);
        }
        settle(&w);
        const char *rows = world_lines(&w);
        assert_int_equal(books(&w)->steps_counted, 20);
        assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 20);
        assert_true(rows_of(rows, "gait_window", "", "duration_s").sum == 0); /* 1, 2999, 3000 ms */
        struct row_summary bouts = rows_of(rows, "gait_bout", "", NULL);
        assert_true(row_field(bouts.last, "steps") == (passed ? 10 : 20));
        end(&w);
    }
}

/* Nothing varies: deviations are 0, and no slip comes of it. */
static void all_steps_alike(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct walker a = {.device = "a", .boot = 1, .mm = 600};
    walk(&w, &a, 'F', 20);
    walk(&w, &a, 'B', 20);
    walk(&w, &a, 'F', 1000);
    settle(&w);
    const char *rows = world_lines(&w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "direction=F", NULL);
    assert_true(row_field(bouts.last, "steps") == 1000);
    assert_true(row_field(bouts.last, "step_length_sd_mm") == 0);
    assert_true(row_field(bouts.last, "step_time_sd_ms") == 0);
    assert_true(row_field(bouts.last, "symmetry_pct") == 0);
    assert_int_equal(rows_of(rows, "slip", "", NULL).count, 0);
    struct row_summary carried = rows_of(rows, "carry_over", "", NULL);
    assert_true(row_has(carried.last, " back_steps=20i,block_steps=20i,slips=0i "));
    end(&w);
}

static struct walker slow;

static void stroll(struct world *w)
{
    for (int i = 0; i < 60; i++) {
        step(w, &slow, 'F');
        world_wait(w, HOUR);
    }
}

static void one_step_an_hour(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    slow = (struct walker){.device = "a", .boot = 1, .no_feet = true, .mm = 600};
    stroll(&w);
    const char *rows = world_lines(&w);
    assert_int_equal(books(&w)->steps_counted, 60);
    assert_int_equal(rows_of(rows, "gait_window", "final=true", NULL).count, 60);
    assert_true(rows_of(rows, "gait_window", "", "duration_s").sum == 0);
    assert_int_equal(rows_of(rows, "gait_bout", "", NULL).count, 0);
    assert_no_growth(&w, stroll, "one an hour");
    end(&w);
}

/* What was walked is needed while the visit lasts; then it is a habit, of a few numbers. */
static void whoever_walked_long_ago_holds_little(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct walker a = {.device = "a", .boot = 1, .mm = 600};
    walk(&w, &a, 'F', 600);
    size_t visiting = bytes_after(&w, 9 * MINUTE), gone = bytes_after(&w, HOUR);
    if (gone + 2048 > visiting)
        fail_msg("%zu bytes during the visit, %zu after it", visiting, gone);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_jumps_between_members),
        cmocka_unit_test(devices_that_are_swapped_in_mid_class),
        cmocka_unit_test(a_clock_that_runs_backwards),
        cmocka_unit_test(a_boot_that_is_reused_with_lower_numbers),
        cmocka_unit_test(a_hundred_directions_a_second),
        cmocka_unit_test(a_thousand_steps_a_second),
        cmocka_unit_test(many_devices_of_one_member),
        cmocka_unit_test(a_step_just_before_the_previous_one),
        cmocka_unit_test(all_steps_alike),
        cmocka_unit_test(one_step_an_hour),
        cmocka_unit_test(whoever_walked_long_ago_holds_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
