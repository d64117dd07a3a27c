/* Documents in snapshots: of every kind, what was read comes back, and nothing that could not have
 * been read. */
#include "backstep/core/kinds.h"
#include "snapshot_world.h"

#include <cjson/cJSON.h>
#include <stdio.h>

/* A document with the kind and id that it is carried under. */
struct holder {
    enum bs_kind kind;
    const char *id;
    union bs_kind_document document;
};

static enum bs_kind kind_made; /* of the holders that `make` makes */
static const char *id_made = "id";

static void *make(void)
{
    struct holder *h = calloc(1, sizeof *h);
    h->kind = kind_made;
    h->id = id_made;
    return h;
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct holder *h = at;
    bs_kind_snapshot(s, h->kind, bs_slice_text(h->id), &h->document);
}

static void dispose(void *at)
{
    struct holder *h = at;
    bs_kind_free(h->kind, &h->document);
    free(h);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static struct holder *read(enum bs_kind kind, const char *json)
{
    kind_made = kind;
    id_made = kind == BS_KIND_SETTINGS ? "site" : "id";
    struct holder *h = make();
    struct bs_document_error error;
    struct bs_document_rev rev;
    cJSON *root = NULL;
    enum bs_status status = bs_document_parse(bs_slice_text(json), &root, &rev, &error);
    if (status == BS_OK)
        status = bs_kind_read(kind, bs_slice_text(h->id), root, &h->document, &error);
    if (status != BS_OK)
        fail_msg("%s: %s %s", json, error.pointer, error.message);
    cJSON_Delete(root);
    return h;
}

static const struct {
    enum bs_kind kind;
    const char *json;
} documents[] = {
    {BS_KIND_SETTINGS, "{}"},
    {BS_KIND_SETTINGS, "{\"window_s\":300,\"refresh_s\":1,\"fuse_ms\":0,\"feedback\":false,"
                       "\"unknown_devices\":\"guest\",\"max_members\":1000000,"
                       "\"slip\":{\"drift_pct\":0.001,\"threshold_deg\":1000000,"
                       "\"hold_off_steps\":512}}"},
    {BS_KIND_MEMBER, "{\"consent\":\"none\"}"},
    {BS_KIND_MEMBER, "{\"alias\":\"R\xc3\xbc"
                     "di \xf0\x9f\x91\xa3, 2\",\"consent\":\"member\",\"devices\":[\"pod-2\","
                     "\"pod-1\",\"belt\"],\"groups\":[\"tue-track\"]}"},
    {BS_KIND_GROUP, "{}"},
    {BS_KIND_GROUP, "{\"name\":\"Tuesday track\"}"},
    {BS_KIND_DRILL, "{\"phases\":[{\"name\":\"back\",\"direction\":\"N\"}]}"},
    {BS_KIND_DRILL, "{\"name\":\"Back twenty\",\"repeat\":100,\"phases\":[{\"name\":\"imprint\","
                    "\"direction\":\"B\",\"duration_s\":60,\"risers\":0},{\"name\":\"carry-over\","
                    "\"direction\":\"F\",\"duration_s\":7200,\"risers\":6}]}"},
    {BS_KIND_SESSION, "{\"drill\":\"back-twenty\",\"start\":\"2026-11-24T18:00:00Z\"}"},
    {BS_KIND_SESSION, "{\"drill\":\"d\",\"start\":\"1970-01-01T00:00:00Z\",\"end\":"
                      "\"9999-12-31T23:59:59.999Z\",\"phase\":\"imprint\"}"},
};

#define DOCUMENTS (sizeof documents / sizeof documents[0])

static void every_kind_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct holder *h = read(documents[i].kind, documents[i].json);
        struct holder *copy = snapshot_copy(&subject, h);
        if (!bs_document_equal(bs_kind_table(h->kind), &h->document, &copy->document))
            fail_msg("%s does not come back", documents[i].json);
        dispose(h);
        dispose(copy);
    }
}

/* Whatever loads can be saved, which checks every bound. */
static void save_again(void *at)
{
    struct bs_buffer saved = snapshot_save(&subject, at);
    bs_buffer_fini(&saved);
}

static void damaged_ones_do_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct holder *h = read(documents[i].kind, documents[i].json);
        snapshot_expect_whole(&subject, h);
        snapshot_change_bytes(&subject, h, save_again);
        dispose(h);
    }
}

/* What no document can say. The changed document is carried field by field as its table says, and
 * only the reading side judges texts. */
