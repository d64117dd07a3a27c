/* The deadlines' heap: sorted, ties in the order they came. */
#include "backstep/core/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void leaves_sorted_and_ties_in_order(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static int order[COUNT];
    static int64_t keys[COUNT];
    struct bs_heap h;
    bs_heap_init(&h);
    assert_int_equal(bs_heap_least(&h), INT64_MAX);
    for (int i = 0; i < COUNT; i++) {
        order[i] = i;
        keys[i] = (int64_t)i * 7919 % 97;
        assert_true(bs_heap_reserve(&h));
        bs_heap_push(&h, keys[i], &order[i]);
    }
    int64_t last_key = -1;
    int last = -1;
    for (int i = 0; i < COUNT; i++) {
        int64_t key = bs_heap_least(&h);
        int item = *(int *)bs_heap_pop(&h);
        assert_int_equal(keys[item], key);
        assert_true(key > last_key || (key == last_key && item > last));
        last_key = key;
        last = item;
    }
    assert_int_equal(bs_heap_least(&h), INT64_MAX);
    bs_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(leaves_sorted_and_ties_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
