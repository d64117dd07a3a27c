/* Documents arriving: verdicts, results to the byte, revisions, deletion, and what stays in force.
 * Random sequences are held against a plain model. */
#include "backstep/core/config.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_MS    (INT64_C(24) * 3600 * 1000)
/* 2026-11-24T17:59:58.120Z */
#define ARRIVAL   INT64_C(1795543198120)
#define EMPTY_SHA "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" /* {} */
#define AT        "\"at\":\"2026-11-24T17:59:58.120Z\""

static int set_up(void **state)
{
    struct bs_config *config = NULL;
    assert_int_equal(bs_config_new(&config), BS_OK);
    *state = config;
    return 0;
}

static int tear_down(void **state)
{
    bs_config_free(*state);
    return 0;
}

static struct bs_config_outcome arrive_at(struct bs_config *config, const char *kind,
                                          const char *id, const char *payload, int64_t at)
{
    struct bs_config_arrival arrival = {
        .kind = bs_slice_text(kind),
        .id = bs_slice_text(id),
        .payload = bs_slice_text(payload),
        .retained = true,
        .at = {at},
    };
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    return outcome;
}

static struct bs_config_outcome site(struct bs_config *config, const char *payload)
{
    return arrive_at(config, "settings", "site", payload, ARRIVAL);
}

static void expect_result(struct bs_config_outcome outcome, enum bs_config_verdict verdict,
                          const char *result)
{
    if (outcome.verdict != verdict || outcome.result.length != strlen(result) ||
        memcmp(outcome.result.at, result, outcome.result.length) != 0)
        fail_msg("verdict %d, result\n  %.*s\nexpected %d,\n  %s", outcome.verdict,
                 (int)outcome.result.length, outcome.result.at, verdict, result);
}

static bool contains(struct bs_config_outcome outcome, const char *text)
{
    return memmem(outcome.result.at, outcome.result.length, text, strlen(text)) != NULL;
}

static void test_accepted(void **state)
{
    struct bs_config *config = *state;
    struct bs_config_outcome outcome = site(config, "{}");
    expect_result(outcome, BS_CONFIG_ACCEPTED,
                  "{\"ok\":true,\"rev\":null,\"sha256\":\"" EMPTY_SHA "\"," AT "}");
    assert_false(outcome.settings_changed);
    assert_int_equal(bs_config_count(config), 1);

    outcome = site(config, "{\"rev\":3,\"window_s\":5}");
    expect_result(outcome, BS_CONFIG_ACCEPTED,
                  "{\"ok\":true,\"rev\":3,\"sha256\":"
                  "\"01062ffe55645c4a64b341cd8da2dd5f94dcac41b53ce7cc85fd9f90cac46b83\"," AT "}");
    assert_true(outcome.settings_changed);
    assert_int_equal(bs_config_settings(config)->window_s, 5);
    assert_int_equal(bs_config_count(config), 1);

    outcome = site(config, "{\"rev\":3,\"window_s\":5}");
    assert_int_equal(outcome.verdict, BS_CONFIG_ACCEPTED);
    assert_false(outcome.settings_changed);
}

static void test_rejected(void **state)
{
    struct bs_config *config = *state;
    expect_result(site(config, "{\"rev\":4,\"window_s\":0}"), BS_CONFIG_REJECTED,
                  "{\"ok\":false,\"rev\":4,\"sha256\":"
                  "\"34ddf6e17d68685d2d3f4e222b5afc61d37222d35fec5af61a19d7db8e875b15\"," AT
                  ",\"error\":{\"pointer\":\"/window_s\",\"message\":\"must be 1 to 300, not 0\"},"
                  "\"in_force\":null}");
    assert_int_equal(bs_config_count(config), 0);
    site(config, "{}");
    expect_result(site(config, "{\"rev\":4,\"window_s\":0}"), BS_CONFIG_REJECTED,
                  "{\"ok\":false,\"rev\":4,\"sha256\":"
                  "\"34ddf6e17d68685d2d3f4e222b5afc61d37222d35fec5af61a19d7db8e875b15\"," AT
                  ",\"error\":{\"pointer\":\"/window_s\",\"message\":\"must be 1 to 300, not 0\"},"
                  "\"in_force\":{\"rev\":null,\"sha256\":\"" EMPTY_SHA "\"}}");
    site(config, "{\"rev\":2,\"window_s\":7}");
    struct bs_config_outcome outcome = site(config, "{\"rev\":9,");
    assert_int_equal(outcome.verdict, BS_CONFIG_REJECTED);
    assert_true(contains(outcome, "\"ok\":false,\"rev\":null,"));
    assert_true(contains(outcome, "\"in_force\":{\"rev\":2,"));
    assert_false(outcome.settings_changed);
    assert_int_equal(bs_config_settings(config)->window_s, 7);
}

