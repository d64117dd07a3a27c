/* Waiting and passing: when a step's time comes, and what passes before it. */
#include "order_world.h"

static bool send(struct world *w, int64_t at, unsigned slot)
{
    return world_send(w, (struct event){.at = at, .slot = slot});
}

/* By the newest event. */

static void a_step_passes_when_the_newest_is_far_enough_past_it(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1);
    w.now = 1999;
    send(&w, 1999, 1);
    assert_passed(&w, "");
    w.now = 2000;
    send(&w, 2000, 1);
    assert_passed(&w, "0");
    w.now = 4000;
    send(&w, 4000, 1);
    assert_passed(&w, "1999 2000");
    assert_int_equal(bs_order_waiting(w.order), 1);
    world_end(&w);
}

/* The newest may lie ahead of the clock: then the clock reaches it. */
static void a_newest_ahead_says_when_a_step_is_due(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 1000;
    send(&w, 0, 1);
    assert_int_equal(bs_order_due(w.order, &w.rules), WORLD_NOW + 3000);
    send(&w, 1999, 1);
    assert_int_equal(bs_order_due(w.order, &w.rules), WORLD_NOW + 3000);
    send(&w, 2000, 1);
    assert_int_equal(bs_order_due(w.order, &w.rules), WORLD_NOW + 2000);
    world_wait(&w, 1000);
    assert_passed(&w, "0");
    world_end(&w);
}

/* A clock that is ahead drives nothing on: the newest counts up to the arrival. */
static void the_newest_counts_up_to_the_arrival_only(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1);
    send(&w, 4000, 1);
    assert_passed(&w, "");
    w.now = 1999;
    world_pass(&w, false);
    assert_passed(&w, "");
    w.now = 2000;
    world_pass(&w, false);
    assert_passed(&w, "0");
    w.now = 5999;
    world_pass(&w, false);
    assert_passed(&w, "");
    w.now = 6000;
    world_pass(&w, false);
    assert_passed(&w, "4000");
    world_end(&w);
}

/* An old burst: its steps are behind the newest at once. */
static void a_step_that_is_far_behind_the_newest_does_not_wait(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 10000;
    send(&w, 10000, 1);
    send(&w, 8001, 1);
    assert_passed(&w, "");
    send(&w, 8000, 1);
    assert_passed(&w, "8000");
    send(&w, 7000, 1); /* its place is passed */
    assert_passed(&w, "7000!");
    world_end(&w);
}

static void an_event_that_joins_moves_the_newest(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 5000;
    send(&w, 0, 1);
    send(&w, 1950, 1);
    assert_passed(&w, "");
    assert_true(send(&w, 2000, 2));
    assert_passed(&w, "0");
    world_end(&w);
}

static void a_stored_event_moves_nothing(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 5000;
    send(&w, 0, 1);
    world_send(&w, (struct event){.at = 5000, .slot = 1, .stored = true});
    assert_passed(&w, "5000s");
    assert_int_equal(bs_order_waiting(w.order), 1);
    world_end(&w);
}

/* By the clock. */

static void a_step_waits_so_long_after_its_arrival(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 700;
    send(&w, -60000, 1);
    assert_int_equal(bs_order_due(w.order, &w.rules), WORLD_NOW + 2700);
    world_wait(&w, 1999);
    assert_passed(&w, "");
    world_wait(&w, 1);
    assert_passed(&w, "-60000");
    assert_true(bs_order_due(w.order, &w.rules) == INT64_MAX);
    world_end(&w);
}

static void a_step_waits_so_long_after_its_event_time(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 3000, 1);
    assert_int_equal(bs_order_due(w.order, &w.rules), WORLD_NOW + 5000);
    world_wait(&w, 4999);
    assert_passed(&w, "");
    world_wait(&w, 1);
    assert_passed(&w, "3000");
    world_end(&w);
}

/* Whoever arrived first may be the last in time: all before it pass with it. */
static void what_is_earlier_passes_before_it(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, -100, 1);
    w.now = 1500;
    send(&w, -300, 1);
    send(&w, -500, 1);
    send(&w, 1300, 1);
    world_wait(&w, 499);
    assert_passed(&w, "");
    world_wait(&w, 1);
    assert_passed(&w, "-500 -300 -100");
    assert_int_equal(bs_order_waiting(w.order), 1);
    world_wait(&w, 1499);
    assert_passed(&w, "");
    world_wait(&w, 1);
    assert_passed(&w, "1300");
    world_end(&w);
}

/* An event that comes between the steps of a prefix that passes is no later than its last: it is in
 * the prefix, too. */
