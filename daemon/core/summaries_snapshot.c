/* The summaries in snapshots. Must never load tags that end a line, nor put a summary into two
 * lists.
 *
 *   ask_ms
 *   for each group: id
 *     for each session, newest first: start_ms, ask_ms, over
 *       for each summary, as they were opened: sums, written, changed, tags
 *   for each member who has some: the member, its summaries as they were opened
 *   for both queues: its summaries, oldest dirt first, with dirty_since */
#include "summaries_parts.h"

#include "backstep/base/check.h"
#include "backstep/core/snapshot.h"

#include <stdlib.h>

#define MARK           0x534d5553u /* SUMS */

/* More than five tags can take: an alias of 128 bytes, each with a backslash, and four ids. */
#define TAGS_BYTES_MAX 1024

/* So that sums of them, and figures in a line, stay within what those can hold. */
#define SUM_MAX        (INT64_C(1) << 56)

/* One summary. */

static void carry_sums(struct bs_snapshot *s, struct bs_summary_sums *sums)
{
    for (int i = 0; i < BS_DIRECTION_COUNT; i++)
        sums->steps[i] = bs_snapshot_u64(s, sums->steps[i], SUM_MAX);
    for (int i = 0; i < BS_SUMMARY_COUNT_COUNT; i++)
        sums->counts[i] = bs_snapshot_u64(s, sums->counts[i], SUM_MAX);
    sums->duration_sum = bs_snapshot_between(s, sums->duration_sum, 0, SUM_MAX);
    sums->distance_sum = bs_snapshot_between(s, sums->distance_sum, 0, SUM_MAX);
    sums->retention_count = bs_snapshot_u32(s, sums->retention_count, UINT32_MAX);
    sums->retention_sum = bs_snapshot_between(s, sums->retention_sum, -SUM_MAX, SUM_MAX);
}

/* As bs_line_add_tag writes them: no space and no end of line by itself. */
static bool are_tags(struct bs_slice text)
{
    if (!bs_slice_starts(text, BS_SLICE(",alias=")) || !bs_slice_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= ' ' || c == 0x7f)
            return false;
        if (c == '\\' && (++i == text.length || !bs_line_escapes(text.at[i])))
            return false;
    }
    return true;
}

static void carry_summary(struct bs_snapshot *s, struct bs_summary *summary)
{
    carry_sums(s, &summary->sums);
    summary->written = bs_snapshot_flag(s, summary->written);
    summary->changed = bs_snapshot_flag(s, summary->changed);
    bs_snapshot_define(s, BS_SNAPSHOT_SUMMARY, summary);
}

static void load_summary(struct bs_snapshot *s, struct bs_summaries *summaries,
                         struct bs_summary_session *session)
{
    struct bs_slice tags = bs_snapshot_text(s, BS_SLICE(""), TAGS_BYTES_MAX);
    bs_snapshot_require(s, are_tags(tags) && summaries->open < BS_SUMMARIES_MAX);
    if (s->failed)
        return;
    struct bs_summary *summary = calloc(1, sizeof *summary + tags.length);
    if (!summary) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    memcpy(summary->tags, tags.at, tags.length);
    summary->tags_length = (uint16_t)tags.length;
    summary->session = session;
    bs_summaries_append_to_session(session, summary);
    summaries->open++;
    carry_summary(s, summary);
}

static void save_summaries(struct bs_snapshot *s, const struct bs_summary_session *session)
{
    for (struct bs_summary *at = session->first; at; at = at->next_in_session) {
        bs_snapshot_text(s, bs_slice_of(at->tags, at->tags_length), TAGS_BYTES_MAX);
        carry_summary(s, at);
    }
}

/* Sessions. */

static size_t count_summaries(const struct bs_summary_session *session)
{
    size_t count = 0;
    for (const struct bs_summary *at = session->first; at; at = at->next_in_session)
        count++;
    return count;
}

static void carry_session(struct bs_snapshot *s, struct bs_summaries *summaries,
                          struct bs_summary_session *session)
{
    session->start_ms = bs_snapshot_moment(s, session->start_ms);
    session->ask_ms = bs_snapshot_time_or(s, session->ask_ms, BS_NEVER_MS);
    session->over = bs_snapshot_flag(s, session->over);
    size_t count = bs_snapshot_count(s, count_summaries(session), BS_SUMMARIES_MAX);
    bs_snapshot_require(s, s->failed || count > 0);
    if (bs_snapshot_loads(s))
        for (size_t i = 0; i < count && !s->failed; i++)
            load_summary(s, summaries, session);
    else
        save_summaries(s, session);
}

/* At the end of a group's list; gives back where the next one goes. */
static struct bs_summary_session **load_session(struct bs_snapshot *s,
                                                struct bs_summaries *summaries,
                                                struct bs_summary_group *group,
                                                struct bs_summary_session **link)
{
    *link = calloc(1, sizeof **link);
    if (!*link) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return link;
    }
    (*link)->group = group;
    carry_session(s, summaries, *link);
    return &(*link)->next;
}

/* Groups. */

static size_t count_sessions(const struct bs_summary_group *group)
{
    size_t count = 0;
    for (const struct bs_summary_session *at = group->first; at; at = at->next)
        count++;
    return count;
}