/* The longest pointer, of characters that JSON must escape, still has its answer. */
static void test_longest_result(void **state)
{
    char json[2048] = "{\"";
    for (int i = 0; i < 240; i++)
        strcat(json, "\\u0001");
    strcat(json, "\":1}");
    struct bs_config_outcome outcome = site(*state, json);
    assert_int_equal(outcome.verdict, BS_CONFIG_REJECTED);
    assert_true(contains(outcome, "\\u0001\",\"message\":\"unknown key"));
    assert_true(contains(outcome, ",\"in_force\":null}"));
}

static void test_not_retained(void **state)
{
    struct bs_config_arrival arrival = {
        BS_SLICE("settings"), BS_SLICE("site"), BS_SLICE("{\"window_s\":5}"), false, {ARRIVAL}};
    struct bs_config_outcome outcome;
    bs_config_arrive(*state, &arrival, &outcome);
    assert_int_equal(outcome.verdict, BS_CONFIG_ACCEPTED);
    assert_true(outcome.settings_changed);
    assert_true(contains(outcome, AT ",\"warning\":{\"pointer\":\"\",\"message\":\"not retained: "
                                     "the broker does not keep it and will not send it again\"}}"));
}

static void test_places(void **state)
{
    struct bs_config *config = *state;
    static const char *const others[] = {"member", "group", "drill", "session"};
    for (size_t i = 0; i < 4; i++) {
        char message[128];
        snprintf(message, sizeof message,
                 "\"message\":\"this version does not understand documents of the kind `%s`\"},"
                 "\"in_force\":null}",
                 others[i]);
        struct bs_config_outcome outcome =
            arrive_at(config, others[i], "x", "{\"rev\":1}", ARRIVAL);
        assert_int_equal(outcome.verdict, BS_CONFIG_REJECTED);
        assert_true(contains(outcome, "\"rev\":1,"));
        assert_true(contains(outcome, "\"pointer\":\"\""));
        assert_true(contains(outcome, message));
        expect_result(arrive_at(config, others[i], "x", "", ARRIVAL), BS_CONFIG_DELETED, "");
    }
    struct bs_config_outcome outcome = arrive_at(config, "settings", "north", "{}", ARRIVAL);
    assert_int_equal(outcome.verdict, BS_CONFIG_REJECTED);
    assert_true(contains(outcome, "the only document of the kind `settings` is `site`"));
    expect_result(arrive_at(config, "setting", "site", "{}", ARRIVAL), BS_CONFIG_UNKNOWN_KIND, "");
    expect_result(arrive_at(config, "setting", "site", "", ARRIVAL), BS_CONFIG_UNKNOWN_KIND, "");
    expect_result(arrive_at(config, "", "site", "{}", ARRIVAL), BS_CONFIG_UNKNOWN_KIND, "");
    assert_int_equal(bs_config_count(config), 0);
}

static void test_revisions(void **state)
{
    struct bs_config *config = *state;
    site(config, "{\"rev\":5,\"window_s\":5}");
    struct bs_config_outcome outcome = site(config, "{\"rev\":4}");
    assert_int_equal(outcome.verdict, BS_CONFIG_REJECTED);
    assert_true(contains(outcome, "\"error\":{\"pointer\":\"/rev\",\"message\":\"stale revision: 5 "
                                  "is in force\"}"));
    assert_int_equal(bs_config_settings(config)->window_s, 5);
    assert_int_equal(site(config, "{\"rev\":5}").verdict, BS_CONFIG_ACCEPTED);
    assert_int_equal(site(config, "{}").verdict, BS_CONFIG_ACCEPTED);
    assert_int_equal(site(config, "{\"rev\":1}").verdict, BS_CONFIG_ACCEPTED);
}

