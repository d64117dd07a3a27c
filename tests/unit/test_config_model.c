/* Random arrivals of all kinds, held against a plain model of what the interface says: verdict,
 * pointer, warning, what is in force, with which revision, and whose every device is. */
#include "backstep/base/random.h"
#include "config_world.h"

enum { IDS = 4, DEVICES = 6, PHASES = 3 };
#define SEEDS 12
#define TURNS 4000

/* A document as the model has it; what its kind does not have is 0. */
struct plain {
    bool in_force, has_rev, wrong;
    unsigned rev;
    int64_t deleted_at, accepted_at;
    unsigned devices; /* member: a bit each */
    unsigned phases;  /* drill: a bit each, never 0 */
    unsigned drill;   /* session: its id */
    unsigned phase;   /* session: 1.., 0: none given */
    int64_t max_members;
    char json[256];
};

struct model {
    struct plain documents[BS_KIND_COUNT][IDS];
    unsigned ever_named; /* devices */
    struct bs_random random;
    uint64_t seed;
    int turn;
    int64_t now;
};

/* What is to come of an arrival; pointers NULL: none. */
struct forecast {
    const char *error, *warning;
    bool changed;
    char room[32];
};

static unsigned below(struct model *m, unsigned n)
{
    return (unsigned)bs_random_below(&m->random, n);
}

/* Documents out of nothing. */

static void write_member(struct plain *p)
{
    size_t used = strlen(p->json);
    used += (size_t)sprintf(p->json + used, "\"consent\":\"group\",\"devices\":[");
    const char *comma = "";
    for (unsigned i = 0; i < DEVICES; i++)
        if (p->devices & 1u << i) {
            used += (size_t)sprintf(p->json + used, "%s\"pod-%u\"", comma, i);
            comma = ",";
        }
    strcat(p->json, "]");
}

static void write_drill(struct plain *p)
{
    strcat(p->json, "\"phases\":[");
    for (unsigned i = 0; i < PHASES; i++)
        if (p->phases & 1u << i)
            sprintf(p->json + strlen(p->json), "%s{\"name\":\"phase %u\",\"direction\":\"B\"}",
                    p->json[strlen(p->json) - 1] == '}' ? "," : "", i + 1);
    strcat(p->json, "]");
}

static void write_session(struct plain *p)
{
    size_t used = strlen(p->json);
    used += (size_t)sprintf(p->json + used, "\"drill\":\"id%u\",\"start\":\"2026-11-24T18:00:00Z\"",
                            p->drill);
    if (p->phase)
        sprintf(p->json + used, ",\"phase\":\"phase %u\"", p->phase);
}

static struct plain invent(struct model *m, enum bs_kind kind)
{
    struct plain p = {.has_rev = below(m, 4) > 0, .wrong = below(m, 12) == 0};
    p.rev = p.has_rev ? below(m, 4) : 0;
    if (p.has_rev)
        sprintf(p.json, "{\"rev\":%u,", p.rev);
    else
        strcpy(p.json, "{");
    if (kind == BS_KIND_MEMBER) {
        p.devices = below(m, 1u << DEVICES) & below(m, 1u << DEVICES);
        write_member(&p);
    } else if (kind == BS_KIND_DRILL) {
        p.phases = 1 + below(m, (1u << PHASES) - 1);
        write_drill(&p);
    } else if (kind == BS_KIND_SESSION) {
        p.drill = below(m, IDS);
        p.phase = below(m, PHASES + 1);
        write_session(&p);
    } else if (kind == BS_KIND_SETTINGS) {
        p.max_members = 1 + below(m, IDS + 2);
        sprintf(p.json + strlen(p.json), "\"max_members\":%d", (int)p.max_members);
    } else {
        strcat(p.json, "\"name\":\"track\"");
    }
    strcat(p.json, p.wrong ? ",\"xyz\":1}" : "}");
    return p;
}

/* What the interface says. */

static size_t count_kind(const struct model *m, enum bs_kind kind)
{
    size_t count = 0;
    for (unsigned i = 0; i < IDS; i++)
        count += m->documents[kind][i].in_force;
    return count;
}

static int64_t max_members(const struct model *m)
{
    const struct plain *site = &m->documents[BS_KIND_SETTINGS][0];
    return site->in_force ? site->max_members : 20000;
}

/* IDS: nobody. */
static unsigned wearer(const struct model *m, unsigned device)
{
    for (unsigned i = 0; i < IDS; i++) {
        const struct plain *p = &m->documents[BS_KIND_MEMBER][i];
        if (p->in_force && p->devices & 1u << device)
            return i;
    }
    return IDS;
}

static bool lacks(const struct plain *drill, const struct plain *session)
{
    return session->phase && !(drill->phases & 1u << (session->phase - 1));
}

static bool is_stale(const struct model *m, const struct plain *old, const struct plain *p)
{
    return p->has_rev && old->has_rev && p->rev < old->rev &&
           (old->in_force || m->now - old->deleted_at < 30 * DAY_MS);
}

