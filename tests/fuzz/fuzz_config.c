/* A whole sequence of arrivals: after each, everything that is told of the documents in force fits
 * together, and a rejected one has changed nothing of it.
 *
 * One arrival a line: the kind's first letter (x: no kind), a letter for the id, a letter that says
 * how much later it comes, whether retained and with how many guests, then the payload. */
#include "kind_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that is told of the documents in force, as a text and as counts. */
struct survey {
    struct bs_config *config;
    struct bs_buffer text;
    size_t count, of_kind[BS_KIND_COUNT], absent;
    struct bs_wall_ms now;
    int last_kind;
    char last_id[BS_ID_MAX + 1];
};

static void check_member(struct survey *s, struct bs_slice id,
                         const struct bs_member_document *member)
{
    for (size_t i = 0; i < member->devices.count; i++) {
        struct bs_slice wearer = BS_SLICE("");
        bs_check(bs_config_find_device(s->config, member->devices.at[i], &wearer) ==
                 BS_NAMING_MEMBER);
        bs_check(bs_slice_equal(wearer, id));
    }
}

static void take_entry(void *context, const struct bs_config_entry *entry)
{
    struct survey *s = context;
    const union bs_kind_document *d = bs_config_find(s->config, entry->kind, entry->id);
    bs_check(d && strlen(entry->sha256) == 64);
    char id[BS_ID_MAX + 1] = "";
    memcpy(id, entry->id.at, entry->id.length);
    bs_check((int)entry->kind > s->last_kind || strcmp(id, s->last_id) > 0);
    s->last_kind = (int)entry->kind;
    memcpy(s->last_id, id, sizeof id);
    s->count++;
    s->of_kind[entry->kind]++;
    s->absent += entry->accepted_at.ms < s->now.ms;
    if (entry->kind == BS_KIND_MEMBER)
        check_member(s, entry->id, &d->member);
    bs_buffer_add_format(&s->text, "%d/%s %d %u %s %lld\n", entry->kind, id, entry->rev.known,
                         entry->rev.number, entry->sha256, (long long)entry->accepted_at.ms);
}

struct sessions {
    struct survey *survey;
    struct bs_slice drill;
    size_t count;
};

static void take_session(void *context, struct bs_slice group,
                         const struct bs_session_document *session)
{
    struct sessions *found = context;
    bs_check(bs_slice_equal(session->drill, found->drill));
    bs_check(&bs_config_find(found->survey->config, BS_KIND_SESSION, group)->session == session);
    found->count++;
}

static void survey(struct survey *s, struct bs_config *config, struct bs_wall_ms now)
{
    *s = (struct survey){.config = config, .now = now, .last_kind = -1};
    bs_buffer_init(&s->text, 1u << 20);
    bs_config_each(config, take_entry, s);
    bs_check(!s->text.failed);
    bs_check(s->count == bs_config_count(config));
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++)
        bs_check(s->of_kind[kind] == bs_config_count_kind(config, kind));
    size_t absent;
    struct bs_buffer b;
    bs_buffer_init(&b, BS_CONFIG_ABSENT_BYTES_MAX);
    bs_config_write_absent(config, now, &b, &absent);
    bs_check(!b.failed && absent == s->absent);
    bs_buffer_fini(&b);
    struct sessions found = {s, BS_SLICE("a"), 0};
    bs_config_each_session_of(config, found.drill, take_session, &found);
    bs_check(found.count <= s->of_kind[BS_KIND_SESSION]);
}

static const char *kind_of(char letter)
{
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++)
        if (letter == "Smgds"[kind])
            return bs_kind_name(kind);
    return "weather";
}

/* The settings in force are those of the document, or the defaults. */
static void check_settings(const struct bs_config *config)
{
    const union bs_kind_document *site = bs_config_find(config, BS_KIND_SETTINGS, BS_SLICE("site"));
    struct bs_settings expected;
    bs_settings_default(&expected);
    if (site)
        expected = site->settings;
    bs_check(bs_settings_equal(&expected, bs_config_settings(config)));
}

static void check_outcome(struct bs_config *config, const struct bs_config_arrival *arrival,
                          const struct bs_config_outcome *o)
{
    if (o->verdict == BS_CONFIG_UNKNOWN_KIND) {
        bs_check(!o->changed && o->result.length == 0);
        return;
    }
    bs_check(o->now == bs_config_find(config, o->kind, arrival->id));
    if (o->before)
        check_content(o->kind, arrival->id, o->before);
    if (o->now)
        check_content(o->kind, arrival->id, o->now);
    if (o->verdict == BS_CONFIG_DELETED)
        bs_check(!o->now && o->changed == !!o->before && o->result.length == 0);
    else
        check_result(o);
    bs_check(o->verdict != BS_CONFIG_ACCEPTED || o->now);
    bs_check(o->changed || o->before == o->now);
}

static void take_line(struct bs_config *config, struct bs_slice line, struct bs_wall_ms *now)
{
    if (line.length < 3)
        return;
    unsigned how = (unsigned char)line.at[2];
    char id[2] = {(char)('a' + (unsigned char)(line.at[1] - 'a') % 16), 0};
    now->ms += (how & 3) * INT64_C(10) * 24 * 3600 * 1000 + 1;
    struct bs_config_arrival arrival = {
        .kind = bs_slice_text(kind_of(line.at[0])),
        .id = line.at[0] == 'S' ? BS_SLICE("site") : bs_slice_text(id),
        .payload = bs_slice_after(line, 3),
        .retained = how & 4,
        .guests = how >> 3 & 3,
        .at = *now,
    };
    struct survey before, after;
    survey(&before, config, *now);
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    check_outcome(config, &arrival, &outcome);
    check_settings(config);
    survey(&after, config, *now);
    if (outcome.verdict == BS_CONFIG_REJECTED || outcome.verdict == BS_CONFIG_UNKNOWN_KIND)
        bs_check(bs_slice_equal(bs_buffer_slice(&before.text), bs_buffer_slice(&after.text)));
    bs_buffer_fini(&before.text);
    bs_buffer_fini(&after.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_config *config = NULL;
    bs_check(bs_config_new(&config) == BS_OK);
    struct bs_wall_ms now = {INT64_C(1795543198120)};
    struct bs_slice rest = bs_slice_of(data, size);
    bs_config_seed(config, size);
    while (rest.length > 0) {
        const char *end = memchr(rest.at, '\n', rest.length);
        size_t length = end ? (size_t)(end - rest.at) : rest.length;
        take_line(config, bs_slice_of(rest.at, length), &now);
        rest = bs_slice_after(rest, length + 1);
    }
    bs_config_free(config);
    return 0;
}
