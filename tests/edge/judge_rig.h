/* The outlet's rig with a server that judges by the lines it is sent, and what must have become of
 * them: stored, counted, or a dead letter. */
#ifndef BACKSTEP_TESTS_EDGE_JUDGE_RIG_H
#define BACKSTEP_TESTS_EDGE_JUDGE_RIG_H

#include "outlet_rig.h"

#define EMPTY    "Content-Length: 0\r\n\r\n"
#define HEAD_400 "HTTP/1.1 400 Bad Request\r\n"
#define SAYS(x)  "HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: " x "\r\n" EMPTY

enum { LINES_MAX = 4000 };

/* What the judge holds against lines; what a server of its kind would have stored. */
struct judge {
    struct canned_step (*object)(const struct judge *j, const char *body); /* or, where NULL: */
    struct canned_step objection;       /* the answer where a bad line is among them */
    bool (*is_bad)(unsigned line);      /* NULL: none is */
    bool stores_the_rest;               /* also where it objects */
    size_t bytes_max;                   /* else 413; 0: any */
    unsigned silent_from, silent_until; /* these requests, by number, are answered with 503 */
    unsigned requests;
    unsigned stored[LINES_MAX]; /* how often */
    unsigned newest;            /* 1 + the line stored last */
};

/* An answer with a body; holds until the next one. */
static inline const char *with_body(const char *head, const char *body)
{
    static char text[200100];
    snprintf(text, sizeof(text), "%sContent-Length: %zu\r\n\r\n%.200000s", head, strlen(body),
             body);
    return text;
}

static inline unsigned line_number(const char *line)
{
    const char *field = strstr(line, " f=");
    return (unsigned)strtoul(field + 3, NULL, 10);
}

static inline bool any_bad(const struct judge *j, const char *body)
{
    for (const char *at = body; *at; at = strchr(at, '\n') + 1)
        if (j->is_bad && j->is_bad(line_number(at)))
            return true;
    return false;
}

static inline void store(struct judge *j, const char *body)
{
    for (const char *at = body; *at; at = strchr(at, '\n') + 1) {
        unsigned line = line_number(at);
        if (j->is_bad && j->is_bad(line))
            continue;
        j->stored[line]++;
        j->newest = line + 1;
    }
}

static inline struct canned_step judge_lines(void *context, const char *body, size_t length)
{
    struct judge *j = context;
    char *text = strndup(body, length);
    struct canned_step step = {CANNED_ANSWER, CANNED_204};
    unsigned request = j->requests++;
    bool objects = false;
    if (request >= j->silent_from && request < j->silent_until)
        step.text = "HTTP/1.1 503 Busy\r\n" EMPTY;
    else if (j->bytes_max && length > j->bytes_max)
        step.text = "HTTP/1.1 413 Large\r\n" EMPTY;
    else if (any_bad(j, text))
        objects = true;
    if (objects)
        step = j->object ? j->object(j, text) : j->objection;
    if (strstr(step.text, " 204 ") || (objects && j->stores_the_rest))
        store(j, text);
    free(text);
    return step;
}

static inline void prepare_judged(struct rig *r, struct judge *j, int api)
{
    prepare_served(r, NULL, 0);
    r->server.judge_context = j;
    r->server.judge = judge_lines;
    r->conf.influxdb.api = api;
}

static inline uint64_t settled(const struct rig *r)
{
    struct bs_outlet_state s = state_of(r);
    return s.delivered + s.dead_letters + s.points_expired + s.dropped;
}

static inline void run_until_settled(struct rig *r)
{
    for (int i = 0; i < 6000 && (settled(r) < r->lines || state_of(r).points > 0); i++)
        turn(r);
    assert_int_equal(settled(r), r->lines);
    assert_int_equal(state_of(r).points, 0);
    assert_int_equal(state_of(r).influx, BS_OUTLET_INFLUX_OK);
    assert_string_equal(state_of(r).error, "");
}

static inline void assert_counts(const struct rig *r, uint64_t delivered, uint64_t dead,
                                 uint64_t expired)
{
    struct bs_outlet_state s = state_of(r);
    assert_int_equal(s.delivered, delivered);
    assert_int_equal(s.dead_letters, dead);
    assert_int_equal(s.points_expired, expired);
    assert_int_equal(s.dropped, 0);
}

/* The letter at `at` is of this line with this message; returns what is behind it. */
static inline const char *assert_letter(const char *at, unsigned line, const char *message,
                                        bool suspect)
{
    char expected[512];
    int length = snprintf(expected, sizeof(expected),
                          "\",\"message\":\"%s\",\"line\":\"m,s=%u f=%ui %u\"%s}\n", message,
                          line % 7, line, line + 1, suspect ? ",\"suspect\":true" : "");
    static const char time[] = "{\"time\":\"2026-11-24T17:59:58.120Z";
    if (strncmp(at, time, 11) != 0 || strncmp(at + sizeof(time) - 1, expected, (size_t)length) != 0)
        fail_msg("the letter is %.200s, must end with %s", at, expected);
    return at + sizeof(time) - 1 + length;
}

static inline void assert_no_letters(const struct rig *r)
{
    assert_int_not_equal(access(r->letters, F_OK), 0);
}

static inline bool is_13_or_777(unsigned line)
{
    return line == 13 || line == 777;
}

#endif
