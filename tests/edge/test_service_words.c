/* The service document in words: what the daemon writes is told, and anything else is survived. */
#include "service_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words; the caller's to free. */
static char *tell(const char *document)
{
    char *text = NULL;
    size_t length;
    cJSON *root = cJSON_Parse(document);
    assert_non_null(root);
    FILE *to = open_memstream(&text, &length);
    assert_non_null(to);
    bs_service_words_write(root, "backstepd", "north", to);
    fclose(to);
    cJSON_Delete(root);
    return text;
}

static void expect(const char *document, const char *expected)
{
    char *text = tell(document);
    assert_string_equal(text, expected);
    free(text);
}

static void test_last_will(void **state)
{
    (void)state;
    expect("{\"state\":\"offline\"}", "backstepd at north: offline\n");
}

static void test_whole(void **state)
{
    (void)state;
    expect("{\"state\":\"stalled\",\"reason\":\"the intake log is full\",\"version\":\"1.2.3\","
           "\"uptime_s\":90061,\"pid\":7,\"rss_bytes\":3145728,"
           "\"mqtt\":{\"connected\":false,\"last_message_age_s\":125.2},"
           "\"influxdb\":{\"state\":\"retrying\",\"error\":\"no\\nanswer\"},"
           "\"books\":{\"messages_received\":7,\"messages_parsed\":4,"
           "\"messages_rejected\":{\"schema\":2,\"retained\":0,\"malformed\":1},"
           "\"steps_received\":9,\"steps_counted\":5,\"steps_fused\":1,\"steps_waiting\":2,"
           "\"steps_rejected\":{\"duplicate\":2}},"
           "\"intake\":{\"lag_bytes\":2048,\"lag_s\":3},"
           "\"outbox\":{\"points\":3,\"bytes\":500,\"oldest_s\":4000,\"delivered\":8,"
           "\"dropped\":0,\"dead_letters\":1,\"points_expired\":0},"
           "\"held\":{\"members\":1,\"devices\":2,\"windows\":3},"
           "\"config\":{\"not_on_broker\":[\"member/ruth\",\"group/tue\"],"
           "\"not_on_broker_count\":120}}",
           "backstepd at north: stalled, the intake log is full\n"
           "  process    1.2.3, pid 7, up 1 d 1 h, 3.0 MiB in memory\n"
           "  broker     not connected, last message 2 min 5 s before\n"
           "  InfluxDB   retrying: no?answer\n"
           "  messages   7 received = 4 parsed + 3 rejected (schema 2, malformed 1): balanced\n"
           "  steps      9 received = 5 counted + 1 fused + 2 rejected (duplicate 2): NOT balanced "
           "by 1; 2 wait for their order\n"
           "  intake     2.0 KiB behind, 3.0 s\n"
           "  outbox     3 points wait (500 bytes, the oldest for 1 h 6 min), 8 delivered, "
           "0 dropped, 1 dead letters, 0 beyond retention\n"
           "  held       1 members, 2 devices, 3 windows\n"
           "  documents  120 in force that the broker does not have: member/ruth group/tue ...\n");
}

/* Another version's, or nobody's: no member of it is trusted to be what ours is. */
static void test_strange_documents(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "[]",
        "7",
        "{\"state\":null,\"version\":3,\"books\":[],\"mqtt\":7,\"outbox\":\"\",\"held\":null}",
        "{\"state\":\"online\",\"books\":{\"messages_rejected\":[1,\"x\",{}],"
        "\"steps_rejected\":7}}",
        "{\"state\":\"online\",\"config\":{\"not_on_broker\":{\"a\":1},"
        "\"not_on_broker_count\":\"x\"}}",
        "{\"state\":\"online\",\"influxdb\":{\"state\":[],\"error\":{}},\"intake\":{}}",
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        print_message("%s\n", documents[i]);
        char *text = tell(documents[i]);
        assert_int_equal(strncmp(text, "backstepd at north: ", 20), 0);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_will),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_strange_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
