/* The end of a run: every step that was acknowledged is in the database, once, and every row there
 * is what a fresh engine says of what was kept. Must never look at the daemon's own memory of it.
 */
#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/core/engine.h"
#include "log_places.h"
#include "world.h"

#include <stdlib.h>

struct verdict {
    struct sim_rows expected, letters;
    struct bs_books books;
    uint32_t *kept; /* how often each message is in the intake's history */
    uint64_t differing;
    bool service_only;
};

/* Messages ------------------------------------------------------------------------------------- */

static void count_kept(struct verdict *v)
{
    const struct sim_history *h = &world->history;
    v->kept = calloc(world->broker.message_count + 1, sizeof *v->kept);
    bs_check(v->kept);
    for (size_t i = 0; i < h->count; i++)
        if (!h->records[i].lost && h->records[i].message != SIM_NO_MESSAGE)
            v->kept[h->records[i].message]++;
}

/* A power cut may take what a sync has not reached yet; but with sync_ms 0 there is no such. */
static bool may_be_missing(const struct sim_message *m)
{
    return m->forgotten || (m->handed && world->truth.lost > 0 && world->settings.journal_sync_ms);
}

static void check_messages(const struct verdict *v)
{
    const struct sim_broker *b = &world->broker;
    for (uint32_t i = 0; i < b->message_count; i++) {
        const struct sim_message *m = &b->messages[i];
        if (m->qos > 0 && m->acknowledged && m->queued && v->kept[i] == 0 && !may_be_missing(m))
            sim_violation("message %u on %.*s was acknowledged and is not in the intake", i,
                          (int)m->topic.length, m->topic.at);
    }
}

/* Steps ---------------------------------------------------------------------------------------- */

struct identity {
    uint32_t device, boot, seq;
};

static int by_identity(const void *a, const void *b)
{
    const struct identity *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->boot != y->boot)
        return x->boot < y->boot ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static uint64_t count_unique(const struct verdict *v)
{
    const struct sim_wearables *w = &world->wearables;
    uint64_t count = 0, unique = 0;
    struct identity *all = malloc((w->steps * 2 + 1) * sizeof *all);
    bs_check(all);
    for (size_t i = 0; i < w->message_count; i++) {
        const struct sim_message_steps *s = &w->messages[i];
        for (uint32_t k = 0; v->kept[s->message] > 0 && k < s->count; k++)
            all[count++] = (struct identity){s->device, s->boot, s->first + k};
    }
    qsort(all, count, sizeof *all, by_identity);
    for (uint64_t i = 0; i < count; i++)
        unique += i == 0 || by_identity(&all[i - 1], &all[i]) != 0;
    free(all);
    return unique;
}

/* Each identity is judged afresh once; what is turned away before that may come again. A boot is
 * forgotten with the time, and a machine that wakes up with a wrong clock has let time pass: what
 * comes again then is too late, once more. */
static void check_steps(const struct verdict *v)
{
    const struct bs_books *b = &v->books;
    const uint64_t *r = b->steps_rejected;
    uint64_t unique = count_unique(v);
    uint64_t placed = b->steps_counted + b->steps_fused + r[BS_STEP_UNPLACED] + r[BS_STEP_FUTURE];
    uint64_t judged = placed + r[BS_STEP_TOO_LATE];
    uint64_t turned_away = r[BS_STEP_UNKNOWN_DEVICE] + r[BS_STEP_NO_CONSENT] +
                           r[BS_STEP_OVER_LIMIT] + r[BS_STEP_STALE_SEQ];
    uint64_t once = world->machine.was_wrong ? placed : judged;
    if (world->wearables.by_hand)
        return;
    if (once > unique || judged + turned_away < unique)
        sim_violation("%llu steps were kept, %llu were judged and %llu turned away before",
                      (unsigned long long)unique, (unsigned long long)judged,
                      (unsigned long long)turned_away);
}

/* The fold --------------------------------------------------------------------------------------*/

static void take_line(void *context, struct bs_slice line, bool open)
{
    struct verdict *v = context;
    line.length--;
    sim_rows_write(&v->expected, line, open);
}

static void take_publication(void *context, const struct bs_publication *publication)
{
    (void)context;
    (void)publication;
}

