/* The gait while things change: consent, clock, settings, phases; and what wearables are told. */
#include "gait_world.h"

static const char wears[] = "{\"consent\":\"member\",\"alias\":\"Ruth\",\"devices\":[\"pod\","
                            "\"belt\"],\"groups\":[\"tue\"]}";

static void say_consent(struct world *w, const char *consent)
{
    char document[128];
    snprintf(document, sizeof document,
             "{\"consent\":\"%s\",\"alias\":\"Ruth\",\"devices\":[\"pod\",\"belt\"],"
             "\"groups\":[\"tue\"]}",
             consent);
    say(w, "member/m1", document);
}

static void begin(struct world *w, struct walker *pod)
{
    world_begin(w);
    *pod = (struct walker){.device = "pod", .boot = 1, .mm = 600};
    say(w, "member/m1", wears);
}

/* A bout from messages to rows. */

static void a_walk_is_a_bout(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 20); /* the last at 9500, passed at 11500 */
    const char *rows = world_lines(&w);
    assert_true(rows_of(rows, "gait_bout", "open=true", NULL).count > 0);
    assert_int_equal(rows_of(rows, "gait_bout", "open=false", NULL).count, 0);
    world_wait(&w, 4000); /* until 14000; silent at 14501 */
    assert_int_equal(rows_of(world_lines(&w), "gait_bout", "open=false", NULL).count, 0);
    world_wait(&w, 700);
    struct row_summary closed = rows_of(world_lines(&w), "gait_bout", "open=false", NULL);
    assert_non_null(closed.last);
    assert_true(row_field(closed.last, "steps") == 20);
    assert_true(row_has(closed.last, " 1795716000000\n"));
    settle(&w);
    assert_int_equal(rows_of(world_lines(&w), "gait_bout", "open=true", NULL).count, 0);
    world_end(&w);
}

/* After its place, or stored: in windows only. */
static void late_and_stored_steps_are_in_no_bout(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    say(&w, "settings/site", "{\"stored_lateness_s\":60}");
    walk(&w, &pod, 'F', 20);
    world_wait(&w, 5000);
    for (int i = 0; i < 10; i++)
        world_step(&w, "pod",
                   "{\"v\":1,\"boot\":2,\"seq\":%d,\"t\":%lld,\"dir\":\"F\",\"step_ms\":500%s}", i,
                   (long long)(WORLD_NOW + 250 + 500 * i), i % 2 ? ",\"stored\":true" : "");
    settle(&w);
    const char *rows = world_lines(&w);
    assert_int_equal(books(&w)->steps_counted, 30);
    assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 30);
    assert_true(rows_of(rows, "gait_window", "stored=1", "steps").sum >= 5);
    assert_true(row_field(rows_of(rows, "gait_bout", "", NULL).last, "steps") == 20);
    world_end(&w);
}

/* Five minutes of steps at once, a message each: they are one bout, and few rows. */
static void a_late_burst_is_one_bout_and_few_rows(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 4);
    world_wait(&w, 4 * MINUTE);
    for (int i = 0; i < 400; i++) {
        pod.ahead = WORLD_NOW + 2000 + 500 * i - w.tick;
        step(&w, &pod, 'F');
        world_wait(&w, 10);
    }
    settle(&w);
    struct row_summary bouts = rows_of(world_lines(&w), "gait_bout", "", NULL);
    assert_true(row_field(bouts.last, "steps") == 404);
    if (bouts.count > 12)
        fail_msg("%d rows of one bout in 4 seconds", bouts.count);
    world_end(&w);
}

/* A sweep must not take a bout from under steps that wait: with long windows steps are accepted so
 * late that nothing else holds it. */
