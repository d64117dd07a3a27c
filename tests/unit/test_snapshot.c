/* The stream of snapshots: every kind of value both ways, the bytes they take, and that whatever is
 * loaded stays within what was asked for. */
#include "snapshot_world.h"

#include <math.h>
#include <stdio.h>

/* Bytes out of literals, with their zeros. */
#define BYTES(literal) BS_SLICE(literal)

static struct bs_snapshot loading(struct bs_slice bytes)
{
    struct bs_snapshot s;
    bs_snapshot_load(&s, bytes, BS_SNAPSHOT_FORMAT);
    return s;
}

/* A stream that saves into `into`; the sink must hold as long. */
static struct bs_snapshot saving(const struct bs_sink *sink)
{
    struct bs_snapshot s;
    bs_snapshot_save(&s, sink);
    return s;
}

static void expect_status(struct bs_snapshot *s, enum bs_status expected)
{
    enum bs_status status = bs_snapshot_end(s);
    if (status != expected)
        fail_msg("%s, expected %s", bs_status_text(status), bs_status_text(expected));
}

/* Both ways. */

struct every {
    uint64_t u64;
    int64_t i64, between, time, time_or, moment;
    double real;
    uint32_t u32;
    uint16_t u16;
    uint8_t u8;
    bool flag;
    size_t count;
    char bytes[5], text[16];
    size_t text_length;
};

static void carry_every(struct bs_snapshot *s, void *at)
{
    struct every *e = at;
    e->u64 = bs_snapshot_u64(s, e->u64, UINT64_MAX);
    e->i64 = bs_snapshot_i64(s, e->i64);
    e->between = bs_snapshot_between(s, e->between, -5, 5);
    e->time = bs_snapshot_time(s, e->time);
    e->time_or = bs_snapshot_time_or(s, e->time_or, INT64_MAX);
    e->moment = bs_snapshot_moment(s, e->moment);
    e->real = bs_snapshot_real(s, e->real);
    e->u32 = bs_snapshot_u32(s, e->u32, UINT32_MAX);
    bs_snapshot_mark(s, 0x12345678);
    e->u16 = bs_snapshot_u16(s, e->u16, UINT16_MAX);
    e->u8 = bs_snapshot_u8(s, e->u8, UINT8_MAX);
    e->flag = bs_snapshot_flag(s, e->flag);
    e->count = bs_snapshot_count(s, e->count, 9);
    bs_snapshot_bytes(s, e->bytes, sizeof e->bytes);
    struct bs_slice text =
        bs_snapshot_text(s, bs_slice_of(e->text, e->text_length), sizeof e->text);
    memmove(e->text, text.at, text.length);
    e->text_length = text.length;
}

static void *make_every(void)
{
    return calloc(1, sizeof(struct every));
}

static const struct snapshot_subject every_subject = {make_every, carry_every, free};

static void expect_both_ways(const struct every *values)
{
    struct every *given = make_every();
    *given = *values;
    struct every *e = snapshot_copy(&every_subject, given);
    assert_true(e->u64 == values->u64 && e->i64 == values->i64 && e->between == values->between);
    assert_true(e->time == values->time && e->time_or == values->time_or &&
                e->moment == values->moment);
    assert_memory_equal(&e->real, &values->real, sizeof e->real);
    assert_true(e->u32 == values->u32 && e->u16 == values->u16 && e->u8 == values->u8 &&
                e->flag == values->flag && e->count == values->count);
    assert_memory_equal(e->bytes, values->bytes, sizeof e->bytes);
    assert_int_equal(e->text_length, values->text_length);
    assert_memory_equal(e->text, values->text, e->text_length);
    free(given);
    free(e);
}

static const struct every largest = {
    .u64 = UINT64_MAX,
    .i64 = INT64_MAX,
    .between = 5,
    .time = INT64_MAX,
    .time_or = INT64_MAX,
    .moment = INT64_C(1) << 56,
    .real = 1.7976931348623157e308,
    .u32 = UINT32_MAX,
    .u16 = UINT16_MAX,
    .u8 = UINT8_MAX,
    .flag = true,
    .count = 9,
    .bytes = {'a', 0, -1, 'b', 1},
    .text = "sixteen letters.",
    .text_length = 16,
};

