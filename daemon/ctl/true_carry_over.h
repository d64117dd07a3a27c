/* What one member carried over, bout by bout, by the definition of carry_over and the default
 * settings: exact medians of what arrived of the generated steps. */
#ifndef BACKSTEP_CTL_TRUE_CARRY_OVER_H
#define BACKSTEP_CTL_TRUE_CARRY_OVER_H

#include "true_bouts.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_MEDIAN_STEPS_MAX 512

enum bs_carried { BS_CARRIED_STEP_LENGTH, BS_CARRIED_WALK_RATIO, BS_CARRIED_METRICS };

/* The last steps' values of one metric, in a unit of its own. */
struct bs_carried_values {
    int64_t at[BS_MEDIAN_STEPS_MAX]; /* a ring; negative: the step does not have the metric */
    uint64_t steps;                  /* all that came */
};

struct bs_true_carry_over {
    int64_t start_ms; /* of the forward bout */
    uint32_t back_steps, block_steps;
    bool has_retention[BS_CARRIED_METRICS];
    double retention_pct[BS_CARRIED_METRICS];
};

/* One member's; begin with all zero. */
struct bs_carry_over_finder {
    struct bs_carried_values habit[BS_CARRIED_METRICS], back[BS_CARRIED_METRICS];
    bool has_imprint; /* a backward bout was long enough to be written */
    bool compared;    /* the last of them has its forward bout */
    uint32_t back_steps;
    int64_t back_end_ms;
};

/* The member's next bout; true where it carries over from a backward one. */
bool bs_carry_over_take(struct bs_carry_over_finder *f, const struct bs_traces *t,
                        const struct bs_member_traces *m, const struct bs_true_bout *bout,
                        struct bs_true_carry_over *ret);

#endif
