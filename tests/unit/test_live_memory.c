/* Memory that runs out at every single allocation for a board: the step says so, nothing else is
 * lost, and with memory there is a board again. */
#include "failing_memory.h"
#include "live_world.h"

static void a_step_finds_no_room(void **state)
{
    (void)state;
    struct bs_tags *tags = world_tags("tue", "m1", "Ruth");
    int allowed = 0;
    for (bool enough = false; !enough; allowed++) {
        struct world w;
        struct bs_live_member m = {0};
        world_begin(&w);
        until_failure = allowed;
        bool found_room = world_take(&w, &m, tags, STEP);
        enough = until_failure >= 0;
        until_failure = -1;
        if (found_room != enough || (m.board != NULL) != enough)
            fail_msg("after %d allocations: room %d, on a board %d", allowed, found_room,
                     m.board != NULL);
        assert_true(world_take(&w, &m, tags, STEP));
        world_fire(&w);
        EXPECT(&w, "0.0 tue " IDLE RUTH FIGURES ",\"last_step_age_s\":0.0}]}\n");
        assert_int_equal(m.count, 2); /* the first one counts for the figures all the same */
        world_end(&w);
    }
    assert_true(allowed > 2);
    bs_tags_drop(tags);
}

static void there_are_no_boards_without_memory(void **state)
{
    (void)state;
    struct bs_live_options options = {.topic = BS_SLICE("t/live/")};
    int allowed = 0;
    for (enum bs_status status = BS_NO_MEMORY; status != BS_OK; allowed++) {
        struct bs_live *live = NULL;
        until_failure = allowed;
        status = bs_live_new(&live, &options);
        until_failure = -1;
        if ((status == BS_OK) != (live != NULL))
            fail_msg("after %d allocations: %d", allowed, (int)status);
        bs_live_free(live);
    }
    assert_true(allowed > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_finds_no_room),
        cmocka_unit_test(there_are_no_boards_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
