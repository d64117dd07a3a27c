/* Boards for people: which are shown, in a table and in lines; foreign documents are survived. */
#include "boards.h"
#include "cells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define NOW_NS ((uint64_t)(5000 * SECOND))
#define T      "1795716000123"
#define T_MS   INT64_C(1795716000123)

static const char class[] =
    "{\"t\":" T
    ",\"group\":\"tue\",\"drill\":\"back-twenty\",\"phase\":\"carry over\",\"members\":["
    "{\"member\":\"m-01\",\"alias\":\"Ruth\",\"dir\":\"B\",\"cadence_spm\":98.26,\"step_mm\":402,"
    "\"walk_ratio\":0.00409,\"retention_pct\":71.0,"
    "\"slip\":{\"metric\":\"step_length\",\"age_s\":4},\"last_step_age_s\":0.6},"
    "{\"member\":\"m-02\",\"alias\":\"Ida\",\"last_step_age_s\":28.9},"
    "{\"member\":\"m-03\",\"alias\":\"Zo\xc3\xab\",\"dir\":\"N\",\"last_step_age_s\":0}]}";

static void take(struct bs_boards *boards, const char *group, const char *payload, bool retained,
                 int64_t later_ms)
{
    struct bs_boards_moment moment = {.now_ns = NOW_NS, .wall_ms = T_MS + later_ms};
    bs_boards_take(boards, bs_slice_text(group), bs_slice_text(payload), retained, &moment);
}

typedef void write_board(const struct bs_board_view *view, FILE *to);

static void write_table(const struct bs_board_view *view, FILE *to)
{
    bs_board_write_table(view, &(struct bs_board_style){0}, 100, to);
}

static void write_two_rows(const struct bs_board_view *view, FILE *to)
{
    bs_board_write_table(view, &(struct bs_board_style){0}, 2, to);
}

static void write_colourful(const struct bs_board_view *view, FILE *to)
{
    struct bs_board_style style = {.colours = true, .arrows = true, .spaced = true};
    bs_board_write_table(view, &style, 1, to);
}

/* One document that lay at the broker and is that old; NULL where it is not shown. */
static void expect(const char *document, int64_t age_ms, write_board *write, const char *expected)
{
    struct bs_boards boards = {0};
    struct bs_board_view view;
    char *text = NULL;
    size_t length;
    take(&boards, "tue", document, true, age_ms);
    bool shown = boards.by_group && bs_board_view(boards.by_group, NOW_NS, &view);
    if (shown != (expected != NULL))
        fail_msg("shown: %d: %s", shown, document);
    if (shown) {
        FILE *to = open_memstream(&text, &length);
        assert_non_null(to);
        write(&view, to);
        fclose(to);
        assert_string_equal(text, expected);
        free(text);
    }
    bs_boards_fini(&boards);
}

#define HEAD                                                                                       \
    "tue  back-twenty, carry over\n"                                                               \
    "                                  steps/min  step mm  ratio  retention  s ago\n"

static void test_table(void **state)
{
    (void)state;
    expect(
        class, 0, write_table,
        HEAD
        "Ruth                backward             98      402 0.0041         71      0"
        "  slip: step length, 4 s ago\n"
        "Ida                 -                     -        -      -          -     28\n"
        "Zo\xc3\xab                 on the spot           -        -      -          -      0\n");
    expect(
        class, 2500, write_two_rows,
        HEAD
        "Ruth                backward             98      402 0.0041         71      3"
        "  slip: step length, 6 s ago\n"
        "Zo\xc3\xab                 on the spot           -        -      -          -      2\n");
    expect(class, 500, write_two_rows,
           HEAD "Ruth                backward             98      402 0.0041         71      1"
                "  slip: step length, 4 s ago\n"
                "Ida                 -                     -        -      -          -     29\n"
                "and 1 more\n");
    expect("{\"t\":" T ",\"drill\":\"none\",\"members\":[]}", 0, write_table,
           "tue\n                                  steps/min  step mm  ratio  retention  s ago\n"
           "nobody walks\n");
}

static void test_colours(void **state)
{
    (void)state;
    expect(class, 0, write_colourful,
           "\033[1mtue\033[0m  back-twenty, carry over\n"
           "\033[2m                                  steps/min  step mm  ratio  retention  s ago"
           "\033[0m\n\n"
           "\033[1mRuth              \033[0m  \033[1;36m◀ backward   \033[0m        98      402 "
           "0.0041         71      0\033[1;31m  slip: step length, 4 s ago\033[0m\n\n"
           "and 2 more\n");
}

static void test_lines(void **state)
{
    (void)state;
    expect(
        class, 1500, bs_board_write_lines,
        "2026-11-26T18:00:00.123Z\ttue\tback-twenty\tcarry over\tm-01\tRuth\tbackward\t98.3\t402\t"
        "0.00409\t71.0\tstep length\t2.1\n"
        "2026-11-26T18:00:00.123Z\ttue\tback-twenty\tcarry over\tm-03\tZo\xc3\xab\ton the spot\t-"
        "\t-\t-\t-\t-\t1.5\n");
    expect("{\"t\":" T ",\"drill\":\"none\",\"phase\":\"none\",\"members\":[]}", 0,
           bs_board_write_lines,
           "2026-11-26T18:00:00.123Z\ttue\tnone\tnone\t-\t-\t-\t-\t-\t-\t-\t-\t-\n");
}

