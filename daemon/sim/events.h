/* What will happen, by time: events that live in whoever waits for them. Two of the same time come
 * in the order they were set. Allocates only where more wait than ever before. */
#ifndef BACKSTEP_SIM_EVENTS_H
#define BACKSTEP_SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_event {
    uint64_t due_ns, order;
    size_t place; /* in the heap, from 1; 0: it waits for nothing */
    void (*fire)(struct sim_event *event);
};

struct sim_events {
    struct sim_event **heap;
    size_t count, room;
    uint64_t order;
};

/* The struct of type `type` that holds the event as `member`. */
#define SIM_OWNER(event, type, member) ((type *)(void *)((char *)(event)-offsetof(type, member)))

/* Sets it, or moves it. */
void sim_events_set(struct sim_events *events, struct sim_event *event, uint64_t due_ns);
void sim_events_cancel(struct sim_events *events, struct sim_event *event);

static inline bool sim_event_waits(const struct sim_event *event)
{
    return event->place != 0;
}

/* The next one, or NULL. */
struct sim_event *sim_events_first(const struct sim_events *events);

/* Forgets all of them. */
void sim_events_clear(struct sim_events *events);
void sim_events_fini(struct sim_events *events);

#endif
