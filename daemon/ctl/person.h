/* One member of a class as a person: a walker, how much of a backward block is kept, and whether
 * and when the old habit slips back in. The same seed walks, and slips, the same way. */
#ifndef BACKSTEP_CTL_PERSON_H
#define BACKSTEP_CTL_PERSON_H

#include "gait_model.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_SHIFT_SIZES_MAX     8

/* Degrees of trunk pitch that stand for one percent of the other metrics, as the default limits of
 * slips have it: 6 degrees against 30 %. */
#define BS_DEGREES_PER_PERCENT 0.2

struct bs_person_options {
    double pace_spm;
    double retention_min, retention_max; /* 0..1; each person's own lies between */
    double slips_pct;                    /* persons who slip once in every forward phase */
    double shift_pct[BS_SHIFT_SIZES_MAX];
    uint32_t shift_count; /* sizes in shift_pct; at least one where slips_pct > 0 */
    unsigned metrics;     /* bit m: enum bs_shift_metric m may slip; at least one likewise */
    uint32_t shift_step_min, shift_step_max; /* of the phase's steps, from 1 */
};

/* A slip: a lasting shift that sets in with a known step. */
struct bs_shift {
    enum bs_shift_metric metric;
    double size;   /* percent; trunk pitch: degrees; below 0: downwards */
    uint32_t step; /* of the phase's steps, from 1: the first that is shifted */
};

struct bs_person {
    struct bs_gait_walker walker;
    struct bs_random chance;
    bool slips;
    uint32_t phase_steps; /* in the direction of the last step */
    bool has_next;        /* a shift waits in this phase */
    struct bs_shift next;
};

/* The options must hold for all calls. */
void bs_person_init(struct bs_person *p, uint64_t seed, const struct bs_person_options *options);

/* The next step, as bs_gait_walker_step's. True where a shift sets in with it: then *ret_shift is
 * filled in. */
bool bs_person_step(struct bs_person *p, const struct bs_person_options *options,
                    enum bs_direction direction, struct bs_event *ret, struct bs_shift *ret_shift);

#endif
