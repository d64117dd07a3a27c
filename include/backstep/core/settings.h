/* The settings document, config/settings/site: what an operator may change while a class is on.
 * One table says name, range, default, unit and sentence; parser, JSON Schema and documentation
 * come of it or are checked against it. */
#ifndef BACKSTEP_CORE_SETTINGS_H
#define BACKSTEP_CORE_SETTINGS_H

#include "backstep/core/document.h"

#include <stdbool.h>
#include <stdint.h>

enum bs_unknown_devices { BS_UNKNOWN_IGNORE, BS_UNKNOWN_GUEST };

/* When a change of gait counts as a slip. */
struct bs_slip_settings {
    double drift_pct, threshold_pct, drift_deg, threshold_deg;
    int64_t hold_off_steps;
};

struct bs_settings {
    int64_t window_s, refresh_s;
    int64_t allowed_lateness_s, stored_lateness_s;
    int64_t reorder_ms, max_future_ms, fuse_ms;
    int64_t bout_gap_ms, bout_min_steps, direction_confirm_steps;
    int64_t carry_over_steps, carry_over_gap_s;
    struct bs_slip_settings slip;
    bool feedback;
    int unknown_devices; /* enum bs_unknown_devices */
    int64_t min_group_size, max_members;
};

/* The most a settings document can ask for: what sizes memory may rely on these. */
#define BS_SETTINGS_WINDOW_S_MAX         300
#define BS_SETTINGS_HOLD_OFF_STEPS_MAX   512
#define BS_SETTINGS_CARRY_OVER_GAP_S_MAX 600

struct bs_document_table bs_settings_table(void);

void bs_settings_default(struct bs_settings *ret);

bool bs_settings_equal(const struct bs_settings *a, const struct bs_settings *b);

#endif
