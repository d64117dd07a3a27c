/* A binary heap of events. Must never order by anything but time and the order of setting: a run
 * must be the same run each time. */
#include "events.h"

#include "backstep/base/check.h"

#include <stdlib.h>

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void put(struct sim_events *events, size_t place, struct sim_event *event)
{
    events->heap[place] = event;
    event->place = place;
}

static void rise(struct sim_events *events, size_t place, struct sim_event *event)
{
    while (place > 1 && before(event, events->heap[place / 2])) {
        put(events, place, events->heap[place / 2]);
        place /= 2;
    }
    put(events, place, event);
}

static void sink(struct sim_events *events, size_t place, struct sim_event *event)
{
    for (;;) {
        size_t child = 2 * place;
        if (child > events->count)
            break;
        if (child < events->count && before(events->heap[child + 1], events->heap[child]))
            child++;
        if (!before(events->heap[child], event))
            break;
        put(events, place, events->heap[child]);
        place = child;
    }
    put(events, place, event);
}

static void settle(struct sim_events *events, size_t place, struct sim_event *event)
{
    if (place > 1 && before(event, events->heap[place / 2]))
        rise(events, place, event);
    else
        sink(events, place, event);
}

void sim_events_set(struct sim_events *events, struct sim_event *event, uint64_t due_ns)
{
    event->due_ns = due_ns;
    event->order = ++events->order;
    if (event->place == 0) {
        if (events->count + 1 >= events->room) {
            events->room = events->room ? 2 * events->room : 256;
            events->heap = realloc(events->heap, events->room * sizeof *events->heap);
            bs_check(events->heap);
        }
        event->place = ++events->count;
    }
    settle(events, event->place, event);
}

void sim_events_cancel(struct sim_events *events, struct sim_event *event)
{
    size_t place = event->place;
    if (place == 0)
        return;
    event->place = 0;
    struct sim_event *last = events->heap[events->count--];
    if (last != event)
        settle(events, place, last);
}

struct sim_event *sim_events_first(const struct sim_events *events)
{
    return events->count > 0 ? events->heap[1] : NULL;
}

void sim_events_clear(struct sim_events *events)
{
    for (size_t i = 1; i <= events->count; i++)
        events->heap[i]->place = 0;
    events->count = 0;
    events->order = 0;
}

void sim_events_fini(struct sim_events *events)
{
    free(events->heap);
    *events = (struct sim_events){0};
}
