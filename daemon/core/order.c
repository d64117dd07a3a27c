/* Waiting and passing. Must never let a step pass before one of an earlier time that waits. */
#include "order_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>
#include <string.h>

#define WAITING_ROOM_FIRST 4u
#define WAITING_ROOM_MAX   (BS_ORDER_WAITING_MAX + 1u)

struct bs_order *bs_order_new(void)
{
    struct bs_order *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->soonest_ms = INT64_MAX;
    o->newest_ms = BS_ORDER_NOTHING_SEEN;
    return o;
}

void bs_order_free(struct bs_order *o)
{
    if (!o)
        return;
    free(o->waiting);
    free(o->worn);
    free(o->stored);
    free(o);
}

/* Room. */

bool bs_order_know(struct bs_order *o, unsigned slot)
{
    if (slot < o->worn_room)
        return true;
    unsigned room = o->worn_room ? o->worn_room * 2u : 4u;
    while (room <= slot)
        room *= 2;
    struct bs_order_worn *worn = realloc(o->worn, room * sizeof *worn);
    if (!worn)
        return false;
    for (unsigned i = o->worn_room; i < room; i++)
        worn[i] = (struct bs_order_worn){{BS_NO_TIME, BS_NO_TIME}};
    o->worn = worn;
    o->worn_room = (uint8_t)room;
    return true;
}

static bool reserve_waiting(struct bs_order *o)
{
    if (o->first + o->count < o->room)
        return true;
    if (o->first > 0) {
        memmove(o->waiting, o->waiting + o->first, o->count * sizeof *o->waiting);
        o->first = 0;
        return true;
    }
    unsigned room = o->room ? o->room + o->room / 2u : WAITING_ROOM_FIRST;
    room = room < WAITING_ROOM_MAX ? room : WAITING_ROOM_MAX;
    struct bs_order_waiting *waiting = realloc(o->waiting, room * sizeof *waiting);
    if (!waiting)
        return false;
    o->waiting = waiting;
    o->room = (uint16_t)room;
    return true;
}

bool bs_order_reserve(struct bs_order *o, const struct bs_order_event *event)
{
    if (!event->stored)
        return reserve_waiting(o);
    if (!o->stored)
        o->stored = calloc(1, sizeof *o->stored);
    return o->stored != NULL;
}

void bs_order_clear_slot(struct bs_order *o, unsigned slot)
{
    if (slot < o->worn_room)
        o->worn[slot] = (struct bs_order_worn){{BS_NO_TIME, BS_NO_TIME}};
}

/* Adding. */

