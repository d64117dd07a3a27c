/* What the world may ask a simulated log, beside edge/log.h. */
#ifndef BACKSTEP_SIM_LOG_PLACES_H
#define BACKSTEP_SIM_LOG_PLACES_H

#include "backstep/edge/log.h"

/* The position of a byte in one of its maps; UINT64_MAX: it is in none. */
uint64_t sim_log_position_of(const struct bs_log *log, const char *at);

/* The reader is at the head and asleep. */
bool sim_log_rests(const struct bs_log *log);

/* Everything is on the medium. */
bool sim_log_is_safe(const struct bs_log *log);

/* The last marks could not be written. */
bool sim_log_marks_are_lost(const struct bs_log *log);

uint64_t sim_log_mark(const struct bs_log *log, size_t mark);
uint64_t sim_log_max_bytes(const struct bs_log *log);

/* The process dies: its thread does nothing any more. */
void sim_log_freeze(struct bs_log *log);

#endif
