/* Strict JSON: what is refused, with which pointer and message, and what is not refused. */
#include "backstep/core/document.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct bad {
    const char *json, *pointer, *message;
};

static void expect_error(struct bs_slice payload, const char *pointer, const char *message)
{
    struct bs_document_error error = {.pointer = "unset", .message = "unset"};
    struct bs_document_rev rev;
    cJSON *root = NULL;
    enum bs_status status = bs_document_parse(payload, &root, &rev, &error);
    if (status != BS_INVALID || strcmp(error.pointer, pointer) != 0 ||
        strcmp(error.message, message) != 0)
        fail_msg("%.60s: status %d, at \"%s\" \"%s\"; expected at \"%s\" \"%s\"", payload.at,
                 status, error.pointer, error.message, pointer, message);
    assert_null(root);
}

static void expect_good(struct bs_slice payload)
{
    struct bs_document_error error = {.message = ""};
    struct bs_document_rev rev;
    cJSON *root = NULL;
    if (bs_document_parse(payload, &root, &rev, &error) != BS_OK)
        fail_msg("%.60s: \"%s\" \"%s\"", payload.at, error.pointer, error.message);
    cJSON_Delete(root);
}

#define AT(column, why) "not JSON: line 1, column " #column ": " why

static void test_grammar(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"", "", AT(1, "a value is missing")},
        {" ", "", AT(2, "a value is missing")},
        {"{", "", AT(2, "a text in double quotes is missing")},
        {"{}x", "", AT(3, "something stands behind the document's end")},
        {"{}{}", "", AT(3, "something stands behind the document's end")},
        {"{\"a\"}", "", AT(5, "a colon is missing")},
        {"{\"a\":}", "", AT(6, "a value is missing")},
        {"{\"a\":1,}", "", AT(8, "a text in double quotes is missing")},
        {"{\"a\":1 \"b\":2}", "", AT(8, "a comma or } is missing")},
        {"{\"a\":[1,]}", "", AT(9, "a value is missing")},
        {"{\"a\":[1 2]}", "", AT(9, "a comma or ] is missing")},
        {"{\"a\":[1}", "", AT(8, "a comma or ] is missing")},
        {"{'a':1}", "", AT(2, "a text in double quotes is missing")},
        {"{a:1}", "", AT(2, "a text in double quotes is missing")},
        {"{\"a\":01}", "", AT(7, "a number must not begin with 0")},
        {"{\"a\":-01}", "", AT(8, "a number must not begin with 0")},
        {"{\"a\":+1}", "", AT(6, "a value is missing")},
        {"{\"a\":.5}", "", AT(6, "a value is missing")},
        {"{\"a\":1.}", "", AT(8, "a digit is missing")},
        {"{\"a\":1e}", "", AT(8, "a digit is missing")},
        {"{\"a\":1e+}", "", AT(9, "a digit is missing")},
        {"{\"a\":-}", "", AT(7, "a digit is missing")},
        {"{\"a\":0x10}", "", AT(7, "a comma or } is missing")},
        {"{\"a\":NaN}", "", AT(6, "a value is missing")},
        {"{\"a\":Infinity}", "", AT(6, "a value is missing")},
        {"{\"a\":-Infinity}", "", AT(7, "a digit is missing")},
        {"{\"a\":True}", "", AT(6, "a value is missing")},
        {"{\"a\":truE}", "", AT(6, "a value is missing")},
        {"{\"a\":nul}", "", AT(6, "a value is missing")},
        {"{\"a\":truex}", "", AT(10, "a comma or } is missing")},
        {"{\"a\":\"x}", "", AT(9, "a text without its end")},
        {"{\"a\":\"x\n\"}", "", AT(8, "a control character in a text")},
        {"{\"a\":\"\t\"}", "", AT(7, "a control character in a text")},
        {"{\"a\":\"\\x\"}", "", AT(8, "an escape that JSON does not have")},
        {"{\"a\":\"\\u12\"}", "", AT(11, "\\u needs four hexadecimal digits")},
        {"{\"a\":\"\\u0000\"}", "", AT(13, "a text with U+0000")},
        {"{\"a\":\"\\ud800\"}", "", AT(13, "half of a surrogate pair")},
        {"{\"a\":\"\\ud800\\u0041\"}", "", AT(19, "half of a surrogate pair")},
        {"{\"a\":\"\\udc00\"}", "", AT(13, "half of a surrogate pair")},
        {"/* */{}", "", AT(1, "a value is missing")},
        {"{}//", "", AT(3, "something stands behind the document's end")},
        {"\f{}", "", AT(1, "a value is missing")},
        {"\xef\xbb\xbf{}", "", AT(1, "a value is missing")},
        {"{\"a\":12345678901234567890123456789012345678901}", "",
         AT(47, "a number of more than 40 characters")},
        {"{\n  \"a\": 01\n}", "", "not JSON: line 2, column 9: a number must not begin with 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(bs_slice_text(cases[i].json), cases[i].pointer, cases[i].message);
}

