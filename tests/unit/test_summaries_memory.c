/* Memory that runs out at every single allocation of a summary: nothing is opened, and the same
 * step finds its summary a moment later. */
#include "failing_memory.h"
#include "summaries_world.h"

/* How many allocations it takes. */
static int find_without_memory(struct world *w, struct person *p, const char *group)
{
    for (int allowed = 0;; allowed++) {
        struct bs_summary *summary = NULL;
        uint32_t open = bs_summaries_open(w->summaries);
        until_failure = allowed;
        bool found = world_find(w, p, group, world_wall(w).ms, &summary);
        bool failed = until_failure < 0;
        until_failure = -1;
        if (found == failed)
            fail_msg("after %d allocations: found %d", allowed, found);
        if (found) {
            assert_non_null(summary);
            world_pass(w, summary);
            return allowed;
        }
        assert_null(summary);
        assert_int_equal(bs_summaries_open(w->summaries), open);
    }
}

static void every_allocation(void **state)
{
    (void)state;
    enum { PEOPLE = 3, GROUPS = 200 };
    static struct person people[PEOPLE] = {{.id = "m0"}, {.id = "m1"}, {.id = "m2"}};
    struct world w;
    int first = 0, others = 0;
    world_begin(&w);
    for (int group = 0; group < GROUPS; group++) {
        char name[8];
        snprintf(name, sizeof name, "g%d", group);
        world_say(&w, name, 0, 60, "back");
        int took = find_without_memory(&w, &people[0], name);
        first = took > first ? took : first;
        for (int i = 1; i < PEOPLE; i++)
            others += find_without_memory(&w, &people[i], name);
    }
    assert_true(first > others / GROUPS / (PEOPLE - 1)); /* group, session and table on top */
    assert_int_equal(bs_summaries_open(w.summaries), PEOPLE * GROUPS);
    world_wait_until(&w, 60);
    int closed = 0;
    for (const char *at = world_lines(&w); (at = strstr(at, "closed ")); at++)
        closed++;
    assert_int_equal(closed, PEOPLE * GROUPS);
    world_end(&w);
}

/* No memory is needed to count, to write, to end and to forget. */
static void everything_else(void **state)
{
    (void)state;
    struct world w;
    struct person ruth = {.id = "m1"};
    struct bs_summary *summary;
    struct bs_effects effects = world_effects(&w);
    world_begin(&w);
    world_say(&w, "tue", 0, 10, "back");
    assert_true(world_find(&w, &ruth, "tue", w.tick, &summary));
    assert_non_null(bs_buffer_room(&w.lines, 4096)); /* the test's own need */
    until_failure = 0;
    bs_summary_hold(summary);
    world_pass(&w, summary);
    bs_summaries_count(w.summaries, summary, BS_SUMMARY_BOUTS, (struct bs_tick_ms){w.tick});
    world_wait_until(&w, 5);
    bs_summaries_write_member(w.summaries, &ruth.member, &effects);
    bs_summaries_follow_clock(w.summaries, world_wall(&w), &effects);
    world_wait_until(&w, 10);
    bs_summary_drop(summary);
    world_delete(&w, "tue");
    world_forget(&w, 10);
    assert_int_equal(until_failure, 0);
    until_failure = -1;
    assert_int_equal(bs_summaries_open(w.summaries), 0);
    world_end(&w);
}

static void none_at_all(void **state)
{
    (void)state;
    struct bs_summaries *s = NULL;
    until_failure = 0;
    assert_int_equal(bs_summaries_new(&s, NULL), BS_NO_MEMORY);
    until_failure = -1;
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation),
        cmocka_unit_test(everything_else),
        cmocka_unit_test(none_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
