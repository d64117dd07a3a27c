/* Memory that is out while something is loaded, at every allocation in turn: the load fails, says
 * so, and all of it can be freed. */
#include "backstep/core/config.h"
#include "backstep/core/summaries.h"
#include "snapshot_memory.h"

#include <stdio.h>

#define BEGIN INT64_C(1795716000000)

/* Config. */

static void *make_config(void)
{
    struct bs_config *config = NULL;
    assert_int_equal(bs_config_new(&config), BS_OK);
    return config;
}

static void carry_config(struct bs_snapshot *s, void *at)
{
    bs_config_snapshot(s, at);
}

static void dispose_config(void *at)
{
    bs_config_free(at);
}

static void arrive(struct bs_config *config, const char *kind, const char *id, const char *payload)
{
    struct bs_config_arrival arrival = {.kind = bs_slice_text(kind),
                                        .id = bs_slice_text(id),
                                        .payload = bs_slice_text(payload),
                                        .retained = true,
                                        .at = {BEGIN}};
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    assert_int_not_equal(outcome.verdict, BS_CONFIG_REJECTED);
}

static void a_config_without_memory(void **state)
{
    (void)state;
    struct bs_config *config = make_config();
    arrive(config, "settings", "site", "{}");
    arrive(config, "group", "tue", "{\"name\":\"Tuesday\"}");
    arrive(config, "drill", "d",
           "{\"phases\":[{\"name\":\"a\",\"direction\":\"B\"},"
           "{\"name\":\"b\",\"direction\":\"F\"}]}");
    arrive(config, "session", "tue", "{\"drill\":\"d\",\"start\":\"2026-11-24T18:00:00Z\"}");
    for (int i = 0; i < 20; i++) { /* enough for a table to grow */
        char id[8], payload[128];
        snprintf(id, sizeof id, "m%d", i);
        snprintf(payload, sizeof payload,
                 "{\"rev\":1,\"consent\":\"member\",\"devices\":[\"p%d\"],\"groups\":[\"tue\"]}",
                 i);
        arrive(config, "member", id, payload);
    }
    arrive(config, "member", "m7", "");
    expect_out_of_memory((struct snapshot_subject){make_config, carry_config, dispose_config},
                         config);
}

/* A document that fails takes no name away that was loaded. */
static void a_document_without_memory_for_a_loaded_config(void **state)
{
    (void)state;
    struct snapshot_subject subject = {make_config, carry_config, dispose_config};
    struct bs_config *config = make_config(), *loaded;
    arrive(config, "member", "m", "{\"consent\":\"none\",\"devices\":[\"p1\"]}");
    arrive(config, "member", "m", "");
    loaded = snapshot_copy(&subject, config);
    struct bs_config_arrival arrival = {.kind = BS_SLICE("member"),
                                        .id = BS_SLICE("m"),
                                        .payload = BS_SLICE("{\"consent\":\"none\",\"devices\":"
                                                            "[\"p1\",\"p2\"]}"),
                                        .retained = true};
    struct bs_config_outcome outcome = {.verdict = BS_CONFIG_REJECTED};
    int failures = 0;
    for (; outcome.verdict == BS_CONFIG_REJECTED; failures++) {
        struct bs_slice member;
        assert_int_equal(bs_config_find_device(loaded, BS_SLICE("p1"), &member), BS_NAMING_FORMER);
        until_failure = failures;
        bs_config_arrive(loaded, &arrival, &outcome);
        until_failure = -1;
    }
    assert_true(failures > 3);
    bs_config_free(config);
    bs_config_free(loaded);
}

/* Sessions and summaries. */

#define PEOPLE 12

struct class
{
    struct bs_sessions *sessions;
    struct bs_summaries *summaries;
    struct bs_summary_member members[PEOPLE];
};

static void *make_class(void)
{
    struct class *class = calloc(1, sizeof *class);
    assert_int_equal(bs_sessions_new(&class->sessions), BS_OK);
    assert_int_equal(bs_summaries_new(&class->summaries, class->sessions), BS_OK);
    return class;
}

static void carry_class(struct bs_snapshot *s, void *at)
{
    struct class *class = at;
    bs_sessions_snapshot(s, class->sessions);
    for (int i = 0; i < PEOPLE; i++)
        bs_snapshot_define(s, BS_SNAPSHOT_SUMMARY_MEMBER, &class->members[i]);
    bs_summaries_snapshot(s, class->summaries);
}

static void dispose_class(void *at)
{
    struct class *class = at;
    bs_summaries_free(class->summaries);
    bs_sessions_free(class->sessions);
    free(class);
}

