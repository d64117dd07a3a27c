/* The row: every field, from sums worked out by hand; a field without data is left out. */
#include "backstep/core/gait_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static struct bs_tags *tags_of_ruth(void)
{
    struct bs_tags_names names = {.site = BS_SLICE("gym"),
                                  .group = BS_SLICE("tue"),
                                  .drill = BS_SLICE("none"),
                                  .phase = BS_SLICE("carry-over"),
                                  .member = BS_SLICE("m1"),
                                  .alias = BS_SLICE("Ruth R")};
    struct bs_tags *tags = bs_tags_new(&names);
    assert_non_null(tags);
    return tags;
}

static void add_step(struct bs_sums *sums, enum bs_foot foot, int step_ms, int sign)
{
    struct bs_step step = {.foot = (uint8_t)foot};
    bs_step_set(&step, BS_FIELD_STRIDE_MS, (int16_t)(1100 + 10 * sign));
    bs_step_set(&step, BS_FIELD_CONTACT_MS, 700);
    bs_step_set(&step, BS_FIELD_TRUNK_CDEG, (int16_t)(-100 + 50 * sign));
    bs_step_set(&step, BS_FIELD_PITCH_CDEG, -2532);
    bs_step_set(&step, BS_FIELD_VO_MM, 31);
    bs_step_set(&step, BS_FIELD_IMPACT_G16, 40);
    struct bs_sample sample = {.step = &step,
                               .step_time_halves = (uint16_t)(2 * step_ms),
                               .step_length_halves = (uint16_t)(2 * (400 + 5 * sign)),
                               .step_time_exact = true,
                               .late = foot == BS_FOOT_LEFT,
                               .lost = 1};
    bs_sums_add(sums, &sample);
}

static const char *row_of(const struct bs_sums *sums, enum bs_direction direction, bool stored)
{
    static struct bs_line line;
    static char text[BS_LINE_MAX];
    struct bs_totals totals = {0};
    struct bs_tags *tags = tags_of_ruth();
    bs_totals_add(&totals, sums);
    struct bs_gait_window row = {.tags = tags,
                                 .direction = direction,
                                 .stored = stored,
                                 .final = true,
                                 .start_ms = 1795716000000,
                                 .totals = &totals};
    struct bs_slice s = bs_gait_window_write(&row, &line);
    memcpy(text, s.at, s.length);
    text[s.length] = 0;
    bs_tags_drop(tags);
    return text;
}

static void a_full_row(void **state)
{
    (void)state;
    struct bs_sums sums = {0};
    for (int i = 0; i < 4; i++) {
        add_step(&sums, BS_FOOT_LEFT, 540, i % 2 ? 1 : -1);
        add_step(&sums, BS_FOOT_RIGHT, 560, i % 2 ? 1 : -1);
    }
    assert_string_equal(
        row_of(&sums, BS_DIRECTION_BACKWARD, true),
        "gait_window,alias=Ruth\\ R,direction=B,drill=none,group=tue,member=m1,phase=carry-over,"
        "site=gym,stored=1 steps=8i,missed=0i,lost=8i,late=4i,duration_s=4.4,"
        "cadence_spm=109.090909,step_time_ms=550,step_time_sd_ms=10.6904497,distance_m=3.2,"
        "step_length_mm=400,step_length_sd_mm=5.34522484,speed_mps=0.727272727,"
        "walk_ratio=0.00366666667,stride_time_ms=1100,stride_time_cv_pct=0.971859061,"
        "contact_ms=700,foot_pitch_deg=-25.32,vertical_oscillation_mm=31,impact_g=2.5,"
        "trunk_pitch_deg=-1,trunk_pitch_sd_deg=0.534522484,symmetry_pct=3.63636364,final=true "
        "1795716000000\n");
}

static void symmetry_means_nothing_sideways_or_with_few_steps(void **state)
{
    (void)state;
    struct bs_sums sums = {0};
    for (int i = 0; i < 4; i++) {
        add_step(&sums, BS_FOOT_LEFT, 540, 1);
        if (i == 3)
            assert_null(strstr(row_of(&sums, BS_DIRECTION_FORWARD, false), "symmetry"));
        add_step(&sums, BS_FOOT_RIGHT, 560, 1);
    }
    assert_non_null(strstr(row_of(&sums, BS_DIRECTION_FORWARD, false), "symmetry"));
    assert_null(strstr(row_of(&sums, BS_DIRECTION_LEFT, false), "symmetry"));
    assert_null(strstr(row_of(&sums, BS_DIRECTION_UNKNOWN, false), "symmetry"));
}

static void a_field_without_data_is_left_out(void **state)
{
    (void)state;
    struct bs_step step = {0};
    struct bs_sample sample = {.step = &step};
    struct bs_sums sums = {0};
    bs_sums_add(&sums, &sample);
    assert_string_equal(row_of(&sums, BS_DIRECTION_TURN, false),
                        "gait_window,alias=Ruth\\ R,direction=T,drill=none,group=tue,member=m1,"
                        "phase=carry-over,site=gym steps=1i,missed=0i,lost=0i,late=0i,final=true "
                        "1795716000000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_row),
        cmocka_unit_test(symmetry_means_nothing_sideways_or_with_few_steps),
        cmocka_unit_test(a_field_without_data_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
