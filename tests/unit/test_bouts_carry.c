/* Which backward bout is compared with which forward one, when, and by which habit. */
#include "bouts_world.h"

/* The block. */

static void a_carry_over_is_told_when_its_block_is_full(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_lines(&w);
    world_heard(&w);
    world_walk_mm(&w, 'F', 19, 600);
    assert_string_equal(world_heard(&w), "began written");
    world_walk_mm(&w, 'F', 1, 600);
    assert_string_equal(world_heard(&w), "carried@14000");
    assert_true(w.carried.first && !w.carried.had_retention && w.carried.has_retention);
    /* Walk ratio: 350 to 250, and 300 of it. */
    assert_true(fabs(w.carried.retention_pct - 50) < 1e-9);
    assert_ptr_equal(w.carried.tags, w.tags);
    world_lines(&w);
    world_fire(&w, w.at + 2000);
    assert_carried(&w, "C@14000 8/20 50\n");
    world_walk_mm(&w, 'F', 10, 600);
    world_fire(&w, w.at + 2000);
    assert_carried(&w, ""); /* nothing has changed of it */
    world_stop(&w);
    assert_carried(&w, "C@14000 8/20 50\n");
    world_end(&w);
}

static void a_whole_row(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.trunk = 100;
    world_walk_back(&w);
    w.trunk = 350;
    world_walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    world_stop(&w);
    assert_string_equal(
        strchr(world_lines(&w), '\n') + 1,
        "carry_over,alias=Ruth,drill=back-twenty,group=tue,member=m1,phase=imprint,site=gym "
        "back_steps=8i,block_steps=20i,step_length_retention_pct=50,walk_ratio_retention_pct=50,"
        "retention_pct=50,trunk_pitch_delta_deg=2.5,slips=0i 1795716014000\n");
    world_end(&w);
}

/* Steps after the block do not change it. */
static void the_block_is_the_first_steps(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.slip.threshold_pct = 1e6;
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 20, 600);
    world_walk_mm(&w, 'F', 50, 700);
    world_lines(&w);
    world_stop(&w);
    assert_carried(&w, "C@14000 8/20 50\n");
    world_end(&w);
}

static void a_bout_that_ends_early_is_a_block(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 8, 600);
    world_fire(&w, w.at + 2000);
    assert_carried(&w, ""); /* not yet */
    world_stop(&w);
    assert_carried(&w, "C@14000 8/8 50\n");
    world_end(&w);
}

static void one_that_is_too_short_is_none(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 7, 600);
    world_stop(&w);
    assert_carried(&w, "");
    world_end(&w);
}

static void a_silent_bout_is_told_and_told_again(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 10, 600);
    world_lines(&w);
    world_fire(&w, 100000);
    assert_true(w.carried.first);
    assert_carried(&w, "C@14000 8/10 50\n");
    world_walk_mm(&w, 'F', 9, 550); /* the length of the middle is 600 mm, the ratio's of both */
    world_fire(&w, 200000);
    assert_true(!w.carried.first && w.carried.had_retention && w.carried.has_retention);
    assert_true(fabs(w.carried.old_retention_pct - 50) < 1e-9);
    assert_carried(&w, "C@14000 8/19 56.25\n");
    world_walk_mm(&w, 'F', 1, 550);
    assert_true(fabs(w.carried.old_retention_pct - 56.25) < 1e-9);
    assert_true(fabs(w.carried.retention_pct - 68.75) < 1e-9);
    world_fire(&w, 300000);
    assert_carried(&w, "C@14000 8/20 68.75\n");
    world_stop(&w);
    assert_carried(&w, "C@14000 8/20 68.75\n");
    world_end(&w);
}

/* carry_over_steps is taken when the forward bout begins. */
static void the_blocks_length_is_taken_at_the_bouts_beginning(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    w.settings.carry_over_steps = 10;
    world_walk_mm(&w, 'F', 3, 600);
    w.settings.carry_over_steps = 200;
    world_walk_mm(&w, 'F', 30, 600);
    world_lines(&w);
    world_stop(&w);
    assert_carried(&w, "C@14000 8/10 50\n");
    world_end(&w);
}

/* Pairs. */

static void the_gap_is_from_the_last_backward_step_to_the_first_forward_one(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct world w;
        world_begin(&w);
        world_walk_back(&w);
        world_pause(&w, 60000 + over);
        world_walk_mm(&w, 'F', 10, 600);
        world_stop(&w);
        assert_carried(&w, over ? "" : "C@73500 8/10 50\n");
        world_end(&w);
    }
}

/* Turns and other bouts may lie between, forward ones that are too short among them. */
static void other_bouts_may_lie_between(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk(&w, "TTTTTTTTTT");
    world_walk_mm(&w, 'L', 10, 300);
    world_walk_mm(&w, 'F', 7, 900);
    world_walk_mm(&w, 'B', 7, 900); /* neither is a backward bout of seven one */
    world_walk_mm(&w, 'F', 10, 600);
    world_stop(&w);
    assert_carried(&w, "C@31000 8/10 50\n");
    world_end(&w);
}

static void a_backward_bout_is_compared_once(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 8, 600);
    world_walk_mm(&w, 'L', 3, 300);
    assert_carried(&w, "C@14000 8/8 50\n");
    world_walk_mm(&w, 'F', 30, 600);
    world_stop(&w);
    assert_carried(&w, "");
    world_end(&w);
}

