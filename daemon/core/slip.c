/* The onset of a lasting change. Must never take one odd step for one. */
#include "backstep/core/slip.h"

#include "backstep/base/check.h"
#include "backstep/core/median.h"
#include "backstep/core/settings.h"

#include <math.h>
#include <stdlib.h>

void bs_slip_watch_init(struct bs_slip_watch *w, double reference)
{
    *w = (struct bs_slip_watch){.reference = reference};
}

void bs_slip_watch_fini(struct bs_slip_watch *w)
{
    free(w->rest);
    w->rest = NULL;
}

static double deviation(const struct bs_slip_watch *w, const struct bs_slip_rule *rule,
                        double value)
{
    double difference = value - w->reference;
    return rule->relative ? 100 * difference / w->reference : difference / 100;
}

/* Resting. */

static void begin_rest(struct bs_slip_watch *w, uint16_t steps)
{
    w->up = w->down = (struct bs_slip_sum){0};
    w->rest = malloc(steps * sizeof *w->rest);
    w->rest_room = steps;
    w->rest_count = w->rest_next = 0;
}

static bool is_back(const struct bs_slip_watch *w, const struct bs_slip_rule *rule)
{
    int32_t values[BS_SETTINGS_HOLD_OFF_STEPS_MAX];
    bs_check(w->rest_room <= BS_SETTINGS_HOLD_OFF_STEPS_MAX);
    for (unsigned i = 0; i < w->rest_room; i++)
        values[i] = w->rest[i];
    return fabs(deviation(w, rule, bs_median(values, w->rest_room))) <= rule->drift;
}

static void rest(struct bs_slip_watch *w, const struct bs_slip_rule *rule, int16_t value)
{
    w->rest[w->rest_next] = value;
    w->rest_next = (uint16_t)((w->rest_next + 1) % w->rest_room);
    if (w->rest_count < w->rest_room)
        w->rest_count++;
    if (w->rest_count == w->rest_room && is_back(w, rule))
        bs_slip_watch_fini(w);
}

/* Adding up. */

static void add(struct bs_slip_sum *s, double d, double towards, double drift)
{
    s->sum += towards - drift;
    if (s->sum <= 0) {
        *s = (struct bs_slip_sum){0};
        return;
    }
    s->deviations += d;
    s->count++;
}

enum bs_slip_sign bs_slip_take(struct bs_slip_watch *w, const struct bs_slip_rule *rule,
                               int16_t value, double *ret_deviation)
{
    if (w->rest) {
        rest(w, rule, value);
        return BS_SLIP_NONE;
    }
    double most = rule->threshold * 2 / 3;
    double d = fmax(-most, fmin(most, deviation(w, rule, value)));
    add(&w->up, d, d, rule->drift);
    add(&w->down, d, -d, rule->drift);
    const struct bs_slip_sum *over = w->up.sum > rule->threshold     ? &w->up
                                     : w->down.sum > rule->threshold ? &w->down
                                                                     : NULL;
    if (!over)
        return BS_SLIP_NONE;
    enum bs_slip_sign sign = over == &w->up ? BS_SLIP_UP : BS_SLIP_DOWN;
    *ret_deviation = over->deviations / over->count;
    begin_rest(w, rule->hold_off_steps);
    return sign;
}
