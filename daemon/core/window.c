/* Rows by window: look-up, adding, writing, the deadlines. Rows lie in chunks that never move and
 * are named by their index; 0 is no row. Must never take a step into a window that is final. */
#include "backstep/core/window.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/core/gait_window.h"
#include "backstep/core/heap.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define CHUNK_ROWS 4096u
#define CHUNKS_MAX (BS_WINDOW_ROWS_MAX / CHUNK_ROWS)

struct frame_key {
    int64_t start_ms, end_ms;
    int64_t stored; /* as wide as its neighbours: no padding in a hashed key */
};

/* One window: all its rows. */
struct frame {
    struct frame_key key;
    uint32_t first_row;
    UT_hash_handle hh;
};

struct row {
    struct bs_sums sums;
    struct bs_tags *tags;
    struct bs_window_member *member;
    struct frame *frame;
    int64_t dirty_since; /* tick */
    uint32_t next_in_bucket, next_in_frame;
    uint32_t next_of_member, previous_of_member; /* oldest first */
    uint32_t dirty_next, dirty_previous;         /* oldest dirt first */
    uint32_t more; /* sums of earlier steps, where one row's are full */
    uint8_t direction;
    bool named; /* its tags are */
    bool dirty;
};

struct bs_windows {
    struct bs_tiling tiling;
    int64_t lateness_ms[2], refresh_ms; /* live, stored */
    int64_t final_until[2];             /* windows that end at or before it were final once */
    int64_t now_wall;
    int64_t latest; /* event time among all that was added */
    struct frame *frames;
    struct bs_heap ends, finals[2]; /* by end */
    struct row *chunks[CHUNKS_MAX];
    uint32_t rows_made, rows_open, free_row; /* the free list runs through next_in_bucket */
    uint32_t *buckets, bucket_count;
    uint32_t dirty_first, dirty_last;
    struct bs_line line;
};

static struct row *row_at(const struct bs_windows *w, uint32_t index)
{
    return &w->chunks[index / CHUNK_ROWS][index % CHUNK_ROWS];
}

enum bs_status bs_windows_new(struct bs_windows **ret, int64_t size_ms)
{
    struct bs_windows *w = calloc(1, sizeof *w);
    if (!w)
        return BS_NO_MEMORY;
    bs_tiling_init(&w->tiling, size_ms);
    w->final_until[0] = w->final_until[1] = INT64_MIN;
    w->now_wall = w->latest = INT64_MIN;
    w->rows_made = 1;
    *ret = w;
    return BS_OK;
}

static void free_frame(struct bs_windows *w, struct frame *f)
{
    HASH_DELETE(hh, w->frames, f);
    free(f);
}

void bs_windows_free(struct bs_windows *w)
{
    if (!w)
        return;
    struct frame *f, *next;
    HASH_ITER(hh, w->frames, f, next)
    {
        for (uint32_t i = f->first_row; i; i = row_at(w, i)->next_in_frame)
            bs_tags_drop(row_at(w, i)->tags);
        free_frame(w, f);
    }
    for (uint32_t i = 0; i < CHUNKS_MAX; i++)
        free(w->chunks[i]);
    bs_heap_fini(&w->ends);
    bs_heap_fini(&w->finals[0]);
    bs_heap_fini(&w->finals[1]);
    free(w->buckets);
    free(w);
}

/* The rows' memory. */

static bool make_row_room(struct bs_windows *w)
{
    if (w->free_row)
        return true;
    if (w->rows_made >= BS_WINDOW_ROWS_MAX)
        return false;
    struct row **chunk = &w->chunks[w->rows_made / CHUNK_ROWS];
    if (!*chunk)
        *chunk = malloc(CHUNK_ROWS * sizeof **chunk);
    return *chunk != NULL;
}

static uint32_t take_row(struct bs_windows *w)
{
    uint32_t index = w->free_row;
    if (index)
        w->free_row = row_at(w, index)->next_in_bucket;
    else
        index = w->rows_made++;
    w->rows_open++;
    *row_at(w, index) = (struct row){0};
    return index;
}

static void give_row_back(struct bs_windows *w, uint32_t index)
{
    row_at(w, index)->next_in_bucket = w->free_row;
    w->free_row = index;
    w->rows_open--;
}

/* The look-up by key. */

static uint32_t hash_key(uint32_t serial, enum bs_direction direction, bool stored, int64_t start)
{
    uint64_t who = (uint64_t)serial << 8 | (uint64_t)direction << 1 | stored;
    return (uint32_t)bs_hash_mix(who * 0x9e3779b97f4a7c15u ^ (uint64_t)start);
}

static uint32_t *bucket_of(const struct bs_windows *w, const struct row *r)
{
    uint32_t hash =
        hash_key(r->tags->serial, r->direction, r->frame->key.stored != 0, r->frame->key.start_ms);
    return &w->buckets[hash & (w->bucket_count - 1)];
}

