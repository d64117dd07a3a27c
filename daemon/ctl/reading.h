/* What a wearable has to say of one step, and when: between who makes steps and who sends them. */
#ifndef BACKSTEP_CTL_READING_H
#define BACKSTEP_CTL_READING_H

#include "encode.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_reading {
    uint32_t wearable;
    uint32_t boot;
    int64_t made_ms;       /* Unix time of the step, by a clock that is right */
    bool kept;             /* on the device, which uploads it later */
    int64_t upload_ms;     /* then: when; Unix time */
    struct bs_event event; /* its time as the wearable has it */
};

struct bs_source {
    void *context;
    /* The next reading in the order of made_ms; false at the end. */
    bool (*next)(void *context, struct bs_reading *ret);
};

#endif
