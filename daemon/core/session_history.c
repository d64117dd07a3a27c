/* One group's sessions and intervals. Must never change an interval that has passed, unless the
 * document itself begins its session in the past. */
#include "session_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

#define NO_END            INT64_MAX
#define NOT_CLOSED        INT64_MAX
#define NO_STEP           INT64_MIN

/* A word adds two intervals at most (nothing while it was closed, what runs again), a deletion one.
 */
#define FOLLOW_ADDS       2
#define CLOSE_ADDS        1

/* A word may add a session to as many as there may be intervals, before the oldest goes. */
#define SESSION_ROOM_MAX  (BS_SESSION_INTERVALS_MAX + 1)
#define INTERVAL_ROOM_MAX BS_SESSION_INTERVALS_MAX

/* Room. */

static size_t grown(size_t room, size_t need, size_t most)
{
    if (need > most)
        need = most;
    if (room == 0)
        room = 4;
    while (room < need)
        room *= 2;
    return room < most ? room : most;
}

enum bs_status bs_history_reserve(struct bs_group_history *h)
{
    size_t room = grown(h->session_room, h->session_count + 1, SESSION_ROOM_MAX);
    if (room > h->session_room) {
        struct bs_session *sessions = realloc(h->sessions, room * sizeof *sessions);
        if (!sessions)
            return BS_NO_MEMORY;
        h->sessions = sessions;
        h->session_room = room;
    }
    room = grown(h->interval_room, h->interval_count + FOLLOW_ADDS + CLOSE_ADDS, INTERVAL_ROOM_MAX);
    if (room > h->interval_room) {
        struct bs_interval *intervals = realloc(h->intervals, room * sizeof *intervals);
        if (!intervals)
            return BS_NO_MEMORY;
        h->intervals = intervals;
        h->interval_room = room;
    }
    return BS_OK;
}

/* Both ends of the list. */

static void drop_drill(struct bs_group_history *h, struct bs_drill_version *drill)
{
    if (drill)
        bs_drill_version_drop(&h->owner->versions, drill);
}

static struct bs_session *newest_session(struct bs_group_history *h)
{
    return h->session_count > 0 ? &h->sessions[h->session_count - 1] : NULL;
}

/* The newest session's; NULL while it has none. */
static struct bs_interval *newest_interval(struct bs_group_history *h)
{
    return h->interval_count > newest_session(h)->first ? &h->intervals[h->interval_count - 1]
                                                        : NULL;
}

static void drop_newest_interval(struct bs_group_history *h)
{
    drop_drill(h, h->intervals[--h->interval_count].drill);
}

static void drop_newest_session(struct bs_group_history *h)
{
    while (newest_interval(h))
        drop_newest_interval(h);
    drop_drill(h, newest_session(h)->first_drill);
    h->session_count--;
}

static void drop_oldest_interval(struct bs_group_history *h)
{
    drop_drill(h, h->intervals[0].drill);
    h->interval_count--;
    memmove(&h->intervals[0], &h->intervals[1], h->interval_count * sizeof h->intervals[0]);
    for (size_t i = 1; i < h->session_count; i++)
        h->sessions[i].first--;
    h->sessions[0].lost_intervals = true;
    if (h->session_count > 1 && h->sessions[1].first == 0) {
        drop_drill(h, h->sessions[0].first_drill);
        h->session_count--;
        memmove(&h->sessions[0], &h->sessions[1], h->session_count * sizeof h->sessions[0]);
    }
}

void bs_history_fini(struct bs_group_history *h)
{
    while (h->session_count > 0)
        drop_newest_session(h);
    free(h->sessions);
    free(h->intervals);
}

/* Closing. */

/* Where the session is over, as far as is known: another step may move it. */
static int64_t over_ms(const struct bs_session *s)
{
    if (s->closed_ms != NOT_CLOSED)
        return s->closed_ms;
    if (s->end_ms != NO_END)
        return s->end_ms;
    int64_t longest = s->start_ms + BS_SESSION_LONGEST_MS;
    if (s->last_step_ms == NO_STEP || longest - BS_SESSION_SILENCE_MS < s->last_step_ms)
        return longest;
    return s->last_step_ms + BS_SESSION_SILENCE_MS;
}

