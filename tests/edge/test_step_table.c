/* Step tables: what is read, what is refused and with which words, how trials are laid out. Must
 * never need a recording: the tables stand here. */
#include "step_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "source,member,trial,seq,foot,dir,t_ms,step_ms,pitch_cdeg\n"

static enum bs_status read_bytes(struct bs_step_table *t, const char *text, size_t length,
                                 char error[256])
{
    FILE *file = fmemopen((void *)text, length, "r");
    assert_non_null(file);
    error[0] = '\0';
    enum bs_status status = bs_step_table_read(t, file, "walk.csv", error, 256);
    fclose(file);
    return status;
}

static struct bs_step_table read_good(const char *text)
{
    struct bs_step_table t;
    char error[256];
    enum bs_status status = read_bytes(&t, text, strlen(text), error);
    if (status != BS_OK)
        fail_msg("%s", error);
    return t;
}

static void expect_bad(const char *text, const char *message)
{
    struct bs_step_table t;
    char error[256];
    assert_int_equal(read_bytes(&t, text, strlen(text), error), BS_INVALID);
    assert_string_equal(error, message);
    assert_null(t.rows);
}

static void test_cells_are_kept_as_recorded(void **state)
{
    (void)state;
    struct bs_step_table t = read_good(HEAD "lab,M1,a,0,L,B,206,,-4024\r\n"
                                            "lab,M1,a,1,,,840,99999,\n");
    assert_int_equal(t.row_count, 2);
    const struct bs_event *e = &t.rows[0].event;
    assert_int_equal(e->time_ms, 206);
    assert_int_equal(e->foot, BS_FOOT_LEFT);
    assert_int_equal(e->direction, BS_DIRECTION_BACKWARD);
    assert_int_equal(e->known, 1u << BS_FIELD_PITCH_CDEG);
    assert_int_equal(e->value[BS_FIELD_PITCH_CDEG], -4024);
    e = &t.rows[1].event;
    assert_int_equal(e->foot, BS_FOOT_UNKNOWN);
    assert_int_equal(e->direction, BS_DIRECTION_UNKNOWN);
    assert_int_equal(e->known, 1u << BS_FIELD_STEP_MS);
    assert_int_equal(e->value[BS_FIELD_STEP_MS], 99999);
    bs_step_table_fini(&t);
}

static void test_columns_come_in_any_order(void **state)
{
    (void)state;
    struct bs_step_table t = read_good("t_ms,vo_mm,member\n5,0,M1\n\n");
    assert_int_equal(t.row_count, 1);
    assert_int_equal(t.rows[0].event.time_ms, 5);
    assert_int_equal(t.rows[0].event.known, 1u << BS_FIELD_VO_MM);
    bs_step_table_fini(&t);
}

static void test_bad_tables_are_named_by_line(void **state)
{
    (void)state;
    expect_bad("\n", "walk.csv:1: there is no column ''");
    expect_bad("member,t_ms,speed\n", "walk.csv:1: there is no column 'speed'");
    expect_bad("member,t_ms,t_ms\n", "walk.csv:1: column t_ms is named twice");
    expect_bad("member,foot\n", "walk.csv:1: column t_ms is missing");
    expect_bad("t_ms\n", "walk.csv:1: column member is missing");
    expect_bad(HEAD, "walk.csv:1: there are no steps in it");
    expect_bad(HEAD "lab,M1,a,0,L,B,206\n", "walk.csv:2: 7 cells, but 9 columns");
    expect_bad(HEAD "lab,M1,a,0,L,B,206,,,\n", "walk.csv:2: 10 cells, but 9 columns");
    expect_bad(HEAD "lab,,a,0,L,B,206,,\n", "walk.csv:2: member is empty");
    expect_bad(HEAD "lab,M1,a,0,Q,B,206,,\n", "walk.csv:2: foot is 'Q', not L, R or U");
    expect_bad(HEAD "lab,M1,a,0,L,BF,206,,\n",
               "walk.csv:2: dir is 'BF', not one of F B L R U D T N X");
    expect_bad(HEAD "lab,M1,a,0,L,B,1,,\nlab,M1,a,0,L,B,,,\n",
               "walk.csv:3: t_ms is '', not an integer within +-2^53");
    expect_bad(HEAD "lab,M1,a,0,L,B,206,58.5,\n",
               "walk.csv:2: step_ms is '58.5', not an integer within +-2^53");
    expect_bad(HEAD "lab,M1,a,0,L,B,206,9007199254740993,\n",
               "walk.csv:2: step_ms is '9007199254740993', not an integer within +-2^53");
    expect_bad(HEAD "lab,M1,a,-,L,B,206,,\n",
               "walk.csv:2: seq is '-', not an integer within +-2^53");
    expect_bad(HEAD "lab,M1,a,0,L,B,2678400001,,\n",
               "walk.csv:2: t_ms is 2678400001: no trial lasts 31 days");
    expect_bad(HEAD "lab,\"M1\",a,0,L,B,206,,\n", "walk.csv:2: quoted cells are not understood");
    expect_bad(HEAD "lab,M\xff,a,0,L,B,206,,\n", "walk.csv:2: this is not text");
}

