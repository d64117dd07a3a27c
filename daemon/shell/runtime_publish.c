/* What goes out: which publications there are, and what each of them may wait for. Must never let a
 * replay tell anybody what was to be told then. */
#include "runtime_parts.h"

#include "report.h"

#define REPORT_EVERY_NS (60 * UINT64_C(1000000000))

static void report_unpublished(struct bs_runtime *rt, enum bs_status why)
{
    uint64_t now = bs_clock_mono().ns;
    rt->unpublished++;
    if (now < rt->unpublished_due_ns)
        return;
    bs_report(BS_LOG_WARNING, "%llu publications given up: %s", (unsigned long long)rt->unpublished,
              why == BS_FULL ? "too many topics wait for the broker" : bs_status_text(why));
    rt->unpublished = 0;
    rt->unpublished_due_ns = now + REPORT_EVERY_NS;
}

void bs_runtime_publish(struct bs_runtime *rt, const struct bs_publication *publication,
                        enum bs_publication_sort sort)
{
    struct bs_mqtt_publication p = {.topic = publication->topic,
                                    .payload = publication->payload,
                                    .correlation = publication->correlation,
                                    .qos = publication->qos,
                                    .retained = publication->retained,
                                    .patient = sort == BS_PUBLICATION_ANSWER,
                                    .in_turn = sort != BS_PUBLICATION_STATE && rt->live,
                                    .expiry_s = publication->expiry_s};
    enum bs_status status = rt->mqtt ? bs_mqtt_publish(rt->mqtt, &p) : BS_OK;
    if (status != BS_OK)
        report_unpublished(rt, status);
}

/* Answers are all that the engine publishes at QoS 1, notices all that it does not retain. */
static enum bs_publication_sort sort_of(const struct bs_publication *p)
{
    if (p->qos > 0)
        return BS_PUBLICATION_ANSWER;
    return p->retained ? BS_PUBLICATION_STATE : BS_PUBLICATION_NOTICE;
}

/* Of a replay boards and notices are of yesterday. That a board was deleted holds: the broker may
 * not have been told. */
static bool is_past(const struct bs_runtime *rt, const struct bs_publication *p)
{
    bool deletion = p->retained && p->payload.length == 0;
    return !rt->live && p->qos == 0 && !deletion;
}

void bs_runtime_take_publication(void *context, const struct bs_publication *p)
{
    struct bs_runtime *rt = context;
    if (is_past(rt, p))
        return;
    if (rt->live)
        bs_answers_take(&rt->answers, bs_clock_mono().ns, bs_buffer_slice(&rt->result_topic), p);
    bs_runtime_publish(rt, p, sort_of(p));
}
