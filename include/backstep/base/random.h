/* Reproducible random numbers (xoshiro256**, Blackman and Vigna 2018) for simulation and for
 * jitter. The core never uses it: its randomness arrives in records. */
#ifndef BACKSTEP_BASE_RANDOM_H
#define BACKSTEP_BASE_RANDOM_H

#include <stdint.h>

struct bs_random {
    uint64_t s[4];
};

void bs_random_init(struct bs_random *r, uint64_t seed);
uint64_t bs_random_next(struct bs_random *r);

/* Uniform in 0 .. below-1; `below` > 0. */
uint64_t bs_random_below(struct bs_random *r, uint64_t below);

/* Uniform in [0, 1). */
double bs_random_unit(struct bs_random *r);

/* Standard normal. */
double bs_random_normal(struct bs_random *r);

#endif
