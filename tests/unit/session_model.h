/* What sessions.h says, done the slow way: each session is painted minute by minute with what its
 * documents said, and nothing is ever shared, shortened or forgotten but what the contract names.
 * For tests only. Times of words and steps are whole minutes since MODEL_BASE. */
#ifndef BACKSTEP_TESTS_SESSION_MODEL_H
#define BACKSTEP_TESTS_SESSION_MODEL_H

#include "backstep/core/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MODEL_BASE         INT64_C(1795716000123)
#define MODEL_MINUTE       INT64_C(60000)
#define MODEL_MINUTES      2000
#define MODEL_SESSIONS_MAX 128
#define MODEL_OPEN         INT64_MAX
#define MODEL_NO_STEP      INT64_MIN

/* Colours: what a document says, an index of `said`; or one of these. */
enum { UNSAID = -3, LOST = -2, SUSPENDED = -1 };

struct model_phase {
    const char *name;
    int64_t duration_s;
};

struct model_drill {
    const char *id;
    int64_t repeat;
    int same_as; /* index of the first one that says the same */
    size_t count;
    struct model_phase phases[4];
};

struct model_said {
    int drill;         /* index of a drill */
    const char *phase; /* "": by timetable, "?": by hand, but the drill has none of that name */
};

struct model_session {
    int64_t start, end, last_step, closed; /* ms */
    int first;                             /* colour of its first drill; SUSPENDED: none yet */
    int16_t paint[MODEL_MINUTES];
};

struct model {
    const struct model_drill *drills;
    struct model_session *sessions[MODEL_SESSIONS_MAX]; /* ascending by start */
    struct model_said said[64];
    int session_count, said_count;
    int64_t deleted; /* ms */
    unsigned evicted;
};

struct model_answer {
    bool running;
    int64_t start;
    const char *drill, *phase;
};

struct model_word {
    int64_t start, end, at, settled; /* ms */
    int drill;                       /* -1: not there */
    const char *phase;
    bool by_drill;
};

static inline int model_minute(int64_t time_ms)
{
    if (time_ms < MODEL_BASE)
        return -1;
    int64_t minute = (time_ms - MODEL_BASE) / MODEL_MINUTE;
    return minute >= MODEL_MINUTES ? MODEL_MINUTES - 1 : (int)minute;
}

static inline struct model_session *model_newest(struct model *m)
{
    return m->session_count > 0 ? m->sessions[m->session_count - 1] : NULL;
}

static inline void model_drop_newest(struct model *m)
{
    free(m->sessions[--m->session_count]);
}

static inline void model_clear(struct model *m)
{
    while (m->session_count > 0)
        model_drop_newest(m);
}

/* Where the session is over unless something else comes. */
static inline int64_t model_over(const struct model_session *s)
{
    if (s->closed != MODEL_OPEN)
        return s->closed;
    if (s->end != MODEL_OPEN)
        return s->end;
    int64_t longest = s->start + 12 * 60 * MODEL_MINUTE;
    int64_t silent = s->last_step == MODEL_NO_STEP ? longest : s->last_step + 30 * MODEL_MINUTE;
    return silent < longest ? silent : longest;
}

static inline void model_settle(struct model *m, int64_t settled)
{
    for (int i = 0; i < m->session_count; i++)
        if (m->sessions[i]->end == MODEL_OPEN && settled >= model_over(m->sessions[i]))
            m->sessions[i]->closed = model_over(m->sessions[i]);
}

/* Intervals: where the colour changes. */
static inline int model_intervals(const struct model_session *s)
{
    int count = 0;
    for (int i = 0; i < MODEL_MINUTES; i++)
        count += s->paint[i] >= SUSPENDED && (i == 0 || s->paint[i] != s->paint[i - 1]);
    return count;
}

/* The oldest interval's colour goes; a session without any goes with it. */
static inline void model_evict(struct model *m)
{
    struct model_session *s = m->sessions[0];
    int i = 0;
    while (s->paint[i] < SUSPENDED)
        i++;
    for (int16_t colour = s->paint[i]; i < MODEL_MINUTES && s->paint[i] == colour; i++)
        s->paint[i] = LOST;
    m->evicted++;
    if (i < MODEL_MINUTES)
        return;
    free(s);
    m->session_count--;
    memmove(&m->sessions[0], &m->sessions[1], (size_t)m->session_count * sizeof m->sessions[0]);
}

static inline void model_paint(struct model *m, int64_t begin, int colour)
{
    struct model_session *s = model_newest(m);
    if (s->paint[MODEL_MINUTES - 1] == colour)
        return;
    for (int i = model_minute(begin); i < MODEL_MINUTES; i++)
        s->paint[i] = (int16_t)colour;
    int count = 0;
    for (int i = 0; i < m->session_count; i++)
        count += model_intervals(m->sessions[i]);
    for (; count > BS_SESSION_INTERVALS_MAX; count--)
        model_evict(m);
}

static inline bool model_has_phase(const struct model_drill *d, const char *phase)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->phases[i].name, phase) == 0)
            return true;
    return false;
}

