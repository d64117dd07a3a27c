/* The settings document: defaults, every range at both ends, and what is said of a bad value. */
#include "backstep/core/kinds.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static enum bs_status parse(const char *json, struct bs_settings *ret,
                            struct bs_document_error *ret_error)
{
    struct bs_document_rev rev;
    cJSON *root = NULL;
    assert_int_equal(bs_document_parse(bs_slice_text(json), &root, &rev, ret_error), BS_OK);
    union bs_kind_document document;
    enum bs_status status =
        bs_kind_read(BS_KIND_SETTINGS, BS_SLICE("site"), root, &document, ret_error);
    if (status == BS_OK)
        *ret = document.settings;
    cJSON_Delete(root);
    return status;
}

static void expect_good(const char *json, struct bs_settings *ret)
{
    struct bs_document_error error = {.message = ""};
    if (parse(json, ret, &error) != BS_OK)
        fail_msg("%s: \"%s\" \"%s\"", json, error.pointer, error.message);
}

static void expect_error(const char *json, const char *pointer, const char *message)
{
    struct bs_document_error error = {.pointer = "unset", .message = "unset"};
    struct bs_settings before, settings;
    bs_settings_default(&before);
    settings = before;
    settings.window_s = before.window_s = 77;
    enum bs_status status = parse(json, &settings, &error);
    if (status != BS_INVALID || strcmp(error.pointer, pointer) != 0 ||
        strcmp(error.message, message) != 0)
        fail_msg("%s: status %d, at \"%s\" \"%s\"; expected at \"%s\" \"%s\"", json, status,
                 error.pointer, error.message, pointer, message);
    assert_true(bs_settings_equal(&settings, &before));
}

static void test_defaults(void **state)
{
    (void)state;
    struct bs_settings expected = {
        .window_s = 10,
        .refresh_s = 2,
        .allowed_lateness_s = 300,
        .stored_lateness_s = 21600,
        .reorder_ms = 2000,
        .max_future_ms = 5000,
        .fuse_ms = 120,
        .bout_gap_ms = 3000,
        .bout_min_steps = 8,
        .direction_confirm_steps = 3,
        .carry_over_steps = 20,
        .carry_over_gap_s = 60,
        .slip = {8, 30, 1.5, 6, 20},
        .feedback = true,
        .unknown_devices = BS_UNKNOWN_IGNORE,
        .min_group_size = 5,
        .max_members = 20000,
    };
    struct bs_settings settings;
    bs_settings_default(&settings);
    assert_true(bs_settings_equal(&settings, &expected));
    memset(&settings, 0x5a, sizeof settings);
    expect_good("{}", &settings);
    assert_true(bs_settings_equal(&settings, &expected));
}

