/* Quantiles of many values within 1 %: a DDSketch (Masson, Rim and Lee, VLDB 2019) of fixed range.
 *
 * A value v lies in bin ceil(log_g v) with g = (1 + a) / (1 - a), a = 0.01; all of a bin are told
 * as 2 g^i / (g + 1), which is within 1 % of each. Values are whole numbers of
 * BS_SKETCH_MIN..BS_SKETCH_MAX: halves of a millisecond or millimetre of all that steps are
 * measured in (hard ranges of step.h). Counts are order-free. */
#ifndef BACKSTEP_CORE_SKETCH_H
#define BACKSTEP_CORE_SKETCH_H

#include <stdint.h>

struct bs_snapshot;

#define BS_SKETCH_MIN  60
#define BS_SKETCH_MAX  6000
#define BS_SKETCH_BINS 232

/* Which bin a value lies in; shared by all sketches. */
struct bs_sketch_scale {
    uint8_t bins[BS_SKETCH_MAX + 1];
};

void bs_sketch_scale_init(struct bs_sketch_scale *scale);

/* Begins as all zeros. Only the stretch of bins that values fell in takes memory. */
struct bs_sketch {
    uint32_t *counts; /* of the bins first .. first + room - 1; saturating */
    uint8_t first, room;
    uint32_t count;
};

void bs_sketch_fini(struct bs_sketch *s);

/* A value that no memory can be had for is left out. */
void bs_sketch_add(struct bs_sketch *s, const struct bs_sketch_scale *scale, int value);

/* Forgets the values, keeps the memory. */
void bs_sketch_clear(struct bs_sketch *s);

/* The value of rank floor(percent / 100 · (count − 1)), counted from 0, within 1 %; count > 0. */
double bs_sketch_quantile(const struct bs_sketch *s, unsigned percent);

/* The values; how much memory they take is not kept. Loading: into a zeroed one. */
void bs_sketch_snapshot(struct bs_snapshot *s, struct bs_sketch *sketch);

#endif
