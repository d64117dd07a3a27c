/* Who is there: devices, their boots, and the members who wear them.
 *
 * A boot is remembered until its accepted steps would be too late, live and stored, and 10 minutes
 * (with `up` times: 24 hours) after its last event; a device and its guest until they hold nothing
 * and were silent for a day. At most 16 boots a device. */
#ifndef BACKSTEP_CORE_ROSTER_H
#define BACKSTEP_CORE_ROSTER_H

#include "backstep/base/slice.h"
#include "backstep/base/time.h"
#include "backstep/core/seen.h"
#include "backstep/core/step.h"
#include "backstep/core/tags.h"
#include "backstep/core/upclock.h"
#include "backstep/core/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A device that powers up more often while steps of all its boots may come again is broken or
 * hostile. */
#define BS_BOOTS_MAX 16

struct bs_boot {
    struct bs_boot *next; /* the one heard last comes first */
    uint32_t id;
    bool uses_up;
    bool accepted;           /* some step was: */
    int64_t latest_accepted; /* latest event time among them */
    struct bs_tick_ms last_heard;
    struct bs_upclock *upclock; /* NULL while it gives `t` */
    struct bs_seen seen;
};

struct bs_member {
    struct bs_tags *tags;
    struct bs_window_member windows;
};

struct bs_device;

struct bs_roster;

/* NULL where memory is out. */
struct bs_roster *bs_roster_new(struct bs_slice site);
void bs_roster_free(struct bs_roster *r);

/* The key of the table of devices, from the first start record; only while it is empty. Rows never
 * depend on it. */
void bs_roster_seed(struct bs_roster *r, uint64_t seed);

/* NULL where nobody with that id is known. */
struct bs_device *bs_roster_find(struct bs_roster *r, struct bs_slice id);

/* A device that is a member of its own; NULL where `members_max` or memory is reached. */
struct bs_device *bs_roster_add_guest(struct bs_roster *r, struct bs_slice id, uint32_t members_max,
                                      struct bs_tick_ms now);

struct bs_member *bs_device_member(struct bs_device *d);

/* The foot of the device's steps that name none, from its birth message; it counts as heard then.
 */
enum bs_foot bs_device_side(const struct bs_device *d);
void bs_device_set_side(struct bs_device *d, enum bs_foot side, struct bs_tick_ms now);

/* The boot, made where it is new; NULL where a 17th would be needed (and none is forgotten yet) or
 * memory is out. It counts as heard now. */
struct bs_boot *bs_device_boot(struct bs_device *d, uint32_t id, bool uses_up,
                               const struct bs_windows *windows, struct bs_tick_ms now);

/* Notes how far behind its own `t` the newest event of a message arrived (wall clock). */
void bs_device_note_delay(struct bs_device *d, int64_t delay_ms, struct bs_tick_ms now);

/* The median delay over the devices heard in the last minute; false where they are fewer than
 * three. What a clock that seems wrong is judged by. */
bool bs_roster_median_delay(const struct bs_roster *r, struct bs_tick_ms now, int64_t *ret_ms);

/* Forgets what may be forgotten. */
void bs_roster_sweep(struct bs_roster *r, const struct bs_windows *windows, struct bs_tick_ms now);

/* After a stepped clock: offsets of `up` clocks begin anew. */
void bs_roster_restart_upclocks(struct bs_roster *r);

uint32_t bs_roster_devices(const struct bs_roster *r);

#endif
