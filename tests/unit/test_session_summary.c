/* The row of a session: every field, from steps added up by hand; what has no data is left out. */
#include "backstep/core/session_summary.h"

#include "backstep/base/random.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TAGS ",alias=Ruth\\ R,drill=back-twenty,group=tue,member=m1,site=gym"

static const char *row_of(const struct bs_summary_sums *sums)
{
    static struct bs_line line;
    static char text[BS_LINE_MAX];
    struct bs_session_summary row = {BS_SLICE(TAGS), INT64_C(1795716000123), sums};
    struct bs_slice s = bs_session_summary_write(&row, &line);
    memcpy(text, s.at, s.length);
    text[s.length] = 0;
    return text;
}

static void assert_row(const struct bs_summary_sums *sums, const char *fields)
{
    char expected[BS_LINE_MAX];
    snprintf(expected, sizeof expected, "session_summary" TAGS " %s 1795716000123\n", fields);
    assert_string_equal(row_of(sums), expected);
}

/* In halves of ms and of mm; 0: unknown. */
static void add(struct bs_summary_sums *sums, enum bs_direction direction, uint16_t time,
                uint16_t length, bool missed)
{
    struct bs_step step = {.direction = (uint8_t)direction};
    struct bs_sample sample = {
        .step = &step, .step_time_halves = time, .step_length_halves = length, .missed = missed};
    bs_summary_sums_add(sums, &sample);
}

static void counts_are_always_there(void **state)
{
    (void)state;
    struct bs_summary_sums sums = {0};
    add(&sums, BS_DIRECTION_UNKNOWN, 0, 0, true);
    assert_row(&sums, "steps=1i,backward_steps=0i,forward_steps=0i,side_steps=0i,up_steps=0i,"
                      "bouts=0i,carry_overs=0i,slips=0i");
}

static void each_direction_has_its_place(void **state)
{
    (void)state;
    struct bs_summary_sums sums = {0};
    for (int d = 0; d < BS_DIRECTION_COUNT; d++)
        for (int i = 0; i < 1 << d; i++)
            add(&sums, (enum bs_direction)d, 0, 0, false);
    assert_row(&sums, "steps=511i,backward_steps=4i,forward_steps=2i,side_steps=24i,up_steps=32i,"
                      "bouts=0i,carry_overs=0i,slips=0i");
}

static void a_missed_step_counts_twice(void **state)
{
    (void)state;
    struct bs_summary_sums sums = {0};
    add(&sums, BS_DIRECTION_FORWARD, 1001, 1301, false);
    add(&sums, BS_DIRECTION_FORWARD, 1000, 1300, true);
    assert_row(&sums, "steps=2i,backward_steps=0i,forward_steps=2i,side_steps=0i,up_steps=0i,"
                      "bouts=0i,carry_overs=0i,slips=0i,distance_m=1.9505,duration_s=1.5005");
}

static void a_figure_without_data_is_left_out(void **state)
{
    (void)state;
    struct bs_summary_sums time = {0}, length = {0};
    add(&time, BS_DIRECTION_BACKWARD, 1000, 0, false);
    assert_null(strstr(row_of(&time), "distance_m"));
    assert_non_null(strstr(row_of(&time), ",duration_s=0.5 "));
    add(&length, BS_DIRECTION_BACKWARD, 0, 1000, false);
    assert_null(strstr(row_of(&length), "duration_s"));
    assert_non_null(strstr(row_of(&length), ",distance_m=0.5 "));
}

static void bouts_carry_overs_and_slips(void **state)
{
    (void)state;
    struct bs_summary_sums sums = {0};
    add(&sums, BS_DIRECTION_FORWARD, 0, 0, false);
    sums.counts[BS_SUMMARY_BOUTS] = 5;
    sums.counts[BS_SUMMARY_CARRY_OVERS] = 3;
    sums.counts[BS_SUMMARY_SLIPS] = UINT64_C(4294967296);
    bs_summary_sums_add_retention(&sums, 100);
    bs_summary_sums_add_retention(&sums, 0);
    bs_summary_sums_add_retention(&sums, 37.25);
    assert_row(&sums, "steps=1i,backward_steps=0i,forward_steps=1i,side_steps=0i,up_steps=0i,"
                      "bouts=5i,carry_overs=3i,slips=4294967296i,retention_pct=45.75");
    bs_summary_sums_remove_retention(&sums, 0);
    assert_non_null(strstr(row_of(&sums), ",retention_pct=68.625 "));
    bs_summary_sums_remove_retention(&sums, 37.25);
    bs_summary_sums_remove_retention(&sums, 100);
    assert_null(strstr(row_of(&sums), "retention_pct"));
}

/* Whatever it was corrected from, and in whatever order it came. */
static void corrections_leave_no_trace(void **state)
{
    (void)state;
    enum { VALUES = 40, CORRECTIONS = 100000, SEED = 4 };
    struct bs_random random;
    struct bs_summary_sums corrected = {0}, straight = {0};
    double values[VALUES];
    bs_random_init(&random, SEED);
    for (int i = 0; i < VALUES; i++) {
        values[i] = (double)bs_random_below(&random, 1000001) / 10000 / 1.0000001;
        bs_summary_sums_add_retention(&corrected, values[i]);
    }
    for (int i = 0; i < CORRECTIONS; i++) {
        uint64_t which = bs_random_below(&random, VALUES);
        bs_summary_sums_remove_retention(&corrected, values[which]);
        values[which] = (double)bs_random_below(&random, 1u << 30) / (double)(1u << 30) * 100;
        bs_summary_sums_add_retention(&corrected, values[which]);
    }
    for (int i = VALUES; i > 0; i--)
        bs_summary_sums_add_retention(&straight, values[i - 1]);
    if (memcmp(&corrected, &straight, sizeof straight) != 0)
        fail_msg("seed %d: a sum of %" PRIi64 " over %" PRIu64 ", expected %" PRIi64, SEED,
                 corrected.retention_sum, corrected.retention_count, straight.retention_sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_always_there),
        cmocka_unit_test(each_direction_has_its_place),
        cmocka_unit_test(a_missed_step_counts_twice),
        cmocka_unit_test(a_figure_without_data_is_left_out),
        cmocka_unit_test(bouts_carry_overs_and_slips),
        cmocka_unit_test(corrections_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
