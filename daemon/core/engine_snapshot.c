/* The engine's state as a snapshot, in both directions. Must never leave anything out that a later
 * record could ask for, nor anything in that is only scratch. */
#include "engine_parts.h"

#include "backstep/core/snapshot.h"

/* Marks between the parts. */
enum {
    MARK_ENGINE = 0x454e4731,
    MARK_CONFIG,
    MARK_SESSIONS,
    MARK_ROSTER,
    MARK_SUMMARIES,
    MARK_WINDOWS,
    MARK_MEMBERS,
    MARK_BOUTS,
    MARK_LIVE,
    MARK_TIMERS,
    MARK_END,
};

/* No count of ours gets there; of what is loaded each may still be added to for ever. */
#define COUNTER_MAX  (UINT64_MAX >> 8)

/* Their sum, and that of it and a few spans, is a moment, too. */
#define CLOCK_MAX_MS (INT64_C(1) << 54)

static uint64_t code_count(struct bs_snapshot *s, uint64_t count)
{
    return bs_snapshot_u64(s, count, bs_snapshot_loads(s) ? COUNTER_MAX / 2 : COUNTER_MAX);
}

static void code_books(struct bs_snapshot *s, struct bs_books *b)
{
#define CODE_COUNTER(name, sentence) b->name = code_count(s, b->name);
    BS_BOOKS_COUNTERS(CODE_COUNTER)
#undef CODE_COUNTER
    for (int i = 0; i < BS_MESSAGE_REASON_COUNT; i++)
        b->messages_rejected[i] = code_count(s, b->messages_rejected[i]);
    for (int i = 0; i < BS_STEP_REASON_COUNT; i++)
        b->steps_rejected[i] = code_count(s, b->steps_rejected[i]);
    bs_snapshot_require(s, bs_books_balance(b));
}

/* A state belongs to its site: the rows' tags are in it. */
static void code_root(struct bs_snapshot *s, const struct bs_engine *e)
{
    struct bs_slice root = bs_buffer_slice(&e->root);
    if (!bs_slice_equal(bs_snapshot_text(s, root, UINT16_MAX), root))
        bs_snapshot_fail(s, BS_REFUSED);
}

static void code_engine(struct bs_snapshot *s, struct bs_engine *e)
{
    bs_snapshot_mark(s, MARK_ENGINE);
    code_root(s, e);
    e->now.ms = bs_snapshot_between(s, e->now.ms, -CLOCK_MAX_MS, CLOCK_MAX_MS);
    e->next_sweep.ms = bs_snapshot_time_or(s, e->next_sweep.ms, BS_NEVER_MS);
    e->offset_ms = bs_snapshot_between(s, e->offset_ms, -CLOCK_MAX_MS, CLOCK_MAX_MS);
    e->started = bs_snapshot_flag(s, e->started);
    code_books(s, &e->books);
}

/* What other modules know of the members, by number. */
struct walk {
    struct bs_snapshot *snapshot;
    struct bs_engine *engine;
    uint64_t waiting; /* steps of all members */
};

static void name_parts(void *context, struct bs_member *m)
{
    struct bs_snapshot *s = ((struct walk *)context)->snapshot;
    bs_snapshot_define(s, BS_SNAPSHOT_WINDOW_MEMBER, &m->windows);
    bs_snapshot_define(s, BS_SNAPSHOT_SUMMARY_MEMBER, &m->summaries);
    bs_snapshot_define(s, BS_SNAPSHOT_LIVE_MEMBER, &m->live);
}

static void find_document(void *context, struct bs_member *m)
{
    const struct bs_engine *e = ((struct walk *)context)->engine;
    const union bs_kind_document *d = bs_config_find(e->config, BS_KIND_MEMBER, bs_member_id(m));
    m->document = d ? &d->member : NULL;
}

