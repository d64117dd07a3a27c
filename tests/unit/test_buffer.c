/* The text buffer: what is added stands there, and what does not fit changes nothing. */
#include "backstep/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const struct bs_buffer *b, const char *text)
{
    struct bs_slice got = bs_buffer_slice(b);
    if (!bs_slice_equal(got, bs_slice_text(text)))
        fail_msg("\"%.*s\", expected \"%s\"", (int)got.length, got.at, text);
}

static void test_added(void **state)
{
    (void)state;
    struct bs_buffer b;
    bs_buffer_init(&b, 4096);
    expect(&b, "");
    bs_buffer_add(&b, BS_SLICE("ab"));
    bs_buffer_add(&b, (struct bs_slice){NULL, 0});
    bs_buffer_add_text(&b, "c ");
    bs_buffer_add_char(&b, 'd');
    bs_buffer_add_format(&b, " %d %s", 42, "x");
    expect(&b, "abc d 42 x");
    bs_buffer_reset(&b);
    expect(&b, "");
    bs_buffer_fini(&b);
}

static void test_numbers(void **state)
{
    (void)state;
    struct bs_buffer b;
    bs_buffer_init(&b, 4096);
    bs_buffer_add_u64(&b, 0);
    bs_buffer_add_char(&b, ' ');
    bs_buffer_add_u64(&b, UINT64_MAX);
    bs_buffer_add_char(&b, ' ');
    bs_buffer_add_i64(&b, INT64_MIN);
    bs_buffer_add_char(&b, ' ');
    bs_buffer_add_i64(&b, INT64_MAX);
    bs_buffer_add_char(&b, ' ');
    bs_buffer_add_i64(&b, -10);
    expect(&b, "0 18446744073709551615 -9223372036854775808 9223372036854775807 -10");
    bs_buffer_fini(&b);
}

static void test_decimals(void **state)
{
    static const struct {
        int64_t value;
        unsigned decimals;
        const char *text;
    } cases[] = {
        {0, 0, "0"},
        {0, 1, "0.0"},
        {5, 1, "0.5"},
        {982, 1, "98.2"},
        {409, 5, "0.00409"},
        {100000, 5, "1.00000"},
        {1234567, 0, "1234567"},
        {-7, 2, "-0.07"},
        {INT64_MAX, 18, "9.223372036854775807"},
        {INT64_MIN, 1, "-922337203685477580.8"},
        {INT64_MIN, 18, "-9.223372036854775808"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bs_buffer b;
        bs_buffer_init(&b, 4096);
        bs_buffer_add_decimal(&b, cases[i].value, cases[i].decimals);
        expect(&b, cases[i].text);
        bs_buffer_fini(&b);
    }
}

static void test_json_string(void **state)
{
    (void)state;
    struct bs_buffer b;
    bs_buffer_init(&b, 4096);
    bs_buffer_add_json_string(&b, BS_SLICE("a\"b\\c/\n\x01\x1f\xc3\xa4"));
    expect(&b, "\"a\\\"b\\\\c/\\u000a\\u0001\\u001f\xc3\xa4\"");
    bs_buffer_fini(&b);
}

static void test_iso_time(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795543198120, "2026-11-24T17:59:58.120Z"},
        {1709164800000, "2024-02-29T00:00:00.000Z"},
    };
    struct bs_buffer b;
    bs_buffer_init(&b, 64);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bs_buffer_reset(&b);
        bs_buffer_add_iso_time(&b, rows[i].ms);
        expect(&b, rows[i].text);
    }
    bs_buffer_fini(&b);
}

static void test_the_maximum(void **state)
{
    (void)state;
    struct bs_buffer b;
    bs_buffer_init(&b, 300);
    for (int i = 0; i < 299; i++)
        bs_buffer_add_char(&b, 'x');
    assert_false(b.failed);
    bs_buffer_add_text(&b, "yz");
    assert_true(b.failed);
    assert_int_equal(b.length, 299);
    /* Failed stays failed, also for what would fit. */
    bs_buffer_add_char(&b, 'y');
    assert_int_equal(b.length, 299);
    assert_null(bs_buffer_room(&b, 1));
    bs_buffer_reset(&b);
    assert_false(b.failed);
    char *room = bs_buffer_room(&b, 300);
    assert_non_null(room);
    memset(room, 'z', 300);
    b.length += 300;
    bs_buffer_add(&b, BS_SLICE(""));
    assert_false(b.failed);
    bs_buffer_add_char(&b, 'z');
    assert_true(b.failed);
    assert_int_equal(b.length, 300);
    bs_buffer_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_decimals), cmocka_unit_test(test_json_string),
        cmocka_unit_test(test_iso_time), cmocka_unit_test(test_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