static void every_value_goes_both_ways(void **state)
{
    (void)state;
    const struct every least = {.i64 = INT64_MIN,
                                .between = -5,
                                .time = INT64_MIN,
                                .time_or = -(INT64_C(1) << 56),
                                .moment = -(INT64_C(1) << 56),
                                .real = -0.0};
    expect_both_ways(&largest);
    expect_both_ways(&least);
    for (unsigned bit = 0; bit < 64; bit++) {
        int64_t value = (int64_t)(UINT64_C(1) << bit);
        struct every e = {.u64 = UINT64_C(1) << bit, .i64 = value, .real = ldexp(1, (int)bit)};
        expect_both_ways(&e);
        e.u64--;
        e.i64 = -(e.i64 >> 1);
        expect_both_ways(&e);
    }
}

static void damaged_values_do_no_harm(void **state)
{
    (void)state;
    struct every *e = make_every();
    *e = largest;
    snapshot_expect_whole(&every_subject, e);
    assert_true(snapshot_change_bytes(&every_subject, e, NULL) > 0);
    free(e);
}

/* The bytes. */

static void bytes_are_as_the_format_says(void **state)
{
    (void)state;
    struct bs_buffer saved;
    bs_buffer_init(&saved, 4096);
    const struct bs_sink sink = {&saved, snapshot_write};
    struct bs_snapshot s = saving(&sink);
    char two[2] = {'x', 'y'};
    int first, second;
    bs_snapshot_u64(&s, 0, 0);
    bs_snapshot_u64(&s, 127, 127);
    bs_snapshot_u64(&s, 128, 300);
    bs_snapshot_u64(&s, UINT64_MAX, UINT64_MAX);
    bs_snapshot_i64(&s, -1);
    bs_snapshot_i64(&s, 1);
    bs_snapshot_real(&s, 1);
    bs_snapshot_text(&s, BS_SLICE("abc"), 3);
    bs_snapshot_text(&s, (struct bs_slice){NULL, 0}, 3);
    bs_snapshot_bytes(&s, two, 2);
    bs_snapshot_mark(&s, 0x04030201);
    bs_snapshot_define(&s, BS_SNAPSHOT_ROW, &first);
    bs_snapshot_define(&s, BS_SNAPSHOT_ROW, &second);
    assert_ptr_equal(bs_snapshot_refer(&s, BS_SNAPSHOT_ROW, &second), &second);
    assert_null(bs_snapshot_refer(&s, BS_SNAPSHOT_ROW, NULL));
    expect_status(&s, BS_OK);
    struct bs_slice expected = BYTES("\0\x7f\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"
                                     "\x02\0\0\0\0\0\0\xf0\x3f\x03"
                                     "abc\0xy\x01\x02\x03\x04\x02\0");
    assert_int_equal(saved.length, expected.length);
    assert_memory_equal(saved.at, expected.at, expected.length);
    bs_buffer_fini(&saved);
}

static void expect_number(struct bs_slice bytes, uint64_t max, enum bs_status expected,
                          uint64_t value)
{
    struct bs_snapshot s = loading(bytes);
    uint64_t found = bs_snapshot_u64(&s, 17, max);
    expect_status(&s, expected);
    if (found != value)
        fail_msg("%llu, expected %llu", (unsigned long long)found, (unsigned long long)value);
}

static void a_number_has_one_form(void **state)
{
    (void)state;
    expect_number(BYTES("\x7f"), 127, BS_OK, 127);
    expect_number(BYTES("\x7f"), 126, BS_CORRUPT, 0);
    expect_number(BYTES("\x80\x01"), 128, BS_OK, 128);
    expect_number(BYTES("\x80\x00"), 128, BS_CORRUPT, 0); /* a longer 0 */
    expect_number(BYTES("\xff\x00"), 128, BS_CORRUPT, 0);
    expect_number(BYTES(""), 128, BS_CORRUPT, 0);
    expect_number(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), UINT64_MAX, BS_OK, UINT64_MAX);
    expect_number(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), UINT64_MAX, BS_CORRUPT, 0);
    expect_number(BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"), UINT64_MAX, BS_CORRUPT, 0);
    expect_number(BYTES("\x01\x01"), 128, BS_CORRUPT, 1); /* a byte too much */
}

