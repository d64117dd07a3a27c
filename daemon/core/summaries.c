/* Summaries: their life, the look-up, adding. Must never open a second one of a member's session
 * while its first may be written again. */
#include "summaries_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

#include <stdlib.h>

enum bs_status bs_summaries_new(struct bs_summaries **ret, const struct bs_sessions *sessions)
{
    struct bs_summaries *s = calloc(1, sizeof *s);
    if (!s)
        return BS_NO_MEMORY;
    s->sessions = sessions;
    s->queues[false].delay_ms = BS_SUMMARY_RUNNING_MS;
    s->ask_ms = BS_NEVER_MS;
    *ret = s;
    return BS_OK;
}

/* Their members may be gone: nothing of theirs is touched. */
static void free_all(struct bs_summary_session *session)
{
    for (struct bs_summary *at = session->first, *next; at; at = next) {
        next = at->next_in_session;
        free(at);
    }
    session->first = session->last = NULL;
}

void bs_summaries_free_empty(struct bs_summaries *s, struct bs_summary_group *group)
{
    for (struct bs_summary_session **link = &group->first; *link;) {
        struct bs_summary_session *session = *link;
        if (session->first) {
            link = &session->next;
            continue;
        }
        *link = session->next;
        free(session);
    }
    if (group->first)
        return;
    HASH_DELETE(hh, s->groups, group); /* NOLINT: it is in the table */
    free(group);
}

void bs_summaries_free(struct bs_summaries *s)
{
    if (!s)
        return;
    struct bs_summary_group *g, *next;
    HASH_ITER(hh, s->groups, g, next)
    {
        for (struct bs_summary_session *session = g->first; session; session = session->next)
            free_all(session);
        bs_summaries_free_empty(s, g);
    }
    free(s);
}

void bs_summaries_set_refresh(struct bs_summaries *s, int64_t refresh_ms)
{
    s->queues[true].delay_ms = refresh_ms;
}

/* Groups and sessions. Documents name groups, no outsider does: the table needs no seed. */

static unsigned hash_of(struct bs_slice id)
{
    return (unsigned)bs_hash_bytes(0, id);
}

struct bs_summary_group *bs_summaries_find_group(const struct bs_summaries *s, struct bs_slice id)
{
    struct bs_summary_group *g;
    HASH_FIND_BYHASHVALUE(hh, s->groups, id.at, id.length, hash_of(id), g);
    return g;
}

struct bs_summary_group *bs_summaries_add_group(struct bs_summaries *s, struct bs_slice id)
{
    struct bs_summary_group *g = calloc(1, sizeof *g + id.length), *added = g;
    if (!g)
        return NULL;
    g->id_length = id.length;
    memcpy(g->id, id.at, id.length);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->groups, g->id, g->id_length, hash_of(id), added);
    if (added)
        return g;
    free(g); /* uthash found no memory */
    return NULL;
}

/* No step may have been noted yet: a session without an end may be over sooner than it says now. */
static struct bs_summary_session *add_session(struct bs_summaries *s, struct bs_summary_group *g,
                                              int64_t start_ms, int64_t over_ms)
{
    struct bs_summary_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    int64_t silent_ms = start_ms + BS_SESSION_SILENCE_MS;
    session->group = g;
    session->start_ms = start_ms;
    session->ask_ms = over_ms < silent_ms ? over_ms : silent_ms;
    session->next = g->first;
    g->first = session;
    if (session->ask_ms < s->ask_ms)
        s->ask_ms = session->ask_ms;
    return session;
}

static struct bs_summary_session *find_session(const struct bs_summary_group *g, int64_t start_ms)
{
    struct bs_summary_session *session = g->first;
    while (session && session->start_ms != start_ms)
        session = session->next;
    return session;
}

/* Opening and freeing. */

void bs_summaries_append_to_session(struct bs_summary_session *session, struct bs_summary *summary)
{
    summary->next_in_session = NULL;
    if (session->last)
        session->last->next_in_session = summary;
    else
        session->first = summary;
    session->last = summary;
}

/* A member has few: those of sessions that are still known. */
static void append_to_member(struct bs_summary_member *m, struct bs_summary *summary)
{
    struct bs_summary **link = &m->first;
    while (*link)
        link = &(*link)->next_of_member;
    *link = summary;
    summary->member = m;
}

static void take_from_member(struct bs_summary *summary)
{
    struct bs_summary **link = &summary->member->first;
    while (*link != summary)
        link = &(*link)->next_of_member;
    *link = summary->next_of_member;
}

void bs_summaries_free_unheld(struct bs_summaries *s, struct bs_summary_session *session)
{
    struct bs_summary *at = session->first;
    session->first = session->last = NULL;
    for (struct bs_summary *next; at; at = next) {
        next = at->next_in_session;
        if (at->holders) {
            bs_summaries_append_to_session(session, at);
        } else {
            take_from_member(at);
            free(at);
            s->open--;
        }
    }
}

