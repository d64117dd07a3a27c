/* The pace of publishing. Must never publish ahead of event time. */
#include "paced_publisher.h"

static enum bs_status wait(void *context, int64_t at_ms)
{
    struct bs_paced_publisher *p = context;
    if (p->speed <= 0)
        return bs_progress_poll(p->progress) ? BS_CLOSED : BS_OK;
    double ahead_ns = (double)(at_ms - p->origin_ms) * 1e6 / p->speed;
    uint64_t due_ns = p->begun_ns + (ahead_ns > 0 ? (uint64_t)ahead_ns : 0);
    return bs_publisher_wait(p->publisher, due_ns);
}

static enum bs_status deliver(void *context, const struct bs_parcel *parcel)
{
    struct bs_paced_publisher *p = context;
    return bs_publisher_send(p->publisher, parcel->topic, parcel->payload, parcel->retained);
}

struct bs_sink bs_paced_publisher_sink(struct bs_paced_publisher *p)
{
    return (struct bs_sink){p, wait, deliver};
}
