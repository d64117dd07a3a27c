/* A member's tags as they stand in a row: decided once a step, shared by all rows that carry them.
 */
#ifndef BACKSTEP_CORE_TAGS_H
#define BACKSTEP_CORE_TAGS_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

struct bs_tags_names {
    struct bs_slice site, group, drill, phase, member, alias; /* `none` where there is none */
    bool named; /* consent was `member`: rows of the member's own may be written */
};

/* Text in the order of the tags' names: InfluxDB stores series sorted, sorted lines cost it least.
 * Between `alias` and the rest stands `direction`, which is the row's own.
 *
 *   ,alias=…  ,drill=…,group=…  ,member=…  ,phase=…,site=…
 *             \__ head _______/            \__ tail _____/   all that a group's members share */
struct bs_tags {
    struct bs_tags *next; /* for a list of whoever made it; nobody looks at it here */
    uint32_t references;
    uint32_t shared_hash; /* of head and tail */
    uint16_t alias_length, head_length, member_length, tail_length;
    uint8_t group_length; /* of the id alone */
    uint8_t site_length;  /* of `,site=…`, which ends the tail */
    bool named;
    bool grouped; /* group is not `none` */
    char text[];
};

/* NULL where memory is out; one reference is the caller's. */
struct bs_tags *bs_tags_new(const struct bs_tags_names *names);
void bs_tags_hold(struct bs_tags *t);
void bs_tags_drop(struct bs_tags *t);

/* Saves the tags, as names; or loads new ones, one reference being the caller's. NULL only after a
 * failure. */
struct bs_tags *bs_tags_snapshot(struct bs_snapshot *s, struct bs_tags *t);

/* True where bs_tags_new would make the same of these names. */
bool bs_tags_are(const struct bs_tags *t, const struct bs_tags_names *names);

/* True where site, group, drill and phase are the same, whoever the members are. */
bool bs_tags_share_group(const struct bs_tags *a, const struct bs_tags *b);

static inline struct bs_slice bs_tags_alias(const struct bs_tags *t)
{
    return bs_slice_of(t->text, t->alias_length);
}

/* All behind `alias` and `direction`. */
static inline struct bs_slice bs_tags_rest(const struct bs_tags *t)
{
    return bs_slice_of(t->text + t->alias_length,
                       (size_t)t->head_length + t->member_length + t->tail_length);
}

static inline struct bs_slice bs_tags_head(const struct bs_tags *t)
{
    return bs_slice_of(t->text + t->alias_length, t->head_length);
}

static inline struct bs_slice bs_tags_member_tag(const struct bs_tags *t)
{
    return bs_slice_of(t->text + t->alias_length + t->head_length, t->member_length);
}

static inline struct bs_slice bs_tags_tail(const struct bs_tags *t)
{
    return bs_slice_of(t->text + t->alias_length + t->head_length + t->member_length,
                       t->tail_length);
}

static inline struct bs_slice bs_tags_site_tag(const struct bs_tags *t)
{
    struct bs_slice tail = bs_tags_tail(t);
    return bs_slice_after(tail, tail.length - t->site_length);
}

/* The ids alone, as in the names. */
struct bs_slice bs_tags_group(const struct bs_tags *t);
struct bs_slice bs_tags_member(const struct bs_tags *t);

/* The alias as in the names: in the tags' own text, or where something is escaped there, in `room`.
 */
#define BS_TAGS_ALIAS_MAX 128 /* 32 code points; an id is shorter */
struct bs_slice bs_tags_alias_name(const struct bs_tags *t, char room[BS_TAGS_ALIAS_MAX]);

#endif
