/* When the engine's wall clock follows the machine's. Wall time in the fold is tick + offset; the
 * machine's clock may be corrected, or wrong.
 *
 *   |difference| < 2 s   slew: at most 500 ppm of the time since the last look
 *   else                 step, when it has stood for 10 minutes, or at once when the devices agree:
 *                        the median of (arrival − `t`), taken with the new offset, lies within 2 s
 *
 * So a clock that jumps an hour and comes back within minutes changes nothing. */
#ifndef BACKSTEP_CORE_TIMEKEEPER_H
#define BACKSTEP_CORE_TIMEKEEPER_H

#include "backstep/base/time.h"

#include <stdbool.h>
#include <stdint.h>

#define BS_TIMEKEEPER_LOOK_MS 10000 /* how often the shell asks */

struct bs_timekeeper {
    bool differs; /* by 2 s or more, since: */
    struct bs_tick_ms since;
    int64_t difference_ms; /* as it was then */
};

struct bs_timekeeper_look {
    struct bs_tick_ms tick;
    struct bs_wall_ms machine; /* the machine's clock at that tick */
    int64_t offset_ms;         /* in force */
    bool has_median;           /* three devices or more were heard in the last minute */
    int64_t median_delay_ms;   /* median of (arrival − t) with the offset in force */
};

enum bs_timekeeper_advice { BS_CLOCK_KEEP, BS_CLOCK_SLEW, BS_CLOCK_STEP };

/* ret_offset_ms: the new offset where the advice is not to keep the old. */
enum bs_timekeeper_advice bs_timekeeper_judge(struct bs_timekeeper *k,
                                              const struct bs_timekeeper_look *look,
                                              int64_t *ret_offset_ms);

#endif
