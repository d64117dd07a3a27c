/* The windows' sizes in snapshots: each time has its window as before. */
#include "backstep/core/tiling.h"
#include "snapshot_world.h"

static void *make(void)
{
    struct bs_tiling *t = calloc(1, sizeof *t);
    assert_non_null(t);
    bs_tiling_init(t, 5000);
    return t;
}

static void carry(struct bs_snapshot *s, void *at)
{
    bs_tiling_snapshot(s, at);
}

static void dispose(void *at)
{
    free(at);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static const int64_t sizes[] = {10000, 7000, 300000, 1000, 13000};
#define SIZES (sizeof sizes / sizeof sizes[0])

static struct bs_tiling *change(size_t changes)
{
    struct bs_tiling *t = make();
    for (size_t i = 0; i < changes; i++)
        bs_tiling_change(t, sizes[i % SIZES], (int64_t)i * 700000 - 3000000, 5000);
    return t;
}

static void times_have_their_windows(void **state)
{
    (void)state;
    for (size_t changes = 0; changes < 80; changes += 4) {
        struct bs_tiling *t = change(changes);
        if (changes % 8)
            bs_tiling_forget(t, 0);
        struct bs_tiling *copy = snapshot_copy(&subject, t);
        assert_int_equal(bs_tiling_floor(t), bs_tiling_floor(copy));
        for (int64_t time = -4000000; time < 70000000; time += 3337) {
            if (time < bs_tiling_floor(t))
                continue;
            struct bs_tile a = bs_tiling_find(t, time), b = bs_tiling_find(copy, time);
            assert_true(a.start_ms == b.start_ms && a.size_ms == b.size_ms);
        }
        dispose(t);
        dispose(copy);
    }
}

static void use(void *at)
{
    struct bs_tiling *t = at;
    int64_t floor_ms = bs_tiling_floor(t);
    struct bs_tile tile = bs_tiling_find(t, floor_ms < 0 ? 0 : floor_ms);
    assert_true(tile.size_ms > 0);
    bs_tiling_change(t, 20000, INT64_C(1) << 56, 5000);
    bs_tiling_forget(t, 1000);
    bs_tiling_change(t, 1000, INT64_C(1) << 57, 5000);
}

static void what_is_cut_or_changed_is_safe(void **state)
{
    (void)state;
    struct bs_tiling *t = change(5);
    snapshot_expect_whole(&subject, t);
    assert_true(snapshot_change_bytes(&subject, t, use) > 0);
    dispose(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_their_windows),
        cmocka_unit_test(what_is_cut_or_changed_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
