/* The kinds of documents one by one: what is read, every rule with its pointer and sentence, texts,
 * ids and times at their edges. */
#include "backstep/core/kinds.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct bad {
    const char *json, *pointer, *message;
};

static enum bs_status read_id(enum bs_kind kind, const char *id, const char *json,
                              union bs_kind_document *ret, struct bs_document_error *ret_error)
{
    struct bs_document_rev rev;
    cJSON *root = NULL;
    if (bs_document_parse(bs_slice_text(json), &root, &rev, ret_error) != BS_OK)
        fail_msg("%s: \"%s\" \"%s\"", json, ret_error->pointer, ret_error->message);
    enum bs_status status = bs_kind_read(kind, bs_slice_text(id), root, ret, ret_error);
    cJSON_Delete(root);
    return status;
}

static union bs_kind_document expect_good(enum bs_kind kind, const char *json)
{
    union bs_kind_document document;
    struct bs_document_error error = {.message = ""};
    if (read_id(kind, kind == BS_KIND_SETTINGS ? "site" : "x", json, &document, &error) != BS_OK)
        fail_msg("%s %s: \"%s\" \"%s\"", bs_kind_name(kind), json, error.pointer, error.message);
    return document;
}

static void expect_error(enum bs_kind kind, const char *id, const struct bad *bad)
{
    union bs_kind_document document, before;
    memset(&document, 0x5a, sizeof document);
    memset(&before, 0x5a, sizeof before);
    struct bs_document_error error = {.pointer = "unset", .message = "unset"};
    enum bs_status status = read_id(kind, id, bad->json, &document, &error);
    if (status != BS_INVALID || strcmp(error.pointer, bad->pointer) != 0 ||
        strcmp(error.message, bad->message) != 0)
        fail_msg("%s %s: status %d, at \"%s\" \"%s\"; expected at \"%s\" \"%s\"",
                 bs_kind_name(kind), bad->json, status, error.pointer, error.message, bad->pointer,
                 bad->message);
    assert_memory_equal(&document, &before, sizeof document);
}

#define EXPECT_ERRORS(kind, cases)                                                                 \
    do {                                                                                           \
        for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++)                            \
            expect_error(kind, "x", &(cases)[i]);                                                  \
    } while (0)

static void expect_text(struct bs_slice text, const char *expected)
{
    if (!bs_slice_equal(text, bs_slice_text(expected)))
        fail_msg("\"%.*s\", expected \"%s\"", (int)text.length, text.at, expected);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"settings", "member", "group", "drill", "session"};
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++) {
        enum bs_kind found = BS_KIND_COUNT;
        assert_string_equal(bs_kind_name(kind), names[kind]);
        assert_true(bs_kind_of_name(bs_slice_text(names[kind]), &found));
        assert_int_equal(found, kind);
    }
    static const char *const others[] = {"", "Member", "members", "membe", "site"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        enum bs_kind found = BS_KIND_COUNT;
        assert_false(bs_kind_of_name(bs_slice_text(others[i]), &found));
        assert_int_equal(found, BS_KIND_COUNT);
    }
}

/* Members. */

static void test_member(void **state)
{
    (void)state;
    union bs_kind_document d = expect_good(
        BS_KIND_MEMBER, "{\"rev\":1,\"alias\":\"Ruth\",\"consent\":\"member\","
                        "\"devices\":[\"pod-12L\",\"pod-12R\",\"belt-3\"],\"groups\":[\"tue\"]}");
    expect_text(d.member.alias, "Ruth");
    assert_int_equal(d.member.consent, BS_CONSENT_MEMBER);
    assert_int_equal(d.member.devices.count, 3);
    expect_text(d.member.devices.at[0], "pod-12L");
    expect_text(d.member.devices.at[2], "belt-3");
    assert_int_equal(d.member.groups.count, 1);
    expect_text(d.member.groups.at[0], "tue");
    bs_kind_free(BS_KIND_MEMBER, &d);
    assert_int_equal(d.member.devices.count, 0);

    d = expect_good(BS_KIND_MEMBER, "{\"consent\":\"group\"}");
    assert_int_equal(d.member.consent, BS_CONSENT_GROUP);
    assert_int_equal(d.member.alias.length, 0);
    assert_int_equal(d.member.devices.count, 0);
    assert_int_equal(d.member.groups.count, 0);
    bs_kind_free(BS_KIND_MEMBER, &d);

    d = expect_good(BS_KIND_MEMBER, "{\"devices\":[],\"groups\":[],\"consent\":\"none\"}");
    assert_int_equal(d.member.consent, BS_CONSENT_NONE);
    assert_int_equal(d.member.devices.count, 0);
    bs_kind_free(BS_KIND_MEMBER, &d);
}

