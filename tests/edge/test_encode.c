/* The three forms of a message, byte for byte and through the daemon's own decoder. Must never
 * take the encoder's word for what it wrote. */
#include "encode.h"

#include "backstep/base/random.h"
#include "backstep/core/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bs_event example(void)
{
    struct bs_event e = {.time_ms = 1795716000123,
                         .seq = 1842,
                         .foot = BS_FOOT_RIGHT,
                         .direction = BS_DIRECTION_BACKWARD};
    static const int64_t values[BS_FIELD_COUNT] = {582, 1168,  742, 397, 836,
                                                   279, -2532, 31,  40,  97};
    for (int f = 0; f < BS_FIELD_COUNT; f++)
        bs_event_set(&e, (enum bs_field)f, values[f]);
    return e;
}

static struct bs_buffer encoded(struct bs_encoding how, const struct bs_event *events, size_t count)
{
    struct bs_buffer b;
    bs_buffer_init(&b, BS_MESSAGE_BYTES_MAX);
    bs_encode(&how, 2882343476u, events, count, &b);
    assert_false(b.failed);
    return b;
}

static void expect_text(struct bs_buffer b, const char *text)
{
    bs_buffer_add_char(&b, '\0');
    assert_string_equal(b.at, text);
    bs_buffer_fini(&b);
}

static void test_json_has_every_known_key(void **state)
{
    (void)state;
    struct bs_event e = example();
    expect_text(encoded((struct bs_encoding){.form = BS_FORM_JSON}, &e, 1),
                "{\"v\":1,\"boot\":2882343476,\"seq\":1842,\"t\":1795716000123,\"foot\":\"R\","
                "\"dir\":\"B\",\"step_ms\":582,\"stride_ms\":1168,\"contact_ms\":742,"
                "\"step_mm\":397,\"stride_mm\":836,\"trunk_cdeg\":279,\"pitch_cdeg\":-2532,"
                "\"vo_mm\":31,\"impact_g16\":40,\"quality\":97}");
}

static void test_json_leaves_the_unknown_out(void **state)
{
    (void)state;
    struct bs_event e = {.time_ms = -5, .seq = 0};
    bs_event_set(&e, BS_FIELD_VO_MM, 0);
    expect_text(encoded((struct bs_encoding){BS_FORM_JSON, .up = true, .stored = true}, &e, 1),
                "{\"v\":1,\"boot\":2882343476,\"seq\":0,\"up\":-5,\"stored\":true,\"vo_mm\":0}");
}

static void test_batch_names_columns_once(void **state)
{
    (void)state;
    struct bs_event e[2] = {{.time_ms = 100, .seq = 7, .direction = BS_DIRECTION_FORWARD},
                            {.time_ms = 555, .seq = 8, .foot = BS_FOOT_LEFT}};
    bs_event_set(&e[0], BS_FIELD_STEP_MS, 447);
    bs_event_set(&e[1], BS_FIELD_STEP_MM, 641);
    expect_text(encoded((struct bs_encoding){.form = BS_FORM_BATCH}, e, 2),
                "{\"v\":1,\"boot\":2882343476,\"seq\":7,\"t\":100,"
                "\"columns\":[\"dt_ms\",\"foot\",\"dir\",\"step_ms\",\"step_mm\"],"
                "\"rows\":[[0,\"U\",\"F\",447,null],[455,\"L\",\"X\",null,641]]}");
}

static void test_binary_is_laid_out_as_published(void **state)
{
    (void)state;
    /* 24 bytes of header, one record, the CRC: packed by another program. */
    static const unsigned char expected[] = {
        0x42, 0x53, 0x01, 0x01, 0x34, 0x12, 0xcd, 0xab, 0x32, 0x07, 0x00, 0x00, 0x05, 0x00, 0x00,
        0x00, 0x7b, 0xa9, 0x03, 0x19, 0xa2, 0x01, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x28, 0x46, 0x02,
        0x90, 0x04, 0xe6, 0x02, 0x8d, 0x01, 0x06, 0xe7, 0x1f, 0x00, 0x92, 0x5b, 0xd3, 0xed};
    struct bs_event e = example();
    struct bs_buffer b = encoded((struct bs_encoding){.form = BS_FORM_BINARY, .up = true}, &e, 1);
    assert_int_equal(b.length, sizeof expected);
    assert_memory_equal(b.at, expected, sizeof expected);
    bs_buffer_fini(&b);
}

