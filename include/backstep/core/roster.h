/* Who is there: devices, their boots, and the members who wear them.
 *
 * A boot is remembered until its accepted steps would be too late, live and stored, and 10 minutes
 * (with `up` times: 24 hours) after its last event; at most 16 boots a device. A device is kept
 * while it has boots, a day longer while somebody wears it, and what its birth said of it for as
 * long as a document names it; a member while a document or a device names it, a row or a summary
 * is open, or it is not quiet. */
#ifndef BACKSTEP_CORE_ROSTER_H
#define BACKSTEP_CORE_ROSTER_H

#include "backstep/base/slice.h"
#include "backstep/base/time.h"
#include "backstep/core/birth.h"
#include "backstep/core/bouts.h"
#include "backstep/core/device_health.h"
#include "backstep/core/kinds.h"
#include "backstep/core/live.h"
#include "backstep/core/minute.h"
#include "backstep/core/order.h"
#include "backstep/core/seen.h"
#include "backstep/core/sessions.h"
#include "backstep/core/step.h"
#include "backstep/core/summaries.h"
#include "backstep/core/tags.h"
#include "backstep/core/upclock.h"
#include "backstep/core/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bs_snapshot;

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

/* Devices that only a birth message has named: more of them than that say nothing to us. */
#define BS_UNWORN_MAX    65536

/* "guest-" and a device's id. */
#define BS_MEMBER_ID_MAX (6 + BS_ID_MAX)

/* The tags of a member's steps in from_ms <= event time < until_ms, as decided last. */
struct bs_tagging {
    struct bs_tags *tags;             /* one of the member's */
    struct bs_group_history *history; /* of the running session; NULL: none runs */
    int64_t session_start_ms;         /* where one runs */
    struct bs_summary *summary;       /* NULL: not asked for, or in none */
    int64_t from_ms, until_ms;
    uint64_t generation; /* of the sessions, when it was decided */
};

struct bs_member {
    struct bs_window_member windows;
    struct bs_summary_member summaries;
    struct bs_live_member live;
    struct bs_order *order;       /* NULL: no step of the member's was accepted lately */
    struct bs_bout_member *bouts; /* NULL: none ever was */
    int64_t timer_ms;             /* wall time of the engine's next look at it; INT64_MAX: never */
    uint32_t timers;              /* entries of it among the engine's timers, the old ones too */
    uint32_t slots;               /* bit s: a device has that slot of its order */
    uint8_t last_slot;            /* the one that was given last */
    bool quiet;                   /* the engine's: no step can go on with anything it knows */
    const struct bs_member_document *document; /* NULL: a guest, or named by no document now */
    struct bs_tagging tagging;                 /* until_ms 0: not decided */
    bool is_guest;
    uint8_t consent; /* enum bs_consent; as the last document said */
};

struct bs_device;

struct bs_roster;

/* Frees what the engine's parts hold of a member that goes. */
struct bs_member_release {
    void *context;
    void (*release)(void *context, struct bs_member *m);
};

/* NULL where memory is out. */
struct bs_roster *bs_roster_new(struct bs_slice site, const struct bs_member_release *release);
void bs_roster_free(struct bs_roster *r);

/* The key of the tables, from the first start record; only while they are empty. Rows never depend
 * on it. */
void bs_roster_seed(struct bs_roster *r, uint64_t seed);

/* The member with that id, added where there is none, with consent `none`; NULL where memory is
 * out. */
struct bs_member *bs_roster_make_member(struct bs_roster *r, struct bs_slice id);

/* The member's tags by these names (site, member and alias are filled in here), always the same
 * object for the same names while anything holds it; NULL where memory is out. */
struct bs_tags *bs_roster_tags(struct bs_roster *r, struct bs_member *m,
                               const struct bs_tags_names *names);

/* The member that a device is of its own, as bs_roster_make_member; consent `member`. */
struct bs_member *bs_roster_make_guest(struct bs_roster *r, struct bs_slice device);

/* The id holds as long as the member. */
struct bs_slice bs_member_id(const struct bs_member *m);

/* In the order in which they came. `look` must neither add members nor remove one. */
void bs_roster_each_member(struct bs_roster *r, void (*look)(void *context, struct bs_member *m),
                           void *context);

/* Devices by id. NULL where none is known (find); where memory is out, or where nobody wears it and
 * BS_UNWORN_MAX such are known (add: heard now). */
struct bs_device *bs_roster_find(struct bs_roster *r, struct bs_slice id);
struct bs_device *bs_roster_add(struct bs_roster *r, struct bs_slice id, struct bs_member *wearer,
                                struct bs_tick_ms now);

/* Who wears it; NULL: nobody. */
struct bs_member *bs_device_wearer(struct bs_device *d);
void bs_roster_set_wearer(struct bs_roster *r, struct bs_device *d, struct bs_member *m);

/* Its id, as long as it is known; what is kept for its rows, to be changed by whoever counts; its
 * place in a minute, which it leaves when it is forgotten, and whose place that is. */
struct bs_slice bs_device_id(const struct bs_device *d);
struct bs_device_health *bs_device_health(struct bs_device *d);
struct bs_minute_place *bs_device_place(struct bs_device *d);
struct bs_device *bs_device_at(struct bs_minute_place *place);

/* The device's slot among those its wearer's order knows, given now where it had none; negative
 * where BS_WORN_MAX others have theirs. *ret_fresh: it was given now. It goes with the wearer. */
int bs_device_slot(struct bs_device *d, bool *ret_fresh);

/* What its last birth message said; it counts as heard then. */
const struct bs_birth *bs_device_birth(const struct bs_device *d);
void bs_device_set_birth(struct bs_device *d, const struct bs_birth *birth, struct bs_tick_ms now);

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

/* After a stepped clock: what devices' clocks are compared with begins anew. */
void bs_roster_restart_clocks(struct bs_roster *r);

struct bs_slice bs_roster_site(const struct bs_roster *r);

uint32_t bs_roster_devices(const struct bs_roster *r);
uint32_t bs_roster_members(const struct bs_roster *r);
uint32_t bs_roster_guests(const struct bs_roster *r);

/* Seed, members (BS_SNAPSHOT_MEMBER) with their tags (BS_SNAPSHOT_TAGS), devices
 * (BS_SNAPSHOT_DEVICE) with their boots. Of a member: id, is_guest, consent, whether windows and
 * summaries are withheld, slots, last_slot; what else it has is the caller's, the document too. Of
 * a device all but its place in a minute. Loading: into a new one. */
void bs_roster_snapshot(struct bs_snapshot *s, struct bs_roster *r);

#endif
