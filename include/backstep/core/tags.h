/* A member's tags as they stand in a row: decided once a step, shared by all rows that carry them.
 */
#ifndef BACKSTEP_CORE_TAGS_H
#define BACKSTEP_CORE_TAGS_H

#include "backstep/base/slice.h"

#include <stdint.h>

struct bs_tags_names {
    struct bs_slice site, group, drill, phase, member, alias;
};

/* Text in the order of the tags' names: InfluxDB stores series sorted, sorted lines cost it least.
 * Between `alias` and the rest stands `direction`, which is the row's own. */
struct bs_tags {
    uint32_t references;
    uint32_t serial; /* unique in its engine: the tags' part of a row's key */
    uint16_t alias_length, rest_length;
    char text[]; /* ,alias=… then ,drill=…,group=…,member=…,phase=…,site=… */
};

/* NULL where memory is out; one reference is the caller's. */
struct bs_tags *bs_tags_new(const struct bs_tags_names *names, uint32_t serial);
void bs_tags_hold(struct bs_tags *t);
void bs_tags_drop(struct bs_tags *t);

static inline struct bs_slice bs_tags_alias(const struct bs_tags *t)
{
    return bs_slice_of(t->text, t->alias_length);
}

static inline struct bs_slice bs_tags_rest(const struct bs_tags *t)
{
    return bs_slice_of(t->text + t->alias_length, t->rest_length);
}

#endif
