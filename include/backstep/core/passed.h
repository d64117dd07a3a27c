/* A member's step as it is added to windows, bouts, summaries and boards: its sensors fused, its
 * step time and length found, in its order among the member's steps where it came in time. */
#ifndef BACKSTEP_CORE_PASSED_H
#define BACKSTEP_CORE_PASSED_H

#include "backstep/core/sums.h"
#include "backstep/core/tags.h"

#include <stdbool.h>

struct bs_summary;

struct bs_passed {
    /* sample.step: time_ms is Unix time; foot, direction and fields are those of all its events */
    struct bs_sample sample;
    struct bs_tags *tags;       /* as decided when its first event was accepted */
    struct bs_summary *summary; /* of the session it was made in; NULL: of none */
    bool in_order;              /* false: it came after its place, or is stored */
    bool stored;
};

#endif
