/* Summaries: whose they are, when they are written, and how long they stay. */
#include "summaries_world.h"

/* Whose they are. */

static void one_of_a_member_and_a_session(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1", .alias = "Ruth"}, ida = {.id = "m2", .alias = "Ida"};
    world_begin(&w);
    world_say(&w, "tue", 0, 60, "back");
    world_say(&w, "wed", 0, 60, "side");
    world_step(&w, &ida, "tue");
    world_step(&w, &ruth, "tue");
    world_step(&w, &ruth, "wed");
    world_step(&w, &ruth, "tue");
    assert_int_equal(bs_summaries_open(w.summaries), 3);
    world_wait_until(&w, 60);
    EXPECT_LINES(&w, "open Ida/back/tue/m2 0 steps=1i", "open Ruth/back/tue/m1 0 steps=2i",
                 "open Ruth/side/wed/m1 0 steps=1i", "closed Ida/back/tue/m2 0 steps=1i",
                 "closed Ruth/back/tue/m1 0 steps=2i", "closed Ruth/side/wed/m1 0 steps=1i");
    world_say(&w, "tue", 60, 120, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 120);
    EXPECT_LINES(&w, "open Ruth/back/tue/m1 60 steps=1i", "closed Ruth/back/tue/m1 60 steps=1i");
    world_end(&w);
}

static void the_first_alias_and_the_sessions_first_drill(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1", .alias = "Ruth"}, ida = {.id = "m2", .alias = "Ida"};
    world_begin(&w);
    world_say(&w, "tue", 0, 60, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 5);
    world_lines(&w);
    world_say(&w, "tue", 0, 60, "side");
    ruth.alias = "Rudi";
    world_step(&w, &ruth, "tue");
    world_step(&w, &ida, "tue");
    world_wait_until(&w, 60);
    EXPECT_LINES(&w, "open Ida/back/tue/m2 0 steps=1i", "open Ruth/back/tue/m1 0 steps=2i",
                 "closed Ruth/back/tue/m1 0 steps=2i", "closed Ida/back/tue/m2 0 steps=1i");
    world_end(&w);
}

static void a_step_without_consent_is_in_none(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1", .alias = "Old", .unnamed = true};
    world_begin(&w);
    world_say(&w, "tue", 0, 60, "back");
    world_step(&w, &ruth, "tue");
    assert_int_equal(bs_summaries_open(w.summaries), 0);
    ruth.unnamed = false;
    ruth.alias = "Ruth";
    world_step(&w, &ruth, "tue");
    ruth.unnamed = true;
    world_step(&w, &ruth, "tue");
    ruth.unnamed = false;
    world_step(&w, &ruth, "tue");
    assert_int_equal(bs_summaries_open(w.summaries), 1);
    world_wait_until(&w, 1);
    EXPECT_LINES(&w, "open Ruth/back/tue/m1 0 steps=2i");
    world_end(&w);
}

static void what_is_in_none_is_nothing(void **state)
{
    (void)state;
    struct world w;
    struct bs_tick_ms now = {WORLD_BEGIN};
    world_begin(&w);
    bs_summary_hold(NULL);
    world_pass(&w, NULL);
    bs_summaries_count(w.summaries, NULL, BS_SUMMARY_SLIPS, now);
    bs_summaries_add_retention(w.summaries, NULL, 50, now);
    bs_summaries_remove_retention(w.summaries, NULL, 50, now);
    bs_summary_drop(NULL);
    assert_int_equal(bs_summaries_wall_deadline(w.summaries).ms, BS_NEVER_MS);
    assert_int_equal(bs_summaries_tick_deadline(w.summaries).ms, BS_NEVER_MS);
    world_follow(&w, "tue");
    world_forget(&w, 0);
    EXPECT_NOTHING(&w);
    world_end(&w);
    bs_summaries_free(NULL);
}

/* When they are written. */

