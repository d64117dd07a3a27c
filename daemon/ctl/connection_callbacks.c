/* What Paho reports of a connection. Its lock is held around every callback: none of them waits or
 * calls MQTTAsync_* but to free memory; they note what happened and wake the caller. */
#include "connection_parts.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_MAX 65535u /* MQTT 5: the receive maximum of a broker that names none */

static void close_locked(struct bs_connection *c, const char *why)
{
    c->phase = BS_CONNECTION_CLOSED;
    snprintf(c->trouble, sizeof c->trouble, "%s", why && *why ? why : "the broker does not answer");
    pthread_cond_signal(&c->changed);
}

void bs_connection_close(struct bs_connection *c, const char *why)
{
    pthread_mutex_lock(&c->lock);
    if (c->phase != BS_CONNECTION_CLOSED)
        close_locked(c, why);
    pthread_mutex_unlock(&c->lock);
}

void bs_connection_lose(struct bs_connection *c, const char *why)
{
    pthread_mutex_lock(&c->lock);
    if (c->phase >= BS_CONNECTION_GREETED)
        close_locked(c, why);
    pthread_mutex_unlock(&c->lock);
}

/* ---- the link ---- */

static void on_lost(void *context, char *cause)
{
    bs_connection_lose(context, cause ? cause : "the connection was lost");
}

static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason)
{
    (void)properties;
    const char *text = MQTTReasonCode_toString(reason);
    bs_connection_lose(context, text ? text : "the broker ended the connection");
}