static void test_zero_bytes_and_endless_lines_are_refused(void **state)
{
    (void)state;
    struct bs_step_table t;
    char error[256];
    static const char zero[] = "member,t_ms\nM\0,5\n";
    assert_int_equal(read_bytes(&t, zero, sizeof zero - 1, error), BS_INVALID);
    assert_string_equal(error, "walk.csv:2: this is not text");
    static char line[8000];
    memset(line, 'a', sizeof line);
    assert_int_equal(read_bytes(&t, line, sizeof line, error), BS_INVALID);
    assert_string_equal(error, "walk.csv:1: the line is longer than 4096 bytes");
}

static void test_trials_follow_and_members_walk_together(void **state)
{
    (void)state;
    struct bs_step_table t = read_good("member,trial,t_ms\n"
                                       "A,1,100\nA,1,900\nB,x,50\nA,2,300\nA,1,500\n");
    assert_int_equal(bs_step_table_lay_out(&t, 5000, 0), BS_OK);
    bs_step_table_shift(&t, 1000000);
    /* B's 50 is the earliest and lies at 0; A's trial 2 begins 5 s after 900. */
    static const int64_t times[] = {0, 50, 450, 850, 6150};
    static const uint32_t seqs[] = {0, 0, 1, 2, 3};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(t.rows[i].event.time_ms, 1000000 + times[i]);
        assert_int_equal(t.rows[i].event.seq, seqs[i]);
    }
    struct bs_buffer b;
    bs_buffer_init(&b, 4096);
    bs_step_table_write_devices(&t, &b);
    bs_buffer_add_char(&b, '\0');
    assert_string_equal(b.at, "\"devices\":{\"A\":{\"source\":\"\",\"member\":\"A\",\"trials\":["
                              "{\"trial\":\"1\",\"start\":999950,\"steps\":3},"
                              "{\"trial\":\"2\",\"start\":1005850,\"steps\":1}]},\n  "
                              "\"B\":{\"source\":\"\",\"member\":\"B\",\"trials\":["
                              "{\"trial\":\"x\",\"start\":999950,\"steps\":1}]}}");
    bs_buffer_fini(&b);
    bs_step_table_fini(&t);
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    struct bs_step_table t = read_good("member,t_ms\nA,0\nA,1000\nB,0\nC,0\n");
    assert_int_equal(bs_step_table_lay_out(&t, 5000, 2), BS_OK);
    static const int64_t times[] = {0, 0, 1000, 5000};
    static const uint32_t members[] = {0, 1, 0, 2};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(t.rows[i].event.time_ms, times[i]);
        assert_int_equal(t.trials[t.rows[i].trial].member, members[i]);
    }
    bs_step_table_fini(&t);
}

static void test_devices_are_ids_and_differ(void **state)
{
    (void)state;
    char text[1024];
    char lengthy[101] = "";
    memset(lengthy, 'x', 100);
    snprintf(text, sizeof text,
             "source,member,t_ms\nlab,M 1,0\nlab,M.1,0\nlab,M_1,0\n,Z\xc3\xbc,0\nl,%s,0\nl,%sy,0\n",
             lengthy, lengthy);
    struct bs_step_table t = read_good(text);
    assert_int_equal(t.member_count, 6);
    assert_string_equal(bs_step_table_device(&t, 0), "lab-M_1");
    assert_string_equal(bs_step_table_device(&t, 1), "lab-M_1-2");
    assert_string_equal(bs_step_table_device(&t, 2), "lab-M_1-3");
    assert_string_equal(bs_step_table_device(&t, 3), "Z__");
    for (size_t i = 0; i < t.member_count; i++) {
        assert_true(bs_slice_is_id(bs_slice_text(bs_step_table_device(&t, i))));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(bs_step_table_device(&t, i), bs_step_table_device(&t, k));
    }
    bs_step_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_are_kept_as_recorded),
        cmocka_unit_test(test_columns_come_in_any_order),
        cmocka_unit_test(test_bad_tables_are_named_by_line),
        cmocka_unit_test(test_zero_bytes_and_endless_lines_are_refused),
        cmocka_unit_test(test_trials_follow_and_members_walk_together),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_devices_are_ids_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
