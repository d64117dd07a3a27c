/* Boards: when they are published, deleted, and published anew. */
#include "live_world.h"

/* When they are published. */

static void changes_are_gathered_for_a_while(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    for (int i = 0; i < 60; i++) {
        world_take(&w, &m, tags, (struct world_step){.step_ms = 500 + i});
        world_fire(&w);
        world_wait(&w, 100);
    }
    assert_int_equal(w.count, 4); /* at 0, 2, 4 and 6 seconds */
    bs_live_set_refresh(w.live, 5000);
    world_wait(&w, 2000);
    world_said(&w);
    world_take(&w, &m, tags, (struct world_step){.step_ms = 700});
    world_wait(&w, 2900);
    assert_int_equal(w.count, 0);
    world_wait(&w, 100);
    assert_int_equal(w.count, 1);
    world_end(&w);
    bs_tags_drop(tags);
}

/* Who walks like a clock: nothing changes but the ages. */
static void what_has_not_changed_is_said_every_ten_seconds(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    for (int i = 0; i < 100; i++) {
        world_step(&w, &m, tags);
        if (i == 0)
            bs_live_note_slip(w.live, &m, "step_time", w.now);
        world_wait(&w, 300);
    }
    const char *said = world_said(&w);
    assert_memory_equal(said, "0.0 ", 4);
    static const char *const times[] = {"\n2.0 ", "\n12.0 ", "\n22.0 "};
    for (int i = 0; i < 3; i++) {
        said = strchr(said, '\n');
        assert_memory_equal(said, times[i], strlen(times[i]));
        said++;
    }
    assert_string_equal(strchr(said, '\n'), "\n");
    /* At the latest, whatever the setting. */
    bs_live_set_refresh(w.live, MINUTE);
    world_take(&w, &m, tags, (struct world_step){.step_ms = 700});
    world_wait(&w, 2000);
    assert_int_equal(w.count, 1);
    assert_non_null(strstr(world_said(&w), "32.0 tue"));
    world_end(&w);
    bs_tags_drop(tags);
}

static void boards_fire_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    static const char *const groups[] = {"d", "b", "e", "a", "c"};
    struct world w;
    struct bs_live_member m[5] = {0};
    struct bs_tags *tags[5];
    world_begin(&w);
    for (int i = 0; i < 5; i++) {
        tags[i] = world_tags(groups[i], "m1", "Ruth");
        assert_true(world_take(&w, &m[i], tags[i], (struct world_step){0}));
    }
    world_fire(&w);
#define LONE IDLE "{\"member\":\"m1\",\"alias\":\"Ruth\",\"last_step_age_s\":0.0}]}\n"
    EXPECT(&w, "0.0 a " LONE "0.0 b " LONE "0.0 c " LONE "0.0 d " LONE "0.0 e " LONE);
    world_wait(&w, 2000);
    for (int i = 0; i < 5; i++) {
        world_take(&w, &m[i], tags[i], (struct world_step){.direction = BS_DIRECTION_TURN});
        if (i % 2)
            world_fire(&w);
        world_wait(&w, 7);
    }
    world_wait(&w, 2000);
    const char *at = world_said(&w);
    static const char *const order[] = {"2.0 d", "2.0 b", "2.0 e", "2.0 a", "2.0 c"};
    for (int i = 0; i < 5; i++) {
        assert_memory_equal(at, order[i], 5);
        at = strchr(at, '\n') + 1;
    }
    world_end(&w);
    for (int i = 0; i < 5; i++)
        bs_tags_drop(tags[i]);
}

/* Sessions. */

static void phases_are_those_of_now(void **state)
{
    (void)state;
    static const struct world_session class[] = {
        {"tue", "back-twenty", "im\"print", WORLD_NOW - 5000, WORLD_NOW + 7300},
        {"tue", "back-twenty", "", WORLD_NOW + 7300, WORLD_NOW + MINUTE},
    };
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    world_run(&w, class, 2);
    assert_true(world_take(&w, &m, tags, (struct world_step){0}));
    world_wait(&w, 7300);
#define SHE "\"members\":[{\"member\":\"m1\",\"alias\":\"Ruth\",\"last_step_age_s\":"
    EXPECT(&w, "0.0 tue \"drill\":\"back-twenty\",\"phase\":\"im\\\"print\"," SHE "0.0}]}\n"
               "7.3 tue \"drill\":\"back-twenty\",\"phase\":\"none\"," SHE "7.3}]}\n");
    world_end(&w);
    bs_tags_drop(tags);
}

