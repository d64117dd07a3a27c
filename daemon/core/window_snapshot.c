/* Windows in a snapshot: frames as they were made, their rows as they were opened, then what is in
 * another order than that. Must never let a row into two lists, or into one twice.
 *
 * Heaps, buckets, group lists, and rows by their index come again of themselves. */
#include "window_parts.h"

#include "backstep/core/settings.h"
#include "backstep/core/snapshot.h"

#include <stdlib.h>

#define WINDOW_MAX_MS (BS_SETTINGS_WINDOW_S_MAX * 1000)
#define RETENTIONS_MAX                                                                             \
    (1u << 24) /* in one row: more than one for each member of the largest site */

static void define_row(struct bs_snapshot *s, uint32_t index)
{
    bs_snapshot_define(s, BS_SNAPSHOT_ROW, (void *)(uintptr_t)index);
}

static uint32_t refer_row(struct bs_snapshot *s, uint32_t index)
{
    void *row = (void *)(uintptr_t)index;
    return (uint32_t)(uintptr_t)bs_snapshot_refer_some(s, BS_SNAPSHOT_ROW, row);
}

/* Group rows. */

static double code_percent(struct bs_snapshot *s, double pct)
{
    pct = bs_snapshot_real(s, pct);
    bs_snapshot_require(s, pct >= 0 && pct <= 100);
    return pct;
}

static void code_retentions(struct bs_snapshot *s, struct bs_windows *w, uint32_t index)
{
    struct bs_row *r = bs_row_at(w, index);
    struct bs_group_retention **at = &r->group.retentions;
    size_t count = bs_snapshot_count(s, r->group.retention_count, RETENTIONS_MAX);
    for (size_t i = 0; i < count && !s->failed; i++) {
        if (bs_snapshot_loads(s) && !(*at = bs_groups_make_retention(w, index))) {
            bs_snapshot_fail(s, BS_NO_MEMORY);
            return;
        }
        bs_snapshot_define(s, BS_SNAPSHOT_RETENTION, *at);
        (*at)->value_pct = code_percent(s, (*at)->value_pct);
        at = &(*at)->next;
    }
}

/* 0 after a failure. */
static uint32_t open_group(struct bs_snapshot *s, struct bs_windows *w, struct bs_tags *tags,
                           struct bs_frame *f)
{
    if (s->failed)
        return 0;
    if (bs_rows_reserve(w, 1))
        return bs_groups_open(w, tags, f);
    bs_snapshot_fail(s, BS_NO_MEMORY);
    return 0;
}

static void code_group(struct bs_snapshot *s, struct bs_windows *w, struct bs_frame *f,
                       uint32_t index)
{
    struct bs_tags *tags = index ? bs_row_at(w, index)->tags : NULL;
    tags = bs_snapshot_refer_some(s, BS_SNAPSHOT_TAGS, tags);
    bs_snapshot_require(s, s->failed || (tags->grouped && !f->key.stored));
    if (bs_snapshot_loads(s))
        index = open_group(s, w, tags, f);
    if (!index)
        return;
    define_row(s, index);
    uint32_t *slips = &bs_row_at(w, index)->group.slips;
    *slips = bs_snapshot_u32(s, *slips, UINT32_MAX);
    code_retentions(s, w, index);
}

/* Members' rows. */

static size_t count_more(const struct bs_windows *w, const struct bs_row *r)
{
    size_t count = 0;
    for (uint32_t i = r->more; i; i = bs_row_at(w, i)->more)
        count++;
    return count;
}

/* Sums that are set aside are nearly full: a row that has any is not empty. */
static void code_more(struct bs_snapshot *s, struct bs_windows *w, struct bs_row *r)
{
    uint32_t *at = &r->more;
    size_t count = bs_snapshot_count(s, count_more(w, r), BS_WINDOW_ROWS_MAX);
    for (size_t i = 0; i < count && !s->failed; i++) {
        if (bs_snapshot_loads(s)) {
            if (!bs_rows_reserve(w, 1)) {
                bs_snapshot_fail(s, BS_NO_MEMORY);
                return;
            }
            *at = bs_rows_take(w);
        }
        struct bs_row *aside = bs_row_at(w, *at);
        bs_sums_snapshot(s, &aside->sums);
        bs_snapshot_require(s, s->failed || aside->sums.steps > 0);
        at = &aside->more;
    }
}

/* 0 after a failure. */
static uint32_t open_row(struct bs_snapshot *s, struct bs_windows *w, struct bs_window_member *m,
                         const struct bs_window_key *key, struct bs_frame *f)
{
    if (s->failed)
        return 0;
    bool grouped = bs_window_joins_group(key);
    if (!bs_rows_reserve(w, grouped ? 2 : 1) || (grouped && !bs_groups_reserve(w))) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return 0;
    }
    uint32_t index = bs_rows_open(w, m, key, f);
    if (grouped)
        bs_groups_join(w, index);
    return index;
}