static bool is_open(const struct bs_session *s)
{
    return s->end_ms == NO_END && s->closed_ms == NOT_CLOSED;
}

void bs_history_settle(struct bs_group_history *h, int64_t settled_ms)
{
    for (size_t i = 0; i < h->session_count; i++) {
        struct bs_session *s = &h->sessions[i];
        if (!is_open(s) || over_ms(s) > settled_ms)
            continue;
        s->closed_ms = over_ms(s);
        h->owner->generation++;
    }
}

/* What documents say. */

static bool newest_says(struct bs_group_history *h, const struct bs_interval *interval)
{
    const struct bs_interval *newest = newest_interval(h);
    return newest && newest->drill == interval->drill && newest->phase == interval->phase;
}

static void drop_intervals_from(struct bs_group_history *h, int64_t begin_ms)
{
    while (newest_interval(h) && newest_interval(h)->begin_ms >= begin_ms)
        drop_newest_interval(h);
}

/* Takes over the interval's drill. */
static void begin_interval(struct bs_group_history *h, const struct bs_interval *interval)
{
    if (!newest_says(h, interval))
        drop_intervals_from(h, interval->begin_ms);
    if (newest_says(h, interval)) {
        drop_drill(h, interval->drill);
        return;
    }
    if (h->interval_count == BS_SESSION_INTERVALS_MAX)
        drop_oldest_interval(h);
    bs_check(h->intervals && h->interval_count < h->interval_room);
    h->intervals[h->interval_count++] = *interval;
}

/* An interval that is about to begin, in place of any that would begin then or after it. */
static void remember_first_drill(struct bs_group_history *h, const struct bs_interval *interval)
{
    struct bs_session *s = newest_session(h);
    if (s->first_drill && interval->begin_ms > s->start_ms)
        return;
    drop_drill(h, s->first_drill);
    s->first_drill = interval->drill ? bs_drill_version_share(interval->drill) : NULL;
}

static void begin_nothing(struct bs_group_history *h, int64_t begin_ms)
{
    struct bs_interval nothing = {.begin_ms = begin_ms, .phase = BS_PHASE_NONE};
    begin_interval(h, &nothing);
}

/* Whether the newest session ever had a drill. */
static bool has_run(struct bs_group_history *h)
{
    const struct bs_session *s = newest_session(h);
    for (size_t i = s->first; i < h->interval_count; i++)
        if (h->intervals[i].drill)
            return true;
    return s->lost_intervals;
}

static void add_session(struct bs_group_history *h, const struct bs_session_document *document)
{
    bs_check(h->session_count < h->session_room);
    h->sessions[h->session_count++] = (struct bs_session){.start_ms = document->start_ms,
                                                          .end_ms = document->end_ms,
                                                          .last_step_ms = NO_STEP,
                                                          .closed_ms = NOT_CLOSED,
                                                          .first = h->interval_count};
}

/* The document came again: its end holds for all of the session, and a silence that is over does
 * not close it another time. */
static void continue_session(struct bs_group_history *h, int64_t end_ms, int64_t at_ms)
{
    struct bs_session *s = newest_session(h);
    int64_t closed_ms = s->closed_ms;
    s->closed_ms = NOT_CLOSED;
    s->end_ms = end_ms;
    if (s->last_step_ms != NO_STEP && s->last_step_ms + BS_SESSION_SILENCE_MS <= at_ms)
        s->last_step_ms = NO_STEP;
    if (closed_ms != NOT_CLOSED)
        begin_nothing(h, closed_ms);
}

static int phase_choice(const struct bs_drill_version *drill, struct bs_slice phase)
{
    if (!drill)
        return BS_PHASE_NONE;
    return phase.length == 0 ? BS_PHASE_BY_TIMETABLE : bs_drill_version_phase(drill, phase);
}

