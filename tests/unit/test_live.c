/* Boards: what they say, who is on them and for how long. */
#include "backstep/core/roster.h"
#include "live_world.h"

/* What they say. */

static void a_step_is_shown_at_once(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member ruth = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    world_step(&w, &ruth, tags);
    EXPECT(&w, "0.0 tue " IDLE RUTH FIGURES ",\"last_step_age_s\":0.0}]}\n");
    world_end(&w);
    bs_tags_drop(tags);
}

/* Of thirteen steps the first three are past; one without a value counts for nothing. */
static void figures_are_of_the_last_ten_steps(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    for (int i = 0; i < 3; i++)
        world_take(&w, &m, tags, (struct world_step){.step_ms = 2200, .step_mm = 3000});
    world_take(&w, &m, tags, (struct world_step){.step_ms = 500});
    world_take(&w, &m, tags, (struct world_step){.step_mm = 411});
    for (int i = 0; i < 7; i++)
        world_take(&w, &m, tags, (struct world_step){.direction = BS_DIRECTION_FORWARD});
    world_take(&w, &m, tags, (struct world_step){.step_ms = 701, .step_mm = 388});
    world_fire(&w);
    /* 60000 / 600.5; (411 + 388) / 2; 0.3995 m / 99.92 */
    EXPECT(&w, "0.0 tue " IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\",\"cadence_spm\":99.9,"
               "\"step_mm\":400,\"walk_ratio\":0.00400,\"last_step_age_s\":0.0}]}\n");
    for (int i = 0; i < 10; i++)
        world_take(&w, &m, tags, (struct world_step){.direction = BS_DIRECTION_UP});
    world_wait(&w, 2000);
    EXPECT(&w, "2.0 tue " IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\",\"dir\":\"U\","
               "\"last_step_age_s\":2.0}]}\n");
    assert_int_equal(m.time_sum + m.length_sum + m.time_count + m.length_count, 0);
    world_end(&w);
    bs_tags_drop(tags);
}

static void what_carry_over_and_slips_say(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    world_step(&w, &m, tags);
    world_said(&w);
    bs_live_note_retention(w.live, &m, 70.96);
    bs_live_note_slip(w.live, &m, "step_length", w.now - 4700);
    world_wait(&w, 2000);
    EXPECT(&w, "2.0 tue " IDLE RUTH FIGURES ",\"retention_pct\":71.0,\"slip\":{\"metric\":"
               "\"step_length\",\"age_s\":6},\"last_step_age_s\":2.0}]}\n");
    bs_live_note_bout(w.live, &m);
    bs_live_note_bout(w.live, &m);
    world_wait(&w, 2000);
    EXPECT(&w, "4.0 tue " IDLE RUTH FIGURES ",\"retention_pct\":71.0,\"last_step_age_s\":4.0}]}\n");
    world_end(&w);
    bs_tags_drop(tags);
}

/* Off the board the visit goes on; ten minutes without a step end it. */
static void a_new_visit_begins_with_nothing(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    world_step(&w, &m, tags);
    bs_live_note_retention(w.live, &m, 12);
    world_wait(&w, 10 * MINUTE);
    world_said(&w);
    assert_true(world_take(&w, &m, tags, (struct world_step){0}));
    world_fire(&w);
    EXPECT(&w, "600.0 tue " IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\"," FIGURES
               ",\"retention_pct\":12.0,\"last_step_age_s\":0.0}]}\n");
    bs_live_note_slip(w.live, &m, "step_time", w.now);
    world_wait(&w, 10 * MINUTE + 1);
    world_said(&w);
    assert_true(world_take(&w, &m, tags, (struct world_step){0}));
    world_fire(&w);
    EXPECT(&w,
           "1200.0 tue " IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\",\"last_step_age_s\":0.0}]}\n");
    world_end(&w);
    bs_tags_drop(tags);
}

static void members_stand_in_the_order_of_their_ids(void **state)
{
    (void)state;
    static const char *const ids[] = {"m2", "m10", "M3", "m1", "m"};
    struct world w;
    struct bs_live_member m[5] = {0};
    world_begin(&w);
    for (int i = 0; i < 5; i++) {
        struct bs_tags *tags = world_tags("tue", ids[i], "x \"y\", z=1");
        assert_true(world_take(&w, &m[i], tags, (struct world_step){0}));
        bs_tags_drop(tags);
    }
    world_fire(&w);
#define ONE(id) "{\"member\":\"" id "\",\"alias\":\"x \\\"y\\\", z=1\",\"last_step_age_s\":0.0}"
    EXPECT(&w, "0.0 tue " IDLE ONE("M3") "," ONE("m") "," ONE("m1") "," ONE("m10") "," ONE(
                   "m2") "]}\n");
    world_end(&w);
}

