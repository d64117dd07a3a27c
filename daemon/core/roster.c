/* Devices by id, and what hangs on them. Must never keep a trace of a device that was turned away.
 */
#include "roster_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

#define DEVICE_KEPT_MS (24 * INT64_C(3600000))
#define BIRTH_KEPT_MS  (7 * 24 * INT64_C(3600000))

/* The clock's witnesses: the last minute's devices, as many as tell a median for certain. */
#define WITNESS_MS     60000
#define WITNESS_MIN    3
#define WITNESS_MAX    1024

struct bs_roster *bs_roster_new(struct bs_slice site, const struct bs_member_release *release)
{
    bs_check(bs_slice_is_id(site));
    struct bs_roster *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->release = *release;
    r->site_length = (uint8_t)site.length;
    memcpy(r->site, site.at, site.length);
    return r;
}

static void give_slot_back(struct bs_device *d)
{
    if (d->wearer && d->slot != BS_NO_SLOT)
        d->wearer->member.slots &= ~(1u << d->slot);
    d->slot = BS_NO_SLOT;
}

static void leave_wearer(struct bs_roster *r, struct bs_device *d)
{
    if (d->wearer)
        d->wearer->devices--;
    else
        r->unworn--;
    give_slot_back(d);
}

static void free_device(struct bs_roster *r, struct bs_device *d)
{
    leave_wearer(r, d);
    HASH_DELETE(hh, r->devices, d); /* NOLINT: it is in the table */
    bs_minute_leave(&d->place);
    bs_device_free_boots(d);
    free(d);
}

void bs_roster_free(struct bs_roster *r)
{
    if (!r)
        return;
    struct bs_device *d, *next_device;
    HASH_ITER(hh, r->devices, d, next_device)
    {
        free_device(r, d);
    }
    struct member *m, *next_member;
    HASH_ITER(hh, r->members, m, next_member)
    {
        bs_roster_free_member(r, m);
    }
    free(r);
}

void bs_roster_seed(struct bs_roster *r, uint64_t seed)
{
    bs_check(!r->devices && !r->members);
    r->seed = seed;
}

struct bs_device *bs_roster_find(struct bs_roster *r, struct bs_slice id)
{
    struct bs_device *d;
    HASH_FIND_BYHASHVALUE(hh, r->devices, id.at, id.length, bs_roster_hash(r, id), d);
    return d;
}

struct bs_device *bs_roster_make_device(struct bs_roster *r, struct bs_slice id,
                                        struct bs_member *wearer, struct bs_tick_ms now)
{
    bs_check(id.length <= BS_ID_MAX);
    struct bs_device *d = calloc(1, sizeof *d + id.length);
    if (!d)
        return NULL;
    d->id_length = (uint8_t)id.length;
    memcpy(d->id, id.at, id.length);
    d->last_heard = now;
    d->birth.battery_pct = -1;
    d->slot = BS_NO_SLOT;
    struct bs_device *added = d;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, r->devices, d->id, id.length, bs_roster_hash(r, id), added);
    if (!added) { /* uthash found no memory */
        free(d);
        return NULL;
    }
    r->unworn++;
    if (wearer)
        bs_roster_set_wearer(r, d, wearer);
    return d;
}

struct bs_device *bs_roster_add(struct bs_roster *r, struct bs_slice id, struct bs_member *wearer,
                                struct bs_tick_ms now)
{
    bool bounded = !wearer && r->unworn >= BS_UNWORN_MAX;
    return bounded ? NULL : bs_roster_make_device(r, id, wearer, now);
}

struct bs_member *bs_device_wearer(struct bs_device *d)
{
    return d->wearer ? &d->wearer->member : NULL;
}

void bs_roster_set_wearer(struct bs_roster *r, struct bs_device *d, struct bs_member *m)
{
    if (d->wearer && &d->wearer->member == m)
        return;
    leave_wearer(r, d);
    d->wearer = (struct member *)m;
    if (d->wearer)
        d->wearer->devices++;
    else
        r->unworn++;
}

