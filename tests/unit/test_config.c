/* Documents arriving: verdicts, results to the byte, revisions, deletion, every rule between two
 * documents, every warning, and what is told of those in force. */
#include "config_world.h"

#define EMPTY_SHA "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" /* {} */

static struct bs_config_outcome site(struct bs_config *config, const char *payload)
{
    return arrive(config, "settings", "site", payload);
}

static void expect_result(struct bs_config_outcome outcome, enum bs_config_verdict verdict,
                          const char *result)
{
    if (outcome.verdict != verdict || outcome.result.length != strlen(result) ||
        memcmp(outcome.result.at, result, outcome.result.length) != 0)
        fail_msg("verdict %d, result\n  %.*s\nexpected %d,\n  %s", outcome.verdict,
                 (int)outcome.result.length, outcome.result.at, verdict, result);
}

/* Answers. */

static void test_accepted(void **state)
{
    struct bs_config *config = *state;
    struct bs_config_outcome outcome = site(config, "{}");
    expect_result(outcome, BS_CONFIG_ACCEPTED,
                  "{\"ok\":true,\"rev\":null,\"sha256\":\"" EMPTY_SHA "\"," AT "}");
    assert_true(outcome.changed);
    assert_null(outcome.before);
    assert_non_null(outcome.now);

    outcome = site(config, "{\"rev\":3,\"window_s\":5}");
    expect_result(outcome, BS_CONFIG_ACCEPTED,
                  "{\"ok\":true,\"rev\":3,\"sha256\":"
                  "\"01062ffe55645c4a64b341cd8da2dd5f94dcac41b53ce7cc85fd9f90cac46b83\"," AT "}");
    assert_int_equal(outcome.kind, BS_KIND_SETTINGS);
    assert_true(outcome.changed);
    assert_int_equal(outcome.before->settings.window_s, 10);
    assert_int_equal(outcome.now->settings.window_s, 5);
    assert_int_equal(bs_config_settings(config)->window_s, 5);
    assert_int_equal(bs_config_count(config), 1);
}

static void test_rejected(void **state)
{
    struct bs_config *config = *state;
    struct bs_config_outcome outcome = site(config, "{\"rev\":4,\"window_s\":0}");
    expect_result(outcome, BS_CONFIG_REJECTED,
                  "{\"ok\":false,\"rev\":4,\"sha256\":"
                  "\"34ddf6e17d68685d2d3f4e222b5afc61d37222d35fec5af61a19d7db8e875b15\"," AT
                  ",\"error\":{\"pointer\":\"/window_s\",\"message\":\"must be 1 to 300, not 0\"},"
                  "\"in_force\":null}");
    assert_null(outcome.before);
    assert_null(outcome.now);
    assert_int_equal(bs_config_count(config), 0);
    site(config, "{}");
    expect_result(site(config, "{\"rev\":4,\"window_s\":0}"), BS_CONFIG_REJECTED,
                  "{\"ok\":false,\"rev\":4,\"sha256\":"
                  "\"34ddf6e17d68685d2d3f4e222b5afc61d37222d35fec5af61a19d7db8e875b15\"," AT
                  ",\"error\":{\"pointer\":\"/window_s\",\"message\":\"must be 1 to 300, not 0\"},"
                  "\"in_force\":{\"rev\":null,\"sha256\":\"" EMPTY_SHA "\"}}");
    site(config, "{\"rev\":2,\"window_s\":7}");
    outcome = site(config, "{\"rev\":9,");
    EXPECT_VERDICT(outcome, BS_CONFIG_REJECTED);
    assert_true(contains(outcome, "\"ok\":false,\"rev\":null,"));
    assert_true(contains(outcome, "\"in_force\":{\"rev\":2,"));
    assert_false(outcome.changed);
    assert_ptr_equal(outcome.before, outcome.now);
    assert_int_equal(outcome.now->settings.window_s, 7);
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
    EXPECT_VERDICT(outcome, BS_CONFIG_REJECTED);
    assert_true(contains(outcome, "\\u0001\",\"message\":\"unknown key"));
    assert_true(contains(outcome, ",\"in_force\":null}"));
}

