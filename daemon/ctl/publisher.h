/* Sends step messages to the broker at QoS 1 and does not let go of one before its PUBACK.
 *
 * A window of messages is in flight, at most what the broker's Receive Maximum allows. Everything
 * without PUBACK is sent once more after a lost connection: duplicates are normal, losses are not.
 * All calls come from one thread; a stop is what the connection's poll says. */
#ifndef BACKSTEP_CTL_PUBLISHER_H
#define BACKSTEP_CTL_PUBLISHER_H

#include "connection.h"

#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct bs_publisher;

struct bs_publisher_progress {
    uint64_t handed_over, acknowledged, connects;
    const char *trouble; /* why it is not connected or gave up; "" if it is well */
};

/* `window`: messages in flight, 1..4096. Connects in the calls below; the options' listener is the
 * publisher's. BS_INVALID where the URI is not understood. */
enum bs_status bs_publisher_new(struct bs_publisher **ret,
                                const struct bs_connection_options *options, uint32_t window);

/* Disconnects (what is in flight is given up: drain first) and frees. */
void bs_publisher_free(struct bs_publisher *p);

/* Waits until it is connected; as _send. */
enum bs_status bs_publisher_connect(struct bs_publisher *p);

/* Hands over one message, waiting while the window is full; the payload is copied, `topic` must
 * live until it is acknowledged or no call but _get_progress and _free follows. BS_IO: gave up;
 * BS_REFUSED: the broker refuses us or such messages; BS_CLOSED: a stop was requested. */
enum bs_status bs_publisher_send(struct bs_publisher *p, const char *topic, struct bs_slice payload,
                                 bool retained);

/* Waits until `until_ns` (CLOCK_MONOTONIC) and keeps the connection meanwhile; as _send. */
enum bs_status bs_publisher_wait(struct bs_publisher *p, uint64_t until_ns);

/* Waits until everything handed over is acknowledged; as _send. */
enum bs_status bs_publisher_drain(struct bs_publisher *p);

void bs_publisher_get_progress(struct bs_publisher *p, struct bs_publisher_progress *ret);

#endif
