/* The broker's side of the runtime. Persist, then acknowledge: the client acknowledges a message
 * when on_message returns true, and it does when the intake log has it. Must never wait for the
 * broker on the loop's thread but when it stops. */
#include "runtime_parts.h"

#include "backstep/core/decode.h"
#include "backstep/edge/process.h"
#include "backstep/edge/tls.h"
#include "report.h"
#include "runtime.h"

#include <sha2.h>
#include <stdio.h>
#include <string.h>

/* A payload is kept up to one byte over the bound: enough to be rejected as too large. The digest
 * of a longer document is kept in its place, since the answer names it. */
#define PAYLOAD_KEPT_MAX      (BS_MESSAGE_BYTES_MAX + 1)

/* How long a message waits where the intake takes it not: as long as a failed sync needs to be made
 * good on a sound disk. The link is being left by then, and nobody can leave it meanwhile. */
#define REFUSED_LOOK_NS       20000000
#define REFUSED_LOOKS_MAX     25

#define MINUTE_NS             (60 * UINT64_C(1000000000))
#define REASON_LINES_A_MINUTE 10

/* What slewing may take the clock back between a CONNACK and the first documents: 500 ppm of the
 * ten seconds between two looks at it, twice. */
#define CONNECTED_SLACK_MS    10

static bool append_soon(struct bs_runtime *rt, uint8_t flags, const struct bs_slice *parts,
                        size_t count)
{
    for (unsigned looks = 0; looks < REFUSED_LOOKS_MAX; looks++) {
        if (bs_log_append(rt->intake, BS_RECORD_MESSAGE, flags, parts, count, NULL) == BS_OK)
            return true;
        bs_process_sleep(REFUSED_LOOK_NS);
    }
    return false;
}

static bool is_document(const struct bs_runtime *rt, struct bs_slice topic)
{
    return bs_slice_starts(topic, bs_buffer_slice(&rt->config_topic));
}

static struct bs_slice digest_of(struct bs_slice payload, uint8_t ret[BS_DIGEST_BYTES])
{
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)payload.at, payload.length);
    SHA256Final(ret, &context);
    return bs_slice_of(ret, BS_DIGEST_BYTES);
}

static bool on_message(void *context, const struct bs_mqtt_message *m)
{
    struct bs_runtime *rt = context;
    uint8_t head[BS_MESSAGE_HEAD_BYTES], digest[BS_DIGEST_BYTES], flags = 0;
    bs_message_head_write((uint16_t)m->topic.length, (uint16_t)m->correlation.length, head);
    struct bs_slice parts[] = {bs_slice_of(head, sizeof head), m->topic, m->correlation,
                               m->payload};
    bool document = is_document(rt, m->topic), too_large = m->payload.length > PAYLOAD_KEPT_MAX;
    if (document)
        bs_runtime_note_document(rt);
    if (document && too_large) {
        parts[3] = digest_of(m->payload, digest);
        flags |= BS_RECORD_DIGESTED;
    } else if (too_large) {
        parts[3].length = PAYLOAD_KEPT_MAX;
    }
    /* MQTT 3.1.1 does not tell whether a document was published retained: the benefit of the doubt.
     */
    if (m->retained || (document && rt->conf->mqtt.version != 5))
        flags |= BS_RECORD_RETAINED;
    return append_soon(rt, flags, parts, 4);
}

static void on_change(void *context)
{
    struct bs_runtime *rt = context;
    atomic_store(&rt->look_around, true);
    uv_async_send(&rt->wake);
}

/* The configuration changes only while no client runs. */
static bool explain(void *context, char *ret_why, size_t why_bytes)
{
    const struct bs_conf *c = ((const struct bs_runtime *)context)->conf;
    struct bs_tls_broker broker = {.uri = c->mqtt.uri,
                                   .ca_file = c->mqtt.ca_file,
                                   .cert_file = c->mqtt.cert_file,
                                   .key_file = c->mqtt.key_file};
    return bs_tls_explain(&broker, ret_why, why_bytes) == BS_REFUSED;
}

static void below_root(const struct bs_runtime *rt, const char *rest, char *ret, size_t bytes)
{
    snprintf(ret, bytes, "%s/%s/%s", rt->conf->mqtt.topic_root, rt->conf->site.id, rest);
}

