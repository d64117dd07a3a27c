/* Exact sums over steps: integers only, so that any order of the steps gives the same numbers.
 *
 * Step time and step length are kept in halves of a millisecond and of a millimetre, because half a
 * stride stands for a step where the device gave no step. `bs_sums` is the packed form that lies in
 * memory by the million and holds at most 65 535 steps; `bs_totals` is the wide form in which any
 * number of them are added up and figures are computed. */
#ifndef BACKSTEP_CORE_SUMS_H
#define BACKSTEP_CORE_SUMS_H

#include "backstep/core/step.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

#define BS_SUMS_STEPS_MAX 65535u

/* More lost before one step count as none. */
#define BS_SUMS_LOST_MAX  4096u

/* What one step of a member adds. */
struct bs_sample {
    const struct bs_step *step;
    uint16_t step_time_halves;   /* ½ ms, 0: unknown */
    uint16_t step_length_halves; /* ½ mm, 0: unknown */
    bool step_time_exact;        /* from one device's own steps: enters deviation and symmetry */
    bool missed;                 /* it stands for the step before it, too, that nobody saw */
    bool late;
    uint16_t lost; /* 0..4096 */
};

/* A quantity's sums: in two lists, the second with squares too. Sums of ≤ 65 535 values fit 32
 * bits: the largest value is 6000 (hard ranges; step length in halves likewise). */
#define BS_SUMS_QUANTITIES(X)                                                                      \
    X(step_time)                                                                                   \
    X(left_time)                                                                                   \
    X(right_time)                                                                                  \
    X(contact)                                                                                     \
    X(pitch)                                                                                       \
    X(oscillation)                                                                                 \
    X(impact)

#define BS_SUMS_SQUARED(X)                                                                         \
    X(exact_time)                                                                                  \
    X(step_length)                                                                                 \
    X(stride_time)                                                                                 \
    X(trunk)

struct bs_sums {
    uint64_t exact_time_squares, step_length_squares, stride_time_squares, trunk_squares;
#define BS_SUMS_FIELD(name) int32_t name##_sum;
    BS_SUMS_QUANTITIES(BS_SUMS_FIELD)
    BS_SUMS_SQUARED(BS_SUMS_FIELD)
#undef BS_SUMS_FIELD
    int32_t both_time_sum, both_length_sum; /* over steps that have time and length */
    int32_t duration_sum, distance_sum;     /* time and length, twice where a step was missed */
    uint32_t lost;
    uint16_t steps, late, missed;
#define BS_SUMS_FIELD(name) uint16_t name##_count;
    BS_SUMS_QUANTITIES(BS_SUMS_FIELD) BS_SUMS_SQUARED(BS_SUMS_FIELD)
#undef BS_SUMS_FIELD
};

struct bs_total {
    uint64_t count;
    int64_t sum;
    unsigned __int128 squares;
};

struct bs_totals {
    uint64_t steps, late, lost, missed;
    int64_t both_time_sum, both_length_sum, duration_sum, distance_sum;
#define BS_SUMS_FIELD(name) struct bs_total name;
    BS_SUMS_QUANTITIES(BS_SUMS_FIELD) BS_SUMS_SQUARED(BS_SUMS_FIELD)
#undef BS_SUMS_FIELD
};

/* Adds one step; the sums must hold fewer than BS_SUMS_STEPS_MAX. */
void bs_sums_add(struct bs_sums *s, const struct bs_sample *sample);

/* Adds packed sums to a total. */
void bs_totals_add(struct bs_totals *t, const struct bs_sums *s);

/* Mean of what was added; count > 0. */
double bs_total_mean(const struct bs_total *t);

/* Sample standard deviation from exact sums, (n·Σx² − (Σx)²) / (n·(n−1)); count > 1. */
double bs_total_deviation(const struct bs_total *t);

/* Save or load: into zeroed ones, and only what steps within the hard ranges can add up to, of
 * totals 2^36 of them. */
void bs_sums_snapshot(struct bs_snapshot *s, struct bs_sums *sums);
void bs_totals_snapshot(struct bs_snapshot *s, struct bs_totals *t);
/* All but the step. */
void bs_sample_snapshot(struct bs_snapshot *s, struct bs_sample *sample);

#endif