static void a_bout_waits_for_its_steps(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    say(&w, "settings/site",
        "{\"window_s\":300,\"allowed_lateness_s\":0,\"reorder_ms\":10000,\"bout_gap_ms\":3000}");
    world_wait(&w, 1200 * 1000 - 8000); /* a window of 300 s begins at 1200 s */
    walk(&w, &pod, 'F', 15);            /* the last 1 s before it */
    world_wait(&w, 3500);
    assert_int_equal(w.tick - WORLD_NOW, 1203000);
    /* The next ones come when their window ends; a sweep falls between arrival and passing. */
    world_wait(&w, 292000);
    for (int i = 0; i < 10; i++) {
        pod.ahead = WORLD_NOW + 1201000 + 500 * i - w.tick;
        step(&w, &pod, 'F');
    }
    assert_int_equal(books(&w)->steps_waiting, 10);
    settle(&w);
    assert_int_equal(books(&w)->steps_counted, 25);
    struct row_summary bouts = rows_of(world_lines(&w), "gait_bout", "open=false", NULL);
    assert_true(row_field(bouts.last, "steps") == 25);
    world_end(&w);
}

/* Consent. */

static void consent_that_falls_ends_all_once(const char *consent)
{
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 12);
    assert_true(books(&w)->steps_waiting > 0);
    world_lines(&w);
    say_consent(&w, consent);
    assert_int_equal(books(&w)->steps_waiting, 0);
    const char *rows = world_lines(&w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "member=m1", NULL),
                       windows = rows_of(rows, "gait_window", "member=m1", "steps");
    assert_true(bouts.count == 1 && row_field(bouts.last, "steps") == 12);
    assert_true(row_has(bouts.last, "open=false"));
    assert_true(windows.count == 1 && windows.sum == 12);
    walk(&w, &pod, 'F', 30);
    uint64_t refused = books(&w)->steps_rejected[BS_STEP_NO_CONSENT];
    assert_int_equal(refused, consent[0] == 'n' ? 30 : 0);
    settle(&w);
    assert_string_equal(world_lines(&w), "");
    world_end(&w);
}

static void consent_that_falls_is_the_last_word_of_a_bout(void **state)
{
    (void)state;
    consent_that_falls_ends_all_once("group");
    consent_that_falls_ends_all_once("none");
}

/* From group to member to none, with steps that wait and a bout that runs at each change. */
static void each_consent_has_its_own_bout(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    say_consent(&w, "group");
    walk(&w, &pod, 'F', 20);
    assert_string_equal(world_lines(&w), "");
    say_consent(&w, "member"); /* at 10 s */
    walk(&w, &pod, 'F', 10);
    say_consent(&w, "none");
    walk(&w, &pod, 'F', 10);
    settle(&w);
    const char *rows = world_lines(&w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "", NULL);
    assert_true(row_has(bouts.last, "open=false") && row_has(bouts.last, " 1795716010000\n"));
    assert_true(row_field(bouts.last, "steps") == 10);
    struct row_summary windows = rows_of(rows, "gait_window", "", NULL);
    assert_true(row_field(windows.last, "steps") == 10);
    assert_true(rows_of(rows, "gait_bout", "open=false", NULL).count == 1);
    assert_int_equal(books(&w)->steps_counted, 30);
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_NO_CONSENT], 10);
    world_end(&w);
}

/* The same consent said again, another alias, other groups: what runs goes on. */
/* Whose habit and way back were walked with less consent has neither in a row of the own. */
static void what_was_walked_under_less_consent_is_compared_with_nothing(void **state)
{
    (void)state;
    for (int less = 0; less < 2; less++) {
        struct world w;
        struct walker pod;
        begin(&w, &pod);
        say_consent(&w, less ? "group" : "member");
        pod.mm = 700;
        walk(&w, &pod, 'F', 20);
        pod.mm = 500;
        walk(&w, &pod, 'B', 20);
        say_consent(&w, "member");
        pod.mm = 600;
        walk(&w, &pod, 'F', 30);
        settle(&w);
        int told = rows_of(world_lines(&w), "carry_over", "", NULL).count;
        assert_int_equal(told > 0, !less);
        world_end(&w);
    }
}

static void other_changes_of_a_document_end_nothing(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 10);
    say(&w, "member/m1", "{\"consent\":\"member\",\"alias\":\"R\",\"devices\":[\"pod\"]}");
    walk(&w, &pod, 'F', 10);
    settle(&w);
    const char *rows = world_lines(&w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "alias=Ruth", NULL);
    assert_true(row_field(bouts.last, "steps") == 20);
    assert_int_equal(rows_of(rows, "gait_bout", "alias=R,", NULL).count, 0);
    assert_true(row_field(bouts.last, "step_time_ms") == 500);
    assert_true(rows_of(rows, "gait_window", "alias=R,", NULL).count > 0);
    world_end(&w);
}

