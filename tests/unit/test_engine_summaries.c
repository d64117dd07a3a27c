/* Summaries of classes through the engine: documents, consent, stored and late steps, the clock,
 * and what a sweep leaves. */
#include "documents_world.h"

#define START        "\"start\":\"2026-11-26T18:00:00Z\"" /* WORLD_NOW */
#define BACK         "{\"drill\":\"back\"," START
#define COUNTS(b, f) ",backward_steps=" b ",forward_steps=" f ",side_steps=0i,up_steps=0i,"

static void say_drill(struct world *w, const char *document)
{
    say(w, document,
        "{\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\",\"duration_s\":30},"
        "{\"name\":\"carry over\",\"direction\":\"F\",\"duration_s\":3600}]}");
}

/* Ruth, a class and its drill. */
static void begin(struct world *w, const char *session)
{
    world_begin(w);
    say(w, "settings/site", "{\"reorder_ms\":0}");
    say_drill(w, "drill/back");
    say(w, "session/tue", session);
    say(w, "member/m1", ruth);
    world_lines(w);
}

static void walk(struct world *w, char direction, int steps)
{
    for (int i = 0; i < steps; i++) {
        world_step(w, "pod",
                   "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"%c\",\"step_ms\":500,"
                   "\"step_mm\":400}",
                   next_seq++, (long long)w->tick, direction);
        world_wait(w, 500);
    }
}

/* The newest `session_summary` row with that text in it, since the last call; empty: none. */
static const char *summary_with(struct world *w, const char *text, int *ret_count)
{
    static char newest[1024];
    char *all = strdup(world_lines(w)), *rest = all;
    newest[0] = 0;
    *ret_count = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        if (strncmp(line, "session_summary,", 16) == 0 && strstr(line, text)) {
            snprintf(newest, sizeof newest, "%s", line);
            ++*ret_count;
        }
    free(all);
    return newest;
}

static void expect(struct world *w, const char *text, int count, const char *newest)
{
    int found;
    const char *line = summary_with(w, text, &found);
    if (found != count || (count && strcmp(line, newest) != 0))
        fail_msg("%d rows with %s, expected %d; the newest\n%s\nexpected\n%s", found, text, count,
                 line, newest);
}

static void a_class_by_timetable(void **state)
{
    (void)state;
    struct world w;
    begin(&w, BACK ",\"end\":\"2026-11-26T18:10:00Z\"}");
    walk(&w, 'B', 60); /* half a minute: the phase of the timetable */
    walk(&w, 'F', 90);
    /* One row for all phases, soon after its first step and a minute later. */
    expect(&w, "", 2,
           "session_summary,alias=Ruth,drill=back,group=tue,member=m1,site=gym steps=124i" COUNTS(
               "60i", "64i") "bouts=2i,carry_overs=1i,slips=0i,distance_m=49.6,duration_s=62 "
                             "1795716000000");
    world_wait(&w, 20 * MINUTE);
    expect(&w, "", 2,
           "session_summary,alias=Ruth,drill=back,group=tue,member=m1,site=gym steps=150i" COUNTS(
               "60i", "90i") "bouts=2i,carry_overs=1i,slips=0i,distance_m=60,duration_s=75 "
                             "1795716000000");
    world_end(&w);
}

static void late_steps_count_and_stored_ones_do_not(void **state)
{
    (void)state;
    struct world w;
    int count;
    begin(&w, BACK ",\"end\":\"2026-11-26T18:10:00Z\"}");
    step(&w, "pod");
    world_wait(&w, 12 * MINUTE);
    summary_with(&w, "steps=1i", &count);
    assert_int_equal(count, 2);
    step_at(&w, "pod", WORLD_NOW + 9 * MINUTE);
    world_step(&w, "pod", "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"stored\":true}", next_seq++,
               (long long)WORLD_NOW + 60000);
    step_at(&w, "pod", WORLD_NOW + 11 * MINUTE); /* of no class */
    world_wait(&w, 2000);
    summary_with(&w, "steps=2i", &count);
    assert_int_equal(count, 1);
    world_wait(&w, 60 * MINUTE);
    summary_with(&w, "", &count);
    assert_int_equal(count, 0);
    world_end(&w);
}

static void a_step_that_is_rejected_is_in_none(void **state)
{
    (void)state;
    struct world w;
    int count;
    begin(&w, BACK "}");
    step(&w, "pod");
    next_seq--;
    step(&w, "pod");
    assert_int_equal(rejected(&w, BS_STEP_DUPLICATE), 1);
    world_wait(&w, MINUTE);
    summary_with(&w, "steps=1i", &count);
    assert_int_equal(count, 1);
    world_end(&w);
}

static void names_change_and_the_row_does_not(void **state)
{
    (void)state;
    struct world w;
    int count;
    begin(&w, BACK "}");
    say_drill(&w, "drill/side");
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    say(&w, "session/tue", "{\"drill\":\"side\"," START "}");
    say(&w, "member/m1",
        "{\"consent\":\"member\",\"alias\":\"Rudi\",\"devices\":[\"pod\"],\"groups\":[\"tue\"]}");
    say(&w, "member/m2",
        "{\"consent\":\"member\",\"alias\":\"Ida\",\"devices\":[\"pod2\"],\"groups\":[\"tue\"]}");
    step(&w, "pod");
    step(&w, "pod2");
    world_lines(&w);
    world_wait(&w, MINUTE);
    const char *row = summary_with(&w, "steps=2i", &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(row, "alias=Ruth,drill=back,group=tue,member=m1,"));
    step(&w, "pod2");
    world_wait(&w, MINUTE);
    row = summary_with(&w, "steps=2i", &count);
    assert_int_equal(count, 1);
    assert_non_null(strstr(row, "alias=Ida,drill=back,group=tue,member=m2,"));
    world_end(&w);
}