/* What is out of bounds. */

#define EXPECT_CORRUPT(saved_value, loaded)                                                        \
    do {                                                                                           \
        struct bs_buffer b;                                                                        \
        bs_buffer_init(&b, 4096);                                                                  \
        const struct bs_sink to = {&b, snapshot_write};                                            \
        struct bs_snapshot s = saving(&to);                                                        \
        saved_value;                                                                               \
        expect_status(&s, BS_OK);                                                                  \
        s = loading(bs_buffer_slice(&b));                                                          \
        loaded;                                                                                    \
        expect_status(&s, BS_CORRUPT);                                                             \
        bs_buffer_fini(&b);                                                                        \
    } while (0)

static void what_is_out_of_bounds_is_refused(void **state)
{
    (void)state;
    const int64_t beyond = (INT64_C(1) << 56) + 1;
    EXPECT_CORRUPT(bs_snapshot_i64(&s, 6), assert_int_equal(bs_snapshot_between(&s, 0, 1, 5), 1));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, 0), assert_int_equal(bs_snapshot_between(&s, 0, 1, 5), 1));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, beyond), assert_int_equal(bs_snapshot_time(&s, 3), 0));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, -beyond), assert_int_equal(bs_snapshot_time(&s, 3), 0));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, INT64_MIN),
                   assert_int_equal(bs_snapshot_time_or(&s, 3, INT64_MAX), 0));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, INT64_MAX),
                   assert_int_equal(bs_snapshot_time_or(&s, 3, INT64_MIN), 0));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, beyond), bs_snapshot_time_or(&s, 3, INT64_MIN));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, INT64_MAX), bs_snapshot_moment(&s, 3));
    EXPECT_CORRUPT(bs_snapshot_i64(&s, INT64_MIN), bs_snapshot_moment(&s, 3));
    EXPECT_CORRUPT(bs_snapshot_u64(&s, 2, 2), assert_false(bs_snapshot_flag(&s, true)));
    EXPECT_CORRUPT(bs_snapshot_text(&s, BS_SLICE("abcd"), 4),
                   assert_int_equal(bs_snapshot_text(&s, BS_SLICE("x"), 3).length, 0));
    EXPECT_CORRUPT(bs_snapshot_mark(&s, 7), bs_snapshot_mark(&s, 8));
    EXPECT_CORRUPT((void)0, bs_snapshot_require(&s, false));
}

static void a_real_is_finite(void **state)
{
    (void)state;
    struct bs_slice wrong[] = {BYTES("\0\0\0\0\0\0\xf0\x7f"), BYTES("\0\0\0\0\0\0\xf0\xff"),
                               BYTES("\0\0\0\0\0\0\xf8\x7f"), BYTES("\x01\0\0\0\0\0\xf0\x7f")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct bs_snapshot s = loading(wrong[i]);
        assert_true(bs_snapshot_real(&s, 1) == 0);
        expect_status(&s, BS_CORRUPT);
    }
}

static void a_forged_count_is_no_larger_than_what_is_left(void **state)
{
    (void)state;
    struct bs_snapshot s = loading(BYTES("\x03"
                                         "abc"));
    assert_int_equal(bs_snapshot_count(&s, 0, 1000), 3);
    char three[3];
    bs_snapshot_bytes(&s, three, 3);
    expect_status(&s, BS_OK);
    s = loading(BYTES("\x04"
                      "abc"));
    assert_int_equal(bs_snapshot_count(&s, 0, 1000), 0);
    expect_status(&s, BS_CORRUPT);
    s = loading(BYTES("\x03"
                      "abc"));
    assert_int_equal(bs_snapshot_count(&s, 0, 2), 0);
    expect_status(&s, BS_CORRUPT);
}

