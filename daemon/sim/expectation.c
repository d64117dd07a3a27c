/* A trace against what was expected of it. Must never pass a line that it does not understand. */
#include "expectation.h"

#include "words.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum manner { NEXT, WITHOUT, TIMES };

struct expectation {
    enum manner manner;
    struct bs_slice pattern;
    double from_s, until_s;
    uint64_t times;
    unsigned line;
};

bool sim_text_next_line(struct bs_slice *rest, struct bs_slice *ret)
{
    const char *end = rest->length > 0 ? memchr(rest->at, '\n', rest->length) : NULL;
    if (rest->length == 0)
        return false;
    *ret = bs_slice_of(rest->at, end ? (size_t)(end - rest->at) : rest->length);
    *rest = bs_slice_after(*rest, ret->length + (end ? 1 : 0));
    return true;
}

/* Patterns ------------------------------------------------------------------------------------- */

/* Where a star stood last, and what it has swallowed so far: the only place to go back to. */
static bool matches(struct bs_slice pattern, struct bs_slice text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, swallowed = 0;
    while (t < text.length) {
        if (p < pattern.length && pattern.at[p] == '*') {
            star = p++;
            swallowed = t;
        } else if (p < pattern.length && pattern.at[p] == text.at[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++swallowed;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.at[p] == '*')
        p++;
    return p == pattern.length;
}

/* Lines ---------------------------------------------------------------------------------------- */

static void read_range(struct sim_words *w, struct expectation *e)
{
    char text[64];
    sim_words_text(w, text, sizeof text);
    if (sscanf(text, "%lf-%lf", &e->from_s, &e->until_s) != 2 || !(e->from_s <= e->until_s))
        sim_words_fail(w, "%s is no range of seconds", text);
}

/* False where the line expects nothing: it is empty, a remark, or not understood. */
static bool read_line(struct bs_slice line, struct sim_words *w, struct expectation *ret)
{
    struct sim_words ahead = {.rest = line};
    struct bs_slice first;
    *w = (struct sim_words){.rest = line};
    *ret = (struct expectation){.manner = NEXT, .until_s = 1e12};
    if (!sim_words_next(&ahead, &first) || first.at[0] == '#')
        return false;
    if (sim_words_take(w, "within")) {
        read_range(w, ret);
    } else if (sim_words_take(w, "without")) {
        ret->manner = WITHOUT;
    } else if (sim_words_take(w, "times")) {
        ret->manner = TIMES;
        ret->times = sim_words_number(w, 0, 1000000);
    }
    ret->pattern = sim_words_all(w);
    if (ret->pattern.length == 0)
        sim_words_fail(w, "a pattern is missing");
    return !w->problem[0];
}

bool sim_expectation_check(struct bs_slice lines, unsigned number, char *ret_problem, size_t bytes)
{
    struct bs_slice line;
    unsigned found = 0;
    for (; sim_text_next_line(&lines, &line); number++) {
        struct expectation e;
        struct sim_words w;
        found += read_line(line, &w, &e);
        if (w.problem[0]) {
            snprintf(ret_problem, bytes, "%u: %s", number, w.problem);
            return false;
        }
    }
    if (found == 0)
        snprintf(ret_problem, bytes, "%u: nothing is expected", number);
    return found > 0;
}

/* The trace ------------------------------------------------------------------------------------ */

/* The next line of the trace and its time. */
static bool next_traced(struct bs_slice *rest, double *ret_s, struct bs_slice *ret)
{
    struct bs_slice line;
    if (!sim_text_next_line(rest, &line))
        return false;
    const char *space = line.length > 0 ? memchr(line.at, ' ', line.length) : NULL;
    *ret_s = space ? strtod(line.at, NULL) : 0;
    *ret = space ? bs_slice_after(line, (size_t)(space - line.at) + 1) : line;
    return true;
}

/* The first line that matches; *rest goes on behind it. */
static bool find(const struct expectation *e, struct bs_slice *rest)
{
    struct bs_slice text;
    double at_s;
    while (next_traced(rest, &at_s, &text))
        if (at_s >= e->from_s && at_s <= e->until_s && matches(e->pattern, text))
            return true;
    return false;
}

static uint64_t count(const struct expectation *e, struct bs_slice trace)
{
    uint64_t found = 0;
    while (find(e, &trace))
        found++;
    return found;
}

static void note(const struct expectation *e, const char *what, char *ret, size_t bytes)
{
    snprintf(ret, bytes, "%u: %s: %.*s", e->line, what, (int)e->pattern.length, e->pattern.at);
}

/* What was not to come before a place waits until that place is known. */
#define WITHOUT_MAX 64

struct matcher {
    struct bs_slice trace, rest;
    struct expectation waiting[WITHOUT_MAX];
    size_t waiting_count;
    char *problem;
    size_t bytes;
};

static bool check_waiting(struct matcher *m, const char *end)
{
    struct bs_slice span = bs_slice_of(m->rest.at, (size_t)(end - m->rest.at));
    for (size_t i = 0; i < m->waiting_count; i++)
        if (count(&m->waiting[i], span) > 0) {
            note(&m->waiting[i], "came all the same", m->problem, m->bytes);
            return false;
        }
    m->waiting_count = 0;
    return true;
}

static bool take_next(struct matcher *m, const struct expectation *e)
{
    struct bs_slice rest = m->rest;
    if (!find(e, &rest)) {
        note(e, "did not come", m->problem, m->bytes);
        return false;
    }
    /* The line that was found is no part of what stands before it. */
    const char *found = rest.at - 1;
    while (found > m->rest.at && found[-1] != '\n')
        found--;
    bool held = check_waiting(m, found);
    m->rest = rest;
    return held;
}

static bool take_times(struct matcher *m, const struct expectation *e)
{
    uint64_t found = count(e, m->trace);
    if (found == e->times)
        return true;
    snprintf(m->problem, m->bytes, "%u: came %llu times and not %llu: %.*s", e->line,
             (unsigned long long)found, (unsigned long long)e->times, (int)e->pattern.length,
             e->pattern.at);
    return false;
}

static bool take(struct matcher *m, const struct expectation *e)
{
    switch (e->manner) {
    case TIMES:
        return take_times(m, e);
    case WITHOUT:
        if (m->waiting_count == WITHOUT_MAX) {
            note(e, "too many stand in a row", m->problem, m->bytes);
            return false;
        }
        m->waiting[m->waiting_count++] = *e;
        return true;
    case NEXT:
        break;
    }
    return take_next(m, e);
}

bool sim_expectation_holds(struct bs_slice lines, unsigned number, struct bs_slice trace,
                           char *ret_problem, size_t bytes)
{
    struct matcher m = {.trace = trace, .rest = trace, .problem = ret_problem, .bytes = bytes};
    struct bs_slice line;
    for (; sim_text_next_line(&lines, &line); number++) {
        struct expectation e;
        struct sim_words w;
        if (!read_line(line, &w, &e))
            continue;
        e.line = number;
        if (!take(&m, &e))
            return false;
    }
    return check_waiting(&m, m.rest.at + m.rest.length);
}
