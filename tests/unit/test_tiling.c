/* Window sizes over event time. */
#include "backstep/core/tiling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void windows_are_multiples_of_their_size(void **state)
{
    (void)state;
    struct bs_tiling t;
    bs_tiling_init(&t, 10000);
    assert_int_equal(bs_tiling_find(&t, 25000).start_ms, 20000);
    assert_int_equal(bs_tiling_find(&t, 20000).start_ms, 20000);
    assert_int_equal(bs_tiling_find(&t, -1).start_ms, -10000);
    assert_int_equal(bs_tiling_find(&t, -10000).start_ms, -10000);
}

static void a_change_waits_for_the_larger_boundary(void **state)
{
    (void)state;
    struct bs_tiling t;
    bs_tiling_init(&t, 10000);
    bs_tiling_change(&t, 60000, 61000, 5000); /* from 120000 on */
    assert_int_equal(bs_tiling_find(&t, 119999).size_ms, 10000);
    assert_int_equal(bs_tiling_find(&t, 120000).size_ms, 60000);
    bs_tiling_change(&t, 7000, 62000, 5000); /* the pending one never begins; from 70000 on */
    assert_int_equal(bs_tiling_find(&t, 69999).size_ms, 10000);
    assert_int_equal(bs_tiling_find(&t, 70000).size_ms, 7000);
    assert_int_equal(bs_tiling_find(&t, 120000).size_ms, 7000);
    bs_tiling_change(&t, 10000, 63000, 5000); /* back before it began: nothing changes */
    assert_int_equal(bs_tiling_find(&t, 500000).size_ms, 10000);
    assert_int_equal(t.count, 1);
}

static void an_exact_boundary_is_used(void **state)
{
    (void)state;
    struct bs_tiling t;
    bs_tiling_init(&t, 10000);
    bs_tiling_change(&t, 5000, 15000, 5000);
    assert_int_equal(bs_tiling_find(&t, 19999).size_ms, 10000);
    assert_int_equal(bs_tiling_find(&t, 20000).size_ms, 5000);
}

/* Over any two sizes: each time has one window that holds it, but for the overlap at the change,
 * and no start belongs to both sizes. */
static void no_two_windows_share_a_start(void **state)
{
    (void)state;
    for (int64_t a = 1; a <= 20; a++)
        for (int64_t b = 1; b <= 20; b++) {
            struct bs_tiling t;
            bs_tiling_init(&t, a);
            bs_tiling_change(&t, b, 100, 3);
            struct bs_tile before = bs_tiling_find(&t, 0);
            for (int64_t time = 1; time < 300; time++) {
                struct bs_tile tile = bs_tiling_find(&t, time);
                assert_true(tile.start_ms <= time && time < tile.start_ms + tile.size_ms);
                if (tile.size_ms != before.size_ms)
                    assert_true(tile.start_ms > before.start_ms);
                before = tile;
            }
        }
}

/* 7 s give way to 10 s at 30 s, and the last window of 7 s reaches to 35 s. */
static void a_size_is_known_as_long_as_its_last_window(void **state)
{
    (void)state;
    struct bs_tiling t;
    bs_tiling_init(&t, 7000);
    bs_tiling_change(&t, 10000, 25000, 0);
    assert_int_equal(bs_tiling_find(&t, 29999).start_ms, 28000);
    bs_tiling_forget(&t, 34999);
    assert_int_equal(bs_tiling_find(&t, 29999).start_ms, 28000);
    bs_tiling_forget(&t, 35000);
    assert_int_equal(bs_tiling_floor(&t), 30000);
}

static void old_sizes_are_forgotten(void **state)
{
    (void)state;
    struct bs_tiling t;
    bs_tiling_init(&t, 10000);
    bs_tiling_change(&t, 5000, 15000, 5000);
    bs_tiling_forget(&t, 19999);
    assert_int_equal(bs_tiling_floor(&t), INT64_MIN);
    bs_tiling_forget(&t, 20000);
    assert_int_equal(bs_tiling_floor(&t), 20000);
    assert_int_equal(t.count, 1);
    for (int i = 1; i <= 200; i++)
        bs_tiling_change(&t, i % 2 ? 1000 : 2000, 20000 + i * 2000, 0);
    assert_int_equal(t.count, BS_TILING_SIZES_MAX);
    assert_true(bs_tiling_floor(&t) > 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_multiples_of_their_size),
        cmocka_unit_test(a_change_waits_for_the_larger_boundary),
        cmocka_unit_test(an_exact_boundary_is_used),
        cmocka_unit_test(no_two_windows_share_a_start),
        cmocka_unit_test(a_size_is_known_as_long_as_its_last_window),
        cmocka_unit_test(old_sizes_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
