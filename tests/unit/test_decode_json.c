/* JSON step messages: what is rejected, and why; what is dropped and counted; what is read. */
#include "backstep/core/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ID     "\"v\":1,\"boot\":7,\"seq\":3,\"t\":1795716000123"
#define COLS   ",\"columns\":[\"dt_ms\",\"foot\"],\"rows\":"
#define X8(s)  s s s s s s s s
#define X64(s) X8(X8(s))
#define OK     BS_DECODED
#define BAD    BS_DECODE_MALFORMED
#define SCHEMA BS_DECODE_SCHEMA
#define LARGE  BS_DECODE_TOO_LARGE

static struct bs_message message;

/* From memory of exactly its size, so that the sanitizer sees a byte read too far. */
static enum bs_decode_result decode(const char *text, size_t length)
{
    char *exact = malloc(length ? length : 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    memset(&message, 0xa5, sizeof message);
    enum bs_decode_result result = bs_decode(bs_slice_of(exact, length), &message);
    free(exact);
    return result;
}

static void expect(const char *text, enum bs_decode_result expected)
{
    enum bs_decode_result got = decode(text, strlen(text));
    if (got != expected)
        fail_msg("%.200s: result %d, expected %d", text, got, expected);
}

static void expect_counts(const char *text, uint32_t unknown, uint32_t dropped)
{
    expect(text, OK);
    if (message.unknown_keys != unknown || message.field_out_of_range != dropped)
        fail_msg("%.200s: unknown %u, dropped %u; expected %u, %u", text, message.unknown_keys,
                 message.field_out_of_range, unknown, dropped);
}

static void test_the_full_single(void **state)
{
    (void)state;
    static const int16_t values[BS_FIELD_COUNT] = {582, 1168,  742, 397, 836,
                                                   279, -2532, 31,  40,  97};
    expect_counts("{\"v\":1,\"boot\":2882343476,\"seq\":1842,\"t\":1795716000123,\"foot\":\"R\","
                  "\"dir\":\"B\",\n \"step_ms\":582,\"stride_ms\":1168,\"contact_ms\":742,"
                  "\"step_mm\":397,\"stride_mm\":836,\n \"trunk_cdeg\":279,\"pitch_cdeg\":-2532,"
                  "\"vo_mm\":31,\"impact_g16\":40,\"quality\":97}",
                  0, 0);
    const struct bs_step *s = &message.steps[0];
    assert_int_equal(message.count, 1);
    assert_int_equal(message.boot, 2882343476);
    assert_false(message.uses_up);
    assert_false(message.stored);
    assert_int_equal(s->seq, 1842);
    assert_int_equal(s->time_ms, 1795716000123);
    assert_int_equal(s->foot, BS_FOOT_RIGHT);
    assert_int_equal(s->direction, BS_DIRECTION_BACKWARD);
    for (int f = 0; f < BS_FIELD_COUNT; f++) {
        assert_true(bs_step_has(s, (enum bs_field)f));
        assert_int_equal(s->value[f], values[f]);
    }
}

static void test_the_least_single(void **state)
{
    (void)state;
    expect_counts(" \t\r\n{ \"up\" : -0 , \"seq\" : 0 , \"boot\" : 0 , \"v\" : 1 } \r\n\t", 0, 0);
    const struct bs_step *s = &message.steps[0];
    assert_true(message.uses_up);
    assert_int_equal(s->time_ms, 0);
    assert_int_equal(s->seq, 0);
    assert_int_equal(s->foot, BS_FOOT_UNKNOWN);
    assert_int_equal(s->direction, BS_DIRECTION_UNKNOWN);
    assert_int_equal(s->known, 0);
    expect("{\"v\":1,\"boot\":4294967295,\"seq\":4294967295,\"t\":9007199254740992}", OK);
    assert_int_equal(message.steps[0].seq, UINT32_MAX);
    expect("{\"v\":1,\"boot\":1,\"seq\":1,\"t\":-9007199254740992,\"stored\":true}", OK);
    assert_true(message.stored);
    assert_true(message.steps[0].time_ms == -BS_TIME_ABS_MAX);
}

static const char *const not_json[] = {
    "",
    " ",
    "x",
    "[]",
    "1",
    "null",
    "\"v\"",
    "{",
    "}",
    "B",
    "BX",
    "[{" ID "}]",
    "{" ID,
    "{" ID "}x",
    "{" ID "}}",
    "{" ID "} {",
    "{" ID ",}",
    "{," ID "}",
    "{" ID ",,\"x\":1}",
    "{" ID " \"x\":1}",
    "{" ID ",\"x\"}",
    "{" ID ",\"x\":}",
    "{" ID ",\"x\" 1}",
    "{" ID ",x:1}",
    "{" ID ",'x':1}",
    "{" ID ",1:1}",
    "{" ID ",\"x\":01}",
    "{" ID ",\"x\":-}",
    "{" ID ",\"x\":+1}",
    "{" ID ",\"x\":-01}",
    "{" ID ",\"x\":1.}",
    "{" ID ",\"x\":.5}",
    "{" ID ",\"x\":1e}",
    "{" ID ",\"x\":1e+}",
    "{" ID ",\"x\":1.e3}",
    "{" ID ",\"x\":0x1}",
    "{" ID ",\"x\":1 2}",
    "{" ID ",\"x\":NaN}",
    "{" ID ",\"x\":Infinity}",
    "{" ID ",\"x\":tru}",
    "{" ID ",\"x\":TRUE}",
    "{" ID ",\"x\":truex}",
    "{" ID ",\"x\":nul",
    "{" ID ",\"x\":\"a}",
    "{" ID ",\"x\":\"\\\"}",
    "{" ID ",\"x\":\"\\q\"}",
    "{" ID ",\"x\":\"\\u12g4\"}",
    "{" ID ",\"x\":\"\\u123\"}",
    "{" ID ",\"x\":\"\\ud800\"}",
    "{" ID ",\"x\":\"\\udc00\"}",
    "{" ID ",\"x\":\"\\ud800\\n\"}",
    "{" ID ",\"x\":\"\\ud800\\ud800\"}",
    "{" ID ",\"x\":\"\\ud800\\u",
    "{" ID ",\"x\":\"a\nb\"}",
    "{" ID ",\"x\":\"a\tb\"}",
    "{" ID ",\"x\":\"\x01\"}",
    "{" ID ",\"x\":[}",
    "{" ID ",\"x\":[1,]}",
    "{" ID ",\"x\":[,1]}",
    "{" ID ",\"x\":[1 2]}",
    "{" ID ",\"x\":{\"a\"}}",
    "{" ID ",\"x\":{\"a\":1,}}",
    "{" ID ",\"x\":{1:1}}",
    "{" ID ",\"x\":[1}}",
    "{" ID ",\"x\":{\"a\":1]}",
    "{" ID ",\"x\":[[]}",
    "{" ID "/**/}",
    "{" ID ",\"x\":1}//",
    "\xef\xbb\xbf{" ID "}",
    "{" ID "}\x0b",
    "\f{" ID "}",
    /* not UTF-8: stray, overlong, surrogate, above the last, cut off */
    "{" ID ",\"x\":\"\x80\"}",
    "{" ID ",\"x\":\"\xc0\xaf\"}",
    "{" ID ",\"x\":\"\xed\xa0\x80\"}",
    "{" ID ",\"x\":\"\xf4\x90\x80\x80\"}",
    "{" ID ",\"x\":\"\xe2\x82\"}",
    "{" ID ",\"\xff\":1}",
    "{" ID ",\"abcdefghijkl\xc3\":1}",
    "{" ID ",\"x\":\xc3\xa4}",
    /* a fault of schema first, of syntax later */
    "{\"v\":2,\"boot\":7,\"seq\":3,\"t\":1",
    "{\"v\":1,\"v\":1 \"boot\":1}",
    "{\"seq\":-1,\"x\":[}",
    "{" ID COLS "[[0]],\"x\":tru}",
    "{" ID COLS "[[0,\"L\"]}",
    "{" ID COLS "[[0,\"L\"]",
    "{" ID COLS "[[",
    "{" ID COLS "[[0,\"L\"],]}",
    "{" ID COLS "[[0,\"L\"] [0,\"L\"]]}",
    "{" ID COLS "[[0,,1]]}",
    "{" ID COLS "[[0,1,]]}",
    "{" ID ",\"rows\":[[0,]],\"columns\":[\"dt_ms\"]}",
    "{" ID ",\"columns\":[\"dt_ms\",],\"rows\":[[0]]}",
    "{" ID ",\"columns\":[\"dt_ms\"",
    "{" ID ",\"columns\":[",
    "{" ID ",\"columns\":",
    "{" ID ",\"rows\":",
    /* too deep: 64 levels are the most, the outer object is one of them */
    "{" ID ",\"x\":" X64("["),
    "{" ID ",\"x\":" X64("[") X64("]") "}",
    "{" ID ",\"x\":" X64("{\"a\":") "1" X64("}") "}",
};

static void test_not_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof not_json / sizeof *not_json; i++)
        expect(not_json[i], BAD);
}