/* Makes the session with that start the newest; true where it is new. */
static bool enter_session(struct bs_group_history *h, const struct bs_session_document *document)
{
    while (h->session_count > 0 && newest_session(h)->start_ms > document->start_ms)
        drop_newest_session(h);
    if (h->session_count > 0 && newest_session(h)->start_ms == document->start_ms)
        return false;
    add_session(h, document);
    return true;
}

void bs_history_follow(struct bs_group_history *h, const struct bs_session_word *word,
                       struct bs_drill_version *version)
{
    const struct bs_session_document *document = word->session;
    bs_history_settle(h, word->settled.ms);
    h->deleted_ms = INT64_MAX;
    h->owner->generation++;

    bool is_new = enter_session(h, document);
    bool is_first = is_new || (version && !has_run(h));
    if (word->by_drill && newest_session(h)->closed_ms != NOT_CLOSED && !is_first) {
        drop_drill(h, version);
        return;
    }
    if (!is_new && !word->by_drill)
        continue_session(h, document->end_ms, word->at.ms);
    bool from_start = is_first || word->at.ms < document->start_ms;
    struct bs_interval interval = {.begin_ms = from_start ? document->start_ms : word->at.ms,
                                   .drill = version,
                                   .phase = phase_choice(version, document->phase)};
    remember_first_drill(h, &interval);
    begin_interval(h, &interval);
}

void bs_history_close(struct bs_group_history *h, int64_t at_ms)
{
    h->deleted_ms = at_ms;
    h->owner->generation++;
    while (h->session_count > 0 && newest_session(h)->start_ms >= at_ms)
        drop_newest_session(h);
    if (h->session_count > 0)
        begin_nothing(h, at_ms);
}

/* What was in force. */

/* The index of the session that answers, -1: it was before all. */
static ptrdiff_t session_at(const struct bs_group_history *h, int64_t time_ms)
{
    ptrdiff_t i = (ptrdiff_t)h->session_count - 1;
    while (i >= 0 && time_ms < h->sessions[i].start_ms)
        i--;
    return i;
}

static void narrow(struct bs_session_place *p, int64_t from_ms, int64_t until_ms)
{
    if (p->from_ms < from_ms)
        p->from_ms = from_ms;
    if (p->until_ms > until_ms)
        p->until_ms = until_ms;
}

/* What runs in an interval at a time of it. */
static void answer_of(const struct bs_interval *interval, int64_t start_ms, int64_t time_ms,
                      struct bs_session_place *p)
{
    if (!interval->drill)
        return;
    int phase = interval->phase;
    if (phase == BS_PHASE_BY_TIMETABLE) {
        struct bs_stretch since;
        phase = bs_drill_version_phase_at(interval->drill, time_ms - start_ms, &since);
        narrow(p, start_ms + since.from_ms,
               since.until_ms == INT64_MAX ? INT64_MAX : start_ms + since.until_ms);
    }
    p->running = true;
    p->start_ms = start_ms;
    p->drill = bs_drill_version_id(interval->drill);
    p->phase = bs_drill_version_phase_name(interval->drill, phase);
}

/* The answer at a time, and a stretch around it, not always the widest. */
static struct bs_session_place piece_at(const struct bs_group_history *h, int64_t time_ms)
{
    struct bs_session_place p = {.from_ms = INT64_MIN, .until_ms = INT64_MAX};
    ptrdiff_t index = session_at(h, time_ms), next = index + 1;
    bool is_newest = next == (ptrdiff_t)h->session_count;
    if (!is_newest)
        p.until_ms = h->sessions[next].start_ms;
    if (index < 0)
        return p;
    const struct bs_session *s = &h->sessions[index];
    narrow(&p, s->start_ms, INT64_MAX);
    int64_t over = over_ms(s);
    if (time_ms >= over) {
        narrow(&p, over, INT64_MAX);
        return p;
    }
    narrow(&p, INT64_MIN, over);
    size_t end = is_newest ? h->interval_count : h->sessions[next].first, i = end;
    while (i > s->first && time_ms < h->intervals[i - 1].begin_ms)
        i--;
    if (i < end)
        narrow(&p, INT64_MIN, h->intervals[i].begin_ms);
    if (i == s->first)
        return p;
    narrow(&p, h->intervals[i - 1].begin_ms, INT64_MAX);
    answer_of(&h->intervals[i - 1], s->start_ms, time_ms, &p);
    return p;
}

