/* From readings in order of time to messages: each wearable fills batches, what it sends at once
 * apart from what it had kept. */
#ifndef BACKSTEP_CTL_FEED_H
#define BACKSTEP_CTL_FEED_H

#include "encode.h"
#include "network.h"
#include "reading.h"
#include "truth.h"

#include "backstep/base/status.h"

struct bs_feed_options {
    struct bs_encoding encoding;
    uint32_t batch;    /* events a message, at most bs_encode_max */
    const char *topic; /* above the device, with its slash: "backstep/v1/north/device/" */
};

struct bs_feed;

/* All that is pointed to must outlive the feed; `truth` is for as many wearables. */
enum bs_status bs_feed_new(struct bs_feed **ret, const struct bs_feed_options *options,
                           const struct bs_wearable *wearables, struct bs_truth *truth,
                           struct bs_network *network);
void bs_feed_free(struct bs_feed *f);

/* Waits until the step is made, then takes it; statuses as bs_publisher_send's. */
enum bs_status bs_feed_step(struct bs_feed *f, const struct bs_reading *reading);

/* Sends what waits in batches, and delivers what is on its way: each at its time, or in a hurry at
 * once. */
enum bs_status bs_feed_flush(struct bs_feed *f, bool hurry);

#endif
