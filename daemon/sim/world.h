/* The world of one run: virtual time, chance, and everything outside of the daemon. There is one at
 * a time, and one pointer to it: the edge's headers speak of clocks and files without saying whose.
 * Everything that happens is an event; nothing here knows real time. */
#ifndef BACKSTEP_SIM_WORLD_H
#define BACKSTEP_SIM_WORLD_H

#include "backstep/base/random.h"
#include "broker.h"
#include "database.h"
#include "disk.h"
#include "events.h"
#include "history.h"
#include "machine.h"
#include "process.h"
#include "said.h"
#include "settings.h"
#include "truth.h"
#include "wearables.h"

#include <stdio.h>

struct sim_world {
    uint64_t now_ns, seed;
    uint64_t fired; /* events, so far */
    struct sim_events events;
    struct bs_random chance; /* latencies, torn pages: what no happening says */
    struct sim_settings settings;
    struct sim_machine machine;
    struct sim_disk disk;
    struct sim_process process;
    struct sim_broker broker;
    struct sim_database database;
    struct sim_wearables wearables;
    struct sim_history history;
    struct sim_truth truth;
    struct sim_said said;
    FILE *trace; /* NULL: none */
    bool failed; /* a rule was broken: the run ends */
    char violation[4096];
};

extern struct sim_world *world;

struct sim_world *sim_world_new(void);
void sim_world_free(struct sim_world *w);

/* As at the beginning of a run; memory is kept for it. */
void sim_world_reset(uint64_t seed);

/* As the daemon's process sees time: a dead one has some of its own. */
uint64_t sim_now_ns(void);

/* The next event that is due at `until_ns` or before: true. Else the time is `until_ns`. With
 * UINT64_MAX there must be one. */
bool sim_step(uint64_t until_ns);

/* The calling thread of the daemon waits: the receiving one, or else the loop's. False where the
 * process is dead and nothing will come of it. */
bool sim_block(bool (*ready)(void *argument), void *argument);

/* A latency: uniform in between. */
uint64_t sim_between(uint64_t least, uint64_t most);
static inline uint64_t sim_in_ms(uint64_t ms)
{
    return world->now_ns + ms * 1000000;
}

/* A rule was broken: the first one is kept, and the run ends. */
void sim_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line with the time in front, where somebody listens. */
#define sim_trace(...)                                                                             \
    do {                                                                                           \
        if (world->trace)                                                                          \
            sim_trace_line(__VA_ARGS__);                                                           \
    } while (0)
void sim_trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
