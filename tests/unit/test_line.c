/* Line protocol: numbers as text, escaped tags, times. */
#include "backstep/core/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *one_float(double value)
{
    static char text[128];
    struct bs_line l;
    bs_line_begin(&l, BS_SLICE("m"));
    bs_line_float(&l, BS_SLICE("x"), value);
    struct bs_slice s = bs_line_end(&l, 7);
    snprintf(text, sizeof text, "%.*s", (int)s.length, s.at);
    return text;
}

static void floats_have_nine_digits_and_no_exponent(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "m x=0 7\n"},
        {1, "m x=1 7\n"},
        {-26.13, "m x=-26.13 7\n"},
        {0.0054, "m x=0.0054 7\n"},
        {1e-7, "m x=0.0000001 7\n"},
        {123.4567891234, "m x=123.456789 7\n"},
        {999999999.7, "m x=1000000000 7\n"},
        {123456789012.0, "m x=123456789012 7\n"},
        {9.9999999999, "m x=10 7\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(one_float(cases[i].value), cases[i].text);
}

static void floats_read_back_within_a_part_in_a_hundred_million(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double value = ldexp((double)(x >> 11), (int)(x % 60) - 70);
        double read = atof(one_float(value) + 4);
        if (fabs(read - value) > value * 1e-8 + 1e-15)
            fail_msg("%.17g was written as %s", value, one_float(value));
    }
}

static void fields_and_times(void **state)
{
    (void)state;
    struct bs_line l;
    bs_line_begin(&l, BS_SLICE("gait_window"));
    bs_line_add(&l, BS_SLICE(",a=b"));
    bs_line_integer(&l, BS_SLICE("n"), 18446744073709551615u);
    bs_line_integer(&l, BS_SLICE("z"), 0);
    bs_line_boolean(&l, BS_SLICE("final"), true);
    bs_line_boolean(&l, BS_SLICE("open"), false);
    struct bs_slice s = bs_line_end(&l, -1795716000123);
    struct bs_slice expected = BS_SLICE(
        "gait_window,a=b n=18446744073709551615i,z=0i,final=true,open=false -1795716000123\n");
    assert_int_equal(s.length, expected.length);
    assert_memory_equal(s.at, expected.at, s.length);
}

static void tags_are_escaped(void **state)
{
    (void)state;
    struct bs_buffer b;
    bs_buffer_init(&b, 1024);
    bs_line_add_tag(&b, BS_SLICE("alias"), BS_SLICE("Ruth, the=1 \"x\""));
    struct bs_slice expected = BS_SLICE(",alias=Ruth\\,\\ the\\=1\\ \"x\"");
    assert_int_equal(b.length, expected.length);
    assert_memory_equal(b.at, expected.at, b.length);
    bs_buffer_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_have_nine_digits_and_no_exponent),
        cmocka_unit_test(floats_read_back_within_a_part_in_a_hundred_million),
        cmocka_unit_test(fields_and_times),
        cmocka_unit_test(tags_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