static void code_member_row(struct bs_snapshot *s, struct bs_windows *w, struct bs_frame *f,
                            uint32_t index)
{
    static const struct bs_row none;
    const struct bs_row *saved = index ? bs_row_at(w, index) : &none;
    struct bs_window_key key = {.stored = f->key.stored != 0};
    key.tags = bs_snapshot_refer_some(s, BS_SNAPSHOT_TAGS, saved->tags);
    key.direction = bs_snapshot_u8(s, saved->direction, BS_DIRECTION_COUNT - 1);
    struct bs_window_member *m =
        bs_snapshot_refer_some(s, BS_SNAPSHOT_WINDOW_MEMBER, saved->member);
    if (bs_snapshot_loads(s))
        index = open_row(s, w, m, &key, f);
    if (!index)
        return;
    define_row(s, index);
    bs_sums_snapshot(s, &bs_row_at(w, index)->sums);
    code_more(s, w, bs_row_at(w, index));
}

/* Frames. */

/* The rows of a list that has the newest first; NULL where there are none, or after a failure. */
static uint32_t *list_rows(struct bs_snapshot *s, const struct bs_windows *w, uint32_t first,
                           size_t *ret_count)
{
    size_t count = 0;
    for (uint32_t i = first; i; i = bs_row_at(w, i)->next_in_frame)
        count++;
    uint32_t *rows = count ? malloc(count * sizeof *rows) : NULL;
    if (count && !rows)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    else
        *ret_count = count;
    if (rows)
        for (uint32_t i = first, at = 0; i; i = bs_row_at(w, i)->next_in_frame)
            rows[at++] = i;
    return rows;
}

/* Oldest first: so they open again. */
static void code_rows(struct bs_snapshot *s, struct bs_windows *w, struct bs_frame *f,
                      uint32_t first,
                      void (*code)(struct bs_snapshot *s, struct bs_windows *w, struct bs_frame *f,
                                   uint32_t index))
{
    size_t count = 0;
    uint32_t *rows = bs_snapshot_loads(s) ? NULL : list_rows(s, w, first, &count);
    count = bs_snapshot_count(s, count, BS_WINDOW_ROWS_MAX);
    for (size_t i = count; i > 0 && !s->failed; i--)
        code(s, w, f, rows ? rows[i - 1] : 0);
    free(rows);
}

/* NULL after a failure. */
static struct bs_frame *make_frame(struct bs_snapshot *s, struct bs_windows *w,
                                   const struct bs_frame_key *key)
{
    bs_snapshot_require(s, s->failed || !bs_windows_find_frame(w, key));
    if (s->failed)
        return NULL;
    struct bs_frame *f = bs_windows_make_frame(w, key);
    if (!f)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    return f;
}

/* Saving, `f`; loading, NULL. NULL after a failure. */
static struct bs_frame *code_frame(struct bs_snapshot *s, struct bs_windows *w, struct bs_frame *f)
{
    struct bs_frame_key key = f ? f->key : (struct bs_frame_key){0};
    int64_t size_ms = key.end_ms - key.start_ms;
    key.start_ms = bs_snapshot_moment(s, key.start_ms);
    key.end_ms = key.start_ms + bs_snapshot_between(s, size_ms, 1, WINDOW_MAX_MS);
    key.stored = bs_snapshot_flag(s, key.stored != 0);
    bool ended = bs_snapshot_flag(s, f && f->ended);
    if (bs_snapshot_loads(s))
        f = make_frame(s, w, &key);
    if (!f)
        return NULL;
    f->ended = ended;
    bs_snapshot_define(s, BS_SNAPSHOT_FRAME, f);
    code_rows(s, w, f, f->first_group, code_group);
    code_rows(s, w, f, f->first_row, code_member_row);
    return f;
}

static void code_frames(struct bs_snapshot *s, struct bs_windows *w)
{
    struct bs_frame *f = w->frames;
    size_t count = bs_snapshot_count(s, HASH_COUNT(w->frames), UINT32_MAX);
    for (size_t i = 0; i < count && !s->failed; i++)
        if (bs_snapshot_loads(s)) {
            code_frame(s, w, NULL);
        } else {
            code_frame(s, w, f);
            f = f->hh.next;
        }
}

static void code_overdue(struct bs_snapshot *s, struct bs_windows *w)
{
    size_t count = 0;
    for (const struct bs_frame *f = w->overdue; f; f = f->next_overdue)
        count++;
    count = bs_snapshot_count(s, count, UINT32_MAX);
    bs_snapshot_require(s, count == 0 || w->now_wall != INT64_MIN);
    struct bs_frame **at = &w->overdue;
    for (size_t i = 0; i < count && !s->failed; i++) {
        struct bs_frame *f = bs_snapshot_refer_some(s, BS_SNAPSHOT_FRAME, *at);
        if (bs_snapshot_loads(s)) {
            bs_snapshot_require(s, f && !f->overdue);
            if (s->failed)
                return;
            f->overdue = true;
            w->overdue_ready++;
            *at = f;
        }
        at = &f->next_overdue;
    }
}

static void await_frames(struct bs_snapshot *s, struct bs_windows *w)
{
    for (struct bs_frame *f = w->frames; f && !s->failed; f = f->hh.next) {
        if (f->overdue)
            continue;
        if (bs_heap_reserve(&w->ends) && bs_heap_reserve(&w->finals[f->key.stored]))
            bs_windows_await_frame(w, f);
        else
            bs_snapshot_fail(s, BS_NO_MEMORY);
    }
}

