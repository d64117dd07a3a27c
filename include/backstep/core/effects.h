/* What leaves the engine: rows of line protocol, and publications. Nothing else. */
#ifndef BACKSTEP_CORE_EFFECTS_H
#define BACKSTEP_CORE_EFFECTS_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_publication {
    struct bs_slice topic, payload, correlation; /* an empty retained payload deletes the topic */
    int qos;
    bool retained;
    bool unchanged;    /* an answer: what is in force was so before, byte for byte */
    uint32_t expiry_s; /* 0: none */
};

/* Called during bs_engine_step, in the order the fold says things; slices hold during the call. */
struct bs_effects {
    void *context;
    /* One row, with its newline. `open`: the same row will be written again, closed, later. */
    void (*line)(void *context, struct bs_slice line, bool open);
    void (*publish)(void *context, const struct bs_publication *publication);
};

#endif
