/* The onset of a lasting change. Must never take one odd step for one. */
#include "backstep/core/slip.h"

#include "backstep/base/check.h"
#include "backstep/core/median.h"
#include "backstep/core/settings.h"
#include "backstep/core/snapshot.h"

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

/* Snapshots. */

/* The largest threshold, and what may be added below it. */
#define SUM_MAX       2e6
#define DEVIATION_MAX 1e6

static void keep_sum(struct bs_snapshot *s, struct bs_slip_sum *sum)
{
    sum->count = bs_snapshot_u32(s, sum->count, UINT32_MAX);
    bs_snapshot_require(s, !bs_snapshot_loads(s) || sum->count <= INT32_MAX);
    if (!sum->count)
        return;
    sum->sum = bs_snapshot_real(s, sum->sum);
    sum->deviations = bs_snapshot_real(s, sum->deviations);
    bs_snapshot_require(s, sum->sum > 0 && sum->sum <= SUM_MAX &&
                               fabs(sum->deviations) <= DEVIATION_MAX * sum->count);
}

/* Oldest first. */
static void keep_rest(struct bs_snapshot *s, struct bs_slip_watch *w)
{
    uint16_t room = bs_snapshot_u16(s, w->rest_room, BS_SETTINGS_HOLD_OFF_STEPS_MAX);
    uint16_t count = bs_snapshot_u16(s, w->rest_count, room);
    bs_snapshot_require(s, room > 0);
    if (bs_snapshot_loads(s) && !s->failed) {
        begin_rest(w, room);
        w->rest_count = count;
        w->rest_next = count % room;
        if (!w->rest)
            bs_snapshot_fail(s, BS_NO_MEMORY);
    }
    unsigned oldest = w->rest_next + (unsigned)room - count;
    for (unsigned i = 0; i < count && !s->failed; i++) {
        int16_t *value = &w->rest[(oldest + i) % room];
        *value = (int16_t)bs_snapshot_between(s, *value, INT16_MIN, INT16_MAX);
    }
}

/* A median of values, the mean of two of them at most: kept as its double. */
void bs_slip_watch_snapshot(struct bs_snapshot *s, struct bs_slip_watch *w, bool relative)
{
    int64_t twice = (int64_t)(2 * w->reference);
    twice = bs_snapshot_between(s, twice, relative ? 1 : 2 * INT16_MIN, 2 * INT16_MAX);
    w->reference = (double)twice / 2;
    keep_sum(s, &w->up);
    keep_sum(s, &w->down);
    if (bs_snapshot_flag(s, w->rest != NULL))
        keep_rest(s, w);
}
