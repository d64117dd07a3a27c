/* Log lines: one line each whatever is in it, short, and nothing in it that a terminal obeys. */
#include "../../daemon/shell/report.h"

#include "backstep/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What bs_report says of a text. */
static const char *said(bool json, const char *format, const char *text)
{
    static char line[16384];
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    bs_report_set(BS_LOG_INFO, json);
    bs_report(BS_LOG_WARNING, format, text);
    bs_report_set(BS_LOG_INFO, false);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t length = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    assert_true(length > 0);
    line[length] = 0;
    return line;
}

static void expect_line(const char *text, const char *expected)
{
    char all[4096];
    snprintf(all, sizeof all, " warning: about %s\n", expected);
    const char *line = said(false, "about %s", text);
    if (strcmp(strchr(line, ' '), all) != 0)
        fail_msg("found %s, expected %s", line, all);
    line = said(true, "about %s", text);
    cJSON *parsed = cJSON_Parse(line);
    if (!parsed)
        fail_msg("not JSON: %s", line);
    snprintf(all, sizeof all, "about %s", expected);
    assert_string_equal(cJSON_GetObjectItem(parsed, "message")->valuestring, all);
    assert_int_equal(strlen(line), strcspn(line, "\n") + 1);
    cJSON_Delete(parsed);
}

static void what_a_terminal_obeys_is_not_said(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"plain", "plain"},
        {"caf\xc3\xa9 \xf0\x9f\x9a\xb6 \"\\\" %s", "caf\xc3\xa9 \xf0\x9f\x9a\xb6 \"\\\" %s"},
        {"one\ntwo\r\n2026-11-24T17:59:58.120Z error: three",
         "one?two??2026-11-24T17:59:58.120Z error: three"},
        {"\x1b[2J\x07\x7f", "?[2J??"},
        {"\xc2\x9b\x32J", "?2J"},             /* CSI in one character */
        {"\xe2\x80\xa8|\xe2\x80\xa9", "?|?"}, /* line and paragraph separators */
        {"\xe2\x80\xae"
         "abc\xe2\x81\xa6",
         "?abc?"},               /* right to left */
        {"\xff\xfe\xc3", "???"}, /* no UTF-8 */
        {"\xc3(\xe2\x82\xed\xa0\x80", "?(?????"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_line(texts[i][0], texts[i][1]);
    for (int c = 1; c < 0x20; c++)
        expect_line((char[]){(char)c, 0}, "?");
    for (int c = 0x80; c < 0xa0; c++)
        expect_line((char[]){(char)0xc2, (char)c, 0}, "?");
}

/* Longer ones are cut, also in the middle of a character. */
static void a_line_is_short(void **state)
{
    (void)state;
    char text[70000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x9a\xb6", 4);
        text[sizeof text - 1] = 0;
        for (int json = 0; json < 2; json++) {
            const char *line = said(json, "about %s", text);
            assert_in_range(strlen(line), 1000, 1200);
            assert_non_null(strstr(line, " \xe2\x80\xa6"));
            assert_true(bs_slice_is_utf8(bs_slice_text(line)));
        }
    }
    memset(text, '"', sizeof text - 1);
    const char *line = said(true, "%s", text);
    assert_in_range(strlen(line), 2000, 2300);
    cJSON *parsed = cJSON_Parse(line);
    assert_non_null(parsed);
    cJSON_Delete(parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_obeys_is_not_said),
        cmocka_unit_test(a_line_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