/* Objects. */

static void references_go_by_sort_and_order(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    static char objects[MANY], others[MANY];
    struct bs_buffer saved;
    bs_buffer_init(&saved, 1u << 20);
    const struct bs_sink sink = {&saved, snapshot_write};
    struct bs_snapshot s = saving(&sink);
    for (int i = 0; i < MANY; i++)
        bs_snapshot_define(&s, BS_SNAPSHOT_TAGS, &objects[i * 7 % MANY]);
    bs_snapshot_define(&s, BS_SNAPSHOT_MEMBER, &objects[0]); /* of another sort, too */
    bs_snapshot_refer(&s, BS_SNAPSHOT_MEMBER, &objects[0]);
    for (int i = 0; i < MANY; i++)
        bs_snapshot_refer_some(&s, BS_SNAPSHOT_TAGS, &objects[i]);
    expect_status(&s, BS_OK);

    s = loading(bs_buffer_slice(&saved));
    for (int i = 0; i < MANY; i++)
        bs_snapshot_define(&s, BS_SNAPSHOT_TAGS, &others[i * 7 % MANY]);
    bs_snapshot_define(&s, BS_SNAPSHOT_MEMBER, &others[1]);
    assert_ptr_equal(bs_snapshot_refer(&s, BS_SNAPSHOT_MEMBER, NULL), &others[1]);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(bs_snapshot_refer_some(&s, BS_SNAPSHOT_TAGS, NULL), &others[i]);
    assert_ptr_equal(bs_snapshot_defined(&s, BS_SNAPSHOT_TAGS, 2), &others[7]);
    assert_null(bs_snapshot_defined(&s, BS_SNAPSHOT_TAGS, 0));
    assert_null(bs_snapshot_defined(&s, BS_SNAPSHOT_TAGS, MANY + 1));
    assert_null(bs_snapshot_defined(&s, BS_SNAPSHOT_ROW, 1));
    expect_status(&s, BS_OK);
    bs_buffer_fini(&saved);
}

static void a_reference_to_nothing_is_refused(void **state)
{
    (void)state;
    int object;
    struct bs_snapshot s = loading(BYTES("\x02"));
    bs_snapshot_define(&s, BS_SNAPSHOT_ROW, &object);
    assert_null(bs_snapshot_refer(&s, BS_SNAPSHOT_ROW, NULL));
    expect_status(&s, BS_CORRUPT);
    s = loading(BYTES("\x01"));
    bs_snapshot_define(&s, BS_SNAPSHOT_ROW, &object);
    assert_null(bs_snapshot_refer(&s, BS_SNAPSHOT_DEVICE, NULL));
    expect_status(&s, BS_CORRUPT);
    s = loading(BYTES("\0"));
    assert_null(bs_snapshot_refer(&s, BS_SNAPSHOT_ROW, NULL));
    expect_status(&s, BS_OK);
    s = loading(BYTES("\0"));
    assert_null(bs_snapshot_refer_some(&s, BS_SNAPSHOT_ROW, NULL));
    expect_status(&s, BS_CORRUPT);
}

/* Failures. */

static void after_a_failure_nothing_comes(void **state)
{
    (void)state;
    int object;
    char bytes[4] = "abc";
    struct bs_snapshot s = loading(BYTES("\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"));
    bs_snapshot_define(&s, BS_SNAPSHOT_ROW, &object);
    bs_snapshot_fail(&s, BS_NO_MEMORY);
    bs_snapshot_fail(&s, BS_CORRUPT); /* the first one counts */
    assert_true(bs_snapshot_u64(&s, 5, 9) == 0);
    assert_true(bs_snapshot_i64(&s, 5) == 0);
    assert_true(bs_snapshot_between(&s, 5, 2, 9) == 2);
    assert_true(bs_snapshot_time(&s, 5) == 0);
    assert_true(bs_snapshot_real(&s, 5) == 0);
    assert_int_equal(bs_snapshot_count(&s, 5, 9), 0);
    assert_int_equal(bs_snapshot_text(&s, BS_SLICE("x"), 9).length, 0);
    bs_snapshot_bytes(&s, bytes, sizeof bytes);
    assert_memory_equal(bytes, "\0\0\0", 4);
    bs_snapshot_mark(&s, 5);
    assert_null(bs_snapshot_refer_some(&s, BS_SNAPSHOT_ROW, NULL));
    bs_snapshot_define(&s, BS_SNAPSHOT_ROW, NULL);
    expect_status(&s, BS_NO_MEMORY);
}