static void test_values(void **state)
{
    (void)state;
    struct bs_settings s;
    expect_good("{\"rev\":4294967295,\"window_s\":5,\"slip\":{\"drift_deg\":0.25,"
                "\"hold_off_steps\":7},\"feedback\":false,\"unknown_devices\":\"guest\"}",
                &s);
    assert_int_equal(s.window_s, 5);
    assert_int_equal(s.refresh_s, 2);
    assert_true(s.slip.drift_deg == 0.25 && s.slip.drift_pct == 8);
    assert_int_equal(s.slip.hold_off_steps, 7);
    assert_false(s.feedback);
    assert_int_equal(s.unknown_devices, BS_UNKNOWN_GUEST);
    expect_good("{\"window_s\":30.0,\"refresh_s\":1e1}", &s);
    assert_int_equal(s.window_s, 30);
    assert_int_equal(s.refresh_s, 10);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *json, *pointer, *message;
    } cases[] = {
        {"{\"windows_s\":10}", "/windows_s", "unknown key; did you mean `window_s`?"},
        {"{\"Window_S\":10}", "/Window_S", "unknown key; did you mean `window_s`?"},
        {"{\"reoder_ms\":10}", "/reoder_ms", "unknown key; did you mean `reorder_ms`?"},
        {"{\"revision\":1}", "/revision", "unknown key; the nearest known one is `rev`"},
        {"{\"\":1}", "/", "unknown key; the nearest known one is `rev`"},
        {"{\"a/b\":1}", "/a~1b", "unknown key; the nearest known one is `rev`"},
        {"{\"slip\":{\"drift\":1}}", "/slip/drift", "unknown key; did you mean `drift_pct`?"},
        {"{\"slip\":{\"window_s\":1}}", "/slip/window_s",
         "unknown key; the nearest known one is `drift_pct`"},
        {"{\"window_s\":\"10\"}", "/window_s", "must be an integer, not a text"},
        {"{\"window_s\":null}", "/window_s", "must be an integer, not null"},
        {"{\"window_s\":true}", "/window_s", "must be an integer, not a boolean"},
        {"{\"window_s\":[1]}", "/window_s", "must be an integer, not an array"},
        {"{\"window_s\":{}}", "/window_s", "must be an integer, not an object"},
        {"{\"window_s\":10.5}", "/window_s", "must be an integer, not 10.5"},
        {"{\"window_s\":301}", "/window_s", "must be 1 to 300, not 301"},
        {"{\"window_s\":-1}", "/window_s", "must be 1 to 300, not -1"},
        {"{\"window_s\":1e300}", "/window_s", "must be 1 to 300, not 1e+300"},
        {"{\"slip\":8}", "/slip", "must be an object, not a number"},
        {"{\"slip\":{\"drift_pct\":0}}", "/slip/drift_pct",
         "must be above 0 and at most 1000000, not 0"},
        {"{\"slip\":{\"drift_pct\":-1}}", "/slip/drift_pct",
         "must be above 0 and at most 1000000, not -1"},
        {"{\"slip\":{\"drift_pct\":\"8\"}}", "/slip/drift_pct", "must be a number, not a text"},
        {"{\"slip\":{\"hold_off_steps\":0}}", "/slip/hold_off_steps", "must be 1 to 512, not 0"},
        {"{\"slip\":{\"hold_off_steps\":2.5}}", "/slip/hold_off_steps",
         "must be an integer, not 2.5"},
        {"{\"feedback\":1}", "/feedback", "must be true or false, not a number"},
        {"{\"unknown_devices\":\"guests\"}", "/unknown_devices", "must be \"ignore\" or \"guest\""},
        {"{\"unknown_devices\":true}", "/unknown_devices", "must be \"ignore\" or \"guest\""},
        {"{\"rev\":-1}", "/rev", "must be 0 to 4294967295, not -1"},
        {"{\"rev\":4294967296}", "/rev", "must be 0 to 4294967295, not 4294967296"},
        {"{\"rev\":\"1\"}", "/rev", "must be an integer, not a text"},
        {"{\"window_s\":0,\"x\":1}", "/window_s", "must be 1 to 300, not 0"},
        {"{\"x\":1,\"window_s\":0}", "/x", "unknown key; the nearest known one is `rev`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(cases[i].json, cases[i].pointer, cases[i].message);
}

/* Both ends of a row's range are taken, one beyond each is not. */
static void check_ends(const struct bs_document_field *field, const char *open, const char *close)
{
    static const double outside[] = {-1, 0, 0, 1};
    const double ends[] = {field->min, field->min, field->max, field->max};
    for (size_t i = 0; i < 4; i++) {
        char json[128];
        snprintf(json, sizeof json, "{%s\"%s\":%.0f%s}", open, field->name, ends[i] + outside[i],
                 close);
        struct bs_settings settings;
        struct bs_document_error error;
        bool good = outside[i] == 0 && !(field->type == BS_DOCUMENT_NUMBER && i == 1);
        if ((parse(json, &settings, &error) == BS_OK) != good)
            fail_msg("%s: expected %s", json, good ? "good" : "an error");
    }
}

static void test_ranges(void **state)
{
    (void)state;
    struct bs_document_table table = bs_settings_table();
    for (size_t i = 0; i < table.count; i++) {
        const struct bs_document_field *field = &table.fields[i];
        if (field->type == BS_DOCUMENT_INTEGER || field->type == BS_DOCUMENT_REV)
            check_ends(field, "", "");
        for (size_t k = 0; k < field->table.count; k++)
            check_ends(&field->table.fields[k], "\"slip\":{", "}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