static void once_a_minute_while_the_session_runs(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    world_begin(&w);
    world_say(&w, "tue", 0, WORLD_NO_END, "back");
    for (int i = 0; i < 150; i++) { /* two and a half minutes */
        world_step(&w, &ruth, "tue");
        world_wait_ms(&w, 1000);
    }
    /* The first step is written soon; it is dirty again with the one after a writing. */
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=2i", "open m1/back/tue/m1 0 steps=62i",
                 "open m1/back/tue/m1 0 steps=122i");
    world_wait_ms(&w, 32000);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=150i");
    world_wait_ms(&w, 600000);
    EXPECT_NOTHING(&w);
    world_end(&w);
}

static void at_the_end_and_after_it_by_the_refresh(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"}, ida = {.id = "m2"};
    struct bs_summary *late;
    world_begin(&w);
    world_say(&w, "tue", 0, 10, "back");
    world_step(&w, &ida, "tue");
    world_wait_until(&w, 9);
    EXPECT_LINES(&w, "open m2/back/tue/m2 0 steps=1i");
    world_wait_ms(&w, 59000);
    world_step(&w, &ruth, "tue");
    world_wait_ms(&w, 999);
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, 1);
    /* What had been written as open is written as closed, though it did not change. */
    EXPECT_LINES(&w, "closed m2/back/tue/m2 0 steps=1i", "closed m1/back/tue/m1 0 steps=1i");
    assert_true(world_find(&w, &ruth, "tue", world_time(10) - 1, &late));
    world_wait_ms(&w, 60000);
    EXPECT_NOTHING(&w);
    world_pass(&w, late);
    world_pass(&w, late);
    world_wait_ms(&w, WORLD_REFRESH - 1);
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, 1);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=3i");
    world_wait_ms(&w, 600000);
    EXPECT_NOTHING(&w);
    world_end(&w);
}

static void what_hangs_on_steps_counts(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    struct bs_summary *summary;
    world_begin(&w);
    world_say(&w, "tue", 0, 10, "back");
    assert_true(world_find(&w, &ruth, "tue", world_time(0), &summary));
    world_wait_until(&w, 5);
    EXPECT_NOTHING(&w); /* a step that waits is no change */
    world_pass(&w, summary);
    world_wait_until(&w, 10);
    world_lines(&w);
    struct bs_tick_ms now = {w.tick};
    bs_summaries_count(w.summaries, summary, BS_SUMMARY_BOUTS, now);
    bs_summaries_count(w.summaries, summary, BS_SUMMARY_BOUTS, now);
    bs_summaries_count(w.summaries, summary, BS_SUMMARY_CARRY_OVERS, now);
    bs_summaries_add_retention(w.summaries, summary, 71.5, now);
    world_wait_ms(&w, WORLD_REFRESH);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=1i,backward_steps=0i,forward_steps=1i,"
                     "side_steps=0i,up_steps=0i,bouts=2i,carry_overs=1i,slips=0i,"
                     "retention_pct=71.5\n");
    now.ms = w.tick;
    bs_summaries_remove_retention(w.summaries, summary, 71.5, now);
    bs_summaries_count(w.summaries, summary, BS_SUMMARY_SLIPS, now);
    world_wait_ms(&w, WORLD_REFRESH);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=1i,backward_steps=0i,forward_steps=1i,"
                     "side_steps=0i,up_steps=0i,bouts=2i,carry_overs=1i,slips=1i\n");
    now.ms = w.tick;
    bs_summaries_add_retention(w.summaries, summary, 60, now);
    world_wait_ms(&w, WORLD_REFRESH);
    assert_non_null(strstr(world_lines(&w), ",retention_pct=60\n"));
    now.ms = w.tick;
    bs_summaries_remove_retention(w.summaries, summary, 60, now);
    world_wait_ms(&w, WORLD_REFRESH);
    assert_null(strstr(world_lines(&w), "retention_pct"));
    world_end(&w);
}

/* Ends. */

