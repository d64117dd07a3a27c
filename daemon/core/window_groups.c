/* Group rows: which rows of members belong to one, and what they say together. Must never look
 * beyond one window. */
#include "window_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

#define MEMBERS_ROOM_FIRST 64u

bool bs_groups_reserve(struct bs_windows *w)
{
    if (w->largest_group < w->members_room)
        return true;
    uint32_t room = w->members_room ? w->members_room * 2 : MEMBERS_ROOM_FIRST;
    struct bs_group_member *members = realloc(w->members, room * sizeof *members);
    if (!members)
        return false;
    w->members = members;
    double *values = realloc(w->values, room * sizeof *values);
    if (!values)
        return false;
    w->values = values;
    w->members_room = room;
    return true;
}

static uint32_t find_group(const struct bs_windows *w, const struct bs_row *r)
{
    uint32_t i = bs_rows_group_bucket(w, r->tags, r->frame->key.start_ms);
    for (; i; i = bs_row_at(w, i)->next_in_bucket) {
        const struct bs_row *group = bs_row_at(w, i);
        if (bs_row_is_group(group) && group->frame == r->frame &&
            bs_tags_share_group(group->tags, r->tags))
            break;
    }
    return i;
}

static uint32_t open_group(struct bs_windows *w, const struct bs_row *opener)
{
    uint32_t index = bs_rows_take(w);
    struct bs_row *group = bs_row_at(w, index);
    group->tags = opener->tags;
    bs_tags_hold(group->tags);
    group->direction = BS_DIRECTION_GROUP;
    group->frame = opener->frame;
    group->next_in_frame = group->frame->first_group;
    group->frame->first_group = index;
    bs_rows_enter(w, index);
    return index;
}

void bs_groups_join(struct bs_windows *w, uint32_t index)
{
    struct bs_row *r = bs_row_at(w, index);
    r->in_group = find_group(w, r);
    if (!r->in_group)
        r->in_group = open_group(w, r);
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
        struct bs_group_member *m = gathered(w, r->member, &count);
        m->unnamed = m->unnamed || !r->named;
        bs_group_member_add(m, &r->sums, r->direction);
        for (uint32_t j = r->more; j; j = bs_row_at(w, j)->more)
            bs_group_member_add(m, &bs_row_at(w, j)->sums, r->direction);
    }
    return count;
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
                                  .values = w->values};
    return bs_group_window_write(&row, &w->line);
}