/* The same bytes again are taken without being judged anew, and change nothing. */
static void test_same_again(void **state)
{
    struct bs_config *config = *state;
    static const char json[] = "{\"rev\":5,\"consent\":\"group\",\"devices\":[\"pod\"]}";
    EXPECT_ACCEPTED(arrive(config, "member", "ruth", json));
    EXPECT_ACCEPTED(site(config, "{\"max_members\":1}"));
    struct bs_config_outcome outcome = arrive_with(config, "member", "ruth", json, ARRIVAL, 7);
    EXPECT_ACCEPTED(outcome);
    assert_true(contains(outcome, "\"rev\":5,"));
    assert_false(outcome.changed);
    assert_ptr_equal(outcome.before, outcome.now);
    assert_int_equal(outcome.now->member.consent, BS_CONSENT_GROUP);

    /* Other bytes that say the same are a change of the document. */
    outcome = arrive(config, "member", "ruth",
                     "{ \"rev\":5,\"consent\":\"group\",\"devices\":[\"pod\"]}");
    EXPECT_ACCEPTED(outcome);
    assert_true(outcome.changed);
    assert_int_equal(outcome.before->member.consent, BS_CONSENT_GROUP);
    assert_int_equal(outcome.before->member.devices.count, 1);
}

static void test_kinds(void **state)
{
    struct bs_config *config = *state;
    EXPECT_REJECTED(arrive(config, "settings", "north", "{}"), "",
                    "the only document of the kind `settings` is `site`");
    EXPECT_VERDICT(arrive(config, "settings", "north", ""), BS_CONFIG_DELETED);
    static const char *const others[] = {"setting", "", "members", "Member"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        expect_result(arrive(config, others[i], "site", "{}"), BS_CONFIG_UNKNOWN_KIND, "");
        expect_result(arrive(config, others[i], "site", ""), BS_CONFIG_UNKNOWN_KIND, "");
    }
    assert_int_equal(bs_config_count(config), 0);
    EXPECT_REJECTED(arrive(config, "member", "guest-1", "{\"consent\":\"none\"}"), "",
                    "a member's id must not begin with `guest-`: those are of devices that no "
                    "member's document names");
    EXPECT_REJECTED(arrive(config, "member", "ruth", "{}"), "/consent", "is required");
}

/* One id under each kind: they have nothing to do with each other. */
static void test_all_kinds(void **state)
{
    struct bs_config *config = *state;
    EXPECT_ACCEPTED(arrive(config, "member", "x", "{\"rev\":1,\"consent\":\"none\"}"));
    EXPECT_ACCEPTED(arrive(config, "group", "x", "{\"rev\":2,\"name\":\"X\"}"));
    EXPECT_ACCEPTED(arrive(config, "drill", "x",
                           "{\"rev\":3,\"phases\":[{\"name\":\"a\",\"direction\":\"B\"}]}"));
    EXPECT_ACCEPTED(arrive(config, "session", "x",
                           "{\"rev\":4,\"drill\":\"x\",\"start\":\"2026-11-24T18:00:00Z\"}"));
    assert_int_equal(bs_config_count(config), 4);
    for (enum bs_kind kind = BS_KIND_MEMBER; kind <= BS_KIND_SESSION; kind++) {
        assert_int_equal(bs_config_count_kind(config, kind), 1);
        assert_non_null(bs_config_find(config, kind, BS_SLICE("x")));
        assert_null(bs_config_find(config, kind, BS_SLICE("X")));
    }
    assert_null(bs_config_find(config, BS_KIND_SETTINGS, BS_SLICE("site")));
    struct bs_config_outcome outcome = arrive(config, "group", "x", "");
    expect_result(outcome, BS_CONFIG_DELETED, "");
    assert_int_equal(outcome.kind, BS_KIND_GROUP);
    assert_true(bs_slice_equal(outcome.before->group.name, BS_SLICE("X")));
    assert_null(outcome.now);
    assert_null(bs_config_find(config, BS_KIND_GROUP, BS_SLICE("x")));
    assert_int_equal(bs_config_count(config), 3);
    EXPECT_REJECTED(arrive(config, "group", "x", "{\"rev\":1}"), "/rev",
                    "stale revision: 2 was deleted less than 30 days ago");
    EXPECT_ACCEPTED(arrive(config, "member", "x", "{\"rev\":1,\"consent\":\"member\"}"));
}