static void a_document_moves_the_end(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    world_begin(&w);
    world_say(&w, "tue", 0, 60, "back");
    world_step(&w, &ruth, "tue");
    world_wait_ms(&w, 30000);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=1i");
    world_say(&w, "tue", 0, 1, "back");
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, 29999);
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, 1);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=1i");
    world_wait_until(&w, 20);
    world_say(&w, "tue", 0, 40, "back"); /* it goes on, and so does the row */
    world_step(&w, &ruth, "tue");
    world_wait_ms(&w, 59999);
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, 1);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=2i");
    world_wait_until(&w, 40);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=2i");
    world_say(&w, "tue", 0, 35, "back"); /* into the past */
    EXPECT_NOTHING(&w);
    world_end(&w);
}

static void a_deletion_is_the_end(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    world_begin(&w);
    world_say(&w, "tue", 0, 60, "back");
    world_say(&w, "wed", 0, 60, "back");
    world_step(&w, &ruth, "tue");
    world_step(&w, &ruth, "wed");
    world_wait_ms(&w, 1000);
    world_delete(&w, "tue");
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=1i");
    world_wait_ms(&w, 1000);
    world_say(&w, "tue", 0, 60, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 2);
    EXPECT_LINES(&w, "open m1/back/wed/m1 0 steps=1i", "open m1/back/tue/m1 0 steps=2i");
    world_end(&w);
}

static void the_next_session_ends_the_one_before(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    world_begin(&w);
    world_say(&w, "tue", 0, WORLD_NO_END, "back");
    world_step(&w, &ruth, "tue");
    world_say(&w, "tue", 5, WORLD_NO_END, "side");
    world_wait_until(&w, 5);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=1i", "closed m1/back/tue/m1 0 steps=1i");
    world_step(&w, &ruth, "tue");
    /* The one that is on was never there. */
    world_say(&w, "tue", 2, WORLD_NO_END, "up");
    EXPECT_LINES(&w, "closed m1/side/tue/m1 5 steps=1i");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 6);
    EXPECT_LINES(&w, "open m1/up/tue/m1 2 steps=1i");
    world_end(&w);
}

static void a_silence_is_the_end(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    world_begin(&w);
    world_say(&w, "tue", 0, WORLD_NO_END, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 10);
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 11);
    world_lines(&w);
    world_wait_ms(&w, 29 * WORLD_MINUTE - 1);
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, 1);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=2i");
    world_end(&w);
}

/* A class whose steps come late is over by the clock, and is not. */
static void a_backlog_lets_it_go_on(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    world_begin(&w);
    world_say(&w, "tue", 0, WORLD_NO_END, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 31);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=1i", "closed m1/back/tue/m1 0 steps=1i");
    world_step_at(&w, &ruth, "tue", world_time(29));
    world_wait_ms(&w, WORLD_REFRESH);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=2i");
    world_step(&w, &ruth, "tue");
    world_wait_ms(&w, 59999);
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, 1);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=3i");
    world_wait_until(&w, 62);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=3i");
    world_end(&w);
}

/* A document lets it go on; its next silence is the end, not the longest that it may last. */
static void a_silence_ends_what_went_on(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1", .alias = "Ruth"};
    world_begin(&w);
    world_say(&w, "tue", 0, WORLD_NO_END, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 40);
    world_say(&w, "tue", 0, WORLD_NO_END, "side");
    world_wait_until(&w, 50);
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 79);
    world_lines(&w);
    world_wait_until(&w, 80);
    EXPECT_LINES(&w, "closed Ruth/back/tue/m1 0 steps=2i");
    world_wait_until(&w, 800);
    EXPECT_NOTHING(&w);
    world_end(&w);
}

/* A document lets a class go on that fell silent, and the next backlog ends it again, both before
 * what the first backlog changed is due. */
static void silent_twice_within_a_refresh(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1", .alias = "Ruth"};
    world_begin(&w);
    world_say(&w, "tue", 0, WORLD_NO_END, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 31);
    world_lines(&w);
    world_step_at(&w, &ruth, "tue", world_time(0));
    world_say(&w, "tue", 0, WORLD_NO_END, "back");
    world_step_at(&w, &ruth, "tue", world_time(0) + 1000);
    EXPECT_NOTHING(&w);
    world_wait_ms(&w, WORLD_REFRESH);
    EXPECT_LINES(&w, "closed Ruth/back/tue/m1 0 steps=3i");
    world_wait_until(&w, 60);
    EXPECT_NOTHING(&w);
    world_end(&w);
}