static void test_binary_cannot_hold_everything(void **state)
{
    (void)state;
    struct bs_event e = {.seq = 1};
    bs_event_set(&e, BS_FIELD_STEP_MS, 65535);
    bs_event_set(&e, BS_FIELD_STRIDE_MS, -1);
    bs_event_set(&e, BS_FIELD_VO_MM, 255);
    bs_event_set(&e, BS_FIELD_TRUNK_CDEG, 9000);
    bs_event_set(&e, BS_FIELD_PITCH_CDEG, -149);
    bs_event_set(&e, BS_FIELD_QUALITY, 49);
    struct bs_buffer b = encoded((struct bs_encoding){.form = BS_FORM_BINARY}, &e, 1);
    static struct bs_message m;
    assert_int_equal(bs_decode(bs_buffer_slice(&b), &m), BS_DECODED);
    const struct bs_step *s = &m.steps[0];
    assert_int_equal(s->known, 1u << BS_FIELD_PITCH_CDEG | 1u << BS_FIELD_QUALITY);
    assert_int_equal(s->value[BS_FIELD_PITCH_CDEG], -100);
    assert_int_equal(s->value[BS_FIELD_QUALITY], 0);
    bs_buffer_fini(&b);
}

static void test_only_what_follows_shares_a_message(void **state)
{
    (void)state;
    struct bs_event a = {.time_ms = 1000, .seq = 5}, b = {.time_ms = 1500, .seq = 6};
    assert_true(bs_encode_follows(BS_FORM_BATCH, &a, &b));
    b.time_ms = 999;
    assert_false(bs_encode_follows(BS_FORM_BATCH, &a, &b));
    b.time_ms = 1000 + 65536;
    assert_true(bs_encode_follows(BS_FORM_BATCH, &a, &b));
    assert_false(bs_encode_follows(BS_FORM_BINARY, &a, &b));
    b = (struct bs_event){.time_ms = 1500, .seq = 7};
    assert_false(bs_encode_follows(BS_FORM_BATCH, &a, &b));
    a.seq = UINT32_MAX;
    b.seq = 0;
    assert_false(bs_encode_follows(BS_FORM_BATCH, &a, &b));
}

static void draw_events(struct bs_random *r, struct bs_event *events, size_t count)
{
    static const struct {
        int64_t min, max;
    } ranges[BS_FIELD_COUNT] = {
#define RANGE(name, text, min, max) {min, max},
        BS_FIELDS(RANGE)
#undef RANGE
    };
    int64_t time_ms = 1795716000000;
    uint32_t seq = (uint32_t)bs_random_below(r, 1000000);
    for (size_t i = 0; i < count; i++) {
        events[i] = (struct bs_event){.time_ms = time_ms += (int64_t)bs_random_below(r, 3000),
                                      .seq = seq++,
                                      .foot = (uint8_t)bs_random_below(r, 3),
                                      .direction = (uint8_t)bs_random_below(r, BS_DIRECTION_COUNT)};
        for (int f = 0; f < BS_FIELD_COUNT; f++) {
            if (bs_random_below(r, 4) == 0)
                continue;
            uint64_t width = (uint64_t)(ranges[f].max - ranges[f].min + 1);
            bs_event_set(&events[i], (enum bs_field)f,
                         ranges[f].min + (int64_t)bs_random_below(r, width));
        }
    }
}

static void expect_decoded(struct bs_encoding how, const struct bs_event *events, size_t count)
{
    static struct bs_message m;
    struct bs_buffer b = encoded(how, events, count);
    assert_int_equal(bs_decode(bs_buffer_slice(&b), &m), BS_DECODED);
    bs_buffer_fini(&b);
    assert_int_equal(m.count, count);
    assert_int_equal(m.boot, 2882343476u);
    assert_int_equal(m.uses_up, how.up);
    assert_int_equal(m.stored, how.stored);
    assert_int_equal(m.field_out_of_range, 0);
    assert_int_equal(m.unknown_keys, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(m.steps[i].time_ms, events[i].time_ms);
        assert_int_equal(m.steps[i].seq, events[i].seq);
        assert_int_equal(m.steps[i].foot, events[i].foot);
        assert_int_equal(m.steps[i].direction, events[i].direction);
        if (how.form == BS_FORM_BINARY)
            continue;
        assert_int_equal(m.steps[i].known, events[i].known);
        for (int f = 0; f < BS_FIELD_COUNT; f++) {
            if (bs_event_has(&events[i], (enum bs_field)f))
                assert_int_equal(m.steps[i].value[f], events[i].value[f]);
        }
    }
}

static void test_the_daemon_reads_what_is_written(void **state)
{
    (void)state;
    const char *given = getenv("BACKSTEP_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    printf("seed %llu (BACKSTEP_TEST_SEED)\n", (unsigned long long)seed);
    struct bs_random r;
    bs_random_init(&r, seed);
    static struct bs_event events[256];
    for (int round = 0; round < 300; round++) {
        struct bs_encoding how = {(enum bs_form)(round % 3), round % 5 == 0, round % 7 == 0};
        size_t count = 1 + bs_random_below(&r, bs_encode_max(how.form));
        draw_events(&r, events, count);
        expect_decoded(how, events, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_has_every_known_key),
        cmocka_unit_test(test_json_leaves_the_unknown_out),
        cmocka_unit_test(test_batch_names_columns_once),
        cmocka_unit_test(test_binary_is_laid_out_as_published),
        cmocka_unit_test(test_binary_cannot_hold_everything),
        cmocka_unit_test(test_only_what_follows_shares_a_message),
        cmocka_unit_test(test_the_daemon_reads_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