/* Revisions and deletion. */

static void test_revisions(void **state)
{
    struct bs_config *config = *state;
    site(config, "{\"rev\":5,\"window_s\":5}");
    EXPECT_REJECTED(site(config, "{\"rev\":4}"), "/rev", "stale revision: 5 is in force");
    assert_int_equal(bs_config_settings(config)->window_s, 5);
    EXPECT_REJECTED(site(config, "{\"rev\":4,\"window_s\":0}"), "/window_s",
                    "must be 1 to 300, not 0");
    EXPECT_ACCEPTED(site(config, "{\"rev\":5}"));
    EXPECT_ACCEPTED(site(config, "{}"));
    EXPECT_ACCEPTED(site(config, "{\"rev\":1}"));
}

static void test_deletion(void **state)
{
    struct bs_config *config = *state;
    struct bs_config_outcome outcome = site(config, "");
    expect_result(outcome, BS_CONFIG_DELETED, "");
    assert_false(outcome.changed);
    assert_null(outcome.before);

    site(config, "{\"rev\":5,\"window_s\":5}");
    outcome = site(config, "");
    expect_result(outcome, BS_CONFIG_DELETED, "");
    assert_true(outcome.changed);
    assert_int_equal(outcome.before->settings.window_s, 5);
    assert_null(outcome.now);
    assert_int_equal(bs_config_settings(config)->window_s, 10);
    assert_int_equal(bs_config_count(config), 0);

    /* A second deletion does not prolong the mark. */
    outcome = arrive_with(config, "settings", "site", "", ARRIVAL + 29 * DAY_MS, 0);
    expect_result(outcome, BS_CONFIG_DELETED, "");
    assert_false(outcome.changed);
    outcome = arrive_with(config, "settings", "site", "{\"rev\":4}", ARRIVAL + 30 * DAY_MS - 1, 0);
    EXPECT_REJECTED(outcome, "/rev", "stale revision: 5 was deleted less than 30 days ago");
    assert_true(contains(outcome, ",\"in_force\":null}"));
    EXPECT_ACCEPTED(
        arrive_with(config, "settings", "site", "{\"rev\":4}", ARRIVAL + 30 * DAY_MS, 0));

    /* A document without rev clears the mark of a deletion, too. */
    site(config, "");
    EXPECT_ACCEPTED(site(config, "{}"));
    site(config, "");
    EXPECT_ACCEPTED(site(config, "{\"rev\":0}"));
}

/* Of what was too long to be kept the answer names the digest of all. */
static void test_too_long(void **state)
{
    struct bs_config *config = *state;
    static const char digest[] = "\x00\x01\x7f\x80\xff"
                                 "abcdefghijklmnopqrstuvwxyz!";
    struct bs_config_arrival arrival = {.kind = BS_SLICE("settings"),
                                        .id = BS_SLICE("site"),
                                        .payload = BS_SLICE(""),
                                        .digest = bs_slice_of(digest, 32),
                                        .retained = true,
                                        .at = {ARRIVAL}};
    struct bs_config_outcome outcome;
    EXPECT_ACCEPTED(site(config, "{\"rev\":3}"));
    bs_config_arrive(config, &arrival, &outcome);
    EXPECT_REJECTED(outcome, "", "larger than 64 KiB");
    assert_true(contains(
        outcome,
        "\"sha256\":\"00017f80ff6162636465666768696a6b6c6d6e6f707172737475767778797a21\""));
    assert_int_equal(bs_config_count(config), 1);
    assert_int_equal(bs_config_rev(config, BS_KIND_SETTINGS, BS_SLICE("site")).number, 3);
    assert_false(bs_config_rev(config, BS_KIND_GROUP, BS_SLICE("site")).known);
}

