/* How one person walks. Must never read a clock: the same seed walks the same way everywhere. */
#include "gait_model.h"

#include "backstep/base/hash.h"

#include <math.h>
#include <string.h>

static const double memory_steps[BS_GAIT_MEMORIES] = {4, 40, 400};

/* The first forward step after a backward phase takes 27 % longer (median of real turns). */
#define TURN_FACTOR      1.27

#define BACK_STEP_TIME   0.99
#define BACK_STEP_LENGTH 0.77

const char *const bs_shift_metric_names[BS_SHIFT_METRICS] = {
    [BS_SHIFT_STEP_LENGTH] = "step_length",
    [BS_SHIFT_STEP_TIME] = "step_time",
    [BS_SHIFT_OSCILLATION] = "vertical_oscillation",
    [BS_SHIFT_TRUNK_PITCH] = "trunk_pitch",
};

struct range {
    double min, max;
};

static const struct range ranges[BS_FIELD_COUNT] = {
#define FIELD_RANGE(name, text, min, max) {min, max},
    BS_FIELDS(FIELD_RANGE)
#undef FIELD_RANGE
};

static double persistence(int memory)
{
    return exp(-1 / memory_steps[memory]);
}

void bs_gait_noise_init(struct bs_gait_noise *n, struct bs_random *r, double sd, double lag1)
{
    /* A stride is the mean of two steps. With variance 1 a process of persistence q gives strides
     * the variance (1+q)/2 and neighbours the covariance q(1+q)^2/4; white noise gives 1/2 and 0.
     * The slow parts share one variance s, the white one w completes it:
     *   covariance = lag1 * sd^2 = s * sum q(1+q)^2/4      sd^2 = s * sum (1+q)/2 + w/2 */
    double variance = 0, covariance = 0;
    for (int i = 0; i < BS_GAIT_MEMORIES; i++) {
        double q = persistence(i);
        variance += (1 + q) / 2;
        covariance += q * (1 + q) * (1 + q) / 4;
    }
    double s = lag1 * sd * sd / covariance;
    n->slow_sd = sqrt(s);
    n->white_sd = sqrt(2 * (sd * sd - s * variance));
    for (int i = 0; i < BS_GAIT_MEMORIES; i++)
        n->slow[i] = n->slow_sd * bs_random_normal(r);
}

double bs_gait_noise_next(struct bs_gait_noise *n, struct bs_random *r)
{
    double sum = n->white_sd * bs_random_normal(r);
    for (int i = 0; i < BS_GAIT_MEMORIES; i++) {
        double q = persistence(i);
        n->slow[i] = q * n->slow[i] + sqrt(1 - q * q) * n->slow_sd * bs_random_normal(r);
        sum += n->slow[i];
    }
    return sum;
}

/* Normal, but never further than two and a half standard deviations: nobody walks at random. */
static double about(struct bs_random *r, double mean, double sd)
{
    double z = bs_random_normal(r);
    return mean + sd * fmax(-2.5, fmin(2.5, z));
}

static double between(struct bs_random *r, double low, double high)
{
    return low + (high - low) * bs_random_unit(r);
}

static void draw_manners(struct bs_gait_walker *w, double pace_spm)
{
    struct bs_random *r = &w->random;
    w->forward = (struct bs_gait_manner){
        .step_ms = 60000 / about(r, pace_spm, 0.05 * pace_spm),
        .step_mm = about(r, 650, 50),
        .contact_share = about(r, 0.60, 0.015),
        .trunk_cdeg = about(r, 450, 200),
        .pitch_cdeg = about(r, 2100, 250),
        .vo_mm = about(r, 41, 6),
        .impact_g16 = about(r, 44, 6),
    };
    w->backward = (struct bs_gait_manner){
        .step_ms = w->forward.step_ms * about(r, BACK_STEP_TIME, 0.015),
        .step_mm = w->forward.step_mm * about(r, BACK_STEP_LENGTH, 0.03),
        .contact_share = w->forward.contact_share + 0.02,
        .trunk_cdeg = w->forward.trunk_cdeg - 200,
        .pitch_cdeg = about(r, -2600, 250),
        .vo_mm = w->forward.vo_mm * 0.76,
        .impact_g16 = w->forward.impact_g16 * 0.8,
    };
}

void bs_gait_walker_init(struct bs_gait_walker *w, uint64_t seed, double pace_spm)
{
    *w = (struct bs_gait_walker){.direction = BS_DIRECTION_UNKNOWN};
    bs_random_init(&w->random, seed);
    draw_manners(w, pace_spm);
    bs_gait_noise_init(&w->time, &w->random, between(&w->random, 0.012, 0.017),
                       between(&w->random, 0.25, 0.35));
    bs_gait_noise_init(&w->length, &w->random, between(&w->random, 0.02, 0.03),
                       between(&w->random, 0.25, 0.35));
    w->foot_share = about(&w->random, 0, 0.01);
    w->foot = bs_random_below(&w->random, 2) ? BS_FOOT_RIGHT : BS_FOOT_LEFT;
    bs_random_init(&w->posture, bs_hash_mix(seed));
    bs_gait_noise_init(&w->oscillation, &w->posture, between(&w->posture, 0.02, 0.03),
                       between(&w->posture, 0.25, 0.35));
    bs_gait_noise_init(&w->trunk, &w->posture, between(&w->posture, 30, 50),
                       between(&w->posture, 0.25, 0.35));
}

void bs_gait_walker_shift(struct bs_gait_walker *w, enum bs_shift_metric metric, double shift)
{
    w->shift[metric] = shift;
}