#define NO_CONSENT "must be \"none\" or \"group\" or \"member\""
#define NO_ID      "must be an id: 1 to 64 of A to Z, a to z, 0 to 9, _ and -"

static void test_member_errors(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"{}", "/consent", "is required"},
        {"{\"alias\":\"\"}", "/alias", "must not be empty"},
        {"{\"x\":1}", "/x", "unknown key; the nearest known one is `rev`"},
        {"{\"consent\":\"all\"}", "/consent", NO_CONSENT},
        {"{\"consent\":null}", "/consent", NO_CONSENT},
        {"{\"consent\":2}", "/consent", NO_CONSENT},
        {"{\"consents\":\"none\"}", "/consents", "unknown key; did you mean `consent`?"},
        {"{\"device\":[]}", "/device", "unknown key; did you mean `devices`?"},
        {"{\"devices\":\"pod\"}", "/devices", "must be an array of ids, not a text"},
        {"{\"devices\":{}}", "/devices", "must be an array of ids, not an object"},
        {"{\"devices\":null}", "/devices", "must be an array of ids, not null"},
        {"{\"devices\":[\"a\",1]}", "/devices/1", "must be an id, not a number"},
        {"{\"devices\":[[\"a\"]]}", "/devices/0", "must be an id, not an array"},
        {"{\"devices\":[\"\"]}", "/devices/0", NO_ID},
        {"{\"devices\":[\"a b\"]}", "/devices/0", NO_ID},
        {"{\"devices\":[\"a\",\"b\",\"a\",\"b\"]}", "/devices/2", "`a` is given twice"},
        {"{\"devices\":[\"a\",\"b\",\"b\",\"a\"]}", "/devices/2", "`b` is given twice"},
        {"{\"devices\":[\"a\",\"\\u0061\"]}", "/devices/1", "`a` is given twice"},
        {"{\"devices\":[\"a\",\"a\",\"+\"]}", "/devices/1", "`a` is given twice"},
        {"{\"devices\":[\"+\",\"a\",\"a\"]}", "/devices/0", NO_ID},
        {"{\"groups\":[\"a\",\"a\"],\"consent\":1}", "/groups/1", "`a` is given twice"},
        {"{\"consent\":1,\"groups\":[\"a\",\"a\"]}", "/consent", NO_CONSENT},
        {"{\"groups\":[true]}", "/groups/0", "must be an id, not a boolean"},
        {"{\"rev\":1.5,\"consent\":\"none\"}", "/rev", "must be an integer, not 1.5"},
        {"{\"rev\":4294967295.5,\"consent\":\"none\"}", "/rev",
         "must be an integer, not 4294967295.5"},
    };
    EXPECT_ERRORS(BS_KIND_MEMBER, cases);
}

static void test_member_ids(void **state)
{
    (void)state;
    static const char why[] = "a member's id must not begin with `guest-`: those are of devices "
                              "that no member's document names";
    static const struct bad guest = {"{\"consent\":1}", "", why};
    expect_error(BS_KIND_MEMBER, "guest-", &guest);
    expect_error(BS_KIND_MEMBER, "guest-pod-1", &guest);
    static const char *const good[] = {"guest", "Guest-1", "aguest-1", "guest_1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        union bs_kind_document d;
        struct bs_document_error error;
        assert_int_equal(read_id(BS_KIND_MEMBER, good[i], "{\"consent\":\"none\"}", &d, &error),
                         BS_OK);
        bs_kind_free(BS_KIND_MEMBER, &d);
    }
    static const struct bad north = {"{}", "",
                                     "the only document of the kind `settings` is `site`"};
    expect_error(BS_KIND_SETTINGS, "north", &north);
}

