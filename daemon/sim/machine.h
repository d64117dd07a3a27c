/* The daemon's machine as its clocks show it: kernel boots, and a wall clock that may be wrong. */
#ifndef BACKSTEP_SIM_MACHINE_H
#define BACKSTEP_SIM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* Unix time at the beginning of the world: 2026-11-24T18:00:00Z. */
#define SIM_BEGIN_WALL_MS INT64_C(1795543200000)

struct sim_machine {
    uint64_t booted_ns; /* world time of the kernel's boot; boottime began 100 s before */
    uint32_t boots;
    int64_t wall_error_ms;
    bool was_wrong; /* the wall clock, at some time of the run */
};

void sim_machine_reset(struct sim_machine *m);

/* Another boot of the kernel. */
void sim_machine_boot(struct sim_machine *m);

/* True time, as the world and the wearables have it. */
int64_t sim_wall_ms(void);

#endif
