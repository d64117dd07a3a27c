/* A simulated class: walkers who go through the phases of a drill, their steps in the order of
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

struct bs_class_phase {
    enum bs_direction direction;
    int64_t length_ms;
};

/* What everybody does when. */
struct bs_class_timetable {
    const struct bs_class_phase *phases; /* at least one that takes time */
    uint32_t count;
    uint32_t repeat;  /* of all phases; 0: without end. Then the last phase goes on */
    int64_t ahead_ms; /* how much of it is over when the class begins; below 0: it begins later */
};

struct bs_class_options {
    uint32_t members;
    uint32_t devices_each;      /* 1: one device reports both feet; 2: a left and a right pod */
    const char *const *devices; /* a name for each member's one device; NULL: made of the prefix */
    const char *prefix;
    int64_t duration_ms; /* event time; only where steps_max is 0 */
    uint64_t steps_max;  /* steps sent in total; 0: duration_ms decides */
    struct bs_class_timetable timetable;
    double pace_spm, loss_pct;
    uint64_t seed;
};

struct bs_class;

enum bs_status bs_class_new(struct bs_class **ret, const struct bs_class_options *options,
                            int64_t start_ms);
void bs_class_free(struct bs_class *c);

/* What is done so long after the class began. */
enum bs_direction bs_class_direction(const struct bs_class_timetable *t, int64_t ms);

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