static void test_embedded_zeros(void **state)
{
    (void)state;
    static const char in_string[] = "{" ID ",\"x\":\"a\0b\"}", behind[] = "{" ID "}\0";
    assert_int_equal(decode(in_string, sizeof in_string - 1), BAD);
    assert_int_equal(decode(behind, sizeof behind - 1), BAD);
}

static const char *const another_shape[] = {
    "{}",
    "{\"boot\":7,\"seq\":3,\"t\":1}",
    "{\"v\":1,\"seq\":3,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"seq\":3}",
    "{\"v\":2,\"boot\":7,\"seq\":3,\"t\":1}",
    "{\"v\":0,\"boot\":7,\"seq\":3,\"t\":1}",
    "{\"v\":\"1\",\"boot\":7,\"seq\":3,\"t\":1}",
    "{\"v\":1.0,\"boot\":7,\"seq\":3,\"t\":1}",
    "{\"v\":null,\"boot\":7,\"seq\":3,\"t\":1}",
    "{\"v\":true,\"boot\":7,\"seq\":3,\"t\":1}",
    "{\"v\":1,\"boot\":-1,\"seq\":3,\"t\":1}",
    "{\"v\":1,\"boot\":4294967296,\"seq\":3,\"t\":1}",
    "{\"v\":1,\"boot\":\"7\",\"seq\":3,\"t\":1}",
    "{\"v\":1,\"boot\":[7],\"seq\":3,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"seq\":-1,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"seq\":4294967296,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"seq\":3.0,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"seq\":3e0,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"seq\":18446744073709551619,\"t\":1}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":9007199254740993}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":-9007199254740993}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":" X64("9") "}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":1e3}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":-18446744073709551617}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":null}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":\"1\"}",
    "{" ID ",\"up\":1}",
    "{" ID ",\"up\":null}",
    "{\"v\":1,\"boot\":7,\"seq\":3,\"t\":null,\"up\":1}",
    /* twice: known, known by escapes, unknown, unknown by escapes, many unknown */
    "{" ID ",\"seq\":3}",
    "{" ID ",\"foot\":\"L\",\"foot\":\"L\"}",
    "{" ID ",\"\\u0073eq\":3}",
    "{" ID ",\"x\":1,\"x\":1}",
    "{" ID ",\"x\":1,\"\\u0078\":1}",
    "{" ID ",\"\":1,\"\":2}",
    "{" ID ",\"\xc3\xa4\":1,\"\\u00e4\":1}",
    "{" ID ",\"\xf0\x9d\x84\x9e\":1,\"\\ud834\\udd1e\":1}",
    "{" ID ",\"dt_ms\":1,\"dt_ms\":1}",
    "{" ID ",\"stored\":true,\"stored\":true}",
    "{" ID
    ",\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"j\":1}",
    "{" ID
    ",\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"a\":1}",
    "{" ID ",\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":[[]],"
    "\"k\":{\"k\":1},\"\\u006a\":1}",
    /* batch: one of the two alone, mistyped, twice */
    "{" ID ",\"rows\":[[0]]}",
    "{" ID ",\"columns\":[\"dt_ms\"]}",
    "{" ID ",\"rows\":1}",
    "{" ID ",\"columns\":null}",
    "{" ID ",\"columns\":{},\"rows\":[[0]]}",
    "{" ID ",\"columns\":[\"dt_ms\"],\"rows\":{}}",
    "{" ID COLS "[[0,\"L\"]],\"rows\":[[0,\"L\"]]}",
    "{" ID ",\"columns\":[],\"rows\":[[]]}",
    "{" ID ",\"columns\":[],\"rows\":[[0]]}",
    "{" ID ",\"columns\":[\"foot\"],\"rows\":[[\"L\"]]}",
    "{" ID ",\"columns\":[\"dt_ms\",1],\"rows\":[[0,1]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"dt_ms\"],\"rows\":[[0,0]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"foot\",\"\\u0066oot\"],\"rows\":[[0,\"L\",\"L\"]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"x\",\"x\"],\"rows\":[[0,1,1]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"i\"],"
    "\"rows\":[[0,0,0,0,0,0,0,0,0,0,0]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"v\"],\"rows\":[[0,1]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"boot\"],\"rows\":[[0,1]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"seq\"],\"rows\":[[0,1]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"t\"],\"rows\":[[0,1]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"up\"],\"rows\":[[0,1]]}",
    "{" ID ",\"columns\":[\"dt_ms\",\"stored\"],\"rows\":[[0,true]]}",
    "{" ID COLS "[]}",
    "{" ID COLS "[[]]}",
    "{" ID COLS "[[0]]}",
    "{" ID COLS "[[0,\"L\",1]]}",
    "{" ID COLS "[[0,\"L\"],[0]]}",
    "{" ID COLS "[1]}",
    "{" ID COLS "[[0,\"L\"],null]}",
    "{" ID COLS "[[null,\"L\"]]}",
    "{" ID COLS "[[-1,\"L\"]]}",
    "{" ID COLS "[[3600001,\"L\"]]}",
    "{" ID COLS "[[\"0\",\"L\"]]}",
    "{" ID COLS "[[0.0,\"L\"]]}",
    "{" ID COLS "[[[0],\"L\"]]}",
    "{\"v\":1,\"boot\":7,\"seq\":4294967295,\"t\":1" COLS "[[0,\"L\"],[0,\"R\"]]}",
    "{\"v\":1,\"boot\":7,\"seq\":1,\"t\":9007199254740992" COLS "[[1,\"L\"]]}",
    "{\"v\":1,\"boot\":7,\"t\":1" COLS "[[1,\"L\"]]}",
};

