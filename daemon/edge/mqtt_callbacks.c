/* What Paho calls: messages, and what became of what was started. Paho's global mutex is held
 * around every callback, so none of them waits or calls MQTTAsync_* but to free memory: it stores
 * the message, or notes what happened for the publisher thread. */
#include "mqtt_internal.h"

#include <stdio.h>
#include <time.h>

static bool is_v5(const struct bs_mqtt *mqtt)
{
    return mqtt->options.version == 5;
}

/* ── receiving ─────────────────────────────────────────────────────────────────────────────── */

static struct bs_slice correlation_of(MQTTProperties *properties)
{
    MQTTProperty *p = MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_CORRELATION_DATA);

    if (p == NULL || p->value.data.len <= 0) {
        return bs_slice_of("", 0);
    }
    return bs_slice_of(p->value.data.data, (size_t)p->value.data.len);
}

static struct bs_mqtt_message message_of(char *topic, int topic_length, MQTTAsync_message *m)
{
    struct bs_mqtt_message message = {
        /* Paho says 0 where the topic has no zero byte in it. */
        .topic = bs_slice_of(topic, topic_length > 0 ? (size_t)topic_length : strlen(topic)),
        .payload = bs_slice_of(m->payload, (size_t)m->payloadlen),
        .correlation = bs_slice_of("", 0),
        .retained = m->retained != 0,
    };

    if (m->properties.count > 0) {
        message.correlation = correlation_of(&m->properties);
    }
    return message;
}

static void note_message(struct bs_mqtt *mqtt)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    atomic_store_explicit(&mqtt->last_message_ns,
                          (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                          memory_order_relaxed);
}

/* Paho sends the PUBACK when this returns, whatever it returns: what is stored must be stored
 * inside on_message, and what is not, or comes behind that on the same connection, must find it
 * cut. Returning 0 would only park the message in memory. */
static int message_arrived(void *context, char *topic, int topic_length, MQTTAsync_message *m)
{
    struct bs_mqtt *mqtt = context;
    struct bs_mqtt_message message = message_of(topic, topic_length, m);

    if (!mqtt->cut && mqtt->options.on_message(mqtt->options.context, &message)) {
        note_message(mqtt);
    } else {
        mqtt->cut = true;
        bs_mqtt_cut(mqtt->options.uri);
        bs_mqtt_note_broken(mqtt, "cut by us", "a message could not be stored");
    }
    MQTTAsync_freeMessage(&m);
    MQTTAsync_free(topic);
    return 1;
}

/* The configuration link's, so that the other one does not compare topics. */
static int config_arrived(void *context, char *topic, int topic_length, MQTTAsync_message *m)
{
    struct bs_mqtt *mqtt = context;
    struct bs_mqtt_message message = message_of(topic, topic_length, m);

    if (!bs_slice_equal(message.topic, bs_slice_text(mqtt->options.marker_topic))) {
        return message_arrived(context, topic, topic_length, m);
    }
    if (bs_slice_equal(message.payload, bs_slice_text(mqtt->marker))) {
        bs_mqtt_note(mqtt, BS_MQTT_EVENT_MARKER, NULL);
    }
    MQTTAsync_freeMessage(&m);
    MQTTAsync_free(topic);
    return 1;
}

/* ── what went wrong, in words ─────────────────────────────────────────────────────────────── */

static const char *connack_text(int code)
{
    static const char *const texts[] = {
        "accepted",           "unacceptable protocol version", "client id refused",
        "server unavailable", "bad user name or password",     "not authorized"};

    return code >= 0 && code < (int)(sizeof(texts) / sizeof(texts[0])) ? texts[code] : "refused";
}

static const char *reason_text(int code)
{
    const char *text = MQTTReasonCode_toString((enum MQTTReasonCodes)code);

    return text != NULL ? text : "unknown reason";
}

void bs_mqtt_note_broken(struct bs_mqtt *mqtt, const char *what, const char *why)
{
    char text[sizeof(mqtt->reason)];

    snprintf(text, sizeof(text), "%s: %.200s", what, why);
    bs_mqtt_note(mqtt, BS_MQTT_EVENT_BROKEN, text);
}

