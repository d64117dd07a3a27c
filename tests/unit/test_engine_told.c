/* What bouts tell the others: wearables of a slip, the group's rows of slips and retentions; and
 * under which phase, when that changes in the middle. */
#include "gait_world.h"

#define MEMBERS 3

struct class
{
    struct world w;
    struct walker pods[MEMBERS];
    char names[MEMBERS][16];
};

static void begin_class(struct class *c, const char *consent)
{
    char topic[32], document[128];
    world_begin(&c->w);
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(c->names[i], sizeof c->names[i], "pod%d", i);
        c->pods[i] = (struct walker){.device = c->names[i], .boot = 1};
        snprintf(topic, sizeof topic, "member/m%d", i);
        snprintf(document, sizeof document,
                 "{\"consent\":\"%s\",\"groups\":[\"tue\"],\"devices\":[\"pod%d\",\"belt%d\"]}",
                 consent, i, i);
        say(&c->w, topic, document);
    }
}

static void say_settings(struct class *c, const char *more)
{
    char document[256];
    snprintf(document, sizeof document, "{\"min_group_size\":3,\"reorder_ms\":1000%s}", more);
    say(&c->w, "settings/site", document);
}

/* A step of `mm` by each of the first `count` members, every 500 ms. */
static void walk_class(struct class *c, int count, char direction, int steps, int mm)
{
    for (int k = 0; k < steps; k++) {
        for (int i = 0; i < count; i++) {
            c->pods[i].mm = mm;
            step(&c->w, &c->pods[i], direction);
        }
        world_wait(&c->w, 500);
    }
}

/* Habit, back, block: retention 50 %; what comes after it is judged. */
static void walk_block(struct class *c, int count)
{
    walk_class(c, count, 'F', 20, 700);
    walk_class(c, count, 'B', 10, 500);
    walk_class(c, count, 'F', 20, 600);
}

/* Feedback. */

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

/* The notices among what was published since the last call. */
static const char *notices(struct world *w)
{
    static char kept[4096];
    char *all = strdup(world_publications(w)), *rest = all;
    kept[0] = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        if (strstr(line, "/feedback/")) {
            assert_true(strlen(kept) + strlen(line) + 2 < sizeof kept);
            strcat(strcat(kept, line), "\n");
        }
    free(all);
    return kept;
}

/* The third step of 720 mm after the block, its event time in the notice. */
static void each_device_of_the_member_is_told(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, "member");
    say_settings(&c, "");
    walk_block(&c, 2);
    notices(&c.w);
    walk_class(&c, 2, 'F', 2, 600);
    walk_class(&c, 1, 'F', 6, 720); /* from 26 s on */
    const char *told = notices(&c.w);
    assert_string_equal(told,
                        "backstep/v1/gym/feedback/pod0  {\"slip\":\"step_length\",\"sign\":\"up\","
                        "\"deviation\":20.0,\"t\":1795716027000}\n"
                        "backstep/v1/gym/feedback/belt0  {\"slip\":\"step_length\",\"sign\":\"up\","
                        "\"deviation\":20.0,\"t\":1795716027000}\n");
    settle(&c.w);
    assert_string_equal(notices(&c.w), "");
    world_end(&c.w);
}

/* Those that the document names then. */
static void the_devices_of_now_are_told(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, "member");
    say_settings(&c, "");
    walk_block(&c, 1);
    say(&c.w, "member/m0", "{\"consent\":\"member\",\"devices\":[\"pod0\",\"watch\"]}");
    walk_class(&c, 1, 'F', 6, 720);
    const char *told = notices(&c.w);
    assert_int_equal(count_of(told, "feedback/"), 2);
    assert_int_equal(count_of(told, "feedback/pod0 ") + count_of(told, "feedback/watch "), 2);
    world_end(&c.w);
}

