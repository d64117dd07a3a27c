/* Slices: comparison, UTF-8 and names. */
#include "backstep/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_compare(void **state)
{
    (void)state;
    struct bs_slice none = {NULL, 0};
    assert_true(bs_slice_equal(none, BS_SLICE("")));
    assert_true(bs_slice_equal(BS_SLICE("ab"), bs_slice_text("ab")));
    assert_false(bs_slice_equal(BS_SLICE("ab"), BS_SLICE("ac")));
    assert_false(bs_slice_equal(BS_SLICE("ab"), BS_SLICE("abc")));
    assert_true(bs_slice_equal(BS_SLICE("a\0b"), bs_slice_of("a\0b", 3)));
    assert_true(bs_slice_starts(BS_SLICE("abc"), BS_SLICE("ab")));
    assert_true(bs_slice_starts(BS_SLICE("abc"), BS_SLICE("")));
    assert_false(bs_slice_starts(BS_SLICE("a"), BS_SLICE("ab")));
    assert_true(bs_slice_equal(bs_slice_after(BS_SLICE("abc"), 1), BS_SLICE("bc")));
    assert_int_equal(bs_slice_after(BS_SLICE("abc"), 3).length, 0);
    assert_int_equal(bs_slice_after(BS_SLICE("abc"), 9).length, 0);
}

/* In memory of exactly its size, at each place in a word. */
static void expect_utf8(const char *bytes, size_t length, bool expected)
{
    for (size_t before = 0; before < 9; before++) {
        char *text = malloc(before + length + 1);
        assert_non_null(text);
        memset(text, 'a', before);
        memcpy(text + before, bytes, length);
        bool got = bs_slice_is_utf8(bs_slice_of(text, before + length));
        free(text);
        if (got != expected)
            fail_msg("%zu letters and %zu bytes from %02x: %d, expected %d", before, length,
                     length ? (unsigned char)bytes[0] : 0, got, expected);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "plain text that is longer than a word",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x91\xa3 und geh",
    };
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2g",
        "\xe0\x9f\xbf",
        "\xe0\xa0",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xef\xbf",
        "\xef\xbfx",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3\xa4\xa4",
        "abcdefgh\x80",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect_utf8(good[i], strlen(good[i]), true);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_utf8(bad[i], strlen(bad[i]), false);
    expect_utf8("a\0b", 3, true);
}

/* The code points themselves, encoded by hand. */
static void test_utf8_of_all_code_points(void **state)
{
    (void)state;
    for (uint32_t c = 0x800; c <= 0x11ffff; c++) {
        char text[4] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3f)),
                        (char)(0x80 | (c >> 6 & 0x3f)), (char)(0x80 | (c & 0x3f))};
        char *at = text;
        if (c < 0x10000) {
            at = text + 1;
            *at = (char)(0xe0 | c >> 12);
        }
        bool expected = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        if (bs_slice_is_utf8(bs_slice_of(at, (size_t)(text + 4 - at))) != expected)
            fail_msg("U+%04X: not %d", c, expected);
        uint32_t found;
        size_t bytes = bs_slice_character(bs_slice_of(at, (size_t)(text + 4 - at)), &found);
        if (bytes != (expected ? (size_t)(text + 4 - at) : 1) || found != (expected ? c : 0))
            fail_msg("U+%04X: found %zu bytes of U+%04X", c, bytes, found);
    }
}

static void test_ids(void **state)
{
    (void)state;
    char text[BS_ID_MAX + 1];
    memset(text, 'a', sizeof text);
    assert_false(bs_slice_is_id(BS_SLICE("")));
    assert_true(bs_slice_is_id(bs_slice_of(text, BS_ID_MAX)));
    assert_false(bs_slice_is_id(bs_slice_of(text, BS_ID_MAX + 1)));
    for (int c = 0; c < 256; c++) {
        char one = (char)c;
        bool expected = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z') || c == '_' || c == '-';
        if (bs_slice_is_id(bs_slice_of(&one, 1)) != expected)
            fail_msg("byte %d: not %d", c, expected);
    }
    assert_false(bs_slice_is_id(BS_SLICE("a\0b")));
}

static void test_order(void **state)
{
    (void)state;
    static const struct bs_slice ascending[] = {BS_SLICE(""),   BS_SLICE("a"), BS_SLICE("a\0"),
                                                BS_SLICE("ab"), BS_SLICE("b"), BS_SLICE("\xff")};
    const int count = sizeof ascending / sizeof *ascending;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            int order = bs_slice_compare(ascending[i], ascending[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare), cmocka_unit_test(test_order),
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_utf8_of_all_code_points),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
