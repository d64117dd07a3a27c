/* The sessions in snapshots. Must never load a list that its readers run beyond.
 *
 *   seed, generation
 *   drills as they were (drill_version.c)
 *   for each group
 *     id, deleted_ms
 *     for each session, ascending by start: its times and marks, first drill
 *       for each of its intervals, ascending: begin_ms, drill, phase */
#include "session_parts.h"

#include "backstep/base/check.h"
#include "backstep/core/snapshot.h"

#define MARK      0x53534553u /* SESS */

/* Documents' times. */
#define START_MAX INT64_C(253402300799999)

/* Intervals. */

static void carry_interval(struct bs_snapshot *s, struct bs_interval *i)
{
    i->begin_ms = bs_snapshot_moment(s, i->begin_ms);
    i->drill = bs_snapshot_refer(s, BS_SNAPSHOT_DRILL, i->drill);
    i->phase = (int)bs_snapshot_between(s, i->phase, BS_PHASE_BY_TIMETABLE, BS_PHASES_MAX - 1);
    bs_snapshot_require(s, s->failed || (i->drill ? bs_drill_version_has(i->drill, i->phase)
                                                  : i->phase == BS_PHASE_NONE));
}

/* Behind those that there are, with the room for a deletion that every word leaves; it holds its
 * drill from then on. */
static void append_interval(struct bs_snapshot *s, struct bs_group_history *h,
                            const struct bs_interval *i)
{
    if (h->interval_count == BS_SESSION_INTERVALS_MAX) {
        bs_snapshot_fail(s, BS_CORRUPT);
        return;
    }
    if (bs_history_reserve(h) != BS_OK) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    h->intervals[h->interval_count++] = *i;
    if (i->drill)
        bs_drill_version_share(i->drill);
}

static void load_intervals(struct bs_snapshot *s, struct bs_group_history *h, size_t count)
{
    size_t first = h->interval_count;
    for (size_t n = 0; n < count && !s->failed; n++) {
        struct bs_interval i = {.begin_ms = 0};
        carry_interval(s, &i);
        if (h->interval_count > first)
            bs_snapshot_require(s, h->intervals[h->interval_count - 1].begin_ms < i.begin_ms);
        if (!s->failed)
            append_interval(s, h, &i);
    }
}

/* Sessions. */

static void carry_times(struct bs_snapshot *s, struct bs_session *x)
{
    x->start_ms = bs_snapshot_between(s, x->start_ms, 0, START_MAX);
    x->end_ms = bs_snapshot_time_or(s, x->end_ms, INT64_MAX);
    x->last_step_ms = bs_snapshot_time_or(s, x->last_step_ms, INT64_MIN);
    x->closed_ms = bs_snapshot_time_or(s, x->closed_ms, INT64_MAX);
    x->first_drill = bs_snapshot_refer(s, BS_SNAPSHOT_DRILL, x->first_drill);
    x->lost_intervals = bs_snapshot_flag(s, x->lost_intervals);
    x->asked_beyond = bs_snapshot_flag(s, x->asked_beyond);
}

static void append_session(struct bs_snapshot *s, struct bs_group_history *h,
                           const struct bs_session *x)
{
    size_t count = h->session_count;
    bs_snapshot_require(s, count == 0 || h->sessions[count - 1].start_ms < x->start_ms);
    if (!s->failed && bs_history_reserve(h) != BS_OK)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    if (s->failed)
        return;
    h->sessions[count] = *x;
    h->sessions[count].first = h->interval_count;
    h->session_count++;
    if (x->first_drill)
        bs_drill_version_share(x->first_drill);
}

static void load_session(struct bs_snapshot *s, struct bs_group_history *h)
{
    struct bs_session x = {.first = 0};
    carry_times(s, &x);
    size_t intervals = bs_snapshot_count(s, 0, BS_SESSION_INTERVALS_MAX);
    bs_snapshot_require(s, intervals > 0);
    append_session(s, h, &x);
    load_intervals(s, h, intervals);
}

static void save_session(struct bs_snapshot *s, struct bs_group_history *h, size_t index)
{
    struct bs_session *x = &h->sessions[index];
    size_t end = index + 1 < h->session_count ? x[1].first : h->interval_count;
    carry_times(s, x);
    bs_check(end > x->first);
    bs_snapshot_count(s, end - x->first, BS_SESSION_INTERVALS_MAX);
    for (size_t i = x->first; i < end; i++)
        carry_interval(s, &h->intervals[i]);
}

/* Groups. */

static void carry_history(struct bs_snapshot *s, struct bs_group_history *h)
{
    bs_snapshot_define(s, BS_SNAPSHOT_HISTORY, h);
    h->deleted_ms = bs_snapshot_time_or(s, h->deleted_ms, INT64_MAX);
    size_t count = bs_snapshot_count(s, h->session_count, BS_SESSION_INTERVALS_MAX);
    bs_snapshot_require(s, s->failed || count > 0);
    if (bs_snapshot_loads(s))
        for (size_t i = 0; i < count && !s->failed; i++)
            load_session(s, h);
    else
        for (size_t i = 0; i < count; i++)
            save_session(s, h, i);
}

/* What came of it stays in the table: it is freed with all others. */
static void load_history(struct bs_snapshot *s, struct bs_sessions *sessions)
{
    struct bs_slice group = bs_snapshot_text(s, BS_SLICE(""), BS_ID_MAX);
    bs_snapshot_require(s, bs_slice_is_id(group) && !bs_sessions_history(sessions, group));
    if (s->failed)
        return;
    struct bs_group_history *h;
    if (bs_sessions_add(sessions, group, &h) != BS_OK) {
        bs_snapshot_fail(s, BS_NO_MEMORY); /* no more are counted than may be */
        return;
    }
    carry_history(s, h);
}

static void carry_histories(struct bs_snapshot *s, struct bs_sessions *sessions)
{
    size_t count = bs_snapshot_count(s, HASH_COUNT(sessions->histories), BS_SESSION_GROUPS_MAX);
    if (bs_snapshot_loads(s)) {
        for (size_t i = 0; i < count && !s->failed; i++)
            load_history(s, sessions);
        return;
    }
    for (struct bs_group_history *h = sessions->histories; h; h = h->hh.next) {
        bs_snapshot_text(s, bs_slice_of(h->group, h->group_length), BS_ID_MAX);
        carry_history(s, h);
    }
}

void bs_sessions_snapshot(struct bs_snapshot *s, struct bs_sessions *sessions)
{
    bs_check(!bs_snapshot_loads(s) || !sessions->histories);
    bs_snapshot_mark(s, MARK);
    sessions->versions.seed = bs_snapshot_u64(s, sessions->versions.seed, UINT64_MAX);
    sessions->generation = bs_snapshot_u64(s, sessions->generation, UINT64_MAX);
    bs_drill_versions_snapshot(s, &sessions->versions);
    carry_histories(s, sessions);
    if (bs_snapshot_loads(s))
        bs_drill_versions_loaded(s, &sessions->versions);
}