static bool grow_buckets(struct bs_windows *w)
{
    if (w->rows_open < w->bucket_count)
        return true;
    uint32_t count = w->bucket_count ? w->bucket_count * 2 : CHUNK_ROWS;
    uint32_t *buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return w->bucket_count > 0;
    free(w->buckets);
    w->buckets = buckets;
    w->bucket_count = count;
    for (struct frame *f = w->frames; f; f = f->hh.next)
        for (uint32_t i = f->first_row; i; i = row_at(w, i)->next_in_frame) {
            uint32_t *bucket = bucket_of(w, row_at(w, i));
            row_at(w, i)->next_in_bucket = *bucket;
            *bucket = i;
        }
    return true;
}

static bool is_row(const struct bs_windows *w, uint32_t index, const struct bs_window_key *key,
                   struct bs_tile tile)
{
    const struct row *r = row_at(w, index);
    return r->tags == key->tags && r->direction == key->direction &&
           r->frame->key.start_ms == tile.start_ms &&
           r->frame->key.end_ms == tile.start_ms + tile.size_ms &&
           (r->frame->key.stored != 0) == key->stored;
}

static uint32_t find_row(const struct bs_windows *w, const struct bs_window_key *key,
                         struct bs_tile tile)
{
    if (!w->bucket_count)
        return 0;
    uint32_t hash = hash_key(key->tags->serial, key->direction, key->stored, tile.start_ms);
    uint32_t i = w->buckets[hash & (w->bucket_count - 1)];
    while (i && !is_row(w, i, key, tile))
        i = row_at(w, i)->next_in_bucket;
    return i;
}