static bool is_same_answer(const struct bs_session_place *a, const struct bs_session_place *b)
{
    return a->running == b->running && a->start_ms == b->start_ms &&
           bs_slice_equal(a->drill, b->drill) && bs_slice_equal(a->phase, b->phase);
}

static void widen(const struct bs_group_history *h, struct bs_session_place *p)
{
    while (p->from_ms > INT64_MIN) {
        struct bs_session_place before = piece_at(h, p->from_ms - 1);
        if (!is_same_answer(p, &before))
            break;
        p->from_ms = before.from_ms;
    }
    while (p->until_ms < INT64_MAX) {
        struct bs_session_place after = piece_at(h, p->until_ms);
        if (!is_same_answer(p, &after))
            break;
        p->until_ms = after.until_ms;
    }
}

/* An answer that something runs ends where the session is over as yet: a step that moves this takes
 * nothing back. An answer that nothing runs may reach beyond it. */
static void remember_asked(struct bs_group_history *h, const struct bs_session_place *answer)
{
    for (size_t i = 0; i < h->session_count; i++) {
        struct bs_session *s = &h->sessions[i];
        int64_t over = over_ms(s);
        if (answer->from_ms <= over && over < answer->until_ms)
            s->asked_beyond = true;
    }
}

void bs_history_find(struct bs_group_history *h, int64_t time_ms, struct bs_session_place *ret)
{
    struct bs_session_place p = piece_at(h, time_ms);
    widen(h, &p);
    if (p.running)
        p.history = h;
    else
        remember_asked(h, &p);
    *ret = p;
}

void bs_history_note(struct bs_group_history *h, int64_t time_ms)
{
    ptrdiff_t index = session_at(h, time_ms);
    if (index < 0 || time_ms <= h->sessions[index].last_step_ms)
        return;
    struct bs_session *s = &h->sessions[index];
    if (!piece_at(h, time_ms).running)
        return;
    /* The first step brings the end of an open session nearer. */
    if (is_open(s) && (s->last_step_ms == NO_STEP || s->asked_beyond))
        h->owner->generation++;
    s->asked_beyond = false;
    s->last_step_ms = time_ms;
}

/* A deletion, and the session after it, end it sooner than it would by itself. */
static int64_t over_among_all(const struct bs_group_history *h, const struct bs_session *s)
{
    int64_t over = over_ms(s);
    bool is_newest = s == &h->sessions[h->session_count - 1];
    int64_t cut = is_newest ? h->deleted_ms : s[1].start_ms;
    return cut < over ? cut : over;
}

bool bs_history_recall(const struct bs_group_history *h, int64_t start_ms,
                       struct bs_session_facts *ret)
{
    ptrdiff_t index = session_at(h, start_ms);
    if (index < 0 || h->sessions[index].start_ms != start_ms)
        return false;
    const struct bs_session *s = &h->sessions[index];
    *ret = (struct bs_session_facts){.over_ms = over_among_all(h, s)};
    if (s->first_drill)
        ret->first_drill = bs_drill_version_id(s->first_drill);
    return true;
}

/* Forgetting. */

void bs_history_forget(struct bs_group_history *h, int64_t before_ms)
{
    size_t kept = h->interval_count;
    if (h->deleted_ms <= before_ms)
        while (h->session_count > 0)
            drop_newest_session(h);
    /* The newest one stays while its document does: it knows that the session began, or closed.
     * The end of a session says nothing here, for a document may still move it. */
    while (h->interval_count > 1 && h->intervals[1].begin_ms <= before_ms)
        drop_oldest_interval(h);
    if (h->interval_count < kept)
        h->owner->generation++;
}