/* A decision that sessions have overtaken is not looked at again; a summary is found again. */
static void code_tagging(struct bs_snapshot *s, const struct bs_engine *e, struct bs_member *m)
{
    struct bs_tagging *t = &m->tagging;
    bool holds =
        bs_snapshot_flag(s, t->tags && t->generation == bs_sessions_generation(e->sessions));
    struct bs_tagging fresh = {.tags = bs_snapshot_refer(s, BS_SNAPSHOT_TAGS, t->tags)};
    bs_snapshot_require(s,
                        !fresh.tags || bs_slice_equal(bs_tags_member(fresh.tags), bs_member_id(m)));
    if (holds) {
        fresh.history = bs_snapshot_refer(s, BS_SNAPSHOT_HISTORY, t->history);
        fresh.session_start_ms = bs_snapshot_moment(s, t->session_start_ms);
        fresh.from_ms = bs_snapshot_time(s, t->from_ms);
        fresh.until_ms = bs_snapshot_time(s, t->until_ms);
        fresh.generation = bs_sessions_generation(e->sessions);
    }
    if (bs_snapshot_loads(s))
        *t = fresh;
}

static void code_member(void *context, struct bs_member *m)
{
    struct walk *w = context;
    struct bs_snapshot *s = w->snapshot;
    if (s->failed)
        return;
    m->timer_ms = bs_snapshot_time_or(s, m->timer_ms, INT64_MAX);
    m->quiet = bs_snapshot_flag(s, m->quiet);
    code_tagging(s, w->engine, m);
    bs_order_snapshot(s, &m->order, w->engine->windows);
    bs_bouts_member_snapshot(s, &m->bouts, m);
    bs_live_member_snapshot(s, &m->live);
    bs_snapshot_require(s, s->failed || !m->order || m->bouts);
    w->waiting += m->order ? bs_order_waiting(m->order) : 0;
}

static void *code_timer(void *context, struct bs_snapshot *s, void *item)
{
    (void)context;
    struct bs_member *m = bs_snapshot_refer_some(s, BS_SNAPSHOT_MEMBER, item);
    if (m && bs_snapshot_loads(s))
        m->timers++;
    return m;
}

static void code_state(struct bs_snapshot *s, struct bs_engine *e)
{
    struct walk w = {s, e, 0};
    code_engine(s, e);
    bs_snapshot_mark(s, MARK_CONFIG);
    bs_config_snapshot(s, e->config);
    bs_snapshot_mark(s, MARK_SESSIONS);
    bs_sessions_snapshot(s, e->sessions);
    bs_snapshot_mark(s, MARK_ROSTER);
    bs_roster_snapshot(s, e->roster);
    bs_roster_each_member(e->roster, name_parts, &w);
    if (bs_snapshot_loads(s)) {
        bs_roster_each_member(e->roster, find_document, &w);
        bs_engine_apply_settings(e);
    }
    bs_snapshot_mark(s, MARK_SUMMARIES);
    bs_summaries_snapshot(s, e->summaries);
    bs_snapshot_mark(s, MARK_WINDOWS);
    bs_windows_snapshot(s, e->windows);
    bs_snapshot_mark(s, MARK_MEMBERS);
    bs_roster_each_member(e->roster, code_member, &w);
    bs_snapshot_require(s, s->failed || w.waiting == e->books.steps_waiting);
    bs_snapshot_mark(s, MARK_BOUTS);
    bs_bouts_snapshot(s, e->bouts);
    bs_snapshot_mark(s, MARK_LIVE);
    bs_live_snapshot(s, e->live);
    bs_snapshot_mark(s, MARK_TIMERS);
    bs_heap_snapshot(s, &e->timers, code_timer, NULL);
    bs_minute_snapshot(s, &e->minute);
    bs_snapshot_mark(s, MARK_END);
}

enum bs_status bs_engine_save(struct bs_engine *e, const struct bs_sink *sink)
{
    struct bs_snapshot s;
    bs_snapshot_save(&s, sink);
    code_state(&s, e);
    return bs_snapshot_end(&s);
}

enum bs_status bs_engine_load(struct bs_engine **ret, const struct bs_engine_options *options,
                              struct bs_slice state, uint32_t format)
{
    struct bs_engine *e;
    struct bs_snapshot s;
    enum bs_status status = bs_engine_new(&e, options);
    if (status != BS_OK)
        return status;
    bs_snapshot_load(&s, state, format);
    code_state(&s, e);
    status = bs_snapshot_end(&s);
    if (status == BS_OK)
        *ret = e;
    else
        bs_engine_free(e);
    return status;
}