static void test_deletion(void **state)
{
    struct bs_config *config = *state;
    struct bs_config_outcome outcome = site(config, "");
    expect_result(outcome, BS_CONFIG_DELETED, "");
    assert_false(outcome.settings_changed);

    site(config, "{\"rev\":5,\"window_s\":5}");
    outcome = site(config, "");
    expect_result(outcome, BS_CONFIG_DELETED, "");
    assert_true(outcome.settings_changed);
    assert_int_equal(bs_config_settings(config)->window_s, 10);
    assert_int_equal(bs_config_count(config), 0);

    /* A second deletion does not prolong the mark. */
    expect_result(arrive_at(config, "settings", "site", "", ARRIVAL + 29 * DAY_MS),
                  BS_CONFIG_DELETED, "");
    outcome = arrive_at(config, "settings", "site", "{\"rev\":4}", ARRIVAL + 30 * DAY_MS - 1);
    assert_int_equal(outcome.verdict, BS_CONFIG_REJECTED);
    assert_true(contains(outcome, "\"stale revision: 5 was deleted less than 30 days ago\"},"
                                  "\"in_force\":null}"));
    outcome = arrive_at(config, "settings", "site", "{\"rev\":4}", ARRIVAL + 30 * DAY_MS);
    assert_int_equal(outcome.verdict, BS_CONFIG_ACCEPTED);

    /* A document without rev clears the mark of a deletion, too. */
    site(config, "");
    assert_int_equal(site(config, "{}").verdict, BS_CONFIG_ACCEPTED);
    site(config, "");
    assert_int_equal(site(config, "{\"rev\":0}").verdict, BS_CONFIG_ACCEPTED);
}

struct model {
    bool in_force, has_rev;
    unsigned rev;
    int64_t window_s, deleted_at;
};

/* What the interface says, in the fewest words; true where the document is taken. */
static bool model_arrive(struct model *m, bool has_rev, unsigned rev, int64_t window_s, int64_t at)
{
    if (window_s > 300)
        return false;
    if (has_rev && m->has_rev && rev < m->rev && (m->in_force || at - m->deleted_at < 30 * DAY_MS))
        return false;
    *m = (struct model){true, has_rev, has_rev ? rev : 0, window_s, 0};
    return true;
}

static void model_delete(struct model *m, int64_t at)
{
    if (m->in_force)
        *m = (struct model){false, m->has_rev, m->rev, 10, at};
}

static void test_against_model(void **state)
{
    struct bs_config *config = *state;
    uint64_t seed = 20261124;
    struct bs_random random;
    bs_random_init(&random, seed);
    struct model model = {.window_s = 10};
    int64_t at = ARRIVAL;
    for (int i = 0; i < 20000; i++) {
        at += (int64_t)bs_random_below(&random, 10 * (uint64_t)DAY_MS);
        if (bs_random_below(&random, 5) == 0) {
            arrive_at(config, "settings", "site", "", at);
            model_delete(&model, at);
        } else {
            char json[64];
            bool has_rev = bs_random_below(&random, 8) > 0;
            unsigned rev = (unsigned)bs_random_below(&random, 50);
            int64_t window_s = 1 + (int64_t)bs_random_below(&random, 400);
            snprintf(json, sizeof json,
                     has_rev ? "{\"window_s\":%d,\"rev\":%u}" : "{\"window_s\":%d}", (int)window_s,
                     rev);
            bool taken = model_arrive(&model, has_rev, rev, window_s, at);
            struct bs_config_outcome outcome = arrive_at(config, "settings", "site", json, at);
            if ((outcome.verdict == BS_CONFIG_ACCEPTED) != taken)
                fail_msg("seed %llu, turn %d: %s: verdict %d, expected %s",
                         (unsigned long long)seed, i, json, outcome.verdict,
                         taken ? "accepted" : "rejected");
        }
        if (bs_config_settings(config)->window_s != model.window_s ||
            bs_config_count(config) != model.in_force)
            fail_msg("seed %llu, turn %d: window_s %lld, expected %lld", (unsigned long long)seed,
                     i, (long long)bs_config_settings(config)->window_s, (long long)model.window_s);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_accepted),     CASE(test_rejected),      CASE(test_longest_result),
        CASE(test_not_retained), CASE(test_places),        CASE(test_revisions),
        CASE(test_deletion),     CASE(test_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
