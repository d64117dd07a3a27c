/* When bouts are written, as open or closed, under which tags, and when they are not. */
#include "bouts_world.h"

static int64_t deadline(const struct world *w)
{
    int64_t due = bs_bouts_deadline(w->bouts).ms;
    return due == BS_NEVER_MS ? BS_NEVER_MS : due - WORLD_NOW;
}

static int64_t silent_at(const struct world *w)
{
    int64_t due = bs_bouts_silent_at(w->bouts, w->member);
    return due == INT64_MAX ? INT64_MAX : due - WORLD_NOW;
}

/* Enough steps. */

static void a_bout_is_written_from_so_many_steps_on(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_repeat(&w, 'F', 7);
    assert_string_equal(world_heard(&w), "began");
    world_fire(&w, 100000);
    world_stop(&w);
    assert_string_equal(world_heard(&w), "");
    assert_rows(&w, "");
    world_repeat(&w, 'F', 8);
    assert_string_equal(world_heard(&w), "began written");
    world_stop(&w);
    assert_string_equal(world_heard(&w), "");
    assert_rows(&w, "F@3500 8+0 closed\n");
    world_end(&w);
}

static void strays_do_not_make_it_long_enough(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_walk(&w, "FFFFBBFFBBF"); /* seven of its own */
    world_stop(&w);
    assert_string_equal(world_heard(&w), "began");
    assert_rows(&w, "");
    world_end(&w);
}

static void the_least_length_in_force_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.bout_min_steps = 100;
    world_repeat(&w, 'F', 20);
    w.settings.bout_min_steps = 10;
    assert_true(deadline(&w) == BS_NEVER_MS);
    world_walk(&w, "F");
    w.settings.bout_min_steps = 100; /* what was written is */
    world_walk(&w, "F");
    world_stop(&w);
    assert_rows(&w, "F@0 22+0 closed\n");
    world_end(&w);
}

/* Refresh. */

static void an_open_bout_is_written_when_its_dirt_is_old_enough(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_repeat(&w, 'F', 7);
    assert_true(deadline(&w) == BS_NEVER_MS);
    world_repeat(&w, 'F', 2); /* at 3500 and 4000 */
    assert_int_equal(deadline(&w), 5500);
    world_fire(&w, 5499);
    assert_rows(&w, "");
    world_fire(&w, 5500);
    assert_rows(&w, "F@0 9+0 open\n");
    assert_true(deadline(&w) == BS_NEVER_MS);
    w.at = 5600;
    world_walk(&w, "T"); /* changes nothing of it */
    world_walk(&w, "B");
    assert_true(deadline(&w) == BS_NEVER_MS);
    world_walk(&w, "F");
    assert_int_equal(deadline(&w), 16600); /* it only goes on: five times as seldom */
    w.settings.refresh_s = 1;
    assert_int_equal(deadline(&w), 11600);
    world_fire(&w, 11600);
    assert_rows(&w, "F@0 10+1 open\n");
    world_end(&w);
}

/* Confirmed with more steps than it takes to be written. */
static void a_bout_is_dirty_from_its_confirmation_on(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.settings.direction_confirm_steps = 10;
    world_repeat(&w, 'F', 9);
    assert_true(deadline(&w) == BS_NEVER_MS);
    world_walk(&w, "F"); /* at 4500 */
    assert_int_equal(deadline(&w), 6500);
    world_fire(&w, 6500);
    assert_rows(&w, "F@0 10+0 open\n");
    world_end(&w);
}

/* The oldest dirt first; whoever is freed or ended, at the front, in the middle or behind, is in no
 * queue, and takes nobody else out of it. */
static void dirt_of_several_members(void **state)
{
    (void)state;
    struct world w;
    struct bs_bout_member *members[6], *own;
    world_begin(&w);
    own = w.member;
    for (int i = 0; i < 6; i++) {
        w.member = members[i] = bs_bouts_add_member(&w);
        w.at = 100 * i;
        world_repeat(&w, 'F', 8);
    }
    assert_int_equal(deadline(&w), 5500);
    w.member = members[2];
    world_stop(&w);
    w.member = members[5];
    world_stop(&w);
    assert_rows(&w, "F@200 8+0 closed\nF@500 8+0 closed\n");
    bs_bouts_free_member(w.bouts, members[0]);
    assert_int_equal(deadline(&w), 5600);
    world_fire(&w, 5700);
    assert_rows(&w, "F@100 8+0 open\n");
    assert_int_equal(deadline(&w), 5800);
    w.member = members[1]; /* clean */
    world_stop(&w);
    assert_rows(&w, "F@100 8+0 closed\n");
    world_fire(&w, 6000);
    assert_rows(&w, "F@300 8+0 open\nF@400 8+0 open\n");
    assert_true(deadline(&w) == BS_NEVER_MS);
    for (int i = 1; i < 6; i++)
        bs_bouts_free_member(w.bouts, members[i]);
    w.member = own;
    world_end(&w);
}