static const char *device_error(const struct model *m, unsigned id, const struct plain *p,
                                char room[32])
{
    unsigned place = 0;
    for (unsigned i = 0; i < DEVICES; i++) {
        if (!(p->devices & 1u << i))
            continue;
        unsigned by = wearer(m, i);
        if (by != IDS && by != id) {
            snprintf(room, 32, "/devices/%u", place);
            return room;
        }
        place++;
    }
    return NULL;
}

static const char *find_error(const struct model *m, enum bs_kind kind, unsigned id,
                              const struct plain *p, uint32_t guests, char room[32])
{
    const struct plain *old = &m->documents[kind][id];
    const struct plain *drill = &m->documents[BS_KIND_DRILL][p->drill];
    if (p->wrong)
        return "/xyz";
    if (is_stale(m, old, p))
        return "/rev";
    if (kind == BS_KIND_MEMBER && !old->in_force &&
        count_kind(m, kind) + guests >= (size_t)max_members(m))
        return "";
    if (kind == BS_KIND_MEMBER)
        return device_error(m, id, p, room);
    return kind == BS_KIND_SESSION && drill->in_force && lacks(drill, p) ? "/phase" : NULL;
}

/* Once it is in force. */
static const char *find_warning(const struct model *m, enum bs_kind kind, unsigned id,
                                bool retained)
{
    const struct plain *p = &m->documents[kind][id];
    const struct plain *drill = &m->documents[BS_KIND_DRILL][p->drill];
    if (!retained)
        return "";
    if (kind == BS_KIND_SESSION)
        return !drill->in_force ? "/drill" : lacks(drill, p) ? "/phase" : NULL;
    for (unsigned i = 0; kind == BS_KIND_DRILL && i < IDS; i++) {
        const struct plain *session = &m->documents[BS_KIND_SESSION][i];
        if (session->in_force && session->drill == id && lacks(p, session))
            return "/phases";
    }
    return NULL;
}

static void take(struct model *m, enum bs_kind kind, unsigned id, const struct plain *p,
                 const struct bs_config_arrival *arrival, struct forecast *f)
{
    struct plain *old = &m->documents[kind][id];
    bool same = old->in_force && strcmp(old->json, p->json) == 0;
    f->error = same ? NULL : find_error(m, kind, id, p, arrival->guests, f->room);
    f->changed = !same && !f->error;
    f->warning = NULL;
    if (f->error)
        return;
    *old = *p;
    old->in_force = true;
    old->accepted_at = m->now;
    m->ever_named |= old->devices;
    f->warning = find_warning(m, kind, id, arrival->retained);
}

static void drop(struct model *m, enum bs_kind kind, unsigned id)
{
    struct plain *p = &m->documents[kind][id];
    if (p->in_force)
        *p = (struct plain){.has_rev = p->has_rev, .rev = p->rev, .deleted_at = m->now};
}

/* The comparison. */

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        print_error("seed %llu, turn %d: ", (unsigned long long)m->seed, m->turn);                 \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

static void expect_pointer(const struct model *m, const struct bs_config_outcome *outcome,
                           const char *name, const char *pointer)
{
    char text[64];
    snprintf(text, sizeof text, "\"%s\":{\"pointer\":\"%s%s", name, pointer ? pointer : "",
             pointer ? "\"," : "");
    if (contains(*outcome, text) != (pointer != NULL))
        FAIL("%.*s, expected %s at %s", (int)outcome->result.length, outcome->result.at, name,
             pointer ? pointer : "(none)");
}

static void compare_documents(const struct model *m, struct bs_config *config)
{
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++) {
        if (bs_config_count_kind(config, kind) != count_kind(m, kind))
            FAIL("%zu documents of the kind %s, expected %zu", bs_config_count_kind(config, kind),
                 bs_kind_name(kind), count_kind(m, kind));
        for (unsigned i = 0; i < IDS; i++) {
            char id[8];
            snprintf(id, sizeof id, "id%u", i);
            const union bs_kind_document *d =
                bs_config_find(config, kind, bs_slice_text(kind == BS_KIND_SETTINGS ? "site" : id));
            const struct plain *p = &m->documents[kind][kind == BS_KIND_SETTINGS ? 0 : i];
            if ((d != NULL) != p->in_force)
                FAIL("%s/%s: in force %d, expected %d", bs_kind_name(kind), id, d != NULL,
                     p->in_force);
            if (d && kind == BS_KIND_MEMBER &&
                d->member.devices.count != (size_t)__builtin_popcount(p->devices))
                FAIL("member/%s: %zu devices", id, d->member.devices.count);
        }
    }
    if (bs_config_settings(config)->max_members != max_members(m))
        FAIL("max_members %lld, expected %lld", (long long)bs_config_settings(config)->max_members,
             (long long)max_members(m));
}

