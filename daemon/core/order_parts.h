/* The order's insides, shared by its parts: order.c (life, waiting, passing), order_fuse.c (which
 * step an event joins, and what it brings), order_time.c (step times), order_snapshot.c. */
#ifndef BACKSTEP_CORE_ORDER_PARTS_H
#define BACKSTEP_CORE_ORDER_PARTS_H

#include "backstep/core/birth.h"
#include "backstep/core/order.h"

#define BS_NO_TIME            INT64_MIN

/* Before any event time, and far from overflow. */
#define BS_ORDER_NOTHING_SEEN (INT64_MIN / 2)

/* One event of a step, by its device's own clock. */
struct bs_order_own {
    uint8_t slot, foot;
    int16_t after_ms; /* the step's time, which is that of its first event */
};

/* Which events a step holds. */
struct bs_order_events {
    uint32_t slots; /* bit s: one of that device */
    uint8_t count;  /* of the first ones: */
    struct bs_order_own at[BS_ORDER_EVENTS_MAX];
};

struct bs_order_waiting {
    struct bs_step step; /* what its events say together */
    struct bs_order_errand errand;
    int64_t arrival_ms;
    uint16_t first_hand; /* bit f: field f is of a sensor that is asked first */
    struct bs_order_events events;
};

/* The last that passed, newest before `next`. Of their times the low 32 bits are kept, which repeat
 * after 49 days: an order is given up once all its windows are final, and a member who never pauses
 * so long has passed 64 other steps by then. */
struct bs_order_ring {
    int64_t latest_ms; /* of all that were in it */
    uint32_t count, next;
    uint32_t times_ms[BS_ORDER_PASSED_MAX];
    uint32_t slots[BS_ORDER_PASSED_MAX];
    uint8_t feet[BS_ORDER_PASSED_MAX];
};

/* When a device last reported each foot, in steps that passed in order. */
struct bs_order_worn {
    int64_t foot_ms[2]; /* left, right; BS_NO_TIME */
};

struct bs_order {
    struct bs_order_waiting *waiting; /* ascending by time; of equal times as they arrived */
    uint16_t first, count, room;      /* of them */
    uint16_t urgent;                  /* so many pass now, whatever time it is */
    int64_t soonest_ms; /* no waiting step's arrival and event time lie both before it */
    int64_t newest_ms;  /* event time of all that was accepted live */

    bool has_previous; /* a step that passed in order: the last one */
    uint8_t previous_foot;
    int64_t previous_ms;
    struct bs_order_events previous;

    struct bs_order_worn *worn; /* by slot */
    uint8_t worn_room;
    struct bs_order_ring passed;
    struct bs_order_ring *stored; /* NULL: none yet */
};

static inline struct bs_order_waiting *bs_order_at(const struct bs_order *o, unsigned index)
{
    return &o->waiting[o->first + index];
}

/* order_fuse.c: a step begins with an event. */
void bs_order_events_begin(struct bs_order_events *events, const struct bs_order_event *event);
uint16_t bs_order_first_hand(const struct bs_order_event *event);
void bs_order_ring_push(struct bs_order_ring *ring, int64_t time_ms,
                        const struct bs_order_events *events, uint8_t foot);

/* order_time.c */

/* Step time and length of a step that comes after its place. */
void bs_order_measure_alone(const struct bs_step *step, struct bs_sample *ret);

/* Those of the step that passes next in order, and whether one was missed before it. */
void bs_order_measure(const struct bs_order *o, const struct bs_order_waiting *w,
                      struct bs_sample *ret);

/* It is the previous one from now on. */
void bs_order_set_previous(struct bs_order *o, const struct bs_order_waiting *w);

#endif
