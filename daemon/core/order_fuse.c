/* Which step an event joins, and what it brings. Must never fuse two events of one device, or of
 * both feet. */
#include "order_parts.h"

#include <stdlib.h>

#define FIELD(name) (1u << BS_FIELD_##name)

/* The fields for which a sensor is asked before all others. */
static const uint16_t asked_first[] = {
    [BS_SENSOR_FOOT] = FIELD(CONTACT_MS) | FIELD(STEP_MM) | FIELD(STRIDE_MM) | FIELD(PITCH_CDEG),
    [BS_SENSOR_TRUNK] = FIELD(TRUNK_CDEG) | FIELD(VO_MM),
    [BS_SENSOR_CHEST] = 0,
};

/* Looking for the step. */

struct search {
    const struct bs_order_event *event;
    int64_t fuse_ms;
    int64_t distance_ms, time_ms; /* of the best so far */
    struct bs_order_place best;
};

static void consider(struct search *s, int64_t time_ms, uint32_t slots, uint8_t foot,
                     struct bs_order_place place)
{
    const struct bs_order_event *e = s->event;
    int64_t distance = llabs(e->step->time_ms - time_ms);
    if (distance > s->fuse_ms || slots >> e->slot & 1)
        return;
    if (foot != BS_FOOT_UNKNOWN && e->step->foot != BS_FOOT_UNKNOWN && foot != e->step->foot)
        return;
    if (s->best.joins &&
        (distance > s->distance_ms || (distance == s->distance_ms && time_ms >= s->time_ms)))
        return;
    s->distance_ms = distance;
    s->time_ms = time_ms;
    s->best = place;
}

static void search_passed(struct search *s, const struct bs_order_ring *ring)
{
    if (ring->count == 0 || ring->latest_ms < s->event->step->time_ms - s->fuse_ms)
        return;
    for (unsigned i = 0; i < ring->count; i++) {
        unsigned index = (BS_ORDER_PASSED_MAX + ring->next - ring->count + i) % BS_ORDER_PASSED_MAX;
        int64_t since = (int32_t)((uint32_t)s->event->step->time_ms - ring->times_ms[index]);
        consider(s, s->event->step->time_ms - since, ring->slots[index], ring->feet[index],
                 (struct bs_order_place){true, true, index});
    }
}

static void search_waiting(struct search *s, const struct bs_order *o)
{
    unsigned i = o->count;
    while (i > 0 && bs_order_at(o, i - 1)->step.time_ms >= s->event->step->time_ms - s->fuse_ms)
        i--;
    for (; i < o->count; i++) {
        const struct bs_order_waiting *w = bs_order_at(o, i);
        consider(s, w->step.time_ms, w->events.slots, w->step.foot,
                 (struct bs_order_place){true, false, i});
    }
}

struct bs_order_place bs_order_find(const struct bs_order *o, const struct bs_order_event *event,
                                    const struct bs_order_rules *rules)
{
    struct search s = {.event = event, .fuse_ms = rules->fuse_ms};
    if (!event->stored) {
        search_passed(&s, &o->passed);
        search_waiting(&s, o);
    } else if (o->stored) {
        search_passed(&s, o->stored);
    }
    return s.best;
}

/* What it brings. */

uint16_t bs_order_first_hand(const struct bs_order_event *event)
{
    return event->step->known & asked_first[event->kind];
}

static void add_event(struct bs_order_events *events, const struct bs_order_event *event,
                      int64_t after_ms)
{
    events->slots |= 1u << event->slot;
    if (events->count < BS_ORDER_EVENTS_MAX)
        events->at[events->count++] =
            (struct bs_order_own){(uint8_t)event->slot, event->step->foot, (int16_t)after_ms};
}

void bs_order_events_begin(struct bs_order_events *events, const struct bs_order_event *event)
{
    events->slots = 0;
    events->count = 0;
    add_event(events, event, 0);
}

static void take_fields(struct bs_order_waiting *w, const struct bs_order_event *event)
{
    uint16_t first_hand = bs_order_first_hand(event);
    for (unsigned f = 0; f < BS_FIELD_COUNT; f++) {
        if (!bs_step_has(event->step, f))
            continue;
        bool better = first_hand >> f & ~(w->first_hand >> f) & 1;
        if (!bs_step_has(&w->step, f) || better)
            bs_step_set(&w->step, f, event->step->value[f]);
    }
    w->first_hand |= first_hand;
    if (w->step.direction == BS_DIRECTION_UNKNOWN)
        w->step.direction = event->step->direction;
    if (w->step.foot == BS_FOOT_UNKNOWN)
        w->step.foot = event->step->foot;
}

struct bs_order_errand *bs_order_join(struct bs_order *o, const struct bs_order_event *event,
                                      const struct bs_order_place *place)
{
    if (place->has_passed) {
        struct bs_order_ring *ring = event->stored ? o->stored : &o->passed;
        ring->slots[place->index] |= 1u << event->slot;
        if (ring->feet[place->index] == BS_FOOT_UNKNOWN)
            ring->feet[place->index] = event->step->foot;
        return NULL;
    }
    struct bs_order_waiting *w = bs_order_at(o, place->index);
    bool turned =
        w->step.direction == BS_DIRECTION_UNKNOWN && event->step->direction != BS_DIRECTION_UNKNOWN;
    add_event(&w->events, event, event->step->time_ms - w->step.time_ms);
    take_fields(w, event);
    return turned ? &w->errand : NULL;
}

void bs_order_ring_push(struct bs_order_ring *ring, int64_t time_ms,
                        const struct bs_order_events *events, uint8_t foot)
{
    ring->times_ms[ring->next] = (uint32_t)time_ms;
    ring->slots[ring->next] = events->slots;
    ring->feet[ring->next] = foot;
    ring->next = (ring->next + 1) % BS_ORDER_PASSED_MAX;
    if (ring->count == 0 || time_ms > ring->latest_ms)
        ring->latest_ms = time_ms;
    if (ring->count < BS_ORDER_PASSED_MAX)
        ring->count++;
}