struct bs_window_place bs_windows_find(const struct bs_windows *w, const struct bs_window_member *m,
                                       const struct bs_window_key *key)
{
    struct bs_tile tile = bs_tiling_find(&w->tiling, key->time_ms);
    struct bs_window_place place = {tile.start_ms, tile.start_ms + tile.size_ms, m->recent};
    if (!place.row || !is_row(w, place.row, key, tile))
        place.row = find_row(w, key, tile);
    return place;
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

static void keep_final(struct bs_windows *w, int64_t end_ms, bool stored)
{
    if (end_ms > w->final_until[stored])
        w->final_until[stored] = end_ms;
}

void bs_windows_refuse(struct bs_windows *w, int64_t time_ms, bool stored)
{
    if (time_ms < bs_tiling_floor(&w->tiling))
        return; /* of no known window: it says nothing about those that are */
    struct bs_tile tile = bs_tiling_find(&w->tiling, time_ms);
    keep_final(w, tile.start_ms + tile.size_ms, stored);
}

/* Adding. */

static struct frame *find_frame(struct bs_windows *w, const struct bs_window_place *place,
                                bool stored)
{
    struct frame_key key = {place->start_ms, place->end_ms, stored};
    struct frame *f;
    /* The analyser does not follow uthash into the key. */
    HASH_FIND(hh, w->frames, &key, sizeof key, f); /* NOLINT */
    return f;
}

static bool make_frame(struct bs_windows *w, const struct bs_window_place *place, bool stored)
{
    if (!bs_heap_reserve(&w->ends) || !bs_heap_reserve(&w->finals[stored]))
        return false;
    struct frame *f = calloc(1, sizeof *f);
    if (!f)
        return false;
    f->key = (struct frame_key){place->start_ms, place->end_ms, stored};
    struct frame *added = f;
    HASH_ADD(hh, w->frames, key, sizeof f->key, added);
    if (!added) { /* uthash found no memory */
        free(f);
        return false;
    }
    if (place->end_ms > w->now_wall)
        bs_heap_push(&w->ends, place->end_ms, f);
    bs_heap_push(&w->finals[stored], place->end_ms, f);
    return true;
}

/* True where the member has a row of another direction in that window. */
static bool shares_window(const struct bs_windows *w, const struct bs_window_key *key,
                          struct bs_tile tile)
{
    struct bs_window_key other = *key;
    for (int d = 0; d < BS_DIRECTION_COUNT; d++) {
        other.direction = (enum bs_direction)d;
        if (other.direction != key->direction && find_row(w, &other, tile))
            return true;
    }
    return false;
}

static bool member_has_room(const struct bs_windows *w, const struct bs_window_member *m,
                            const struct bs_window_key *key, const struct bs_window_place *place)
{
    if (!key->stored)
        return m->rows[0] < BS_WINDOW_MEMBER_LIVE_ROWS_MAX;
    struct bs_tile tile = {place->start_ms, place->end_ms - place->start_ms};
    return m->stored_windows < BS_WINDOW_MEMBER_STORED_MAX || shares_window(w, key, tile);
}

/* With the row itself not among those that are looked up, at its opening and at its close. */
static void count_stored_window(struct bs_windows *w, const struct row *r, int by)
{
    const struct frame_key *frame = &r->frame->key;
    struct bs_window_key key = {r->tags, frame->start_ms, (enum bs_direction)r->direction, true};
    struct bs_tile tile = {frame->start_ms, frame->end_ms - frame->start_ms};
    if (frame->stored && !shares_window(w, &key, tile))
        r->member->stored_windows += (uint32_t)by;
}

bool bs_windows_reserve(struct bs_windows *w, const struct bs_window_member *m,
                        const struct bs_window_key *key, const struct bs_window_place *place)
{
    if (place->row && row_at(w, place->row)->sums.steps < BS_SUMS_STEPS_MAX)
        return true;
    if (place->row)
        return make_row_room(w);
    return member_has_room(w, m, key, place) && make_row_room(w) && grow_buckets(w) &&
           (find_frame(w, place, key->stored) || make_frame(w, place, key->stored));
}

static void link_to_member(struct bs_windows *w, struct bs_window_member *m, uint32_t index)
{
    row_at(w, index)->previous_of_member = m->last;
    if (m->last)
        row_at(w, m->last)->next_of_member = index;
    else
        m->first = index;
    m->last = index;
}

static void unlink_from_member(struct bs_windows *w, const struct row *r)
{
    if (r->previous_of_member)
        row_at(w, r->previous_of_member)->next_of_member = r->next_of_member;
    else
        r->member->first = r->next_of_member;
    if (r->next_of_member)
        row_at(w, r->next_of_member)->previous_of_member = r->previous_of_member;
    else
        r->member->last = r->previous_of_member;
}

static uint32_t open_row(struct bs_windows *w, struct bs_window_member *m,
                         const struct bs_window_key *key, const struct bs_window_place *place)
{
    uint32_t index = take_row(w);
    struct row *r = row_at(w, index);
    r->tags = key->tags;
    bs_tags_hold(r->tags);
    r->member = m;
    link_to_member(w, m, index);
    r->direction = (uint8_t)key->direction;
    r->named = r->tags->named;
    r->frame = find_frame(w, place, key->stored);
    bs_check(r->frame);
    r->next_in_frame = r->frame->first_row;
    r->frame->first_row = index;
    count_stored_window(w, r, 1);
    uint32_t *bucket = bucket_of(w, r);
    r->next_in_bucket = *bucket;
    *bucket = index;
    m->rows[key->stored]++;
    return index;
}

/* A row's sums are full: they move to a row of their own behind it, and it begins again. */
static void set_sums_aside(struct bs_windows *w, struct row *r)
{
    uint32_t index = take_row(w);
    struct row *aside = row_at(w, index);
    aside->sums = r->sums;
    aside->more = r->more;
    r->more = index;
    r->sums = (struct bs_sums){0};
}

static void mark_dirty(struct bs_windows *w, uint32_t index, struct bs_tick_ms now)
{
    struct row *r = row_at(w, index);
    if (r->dirty || !r->named)
        return;
    r->dirty = true;
    r->dirty_since = now.ms;
    r->dirty_next = 0;
    r->dirty_previous = w->dirty_last;
    if (w->dirty_last)
        row_at(w, w->dirty_last)->dirty_next = index;
    else
        w->dirty_first = index;
    w->dirty_last = index;
}

static void mark_clean(struct bs_windows *w, struct row *r)
{
    if (!r->dirty)
        return;
    r->dirty = false;
    if (r->dirty_previous)
        row_at(w, r->dirty_previous)->dirty_next = r->dirty_next;
    else
        w->dirty_first = r->dirty_next;
    if (r->dirty_next)
        row_at(w, r->dirty_next)->dirty_previous = r->dirty_previous;
    else
        w->dirty_last = r->dirty_previous;
}

void bs_windows_add(struct bs_windows *w, struct bs_window_member *m,
                    const struct bs_window_key *key, const struct bs_window_place *place,
                    const struct bs_sample *sample, struct bs_tick_ms now)
{
    uint32_t index = place->row ? place->row : open_row(w, m, key, place);
    struct row *r = row_at(w, index);
    if (r->sums.steps == BS_SUMS_STEPS_MAX)
        set_sums_aside(w, r);
    bs_sums_add(&r->sums, sample);
    m->recent = index;
    w->latest = key->time_ms > w->latest ? key->time_ms : w->latest;
    mark_dirty(w, index, now);
}

/* Writing. */

static struct bs_slice line_of(struct bs_windows *w, const struct row *r, bool final)
{
    struct bs_totals totals = {0};
    bs_totals_add(&totals, &r->sums);
    for (uint32_t i = r->more; i; i = row_at(w, i)->more)
        bs_totals_add(&totals, &row_at(w, i)->sums);
    struct bs_gait_window row = {.tags = r->tags,
                                 .direction = r->direction,
                                 .stored = r->frame->key.stored != 0,
                                 .final = final,
                                 .start_ms = r->frame->key.start_ms,
                                 .totals = &totals};
    return bs_gait_window_write(&row, &w->line);
}

/* A row may be clean while it is withheld: what it gathers then stands in its next writing, in the
 * final one at the latest. */
static void write_row(struct bs_windows *w, struct row *r, bool final,
                      const struct bs_effects *effects)
{
    mark_clean(w, r);
    if (r->named && !r->member->withheld)
        effects->line(effects->context, line_of(w, r, final), !final);
}

void bs_windows_write_member(struct bs_windows *w, const struct bs_window_member *m,
                             const struct bs_effects *effects)
{
    if (m->withheld)
        return;
    for (uint32_t i = m->first; i; i = row_at(w, i)->next_of_member) {
        struct row *r = row_at(w, i);
        mark_clean(w, r);
        if (r->named)
            effects->line(effects->context, line_of(w, r, false), false);
    }
}

static void unlink_from_bucket(struct bs_windows *w, uint32_t index)
{
    uint32_t *link = bucket_of(w, row_at(w, index));
    while (*link != index)
        link = &row_at(w, *link)->next_in_bucket;
    *link = row_at(w, index)->next_in_bucket;
}

static void close_row(struct bs_windows *w, uint32_t index)
{
    struct row *r = row_at(w, index);
    unlink_from_bucket(w, index);
    count_stored_window(w, r, -1);
    r->member->rows[r->frame->key.stored]--;
    unlink_from_member(w, r);
    if (r->member->recent == index)
        r->member->recent = 0;
    bs_tags_drop(r->tags);
    for (uint32_t i = r->more, next; i; i = next) {
        next = row_at(w, i)->more;
        give_row_back(w, i);
    }
    give_row_back(w, index);
}

static void finalise(struct bs_windows *w, struct frame *f, const struct bs_effects *effects)
{
    for (uint32_t i = f->first_row, next; i; i = next) {
        next = row_at(w, i)->next_in_frame;
        write_row(w, row_at(w, i), true, effects);
        close_row(w, i);
    }
    keep_final(w, f->key.end_ms, f->key.stored != 0);
    free_frame(w, f);
}

static void write_at_end(struct bs_windows *w, const struct frame *f,
                         const struct bs_effects *effects)
{
    for (uint32_t i = f->first_row; i; i = row_at(w, i)->next_in_frame)
        if (row_at(w, i)->dirty)
            write_row(w, row_at(w, i), false, effects);
}

/* Deadlines. */

static int64_t due(int64_t end_ms, int64_t lateness_ms)
{
    return end_ms == INT64_MAX ? INT64_MAX : end_ms + lateness_ms;
}

struct bs_wall_ms bs_windows_wall_deadline(const struct bs_windows *w)
{
    int64_t next = bs_heap_least(&w->ends);
    for (int stored = 0; stored < 2; stored++) {
        int64_t final = due(bs_heap_least(&w->finals[stored]), w->lateness_ms[stored]);
        next = final < next ? final : next;
    }
    return (struct bs_wall_ms){next};
}

struct bs_tick_ms bs_windows_tick_deadline(const struct bs_windows *w)
{
    if (!w->dirty_first)
        return (struct bs_tick_ms){BS_NEVER_MS};
    return (struct bs_tick_ms){row_at(w, w->dirty_first)->dirty_since + w->refresh_ms};
}

void bs_windows_fire_wall(struct bs_windows *w, struct bs_wall_ms now,
                          const struct bs_effects *effects)
{
    while (bs_heap_least(&w->ends) <= now.ms)
        write_at_end(w, bs_heap_pop(&w->ends), effects);
    for (int stored = 0; stored < 2; stored++)
        while (due(bs_heap_least(&w->finals[stored]), w->lateness_ms[stored]) <= now.ms)
            finalise(w, bs_heap_pop(&w->finals[stored]), effects);
}

void bs_windows_fire_tick(struct bs_windows *w, struct bs_tick_ms now,
                          const struct bs_effects *effects)
{
    while (bs_windows_tick_deadline(w).ms <= now.ms)
        write_row(w, row_at(w, w->dirty_first), false, effects);
}

void bs_windows_finalise_all(struct bs_windows *w, const struct bs_effects *effects)
{
    w->ends.count = 0;
    for (int stored = 0; stored < 2; stored++) {
        while (w->finals[stored].count)
            finalise(w, bs_heap_pop(&w->finals[stored]), effects);
    }
}

uint32_t bs_windows_open_rows(const struct bs_windows *w)
{
    return w->rows_open;
}
