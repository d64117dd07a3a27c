/* The hash: the same bytes and seed the same value, and every bit of either changes about half. */
#include "backstep/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_equal_bytes(void **state)
{
    (void)state;
    static const char text[] = "xabcdefghijklmnopqrstuvwxyz";
    for (size_t length = 0; length < sizeof text - 1; length++) {
        char *copy = malloc(length + 1);
        assert_non_null(copy);
        memcpy(copy, text + 1, length);
        assert_true(bs_hash_bytes(5, bs_slice_of(copy, length)) ==
                    bs_hash_bytes(5, bs_slice_of(text + 1, length)));
        free(copy);
    }
}

static void test_seed_length_and_bits_matter(void **state)
{
    (void)state;
    static const char zeros[32];
    for (size_t length = 1; length < sizeof zeros; length++) {
        assert_true(bs_hash_bytes(5, bs_slice_of(zeros, length)) !=
                    bs_hash_bytes(5, bs_slice_of(zeros, length - 1)));
        assert_true(bs_hash_bytes(5, bs_slice_of(zeros, length)) !=
                    bs_hash_bytes(6, bs_slice_of(zeros, length)));
    }
    for (unsigned bit = 0; bit < 8 * sizeof zeros; bit++) {
        char changed[sizeof zeros] = {0};
        changed[bit / 8] = (char)(1u << bit % 8);
        uint64_t difference = bs_hash_bytes(5, bs_slice_of(zeros, sizeof zeros)) ^
                              bs_hash_bytes(5, bs_slice_of(changed, sizeof zeros));
        int flipped = __builtin_popcountll(difference);
        if (flipped < 12 || flipped > 52)
            fail_msg("bit %u flips %d of 64", bit, flipped);
    }
}

/* 4096 names in 256 buckets: 16 each are expected, 50 would be 8 standard deviations more. */
static void test_spread(void **state)
{
    (void)state;
    static unsigned low[256], high[256];
    for (int i = 0; i < 4096; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "pod-%d", i);
        uint64_t h = bs_hash_bytes(12345, bs_slice_of(name, (size_t)length));
        low[h & 255]++;
        high[h >> 56]++;
    }
    for (int i = 0; i < 256; i++)
        if (low[i] >= 50 || high[i] >= 50)
            fail_msg("bucket %d holds %u and %u", i, low[i], high[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_bytes),
        cmocka_unit_test(test_seed_length_and_bits_matter),
        cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