/* `code` is Paho's own (negative), an errno, or what the CONNACK said: the message tells. */
static void note_connect_failure(struct bs_mqtt *mqtt, int code, const char *message)
{
    bool answered = message != NULL && strcmp(message, "CONNACK return code") == 0;
    char tls[sizeof(mqtt->tls_reason)];

    pthread_mutex_lock(&mqtt->lock);
    memcpy(tls, mqtt->tls_reason, sizeof(tls));
    mqtt->broker_answered = mqtt->broker_answered || answered;
    pthread_mutex_unlock(&mqtt->lock);
    if (answered) {
        bs_mqtt_note_broken(mqtt, "the broker refused the connection",
                            is_v5(mqtt) ? reason_text(code) : connack_text(code));
    } else if (tls[0] != '\0') {
        bs_mqtt_note_broken(mqtt, "no connection", tls);
    } else if (code > 0 && strerrordesc_np(code) != NULL) {
        bs_mqtt_note_broken(mqtt, "no connection", strerrordesc_np(code));
    } else {
        bs_mqtt_note_broken(mqtt, "no connection",
                            message != NULL ? message : MQTTAsync_strerror(code));
    }
}

/* OpenSSL's line is thread:error:number:library:function:reason:file:line:…, and only the reason is
 * for people. */
static int tls_said(const char *text, size_t length, void *context)
{
    struct bs_mqtt *mqtt = context;
    struct bs_slice rest = bs_slice_of(text, length);
    const char *end;

    for (int i = 0; i < 5; i++) {
        const char *colon = memchr(rest.at, ':', rest.length);

        if (colon == NULL) {
            break;
        }
        rest = bs_slice_after(rest, (size_t)(colon - rest.at) + 1);
    }
    end = memchr(rest.at, ':', rest.length);
    pthread_mutex_lock(&mqtt->lock);
    snprintf(mqtt->tls_reason, sizeof(mqtt->tls_reason), "TLS: %.*s",
             end != NULL ? (int)(end - rest.at) : (int)rest.length, rest.at);
    pthread_mutex_unlock(&mqtt->lock);
    return 1;
}

/* ── the link's callbacks ──────────────────────────────────────────────────────────────────── */

/* `at_once`: how many publications the broker takes before it answers one. */
static void note_connected(struct bs_mqtt *mqtt, size_t at_once)
{
    pthread_mutex_lock(&mqtt->lock);
    mqtt->broker_answered = true;
    mqtt->state.connected_ns = bs_mqtt_now_ns();
    mqtt->flights_max = at_once < BS_MQTT_FLIGHTS_MAX ? at_once : BS_MQTT_FLIGHTS_MAX;
    pthread_mutex_unlock(&mqtt->lock);
    bs_mqtt_note(mqtt, BS_MQTT_EVENT_CONNECTED, NULL);
}

static void connected3(void *context, MQTTAsync_successData *data)
{
    (void)data;
    note_connected(context, BS_MQTT_FLIGHTS_MAX);
}

static void connected5(void *context, MQTTAsync_successData5 *data)
{
    int limit =
        MQTTProperties_getNumericValue(&data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);

    note_connected(context, limit > 0 ? (size_t)limit : BS_MQTT_FLIGHTS_MAX);
}

static void connect_failed3(void *context, MQTTAsync_failureData *data)
{
    note_connect_failure(context, data->code, data->message);
}

static void connect_failed5(void *context, MQTTAsync_failureData5 *data)
{
    note_connect_failure(context, data->code, data->message);
}

static void connection_lost(void *context, char *cause)
{
    bs_mqtt_note_broken(context, "the connection was lost",
                        cause != NULL ? cause : "closed or silent");
}

/* MQTT 5's DISCONNECT from the broker: Paho closes the link without calling connection_lost. */
static void broker_disconnected(void *context, MQTTProperties *properties,
                                enum MQTTReasonCodes code)
{
    (void)properties;
    bs_mqtt_note_broken(context, "the broker ended the connection", reason_text((int)code));
}

