/* Configuration documents: judged, put in force between two steps, answered. Must never change
 * anything for a document that was rejected. */
#include "engine_parts.h"

static void follow_settings(struct bs_engine *e, const struct bs_settings *old)
{
    const struct bs_settings *s = bs_config_settings(e->config);
    int64_t max_future =
        s->max_future_ms > old->max_future_ms ? s->max_future_ms : old->max_future_ms;
    bs_windows_set_size(e->windows, s->window_s * 1000, bs_engine_wall(e), max_future);
    bs_engine_apply_settings(e);
}

static void publish_result(struct bs_engine *e, const struct bs_topic *topic,
                           struct bs_slice result, struct bs_slice correlation,
                           const struct bs_effects *effects)
{
    bs_buffer_reset(&e->topic);
    bs_buffer_add(&e->topic, bs_buffer_slice(&e->root));
    bs_buffer_add(&e->topic, BS_SLICE("result/"));
    bs_buffer_add(&e->topic, topic->document);
    bs_buffer_add_char(&e->topic, '/');
    bs_buffer_add(&e->topic, topic->id);
    if (e->topic.failed)
        return;
    struct bs_publication p = {.topic = bs_buffer_slice(&e->topic),
                               .payload = result,
                               .correlation = correlation,
                               .qos = 1,
                               .retained = true};
    effects->publish(effects->context, &p);
}

void bs_engine_take_document(struct bs_engine *e, const struct bs_topic *topic,
                             const struct bs_message_body *body, bool retained,
                             const struct bs_effects *effects)
{
    e->books.config_received++;
    if (!topic->valid) {
        e->books.config_unknown_kind++;
        return;
    }
    struct bs_settings old = *bs_config_settings(e->config);
    struct bs_config_arrival arrival = {.kind = topic->document,
                                        .id = topic->id,
                                        .payload = body->payload,
                                        .retained = retained,
                                        .guests = bs_roster_devices(e->roster),
                                        .at = bs_engine_wall(e)};
    struct bs_config_outcome outcome;
    bs_config_arrive(e->config, &arrival, &outcome);
    uint64_t *counters[] = {[BS_CONFIG_ACCEPTED] = &e->books.config_accepted,
                            [BS_CONFIG_REJECTED] = &e->books.config_rejected,
                            [BS_CONFIG_DELETED] = &e->books.config_deleted,
                            [BS_CONFIG_UNKNOWN_KIND] = &e->books.config_unknown_kind};
    ++*counters[outcome.verdict];
    if (!bs_settings_equal(&old, bs_config_settings(e->config)))
        follow_settings(e, &old);
    if (outcome.verdict != BS_CONFIG_UNKNOWN_KIND)
        publish_result(e, topic, outcome.result, body->correlation, effects);
}
