/* Windows: their life, the time, adding. Must never take a step into a window that is final. */
#include "window_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

enum bs_status bs_windows_new(struct bs_windows **ret, int64_t size_ms)
{
    struct bs_windows *w = calloc(1, sizeof *w);
    if (!w)
        return BS_NO_MEMORY;
    bs_tiling_init(&w->tiling, size_ms);
    w->final_until[0] = w->final_until[1] = INT64_MIN;
    w->now_wall = w->latest = INT64_MIN;
    w->rows_made = 1;
    w->group_min = INT64_MAX;
    *ret = w;
    return BS_OK;
}

struct bs_frame *bs_windows_make_frame(struct bs_windows *w, const struct bs_frame_key *key)
{
    struct bs_frame *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->key = *key;
    f->number = w->frames_made++;
    struct bs_frame *added = f;
    HASH_ADD(hh, w->frames, key, sizeof f->key, added);
    if (!added) { /* uthash found no memory */
        free(f);
        return NULL;
    }
    return f;
}

void bs_windows_free_frame(struct bs_windows *w, struct bs_frame *f)
{
    HASH_DELETE(hh, w->frames, f);
    free(f);
}

void bs_windows_await_frame(struct bs_windows *w, struct bs_frame *f)
{
    if (!f->ended)
        bs_heap_push(&w->ends, f->key.end_ms, f);
    bs_heap_push(&w->finals[f->key.stored], f->key.end_ms, f);
}

static void free_rows(struct bs_windows *w, uint32_t first)
{
    for (uint32_t i = first; i; i = bs_row_at(w, i)->next_in_frame) {
        bs_tags_drop(bs_row_at(w, i)->tags);
        if (bs_row_is_group(bs_row_at(w, i)))
            bs_groups_fini(bs_row_at(w, i));
    }
}

void bs_windows_free(struct bs_windows *w)
{
    if (!w)
        return;
    struct bs_frame *f, *next;
    HASH_ITER(hh, w->frames, f, next)
    {
        free_rows(w, f->first_row);
        free_rows(w, f->first_group);
        bs_windows_free_frame(w, f);
    }
    for (uint32_t i = 0; i < BS_ROWS_CHUNKS; i++)
        free(w->chunks[i]);
    bs_heap_fini(&w->ends);
    bs_heap_fini(&w->finals[0]);
    bs_heap_fini(&w->finals[1]);
    free(w->buckets);
    free(w->members);
    free(w->values);
    free(w);
}

/* Time. */

void bs_windows_set_lateness(struct bs_windows *w, int64_t live_ms, int64_t stored_ms)
{
    w->lateness_ms[0] = live_ms;
    w->lateness_ms[1] = stored_ms;
}

void bs_windows_set_size(struct bs_windows *w, int64_t size_ms, struct bs_wall_ms arrival,
                         int64_t max_future_ms)
{
    /* A step that came under a larger max_future_ms, or in this very moment, may lie further on. */
    int64_t earliest = arrival.ms + max_future_ms;
    earliest = w->latest > earliest - 1 ? w->latest + 1 : earliest;
    bs_tiling_change(&w->tiling, size_ms, earliest, 0);
}

void bs_windows_set_refresh(struct bs_windows *w, int64_t refresh_ms)
{
    w->refresh_ms = refresh_ms;
}

void bs_windows_set_group_min(struct bs_windows *w, int64_t members)
{
    w->group_min = members;
}

/* Windows that end at or before it are final. */
static int64_t final_before(const struct bs_windows *w, bool stored)
{
    int64_t late = w->now_wall - w->lateness_ms[stored];
    return late > w->final_until[stored] ? late : w->final_until[stored];
}

void bs_windows_advance(struct bs_windows *w, struct bs_wall_ms now)
{
    w->now_wall = now.ms;
    if (w->tiling.count == 1)
        return;
    int64_t live = final_before(w, false), stored = final_before(w, true);
    bs_tiling_forget(&w->tiling, live < stored ? live : stored);
}

bool bs_windows_too_late(const struct bs_windows *w, int64_t time_ms, bool stored)
{
    if (time_ms < bs_tiling_floor(&w->tiling))
        return true;
    struct bs_tile tile = bs_tiling_find(&w->tiling, time_ms);
    return tile.start_ms + tile.size_ms <= final_before(w, stored);
}

void bs_windows_keep_final(struct bs_windows *w, int64_t end_ms, bool stored)
{
    if (end_ms > w->final_until[stored])
        w->final_until[stored] = end_ms;
}

void bs_windows_refuse(struct bs_windows *w, int64_t time_ms, bool stored)
{
    if (time_ms < bs_tiling_floor(&w->tiling))
        return; /* of no known window: it says nothing about those that are */
    struct bs_tile tile = bs_tiling_find(&w->tiling, time_ms);
    bs_windows_keep_final(w, tile.start_ms + tile.size_ms, stored);
}

