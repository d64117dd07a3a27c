/* The documents that the broker keeps: when they have all come, what is in force then, and which of
 * it the broker does not keep. Must never take a broker's word for it: none says where they end. */
#include "runtime_parts.h"

#include "backstep/core/config.h"
#include "report.h"

#include <stdio.h>

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
    rt->absent_since = 0;
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

void bs_runtime_report_in_force(struct bs_runtime *rt, const char *where, const char *remark)
{
    const struct bs_config *c = bs_engine_config(rt->engine);
    struct bs_document_rev rev = bs_config_rev(c, BS_KIND_SETTINGS, BS_SLICE("site"));
    char settings[32] = "default settings";
    if (rev.known)
        snprintf(settings, sizeof settings, "settings rev %u", rev.number);
    else if (bs_config_count_kind(c, BS_KIND_SETTINGS))
        snprintf(settings, sizeof settings, "settings");
    bs_report(BS_LOG_INFO, "in force%s: %s, members %zu, groups %zu, drills %zu, sessions %zu%s",
              where, settings, bs_config_count_kind(c, BS_KIND_MEMBER),
              bs_config_count_kind(c, BS_KIND_GROUP), bs_config_count_kind(c, BS_KIND_DRILL),
              bs_config_count_kind(c, BS_KIND_SESSION), remark);
}

static void report_all_here(struct bs_runtime *rt)
{
    char remark[64] = "";
    size_t absent = bs_runtime_find_absent(rt);
    if (absent)
        snprintf(remark, sizeof remark, "; not on the broker: %zu", absent);
    bs_answers_sum_up(&rt->answers);
    bs_runtime_report_in_force(rt, "", remark);
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
    report_all_here(rt);
    bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
}

size_t bs_runtime_find_absent(struct bs_runtime *rt)
{
    uint64_t received = bs_engine_books(rt->engine)->config_received;
    if (rt->documents != BS_DOCUMENTS_HERE) {
        bs_buffer_reset(&rt->absent);
        bs_buffer_add_text(&rt->absent, "[]");
        rt->absent_count = rt->absent_since = 0;
    } else if (rt->absent_since != received + 1) {
        bs_buffer_reset(&rt->absent);
        bs_config_write_absent(bs_engine_config(rt->engine), rt->connected_at, &rt->absent,
                               &rt->absent_count);
        rt->absent_since = received + 1;
    }
    return rt->absent_count;
}

void bs_runtime_note_unknown(struct bs_runtime *rt)
{
    uint64_t unknown = bs_engine_books(rt->engine)->config_unknown_kind;
    struct bs_message_body body;
    if (unknown == rt->unknown_documents)
        return;
    rt->unknown_documents = unknown;
    if (bs_message_body_read(rt->fold.record.body, rt->fold.record.flags, &body) == BS_OK)
        bs_answers_take_unknown(&rt->answers, bs_clock_mono().ns, body.topic);
}
