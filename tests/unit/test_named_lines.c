/* The list of bad lines in InfluxDB 3's answers: whole, cut off anywhere, and such as it is not. */
#include "backstep/core/named_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char whole[] =
    "{\"error\":\"partial write of line protocol occurred, data: [x]\",\"data\":["
    "{\"original_line\":\"m,a=\\\"b\\\" f=\\u00fc\",\"line_number\":2,"
    "\"error_message\":\"invalid, f\"},"
    " {\"error_message\" : \"}]\" ,\"more\":{\"x\":[1,\"]\"]},\"line_number\": 17 }\n]}";

static unsigned count(struct bs_slice body, bool *ret_whole)
{
    struct bs_named_lines n;
    struct bs_named_line line;
    unsigned found = 0;
    *ret_whole = false;
    if (!bs_named_lines_begin(&n, body))
        return 0;
    while (bs_named_lines_next(&n, &line))
        found++;
    *ret_whole = n.whole;
    return found;
}

static void a_list_is_read(void **state)
{
    (void)state;
    struct bs_named_lines n;
    struct bs_named_line line;
    assert_true(bs_named_lines_begin(&n, bs_slice_text(whole)));
    assert_true(bs_named_lines_next(&n, &line));
    assert_int_equal(line.number, 2);
    assert_true(bs_slice_equal(line.message, BS_SLICE("invalid, f")));
    assert_true(bs_named_line_is(line.original, BS_SLICE("m,a=\"b\" f=\xc3\xbc 5\n")));
    assert_true(bs_named_lines_next(&n, &line));
    assert_int_equal(line.number, 17);
    assert_true(bs_slice_equal(line.message, BS_SLICE("}]")));
    assert_int_equal(line.original.length, 0);
    assert_false(n.whole);
    assert_false(bs_named_lines_next(&n, &line));
    assert_true(n.whole);
    assert_false(bs_named_lines_next(&n, &line));
}

static void a_list_that_is_cut_off_is_read_as_far(void **state)
{
    (void)state;
    size_t first_end = (size_t)(strstr(whole, "},") - whole) + 1;
    size_t second_end = (size_t)(strstr(whole, " }\n") - whole) + 2;
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        bool complete;
        char exact[sizeof whole];
        memcpy(exact, whole, length);
        unsigned found = count(bs_slice_of(exact, length), &complete);
        unsigned expected = length < first_end ? 0 : length < second_end ? 1 : 2;
        if (found != expected || complete != (length == sizeof whole - 2))
            fail_msg("cut at %zu: %u lines, must be %u", length, found, expected);
    }
}

static void what_is_no_list_names_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool begins;
    } table[] = {
        {"", false},
        {"[]", false},
        {"{}", false},
        {"{\"error\":\"x\"}", false},
        {"{\"data\":{\"line_number\":1,\"original_line\":\"m\"}}", false},
        {"{\"error\":{\"data\":[{\"line_number\":1}]}}", false},
        {"{\"data\":\"[\"}", false},
        {"partial write", false},
        {"{\"data\":[]}", true},
        {"{\"data\":[1]}", true},
        {"{\"data\":[{}]}", true},
        {"{\"data\":[{\"line_number\":0}]}", true},
        {"{\"data\":[{\"line_number\":-1}]}", true},
        {"{\"data\":[{\"line_number\":1234567890}]}", true},
        {"{\"data\":[{\"line_number\":\"1\"}]}", true},
        {"{\"data\":[{\"line_number\":}]}", true},
        {"{\"data\":[{\"line_number\"}]}", true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bs_named_lines n;
        bool complete;
        struct bs_slice body = bs_slice_text(table[i].body);
        assert_int_equal(bs_named_lines_begin(&n, body), table[i].begins);
        assert_int_equal(count(body, &complete), 0);
        assert_int_equal(complete, strcmp(table[i].body, "{\"data\":[]}") == 0);
    }
}

static void a_line_is_known_by_how_it_begins(void **state)
{
    (void)state;
    static const struct {
        const char *json, *line;
        bool same;
    } table[] = {
        {"m f=1 1", "m f=1 1\n", true},
        {"m f=1", "m f=1 1\n", true},
        {"", "m f=1 1\n", true},
        {"m f=1 1\\n", "m f=1 1\n", true},
        {"m f=1 1\\n2", "m f=1 1\n", false},
        {"m f=2", "m f=1 1\n", false},
        {"m,a=x\\\\ y f=1", "m,a=x\\ y f=1 1\n", true},
        {"m,a=\\u00fc\\u20AC\\u000a", "m,a=\xc3\xbc\xe2\x82\xac\n", true},
        {"m,a=\\u00f", "m,a=\xc3\xbc\n", false},
        {"m,a=\\ud83d\\ude00", "m,a=\xf0\x9f\x98\x80\n", false},
        {"m,a=\\q", "m,a=q\n", false},
        {"m\\", "m\\\n", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (bs_named_line_is(bs_slice_text(table[i].json), bs_slice_text(table[i].line)) !=
            table[i].same)
            fail_msg("\"%s\" is%s \"%s\"", table[i].json, table[i].same ? " not" : "",
                     table[i].line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read),
        cmocka_unit_test(a_list_that_is_cut_off_is_read_as_far),
        cmocka_unit_test(what_is_no_list_names_nothing),
        cmocka_unit_test(a_line_is_known_by_how_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
