/* Windows by themselves: consent, who is withheld, what is written when, the bounds, what waits. */
#include "windows_world.h"

#include <string.h>

struct member {
    struct bs_window_member windows;
    struct bs_tags *named, *unnamed;
};

static void begin_member(struct member *m, const char *id, const char *group)
{
    struct bs_tags_names names = {.site = BS_SLICE("gym"),
                                  .group = bs_slice_text(group),
                                  .drill = BS_SLICE("none"),
                                  .phase = BS_SLICE("none"),
                                  .member = bs_slice_text(id),
                                  .alias = bs_slice_text(id),
                                  .named = true};
    *m = (struct member){.named = world_tags(&names)};
    names.named = false;
    m->unnamed = world_tags(&names);
}

static void end_member(struct member *m)
{
    assert_int_equal(m->windows.first, 0);
    assert_int_equal(m->windows.last, 0);
    assert_int_equal(m->windows.rows[0] + m->windows.rows[1], 0);
    assert_int_equal(m->windows.stored_windows, 0);
    assert_int_equal(m->named->references, 1);
    assert_int_equal(m->unnamed->references, 1);
    bs_tags_drop(m->named);
    bs_tags_drop(m->unnamed);
}

static struct world_step forward(const struct world *w)
{
    return (struct world_step){w->now, BS_DIRECTION_FORWARD, 500, 0, false};
}

/* The rows' beginnings and steps, ends and times, which is what matters here. */
static void assert_rows(struct world *w, const char *expected)
{
    char found[4096] = "";
    size_t length = 0;
    for (const char *at = world_lines(w); *at; at = strchr(at, '\n') + 1) {
        const char *member = strstr(at, "member="), *direction = strstr(at, "direction=");
        const char *steps = strstr(at, " steps="), *final = strstr(at, "final=");
        assert_true(member && direction && steps && final);
        length += (size_t)snprintf(found + length, sizeof found - length, "%.*s %c %ld %s %lld%s\n",
                                   (int)strcspn(member + 7, ","), member + 7, direction[10],
                                   strtol(steps + 7, NULL, 10), final[6] == 't' ? "final" : "open",
                                   strtoll(strchr(final, ' '), NULL, 10) - (long long)WORLD_NOW,
                                   strncmp(steps - 9, ",stored=1", 9) == 0 ? " stored" : "");
        assert_true(length < sizeof found);
    }
    assert_string_equal(found, expected);
}

static void rows_without_a_name_live_and_are_never_written(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    world_add(&w, &ruth.windows, ruth.unnamed, forward(&w));
    assert_true(bs_windows_tick_deadline(w.windows).ms == BS_NEVER_MS);
    assert_int_equal(bs_windows_open_rows(w.windows), 1);
    world_wait(&w, WORLD_SIZE);
    world_add(&w, &ruth.windows, ruth.unnamed,
              (struct world_step){WORLD_NOW, BS_DIRECTION_FORWARD, 500, 0, true});
    world_wait(&w, WORLD_LATENESS - 1);
    assert_int_equal(bs_windows_open_rows(w.windows), 2);
    world_wait(&w, 1);
    assert_int_equal(bs_windows_open_rows(w.windows), 1);
    struct bs_effects effects = world_effects(&w);
    bs_windows_finalise_all(w.windows, &effects);
    assert_int_equal(bs_windows_open_rows(w.windows), 0);
    assert_string_equal(world_lines(&w), "");
    end_member(&ruth);
    world_end(&w);
}

/* Dirt that is younger than refresh is written at the end all the same, and not once more after it.
 */
static void a_dirty_row_is_written_at_its_windows_end(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    world_wait(&w, WORLD_SIZE - 1);
    world_add(&w, &ruth.windows, ruth.named, forward(&w));
    assert_rows(&w, "");
    world_wait(&w, 1);
    assert_rows(&w, "ruth F 1 open 0\n");
    world_wait(&w, WORLD_LATENESS - 1);
    assert_rows(&w, "");
    world_wait(&w, 1);
    assert_rows(&w, "ruth F 1 final 0\n");
    end_member(&ruth);
    world_end(&w);
}

/* Consent falls to `group` and is given again: the row goes on where it was, and what was counted
 * meanwhile stands in none of the member's own. */
