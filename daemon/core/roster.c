/* Devices by id, and what hangs on them. Must never keep a trace of a device that was turned away.
 */
#include "backstep/core/roster.h"

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/base/hash.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define BOOT_KEPT_MS    (10 * INT64_C(60000))
#define UP_BOOT_KEPT_MS (24 * INT64_C(3600000))
#define GUEST_KEPT_MS   (24 * INT64_C(3600000))

/* The clock's witnesses: the last minute's devices, as many as tell a median for certain. */
#define WITNESS_MS      60000
#define WITNESS_MIN     3
#define WITNESS_MAX     1024

struct bs_device {
    struct bs_boot *boots;
    struct bs_tick_ms last_heard, delay_noted;
    int64_t delay_ms;
    bool has_delay;
    uint8_t boot_count, side, id_length;
    struct bs_member member;
    UT_hash_handle hh;
    char id[];
};

struct bs_roster {
    struct bs_device *devices;
    uint64_t seed;
    uint32_t next_serial;
    uint8_t site_length;
    char site[BS_ID_MAX];
};

struct bs_roster *bs_roster_new(struct bs_slice site)
{
    bs_check(bs_slice_is_id(site));
    struct bs_roster *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->site_length = (uint8_t)site.length;
    memcpy(r->site, site.at, site.length);
    return r;
}

static void free_boot(struct bs_boot *b)
{
    bs_seen_fini(&b->seen);
    free(b->upclock);
    free(b);
}

static void free_device(struct bs_roster *r, struct bs_device *d)
{
    HASH_DELETE(hh, r->devices, d);
    for (struct bs_boot *b = d->boots, *next; b; b = next) {
        next = b->next;
        free_boot(b);
    }
    bs_tags_drop(d->member.tags);
    free(d);
}

void bs_roster_free(struct bs_roster *r)
{
    if (!r)
        return;
    struct bs_device *d, *next;
    HASH_ITER(hh, r->devices, d, next)
    {
        free_device(r, d);
    }
    free(r);
}

void bs_roster_seed(struct bs_roster *r, uint64_t seed)
{
    bs_check(!r->devices);
    r->seed = seed;
}

static unsigned hash_id(const struct bs_roster *r, struct bs_slice id)
{
    return (unsigned)bs_hash_bytes(r->seed, id);
}

struct bs_device *bs_roster_find(struct bs_roster *r, struct bs_slice id)
{
    struct bs_device *d;
    HASH_FIND_BYHASHVALUE(hh, r->devices, id.at, id.length, hash_id(r, id), d);
    return d;
}

static struct bs_tags *guest_tags(struct bs_roster *r, struct bs_slice id)
{
    char guest[BS_ID_MAX + 6];
    memcpy(guest, "guest-", 6);
    memcpy(guest + 6, id.at, id.length);
    struct bs_slice none = BS_SLICE("none"), name = bs_slice_of(guest, id.length + 6);
    struct bs_tags_names names = {.site = bs_slice_of(r->site, r->site_length),
                                  .group = none,
                                  .drill = none,
                                  .phase = none,
                                  .member = name,
                                  .alias = name,
                                  .named = true};
    return bs_tags_new(&names, r->next_serial++);
}

struct bs_device *bs_roster_add_guest(struct bs_roster *r, struct bs_slice id, uint32_t members_max,
                                      struct bs_tick_ms now)
{
    bs_check(id.length <= BS_ID_MAX);
    if (bs_roster_devices(r) >= members_max)
        return NULL;
    struct bs_device *d = calloc(1, sizeof *d + id.length);
    if (!d)
        return NULL;
    d->id_length = (uint8_t)id.length;
    memcpy(d->id, id.at, id.length);
    d->last_heard = now;
    d->member.tags = guest_tags(r, id);
    struct bs_device *added = d;
    if (d->member.tags)
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, r->devices, d->id, id.length, hash_id(r, id), added);
    if (!d->member.tags || !added) {
        if (d->member.tags)
            bs_tags_drop(d->member.tags);
        free(d);
        return NULL;
    }
    return d;
}