/* Devices. */

static void expect_naming(struct bs_config *config, const char *device, enum bs_naming naming,
                          const char *member)
{
    struct bs_slice wearer = BS_SLICE("");
    enum bs_naming seen = bs_config_find_device(config, bs_slice_text(device), &wearer);
    if (seen != naming || !bs_slice_equal(wearer, bs_slice_text(member)))
        fail_msg("%s: naming %d of \"%.*s\", expected %d of \"%s\"", device, seen,
                 (int)wearer.length, wearer.at, naming, member);
}

static void test_devices(void **state)
{
    struct bs_config *config = *state;
    expect_naming(config, "a", BS_NAMING_NEVER, "");
    EXPECT_ACCEPTED(
        arrive(config, "member", "ruth", "{\"consent\":\"none\",\"devices\":[\"a\",\"b\"]}"));
    expect_naming(config, "a", BS_NAMING_MEMBER, "ruth");
    expect_naming(config, "b", BS_NAMING_MEMBER, "ruth");
    EXPECT_REJECTED(
        arrive(config, "member", "karl", "{\"consent\":\"none\",\"devices\":[\"c\",\"b\"]}"),
        "/devices/1", "`b` is in the document of member `ruth`");
    expect_naming(config, "b", BS_NAMING_MEMBER, "ruth");
    expect_naming(config, "c", BS_NAMING_NEVER, "");
    assert_int_equal(bs_config_count(config), 1);

    /* One stays, one goes, one comes. */
    EXPECT_ACCEPTED(
        arrive(config, "member", "ruth", "{\"consent\":\"none\",\"devices\":[\"d\",\"a\"]}"));
    expect_naming(config, "a", BS_NAMING_MEMBER, "ruth");
    expect_naming(config, "b", BS_NAMING_FORMER, "");
    expect_naming(config, "d", BS_NAMING_MEMBER, "ruth");
    EXPECT_ACCEPTED(
        arrive(config, "member", "karl", "{\"consent\":\"none\",\"devices\":[\"c\",\"b\"]}"));
    expect_naming(config, "b", BS_NAMING_MEMBER, "karl");

    arrive(config, "member", "ruth", "");
    expect_naming(config, "a", BS_NAMING_FORMER, "");
    expect_naming(config, "d", BS_NAMING_FORMER, "");
    expect_naming(config, "c", BS_NAMING_MEMBER, "karl");
    EXPECT_ACCEPTED(arrive(config, "member", "karl",
                           "{\"consent\":\"none\",\"devices\":[\"a\",\"b\",\"c\",\"d\"]}"));
    expect_naming(config, "d", BS_NAMING_MEMBER, "karl");
    EXPECT_ACCEPTED(arrive(config, "member", "karl", "{\"consent\":\"none\"}"));
    expect_naming(config, "d", BS_NAMING_FORMER, "");
}

/* Room. */

#define NONE "{\"consent\":\"none\"}"

static void test_max_members(void **state)
{
    struct bs_config *config = *state;
    EXPECT_ACCEPTED(site(config, "{\"max_members\":3}"));
    EXPECT_ACCEPTED(arrive_with(config, "member", "a", NONE, ARRIVAL, 2));
    EXPECT_REJECTED(arrive_with(config, "member", "b", NONE, ARRIVAL, 2), "",
                    "no room for another member: `max_members` is 3, there are 1 members' "
                    "documents and 2 guests");
    EXPECT_ACCEPTED(arrive(config, "member", "b", NONE));
    EXPECT_ACCEPTED(arrive(config, "member", "c", NONE));
    EXPECT_VERDICT(arrive(config, "member", "d", NONE), BS_CONFIG_REJECTED);

    /* Lowered, it throws nobody out, and nobody needs room again. */
    EXPECT_ACCEPTED(site(config, "{\"max_members\":1}"));
    assert_int_equal(bs_config_count_kind(config, BS_KIND_MEMBER), 3);
    EXPECT_ACCEPTED(arrive_with(config, "member", "b", "{\"consent\":\"group\"}", ARRIVAL, 9));
    arrive(config, "member", "a", "");
    arrive(config, "member", "b", "");
    EXPECT_VERDICT(arrive(config, "member", "b", NONE), BS_CONFIG_REJECTED);
    arrive(config, "member", "c", "");
    EXPECT_ACCEPTED(arrive(config, "member", "b", NONE));
    EXPECT_ACCEPTED(arrive_with(config, "group", "g", "{}", ARRIVAL, 9));
}