static void consent_is_withdrawn_and_given_again(void **state)
{
    (void)state;
    struct world w;
    int count;
    begin(&w, BACK "}");
    step(&w, "pod");
    say(&w, "member/m1",
        "{\"consent\":\"group\",\"alias\":\"Ruth\",\"devices\":[\"pod\"],\"groups\":[\"tue\"]}");
    summary_with(&w, "alias=Ruth,drill=back,group=tue,member=m1,site=gym steps=1i", &count);
    assert_int_equal(count, 1); /* at that moment */
    step(&w, "pod");
    world_wait(&w, 5 * MINUTE);
    summary_with(&w, "", &count);
    assert_int_equal(count, 0);
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    world_wait(&w, MINUTE);
    summary_with(&w, "alias=Ruth,drill=back,group=tue,member=m1,site=gym steps=2i", &count);
    assert_int_equal(count, 1);
    say(&w, "member/m1", "{\"consent\":\"none\",\"devices\":[\"pod\"]}");
    summary_with(&w, "steps=2i", &count);
    assert_int_equal(count, 1);
    say(&w, "session/tue", "");
    world_wait(&w, INT64_C(24) * 60 * MINUTE);
    summary_with(&w, "", &count);
    assert_int_equal(count, 0);
    world_end(&w);
}

/* A member comes with consent `group`, and gives more in the middle. */
static void consent_begins_in_the_middle(void **state)
{
    (void)state;
    struct world w;
    int count;
    begin(&w, BACK "}");
    say(&w, "member/m1",
        "{\"consent\":\"group\",\"alias\":\"X\",\"devices\":[\"pod\"],\"groups\":[\"tue\"]}");
    step(&w, "pod");
    step(&w, "pod");
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    world_wait(&w, MINUTE);
    summary_with(&w, "alias=Ruth,drill=back,group=tue,member=m1,site=gym steps=1i", &count);
    assert_int_equal(count, 1);
    world_end(&w);
}

static void a_class_is_closed_by_hand_and_goes_on(void **state)
{
    (void)state;
    struct world w;
    int count;
    begin(&w, BACK "}");
    step(&w, "pod");
    say(&w, "session/tue", "");
    summary_with(&w, "steps=1i", &count);
    assert_int_equal(count, 1);
    step(&w, "pod"); /* of no class */
    say(&w, "session/tue", BACK "}");
    step(&w, "pod");
    world_wait(&w, MINUTE);
    summary_with(&w, "steps=2i", &count);
    assert_int_equal(count, 1);
    world_end(&w);
}

/* A week later the same document says another end: the row must not begin anew. */
static void a_class_is_known_as_long_as_its_document(void **state)
{
    (void)state;
    struct world w;
    int count;
    begin(&w, BACK ",\"end\":\"2026-11-26T18:10:00Z\"}");
    step(&w, "pod");
    world_wait(&w, INT64_C(7) * 24 * 60 * MINUTE);
    world_lines(&w);
    say(&w, "session/tue", BACK ",\"end\":\"2026-12-26T18:10:00Z\"}");
    step(&w, "pod");
    world_wait(&w, MINUTE);
    summary_with(&w, "steps=2i", &count);
    assert_int_equal(count, 1);
    world_end(&w);
}

static void a_member_goes_when_the_class_is_forgotten(void **state)
{
    (void)state;
    struct world w;
    struct bs_engine_held held;
    int count;
    begin(&w, BACK "}");
    step(&w, "pod");
    world_wait(&w, MINUTE);
    say(&w, "member/m1", "");
    world_wait(&w, INT64_C(48) * 60 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 1);
    summary_with(&w, "steps=1i", &count);
    assert_int_equal(count, 2); /* in the class and at its end: consent is as it was */
    say(&w, "session/tue", "");
    world_wait(&w, INT64_C(24) * 60 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 0);
    summary_with(&w, "", &count);
    assert_int_equal(count, 0);
    world_end(&w);
}

static void a_clock_that_is_set(void **state)
{
    (void)state;
    struct world w;
    struct bs_clock_body clock = {.offset_ms = 20 * MINUTE, .stepped = true};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    int count;
    begin(&w, BACK ",\"end\":\"2026-11-26T18:10:00Z\"}");
    step(&w, "pod");
    bs_clock_body_write(&clock, bytes);
    world_fold(&w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
    summary_with(&w, "steps=1i", &count);
    assert_int_equal(count, 1);
    clock.offset_ms = 2 * MINUTE;
    bs_clock_body_write(&clock, bytes);
    world_fold(&w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
    world_wait(&w, 7 * MINUTE); /* 18:09 */
    summary_with(&w, "", &count);
    assert_int_equal(count, 0);
    step_at(&w, "pod", WORLD_NOW + 9 * MINUTE);
    world_wait(&w, MINUTE);
    summary_with(&w, "steps=2i", &count);
    assert_int_equal(count, 1); /* 18:10 by the new clock */
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_by_timetable),
        cmocka_unit_test(late_steps_count_and_stored_ones_do_not),
        cmocka_unit_test(a_step_that_is_rejected_is_in_none),
        cmocka_unit_test(names_change_and_the_row_does_not),
        cmocka_unit_test(consent_is_withdrawn_and_given_again),
        cmocka_unit_test(consent_begins_in_the_middle),
        cmocka_unit_test(a_class_is_closed_by_hand_and_goes_on),
        cmocka_unit_test(a_class_is_known_as_long_as_its_document),
        cmocka_unit_test(a_member_goes_when_the_class_is_forgotten),
        cmocka_unit_test(a_clock_that_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
