/* Random worlds: a scenario of a seed. */
#ifndef BACKSTEP_SIM_GENERATOR_H
#define BACKSTEP_SIM_GENERATOR_H

#include "script.h"

void sim_generate(struct sim_script *s, uint64_t seed);

#endif