/* Steps of the class that pass behind its end bring nobody back; who walks on is there again. */
static void the_end_of_a_class_clears_its_board(void **state)
{
    (void)state;
    static const struct world_session class[] = {
        {"tue", "back-twenty", "a", WORLD_NOW - 5000, WORLD_NOW + 3000}};
    struct world w;
    struct bs_live_member ruth = {0}, ida = {0};
    struct bs_tags *ruths = world_tags("tue", "m1", "Ruth"), *idas = world_tags("tue", "m2", "Ida");
    world_begin(&w);
    world_run(&w, class, 1);
    world_step(&w, &ruth, ruths);
    world_said(&w);
    world_wait(&w, 3000);
    EXPECT(&w, "3.0 tue\n");
    world_wait(&w, 500);
    assert_true(world_take(&w, &ida, idas, (struct world_step){.ago_ms = 501}));
    world_wait(&w, 30000);
    EXPECT(&w, "");
    assert_int_equal(bs_live_boards(w.live), 1);
    assert_true(world_take(&w, &ida, idas, (struct world_step){.ago_ms = 30500}));
    world_fire(&w);
    EXPECT(&w,
           "33.5 tue " IDLE "{\"member\":\"m2\",\"alias\":\"Ida\",\"last_step_age_s\":30.5}]}\n");
    world_wait(&w, 29500);
    assert_non_null(strstr(world_said(&w), "63.0 tue " IDLE "]}\n"));
    world_wait(&w, MINUTE);
    EXPECT(&w, "123.0 tue\n");
    assert_int_equal(bs_live_boards(w.live), 0);
    world_end(&w);
    bs_tags_drop(ruths);
    bs_tags_drop(idas);
}

static void an_empty_board_waits_for_the_end_of_its_class(void **state)
{
    (void)state;
    static const struct world_session class[] = {
        {"tue", "back-twenty", "a", WORLD_NOW, WORLD_NOW + 10 * MINUTE},
        {"tue", "back-twenty", "b", WORLD_NOW + 10 * MINUTE, WORLD_NOW + 20 * MINUTE},
    };
    static const struct world_session shorter[] = {
        {"tue", "back-twenty", "a", WORLD_NOW, WORLD_NOW + 5 * MINUTE}};
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    for (int moved = 0; moved < 2; moved++) {
        m = (struct bs_live_member){0};
        world_begin(&w);
        world_run(&w, class, 2);
        world_step(&w, &m, tags);
        world_wait(&w, MINUTE);
        assert_non_null(strstr(
            world_said(&w), "60.0 tue \"drill\":\"back-twenty\",\"phase\":\"a\",\"members\":[]}"));
        if (moved) { /* nobody tells of it */
            w.sessions = shorter;
            w.session_count = 1;
        }
        world_wait(&w, 20 * MINUTE);
        EXPECT(&w, moved ? "300.0 tue\n" : "1200.0 tue\n");
        assert_int_equal(bs_live_boards(w.live), 0);
        world_end(&w);
    }
    bs_tags_drop(tags);
}

/* The last one left, and before that was said the setting changed: it is said that much later. */
static void an_empty_board_waits_for_a_longer_refresh(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth"),
                   *none = world_tags("none", "m1", "Ruth");
    world_begin(&w);
    for (int i = 0; i < 30; i++) { /* like a clock: looked at every 2 s, published once */
        world_step(&w, &m, tags);
        world_wait(&w, 300);
    }
    world_said(&w);
    world_take(&w, &m, none, STEP);
    bs_live_set_refresh(w.live, MINUTE);
    world_wait(&w, 2 * MINUTE);
    EXPECT(&w, "68.0 tue " IDLE "]}\n128.0 tue\n");
    assert_int_equal(bs_live_boards(w.live), 0);
    world_end(&w);
    bs_tags_drop(tags);
    bs_tags_drop(none);
}

