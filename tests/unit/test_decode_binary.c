/* Binary step messages: single bytes of a good batch are changed, each with its expected end. */
#include "backstep/core/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#define OK     BS_DECODED
#define BAD    BS_DECODE_MALFORMED
#define SCHEMA BS_DECODE_SCHEMA

static struct bs_message message;

/* From memory of exactly its size, so that the sanitizer sees a byte read too far. */
static enum bs_decode_result decode(const unsigned char *bytes, size_t length)
{
    unsigned char *exact = malloc(length ? length : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    memset(&message, 0xa5, sizeof message);
    enum bs_decode_result result = bs_decode(bs_slice_of(exact, length), &message);
    free(exact);
    return result;
}

/* Two records: the first with all there is, the second with nothing known. */
#define BATCH_BYTES (24 + 2 * 16)
static const unsigned char batch[BATCH_BYTES + 4] = {
    'B',
    'S',
    1,
    2,
    0x34,
    0x12,
    0xcd,
    0xab,
    10,
    0,
    0,
    0,
    2,
    0,
    0,
    0,
    0xe8,
    3,
    0,
    0,
    0,
    0,
    0,
    0,
    /* dt 5, left backward low, 40 */
    5,
    0,
    0x49,
    40,
    0x46,
    0x02,
    0x90,
    0x04,
    0xe6,
    0x02,
    0x8d,
    0x01,
    10,
    0xe7,
    31,
    0,
    /* dt 65535 */
    0xff,
    0xff,
    0,
    255,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0x80,
    0x80,
    255,
    0,
};

static void test_a_batch(void **state)
{
    (void)state;
    assert_int_equal(decode(batch, BATCH_BYTES), OK);
    assert_int_equal(message.count, 2);
    assert_int_equal(message.boot, 0xabcd1234);
    assert_true(message.stored);
    assert_false(message.uses_up);
    assert_int_equal(message.unknown_keys, 0);
    assert_int_equal(message.field_out_of_range, 0);
    const struct bs_step *s = message.steps;
    assert_int_equal(s[0].seq, 10);
    assert_int_equal(s[0].time_ms, 1005);
    assert_int_equal(s[0].foot, BS_FOOT_LEFT);
    assert_int_equal(s[0].direction, BS_DIRECTION_BACKWARD);
    static const int16_t values[BS_FIELD_COUNT] = {582, 1168, 742, 397, 0, 500, -2500, 31, 40, 0};
    assert_int_equal(s[0].known, ((1 << BS_FIELD_COUNT) - 1) & ~(1 << BS_FIELD_STRIDE_MM));
    assert_memory_equal(s[0].value, values, sizeof values);
    assert_int_equal(s[1].seq, 11);
    assert_int_equal(s[1].time_ms, 1005 + 65535);
    assert_int_equal(s[1].known | s[1].foot | s[1].direction, 0);
}

struct change {
    unsigned offset;
    unsigned char byte;
    enum bs_decode_result result;
    uint32_t dropped;
};

static void test_changed_bytes(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {0, 'b', BAD, 0},      {1, 's', BAD, 0},      {2, 0, SCHEMA, 0},     {2, 2, SCHEMA, 0},
        {3, 0, BAD, 0},        {3, 1, BAD, 0},        {3, 3, BAD, 0},        {12, 0, OK, 0},
        {12, 3, OK, 0},        {12, 6, BAD, 0},       {12, 8, BAD, 0},       {12, 0x80, BAD, 0},
        {13, 1, BAD, 0},       {14, 1, BAD, 0},       {15, 0x80, BAD, 0},    {22, 0x1f, OK, 0},
        {22, 0x20, SCHEMA, 0}, {23, 0x80, SCHEMA, 0}, {23, 0xff, SCHEMA, 0}, {26, 0xc9, BAD, 0},
        {39, 1, BAD, 0},       {55, 0x80, BAD, 0},    {26, 0x4b, OK, 1},     {26, 0x61, OK, 0},
        {26, 0x65, OK, 1},     {26, 0x7d, OK, 1},     {26, 0x7f, OK, 2},     {26, 0x09, OK, 0},
        {27, 254, OK, 0},      {27, 255, OK, 0},      {29, 0, OK, 1},        {29, 0x80, OK, 1},
        {31, 0xff, OK, 1},     {33, 0xff, OK, 1},     {35, 0xff, OK, 1},     {36, 120, OK, 0},
        {36, 121, OK, 1},      {36, 0xa6, OK, 0},     {36, 0xa5, OK, 1},     {36, 0x81, OK, 1},
        {36, 0x80, OK, 0},     {37, 60, OK, 0},       {37, 61, OK, 1},       {37, 0xc4, OK, 0},
        {37, 0xc3, OK, 1},     {37, 0x80, OK, 0},     {38, 254, OK, 0},      {38, 255, OK, 0},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unsigned char bytes[BATCH_BYTES];
        memcpy(bytes, batch, sizeof bytes);
        bytes[changes[i].offset] = changes[i].byte;
        enum bs_decode_result got = decode(bytes, sizeof bytes);
        if (got != changes[i].result)
            fail_msg("byte %u = %u: result %d, expected %d", changes[i].offset, changes[i].byte,
                     got, changes[i].result);
        if (got == OK && message.field_out_of_range != changes[i].dropped)
            fail_msg("byte %u = %u: dropped %u, expected %u", changes[i].offset, changes[i].byte,
                     message.field_out_of_range, changes[i].dropped);
    }
}