static void subscribed3(void *context, MQTTAsync_successData *data)
{
    (void)data;
    bs_mqtt_note(context, BS_MQTT_EVENT_SUBSCRIBED, NULL);
}

static void subscribed5(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    bs_mqtt_note(context, BS_MQTT_EVENT_SUBSCRIBED, NULL);
}

static void subscribe_failed3(void *context, MQTTAsync_failureData *data)
{
    bs_mqtt_note_broken(context, "a subscription failed",
                        data->code > 0 ? "the broker refused it" : MQTTAsync_strerror(data->code));
}

static void subscribe_failed5(void *context, MQTTAsync_failureData5 *data)
{
    bs_mqtt_note_broken(context, "a subscription failed",
                        data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR
                            ? reason_text((int)data->reasonCode)
                            : MQTTAsync_strerror(data->code));
}

static void note_answer(struct bs_mqtt_flight *flight, enum bs_mqtt_outcome outcome, int code)
{
    struct bs_mqtt *mqtt = flight->mqtt;

    pthread_mutex_lock(&mqtt->lock);
    flight->answered = true;
    flight->outcome = outcome;
    flight->code = code;
    pthread_cond_signal(&mqtt->wake);
    pthread_mutex_unlock(&mqtt->lock);
}

static void published3(void *context, MQTTAsync_successData *data)
{
    (void)data;
    note_answer(context, BS_MQTT_DELIVERED, 0);
}

static void published5(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    note_answer(context, BS_MQTT_DELIVERED, 0);
}

static void publish_failed3(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    note_answer(context, BS_MQTT_LOST, 0);
}

static void publish_failed5(void *context, MQTTAsync_failureData5 *data)
{
    int code = (int)data->reasonCode;

    note_answer(context, code >= MQTTREASONCODE_UNSPECIFIED_ERROR ? BS_MQTT_REFUSED : BS_MQTT_LOST,
                code);
}

static void left(void *context, MQTTAsync_successData *data)
{
    (void)data;
    bs_mqtt_note(context, BS_MQTT_EVENT_LEFT, NULL);
}

/* ── who is called for what ────────────────────────────────────────────────────────────────── */

void bs_mqtt_hear_client(struct bs_mqtt *mqtt, MQTTAsync client)
{
    MQTTAsync_setCallbacks(client, mqtt, connection_lost,
                           mqtt->role == BS_MQTT_CONFIG ? config_arrived : message_arrived, NULL);
    MQTTAsync_setDisconnected(client, mqtt, broker_disconnected);
}

void bs_mqtt_hear_connect(struct bs_mqtt *mqtt, MQTTAsync_connectOptions *options)
{
    options->context = mqtt;
    if (is_v5(mqtt)) {
        options->onSuccess5 = connected5;
        options->onFailure5 = connect_failed5;
    } else {
        options->onSuccess = connected3;
        options->onFailure = connect_failed3;
    }
}

void bs_mqtt_hear_tls(struct bs_mqtt *mqtt, MQTTAsync_SSLOptions *tls)
{
    tls->ssl_error_cb = tls_said;
    tls->ssl_error_context = mqtt;
}

void bs_mqtt_hear_subscribe(struct bs_mqtt *mqtt, MQTTAsync_responseOptions *response)
{
    response->context = mqtt;
    if (is_v5(mqtt)) {
        response->onSuccess5 = subscribed5;
        response->onFailure5 = subscribe_failed5;
    } else {
        response->onSuccess = subscribed3;
        response->onFailure = subscribe_failed3;
    }
}

void bs_mqtt_hear_publish(struct bs_mqtt_flight *flight, MQTTAsync_responseOptions *response)
{
    response->context = flight;
    if (is_v5(flight->mqtt)) {
        response->onSuccess5 = published5;
        response->onFailure5 = publish_failed5;
    } else {
        response->onSuccess = published3;
        response->onFailure = publish_failed3;
    }
}

void bs_mqtt_hear_leave(struct bs_mqtt *mqtt, MQTTAsync_disconnectOptions *options)
{
    options->context = mqtt;
    options->onSuccess = left;
}
