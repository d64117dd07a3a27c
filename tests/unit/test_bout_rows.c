/* Rows of bouts as lines: every field, and none without data. */
#include "backstep/core/bout_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static struct bs_line line;

static struct bs_tags *tags_of_ruth(void)
{
    struct bs_tags_names names = {.site = BS_SLICE("gym"),
                                  .group = BS_SLICE("tue"),
                                  .drill = BS_SLICE("none"),
                                  .phase = BS_SLICE("carry over"),
                                  .member = BS_SLICE("m1"),
                                  .alias = BS_SLICE("Ruth R")};
    struct bs_tags *tags = bs_tags_new(&names);
    assert_non_null(tags);
    return tags;
}

static void assert_line(struct bs_slice found, const char *expected)
{
    char text[BS_LINE_MAX];
    memcpy(text, found.at, found.length);
    text[found.length] = 0;
    assert_string_equal(text, expected);
}

/* Steps without a single measure. */
static void a_bout_without_data(void **state)
{
    (void)state;
    struct bs_tags *tags = tags_of_ruth();
    struct bs_totals totals = {.steps = 9, .missed = 2};
    const struct bs_sketch none[BS_BOUT_SKETCHES] = {0};
    struct bs_gait_bout row = {.tags = tags,
                               .direction = BS_DIRECTION_LEFT,
                               .open = true,
                               .first_ms = 1795716000123,
                               .duration_halves = 8001,
                               .strays = 3,
                               .totals = &totals,
                               .sketches = none};
    assert_line(bs_gait_bout_write(&row, &line),
                "gait_bout,alias=Ruth\\ R,direction=L,drill=none,group=tue,member=m1,"
                "phase=carry\\ over,site=gym steps=9i,missed=2i,strays=3i,duration_s=4.0005,"
                "open=true 1795716000123\n");
    bs_tags_drop(tags);
}

/* In halves of what they are told in; each quantity has its own sketch. */
static void quantiles_are_told_of_each_sketch(void **state)
{
    (void)state;
    static const char *const names[] = {
        "step_time_p05_ms=", "step_length_p05_mm=", "stride_time_p05_ms=", "contact_p05_ms="};
    static struct bs_sketch_scale scale;
    struct bs_tags *tags = tags_of_ruth();
    struct bs_totals totals = {.steps = 1};
    bs_sketch_scale_init(&scale);
    for (unsigned s = 0; s < BS_BOUT_SKETCHES; s++) {
        struct bs_sketch sketches[BS_BOUT_SKETCHES] = {0};
        bs_sketch_add(&sketches[s], &scale, 1000);
        struct bs_gait_bout row = {.tags = tags, .totals = &totals, .sketches = sketches};
        struct bs_slice found = bs_gait_bout_write(&row, &line);
        char text[BS_LINE_MAX];
        memcpy(text, found.at, found.length);
        text[found.length] = 0;
        for (unsigned other = 0; other < BS_BOUT_SKETCHES; other++) {
            const char *at = strstr(text, names[other]);
            assert_int_equal(at != NULL, other == s);
            if (at)
                assert_memory_equal(at + strlen(names[s]), "501.214004", 10);
        }
        bs_sketch_fini(&sketches[s]);
    }
    bs_tags_drop(tags);
}

static void a_carry_over(void **state)
{
    (void)state;
    struct bs_tags *tags = tags_of_ruth();
    struct bs_carry_figures f = {.length_pct = 40, .ratio_pct = 71, .trunk_deg = -1.25};
    struct bs_carry_over_row row = {.tags = tags,
                                    .first_ms = 1795716000000,
                                    .back_steps = 60,
                                    .block_steps = 20,
                                    .figures = &f};
#define BEGINNING                                                                                  \
    "carry_over,alias=Ruth\\ R,drill=none,group=tue,member=m1,phase=carry\\ over,site=gym "        \
    "back_steps=60i,block_steps=20i,"
    assert_line(bs_carry_over_write(&row, &line), BEGINNING "slips=0i 1795716000000\n");
    f.has_ratio = true;
    assert_line(bs_carry_over_write(&row, &line),
                BEGINNING "walk_ratio_retention_pct=71,retention_pct=71,slips=0i 1795716000000\n");
    f.has_length = f.has_trunk = true;
    row.slips = 2;
    row.first_slip_step = 23;
    assert_line(bs_carry_over_write(&row, &line),
                BEGINNING "step_length_retention_pct=40,walk_ratio_retention_pct=71,"
                          "retention_pct=55.5,trunk_pitch_delta_deg=-1.25,slips=2i,"
                          "steps_to_first_slip=3i 1795716000000\n");
    bs_tags_drop(tags);
}

static void a_slip_of_each_metric(void **state)
{
    (void)state;
    static const char *const names[] = {"step_length", "step_time", "vertical_oscillation",
                                        "trunk_pitch"};
    struct bs_tags *tags = tags_of_ruth();
    for (unsigned m = 0; m < BS_SLIP_METRICS; m++) {
        struct bs_slip_row row = {.tags = tags,
                                  .metric = m,
                                  .up = m % 2,
                                  .deviation = m % 2 ? 12.5 : -4,
                                  .step = 23 + m,
                                  .time_ms = 1795716000000};
        char expected[256];
        snprintf(expected, sizeof expected,
                 "slip,alias=Ruth\\ R,drill=none,group=tue,member=m1,metric=%s,"
                 "phase=carry\\ over,site=gym,sign=%s deviation=%s,step=%ui 1795716000000\n",
                 names[m], m % 2 ? "up" : "down", m % 2 ? "12.5" : "-4", 23 + m);
        assert_string_equal(bs_slip_metric_name(m), names[m]);
        assert_line(bs_slip_write(&row, &line), expected);
    }
    bs_tags_drop(tags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bout_without_data),
        cmocka_unit_test(quantiles_are_told_of_each_sketch),
        cmocka_unit_test(a_carry_over),
        cmocka_unit_test(a_slip_of_each_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
