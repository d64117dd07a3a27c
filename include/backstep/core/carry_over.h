/* How much of the backward feeling is in the forward gait that follows: a member's habit, the last
 * backward bout, and the block that is compared with both.
 *
 *   habit   forward steps of this visit before its first backward bout (a visit ends after 10 min
 *           without steps), where at least 15 have the metric; else the habit of an earlier visit
 *   back    the backward bout       block   the first steps of the forward bout after it
 *
 *   retention(x) = clip(100 · (x_habit − x_block) / (x_habit − x_back), 0, 100)
 *
 * on exact medians over at most the last 512 steps of habit and of back; left out where
 * |x_habit − x_back| < 5 % of |x_habit|, or fewer than half of the block's steps, or 5, have x.
 * Metrics are step length, walk ratio (a step's length [m] · its time [ms] / 60000), and for the
 * mere difference trunk pitch. */
#ifndef BACKSTEP_CORE_CARRY_OVER_H
#define BACKSTEP_CORE_CARRY_OVER_H

#include "backstep/core/passed.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

#define BS_CARRY_VALUES_MAX 512u
#define BS_VISIT_GAP_MS     (10 * INT64_C(60000))

/* What of a step is compared. */
struct bs_carry_value {
    uint16_t length_halves, time_halves; /* ½ mm, ½ ms; 0: unknown */
    int16_t trunk_cdeg, vo_mm;           /* BS_CARRY_UNKNOWN */
};
#define BS_CARRY_UNKNOWN INT16_MIN

struct bs_carry_value bs_carry_value_of(const struct bs_sample *sample);

/* A median, and over how many values; 0: there is none. */
struct bs_middle {
    double value;
    uint32_t count;
};

enum bs_carry_metric { BS_CARRY_LENGTH, BS_CARRY_RATIO, BS_CARRY_TRUNK, BS_CARRY_METRICS };

/* The last values of a bout, or of several; begins as all zeros. */
struct bs_carry_series {
    uint16_t *values; /* of each step length and time, and trunk pitch where there are three */
    uint16_t count, room, next, columns;
};

/* The last backward bout that was long enough to be written. */
struct bs_carry_back {
    uint32_t steps; /* 0: there is none */
    bool has_partner;
    int64_t last_ms;
    struct bs_middle middles[BS_CARRY_METRICS];
};

/* A member's; begins as all zeros. */
struct bs_carry {
    struct bs_middle kept[2];      /* the habit of earlier visits: length, ratio */
    struct bs_middle habit[2];     /* this visit's, once it is told */
    bool habit_told;               /* this visit has had a backward bout */
    struct bs_carry_series walked; /* forward, until it is told */
    struct bs_carry_series backed; /* of the running backward bout */
    struct bs_carry_back back;
};

void bs_carry_fini(struct bs_carry *c);

/* A new visit begins. */
void bs_carry_begin_visit(struct bs_carry *c);

/* A settled step of a forward bout, or of a backward one. A value that no memory can be had for is
 * left out. */
void bs_carry_take_forward(struct bs_carry *c, const struct bs_carry_value *value);
void bs_carry_take_backward(struct bs_carry *c, const struct bs_carry_value *value);

/* The running backward bout is long enough to be written, or nobody walks any more: what was walked
 * before is the habit. */
void bs_carry_tell_habit(struct bs_carry *c);

/* A backward bout ended, after so many steps; `written`: it was long enough, and is `back` now. */
void bs_carry_end_backward(struct bs_carry *c, bool written, uint32_t steps, int64_t last_ms);

/* A forward bout's first steps. */
struct bs_carry_block {
    struct bs_carry_value *values;
    uint16_t count, room;
};

/* False where memory is out. */
bool bs_carry_block_init(struct bs_carry_block *b, uint16_t steps);
void bs_carry_block_fini(struct bs_carry_block *b);

enum bs_slip_metric {
    BS_SLIP_STEP_LENGTH,
    BS_SLIP_STEP_TIME,
    BS_SLIP_VERTICAL_OSCILLATION,
    BS_SLIP_TRUNK_PITCH,
    BS_SLIP_METRICS
};

/* The value in its smallest unit (½ mm, ½ ms, mm, 1/100 °); false where the step has none. */
bool bs_carry_value_get(const struct bs_carry_value *value, enum bs_slip_metric metric,
                        int16_t *ret);
struct bs_middle bs_carry_block_middle(const struct bs_carry_block *b, enum bs_slip_metric metric);

/* True where so many of the block's steps have a metric that it says something. */
bool bs_carry_block_tells(const struct bs_carry_block *b, uint32_t count);

struct bs_carry_figures {
    bool has_length, has_ratio, has_trunk;
    double length_pct, ratio_pct; /* retention */
    double trunk_deg;             /* block − back */
};

void bs_carry_compare(const struct bs_carry *c, const struct bs_carry_block *b,
                      struct bs_carry_figures *ret);

/* Mean of the retentions that are there; false where none is. */
bool bs_carry_retention(const struct bs_carry_figures *f, double *ret_pct);

/* Loading: into zeroed ones. */
void bs_carry_snapshot(struct bs_snapshot *s, struct bs_carry *c);
void bs_carry_block_snapshot(struct bs_snapshot *s, struct bs_carry_block *b);
void bs_carry_figures_snapshot(struct bs_snapshot *s, struct bs_carry_figures *f);

#endif