static void test_json_of_another_shape(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof another_shape / sizeof *another_shape; i++)
        expect(another_shape[i], SCHEMA);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" ID ",\"x\":1}",
        "{" ID ",\"x\":1,\"y\":2,\"X\":3}",
        "{" ID ",\"dt_ms\":1}",
        "{" ID ",\"Seq\":1,\"step_m\":1,\"step_mss\":1,\"impact_g16x\":1}",
        "{" ID ",\"x\":[1,{\"a\":[],\"a\":{}},\"\\ud834\\udd1e\",-1.5e-7,true,false,null]}",
        "{" ID ",\"x\":1e999999999,\"y\":-0.0,\"\":\"\xf4\x8f\xbf\xbf\xc3\xa4\\u0000\"}",
        "{" ID ",\"x\":[[[]],[[],[]],{\"a\":{}}] }",
        "{" ID COLS "[[0,\"L\"]],\"x\":1}",
        "{" ID COLS "[[0,\"L\"]],\"foot\":\"Q\",\"step_ms\":\"a\"}",
        "{" ID
        ",\"columns\":[\"x\",\"dt_ms\",\"rows\"],\"rows\":[[[{}],0,{\"a\":[1]}],[null,1,2]]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_counts(texts[i], 1, 0);
    assert_int_equal(message.count, 2);
    assert_int_equal(message.steps[1].time_ms, 1795716000124);
}