static void a_stepped_clock(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"}, ida = {.id = "m2"};
    world_begin(&w);
    world_say(&w, "tue", 0, 60, "back");
    world_say(&w, "wed", 0, 120, "back");
    world_step(&w, &ruth, "tue");
    world_step(&w, &ida, "wed");
    struct bs_effects effects = world_effects(&w);
    w.offset = 70 * WORLD_MINUTE;
    bs_summaries_follow_clock(w.summaries, world_wall(&w), &effects);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=1i", "open m2/back/wed/m2 0 steps=1i");
    w.offset = 0;
    bs_summaries_follow_clock(w.summaries, world_wall(&w), &effects);
    EXPECT_NOTHING(&w);
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 1);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=2i");
    world_wait_until(&w, 60);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=2i");
    world_wait_until(&w, 120);
    EXPECT_LINES(&w, "closed m2/back/wed/m2 0 steps=1i");
    world_end(&w);
}

/* Consent. */

static void write_member(struct world *w, struct person *p)
{
    struct bs_effects effects = world_effects(w);
    bs_summaries_write_member(w->summaries, &p->member, &effects);
}

static void consent_withdrawn_is_the_last_word(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"}, ida = {.id = "m2"};
    struct bs_summary *waits;
    world_begin(&w);
    world_say(&w, "wed", 0, 60, "side");
    world_step(&w, &ruth, "wed");
    world_say(&w, "tue", 0, 60, "back");
    world_step(&w, &ida, "tue");
    world_step(&w, &ruth, "tue");
    assert_true(world_find(&w, &ruth, "tue", w.tick, &waits));
    write_member(&w, &ruth);
    EXPECT_LINES(&w, "closed m1/side/wed/m1 0 steps=1i", "closed m1/back/tue/m1 0 steps=1i");
    write_member(&w, &ruth);
    EXPECT_NOTHING(&w);
    ruth.member.withheld = true;
    world_pass(&w, waits);
    write_member(&w, &ruth);
    world_wait_until(&w, 30);
    EXPECT_LINES(&w, "open m2/back/tue/m2 0 steps=1i");
    ruth.member.withheld = false; /* given again: it goes on */
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 31);
    EXPECT_LINES(&w, "open m1/back/tue/m1 0 steps=3i");
    world_step(&w, &ruth, "wed");
    write_member(&w, &ruth);
    EXPECT_LINES(&w, "closed m1/side/wed/m1 0 steps=2i", "closed m1/back/tue/m1 0 steps=3i");
    ruth.member.withheld = true;
    world_pass(&w, waits);
    world_wait_until(&w, 60);
    EXPECT_LINES(&w, "closed m2/back/tue/m2 0 steps=1i");
    world_delete(&w, "tue");
    world_delete(&w, "wed");
    world_forget(&w, 60);
    EXPECT_NOTHING(&w);
    assert_int_equal(bs_summaries_open(w.summaries), 0);
    world_end(&w);
}

/* How long they stay. */

static void as_long_as_the_session_is_known(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"}, ida = {.id = "m2"};
    world_begin(&w);
    world_say(&w, "tue", 0, 10, "back");
    world_step(&w, &ruth, "tue");
    world_wait_until(&w, 2000);
    world_lines(&w);
    world_forget(&w, 1990); /* its document may let it go on */
    assert_int_equal(bs_summaries_open(w.summaries), 1);
    world_say(&w, "tue", 0, 2010, "back");
    world_step(&w, &ruth, "tue");
    world_step(&w, &ida, "tue");
    world_wait_until(&w, 2010);
    EXPECT_LINES(&w, "open m2/back/tue/m2 0 steps=1i", "open m1/back/tue/m1 0 steps=2i",
                 "closed m1/back/tue/m1 0 steps=2i", "closed m2/back/tue/m2 0 steps=1i");
    world_delete(&w, "tue");
    world_wait_until(&w, 2400);
    world_forget(&w, 2009);
    assert_int_equal(bs_summaries_open(w.summaries), 2);
    world_forget(&w, 2010);
    assert_int_equal(bs_summaries_open(w.summaries), 0);
    assert_null(ruth.member.first);
    assert_null(ida.member.first);
    EXPECT_NOTHING(&w);
    world_end(&w);
}

