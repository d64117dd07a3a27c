/* Slew or step. Must never follow a clock that only jumped for a moment. */
#include "backstep/core/timekeeper.h"

#define STEP_FROM_MS  2000
#define STANDS_FOR_MS (10 * INT64_C(60000))
#define SLEW_MAX_MS   (BS_TIMEKEEPER_LOOK_MS / 2000) /* 500 ppm */
#define SLEW_FROM_MS  2 /* two clocks read one after the other differ by this much for no reason */

static int64_t magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

static int64_t limited(int64_t x, int64_t most)
{
    return x > most ? most : x < -most ? -most : x;
}

/* With the offset moved by `difference`, arrivals move too. */
static bool devices_agree(const struct bs_timekeeper_look *look, int64_t difference)
{
    return look->has_median && magnitude(look->median_delay_ms + difference) < STEP_FROM_MS;
}

static bool has_stood(struct bs_timekeeper *k, const struct bs_timekeeper_look *look,
                      int64_t difference)
{
    if (!k->differs || magnitude(difference - k->difference_ms) >= STEP_FROM_MS) {
        k->differs = true;
        k->since = look->tick;
        k->difference_ms = difference;
    }
    return look->tick.ms - k->since.ms >= STANDS_FOR_MS;
}

enum bs_timekeeper_advice bs_timekeeper_judge(struct bs_timekeeper *k,
                                              const struct bs_timekeeper_look *look,
                                              int64_t *ret_offset_ms)
{
    int64_t difference = look->machine.ms - look->tick.ms - look->offset_ms;
    if (magnitude(difference) < STEP_FROM_MS) {
        k->differs = false;
        if (magnitude(difference) < SLEW_FROM_MS)
            return BS_CLOCK_KEEP;
        *ret_offset_ms = look->offset_ms + limited(difference, SLEW_MAX_MS);
        return BS_CLOCK_SLEW;
    }
    if (!has_stood(k, look, difference) && !devices_agree(look, difference))
        return BS_CLOCK_KEEP;
    k->differs = false;
    *ret_offset_ms = look->offset_ms + difference;
    return BS_CLOCK_STEP;
}
