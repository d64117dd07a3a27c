/* Group rows: the figures, whom they are over, when they are written. */
#include "backstep/core/group_window.h"
#include "class_world.h"

#include <math.h>
#include <string.h>

/* The figures. */

#define CLASS "group_window,drill=back-twenty,group=tue,phase=carry\\ over,site=gym "

static struct bs_group_member member_of(uint64_t steps, uint64_t backward, int step_ms, int step_mm)
{
    struct bs_group_member m = {.steps = steps, .backward = backward};
    if (step_ms)
        m.step_time = (struct bs_total){.count = steps, .sum = 2 * step_ms * (int64_t)steps};
    if (step_mm)
        m.step_length = (struct bs_total){.count = steps, .sum = 2 * step_mm * (int64_t)steps};
    return m;
}

static void assert_figures(const struct bs_group_member *members, size_t count,
                           const char *expected)
{
    static struct bs_line line;
    char found[BS_LINE_MAX];
    double values[16];
    struct bs_tags *tags = world_member_tags(&world_class, 0, true);
    struct bs_group_window row = {.tags = tags,
                                  .final = true,
                                  .start_ms = WORLD_NOW,
                                  .members = members,
                                  .count = count,
                                  .values = values};
    struct bs_slice s = bs_group_window_write(&row, &line);
    memcpy(found, s.at, s.length);
    found[s.length] = 0;
    assert_string_equal(found, expected);
    bs_tags_drop(tags);
}

static void medians_are_over_members_who_have_the_figure(void **state)
{
    (void)state;
    struct bs_group_member members[] = {member_of(10, 0, 500, 0), member_of(30, 30, 400, 600),
                                        member_of(5, 1, 600, 300), member_of(5, 0, 0, 500)};
    assert_figures(members, 1,
                   CLASS
                   "members=1i,steps=10i,backward_pct=0,cadence_spm_p50=120,slips=0i,final=true "
                   "1795716000000\n");
    /* 120, 150 steps a minute; one length; 0.6 m at 150 a minute */
    assert_figures(
        members, 2,
        CLASS "members=2i,steps=40i,backward_pct=75,cadence_spm_p50=135,"
              "step_length_mm_p50=600,walk_ratio_p50=0.004,slips=0i,final=true 1795716000000\n");
    /* 100, 120, 150; 300 and 600 mm; 0.3 m at 100 and 0.6 m at 150 */
    assert_figures(
        members, 3,
        CLASS "members=3i,steps=45i,backward_pct=68.8888889,cadence_spm_p50=120,"
              "step_length_mm_p50=450,walk_ratio_p50=0.0035,slips=0i,final=true 1795716000000\n");
    assert_figures(
        members, 4,
        CLASS "members=4i,steps=50i,backward_pct=62,cadence_spm_p50=120,"
              "step_length_mm_p50=500,walk_ratio_p50=0.0035,slips=0i,final=true 1795716000000\n");
}

static void a_figure_that_nobody_has_is_left_out(void **state)
{
    (void)state;
    struct bs_group_member members[] = {member_of(3, 1, 0, 0), member_of(1, 1, 0, 0)};
    assert_figures(members, 2,
                   CLASS "members=2i,steps=4i,backward_pct=50,slips=0i,final=true 1795716000000\n");
}

static void nobody_is_given_away(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        struct bs_group_member members[6] = {0};
        unsigned unnamed = 0;
        for (unsigned i = 0; i < 6; i++) {
            members[i].unnamed = bits >> i & 1;
            unnamed += members[i].unnamed;
        }
        bool expected = unnamed == 0 || unnamed >= 3;
        for (int64_t min = 3; min <= 8; min++)
            if (bs_group_window_is_safe(members, 6, min) != (expected && min <= 6))
                fail_msg("%u of 6 unnamed, at least %d members: %d", unnamed, (int)min,
                         bs_group_window_is_safe(members, 6, min));
    }
}

