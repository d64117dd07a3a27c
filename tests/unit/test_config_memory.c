/* Memory that runs out at every single allocation of every arrival: the document is rejected in
 * words, all is as it was, and the same document is accepted a moment later. */
#include "config_world.h"
#include "failing_memory.h"

#include <cjson/cJSON.h>

/* All that can be asked about the config, as one text. */
struct picture {
    char text[65536];
    size_t used;
};

static void draw_entry(void *context, const struct bs_config_entry *entry)
{
    struct picture *p = context;
    p->used += (size_t)snprintf(p->text + p->used, sizeof p->text - p->used, "%s/%.*s %d %u %s\n",
                                bs_kind_name(entry->kind), (int)entry->id.length, entry->id.at,
                                entry->rev.known, entry->rev.number, entry->sha256);
}

static struct picture draw(struct bs_config *config)
{
    struct picture p = {.used = 0};
    bs_config_each(config, draw_entry, &p);
    for (int i = 0; i < 100; i++) {
        char device[8];
        struct bs_slice member = BS_SLICE("");
        snprintf(device, sizeof device, "pod-%d", i);
        enum bs_naming naming = bs_config_find_device(config, bs_slice_text(device), &member);
        p.used += (size_t)snprintf(p.text + p.used, sizeof p.text - p.used, "%s %d %.*s\n", device,
                                   naming, (int)member.length, member.at);
    }
    return p;
}

/* How often it had to be tried. */
static int arrive_without_memory(struct bs_config *config, const char *kind, const char *id,
                                 const char *payload)
{
    for (int allowed = 0;; allowed++) {
        struct picture before = draw(config);
        until_failure = allowed;
        struct bs_config_outcome outcome = arrive(config, kind, id, payload);
        bool failed = until_failure < 0;
        until_failure = -1;
        if (!failed) {
            EXPECT_VERDICT(outcome, BS_CONFIG_ACCEPTED);
            return allowed;
        }
        if (outcome.verdict != BS_CONFIG_REJECTED ||
            !contains(outcome, "\"message\":\"out of memory\""))
            fail_msg("%s, after %d allocations: %.*s", payload, allowed, (int)outcome.result.length,
                     outcome.result.at);
        struct picture after = draw(config);
        if (strcmp(before.text, after.text) != 0)
            fail_msg("%s, after %d allocations:\n%swas\n%s", payload, allowed, after.text,
                     before.text);
    }
}

static void test_arrivals(void **state)
{
    static const char *const arrivals[][3] = {
        {"member", "ruth",
         "{\"rev\":1,\"alias\":\"Ruth\",\"consent\":\"none\",\"devices\":"
         "[\"pod-1\",\"pod-2\",\"pod-3\"],\"groups\":[\"a\",\"b\"]}"},
        {"member", "ruth", "{\"consent\":\"none\",\"devices\":[\"pod-3\",\"pod-4\"]}"},
        {"member", "karl", "{\"consent\":\"none\",\"devices\":[\"pod-1\",\"pod-5\"]}"},
        {"settings", "site", "{\"window_s\":5}"},
        {"group", "a", "{\"name\":\"A\"}"},
        {"drill", "d",
         "{\"name\":\"D\",\"phases\":[{\"name\":\"x\",\"direction\":\"B\"},"
         "{\"direction\":\"F\",\"name\":\"y\"}]}"},
        {"session", "a",
         "{\"drill\":\"d\",\"start\":\"2026-11-24T18:00:00Z\",\"phase\":\"x\",\"rev\":7}"},
    };
    for (size_t i = 0; i < sizeof arrivals / sizeof arrivals[0]; i++)
        assert_true(arrive_without_memory(*state, arrivals[i][0], arrivals[i][1], arrivals[i][2]) >
                    3);
}

/* Tables grow with what is in them. */
static void test_growing_tables(void **state)
{
    for (int i = 0; i < 700; i++) {
        char id[16], json[64];
        snprintf(id, sizeof id, "m%d", i);
        snprintf(json, sizeof json, "{\"consent\":\"none\",\"devices\":[\"pod-%d\"]}", i);
        if (i % 100 < 60)
            arrive(*state, "member", id, json);
        else if (i < 100)
            arrive_without_memory(*state, "member", id, json);
    }
    assert_int_equal(bs_config_count(*state), 460);
}

/* No memory is needed to delete, nor to say what is there. */
static void test_deletion(void **state)
{
    struct bs_config *config = *state;
    arrive(config, "member", "b", "{\"rev\":3,\"consent\":\"none\",\"devices\":[\"pod-1\"]}");
    arrive(config, "member", "a", "{\"consent\":\"none\",\"devices\":[\"pod-2\"]}");
    until_failure = 0;
    struct bs_config_outcome outcome = arrive(config, "member", "b", "");
    assert_int_equal(outcome.verdict, BS_CONFIG_DELETED);
    assert_int_equal(outcome.before->member.devices.count, 1);
    draw(config);
    arrive(config, "member", "a", "");
    assert_int_equal(until_failure, 0);
    until_failure = -1;
    assert_int_equal(bs_config_count(config), 0);
}

static void test_new(void **state)
{
    (void)state;
    struct bs_config *config = NULL;
    for (int allowed = 0; !config; allowed++) {
        until_failure = allowed;
        enum bs_status status = bs_config_new(&config);
        bool failed = until_failure < 0;
        until_failure = -1;
        assert_int_equal(status, failed ? BS_NO_MEMORY : BS_OK);
        assert_true(failed == !config);
    }
    bs_config_free(config);
}

int main(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = free});
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_arrivals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_growing_tables, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deletion, set_up, tear_down),
        cmocka_unit_test(test_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
