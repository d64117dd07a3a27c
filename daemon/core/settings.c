/* The settings' table. Must hold every rule of the document: nothing is checked elsewhere. */
#include "backstep/core/settings.h"

#include "kind_parts.h"

#include <stddef.h>

#define INTEGER(s, f, lo, hi, def, u, txt)                                                         \
    {                                                                                              \
        .name = #f, .type = BS_DOCUMENT_INTEGER, .offset = offsetof(struct s, f), .min = lo,       \
        .max = hi, .fallback = def, .unit = u, .sentence = txt                                     \
    }
#define NUMBER(s, f, hi, def, u, txt)                                                              \
    {                                                                                              \
        .name = #f, .type = BS_DOCUMENT_NUMBER, .offset = offsetof(struct s, f), .max = hi,        \
        .fallback = def, .unit = u, .sentence = txt                                                \
    }

/* The interface says `> 0` and no more. The upper ends only keep arithmetic far from overflow, but
 * for hold_off_steps: as many values are kept per metric, and a member's history has 512 steps. */
static const struct bs_document_field slip_fields[] = {
    NUMBER(bs_slip_settings, drift_pct, 1000000, 8, "%",
           "deviation from the block that is not added up"),
    NUMBER(bs_slip_settings, threshold_pct, 1000000, 30, "%",
           "sum of deviations that makes a slip"),
    NUMBER(bs_slip_settings, drift_deg, 1000000, 1.5, "deg", "as drift_pct, of the trunk's pitch"),
    NUMBER(bs_slip_settings, threshold_deg, 1000000, 6, "deg",
           "as threshold_pct, of the trunk's pitch"),
    INTEGER(bs_slip_settings, hold_off_steps, 1, BS_SETTINGS_HOLD_OFF_STEPS_MAX, 20, "steps",
            "steps that must be back near the block before the next slip"),
};

static const char *const unknown_devices[] = {"ignore", "guest", NULL};

static const struct bs_document_field fields[] = {
    BS_KIND_REV,
    INTEGER(bs_settings, window_s, 1, BS_SETTINGS_WINDOW_S_MAX, 10, "s",
            "length of the tumbling windows"),
    INTEGER(bs_settings, refresh_s, 1, 60, 2, "s", "how often changed rows are written at most"),
    INTEGER(bs_settings, allowed_lateness_s, 0, 3600, 300, "s",
            "how long after its end a window still takes steps"),
    INTEGER(bs_settings, stored_lateness_s, 0, 604800, 21600, "s",
            "how long after its end a window still takes stored steps"),
    INTEGER(bs_settings, reorder_ms, 0, 10000, 2000, "ms",
            "how long a member's steps wait to be put in order"),
    INTEGER(bs_settings, max_future_ms, 0, 60000, 5000, "ms",
            "how far ahead of its arrival a step may be"),
    INTEGER(bs_settings, fuse_ms, 0, 139, 120, "ms", "two sensors' events this close are one step"),
    INTEGER(bs_settings, bout_gap_ms, 500, 30000, 3000, "ms", "a longer pause ends a bout"),
    INTEGER(bs_settings, bout_min_steps, 2, 100, 8, "steps", "shorter bouts are not written"),
    INTEGER(bs_settings, direction_confirm_steps, 1, 10, 3, "steps",
            "steps in a row that confirm a new direction"),
    INTEGER(bs_settings, carry_over_steps, 10, 200, 20, "steps", "length of the carry-over block"),
    INTEGER(bs_settings, carry_over_gap_s, 1, BS_SETTINGS_CARRY_OVER_GAP_S_MAX, 60, "s",
            "the forward bout begins at most this long after the backward one"),
    {.name = "slip",
     .type = BS_DOCUMENT_OBJECT,
     .offset = offsetof(struct bs_settings, slip),
     .table = BS_KIND_TABLE(slip_fields),
     .unit = "",
     .sentence = "when a change of gait counts as a slip"},
    {.name = "feedback",
     .type = BS_DOCUMENT_BOOLEAN,
     .offset = offsetof(struct bs_settings, feedback),
     .fallback = 1,
     .unit = "",
     .sentence = "publish slip notices to the wearables"},
    {.name = "unknown_devices",
     .type = BS_DOCUMENT_CHOICE,
     .offset = offsetof(struct bs_settings, unknown_devices),
     .fallback = BS_UNKNOWN_IGNORE,
     .choices = unknown_devices,
     .unit = "",
     .sentence =
         "whether a device that no member's document names is ignored, or a member of its own"},
    INTEGER(bs_settings, min_group_size, 3, 100, 5, "members", "smaller groups get no group rows"),
    INTEGER(bs_settings, max_members, 1, 1000000, 20000, "members",
            "bound on members, the guests of a day included"),
};

struct bs_document_table bs_settings_table(void)
{
    return (struct bs_document_table)BS_KIND_TABLE(fields);
}

void bs_settings_default(struct bs_settings *ret)
{
    *ret = (struct bs_settings){0};
    bs_document_default(bs_settings_table(), ret);
}

bool bs_settings_equal(const struct bs_settings *a, const struct bs_settings *b)
{
    return bs_document_equal(bs_settings_table(), a, b);
}