static void pass_alone(struct bs_order *o, const struct bs_order_event *event,
                       const struct bs_order_errand *errand, struct bs_passed *ret)
{
    struct bs_order_events events;
    bs_order_events_begin(&events, event);
    bs_order_ring_push(event->stored ? o->stored : &o->passed, event->step->time_ms, &events,
                       event->step->foot);
    *ret = (struct bs_passed){
        .sample = {.step = event->step, .late = errand->late, .lost = errand->lost},
        .summary = errand->summary,
        .stored = event->stored};
    bs_order_measure_alone(event->step, &ret->sample);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct bs_order_waiting *make_place(struct bs_order *o, int64_t time_ms)
{
    unsigned i = o->count;
    while (i > 0 && bs_order_at(o, i - 1)->step.time_ms > time_ms)
        i--;
    struct bs_order_waiting *w = &o->waiting[o->first + i];
    memmove(w + 1, w, (o->count - i) * sizeof *w);
    o->urgent = (uint16_t)(o->urgent + (i < o->urgent));
    o->count++;
    return w;
}

bool bs_order_add(struct bs_order *o, const struct bs_order_event *event,
                  const struct bs_order_errand *errand, int64_t arrival_ms, struct bs_passed *ret)
{
    bool after_its_place = o->has_previous && event->step->time_ms < o->previous_ms;
    if (event->stored || after_its_place) {
        pass_alone(o, event, errand, ret);
        return false;
    }
    bs_check(o->first + o->count < o->room);
    struct bs_order_waiting *w = make_place(o, event->step->time_ms);
    w->step = *event->step;
    w->errand = *errand;
    w->arrival_ms = arrival_ms;
    w->first_hand = bs_order_first_hand(event);
    bs_order_events_begin(&w->events, event);
    int64_t ready = later(arrival_ms, event->step->time_ms);
    o->soonest_ms = ready < o->soonest_ms ? ready : o->soonest_ms;
    return true;
}

void bs_order_note(struct bs_order *o, int64_t time_ms)
{
    o->newest_ms = later(o->newest_ms, time_ms);
}

/* Passing. */

/* Looks at all that wait: how many of them, from the first, stand no later than the last one whose
 * time has come; and how soon the next one's comes. */
static unsigned count_ready(struct bs_order *o, int64_t until_ms)
{
    unsigned ready = 0;
    o->soonest_ms = INT64_MAX;
    for (unsigned i = 0; i < o->count; i++) {
        const struct bs_order_waiting *w = bs_order_at(o, i);
        int64_t from = later(w->arrival_ms, w->step.time_ms);
        if (from <= until_ms)
            ready = i + 1;
        o->soonest_ms = from < o->soonest_ms ? from : o->soonest_ms;
    }
    return ready;
}

static bool may_pass(struct bs_order *o, const struct bs_order_rules *rules, int64_t wall_ms)
{
    if (o->urgent > 0 || o->count > BS_ORDER_WAITING_MAX)
        return true;
    int64_t seen = o->newest_ms < wall_ms ? o->newest_ms : wall_ms;
    if (bs_order_at(o, 0)->step.time_ms <= seen - rules->reorder_ms)
        return true;
    if (o->soonest_ms > wall_ms - rules->reorder_ms)
        return false;
    o->urgent = (uint16_t)count_ready(o, wall_ms - rules->reorder_ms);
    return o->urgent > 0;
}

static void drop_first(struct bs_order *o)
{
    o->urgent = (uint16_t)(o->urgent - (o->urgent > 0));
    o->count--;
    o->first = o->count ? (uint16_t)(o->first + 1) : 0;
    if (o->count == 0)
        o->soonest_ms = INT64_MAX;
}

bool bs_order_pass(struct bs_order *o, const struct bs_order_rules *rules, int64_t wall_ms,
                   bool all, struct bs_passed *ret, struct bs_order_errand *ret_errand)
{
    if (o->count == 0 || (!all && !may_pass(o, rules, wall_ms)))
        return false;
    struct bs_order_waiting *w = bs_order_at(o, 0);
    *ret = (struct bs_passed){
        .sample = {.step = &w->step, .late = w->errand.late, .lost = w->errand.lost},
        .summary = w->errand.summary,
        .in_order = true};
    bs_order_measure(o, w, &ret->sample);
    *ret_errand = w->errand;
    bs_order_set_previous(o, w);
    bs_order_ring_push(&o->passed, w->step.time_ms, &w->events, w->step.foot);
    drop_first(o);
    return true;
}

int64_t bs_order_due(const struct bs_order *o, const struct bs_order_rules *rules)
{
    if (o->count == 0)
        return INT64_MAX;
    int64_t first = bs_order_at(o, 0)->step.time_ms;
    int64_t due =
        first <= o->newest_ms - rules->reorder_ms && first < o->soonest_ms ? first : o->soonest_ms;
    return due + rules->reorder_ms;
}

unsigned bs_order_waiting(const struct bs_order *o)
{
    return o->count;
}

void bs_order_restart(struct bs_order *o)
{
    bs_check(o->count == 0);
    o->newest_ms = BS_ORDER_NOTHING_SEEN;
    o->has_previous = false;
    o->passed.count = 0;
    if (o->stored)
        o->stored->count = 0;
    for (unsigned i = 0; i < o->worn_room; i++)
        bs_order_clear_slot(o, i);
}