/* Silence. */

static void a_silent_bout_is_shown_as_closed(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_repeat(&w, 'F', 7);
    assert_true(silent_at(&w) == INT64_MAX);
    world_walk(&w, "F"); /* the last at 3500; a gap of 3000, a wait of 2000 */
    assert_int_equal(silent_at(&w), 8501);
    world_fire(&w, 7000);
    assert_rows(&w, "F@0 8+0 open\n");
    world_fire(&w, 8500);
    assert_rows(&w, "");
    world_fire(&w, 8501);
    assert_rows(&w, "F@0 8+0 closed\n");
    assert_true(silent_at(&w) == INT64_MAX);
    world_fire(&w, 100000);
    assert_rows(&w, "");
    assert_string_equal(world_heard(&w), "began written"); /* it has not ended */
    world_end(&w);
}

/* By event time it was no pause: the same row, open again. */
static void a_silent_bout_may_go_on(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_repeat(&w, 'F', 8);
    world_fire(&w, 8501);
    assert_rows(&w, "F@0 8+0 closed\n");
    world_pause(&w, 3000);
    world_walk(&w, "F");
    assert_int_equal(silent_at(&w), 6500 + 5001);
    world_fire(&w, 11000);
    assert_rows(&w, "F@0 9+0 open\n");
    world_fire(&w, 11501);
    assert_rows(&w, "F@0 9+0 closed\n");
    world_walk(&w, "T"); /* at 7000: the bout stays as it is shown */
    assert_true(silent_at(&w) == INT64_MAX);
    world_walk(&w, "F");
    world_stop(&w);
    assert_rows(&w, "F@0 10+0 closed\n");
    assert_string_equal(world_heard(&w), "began written");
    world_end(&w);
}

/* Steps of long ago, a message each: the bout goes on with each, and is silent at once. */
static void a_late_burst_is_written_when_its_dirt_is_old_enough(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.late_ms = 100000;
    world_repeat(&w, 'F', 8); /* the last arrives at 103500 */
    world_fire(&w, 103500);
    assert_rows(&w, "");
    w.late_ms -= 490; /* ten ms from one to the next */
    for (int i = 0; i < 20; i++, w.late_ms -= 490) {
        world_walk(&w, "F");
        world_fire(&w, w.at - w.every_ms + w.late_ms);
    }
    assert_rows(&w, "");
    assert_int_equal(deadline(&w), 105500);
    world_fire(&w, 105510);
    assert_rows(&w, "F@0 28+0 closed\n");
    assert_true(deadline(&w) == BS_NEVER_MS && silent_at(&w) == INT64_MAX);
    w.late_ms = 0; /* live again */
    world_walk(&w, "F");
    world_fire(&w, 16000);
    assert_rows(&w, "F@0 29+0 open\n");
    world_fire(&w, 19001);
    assert_rows(&w, "F@0 29+0 closed\n");
    world_end(&w);
}

static void a_silent_bout_ends_with_the_next_pause_or_not_at_all(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_repeat(&w, 'F', 8);
    world_fire(&w, 8501);
    world_pause(&w, 3001);
    world_lines(&w);
    world_walk(&w, "F");
    assert_rows(&w, "F@0 8+0 closed\n");
    assert_string_equal(world_heard(&w), "began written");
    world_end(&w);
}

static void others_keep_a_bout_from_falling_silent(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_repeat(&w, 'F', 8);
    world_walk(&w, "TB");
    assert_int_equal(silent_at(&w), 4500 + 5001);
    w.settings.bout_gap_ms = 30000;
    assert_int_equal(silent_at(&w), 4500 + 32001);
    w.settings.bout_gap_ms = 500;
    w.settings.reorder_ms = 0;
    assert_int_equal(silent_at(&w), 4500 + 501);
    world_end(&w);
}

/* Settling: what no step can go on with any more. */

static bool settle(struct world *w, int64_t at)
{
    struct bs_effects effects = world_effects(w);
    return bs_bouts_settle(w->bouts, w->member, (struct bs_wall_ms){WORLD_NOW + at}, &effects);
}

static void what_no_step_can_go_on_with_ends(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    assert_true(settle(&w, 0)); /* nothing was ever there */
    world_repeat(&w, 'F', 8);   /* the last at 3500 */
    world_fire(&w, 100000);
    world_lines(&w);
    assert_false(settle(&w, 6500)); /* a step at 6500 goes on */
    assert_string_equal(world_heard(&w), "began written");
    assert_true(settle(&w, 6501));
    assert_rows(&w, "F@0 8+0 closed\n");
    assert_string_equal(world_heard(&w), "");
    assert_true(settle(&w, 6502));
    assert_rows(&w, "");
    assert_string_equal(world_heard(&w), "");
    world_end(&w);
}