static void a_row_goes_on_after_it_was_withheld(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    struct bs_effects effects = world_effects(&w);
    for (int i = 0; i < 3; i++)
        world_add(&w, &ruth.windows, ruth.named, forward(&w));
    bs_windows_write_member(w.windows, &ruth.windows, &effects);
    ruth.windows.withheld = true;
    assert_rows(&w, "ruth F 3 open 0\n");
    world_wait(&w, 3000);
    for (int i = 0; i < 4; i++)
        world_add(&w, &ruth.windows, ruth.unnamed, forward(&w));
    world_wait(&w, 3000);
    assert_rows(&w, "");
    ruth.windows.withheld = false;
    world_wait(&w, 1000);
    assert_rows(&w, "");
    for (int i = 0; i < 5; i++)
        world_add(&w, &ruth.windows, ruth.named, forward(&w));
    world_wait(&w, WORLD_REFRESH);
    assert_rows(&w, "ruth F 8 open 0\n");
    world_wait(&w, WORLD_SIZE + WORLD_LATENESS);
    assert_rows(&w, "ruth F 8 final 0\n");
    end_member(&ruth);
    world_end(&w);
}

static void what_a_withheld_row_gathers_is_not_lost(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    world_add(&w, &ruth.windows, ruth.named, forward(&w));
    ruth.windows.withheld = true; /* without a last writing: its dirt is due meanwhile */
    world_wait(&w, WORLD_SIZE);
    assert_rows(&w, "");
    assert_true(bs_windows_tick_deadline(w.windows).ms == BS_NEVER_MS);
    ruth.windows.withheld = false;
    world_wait(&w, WORLD_LATENESS);
    assert_rows(&w, "ruth F 1 final 0\n");
    end_member(&ruth);
    world_end(&w);
}

static void a_window_that_is_final_while_withheld_is_closed_unwritten(void **state)
{
    (void)state;
    struct world w;
    struct member ruth, ida;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    begin_member(&ida, "ida", "none");
    struct bs_effects effects = world_effects(&w);
    world_add(&w, &ruth.windows, ruth.named, forward(&w));
    world_add(&w, &ida.windows, ida.named, forward(&w));
    bs_windows_write_member(w.windows, &ruth.windows, &effects);
    ruth.windows.withheld = true;
    assert_rows(&w, "ruth F 1 open 0\n");
    world_wait(&w, WORLD_SIZE);
    assert_rows(&w, "ida F 1 open 0\n");
    world_wait(&w, WORLD_LATENESS);
    assert_rows(&w, "ida F 1 final 0\n");
    assert_int_equal(bs_windows_open_rows(w.windows), 0);
    ruth.windows.withheld = false;
    world_wait(&w, WORLD_LATENESS);
    assert_rows(&w, "");
    end_member(&ruth);
    end_member(&ida);
    world_end(&w);
}

static void a_member_is_written_once_in_order_as_closed(void **state)
{
    (void)state;
    struct world w;
    struct member ruth, ida;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    begin_member(&ida, "ida", "none");
    struct bs_effects effects = world_effects(&w);
    struct world_step step = forward(&w);
    world_add(&w, &ruth.windows, ruth.named, step);
    world_wait(&w, WORLD_SIZE); /* written; from here on it is clean */
    assert_rows(&w, "ruth F 1 open 0\n");
    world_add(&w, &ida.windows, ida.named, forward(&w));
    world_add(&w, &ruth.windows, ruth.unnamed, forward(&w));
    step.stored = true;
    world_add(&w, &ruth.windows, ruth.named, step);
    step = forward(&w);
    step.direction = BS_DIRECTION_BACKWARD;
    world_add(&w, &ruth.windows, ruth.named, step);
    world_add(&w, &ruth.windows, ruth.named, forward(&w));
    bs_windows_write_member(w.windows, &ruth.windows, &effects);
    assert_int_equal(w.closed, 4);
    const char *rows = "ruth F 1 open 0\nruth F 1 open 0 stored\nruth B 1 open 10000\n"
                       "ruth F 1 open 10000\n";
    assert_rows(&w, rows);
    ruth.windows.withheld = true;
    bs_windows_write_member(w.windows, &ruth.windows, &effects);
    assert_rows(&w, "");
    ruth.windows.withheld = false;
    world_wait(&w, WORLD_REFRESH); /* nothing of hers is dirty any more */
    assert_rows(&w, "ida F 1 open 10000\n");
    bs_windows_finalise_all(w.windows, &effects);
    world_lines(&w);
    end_member(&ruth);
    end_member(&ida);
    world_end(&w);
}