static void what_comes_into_a_prefix_passes_with_it(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    struct bs_passed p;
    struct bs_order_errand errand;
    w.now = 600;
    send(&w, 600, 1);
    send(&w, 300, 1);
    send(&w, 0, 1);
    w.now = 2600;
    assert_true(bs_order_pass(w.order, &w.rules, WORLD_NOW + w.now, false, &p, &errand));
    assert_int_equal(p.sample.step->time_ms - WORLD_NOW, 0);
    send(&w, 450, 1); /* which has just arrived */
    assert_passed(&w, "300 450 600");
    world_end(&w);
}

static void steps_of_one_time_pass_as_they_arrived(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.rules.fuse_ms = 0;
    for (unsigned i = 0; i < 3; i++) /* of one device: they do not fuse */
        world_send(&w, (struct event){.at = i == 1 ? -5 : 0, .slot = 1});
    world_send(&w, (struct event){.at = -5, .slot = 1});
    world_wait(&w, 2000);
    assert_passed(&w, "-5 -5 0 0");
    assert_int_equal(w.passed[0].step.seq, 2);
    assert_int_equal(w.passed[1].step.seq, 4);
    assert_int_equal(w.passed[2].step.seq, 1);
    assert_int_equal(w.passed[3].step.seq, 3);
    world_end(&w);
}

/* The place that is passed. */

static void after_its_place_is_strictly_before_the_last_in_order(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 3000;
    send(&w, 1000, 1);
    send(&w, 3000, 1);
    assert_passed(&w, "1000");
    send(&w, 999, 1);
    assert_passed(&w, "999!");
    send(&w, 1000, 1); /* not before it: it passes in order */
    assert_passed(&w, "1000");
    send(&w, 998, 1); /* the one after its place did not become the last */
    assert_passed(&w, "998!");
    world_end(&w);
}

static void a_step_after_its_place_takes_its_errand_along(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 9000;
    send(&w, 9000, 1);
    world_pass(&w, true);
    struct bs_step step = {.time_ms = WORLD_NOW + 8000, .seq = 9, .foot = BS_FOOT_LEFT};
    struct bs_order_event event = {&step, 1, BS_SENSOR_FOOT, false};
    struct bs_order_errand errand = {.row = 5, .late = true, .lost = 17};
    struct bs_passed p;
    assert_true(bs_order_reserve(w.order, &event));
    assert_false(bs_order_add(w.order, &event, &errand, WORLD_NOW + 9000, &p));
    assert_ptr_equal(p.sample.step, &step);
    assert_true(p.sample.late && !p.in_order && !p.stored && !p.sample.missed);
    assert_int_equal(p.sample.lost, 17);
    assert_null(p.summary);
    world_end(&w);
}

static void a_waiting_step_gives_its_errand_back(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    struct bs_step step = {.time_ms = WORLD_NOW, .seq = 3};
    struct bs_order_event event = {&step, 31, BS_SENSOR_FOOT, false};
    struct bs_summary *summary = (struct bs_summary *)&w; /* nobody looks into it */
    struct bs_order_errand errand = {.summary = summary, .row = 3, .late = true, .lost = 4096};
    struct bs_passed p;
    assert_true(bs_order_know(w.order, 31));
    assert_true(bs_order_reserve(w.order, &event));
    assert_true(bs_order_add(w.order, &event, &errand, WORLD_NOW, &p));
    step = (struct bs_step){0}; /* the order has its own */
    struct bs_order_errand back = {0};
    assert_true(bs_order_pass(w.order, &w.rules, WORLD_NOW, true, &p, &back));
    assert_int_equal(p.sample.step->time_ms, WORLD_NOW);
    assert_true(p.sample.late && p.in_order && !p.stored);
    assert_int_equal(p.sample.lost, 4096);
    assert_ptr_equal(p.summary, summary);
    assert_ptr_equal(back.summary, summary);
    assert_true(back.row == 3 && back.late && back.lost == 4096);
    assert_false(bs_order_pass(w.order, &w.rules, INT64_MAX / 2, true, &p, &back));
    world_end(&w);
}

/* The bound. */

static void the_earliest_of_too_many_passes_at_once(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    for (int i = 0; i < (int)BS_ORDER_WAITING_MAX; i++)
        send(&w, 1000 - i, 1); /* each at the front of all that wait */
    assert_passed(&w, "");
    assert_int_equal(bs_order_waiting(w.order), BS_ORDER_WAITING_MAX);
    send(&w, 1500, 1);
    assert_passed(&w, "489");
    send(&w, 1501, 1);
    assert_passed(&w, "490");
    send(&w, 491, 1); /* the second of that time: the first passes */
    assert_passed(&w, "491");
    assert_int_equal(w.passed[w.count - 1].step.seq, 1000 - 491 + 1);
    send(&w, 490, 1); /* and this one's place is passed: nothing has to make room */
    assert_passed(&w, "490!");
    assert_int_equal(bs_order_waiting(w.order), BS_ORDER_WAITING_MAX);
    world_end(&w);
}