static void test_content(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"[]", "", "a document is a JSON object"},
        {"1", "", "a document is a JSON object"},
        {"null", "", "a document is a JSON object"},
        {"\"x\"", "", "a document is a JSON object"},
        {"{\"a\":\"\xff\"}", "", "not UTF-8"},
        {"{\"a\":\"\xc0\xaf\"}", "", "not UTF-8"},
        {"{\"a\":\"\xed\xa0\x80\"}", "", "not UTF-8"},
        {"{\"a\":1e999}", "/a", "a number beyond what can be held"},
        {"{\"a\":{\"b\":[0,-1e999]}}", "/a/b/1", "a number beyond what can be held"},
        {"{\"a\":1,\"a\":1}", "/a", "key given twice"},
        {"{\"a\":1,\"\\u0061\":1}", "/a", "key given twice"},
        {"{\"a\":1,\"b\":2,\"b\":2,\"a\":1}", "/b", "key given twice"},
        {"{\"x\":{\"a\":1,\"a\":1}}", "/x/a", "key given twice"},
        {"{\"x\":[1,{\"\":1,\"\":1}]}", "/x/1/", "key given twice"},
        {"{\"x\":[{\"a/b~c\":1,\"a/b~c\":1}]}", "/x/0/a~1b~0c", "key given twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(bs_slice_text(cases[i].json), cases[i].pointer, cases[i].message);
    expect_error(BS_SLICE("{\"a\":1}\0"), "", AT(8, "something stands behind the document's end"));
    expect_error(BS_SLICE("{\"a\":\"x\0y\"}"), "", AT(8, "a control character in a text"));
}

static void test_good(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}",
        " \t\r\n{ } \n",
        "{\"a\":-0,\"b\":0.5,\"c\":1e3,\"d\":1E-3,\"e\":-12.5e+2,\"A\":1}",
        "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}",
        "{\"a\":[true,false,null,[],{},[[{\"a\":1}]]],\"\":1}",
        "{\"a\":\"\x7f\xc3\xa9\xf0\x9f\x98\x80\"}",
        "{\"a\":1e-999}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_good(bs_slice_text(cases[i]));
}

/* {"a":[[…]]} with `depth` levels in all. */
static void nest(struct bs_slice *ret, char *room, size_t depth)
{
    memcpy(room, "{\"a\":", 5);
    memset(room + 5, '[', depth - 1);
    memset(room + 5 + depth - 1, ']', depth - 1);
    room[5 + 2 * (depth - 1)] = '}';
    *ret = bs_slice_of(room, 6 + 2 * (depth - 1));
}

