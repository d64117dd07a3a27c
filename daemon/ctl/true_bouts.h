/* The bouts in what arrived of one member's contacts, by the definition of gait_bout and the
 * default settings. For the truth: it knows which contact a reading tells of, so it fuses nothing
 * and waits for nothing. */
#ifndef BACKSTEP_CTL_TRUE_BOUTS_H
#define BACKSTEP_CTL_TRUE_BOUTS_H

#include "traces.h"

#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_BOUT_MIN_STEPS 8

struct bs_bout_step {
    uint32_t contact;
    bool follows; /* the step before it, of those that arrived, is of the same bout */
};

struct bs_true_bout {
    enum bs_direction direction;
    const struct bs_bout_step *steps; /* settled ones; as long as the call */
    uint32_t count;
};

/* Calls take for every bout in order, also for those that are too short to be written. */
enum bs_status bs_true_bouts(const struct bs_traces *t, const struct bs_member_traces *m,
                             void (*take)(void *context, const struct bs_true_bout *bout),
                             void *context);

#endif
