/* The bounds of the config, each reached by as many documents as it takes. */
#include "config_world.h"

/* Beyond the bound the one deleted first is forgotten, and one that came back is none of them. */
static void test_deleted_bound(void **state)
{
    struct bs_config *config = *state;
    char id[16];
    for (unsigned i = 0; i < BS_CONFIG_DELETED_MAX + 2; i++) {
        snprintf(id, sizeof id, "g%u", i);
        arrive(config, "group", id, "{\"rev\":9}");
        arrive(config, "group", id, "");
        if (i == BS_CONFIG_DELETED_MAX - 1) /* g0 is in force, there is room for another */
            EXPECT_ACCEPTED(arrive(config, "group", "g0", "{\"rev\":9}"));
    }
    EXPECT_REJECTED(arrive(config, "group", "g0", "{\"rev\":8}"), "/rev",
                    "stale revision: 9 is in force");
    EXPECT_ACCEPTED(arrive(config, "group", "g1", "{\"rev\":8}"));
    EXPECT_REJECTED(arrive(config, "group", "g2", "{\"rev\":8}"), "/rev",
                    "stale revision: 9 was deleted less than 30 days ago");
    EXPECT_REJECTED(arrive(config, "group", id, "{\"rev\":8}"), "/rev",
                    "stale revision: 9 was deleted less than 30 days ago");
}

static void test_documents_bound(void **state)
{
    struct bs_config *config = *state;
    for (int i = 0; i < BS_CONFIG_DOCUMENTS_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "g%d", i);
        EXPECT_ACCEPTED(arrive(config, "group", id, "{}"));
    }
    EXPECT_REJECTED(arrive(config, "group", "more", "{}"), "",
                    "no room for another document of the kind `group`: 16384 are in force");
    EXPECT_ACCEPTED(arrive(config, "group", "g7", "{\"rev\":1}"));
    EXPECT_ACCEPTED(arrive(config, "member", "more", "{\"consent\":\"none\"}"));
    arrive(config, "group", "g7", "");
    EXPECT_ACCEPTED(arrive(config, "group", "more", "{}"));
    assert_int_equal(bs_config_count_kind(config, BS_KIND_GROUP), BS_CONFIG_DOCUMENTS_MAX);
}

/* The members' devices are all there can be; a rejected document leaves no name behind. */
static void test_devices_bound(void **state)
{
    enum { PER_MEMBER = 4096, MEMBERS = BS_CONFIG_DEVICES_MAX / PER_MEMBER };
    struct bs_config *config = *state;
    static char json[BS_DOCUMENT_BYTES_MAX];
    unsigned next = 0;
    for (int m = 0; m < MEMBERS; m++) {
        size_t used = (size_t)sprintf(json, "{\"consent\":\"none\",\"devices\":[");
        for (int i = 0; i < PER_MEMBER - (m == MEMBERS - 1); i++) /* one is left */
            used += (size_t)sprintf(json + used, "%s\"%x\"", i ? "," : "", next++);
        strcpy(json + used, "]}");
        EXPECT_ACCEPTED(arrive(config, "member", "ruth", json));
    }
    EXPECT_REJECTED(
        arrive(config, "member", "karl", "{\"consent\":\"none\",\"devices\":[\"y\",\"z\"]}"),
        "/devices", "no room for another device: members' documents have named 1048576");
    struct bs_slice member;
    assert_int_equal(bs_config_find_device(config, BS_SLICE("y"), &member), BS_NAMING_NEVER);
    assert_int_equal(bs_config_count_kind(config, BS_KIND_MEMBER), 1);
    EXPECT_ACCEPTED(
        arrive(config, "member", "karl", "{\"consent\":\"none\",\"devices\":[\"0\",\"z\"]}"));
    EXPECT_VERDICT(arrive(config, "member", "karl", "{\"consent\":\"none\",\"devices\":[\"y\"]}"),
                   BS_CONFIG_REJECTED);
    assert_int_equal(bs_config_find_device(config, BS_SLICE("z"), &member), BS_NAMING_MEMBER);
    assert_true(bs_slice_equal(member, BS_SLICE("karl")));
}

/* Names of the greatest length, more of them than are written. */
static void test_absent_bound(void **state)
{
    struct bs_config *config = *state;
    for (int i = BS_CONFIG_ABSENT_MAX + 1; i > 0; i--) {
        char id[BS_ID_MAX + 1];
        snprintf(id, sizeof id, "%064d", i);
        arrive(config, "session", id, "{\"drill\":\"d\",\"start\":\"2026-11-24T18:00:00Z\"}");
    }
    struct bs_buffer b;
    size_t count;
    bs_buffer_init(&b, BS_CONFIG_ABSENT_BYTES_MAX);
    bs_config_write_absent(config, (struct bs_wall_ms){ARRIVAL + 1}, &b, &count);
    assert_false(b.failed);
    assert_int_equal(count, BS_CONFIG_ABSENT_MAX + 1);
    assert_int_equal(b.length, 1 + BS_CONFIG_ABSENT_MAX * (BS_ID_MAX + 11));
    assert_memory_equal(b.at + b.length - 7, "00100\"]", 7);
    bs_buffer_fini(&b);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_deleted_bound),
        CASE(test_documents_bound),
        CASE(test_devices_bound),
        CASE(test_absent_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
