/* What was really sent, per wearable and direction: the figures that a test holds against the rows
 * of the daemon. It counts each identity (device, boot, seq) once, however often it was published.
 */
#ifndef BACKSTEP_CTL_TRUTH_H
#define BACKSTEP_CTL_TRUTH_H

#include "encode.h"

#include "backstep/base/buffer.h"
#include "backstep/base/status.h"

#include <stdint.h>

/* A device as it is in this run: power-up draws its boot. */
struct bs_wearable {
    char id[BS_ID_MAX + 1];
    uint32_t boot;
    int64_t powered_up_ms; /* Unix time */
};

struct bs_truth_sum {
    uint64_t steps;
    int64_t step_time_ms, step_length_mm; /* Σ over steps that name them, as sent */
};

struct bs_truth {
    struct bs_truth_sum (*sums)[BS_DIRECTION_COUNT]; /* one row a wearable */
    size_t wearable_count;
    uint64_t steps;
    uint64_t messages;   /* published, those sent twice on purpose counted twice */
    uint64_t duplicates; /* steps in messages sent a second time on purpose */
};

enum bs_status bs_truth_init(struct bs_truth *t, size_t wearable_count);
void bs_truth_fini(struct bs_truth *t);

void bs_truth_add(struct bs_truth *t, size_t wearable, const struct bs_event *event);

/* Appends `"messages":…,"steps":…,"duplicates":…` and `"sent":{…}`. */
void bs_truth_write_counts(const struct bs_truth *t, struct bs_buffer *ret);
void bs_truth_write_sent(const struct bs_truth *t, const struct bs_wearable *wearables,
                         struct bs_buffer *ret);

#endif
