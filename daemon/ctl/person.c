/* Retention and slips of one person. Must never slip where nothing is carried over: before the
 * first backward phase, or in another direction than forward. */
#include "person.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

void bs_person_init(struct bs_person *p, uint64_t seed, const struct bs_person_options *options)
{
    *p = (struct bs_person){0};
    bs_gait_walker_init(&p->walker, seed, options->pace_spm);
    bs_random_init(&p->chance, bs_hash_mix(seed ^ 'p'));
    p->walker.retention =
        options->retention_min +
        (options->retention_max - options->retention_min) * bs_random_unit(&p->chance);
    p->slips = bs_random_unit(&p->chance) * 100 < options->slips_pct;
}

static enum bs_shift_metric draw_metric(struct bs_random *r, unsigned metrics)
{
    bs_check(metrics != 0 && metrics < 1u << BS_SHIFT_METRICS);
    unsigned left = (unsigned)bs_random_below(r, (uint64_t)__builtin_popcount(metrics));
    int metric = 0;
    for (; !(metrics >> metric & 1u) || left-- > 0; metric++)
        ;
    return (enum bs_shift_metric)metric;
}

static void draw_shift(struct bs_random *r, const struct bs_person_options *options,
                       struct bs_shift *ret)
{
    bs_check(options->shift_count > 0 && options->shift_step_min >= 1);
    double size = options->shift_pct[bs_random_below(r, options->shift_count)];
    ret->metric = draw_metric(r, options->metrics);
    if (ret->metric == BS_SHIFT_TRUNK_PITCH)
        size *= BS_DEGREES_PER_PERCENT;
    ret->size = bs_random_below(r, 2) ? size : -size;
    uint64_t choices = (uint64_t)options->shift_step_max - options->shift_step_min + 1;
    ret->step = options->shift_step_min + (uint32_t)bs_random_below(r, choices);
}

static void begin_phase(struct bs_person *p, const struct bs_person_options *options,
                        enum bs_direction direction)
{
    p->phase_steps = 0;
    p->has_next = p->slips && p->walker.has_imprint && direction == BS_DIRECTION_FORWARD;
    if (p->has_next)
        draw_shift(&p->chance, options, &p->next);
}

bool bs_person_step(struct bs_person *p, const struct bs_person_options *options,
                    enum bs_direction direction, struct bs_event *ret, struct bs_shift *ret_shift)
{
    if (p->walker.direction != direction)
        begin_phase(p, options, direction);
    p->phase_steps++;
    bool sets_in = p->has_next && p->phase_steps == p->next.step;
    if (sets_in) {
        bs_gait_walker_shift(&p->walker, p->next.metric, p->next.size);
        p->has_next = false;
        *ret_shift = p->next;
    }
    bs_gait_walker_step(&p->walker, direction, ret);
    return sets_in;
}
