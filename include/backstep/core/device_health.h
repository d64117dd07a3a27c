/* The `device_health` row: how a wearable's messages came, its battery, its clock. */
#ifndef BACKSTEP_CORE_DEVICE_HEALTH_H
#define BACKSTEP_CORE_DEVICE_HEALTH_H

#include "backstep/base/slice.h"
#include "backstep/base/time.h"
#include "backstep/core/books.h"
#include "backstep/core/device_clock.h"
#include "backstep/core/line.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_snapshot;

/* Step events of the device. Totals since the daemon knows it, as the books' are: a row that gets
 * lost takes nothing along, and a database makes differences of them. */
struct bs_device_counts {
    uint64_t received;  /* in messages that were parsed */
    uint64_t duplicate; /* of these: seen before, or so old that nobody knows */
    uint64_t rejected;  /* of these: for any other reason */
    uint64_t lost;      /* `seq` that were passed over; never reduced where they come later */
};

/* What is kept of a device for its rows. */
struct bs_device_health {
    struct bs_device_counts counts; /* of what came while rows of it might be written */
    struct bs_device_clock clock;
    struct bs_tick_ms last_seen; /* its last message, of what kind ever */
    bool said_offline;           /* and nothing since */
};

/* One step was rejected. */
void bs_device_counts_reject(struct bs_device_counts *c, enum bs_step_reason reason);
void bs_device_counts_add(struct bs_device_counts *c, const struct bs_device_counts *more);

struct bs_device_health_row {
    struct bs_slice site, device;
    const struct bs_device_counts *counts;
    int battery_pct; /* −1: unknown */
    struct bs_device_clock_reading clock;
    int64_t last_seen_age_ms;
    struct bs_wall_ms at;
};

/* The row as a line; what is not known is left out. The slice holds until `line` is used again. */
struct bs_slice bs_device_health_write(const struct bs_device_health_row *row,
                                       struct bs_line *line);

/* Loading: into a zeroed one. */
void bs_device_health_snapshot(struct bs_snapshot *s, struct bs_device_health *h);

#endif
