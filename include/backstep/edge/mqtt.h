/* MQTT by Paho's asynchronous client: a persistent session that receives, and one slot per topic
 * that is published.
 *
 * Three threads meet here. Paho's receive thread calls `on_message`, which must have stored the
 * message when it returns: the acknowledgement goes out behind it. The publisher thread owns every
 * MQTTAsync_* call: connecting, subscribing, publishing, leaving. The owner's thread only fills
 * slots and sets wishes, and never waits. */
#ifndef BACKSTEP_EDGE_MQTT_H
#define BACKSTEP_EDGE_MQTT_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"
#include "backstep/base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bs_mqtt;

struct bs_mqtt_message {
    struct bs_slice topic, payload, correlation;
    bool retained;
};

struct bs_mqtt_options {
    const char *uri; /* mqtt:// mqtts:// ws:// wss:// */
    int version;     /* 5, or 311 */
    const char *client_id;
    const char *username, *password; /* NULL: none */
    const char *ca_file, *cert_file, *key_file;
    uint32_t session_expiry_s, receive_maximum, keepalive_s;
    /* In this order at every CONNACK, each after the SUBACK of the one before. */
    const char *const *subscriptions;
    size_t subscription_count;
    const char *will_topic, *will_payload; /* QoS 1, retained */
    /* The state holds no document: first connect as "{client_id}-config" with a clean start,
     * subscribe `first_subscription` and `marker_topic`, publish a marker to that topic and open
     * the real session when it is back (or 10 s after the broker first answered). The marker is not
     * handed to on_message, so its topic must match none of `subscriptions`. */
    bool config_first;
    /* first_subscription is the documents' one: its messages keep the RETAIN flag they were
     * published with (MQTT 5's Retain As Published; under 3.1.1 a broker does not tell). */
    const char *first_subscription, *marker_topic;
    /* Nothing connects before bs_mqtt_connect, but slots can be filled. */
    bool start_held;
    uint64_t jitter_seed;
    /* On Paho's thread, its lock held: stores the message, then returns; calls nothing of this
     * header. May block as the last resort (a full log); every other Paho call, and so a hold or a
     * stop, waits behind it. */
    void (*on_message)(void *context, const struct bs_mqtt_message *message);
    /* What bs_mqtt_get_state tells has changed, but for last_message_ns. From the publisher
     * thread, no lock held. */
    void (*on_change)(void *context);
    /* Asked where no CONNECT was answered: of TLS Paho tells only that it failed. True: ret_why
     * tells why. On the publisher thread, no lock held; may take some seconds, which a hold or a
     * stop waits for. NULL: there is nobody to ask. */
    bool (*explain)(void *context, char *ret_why, size_t why_bytes);
    void *context;
};

enum bs_mqtt_phase {
    BS_MQTT_WAITING, /* for the next try */
    BS_MQTT_CONNECTING,
    BS_MQTT_SUBSCRIBING, /* connected; not every SUBACK is there */
    BS_MQTT_ONLINE,
    BS_MQTT_HELD, /* left on purpose: bs_mqtt_hold */
    BS_MQTT_STOPPED,
};

#define BS_MQTT_ERROR_BYTES 256

struct bs_mqtt_state {
    enum bs_mqtt_phase phase;
    uint64_t connects;        /* of the real session, so far */
    uint64_t connected_ns;    /* CLOCK_MONOTONIC of the last CONNACK, 0: none yet */
    uint64_t last_message_ns; /* likewise of the last message handed over */
    size_t patient;           /* topics whose `patient` publication the broker has not answered */
    /* Why the last try failed or the connection ended, also while the next one is made; ONLINE:
     * which publication the broker refused last on this connection; else "". */
    char error[BS_MQTT_ERROR_BYTES];
};

/* Takes the proxy variables out of the environment: Paho sends every connection through them, to a
 * broker on loopback too, and a proxy for web pages is not meant for one. Before any thread starts.
 */
void bs_mqtt_ignore_proxies(void);

/* Copies the options' texts. The publisher thread starts and connects at once. BS_INVALID where the
 * uri's scheme, the version, the client id or receive_maximum cannot be. */
enum bs_status bs_mqtt_start(struct bs_mqtt **ret, const struct bs_mqtt_options *options);

/* Fills the topic's slot; a newer one overwrites what was not sent yet, but where both are
 * `in_turn` (as long as no more than 16 MiB wait behind others). QoS 1 ones are kept until the
 * broker acknowledged exactly this content, and sent again after every CONNACK until then; one that
 * the broker refused (MQTT 5) is given up and named in the state's error. QoS 0 ones are kept until
 * they are sent where they are retained, for the broker has what was before them; others are given
 * up while there is no connection. An empty retained payload deletes the topic. `expiry_s`: it is
 * given up once it has waited so long, here or (MQTT 5) at the broker; 0: never. BS_FULL where the
 * bound (65 536 topics not yet acknowledged) is reached, BS_INVALID where the topic is none to
 * publish to. Never waits. */
struct bs_mqtt_publication {
    struct bs_slice topic, payload, correlation;
    int qos;
    bool retained;
    bool patient; /* there may be thousands of its sort: whatever else waits goes first */
    bool in_turn; /* somebody waits for this very one */
    uint32_t expiry_s;
};
enum bs_status bs_mqtt_publish(struct bs_mqtt *mqtt, const struct bs_mqtt_publication *publication);

/* Leaves the broker (after the slots that wait were sent, at most 2 s) with a normal DISCONNECT, so
 * that the session and its queue stay, and stays away until bs_mqtt_resume. */
void bs_mqtt_hold(struct bs_mqtt *mqtt);

/* The first connection of a client that was started held; config_first as in the options. */
void bs_mqtt_connect(struct bs_mqtt *mqtt, bool config_first);
void bs_mqtt_resume(struct bs_mqtt *mqtt);

/* Sends what waits in the slots (at most 2 s), disconnects normally and ends the thread; what was
 * not acknowledged waits on, for bs_mqtt_return with other options (as bs_mqtt_start, which says
 * how it fails; then it may be tried again). */
void bs_mqtt_leave(struct bs_mqtt *mqtt);
enum bs_status bs_mqtt_return(struct bs_mqtt *mqtt, const struct bs_mqtt_options *options);

/* As bs_mqtt_leave, if it has not left, then frees. */
void bs_mqtt_stop(struct bs_mqtt *mqtt);

/* A copy of the present state. Thread-safe, never blocks for long. */
void bs_mqtt_get_state(struct bs_mqtt *mqtt, struct bs_mqtt_state *ret);

#endif
