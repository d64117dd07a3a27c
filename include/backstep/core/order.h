/* One member's steps in the order of their event times, whatever order they arrived in, each once,
 * however many sensors reported it.
 *
 *   event ──► joins a step of its neighbourhood          (waiting, or one of the last that passed)
 *        └──► is a step of its own ──► waits ──► passes in order
 *                                  └──► its place is passed already: passes at once
 *
 * A waiting step may pass when the member's newest event time, but at most the wall clock, is
 * `reorder_ms` past it, or when the wall clock is that far past both its arrival and its event
 * time; whatever has an earlier event time passes before it. What is decided here hangs on the
 * arrivals alone. Times are Unix time in ms, on the daemon's clock.
 *
 * A member's devices are known here by a slot, 0..BS_WORN_MAX-1. */
#ifndef BACKSTEP_CORE_ORDER_H
#define BACKSTEP_CORE_ORDER_H

#include "backstep/core/passed.h"
#include "backstep/core/step.h"

#include <stdbool.h>
#include <stdint.h>

/* Devices of one member that are heard: a belt, two pods, two wrist bands and a chest strap leave
 * room for what comes to replace them. */
#define BS_WORN_MAX          32

/* Steps that passed and may still be joined: the interface says so. */
#define BS_ORDER_PASSED_MAX  64

/* Steps that wait; one more makes the earliest pass at once. Two hundred a second, over the longest
 * reorder_ms, are no gait. */
#define BS_ORDER_WAITING_MAX 512

/* Events of a step whose own times are remembered, for the step time by a device's own clock: a
 * belt's, a pod's, a wrist band's, a chest strap's. */
#define BS_ORDER_EVENTS_MAX  4u

struct bs_order;
struct bs_snapshot;
struct bs_windows;

/* An event that was accepted. */
struct bs_order_event {
    struct bs_step *step; /* time_ms: Unix time; foot with the device's side filled in */
    unsigned slot;
    uint8_t kind; /* enum bs_sensor_kind */
    bool stored;
};

/* A step that an event may join; valid until the next call that changes the order. */
struct bs_order_place {
    bool joins;
    bool has_passed;
    unsigned index;
};

struct bs_order_rules {
    int64_t reorder_ms, fuse_ms;
};

/* NULL where memory is out. */
struct bs_order *bs_order_new(void);
void bs_order_free(struct bs_order *o);

/* Makes room for what is known of a slot's device, before any event of it is taken; false where
 * memory is out. */
bool bs_order_know(struct bs_order *o, unsigned slot);

/* Of the steps within fuse_ms of their first event that hold no event of this device and no other
 * known foot, the nearest; of two equally near the earlier. Live joins live, stored joins stored.
 */
struct bs_order_place bs_order_find(const struct bs_order *o, const struct bs_order_event *event,
                                    const struct bs_order_rules *rules);

/* Makes room for the event as a step of its own; false where memory is out. */
bool bs_order_reserve(struct bs_order *o, const struct bs_order_event *event);

/* What the caller keeps with a step until it has passed. */
struct bs_order_errand {
    struct bs_summary *summary;
    uint32_t row; /* of its window */
    bool late;
    uint16_t lost;
};

/* The event joins the step at that place: its fields are taken over where the step has none, or
 * where its sensor is asked first (contact, length and foot pitch: a foot's; posture and
 * oscillation: a trunk's). One that has passed only remembers that the event was in it. Gives the
 * errand of a step that has its direction of this event, else NULL. */
struct bs_order_errand *bs_order_join(struct bs_order *o, const struct bs_order_event *event,
                                      const struct bs_order_place *place);

/* The event is a step of its own; room was reserved. True where it waits; else it comes after its
 * place, or is stored, and *ret is complete but for tags. */
bool bs_order_add(struct bs_order *o, const struct bs_order_event *event,
                  const struct bs_order_errand *errand, int64_t arrival_ms, struct bs_passed *ret);

/* An accepted live event has this time, whether it joined or not. */
void bs_order_note(struct bs_order *o, int64_t time_ms);

/* Takes the earliest step that may pass now (`all`: that waits); false where none may. *ret, its
 * step included, holds until the next call; tags are the caller's. */
bool bs_order_pass(struct bs_order *o, const struct bs_order_rules *rules, int64_t wall_ms,
                   bool all, struct bs_passed *ret, struct bs_order_errand *ret_errand);

/* When bs_order_pass gives a step though nothing arrives; INT64_MAX: none waits. */
int64_t bs_order_due(const struct bs_order *o, const struct bs_order_rules *rules);

unsigned bs_order_waiting(const struct bs_order *o);

/* The slot is another device's now. */
void bs_order_clear_slot(struct bs_order *o, unsigned slot);

/* The clock was stepped: what was in order by the old one says nothing of what comes. Nothing may
 * wait. */
void bs_order_restart(struct bs_order *o);

/* Saves the order, or loads one where *order is NULL, and was when it was saved. The windows are
 * those of the errands' rows (bs_windows_held_snapshot); their summaries are BS_SNAPSHOT_SUMMARY,
 * or NULL. What was loaded holds both, as many steps wait; whoever frees an order with waiting
 * steps frees the summaries, too. After a failure, *order may be one that can be freed. */
void bs_order_snapshot(struct bs_snapshot *s, struct bs_order **order, struct bs_windows *w);

#endif