struct bs_member *bs_device_member(struct bs_device *d)
{
    return &d->member;
}

enum bs_foot bs_device_side(const struct bs_device *d)
{
    return d->side;
}

void bs_device_set_side(struct bs_device *d, enum bs_foot side, struct bs_tick_ms now)
{
    d->side = (uint8_t)side;
    d->last_heard = now;
}

/* Boots. */

/* A live step whose acknowledgement was lost may come again as stored: it must be too late as both.
 */
static bool boot_expired(const struct bs_boot *b, const struct bs_windows *windows,
                         struct bs_tick_ms now)
{
    if (now.ms - b->last_heard.ms < (b->uses_up ? UP_BOOT_KEPT_MS : BOOT_KEPT_MS))
        return false;
    return !b->accepted || (bs_windows_too_late(windows, b->latest_accepted, false) &&
                            bs_windows_too_late(windows, b->latest_accepted, true));
}

static void forget_boots(struct bs_device *d, const struct bs_windows *windows,
                         struct bs_tick_ms now)
{
    for (struct bs_boot **link = &d->boots; *link;) {
        struct bs_boot *b = *link;
        if (!boot_expired(b, windows, now)) {
            link = &b->next;
            continue;
        }
        *link = b->next;
        d->boot_count--;
        free_boot(b);
    }
}

static struct bs_boot *take_known_boot(struct bs_device *d, uint32_t id)
{
    for (struct bs_boot **link = &d->boots; *link; link = &(*link)->next)
        if ((*link)->id == id) {
            struct bs_boot *b = *link;
            *link = b->next;
            return b;
        }
    return NULL;
}

static struct bs_boot *make_boot(struct bs_device *d, uint32_t id, const struct bs_windows *windows,
                                 struct bs_tick_ms now)
{
    if (d->boot_count == BS_BOOTS_MAX)
        forget_boots(d, windows, now);
    struct bs_boot *b = d->boot_count < BS_BOOTS_MAX ? malloc(sizeof *b) : NULL;
    if (!b)
        return NULL;
    b->id = id;
    b->uses_up = false;
    b->accepted = false;
    b->latest_accepted = 0;
    b->upclock = NULL;
    bs_seen_init(&b->seen);
    d->boot_count++;
    return b;
}

struct bs_boot *bs_device_boot(struct bs_device *d, uint32_t id, bool uses_up,
                               const struct bs_windows *windows, struct bs_tick_ms now)
{
    struct bs_boot *b = take_known_boot(d, id);
    if (!b)
        b = make_boot(d, id, windows, now);
    if (!b)
        return NULL;
    b->next = d->boots;
    d->boots = b;
    b->last_heard = now;
    b->uses_up = b->uses_up || uses_up;
    d->last_heard = now;
    return b;
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

static bool is_silent(const struct bs_device *d, struct bs_tick_ms now)
{
    return !d->boots && !d->member.windows.rows[0] && !d->member.windows.rows[1] &&
           now.ms - d->last_heard.ms >= GUEST_KEPT_MS;
}

void bs_roster_sweep(struct bs_roster *r, const struct bs_windows *windows, struct bs_tick_ms now)
{
    struct bs_device *d, *next;
    HASH_ITER(hh, r->devices, d, next)
    {
        forget_boots(d, windows, now);
        if (is_silent(d, now))
            free_device(r, d);
    }
}

void bs_roster_restart_upclocks(struct bs_roster *r)
{
    for (struct bs_device *d = r->devices; d; d = d->hh.next)
        for (struct bs_boot *b = d->boots; b; b = b->next)
            if (b->upclock)
                bs_upclock_reset(b->upclock);
}

uint32_t bs_roster_devices(const struct bs_roster *r)
{
    return HASH_COUNT(r->devices);
}