/* Tags and consent. */

static void a_bout_keeps_its_first_steps_tags(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    struct bs_tags *first = w.tags, *later = world_tags("carry over", true);
    world_walk(&w, "F");
    w.tags = later;
    world_repeat(&w, 'F', 10);
    world_repeat(&w, 'B', 8);
    world_stop(&w);
    const char *lines = world_lines(&w);
    assert_non_null(
        strstr(lines, "direction=F,drill=back-twenty,group=tue,member=m1,phase=imprint"));
    assert_non_null(strstr(lines, "direction=B,drill=back-twenty,group=tue,member=m1,"
                                  "phase=carry\\ over"));
    w.tags = first;
    assert_int_equal(later->references, 1);
    bs_tags_drop(later);
    world_end(&w);
}

/* Consent is that of the first step; what it would say is told all the same. */
static void a_bout_without_a_name_is_not_written(void **state)
{
    (void)state;
    for (int named_first = 0; named_first < 2; named_first++) {
        struct world w;
        world_begin(&w);
        struct bs_tags *named = w.tags, *unnamed = world_tags("imprint", false);
        w.tags = named_first ? named : unnamed;
        world_walk(&w, "F");
        w.tags = named_first ? unnamed : named;
        world_repeat(&w, 'F', 10);
        world_fire(&w, 7500);
        world_fire(&w, 20000);
        world_stop(&w);
        assert_rows(&w, named_first ? "F@0 11+0 open\nF@0 11+0 closed\nF@0 11+0 closed\n" : "");
        assert_string_equal(world_heard(&w), "began written");
        w.tags = named;
        bs_tags_drop(unnamed);
        world_end(&w);
    }
}

static void nothing_is_written_while_withheld(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_repeat(&w, 'F', 8);
    bs_bouts_withhold(w.member, true); /* with dirt in the queue */
    world_fire(&w, 7000);
    world_repeat(&w, 'F', 1);
    world_fire(&w, 10000);
    assert_true(deadline(&w) == BS_NEVER_MS);
    assert_rows(&w, "");
    bs_bouts_withhold(w.member, false);
    world_walk(&w, "F");
    world_stop(&w);
    assert_rows(&w, "F@0 10+0 closed\n");
    world_repeat(&w, 'F', 8);
    bs_bouts_withhold(w.member, true);
    world_stop(&w);
    assert_rows(&w, "");
    world_end(&w);
}

/* What is not settled holds tags, too. */
static void a_member_may_go_at_any_time(void **state)
{
    (void)state;
    static const char *const walks[] = {
        "", "F", "FF", "FFFBB", "FFFFFFFFB", "BBBBBBBBFF", "BBBBBBBBFFFFFFFFFFFFB"};
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
        struct world w;
        world_begin(&w);
        world_walk(&w, walks[i]);
        bs_bouts_free_member(w.bouts, w.member);
        assert_int_equal(w.tags->references, 1);
        assert_true(deadline(&w) == BS_NEVER_MS);
        w.member = bs_bouts_add_member(&w);
        world_repeat(&w, 'L', 8); /* in memory that was used before */
        world_lines(&w);
        world_stop(&w);
        const char *line = world_lines(&w);
        assert_true(row_field(line, "steps") == 8);
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bout_is_written_from_so_many_steps_on),
        cmocka_unit_test(strays_do_not_make_it_long_enough),
        cmocka_unit_test(the_least_length_in_force_counts),
        cmocka_unit_test(an_open_bout_is_written_when_its_dirt_is_old_enough),
        cmocka_unit_test(a_bout_is_dirty_from_its_confirmation_on),
        cmocka_unit_test(dirt_of_several_members),
        cmocka_unit_test(a_silent_bout_is_shown_as_closed),
        cmocka_unit_test(a_silent_bout_may_go_on),
        cmocka_unit_test(a_late_burst_is_written_when_its_dirt_is_old_enough),
        cmocka_unit_test(a_silent_bout_ends_with_the_next_pause_or_not_at_all),
        cmocka_unit_test(others_keep_a_bout_from_falling_silent),
        cmocka_unit_test(what_no_step_can_go_on_with_ends),
        cmocka_unit_test(a_bout_keeps_its_first_steps_tags),
        cmocka_unit_test(a_bout_without_a_name_is_not_written),
        cmocka_unit_test(nothing_is_written_while_withheld),
        cmocka_unit_test(a_member_may_go_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