static void begin(struct class *class, struct bs_slice group, int64_t at_ms)
{
    struct bs_phase phase = {.name = BS_SLICE("a")};
    struct bs_drill_document drill = {.repeat = 1, .phases = {&phase, 1}};
    struct bs_session_document document = {.drill = group, .start_ms = BEGIN, .end_ms = INT64_MAX};
    struct bs_session_word word = {
        .group = group, .session = &document, .drill = &drill, .at = {at_ms}, .settled = {BEGIN}};
    assert_int_equal(bs_sessions_follow(class->sessions, &word), BS_OK);
    word.drill = NULL;
    word.at.ms++;
    assert_int_equal(bs_sessions_follow(class->sessions, &word), BS_OK);
}

static void open_summary(struct class *class, int person, struct bs_slice group)
{
    struct bs_tags_names names = {BS_SLICE("gym"), group,          BS_SLICE("d"), BS_SLICE("a"),
                                  BS_SLICE("m1"),  BS_SLICE("m1"), true};
    struct bs_tags *tags = bs_tags_new(&names);
    struct bs_summary *summary;
    assert_true(
        bs_summaries_find(class->summaries, &class->members[person], tags, BEGIN, &summary));
    bs_summaries_count(class->summaries, summary, BS_SUMMARY_BOUTS, (struct bs_tick_ms){BEGIN});
    bs_tags_drop(tags);
}

static void a_class_without_memory(void **state)
{
    (void)state;
    struct class *class = make_class();
    for (int i = 0; i < PEOPLE; i++) {
        char group[8];
        snprintf(group, sizeof group, "g%d", i);
        for (int64_t k = 0; k < 3; k++)
            begin(class, bs_slice_text(group), BEGIN + 2 * k);
        open_summary(class, i, bs_slice_text(group));
        open_summary(class, (i + 1) % PEOPLE, bs_slice_text(group));
    }
    expect_out_of_memory((struct snapshot_subject){make_class, carry_class, dispose_class}, class);
}

/* Tags. */

static void *make_tags(void)
{
    return calloc(1, sizeof(struct bs_tags *));
}

static void carry_tags(struct bs_snapshot *s, void *at)
{
    struct bs_tags **tags = at;
    *tags = bs_tags_snapshot(s, *tags);
    if (*tags)
        bs_snapshot_define(s, BS_SNAPSHOT_TAGS, *tags);
}

static void dispose_tags(void *at)
{
    struct bs_tags **tags = at;
    if (*tags)
        bs_tags_drop(*tags);
    free(tags);
}

static void tags_without_memory(void **state)
{
    (void)state;
    struct bs_tags_names names = {BS_SLICE("gym"), BS_SLICE("tue"),  BS_SLICE("d"), BS_SLICE("a"),
                                  BS_SLICE("m1"),  BS_SLICE("Ruth"), true};
    struct bs_tags **tags = make_tags();
    *tags = bs_tags_new(&names);
    expect_out_of_memory((struct snapshot_subject){make_tags, carry_tags, dispose_tags}, tags);
}

/* The stream's own memory, while it saves. */
static void a_stream_that_saves_without_memory(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static char objects[MANY];
    struct bs_buffer saved;
    struct bs_sink sink = {&saved, snapshot_write};
    enum bs_status status = BS_NO_MEMORY;
    int failures = 0;
    bs_buffer_init(&saved, 4096);
    assert_non_null(bs_buffer_room(&saved, 4096)); /* the sink is not asked for memory */
    for (int n = 0; status != BS_OK; n++) {
        struct bs_snapshot s;
        bs_buffer_reset(&saved);
        bs_snapshot_save(&s, &sink);
        until_failure = n;
        bs_snapshot_u64(&s, 300, 300);
        for (int i = 0; i < MANY; i++)
            bs_snapshot_define(&s, BS_SNAPSHOT_ROW, &objects[i]);
        assert_ptr_equal(bs_snapshot_refer(&s, BS_SNAPSHOT_ROW, &objects[9]), &objects[9]);
        until_failure = -1;
        status = bs_snapshot_end(&s);
        assert_true(status == BS_OK || status == BS_NO_MEMORY);
        failures += status != BS_OK;
    }
    assert_int_equal(failures, 1 + 2 * 4); /* its buffer, a table that grows three times */
    assert_int_equal(saved.length, 3);
    bs_buffer_fini(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_without_memory),
        cmocka_unit_test(a_document_without_memory_for_a_loaded_config),
        cmocka_unit_test(a_class_without_memory),
        cmocka_unit_test(tags_without_memory),
        cmocka_unit_test(a_stream_that_saves_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
