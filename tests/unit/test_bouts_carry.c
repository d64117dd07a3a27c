/* Which backward bout is compared with which forward one, when, and when the gait slips. */
#include "bouts_world.h"

static void walk_mm(struct world *w, char letter, int steps, int mm)
{
    w->mm = mm;
    world_repeat(w, letter, steps);
}

/* Bouts' own rows and notes are tested elsewhere. */
static void assert_carried(struct world *w, const char *expected)
{
    char found[8192] = "";
    char *text = strdup(world_lines(w)), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char whole[4096];
        snprintf(whole, sizeof whole, "%s\n", line);
        if (strncmp(line, "gait_bout,", 10) != 0)
            world_tell(found + strlen(found), sizeof found - strlen(found), whole);
    }
    free(text);
    world_heard(w);
    assert_string_equal(found, expected);
}

/* A habit of 700 mm and a backward bout of 500 mm, which ends at 13500. */
static void walk_back(struct world *w)
{
    walk_mm(w, 'F', 20, 700);
    walk_mm(w, 'B', 8, 500);
}

/* The block. */

static void a_carry_over_is_told_when_its_block_is_full(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    world_lines(&w);
    world_heard(&w);
    walk_mm(&w, 'F', 19, 600);
    assert_string_equal(world_heard(&w), "ended began@14000 written");
    walk_mm(&w, 'F', 1, 600);
    assert_string_equal(world_heard(&w), "carried@14000");
    assert_true(w.carried.first && !w.carried.had_retention && w.carried.has_retention);
    /* Walk ratio: 350 to 250, and 300 of it. */
    assert_true(fabs(w.carried.retention_pct - 50) < 1e-9);
    assert_ptr_equal(w.carried.tags, w.tags);
    world_lines(&w);
    world_fire(&w, w.at + 2000);
    assert_carried(&w, "C@14000 8/20 50\n");
    walk_mm(&w, 'F', 10, 600);
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
    walk_back(&w);
    w.trunk = 350;
    walk_mm(&w, 'F', 20, 600);
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
    walk_back(&w);
    walk_mm(&w, 'F', 20, 600);
    walk_mm(&w, 'F', 50, 700);
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
    walk_back(&w);
    walk_mm(&w, 'F', 8, 600);
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
    walk_back(&w);
    walk_mm(&w, 'F', 7, 600);
    world_stop(&w);
    assert_carried(&w, "");
    world_end(&w);
}

static void a_silent_bout_is_told_and_told_again(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 10, 600);
    world_lines(&w);
    world_fire(&w, 100000);
    assert_true(w.carried.first);
    assert_carried(&w, "C@14000 8/10 50\n");
    walk_mm(&w, 'F', 9, 550); /* the length of the middle is 600 mm, the ratio's of both */
    world_fire(&w, 200000);
    assert_true(!w.carried.first && w.carried.had_retention && w.carried.has_retention);
    assert_true(fabs(w.carried.old_retention_pct - 50) < 1e-9);
    assert_carried(&w, "C@14000 8/19 56.25\n");
    walk_mm(&w, 'F', 1, 550);
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
    walk_back(&w);
    w.settings.carry_over_steps = 10;
    walk_mm(&w, 'F', 3, 600);
    w.settings.carry_over_steps = 200;
    walk_mm(&w, 'F', 30, 600);
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
        walk_back(&w);
        world_pause(&w, 60000 + over);
        walk_mm(&w, 'F', 10, 600);
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
    walk_back(&w);
    world_walk(&w, "TTTTTTTTTT");
    walk_mm(&w, 'L', 10, 300);
    walk_mm(&w, 'F', 7, 900);
    walk_mm(&w, 'B', 7, 900); /* neither is a backward bout of seven one */
    walk_mm(&w, 'F', 10, 600);
    world_stop(&w);
    assert_carried(&w, "C@31000 8/10 50\n");
    world_end(&w);
}

static void a_backward_bout_is_compared_once(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 8, 600);
    walk_mm(&w, 'L', 3, 300);
    assert_carried(&w, "C@14000 8/8 50\n");
    walk_mm(&w, 'F', 30, 600);
    world_stop(&w);
    assert_carried(&w, "");
    world_end(&w);
}

static void the_last_backward_bout_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    world_pause(&w, 4000);
    walk_mm(&w, 'B', 12, 400);
    walk_mm(&w, 'F', 10, 550);
    world_stop(&w);
    assert_carried(&w, "C@23500 12/10 50\n");
    walk_mm(&w, 'B', 9, 600); /* and the next pair */
    walk_mm(&w, 'F', 10, 650);
    world_stop(&w);
    assert_carried(&w, "C@33000 9/10 50\n");
    world_end(&w);
}

