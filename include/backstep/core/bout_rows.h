/* The rows of bouts: `gait_bout`, `carry_over`, `slip`. A field without data is left out; slices
 * hold until `line` is used again. */
#ifndef BACKSTEP_CORE_BOUT_ROWS_H
#define BACKSTEP_CORE_BOUT_ROWS_H

#include "backstep/core/carry_over.h"
#include "backstep/core/line.h"
#include "backstep/core/sketch.h"
#include "backstep/core/sums.h"
#include "backstep/core/tags.h"

#include <stdbool.h>
#include <stdint.h>

/* Sketches of a bout: values in halves of a millisecond or millimetre. */
enum bs_bout_sketch {
    BS_BOUT_STEP_TIME,
    BS_BOUT_STEP_LENGTH,
    BS_BOUT_STRIDE_TIME,
    BS_BOUT_CONTACT,
    BS_BOUT_SKETCHES
};

struct bs_gait_bout {
    const struct bs_tags *tags;
    enum bs_direction direction;
    bool open;
    int64_t first_ms;
    int64_t duration_halves; /* last step − first step, and the first's step time */
    uint32_t strays;
    const struct bs_totals *totals;
    const struct bs_sketch *sketches; /* BS_BOUT_SKETCHES of them */
};

/* The figures of a window (gait_window.h) over the bout, strays, and of each sketch the quantiles
 * p05, p50 and p95 (sketch.h). */
struct bs_slice bs_gait_bout_write(const struct bs_gait_bout *row, struct bs_line *line);

struct bs_carry_over_row {
    const struct bs_tags *tags;
    int64_t first_ms; /* of the forward bout */
    uint32_t back_steps, block_steps, slips;
    uint32_t first_slip_step; /* in the bout, from 1; 0: none */
    const struct bs_carry_figures *figures;
};

struct bs_slice bs_carry_over_write(const struct bs_carry_over_row *row, struct bs_line *line);

struct bs_slip_row {
    const struct bs_tags *tags;
    enum bs_slip_metric metric;
    bool up;
    double deviation;
    uint32_t step; /* in the bout, from 1 */
    int64_t time_ms;
};

struct bs_slice bs_slip_write(const struct bs_slip_row *row, struct bs_line *line);

/* "step_length" … */
const char *bs_slip_metric_name(enum bs_slip_metric metric);

#endif
