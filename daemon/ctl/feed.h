/* From steps in order of event time to messages at their time: batches by wearable, pace, and the
 * faults of a network (messages sent twice, messages that overtake). */
#ifndef BACKSTEP_CTL_FEED_H
#define BACKSTEP_CTL_FEED_H

#include "encode.h"
#include "progress.h"
#include "publisher.h"
#include "truth.h"

#include "backstep/base/status.h"

struct bs_feed_options {
    struct bs_encoding encoding;
    uint32_t batch;    /* events a message, at most bs_encode_max */
    double speed;      /* event time over wall time; 0: as fast as the broker takes it */
    int64_t origin_ms; /* event time that is due at once */
    double duplicates_pct, reorder_pct;
    uint64_t seed;
    const char *topic; /* above the device, with its slash: "backstep/v1/north/device/" */
};

struct bs_feed;

/* All that is pointed to must outlive the feed; `truth` is for as many wearables. */
enum bs_status bs_feed_new(struct bs_feed **ret, const struct bs_feed_options *options,
                           const struct bs_wearable *wearables, struct bs_truth *truth,
                           struct bs_publisher *publisher, struct bs_progress *progress);
void bs_feed_free(struct bs_feed *f);

/* Waits until the step is due, then takes it; statuses as bs_publisher_send's. */
enum bs_status bs_feed_step(struct bs_feed *f, uint32_t wearable, const struct bs_event *event);

/* Sends what waits in batches and behind others. */
enum bs_status bs_feed_flush(struct bs_feed *f);

#endif
