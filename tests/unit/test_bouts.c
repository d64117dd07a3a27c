/* The course of bouts: directions confirmed, strays, pauses, what ends one and what is in it. */
#include "bouts_world.h"

/* The bouts of a walk, a step every 500 ms, all written from two steps on. */
static void assert_bouts(const char *letters, int64_t confirm, const char *expected)
{
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    w.settings.direction_confirm_steps = confirm;
    world_walk(&w, letters);
    world_stop(&w);
    const char *found = world_told(&w, WORLD_BOUTS);
    if (strcmp(found, expected) != 0)
        fail_msg("%s, %d to confirm:\n%sexpected\n%s", letters, (int)confirm, found, expected);
    world_end(&w);
}

/* Confirmation. */

static void a_bout_begins_at_the_first_of_the_steps_that_confirm_it(void **state)
{
    (void)state;
    assert_bouts("FF", 3, "");
    assert_bouts("FFF", 3, "F@0 3+0 closed\n");
    assert_bouts("BBBBB", 5, "B@0 5+0 closed\n");
    assert_bouts("BBBB", 5, "");
    assert_bouts("LLL", 1, "L@0 3+0 closed\n");
    assert_bouts("FFFBBB", 3, "F@0 3+0 closed\nB@1500 3+0 closed\n");
    assert_bouts("FFBB", 1, "F@0 2+0 closed\nB@1000 2+0 closed\n");
    assert_bouts("FFFFFFFFFFBBBBBBBBB", 10, "F@0 10+0 closed\n");
    assert_bouts("FFFFFFFFFFBBBBBBBBBB", 10, "F@0 10+0 closed\nB@5000 10+0 closed\n");
}

static void all_six_directions_have_bouts(void **state)
{
    (void)state;
    assert_bouts("FFBBLLRRUUDD", 2,
                 "F@0 2+0 closed\nB@1000 2+0 closed\nL@2000 2+0 closed\nR@3000 2+0 closed\n"
                 "U@4000 2+0 closed\nD@5000 2+0 closed\n");
    assert_bouts("TTTTTTTTTTTTT", 2, "");
    assert_bouts("NNNNNNNNNNNNN", 1, "");
    assert_bouts("XXXXXXXXXXXXX", 1, "");
}

/* Another direction begins the confirmation anew, others do not. */
static void others_interrupt_no_confirmation(void **state)
{
    (void)state;
    assert_bouts("FTFNFX", 3, "F@0 3+0 closed\n");
    assert_bouts("FFBFF", 3, "");
    assert_bouts("FFBFFF", 3, "F@1500 3+0 closed\n");
    assert_bouts("FFFBTTBXB", 3, "F@0 3+0 closed\nB@1500 3+0 closed\n");
    assert_bouts("FFFBBLBBB", 3, "F@0 3+0 closed\nB@3000 3+0 closed\n");
}

/* Strays. */

static void what_the_old_direction_follows_are_strays(void **state)
{
    (void)state;
    assert_bouts("FFFBF", 3, "F@0 4+1 closed\n");
    assert_bouts("FFFBBFBBF", 3, "F@0 5+4 closed\n");
    assert_bouts("FFFBLRF", 3, "F@0 4+3 closed\n");   /* of several directions */
    assert_bouts("FFFBTXNBF", 3, "F@0 4+2 closed\n"); /* others are none */
    assert_bouts("FFFTF", 3, "F@0 4+0 closed\n");
    assert_bouts("FFFBB", 3, "F@0 3+0 closed\n"); /* nothing follows */
}

static void what_another_bout_follows_counts_in_nothing(void **state)
{
    (void)state;
    assert_bouts("FFFLLBBB", 3, "F@0 3+0 closed\nB@2500 3+0 closed\n");
    assert_bouts("FFFLFLBBB", 3, "F@0 4+1 closed\nB@3000 3+0 closed\n");
}

/* Eight in a row. */

static void eight_foreign_steps_end_a_bout(void **state)
{
    (void)state;
    assert_bouts("FFFTTTTTTTF", 3, "F@0 4+0 closed\n");
    assert_bouts("FFFTTTTTTTTF", 3, "F@0 3+0 closed\n");
    assert_bouts("FFFTTTTTTTTFFF", 3, "F@0 3+0 closed\nF@5500 3+0 closed\n");
    assert_bouts("FFFBTBTLTLF", 3, "F@0 4+4 closed\n");
    assert_bouts("FFFBTBTLTLTF", 3, "F@0 3+0 closed\n");
    assert_bouts("FFFTTTTTTTFTTTTTTTF", 3, "F@0 5+0 closed\n"); /* the count begins anew */
}

