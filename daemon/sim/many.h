/* Many seeds, in several processes. */
#ifndef BACKSTEP_SIM_MANY_H
#define BACKSTEP_SIM_MANY_H

#include "run.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_JOBS_MAX 64

struct sim_many {
    uint64_t from, seeds; /* the first, and how many */
    uint64_t least;       /* messages of each, at least */
    unsigned jobs;
    unsigned seconds; /* no new one is begun after so many; 0: until all are done */
    bool stop;        /* begin none after one that failed */
    bool trace;       /* what happens, on stdout */
    bool quiet;       /* nothing of those that held */
    const char *keep; /* the folder for shrunk ones that failed; NULL: none */
};

/* True where every one held. Prints each that did not, and the sum: seeds, records, steps, time.
 * A line of progress on stderr: on a terminal the same one, else one a minute. */
bool sim_many_run(const struct sim_many *m);

/* One of them, and its line. */
bool sim_many_run_one(const struct sim_many *m, uint64_t seed);

/* The line of a run that held. */
void sim_many_report(const char *what, const struct sim_result *result);

#endif