/* Sessions and drills. */

#define START       "\"start\":\"2026-11-24T18:00:00Z\""
#define DRILL(name) "{\"phases\":[{\"name\":\"" name "\",\"direction\":\"B\"}]}"

static void test_session_and_drill(void **state)
{
    struct bs_config *config = *state;
    static const char in_phase[] = "{\"drill\":\"d\"," START ",\"phase\":\"imprint\"}";
    EXPECT_WARNED(arrive(config, "session", "tue", in_phase), "/drill",
                  "there is no drill `d`: the session runs once there is");
    EXPECT_ACCEPTED(arrive(config, "drill", "d", DRILL("imprint")));
    EXPECT_ACCEPTED(arrive(config, "session", "tue", in_phase));
    EXPECT_REJECTED(
        arrive(config, "session", "tue", "{\"drill\":\"d\"," START ",\"phase\":\"Imprint\"}"),
        "/phase", "is not one of the phases of the drill `d`");
    EXPECT_ACCEPTED(arrive(config, "session", "wed", "{\"drill\":\"d\"," START "}"));
    EXPECT_WARNED(
        arrive(config, "session", "thu", "{\"drill\":\"e\"," START ",\"phase\":\"free\"}"),
        "/drill", "there is no drill `e`: the session runs once there is");

    EXPECT_WARNED(arrive(config, "drill", "d", DRILL("free")), "/phases",
                  "the phase that the session of `tue` is in is not among them: none is in force "
                  "there");
    EXPECT_WARNED(arrive(config, "drill", "d", DRILL("free")), "/phases",
                  "the phase that the session of `tue` is in is not among them: none is in force "
                  "there");
    /* It was accepted once, so it is again: only the warning is new. */
    EXPECT_WARNED(arrive(config, "session", "tue", in_phase), "/phase",
                  "is not one of the phases of the drill `d` any more: none is in force");
    EXPECT_ACCEPTED(arrive(config, "drill", "e", DRILL("free")));
    arrive(config, "drill", "d", "");
    EXPECT_WARNED(arrive(config, "session", "tue", in_phase), "/drill",
                  "there is no drill `d`: the session runs once there is");
}

/* Of two sessions the first by name is named, whichever came first. */
static void test_first_lost_session(void **state)
{
    struct bs_config *config = *state;
    static const char *const groups[] = {"c", "ab", "b", "a"};
    for (size_t i = 0; i < 4; i++)
        arrive(config, "session", groups[i], "{\"drill\":\"d\"," START ",\"phase\":\"imprint\"}");
    EXPECT_WARNED(arrive(config, "drill", "d", DRILL("free")), "/phases",
                  "the phase that the session of `a` is in is not among them: none is in force "
                  "there");
    arrive(config, "session", "a", "");
    EXPECT_WARNED(arrive(config, "drill", "d", DRILL("free")), "/phases",
                  "the phase that the session of `ab` is in is not among them: none is in force "
                  "there");
}

