/* From a script that fails to the shortest that fails likewise: lines are left out, then ranges of
 * steps made shorter. */
#ifndef BACKSTEP_SIM_SHRINK_H
#define BACKSTEP_SIM_SHRINK_H

#include "script.h"

struct sim_shrunk {
    bool failed;          /* the script does fail; else nothing was done */
    char violation[4096]; /* of the shortest */
    unsigned tries;
    size_t lines_before, lines_after;
};

/* Each try is a process of its own: a run may crash, or never end. What is expected of the trace
 * does not count. Bounded: two minutes, some thousands of tries. */
void sim_shrink(struct sim_script *script, uint64_t seed, struct sim_script *ret_shortest,
                struct sim_shrunk *ret);

#endif
