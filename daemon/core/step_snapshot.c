/* A step in a snapshot: what is known of it. Must never let a value in that its range excludes. */
#include "backstep/core/snapshot.h"
#include "backstep/core/step.h"

#define ALL_FIELDS ((1u << BS_FIELD_COUNT) - 1)

void bs_step_snapshot(struct bs_snapshot *s, struct bs_step *step)
{
    step->time_ms = bs_snapshot_moment(s, step->time_ms);
    step->seq = bs_snapshot_u32(s, step->seq, UINT32_MAX);
    step->foot = bs_snapshot_u8(s, step->foot, BS_FOOT_RIGHT);
    step->direction = bs_snapshot_u8(s, step->direction, BS_DIRECTION_COUNT - 1);
    step->known = bs_snapshot_u16(s, step->known, ALL_FIELDS);
    for (unsigned f = 0; f < BS_FIELD_COUNT; f++) {
        const struct bs_field_range *range = &bs_field_ranges[f];
        if (bs_step_has(step, f))
            step->value[f] =
                (int16_t)bs_snapshot_between(s, step->value[f], range->min, range->max);
    }
}