/* The document goes: what was walked is told to its end. */
static void a_bout_outlives_its_members_document(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 10);
    world_say(&w, "config/member/m1", BS_RECORD_RETAINED, BS_SLICE(""));
    walk(&w, &pod, 'F', 10);
    settle(&w);
    struct row_summary bouts = rows_of(world_lines(&w), "gait_bout", "", NULL);
    assert_true(row_field(bouts.last, "steps") == 10 && row_has(bouts.last, "open=false"));
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_UNKNOWN_DEVICE], 10);
    struct bs_engine_held held;
    world_wait(&w, 2 * DAY);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 0);
    world_end(&w);
}

/* The clock. */

static void a_stepped_clock_ends_bouts_and_forgets_the_order(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 12);
    world_lines(&w);
    step_clock(&w, HOUR);
    const char *rows = world_lines(&w);
    assert_int_equal(books(&w)->steps_waiting, 0);
    struct row_summary bouts = rows_of(rows, "gait_bout", "", NULL);
    assert_true(bouts.count == 1 && row_field(bouts.last, "steps") == 12);
    assert_true(row_has(bouts.last, "open=false"));
    assert_true(rows_of(rows, "gait_window", "final=true", "steps").sum == 12);
    pod.ahead = HOUR;
    walk(&w, &pod, 'F', 12);
    settle(&w);
    rows = world_lines(&w);
    bouts = rows_of(rows, "gait_bout", " 1795719606000\n", NULL);
    assert_non_null(bouts.last);
    assert_true(row_field(bouts.last, "steps") == 12);
    /* The first has no step before it. */
    assert_true(rows_of(rows, "gait_window", "final=true", "duration_s").sum == 5.5);
    world_end(&w);
}

/* What was final by the old clock stays so; after it all is as ever. */
static void a_clock_stepped_back_counts_again_later(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 12);
    step_clock(&w, -10 * MINUTE);
    pod.ahead = -10 * MINUTE;
    walk(&w, &pod, 'F', 12);
    assert_int_equal(books(&w)->steps_rejected[BS_STEP_TOO_LATE], 12);
    world_wait(&w, 10 * MINUTE);
    world_lines(&w);
    walk(&w, &pod, 'F', 12);
    settle(&w);
    struct row_summary bouts = rows_of(world_lines(&w), "gait_bout", "", NULL);
    assert_true(row_field(bouts.last, "steps") == 12 && row_has(bouts.last, "open=false"));
    world_end(&w);
}

/* Settings. */

static void a_shorter_wait_lets_pass_what_waits(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    say(&w, "settings/site", "{\"reorder_ms\":10000}");
    walk(&w, &pod, 'F', 10);
    assert_int_equal(books(&w)->steps_waiting, 10);
    say(&w, "settings/site", "{\"reorder_ms\":1000}");
    world_wait(&w, 100);
    assert_int_equal(books(&w)->steps_waiting, 1); /* the last, 600 ms ago */
    settle(&w);
    assert_true(row_field(rows_of(world_lines(&w), "gait_bout", "", NULL).last, "steps") == 10);
    world_end(&w);
}

static void a_longer_wait_holds_what_waits(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 3);
    say(&w, "settings/site", "{\"reorder_ms\":10000}");
    world_wait(&w, 8400);
    assert_int_equal(books(&w)->steps_waiting, 3);
    world_wait(&w, 300);
    assert_int_equal(books(&w)->steps_waiting, 2);
    settle(&w);
    world_end(&w);
}

