/* Configuration documents: judged, put in force between two steps, answered. Must never change
 * anything for a document that was rejected. */
#include "engine_parts.h"

/* One document that came into force or went, and with what. */
struct change {
    struct bs_slice id;
    const struct bs_config_outcome *outcome;
    const struct bs_settings *settings_before;
    const struct bs_effects *effects;
};

/* A change of window_s keeps the boundary that it was given, whatever other setting changes later.
 */
static void follow_settings(struct bs_engine *e, const struct change *c)
{
    const struct bs_settings *s = bs_config_settings(e->config), *old = c->settings_before;
    int64_t max_future =
        s->max_future_ms > old->max_future_ms ? s->max_future_ms : old->max_future_ms;
    if (s->window_s != old->window_s)
        bs_windows_set_size(e->windows, s->window_s * 1000, bs_engine_wall(e), max_future);
    bs_engine_apply_settings(e);
    bs_engine_rearm_timers(e);
}

/* Members. */

/* What the old consent covers is counted and told under it: what waits passes, the bout ends. What
 * was counted with consent is written once more; from then on nothing with the member's name is. */
static void set_consent(struct bs_engine *e, struct bs_member *m, enum bs_consent consent,
                        const struct bs_effects *effects)
{
    if (m->consent != consent)
        bs_engine_settle_member(e, m);
    if (m->consent == BS_CONSENT_MEMBER && consent != BS_CONSENT_MEMBER) {
        bs_windows_write_member(e->windows, &m->windows, effects);
        bs_summaries_write_member(e->summaries, &m->summaries, effects);
    }
    if (m->bouts && m->consent != consent && consent == BS_CONSENT_MEMBER)
        bs_bouts_forget_gait(m->bouts);
    m->consent = (uint8_t)consent;
    m->windows.withheld = m->summaries.withheld = consent != BS_CONSENT_MEMBER;
    if (m->bouts)
        bs_bouts_withhold(m->bouts, m->windows.withheld);
}

/* What the document in force names stays on: its order goes on. */
static void take_devices(struct bs_engine *e, struct bs_member *m, const struct bs_ids *devices)
{
    for (size_t i = 0; i < devices->count; i++) {
        struct bs_device *d = bs_roster_find(e->roster, devices->at[i]);
        struct bs_slice wearer;
        if (!d || bs_device_wearer(d) != m)
            continue;
        if (bs_config_find_device(e->config, devices->at[i], &wearer) != BS_NAMING_MEMBER ||
            !bs_slice_equal(wearer, bs_member_id(m)))
            bs_roster_set_wearer(e->roster, d, NULL);
    }
}

static void give_devices(struct bs_engine *e, struct bs_member *m, const struct bs_ids *devices)
{
    for (size_t i = 0; i < devices->count; i++) {
        struct bs_device *d = bs_roster_find(e->roster, devices->at[i]);
        if (d)
            bs_roster_set_wearer(e->roster, d, m);
    }
}

/* Whose document is deleted keeps the consent for the rows that are open. Where no memory is for a
 * new member, nobody wears the devices: they are asked for again at the next step, and nobody
 * else's steps until then. */
static void follow_member(struct bs_engine *e, const struct change *c)
{
    const union bs_kind_document *before = c->outcome->before, *now = c->outcome->now;
    struct bs_member *m = bs_roster_make_member(e->roster, c->id);
    if (!m) {
        e->books.config_without_effect++;
        if (now)
            give_devices(e, NULL, &now->member.devices);
        return;
    }
    m->tagging = (struct bs_tagging){0};
    m->document = now ? &now->member : NULL;
    if (before)
        take_devices(e, m, &before->member.devices);
    if (now) {
        give_devices(e, m, &now->member.devices);
        set_consent(e, m, (enum bs_consent)now->member.consent, c->effects);
    }
    bs_engine_show_member(e, m);
}

/* Sessions and their drills. */

static void follow_session_of(struct bs_engine *e, struct bs_slice group,
                              const struct bs_session_document *session, bool by_drill)
{
    const union bs_kind_document *drill = bs_config_find(e->config, BS_KIND_DRILL, session->drill);
    struct bs_session_word word = {.group = group,
                                   .session = session,
                                   .drill = drill ? &drill->drill : NULL,
                                   .at = bs_engine_wall(e),
                                   .settled = bs_engine_settled(e),
                                   .by_drill = by_drill};
    enum bs_status status = bs_sessions_follow(e->sessions, &word);
    if (status == BS_FULL) {
        bs_engine_forget_sessions(e);
        status = bs_sessions_follow(e->sessions, &word);
    }
    e->books.config_without_effect += status != BS_OK;
    bs_live_note_session(e->live, group);
}

static void follow_session(struct bs_engine *e, const struct change *c)
{
    if (c->outcome->now) {
        follow_session_of(e, c->id, &c->outcome->now->session, false);
    } else {
        bs_sessions_close(e->sessions, c->id, bs_engine_wall(e));
        bs_live_note_session(e->live, c->id);
    }
    bs_summaries_follow(e->summaries, c->id, bs_engine_wall(e), c->effects);
}

static void take_session(void *context, struct bs_slice group,
                         const struct bs_session_document *session)
{
    follow_session_of(context, group, session, true);
}

static void follow_drill(struct bs_engine *e, const struct change *c)
{
    bs_config_each_session_of(e->config, c->id, take_session, e);
}

static void follow(struct bs_engine *e, const struct change *c)
{
    switch (c->outcome->kind) {
    case BS_KIND_SETTINGS:
        follow_settings(e, c);
        break;
    case BS_KIND_MEMBER:
        follow_member(e, c);
        break;
    case BS_KIND_DRILL:
        follow_drill(e, c);
        break;
    case BS_KIND_SESSION:
        follow_session(e, c);
        break;
    case BS_KIND_GROUP:
    case BS_KIND_COUNT:
        break;
    }
    bs_engine_fire_live(e);
    bs_engine_arm_sweep(e);
}

/* The answer. */

static void publish_result(struct bs_engine *e, const struct bs_topic *topic,
                           const struct bs_config_outcome *outcome, struct bs_slice correlation,
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
                               .payload = outcome->result,
                               .correlation = correlation,
                               .qos = 1,
                               .retained = true,
                               .unchanged =
                                   outcome->verdict == BS_CONFIG_ACCEPTED && !outcome->changed};
    effects->publish(effects->context, &p);
}

static void count(struct bs_books *books, enum bs_config_verdict verdict)
{
    switch (verdict) {
    case BS_CONFIG_ACCEPTED:
        books->config_accepted++;
        break;
    case BS_CONFIG_REJECTED:
        books->config_rejected++;
        break;
    case BS_CONFIG_DELETED:
        books->config_deleted++;
        break;
    case BS_CONFIG_UNKNOWN_KIND:
        books->config_unknown_kind++;
        break;
    }
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
    struct bs_settings settings_before = *bs_config_settings(e->config);
    struct bs_config_arrival arrival = {.kind = topic->document,
                                        .id = topic->id,
                                        .payload = body->payload,
                                        .digest = body->digest,
                                        .retained = retained,
                                        .guests = bs_roster_guests(e->roster),
                                        .at = bs_engine_wall(e)};
    struct bs_config_outcome outcome;
    bs_config_arrive(e->config, &arrival, &outcome);
    count(&e->books, outcome.verdict);
    struct change change = {topic->id, &outcome, &settings_before, effects};
    if (outcome.changed)
        follow(e, &change);
    if (outcome.verdict != BS_CONFIG_UNKNOWN_KIND)
        publish_result(e, topic, &outcome, body->correlation, effects);
}
