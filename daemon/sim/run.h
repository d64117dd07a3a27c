/* One run: a script from its beginning until everything has settled, and the verdict. */
#ifndef BACKSTEP_SIM_RUN_H
#define BACKSTEP_SIM_RUN_H

#include "script.h"

struct sim_result {
    bool failed;
    bool malformed;       /* the script is not understood */
    char violation[4096]; /* or what is wrong with the script */
    uint64_t records, steps, rows, events, seconds;
};

/* In the world there is, which is reset. `trace`: NULL for none. */
void sim_run(struct sim_script *script, uint64_t seed, FILE *trace, struct sim_result *ret);

#endif
