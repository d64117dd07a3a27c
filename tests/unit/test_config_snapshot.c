/* The config in snapshots: a loaded one judges, answers and tells as the one that was saved would
 * have, and nothing loads that arrivals could not have left. */
#include "backstep/base/random.h"
#include "config_world.h"
#include "snapshot_world.h"

#define SEEDS 40
#define TURNS 400

static void *make(void)
{
    struct bs_config *config = NULL;
    assert_int_equal(bs_config_new(&config), BS_OK);
    return config;
}

static void carry(struct bs_snapshot *s, void *at)
{
    bs_config_snapshot(s, at);
}

static void dispose(void *at)
{
    bs_config_free(at);
}

static const struct snapshot_subject subject = {make, carry, dispose};

/* Random documents, some of them wrong, of few ids and devices. */

struct trial {
    struct bs_random random;
    uint64_t seed;
    int turn;
    int64_t now;
    char kind[16], id[16], json[512];
};

static unsigned below(struct trial *t, unsigned n)
{
    return (unsigned)bs_random_below(&t->random, n);
}

static void invent_member(struct trial *t, char *at, size_t room)
{
    static const char *const consents[] = {"none", "group", "member", "all"};
    snprintf(
        at, room, "\"consent\":\"%s\",\"devices\":[\"pod-%u\",\"pod-%u\"],\"groups\":[\"g%u\"]",
        consents[below(t, 3) + (below(t, 20) == 0)], below(t, 5), 5 + below(t, 5), below(t, 3));
}

static void invent_content(struct trial *t, enum bs_kind kind, char *at, size_t room)
{
    switch (kind) {
    case BS_KIND_SETTINGS:
        snprintf(at, room, "\"window_s\":%u,\"max_members\":%u", below(t, 30), 2 + below(t, 8));
        break;
    case BS_KIND_MEMBER:
        invent_member(t, at, room);
        break;
    case BS_KIND_GROUP:
        snprintf(at, room, "\"name\":\"group %u\"", below(t, 5));
        break;
    case BS_KIND_DRILL:
        snprintf(at, room, "\"phases\":[{\"name\":\"phase %u\",\"direction\":\"B\"}]", below(t, 3));
        break;
    default:
        snprintf(at, room,
                 "\"drill\":\"id%u\",\"start\":\"2026-11-24T18:00:00Z\",\"phase\":\"phase %u\"",
                 below(t, 6), below(t, 3));
    }
}

static void invent(struct trial *t)
{
    enum bs_kind kind = (enum bs_kind)below(t, BS_KIND_COUNT);
    t->now += (int64_t)below(t, 4) * DAY_MS;
    snprintf(t->kind, sizeof t->kind, "%s", bs_kind_name(kind));
    snprintf(t->id, sizeof t->id, "id%u", below(t, 6));
    if (kind == BS_KIND_SETTINGS)
        strcpy(t->id, "site");
    t->json[0] = 0;
    if (below(t, 4) == 0)
        return; /* deletes */
    size_t used = 0;
    if (below(t, 3))
        used = (size_t)sprintf(t->json, "{\"rev\":%u,", below(t, 5));
    else
        used = (size_t)sprintf(t->json, "{");
    invent_content(t, kind, t->json + used, sizeof t->json - used - 2);
    strcat(t->json, "}");
}

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("seed %llu, turn %d, %s/%s %s: ", (unsigned long long)t->seed, t->turn,    \
                        t->kind, t->id, t->json);                                                  \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

static unsigned rejected, accepted, deleted;

/* One arrival at both, and the same answer. */
static void arrive_at_both(struct trial *t, struct bs_config *a, struct bs_config *b)
{
    invent(t);
    struct bs_config_outcome x = arrive_with(a, t->kind, t->id, t->json, t->now, 1);
    struct bs_config_outcome y = arrive_with(b, t->kind, t->id, t->json, t->now, 1);
    EXPECT(bs_slice_equal(x.result, y.result), "%.*s\nand from the loaded one\n%.*s",
           (int)x.result.length, x.result.at, (int)y.result.length, y.result.at);
    EXPECT(x.verdict == y.verdict && x.changed == y.changed && !x.now == !y.now &&
               !x.before == !y.before,
           "verdict %d, changed %d, but %d, %d from the loaded one", x.verdict, x.changed,
           y.verdict, y.changed);
    if (x.before)
        EXPECT(bs_document_equal(bs_kind_table(x.kind), x.before, y.before), "another one before");
    rejected += x.verdict == BS_CONFIG_REJECTED;
    accepted += x.verdict == BS_CONFIG_ACCEPTED;
    deleted += x.verdict == BS_CONFIG_DELETED;
}