static void compare_devices(const struct model *m, struct bs_config *config)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        char device[8], id[8] = "";
        unsigned by = wearer(m, i);
        snprintf(device, sizeof device, "pod-%u", i);
        if (by != IDS)
            snprintf(id, sizeof id, "id%u", by);
        enum bs_naming expected = by != IDS                 ? BS_NAMING_MEMBER
                                  : m->ever_named & 1u << i ? BS_NAMING_FORMER
                                                            : BS_NAMING_NEVER;
        struct bs_slice member = BS_SLICE("");
        enum bs_naming seen = bs_config_find_device(config, bs_slice_text(device), &member);
        if (seen != expected || !bs_slice_equal(member, bs_slice_text(id)))
            FAIL("%s: naming %d of \"%.*s\", expected %d of \"%s\"", device, seen,
                 (int)member.length, member.at, expected, id);
    }
}

struct walk {
    const struct model *m;
    size_t count, absent;
    int last;
};

static void compare_entry(void *context, const struct bs_config_entry *entry)
{
    struct walk *w = context;
    const struct model *m = w->m;
    unsigned id = entry->kind == BS_KIND_SETTINGS ? 0 : (unsigned)(entry->id.at[2] - '0');
    const struct plain *p = &m->documents[entry->kind][id];
    int place = (int)entry->kind * IDS + (int)id;
    if (place <= w->last || !p->in_force || entry->rev.known != p->has_rev ||
        entry->rev.number != p->rev || entry->accepted_at.ms != p->accepted_at)
        FAIL("%s/%u behind place %d: rev %d %u at %lld, expected %d %u at %lld",
             bs_kind_name(entry->kind), id, w->last, entry->rev.known, entry->rev.number,
             (long long)entry->accepted_at.ms, p->has_rev, p->rev, (long long)p->accepted_at);
    w->last = place;
    w->count++;
    w->absent += p->accepted_at < m->now;
}

static void compare_listing(const struct model *m, struct bs_config *config)
{
    struct walk w = {.m = m, .last = -1};
    bs_config_each(config, compare_entry, &w);
    struct bs_buffer b;
    size_t absent;
    bs_buffer_init(&b, BS_CONFIG_ABSENT_BYTES_MAX);
    bs_config_write_absent(config, (struct bs_wall_ms){m->now}, &b, &absent);
    if (w.count != bs_config_count(config) || absent != w.absent || b.failed)
        FAIL("%zu entries, expected %zu; %zu absent, expected %zu", w.count,
             bs_config_count(config), absent, w.absent);
    bs_buffer_fini(&b);
}

static void play_turn(struct model *m, struct bs_config *config)
{
    enum bs_kind kind = (enum bs_kind)below(m, BS_KIND_COUNT);
    unsigned id = kind == BS_KIND_SETTINGS ? 0 : below(m, IDS);
    char name[8];
    snprintf(name, sizeof name, "id%u", id);
    m->now += (int64_t)below(m, 5) * DAY_MS;
    struct plain p = invent(m, kind);
    if (below(m, 6) == 0)
        p = m->documents[kind][id]; /* once more; nothing is in force: deletes */
    else if (below(m, 5) == 0)
        p = (struct plain){.json = ""};
    struct bs_config_arrival arrival = {
        .kind = bs_slice_text(bs_kind_name(kind)),
        .id = bs_slice_text(kind == BS_KIND_SETTINGS ? "site" : name),
        .payload = bs_slice_text(p.json),
        .retained = below(m, 8) > 0,
        .guests = below(m, 3),
        .at = {m->now},
    };
    bool was = m->documents[kind][id].in_force;
    struct forecast f = {.changed = was};
    if (p.json[0])
        take(m, kind, id, &p, &arrival, &f);
    else
        drop(m, kind, id);
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    enum bs_config_verdict verdict = !p.json[0] ? BS_CONFIG_DELETED
                                     : f.error  ? BS_CONFIG_REJECTED
                                                : BS_CONFIG_ACCEPTED;
    if (outcome.verdict != verdict || outcome.kind != kind || outcome.changed != f.changed ||
        (outcome.before != NULL) != was || (outcome.now != NULL) != m->documents[kind][id].in_force)
        FAIL("%s/%s %s: verdict %d, changed %d, expected %d, %d: %.*s", bs_kind_name(kind), name,
             p.json, outcome.verdict, outcome.changed, verdict, f.changed,
             (int)outcome.result.length, outcome.result.at);
    expect_pointer(m, &outcome, "error", f.error);
    expect_pointer(m, &outcome, "warning", f.warning);
}

static void test_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct bs_config *config = NULL;
        assert_int_equal(bs_config_new(&config), BS_OK);
        bs_config_seed(config, seed);
        static struct model model;
        struct model *m = &model;
        *m = (struct model){.seed = seed, .now = ARRIVAL};
        bs_random_init(&m->random, seed);
        for (m->turn = 0; m->turn < TURNS; m->turn++) {
            play_turn(m, config);
            compare_documents(m, config);
            compare_devices(m, config);
            if (m->turn % 16 == 0)
                compare_listing(m, config);
        }
        bs_config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