static void test_not_retained(void **state)
{
    struct bs_config *config = *state;
    struct bs_config_arrival arrival = {.kind = BS_SLICE("session"),
                                        .id = BS_SLICE("tue"),
                                        .payload = BS_SLICE("{\"drill\":\"d\"," START "}"),
                                        .retained = false,
                                        .at = {ARRIVAL}};
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    EXPECT_WARNED(outcome, "",
                  "not retained: the broker does not keep it and will not send it again");
    assert_true(outcome.changed);
    arrival.payload = BS_SLICE("{}");
    bs_config_arrive(config, &arrival, &outcome);
    EXPECT_REJECTED(outcome, "/drill", "is required");
    assert_false(contains(outcome, "warning"));
}

/* Texts are quoted nowhere. */
static void test_no_text_is_quoted(void **state)
{
    struct bs_config *config = *state;
    arrive(config, "drill", "d", DRILL("SECRET-1"));
    static const char *const cases[][3] = {
        {"member", "x", "{\"consent\":\"SECRET-2\"}"},
        {"member", "x", "{\"consent\":\"none\",\"alias\":\"SECRET-3 \"}"},
        {"group", "x", "{\"name\":\"SECRET-4\\n\"}"},
        {"session", "x", "{\"drill\":\"d\"," START ",\"phase\":\"SECRET-5\"}"},
        {"session", "x", "{\"drill\":\"SECRET 6\"," START "}"},
        {"session", "x", "{\"drill\":\"d\",\"start\":\"SECRET-7\"}"},
        {"drill", "x", "{\"phases\":[{\"name\":\"SECRET-8\"}]}"},
        {"drill", "x", "{\"phases\":[{\"name\":\"a\",\"direction\":\"SECRET-9\"}]}"},
        {"member", "x", "{\"consent\":\"none\",\"devices\":[\"SECRET 10\"]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bs_config_outcome outcome = arrive(config, cases[i][0], cases[i][1], cases[i][2]);
        EXPECT_VERDICT(outcome, BS_CONFIG_REJECTED);
        if (contains(outcome, "SECRET"))
            fail_msg("%.*s", (int)outcome.result.length, outcome.result.at);
    }
    arrive(config, "session", "tue", "{\"drill\":\"e\"," START ",\"phase\":\"SECRET-11\"}");
    struct bs_config_outcome outcome = arrive(config, "drill", "e", DRILL("SECRET-12"));
    assert_true(contains(outcome, "warning"));
    assert_false(contains(outcome, "SECRET"));
}

/* Questions. */

struct listing {
    char text[4096];
};

static void list_session(void *context, struct bs_slice group,
                         const struct bs_session_document *session)
{
    struct listing *l = context;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof l->text - used, "%.*s:%.*s ", (int)group.length, group.at,
             (int)session->phase.length, session->phase.at);
}

static void expect_sessions(struct bs_config *config, const char *drill, const char *expected)
{
    struct listing l = {""};
    bs_config_each_session_of(config, bs_slice_text(drill), list_session, &l);
    assert_string_equal(l.text, expected);
}

static void test_each_session_of(void **state)
{
    struct bs_config *config = *state;
    expect_sessions(config, "d", "");
    arrive(config, "session", "wed", "{\"drill\":\"d\"," START ",\"phase\":\"two\"}");
    arrive(config, "session", "tue-2", "{\"drill\":\"d\"," START "}");
    arrive(config, "session", "tue", "{\"rev\":1,\"drill\":\"d\"," START ",\"phase\":\"one\"}");
    arrive(config, "session", "fri", "{\"drill\":\"e\"," START ",\"phase\":\"x\"}");
    expect_sessions(config, "d", "tue:one tue-2: wed:two ");
    expect_sessions(config, "e", "fri:x ");
    expect_sessions(config, "f", "");
    arrive(config, "session", "tue", "");
    arrive(config, "session", "fri", "{\"drill\":\"d\"," START "}");
    expect_sessions(config, "d", "fri: tue-2: wed:two ");
    expect_sessions(config, "e", "");
}

