/* A minute's turns in a snapshot. Must never link a place twice. */
#include "backstep/core/minute.h"
#include "backstep/core/snapshot.h"

/* Far beyond any tick, and its deadline no overflow. */
#define NEXT_MAX (INT64_C(1) << 49)

static void append(struct bs_snapshot *s, struct bs_minute *m, uint32_t part,
                   struct bs_minute_place *place)
{
    bs_snapshot_require(s, place && !place->minute);
    if (!place || s->failed)
        return;
    struct bs_minute_part *p = &m->parts[part];
    *place = (struct bs_minute_place){.previous = p->last, .minute = m, .part = part};
    if (p->last)
        p->last->next = place;
    else
        p->first = place;
    p->last = place;
    p->count++;
    m->count++;
}

static void code_part(struct bs_snapshot *s, struct bs_minute *m, uint32_t part)
{
    size_t count = bs_snapshot_count(s, m->parts[part].count, UINT32_MAX);
    struct bs_minute_place *place = m->parts[part].first;
    for (size_t i = 0; i < count && !s->failed; i++) {
        place = bs_snapshot_refer_some(s, BS_SNAPSHOT_DEVICE, place);
        if (bs_snapshot_loads(s))
            append(s, m, part, place);
        else
            place = place->next;
    }
}

void bs_minute_snapshot(struct bs_snapshot *s, struct bs_minute *m)
{
    bool anybody = bs_snapshot_flag(s, m->count > 0);
    if (!anybody)
        return;
    m->next = bs_snapshot_between(s, m->next, 0, NEXT_MAX);
    for (uint32_t part = 0; part < BS_MINUTE_PARTS; part++)
        code_part(s, m, part);
    bs_snapshot_require(s, s->failed || m->count > 0);
}