static void a_guest_is_told(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, "none");
    say_settings(&c, ",\"unknown_devices\":\"guest\"");
    c.pods[0].device = "stranger";
    walk_block(&c, 1);
    walk_class(&c, 1, 'F', 6, 720);
    const char *told = notices(&c.w);
    assert_int_equal(count_of(told, "feedback/"), 1);
    assert_int_equal(count_of(told, "backstep/v1/gym/feedback/stranger "), 1);
    world_end(&c.w);
}

/* So long after the step: 5 s are new, more are old. */
static int notices_after(int64_t delay_ms)
{
    struct class c;
    begin_class(&c, "member");
    say_settings(&c, "");
    walk_block(&c, 1);
    walk_class(&c, 1, 'F', 2, 720);
    world_wait(&c.w, delay_ms);
    c.pods[0].ahead = -delay_ms;
    c.pods[0].mm = 720;
    step(&c.w, &c.pods[0], 'F');
    c.pods[0].ahead += 1000; /* by which it passes */
    c.pods[0].mm = 600;
    step(&c.w, &c.pods[0], 'F');
    int count = count_of(notices(&c.w), "feedback/");
    assert_int_equal(rows_of(world_lines(&c.w), "slip", "", NULL).count, 1);
    world_end(&c.w);
    return count;
}

static void what_is_older_than_five_seconds_is_not_said(void **state)
{
    (void)state;
    assert_int_equal(notices_after(5000), 2);
    assert_int_equal(notices_after(5001), 0);
}

static void nobody_is_told_without_consent_or_wish(void **state)
{
    (void)state;
    static const struct {
        const char *consent, *settings;
        int slips;
    } cases[] = {{"group", "", 0}, {"member", ",\"feedback\":false", 1}};
    for (int i = 0; i < 2; i++) {
        struct class c;
        begin_class(&c, cases[i].consent);
        say_settings(&c, cases[i].settings);
        walk_block(&c, 1);
        walk_class(&c, 1, 'F', 6, 720);
        settle(&c.w);
        assert_string_equal(notices(&c.w), "");
        assert_int_equal(rows_of(world_lines(&c.w), "slip", "", NULL).count, cases[i].slips);
        world_end(&c.w);
    }
}

/* The group. */

/* Three carry-overs that begin at 15 s, three slips of step 23, at 26 s. */
static void the_group_counts_retentions_and_slips(void **state)
{
    (void)state;
    for (int unnamed = 0; unnamed < 2; unnamed++) { /* consent does not matter, all of one kind */
        struct class c;
        begin_class(&c, unnamed ? "group" : "member");
        say_settings(&c, "");
        walk_block(&c, 3);
        walk_class(&c, 3, 'F', 20, 720);
        settle(&c.w);
        const char *rows = world_lines(&c.w);
        struct row_summary first = rows_of(rows, "group_window", " 1795716000000\n", NULL),
                           second = rows_of(rows, "group_window", " 1795716010000\n", NULL),
                           third = rows_of(rows, "group_window", " 1795716020000\n", NULL);
        assert_true(isnan(row_field(first.last, "retention_pct_p50")));
        assert_true(row_field(second.last, "retention_pct_p50") == 50);
        assert_true(isnan(row_field(third.last, "retention_pct_p50")));
        assert_true(row_field(first.last, "slips") == 0);
        assert_true(row_field(second.last, "slips") == 0);
        assert_true(row_field(third.last, "slips") == 3);
        assert_int_equal(rows_of(rows, "carry_over", "", NULL).count > 0, !unnamed);
        world_end(&c.w);
    }
}

/* Phases. */

static void say_phase(struct class *c, const char *phase)
{
    char document[256];
    snprintf(document, sizeof document,
             "{\"drill\":\"twenty\",\"start\":\"2026-11-26T18:00:00Z\",\"phase\":\"%s\"}", phase);
    say(&c->w, "session/tue", document);
}