static void test_depth(void **state)
{
    (void)state;
    char text[512];
    for (int levels = 60; levels <= 66; levels++) {
        int length = snprintf(text, sizeof text, "{%s,\"x\":", ID);
        memset(text + length, '[', (size_t)levels);
        memset(text + length + levels, ']', (size_t)levels);
        text[length + 2 * levels] = '}';
        text[length + 2 * levels + 1] = 0;
        expect(text, levels <= 63 ? OK : BAD);
    }
    /* In a cell the same depth is too much, whichever of columns and rows comes first. */
    for (int order = 0; order < 2; order++)
        for (int levels = 60; levels <= 63; levels++) {
            char open[64] = {0}, close[64] = {0};
            memset(open, '[', (size_t)levels);
            memset(close, ']', (size_t)levels);
            snprintf(text, sizeof text, "{%s%s,\"rows\":[[0,%s%s]]%s}", ID,
                     order ? "" : ",\"columns\":[\"dt_ms\",\"x\"]", open, close,
                     order ? ",\"columns\":[\"dt_ms\",\"x\"]" : "");
            expect(text, levels <= 61 ? OK : BAD);
        }
}

static void test_what_is_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        uint32_t dropped;
    } rows[] = {
        {"\"foot\":\"Q\"", 1},
        {"\"foot\":\"\"", 1},
        {"\"foot\":\"LL\"", 1},
        {"\"foot\":\"l\"", 1},
        {"\"foot\":1", 1},
        {"\"foot\":null", 1},
        {"\"foot\":[\"L\"]", 1},
        {"\"foot\":\"U\"", 0},
        {"\"foot\":\"\\u004c\"", 0},
        {"\"foot\":\"\\u0000\"", 1},
        {"\"foot\":\"\xc3\xa4\"", 1},
        {"\"dir\":\"Q\"", 1},
        {"\"dir\":\"X\"", 0},
        {"\"dir\":\"b\"", 1},
        {"\"dir\":false", 1},
        {"\"dir\":\"\\u0042\"", 0},
        {"\"dir\":{}", 1},
        {"\"dir\":\"BB\"", 1},
        {"\"step_ms\":582.5", 1},
        {"\"step_ms\":582.0", 1},
        {"\"step_ms\":5e2", 1},
        {"\"step_ms\":\"582\"", 1},
        {"\"step_ms\":null", 1},
        {"\"step_ms\":true", 1},
        {"\"step_ms\":[582]", 1},
        {"\"step_ms\":139", 1},
        {"\"step_ms\":140", 0},
        {"\"step_ms\":2200", 0},
        {"\"step_ms\":2201", 1},
        {"\"step_ms\":0", 1},
        {"\"step_ms\":-582", 1},
        {"\"step_ms\":66118", 1},
        {"\"step_ms\":4294967878", 1},
        {"\"step_ms\":18446744073709552198", 1},
        {"\"vo_mm\":0", 0},
        {"\"vo_mm\":-0", 0},
        {"\"vo_mm\":-1", 1},
        {"\"pitch_cdeg\":-6000", 0},
        {"\"pitch_cdeg\":-6001", 1},
        {"\"impact_g16\":256", 0},
        {"\"impact_g16\":257", 1},
        {"\"quality\":100", 0},
        {"\"quality\":101", 1},
        {"\"stored\":1", 1},
        {"\"stored\":\"true\"", 1},
        {"\"stored\":null", 1},
        {"\"stored\":false", 0},
        {"\"foot\":1,\"dir\":1,\"step_ms\":1,\"stored\":1", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        snprintf(text, sizeof text, "{%s,%s}", ID, rows[i].member);
        expect_counts(text, 0, rows[i].dropped);
        assert_false(message.stored);
        if (rows[i].dropped)
            assert_int_equal(
                message.steps[0].known | message.steps[0].foot | message.steps[0].direction, 0);
    }
}