/* Far more than the bound, in a moving window of places. */
static void the_bound_holds_however_many_come(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    for (int i = 0; i < 3000; i++) {
        send(&w, i % 7 * 3 + i, 1);
        assert_true(bs_order_waiting(w.order) <= BS_ORDER_WAITING_MAX);
    }
    world_pass(&w, true);
    assert_int_equal(w.count, 3000);
    for (unsigned i = 1; i < w.count; i++)
        assert_true(w.passed[i].step.time_ms >= w.passed[i - 1].step.time_ms ||
                    !w.passed[i].in_order);
    world_end(&w);
}

/* Rules that change. */

static void the_wait_in_force_counts(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    send(&w, 0, 1);
    w.rules.reorder_ms = 500;
    assert_int_equal(bs_order_due(w.order, &w.rules), WORLD_NOW + 500);
    w.rules.reorder_ms = 10000;
    assert_int_equal(bs_order_due(w.order, &w.rules), WORLD_NOW + 10000);
    world_wait(&w, 9999);
    assert_passed(&w, "");
    w.rules.reorder_ms = 0;
    world_pass(&w, false);
    assert_passed(&w, "0");
    send(&w, 9999, 1);
    assert_passed(&w, "9999");
    send(&w, 10000, 1); /* ahead of the clock by one */
    assert_passed(&w, "");
    world_wait(&w, 1);
    assert_passed(&w, "10000");
    world_end(&w);
}

/* Beginning anew. */

static void after_a_restart_nothing_is_remembered(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    w.now = 9000;
    world_send(&w, (struct event){.at = 9000, .slot = 1, .foot = BS_FOOT_LEFT});
    world_send(&w, (struct event){.at = 9000, .slot = 1, .stored = true});
    world_pass(&w, true);
    bs_order_restart(w.order);
    assert_passed(&w, "9000s 9000");
    assert_false(send(&w, 1000, 2));
    assert_passed(&w, ""); /* neither after its place nor behind the newest */
    assert_false(world_send(&w, (struct event){.at = 9000, .slot = 2, .stored = true}));
    assert_false(send(&w, 9000, 2));
    assert_passed(&w, "9000s 1000"); /* behind the newest of now */
    world_end(&w);
}

static void a_restart_forgets_step_times_too(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_send(&w, (struct event){.at = 0, .slot = 1, .foot = BS_FOOT_LEFT});
    world_pass(&w, true);
    bs_order_restart(w.order);
    world_send(&w, (struct event){.at = 1000, .slot = 1, .foot = BS_FOOT_LEFT});
    const struct passing *p = world_last(&w);
    assert_int_equal(p->sample.step_time_halves, 0);
    assert_false(p->sample.missed);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_passes_when_the_newest_is_far_enough_past_it),
        cmocka_unit_test(a_newest_ahead_says_when_a_step_is_due),
        cmocka_unit_test(the_newest_counts_up_to_the_arrival_only),
        cmocka_unit_test(a_step_that_is_far_behind_the_newest_does_not_wait),
        cmocka_unit_test(an_event_that_joins_moves_the_newest),
        cmocka_unit_test(a_stored_event_moves_nothing),
        cmocka_unit_test(a_step_waits_so_long_after_its_arrival),
        cmocka_unit_test(a_step_waits_so_long_after_its_event_time),
        cmocka_unit_test(what_is_earlier_passes_before_it),
        cmocka_unit_test(what_comes_into_a_prefix_passes_with_it),
        cmocka_unit_test(steps_of_one_time_pass_as_they_arrived),
        cmocka_unit_test(after_its_place_is_strictly_before_the_last_in_order),
        cmocka_unit_test(a_step_after_its_place_takes_its_errand_along),
        cmocka_unit_test(a_waiting_step_gives_its_errand_back),
        cmocka_unit_test(the_earliest_of_too_many_passes_at_once),
        cmocka_unit_test(the_bound_holds_however_many_come),
        cmocka_unit_test(the_wait_in_force_counts),
        cmocka_unit_test(after_a_restart_nothing_is_remembered),
        cmocka_unit_test(a_restart_forgets_step_times_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