/* With more steps to confirm than end a bout: nothing runs between the two. */
static void a_confirmation_goes_on_over_the_end_of_a_bout(void **state)
{
    (void)state;
    assert_bouts("FFFFFFFFFBBBBBBBBB", 9, "F@0 9+0 closed\nB@4500 9+0 closed\n");
    assert_bouts("FFFFFFFFFFBBBBBBBBTBB", 10, "F@0 10+0 closed\nB@5000 10+0 closed\n");
    assert_bouts("FFFFFFFFFFBBBBBBBBFFFFFFFFFF", 10, "F@0 10+0 closed\nF@9000 10+0 closed\n");
    assert_bouts("FFFFFFFFFFBBBBBBBFBBB", 10, "F@0 11+7 closed\n");
}

/* Pauses. */

static void a_pause_over_the_gap_ends_a_bout(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct world w;
        world_begin(&w);
        w.settings.bout_min_steps = 2;
        world_walk(&w, "FFF");
        world_pause(&w, 3000 + over);
        world_walk(&w, "FFF");
        world_stop(&w);
        assert_rows(&w, over ? "F@0 3+0 closed\nF@4001 3+0 closed\n" : "F@0 6+0 closed\n");
        world_end(&w);
    }
}

static void others_prevent_a_pause(void **state)
{
    (void)state;
    for (const char *other = "TNX"; *other; other++) {
        struct world w;
        world_begin(&w);
        w.settings.bout_min_steps = 2;
        world_walk(&w, "FFF");
        world_pause(&w, 3000);
        world_take(&w, *other);
        world_pause(&w, 3000);
        world_walk(&w, "F");
        world_stop(&w);
        assert_rows(&w, "F@0 4+0 closed\n");
        world_end(&w);
    }
}

/* Neither strays nor the beginning of anything. */
static void a_pause_forgets_what_is_not_settled(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    world_walk(&w, "FFFBB");
    world_pause(&w, 3001);
    world_walk(&w, "B"); /* the first of three */
    world_walk(&w, "FFF");
    assert_rows(&w, "F@0 3+0 closed\n");
    world_pause(&w, 3001);
    world_walk(&w, "BB");
    world_pause(&w, 3001);
    world_walk(&w, "BTTTTTTTTB"); /* nor are there others before it */
    world_stop(&w);
    assert_rows(&w, "F@5501 3+0 closed\n");
    world_end(&w);
}

static void the_gap_in_force_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    world_walk(&w, "FFF");
    w.settings.bout_gap_ms = 30000;
    world_pause(&w, 30000);
    world_walk(&w, "F");
    w.settings.bout_gap_ms = 500;
    world_walk(&w, "F");
    world_pause(&w, 501);
    world_walk(&w, "F");
    world_stop(&w);
    assert_rows(&w, "F@0 5+0 closed\n");
    world_end(&w);
}

/* Settings in mid-run: fewer steps confirm at the next one, more wait for theirs. */
static void the_confirmation_in_force_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    w.settings.direction_confirm_steps = 10;
    world_repeat(&w, 'F', 9);
    w.settings.direction_confirm_steps = 2;
    world_walk(&w, "F");
    assert_string_equal(world_heard(&w), "began written");
    world_walk(&w, "B");
    w.settings.direction_confirm_steps = 4;
    world_walk(&w, "BB");
    assert_string_equal(world_heard(&w), "");
    world_walk(&w, "B");
    assert_string_equal(world_heard(&w), "began written");
    world_stop(&w);
    assert_rows(&w, "F@0 10+0 closed\nB@5000 4+0 closed\n");
    world_end(&w);
}

/* What a bout's values are over. */