static double between_gaits(double forward, double backward, double retention)
{
    return forward + retention * (backward - forward);
}

struct bs_gait_manner bs_gait_walker_forward(const struct bs_gait_walker *w)
{
    const struct bs_gait_manner *f = &w->forward, *b = &w->backward;
    double kept = w->has_imprint ? w->retention : 0;
    struct bs_gait_manner m = *f;
    if (kept <= 0)
        return m;
    double ratio = between_gaits(f->step_mm * f->step_ms, b->step_mm * b->step_ms, kept);
    m.step_mm = between_gaits(f->step_mm, b->step_mm, kept);
    m.step_ms = ratio / m.step_mm;
    m.contact_share = between_gaits(f->contact_share, b->contact_share, kept);
    m.trunk_cdeg = between_gaits(f->trunk_cdeg, b->trunk_cdeg, kept);
    m.vo_mm = between_gaits(f->vo_mm, b->vo_mm, kept);
    m.impact_g16 = between_gaits(f->impact_g16, b->impact_g16, kept);
    return m;
}

static void apply_shift(const double shift[BS_SHIFT_METRICS], struct bs_gait_manner *m)
{
    m->step_mm *= 1 + shift[BS_SHIFT_STEP_LENGTH] / 100;
    m->step_ms *= 1 + shift[BS_SHIFT_STEP_TIME] / 100;
    m->vo_mm *= 1 + shift[BS_SHIFT_OSCILLATION] / 100;
    m->trunk_cdeg += shift[BS_SHIFT_TRUNK_PITCH] * 100;
}

/* Everything that is not backwards is forward walking, shorter and slower: steps of 0.58 m/s
 * sideways, 23 cycles of four contacts a minute on risers, little room for turns and on the spot.
 */
static struct bs_gait_manner manner_of(const struct bs_gait_walker *w, enum bs_direction direction)
{
    static const struct {
        double time, length;
    } factor[BS_DIRECTION_COUNT] = {
        [BS_DIRECTION_LEFT] = {1, 0.49},   [BS_DIRECTION_RIGHT] = {1, 0.49},
        [BS_DIRECTION_UP] = {1.2, 0.46},   [BS_DIRECTION_DOWN] = {1.2, 0.46},
        [BS_DIRECTION_TURN] = {1.1, 0.35}, [BS_DIRECTION_ON_THE_SPOT] = {1, 0.1},
    };
    struct bs_gait_manner m =
        direction == BS_DIRECTION_BACKWARD ? w->backward : bs_gait_walker_forward(w);
    if (factor[direction].time > 0) {
        m.step_ms *= factor[direction].time;
        m.step_mm *= factor[direction].length;
    }
    apply_shift(w->shift, &m);
    return m;
}

static void set_within(struct bs_event *e, enum bs_field f, double value)
{
    bs_event_set(e, f, llround(fmax(ranges[f].min, fmin(ranges[f].max, value))));
}

static void face(struct bs_gait_walker *w, enum bs_direction direction)
{
    if (w->direction != direction)
        memset(w->shift, 0, sizeof w->shift);
    if (direction == BS_DIRECTION_BACKWARD)
        w->has_imprint = true;
}

void bs_gait_walker_step(struct bs_gait_walker *w, enum bs_direction direction,
                         struct bs_event *ret)
{
    face(w, direction);
    const struct bs_gait_manner manner = manner_of(w, direction), *m = &manner;
    struct bs_random *r = &w->random;
    double side = 1 + (w->foot == BS_FOOT_RIGHT ? w->foot_share : -w->foot_share) / 2;
    double step_ms = m->step_ms * side * (1 + bs_gait_noise_next(&w->time, r));
    double step_mm = m->step_mm * side * (1 + bs_gait_noise_next(&w->length, r));
    bool turned = w->direction == BS_DIRECTION_BACKWARD && direction == BS_DIRECTION_FORWARD;
    if (turned)
        step_ms *= TURN_FACTOR;

    ret->foot = w->foot;
    ret->direction = (uint8_t)direction;
    ret->known = 0;
    set_within(ret, BS_FIELD_STEP_MS, step_ms);
    if (w->direction != BS_DIRECTION_UNKNOWN)
        set_within(ret, BS_FIELD_STRIDE_MS, w->last_step_ms + (double)ret->value[BS_FIELD_STEP_MS]);
    set_within(ret, BS_FIELD_CONTACT_MS, m->contact_share * 2 * m->step_ms + about(r, 0, 15));
    set_within(ret, BS_FIELD_STEP_MM, step_mm);
    set_within(ret, BS_FIELD_TRUNK_CDEG,
               about(r, m->trunk_cdeg, 15) + bs_gait_noise_next(&w->trunk, &w->posture));
    set_within(ret, BS_FIELD_PITCH_CDEG, about(r, m->pitch_cdeg, 150));
    set_within(ret, BS_FIELD_VO_MM,
               about(r, m->vo_mm, 0.3) +
                   m->vo_mm * bs_gait_noise_next(&w->oscillation, &w->posture));
    set_within(ret, BS_FIELD_IMPACT_G16, about(r, m->impact_g16, 4));
    set_within(ret, BS_FIELD_QUALITY, about(r, 95, 2));

    w->foot = w->foot == BS_FOOT_RIGHT ? BS_FOOT_LEFT : BS_FOOT_RIGHT;
    w->direction = (uint8_t)direction;
    w->last_step_ms = (double)ret->value[BS_FIELD_STEP_MS];
}
