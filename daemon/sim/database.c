/* What the database does with a request. Must never apply a line that it says it did not take. */
#include "database.h"

#include "backstep/base/check.h"
#include "database_words.h"
#include "world.h"

#include <stdlib.h>

/* Writes that are applied later. */
struct sim_late_write {
    struct sim_late_write *next;
    struct sim_event event;
    struct bs_buffer lines;
};

static void free_late(struct sim_database *d)
{
    for (struct sim_late_write *w = d->late, *next; w; w = next) {
        next = w->next;
        sim_events_cancel(&world->events, &w->event);
        bs_buffer_fini(&w->lines);
        free(w);
    }
    d->late = NULL;
}

void sim_database_heal(struct sim_database *d)
{
    d->mode = SIM_DATABASE_OK;
    d->mode_requests = 0;
    d->body_max = 0;
    d->kept_ms = 0;
    d->conflict[0] = d->garbage[0] = '\0';
    d->whole_or_nothing = false;
}

void sim_database_reset(struct sim_database *d)
{
    free_late(d);
    sim_rows_reset(&d->rows);
    sim_rows_reset(&d->expired);
    *d = (struct sim_database){.rows = d->rows, .expired = d->expired, .retry_after_s = -1};
}

void sim_database_fini(struct sim_database *d)
{
    free_late(d);
    sim_rows_fini(&d->rows);
    sim_rows_fini(&d->expired);
}

/* Lines ---------------------------------------------------------------------------------------- */

/* One after the other over all parts; false at the end. */
bool database_next_line(struct database_walk *w, struct bs_slice *ret)
{
    while (w->rest.length == 0) {
        if (w->part == w->count)
            return false;
        w->rest = w->parts[w->part++];
    }
    const char *end = memchr(w->rest.at, '\n', w->rest.length);
    bs_check(end);
    *ret = bs_slice_of(w->rest.at, (size_t)(end - w->rest.at));
    w->rest = bs_slice_after(w->rest, ret->length + 1);
    w->number++;
    return true;
}

static bool has(struct bs_slice line, const char *word)
{
    return word[0] && memmem(line.at, line.length, word, strlen(word));
}

static bool is_too_old(const struct sim_database *d, struct bs_slice line)
{
    struct bs_slice head, fields, time;
    if (d->kept_ms == 0 || !sim_line_split(line, &head, &fields, &time))
        return false;
    int64_t ms = 0;
    for (size_t i = 0; i < time.length && i < 18; i++)
        ms = ms * 10 + (time.at[i] - '0');
    return ms < sim_wall_ms() - d->kept_ms;
}

enum database_fault database_judge(const struct sim_database *d, struct bs_slice line)
{
    if (has(line, d->garbage))
        return DATABASE_GARBAGE;
    if (has(line, d->conflict))
        return DATABASE_CONFLICT;
    return is_too_old(d, line) ? DATABASE_EXPIRED : DATABASE_SOUND;
}

static void survey(const struct sim_database *d, struct database_walk walk,
                   struct database_survey *ret)
{
    struct bs_slice line;
    *ret = (struct database_survey){.first_bad = 0};
    while (database_next_line(&walk, &line)) {
        enum database_fault fault = database_judge(d, line);
        ret->counts[fault]++;
        ret->lines++;
        if (fault != DATABASE_SOUND && fault != DATABASE_EXPIRED && ret->first_bad == 0) {
            ret->first_bad = walk.number;
            ret->bad_line = line;
        }
    }
}

static void apply(struct sim_database *d, struct database_walk walk)
{
    struct bs_slice line;
    while (database_next_line(&walk, &line)) {
        enum database_fault fault = database_judge(d, line);
        d->lines++;
        if (fault == DATABASE_SOUND && !sim_rows_write(&d->rows, line, false))
            sim_violation("the database gets no line: %.*s", (int)line.length, line.at);
        else if (fault == DATABASE_EXPIRED)
            sim_rows_write(&d->expired, line, false);
        d->bad_lines += fault != DATABASE_SOUND;
    }
}

