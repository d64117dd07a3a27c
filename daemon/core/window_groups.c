/* Group rows: which rows of members belong to one, and what they say together. Must never look
 * beyond one window. */
#include "window_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

#define MEMBERS_ROOM_FIRST 64u

static bool reserve_values(struct bs_windows *w, uint32_t members, uint32_t retentions)
{
    uint32_t need = members + retentions;
    if (need <= w->values_room)
        return true;
    double *values = realloc(w->values, 2 * need * sizeof *values);
    if (!values)
        return false;
    w->values = values;
    w->values_room = 2 * need;
    return true;
}

bool bs_groups_reserve(struct bs_windows *w)
{
    if (w->largest_group < w->members_room)
        return true;
    uint32_t room = w->members_room ? w->members_room * 2 : MEMBERS_ROOM_FIRST;
    struct bs_group_member *members = realloc(w->members, room * sizeof *members);
    if (!members)
        return false;
    w->members = members;
    if (!reserve_values(w, room, w->largest_retentions))
        return false;
    w->members_room = room;
    return true;
}

static uint32_t find_group(const struct bs_windows *w, const struct bs_tags *tags,
                           const struct bs_frame *f)
{
    uint32_t i = bs_rows_group_bucket(w, tags, f->key.start_ms);
    for (; i; i = bs_row_at(w, i)->next_in_bucket) {
        const struct bs_row *group = bs_row_at(w, i);
        if (bs_row_is_group(group) && group->frame == f && bs_tags_share_group(group->tags, tags))
            break;
    }
    return i;
}

uint32_t bs_groups_open(struct bs_windows *w, struct bs_tags *tags, struct bs_frame *f)
{
    uint32_t index = bs_rows_take(w);
    struct bs_row *group = bs_row_at(w, index);
    group->tags = tags;
    bs_tags_hold(tags);
    group->direction = BS_DIRECTION_GROUP;
    group->frame = f;
    group->next_in_frame = group->frame->first_group;
    group->frame->first_group = index;
    bs_rows_enter(w, index);
    return index;
}

void bs_groups_join(struct bs_windows *w, uint32_t index)
{
    struct bs_row *r = bs_row_at(w, index);
    r->in_group = find_group(w, r->tags, r->frame);
    if (!r->in_group)
        r->in_group = bs_groups_open(w, r->tags, r->frame);
    struct bs_row *group = bs_row_at(w, r->in_group);
    r->next_in_group = group->group.first;
    group->group.first = index;
    if (++group->group.count > w->largest_group)
        w->largest_group = group->group.count;
}

/* A member's rows may lie anywhere among the group's; where the member was gathered last is where
 * to look first, and tells whether this is the first of them. */
static struct bs_group_member *gathered(struct bs_windows *w, struct bs_window_member *m,
                                        size_t *count)
{
    if (m->gathered < *count && w->members[m->gathered].who == m)
        return &w->members[m->gathered];
    bs_check(*count < w->members_room);
    m->gathered = (uint32_t)*count;
    w->members[*count] = (struct bs_group_member){.who = m};
    return &w->members[(*count)++];
}

static size_t gather(struct bs_windows *w, const struct bs_row *group)
{
    size_t count = 0;
    for (uint32_t i = group->group.first; i; i = bs_row_at(w, i)->next_in_group) {
        const struct bs_row *r = bs_row_at(w, i);
        if (bs_row_is_empty(r))
            continue;
        struct bs_group_member *m = gathered(w, r->member, &count);
        m->unnamed = m->unnamed || !r->named;
        bs_group_member_add(m, &r->sums, r->direction);
        for (uint32_t j = r->more; j; j = bs_row_at(w, j)->more)
            bs_group_member_add(m, &bs_row_at(w, j)->sums, r->direction);
    }
    return count;
}

static size_t gather_retentions(struct bs_windows *w, const struct bs_row *group)
{
    double *at = w->values + w->members_room;
    for (const struct bs_group_retention *r = group->group.retentions; r; r = r->next)
        *at++ = r->value_pct;
    return group->group.retention_count;
}

