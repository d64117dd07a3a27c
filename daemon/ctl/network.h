/* The network between wearables and broker, with its faults: messages that come late, overtake, or
 * come twice. Deterministic for its seed. */
#ifndef BACKSTEP_CTL_NETWORK_H
#define BACKSTEP_CTL_NETWORK_H

#include "parcel.h"

#include "backstep/base/status.h"

#include <stdint.h>

/* Of the messages `reorder_pct` are late, and `duplicates_pct` come a second time, late as well:
 * behind up to ten messages that were sent after them; or with reorder_ms by up to so long. */
struct bs_network_options {
    double duplicates_pct, reorder_pct;
    int64_t reorder_ms; /* 0: lateness is counted in messages */
    uint64_t seed;
};

struct bs_network;

/* The sink is called in order of arrival. */
enum bs_status bs_network_new(struct bs_network **ret, const struct bs_network_options *options,
                              const struct bs_sink *sink);
void bs_network_free(struct bs_network *n);

/* It becomes at_ms: whatever arrives until then is delivered. Never goes back. */
enum bs_status bs_network_advance(struct bs_network *n, int64_t at_ms);

/* Sends a message at the time that it is now, or what a device had kept at a later one. */
enum bs_status bs_network_send(struct bs_network *n, const struct bs_parcel *parcel);
enum bs_status bs_network_send_later(struct bs_network *n, const struct bs_parcel *parcel,
                                     int64_t at_ms);

/* Delivers all that is on its way: each at its time, or in a hurry at once. */
enum bs_status bs_network_flush(struct bs_network *n, bool hurry);

uint64_t bs_network_duplicates(const struct bs_network *n); /* steps that were sent twice */

#endif
