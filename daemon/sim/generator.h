/* Random worlds: a scenario of a seed. */
#ifndef BACKSTEP_SIM_GENERATOR_H
#define BACKSTEP_SIM_GENERATOR_H

#include "script.h"

/* `least`: the wearables publish so many messages at least, however many of them that takes; 0: as
 * it comes. */
void sim_generate(struct sim_script *s, uint64_t seed, uint64_t least);

#endif