static void test_what_is_old_is_hidden(void **state)
{
    (void)state;
    static const char empty[] = "{\"t\":" T ",\"members\":[]}";
    static const char line[] = "2026-11-26T18:00:00.123Z\ttue\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\n";
    expect(empty, 29999, bs_board_write_lines, line);
    expect(empty, 30000, bs_board_write_lines, NULL);
    expect(empty, INT64_C(1) << 50, bs_board_write_lines, NULL);
    expect(empty, -3600000, bs_board_write_lines, line); /* our clock is behind */
    /* One that was published just now is new, whatever our clock says; it grows old here. */
    struct bs_boards boards = {0};
    struct bs_board_view view;
    take(&boards, "tue", empty, false, 3600000);
    assert_true(bs_board_view(boards.by_group, NOW_NS + 29 * SECOND, &view));
    assert_true(view.age_s > 28.99 && view.age_s < 29.01);
    assert_false(bs_board_view(boards.by_group, NOW_NS + 30 * SECOND, &view));
    bs_boards_fini(&boards);
}

static void test_boards_by_group(void **state)
{
    (void)state;
    struct bs_boards boards = {0};
    take(&boards, "tue", class, true, 0);
    take(&boards, "mon", class, true, 0);
    take(&boards, "tue", class, false, 0);
    assert_string_equal(boards.by_group->group, "mon");
    assert_int_equal(HASH_COUNT(boards.by_group), 2);
    take(&boards, "mon", "", false, 0);
    take(&boards, "wed", "", false, 0);
    assert_string_equal(boards.by_group->group, "tue");
    assert_int_equal(HASH_COUNT(boards.by_group), 1);
    assert_string_equal(boards.trouble, "");
    bs_boards_fini(&boards);
}

static void test_what_is_no_board(void **state)
{
    (void)state;
    static const char *const documents[] = {"x",
                                            "{}",
                                            "[]",
                                            "{\"t\":1}",
                                            "{\"t\":\"1\",\"members\":[]}",
                                            "{\"t\":1,\"members\":{}}",
                                            "{\"t\":1,\"members\":[]"};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        struct bs_boards boards = {0};
        take(&boards, "tue", documents[i], true, 0);
        assert_null(boards.by_group);
        assert_string_equal(boards.trouble, "what came on live/tue is no board");
        bs_boards_fini(&boards);
    }
    struct bs_boards boards = {0};
    take(&boards, "a\033[2Jb/c", class, true, 0);
    assert_null(boards.by_group);
    bs_boards_fini(&boards);
}

/* Every key missing, or of another type. */
static void test_strange_members(void **state)
{
    (void)state;
    expect("{\"t\":" T ",\"drill\":7,\"members\":[1,null,\"x\",{},{\"last_step_age_s\":\"0\"},"
           "{\"last_step_age_s\":1,\"alias\":{},\"dir\":\"BB\",\"cadence_spm\":1e300,\"slip\":3},"
           "{\"last_step_age_s\":2,\"slip\":{}}]}",
           0, write_table,
           "tue  -, -\n"
           "                                  steps/min  step mm  ratio  retention  s ago\n"
           "-                   -                     -        -      -          -      1\n"
           "-                   -                     -        -      -          -      2"
           "  slip: -, - s ago\n");
}

static void expect_cell(const char *text, unsigned columns, const char *expected)
{
    char *found = NULL;
    size_t length;
    FILE *to = open_memstream(&found, &length);
    assert_non_null(to);
    bs_cell_put(text, columns, to);
    fclose(to);
    assert_string_equal(found, expected);
    free(found);
}

static void test_cells(void **state)
{
    (void)state;
    expect_cell("Ruth", 6, "Ruth  ");
    expect_cell("Ruth", 4, "Ruth");
    expect_cell("Ruth", 3, "Ru…");
    expect_cell("Ruth", 0, "Ruth");
    expect_cell("a\033[2Jb\x7f\t\n", 0, "a?[2Jb???");
    expect_cell("a\xc2\x9bm\xe2\x80\xa8", 0, "a?m?"); /* CSI as one character, LINE SEPARATOR */
    expect_cell("\xff\xfe", 0, "??");
    expect_cell("Zo\xc3\xab", 5, "Zo\xc3\xab  ");
    expect_cell("\xe6\xad\xa9\xe6\xad\xa9\xe6\xad\xa9", 5, "\xe6\xad\xa9\xe6\xad\xa9…");
    expect_cell("\xe6\xad\xa9\xe6\xad\xa9\xe6\xad\xa9", 4, "\xe6\xad\xa9… ");
    assert_int_equal(bs_cell_columns("\xe6\xad\xa9"
                                     "a"),
                     3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),           cmocka_unit_test(test_colours),
        cmocka_unit_test(test_lines),           cmocka_unit_test(test_what_is_old_is_hidden),
        cmocka_unit_test(test_boards_by_group), cmocka_unit_test(test_what_is_no_board),
        cmocka_unit_test(test_strange_members), cmocka_unit_test(test_cells),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