static void other_windows_in_mid_bout(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 10);
    say(&w, "settings/site", "{\"window_s\":1,\"max_future_ms\":0}");
    walk(&w, &pod, 'F', 40);
    settle(&w);
    const char *rows = world_lines(&w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "", NULL);
    assert_true(row_field(bouts.last, "steps") == 50);
    assert_true(row_field(bouts.last, "step_time_ms") == 500);
    struct row_summary windows = rows_of(rows, "gait_window", "final=true", "steps");
    assert_true(windows.sum == 50);
    assert_int_equal(windows.count, 1 + 15); /* of 10 s until 10 s, then of 1 s */
    world_end(&w);
}

static void another_gap_in_mid_bout(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 10);
    world_lines(&w);
    say(&w, "settings/site", "{\"bout_gap_ms\":500,\"reorder_ms\":0}");
    world_wait(&w, 700); /* 1.2 s after the last step */
    struct row_summary bouts = rows_of(world_lines(&w), "gait_bout", "open=false", NULL);
    assert_true(bouts.count == 1 && row_field(bouts.last, "steps") == 10);
    say(&w, "settings/site", "{\"bout_gap_ms\":30000}");
    world_wait(&w, 20000);
    walk(&w, &pod, 'F', 5);
    settle(&w);
    bouts = rows_of(world_lines(&w), "gait_bout", "open=false", NULL);
    assert_true(row_field(bouts.last, "steps") == 15);
    world_end(&w);
}

static void a_longer_gap_keeps_a_bout_open(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    walk(&w, &pod, 'F', 10);
    say(&w, "settings/site", "{\"bout_gap_ms\":30000}");
    world_wait(&w, 25000);
    assert_int_equal(rows_of(world_lines(&w), "gait_bout", "open=false", NULL).count, 0);
    world_wait(&w, 7000);
    assert_int_equal(rows_of(world_lines(&w), "gait_bout", "open=false", NULL).count, 1);
    world_end(&w);
}

/* Forward steps of 30 s after a backward bout arrive a quarter of an hour late, under a lateness
 * that was raised meanwhile: they are what comes next. */
static void a_longer_lateness_takes_a_visit_up_again(void **state)
{
    (void)state;
    struct world w;
    struct walker pod;
    begin(&w, &pod);
    say(&w, "settings/site", "{\"allowed_lateness_s\":0}");
    pod.mm = 700;
    walk(&w, &pod, 'F', 20);
    pod.mm = 500;
    walk(&w, &pod, 'B', 10);
    int64_t next = w.tick + 30000;
    world_wait(&w, 17 * MINUTE); /* the visit is settled */
    say(&w, "settings/site", "{\"allowed_lateness_s\":3600}");
    pod.mm = 600;
    for (int i = 0; i < 20; i++) {
        pod.ahead = next + 500 * i - w.tick;
        step(&w, &pod, 'F');
    }
    world_wait(&w, 2 * HOUR);
    struct row_summary carried = rows_of(world_lines(&w), "carry_over", "", NULL);
    assert_non_null(carried.last);
    assert_true(row_field(carried.last, "block_steps") == 20);
    assert_true(row_field(carried.last, "step_length_retention_pct") == 50);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_is_a_bout),
        cmocka_unit_test(late_and_stored_steps_are_in_no_bout),
        cmocka_unit_test(a_late_burst_is_one_bout_and_few_rows),
        cmocka_unit_test(a_bout_waits_for_its_steps),
        cmocka_unit_test(consent_that_falls_is_the_last_word_of_a_bout),
        cmocka_unit_test(each_consent_has_its_own_bout),
        cmocka_unit_test(what_was_walked_under_less_consent_is_compared_with_nothing),
        cmocka_unit_test(other_changes_of_a_document_end_nothing),
        cmocka_unit_test(a_bout_outlives_its_members_document),
        cmocka_unit_test(a_stepped_clock_ends_bouts_and_forgets_the_order),
        cmocka_unit_test(a_clock_stepped_back_counts_again_later),
        cmocka_unit_test(a_shorter_wait_lets_pass_what_waits),
        cmocka_unit_test(a_longer_wait_holds_what_waits),
        cmocka_unit_test(other_windows_in_mid_bout),
        cmocka_unit_test(another_gap_in_mid_bout),
        cmocka_unit_test(a_longer_gap_keeps_a_bout_open),
        cmocka_unit_test(a_longer_lateness_takes_a_visit_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
