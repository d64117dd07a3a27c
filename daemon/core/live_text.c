/* A board as JSON, and what of it is news. Must never name a member who is not on the board. */
#include "live_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/core/gait_window.h"

#include <math.h>

/* What is written, and the hash of what of it is content: all but `t` and the ages. */
struct text {
    struct bs_buffer *out;
    size_t passed; /* up to here it is hashed, or is no content */
    uint64_t content;
};

static void hash_content(struct text *t)
{
    struct bs_slice fresh = bs_slice_after(bs_buffer_slice(t->out), t->passed);
    t->content = bs_hash_bytes(t->content, fresh);
    t->passed = t->out->length;
}

static void pass_over(struct text *t)
{
    t->passed = t->out->length;
}

/* Whom it shows. */

static bool is_before(const struct bs_live_member *a, const struct bs_live_member *b)
{
    return bs_slice_compare(bs_tags_member(a->tags), bs_tags_member(b->tags)) < 0;
}

static uint32_t place_among(struct bs_live_member *const *shown, uint32_t count,
                            const struct bs_live_member *m)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (is_before(shown[middle], m))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first of them by id, in that order. */
static uint32_t choose(const struct bs_live_board *b, struct bs_live_member **shown)
{
    uint32_t count = 0;
    for (struct bs_live_member *m = b->first; m; m = m->next) {
        bool full = count == BS_LIVE_SHOWN_MAX;
        if (full && !is_before(m, shown[count - 1]))
            continue;
        uint32_t at = place_among(shown, count, m);
        count += !full;
        memmove(&shown[at + 1], &shown[at],
                (count - 1 - at) * sizeof shown[0]); /* NOLINT: pointers are what moves */
        shown[at] = m;
    }
    return count;
}

/* One member. */

static void add_names(struct bs_buffer *out, const struct bs_tags *tags)
{
    char room[BS_TAGS_ALIAS_MAX];
    bs_buffer_add(out, BS_SLICE("{\"member\":\""));
    bs_buffer_add(out, bs_tags_member(tags));
    bs_buffer_add(out, BS_SLICE("\",\"alias\":"));
    bs_buffer_add_json_string(out, bs_tags_alias_name(tags, room));
}

static void add_direction(struct bs_buffer *out, enum bs_direction direction)
{
    if (direction == BS_DIRECTION_UNKNOWN)
        return;
    char letter = bs_direction_letter(direction);
    bs_buffer_add(out, BS_SLICE(",\"dir\":\""));
    bs_buffer_add(out, bs_slice_of(&letter, 1));
    bs_buffer_add(out, BS_SLICE("\""));
}

static void add_figures(struct bs_buffer *out, const struct bs_live_member *m)
{
    struct bs_total time = {.count = m->time_count, .sum = m->time_sum};
    struct bs_total length = {.count = m->length_count, .sum = m->length_sum};
    if (time.count) {
        bs_buffer_add(out, BS_SLICE(",\"cadence_spm\":"));
        bs_buffer_add_decimal(out, llround(10 * bs_gait_cadence_spm(&time)), 1);
    }
    if (length.count) {
        bs_buffer_add(out, BS_SLICE(",\"step_mm\":"));
        bs_buffer_add_i64(out, llround(bs_gait_step_length_mm(&length)));
    }
    if (time.count && length.count) {
        bs_buffer_add(out, BS_SLICE(",\"walk_ratio\":"));
        bs_buffer_add_decimal(out, llround(100000 * bs_gait_walk_ratio(&length, &time)), 5);
    }
    if (m->has_retention) {
        bs_buffer_add(out, BS_SLICE(",\"retention_pct\":"));
        bs_buffer_add_decimal(out, llround(10 * (double)m->retention_pct), 1);
    }
}

/* A device's clock may be ahead of ours: nothing is younger than now. */
static int64_t age_ms(const struct bs_live *l, int64_t time_ms)
{
    return time_ms < l->wall.ms ? l->wall.ms - time_ms : 0;
}

static void add_ages(const struct bs_live *l, struct text *t, const struct bs_live_member *m)
{
    if (m->slip_metric) {
        bs_buffer_add(t->out, BS_SLICE(",\"slip\":{\"metric\":\""));
        bs_buffer_add_text(t->out, m->slip_metric);
        bs_buffer_add(t->out, BS_SLICE("\",\"age_s\":"));
        hash_content(t);
        bs_buffer_add_i64(t->out, age_ms(l, m->slip_ms) / 1000);
        pass_over(t);
        bs_buffer_add(t->out, BS_SLICE("}"));
    }
    bs_buffer_add(t->out, BS_SLICE(",\"last_step_age_s\":"));
    hash_content(t);
    bs_buffer_add_decimal(t->out, age_ms(l, m->last_ms) / 100, 1);
    pass_over(t);
    bs_buffer_add(t->out, BS_SLICE("}"));
}

/* The board. */

static void add_head(const struct bs_live *l, struct text *t, const struct bs_live_board *b,
                     const struct bs_session_place *session)
{
    struct bs_slice none = BS_SLICE("none");
    bs_buffer_add(t->out, BS_SLICE("{\"t\":"));
    bs_buffer_add_i64(t->out, l->wall.ms);
    pass_over(t);
    bs_buffer_add(t->out, BS_SLICE(",\"group\":\""));
    bs_buffer_add(t->out, bs_live_group(b));
    bs_buffer_add(t->out, BS_SLICE("\",\"drill\":\""));
    bs_buffer_add(t->out, session->running ? session->drill : none);
    bs_buffer_add(t->out, BS_SLICE("\",\"phase\":"));
    bs_buffer_add_json_string(t->out,
                              session->running && session->phase.length ? session->phase : none);
    bs_buffer_add(t->out, BS_SLICE(",\"members\":["));
}

uint64_t bs_live_write(struct bs_live *l, const struct bs_live_board *b,
                       const struct bs_session_place *session)
{
    struct text t = {.out = &l->text};
    uint32_t count = choose(b, l->shown);
    bs_buffer_reset(&l->text);
    add_head(l, &t, b, session);
    for (uint32_t i = 0; i < count; i++) {
        const struct bs_live_member *m = l->shown[i];
        if (i)
            bs_buffer_add(t.out, BS_SLICE(","));
        add_names(t.out, m->tags);
        add_direction(t.out, m->direction);
        add_figures(t.out, m);
        add_ages(l, &t, m);
    }
    bs_buffer_add(t.out, BS_SLICE("]}"));
    bs_check(!t.out->failed);
    hash_content(&t);
    return t.content;
}
