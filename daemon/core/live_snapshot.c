/* Boards, to a snapshot and back. Must never put anybody on two boards, nor on one of a group that
 * the last step was not made in. */
#include "backstep/core/snapshot.h"

#include "backstep/core/bout_rows.h"
#include "backstep/core/sketch.h"
#include "live_parts.h"

#include <stdlib.h>

/* Made of moments and of how far tick and wall time are apart: a few times as large as those. */
#define DERIVED_MAX_MS (INT64_C(1) << 60)

#define REFRESH_MAX_MS 3600000

/* Members. */

/* As a number in the table of names, from 1. */
static uint8_t number_of_metric(const char *name)
{
    uint8_t number = 0;
    while (name && number < BS_SLIP_METRICS && strcmp(name, bs_slip_metric_name(number)) != 0)
        number++;
    return name ? (uint8_t)(number + 1) : 0;
}

static void keep_slip(struct bs_snapshot *s, struct bs_live_member *m)
{
    uint8_t number = bs_snapshot_u8(s, number_of_metric(m->slip_metric), BS_SLIP_METRICS);
    if (bs_snapshot_loads(s))
        m->slip_metric = number ? bs_slip_metric_name(number - 1) : NULL;
    if (number)
        m->slip_ms = bs_snapshot_moment(s, m->slip_ms);
}

/* Oldest first; loading, they are added as the steps' were. */
static void keep_steps(struct bs_snapshot *s, struct bs_live_member *m)
{
    uint8_t count = bs_snapshot_u8(s, m->count, BS_LIVE_STEPS);
    unsigned oldest = m->next_step + (unsigned)BS_LIVE_STEPS - m->count;
    static const struct bs_step no_step;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = (oldest + i) % BS_LIVE_STEPS;
        struct bs_sample sample = {.step = &no_step};
        sample.step_time_halves = bs_snapshot_u16(s, m->steps[at].time_halves, BS_SKETCH_MAX);
        sample.step_length_halves = bs_snapshot_u16(s, m->steps[at].length_halves, BS_SKETCH_MAX);
        if (bs_snapshot_loads(s))
            bs_live_add_step(m, &sample);
    }
}

static void keep_retention(struct bs_snapshot *s, struct bs_live_member *m)
{
    m->has_retention = bs_snapshot_flag(s, m->has_retention);
    if (!m->has_retention)
        return;
    double pct = bs_snapshot_real(s, m->retention_pct);
    bs_snapshot_require(s, pct >= 0 && pct <= 100);
    m->retention_pct = (float)pct;
}

void bs_live_member_snapshot(struct bs_snapshot *s, struct bs_live_member *m)
{
    m->last_ms = bs_snapshot_moment(s, m->last_ms);
    keep_steps(s, m);
    m->direction = bs_snapshot_u8(s, m->direction, BS_DIRECTION_COUNT - 1);
    keep_slip(s, m);
    keep_retention(s, m);
}

/* Boards. */

/* Where each board is to lie in the queue. */
struct places {
    struct bs_live_board **boards;
    uint32_t count;
};

static int64_t keep_derived(struct bs_snapshot *s, int64_t ms)
{
    ms = bs_snapshot_i64(s, ms);
    bool fits = (ms >= -DERIVED_MAX_MS && ms <= DERIVED_MAX_MS) || ms == BS_NEVER_MS;
    bs_snapshot_require(s, fits);
    return fits ? ms : 0;
}

/* As above, or a time that never was. */
static int64_t keep_past(struct bs_snapshot *s, int64_t ms)
{
    bool was = bs_snapshot_flag(s, ms != INT64_MIN);
    return was ? keep_derived(s, ms) : INT64_MIN;
}

static struct bs_live_board *add_board(struct bs_snapshot *s, struct bs_live *l,
                                       struct bs_slice group)
{
    uint32_t before = l->queue.count;
    bs_snapshot_require(s, bs_slice_is_id(group));
    struct bs_live_board *b = s->failed ? NULL : bs_live_open(l, group);
    if (!b)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    bs_snapshot_require(s, l->queue.count > before);
    return s->failed ? NULL : b;
}

static struct bs_live_board *name_board(struct bs_snapshot *s, struct bs_live *l,
                                        struct bs_live_board *b)
{
    struct bs_slice group = b ? bs_live_group(b) : (struct bs_slice){"", 0};
    group = bs_snapshot_text(s, group, BS_ID_MAX);
    return bs_snapshot_loads(s) ? add_board(s, l, group) : b;
}