static void test_id_lengths(void **state)
{
    (void)state;
    char json[256], id[80];
    memset(id, 'a', sizeof id);
    snprintf(json, sizeof json, "{\"consent\":\"none\",\"devices\":[\"%.64s\"]}", id);
    union bs_kind_document d = expect_good(BS_KIND_MEMBER, json);
    assert_int_equal(d.member.devices.at[0].length, 64);
    bs_kind_free(BS_KIND_MEMBER, &d);
    snprintf(json, sizeof json, "{\"consent\":\"none\",\"devices\":[\"%.65s\"]}", id);
    expect_error(BS_KIND_MEMBER, "x", &(struct bad){json, "/devices/0", NO_ID});
}

/* As many as 64 KiB hold: they are compared in well under n². */
static void test_many_ids(void **state)
{
    (void)state;
    static char json[BS_DOCUMENT_BYTES_MAX];
    size_t used = (size_t)sprintf(json, "{\"consent\":\"none\",\"devices\":[\"z\"");
    size_t count = 1;
    for (; used + 32 < sizeof json; count++)
        used += (size_t)sprintf(json + used, ",\"%zx\"", count);
    strcpy(json + used, "]}");
    union bs_kind_document d = expect_good(BS_KIND_MEMBER, json);
    assert_int_equal(d.member.devices.count, count);
    expect_text(d.member.devices.at[255], "ff");
    bs_kind_free(BS_KIND_MEMBER, &d);
    strcpy(json + used, ",\"ff\"]}");
    char pointer[32];
    snprintf(pointer, sizeof pointer, "/devices/%zu", count);
    expect_error(BS_KIND_MEMBER, "x", &(struct bad){json, pointer, "`ff` is given twice"});
}

/* Texts, by a group's name. */

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{\"name\":\"x\"}", "x"},
        {"{\"name\":\"Tuesday track\"}", "Tuesday track"},
        {"{\"name\":\"a  b\"}", "a  b"},
        {"{\"name\":\"\\\"'=,/<>\"}", "\"'=,/<>"},
        {"{\"name\":\"~\\u00a0~\"}", "~\xc2\xa0~"},
        {"{\"name\":\"\\u2027\\u202a\"}", "\xe2\x80\xa7\xe2\x80\xaa"},
        {"{\"name\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80"},
        {"{\"name\":\"J\xc3\xbcrgen\"}", "J\xc3\xbcrgen"},
        {"{\"name\":\"12345678901234567890123456789012\"}", "12345678901234567890123456789012"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        union bs_kind_document d = expect_good(BS_KIND_GROUP, cases[i].json);
        expect_text(d.group.name, cases[i].text);
        bs_kind_free(BS_KIND_GROUP, &d);
    }
    union bs_kind_document d = expect_good(BS_KIND_GROUP, "{}");
    assert_int_equal(d.group.name.length, 0);
    bs_kind_free(BS_KIND_GROUP, &d);
}

