/* Batches, pace and network faults. Must never lose a step it took: what waits is flushed. */
#include "feed.h"

#include "backstep/base/check.h"
#include "backstep/base/random.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX (64u * 1024)
#define LATER_MAX   10u                 /* a delayed message lets at most so many pass */
#define HELD_MAX    (2 * LATER_MAX + 2) /* each of the last ten may be held, with its copy */
#define TOPIC_MAX   512u

struct batch {
    char *topic;
    struct bs_event *events;
    uint32_t count;
};

/* A message, or the second sending of one, that lets others pass. */
struct held {
    struct bs_buffer payload;
    const char *topic;
    uint64_t release; /* goes behind message number `release`; 0: this place is free */
};

struct bs_feed {
    struct bs_feed_options options;
    const struct bs_wearable *wearables;
    struct bs_truth *truth;
    struct bs_publisher *publisher;
    struct bs_progress *progress;
    uint64_t begun_ns;
    struct bs_random random;
    struct batch *batches; /* one a wearable */
    struct bs_event *events;
    struct bs_buffer payload;
    struct held held[HELD_MAX];
    uint64_t messages; /* without second sendings */
};

static bool name_topics(struct bs_feed *f)
{
    char topic[TOPIC_MAX];
    for (size_t i = 0; i < f->truth->wearable_count; i++) {
        int length =
            snprintf(topic, sizeof topic, "%s%s/steps", f->options.topic, f->wearables[i].id);
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
                           struct bs_publisher *publisher, struct bs_progress *progress)
{
    bs_check(options->batch >= 1 && options->batch <= bs_encode_max(options->encoding.form));
    struct bs_feed *f = calloc(1, sizeof *f);
    if (!f)
        return BS_NO_MEMORY;
    f->options = *options;
    f->wearables = wearables;
    f->truth = truth;
    f->publisher = publisher;
    f->progress = progress;
    f->begun_ns = bs_connection_now_ns();
    bs_random_init(&f->random, options->seed);
    bs_buffer_init(&f->payload, MESSAGE_MAX);
    for (size_t i = 0; i < HELD_MAX; i++)
        bs_buffer_init(&f->held[i].payload, MESSAGE_MAX);
    f->batches = calloc(truth->wearable_count, sizeof *f->batches);
    f->events = calloc(truth->wearable_count * options->batch, sizeof *f->events);
    if (!f->batches || !f->events || !name_topics(f)) {
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
    for (size_t i = 0; i < HELD_MAX; i++)
        bs_buffer_fini(&f->held[i].payload);
    bs_buffer_fini(&f->payload);
    free(f->batches);
    free(f->events);
    free(f);
}

static enum bs_status publish(struct bs_feed *f, const char *topic, const struct bs_buffer *payload)
{
    enum bs_status status = bs_publisher_send(f->publisher, topic, bs_buffer_slice(payload));
    if (status == BS_OK)
        f->truth->messages++;
    return status;
}

static bool happens(struct bs_feed *f, double percent)
{
    return percent > 0 && bs_random_unit(&f->random) * 100 < percent;
}

static enum bs_status hold(struct bs_feed *f, const char *topic, uint64_t release)
{
    struct held *place = NULL;
    for (size_t i = 0; i < HELD_MAX && !place; i++) {
        if (f->held[i].release == 0)
            place = &f->held[i];
    }
    bs_check(place != NULL);
    bs_buffer_reset(&place->payload);
    bs_buffer_add(&place->payload, bs_buffer_slice(&f->payload));
    place->topic = topic;
    place->release = release;
    return place->payload.failed ? BS_NO_MEMORY : BS_OK;
}

/* Publishes what had to let pass no more than the messages up to number `until`. */
static enum bs_status release(struct bs_feed *f, uint64_t until)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        struct held *h = &f->held[i];
        if (h->release == 0 || h->release > until)
            continue;
        enum bs_status status = publish(f, h->topic, &h->payload);
        if (status != BS_OK)
            return status;
        h->release = 0;
    }
    return BS_OK;
}

/* The payload that stands ready becomes message number f->messages. */
static enum bs_status send_ready(struct bs_feed *f, const char *topic, uint32_t steps)
{
    if (f->payload.failed)
        return BS_NO_MEMORY;
    enum bs_status status = BS_OK;
    uint64_t number = ++f->messages;
    uint64_t behind = number;
    if (happens(f, f->options.reorder_pct)) {
        behind += 1 + bs_random_below(&f->random, LATER_MAX);
        status = hold(f, topic, behind);
    } else {
        status = publish(f, topic, &f->payload);
    }
    if (status == BS_OK && happens(f, f->options.duplicates_pct)) {
        f->truth->duplicates += steps;
        status = hold(f, topic, number + bs_random_below(&f->random, LATER_MAX + 1));
    }
    return status == BS_OK ? release(f, number) : status;
}

static enum bs_status send_batch(struct bs_feed *f, uint32_t wearable)
{
    struct batch *b = &f->batches[wearable];
    if (b->count == 0)
        return BS_OK;
    uint32_t steps = b->count;
    b->count = 0;
    bs_buffer_reset(&f->payload);
    bs_encode(&f->options.encoding, f->wearables[wearable].boot, b->events, steps, &f->payload);
    enum bs_status status = send_ready(f, b->topic, steps);
    if (status != BS_OK)
        return status;
    for (uint32_t i = 0; i < steps; i++)
        bs_truth_add(f->truth, wearable, &b->events[i]);
    return BS_OK;
}

static enum bs_status wait_until_due(struct bs_feed *f, int64_t time_ms)
{
    if (f->options.speed <= 0)
        return bs_progress_poll(f->progress) ? BS_CLOSED : BS_OK;
    double ahead_ns = (double)(time_ms - f->options.origin_ms) * 1e6 / f->options.speed;
    uint64_t due_ns = f->begun_ns + (ahead_ns > 0 ? (uint64_t)ahead_ns : 0);
    return bs_publisher_wait(f->publisher, due_ns);
}

enum bs_status bs_feed_step(struct bs_feed *f, uint32_t wearable, const struct bs_event *event)
{
    bs_check(wearable < f->truth->wearable_count);
    enum bs_status status = wait_until_due(f, event->time_ms);
    if (status != BS_OK)
        return status;
    struct batch *b = &f->batches[wearable];
    struct bs_event own = *event;
    if (f->options.encoding.up)
        own.time_ms -= f->wearables[wearable].powered_up_ms;
    if (b->count > 0 &&
        !bs_encode_follows(f->options.encoding.form, &b->events[b->count - 1], &own))
        status = send_batch(f, wearable);
    if (status != BS_OK)
        return status;
    b->events[b->count++] = own;
    return b->count >= f->options.batch ? send_batch(f, wearable) : BS_OK;
}

enum bs_status bs_feed_flush(struct bs_feed *f)
{
    enum bs_status status = BS_OK;
    for (uint32_t i = 0; status == BS_OK && i < f->truth->wearable_count; i++)
        status = send_batch(f, i);
    return status == BS_OK ? release(f, UINT64_MAX) : status;
}
