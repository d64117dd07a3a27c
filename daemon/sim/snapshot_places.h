/* What the world does to a snapshot that is being written. */
#ifndef BACKSTEP_SIM_SNAPSHOT_PLACES_H
#define BACKSTEP_SIM_SNAPSHOT_PLACES_H

#include <stddef.h>
#include <stdint.h>

/* The process dies; the one that writes for it gives up, too. */
void sim_snapshots_freeze(void);

/* Intake positions of those on the medium, the newest first; returns how many, at most `max`. */
size_t sim_snapshots_durable(uint64_t *ret_positions, size_t max);

#endif