struct bs_slice bs_device_id(const struct bs_device *d)
{
    return bs_slice_of(d->id, d->id_length);
}

struct bs_device_health *bs_device_health(struct bs_device *d)
{
    return &d->health;
}

struct bs_minute_place *bs_device_place(struct bs_device *d)
{
    return &d->place;
}

struct bs_device *bs_device_at(struct bs_minute_place *place)
{
    return (struct bs_device *)place;
}

/* Round and round: what once was in a step keeps its slot out of the way for long. */
int bs_device_slot(struct bs_device *d, bool *ret_fresh)
{
    bs_check(d->wearer);
    struct bs_member *m = &d->wearer->member;
    *ret_fresh = false;
    for (unsigned i = 1; d->slot == BS_NO_SLOT && i <= BS_WORN_MAX; i++) {
        unsigned slot = (m->last_slot + i) % BS_WORN_MAX;
        if (m->slots >> slot & 1)
            continue;
        m->slots |= 1u << slot;
        m->last_slot = (uint8_t)slot;
        d->slot = (int8_t)slot;
        *ret_fresh = true;
    }
    return d->slot;
}

const struct bs_birth *bs_device_birth(const struct bs_device *d)
{
    return &d->birth;
}

void bs_device_set_birth(struct bs_device *d, const struct bs_birth *birth, struct bs_tick_ms now)
{
    d->birth = *birth;
    d->last_heard = now;
}

/* The clock's witnesses. */

void bs_device_note_delay(struct bs_device *d, int64_t delay_ms, struct bs_tick_ms now)
{
    d->delay_ms = delay_ms;
    d->delay_noted = now;
    d->has_delay = true;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

bool bs_roster_median_delay(const struct bs_roster *r, struct bs_tick_ms now, int64_t *ret_ms)
{
    int64_t delays[WITNESS_MAX];
    size_t count = 0;
    for (const struct bs_device *d = r->devices; d && count < WITNESS_MAX; d = d->hh.next)
        if (d->has_delay && now.ms - d->delay_noted.ms <= WITNESS_MS)
            delays[count++] = d->delay_ms;
    if (count < WITNESS_MIN)
        return false;
    qsort(delays, count, sizeof delays[0], by_value);
    *ret_ms = delays[count / 2];
    return true;
}

/* Forgetting. */

/* What a wearer's birth said is told once: it is known as long as a document names the device. */
static bool may_go(const struct bs_device *d, struct bs_tick_ms now)
{
    int64_t silent = now.ms - d->last_heard.ms;
    if (d->boots || silent < DEVICE_KEPT_MS)
        return false;
    bool told = d->birth.side != BS_FOOT_UNKNOWN || d->birth.kind != BS_SENSOR_UNKNOWN;
    if (!told || (d->wearer && d->wearer->member.is_guest))
        return true;
    return !d->wearer && silent >= BIRTH_KEPT_MS;
}

void bs_roster_sweep(struct bs_roster *r, const struct bs_windows *windows, struct bs_tick_ms now)
{
    struct bs_device *d, *next;
    HASH_ITER(hh, r->devices, d, next)
    {
        bs_device_forget_boots(d, windows, now);
        if (may_go(d, now))
            free_device(r, d);
    }
    bs_roster_sweep_members(r);
}

void bs_roster_restart_clocks(struct bs_roster *r)
{
    for (struct bs_device *d = r->devices; d; d = d->hh.next) {
        d->health.clock = (struct bs_device_clock){0};
        for (struct bs_boot *b = d->boots; b; b = b->next)
            if (b->upclock)
                bs_upclock_reset(b->upclock);
    }
}

struct bs_slice bs_roster_site(const struct bs_roster *r)
{
    return bs_slice_of(r->site, r->site_length);
}

uint32_t bs_roster_devices(const struct bs_roster *r)
{
    return HASH_COUNT(r->devices);
}