static void a_group_row_is_refreshed_ended_and_final(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    walk_all(&c);
    world_wait(&c.world, WORLD_REFRESH - 1);
    assert_string_equal(group_rows(&c.world), "");
    world_wait(&c.world, 1);
#define ROW(steps, cadence, ratio, final, time)                                                    \
    CLASS "members=5i,steps=" steps "i,backward_pct=0,cadence_spm_p50=" cadence                    \
          ",step_length_mm_p50=400,walk_ratio_p50=" ratio ",slips=0i,final=" final " " time "\n"
    assert_string_equal(group_rows(&c.world),
                        ROW("5", "119.521912", "0.00334666667", "false", "1795716000000"));
    world_wait(&c.world, 7000);
    walk(&c, 0, 520); /* mean 510: m3 with 503 ms is in the middle now */
    world_wait(&c.world, 999);
    assert_string_equal(group_rows(&c.world), "");
    world_wait(&c.world, 1); /* the window's end */
    const char *second = ROW("6", "119.284294", "0.00335333333", "false", "1795716000000");
    assert_string_equal(group_rows(&c.world), second);
    world_wait(&c.world, WORLD_LATENESS - 1);
    assert_string_equal(group_rows(&c.world), "");
    world_wait(&c.world, 1);
    assert_string_equal(group_rows(&c.world),
                        ROW("6", "119.284294", "0.00335333333", "true", "1795716000000"));
    end_class(&c);
}

static void a_late_step_rewrites_its_group_row(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    walk_all(&c);
    world_wait(&c.world, 60000);
    group_rows(&c.world);
    world_add(&c.world, &c.members[1], c.tags[1],
              (struct world_step){WORLD_NOW + 9999, BS_DIRECTION_BACKWARD, 501, 400, false});
    world_wait(&c.world, WORLD_REFRESH);
    assert_string_equal(group_rows(&c.world),
                        CLASS "members=5i,steps=6i,backward_pct=16.6666667,"
                              "cadence_spm_p50=119.521912,step_length_mm_p50=400,"
                              "walk_ratio_p50=0.00334666667,slips=0i,final=false 1795716000000\n");
    end_class(&c);
}

static void stored_steps_are_in_no_group_row(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    for (int i = 0; i < 5; i++)
        world_add(&c.world, &c.members[i], c.tags[i],
                  (struct world_step){WORLD_NOW, BS_DIRECTION_FORWARD, 500, 400, true});
    assert_int_equal(bs_windows_open_rows(c.world.windows), 5);
    struct bs_effects effects = world_effects(&c.world);
    bs_windows_finalise_all(c.world.windows, &effects);
    assert_string_equal(group_rows(&c.world), "");
    walk_all(&c);
    for (int i = 0; i < 5; i++)
        world_add(
            &c.world, &c.members[i], c.tags[i],
            (struct world_step){WORLD_NOW + WORLD_SIZE, BS_DIRECTION_FORWARD, 500, 400, true});
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), "members=5i,steps=5i,"));
    end_class(&c);
}

static void no_group_has_no_row(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    struct bs_tags_names names = world_class;
    names.group = BS_SLICE("none");
    for (int i = 0; i < 5; i++) {
        bs_tags_drop(c.tags[i]);
        c.tags[i] = world_member_tags(&names, i, true);
    }
    walk_all(&c);
    assert_int_equal(bs_windows_open_rows(c.world.windows), 5);
    world_wait(&c.world, WORLD_SIZE);
    assert_string_equal(group_rows(&c.world), "");
    end_class(&c);
}

