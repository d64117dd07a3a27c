/* Where bytes go that are written piece by piece. */
#ifndef BACKSTEP_BASE_SINK_H
#define BACKSTEP_BASE_SINK_H

#include "backstep/base/slice.h"

#include <stdbool.h>

struct bs_sink {
    void *context;
    /* Takes all of the bytes, which hold during the call; false: it took none and will take no
     * more. */
    bool (*write)(void *context, struct bs_slice bytes);
};

#endif