struct bs_slice bs_groups_line(struct bs_windows *w, const struct bs_row *group, bool final)
{
    size_t count = gather(w, group);
    if (!bs_group_window_is_safe(w->members, count, w->group_min))
        return (struct bs_slice){0};
    struct bs_group_window row = {.tags = group->tags,
                                  .final = final,
                                  .start_ms = group->frame->key.start_ms,
                                  .members = w->members,
                                  .count = count,
                                  .values = w->values,
                                  .slips = group->group.slips,
                                  .retentions_pct = w->values + w->members_room,
                                  .retention_count = gather_retentions(w, group)};
    return bs_group_window_write(&row, &w->line);
}

/* Slips and retentions. */

/* The group's row of the live window of that time, opened where none of its members has a step yet;
 * 0 where the window is final, or where there is no room. */
static uint32_t find_row(struct bs_windows *w, struct bs_tags *tags, int64_t time_ms)
{
    if (!tags->grouped || time_ms < bs_tiling_floor(&w->tiling))
        return 0;
    struct bs_tile tile = bs_tiling_find(&w->tiling, time_ms);
    struct bs_frame_key key = {tile.start_ms, tile.start_ms + tile.size_ms, 0};
    struct bs_frame *f = bs_windows_find_frame(w, &key);
    if (!f)
        return 0;
    uint32_t row = find_group(w, tags, f);
    if (!row && bs_rows_reserve(w, 1))
        row = bs_groups_open(w, tags, f);
    return row;
}

static void touch(struct bs_windows *w, uint32_t row, struct bs_tick_ms now)
{
    if (!bs_row_at(w, row)->dirty)
        bs_windows_queue(w, row, now);
}

static bool is_in_group(const struct bs_windows *w, const struct bs_window_member *m, uint32_t row)
{
    for (uint32_t i = m->first; i; i = bs_row_at(w, i)->next_of_member)
        if (bs_row_at(w, i)->in_group == row && !bs_row_is_empty(bs_row_at(w, i)))
            return true;
    return false;
}

void bs_windows_count_slip(struct bs_windows *w, const struct bs_window_member *m,
                           struct bs_tags *tags, int64_t time_ms, struct bs_tick_ms now)
{
    uint32_t row = find_row(w, tags, time_ms);
    if (!row || (!tags->named && !is_in_group(w, m, row)))
        return;
    bs_row_at(w, row)->group.slips++;
    touch(w, row, now);
}

struct bs_group_retention *bs_groups_make_retention(struct bs_windows *w, uint32_t row)
{
    struct bs_row *group = bs_row_at(w, row);
    if (group->group.retention_count == w->largest_retentions) {
        if (!reserve_values(w, w->members_room, w->largest_retentions + 1))
            return NULL;
        w->largest_retentions++;
    }
    struct bs_group_retention *r = malloc(sizeof *r);
    if (!r)
        return NULL;
    *r = (struct bs_group_retention){.row = row};
    group->group.retention_count++;
    return r;
}

/* NULL where there is no memory for it. */
static struct bs_group_retention *add_retention(struct bs_windows *w, uint32_t row)
{
    struct bs_group_retention *r = bs_groups_make_retention(w, row);
    if (!r)
        return NULL;
    r->next = bs_row_at(w, row)->group.retentions;
    bs_row_at(w, row)->group.retentions = r;
    return r;
}

void bs_windows_set_retention(struct bs_windows *w, struct bs_tags *tags, int64_t time_ms,
                              double retention_pct, struct bs_group_retention **holder,
                              struct bs_tick_ms now)
{
    if (!*holder) {
        uint32_t row = find_row(w, tags, time_ms);
        *holder = row ? add_retention(w, row) : NULL;
        if (!*holder)
            return;
        (*holder)->holder = holder;
    }
    (*holder)->value_pct = retention_pct;
    touch(w, (*holder)->row, now);
}

void bs_windows_leave_retention(struct bs_group_retention **holder)
{
    if (*holder)
        (*holder)->holder = NULL;
    *holder = NULL;
}

bool bs_windows_join_retention(struct bs_group_retention *r, struct bs_group_retention **holder)
{
    if (r->holder)
        return false;
    r->holder = holder;
    *holder = r;
    return true;
}

void bs_groups_fini(struct bs_row *group)
{
    for (struct bs_group_retention *r = group->group.retentions, *next; r; r = next) {
        next = r->next;
        if (r->holder)
            *r->holder = NULL;
        free(r);
    }
    group->group.retentions = NULL;
}
