/* The `session_summary` row: what one member did in one session, all told. */
#ifndef BACKSTEP_CORE_SESSION_SUMMARY_H
#define BACKSTEP_CORE_SESSION_SUMMARY_H

#include "backstep/core/line.h"
#include "backstep/core/sums.h"

#include <stdint.h>

/* What else of a session is counted, and the field that says so. */
#define BS_SUMMARY_COUNTS(X)                                                                       \
    X(BOUTS, "bouts")                                                                              \
    X(CARRY_OVERS, "carry_overs")                                                                  \
    X(SLIPS, "slips")

enum bs_summary_count {
#define BS_SUMMARY_COUNT_VALUE(name, text) BS_SUMMARY_##name,
    BS_SUMMARY_COUNTS(BS_SUMMARY_COUNT_VALUE)
#undef BS_SUMMARY_COUNT_VALUE
        BS_SUMMARY_COUNT_COUNT
};

/* Integers only: whatever came in whatever order, and was corrected how often, gives the same
 * numbers. No session is long enough to fill 64 bits. */
struct bs_summary_sums {
    uint64_t steps[BS_DIRECTION_COUNT];
    uint64_t counts[BS_SUMMARY_COUNT_COUNT];
    int64_t duration_sum, distance_sum; /* ½ ms, ½ mm, twice where a step was missed */
    uint32_t retention_count;
    uint32_t retention_claims; /* while a snapshot is loaded: bs_summary_claim_retention */
    int64_t retention_sum;     /* 10⁻⁹ % */
};

void bs_summary_sums_add(struct bs_summary_sums *s, const struct bs_sample *sample);

/* The retention of one carry-over, 0..100 %. A value is corrected by removing what was added. */
void bs_summary_sums_add_retention(struct bs_summary_sums *s, double pct);
void bs_summary_sums_remove_retention(struct bs_summary_sums *s, double pct);

struct bs_session_summary {
    struct bs_slice tags; /* as they stand in the line */
    int64_t start_ms;     /* of the session */
    const struct bs_summary_sums *sums;
};

/* The row as a line. Counts are always there; a figure without data is left out. The slice holds
 * until `line` is used again.
 *
 *   side_steps    = steps with direction L or R
 *   distance_m, duration_s: as in a `gait_window` row, over the session
 *   retention_pct = mean over the carry-overs that have one */
struct bs_slice bs_session_summary_write(const struct bs_session_summary *row,
                                         struct bs_line *line);

#endif
