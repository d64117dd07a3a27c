/* The documents that the broker keeps: when they have all come, what is in force then, and which of
 * it the broker does not keep. Must never take a broker's word for it: none says where they end. */
#include "runtime_parts.h"

#include "report.h"

/* A broker hands over as many at once as we take unacknowledged, and the next with each
 * acknowledgement: a pause this long is the end of them. Somebody who pushes without a pause does
 * not put it off for ever. */
#define QUIET_NS    UINT64_C(1000000000)
#define PATIENCE_NS (30 * UINT64_C(1000000000))
#define LOOK_MS     250

void bs_runtime_note_document(struct bs_runtime *rt)
{
    atomic_store_explicit(&rt->last_document_ns, bs_clock_mono().ns, memory_order_relaxed);
}

void bs_runtime_expect_documents(struct bs_runtime *rt)
{
    rt->documents = BS_DOCUMENTS_COMING;
    rt->online_ns = bs_clock_mono().ns;
    uv_timer_start(&rt->timers[BS_TIMER_DOCUMENTS], bs_runtime_on_timer, LOOK_MS, LOOK_MS);
}

void bs_runtime_forget_documents(struct bs_runtime *rt)
{
    rt->documents = BS_DOCUMENTS_AWAY;
    uv_timer_stop(&rt->timers[BS_TIMER_DOCUMENTS]);
}

static bool have_come(struct bs_runtime *rt)
{
    uint64_t now = bs_clock_mono().ns;
    uint64_t last = atomic_load_explicit(&rt->last_document_ns, memory_order_relaxed);
    uint64_t since = last > rt->online_ns ? last : rt->online_ns;
    return now >= since + QUIET_NS || now >= rt->online_ns + PATIENCE_NS;
}

static void report_in_force(struct bs_runtime *rt)
{
    size_t absent = bs_runtime_find_absent(rt);
    bs_answers_sum_up(&rt->answers);
    bs_report(BS_LOG_INFO, "%zu documents in force, %zu of them not on the broker",
              bs_engine_documents(rt->engine), absent);
}

void bs_runtime_look_for_documents(struct bs_runtime *rt)
{
    if (rt->documents == BS_DOCUMENTS_COMING && have_come(rt)) {
        rt->documents_head = bs_log_head(rt->intake);
        rt->documents = BS_DOCUMENTS_FOLDING;
    }
    if (rt->documents != BS_DOCUMENTS_FOLDING || rt->fold.folded < rt->documents_head)
        return;
    uv_timer_stop(&rt->timers[BS_TIMER_DOCUMENTS]);
    rt->documents = BS_DOCUMENTS_HERE;
    report_in_force(rt);
    bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
}

size_t bs_runtime_find_absent(struct bs_runtime *rt)
{
    bs_buffer_reset(&rt->absent);
    if (rt->documents == BS_DOCUMENTS_HERE)
        bs_engine_write_absent(rt->engine, rt->away_until, &rt->absent);
    else
        bs_buffer_add_text(&rt->absent, "[]");
    return rt->absent.length > sizeof "[]" - 1 ? 1 : 0;
}

void bs_runtime_note_unknown(struct bs_runtime *rt)
{
    uint64_t unknown = bs_engine_books(rt->engine)->config_unknown_kind;
    struct bs_message_body body;
    if (unknown == rt->unknown_documents)
        return;
    rt->unknown_documents = unknown;
    if (bs_message_body_read(rt->fold.record.body, &body) == BS_OK)
        bs_answers_take_unknown(&rt->answers, bs_clock_mono().ns, body.topic);
}