static void test_every_field_and_its_range(void **state)
{
    (void)state;
    for (int f = 0; f < BS_FIELD_COUNT; f++)
        for (int v = bs_field_ranges[f].min - 1; v <= bs_field_ranges[f].max + 1;
             v += bs_field_ranges[f].max - bs_field_ranges[f].min + 1) {
            for (int step = 0; step < 2; step++) {
                char text[256];
                int value = v + step;
                bool fits = value >= bs_field_ranges[f].min && value <= bs_field_ranges[f].max;
                snprintf(text, sizeof text, "{%s,\"%s\":%d}", ID, bs_field_ranges[f].name, value);
                expect_counts(text, 0, !fits);
                assert_int_equal(message.steps[0].known, fits ? 1 << f : 0);
                if (fits)
                    assert_int_equal(message.steps[0].value[f], value);
            }
        }
}

static void test_a_batch(void **state)
{
    (void)state;
    expect_counts("{" ID ",\"columns\":[\"dt_ms\",\"foot\",\"dir\",\"step_ms\",\"contact_ms\","
                  "\"step_mm\",\"trunk_cdeg\",\"pitch_cdeg\",\"vo_mm\"],"
                  "\"rows\":[[5,\"R\",\"F\",447,545,641,130,2662,38],"
                  "[455,null,null,null,null,null,null,null,null],"
                  "[3600000,\"Q\",1,0,1.5,\"x\",[],{\"a\":[1]},true]],\"stored\":true}",
                  0, 8);
    assert_int_equal(message.count, 3);
    assert_true(message.stored);
    const struct bs_step *s = message.steps;
    assert_int_equal(s[0].seq, 3);
    assert_int_equal(s[0].time_ms, 1795716000128);
    assert_int_equal(s[0].foot, BS_FOOT_RIGHT);
    assert_int_equal(s[0].direction, BS_DIRECTION_FORWARD);
    assert_int_equal(s[0].value[BS_FIELD_PITCH_CDEG], 2662);
    assert_int_equal(s[1].seq, 4);
    assert_int_equal(s[1].time_ms, 1795716000583);
    assert_int_equal(s[1].known | s[1].foot | s[1].direction, 0);
    assert_int_equal(s[2].time_ms, 1795719600583);
    assert_int_equal(s[2].known | s[2].foot | s[2].direction, 0);
}

