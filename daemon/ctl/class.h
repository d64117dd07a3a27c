/* A simulated class: walkers who go backwards and forwards in turn, their steps in the order of
 * event time, as a gateway would see them. Deterministic for its options. */
#ifndef BACKSTEP_CTL_CLASS_H
#define BACKSTEP_CTL_CLASS_H

#include "encode.h"
#include "truth.h"

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_CLASS_MEMBERS_MAX 1000000u
#define BS_CLASS_PREFIX_MAX  48 /* leaves room for the number and the side within an id */

struct bs_class_options {
    uint32_t members;
    uint32_t devices_each;       /* 1: one device reports both feet; 2: a left and a right pod */
    const char *prefix;          /* of the devices' ids */
    int64_t duration_ms;         /* event time; only where steps_max is 0 */
    uint64_t steps_max;          /* steps sent in total; 0: duration_ms decides */
    int64_t back_ms, forward_ms; /* lengths of the phases, not both 0 */
    double pace_spm, loss_pct;
    uint64_t seed;
};

struct bs_class;

enum bs_status bs_class_new(struct bs_class **ret, const struct bs_class_options *options,
                            int64_t start_ms);
void bs_class_free(struct bs_class *c);

/* The next step that is sent; false where the class is over. `context` is the class. */
bool bs_class_next(void *context, uint32_t *ret_wearable, struct bs_event *ret);

/* Steps that happened and were not sent. */
uint64_t bs_class_lost(const struct bs_class *c);

uint32_t bs_class_wearable_count(const struct bs_class_options *options);

/* Identity of wearable `i` in a run that begins at start_ms: with another seed or start it draws
 * another boot, so that runs minutes apart are not each other's duplicates. */
void bs_class_wearable(const struct bs_class_options *options, uint32_t i, int64_t start_ms,
                       struct bs_wearable *ret);

#endif