static void and_as_long_as_somebody_holds_it(void **state)
{
    (void)state;
    struct world w;
    struct person people[3] = {{.id = "m0"}, {.id = "m1"}, {.id = "m2"}};
    struct bs_summary *summary[3];
    world_begin(&w);
    world_say(&w, "tue", 0, 10, "back");
    world_say(&w, "wed", 0, 10, "back");
    for (int i = 0; i < 3; i++) {
        assert_true(world_find(&w, &people[i], "tue", w.tick, &summary[i]));
        world_step(&w, &people[i], "wed");
    }
    bs_summary_hold(summary[1]);
    bs_summary_hold(summary[1]);
    world_wait_until(&w, 20);
    world_lines(&w);
    world_delete(&w, "tue");
    world_delete(&w, "wed");
    world_forget(&w, 20);
    assert_int_equal(bs_summaries_open(w.summaries), 1);
    assert_null(people[0].member.first);
    assert_ptr_equal(people[1].member.first, summary[1]);
    world_pass(&w, summary[1]);
    world_wait_ms(&w, WORLD_REFRESH);
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=1i");
    bs_summary_drop(summary[1]);
    world_forget(&w, 20);
    assert_int_equal(bs_summaries_open(w.summaries), 1);
    world_pass(&w, summary[1]);
    bs_summary_drop(summary[1]);
    world_forget(&w, 20); /* not without its last word */
    EXPECT_LINES(&w, "closed m1/back/tue/m1 0 steps=2i");
    assert_int_equal(bs_summaries_open(w.summaries), 0);
    world_end(&w);
}

static void many_groups_and_sessions(void **state)
{
    (void)state;
    struct world w;
    static struct person people[20];
    static char ids[20][8];
    world_begin(&w);
    for (int group = 0; group < 50; group++) {
        char name[8];
        snprintf(name, sizeof name, "g%d", group);
        for (int start = 0; start < 5; start++) {
            world_say(&w, name, start * 10, start * 10 + 10, "back");
            for (int i = 0; i < 20; i++) {
                snprintf(ids[i], sizeof ids[i], "m%d", i);
                people[i].id = ids[i];
                world_step_at(&w, &people[i], name, world_time(start * 10 + i % 10));
            }
        }
    }
    assert_int_equal(bs_summaries_open(w.summaries), 50 * 5 * 20);
    world_wait_until(&w, 50);
    int closed = 0;
    for (const char *at = world_lines(&w); (at = strstr(at, "closed ")); at++)
        closed++;
    assert_int_equal(closed, 50 * 5 * 20);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_a_member_and_a_session),
        cmocka_unit_test(the_first_alias_and_the_sessions_first_drill),
        cmocka_unit_test(a_step_without_consent_is_in_none),
        cmocka_unit_test(what_is_in_none_is_nothing),
        cmocka_unit_test(once_a_minute_while_the_session_runs),
        cmocka_unit_test(at_the_end_and_after_it_by_the_refresh),
        cmocka_unit_test(what_hangs_on_steps_counts),
        cmocka_unit_test(a_document_moves_the_end),
        cmocka_unit_test(a_deletion_is_the_end),
        cmocka_unit_test(the_next_session_ends_the_one_before),
        cmocka_unit_test(a_silence_is_the_end),
        cmocka_unit_test(a_backlog_lets_it_go_on),
        cmocka_unit_test(a_silence_ends_what_went_on),
        cmocka_unit_test(silent_twice_within_a_refresh),
        cmocka_unit_test(a_stepped_clock),
        cmocka_unit_test(consent_withdrawn_is_the_last_word),
        cmocka_unit_test(as_long_as_the_session_is_known),
        cmocka_unit_test(and_as_long_as_somebody_holds_it),
        cmocka_unit_test(many_groups_and_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