static void keep_place(struct bs_snapshot *s, struct bs_live_board *b, struct places *places)
{
    uint32_t place = bs_snapshot_u32(s, b->place, places->count - 1);
    if (!bs_snapshot_loads(s))
        return;
    bs_snapshot_require(s, s->failed || !places->boards[place]);
    places->boards[place] = b;
}

static void keep_board(struct bs_snapshot *s, struct bs_live_board *b)
{
    b->due = keep_derived(s, b->due);
    b->built = bs_snapshot_time_or(s, b->built, BS_LIVE_LONG_AGO);
    b->published = bs_snapshot_time_or(s, b->published, BS_LIVE_LONG_AGO);
    b->leaves_ms = keep_derived(s, b->leaves_ms);
    b->until_ms = keep_past(s, b->until_ms);
    b->closed_ms = keep_past(s, b->closed_ms);
    bs_snapshot_require(s, b->closed_ms != BS_NEVER_MS);
    b->content = bs_snapshot_u64(s, b->content, UINT64_MAX);
    b->said = (enum bs_live_said)bs_snapshot_u32(s, b->said, BS_LIVE_NOBODY);
    b->changed = bs_snapshot_flag(s, b->changed);
    b->at_once = bs_snapshot_flag(s, b->at_once);
    b->running = bs_snapshot_flag(s, b->running);
}

/* Behind whoever is on it. */
static void put_last(struct bs_live_board *b, struct bs_live_member *last, struct bs_live_member *m,
                     struct bs_tags *tags)
{
    m->board = b;
    m->tags = tags;
    bs_tags_hold(tags);
    m->previous = last;
    if (last)
        last->next = m;
    else
        b->first = m;
    b->count++;
}

static void keep_members(struct bs_snapshot *s, struct bs_live_board *b)
{
    size_t count = bs_snapshot_count(s, b->count, UINT32_MAX);
    struct bs_live_member *m = NULL;
    for (size_t i = 0; i < count; i++) {
        struct bs_live_member *last = m;
        m = bs_snapshot_refer_some(s, BS_SNAPSHOT_LIVE_MEMBER, last ? last->next : b->first);
        struct bs_tags *tags = bs_snapshot_refer_some(s, BS_SNAPSHOT_TAGS, m ? m->tags : NULL);
        if (s->failed)
            return;
        if (!bs_snapshot_loads(s))
            continue;
        bs_snapshot_require(s, !m->board && tags->named &&
                                   bs_slice_equal(bs_tags_group(tags), bs_live_group(b)));
        if (s->failed)
            return;
        put_last(b, last, m, tags);
    }
}

/* In the order of their table, which is walked. */
static void keep_boards(struct bs_snapshot *s, struct bs_live *l, struct places *places)
{
    struct bs_live_board *b = NULL;
    for (uint32_t i = 0; i < places->count; i++) {
        struct bs_live_board *next = b ? b->hh.next : l->boards;
        b = name_board(s, l, bs_snapshot_loads(s) ? NULL : next);
        if (!b)
            return;
        keep_place(s, b, places);
        keep_board(s, b);
        keep_members(s, b);
    }
}

static void load_boards(struct bs_snapshot *s, struct bs_live *l, uint32_t count)
{
    struct places places = {calloc(count, sizeof(struct bs_live_board *)), count};
    if (!places.boards) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    keep_boards(s, l, &places);
    if (!s->failed)
        bs_snapshot_require(s, bs_live_queue_lay(&l->queue, places.boards));
    free(places.boards);
}

void bs_live_snapshot(struct bs_snapshot *s, struct bs_live *l)
{
    l->seed = bs_snapshot_u64(s, l->seed, UINT64_MAX);
    l->refresh_ms = bs_snapshot_between(s, l->refresh_ms, 0, REFRESH_MAX_MS);
    l->now.ms = bs_snapshot_moment(s, l->now.ms);
    l->wall.ms = bs_snapshot_moment(s, l->wall.ms);
    uint32_t count = (uint32_t)bs_snapshot_count(s, l->queue.count, BS_LIVE_BOARDS_MAX);
    if (!count)
        return;
    if (bs_snapshot_loads(s))
        load_boards(s, l, count);
    else
        keep_boards(s, l, &(struct places){NULL, count});
}