static void the_gap_in_force_when_the_bout_begins_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    w.settings.carry_over_gap_s = 600;
    world_pause(&w, 600000); /* and still the same visit */
    walk_mm(&w, 'F', 5, 600);
    w.settings.carry_over_gap_s = 1;
    walk_mm(&w, 'F', 5, 600);
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
    walk_mm(&w, 'F', 14, 700);
    walk_mm(&w, 'B', 8, 500);
    walk_mm(&w, 'F', 20, 600);
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
        walk_mm(&w, 'F', 3, 700);
        walk_mm(&w, 'L', 3, 300);
    }
    walk_mm(&w, 'F', 2, 2000); /* of no bout */
    walk_mm(&w, 'L', 1, 300);
    walk_mm(&w, 'B', 7, 2000); /* too short: the habit goes on */
    walk_mm(&w, 'F', 3, 700);
    walk_mm(&w, 'B', 8, 500);
    walk_mm(&w, 'F', 20, 600);
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
        walk_back(&w);
        world_pause(&w, 600000 + over);
        walk_mm(&w, 'F', 20, 900);
        walk_mm(&w, 'B', 8, 500);
        walk_mm(&w, 'F', 20, 600);
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
    walk_mm(&w, 'F', 20, 700);
    assert_true(settle(&w, w.at + 700000));
    assert_true(settle(&w, w.at + 760000));
    w.at += 5000000;
    walk_mm(&w, 'B', 8, 500);
    walk_mm(&w, 'F', 20, 600);
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
    walk_back(&w);
    assert_true(settle(&w, w.at + 700000));
    world_pause(&w, 30000);
    walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    world_stop(&w);
    assert_carried(&w, "C@43500 8/20 50\n");
    world_end(&w);
}

/* Slips. */

/* After a block of 600 mm: 720 mm are 20 %, limited to 20: 12, 24, 36. */
static void a_slip_is_told_at_once(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 20, 600); /* the last at 23500 */
    world_lines(&w);
    world_heard(&w);
    walk_mm(&w, 'F', 2, 720);
    assert_string_equal(world_heard(&w), "");
    walk_mm(&w, 'F', 1, 720);
    assert_string_equal(world_heard(&w), "slipped@25000");
    assert_true(w.slipped.metric == BS_SLIP_STEP_LENGTH && w.slipped.up && w.slipped.named);
    assert_true(w.slipped.deviation == 20);
    assert_string_equal(world_lines(&w),
                        "slip,alias=Ruth,drill=back-twenty,group=tue,member=m1,metric=step_length,"
                        "phase=imprint,site=gym,sign=up deviation=20,step=23i 1795716025000\n");
    world_fire(&w, w.at + 2000);
    const char *carried = strchr(world_lines(&w), '\n') + 1;
    assert_non_null(strstr(carried, "slips=1i,steps_to_first_slip=3i "));
    walk_mm(&w, 'F', 20, 600); /* back again */
    walk_mm(&w, 'F', 3, 480);
    assert_true(w.slipped.metric == BS_SLIP_STEP_LENGTH && !w.slipped.up);
    world_lines(&w);
    world_stop(&w);
    carried = strchr(world_lines(&w), '\n') + 1;
    assert_non_null(strstr(carried, "slips=2i,steps_to_first_slip=3i "));
    world_end(&w);
}

static void no_step_of_the_block_is_judged(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 15, 600);
    walk_mm(&w, 'F', 7, 720); /* two of them after the block */
    assert_string_equal(strstr(world_heard(&w), "slipped") ? "slipped" : "", "");
    walk_mm(&w, 'F', 1, 720);
    assert_string_equal(world_heard(&w), "slipped@25000");
    world_end(&w);
}

/* A full block does not make a pair of too short a bout; until it is one, nothing is judged. */
static void judging_begins_when_the_bout_has_its_partner(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.carry_over_steps = 10;
    walk_back(&w);
    w.settings.bout_min_steps = 15;
    walk_mm(&w, 'F', 10, 600);
    walk_mm(&w, 'F', 7, 720); /* the 15th makes it a pair; two are judged */
    assert_null(strstr(world_heard(&w), "slipped"));
    walk_mm(&w, 'F', 1, 720);
    assert_string_equal(world_heard(&w), "slipped@22500");
    world_lines(&w);
    world_stop(&w);
    const char *carried = strchr(world_lines(&w), '\n') + 1;
    assert_non_null(strstr(carried, "block_steps=10i,"));
    assert_non_null(strstr(carried, "steps_to_first_slip=8i "));
    world_end(&w);
}

static void without_a_partner_nothing_slips(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_mm(&w, 'F', 30, 600);
    walk_mm(&w, 'F', 10, 900);
    assert_string_equal(world_heard(&w), "began@0 written");
    walk_mm(&w, 'B', 30, 600);
    walk_mm(&w, 'B', 10, 900);
    assert_string_equal(world_heard(&w), "ended began@20000 written");
    world_end(&w);
}

/* All of them in one step, in their order. */
static void metrics_slip_each_by_itself(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.trunk = 200;
    w.vo = 30;
    walk_back(&w);
    walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    w.trunk = -1000;
    w.vo = 60;
    w.ms = 900;
    walk_mm(&w, 'F', 3, 400);
    assert_carried(&w, "S@25000 step_length down 23\nS@25000 step_time up 23\n"
                       "S@25000 vertical_oscillation up 23\nS@25000 trunk_pitch down 23\n");
    assert_true(w.slipped.deviation == -4); /* limited to two thirds of 6 degrees */
    world_end(&w);
}

