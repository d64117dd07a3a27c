/* From a session's sums to the fields of a `session_summary` row. Must never print a figure without
 * data. */
#include "backstep/core/session_summary.h"

#include "backstep/base/check.h"

#include <math.h>

#define RETENTION_UNITS 1e9 /* a percent */

void bs_summary_sums_add(struct bs_summary_sums *s, const struct bs_sample *sample)
{
    s->steps[sample->step->direction]++;
    s->duration_sum += (int64_t)sample->step_time_halves << sample->missed;
    s->distance_sum += (int64_t)sample->step_length_halves << sample->missed;
}

static int64_t retention_units(double pct)
{
    bs_check(pct >= 0 && pct <= 100);
    return llround(pct * RETENTION_UNITS);
}

void bs_summary_sums_add_retention(struct bs_summary_sums *s, double pct)
{
    s->retention_count++;
    s->retention_sum += retention_units(pct);
}

void bs_summary_sums_remove_retention(struct bs_summary_sums *s, double pct)
{
    bs_check(s->retention_count > 0);
    s->retention_count--;
    s->retention_sum -= retention_units(pct);
}

static void add_steps(struct bs_line *line, const uint64_t *steps)
{
    uint64_t all = 0;
    for (int d = 0; d < BS_DIRECTION_COUNT; d++)
        all += steps[d];
    bs_line_integer(line, BS_SLICE("steps"), all);
    bs_line_integer(line, BS_SLICE("backward_steps"), steps[BS_DIRECTION_BACKWARD]);
    bs_line_integer(line, BS_SLICE("forward_steps"), steps[BS_DIRECTION_FORWARD]);
    bs_line_integer(line, BS_SLICE("side_steps"),
                    steps[BS_DIRECTION_LEFT] + steps[BS_DIRECTION_RIGHT]);
    bs_line_integer(line, BS_SLICE("up_steps"), steps[BS_DIRECTION_UP]);
}

static void add_figures(struct bs_line *line, const struct bs_summary_sums *s)
{
    if (s->distance_sum)
        bs_line_float(line, BS_SLICE("distance_m"), (double)s->distance_sum / 2000);
    if (s->duration_sum)
        bs_line_float(line, BS_SLICE("duration_s"), (double)s->duration_sum / 2000);
    if (s->retention_count)
        bs_line_float(line, BS_SLICE("retention_pct"),
                      (double)s->retention_sum / (double)s->retention_count / RETENTION_UNITS);
}

struct bs_slice bs_session_summary_write(const struct bs_session_summary *row, struct bs_line *line)
{
    bs_line_begin(line, BS_SLICE("session_summary"));
    bs_line_add(line, row->tags);
    add_steps(line, row->sums->steps);
#define ADD_COUNT(name, text)                                                                      \
    bs_line_integer(line, BS_SLICE(text), row->sums->counts[BS_SUMMARY_##name]);
    BS_SUMMARY_COUNTS(ADD_COUNT)
#undef ADD_COUNT
    add_figures(line, row->sums);
    return bs_line_end(line, row->start_ms);
}