static void greet(struct bs_connection *c, uint32_t limit)
{
    pthread_mutex_lock(&c->lock);
    c->phase = BS_CONNECTION_GREETED;
    c->connects++;
    c->limit = limit > 0 ? limit : 1;
    c->back_off_ms = BS_CONNECTION_BACK_OFF_FIRST_MS;
    c->trouble[0] = '\0';
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void on_connect5(void *context, MQTTAsync_successData5 *data)
{
    uint32_t limit = LIMIT_MAX;
    MQTTProperties *properties = &data->properties;
    if (MQTTProperties_hasProperty(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM))
        limit =
            (uint32_t)MQTTProperties_getNumericValue(properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
    greet(context, limit);
}

static void on_connect(void *context, MQTTAsync_successData *data)
{
    (void)data;
    greet(context, LIMIT_MAX);
}

/* What a second try would not change: who we are, or how we speak. A broker that has taken us
 * before may only have lost its list of users for a moment. */
static void refuse_connection(struct bs_connection *c, bool for_good, const char *reason)
{
    pthread_mutex_lock(&c->lock);
    char text[sizeof c->trouble];
    snprintf(text, sizeof text, "the broker refuses the connection: %.150s",
             reason ? reason : "no reason");
    close_locked(c, text);
    c->refused = for_good && c->connects == 0;
    pthread_mutex_unlock(&c->lock);
}

static void note_unanswered(struct bs_connection *c, const char *why)
{
    bs_connection_close(c, why);
    pthread_mutex_lock(&c->lock);
    c->unexplained = true;
    pthread_mutex_unlock(&c->lock);
}

/* Only of a failure with this message is Paho's code what the broker said. */
static bool broker_said_no(const char *message)
{
    return message && strcmp(message, "CONNACK return code") == 0;
}

static void on_connect_failure5(void *context, MQTTAsync_failureData5 *data)
{
    if (!broker_said_no(data->message)) {
        note_unanswered(context, data->message);
        return;
    }
    switch (data->code) {
    case 1: /* a broker of before MQTT 5 */
        refuse_connection(context, true, "it does not speak MQTT 5; configure version = 3.1.1");
        return;
    case MQTTREASONCODE_UNSUPPORTED_PROTOCOL_VERSION:
    case MQTTREASONCODE_CLIENT_IDENTIFIER_NOT_VALID:
    case MQTTREASONCODE_BAD_USER_NAME_OR_PASSWORD:
    case MQTTREASONCODE_NOT_AUTHORIZED:
    case MQTTREASONCODE_BANNED:
    case MQTTREASONCODE_BAD_AUTHENTICATION_METHOD:
        refuse_connection(context, true, MQTTReasonCode_toString((enum MQTTReasonCodes)data->code));
        return;
    default:
        refuse_connection(context, false,
                          MQTTReasonCode_toString((enum MQTTReasonCodes)data->code));
    }
}

static void on_connect_failure(void *context, MQTTAsync_failureData *data)
{
    /* CONNACK codes of MQTT 3.1.1, table 3.1 */
    static const char *const refusals[] = {"",
                                           "unacceptable protocol version",
                                           "identifier rejected",
                                           "server unavailable",
                                           "bad user name or password",
                                           "not authorized"};
    if (broker_said_no(data->message) && data->code >= 1 && data->code <= 5)
        refuse_connection(context, data->code != 3, refusals[data->code]);
    else
        note_unanswered(context, data->message);
}

/* ---- subscribing and receiving ---- */

static void go_online(struct bs_connection *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->phase == BS_CONNECTION_SUBSCRIBING)
        c->phase = BS_CONNECTION_ONLINE;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void refuse_filter(struct bs_connection *c, size_t i, const char *reason)
{
    pthread_mutex_lock(&c->lock);
    snprintf(c->trouble, sizeof c->trouble, "the broker refuses to let us read %.150s: %s",
             c->options.filters[i], reason ? reason : "no reason");
    c->refused = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Where several were subscribed Paho calls it a success whatever the broker says of each. */
static void on_subscribed5(void *context, MQTTAsync_successData5 *data)
{
    struct bs_connection *c = context;
    for (int i = 0; c->options.filter_count > 1 && i < data->alt.sub.reasonCodeCount; i++) {
        enum MQTTReasonCodes code = data->alt.sub.reasonCodes[i];
        if (code >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
            refuse_filter(c, (size_t)i, MQTTReasonCode_toString(code));
            return;
        }
    }
    go_online(c);
}

static void on_subscribed(void *context, MQTTAsync_successData *data)
{
    struct bs_connection *c = context;
    for (size_t i = 0; c->options.filter_count > 1 && i < c->options.filter_count; i++) {
        if (data->alt.qosList[i] >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
            refuse_filter(c, i, "not authorized");
            return;
        }
    }
    go_online(c);
}

static void on_subscribe_failure5(void *context, MQTTAsync_failureData5 *data)
{
    if (data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR)
        refuse_filter(context, 0, MQTTReasonCode_toString(data->reasonCode));
    else
        bs_connection_close(context, data->message);
}

static void on_subscribe_failure(void *context, MQTTAsync_failureData *data)
{
    if (data->code >= MQTTREASONCODE_UNSPECIFIED_ERROR)
        refuse_filter(context, 0, "not authorized");
    else
        bs_connection_close(context, data->message);
}

static struct bs_slice correlation_of(MQTTProperties *properties)
{
    MQTTProperty *p = MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_CORRELATION_DATA);
    if (!p || p->value.data.len <= 0)
        return BS_SLICE("");
    return bs_slice_of(p->value.data.data, (size_t)p->value.data.len);
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *m)
{
    struct bs_connection *c = context;
    struct bs_arrived message = {
        /* Paho says 0 where the topic has no zero byte in it. */
        .topic = bs_slice_of(topic, topic_length > 0 ? (size_t)topic_length : strlen(topic)),
        .payload = bs_slice_of(m->payload, (size_t)m->payloadlen),
        .correlation = m->properties.count > 0 ? correlation_of(&m->properties) : BS_SLICE(""),
        .retained = m->retained != 0,
    };
    pthread_mutex_lock(&c->lock);
    c->options.listener.arrived(c->options.listener.context, &message);
    pthread_mutex_unlock(&c->lock);
    MQTTAsync_freeMessage(&m);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- publishing ---- */

static void settle(struct bs_delivery *delivery, bool acknowledged)
{
    struct bs_connection *c = delivery->connection;
    pthread_mutex_lock(&c->lock);
    c->options.listener.settled(c->options.listener.context, delivery, acknowledged);
    pthread_mutex_unlock(&c->lock);
}

static void on_sent5(void *context, MQTTAsync_successData5 *data)
{
    (void)data;
    settle(context, true);
}

static void on_sent(void *context, MQTTAsync_successData *data)
{
    (void)data;
    settle(context, true);
}

static void on_send_failure5(void *context, MQTTAsync_failureData5 *data)
{
    struct bs_delivery *delivery = context;
    struct bs_connection *c = delivery->connection;
    /* Quota exceeded passes; every other reason the broker gives stays. */
    if (data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR &&
        data->reasonCode != MQTTREASONCODE_QUOTA_EXCEEDED) {
        pthread_mutex_lock(&c->lock);
        c->refused = true;
        c->refused_delivery = delivery;
        c->refused_reason = MQTTReasonCode_toString(data->reasonCode);
        pthread_cond_signal(&c->changed);
        pthread_mutex_unlock(&c->lock);
    }
    settle(delivery, false);
}

static void on_send_failure(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    settle(context, false);
}

/* ---- who is called for what ---- */

void bs_connection_hear_client(struct bs_connection *c)
{
    MQTTAsync_setConnectionLostCallback(c->client, c, on_lost);
    if (c->options.listener.arrived)
        MQTTAsync_setMessageArrivedCallback(c->client, c, on_message);
    if (bs_connection_is_v5(c))
        MQTTAsync_setDisconnected(c->client, c, on_disconnected);
}

void bs_connection_hear_connect(struct bs_connection *c, MQTTAsync_connectOptions *options)
{
    options->context = c;
    if (bs_connection_is_v5(c)) {
        options->onSuccess5 = on_connect5;
        options->onFailure5 = on_connect_failure5;
    } else {
        options->onSuccess = on_connect;
        options->onFailure = on_connect_failure;
    }
}

void bs_connection_hear_subscribe(struct bs_connection *c, MQTTAsync_responseOptions *response)
{
    response->context = c;
    if (bs_connection_is_v5(c)) {
        response->onSuccess5 = on_subscribed5;
        response->onFailure5 = on_subscribe_failure5;
    } else {
        response->onSuccess = on_subscribed;
        response->onFailure = on_subscribe_failure;
    }
}

void bs_connection_hear_send(struct bs_connection *c, struct bs_delivery *delivery,
                             MQTTAsync_responseOptions *response)
{
    response->context = delivery;
    if (bs_connection_is_v5(c)) {
        response->onSuccess5 = on_sent5;
        response->onFailure5 = on_send_failure5;
    } else {
        response->onSuccess = on_sent;
        response->onFailure = on_send_failure;
    }
}