static void test_text_errors(void **state)
{
    (void)state;
    static const char control[] = "must not have a control character";
    static const char space[] = "must not begin or end with a space";
    static const struct bad cases[] = {
        {"{\"name\":\"\"}", "/name", "must not be empty"},
        {"{\"name\":7}", "/name", "must be a text, not a number"},
        {"{\"name\":null}", "/name", "must be a text, not null"},
        {"{\"name\":[\"x\"]}", "/name", "must be a text, not an array"},
        {"{\"name\":\" x\"}", "/name", space},
        {"{\"name\":\"x \"}", "/name", space},
        {"{\"name\":\" \"}", "/name", space},
        {"{\"name\":\"a\\\\b\"}", "/name", "must not have a backslash"},
        {"{\"name\":\"a\\u0001b\"}", "/name", control},
        {"{\"name\":\"a\\u001fb\"}", "/name", control},
        {"{\"name\":\"a\\tb\"}", "/name", control},
        {"{\"name\":\"a\\nb\"}", "/name", control},
        {"{\"name\":\"a\x7f\"}", "/name", control},
        {"{\"name\":\"\\u0080\"}", "/name", control},
        {"{\"name\":\"\\u009f\"}", "/name", control},
        {"{\"name\":\"a\\u2028b\"}", "/name", control},
        {"{\"name\":\"a\\u2029b\"}", "/name", control},
        {"{\"name\":\"123456789012345678901234567890123\"}", "/name",
         "must have at most 32 characters, not 33"},
        {"{\"names\":\"x\"}", "/names", "unknown key; did you mean `name`?"},
    };
    EXPECT_ERRORS(BS_KIND_GROUP, cases);
}

/* Code points are counted, neither bytes nor UTF-16. */
static void test_text_lengths(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 4; i++) {
        char json[256] = "{\"name\":\"";
        for (int k = 0; k < 32; k++)
            strcat(json, characters[i]);
        size_t end = strlen(json);
        strcpy(json + end, "\"}");
        union bs_kind_document d = expect_good(BS_KIND_GROUP, json);
        assert_int_equal(d.group.name.length, 32 * strlen(characters[i]));
        bs_kind_free(BS_KIND_GROUP, &d);
        strcpy(json + end, characters[i]);
        strcat(json, "\"}");
        expect_error(BS_KIND_GROUP, "x",
                     &(struct bad){json, "/name", "must have at most 32 characters, not 33"});
    }
}

/* Drills. */

static void test_drill(void **state)
{
    (void)state;
    union bs_kind_document d = expect_good(
        BS_KIND_DRILL,
        "{\"rev\":1,\"name\":\"Back twenty\",\"repeat\":5,\"phases\":["
        "{\"name\":\"imprint\",\"direction\":\"B\",\"duration_s\":60,\"risers\":0},"
        "{\"direction\":\"F\",\"name\":\"carry-over\",\"duration_s\":7200,\"risers\":6},"
        "{\"name\":\"free\",\"direction\":\"N\"}]}");
    expect_text(d.drill.name, "Back twenty");
    assert_int_equal(d.drill.repeat, 5);
    assert_int_equal(d.drill.phases.count, 3);
    const struct bs_phase *phases = d.drill.phases.at;
    expect_text(phases[0].name, "imprint");
    assert_int_equal(phases[0].direction, 1);
    assert_int_equal(phases[0].duration_s, 60);
    assert_int_equal(phases[0].risers, 0);
    expect_text(phases[1].name, "carry-over");
    assert_int_equal(phases[1].direction, 0);
    assert_int_equal(phases[1].duration_s, 7200);
    assert_int_equal(phases[1].risers, 6);
    assert_int_equal(phases[2].direction, 7);
    assert_int_equal(phases[2].duration_s, 0);
    assert_int_equal(phases[2].risers, -1);
    bs_kind_free(BS_KIND_DRILL, &d);
    assert_int_equal(d.drill.phases.count, 0);

    d = expect_good(BS_KIND_DRILL, "{\"phases\":[{\"name\":\"a\",\"direction\":\"T\"}]}");
    assert_int_equal(d.drill.name.length, 0);
    assert_int_equal(d.drill.repeat, 1);
    bs_kind_free(BS_KIND_DRILL, &d);
}

static void test_drill_directions(void **state)
{
    (void)state;
    static const char letters[] = "FBLRUDTN";
    for (int i = 0; letters[i]; i++) {
        char json[96];
        snprintf(json, sizeof json, "{\"phases\":[{\"name\":\"a\",\"direction\":\"%c\"}]}",
                 letters[i]);
        union bs_kind_document d = expect_good(BS_KIND_DRILL, json);
        assert_int_equal(d.drill.phases.at[0].direction, i);
        bs_kind_free(BS_KIND_DRILL, &d);
    }
}