static void test_a_batch_in_any_order(void **state)
{
    (void)state;
    expect_counts(
        " {\"rows\" : [ [ \"L\" , 10 ] , [ \"R\" , 20 ] ] , \"up\" : 100 , \"stored\" : 0,"
        "\"columns\" : [ \"\\u0066oot\" , \"dt_ms\" ] , \"seq\" : 4294967294 , "
        "\"boot\":1,\"v\":1}",
        0, 1);
    assert_int_equal(message.count, 2);
    assert_true(message.uses_up);
    assert_int_equal(message.steps[0].time_ms, 110);
    assert_int_equal(message.steps[1].time_ms, 130);
    assert_int_equal(message.steps[0].foot, BS_FOOT_LEFT);
    assert_int_equal(message.steps[1].foot, BS_FOOT_RIGHT);
    assert_int_equal(message.steps[1].seq, UINT32_MAX);
}

/* A message of `count` rows; with `tail` in place of what ends it. */
static enum bs_decode_result decode_rows(int count, const char *tail)
{
    static char text[BS_MESSAGE_BYTES_MAX];
    int length = snprintf(text, sizeof text, "{%s%s[", ID, COLS);
    for (int i = 0; i < count; i++)
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "%s[1,\"L\"]", i ? "," : "");
    length += snprintf(text + length, sizeof text - (size_t)length, "%s", tail);
    return decode(text, (size_t)length);
}

