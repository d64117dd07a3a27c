/* The roster's insides, shared by its parts: roster.c (life, devices, forgetting), roster_boots.c,
 * roster_members.c, roster_snapshot.c. */
#ifndef BACKSTEP_CORE_ROSTER_PARTS_H
#define BACKSTEP_CORE_ROSTER_PARTS_H

#include "backstep/base/hash.h"
#include "backstep/core/roster.h"

#include "hash_table.h"

/* A member with what only the roster needs. */
struct member {
    struct bs_member member; /* first: handed out as such */
    struct bs_tags *tags;    /* one reference each is ours */
    uint32_t devices;        /* that it wears */
    uint8_t id_length;
    UT_hash_handle hh;
    char id[];
};

struct bs_device {
    struct bs_minute_place place; /* first: handed out as such */
    struct bs_device_health health;
    struct bs_boot *boots;
    struct member *wearer; /* NULL: nobody */
    struct bs_tick_ms last_heard, delay_noted;
    int64_t delay_ms;
    bool has_delay;
    uint8_t boot_count, id_length;
    int8_t slot;           /* of its wearer's order; BS_NO_SLOT */
    struct bs_birth birth; /* the last one */
    UT_hash_handle hh;
    char id[];
};

#define BS_NO_SLOT (-1)

struct bs_roster {
    struct bs_member_release release;
    struct bs_device *devices;
    struct member *members;
    uint64_t seed;
    uint32_t unworn, guests;
    uint8_t site_length;
    char site[BS_ID_MAX];
};

static inline unsigned bs_roster_hash(const struct bs_roster *r, struct bs_slice id)
{
    return (unsigned)bs_hash_bytes(r->seed, id);
}

/* roster.c: one that is not there yet, without a bound; NULL where memory is out. */
struct bs_device *bs_roster_make_device(struct bs_roster *r, struct bs_slice id,
                                        struct bs_member *wearer, struct bs_tick_ms now);

/* roster_boots.c */
void bs_device_free_boots(struct bs_device *d);
void bs_device_forget_boots(struct bs_device *d, const struct bs_windows *windows,
                            struct bs_tick_ms now);

/* roster_members.c: frees it and takes it from the table; nobody wears a device of it. */
void bs_roster_free_member(struct bs_roster *r, struct member *m);
void bs_roster_sweep_members(struct bs_roster *r);

#endif