static void few_members_have_no_row(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    for (int i = 0; i < 4; i++)
        walk(&c, i, 500);
    world_wait(&c.world, WORLD_REFRESH);
    assert_string_equal(group_rows(&c.world), "");
    walk(&c, 0, 500); /* one of them again: still four */
    world_wait(&c.world, WORLD_REFRESH);
    assert_string_equal(group_rows(&c.world), "");
    walk(&c, 4, 500);
    world_wait(&c.world, WORLD_REFRESH);
    assert_non_null(strstr(group_rows(&c.world), "members=5i,steps=6i,"));
    bs_windows_set_group_min(c.world.windows, 6);
    walk(&c, 4, 500);
    world_wait(&c.world, WORLD_REFRESH);
    assert_string_equal(group_rows(&c.world), "");
    bs_windows_set_group_min(c.world.windows, 3);
    world_wait(&c.world, WORLD_SIZE + WORLD_LATENESS);
    assert_non_null(strstr(group_rows(&c.world), "members=5i,steps=7i,"));
    end_class(&c);
}

static void nothing_is_written_before_the_least_size_is_said(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 16, 0);
    bs_windows_free(c.world.windows);
    assert_int_equal(bs_windows_new(&c.world.windows, WORLD_SIZE), BS_OK);
    bs_windows_set_lateness(c.world.windows, WORLD_LATENESS, WORLD_LATENESS);
    bs_windows_advance(c.world.windows, (struct bs_wall_ms){c.world.now});
    walk_all(&c);
    world_wait(&c.world, WORLD_SIZE + WORLD_LATENESS);
    assert_string_equal(group_rows(&c.world), "");
    end_class(&c);
}

static void group_consent_of_one_or_two_has_no_row(void **state)
{
    (void)state;
    for (int unnamed = 0; unnamed <= 8; unnamed++) {
        struct class c;
        begin_class(&c, 8, unnamed);
        walk_all(&c);
        world_wait(&c.world, WORLD_SIZE + WORLD_LATENESS);
        bool written = strstr(group_rows(&c.world), "members=8i,steps=8i,") != NULL;
        if (written != (unnamed != 1 && unnamed != 2))
            fail_msg("%d of 8 with consent `group`: written %d", unnamed, written);
        end_class(&c);
    }
}

/* Two directions, two aliases and both consents: one member, with the mean over all of them. */
static void a_member_counts_once_whatever_the_rows(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 2);
    struct bs_tags_names names = world_class;
    names.alias = BS_SLICE("Ruth again");
    struct bs_tags *again = world_member_tags(&names, 4, true),
                   *unnamed = world_member_tags(&world_class, 4, false);
    walk_all(&c);
    world_wait(&c.world, WORLD_REFRESH);
    assert_string_equal(group_rows(&c.world), "");
    struct world_step step = {c.world.now, BS_DIRECTION_BACKWARD, 300, 400, false};
    world_add(&c.world, &c.members[4], c.tags[4], step);
    world_add(&c.world, &c.members[4], again, step);
    step.direction = BS_DIRECTION_FORWARD;
    world_add(&c.world, &c.members[4], unnamed, step); /* with her, three have consent `group` */
    world_wait(&c.world, WORLD_REFRESH);
    /* 500, 501, 502, 503 ms and (504 + 3·300) / 4 = 351 ms */
    assert_string_equal(group_rows(&c.world),
                        CLASS "members=5i,steps=8i,backward_pct=25,cadence_spm_p50=119.760479,"
                              "step_length_mm_p50=400,walk_ratio_p50=0.00334,slips=0i,final=false "
                              "1795716000000\n");
    end_class(&c);
    bs_tags_drop(again);
    bs_tags_drop(unnamed);
}

/* Withheld from rows of the member's own, not from the group's. */
static void what_was_counted_stays_in_the_group(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    walk_all(&c);
    for (int i = 0; i < 5; i++)
        c.members[i].withheld = true;
    world_wait(&c.world, WORLD_SIZE + WORLD_LATENESS);
    const char *lines = world_lines(&c.world);
    assert_null(strstr(lines, "gait_window"));
    assert_non_null(strstr(lines, "members=5i,steps=5i,"));
    assert_non_null(strstr(lines, "final=true"));
    end_class(&c);
}