#define EXPECT_REFUSED(of_kind, json, change)                                                      \
    do {                                                                                           \
        struct holder *h = read(of_kind, json);                                                    \
        struct bs_buffer b = snapshot_save(&subject, h);                                           \
        change;                                                                                    \
        if (snapshot_try(&subject, bs_buffer_slice(&b)) != BS_CORRUPT)                             \
            fail_msg("line %d: " #change ": it loads", __LINE__);                                  \
        bs_buffer_fini(&b);                                                                        \
        dispose(h);                                                                                \
    } while (0)

/* A byte of what was saved; the fields stand in the order of their tables. */
#define BYTE(i, value) b.at[i] = (char)(value)

static void *place_of(struct bs_buffer *b, const char *text)
{
    void *at = memmem(b->at, b->length, text, strlen(text));
    assert_non_null(at);
    return at;
}

static void what_no_document_says_is_refused(void **state)
{
    (void)state;
    const char *member = "{\"alias\":\"Ruth\",\"consent\":\"member\",\"devices\":[\"pod-2\","
                         "\"pod-1\"]}";
    EXPECT_REFUSED(BS_KIND_MEMBER, member, memcpy(place_of(&b, "Ruth"), "Ru\nh", 4));
    EXPECT_REFUSED(BS_KIND_MEMBER, member, memcpy(place_of(&b, "Ruth"), "Rut ", 4));
    EXPECT_REFUSED(BS_KIND_MEMBER, member, memcpy(place_of(&b, "Ruth"), "Ru\\h", 4));
    EXPECT_REFUSED(BS_KIND_MEMBER, member, memcpy(place_of(&b, "Ruth"), "Rut\xc3", 4));
    EXPECT_REFUSED(BS_KIND_MEMBER, member, memcpy(place_of(&b, "pod-2"), "pod.2", 5));
    EXPECT_REFUSED(BS_KIND_MEMBER, member, memcpy(place_of(&b, "pod-2"), "pod-1", 5));
    EXPECT_REFUSED(BS_KIND_MEMBER, member, id_made = "guest-pod-1");
    EXPECT_REFUSED(BS_KIND_MEMBER, member, BYTE(5, 3)); /* consent */

    const char *session = "{\"drill\":\"back\",\"start\":\"1970-01-01T00:00:00.001Z\","
                          "\"end\":\"1970-01-01T00:00:00.002Z\"}";
    EXPECT_REFUSED(
        BS_KIND_SESSION, session,
        (memmove(b.at + 1, b.at + 5, b.length - 5), BYTE(0, 0), b.length -= 4)); /* no drill */
    EXPECT_REFUSED(BS_KIND_SESSION, session, BYTE(5, 1));                        /* before 1970 */
    EXPECT_REFUSED(BS_KIND_SESSION, session, BYTE(6, 2)); /* ends as it begins */

    const char *drill = "{\"phases\":[{\"name\":\"back\",\"direction\":\"B\",\"risers\":3}]}";
    EXPECT_REFUSED(BS_KIND_DRILL, drill, BYTE(1, 0));      /* repeated never */
    EXPECT_REFUSED(BS_KIND_DRILL, drill, BYTE(2, 0));      /* no phases */
    EXPECT_REFUSED(BS_KIND_DRILL, drill, BYTE(8, 8));      /* a direction too many */
    EXPECT_REFUSED(BS_KIND_DRILL, drill, BYTE(10, 7 * 2)); /* risers */

    EXPECT_REFUSED(BS_KIND_SETTINGS, "{}", id_made = "gym");
    EXPECT_REFUSED(BS_KIND_SETTINGS, "{\"window_s\":1}", BYTE(0, 0));
    /* -8 % of drift: the sign is the last bit of its eight bytes. */
    const double drift = 8;
    EXPECT_REFUSED(BS_KIND_SETTINGS, "{}",
                   ((char *)memmem(b.at, b.length, &drift, sizeof drift))[7] |= (char)0x80);
}

/* As many ids as a document may have, and more than any may. */
static void lists_are_bounded(void **state)
{
    (void)state;
    enum { MANY = 5000, TOO_MANY = 12000 };
    struct holder *h = read(BS_KIND_MEMBER, "{\"consent\":\"group\"}");
    struct bs_slice *ids = calloc(TOO_MANY, sizeof *ids);
    char(*text)[8] = calloc(TOO_MANY, sizeof *text);
    assert_true(ids && text);
    for (int i = 0; i < TOO_MANY; i++) {
        snprintf(text[i], sizeof text[i], "d%d", i);
        ids[i] = bs_slice_text(text[i]);
    }
    h->document.member.devices = (struct bs_ids){ids, MANY};
    struct holder *copy = snapshot_copy(&subject, h);
    assert_true(bs_document_equal(bs_kind_table(BS_KIND_MEMBER), &h->document, &copy->document));
    dispose(copy);
    h->document.member.devices.count = TOO_MANY; /* 100 kB of JSON */
    struct bs_buffer saved = snapshot_save(&subject, h);
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
    h->document.member.devices = (struct bs_ids){NULL, 0};
    dispose(h);
    free(ids);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(damaged_ones_do_no_harm),
        cmocka_unit_test(what_no_document_says_is_refused),
        cmocka_unit_test(lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