/* A window counts once, whatever the directions and the tags in it; closed ones make room. */
static void stored_windows_of_a_member_are_bounded(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    const int64_t lateness = (BS_WINDOW_MEMBER_STORED_MAX + 1) * INT64_C(1) * WORLD_SIZE;
    bs_windows_set_lateness(w.windows, WORLD_LATENESS, lateness);
    struct world_step step = {.direction = BS_DIRECTION_FORWARD, .stored = true};
    for (unsigned i = 0; i < BS_WINDOW_MEMBER_STORED_MAX; i++) {
        step.time_ms = WORLD_NOW - (int64_t)(i + 1) * WORLD_SIZE;
        step.direction = BS_DIRECTION_FORWARD;
        world_add(&w, &ruth.windows, ruth.named, step);
        world_add(&w, &ruth.windows, ruth.unnamed, step);
        step.direction = BS_DIRECTION_BACKWARD;
        world_add(&w, &ruth.windows, ruth.unnamed, step);
    }
    assert_int_equal(ruth.windows.stored_windows, BS_WINDOW_MEMBER_STORED_MAX);
    step.direction = BS_DIRECTION_TURN;
    world_add(&w, &ruth.windows, ruth.named, step);
    step.time_ms = WORLD_NOW;
    assert_false(world_try(&w, &ruth.windows, ruth.named, &step));
    step.stored = false;
    world_add(&w, &ruth.windows, ruth.named, step);
    world_wait(&w, 2 * WORLD_SIZE); /* the oldest is final */
    step.stored = true;
    world_add(&w, &ruth.windows, ruth.named, step);
    struct bs_effects effects = world_effects(&w);
    bs_windows_finalise_all(w.windows, &effects);
    end_member(&ruth);
    world_end(&w);
}

static void live_rows_of_a_member_are_bounded(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    bs_windows_set_lateness(w.windows, INT64_C(1) << 40, 0);
    struct world_step step = {.direction = BS_DIRECTION_FORWARD};
    for (unsigned i = 0; i < BS_WINDOW_MEMBER_LIVE_ROWS_MAX; i++) {
        step.time_ms = WORLD_NOW - (int64_t)i * WORLD_SIZE;
        world_add(&w, &ruth.windows, ruth.named, step);
    }
    world_add(&w, &ruth.windows, ruth.named, step);
    step.direction = BS_DIRECTION_BACKWARD;
    assert_false(world_try(&w, &ruth.windows, ruth.named, &step));
    struct bs_effects effects = world_effects(&w);
    bs_windows_finalise_all(w.windows, &effects);
    end_member(&ruth);
    world_end(&w);
}

/* Steps that still wait. */

static void a_window_is_not_final_while_a_step_waits(void **state)
{
    (void)state;
    struct world w;
    struct member ruth, ida;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    begin_member(&ida, "ida", "none");
    struct world_step step = forward(&w);
    struct world_held held = world_hold(&w, &ruth.windows, ruth.named, &step);
    world_add(&w, &ida.windows, ida.named, step);
    world_wait(&w, WORLD_SIZE);
    assert_rows(&w, "ida F 1 open 0\n");
    world_wait(&w, WORLD_LATENESS - 1);
    assert_false(bs_windows_too_late(w.windows, WORLD_NOW, false));
    world_wait(&w, 50000);
    assert_true(bs_windows_too_late(w.windows, WORLD_NOW, false));
    assert_rows(&w, "");
    assert_true(bs_windows_wall_deadline(w.windows).ms == BS_NEVER_MS);
    world_pass(&w, &held);
    assert_true(bs_windows_wall_deadline(w.windows).ms <= w.now);
    world_wait(&w, 0);
    assert_rows(&w, "ida F 1 final 0\nruth F 1 final 0\n");
    assert_int_equal(bs_windows_open_rows(w.windows), 0);
    assert_true(bs_windows_wall_deadline(w.windows).ms == BS_NEVER_MS);
    end_member(&ruth);
    end_member(&ida);
    world_end(&w);
}

static void a_step_that_waits_is_in_no_row(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    struct world_step step = forward(&w);
    struct world_held first = world_hold(&w, &ruth.windows, ruth.named, &step),
                      second = world_hold(&w, &ruth.windows, ruth.named, &step);
    assert_int_equal(first.row, second.row);
    assert_ptr_equal(bs_windows_tags(w.windows, first.row), ruth.named);
    assert_int_equal(bs_windows_open_rows(w.windows), 1);
    assert_true(bs_windows_tick_deadline(w.windows).ms == BS_NEVER_MS);
    world_wait(&w, 1000);
    world_pass(&w, &second);
    world_wait(&w, WORLD_REFRESH);
    assert_rows(&w, "ruth F 1 open 0\n");
    world_wait(&w, WORLD_SIZE);
    world_pass(&w, &first);
    world_wait(&w, WORLD_REFRESH);
    assert_rows(&w, "ruth F 2 open 0\n");
    world_wait(&w, WORLD_LATENESS);
    assert_rows(&w, "ruth F 2 final 0\n");
    end_member(&ruth);
    world_end(&w);
}