static void test_what_stands_for_a_dropped_mark(void **state)
{
    (void)state;
    unsigned char bytes[BATCH_BYTES];
    memcpy(bytes, batch, sizeof bytes);
    bytes[26] = 0x7f;
    assert_int_equal(decode(bytes, sizeof bytes), OK);
    assert_int_equal(message.steps[0].foot, BS_FOOT_UNKNOWN);
    assert_int_equal(message.steps[0].direction, BS_DIRECTION_UNKNOWN);
    bytes[26] = 8 << 2 | 2;
    assert_int_equal(decode(bytes, sizeof bytes), OK);
    assert_int_equal(message.steps[0].foot, BS_FOOT_RIGHT);
    assert_int_equal(message.steps[0].direction, BS_DIRECTION_ON_THE_SPOT);
    assert_false(bs_step_has(&message.steps[0], BS_FIELD_QUALITY));
}

static void test_every_length(void **state)
{
    (void)state;
    for (size_t length = 0; length <= sizeof batch; length++)
        assert_int_equal(decode(batch, length), length == BATCH_BYTES ? OK : BAD);
}

static void test_identity_and_time(void **state)
{
    (void)state;
    unsigned char bytes[BATCH_BYTES];
    memcpy(bytes, batch, sizeof bytes);
    memcpy(bytes + 8, "\xfe\xff\xff\xff", 4);
    assert_int_equal(decode(bytes, sizeof bytes), OK);
    assert_int_equal(message.steps[1].seq, UINT32_MAX);
    bytes[8] = 0xff;
    assert_int_equal(decode(bytes, sizeof bytes), SCHEMA);
    memcpy(bytes, batch, sizeof bytes);
    memcpy(bytes + 16, "\0\0\0\0\0\0\xe0\xff", 8);
    assert_int_equal(decode(bytes, sizeof bytes), OK);
    assert_true(message.steps[0].time_ms == 5 - BS_TIME_ABS_MAX);
    memcpy(bytes + 16, "\xff\xff\xff\xff\xff\xff\xdf\xff", 8);
    assert_int_equal(decode(bytes, sizeof bytes), SCHEMA);
    memcpy(bytes + 16, "\xfc\xff\xfe\xff\xff\xff\x1f\0", 8); /* 2^53 - 65540 */
    assert_int_equal(decode(bytes, sizeof bytes), OK);
    assert_true(message.steps[1].time_ms == BS_TIME_ABS_MAX);
    bytes[16]++;
    assert_int_equal(decode(bytes, sizeof bytes), SCHEMA);
}

static void test_checksum(void **state)
{
    (void)state;
    unsigned char bytes[sizeof batch];
    memcpy(bytes, batch, sizeof bytes);
    bytes[12] |= 4;
    uLong crc = crc32(0, bytes, BATCH_BYTES);
    for (unsigned i = 0; i < 4; i++)
        bytes[BATCH_BYTES + i] = (unsigned char)(crc >> 8 * i);
    assert_int_equal(decode(bytes, sizeof bytes), OK);
    assert_int_equal(decode(bytes, BATCH_BYTES), BAD);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 0x10;
        assert_int_equal(decode(bytes, sizeof bytes), BAD);
        bytes[i] ^= 0x10;
    }
}

static void test_most_records(void **state)
{
    (void)state;
    static unsigned char bytes[24 + 255 * 16];
    memcpy(bytes, batch, 24);
    bytes[3] = 255;
    for (int i = 0; i < 255; i++)
        memcpy(bytes + 24 + 16 * i, batch + 24, 16);
    assert_int_equal(decode(bytes, sizeof bytes), OK);
    assert_int_equal(message.count, 255);
    assert_int_equal(message.steps[254].seq, 264);
    assert_int_equal(message.steps[254].time_ms, 1000 + 255 * 5);
    assert_int_equal(decode(bytes, sizeof bytes - 1), BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch),
        cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_what_stands_for_a_dropped_mark),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_identity_and_time),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_most_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
