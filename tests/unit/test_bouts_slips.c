/* When the gait of a forward bout slips: which steps are judged, by which rule, what is told. */
#include "bouts_world.h"

/* After a block of 600 mm: 720 mm are 20 %, limited to 20: 12, 24, 36. */
static void a_slip_is_told_at_once(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 20, 600); /* the last at 23500 */
    world_fire(&w, w.at + 2000);
    world_lines(&w);
    world_heard(&w);
    world_walk_mm(&w, 'F', 2, 720);
    assert_string_equal(world_heard(&w), "");
    world_walk_mm(&w, 'F', 1, 720);
    assert_string_equal(world_heard(&w), "slipped@25000");
    assert_true(w.slipped.metric == BS_SLIP_STEP_LENGTH && w.slipped.up && w.slipped.named);
    assert_true(w.slipped.deviation == 20);
    assert_string_equal(world_lines(&w),
                        "slip,alias=Ruth,drill=back-twenty,group=tue,member=m1,metric=step_length,"
                        "phase=imprint,site=gym,sign=up deviation=20,step=23i 1795716025000\n");
    world_fire(&w, w.at + 2000);
    const char *carried = strchr(world_lines(&w), '\n') + 1;
    assert_non_null(strstr(carried, "slips=1i,steps_to_first_slip=3i "));
    world_walk_mm(&w, 'F', 20, 600); /* back again */
    world_walk_mm(&w, 'F', 3, 480);
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
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 15, 600);
    world_walk_mm(&w, 'F', 7, 720); /* two of them after the block */
    assert_string_equal(strstr(world_heard(&w), "slipped") ? "slipped" : "", "");
    world_walk_mm(&w, 'F', 1, 720);
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
    world_walk_back(&w);
    w.settings.bout_min_steps = 15;
    world_walk_mm(&w, 'F', 10, 600);
    world_walk_mm(&w, 'F', 7, 720); /* the 15th makes it a pair; two are judged */
    assert_null(strstr(world_heard(&w), "slipped"));
    world_walk_mm(&w, 'F', 1, 720);
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
    world_walk_mm(&w, 'F', 30, 600);
    world_walk_mm(&w, 'F', 10, 900);
    assert_string_equal(world_heard(&w), "began written");
    world_walk_mm(&w, 'B', 30, 600);
    world_walk_mm(&w, 'B', 10, 900);
    assert_string_equal(world_heard(&w), "began written");
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
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    w.trunk = -1000;
    w.vo = 60;
    w.ms = 900;
    world_walk_mm(&w, 'F', 3, 400);
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
        world_walk_back(&w);
        world_walk_mm(&w, 'F', 20 - with, 0);
        world_walk_mm(&w, 'F', with, 600);
        world_lines(&w);
        world_walk_mm(&w, 'F', 3, 720);
        assert_carried(&w, with == 10 ? "S@25000 step_length up 23\n" : "");
        world_end(&w);
    }
}

static void no_percentage_of_zero(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    struct bs_effects effects = world_effects(&w);
    for (int i = 0; i < 40; i++) {
        struct bs_step step = world_step_of(&w, 'F');
        bs_step_set(&step, BS_FIELD_VO_MM, i < 20 ? 0 : 300);
        bs_step_set(&step, BS_FIELD_TRUNK_CDEG, 0);
        struct bs_passed passed = {.sample = {.step = &step}, .tags = w.tags, .in_order = true};
        bs_bouts_take(w.bouts, w.member, &passed, (struct bs_tick_ms){WORLD_NOW + w.at},
                      (struct bs_wall_ms){WORLD_NOW + w.at}, &effects);
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
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    for (int i = 0; i < 2; i++) {
        world_walk_mm(&w, 'F', 1, 720);
        world_walk_mm(&w, 'F', 5, 0);
    }
    world_walk_mm(&w, 'F', 1, 720);
    assert_carried(&w, "S@30000 step_length up 33\n");
    world_end(&w);
}

/* Nor does a step time that is not the bout's, or a stray. */
static void strays_are_not_judged(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 20, 600);
    world_lines(&w);
    for (int i = 0; i < 10; i++) {
        w.ms = 900;
        world_walk_mm(&w, 'B', 1, 1500);
        world_walk_mm(&w, 'F', 1, 600);
    }
    assert_carried(&w, "");
    world_end(&w);
}

static void the_slip_rule_in_force_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 20, 600);
    w.settings.slip.threshold_pct = 100;
    world_walk_mm(&w, 'F', 8, 672); /* 12 % each: 4, 8 … 32 */
    world_lines(&w);
    w.settings.slip.threshold_pct = 35;
    world_walk_mm(&w, 'F', 1, 672);
    assert_carried(&w, "S@28000 step_length up 29\n");
    world_end(&w);
}

/* A silent bout's block is not full: what comes is still of it. */
static void silence_does_not_fill_a_block(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk_back(&w);
    world_walk_mm(&w, 'F', 10, 600);
    world_fire(&w, 100000);
    world_walk_mm(&w, 'F', 9, 900);
    world_lines(&w);
    world_walk_mm(&w, 'F', 1, 600);
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
        world_walk_back(&w);
        world_lines(&w);
        world_heard(&w);
        if (withheld)
            bs_bouts_withhold(w.member, true);
        else
            w.tags = unnamed;
        world_walk_mm(&w, 'F', 20, 600);
        world_walk_mm(&w, 'F', 3, 720);
        assert_false(w.slipped.named);
        world_stop(&w);
        assert_string_equal(world_heard(&w), "began written carried@14000 slipped@25000");
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