#define CROWD 5000

static void a_crowd_is_shown_in_part(void **state)
{
    (void)state;
    static struct bs_live_member m[CROWD];
    struct world w;
    char id[8];
    memset(m, 0, sizeof m);
    world_begin(&w);
    for (int i = 0; i < CROWD; i++) {
        snprintf(id, sizeof id, "m%04d", (int)((int64_t)i * 3571 % CROWD));
        struct bs_tags *tags = world_tags("tue", id, id);
        assert_true(world_take(&w, &m[i], tags, STEP));
        bs_tags_drop(tags);
    }
    world_fire(&w);
    assert_int_equal(w.count, 1);
    const char *at = world_said(&w);
    assert_true(strlen(at) < 100 * BS_LIVE_SHOWN_MAX * 2);
    for (unsigned i = 0; i < BS_LIVE_SHOWN_MAX; i++) {
        char expected[32];
        at = strstr(at, "{\"member\"");
        assert_non_null(at);
        snprintf(expected, sizeof expected, "{\"member\":\"m%04u\"", i);
        assert_memory_equal(at, expected, strlen(expected));
        at++;
    }
    assert_null(strstr(at, "{\"member\""));
    world_end(&w);
}

/* As many as are shown, each with the longest names and every figure. */
static void the_longest_texts_fit(void **state)
{
    (void)state;
    static struct bs_live_member m[BS_LIVE_SHOWN_MAX];
    struct world w;
    char id[BS_MEMBER_ID_MAX + 1], alias[BS_TAGS_ALIAS_MAX + 1];
    for (size_t i = 0; i < BS_TAGS_ALIAS_MAX; i++)
        alias[i] = "\xf0\x9f\x9a\xb6"[i % 4];
    alias[BS_TAGS_ALIAS_MAX] = 0;
    memset(m, 0, sizeof m);
    world_begin(&w);
    for (unsigned i = 0; i < BS_LIVE_SHOWN_MAX; i++) {
        snprintf(id, sizeof id, "guest-%064u", i);
        struct bs_tags *tags = world_tags("tue", id, alias);
        world_take(&w, &m[i], tags,
                   (struct world_step){.ago_ms = 59900, .step_ms = 140, .step_mm = 3000});
        bs_live_note_retention(w.live, &m[i], 100);
        bs_live_note_slip(w.live, &m[i], "vertical_oscillation", w.now - 600000);
        bs_tags_drop(tags);
    }
    world_fire(&w);
    const char *said = world_said(&w);
    assert_in_range(strlen(said), 350 * BS_LIVE_SHOWN_MAX, 500 * BS_LIVE_SHOWN_MAX);
    assert_string_equal(said + strlen(said) - 4, "}]}\n");
    world_end(&w);
}

/* Who is on them. */

static void who_is_silent_leaves(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member ruth = {0}, ida = {0};
    struct bs_tags *ruths = world_tags("tue", "m1", "Ruth"), *idas = world_tags("tue", "m2", "Ida");
    world_begin(&w);
    world_step(&w, &ruth, ruths);
    world_wait(&w, 55000);
    world_said(&w);
    world_step(&w, &ida, idas);
    world_said(&w);
    world_wait(&w, 4999);
    assert_non_null(ruth.board);
    assert_int_equal(w.count, 0);
    world_wait(&w, 1);
    assert_null(ruth.board);
    EXPECT(&w, "60.0 tue " IDLE "{\"member\":\"m2\",\"alias\":\"Ida\",\"dir\":\"B\"," FIGURES
               ",\"last_step_age_s\":5.0}]}\n");
    world_wait(&w, 54999);
    assert_int_equal(w.count, 5); /* at 70, 80, 90, 100 and 110 seconds */
    world_said(&w);
    world_wait(&w, 1);
    EXPECT(&w, "115.0 tue " IDLE "]}\n");
    world_wait(&w, 59999);
    assert_int_equal(w.count, 0);
    world_wait(&w, 1);
    EXPECT(&w, "175.0 tue\n");
    assert_int_equal(bs_live_boards(w.live), 0);
    assert_int_equal(bs_live_tick_deadline(w.live).ms, BS_NEVER_MS);
    world_end(&w);
    bs_tags_drop(ruths);
    bs_tags_drop(idas);
}

