/* Who is there, to a snapshot and back. Must never let two devices of a member have one slot: one
 * would speak for the other. */
#include "backstep/core/snapshot.h"

#include "roster_parts.h"

#include <stdlib.h>

/* Members. */

/* A name that nobody has yet. */
static struct member *add_member(struct bs_snapshot *s, struct bs_roster *r, struct bs_slice id,
                                 bool is_guest)
{
    struct bs_slice guest = BS_SLICE("guest-"), device = bs_slice_after(id, guest.length);
    bool is_name =
        is_guest ? bs_slice_starts(id, guest) && bs_slice_is_id(device) : bs_slice_is_id(id);
    bs_snapshot_require(s, is_name);
    if (s->failed)
        return NULL;
    uint32_t before = bs_roster_members(r);
    struct bs_member *m = is_guest ? bs_roster_make_guest(r, device) : bs_roster_make_member(r, id);
    if (!m)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    bs_snapshot_require(s, s->failed || bs_roster_members(r) > before);
    return s->failed ? NULL : (struct member *)m;
}

static struct member *name_member(struct bs_snapshot *s, struct bs_roster *r, struct member *m)
{
    struct bs_slice id = m ? bs_member_id(&m->member) : (struct bs_slice){"", 0};
    id = bs_snapshot_text(s, id, BS_MEMBER_ID_MAX);
    bool is_guest = bs_snapshot_flag(s, m && m->member.is_guest);
    return bs_snapshot_loads(s) ? add_member(s, r, id, is_guest) : m;
}

static size_t count_tags(const struct member *m)
{
    size_t count = 0;
    for (const struct bs_tags *t = m->tags; t; t = t->next)
        count++;
    return count;
}

/* In the order of the list: the first that fits is taken. */
static void keep_tags(struct bs_snapshot *s, struct member *m)
{
    size_t count = bs_snapshot_count(s, count_tags(m), UINT32_MAX);
    struct bs_tags **link = &m->tags;
    for (size_t i = 0; i < count && !s->failed; i++) {
        struct bs_tags *t = bs_tags_snapshot(s, *link);
        if (!t)
            return;
        *link = t;
        link = &t->next;
        bs_snapshot_require(s, bs_slice_equal(bs_tags_member(t), bs_member_id(&m->member)));
        bs_snapshot_define(s, BS_SNAPSHOT_TAGS, t);
    }
}

/* Windows and summaries, which are loaded later, ask whether their member is withheld. */
static void keep_standing(struct bs_snapshot *s, struct bs_member *m)
{
    m->consent = bs_snapshot_u8(s, m->consent, BS_CONSENT_MEMBER);
    m->windows.withheld = bs_snapshot_flag(s, m->windows.withheld);
    m->summaries.withheld = bs_snapshot_flag(s, m->summaries.withheld);
    m->last_slot = bs_snapshot_u8(s, m->last_slot, BS_WORN_MAX - 1);
}

static void keep_members(struct bs_snapshot *s, struct bs_roster *r)
{
    size_t count = bs_snapshot_count(s, bs_roster_members(r), UINT32_MAX);
    struct member *m = NULL;
    for (size_t i = 0; i < count; i++) {
        struct member *next = m ? m->hh.next : r->members;
        m = name_member(s, r, bs_snapshot_loads(s) ? NULL : next);
        if (!m)
            return;
        keep_standing(s, &m->member);
        keep_tags(s, m);
        bs_snapshot_define(s, BS_SNAPSHOT_MEMBER, m);
    }
}

/* Boots. */

static void keep_upclock(struct bs_snapshot *s, struct bs_boot *b)
{
    if (!bs_snapshot_flag(s, b->upclock != NULL))
        return;
    if (bs_snapshot_loads(s))
        b->upclock = bs_upclock_new();
    if (b->upclock)
        bs_upclock_snapshot(s, b->upclock);
    else
        bs_snapshot_fail(s, BS_NO_MEMORY);
}

