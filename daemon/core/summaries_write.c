/* When summaries are written: dirt, sessions that are over, the last word. Must never write one of
 * a member who is withheld. */
#include "summaries_parts.h"

/* Dirt. */

void bs_summaries_enqueue(struct bs_summaries *s, struct bs_summary *summary, int64_t since)
{
    struct bs_summary_queue *q = &s->queues[summary->dirty_soon];
    summary->dirty = true;
    summary->dirty_since = since;
    summary->dirty_next = NULL;
    summary->dirty_previous = q->last;
    if (q->last)
        q->last->dirty_next = summary;
    else
        q->first = summary;
    q->last = summary;
}

void bs_summaries_mark(struct bs_summaries *s, struct bs_summary *summary, struct bs_tick_ms now)
{
    summary->changed = true;
    if (summary->dirty)
        return;
    summary->dirty_soon = summary->session->over || !summary->written;
    bs_summaries_enqueue(s, summary, now.ms);
}

static void mark_clean(struct bs_summaries *s, struct bs_summary *summary)
{
    if (!summary->dirty)
        return;
    summary->dirty = false;
    struct bs_summary_queue *q = &s->queues[summary->dirty_soon];
    if (summary->dirty_previous)
        summary->dirty_previous->dirty_next = summary->dirty_next;
    else
        q->first = summary->dirty_next;
    if (summary->dirty_next)
        summary->dirty_next->dirty_previous = summary->dirty_previous;
    else
        q->last = summary->dirty_previous;
}

static int64_t due(const struct bs_summary_queue *q)
{
    return q->first ? q->first->dirty_since + q->delay_ms : BS_NEVER_MS;
}

/* Writing. One that must not be written is clean all the same, but has changed. */

static void write_as(struct bs_summaries *s, struct bs_summary *summary, bool open,
                     const struct bs_effects *effects)
{
    mark_clean(s, summary);
    if (summary->member->withheld)
        return;
    struct bs_session_summary row = {.tags = bs_slice_of(summary->tags, summary->tags_length),
                                     .start_ms = summary->session->start_ms,
                                     .sums = &summary->sums};
    effects->line(effects->context, bs_session_summary_write(&row, &s->line), open);
    summary->written = true;
    summary->changed = open;
}

static void write_dirty(struct bs_summaries *s, struct bs_summary *summary,
                        const struct bs_effects *effects)
{
    write_as(s, summary, !summary->session->over, effects);
}

static void close_changed(struct bs_summaries *s, const struct bs_summary_session *session,
                          const struct bs_effects *effects)
{
    for (struct bs_summary *at = session->first; at; at = at->next_in_session)
        if (at->changed)
            write_as(s, at, false, effects);
}

void bs_summaries_write_member(struct bs_summaries *s, const struct bs_summary_member *m,
                               const struct bs_effects *effects)
{
    for (struct bs_summary *at = m->first; at; at = at->next_of_member)
        if (at->changed)
            write_as(s, at, false, effects);
}

/* When a session is over. */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool recall(const struct bs_summaries *s, const struct bs_summary_session *session,
                   struct bs_session_facts *ret)
{
    return bs_sessions_recall(s->sessions, bs_summary_group_id(session->group), session->start_ms,
                              ret);
}

/* A session that a document lets go on may last its longest, until a step is made in it: from there
 * on a silence ends it, which nobody tells us of. */
static void ask(struct bs_summaries *s, struct bs_summary_session *session, struct bs_wall_ms wall,
                const struct bs_effects *effects)
{
    struct bs_session_facts facts;
    bool was_over = session->over;
    session->over = !recall(s, session, &facts) || facts.over_ms <= wall.ms;
    session->ask_ms = BS_NEVER_MS;
    if (!session->over)
        session->ask_ms = earlier(facts.over_ms, wall.ms + BS_SESSION_SILENCE_MS);
    if (session->ask_ms < s->ask_ms)
        s->ask_ms = session->ask_ms;
    if (session->over && !was_over)
        close_changed(s, session, effects);
}

/* Sessions are few beside steps: looking at all of them costs less than keeping them in order. */
static void ask_due(struct bs_summaries *s, struct bs_wall_ms wall,
                    const struct bs_effects *effects)
{
    s->ask_ms = BS_NEVER_MS;
    for (struct bs_summary_group *g = s->groups; g; g = g->hh.next)
        for (struct bs_summary_session *session = g->first; session; session = session->next) {
            if (session->ask_ms <= wall.ms)
                ask(s, session, wall, effects);
            else if (session->ask_ms < s->ask_ms)
                s->ask_ms = session->ask_ms;
        }
}

static void ask_group(struct bs_summaries *s, struct bs_summary_group *g, struct bs_wall_ms wall,
                      const struct bs_effects *effects)
{
    for (struct bs_summary_session *session = g->first; session; session = session->next)
        ask(s, session, wall, effects);
}

void bs_summaries_follow(struct bs_summaries *s, struct bs_slice group, struct bs_wall_ms wall,
                         const struct bs_effects *effects)
{
    struct bs_summary_group *g = bs_summaries_find_group(s, group);
    if (g)
        ask_group(s, g, wall, effects);
}

void bs_summaries_follow_clock(struct bs_summaries *s, struct bs_wall_ms wall,
                               const struct bs_effects *effects)
{
    for (struct bs_summary_group *g = s->groups; g; g = g->hh.next)
        ask_group(s, g, wall, effects);
    for (int soon = 0; soon < 2; soon++)
        while (s->queues[soon].first)
            write_dirty(s, s->queues[soon].first, effects);
}

/* Deadlines. */

struct bs_wall_ms bs_summaries_wall_deadline(const struct bs_summaries *s)
{
    return (struct bs_wall_ms){s->ask_ms};
}

struct bs_tick_ms bs_summaries_tick_deadline(const struct bs_summaries *s)
{
    int64_t running = due(&s->queues[false]), soon = due(&s->queues[true]);
    return (struct bs_tick_ms){earlier(running, soon)};
}

/* A step that came late may have found its session over, and let it go on. */
void bs_summaries_fire(struct bs_summaries *s, struct bs_wall_ms wall, struct bs_tick_ms tick,
                       const struct bs_effects *effects)
{
    if (s->ask_ms <= wall.ms)
        ask_due(s, wall, effects);
    while (due(&s->queues[false]) <= tick.ms)
        write_dirty(s, s->queues[false].first, effects);
    while (due(&s->queues[true]) <= tick.ms) {
        struct bs_summary *first = s->queues[true].first;
        ask(s, first->session, wall, effects);
        if (first->dirty) /* to ask may write it */
            write_dirty(s, first, effects);
    }
}

/* Forgetting. */

void bs_summaries_sweep(struct bs_summaries *s, const struct bs_effects *effects)
{
    struct bs_summary_group *g, *next;
    HASH_ITER(hh, s->groups, g, next)
    {
        for (struct bs_summary_session *session = g->first; session; session = session->next) {
            struct bs_session_facts facts;
            if (recall(s, session, &facts))
                continue;
            close_changed(s, session, effects);
            bs_summaries_free_unheld(s, session);
        }
        bs_summaries_free_empty(s, g);
    }
}