/* Tags in the order of their names, as every line has them. */
static struct bs_summary *make(const struct bs_tags *tags, struct bs_slice drill)
{
    struct bs_slice pieces[] = {
        bs_tags_alias(tags),    BS_SLICE(",drill="), drill,
        BS_SLICE(",group="),    bs_tags_group(tags), bs_tags_member_tag(tags),
        bs_tags_site_tag(tags),
    };
    size_t length = 0, count = sizeof pieces / sizeof pieces[0];
    for (size_t i = 0; i < count; i++)
        length += pieces[i].length;
    struct bs_summary *summary = calloc(1, sizeof *summary + length);
    if (!summary)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        memcpy(summary->tags + summary->tags_length, pieces[i].at, pieces[i].length);
        summary->tags_length = (uint16_t)(summary->tags_length + pieces[i].length);
    }
    return summary;
}

static struct bs_summary *open_in(struct bs_summaries *s, struct bs_summary_group *g,
                                  const struct bs_tags *tags, int64_t start_ms)
{
    struct bs_session_facts facts;
    bool known = bs_sessions_recall(s->sessions, bs_summary_group_id(g), start_ms, &facts);
    bs_check(known);
    struct bs_summary_session *session = find_session(g, start_ms);
    if (!session)
        session = add_session(s, g, start_ms, facts.over_ms);
    struct bs_summary *summary = session ? make(tags, facts.first_drill) : NULL;
    if (!summary)
        return NULL;
    summary->session = session;
    bs_summaries_append_to_session(session, summary);
    s->open++;
    return summary;
}

static struct bs_summary *open_summary(struct bs_summaries *s, struct bs_summary_member *m,
                                       const struct bs_tags *tags, int64_t start_ms)
{
    if (s->open >= BS_SUMMARIES_MAX)
        return NULL;
    struct bs_summary_group *g = bs_summaries_find_group(s, bs_tags_group(tags));
    if (!g)
        g = bs_summaries_add_group(s, bs_tags_group(tags));
    if (!g)
        return NULL;
    struct bs_summary *summary = open_in(s, g, tags, start_ms);
    if (summary)
        append_to_member(m, summary);
    else
        bs_summaries_free_empty(s, g);
    return summary;
}

/* The look-up. */

static struct bs_summary *find(const struct bs_summary_member *m, struct bs_slice group,
                               int64_t start_ms)
{
    for (struct bs_summary *at = m->first; at; at = at->next_of_member)
        if (at->session->start_ms == start_ms &&
            bs_slice_equal(bs_summary_group_id(at->session->group), group))
            return at;
    return NULL;
}

bool bs_summaries_find(struct bs_summaries *s, struct bs_summary_member *m,
                       const struct bs_tags *tags, int64_t start_ms, struct bs_summary **ret)
{
    if (!tags->named) {
        *ret = NULL;
        return true;
    }
    struct bs_summary *summary = find(m, bs_tags_group(tags), start_ms);
    if (!summary)
        summary = open_summary(s, m, tags, start_ms);
    if (!summary)
        return false;
    *ret = summary;
    return true;
}

void bs_summary_hold(struct bs_summary *summary)
{
    if (summary)
        summary->holders++;
}

void bs_summary_drop(struct bs_summary *summary)
{
    if (!summary)
        return;
    bs_check(summary->holders > 0);
    summary->holders--;
}

/* Adding. */

void bs_summaries_add(struct bs_summaries *s, const struct bs_passed *p, struct bs_tick_ms now)
{
    if (!p->summary)
        return;
    bs_summary_sums_add(&p->summary->sums, &p->sample);
    bs_summaries_mark(s, p->summary, now);
}

void bs_summaries_count(struct bs_summaries *s, struct bs_summary *summary,
                        enum bs_summary_count what, struct bs_tick_ms now)
{
    if (!summary)
        return;
    summary->sums.counts[what]++;
    bs_summaries_mark(s, summary, now);
}

void bs_summaries_add_retention(struct bs_summaries *s, struct bs_summary *summary, double pct,
                                struct bs_tick_ms now)
{
    if (!summary)
        return;
    bs_summary_sums_add_retention(&summary->sums, pct);
    bs_summaries_mark(s, summary, now);
}

void bs_summaries_remove_retention(struct bs_summaries *s, struct bs_summary *summary, double pct,
                                   struct bs_tick_ms now)
{
    if (!summary)
        return;
    bs_summary_sums_remove_retention(&summary->sums, pct);
    bs_summaries_mark(s, summary, now);
}

uint32_t bs_summaries_open(const struct bs_summaries *s)
{
    return s->open;
}