/* Later ---------------------------------------------------------------------------------------- */

static void apply_late(struct sim_database *d, struct sim_late_write *w)
{
    struct bs_slice part = bs_buffer_slice(&w->lines);
    sim_trace("database: a late write of %zu bytes is applied", part.length);
    apply(d, (struct database_walk){.parts = &part, .count = 1});
    struct sim_late_write **at = &d->late;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    sim_events_cancel(&world->events, &w->event);
    bs_buffer_fini(&w->lines);
    free(w);
}

static void on_late(struct sim_event *event)
{
    apply_late(&world->database, SIM_OWNER(event, struct sim_late_write, event));
}

void sim_database_flush(struct sim_database *d)
{
    while (d->late)
        apply_late(d, d->late);
}

void sim_database_take_later(struct sim_database *d, const struct bs_slice *parts, size_t count,
                             uint64_t later_ns)
{
    struct sim_late_write *w = calloc(1, sizeof *w);
    bs_check(w);
    bs_buffer_init(&w->lines, (size_t)1 << 30);
    for (size_t i = 0; i < count; i++)
        bs_buffer_add(&w->lines, parts[i]);
    w->event.fire = on_late;
    w->next = d->late;
    d->late = w;
    sim_events_set(&world->events, &w->event, world->now_ns + later_ns);
}

bool sim_database_is_late(const struct sim_database *d)
{
    return d->late != NULL;
}

/* Answers -------------------------------------------------------------------------------------- */

static size_t length_of(const struct bs_slice *parts, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].length;
    return length;
}

static void give_effect(struct sim_database *d, const struct bs_slice *parts, size_t count)
{
    if (d->effect == SIM_EFFECT_NOW)
        apply(d, (struct database_walk){.parts = parts, .count = count});
    else if (d->effect == SIM_EFFECT_LATER)
        sim_database_take_later(d, parts, count, d->later_ms * UINT64_C(1000000));
}

/* True where the mode is the whole answer. */
static bool answer_by_mode(struct sim_database *d, const struct bs_slice *parts, size_t count,
                           struct sim_answer *ret)
{
    enum sim_database_mode mode = d->mode;
    if (mode == SIM_DATABASE_OK)
        return false;
    if (mode == SIM_DATABASE_DOWN) {
        ret->none = true;
        ret->sent = false;
    } else {
        ret->none = mode == SIM_DATABASE_SILENT;
        ret->status = d->status;
        ret->retry_after_s = d->retry_after_s;
        bs_buffer_add_text(&ret->body, d->text);
        give_effect(d, parts, count);
    }
    if (d->mode_requests > 0 && --d->mode_requests == 0)
        d->mode = SIM_DATABASE_OK;
    return true;
}

void sim_database_take(struct sim_database *d, const struct bs_slice *parts, size_t count,
                       struct sim_answer *ret)
{
    struct database_survey found;
    struct database_walk walk = {.parts = parts, .count = count};
    d->requests++;
    *ret = (struct sim_answer){
        .sent = true, .retry_after_s = -1, .error = ret->error, .body = ret->body};
    bs_buffer_reset(&ret->error);
    bs_buffer_reset(&ret->body);
    if (answer_by_mode(d, parts, count, ret))
        return;
    if (d->body_max > 0 && length_of(parts, count) > d->body_max) {
        ret->status = 413;
        world->truth.lines_blamed = true;
        bs_buffer_add_text(&ret->body, "{\"error\":\"Request Entity Too Large\"}");
        ret->settles = true;
        return;
    }
    survey(d, walk, &found);
    ret->settles = true;
    /* InfluxDB 3 names rows for their age as well. */
    world->truth.lines_blamed |= found.first_bad > 0 || (world->settings.influxdb_api == 3 &&
                                                         found.counts[DATABASE_EXPIRED] > 0);
    if (found.counts[DATABASE_SOUND] == found.lines) {
        apply(d, walk);
        ret->status = 204;
        return;
    }
    bool whole = database_word_answer(d, &found, walk, ret);
    if (whole)
        apply(d, walk);
}
