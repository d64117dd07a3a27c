/* Rows of windows: their memory, the look-up by key, opening and closing. Must never move a row
 * while it is open. */
#include "window_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

#include <stdlib.h>

/* Memory. */

static bool reserve_chunk_of(struct bs_windows *w, uint32_t index)
{
    if (index >= BS_WINDOW_ROWS_MAX)
        return false;
    struct bs_row **chunk = &w->chunks[index / BS_ROWS_CHUNK];
    if (!*chunk)
        *chunk = malloc(BS_ROWS_CHUNK * sizeof **chunk);
    return *chunk != NULL;
}

static bool reserve_rows(struct bs_windows *w, uint32_t count)
{
    uint32_t given_back = w->rows_made - 1 - w->rows_open;
    for (uint32_t i = w->rows_made; given_back < count; given_back++)
        if (!reserve_chunk_of(w, i++))
            return false;
    return true;
}

uint32_t bs_rows_take(struct bs_windows *w)
{
    uint32_t index = w->free_row;
    if (index)
        w->free_row = bs_row_at(w, index)->next_in_bucket;
    else
        index = w->rows_made++;
    w->rows_open++;
    *bs_row_at(w, index) = (struct bs_row){0};
    return index;
}

static void give_back(struct bs_windows *w, uint32_t index)
{
    bs_row_at(w, index)->next_in_bucket = w->free_row;
    w->free_row = index;
    w->rows_open--;
}

void bs_rows_set_aside(struct bs_windows *w, struct bs_row *r)
{
    uint32_t index = bs_rows_take(w);
    struct bs_row *aside = bs_row_at(w, index);
    aside->sums = r->sums;
    aside->more = r->more;
    r->more = index;
    r->sums = (struct bs_sums){0};
}

/* The look-up by key. Rows of one member, window and direction share a bucket, whatever their tags.
 */

static uint32_t *bucket(const struct bs_windows *w, uint32_t serial, unsigned direction,
                        bool stored, int64_t start_ms)
{
    uint64_t who = (uint64_t)serial << 8 | (uint64_t)direction << 1 | stored;
    uint64_t hash = bs_hash_mix(who * 0x9e3779b97f4a7c15u ^ (uint64_t)start_ms);
    return &w->buckets[hash & (w->bucket_count - 1)];
}

static uint32_t *bucket_of(const struct bs_windows *w, const struct bs_row *r)
{
    uint32_t serial = bs_row_is_group(r) ? r->tags->shared_hash : r->member->serial;
    return bucket(w, serial, r->direction, r->frame->key.stored != 0, r->frame->key.start_ms);
}

uint32_t bs_rows_group_bucket(const struct bs_windows *w, const struct bs_tags *tags,
                              int64_t start_ms)
{
    return *bucket(w, tags->shared_hash, BS_DIRECTION_GROUP, false, start_ms);
}

void bs_rows_enter(struct bs_windows *w, uint32_t index)
{
    uint32_t *at = bucket_of(w, bs_row_at(w, index));
    bs_row_at(w, index)->next_in_bucket = *at;
    *at = index;
}

static void leave_bucket(struct bs_windows *w, uint32_t index)
{
    uint32_t *link = bucket_of(w, bs_row_at(w, index));
    while (*link != index)
        link = &bs_row_at(w, *link)->next_in_bucket;
    *link = bs_row_at(w, index)->next_in_bucket;
}

static void enter_all(struct bs_windows *w, uint32_t first)
{
    for (uint32_t i = first; i; i = bs_row_at(w, i)->next_in_frame)
        bs_rows_enter(w, i);
}

static bool grow_buckets(struct bs_windows *w)
{
    if (w->rows_open < w->bucket_count)
        return true;
    uint32_t count = w->bucket_count ? w->bucket_count * 2 : BS_ROWS_CHUNK;
    uint32_t *buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return w->bucket_count > 0;
    free(w->buckets);
    w->buckets = buckets;
    w->bucket_count = count;
    for (struct bs_frame *f = w->frames; f; f = f->hh.next) {
        enter_all(w, f->first_row);
        enter_all(w, f->first_group);
    }
    return true;
}

bool bs_rows_reserve(struct bs_windows *w, uint32_t count)
{
    return reserve_rows(w, count) && grow_buckets(w);
}

static bool is_in_window(const struct bs_row *r, struct bs_tile tile, bool stored)
{
    return r->frame->key.start_ms == tile.start_ms &&
           r->frame->key.end_ms == tile.start_ms + tile.size_ms &&
           (r->frame->key.stored != 0) == stored;
}

/* Tags are one member's, but who forged a snapshot may have given them to two. */
static bool is_row(const struct bs_windows *w, uint32_t index, const struct bs_window_member *m,
                   const struct bs_window_key *key, struct bs_tile tile)
{
    const struct bs_row *r = bs_row_at(w, index);
    return r->tags == key->tags && r->member == m && r->direction == key->direction &&
           is_in_window(r, tile, key->stored);
}