static inline int model_colour(struct model *m, const struct model_word *w)
{
    if (w->drill < 0)
        return SUSPENDED;
    struct model_said said = {m->drills[w->drill].same_as, w->phase};
    if (*said.phase && !model_has_phase(&m->drills[w->drill], said.phase))
        said.phase = "?";
    for (int i = 0; i < m->said_count; i++)
        if (m->said[i].drill == said.drill && strcmp(m->said[i].phase, said.phase) == 0)
            return i;
    assert_true((size_t)m->said_count < sizeof m->said / sizeof m->said[0]);
    m->said[m->said_count] = said;
    return m->said_count++;
}

static inline bool model_has_run(const struct model_session *s)
{
    for (int i = 0; i < MODEL_MINUTES; i++)
        if (s->paint[i] >= 0 || s->paint[i] == LOST)
            return true;
    return false;
}

static inline bool model_enter(struct model *m, const struct model_word *w)
{
    while (m->session_count > 0 && model_newest(m)->start > w->start)
        model_drop_newest(m);
    if (m->session_count > 0 && model_newest(m)->start == w->start)
        return false;
    struct model_session *s = calloc(1, sizeof *s);
    assert_non_null(s);
    assert_true(m->session_count < MODEL_SESSIONS_MAX);
    *s = (struct model_session){w->start, w->end, MODEL_NO_STEP, MODEL_OPEN, SUSPENDED, {0}};
    for (int i = 0; i < MODEL_MINUTES; i++)
        s->paint[i] = UNSAID;
    m->sessions[m->session_count++] = s;
    return true;
}

static inline void model_follow(struct model *m, const struct model_word *w)
{
    model_settle(m, w->settled);
    m->deleted = MODEL_OPEN;
    bool is_new = model_enter(m, w);
    struct model_session *s = model_newest(m);
    bool first = is_new || (w->drill >= 0 && !model_has_run(s));
    int64_t closed = s->closed;
    if (closed != MODEL_OPEN && w->by_drill && !first)
        return;
    if (!w->by_drill) {
        s->end = w->end;
        s->closed = MODEL_OPEN;
        if (s->last_step != MODEL_NO_STEP && s->last_step + 30 * MODEL_MINUTE <= w->at)
            s->last_step = MODEL_NO_STEP;
        if (closed != MODEL_OPEN)
            model_paint(m, closed, SUSPENDED);
    }
    int64_t begin = first || w->at < w->start ? w->start : w->at;
    if (begin == w->start || s->first == SUSPENDED)
        s->first = model_colour(m, w);
    model_paint(m, begin, model_colour(m, w));
}

static inline void model_close(struct model *m, int64_t at)
{
    m->deleted = at;
    while (m->session_count > 0 && model_newest(m)->start >= at)
        model_drop_newest(m);
    if (m->session_count > 0)
        model_paint(m, at, SUSPENDED);
}

static inline const struct model_session *model_session_at(const struct model *m, int64_t time)
{
    const struct model_session *found = NULL;
    for (int i = 0; i < m->session_count; i++)
        if (m->sessions[i]->start <= time)
            found = m->sessions[i];
    return found;
}

static inline const char *model_timetable(const struct model_drill *d, int64_t since_ms)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->phases[i].duration_s == 0)
            return "";
    int64_t end = 0;
    for (int64_t round = 0; round < d->repeat; round++)
        for (size_t i = 0; i < d->count; i++) {
            end += d->phases[i].duration_s * 1000;
            if (since_ms < end)
                return d->phases[i].name;
        }
    return "";
}

static inline struct model_answer model_ask(const struct model *m, int64_t time)
{
    static const struct model_answer nothing = {.drill = "", .phase = ""};
    const struct model_session *s = model_session_at(m, time);
    int minute = model_minute(time);
    if (!s || minute < 0 || time >= model_over(s) || s->paint[minute] < 0)
        return nothing;
    const struct model_said *said = &m->said[s->paint[minute]];
    const struct model_drill *d = &m->drills[said->drill];
    const char *phase = *said->phase == '?' ? ""
                        : *said->phase      ? said->phase
                                            : model_timetable(d, time - s->start);
    return (struct model_answer){true, s->start, d->id, phase};
}

/* When no step is of that session any more; false where there is none with that start. */
static inline bool model_recall(const struct model *m, int64_t start, int64_t *ret_over,
                                const char **ret_first)
{
    for (int i = 0; i < m->session_count; i++) {
        const struct model_session *s = m->sessions[i];
        if (s->start != start)
            continue;
        int64_t cut = i + 1 < m->session_count ? m->sessions[i + 1]->start : m->deleted;
        *ret_over = cut < model_over(s) ? cut : model_over(s);
        *ret_first = s->first < 0 ? "" : m->drills[m->said[s->first].drill].id;
        return true;
    }
    return false;
}

static inline void model_note(struct model *m, int64_t time, int64_t settled)
{
    model_settle(m, settled);
    if (!model_ask(m, time).running)
        return;
    struct model_session *s = (struct model_session *)model_session_at(m, time);
    if (s->last_step == MODEL_NO_STEP || time > s->last_step)
        s->last_step = time;
}

/* Of a group in force nothing is forgotten that might be asked for: nothing at all goes here. */
static inline void model_forget(struct model *m, int64_t before)
{
    if (m->deleted <= before)
        model_clear(m);
}

#endif