static void test_too_large(void **state)
{
    (void)state;
    assert_int_equal(decode_rows(256, "]}"), OK);
    assert_int_equal(message.count, 256);
    assert_int_equal(message.steps[255].time_ms, 1795716000123 + 256);
    assert_int_equal(decode_rows(257, "]}"), LARGE);
    assert_int_equal(decode_rows(1000, ",[]],\"seq\":-1}"), LARGE);
    assert_int_equal(decode_rows(257, "]"), BAD);
    static char big[BS_MESSAGE_BYTES_MAX + 1];
    memset(big, ' ', sizeof big);
    memcpy(big, "{" ID "}", sizeof "{" ID "}" - 1);
    assert_int_equal(decode(big, sizeof big - 1), OK);
    assert_int_equal(decode(big, sizeof big), LARGE);
    memset(big, 'x', sizeof big);
    assert_int_equal(decode(big, sizeof big), LARGE);
}

/* As many names as fit, the last one perhaps a second time. */
static enum bs_decode_result decode_many(bool columns, bool twice)
{
    static char text[BS_MESSAGE_BYTES_MAX];
    int length = snprintf(text, sizeof text, "{%s%s", ID, columns ? ",\"columns\":[\"dt_ms\"" : "");
    int last = columns ? 7000 : 6000;
    for (int i = 0; i <= last; i++) {
        int number = i == last && twice ? 1234 : i;
        const char *form = columns ? ",\"%04x\"" : ",\"%04x\":1";
        length += snprintf(text + length, sizeof text - (size_t)length, form, number);
    }
    if (columns)
        length += snprintf(text + length, sizeof text - (size_t)length, "],\"rows\":[[0");
    for (int i = 0; columns && i <= last; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, ",0");
    length += snprintf(text + length, sizeof text - (size_t)length, columns ? "]]}" : "}");
    assert_true((size_t)length < sizeof text);
    return decode(text, (size_t)length);
}

static void test_many_unknown_names(void **state)
{
    (void)state;
    assert_int_equal(decode_many(false, false), OK);
    assert_int_equal(message.unknown_keys, 1);
    assert_int_equal(decode_many(false, true), SCHEMA);
    assert_int_equal(decode_many(true, false), OK);
    assert_int_equal(message.unknown_keys, 1);
    assert_int_equal(decode_many(true, true), SCHEMA);
}

/* Whatever is cut off a message leaves no message. */
static void test_every_prefix(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" ID ",\"foot\":\"R\",\"x\":[1,{\"a\":\"\\u00e4\xc3\xa4\"}],\"quality\":97}",
        "{" ID ",\"columns\":[\"dt_ms\",\"foot\",\"x\"],\"rows\":[[0,\"R\",{}],[12,null,-1.5e3]]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(decode(texts[i], strlen(texts[i])), OK);
        for (size_t length = 0; length < strlen(texts[i]); length++)
            assert_int_equal(decode(texts[i], length), BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_full_single),
        cmocka_unit_test(test_the_least_single),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_embedded_zeros),
        cmocka_unit_test(test_json_of_another_shape),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_what_is_dropped),
        cmocka_unit_test(test_every_field_and_its_range),
        cmocka_unit_test(test_a_batch),
        cmocka_unit_test(test_a_batch_in_any_order),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_many_unknown_names),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