static void a_deleted_session_clears_the_board_at_once(void **state)
{
    (void)state;
    static const struct world_session class[] = {
        {"tue", "back-twenty", "a", WORLD_NOW, WORLD_NOW + 10 * MINUTE}};
    static const struct world_session over[] = {
        {"tue", "back-twenty", "a", WORLD_NOW, WORLD_NOW + 1234}};
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    world_run(&w, class, 1);
    world_step(&w, &m, tags);
    world_wait(&w, 1234);
    world_said(&w);
    world_run(&w, over, 1);
    EXPECT(&w, "1.2 tue\n");
    assert_null(m.board);
    world_wait(&w, 59999);
    assert_int_equal(bs_live_boards(w.live), 1);
    world_wait(&w, 1);
    assert_int_equal(bs_live_boards(w.live), 0);
    EXPECT(&w, "");
    world_end(&w);
    bs_tags_drop(tags);
}

/* Though what was deleted is what is to be said. */
static void a_deleted_board_is_published_again(void **state)
{
    (void)state;
    static const struct world_session class[] = {
        {"tue", "none", "none", WORLD_NOW, WORLD_NOW + 1000}};
    struct world w;
    struct bs_live_member m = {0};
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    world_begin(&w);
    world_run(&w, class, 1);
    world_step(&w, &m, tags);
    world_said(&w);
    world_wait(&w, 1000);
    world_step(&w, &m, tags);
    world_wait(&w, 1000);
    EXPECT(&w, "1.0 tue\n"
               "2.0 tue " IDLE RUTH FIGURES ",\"last_step_age_s\":1.0}]}\n");
    world_end(&w);
    bs_tags_drop(tags);
}

/* Starts and clocks. */

static void a_start_publishes_everything_anew(void **state)
{
    (void)state;
    struct world w;
    struct bs_live_member ruth = {0}, ida = {0};
    struct bs_tags *ruths = world_tags("tue", "m1", "Ruth"), *idas = world_tags("mon", "m2", "Ida");
    world_begin(&w);
    world_step(&w, &ruth, ruths);
    world_wait(&w, 59500);
    assert_true(world_take(&w, &ida, idas, (struct world_step){0}));
    world_wait(&w, 1000);
    world_said(&w);
    bs_live_restart(w.live);
    world_fire(&w);
    EXPECT(&w, "60.5 mon " IDLE "{\"member\":\"m2\",\"alias\":\"Ida\",\"last_step_age_s\":1.0}]}\n"
               "60.5 tue " IDLE "]}\n");
    world_wait(&w, 4000);
    EXPECT(&w, "");
    world_end(&w);
    bs_tags_drop(ruths);
    bs_tags_drop(idas);
}

/* Also of what it knows about a class that is over by a clock that ran ahead. */
static void a_stepped_clock_empties_the_boards(void **state)
{
    (void)state;
    static const struct world_session class[] = {
        {"mon", "back-twenty", "a", WORLD_NOW, WORLD_NOW + 5000}};
    struct world w;
    struct bs_live_member ruth = {0}, ida = {0};
    struct bs_tags *ruths = world_tags("tue", "m1", "Ruth"), *idas = world_tags("mon", "m2", "Ida");
    world_begin(&w);
    world_run(&w, class, 1);
    world_take(&w, &ida, idas, STEP);
    world_step(&w, &ruth, ruths);
    world_wait(&w, 5000);
    world_said(&w);
    w.now -= 60 * MINUTE;
    w.ahead -= 60 * MINUTE;
    bs_live_empty(w.live);
    assert_null(ruth.board);
    world_fire(&w);
    EXPECT(&w, "-3595.0 tue " IDLE "]}\n");
    world_wait(&w, 2000);
    world_step(&w, &ruth, ruths);
    world_step(&w, &ida, idas);
    assert_non_null(ruth.board);
    assert_non_null(ida.board);
    assert_int_equal(w.count, 2);
    world_end(&w);
    bs_tags_drop(ruths);
    bs_tags_drop(idas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_gathered_for_a_while),
        cmocka_unit_test(what_has_not_changed_is_said_every_ten_seconds),
        cmocka_unit_test(boards_fire_in_the_order_of_their_deadlines),
        cmocka_unit_test(phases_are_those_of_now),
        cmocka_unit_test(the_end_of_a_class_clears_its_board),
        cmocka_unit_test(an_empty_board_waits_for_the_end_of_its_class),
        cmocka_unit_test(an_empty_board_waits_for_a_longer_refresh),
        cmocka_unit_test(a_deleted_session_clears_the_board_at_once),
        cmocka_unit_test(a_deleted_board_is_published_again),
        cmocka_unit_test(a_start_publishes_everything_anew),
        cmocka_unit_test(a_stepped_clock_empties_the_boards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