struct bs_window_place bs_rows_find(const struct bs_windows *w, const struct bs_window_member *m,
                                    const struct bs_window_key *key, struct bs_tile tile)
{
    struct bs_window_place place = {tile.start_ms, tile.start_ms + tile.size_ms, m->recent};
    if (place.row && is_row(w, place.row, m, key, tile))
        return place;
    place.row = 0;
    if (!m->last)
        return place;
    place.row = *bucket(w, m->serial, key->direction, key->stored, tile.start_ms);
    while (place.row && !is_row(w, place.row, m, key, tile))
        place.row = bs_row_at(w, place.row)->next_in_bucket;
    return place;
}

/* Members' bounds. */

/* True where the member has a row in that stored window, of any direction and any tags. */
static bool has_stored_window(const struct bs_windows *w, const struct bs_window_member *m,
                              struct bs_tile tile)
{
    if (!m->rows[1])
        return false;
    for (unsigned d = 0; d < BS_DIRECTION_COUNT; d++)
        for (uint32_t i = *bucket(w, m->serial, d, true, tile.start_ms); i;
             i = bs_row_at(w, i)->next_in_bucket)
            if (bs_row_at(w, i)->member == m && is_in_window(bs_row_at(w, i), tile, true))
                return true;
    return false;
}

bool bs_rows_member_has_room(const struct bs_windows *w, const struct bs_window_member *m,
                             const struct bs_window_key *key, const struct bs_window_place *place)
{
    if (!key->stored)
        return m->rows[0] < BS_WINDOW_MEMBER_LIVE_ROWS_MAX;
    struct bs_tile tile = {place->start_ms, place->end_ms - place->start_ms};
    return m->stored_windows < BS_WINDOW_MEMBER_STORED_MAX || has_stored_window(w, m, tile);
}

/* With the row itself not among those that are looked up, at its opening and at its close. */
static void count_stored_window(struct bs_windows *w, const struct bs_row *r, int by)
{
    const struct bs_frame_key *frame = &r->frame->key;
    struct bs_tile tile = {frame->start_ms, frame->end_ms - frame->start_ms};
    if (frame->stored && !has_stored_window(w, r->member, tile))
        r->member->stored_windows += (uint32_t)by;
}

/* Opening and closing. */

static void link_to_member(struct bs_windows *w, struct bs_window_member *m, uint32_t index)
{
    bs_row_at(w, index)->previous_of_member = m->last;
    if (m->last)
        bs_row_at(w, m->last)->next_of_member = index;
    else
        m->first = index;
    m->last = index;
}

static void unlink_from_member(struct bs_windows *w, const struct bs_row *r)
{
    if (r->previous_of_member)
        bs_row_at(w, r->previous_of_member)->next_of_member = r->next_of_member;
    else
        r->member->first = r->next_of_member;
    if (r->next_of_member)
        bs_row_at(w, r->next_of_member)->previous_of_member = r->previous_of_member;
    else
        r->member->last = r->previous_of_member;
}

uint32_t bs_rows_open(struct bs_windows *w, struct bs_window_member *m,
                      const struct bs_window_key *key, struct bs_frame *f)
{
    uint32_t index = bs_rows_take(w);
    struct bs_row *r = bs_row_at(w, index);
    if (!m->serial)
        m->serial = ++w->members_seen;
    r->tags = key->tags;
    bs_tags_hold(r->tags);
    r->named = r->tags->named;
    r->member = m;
    r->direction = (uint8_t)key->direction;
    r->frame = f;
    r->next_in_frame = f->first_row;
    f->first_row = index;
    link_to_member(w, m, index);
    count_stored_window(w, r, 1);
    m->rows[key->stored]++;
    bs_rows_enter(w, index);
    return index;
}

void bs_rows_move_last(struct bs_windows *w, uint32_t index)
{
    struct bs_row *r = bs_row_at(w, index);
    unlink_from_member(w, r);
    r->next_of_member = 0;
    link_to_member(w, r->member, index);
}

static void leave_member(struct bs_windows *w, uint32_t index)
{
    struct bs_row *r = bs_row_at(w, index);
    struct bs_window_member *m = r->member;
    count_stored_window(w, r, -1);
    m->rows[r->frame->key.stored]--;
    unlink_from_member(w, r);
    if (m->recent == index)
        m->recent = 0;
}

void bs_rows_close(struct bs_windows *w, uint32_t index)
{
    struct bs_row *r = bs_row_at(w, index);
    leave_bucket(w, index);
    if (bs_row_is_group(r))
        bs_groups_fini(r);
    else
        leave_member(w, index);
    bs_tags_drop(r->tags);
    for (uint32_t i = r->more, next; i; i = next) {
        next = bs_row_at(w, i)->more;
        give_back(w, i);
    }
    give_back(w, index);
}
