/* The service document: valid JSON whatever a server answered, complete, and in the
 * manual. */
#include "../../daemon/shell/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bs_service_view view_of(const struct bs_books *books, const char *error)
{
    struct bs_service_view v = {.state = "online",
                                .reason = "",
                                .broker = "mqtt://127.0.0.1:1883",
                                .uptime_ms = 1500,
                                .last_message_age_ms = -1,
                                .books = books,
                                .absent = BS_SLICE("[\"settings/site\"]"),
                                .absent_count = 101,
                                .held = {1, 2, 3},
                                .lag_bytes = 7,
                                .lag_ms = 250};
    v.mqtt.phase = BS_MQTT_ONLINE;
    v.outlet.influx = BS_OUTLET_INFLUX_RETRYING;
    v.outlet.error = error;
    v.outlet.letters_error = "";
    return v;
}

static cJSON *written(const struct bs_service_view *v)
{
    struct bs_buffer out;
    bs_buffer_init(&out, 64 * 1024);
    bs_service_write(v, &out);
    assert_false(out.failed);
    cJSON *document = cJSON_ParseWithLength(out.at, out.length);
    if (!document)
        fail_msg("not JSON: %.*s", (int)out.length, out.at);
    bs_buffer_fini(&out);
    return document;
}

static const cJSON *at(const cJSON *document, const char *a, const char *b)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(document, a);
    if (item && b)
        item = cJSON_GetObjectItemCaseSensitive(item, b);
    if (!item)
        fail_msg("%s/%s is missing", a, b ? b : "");
    return item;
}

static void the_document_is_complete(void **state)
{
    (void)state;
    static const char *const keys[][2] = {
        {"state", NULL},
        {"reason", NULL},
        {"version", NULL},
        {"uptime_s", NULL},
        {"pid", NULL},
        {"mqtt", "connected"},
        {"influxdb", "state"},
        {"influxdb", "error"},
        {"books", "messages_received"},
        {"intake", "lag_bytes"},
        {"intake", "lag_s"},
        {"outbox", "points"},
        {"outbox", "bytes"},
        {"outbox", "oldest_s"},
        {"outbox", "delivered"},
        {"outbox", "dropped"},
        {"outbox", "dead_letters"},
        {"outbox", "points_expired"},
        {"held", "members"},
        {"held", "devices"},
        {"held", "windows"},
        {"rss_bytes", NULL},
        {"slowest_turn_ms", NULL},
        {"config", "not_on_broker"},
    };
    struct bs_books books = {.steps_counted = 12};
    struct bs_service_view v = view_of(&books, "");
    cJSON *document = written(&v);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        at(document, keys[i][0], keys[i][1]);
    assert_true(cJSON_IsNull(at(document, "mqtt", "last_message_age_s")));
    assert_true(at(document, "intake", "lag_s")->valuedouble == 0.25);
    assert_true(at(document, "uptime_s", NULL)->valuedouble == 1.5);
    assert_true(at(document, "rss_bytes", NULL)->valuedouble > 100000);
    assert_string_equal(cJSON_GetArrayItem(at(document, "config", "not_on_broker"), 0)->valuestring,
                        "settings/site");
    assert_int_equal(at(document, "config", "not_on_broker_count")->valueint, 101);
    cJSON_Delete(document);
}

static void a_servers_words_cannot_break_it(void **state)
{
    (void)state;
    static const char *const errors[] = {"\"},{\"state\":\"offline", "a\x01\x7f\n\t\\b",
                                         "\xff\xfe not text", "caf\xc3\xa9"};
    struct bs_books books = {0};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct bs_service_view v = view_of(&books, errors[i]);
        v.reason = errors[i];
        cJSON *document = written(&v);
        assert_string_equal(at(document, "state", NULL)->valuestring, "online");
        assert_true(cJSON_IsString(at(document, "influxdb", "error")));
        cJSON_Delete(document);
    }
}