static void write_entry(void *context, const struct bs_config_entry *entry)
{
    bs_buffer_add_format(context, "%d/%.*s %d/%u %s %lld\n", entry->kind, (int)entry->id.length,
                         entry->id.at, entry->rev.known, entry->rev.number, entry->sha256,
                         (long long)entry->accepted_at.ms);
}

static void write_session(void *context, struct bs_slice group,
                          const struct bs_session_document *session)
{
    bs_buffer_add_format(context, "%.*s in %.*s\n", (int)group.length, group.at,
                         (int)session->drill.length, session->drill.at);
}

/* All that a config tells. */
static struct bs_buffer tell(struct bs_config *config)
{
    struct bs_buffer b;
    size_t absent;
    bs_buffer_init(&b, 1u << 20);
    bs_config_each(config, write_entry, &b);
    bs_config_each_session_of(config, BS_SLICE("id3"), write_session, &b);
    for (unsigned i = 0; i < 10; i++) {
        char device[8];
        struct bs_slice member = BS_SLICE("");
        snprintf(device, sizeof device, "pod-%u", i);
        int naming = bs_config_find_device(config, bs_slice_text(device), &member);
        bs_buffer_add_format(&b, "%s %d %.*s\n", device, naming, (int)member.length, member.at);
    }
    bs_config_write_absent(config, (struct bs_wall_ms){ARRIVAL + 30 * DAY_MS}, &b, &absent);
    bs_buffer_add_format(&b, "%zu %zu %lld\n", absent, bs_config_count(config),
                         (long long)bs_config_settings(config)->window_s);
    assert_false(b.failed);
    return b;
}

static void expect_same(struct trial *t, struct bs_config *a, struct bs_config *b)
{
    struct bs_buffer x = tell(a), y = tell(b);
    EXPECT(bs_slice_equal(bs_buffer_slice(&x), bs_buffer_slice(&y)), "%.*s\nloaded:\n%.*s",
           (int)x.length, x.at, (int)y.length, y.at);
    bs_buffer_fini(&x);
    bs_buffer_fini(&y);
    x = snapshot_save(&subject, a);
    y = snapshot_save(&subject, b);
    EXPECT(bs_slice_equal(bs_buffer_slice(&x), bs_buffer_slice(&y)),
           "the loaded one saves something else");
    bs_buffer_fini(&x);
    bs_buffer_fini(&y);
}

static void a_loaded_one_goes_on_as_the_saved(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct trial trial = {.seed = seed, .now = ARRIVAL}, *t = &trial;
        bs_random_init(&t->random, seed);
        struct bs_config *config = make(), *copy = make();
        bs_config_seed(config, seed);
        bs_config_seed(copy, seed);
        for (t->turn = 0; t->turn < TURNS; t->turn++) {
            arrive_at_both(t, config, copy);
            if (below(t, 20) > 0)
                continue;
            expect_same(t, config, copy);
            bs_config_free(copy);
            copy = snapshot_copy(&subject, config);
        }
        expect_same(t, config, copy);
        bs_config_free(config);
        bs_config_free(copy);
    }
    assert_true(rejected > 1000 && accepted > 1000 && deleted > 1000);
}

/* A saved one changes nothing by being saved. */
static void saving_changes_nothing(void **state)
{
    arrive(*state, "group", "b", "{}");
    arrive(*state, "group", "a", "{}");
    struct bs_buffer first = snapshot_save(&subject, *state);
    struct bs_buffer second = snapshot_save(&subject, *state);
    assert_true(bs_slice_equal(bs_buffer_slice(&first), bs_buffer_slice(&second)));
    bs_buffer_fini(&first);
    bs_buffer_fini(&second);
}

/* Damage. */

static void fill(struct bs_config *config)
{
    bs_config_seed(config, 7);
    arrive(config, "settings", "site", "{\"window_s\":5,\"max_members\":3}");
    arrive(config, "member", "m2", "{\"rev\":300,\"consent\":\"member\",\"devices\":[\"pod-1\"]}");
    arrive(config, "member", "m1",
           "{\"alias\":\"Ruth\",\"consent\":\"group\",\"devices\":[\"pod-2\",\"pod-3\"],"
           "\"groups\":[\"tue\"]}");
    arrive(config, "member", "m3", "{\"rev\":2,\"consent\":\"none\",\"devices\":[\"pod-4\"]}");
    arrive(config, "member", "m3", "");
    arrive(config, "group", "tue", "{\"rev\":1,\"name\":\"Tuesday\"}");
    arrive(config, "group", "tue", "");
    arrive(config, "drill", "d", "{\"phases\":[{\"name\":\"back\",\"direction\":\"B\"}]}");
    arrive(config, "session", "tue",
           "{\"drill\":\"d\",\"start\":\"2026-11-24T18:00:00Z\",\"phase\":\"back\"}");
}