static void keep_boot(struct bs_snapshot *s, struct bs_boot *b)
{
    b->id = bs_snapshot_u32(s, b->id, UINT32_MAX);
    b->uses_up = bs_snapshot_flag(s, b->uses_up);
    b->accepted = bs_snapshot_flag(s, b->accepted);
    if (b->accepted)
        b->latest_accepted = bs_snapshot_moment(s, b->latest_accepted);
    b->last_heard.ms = bs_snapshot_moment(s, b->last_heard.ms);
    keep_upclock(s, b);
    bs_seen_snapshot(s, &b->seen);
}

static void keep_boots(struct bs_snapshot *s, struct bs_device *d)
{
    uint8_t count = bs_snapshot_u8(s, d->boot_count, BS_BOOTS_MAX);
    struct bs_boot **link = &d->boots;
    for (unsigned i = 0; i < count && !s->failed; i++, link = &(*link)->next) {
        if (bs_snapshot_loads(s)) {
            *link = calloc(1, sizeof **link);
            d->boot_count = (uint8_t)(d->boot_count + (*link != NULL));
        }
        if (!*link) {
            bs_snapshot_fail(s, BS_NO_MEMORY);
            return;
        }
        keep_boot(s, *link);
    }
}

/* Devices. */

static struct bs_device *add_device(struct bs_snapshot *s, struct bs_roster *r, struct bs_slice id,
                                    struct bs_member *wearer)
{
    bs_snapshot_require(s, s->failed || (bs_slice_is_id(id) && !bs_roster_find(r, id)));
    if (s->failed)
        return NULL;
    struct bs_device *d = bs_roster_make_device(r, id, wearer, (struct bs_tick_ms){0});
    if (!d)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    return d;
}

static struct bs_device *name_device(struct bs_snapshot *s, struct bs_roster *r,
                                     struct bs_device *d)
{
    struct bs_slice id = d ? bs_device_id(d) : (struct bs_slice){"", 0};
    id = bs_snapshot_text(s, id, BS_ID_MAX);
    struct bs_member *wearer =
        bs_snapshot_refer(s, BS_SNAPSHOT_MEMBER, d ? bs_device_wearer(d) : NULL);
    return bs_snapshot_loads(s) ? add_device(s, r, id, wearer) : d;
}

/* The wearer's slots are those that the devices have. */
static void keep_slot(struct bs_snapshot *s, struct bs_device *d)
{
    int8_t slot = (int8_t)bs_snapshot_between(s, d->slot, BS_NO_SLOT, BS_WORN_MAX - 1);
    if (slot == BS_NO_SLOT || !bs_snapshot_loads(s))
        return;
    bs_snapshot_require(s, d->wearer && !(d->wearer->member.slots >> slot & 1));
    if (s->failed)
        return;
    d->slot = slot;
    d->wearer->member.slots |= 1u << slot;
}

static void keep_device(struct bs_snapshot *s, struct bs_device *d)
{
    keep_slot(s, d);
    d->last_heard.ms = bs_snapshot_moment(s, d->last_heard.ms);
    d->has_delay = bs_snapshot_flag(s, d->has_delay);
    if (d->has_delay) {
        d->delay_ms = bs_snapshot_moment(s, d->delay_ms);
        d->delay_noted.ms = bs_snapshot_moment(s, d->delay_noted.ms);
    }
    bs_device_health_snapshot(s, &d->health);
    bs_birth_snapshot(s, &d->birth);
    keep_boots(s, d);
}

static void keep_devices(struct bs_snapshot *s, struct bs_roster *r)
{
    size_t count = bs_snapshot_count(s, bs_roster_devices(r), UINT32_MAX);
    struct bs_device *d = NULL;
    for (size_t i = 0; i < count; i++) {
        struct bs_device *next = d ? d->hh.next : r->devices;
        d = name_device(s, r, bs_snapshot_loads(s) ? NULL : next);
        if (!d)
            return;
        keep_device(s, d);
        bs_snapshot_define(s, BS_SNAPSHOT_DEVICE, d);
    }
}

void bs_roster_snapshot(struct bs_snapshot *s, struct bs_roster *r)
{
    uint64_t seed = bs_snapshot_u64(s, r->seed, UINT64_MAX);
    if (bs_snapshot_loads(s))
        bs_roster_seed(r, seed);
    keep_members(s, r);
    keep_devices(s, r);
}