static void the_row_has_the_same_numbers(void **state)
{
    (void)state;
    struct bs_books books = {.steps_received = 13, .steps_counted = 12};
    books.steps_rejected[BS_STEP_DUPLICATE] = 1;
    struct bs_service_view v = view_of(&books, "");
    v.outlet.points = 5;
    v.slowest_turn_ns = 1500000;
    struct bs_line line;
    struct bs_slice row = bs_service_write_row(&v, "gym", "backstepd", 1795716000000, &line);
    char text[BS_LINE_MAX + 1];
    memcpy(text, row.at, row.length);
    text[row.length] = 0;
    char pid[32];
    snprintf(pid, sizeof pid, ",pid=%di,", (int)getpid());
    const char *const parts[] = {
        "backstep_service,instance=backstepd,site=gym uptime_s=1.5,mqtt_connected=true,",
        ",intake_lag_bytes=7i,intake_lag_s=0.25,",
        ",held_windows=3i,",
        pid,
        ",slowest_turn_ms=1.5,",
        ",config_not_on_broker_count=101i,",
        ",steps_received=13i,",
        ",steps_counted=12i,",
        ",messages_rejected_bad_topic=0i,",
        ",steps_rejected_duplicate=1i,",
        ",outbox_points=5i,",
        ",outbox_points_expired=0i 1795716000000\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("%s is missing in %s", parts[i], text);
    assert_null(strstr(text, "last_message_age"));
}

static void the_sentence_says_what_it_waits_for(void **state)
{
    (void)state;
    struct bs_books books = {.steps_counted = 12};
    struct bs_service_view v = view_of(&books, "connection refused");
    struct bs_buffer out;
    bs_buffer_init(&out, 2048);
    v.mqtt.phase = BS_MQTT_WAITING;
    strcpy(v.mqtt.error, "no route");
    bs_service_sentence(&v, &out);
    bs_buffer_add_char(&out, 0);
    assert_string_equal(out.at, "waiting for the broker at mqtt://127.0.0.1:1883 (no route); 12 "
                                "steps counted; InfluxDB does not answer, 0 rows wait: connection "
                                "refused");
    bs_buffer_fini(&out);
}

/* The section of a page of the manual that begins with `begin`, up to what begins with `end`. */
static char *read_manual(const char *page, const char *begin, const char *end)
{
    char path[4096], *text = calloc(1, 1 << 20);
    const char *root_end = strstr(__FILE__, "tests/edge/test_service.c");
    assert_non_null(text);
    snprintf(path, sizeof path, "%.*sconfigs/man/%s", (int)(root_end - __FILE__), __FILE__, page);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    char *section = strstr(text, begin);
    assert_non_null(section);
    char *rest = strstr(section + 1, end);
    assert_non_null(rest);
    *rest = 0;
    memmove(text, section, strlen(section) + 1);
    return text;
}

/* As a word of its own. */
static bool is_named(const char *section, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = section; (at = strstr(at, key)); at += length) {
        bool begins = !isalpha((unsigned char)at[-1]) && at[-1] != '_';
        if (begins && !isalpha((unsigned char)at[length]) && at[length] != '_')
            return true;
    }
    return false;
}

static void expect_named(const cJSON *object, const char *section)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (item->string && !is_named(section, item->string))
            fail_msg("configs/man/backstepd.8, SERVICE DOCUMENT: no %s", item->string);
        expect_named(item, section);
    }
}

static void the_manual_names_every_key(void **state)
{
    (void)state;
    struct bs_books books = {0};
    struct bs_service_view v = view_of(&books, "");
    struct bs_buffer out;
    bs_buffer_init(&out, 64 * 1024);
    bs_service_write(&v, &out);
    cJSON *root = cJSON_ParseWithLength(out.at, out.length);
    char *section = read_manual("backstepd.8", ".SH SERVICE DOCUMENT\n", ".SH ");
    assert_non_null(root);
    expect_named(root, section);
    free(section);
    cJSON_Delete(root);
    bs_buffer_fini(&out);
}

static void the_manual_names_every_field(void **state)
{
    (void)state;
    static struct bs_line line;
    struct bs_books books = {0};
    struct bs_service_view v = view_of(&books, "");
    char *section = read_manual("backstep-rows.5", ".SS backstep_service\n", ".SH "),
         row[BS_LINE_MAX];
    struct bs_slice text = bs_service_write_row(&v, "gym", "backstepd", 0, &line);
    snprintf(row, sizeof row, "%.*s", (int)text.length, text.at);
    int fields = 0;
    for (char *rest = strchr(row, ' ') + 1, *field; (field = strsep(&rest, ",")); fields++) {
        *strchr(field, '=') = 0;
        if (!is_named(section, field))
            fail_msg("configs/man/backstep-rows.5, backstep_service: no %s", field);
    }
    assert_in_range(fields, 40, 100);
    free(section);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_complete),
        cmocka_unit_test(a_servers_words_cannot_break_it),
        cmocka_unit_test(the_row_has_the_same_numbers),
        cmocka_unit_test(the_sentence_says_what_it_waits_for),
        cmocka_unit_test(the_manual_names_every_key),
        cmocka_unit_test(the_manual_names_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
