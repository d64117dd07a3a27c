/* Batches. Must never lose a step it took: what waits is flushed. */
#include "feed.h"

#include "backstep/base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX (64u * 1024)
#define TOPIC_MAX   512u

struct batch {
    char *topic;
    struct bs_event *events;
    uint32_t count;
    uint32_t boot;
    bool kept;
    int64_t upload_ms;
};

struct bs_feed {
    struct bs_feed_options options;
    struct bs_truth *truth;
    struct bs_network *network;
    struct batch *batches; /* one a wearable */
    struct bs_event *events;
    struct bs_buffer payload;
};

static bool name_topics(struct bs_feed *f, const struct bs_wearable *wearables)
{
    char topic[TOPIC_MAX];
    for (size_t i = 0; i < f->truth->wearable_count; i++) {
        int length = snprintf(topic, sizeof topic, "%s%s/steps", f->options.topic, wearables[i].id);
        bs_check(length > 0 && (size_t)length < sizeof topic);
        f->batches[i].topic = strdup(topic);
        f->batches[i].events = f->events + i * f->options.batch;
        if (!f->batches[i].topic)
            return false;
    }
    return true;
}

enum bs_status bs_feed_new(struct bs_feed **ret, const struct bs_feed_options *options,
                           const struct bs_wearable *wearables, struct bs_truth *truth,
                           struct bs_network *network)
{
    bs_check(options->batch >= 1 && options->batch <= bs_encode_max(options->encoding.form));
    struct bs_feed *f = calloc(1, sizeof *f);
    if (!f)
        return BS_NO_MEMORY;
    f->options = *options;
    f->truth = truth;
    f->network = network;
    bs_buffer_init(&f->payload, MESSAGE_MAX);
    f->batches = calloc(truth->wearable_count, sizeof *f->batches);
    f->events = calloc(truth->wearable_count * options->batch, sizeof *f->events);
    if (!f->batches || !f->events || !name_topics(f, wearables)) {
        bs_feed_free(f);
        return BS_NO_MEMORY;
    }
    *ret = f;
    return BS_OK;
}

void bs_feed_free(struct bs_feed *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->batches && i < f->truth->wearable_count; i++)
        free(f->batches[i].topic);
    bs_buffer_fini(&f->payload);
    free(f->batches);
    free(f->events);
    free(f);
}

static enum bs_status hand_over(struct bs_feed *f, const struct batch *b,
                                const struct bs_parcel *parcel)
{
    if (f->payload.failed)
        return BS_NO_MEMORY;
    return b->kept ? bs_network_send_later(f->network, parcel, b->upload_ms)
                   : bs_network_send(f->network, parcel);
}

static enum bs_status send_batch(struct bs_feed *f, uint32_t wearable)
{
    struct batch *b = &f->batches[wearable];
    if (b->count == 0)
        return BS_OK;
    struct bs_encoding encoding = f->options.encoding;
    encoding.stored = encoding.stored || b->kept;
    bs_buffer_reset(&f->payload);
    bs_encode(&encoding, b->boot, b->events, b->count, &f->payload);
    const struct bs_parcel parcel = {.topic = b->topic,
                                     .payload = bs_buffer_slice(&f->payload),
                                     .wearable = wearable,
                                     .stored = encoding.stored,
                                     .events = b->events,
                                     .count = b->count};
    b->count = 0;
    enum bs_status status = hand_over(f, b, &parcel);
    for (uint32_t i = 0; status == BS_OK && i < parcel.count; i++)
        bs_truth_add(f->truth, wearable, &b->events[i]);
    return status;
}

static bool belongs(const struct bs_feed *f, const struct batch *b, const struct bs_reading *r)
{
    return b->boot == r->boot && b->kept == r->kept &&
           bs_encode_follows(f->options.encoding.form, &b->events[b->count - 1], &r->event);
}

enum bs_status bs_feed_step(struct bs_feed *f, const struct bs_reading *reading)
{
    bs_check(reading->wearable < f->truth->wearable_count);
    enum bs_status status = bs_network_advance(f->network, reading->made_ms);
    struct batch *b = &f->batches[reading->wearable];
    if (status == BS_OK && b->count > 0 && !belongs(f, b, reading))
        status = send_batch(f, reading->wearable);
    if (status != BS_OK)
        return status;
    b->boot = reading->boot;
    b->kept = reading->kept;
    b->upload_ms = reading->upload_ms;
    b->events[b->count++] = reading->event;
    return b->count >= f->options.batch ? send_batch(f, reading->wearable) : BS_OK;
}

enum bs_status bs_feed_flush(struct bs_feed *f, bool hurry)
{
    enum bs_status status = BS_OK;
    for (uint32_t i = 0; status == BS_OK && i < f->truth->wearable_count; i++)
        status = send_batch(f, i);
    return status == BS_OK ? bs_network_flush(f->network, hurry) : status;
}
