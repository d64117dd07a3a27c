/* What a member's bouts tell: to the group's rows and to the wearables. Must never tell anybody but
 * the member's own devices. */
#include "backstep/core/bout_rows.h"
#include "engine_parts.h"

#include <stdio.h>

/* A notice that is older says nothing any more. */
#define FEEDBACK_MAX_AGE_S 5

static void begin_bout(void *context, void *owner)
{
    struct bs_engine *e = context;
    struct bs_member *m = owner;
    bs_live_note_bout(e->live, &m->live);
}

static void count_bout(void *context, void *owner, struct bs_summary *summary)
{
    struct bs_engine *e = context;
    (void)owner;
    bs_summaries_count(e->summaries, summary, BS_SUMMARY_BOUTS, e->now);
}

static void summarise(struct bs_engine *e, const struct bs_carry_over_news *news)
{
    if (news->first)
        bs_summaries_count(e->summaries, news->summary, BS_SUMMARY_CARRY_OVERS, e->now);
    if (news->had_retention)
        bs_summaries_remove_retention(e->summaries, news->summary, news->old_retention_pct, e->now);
    if (news->has_retention)
        bs_summaries_add_retention(e->summaries, news->summary, news->retention_pct, e->now);
}

static void note_carry_over(void *context, void *owner, const struct bs_carry_over_news *news)
{
    struct bs_engine *e = context;
    struct bs_member *m = owner;
    summarise(e, news);
    if (!news->has_retention)
        return;
    bs_windows_set_retention(e->windows, news->tags, news->time_ms, news->retention_pct,
                             news->in_group, e->now);
    if (news->tags->named)
        bs_live_note_retention(e->live, &m->live, news->retention_pct);
}

/* Feedback. */

static void send_feedback(struct bs_engine *e, struct bs_slice device, struct bs_slice payload)
{
    bs_buffer_reset(&e->topic);
    bs_buffer_add(&e->topic, bs_buffer_slice(&e->root));
    bs_buffer_add(&e->topic, BS_SLICE("feedback/"));
    bs_buffer_add(&e->topic, device);
    if (e->topic.failed)
        return;
    struct bs_publication p = {
        .topic = bs_buffer_slice(&e->topic), .payload = payload, .expiry_s = FEEDBACK_MAX_AGE_S};
    e->effects->publish(e->effects->context, &p);
}

static void send_to_all(struct bs_engine *e, const struct bs_member *m, struct bs_slice payload)
{
    if (m->is_guest)
        send_feedback(e, bs_slice_after(bs_member_id(m), sizeof "guest-" - 1), payload);
    if (!m->document)
        return;
    for (size_t i = 0; i < m->document->devices.count; i++)
        send_feedback(e, m->document->devices.at[i], payload);
}

static void give_feedback(struct bs_engine *e, const struct bs_member *m,
                          const struct bs_slip_news *news)
{
    char text[128];
    int length = snprintf(text, sizeof text,
                          "{\"slip\":\"%s\",\"sign\":\"%s\",\"deviation\":%.1f,\"t\":%lld}",
                          bs_slip_metric_name(news->metric), news->up ? "up" : "down",
                          news->deviation, (long long)news->time_ms);
    send_to_all(e, m, bs_slice_of(text, (size_t)length));
}

static void note_slip(void *context, void *owner, const struct bs_slip_news *news)
{
    struct bs_engine *e = context;
    struct bs_member *m = owner;
    bs_windows_count_slip(e->windows, &m->windows, news->tags, news->time_ms, e->now);
    bs_summaries_count(e->summaries, news->summary, BS_SUMMARY_SLIPS, e->now);
    if (news->named)
        bs_live_note_slip(e->live, &m->live, bs_slip_metric_name(news->metric), news->time_ms);
    bool fresh = bs_engine_wall(e).ms - news->time_ms <= FEEDBACK_MAX_AGE_S * 1000;
    if (bs_config_settings(e->config)->feedback && news->named && fresh)
        give_feedback(e, m, news);
}

struct bs_bout_listener bs_engine_bout_listener(struct bs_engine *e)
{
    return (struct bs_bout_listener){.context = e,
                                     .began = begin_bout,
                                     .written = count_bout,
                                     .carried = note_carry_over,
                                     .slipped = note_slip};
}
