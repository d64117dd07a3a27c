/* A small world around the engine in which documents are said and rows read back. For tests only.
 */
#ifndef BACKSTEP_TESTS_DOCUMENTS_WORLD_H
#define BACKSTEP_TESTS_DOCUMENTS_WORLD_H

#include "engine_world.h"

#include <string.h>

#define MINUTE 60000

/* The newest writing of each row of windows. */
struct board {
    struct {
        char key[320]; /* measurement, tags, timestamp */
        long steps;
        int written;
    } rows[256];
    int count;
};

static inline void take_row(struct board *b, const char *line)
{
    char key[320];
    const char *fields = strchr(line, ' '), *stamp = strrchr(line, ' ');
    const char *steps = strstr(fields, "steps=");
    while (fields > line && fields[-1] == '\\') /* an escaped space in a tag */
        fields = strchr(fields + 1, ' ');
    snprintf(key, sizeof key, "%.*s%s", (int)(fields - line), line, stamp);
    int i = 0;
    while (i < b->count && strcmp(b->rows[i].key, key) != 0)
        i++;
    assert_true(i < 256);
    if (i == b->count)
        snprintf(b->rows[b->count++].key, sizeof key, "%s", key);
    b->rows[i].steps = strtol(steps + 6, NULL, 10);
    b->rows[i].written++;
}

static inline bool is_of_window(const char *line)
{
    return strncmp(line, "gait_window,", 12) == 0 || strncmp(line, "group_window,", 13) == 0;
}

/* Takes the rows of windows that were written since the last call; how many lines that were. */
static inline int take_rows(struct world *w, struct board *b)
{
    int lines = 0;
    char *text = strdup(world_lines(w)), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (!is_of_window(line))
            continue;
        take_row(b, line);
        lines++;
    }
    free(text);
    return lines;
}

/* Steps over all rows whose keys hold both texts. */
static inline long steps_in(const struct board *b, const char *first, const char *second)
{
    long sum = 0;
    for (int i = 0; i < b->count; i++)
        if (strstr(b->rows[i].key, first) && strstr(b->rows[i].key, second))
            sum += b->rows[i].steps;
    return sum;
}

static inline void say(struct world *w, const char *document, const char *payload)
{
    char topic[128];
    uint64_t accepted = bs_engine_books(w->engine)->config_accepted;
    snprintf(topic, sizeof topic, "config/%s", document);
    world_say(w, topic, BS_RECORD_RETAINED, bs_slice_text(payload));
    if (payload[0] && bs_engine_books(w->engine)->config_accepted != accepted + 1)
        fail_msg("%s: %.*s", document, (int)w->publications.length, w->publications.at);
    w->publications.length = 0;
}

static uint32_t next_seq;

static inline void step_at(struct world *w, const char *device, int64_t time_ms)
{
    world_step(w, device, "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"F\"}", next_seq++,
               (long long)time_ms);
}

static inline void step(struct world *w, const char *device)
{
    step_at(w, device, w->tick);
}

static inline uint64_t rejected(struct world *w, enum bs_step_reason reason)
{
    return bs_engine_books(w->engine)->steps_rejected[reason];
}

static const char ruth[] = "{\"consent\":\"member\",\"alias\":\"Ruth\",\"devices\":[\"pod\"],"
                           "\"groups\":[\"tue\",\"mon\"]}";

#endif
