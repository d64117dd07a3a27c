/* One member's order in a snapshot: what waits, what passed last, what its devices told. Must never
 * let a step wait whose row and summary are not held for it. */
#include "order_parts.h"

#include "backstep/core/snapshot.h"
#include "backstep/core/summaries.h"
#include "backstep/core/window.h"

#define ALL_FIELDS ((1u << BS_FIELD_COUNT) - 1)

static void code_events(struct bs_snapshot *s, struct bs_order_events *events)
{
    events->slots = bs_snapshot_u32(s, events->slots, UINT32_MAX);
    events->count = bs_snapshot_u8(s, events->count, BS_ORDER_EVENTS_MAX);
    for (unsigned i = 0; i < events->count; i++) {
        struct bs_order_own *own = &events->at[i];
        own->slot = bs_snapshot_u8(s, own->slot, BS_WORN_MAX - 1);
        own->foot = bs_snapshot_u8(s, own->foot, BS_FOOT_RIGHT);
        own->after_ms = (int16_t)bs_snapshot_between(s, own->after_ms, INT16_MIN, INT16_MAX);
    }
}

/* Devices, by slot. */

static void code_foot(struct bs_snapshot *s, int64_t *foot_ms)
{
    if (bs_snapshot_flag(s, *foot_ms != BS_NO_TIME))
        *foot_ms = bs_snapshot_moment(s, *foot_ms);
}

static void code_worn(struct bs_snapshot *s, struct bs_order *o)
{
    unsigned room = bs_snapshot_u8(s, o->worn_room, BS_WORN_MAX);
    if (bs_snapshot_loads(s) && room > 0 && !bs_order_know(o, room - 1)) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    bs_snapshot_require(s, room == o->worn_room);
    for (unsigned i = 0; i < room && !s->failed; i++)
        for (unsigned foot = 0; foot < 2; foot++)
            code_foot(s, &o->worn[i].foot_ms[foot]);
}

/* The steps that passed. */

/* Oldest first; loading, from the ring's beginning on. */
static void code_ring(struct bs_snapshot *s, struct bs_order_ring *ring)
{
    uint32_t count = bs_snapshot_u32(s, ring->count, BS_ORDER_PASSED_MAX);
    if (count == 0)
        return;
    ring->latest_ms = bs_snapshot_moment(s, ring->latest_ms);
    uint32_t latest = (uint32_t)ring->latest_ms;
    uint32_t first = bs_snapshot_loads(s) ? 0 : BS_ORDER_PASSED_MAX + ring->next - count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (first + i) % BS_ORDER_PASSED_MAX;
        ring->times_ms[at] = latest - bs_snapshot_u32(s, latest - ring->times_ms[at], UINT32_MAX);
        ring->slots[at] = bs_snapshot_u32(s, ring->slots[at], UINT32_MAX);
        ring->feet[at] = bs_snapshot_u8(s, ring->feet[at], BS_FOOT_RIGHT);
    }
    ring->count = count;
    ring->next = (first + count) % BS_ORDER_PASSED_MAX;
}

static void code_stored(struct bs_snapshot *s, struct bs_order *o)
{
    static const struct bs_order_event stored = {.stored = true};
    if (!bs_snapshot_flag(s, o->stored != NULL))
        return;
    if (bs_snapshot_loads(s) && !bs_order_reserve(o, &stored)) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    code_ring(s, o->stored);
}

static void code_previous(struct bs_snapshot *s, struct bs_order *o)
{
    o->has_previous = bs_snapshot_flag(s, o->has_previous);
    if (!o->has_previous)
        return;
    o->previous_foot = bs_snapshot_u8(s, o->previous_foot, BS_FOOT_RIGHT);
    o->previous_ms = bs_snapshot_moment(s, o->previous_ms);
    code_events(s, &o->previous);
}

/* The steps that wait. */

static void code_errand(struct bs_snapshot *s, struct bs_windows *w, struct bs_order_errand *errand)
{
    errand->row = bs_windows_held_snapshot(s, w, errand->row);
    errand->summary = bs_snapshot_refer(s, BS_SNAPSHOT_SUMMARY, errand->summary);
    if (bs_snapshot_loads(s))
        bs_summary_hold(errand->summary);
    errand->late = bs_snapshot_flag(s, errand->late);
    errand->lost = bs_snapshot_u16(s, errand->lost, BS_SUMS_LOST_MAX);
}

/* What is told of its devices when it passes has a place. */
static bool knows_all(const struct bs_order *o, const struct bs_order_events *events)
{
    for (unsigned i = 0; i < events->count; i++)
        if (events->at[i].slot >= o->worn_room)
            return false;
    return true;
}

static void code_waiting(struct bs_snapshot *s, const struct bs_order *o, struct bs_windows *w,
                         struct bs_order_waiting *waiting)
{
    bs_step_snapshot(s, &waiting->step);
    code_errand(s, w, &waiting->errand);
    waiting->arrival_ms = bs_snapshot_moment(s, waiting->arrival_ms);
    waiting->first_hand = bs_snapshot_u16(s, waiting->first_hand, ALL_FIELDS);
    code_events(s, &waiting->events);
    bs_snapshot_require(s, s->failed || knows_all(o, &waiting->events));
}

/* A new last one; NULL after a failure. */
static struct bs_order_waiting *append(struct bs_snapshot *s, struct bs_order *o)
{
    static const struct bs_order_event live;
    if (!bs_order_reserve(o, &live)) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return NULL;
    }
    struct bs_order_waiting *waiting = bs_order_at(o, o->count++);
    *waiting = (struct bs_order_waiting){0};
    return waiting;
}

static void code_all_waiting(struct bs_snapshot *s, struct bs_order *o, struct bs_windows *w)
{
    int64_t last_ms = INT64_MIN;
    size_t count = bs_snapshot_count(s, o->count, BS_ORDER_WAITING_MAX);
    for (unsigned i = 0; i < count && !s->failed; i++) {
        struct bs_order_waiting *waiting = bs_snapshot_loads(s) ? append(s, o) : bs_order_at(o, i);
        if (!waiting)
            return;
        code_waiting(s, o, w, waiting);
        bs_snapshot_require(s, s->failed || waiting->step.time_ms >= last_ms);
        last_ms = waiting->step.time_ms;
    }
    if (count == 0)
        return;
    o->soonest_ms = bs_snapshot_moment(s, o->soonest_ms);
    o->urgent = bs_snapshot_u16(s, o->urgent, (uint16_t)count);
}

static void code_newest(struct bs_snapshot *s, struct bs_order *o)
{
    if (bs_snapshot_flag(s, o->newest_ms != BS_ORDER_NOTHING_SEEN))
        o->newest_ms = bs_snapshot_moment(s, o->newest_ms);
}

void bs_order_snapshot(struct bs_snapshot *s, struct bs_order **order, struct bs_windows *w)
{
    if (!bs_snapshot_flag(s, *order != NULL))
        return;
    if (bs_snapshot_loads(s))
        *order = bs_order_new();
    struct bs_order *o = *order;
    if (!o) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    code_worn(s, o);
    code_all_waiting(s, o, w);
    code_newest(s, o);
    code_previous(s, o);
    code_ring(s, &o->passed);
    code_stored(s, o);
}
