/* From sums to the fields of a `gait_window` row. Must never print a figure without data. */
#include "backstep/core/gait_window.h"

/* Symmetry means something from this many step times a side on. */
#define SYMMETRY_STEPS_MIN 4

double bs_gait_cadence_spm(const struct bs_total *step_time)
{
    return 60000 / (bs_total_mean(step_time) / 2);
}

double bs_gait_step_length_mm(const struct bs_total *step_length)
{
    return bs_total_mean(step_length) / 2;
}

double bs_gait_walk_ratio(const struct bs_total *step_length, const struct bs_total *step_time)
{
    /* 120000 half milliseconds make a minute. */
    return bs_total_mean(step_length) / 2000 * bs_total_mean(step_time) / 120000;
}

static void add_steps(struct bs_line *line, const struct bs_totals *t)
{
    if (t->step_time.count) {
        bs_line_float(line, BS_SLICE("cadence_spm"), bs_gait_cadence_spm(&t->step_time));
        bs_line_float(line, BS_SLICE("step_time_ms"), bs_total_mean(&t->step_time) / 2);
    }
    if (t->exact_time.count > 1)
        bs_line_float(line, BS_SLICE("step_time_sd_ms"), bs_total_deviation(&t->exact_time) / 2);
    if (t->step_length.count) {
        bs_line_float(line, BS_SLICE("distance_m"), (double)t->distance_sum / 2000);
        bs_line_float(line, BS_SLICE("step_length_mm"), bs_gait_step_length_mm(&t->step_length));
    }
    if (t->step_length.count > 1)
        bs_line_float(line, BS_SLICE("step_length_sd_mm"), bs_total_deviation(&t->step_length) / 2);
    if (t->both_time_sum)
        bs_line_float(line, BS_SLICE("speed_mps"),
                      (double)t->both_length_sum / (double)t->both_time_sum);
    if (t->step_time.count && t->step_length.count)
        bs_line_float(line, BS_SLICE("walk_ratio"),
                      bs_gait_walk_ratio(&t->step_length, &t->step_time));
}

static void add_strides(struct bs_line *line, const struct bs_total *stride)
{
    if (stride->count)
        bs_line_float(line, BS_SLICE("stride_time_ms"), bs_total_mean(stride));
    if (stride->count > 1)
        bs_line_float(line, BS_SLICE("stride_time_cv_pct"),
                      100 * bs_total_deviation(stride) / bs_total_mean(stride));
}

static void add_mean(struct bs_line *line, struct bs_slice name, const struct bs_total *t,
                     double unit)
{
    if (t->count)
        bs_line_float(line, name, bs_total_mean(t) / unit);
}

static void add_posture(struct bs_line *line, const struct bs_totals *t)
{
    add_mean(line, BS_SLICE("contact_ms"), &t->contact, 1);
    add_mean(line, BS_SLICE("foot_pitch_deg"), &t->pitch, 100);
    add_mean(line, BS_SLICE("vertical_oscillation_mm"), &t->oscillation, 1);
    add_mean(line, BS_SLICE("impact_g"), &t->impact, 16);
    add_mean(line, BS_SLICE("trunk_pitch_deg"), &t->trunk, 100);
    if (t->trunk.count > 1)
        bs_line_float(line, BS_SLICE("trunk_pitch_sd_deg"), bs_total_deviation(&t->trunk) / 100);
}

static void add_symmetry(struct bs_line *line, const struct bs_totals *t,
                         enum bs_direction direction)
{
    if (direction != BS_DIRECTION_FORWARD && direction != BS_DIRECTION_BACKWARD)
        return;
    if (t->left_time.count < SYMMETRY_STEPS_MIN || t->right_time.count < SYMMETRY_STEPS_MIN)
        return;
    double left = bs_total_mean(&t->left_time), right = bs_total_mean(&t->right_time);
    bs_line_float(line, BS_SLICE("symmetry_pct"), 100 * (right - left) / (0.5 * (right + left)));
}

void bs_gait_counts_write(const struct bs_totals *totals, struct bs_line *line)
{
    bs_line_integer(line, BS_SLICE("steps"), totals->steps);
    bs_line_integer(line, BS_SLICE("missed"), totals->missed);
}

void bs_gait_figures_write(const struct bs_totals *totals, enum bs_direction direction,
                           int64_t duration_halves, struct bs_line *line)
{
    if (duration_halves >= 0)
        bs_line_float(line, BS_SLICE("duration_s"), (double)duration_halves / 2000);
    add_steps(line, totals);
    add_strides(line, &totals->stride_time);
    add_posture(line, totals);
    add_symmetry(line, totals, direction);
}

void bs_gait_tags_write(struct bs_slice measurement, const struct bs_tags *tags,
                        enum bs_direction direction, struct bs_line *line)
{
    char text[] = ",direction=?";
    text[sizeof text - 2] = bs_direction_letter(direction);
    bs_line_begin(line, measurement);
    bs_line_add(line, bs_tags_alias(tags));
    bs_line_add(line, BS_SLICE(text));
    bs_line_add(line, bs_tags_rest(tags));
}

struct bs_slice bs_gait_window_write(const struct bs_gait_window *row, struct bs_line *line)
{
    const struct bs_totals *t = row->totals;
    bs_gait_tags_write(BS_SLICE("gait_window"), row->tags, row->direction, line);
    if (row->stored)
        bs_line_add(line, BS_SLICE(",stored=1"));
    bs_gait_counts_write(t, line);
    bs_line_integer(line, BS_SLICE("lost"), t->lost);
    bs_line_integer(line, BS_SLICE("late"), t->late);
    bs_gait_figures_write(t, row->direction, t->step_time.count ? t->duration_sum : -1, line);
    bs_line_boolean(line, BS_SLICE("final"), row->final);
    return bs_line_end(line, row->start_ms);
}