static void carry_group(struct bs_snapshot *s, struct bs_summaries *summaries,
                        struct bs_summary_group *group)
{
    size_t count = bs_snapshot_count(s, count_sessions(group), BS_SUMMARIES_MAX);
    bs_snapshot_require(s, s->failed || count > 0);
    struct bs_summary_session **link = &group->first;
    if (bs_snapshot_loads(s))
        for (size_t i = 0; i < count && !s->failed; i++)
            link = load_session(s, summaries, group, link);
    else
        for (; *link; link = &(*link)->next)
            carry_session(s, summaries, *link);
}

static void load_group(struct bs_snapshot *s, struct bs_summaries *summaries)
{
    struct bs_slice id = bs_snapshot_text(s, BS_SLICE(""), BS_ID_MAX);
    bs_snapshot_require(s, bs_slice_is_id(id) && !bs_summaries_find_group(summaries, id));
    if (s->failed)
        return;
    struct bs_summary_group *group = bs_summaries_add_group(summaries, id);
    if (group)
        carry_group(s, summaries, group);
    else
        bs_snapshot_fail(s, BS_NO_MEMORY);
}

static void carry_groups(struct bs_snapshot *s, struct bs_summaries *summaries)
{
    size_t count = bs_snapshot_count(s, HASH_COUNT(summaries->groups), BS_SUMMARIES_MAX);
    if (bs_snapshot_loads(s)) {
        for (size_t i = 0; i < count && !s->failed; i++)
            load_group(s, summaries);
        return;
    }
    for (struct bs_summary_group *g = summaries->groups; g; g = g->hh.next) {
        bs_snapshot_text(s, bs_summary_group_id(g), BS_ID_MAX);
        carry_group(s, summaries, g);
    }
}

/* Members: each is met once, at the first of its summaries. */

static void save_member(struct bs_snapshot *s, struct bs_summary_member *m)
{
    size_t count = 0;
    for (struct bs_summary *at = m->first; at; at = at->next_of_member)
        count++;
    bs_snapshot_refer(s, BS_SNAPSHOT_SUMMARY_MEMBER, m);
    bs_snapshot_count(s, count, BS_SUMMARIES_MAX);
    for (struct bs_summary *at = m->first; at; at = at->next_of_member)
        bs_snapshot_refer(s, BS_SNAPSHOT_SUMMARY, at);
}

static void load_member(struct bs_snapshot *s, uint32_t *left)
{
    struct bs_summary_member *m = bs_snapshot_refer_some(s, BS_SNAPSHOT_SUMMARY_MEMBER, NULL);
    size_t count = bs_snapshot_count(s, 0, *left);
    bs_snapshot_require(s, m && !m->first && count > 0);
    if (s->failed)
        return;
    struct bs_summary **link = &m->first;
    for (size_t i = 0; i < count; i++, (*left)--) {
        struct bs_summary *summary = bs_snapshot_refer_some(s, BS_SNAPSHOT_SUMMARY, NULL);
        bs_snapshot_require(s, summary && !summary->member);
        if (s->failed)
            return;
        summary->member = m;
        *link = summary;
        link = &summary->next_of_member;
    }
}

static void load_members(struct bs_snapshot *s, struct bs_summaries *summaries)
{
    uint32_t left = summaries->open;
    while (left > 0 && !s->failed)
        load_member(s, &left);
}

static void save_members(struct bs_snapshot *s, struct bs_summaries *summaries)
{
    for (struct bs_summary_group *g = summaries->groups; g; g = g->hh.next)
        for (struct bs_summary_session *session = g->first; session; session = session->next)
            for (struct bs_summary *at = session->first; at; at = at->next_in_session)
                if (at->member->first == at)
                    save_member(s, at->member);
}

/* Dirt. */

static void load_dirty(struct bs_snapshot *s, struct bs_summaries *summaries, bool soon)
{
    struct bs_summary *summary = bs_snapshot_refer_some(s, BS_SNAPSHOT_SUMMARY, NULL);
    int64_t since = bs_snapshot_moment(s, 0);
    bs_snapshot_require(s, summary && !summary->dirty);
    if (s->failed)
        return;
    summary->dirty_soon = soon;
    bs_summaries_enqueue(summaries, summary, since);
}

static void carry_queue(struct bs_snapshot *s, struct bs_summaries *summaries, bool soon)
{
    struct bs_summary *first = summaries->queues[soon].first;
    size_t count = 0;
    for (const struct bs_summary *at = first; at; at = at->dirty_next)
        count++;
    count = bs_snapshot_count(s, count, summaries->open);
    if (bs_snapshot_loads(s)) {
        for (size_t i = 0; i < count && !s->failed; i++)
            load_dirty(s, summaries, soon);
        return;
    }
    for (struct bs_summary *at = first; at; at = at->dirty_next) {
        bs_snapshot_refer(s, BS_SNAPSHOT_SUMMARY, at);
        bs_snapshot_moment(s, at->dirty_since);
    }
}

void bs_summaries_snapshot(struct bs_snapshot *s, struct bs_summaries *summaries)
{
    bs_check(!bs_snapshot_loads(s) || !summaries->groups);
    bs_snapshot_mark(s, MARK);
    summaries->ask_ms = bs_snapshot_time_or(s, summaries->ask_ms, BS_NEVER_MS);
    carry_groups(s, summaries);
    if (bs_snapshot_loads(s))
        load_members(s, summaries);
    else
        save_members(s, summaries);
    carry_queue(s, summaries, false);
    carry_queue(s, summaries, true);
}

bool bs_summary_claim_retention(struct bs_summary *summary)
{
    if (!summary)
        return true;
    if (summary->sums.retention_claims >= summary->sums.retention_count)
        return false;
    summary->sums.retention_claims++;
    return true;
}