static void a_backlog_shows_nobody(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    for (int i = 0; i < 100; i++)
        assert_true(
            world_take(&w, &m, tags,
                       (struct world_step){.ago_ms = MINUTE + 100000 - 1000 * i, .step_ms = 600}));
    assert_int_equal(bs_live_boards(w.live), 0);
    world_wait(&w, MINUTE);
    EXPECT(&w, "");
    /* One that is just young enough brings its forerunners along. */
    assert_true(
        world_take(&w, &m, tags, (struct world_step){.ago_ms = MINUTE - 1, .step_ms = 500}));
    world_fire(&w);
    EXPECT(&w, "60.0 tue " IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\",\"cadence_spm\":101.7,"
               "\"last_step_age_s\":59.9}]}\n");
    world_wait(&w, 1);
    assert_null(m.board);
    world_wait(&w, 1999);
    EXPECT(&w, "62.0 tue " IDLE "]}\n");
    world_end(&w);
    bs_tags_drop(tags);
}

/* A device's clock may be ahead of ours. */
static void nothing_is_younger_than_now(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    assert_true(world_take(&w, &m, tags, (struct world_step){.ago_ms = -4000}));
    bs_live_note_slip(w.live, &m, "step_time", w.now + 3000);
    world_fire(&w);
    EXPECT(&w, "0.0 tue " IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\",\"slip\":{\"metric\":"
               "\"step_time\",\"age_s\":0},\"last_step_age_s\":0.0}]}\n");
    world_end(&w);
    bs_tags_drop(tags);
}

/* The one who comes last may be the one who leaves first. */
static void an_old_step_is_let_go_in_time(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member ruth = {0}, ida = {0};
    struct bs_tags *ruths = world_tags("tue", "m1", "Ruth"), *idas = world_tags("tue", "m2", "Ida");
    world_begin(&w);
    bs_live_set_refresh(w.live, MINUTE);
    world_step(&w, &ruth, ruths);
    world_take(&w, &ruth, ruths, (struct world_step){0}); /* changed, and not due for long */
    assert_true(world_take(&w, &ida, idas, (struct world_step){.ago_ms = 59000}));
    world_wait(&w, 999);
    assert_non_null(ida.board);
    world_wait(&w, 1);
    assert_null(ida.board);
    world_end(&w);
    bs_tags_drop(ruths);
    bs_tags_drop(idas);
}

static void steps_that_show_nobody(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth"),
                   *none = world_tags("none", "m1", "Ruth");
    struct bs_tags *unnamed = world_tags("tue", "m1", "Ruth");
    unnamed->named = false;
    world_begin(&w);
    world_take(&w, &m, tags, (struct world_step){.late = true});
    world_fire(&w);
    world_take(&w, &m, unnamed, STEP);
    world_fire(&w);
    world_take(&w, &m, none, STEP);
    world_wait(&w, MINUTE);
    EXPECT(&w, "");
    /* Without a group she is on no board any more. */
    world_step(&w, &m, tags);
    world_take(&w, &m, none, STEP);
    world_wait(&w, 2000);
    EXPECT(&w, "60.0 tue " IDLE RUTH FIGURES ",\"last_step_age_s\":0.0}]}\n"
               "62.0 tue " IDLE "]}\n");
    world_end(&w);
    bs_tags_drop(tags);
    bs_tags_drop(none);
    bs_tags_drop(unnamed);
}

static void a_step_in_another_group_moves_the_member(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tue = world_tags("tue", "m1", "Ruth"), *mon = world_tags("mon", "m1", "Ruth");
    world_begin(&w);
    for (int i = 0; i < 9; i++)
        world_take(&w, &m, tue, STEP);
    world_fire(&w);
    world_said(&w);
    world_take(&w, &m, mon, (struct world_step){.step_ms = 1600});
    world_wait(&w, 2000);
    EXPECT(&w, "0.0 mon " IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\",\"cadence_spm\":85.7,"
               "\"step_mm\":400,\"walk_ratio\":0.00467,\"last_step_age_s\":0.0}]}\n"
               "2.0 tue " IDLE "]}\n");
    world_end(&w);
    bs_tags_drop(tue);
    bs_tags_drop(mon);
}

/* Documents. */