static void the_last_backward_bout_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_pause(&w, 4000);
    world_walk_mm(&w, 'B', 12, 400);
    world_walk_mm(&w, 'F', 10, 550);
    world_stop(&w);
    assert_carried(&w, "C@23500 12/10 50\n");
    world_walk_mm(&w, 'B', 9, 600); /* and the next pair */
    world_walk_mm(&w, 'F', 10, 650);
    world_stop(&w);
    assert_carried(&w, "C@33000 9/10 50\n");
    world_end(&w);
}

static void the_gap_in_force_when_the_bout_begins_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    w.settings.carry_over_gap_s = 600;
    world_pause(&w, 600000); /* and still the same visit */
    world_walk_mm(&w, 'F', 5, 600);
    w.settings.carry_over_gap_s = 1;
    world_walk_mm(&w, 'F', 5, 600);
    world_stop(&w);
    assert_carried(&w, "C@613500 8/10 50\n");
    world_end(&w);
}

/* Habit. */

/* Without one there is the row, and no retention. */
static void without_a_habit_there_is_no_retention(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_mm(&w, 'F', 14, 700);
    world_walk_mm(&w, 'B', 8, 500);
    world_walk_mm(&w, 'F', 20, 600);
    assert_false(w.carried.has_retention);
    world_lines(&w);
    world_stop(&w);
    const char *lines = strchr(world_lines(&w), '\n') + 1;
    assert_null(strstr(lines, "retention"));
    assert_non_null(strstr(lines, " back_steps=8i,block_steps=20i,slips=0i "));
    world_end(&w);
}

/* Short bouts are habit, too: only what is settled, only before the first backward bout. */
static void habit_is_of_all_forward_bouts_of_the_visit(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    for (int i = 0; i < 4; i++) {
        world_walk_mm(&w, 'F', 3, 700);
        world_walk_mm(&w, 'L', 3, 300);
    }
    world_walk_mm(&w, 'F', 2, 2000); /* of no bout */
    world_walk_mm(&w, 'L', 1, 300);
    world_walk_mm(&w, 'B', 7, 2000); /* too short: the habit goes on */
    world_walk_mm(&w, 'F', 3, 700);
    world_walk_mm(&w, 'B', 8, 500);
    world_walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    world_stop(&w);
    char expected[64];
    snprintf(expected, sizeof expected, "C@%d 8/20 50\n", 500 * (24 + 3 + 7 + 3 + 8));
    assert_carried(&w, expected);
    world_end(&w);
}

/* A pause of more than ten minutes: the next visit's own habit comes first. */
static void a_visit_ends_after_ten_minutes(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct world w;
        world_begin(&w);
        world_walk_back(&w);
        world_pause(&w, 600000 + over);
        world_walk_mm(&w, 'F', 20, 900);
        world_walk_mm(&w, 'B', 8, 500);
        world_walk_mm(&w, 'F', 20, 600);
        world_lines(&w);
        world_stop(&w);
        char expected[64];
        snprintf(expected, sizeof expected, "C@%d 8/20 %d\n", 627500 + over, over ? 75 : 50);
        assert_carried(&w, expected);
        world_end(&w);
    }
}

static bool settle(struct world *w, int64_t at)
{
    struct bs_effects effects = world_effects(w);
    return bs_bouts_settle(w->bouts, w->member, (struct bs_wall_ms){WORLD_NOW + at}, &effects);
}

static void a_settled_visit_is_kept(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_mm(&w, 'F', 20, 700);
    assert_true(settle(&w, w.at + 700000));
    assert_true(settle(&w, w.at + 760000));
    w.at += 5000000;
    world_walk_mm(&w, 'B', 8, 500);
    world_walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    world_stop(&w);
    assert_carried(&w, "C@5014000 8/20 50\n");
    world_end(&w);
}

/* What was settled by a short lateness may be gone on with under a longer one. */
static void a_settled_visit_may_go_on(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    assert_true(settle(&w, w.at + 700000));
    world_pause(&w, 30000);
    world_walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    world_stop(&w);
    assert_carried(&w, "C@43500 8/20 50\n");
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_carry_over_is_told_when_its_block_is_full),
        cmocka_unit_test(a_whole_row),
        cmocka_unit_test(the_block_is_the_first_steps),
        cmocka_unit_test(a_bout_that_ends_early_is_a_block),
        cmocka_unit_test(one_that_is_too_short_is_none),
        cmocka_unit_test(a_silent_bout_is_told_and_told_again),
        cmocka_unit_test(the_blocks_length_is_taken_at_the_bouts_beginning),
        cmocka_unit_test(the_gap_is_from_the_last_backward_step_to_the_first_forward_one),
        cmocka_unit_test(other_bouts_may_lie_between),
        cmocka_unit_test(a_backward_bout_is_compared_once),
        cmocka_unit_test(the_last_backward_bout_counts),
        cmocka_unit_test(the_gap_in_force_when_the_bout_begins_counts),
        cmocka_unit_test(without_a_habit_there_is_no_retention),
        cmocka_unit_test(habit_is_of_all_forward_bouts_of_the_visit),
        cmocka_unit_test(a_visit_ends_after_ten_minutes),
        cmocka_unit_test(a_settled_visit_is_kept),
        cmocka_unit_test(a_settled_visit_may_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