/* Adding. */

struct bs_window_place bs_windows_find(const struct bs_windows *w, const struct bs_window_member *m,
                                       const struct bs_window_key *key)
{
    return bs_rows_find(w, m, key, bs_tiling_find(&w->tiling, key->time_ms));
}

struct bs_frame *bs_windows_find_frame(struct bs_windows *w, const struct bs_frame_key *key)
{
    struct bs_frame *f;
    /* The analyser does not follow uthash into the key. */
    HASH_FIND(hh, w->frames, key, sizeof *key, f); /* NOLINT */
    return f;
}

static struct bs_frame *find_frame(struct bs_windows *w, const struct bs_window_place *place,
                                   bool stored)
{
    struct bs_frame_key key = {place->start_ms, place->end_ms, stored};
    return bs_windows_find_frame(w, &key);
}

static bool make_frame(struct bs_windows *w, const struct bs_window_place *place, bool stored)
{
    if (!bs_heap_reserve(&w->ends) || !bs_heap_reserve(&w->finals[stored]))
        return false;
    struct bs_frame_key key = {place->start_ms, place->end_ms, stored};
    struct bs_frame *f = bs_windows_make_frame(w, &key);
    if (!f)
        return false;
    f->ended = place->end_ms <= w->now_wall;
    bs_windows_await_frame(w, f);
    return true;
}

bool bs_windows_reserve(struct bs_windows *w, const struct bs_window_member *m,
                        const struct bs_window_key *key, const struct bs_window_place *place)
{
    if (place->row)
        return !bs_row_is_full(bs_row_at(w, place->row)) || bs_rows_reserve(w, 1);
    bool grouped = bs_window_joins_group(key);
    return bs_rows_member_has_room(w, m, key, place) && bs_rows_reserve(w, grouped ? 2 : 1) &&
           (!grouped || bs_groups_reserve(w)) &&
           (find_frame(w, place, key->stored) || make_frame(w, place, key->stored));
}

static uint32_t open_row(struct bs_windows *w, struct bs_window_member *m,
                         const struct bs_window_key *key, const struct bs_window_place *place)
{
    struct bs_frame *f = find_frame(w, place, key->stored);
    bs_check(f);
    uint32_t index = bs_rows_open(w, m, key, f);
    if (bs_window_joins_group(key))
        bs_groups_join(w, index);
    return index;
}

void bs_windows_hold_row(struct bs_windows *w, struct bs_row *r)
{
    w->overdue_ready -= r->frame->overdue && r->frame->held == 0;
    r->held++;
    r->frame->held++;
}

uint32_t bs_windows_hold(struct bs_windows *w, struct bs_window_member *m,
                         const struct bs_window_key *key, const struct bs_window_place *place)
{
    uint32_t index = place->row ? place->row : open_row(w, m, key, place);
    struct bs_row *r = bs_row_at(w, index);
    if (bs_row_is_full(r))
        bs_rows_set_aside(w, r);
    bs_windows_hold_row(w, r);
    m->recent = index;
    w->latest = key->time_ms > w->latest ? key->time_ms : w->latest;
    return index;
}

uint32_t bs_windows_turn(struct bs_windows *w, struct bs_window_member *m, uint32_t row,
                         enum bs_direction direction)
{
    struct bs_row *r = bs_row_at(w, row);
    const struct bs_frame_key *frame = &r->frame->key;
    struct bs_window_key key = {r->tags, frame->start_ms, direction, frame->stored != 0};
    struct bs_tile tile = {frame->start_ms, frame->end_ms - frame->start_ms};
    struct bs_window_place place = bs_rows_find(w, m, &key, tile);
    if (!bs_windows_reserve(w, m, &key, &place))
        return row;
    uint32_t turned = bs_windows_hold(w, m, &key, &place);
    r->held--;
    r->frame->held--;
    return turned;
}

void bs_windows_add(struct bs_windows *w, uint32_t row, const struct bs_sample *sample,
                    struct bs_tick_ms now)
{
    struct bs_row *r = bs_row_at(w, row);
    bs_check(r->held > 0);
    r->held--;
    r->frame->held--;
    w->overdue_ready += r->frame->overdue && r->frame->held == 0;
    bs_sums_add(&r->sums, sample);
    if (r->named && !r->dirty)
        bs_windows_queue(w, row, now);
    if (r->in_group && !bs_row_at(w, r->in_group)->dirty)
        bs_windows_queue(w, r->in_group, now);
}

struct bs_tags *bs_windows_tags(const struct bs_windows *w, uint32_t row)
{
    return bs_row_at(w, row)->tags;
}

uint32_t bs_windows_open_rows(const struct bs_windows *w)
{
    return w->rows_open;
}