/* Half of the block's steps, and 5; the first step of the bout has no step time that counts. */
static void a_metric_is_judged_where_half_of_the_block_has_it(void **state)
{
    (void)state;
    for (int with = 9; with <= 10; with++) {
        struct world w;
        world_begin(&w);
        walk_back(&w);
        walk_mm(&w, 'F', 20 - with, 0);
        walk_mm(&w, 'F', with, 600);
        world_lines(&w);
        walk_mm(&w, 'F', 3, 720);
        assert_carried(&w, with == 10 ? "S@25000 step_length up 23\n" : "");
        world_end(&w);
    }
}

static void no_percentage_of_zero(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    struct bs_effects effects = world_effects(&w);
    for (int i = 0; i < 40; i++) {
        struct bs_step step = world_step_of(&w, 'F');
        bs_step_set(&step, BS_FIELD_VO_MM, i < 20 ? 0 : 300);
        bs_step_set(&step, BS_FIELD_TRUNK_CDEG, 0);
        struct bs_passed passed = {.sample = {.step = &step}, .tags = w.tags, .in_order = true};
        bs_bouts_take(w.bouts, w.member, &passed, (struct bs_tick_ms){WORLD_NOW + w.at}, &effects);
        w.at += 500;
    }
    assert_null(strstr(world_heard(&w), "slipped"));
    world_end(&w);
}

/* A step without the metric changes nothing. */
static void a_step_without_the_metric_is_passed_over(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    for (int i = 0; i < 2; i++) {
        walk_mm(&w, 'F', 1, 720);
        walk_mm(&w, 'F', 5, 0);
    }
    walk_mm(&w, 'F', 1, 720);
    assert_carried(&w, "S@30000 step_length up 33\n");
    world_end(&w);
}

/* Nor does a step time that is not the bout's, or a stray. */
static void strays_are_not_judged(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    for (int i = 0; i < 10; i++) {
        w.ms = 900;
        walk_mm(&w, 'B', 1, 1500);
        walk_mm(&w, 'F', 1, 600);
    }
    assert_carried(&w, "");
    world_end(&w);
}

static void the_slip_rule_in_force_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 20, 600);
    w.settings.slip.threshold_pct = 100;
    walk_mm(&w, 'F', 8, 672); /* 12 % each: 4, 8 … 32 */
    world_lines(&w);
    w.settings.slip.threshold_pct = 35;
    walk_mm(&w, 'F', 1, 672);
    assert_carried(&w, "S@28000 step_length up 29\n");
    world_end(&w);
}

/* A silent bout's block is not full: what comes is still of it. */
static void silence_does_not_fill_a_block(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    walk_back(&w);
    walk_mm(&w, 'F', 10, 600);
    world_fire(&w, 100000);
    walk_mm(&w, 'F', 9, 900);
    world_lines(&w);
    walk_mm(&w, 'F', 1, 600);
    assert_carried(&w, "");
    world_end(&w);
}

/* Consent. */

static void without_a_name_it_is_told_and_not_written(void **state)
{
    (void)state;
    for (int withheld = 0; withheld < 2; withheld++) {
        struct world w;
        world_begin(&w);
        struct bs_tags *named = w.tags, *unnamed = world_tags("imprint", false);
        walk_back(&w);
        world_lines(&w);
        world_heard(&w);
        if (withheld)
            bs_bouts_withhold(w.member, true);
        else
            w.tags = unnamed;
        walk_mm(&w, 'F', 20, 600);
        walk_mm(&w, 'F', 3, 720);
        assert_false(w.slipped.named);
        world_stop(&w);
        assert_string_equal(world_heard(&w),
                            "ended began@14000 written carried@14000 slipped@25000 ended");
        char *direction = strstr(world_lines(&w), "direction=F");
        assert_null(direction);
        w.tags = named;
        bs_tags_drop(unnamed);
        world_end(&w);
    }
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
        cmocka_unit_test(a_slip_is_told_at_once),
        cmocka_unit_test(no_step_of_the_block_is_judged),
        cmocka_unit_test(judging_begins_when_the_bout_has_its_partner),
        cmocka_unit_test(without_a_partner_nothing_slips),
        cmocka_unit_test(metrics_slip_each_by_itself),
        cmocka_unit_test(a_metric_is_judged_where_half_of_the_block_has_it),
        cmocka_unit_test(no_percentage_of_zero),
        cmocka_unit_test(a_step_without_the_metric_is_passed_over),
        cmocka_unit_test(strays_are_not_judged),
        cmocka_unit_test(the_slip_rule_in_force_counts),
        cmocka_unit_test(silence_does_not_fill_a_block),
        cmocka_unit_test(without_a_name_it_is_told_and_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
