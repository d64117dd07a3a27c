/* From members' sums to the fields of a `group_window` row. Must never depend on the members'
 * order, or print a figure that nobody has. */
#include "backstep/core/group_window.h"

#include "backstep/base/check.h"
#include "backstep/core/gait_window.h"

#include <stdlib.h>

void bs_group_member_add(struct bs_group_member *m, const struct bs_sums *s,
                         enum bs_direction direction)
{
    m->steps += s->steps;
    if (direction == BS_DIRECTION_BACKWARD)
        m->backward += s->steps;
    m->step_time.count += s->step_time_count;
    m->step_time.sum += s->step_time_sum;
    m->step_length.count += s->step_length_count;
    m->step_length.sum += s->step_length_sum;
}

bool bs_group_window_is_safe(const struct bs_group_member *members, size_t count,
                             int64_t members_min)
{
    size_t unnamed = 0;
    for (size_t i = 0; i < count; i++)
        unnamed += members[i].unnamed;
    return (int64_t)count >= members_min && (unnamed == 0 || unnamed >= BS_GROUP_UNNAMED_MIN);
}

/* A member's figures; false where the member does not have it. */

static bool cadence(const struct bs_group_member *m, double *ret)
{
    if (!m->step_time.count)
        return false;
    *ret = bs_gait_cadence_spm(&m->step_time);
    return true;
}

static bool step_length(const struct bs_group_member *m, double *ret)
{
    if (!m->step_length.count)
        return false;
    *ret = bs_gait_step_length_mm(&m->step_length);
    return true;
}

static bool walk_ratio(const struct bs_group_member *m, double *ret)
{
    if (!m->step_time.count || !m->step_length.count)
        return false;
    *ret = bs_gait_walk_ratio(&m->step_length, &m->step_time);
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof values[0], by_value);
    if (count % 2)
        return values[count / 2];
    return (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void add_median(struct bs_line *line, struct bs_slice name,
                       const struct bs_group_window *row,
                       bool (*figure)(const struct bs_group_member *, double *ret))
{
    size_t count = 0;
    for (size_t i = 0; i < row->count; i++)
        count += figure(&row->members[i], &row->values[count]);
    if (count)
        bs_line_float(line, name, median(row->values, count));
}

struct bs_slice bs_group_window_write(const struct bs_group_window *row, struct bs_line *line)
{
    uint64_t steps = 0, backward = 0;
    for (size_t i = 0; i < row->count; i++) {
        steps += row->members[i].steps;
        backward += row->members[i].backward;
    }
    bs_check(steps > 0);
    bs_line_begin(line, BS_SLICE("group_window"));
    bs_line_add(line, bs_tags_head(row->tags));
    bs_line_add(line, bs_tags_tail(row->tags));
    bs_line_integer(line, BS_SLICE("members"), row->count);
    bs_line_integer(line, BS_SLICE("steps"), steps);
    bs_line_float(line, BS_SLICE("backward_pct"), 100 * (double)backward / (double)steps);
    add_median(line, BS_SLICE("cadence_spm_p50"), row, cadence);
    add_median(line, BS_SLICE("step_length_mm_p50"), row, step_length);
    add_median(line, BS_SLICE("walk_ratio_p50"), row, walk_ratio);
    if (row->retention_count)
        bs_line_float(line, BS_SLICE("retention_pct_p50"),
                      median(row->retentions_pct, row->retention_count));
    bs_line_integer(line, BS_SLICE("slips"), row->slips);
    bs_line_boolean(line, BS_SLICE("final"), row->final);
    return bs_line_end(line, row->start_ms);
}