#define PHASE        "{\"name\":\"a\",\"direction\":\"B\""
#define DRILL(more)  "{\"phases\":[" PHASE more "}]}"
#define NO_DIRECTION "must be \"F\" or \"B\" or \"L\" or \"R\" or \"U\" or \"D\" or \"T\" or \"N\""

static void test_drill_errors(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"{}", "/phases", "is required"},
        {"{\"repeat\":5}", "/phases", "is required"},
        {"{\"phases\":{}}", "/phases", "must be an array of objects, not an object"},
        {"{\"phases\":null}", "/phases", "must be an array of objects, not null"},
        {"{\"phases\":[]}", "/phases", "must have 1 to 32 objects, not 0"},
        {"{\"phases\":[1]}", "/phases/0", "must be an object, not a number"},
        {"{\"phases\":[" PHASE "},null]}", "/phases/1", "must be an object, not null"},
        {"{\"phases\":[{}]}", "/phases/0/name", "is required"},
        {"{\"phases\":[" PHASE "},{\"name\":\"b\"}]}", "/phases/1/direction", "is required"},
        {"{\"phases\":[" PHASE "},{\"direction\":\"B\"}]}", "/phases/1/name", "is required"},
        {"{\"phases\":[{\"name\":\"b\",\"direction\":\"X\"}]}", "/phases/0/direction",
         NO_DIRECTION},
        {"{\"phases\":[{\"name\":\"b\",\"direction\":\"b\"}]}", "/phases/0/direction",
         NO_DIRECTION},
        {"{\"phases\":[{\"name\":\"\",\"direction\":\"X\"}]}", "/phases/0/name",
         "must not be empty"},
        {DRILL(",\"duration_s\":0"), "/phases/0/duration_s", "must be 1 to 7200, not 0"},
        {DRILL(",\"duration_s\":7201"), "/phases/0/duration_s", "must be 1 to 7200, not 7201"},
        {DRILL(",\"duration_s\":null"), "/phases/0/duration_s", "must be an integer, not null"},
        {DRILL(",\"risers\":-1"), "/phases/0/risers", "must be 0 to 6, not -1"},
        {DRILL(",\"risers\":7"), "/phases/0/risers", "must be 0 to 6, not 7"},
        {DRILL(",\"riser\":1"), "/phases/0/riser", "unknown key; did you mean `risers`?"},
        {DRILL(",\"x\":1"), "/phases/0/x", "unknown key; the nearest known one is `name`"},
        {"{\"repeat\":0}", "/repeat", "must be 1 to 100, not 0"},
        {"{\"repeat\":101}", "/repeat", "must be 1 to 100, not 101"},
        {"{\"phases\":[{}],\"repeat\":0}", "/phases/0/name", "is required"},
        {"{\"repeat\":0,\"phases\":[{}]}", "/repeat", "must be 1 to 100, not 0"},
    };
    EXPECT_ERRORS(BS_KIND_DRILL, cases);
}

static void write_phases(char *json, int count)
{
    strcpy(json, "{\"phases\":[");
    for (int i = 0; i < count; i++)
        strcat(strcat(json, i ? "," : ""), PHASE "}");
    strcat(json, "]}");
}

static void test_drill_phase_count(void **state)
{
    (void)state;
    char json[2048];
    write_phases(json, 32);
    union bs_kind_document d = expect_good(BS_KIND_DRILL, json);
    assert_int_equal(d.drill.phases.count, BS_PHASES_MAX);
    bs_kind_free(BS_KIND_DRILL, &d);
    write_phases(json, 33);
    expect_error(BS_KIND_DRILL, "x",
                 &(struct bad){json, "/phases", "must have 1 to 32 objects, not 33"});
}

/* Sessions. */

