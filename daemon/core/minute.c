/* Turns once a minute: a ring of lists. Must never let anybody's turn come earlier than it is due.
 */
#include "backstep/core/minute.h"

#include "backstep/base/check.h"

#include <stddef.h>

/* So many in a part are never too many; beyond, twice the average is. */
#define PART_FREELY 32u

static struct bs_minute_part *part_of(struct bs_minute *m, int64_t number)
{
    return &m->parts[number % BS_MINUTE_PARTS];
}

/* The first part from that one on with room: some part holds no more than the average. */
static int64_t find_room(struct bs_minute *m, int64_t number)
{
    uint32_t enough = PART_FREELY + 2 * m->count / BS_MINUTE_PARTS;
    while (part_of(m, number)->count >= enough)
        number++;
    return number;
}

void bs_minute_enter(struct bs_minute *m, struct bs_minute_place *place, struct bs_tick_ms now)
{
    bs_check(!place->minute);
    int64_t number = find_room(m, now.ms / BS_MINUTE_PART_MS + BS_MINUTE_PARTS);
    struct bs_minute_part *part = part_of(m, number);
    *place = (struct bs_minute_place){
        .previous = part->last, .minute = m, .part = (uint32_t)(number % BS_MINUTE_PARTS)};
    if (part->last)
        part->last->next = place;
    else
        part->first = place;
    part->last = place;
    part->count++;
    if (m->count++ == 0 || number < m->next)
        m->next = number;
}

void bs_minute_leave(struct bs_minute_place *place)
{
    struct bs_minute *m = place->minute;
    if (!m)
        return;
    struct bs_minute_part *part = &m->parts[place->part];
    if (place->previous)
        place->previous->next = place->next;
    else
        part->first = place->next;
    if (place->next)
        place->next->previous = place->previous;
    else
        part->last = place->previous;
    part->count--;
    m->count--;
    *place = (struct bs_minute_place){0};
}

struct bs_tick_ms bs_minute_deadline(const struct bs_minute *m)
{
    return (struct bs_tick_ms){m->count ? m->next * BS_MINUTE_PART_MS : BS_NEVER_MS};
}

struct bs_minute_place *bs_minute_turn(const struct bs_minute *m)
{
    return m->parts[m->next % BS_MINUTE_PARTS].first;
}

void bs_minute_advance(struct bs_minute *m)
{
    m->next++;
    while (m->count && !part_of(m, m->next)->first)
        m->next++;
}
