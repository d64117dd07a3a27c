/* The deadlines' heap in snapshots: what was loaded gives the same items at the same keys, in the
 * order in which they came; nothing forged gives them in another order. */
#include "backstep/base/random.h"
#include "backstep/core/heap.h"
#include "snapshot_world.h"

#define ITEMS   64
#define ENTRIES 300

/* Items belong to whoever owns the heap: an array is theirs. */
struct owner {
    struct bs_heap heap;
    char items[ITEMS];
};

static void *make(void)
{
    struct owner *o = calloc(1, sizeof *o);
    assert_non_null(o);
    return o;
}

static void *code_item(void *context, struct bs_snapshot *s, void *item)
{
    assert_ptr_equal(context, &code_item);
    return bs_snapshot_refer_some(s, BS_SNAPSHOT_MEMBER, item);
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct owner *o = at;
    for (int i = 0; i < ITEMS; i++)
        bs_snapshot_define(s, BS_SNAPSHOT_MEMBER, &o->items[i]);
    bs_heap_snapshot(s, &o->heap, code_item, (void *)&code_item);
}

static void dispose(void *at)
{
    struct owner *o = at;
    bs_heap_fini(&o->heap);
    free(o);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static void push(struct owner *o, int64_t key, unsigned item)
{
    assert_true(bs_heap_reserve(&o->heap));
    bs_heap_push(&o->heap, key, &o->items[item]);
}

/* Few keys, so that many are equal, and some entries taken in between. */
static struct owner *fill(uint64_t seed, unsigned entries)
{
    struct bs_random r;
    bs_random_init(&r, seed);
    struct owner *o = make();
    for (unsigned i = 0; i < entries; i++) {
        push(o, (int64_t)bs_random_below(&r, 20) - 5, (unsigned)bs_random_below(&r, ITEMS));
        if (bs_random_below(&r, 4) == 0)
            bs_heap_pop(&o->heap);
    }
    return o;
}

static void expect_same_order(struct owner *a, struct owner *b)
{
    while (a->heap.count) {
        assert_int_equal(bs_heap_least(&a->heap), bs_heap_least(&b->heap));
        assert_int_equal((char *)bs_heap_pop(&a->heap) - a->items,
                         (char *)bs_heap_pop(&b->heap) - b->items);
    }
    assert_int_equal(b->heap.count, 0);
}

static void goes_on_as_before(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct owner *o = fill(seed, ENTRIES), *copy = snapshot_copy(&subject, o);
        for (unsigned i = 0; i < ITEMS; i++) { /* ties with what was there */
            push(o, i % 7, i);
            push(copy, i % 7, i);
        }
        expect_same_order(o, copy);
        dispose(o);
        dispose(copy);
    }
}

static void an_empty_one_comes_back(void **state)
{
    (void)state;
    struct owner *o = make(), *copy = snapshot_copy(&subject, o);
    assert_int_equal(bs_heap_least(&copy->heap), INT64_MAX);
    dispose(o);
    dispose(copy);
}

static void use(void *at)
{
    struct owner *o = at;
    push(o, 3, 0);
    for (int64_t last = INT64_MIN; o->heap.count;) {
        int64_t least = bs_heap_least(&o->heap);
        assert_true(least > INT64_MIN && least >= last);
        last = least;
        char *item = bs_heap_pop(&o->heap);
        assert_true(item >= o->items && item < o->items + ITEMS);
    }
}

static void what_is_cut_or_changed_is_safe(void **state)
{
    (void)state;
    struct owner *o = fill(99, 60);
    snapshot_expect_whole(&subject, o);
    assert_true(snapshot_change_bytes(&subject, o, use) > 0);
    dispose(o);
}

static void a_key_that_is_no_moment_is_refused(void **state)
{
    (void)state;
    struct owner *o = make();
    push(o, INT64_MAX, 1); /* never */
    dispose(snapshot_copy(&subject, o));
    struct bs_buffer saved = snapshot_save(&subject, o);
    saved.at[2] = (char)0xff; /* of the key: zigzag, one less than INT64_MAX's is INT64_MIN's */
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
    dispose(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_as_before),
        cmocka_unit_test(an_empty_one_comes_back),
        cmocka_unit_test(what_is_cut_or_changed_is_safe),
        cmocka_unit_test(a_key_that_is_no_moment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