/* Takes so many pieces; what comes after it refused is counted. */
struct narrow_sink {
    int takes, asked_again;
    size_t taken;
};

static bool write_narrow(void *context, struct bs_slice bytes)
{
    struct narrow_sink *n = context;
    n->asked_again += n->takes < 0;
    if (n->takes-- <= 0)
        return false;
    n->taken += bytes.length;
    return true;
}

#define LARGE (200u * 1024)

static void what_a_sink_refuses_fails(void **state)
{
    (void)state;
    char *large = calloc(1, LARGE);
    assert_non_null(large);
    for (int takes = 0; takes < 4; takes++) {
        struct narrow_sink narrow = {.takes = takes};
        const struct bs_sink sink = {&narrow, write_narrow};
        struct bs_snapshot s = saving(&sink);
        int object;
        bs_snapshot_define(&s, BS_SNAPSHOT_ROW, &object);
        bs_snapshot_u64(&s, 5, 5);
        bs_snapshot_bytes(&s, large, LARGE); /* what was before it goes first */
        assert_true(bs_snapshot_u64(&s, 7, 7) == 7);
        assert_ptr_equal(bs_snapshot_refer(&s, BS_SNAPSHOT_ROW, &object), &object);
        expect_status(&s, takes < 3 ? BS_IO : BS_OK);
        assert_int_equal(narrow.asked_again, 0);
        assert_int_equal(narrow.taken, takes == 0   ? 0
                                       : takes == 1 ? 1
                                       : takes == 2 ? LARGE + 1
                                                    : LARGE + 3);
    }
    free(large);
}

/* Pieces go in their order, whatever their size. */
static void large_and_small_pieces_keep_their_order(void **state)
{
    (void)state;
    enum { PIECES = 40 };
    struct bs_buffer saved;
    bs_buffer_init(&saved, 8u << 20);
    const struct bs_sink sink = {&saved, snapshot_write};
    struct bs_snapshot s = saving(&sink);
    char *large = malloc(LARGE);
    assert_non_null(large);
    for (size_t i = 0; i < PIECES; i++) {
        memset(large, (int)i, LARGE);
        bs_snapshot_text(&s, bs_slice_of(large, i * i * i * 3 % LARGE), LARGE);
    }
    expect_status(&s, BS_OK);
    s = loading(bs_buffer_slice(&saved));
    for (size_t i = 0; i < PIECES; i++) {
        struct bs_slice text = bs_snapshot_text(&s, BS_SLICE(""), LARGE);
        assert_int_equal(text.length, i * i * i * 3 % LARGE);
        memset(large, (int)i, LARGE);
        assert_memory_equal(text.at, large, text.length);
    }
    expect_status(&s, BS_OK);
    free(large);
    bs_buffer_fini(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_goes_both_ways),
        cmocka_unit_test(damaged_values_do_no_harm),
        cmocka_unit_test(bytes_are_as_the_format_says),
        cmocka_unit_test(a_number_has_one_form),
        cmocka_unit_test(what_is_out_of_bounds_is_refused),
        cmocka_unit_test(a_real_is_finite),
        cmocka_unit_test(a_forged_count_is_no_larger_than_what_is_left),
        cmocka_unit_test(references_go_by_sort_and_order),
        cmocka_unit_test(a_reference_to_nothing_is_refused),
        cmocka_unit_test(after_a_failure_nothing_comes),
        cmocka_unit_test(what_a_sink_refuses_fails),
        cmocka_unit_test(large_and_small_pieces_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
