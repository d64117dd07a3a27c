/* The Paho client: what is started on it, and with which options.
 *
 * A client serves one connection and is destroyed after it: so nothing of an old link (a queued
 * publication, a lowered in-flight limit, a late callback) reaches the next one. Publisher thread
 * only, and never with our lock held. */
#include "mqtt_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT_S 10

/* What a SUBSCRIBE of MQTT 5 says of the messages that are retained. */
enum { RETAINED_ALWAYS = 0, RETAINED_NEVER = 2 };

/* QoS 0 publications that Paho may hold while the socket is full. */
#define BUFFERED_MAX 200

static bool is_v5(const struct bs_mqtt *mqtt)
{
    return mqtt->options.version == 5;
}

static const char *const id_endings[] = {
    [BS_MQTT_SESSION] = "", [BS_MQTT_CONFIG] = "-config", [BS_MQTT_ASIDE] = "-aside"};

static MQTTAsync new_client(struct bs_mqtt *mqtt)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    MQTTAsync client = NULL;
    char *id;
    int code;

    options.MQTTVersion = is_v5(mqtt) ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    options.maxBufferedMessages = BUFFERED_MAX;
    /* Never cut off: without its ending it would be the real session that starts clean. */
    if (asprintf(&id, "%s%s", mqtt->options.client_id, id_endings[mqtt->role]) < 0) {
        bs_mqtt_note_broken(mqtt, "no client", "out of memory");
        return NULL;
    }
    code = MQTTAsync_createWithOptions(&client, mqtt->options.uri, id, MQTTCLIENT_PERSISTENCE_NONE,
                                       NULL, &options);
    free(id);
    if (code != MQTTASYNC_SUCCESS) {
        bs_mqtt_note_broken(mqtt, "no client", MQTTAsync_strerror(code));
        return NULL;
    }
    bs_mqtt_hear_client(mqtt, client);
    return client;
}

static void destroy(MQTTAsync *client)
{
    if (*client != NULL) {
        MQTTAsync_destroy(client);
        *client = NULL;
    }
}

/* First the old one ends: of a publication that the connection broke under, Paho 1.3.12 frees topic
 * and payload at once and again with the client. Its heap passes over the second time, unless the
 * memory has become another's meanwhile: a new client's, if that were made before. */
bool bs_mqtt_link_renew(struct bs_mqtt *mqtt, enum bs_mqtt_role role)
{
    mqtt->role = role;
    if (mqtt->keeper == NULL) {
        mqtt->keeper = new_client(mqtt);
    }
    destroy(&mqtt->client);
    mqtt->cut = false;
    mqtt->client = new_client(mqtt);
    return mqtt->client != NULL;
}

void bs_mqtt_link_end(struct bs_mqtt *mqtt)
{
    destroy(&mqtt->client);
    destroy(&mqtt->keeper);
}

static void add_number(MQTTProperties *properties, enum MQTTPropertyCodes code, uint32_t value)
{
    MQTTProperty property = {.identifier = code};

    if (MQTTProperty_getType(code) == MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER) {
        property.value.integer2 = (unsigned short)(value > UINT16_MAX ? UINT16_MAX : value);
    } else {
        property.value.integer4 = value;
    }
    MQTTProperties_add(properties, &property);
}

static bool is_secure(const char *uri)
{
    static const char *const schemes[] = {"mqtts://", "ssl://", "wss://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(uri, schemes[i], strlen(schemes[i])) == 0) {
            return true;
        }
    }
    return false;
}

static MQTTAsync_SSLOptions tls_options(struct bs_mqtt *mqtt)
{
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

    tls.trustStore = mqtt->options.ca_file;
    tls.keyStore = mqtt->options.cert_file;
    tls.privateKey = mqtt->options.key_file;
    tls.enableServerCertAuth = 1;
    tls.verify = 1; /* the host's name, too */
    bs_mqtt_hear_tls(mqtt, &tls);
    return tls;
}

static MQTTAsync_connectOptions connect_options(struct bs_mqtt *mqtt)
{
    MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_connectOptions v3 = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions o = is_v5(mqtt) ? v5 : v3;

    if (is_v5(mqtt)) {
        o.cleanstart = mqtt->role != BS_MQTT_SESSION;
    } else {
        o.MQTTVersion = MQTTVERSION_3_1_1;
        o.cleansession = mqtt->role != BS_MQTT_SESSION;
    }
    bs_mqtt_hear_connect(mqtt, &o);
    o.keepAliveInterval = (int)mqtt->options.keepalive_s;
    o.connectTimeout = CONNECT_TIMEOUT_S;
    o.username = mqtt->options.username;
    o.password = mqtt->options.password;
    return o;
}

