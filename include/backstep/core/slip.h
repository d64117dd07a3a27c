/* When a walker's gait slips off the reference: a two-sided CUSUM in percent of the person's own
 * reference (for trunk pitch in degrees), over one metric.
 *
 *   d  = 100 · (x − r) / r, limited to ±2/3 of `threshold`: one step alone is never a slip
 *   S⁺ = max(0, S⁺ + d − drift)      S⁻ = max(0, S⁻ − d − drift)      slip: one above threshold
 *
 * Textbook CUSUMs count in standard deviations, which long-range correlated strides make useless:
 * they alarm every 40 strides. A slip is an onset: after it the metric rests until as many values
 * as `hold_off_steps` have come since and the median of the last so many of them lies within
 * `drift` of r. The value that ends the rest is not added; both sums begin at 0 with the next. */
#ifndef BACKSTEP_CORE_SLIP_H
#define BACKSTEP_CORE_SLIP_H

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

struct bs_slip_rule {
    bool relative; /* d in percent of r; else in hundredths of the value's unit */
    double drift, threshold;
    uint16_t hold_off_steps;
};

/* One side's sum, and what went into it since it last was 0. */
struct bs_slip_sum {
    double sum, deviations;
    uint32_t count;
};

struct bs_slip_watch {
    double reference; /* r, in the unit of the values; not 0 where the rule is relative */
    struct bs_slip_sum up, down;
    int16_t *rest; /* the last values while it rests, a ring; NULL: it does not */
    uint16_t rest_room, rest_count, rest_next;
};

enum bs_slip_sign { BS_SLIP_NONE, BS_SLIP_UP, BS_SLIP_DOWN };

void bs_slip_watch_init(struct bs_slip_watch *w, double reference);
void bs_slip_watch_fini(struct bs_slip_watch *w);

/* The next value. *ret_deviation, only of a slip: the mean of the limited d since its sum last was
 * 0. hold_off_steps is taken as it is at the slip, for the rest after it. Where no memory for a
 * rest is to be had there is none. */
enum bs_slip_sign bs_slip_take(struct bs_slip_watch *w, const struct bs_slip_rule *rule,
                               int16_t value, double *ret_deviation);

/* `relative` as in the rule. Loading: into a zeroed one. */
void bs_slip_watch_snapshot(struct bs_snapshot *s, struct bs_slip_watch *w, bool relative);

#endif
