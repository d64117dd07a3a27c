/* One walker: a person's own cadence, step length, pitch and trunk, how these change when walking
 * backwards, sideways or up a riser, and noise with the memory that real strides have. The same
 * seed walks the same way.
 *
 * Figures: backward against forward walking at one's own pace from motion capture (step time x0.99,
 * step length x0.77, foot pitch at contact +21 against -26 degrees); stride-time variability of
 * adults 1.1 to 1.8 %, correlation of neighbouring strides 0.2 to 0.4 and slowly falling. Sideways
 * 0.58 m/s; step-ups 22 to 24 cycles of four contacts a minute. */
#ifndef BACKSTEP_CTL_GAIT_MODEL_H
#define BACKSTEP_CTL_GAIT_MODEL_H

#include "encode.h"

#include "backstep/base/random.h"

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

struct bs_gait_walker {
    struct bs_random random;
    struct bs_gait_manner forward, backward;
    struct bs_gait_noise time, length;
    double foot_share; /* how much longer a right step is than a left one */
    uint8_t foot;      /* of the next step, enum bs_foot */
    uint8_t direction; /* of the last step; UNKNOWN before the first */
    double last_step_ms;
};

/* `pace_spm`: the mean cadence of the class; this walker's own lies near it. */
void bs_gait_walker_init(struct bs_gait_walker *w, uint64_t seed, double pace_spm);

/* The next step in any known direction: foot, direction and all fields but stride_mm; time_ms and
 * seq are left alone. Every value lies within its hard range. */
void bs_gait_walker_step(struct bs_gait_walker *w, enum bs_direction direction,
                         struct bs_event *ret);

/* The next value, relative: mean 0. Of consecutive pairs' means (strides) the standard deviation is
 * `cv` and the correlation of neighbours `lag1` (0.1..0.6). */
void bs_gait_noise_init(struct bs_gait_noise *n, struct bs_random *r, double cv, double lag1);
double bs_gait_noise_next(struct bs_gait_noise *n, struct bs_random *r);

#endif