static void test_depth(void **state)
{
    (void)state;
    static char room[20100];
    struct bs_slice payload;
    nest(&payload, room, BS_DOCUMENT_DEPTH_MAX);
    expect_good(payload);
    nest(&payload, room, BS_DOCUMENT_DEPTH_MAX + 1);
    expect_error(payload, "", AT(38, "nested deeper than 32 levels"));
    nest(&payload, room, 10000);
    expect_error(payload, "", AT(38, "nested deeper than 32 levels"));
    memset(room, '[', 10000);
    expect_error(bs_slice_of(room, 10000), "", AT(34, "nested deeper than 32 levels"));
}

static void test_size(void **state)
{
    (void)state;
    static char room[BS_DOCUMENT_BYTES_MAX + 1];
    memset(room, ' ', sizeof room);
    room[0] = '{';
    room[1] = '}';
    expect_good(bs_slice_of(room, BS_DOCUMENT_BYTES_MAX));
    expect_error(bs_slice_of(room, sizeof room), "", "larger than 64 KiB");
}

static void test_many_keys(void **state)
{
    (void)state;
    static char room[BS_DOCUMENT_BYTES_MAX];
    size_t used = (size_t)sprintf(room, "{\"k\":0");
    for (int i = 0; used + 32 < sizeof room; i++)
        used += (size_t)sprintf(room + used, ",\"%x\":1", i);
    strcpy(room + used, "}");
    expect_good(bs_slice_text(room));
    strcpy(room + used, ",\"7\":1}");
    expect_error(bs_slice_text(room), "/7", "key given twice");
}

/* A pointer that does not fit names the nearest parent that does. */
static void test_long_pointer(void **state)
{
    (void)state;
    char room[1000], key[300];
    memset(key, 'k', sizeof key);
    snprintf(room, sizeof room, "{\"x\":{\"%.250s\":1,\"%.250s\":1}}", key, key);
    char pointer[300];
    snprintf(pointer, sizeof pointer, "/x/%.250s", key);
    expect_error(bs_slice_text(room), pointer, "key given twice");
    snprintf(room, sizeof room, "{\"x\":{\"%.299s\":1,\"%.299s\":1}}", key, key);
    expect_error(bs_slice_text(room), "/x", "key given twice");
    snprintf(room, sizeof room, "{\"%.252s\":{\"a\":1,\"a\":1}}", key);
    snprintf(pointer, sizeof pointer, "/%.252s", key);
    expect_error(bs_slice_text(room), pointer, "key given twice");
    snprintf(room, sizeof room, "{\"%.299s\":{\"a\":1,\"a\":1}}", key);
    expect_error(bs_slice_text(room), "", "key given twice");
}

/* Known also where the document is rejected for something else. */
static void test_rev(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool known;
        uint32_t number;
    } cases[] = {
        {"{\"rev\":0}", true, 0},
        {"{\"rev\":4294967295}", true, 4294967295u},
        {"{\"x\":1,\"rev\":7.0}", true, 7},
        {"{\"rev\":7,\"x\":1,\"x\":2}", true, 7},
        {"{\"x\":1e999,\"rev\":7}", true, 7},
        {"{\"rev\":4294967296}", false, 0},
        {"{\"rev\":-1}", false, 0},
        {"{\"rev\":1.5}", false, 0},
        {"{\"rev\":\"1\"}", false, 0},
        {"{\"rev\":1e999}", false, 0},
        {"{\"rev\":1,\"rev\":1}", false, 0},
        {"{\"Rev\":1}", false, 0},
        {"{\"x\":{\"rev\":1}}", false, 0},
        {"{\"rev\":1", false, 0},
        {"[{\"rev\":1}]", false, 0},
        {"[1]", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bs_document_error error;
        struct bs_document_rev rev;
        cJSON *root = NULL;
        bs_document_parse(bs_slice_text(cases[i].json), &root, &rev, &error);
        if (rev.known != cases[i].known || rev.number != cases[i].number)
            fail_msg("%s: %d %u", cases[i].json, rev.known, rev.number);
        cJSON_Delete(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),      cmocka_unit_test(test_content),
        cmocka_unit_test(test_good),         cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size),         cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_long_pointer), cmocka_unit_test(test_rev),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