static void who_must_not_be_shown_is_gone_at_once(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member ruth = {0}, ida = {0};
    struct bs_tags *ruths = world_tags("tue", "m1", "Ruth"), *idas = world_tags("tue", "m2", "Ida");
    world_begin(&w);
    world_take(&w, &ida, idas, (struct world_step){0});
    world_step(&w, &ruth, ruths);
    bs_live_note_retention(w.live, &ruth, 50);
    world_said(&w);
    world_wait(&w, 50);
    bs_live_follow(w.live, &ruth, NULL);
    world_fire(&w);
    EXPECT(&w, ""); /* a hundred documents of a moment are one change of the board */
    world_wait(&w, 50);
    EXPECT(&w, "0.1 tue " IDLE "{\"member\":\"m2\",\"alias\":\"Ida\",\"last_step_age_s\":0.1}]}\n");
    assert_memory_equal(&ruth, &(struct bs_live_member){0}, sizeof ruth);
    world_wait(&w, 1000);
    bs_live_follow(w.live, &ida, NULL);
    world_fire(&w);
    EXPECT(&w, "1.1 tue " IDLE "]}\n");
    world_end(&w);
    bs_tags_drop(ruths);
    bs_tags_drop(idas);
}

static void an_alias_and_a_group_are_followed(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *ruth = world_tags("tue", "m1", "Ruth"), *rut = world_tags("tue", "m1", "R.");
    struct bs_tags *moved = world_tags("mon", "m1", "R.");
    world_begin(&w);
    bs_live_follow(w.live, &m, ruth); /* nobody yet */
    world_step(&w, &m, ruth);
    world_said(&w);
    bs_live_follow(w.live, &m, rut);
    world_wait(&w, 2000);
    EXPECT(&w, "2.0 tue " IDLE "{\"member\":\"m1\",\"alias\":\"R.\",\"dir\":\"B\"," FIGURES
               ",\"last_step_age_s\":2.0}]}\n");
    assert_int_equal(ruth->references, 1);
    world_wait(&w, 1000);
    bs_live_follow(w.live, &m, moved);
    world_fire(&w);
    EXPECT(&w, "3.0 tue " IDLE "]}\n");
    world_step(&w, &m, moved);
    EXPECT(&w, "3.0 mon " IDLE "{\"member\":\"m1\",\"alias\":\"R.\",\"dir\":\"B\"," FIGURES
               ",\"last_step_age_s\":0.0}]}\n");
    world_end(&w);
    assert_int_equal(rut->references + moved->references, 2);
    bs_tags_drop(ruth);
    bs_tags_drop(rut);
    bs_tags_drop(moved);
}

/* Bounds. */

static void boards_are_bounded(void **state)
{
    (void)state;
    static struct bs_live_member m[BS_LIVE_BOARDS_MAX + 1];
    struct world w;
    char group[8];
    memset(m, 0, sizeof m);
    world_begin(&w);
    for (unsigned i = 0; i <= BS_LIVE_BOARDS_MAX; i++) {
        snprintf(group, sizeof group, "g%05u", i);
        struct bs_tags *tags = world_tags(group, "m1", "Ruth");
        bool found_room = world_take(&w, &m[i], tags, STEP);
        if (found_room != (i < BS_LIVE_BOARDS_MAX))
            fail_msg("board %u: %d", i, found_room);
        bs_tags_drop(tags);
    }
    world_fire(&w);
    assert_int_equal(w.count, BS_LIVE_BOARDS_MAX);
    world_wait(&w, 2 * MINUTE);
    world_said(&w);
    assert_int_equal(bs_live_boards(w.live), 0);
    struct bs_tags *tags = world_tags(group, "m1", "Ruth");
    world_step(&w, &m[BS_LIVE_BOARDS_MAX], tags);
    assert_int_equal(w.count, 1);
    world_end(&w);
    bs_tags_drop(tags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_shown_at_once),
        cmocka_unit_test(figures_are_of_the_last_ten_steps),
        cmocka_unit_test(what_carry_over_and_slips_say),
        cmocka_unit_test(a_new_visit_begins_with_nothing),
        cmocka_unit_test(members_stand_in_the_order_of_their_ids),
        cmocka_unit_test(a_crowd_is_shown_in_part),
        cmocka_unit_test(the_longest_texts_fit),
        cmocka_unit_test(who_is_silent_leaves),
        cmocka_unit_test(a_backlog_shows_nobody),
        cmocka_unit_test(nothing_is_younger_than_now),
        cmocka_unit_test(an_old_step_is_let_go_in_time),
        cmocka_unit_test(steps_that_show_nobody),
        cmocka_unit_test(a_step_in_another_group_moves_the_member),
        cmocka_unit_test(who_must_not_be_shown_is_gone_at_once),
        cmocka_unit_test(an_alias_and_a_group_are_followed),
        cmocka_unit_test(boards_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
