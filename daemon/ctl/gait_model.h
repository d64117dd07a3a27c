/* One walker: a person's own cadence, step length, pitch and trunk, how these change when walking
 * backwards, sideways or up a riser, how much of the backward gait forward walking keeps, and noise
 * with the memory that real strides have. The same seed walks the same way.
 *
 * Figures: backward against forward walking at one's own pace from motion capture (step time x0.99,
 * step length x0.77, foot pitch at contact +21 against -26 degrees); stride-time variability of
 * adults 1.1 to 1.8 %, correlation of neighbouring strides 0.2 to 0.4 and slowly falling. Sideways
 * 0.58 m/s; step-ups 22 to 24 cycles of four contacts a minute. */
#ifndef BACKSTEP_CTL_GAIT_MODEL_H
#define BACKSTEP_CTL_GAIT_MODEL_H

#include "encode.h"

#include "backstep/base/random.h"

#include <stdbool.h>
#include <stdint.h>

/* A sum of first-order processes with memories of 4, 40 and 400 steps, and white noise: the usual
 * stand-in for long-range correlation over the lengths that a class walks. */
#define BS_GAIT_MEMORIES 3

struct bs_gait_noise {
    double slow[BS_GAIT_MEMORIES];
    double slow_sd, white_sd; /* of one memory and of the white part */
};

/* What a walker does on average in one direction. */
struct bs_gait_manner {
    double step_ms, step_mm;
    double contact_share; /* of the stride time */
    double trunk_cdeg, pitch_cdeg, vo_mm, impact_g16;
};

/* The metrics in which a person slips back. */
enum bs_shift_metric {
    BS_SHIFT_STEP_LENGTH,
    BS_SHIFT_STEP_TIME,
    BS_SHIFT_OSCILLATION,
    BS_SHIFT_TRUNK_PITCH,
    BS_SHIFT_METRICS
};

/* As the `metric` tag of a slip has them. */
extern const char *const bs_shift_metric_names[BS_SHIFT_METRICS];

struct bs_gait_walker {
    struct bs_random random;
    struct bs_random posture; /* of trunk and oscillation alone: gait is the same without them */
    struct bs_gait_manner forward, backward;
    struct bs_gait_noise time, length, oscillation; /* relative */
    struct bs_gait_noise trunk;                     /* 1/100 degree */
    double retention; /* 0..1: how much of the backward gait is kept behind a backward phase */
    bool has_imprint; /* has walked backwards */
    double shift[BS_SHIFT_METRICS]; /* percent; trunk pitch: degrees */
    double foot_share;              /* how much longer a right step is than a left one */
    uint8_t foot;                   /* of the next step, enum bs_foot */
    uint8_t direction;              /* of the last step; UNKNOWN before the first */
    double last_step_ms;
};

/* `pace_spm`: the mean cadence of the class; this walker's own lies near it. Retention is 0. */
void bs_gait_walker_init(struct bs_gait_walker *w, uint64_t seed, double pace_spm);

/* A lasting shift of one metric, from the next step until the direction changes: of step length,
 * step time and oscillation in percent of what they are, of trunk pitch in degrees. */
void bs_gait_walker_shift(struct bs_gait_walker *w, enum bs_shift_metric metric, double shift);

/* Forward walking as it is now: the habit, or where the walker has walked backwards that much of it
 * replaced by the backward gait as `retention` says, in step length and in walk ratio alike. */
struct bs_gait_manner bs_gait_walker_forward(const struct bs_gait_walker *w);

/* The next step in any known direction: foot, direction and all fields but stride_mm; time_ms and
 * seq are left alone. Every value lies within its hard range. */
void bs_gait_walker_step(struct bs_gait_walker *w, enum bs_direction direction,
                         struct bs_event *ret);

/* The next value: mean 0. Of consecutive pairs' means (strides) the standard deviation is `sd`
 * (relative noise: their coefficient of variation) and the correlation of neighbours `lag1`
 * (0.1..0.6). */
void bs_gait_noise_init(struct bs_gait_noise *n, struct bs_random *r, double sd, double lag1);
double bs_gait_noise_next(struct bs_gait_noise *n, struct bs_random *r);

#endif