static void test_session(void **state)
{
    (void)state;
    union bs_kind_document d = expect_good(
        BS_KIND_SESSION, "{\"rev\":1,\"drill\":\"back-twenty\",\"start\":\"2026-11-24T18:00:00Z\","
                         "\"end\":\"2026-11-24T20:00:00.5+01:00\",\"phase\":\"imprint\"}");
    expect_text(d.session.drill, "back-twenty");
    expect_text(d.session.phase, "imprint");
    assert_int_equal(d.session.start_ms, INT64_C(1795543200000));
    assert_int_equal(d.session.end_ms, INT64_C(1795546800500));
    bs_kind_free(BS_KIND_SESSION, &d);

    d = expect_good(BS_KIND_SESSION, "{\"start\":\"1970-01-01T00:00:00Z\",\"drill\":\"x\"}");
    assert_int_equal(d.session.start_ms, 0);
    assert_true(d.session.end_ms == INT64_MAX);
    assert_int_equal(d.session.phase.length, 0);
    bs_kind_free(BS_KIND_SESSION, &d);
}

#define NO_TIME                                                                                    \
    "must be a date and time as 2026-11-24T18:00:00Z or 2026-11-24T19:00:00+01:00, in the years "  \
    "1970 to 9999"
#define START "\"start\":\"2026-11-24T18:00:00Z\""

static void test_session_errors(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"{}", "/drill", "is required"},
        {"{\"drill\":\"x\"}", "/start", "is required"},
        {"{" START "}", "/drill", "is required"},
        {"{\"drill\":\"\"," START "}", "/drill", NO_ID},
        {"{\"drill\":\"a/b\"," START "}", "/drill", NO_ID},
        {"{\"drill\":1," START "}", "/drill", "must be an id, not a number"},
        {"{\"drill\":\"x\",\"start\":1795543200}", "/start",
         "must be a date and time, not a number"},
        {"{\"drill\":\"x\",\"start\":\"\"}", "/start", NO_TIME},
        {"{\"drill\":\"x\"," START ",\"end\":null}", "/end", "must be a date and time, not null"},
        {"{\"drill\":\"x\"," START ",\"end\":\"tomorrow\"}", "/end", NO_TIME},
        {"{\"drill\":\"x\"," START ",\"end\":\"2026-11-24T18:00:00Z\"}", "/end",
         "must be after `start`"},
        {"{\"drill\":\"x\"," START ",\"end\":\"2026-11-24T18:30:00+01:00\"}", "/end",
         "must be after `start`"},
        {"{\"end\":\"2026-11-24T17:00:00Z\",\"drill\":\"x\"," START "}", "/end",
         "must be after `start`"},
        {"{\"drill\":\"x\"," START ",\"phase\":\"\"}", "/phase", "must not be empty"},
        {"{\"drill\":\"x\"," START ",\"phases\":\"a\"}", "/phases",
         "unknown key; did you mean `phase`?"},
    };
    EXPECT_ERRORS(BS_KIND_SESSION, cases);
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
        {"2024-02-29T23:59:59.999Z", INT64_C(1709251199999)},
        {"2026-11-24T18:00:00z", INT64_C(1795543200000)},
        {"2026-11-24t18:00:00Z", INT64_C(1795543200000)},
        {"2026-11-24T18:00:00+00:00", INT64_C(1795543200000)},
        {"2026-11-24T18:00:00-00:00", INT64_C(1795543200000)},
        {"2026-11-25T07:45:00+13:45", INT64_C(1795543200000)},
        {"2026-11-24T14:30:00-03:30", INT64_C(1795543200000)},
        {"2026-11-24T18:00:00.1Z", INT64_C(1795543200100)},
        {"2026-11-24T18:00:00.0129999999999999999999999Z", INT64_C(1795543200012)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        {"2017-01-01T00:59:60.250+01:00", INT64_C(1483228800250)},
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:00:00-01:00", 0},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
        {"2100-03-01T00:00:00Z", INT64_C(4107542400000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"drill\":\"x\",\"start\":\"%s\"}", cases[i].text);
        union bs_kind_document d = expect_good(BS_KIND_SESSION, json);
        if (d.session.start_ms != cases[i].ms)
            fail_msg("%s: %lld, expected %lld", cases[i].text, (long long)d.session.start_ms,
                     (long long)cases[i].ms);
        bs_kind_free(BS_KIND_SESSION, &d);
    }
}