static void list_entry(void *context, const struct bs_config_entry *entry)
{
    struct listing *l = context;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof l->text - used, "%s/%.*s:%d:%u:%.4s:%lld ",
             bs_kind_name(entry->kind), (int)entry->id.length, entry->id.at, entry->rev.known,
             entry->rev.number, entry->sha256, (long long)(entry->accepted_at.ms - ARRIVAL));
}

static void test_each(void **state)
{
    struct bs_config *config = *state;
    arrive(config, "group", "b", "{}");
    arrive(config, "group", "a", "{}");
    arrive(config, "group", "gone", "{\"rev\":1}");
    arrive(config, "group", "gone", "");
    arrive_with(config, "group", "a-", "{\"rev\":7}", ARRIVAL + 5, 0);
    arrive(config, "member", "z", "{\"consent\":\"none\"}");
    site(config, "{}");
    struct listing l = {""};
    bs_config_each(config, list_entry, &l);
    assert_string_equal(l.text, "settings/site:0:0:4413:0 member/z:0:0:8b2c:0 "
                                "group/a:0:0:4413:0 group/a-:1:7:3eda:5 group/b:0:0:4413:0 ");
}

static void expect_absent(struct bs_config *config, int64_t since, const char *expected,
                          size_t expected_count)
{
    struct bs_buffer b;
    size_t count = SIZE_MAX;
    bs_buffer_init(&b, BS_CONFIG_ABSENT_BYTES_MAX);
    bs_config_write_absent(config, (struct bs_wall_ms){since}, &b, &count);
    assert_false(b.failed);
    if (count != expected_count ||
        (expected && !bs_slice_equal(bs_buffer_slice(&b), bs_slice_text(expected))))
        fail_msg("%zu: %.*s, expected %zu: %s", count, (int)b.length, b.at, expected_count,
                 expected);
    bs_buffer_fini(&b);
}

static void test_absent(void **state)
{
    struct bs_config *config = *state;
    expect_absent(config, ARRIVAL, "[]", 0);
    arrive(config, "group", "b", "{}");
    arrive(config, "member", "ruth", NONE);
    site(config, "{}");
    expect_absent(config, ARRIVAL, "[]", 0);
    expect_absent(config, ARRIVAL + 1, "[\"group/b\",\"member/ruth\",\"settings/site\"]", 3);
    arrive_with(config, "group", "b", "{}", ARRIVAL + 9, 0);
    arrive_with(config, "group", "a", "{}", ARRIVAL + 9, 0);
    arrive_with(config, "member", "ruth", "{}", ARRIVAL + 9, 0); /* rejected */
    expect_absent(config, ARRIVAL + 1, "[\"member/ruth\",\"settings/site\"]", 2);
    arrive(config, "settings", "site", "");
    expect_absent(config, ARRIVAL + 1, "[\"member/ruth\"]", 1);
    expect_absent(config, ARRIVAL + 10, "[\"group/a\",\"group/b\",\"member/ruth\"]", 3);
}

/* Without effect on what is answered, and once something was taken on the tables, too. */
static void test_seed(void **state)
{
    struct bs_config *config = *state;
    bs_config_seed(config, 77);
    EXPECT_ACCEPTED(arrive(config, "member", "ruth", NONE));
    bs_config_seed(config, 78);
    assert_non_null(bs_config_find(config, BS_KIND_MEMBER, BS_SLICE("ruth")));
    EXPECT_ACCEPTED(arrive(config, "group", "g", "{}"));
    assert_non_null(bs_config_find(config, BS_KIND_GROUP, BS_SLICE("g")));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_accepted),
        CASE(test_rejected),
        CASE(test_longest_result),
        CASE(test_same_again),
        CASE(test_kinds),
        CASE(test_all_kinds),
        CASE(test_revisions),
        CASE(test_deletion),
        CASE(test_too_long),
        CASE(test_devices),
        CASE(test_max_members),
        CASE(test_session_and_drill),
        CASE(test_first_lost_session),
        CASE(test_not_retained),
        CASE(test_no_text_is_quoted),
        CASE(test_each_session_of),
        CASE(test_each),
        CASE(test_absent),
        CASE(test_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
