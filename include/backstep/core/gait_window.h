/* The `gait_window` row: figures over the steps of one window, one member, one direction. */
#ifndef BACKSTEP_CORE_GAIT_WINDOW_H
#define BACKSTEP_CORE_GAIT_WINDOW_H

#include "backstep/core/line.h"
#include "backstep/core/sums.h"
#include "backstep/core/tags.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_gait_window {
    const struct bs_tags *tags;
    enum bs_direction direction;
    bool stored, final;
    int64_t start_ms;
    const struct bs_totals *totals;
};

/* Figures of totals in halves of a millisecond and of a millimetre, each of at least one step:
 *
 *   cadence_spm = 60000 / mean step time [ms]        walk_ratio = mean length [m] / cadence
 */
double bs_gait_cadence_spm(const struct bs_total *step_time);
double bs_gait_step_length_mm(const struct bs_total *step_length);
double bs_gait_walk_ratio(const struct bs_total *step_length, const struct bs_total *step_time);

/* What `gait_window` and `gait_bout` rows have in common, as fields of the line: counts, and
 * figures, of which one without data is left out. `duration_halves`: ½ ms, negative: unknown. */
void bs_gait_counts_write(const struct bs_totals *totals, struct bs_line *line);
void bs_gait_figures_write(const struct bs_totals *totals, enum bs_direction direction,
                           int64_t duration_halves, struct bs_line *line);

/* `measurement` and the tags of both; a further tag may follow. */
void bs_gait_tags_write(struct bs_slice measurement, const struct bs_tags *tags,
                        enum bs_direction direction, struct bs_line *line);

/* The row as a line; a field without data is left out. The slice holds until `line` is used again.
 *
 *   speed_mps   = Σ length / Σ time over steps that have both
 *   symmetry_pct = 100·(R−L)/(0.5·(R+L)) of mean step time by foot, F and B only, ≥ 4 a side */
struct bs_slice bs_gait_window_write(const struct bs_gait_window *row, struct bs_line *line);

#endif