enum bs_status bs_runtime_link_start(struct bs_runtime *rt)
{
    const struct bs_conf *c = rt->conf;
    char config[512], device[512], result[512], service[512], marker[512], rest[128];
    below_root(rt, "config/#", config, sizeof config);
    below_root(rt, "device/#", device, sizeof device);
    below_root(rt, "result/", result, sizeof result);
    snprintf(rest, sizeof rest, "service/%s", c->site.instance);
    below_root(rt, rest, service, sizeof service);
    snprintf(rest, sizeof rest, "service/%s/marker", c->site.instance);
    below_root(rt, rest, marker, sizeof marker);
    const char *const subscriptions[] = {config, device};
    struct bs_mqtt_options options = {
        .uri = c->mqtt.uri,
        .version = c->mqtt.version,
        .client_id = c->mqtt.client_id,
        .username = c->mqtt.username,
        .password = c->mqtt.password,
        .ca_file = c->mqtt.ca_file,
        .cert_file = c->mqtt.cert_file,
        .key_file = c->mqtt.key_file,
        .session_expiry_s = c->mqtt.session_expiry_s,
        .receive_maximum = c->mqtt.receive_maximum,
        .keepalive_s = c->mqtt.keepalive_s,
        .subscriptions = subscriptions,
        .subscription_count = 2,
        .will_topic = service,
        .will_payload = "{\"state\":\"offline\"}",
        .first_subscription = config,
        .marker_topic = marker,
        .start_held = true,
        .jitter_seed = bs_clock_mono().ns,
        .on_message = on_message,
        .on_change = on_change,
        .explain = explain,
        .context = rt,
    };
    bs_buffer_reset(&rt->service_topic);
    bs_buffer_add_text(&rt->service_topic, service);
    bs_buffer_reset(&rt->config_topic);
    bs_buffer_add(&rt->config_topic, bs_slice_of(config, strlen(config) - 1));
    bs_buffer_reset(&rt->result_topic);
    bs_buffer_add_text(&rt->result_topic, result);
    return rt->mqtt ? bs_mqtt_return(rt->mqtt, &options) : bs_mqtt_start(&rt->mqtt, &options);
}

/* Without a single document every step of a night would be rejected as unknown: they come first. */
void bs_runtime_link_connect(struct bs_runtime *rt)
{
    rt->last_phase = BS_MQTT_HELD; /* another client may have been online before */
    bs_runtime_forget_documents(rt);
    bs_mqtt_connect(rt->mqtt, bs_engine_documents(rt->engine) == 0);
}

void bs_runtime_link_leave(struct bs_runtime *rt)
{
    bs_mqtt_leave(rt->mqtt);
}

void bs_runtime_link_stop(struct bs_runtime *rt)
{
    if (rt->mqtt)
        bs_mqtt_stop(rt->mqtt);
    rt->mqtt = NULL;
}

/* Conditions. */

static const char *trouble_words(enum bs_log_trouble trouble)
{
    switch (trouble) {
    case BS_LOG_WELL:
        return "well";
    case BS_LOG_AT_BOUND:
        return "is full: its bound (max_mb) is reached, and it waits for snapshots that let the "
               "oldest go";
    case BS_LOG_DISK_FULL:
        return "has no room for another segment";
    case BS_LOG_IO_ERROR:
        break;
    }
    return "cannot be written safely";
}

static void describe_log(const struct bs_runtime *rt, const char *name,
                         struct bs_log_condition condition, char *ret, size_t bytes)
{
    snprintf(ret, bytes, "the %s in %.150s %s%s%s", name, rt->conf->journal.directory,
             trouble_words(condition.trouble), condition.error ? ": " : "",
             condition.error ? strerror(condition.error) : "");
}

/* A process that said nothing was ended by somebody: the kernel, where memory is short. */
static const char *snapshot_words(const struct bs_runtime_snapshots *s)
{
    if (s->error)
        return strerror(s->error);
    return s->trouble == BS_IO ? "the process that writes it was killed"
                               : bs_status_text(s->trouble);
}