/* Goes on with it: everything is deleted and comes again. */
static void use(void *at)
{
    static const char *const ids[] = {"settings/site", "member/m2", "member/m1",  "member/m3",
                                      "group/tue",     "drill/d",   "session/tue"};
    struct bs_buffer told = tell(at);
    bs_buffer_fini(&told);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char kind[16];
        const char *id = strchr(ids[i], '/') + 1;
        snprintf(kind, sizeof kind, "%.*s", (int)(id - 1 - ids[i]), ids[i]);
        arrive(at, kind, id, "{\"rev\":1,\"consent\":\"none\",\"devices\":[\"pod-1\",\"pod-3\"]}");
        arrive(at, kind, id, "");
    }
    fill(at);
    struct bs_buffer saved = snapshot_save(&subject, at);
    bs_buffer_fini(&saved);
}

static void damaged_ones_do_no_harm(void **state)
{
    fill(*state);
    snapshot_expect_whole(&subject, *state);
    assert_true(snapshot_change_bytes(&subject, *state, use) > 100);
}

/* The place of a text in what was saved. */
static char *place_of(struct bs_buffer *b, const char *text)
{
    char *at = memmem(b->at, b->length, text, strlen(text));
    assert_non_null(at);
    return at;
}

/* Where it is said the last time. */
static char *last_place_of(struct bs_buffer *b, const char *text)
{
    char *at = NULL;
    for (size_t i = 0; i + strlen(text) <= b->length; i++)
        if (memcmp(b->at + i, text, strlen(text)) == 0)
            at = b->at + i;
    assert_non_null(at);
    return at;
}

#define EXPECT_REFUSED(change)                                                                     \
    do {                                                                                           \
        struct bs_buffer b = snapshot_save(&subject, *state);                                      \
        change;                                                                                    \
        if (snapshot_try(&subject, bs_buffer_slice(&b)) != BS_CORRUPT)                             \
            fail_msg("it loads after " #change);                                                   \
        bs_buffer_fini(&b);                                                                        \
    } while (0)

static void what_arrivals_cannot_leave_is_refused(void **state)
{
    fill(*state);
    /* A name twice, one that nobody reserved, a device of two members. */
    EXPECT_REFUSED(memcpy(place_of(&b, "pod-2"), "pod-1", 5));
    EXPECT_REFUSED(memcpy(place_of(&b, "pod-2"), "pod-9", 5));
    EXPECT_REFUSED(memcpy(last_place_of(&b, "pod-2"), "pod-1", 5));
    EXPECT_REFUSED(memcpy(place_of(&b, "pod-4"), "pod/4", 5));
    EXPECT_REFUSED(memcpy(place_of(&b, "pod-4"), "pod-1", 5));
    /* A document twice. */
    EXPECT_REFUSED(memcpy(place_of(&b, "m1"), "m2", 2));
    /* The deleted: one of them twice, one in force, one that there is not. */
    EXPECT_REFUSED(memcpy(last_place_of(&b, "m3"), "m1", 2));
    EXPECT_REFUSED(memcpy(last_place_of(&b, "m3"), "m4", 2));
    EXPECT_REFUSED((memcpy(last_place_of(&b, "tue") - 2, "\1\2m3", 4), b.length -= 1));
    EXPECT_REFUSED((*(last_place_of(&b, "m3") - 3) = 1, b.length -= 5)); /* one is left out */
    /* Digits of a digest. */
    struct bs_buffer told = tell(*state);
    char *digest = strchr(place_of(&told, "3/d "), ' ') + 5;
    digest[64] = 0;
    EXPECT_REFUSED(place_of(&b, digest)[63] = 'g');
    EXPECT_REFUSED(place_of(&b, digest)[0] = 'A');
    bs_buffer_fini(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_one_goes_on_as_the_saved),
        cmocka_unit_test_setup_teardown(saving_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_ones_do_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_arrivals_cannot_leave_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
