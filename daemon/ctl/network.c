/* Faults of a network. Must never lose a message: what is late is delivered in the end. */
#include "network.h"

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/base/random.h"
#include "backstep/core/heap.h"

#include <stdlib.h>

#define MESSAGE_MAX (64u * 1024)
#define LATER_MAX   10u                 /* a late message lets at most so many pass */
#define HELD_MAX    (2 * LATER_MAX + 2) /* each of the last ten may be late, with its copy */

/* A message, or the second sending of one, that is on its way. */
struct held {
    struct bs_parcel parcel; /* its payload is `payload`, its events are `events` */
    struct bs_buffer payload;
    struct bs_event *events;
    uint64_t release; /* of those that count: goes behind message number `release`; 0: free */
};

struct bs_network {
    struct bs_network_options options;
    struct bs_sink sink;
    struct bs_random random;
    int64_t now_ms;
    struct held counted[HELD_MAX]; /* late by messages */
    struct bs_heap timed;          /* of struct held *, late by time */
    uint64_t messages;             /* without second sendings */
    uint64_t duplicates;
};

enum bs_status bs_network_new(struct bs_network **ret, const struct bs_network_options *options,
                              const struct bs_sink *sink)
{
    struct bs_network *n = calloc(1, sizeof *n);
    if (!n)
        return BS_NO_MEMORY;
    n->options = *options;
    n->sink = *sink;
    n->now_ms = INT64_MIN;
    bs_random_init(&n->random, options->seed);
    for (size_t i = 0; i < HELD_MAX; i++)
        bs_buffer_init(&n->counted[i].payload, MESSAGE_MAX);
    bs_heap_init(&n->timed);
    *ret = n;
    return BS_OK;
}

static void fini_held(struct held *h)
{
    bs_buffer_fini(&h->payload);
    free(h->events);
}

void bs_network_free(struct bs_network *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < HELD_MAX; i++)
        fini_held(&n->counted[i]);
    while (n->timed.count > 0) {
        struct held *h = bs_heap_pop(&n->timed);
        fini_held(h);
        free(h);
    }
    bs_heap_fini(&n->timed);
    free(n);
}

static bool happens(struct bs_network *n, double percent)
{
    return percent > 0 && bs_random_unit(&n->random) * 100 < percent;
}

/* A copy of its own, whatever the place held before. */
static bool keep(struct held *place, const struct bs_parcel *parcel)
{
    struct bs_event *events = NULL;
    if (parcel->count > 0)
        events = realloc(place->events, parcel->count * sizeof *events);
    if (parcel->count > 0 && !events)
        return false;
    place->events = events;
    bs_buffer_reset(&place->payload);
    bs_buffer_add(&place->payload, parcel->payload);
    if (place->payload.failed)
        return false;
    place->parcel = *parcel;
    place->parcel.payload = bs_buffer_slice(&place->payload);
    place->parcel.events = events;
    if (parcel->count > 0)
        memcpy(events, parcel->events, parcel->count * sizeof *events);
    return true;
}

/* ---- late by messages ---- */

static enum bs_status hold(struct bs_network *n, const struct bs_parcel *parcel, uint64_t release)
{
    struct held *place = NULL;
    for (size_t i = 0; i < HELD_MAX && !place; i++) {
        if (n->counted[i].release == 0)
            place = &n->counted[i];
    }
    bs_check(place != NULL);
    if (!keep(place, parcel))
        return BS_NO_MEMORY;
    place->release = release;
    return BS_OK;
}

/* Delivers what had to let pass no more than the messages up to number `until`. */
static enum bs_status release(struct bs_network *n, uint64_t until)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        struct held *h = &n->counted[i];
        if (h->release == 0 || h->release > until)
            continue;
        enum bs_status status = n->sink.deliver(n->sink.context, &h->parcel);
        if (status != BS_OK)
            return status;
        h->release = 0;
    }
    return BS_OK;
}

static enum bs_status send_counted(struct bs_network *n, const struct bs_parcel *parcel)
{
    enum bs_status status;
    uint64_t number = ++n->messages;
    if (happens(n, n->options.reorder_pct))
        status = hold(n, parcel, number + 1 + bs_random_below(&n->random, LATER_MAX));
    else
        status = n->sink.deliver(n->sink.context, parcel);
    if (status == BS_OK && happens(n, n->options.duplicates_pct)) {
        n->duplicates += parcel->count;
        status = hold(n, parcel, number + bs_random_below(&n->random, LATER_MAX + 1));
    }
    return status == BS_OK ? release(n, number) : status;
}

/* ---- late by time ---- */

static enum bs_status put_on_the_way(struct bs_network *n, const struct bs_parcel *parcel,
                                     int64_t arrival_ms)
{
    struct held *h = calloc(1, sizeof *h);
    if (!h)
        return BS_NO_MEMORY;
    bs_buffer_init(&h->payload, MESSAGE_MAX);
    if (!bs_heap_reserve(&n->timed) || !keep(h, parcel)) {
        fini_held(h);
        free(h);
        return BS_NO_MEMORY;
    }
    bs_heap_push(&n->timed, arrival_ms, h);
    return BS_OK;
}

static int64_t lateness_ms(struct bs_network *n)
{
    return (int64_t)bs_random_below(&n->random, (uint64_t)n->options.reorder_ms + 1);
}

static enum bs_status deliver_earliest(struct bs_network *n)
{
    struct held *h = bs_heap_pop(&n->timed);
    enum bs_status status = n->sink.deliver(n->sink.context, &h->parcel);
    fini_held(h);
    free(h);
    return status;
}

static enum bs_status send_timed(struct bs_network *n, const struct bs_parcel *parcel,
                                 int64_t at_ms)
{
    int64_t late_ms = happens(n, n->options.reorder_pct) ? lateness_ms(n) : 0;
    enum bs_status status = put_on_the_way(n, parcel, at_ms + late_ms);
    if (status == BS_OK && happens(n, n->options.duplicates_pct)) {
        n->duplicates += parcel->count;
        status = put_on_the_way(n, parcel, at_ms + lateness_ms(n));
    }
    return status;
}

/* ---- the ways in ---- */

enum bs_status bs_network_advance(struct bs_network *n, int64_t at_ms)
{
    enum bs_status status = BS_OK;
    while (status == BS_OK && n->timed.count > 0 && bs_heap_least(&n->timed) <= at_ms) {
        status = n->sink.wait(n->sink.context, bs_heap_least(&n->timed));
        if (status == BS_OK)
            status = deliver_earliest(n);
    }
    n->now_ms = at_ms;
    return status == BS_OK ? n->sink.wait(n->sink.context, at_ms) : status;
}

enum bs_status bs_network_send_later(struct bs_network *n, const struct bs_parcel *parcel,
                                     int64_t at_ms)
{
    return send_timed(n, parcel, at_ms);
}

enum bs_status bs_network_send(struct bs_network *n, const struct bs_parcel *parcel)
{
    return n->options.reorder_ms > 0 ? send_timed(n, parcel, n->now_ms) : send_counted(n, parcel);
}

enum bs_status bs_network_flush(struct bs_network *n, bool hurry)
{
    enum bs_status status = release(n, UINT64_MAX);
    while (status == BS_OK && n->timed.count > 0) {
        if (!hurry)
            status = n->sink.wait(n->sink.context, bs_heap_least(&n->timed));
        if (status == BS_OK)
            status = deliver_earliest(n);
    }
    return status;
}

uint64_t bs_network_duplicates(const struct bs_network *n)
{
    return n->duplicates;
}
