/* From a bout to the fields of its rows. Must never print a figure without data. */
#include "backstep/core/bout_rows.h"

#include "backstep/base/check.h"
#include "backstep/core/gait_window.h"

struct quantile {
    struct bs_slice name;
    enum bs_bout_sketch sketch;
    unsigned percent;
};

#define QUANTILES(text, unit, sketch)                                                              \
    {BS_SLICE(text "_p05" unit), sketch, 5}, {BS_SLICE(text "_p50" unit), sketch, 50},             \
    {                                                                                              \
        BS_SLICE(text "_p95" unit), sketch, 95                                                     \
    }

static void add_quantiles(struct bs_line *line, const struct bs_sketch *sketches)
{
    const struct quantile quantiles[] = {QUANTILES("step_time", "_ms", BS_BOUT_STEP_TIME),
                                         QUANTILES("step_length", "_mm", BS_BOUT_STEP_LENGTH),
                                         QUANTILES("stride_time", "_ms", BS_BOUT_STRIDE_TIME),
                                         QUANTILES("contact", "_ms", BS_BOUT_CONTACT)};
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        const struct bs_sketch *s = &sketches[quantiles[i].sketch];
        if (s->count)
            bs_line_float(line, quantiles[i].name, bs_sketch_quantile(s, quantiles[i].percent) / 2);
    }
}

struct bs_slice bs_gait_bout_write(const struct bs_gait_bout *row, struct bs_line *line)
{
    bs_gait_tags_write(BS_SLICE("gait_bout"), row->tags, row->direction, line);
    bs_gait_counts_write(row->totals, line);
    bs_line_integer(line, BS_SLICE("strays"), row->strays);
    bs_gait_figures_write(row->totals, row->direction, row->duration_halves, line);
    add_quantiles(line, row->sketches);
    bs_line_boolean(line, BS_SLICE("open"), row->open);
    return bs_line_end(line, row->first_ms);
}

static void add_retention(struct bs_line *line, const struct bs_carry_figures *f)
{
    double retention;
    if (f->has_length)
        bs_line_float(line, BS_SLICE("step_length_retention_pct"), f->length_pct);
    if (f->has_ratio)
        bs_line_float(line, BS_SLICE("walk_ratio_retention_pct"), f->ratio_pct);
    if (bs_carry_retention(f, &retention))
        bs_line_float(line, BS_SLICE("retention_pct"), retention);
    if (f->has_trunk)
        bs_line_float(line, BS_SLICE("trunk_pitch_delta_deg"), f->trunk_deg);
}

struct bs_slice bs_carry_over_write(const struct bs_carry_over_row *row, struct bs_line *line)
{
    bs_line_begin(line, BS_SLICE("carry_over"));
    bs_line_add(line, bs_tags_alias(row->tags));
    bs_line_add(line, bs_tags_rest(row->tags));
    bs_line_integer(line, BS_SLICE("back_steps"), row->back_steps);
    bs_line_integer(line, BS_SLICE("block_steps"), row->block_steps);
    add_retention(line, row->figures);
    bs_line_integer(line, BS_SLICE("slips"), row->slips);
    if (row->first_slip_step)
        bs_line_integer(line, BS_SLICE("steps_to_first_slip"),
                        row->first_slip_step - row->block_steps);
    return bs_line_end(line, row->first_ms);
}

const char *bs_slip_metric_name(enum bs_slip_metric metric)
{
    static const char *const names[BS_SLIP_METRICS] = {
        [BS_SLIP_STEP_LENGTH] = "step_length",
        [BS_SLIP_STEP_TIME] = "step_time",
        [BS_SLIP_VERTICAL_OSCILLATION] = "vertical_oscillation",
        [BS_SLIP_TRUNK_PITCH] = "trunk_pitch",
    };
    bs_check((unsigned)metric < BS_SLIP_METRICS);
    return names[metric];
}

/* Tags in the order of their names: `metric` and `sign` come among the others. */
struct bs_slice bs_slip_write(const struct bs_slip_row *row, struct bs_line *line)
{
    bs_line_begin(line, BS_SLICE("slip"));
    bs_line_add(line, bs_tags_alias(row->tags));
    bs_line_add(line, bs_tags_head(row->tags));
    bs_line_add(line, bs_tags_member_tag(row->tags));
    bs_line_add(line, BS_SLICE(",metric="));
    bs_line_add(line, bs_slice_text(bs_slip_metric_name(row->metric)));
    bs_line_add(line, bs_tags_tail(row->tags));
    bs_line_add(line, row->up ? BS_SLICE(",sign=up") : BS_SLICE(",sign=down"));
    bs_line_float(line, BS_SLICE("deviation"), row->deviation);
    bs_line_integer(line, BS_SLICE("step"), row->step);
    return bs_line_end(line, row->time_ms);
}