/* The gravest first: of what takes messages, then of what takes rows. */
static void find_reason(struct bs_runtime *rt, char *ret, size_t bytes)
{
    struct bs_log_condition intake = bs_log_condition(rt->intake);
    struct bs_log_condition outbox = bs_log_condition(rt->outbox);
    struct bs_outlet_state outlet = {.letters_error = ""};
    if (rt->outlet)
        bs_outlet_get_state(rt->outlet, &outlet);
    ret[0] = 0;
    if (intake.trouble != BS_LOG_WELL)
        describe_log(rt, "intake", intake, ret, bytes);
    else if (outbox.trouble != BS_LOG_WELL)
        describe_log(rt, "outbox", outbox, ret, bytes);
    else if (rt->fold.backlog)
        snprintf(ret, bytes, "the outbox in %.150s takes no rows: %s", rt->conf->journal.directory,
                 bs_status_text(rt->fold.trouble));
    else if (rt->snapshots.trouble != BS_OK)
        snprintf(ret, bytes, "no snapshot can be written in %.150s: %s",
                 rt->conf->journal.directory, snapshot_words(&rt->snapshots));
    else if (outlet.letters_error[0])
        snprintf(ret, bytes, "%s", outlet.letters_error);
}

/* A disk that comes and goes does so as often as it likes; the beat looks again. */
static bool may_say_reason(struct bs_runtime *rt)
{
    uint64_t now = bs_clock_mono().ns;
    if (now >= rt->reason_due_ns) {
        rt->reason_due_ns = now + MINUTE_NS;
        rt->reason_lines = 0;
    }
    return rt->reason_lines++ < REASON_LINES_A_MINUTE;
}

static void report_reason(struct bs_runtime *rt, bool away)
{
    if (strcmp(rt->reason, rt->reason_said) == 0 || !may_say_reason(rt))
        return;
    memcpy(rt->reason_said, rt->reason, sizeof rt->reason);
    if (rt->reason[0])
        bs_report(BS_LOG_ERROR, "stalled: %s; the %s keeps what comes meanwhile", rt->reason,
                  away ? "broker" : "log");
    else
        bs_report(BS_LOG_INFO, "no longer stalled");
}

static void follow_conditions(struct bs_runtime *rt)
{
    char reason[sizeof rt->reason];
    bool away = bs_log_condition(rt->intake).trouble != BS_LOG_WELL;
    find_reason(rt, reason, sizeof reason);
    if (strcmp(reason, rt->reason) != 0) {
        memcpy(rt->reason, reason, sizeof reason);
        bs_runtime_tell(rt, reason[0] ? "stalled" : "online");
    }
    report_reason(rt, away);
    if (away == rt->stalled)
        return;
    rt->stalled = away;
    if (away)
        bs_mqtt_hold(rt->mqtt);
    else
        bs_mqtt_resume(rt->mqtt);
}

/* As the fold tells time, so that a clock that is set later makes nothing look absent. */
static void note_connected(struct bs_runtime *rt, uint64_t connected_ns)
{
    int64_t ago_ms = (int64_t)((bs_clock_mono().ns - connected_ns) / 1000000);
    rt->connected_at.ms = bs_clock_tick(&rt->clock).ms + bs_engine_offset_ms(rt->engine) - ago_ms -
                          CONNECTED_SLACK_MS;
}

static void go_online(struct bs_runtime *rt, const struct bs_mqtt_state *state)
{
    bs_report(BS_LOG_INFO, "online at %s", rt->conf->mqtt.uri);
    note_connected(rt, state->connected_ns);
    bs_runtime_expect_documents(rt);
    bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
    rt->last_error[0] = 0;
}

static void follow_broker(struct bs_runtime *rt)
{
    struct bs_mqtt_state state;
    bs_mqtt_get_state(rt->mqtt, &state);
    bool is_new = strcmp(state.error, rt->last_error) != 0;
    enum bs_mqtt_phase last = rt->last_phase;
    /* A loop that was busy may see neither the loss nor the tries, only that it is another one. */
    bool is_other = last != BS_MQTT_ONLINE || state.connects != rt->last_connects;
    rt->last_phase = state.phase;
    rt->last_connects = state.connects;
    if (state.phase != BS_MQTT_ONLINE)
        bs_runtime_forget_documents(rt);
    if (state.phase == BS_MQTT_ONLINE && is_other) {
        go_online(rt, &state);
    } else if (state.phase == BS_MQTT_WAITING && state.error[0] &&
               (is_new || last == BS_MQTT_ONLINE)) {
        bs_report(BS_LOG_WARNING, "no broker at %s: %s; trying again", rt->conf->mqtt.uri,
                  state.error);
        memcpy(rt->last_error, state.error, sizeof rt->last_error);
        bs_runtime_tell(rt, rt->reason[0] ? "stalled" : "online");
    }
}

void bs_runtime_look_around(struct bs_runtime *rt)
{
    if (!rt->mqtt)
        return;
    follow_conditions(rt);
    follow_broker(rt);
}