static void begin_session(struct class *c)
{
    begin_class(c, "member");
    say_settings(c, "");
    say(&c->w, "drill/twenty",
        "{\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\"},"
        "{\"name\":\"keep\",\"direction\":\"F\"}]}");
    say_phase(c, "imprint");
}

static void a_bout_keeps_the_phase_of_its_first_step(void **state)
{
    (void)state;
    struct class c;
    begin_session(&c);
    walk_class(&c, 1, 'F', 10, 600);
    say_phase(&c, "keep");
    walk_class(&c, 1, 'F', 10, 600);
    settle(&c.w);
    const char *rows = world_lines(&c.w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "phase=imprint", NULL);
    assert_true(row_field(bouts.last, "steps") == 20);
    assert_int_equal(rows_of(rows, "gait_bout", "phase=keep", NULL).count, 0);
    assert_true(rows_of(rows, "gait_window", "phase=imprint", "steps").sum >= 10);
    struct row_summary after = rows_of(rows, "gait_window", "phase=keep", NULL);
    assert_true(row_field(after.last, "steps") == 10 && row_has(after.last, "final=true"));
    world_end(&c.w);
}

/* The phase changes in the middle of the forward bout; what it carries and where it slips is of its
 * beginning, in the windows of their own time. */
static void what_a_bout_tells_has_its_tags(void **state)
{
    (void)state;
    struct class c;
    begin_session(&c);
    walk_block(&c, 3);
    say_phase(&c, "keep"); /* from 25 s on */
    walk_class(&c, 3, 'F', 20, 720);
    settle(&c.w);
    const char *rows = world_lines(&c.w);
    assert_int_equal(rows_of(rows, "slip", "phase=imprint", NULL).count, 3);
    assert_int_equal(rows_of(rows, "slip", "phase=keep", NULL).count, 0);
    assert_true(rows_of(rows, "carry_over", "phase=imprint", NULL).count > 0);
    assert_int_equal(rows_of(rows, "carry_over", "phase=keep", NULL).count, 0);
    struct row_summary imprint = rows_of(rows, "group_window", "phase=imprint", NULL);
    assert_true(row_has(imprint.last, " 1795716020000\n") && row_field(imprint.last, "slips") == 3);
    struct row_summary keep = rows_of(rows, "group_window", "phase=keep", NULL);
    assert_true(row_field(keep.last, "slips") == 0);
    world_end(&c.w);
}

/* The class ends in mid-bout: later steps are of no session, the bout is. */
static void a_session_that_is_deleted_in_mid_bout(void **state)
{
    (void)state;
    struct class c;
    begin_session(&c);
    walk_class(&c, 1, 'F', 10, 600);
    world_say(&c.w, "config/session/tue", BS_RECORD_RETAINED, BS_SLICE(""));
    walk_class(&c, 1, 'F', 10, 600);
    settle(&c.w);
    const char *rows = world_lines(&c.w);
    struct row_summary bouts = rows_of(rows, "gait_bout", "drill=twenty", NULL);
    assert_true(row_field(bouts.last, "steps") == 20);
    assert_int_equal(rows_of(rows, "gait_bout", "drill=none", NULL).count, 0);
    struct row_summary after = rows_of(rows, "gait_window", "drill=none,group=tue", NULL);
    assert_true(row_field(after.last, "steps") == 10);
    world_end(&c.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_device_of_the_member_is_told),
        cmocka_unit_test(the_devices_of_now_are_told),
        cmocka_unit_test(a_guest_is_told),
        cmocka_unit_test(what_is_older_than_five_seconds_is_not_said),
        cmocka_unit_test(nobody_is_told_without_consent_or_wish),
        cmocka_unit_test(the_group_counts_retentions_and_slips),
        cmocka_unit_test(a_bout_keeps_the_phase_of_its_first_step),
        cmocka_unit_test(what_a_bout_tells_has_its_tags),
        cmocka_unit_test(a_session_that_is_deleted_in_mid_bout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
