/* A message on its way, and what takes it at the other end: a broker, or a script. */
#ifndef BACKSTEP_CTL_PARCEL_H
#define BACKSTEP_CTL_PARCEL_H

#include "encode.h"

#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* All of it belongs to somebody else. `topic` lives until the sink is closed, the rest as long as
 * the call that it is handed to. */
struct bs_parcel {
    const char *topic;
    bool retained;
    struct bs_slice payload;
    uint32_t wearable; /* whose steps these are, and whether it had kept them */
    bool stored;
    const struct bs_event *events;
    uint32_t count; /* 0: no steps */
};

/* Statuses as bs_publisher_send's. */
struct bs_sink {
    void *context;
    /* Until it is at_ms, on the scale of event times; never goes back. */
    enum bs_status (*wait)(void *context, int64_t at_ms);
    enum bs_status (*deliver)(void *context, const struct bs_parcel *parcel);
};

#endif