static void rows_of_more_than_65535_steps_count_whole(void **state)
{
    (void)state;
    struct class c;
    begin_class(&c, 5, 0);
    const long long steps = 2 * 65535 + 7;
    for (long long i = 0; i < steps; i++)
        walk(&c, 4, i < steps / 2 ? 400 : 600);
    for (int i = 0; i < 4; i++)
        walk(&c, i, i < 2 ? 300 : 900); /* so that the member in the middle is that one */
    world_wait(&c.world, WORLD_REFRESH);
    char expected[256];
    snprintf(expected, sizeof expected, "members=5i,steps=%llui,backward_pct=0,cadence_spm_p50=",
             (unsigned long long)steps + 4);
    const char *found = strstr(group_rows(&c.world), expected);
    assert_non_null(found);
    double cadence = strtod(found + strlen(expected), NULL);
    double mean = ((double)(steps / 2) * 400 + (double)(steps - steps / 2) * 600) / (double)steps;
    if (fabs(cadence - 60000 / mean) > 1e-6)
        fail_msg("cadence %.9g, expected %.9g", cadence, 60000 / mean);
    end_class(&c);
}

/* So many rows that the table of rows grows while they are open, and that some share a bucket. */
static void many_groups_in_many_windows_keep_apart(void **state)
{
    (void)state;
    enum { GROUPS = 100, WINDOWS = 20, MEMBERS = 4 };
    struct world w;
    struct bs_window_member members[GROUPS][MEMBERS] = {0};
    struct bs_tags *tags[GROUPS][MEMBERS];
    world_begin(&w);
    bs_windows_set_group_min(w.windows, 3);
    for (int i = 0; i < MEMBERS * WINDOWS * GROUPS; i++) {
        int group = i % GROUPS, window = i / GROUPS % WINDOWS, member = i / GROUPS / WINDOWS;
        char name[16];
        snprintf(name, sizeof name, "g%d", group);
        struct bs_tags_names names = world_class;
        names.group = bs_slice_text(name);
        if (window == 0)
            tags[group][member] = world_member_tags(&names, member, member != 0 || group % 2);
        world_add(&w, &members[group][member], tags[group][member],
                  (struct world_step){WORLD_NOW + window * WORLD_SIZE, BS_DIRECTION_BACKWARD, 500,
                                      400, false});
    }
    assert_int_equal(bs_windows_open_rows(w.windows), (MEMBERS + 1) * WINDOWS * GROUPS);
    struct bs_effects effects = world_effects(&w);
    bs_windows_finalise_all(w.windows, &effects);
    unsigned found = 0;
    for (const char *at = world_lines(&w); (at = strstr(at, "group_window")); at++) {
        const char *fields = strstr(at, "members=");
        assert_non_null(fields);
        if (strncmp(fields, "members=4i,steps=4i,", 20) != 0)
            fail_msg("%.*s", (int)strcspn(at, "\n"), at);
        found++;
    }
    assert_int_equal(found, GROUPS / 2 * WINDOWS); /* in the others one has consent `group` */
    for (int i = 0; i < GROUPS * MEMBERS; i++)
        bs_tags_drop(tags[i / MEMBERS][i % MEMBERS]);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_are_over_members_who_have_the_figure),
        cmocka_unit_test(a_figure_that_nobody_has_is_left_out),
        cmocka_unit_test(nobody_is_given_away),
        cmocka_unit_test(a_group_row_is_refreshed_ended_and_final),
        cmocka_unit_test(a_late_step_rewrites_its_group_row),
        cmocka_unit_test(stored_steps_are_in_no_group_row),
        cmocka_unit_test(no_group_has_no_row),
        cmocka_unit_test(few_members_have_no_row),
        cmocka_unit_test(nothing_is_written_before_the_least_size_is_said),
        cmocka_unit_test(group_consent_of_one_or_two_has_no_row),
        cmocka_unit_test(a_member_counts_once_whatever_the_rows),
        cmocka_unit_test(what_was_counted_stays_in_the_group),
        cmocka_unit_test(many_groups_in_many_windows_keep_apart),
        cmocka_unit_test(rows_of_more_than_65535_steps_count_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