static void test_time_errors(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "2026-11-24",
        "18:00:00Z",
        "2026-11-24T18:00Z",
        "2026-11-24T18:00:00",
        "2026-11-24 18:00:00Z",
        "2026-11-24T18:00:00 Z",
        " 2026-11-24T18:00:00Z",
        "2026-11-24T18:00:00Z ",
        "2026-11-24T18:00:00ZZ",
        "2026-11-24T18:00:00.Z",
        "2026-11-24T18:00:00,5Z",
        "2026-11-24T18:00:00.5",
        "2026-11-24T18:00:00+1:00",
        "2026-11-24T18:00:00+0100",
        "2026-11-24T18:00:00+01",
        "2026-11-24T18:00:00+24:00",
        "2026-11-24T18:00:00+01:60",
        "2026-11-24T18:00:00+01:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T18:60:00Z",
        "2026-11-24T18:00:61Z",
        "2026-11-24T18:00:60Z",
        "2026-11-24T23:59:60+01:00",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:00-00:01",
        "10000-01-01T00:00:00Z",
        "-026-11-24T18:00:00Z",
        "+026-11-24T18:00:00Z",
        "2026-1-24T18:00:00Z",
        "20261124T180000Z",
        "2026-11-24T18:00:00UTC",
        "\331\242026-11-24T18:00:00Z",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"drill\":\"x\",\"start\":\"%s\"}", cases[i]);
        expect_error(BS_KIND_SESSION, "x", &(struct bad){json, "/start", NO_TIME});
    }
}

/* Equality sees every value, and what is read equals itself only. */
static void test_equal(void **state)
{
    (void)state;
    static const struct {
        enum bs_kind kind;
        const char *json;
    } cases[] = {
        {BS_KIND_MEMBER, "{\"consent\":\"none\"}"},
        {BS_KIND_MEMBER, "{\"consent\":\"group\"}"},
        {BS_KIND_MEMBER, "{\"consent\":\"none\",\"alias\":\"a\"}"},
        {BS_KIND_MEMBER, "{\"consent\":\"none\",\"devices\":[\"a\"]}"},
        {BS_KIND_MEMBER, "{\"consent\":\"none\",\"devices\":[\"b\"]}"},
        {BS_KIND_MEMBER, "{\"consent\":\"none\",\"groups\":[\"a\",\"b\"]}"},
        {BS_KIND_DRILL, DRILL("")},
        {BS_KIND_DRILL, DRILL(",\"risers\":0")},
        {BS_KIND_DRILL, DRILL(",\"duration_s\":1")},
        {BS_KIND_DRILL, "{\"phases\":[" PHASE "}," PHASE "}]}"},
        {BS_KIND_SESSION, "{\"drill\":\"x\"," START "}"},
        {BS_KIND_SESSION, "{\"drill\":\"y\"," START "}"},
        {BS_KIND_SESSION, "{\"drill\":\"x\"," START ",\"end\":\"2027-01-01T00:00:00Z\"}"},
    };
    enum { COUNT = sizeof cases / sizeof cases[0] };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++) {
            if (cases[i].kind != cases[k].kind)
                continue;
            union bs_kind_document a = expect_good(cases[i].kind, cases[i].json);
            union bs_kind_document b = expect_good(cases[k].kind, cases[k].json);
            if (bs_document_equal(bs_kind_table(cases[i].kind), &a, &b) != (i == k))
                fail_msg("%s and %s: expected %s", cases[i].json, cases[k].json,
                         i == k ? "equal" : "not equal");
            bs_kind_free(cases[i].kind, &a);
            bs_kind_free(cases[k].kind, &b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_member),
        cmocka_unit_test(test_member_errors),
        cmocka_unit_test(test_member_ids),
        cmocka_unit_test(test_id_lengths),
        cmocka_unit_test(test_many_ids),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_text_errors),
        cmocka_unit_test(test_text_lengths),
        cmocka_unit_test(test_drill),
        cmocka_unit_test(test_drill_directions),
        cmocka_unit_test(test_drill_errors),
        cmocka_unit_test(test_drill_phase_count),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_session_errors),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_errors),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
