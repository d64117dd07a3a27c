/* The daemon about itself: the document on service/{instance}, and one sentence for systemd. */
#ifndef BACKSTEP_SHELL_SERVICE_H
#define BACKSTEP_SHELL_SERVICE_H

#include "backstep/base/buffer.h"
#include "backstep/core/books.h"
#include "backstep/core/engine.h"
#include "backstep/core/line.h"
#include "backstep/edge/mqtt.h"
#include "outlet.h"

#include <stdint.h>

/* All numbers of one moment. */
struct bs_service_view {
    const char *state;                      /* "online", "stalled", "offline" */
    const char *reason;                     /* "" where there is none */
    const char *broker;                     /* its URI */
    int64_t uptime_ms, last_message_age_ms; /* the latter −1: none yet */
    const struct bs_books *books;
    struct bs_slice absent; /* JSON: documents in force that the broker lacks, the first ones */
    size_t absent_count;    /* all of them */
    struct bs_engine_held held;
    struct bs_mqtt_state mqtt;
    struct bs_outlet_state outlet;
    int64_t outbox_oldest_age_ms; /* 0 where nothing waits */
    uint64_t lag_bytes;
    int64_t lag_ms;
    uint64_t slowest_turn_ns; /* since the last document */
};

/* As interface 4.8 has it; `out` is emptied first. */
void bs_service_write(const struct bs_service_view *v, struct bs_buffer *out);

/* The same numbers as a row of `backstep_service`; the slice holds until `line` is used again. */
struct bs_slice bs_service_write_row(const struct bs_service_view *v, const char *site,
                                     const char *instance, int64_t wall_ms, struct bs_line *line);

/* What it is doing and what it waits for: "online at mqtts://broker; 1234 steps counted; InfluxDB
 * refuses, …", "stalled: why; away from …". */
void bs_service_sentence(const struct bs_service_view *v, struct bs_buffer *out);

#endif