/* Members' lists. They are as opened frame by frame, but for those of members who had a row in an
 * older frame opened later: these are said once more, whole. */

static bool is_frame_by_frame(const struct bs_windows *w, const struct bs_window_member *m)
{
    uint64_t last = 0;
    for (uint32_t i = m->first; i; i = bs_row_at(w, i)->next_of_member) {
        uint64_t number = bs_row_at(w, i)->frame->number;
        if (number < last)
            return false;
        last = number;
    }
    return true;
}

static void save_list(struct bs_snapshot *s, const struct bs_windows *w, struct bs_window_member *m)
{
    bs_snapshot_refer(s, BS_SNAPSHOT_WINDOW_MEMBER, m);
    for (uint32_t i = m->first; i; i = bs_row_at(w, i)->next_of_member)
        refer_row(s, i);
}

static void save_lists(struct bs_snapshot *s, const struct bs_windows *w)
{
    for (const struct bs_frame *f = w->frames; f; f = f->hh.next)
        for (uint32_t i = f->first_row; i; i = bs_row_at(w, i)->next_in_frame) {
            const struct bs_row *r = bs_row_at(w, i);
            if (!r->previous_of_member && !is_frame_by_frame(w, r->member))
                save_list(s, w, r->member);
        }
    bs_snapshot_refer(s, BS_SNAPSHOT_WINDOW_MEMBER, NULL);
}

/* Each in turn becomes the last: whatever is said, it stays a list. */
static void load_list(struct bs_snapshot *s, struct bs_windows *w, const struct bs_window_member *m)
{
    for (uint32_t left = m->rows[0] + m->rows[1]; left && !s->failed; left--) {
        uint32_t index = refer_row(s, 0);
        bs_snapshot_require(s, index && bs_row_at(w, index)->member == m);
        if (!s->failed)
            bs_rows_move_last(w, index);
    }
}

static void load_lists(struct bs_snapshot *s, struct bs_windows *w)
{
    const struct bs_window_member *m;
    while ((m = bs_snapshot_refer(s, BS_SNAPSHOT_WINDOW_MEMBER, NULL)) != NULL)
        load_list(s, w, m);
}

/* Dirt. */

static void load_dirty(struct bs_snapshot *s, struct bs_windows *w)
{
    uint32_t index = refer_row(s, 0);
    struct bs_tick_ms since = {bs_snapshot_moment(s, 0)};
    if (s->failed)
        return;
    const struct bs_row *r = bs_row_at(w, index);
    bs_snapshot_require(s, !r->dirty && (bs_row_is_group(r) || r->named));
    if (!s->failed)
        bs_windows_queue(w, index, since);
}

static void code_dirty(struct bs_snapshot *s, struct bs_windows *w)
{
    size_t count = 0;
    uint32_t i = w->dirty_first;
    for (uint32_t j = i; j; j = bs_row_at(w, j)->dirty_next)
        count++;
    count = bs_snapshot_count(s, count, BS_WINDOW_ROWS_MAX);
    for (; count && !s->failed; count--)
        if (bs_snapshot_loads(s)) {
            load_dirty(s, w);
        } else {
            refer_row(s, i);
            bs_snapshot_moment(s, bs_row_at(w, i)->dirty_since);
            i = bs_row_at(w, i)->dirty_next;
        }
}

void bs_windows_snapshot(struct bs_snapshot *s, struct bs_windows *w)
{
    bs_tiling_snapshot(s, &w->tiling);
    for (int stored = 0; stored < 2; stored++)
        w->final_until[stored] = bs_snapshot_time_or(s, w->final_until[stored], INT64_MIN);
    w->now_wall = bs_snapshot_time_or(s, w->now_wall, INT64_MIN);
    w->latest = bs_snapshot_time_or(s, w->latest, INT64_MIN);
    code_frames(s, w);
    code_overdue(s, w);
    if (bs_snapshot_loads(s)) {
        await_frames(s, w);
        load_lists(s, w);
    } else {
        save_lists(s, w);
    }
    code_dirty(s, w);
}

/* What others hold. */

uint32_t bs_windows_held_snapshot(struct bs_snapshot *s, struct bs_windows *w, uint32_t row)
{
    row = refer_row(s, row);
    if (!bs_snapshot_loads(s) || s->failed)
        return row;
    struct bs_row *r = bs_row_at(w, row);
    bs_snapshot_require(s, !bs_row_is_group(r) && !bs_row_is_full(r));
    if (s->failed)
        return 0;
    bs_windows_hold_row(w, r);
    return row;
}

void bs_windows_retention_snapshot(struct bs_snapshot *s, struct bs_group_retention **holder)
{
    *holder = bs_snapshot_refer(s, BS_SNAPSHOT_RETENTION, *holder);
    if (!bs_snapshot_loads(s) || !*holder)
        return;
    bs_snapshot_require(s, !(*holder)->holder);
    if (s->failed)
        *holder = NULL;
    else
        (*holder)->holder = holder;
}
