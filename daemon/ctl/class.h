/* A simulated class: persons who go through the phases of a drill, their contacts in the order of
 * time. Deterministic for its options. */
#ifndef BACKSTEP_CTL_CLASS_H
#define BACKSTEP_CTL_CLASS_H

#include "person.h"

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_CLASS_MEMBERS_MAX 1000000u

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
    enum bs_direction before; /* what is done until it begins; UNKNOWN: its first phase */
};

struct bs_class_options {
    uint32_t members;
    int64_t duration_ms; /* 0: without end */
    struct bs_class_timetable timetable;
    struct bs_person_options person;
    uint64_t seed;
};

/* One foot of one member on the ground, with all that a wearable could measure of it. */
struct bs_contact {
    uint32_t member;
    uint32_t number;       /* of the member's contacts, from 0 */
    struct bs_event event; /* in Unix time; seq is a wearable's and not set */
    bool shifts;           /* a slip sets in with it */
    struct bs_shift shift;
};

struct bs_class;

enum bs_status bs_class_new(struct bs_class **ret, const struct bs_class_options *options,
                            int64_t start_ms);
void bs_class_free(struct bs_class *c);

/* What is done so long after the class began. */
enum bs_direction bs_class_direction(const struct bs_class_timetable *t, int64_t ms);

/* The next contact; false where the class is over. */
bool bs_class_next(struct bs_class *c, struct bs_contact *ret);

/* How much of the backward gait this member keeps, 0..1. */
double bs_class_retention(const struct bs_class *c, uint32_t member);

/* A seed of its own for each thing that is drawn: `what` names the thing, `index` the one of its
 * kind. */
uint64_t bs_class_seed(uint64_t seed, uint64_t what, uint64_t index);

#endif