bool bs_mqtt_link_connect(struct bs_mqtt *mqtt)
{
    MQTTAsync_connectOptions options = connect_options(mqtt);
    MQTTAsync_SSLOptions tls = tls_options(mqtt);
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    int code;

    if (is_secure(mqtt->options.uri)) {
        options.ssl = &tls;
    }
    if (mqtt->options.will_topic != NULL && mqtt->role != BS_MQTT_CONFIG) {
        will.topicName = mqtt->options.will_topic;
        will.message = mqtt->options.will_payload;
        will.qos = 1;
        will.retained = 1;
        options.will = &will;
    }
    if (is_v5(mqtt)) {
        if (mqtt->role == BS_MQTT_SESSION) {
            add_number(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                       mqtt->options.session_expiry_s);
        }
        add_number(&properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, mqtt->options.receive_maximum);
        options.connectProperties = &properties;
    }
    code = MQTTAsync_connect(mqtt->client, &options);
    MQTTProperties_free(&properties);
    if (code != MQTTASYNC_SUCCESS) {
        bs_mqtt_note_broken(mqtt, "no connection", MQTTAsync_strerror(code));
    }
    return code == MQTTASYNC_SUCCESS;
}

bool bs_mqtt_link_subscribe(struct bs_mqtt *mqtt, const char *topic, int qos, bool retained)
{
    /* Its subscribe options keep the retain flag for what is delivered because of this SUBSCRIBE;
     * for the documents always. */
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    int code;

    bs_mqtt_hear_subscribe(mqtt, &response);
    response.subscribeOptions.retainAsPublished = bs_mqtt_is_first(mqtt, topic);
    response.subscribeOptions.retainHandling = retained ? RETAINED_ALWAYS : RETAINED_NEVER;
    code = MQTTAsync_subscribe(mqtt->client, topic, qos, &response);
    if (code != MQTTASYNC_SUCCESS) {
        bs_mqtt_note_broken(mqtt, "a subscription failed", MQTTAsync_strerror(code));
    }
    return code == MQTTASYNC_SUCCESS;
}

bool bs_mqtt_link_send_marker(struct bs_mqtt *mqtt)
{
    int code = MQTTAsync_send(mqtt->client, mqtt->options.marker_topic, (int)strlen(mqtt->marker),
                              mqtt->marker, 1, 0, NULL);

    if (code != MQTTASYNC_SUCCESS) {
        bs_mqtt_note_broken(mqtt, "the marker was not sent", MQTTAsync_strerror(code));
    }
    return code == MQTTASYNC_SUCCESS;
}

/* What is left of the time; an interval of 0 would mean none. */
static uint32_t expiry_s(const struct bs_mqtt_content *c)
{
    uint64_t now_ns = bs_mqtt_now_ns();
    uint64_t left_ns = c->expires_ns > now_ns ? c->expires_ns - now_ns : 1;

    return (uint32_t)((left_ns + 999999999u) / 1000000000u);
}

static void add_publication_properties(MQTTProperties *properties, const struct bs_mqtt_content *c)
{
    if (c->expires_ns != UINT64_MAX) {
        add_number(properties, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL, expiry_s(c));
    }
    if (c->correlation.length > 0) {
        MQTTProperty property = {.identifier = MQTTPROPERTY_CODE_CORRELATION_DATA};

        property.value.data.data = (char *)(uintptr_t)c->correlation.at;
        property.value.data.len = (int)c->correlation.length;
        MQTTProperties_add(properties, &property);
    }
}

bool bs_mqtt_link_publish(struct bs_mqtt *mqtt, struct bs_mqtt_flight *flight)
{
    const struct bs_mqtt_content *content = flight->slot->flying;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    MQTTAsync_message message = MQTTAsync_message_initializer;
    int code;

    message.payload = (void *)(uintptr_t)content->payload.at;
    message.payloadlen = (int)content->payload.length;
    message.qos = content->qos;
    message.retained = content->retained;
    if (is_v5(mqtt)) {
        add_publication_properties(&message.properties, content);
    }
    if (content->qos > 0) {
        bs_mqtt_hear_publish(flight, &response);
    }
    code = MQTTAsync_sendMessage(mqtt->client, flight->slot->topic, &message, &response);
    MQTTProperties_free(&message.properties);
    return code == MQTTASYNC_SUCCESS;
}

bool bs_mqtt_link_stands(struct bs_mqtt *mqtt)
{
    return MQTTAsync_isConnected(mqtt->client) != 0;
}

bool bs_mqtt_link_leave(struct bs_mqtt *mqtt)
{
    MQTTAsync_disconnectOptions v5 = MQTTAsync_disconnectOptions_initializer5;
    MQTTAsync_disconnectOptions v3 = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options = is_v5(mqtt) ? v5 : v3;

    bs_mqtt_hear_leave(mqtt, &options);
    return MQTTAsync_disconnect(mqtt->client, &options) == MQTTASYNC_SUCCESS;
}