static void fold_again(struct verdict *v)
{
    const struct sim_history *h = &world->history;
    struct bs_engine *engine;
    struct bs_engine_options options = {.topic_root = BS_SLICE("backstep/v1"),
                                        .site = BS_SLICE(SIM_SITE)};
    struct bs_effects effects = {v, take_line, take_publication};
    bs_check(bs_engine_new(&engine, &options) == BS_OK);
    for (size_t i = 0; i < h->count; i++) {
        struct bs_record r = sim_history_record(h, i);
        if (!h->records[i].lost)
            bs_engine_step(engine, &r, &effects);
    }
    v->books = *bs_engine_books(engine);
    bs_engine_free(engine);
}

static void check_books(const struct verdict *v)
{
    const struct bs_books *a = &v->books, *b = &world->process.books;
    if (memcmp(a, b, sizeof *a) != 0)
        sim_violation("the daemon counted %llu steps of %llu, a fresh fold %llu of %llu (or "
                      "another number differs)",
                      (unsigned long long)b->steps_counted, (unsigned long long)b->steps_received,
                      (unsigned long long)a->steps_counted, (unsigned long long)a->steps_received);
}

/* Rows ----------------------------------------------------------------------------------------- */

static bool is_service(const struct sim_row *row)
{
    return bs_slice_starts(row->key, BS_SLICE("backstep_service,"));
}

/* Given up, and counted as such. */
static bool is_excused(const struct verdict *v, const struct sim_row *row)
{
    return sim_rows_find(&v->letters, row->key) ||
           sim_rows_find(&world->database.expired, row->key);
}

static void note_difference(struct verdict *v, const struct sim_row *expected,
                            const struct sim_row *found, struct bs_slice field)
{
    v->differing++;
    if (v->differing > world->history.dropped + world->history.stale)
        sim_violation("row %.*s: expected %.*s, the database has %.*s (%.*s differs)",
                      (int)expected->key.length, expected->key.at, (int)expected->last.length,
                      expected->last.at, found ? (int)found->fields.length : 7,
                      found ? found->fields.at : "nothing", (int)field.length, field.at);
}

static void check_row(struct verdict *v, const struct sim_row *expected)
{
    const struct sim_row *found = sim_rows_find(&world->database.rows, expected->key);
    struct bs_slice field = BS_SLICE("");
    bool loose = world->truth.rows_skipped;
    if (is_excused(v, expected) || (expected->open && loose))
        return;
    if (!found || !sim_fields_are_in(expected->last, found->fields, &field))
        note_difference(v, expected, found, field);
    else if (!loose && world->history.dropped + world->history.stale == 0 &&
             (!sim_fields_are_in(expected->fields, found->fields, &field) ||
              !sim_fields_are_in(found->fields, expected->fields, &field)))
        note_difference(v, expected, found, field);
}

static void check_rows(struct verdict *v)
{
    struct sim_row *row, *next;
    HASH_ITER(hh, v->expected.by_key, row, next)
    check_row(v, row);
    HASH_ITER(hh, world->database.rows.by_key, row, next)
    {
        if (!is_service(row) && !sim_rows_find(&v->expected, row->key))
            sim_violation("row %.*s came of nothing that was kept", (int)row->key.length,
                          row->key.at);
    }
}

/* Dead letters --------------------------------------------------------------------------------- */

/* Undoes what a JSON string of ours has escaped. */
static struct bs_slice read_string(const char *at, const char *end, char *ret)
{
    size_t length = 0;
    for (; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        ret[length++] = *at;
    }
    return bs_slice_of(ret, length);
}

static void read_letters(struct verdict *v, const char *name)
{
    static const char mark[] = "\"line\":\"";
    const struct sim_file *f = sim_disk_find(name);
    if (!f)
        return;
    const char *at = f->cached, *end = at + f->size;
    char *line = malloc((size_t)f->size + 1);
    bs_check(line);
    while ((at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1))) {
        at += sizeof mark - 1;
        sim_rows_write(&v->letters, read_string(at, end, line), false);
    }
    free(line);
}

/* The whole ------------------------------------------------------------------------------------ */

void sim_truth_check_end(struct sim_truth *t)
{
    struct verdict v = {0};
    count_kept(&v);
    check_messages(&v);
    fold_again(&v);
    check_books(&v);
    check_steps(&v);
    read_letters(&v, "dead-letters.jsonl.1");
    read_letters(&v, "dead-letters.jsonl");
    if (HASH_COUNT(v.letters.by_key) > 0 && !t->lines_blamed)
        sim_violation("%u rows are dead letters, and the database blamed none",
                      HASH_COUNT(v.letters.by_key));
    if (world->settings.influxdb_used)
        check_rows(&v);
    sim_rows_fini(&v.expected);
    sim_rows_fini(&v.letters);
    free(v.kept);
}
