/* Bodies of records: what is written is read again, the bytes stand where the header draws them,
 * and no length leads behind the body. */
#include "backstep/base/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void start_goes_round(void **state)
{
    (void)state;
    struct bs_start_body in = {-5, 0x1122334455667788u, 42, "abcdefghijklmno"}, out = {0};
    uint8_t bytes[BS_START_BODY_BYTES];
    bs_start_body_write(&in, bytes);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[8], 0xfb);
    assert_int_equal(bytes[16], 0x88);
    assert_int_equal(bs_start_body_read(bs_slice_of(bytes, sizeof(bytes)), &out), BS_OK);
    assert_memory_equal(&in, &out, sizeof(in));
    assert_int_equal(bs_start_body_read(bs_slice_of(bytes, sizeof(bytes) - 1), &out), BS_CORRUPT);
    bytes[0] = 2;
    assert_int_equal(bs_start_body_read(bs_slice_of(bytes, sizeof(bytes)), &out), BS_CORRUPT);
}

static void clock_goes_round(void **state)
{
    (void)state;
    struct bs_clock_body in = {INT64_MIN, true}, out = {0};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    bs_clock_body_write(&in, bytes);
    assert_int_equal(bs_clock_body_read(bs_slice_of(bytes, sizeof(bytes)), &out), BS_OK);
    assert_int_equal(out.offset_ms, INT64_MIN);
    assert_true(out.stepped);
    bytes[8] = 2;
    assert_int_equal(bs_clock_body_read(bs_slice_of(bytes, sizeof(bytes)), &out), BS_CORRUPT);
    assert_int_equal(bs_clock_body_read(bs_slice_of(bytes, 8), &out), BS_CORRUPT);
}

static void points_go_round(void **state)
{
    (void)state;
    uint8_t bytes[BS_POINTS_HEAD_BYTES + 4];
    bs_points_head_write(UINT64_MAX - 1, 7, 9, bytes);
    memcpy(bytes + BS_POINTS_HEAD_BYTES, "a 1\n", 4);
    struct bs_points_body out;
    assert_int_equal(bs_points_body_read(bs_slice_of(bytes, sizeof(bytes)), &out), BS_OK);
    assert_true(out.origin == UINT64_MAX - 1);
    assert_int_equal(out.part, 7);
    assert_int_equal(out.points, 9);
    assert_true(bs_slice_equal(out.lines, BS_SLICE("a 1\n")));
    assert_int_equal(bs_points_body_read(bs_slice_of(bytes, BS_POINTS_HEAD_BYTES - 1), &out),
                     BS_CORRUPT);
}

/* Every length of the body, allocated to the byte so that a sanitizer sees one too far. */
static void message_stays_inside(void **state)
{
    (void)state;
    static const char text[] = "topic/corr{}";
    for (size_t length = 0; length < BS_MESSAGE_HEAD_BYTES + sizeof(text); length++) {
        uint8_t head[BS_MESSAGE_HEAD_BYTES];
        bs_message_head_write(6, 4, head);
        char *body = malloc(length ? length : 1);
        for (size_t i = 0; i < length; i++)
            body[i] = (char)(i < sizeof(head) ? head[i] : text[i - sizeof(head)]);
        struct bs_message_body out;
        enum bs_status status = bs_message_body_read(bs_slice_of(body, length), 0, &out);
        assert_int_equal(status, length < BS_MESSAGE_HEAD_BYTES + 10 ? BS_CORRUPT : BS_OK);
        if (status == BS_OK) {
            assert_true(bs_slice_equal(out.topic, BS_SLICE("topic/")));
            assert_true(bs_slice_equal(out.correlation, BS_SLICE("corr")));
            assert_int_equal(out.payload.length, length - BS_MESSAGE_HEAD_BYTES - 10);
        }
        free(body);
    }
}

static void a_digest_stands_for_a_payload(void **state)
{
    (void)state;
    char body[BS_MESSAGE_HEAD_BYTES + 10 + BS_DIGEST_BYTES] = {0};
    uint8_t head[BS_MESSAGE_HEAD_BYTES];
    bs_message_head_write(6, 4, head);
    memcpy(body, head, sizeof head);
    memcpy(body + sizeof head, "topic/corr", 10);
    memset(body + sizeof head + 10, 'd', BS_DIGEST_BYTES);
    struct bs_slice whole = bs_slice_of(body, sizeof body);
    struct bs_message_body out;
    assert_int_equal(bs_message_body_read(whole, 0, &out), BS_OK);
    assert_int_equal(out.payload.length, BS_DIGEST_BYTES);
    assert_int_equal(out.digest.length, 0);
    assert_int_equal(bs_message_body_read(whole, BS_RECORD_DIGESTED, &out), BS_OK);
    assert_int_equal(out.payload.length, 0);
    assert_int_equal(out.digest.length, BS_DIGEST_BYTES);
    assert_true(out.digest.at == body + sizeof head + 10);
    whole.length--;
    assert_int_equal(bs_message_body_read(whole, BS_RECORD_DIGESTED, &out), BS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_goes_round),
        cmocka_unit_test(clock_goes_round),
        cmocka_unit_test(points_go_round),
        cmocka_unit_test(message_stays_inside),
        cmocka_unit_test(a_digest_stands_for_a_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