static void a_step_time_counts_where_the_step_before_is_the_bouts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    /* Times that count: of 2, 3, 6; not of the first, nor after the stray, nor after the turn. */
    static const struct {
        char letter;
        int ms;
    } steps[] = {{'F', 2000}, {'F', 500}, {'F', 600},  {'B', 2000},
                 {'F', 2000}, {'F', 700}, {'T', 2000}, {'F', 2000}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        w.ms = steps[i].ms;
        world_take(&w, steps[i].letter);
    }
    world_stop(&w);
    const char *line = world_lines(&w);
    assert_true(row_field(line, "steps") == 6);
    assert_true(row_field(line, "step_time_ms") == 600);
    assert_true(row_field(line, "step_time_sd_ms") == 100);
    assert_true(row_field(line, "cadence_spm") == 100);
    assert_true(fabs(row_field(line, "step_time_p50_ms") / 600 - 1) < 0.01);
    assert_true(row_field(line, "distance_m") == 3.6); /* lengths count all */
    world_end(&w);
}

/* Of the steps that confirm, too: what lay between them is not the bout's. */
static void a_step_time_counts_among_the_confirming_steps(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    static const struct {
        char letter;
        int ms;
    } steps[] = {{'F', 2000}, {'F', 500}, {'T', 2000}, {'F', 2000}, {'F', 700}};
    w.settings.direction_confirm_steps = 4;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        w.ms = steps[i].ms;
        world_take(&w, steps[i].letter);
    }
    world_stop(&w);
    const char *line = world_lines(&w);
    assert_true(row_field(line, "step_time_ms") == 600);
    world_end(&w);
}

/* Each with its own measures, however long it was unsettled. */
static void confirming_steps_keep_what_they_measured(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    w.settings.direction_confirm_steps = 4;
    for (int i = 0; i < 4; i++) {
        w.contact_ms = 500 + 200 * i;
        w.mm = 400 + 200 * i;
        world_take(&w, 'B');
    }
    world_stop(&w);
    const char *line = world_lines(&w);
    assert_true(row_field(line, "contact_ms") == 800);
    assert_true(row_field(line, "step_length_mm") == 700);
    assert_true(row_field(line, "duration_s") == 2);
    assert_true(fabs(row_field(line, "contact_p05_ms") / 500 - 1) < 0.01);
    assert_true(fabs(row_field(line, "contact_p95_ms") / 900 - 1) < 0.01); /* the third of four */
    world_end(&w);
}

static void a_step_time_does_not_reach_over_a_pause_or_from_another_bout(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    w.settings.direction_confirm_steps = 1;
    world_walk(&w, "FF");
    w.ms = 2000;
    world_walk(&w, "B");
    w.ms = 500;
    world_walk(&w, "B");
    world_pause(&w, 3001);
    w.ms = 2000;
    world_walk(&w, "B");
    w.ms = 500;
    world_walk(&w, "B");
    world_stop(&w);
    const char *line = world_lines(&w);
    for (int i = 0; i < 3; i++, line = strchr(line, '\n') + 1)
        assert_true(row_field(line, "step_time_ms") == 500);
    assert_string_equal(line, "");
    world_end(&w);
}

/* An exact time that does not count is in neither deviation nor symmetry. */
static void a_time_that_does_not_count_is_in_no_figure(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    world_walk(&w, "FFTFTFTF");
    world_stop(&w);
    const char *line = world_lines(&w);
    assert_true(row_field(line, "step_time_ms") == 500); /* of the second */
    assert_true(isnan(row_field(line, "step_time_sd_ms")));
    world_end(&w);
}

static void duration_is_from_the_first_steps_beginning(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct world w;
        world_begin(&w);
        w.settings.bout_min_steps = 2;
        w.ms = known ? 700 : 0;
        world_walk(&w, "FFFTF");
        world_stop(&w);
        const char *line = world_lines(&w);
        assert_true(row_field(line, "duration_s") == (known ? 2.7 : 2.0));
        world_end(&w);
    }
}

static void missed_steps_count_twice_in_distance(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    world_walk(&w, "FF");
    w.missed = true;
    world_walk(&w, "FB");
    w.missed = false;
    world_walk(&w, "F");
    world_stop(&w);
    const char *line = world_lines(&w);
    assert_true(row_field(line, "missed") == 1);
    assert_true(row_field(line, "distance_m") == 3.0); /* four of 0.6 m, one twice */
    assert_true(row_field(line, "duration_s") == 2.5);
    world_end(&w);
}