/* Several windows wait at once; each is final when its own steps are in. */
static void windows_that_wait_are_final_each_by_itself(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    struct world_held held[3];
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    for (int i = 0; i < 3; i++) {
        struct world_step step = forward(&w);
        step.time_ms += i * WORLD_SIZE;
        held[i] = world_hold(&w, &ruth.windows, ruth.named, &step);
        world_add(&w, &ruth.windows, ruth.named, step);
    }
    world_wait(&w, WORLD_LATENESS + 4 * WORLD_SIZE);
    world_lines(&w);
    world_pass(&w, &held[1]);
    world_wait(&w, 0);
    assert_rows(&w, "ruth F 2 final 10000\n");
    world_pass(&w, &held[0]);
    world_wait(&w, 0);
    assert_rows(&w, "ruth F 2 final 0\n");
    world_pass(&w, &held[2]);
    world_wait(&w, 0);
    assert_rows(&w, "ruth F 2 final 20000\n");
    end_member(&ruth);
    world_end(&w);
}

/* A longer lateness takes steps again into a window that still waits, be it the moment before it is
 * final. */
static void a_window_that_waits_takes_steps_under_a_longer_lateness(void **state)
{
    (void)state;
    for (int ready = 0; ready < 2; ready++) {
        struct world w;
        struct member ruth;
        world_begin(&w);
        begin_member(&ruth, "ruth", "none");
        struct world_step step = forward(&w);
        struct world_held held = world_hold(&w, &ruth.windows, ruth.named, &step);
        world_wait(&w, WORLD_SIZE + WORLD_LATENESS);
        bs_windows_set_lateness(w.windows, 2 * WORLD_LATENESS, 0);
        if (ready)
            world_pass(&w, &held);
        struct world_held second = world_hold(&w, &ruth.windows, ruth.named, &step);
        world_add(&w, &ruth.windows, ruth.named, step);
        world_wait(&w, 0);
        assert_rows(&w, "");
        world_pass(&w, &second);
        if (!ready)
            world_pass(&w, &held);
        world_wait(&w, 0);
        assert_rows(&w, "ruth F 3 final 0\n");
        assert_true(bs_windows_too_late(w.windows, WORLD_NOW, false));
        end_member(&ruth);
        world_end(&w);
    }
}

/* The clock is stepped when all that waited has passed: what is ready and not written yet, too. */
static void a_stepped_clock_finalises_what_was_overdue(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    struct world_step step = forward(&w);
    struct world_held held = world_hold(&w, &ruth.windows, ruth.named, &step);
    world_wait(&w, WORLD_SIZE + WORLD_LATENESS);
    world_pass(&w, &held);
    struct bs_effects effects = world_effects(&w);
    bs_windows_finalise_all(w.windows, &effects);
    assert_rows(&w, "ruth F 1 final 0\n");
    assert_true(bs_windows_wall_deadline(w.windows).ms == BS_NEVER_MS);
    end_member(&ruth);
    world_end(&w);
}

/* At the end of what one row's sums hold, steps that wait count as if they were in. */
static void a_row_that_waits_is_set_aside_in_time(void **state)
{
    (void)state;
    struct world w;
    struct member ruth;
    static struct world_held held[300];
    world_begin(&w);
    begin_member(&ruth, "ruth", "none");
    struct world_step step = forward(&w);
    for (int i = 0; i < 65400; i++)
        world_add(&w, &ruth.windows, ruth.named, step);
    for (int i = 0; i < 300; i++)
        held[i] = world_hold(&w, &ruth.windows, ruth.named, &step);
    for (int i = 0; i < 300; i++)
        world_pass(&w, &held[i]);
    world_wait(&w, WORLD_REFRESH);
    assert_rows(&w, "ruth F 65700 open 0\n");
    assert_int_equal(bs_windows_open_rows(w.windows), 2);
    world_wait(&w, WORLD_SIZE + WORLD_LATENESS);
    assert_int_equal(bs_windows_open_rows(w.windows), 0);
    end_member(&ruth);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_without_a_name_live_and_are_never_written),
        cmocka_unit_test(a_dirty_row_is_written_at_its_windows_end),
        cmocka_unit_test(a_row_goes_on_after_it_was_withheld),
        cmocka_unit_test(what_a_withheld_row_gathers_is_not_lost),
        cmocka_unit_test(a_window_that_is_final_while_withheld_is_closed_unwritten),
        cmocka_unit_test(a_member_is_written_once_in_order_as_closed),
        cmocka_unit_test(stored_windows_of_a_member_are_bounded),
        cmocka_unit_test(live_rows_of_a_member_are_bounded),
        cmocka_unit_test(a_window_is_not_final_while_a_step_waits),
        cmocka_unit_test(a_step_that_waits_is_in_no_row),
        cmocka_unit_test(windows_that_wait_are_final_each_by_itself),
        cmocka_unit_test(a_window_that_waits_takes_steps_under_a_longer_lateness),
        cmocka_unit_test(a_stepped_clock_finalises_what_was_overdue),
        cmocka_unit_test(a_row_that_waits_is_set_aside_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