/* The whole row. */
static void a_row_has_all_fields(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    w.stride_ms = 1000;
    w.contact_ms = 700;
    w.trunk = 250;
    w.vo = 30;
    world_walk(&w, "BBBB");
    world_stop(&w);
    assert_string_equal(
        world_lines(&w),
        "gait_bout,alias=Ruth,direction=B,drill=back-twenty,group=tue,member=m1,phase=imprint,"
        "site=gym steps=4i,missed=0i,strays=0i,duration_s=2,cadence_spm=120,step_time_ms=500,"
        "step_time_sd_ms=0,distance_m=2.4,step_length_mm=600,step_length_sd_mm=0,speed_mps=1.2,"
        "walk_ratio=0.005,stride_time_ms=1000,stride_time_cv_pct=0,contact_ms=700,"
        "vertical_oscillation_mm=30,trunk_pitch_deg=2.5,trunk_pitch_sd_deg=0,"
        "step_time_p05_ms=501.214004,step_time_p50_ms=501.214004,step_time_p95_ms=501.214004,"
        "step_length_p05_mm=600.065709,step_length_p50_mm=600.065709,"
        "step_length_p95_mm=600.065709,stride_time_p05_ms=1009.34461,"
        "stride_time_p50_ms=1009.34461,stride_time_p95_ms=1009.34461,contact_p05_ms=704.187389,"
        "contact_p50_ms=704.187389,contact_p95_ms=704.187389,open=false 1795716000000\n");
    world_end(&w);
}

/* Where one sum's count ends. */
static void a_bout_of_more_than_65535_steps_counts_whole(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    const int steps = 2 * 65535 + 7;
    for (int i = 0; i < steps; i++) {
        w.mm = i < steps / 2 ? 500 : 700;
        world_take(&w, 'B');
    }
    world_stop(&w);
    const char *line = world_lines(&w);
    assert_true(row_field(line, "steps") == steps);
    double mean = ((double)(steps / 2) * 500 + (double)(steps - steps / 2) * 700) / steps;
    assert_true(fabs(row_field(line, "step_length_mm") - mean) < 1e-6);
    assert_true(fabs(row_field(line, "step_length_p05_mm") / 500 - 1) < 0.01);
    assert_true(fabs(row_field(line, "step_length_p95_mm") / 700 - 1) < 0.01);
    world_end(&w);
}

static void the_next_bout_begins_at_nothing(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 2;
    w.mm = 400;
    w.stride_ms = 900;
    world_walk(&w, "BBBFB");
    w.mm = 800;
    w.stride_ms = 0;
    world_walk(&w, "LLL");
    world_stop(&w);
    const char *line = strchr(world_lines(&w), '\n') + 1;
    assert_true(row_field(line, "steps") == 3);
    assert_true(row_field(line, "strays") == 0);
    assert_true(row_field(line, "step_length_mm") == 800);
    assert_true(fabs(row_field(line, "step_length_p05_mm") / 800 - 1) < 0.01);
    assert_true(isnan(row_field(line, "stride_time_p50_ms")));
    assert_true(isnan(row_field(line, "stride_time_ms")));
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bout_begins_at_the_first_of_the_steps_that_confirm_it),
        cmocka_unit_test(all_six_directions_have_bouts),
        cmocka_unit_test(others_interrupt_no_confirmation),
        cmocka_unit_test(what_the_old_direction_follows_are_strays),
        cmocka_unit_test(what_another_bout_follows_counts_in_nothing),
        cmocka_unit_test(eight_foreign_steps_end_a_bout),
        cmocka_unit_test(a_confirmation_goes_on_over_the_end_of_a_bout),
        cmocka_unit_test(a_pause_over_the_gap_ends_a_bout),
        cmocka_unit_test(others_prevent_a_pause),
        cmocka_unit_test(a_pause_forgets_what_is_not_settled),
        cmocka_unit_test(the_gap_in_force_counts),
        cmocka_unit_test(the_confirmation_in_force_counts),
        cmocka_unit_test(a_step_time_counts_where_the_step_before_is_the_bouts),
        cmocka_unit_test(a_step_time_counts_among_the_confirming_steps),
        cmocka_unit_test(confirming_steps_keep_what_they_measured),
        cmocka_unit_test(a_step_time_does_not_reach_over_a_pause_or_from_another_bout),
        cmocka_unit_test(a_time_that_does_not_count_is_in_no_figure),
        cmocka_unit_test(duration_is_from_the_first_steps_beginning),
        cmocka_unit_test(missed_steps_count_twice_in_distance),
        cmocka_unit_test(a_row_has_all_fields),
        cmocka_unit_test(a_bout_of_more_than_65535_steps_counts_whole),
        cmocka_unit_test(the_next_bout_begins_at_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
