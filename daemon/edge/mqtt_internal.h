/* What the parts of edge/mqtt share: mqtt.c is the owner's side, mqtt_session.c the publisher
 * thread's course, mqtt_link.c what is started on Paho, mqtt_callbacks.c what Paho calls,
 * mqtt_slots.c what waits to be published, mqtt_cut.c how a message stays unacknowledged.
 *
 * Locks: Paho holds its global mutex in every callback, and takes it in nearly every call. Our
 * `lock` is taken inside callbacks, so the order is Paho's, then ours: no MQTTAsync_* function is
 * called with `lock` held, and a callback does no more than note what happened. */
#ifndef BACKSTEP_EDGE_MQTT_INTERNAL_H
#define BACKSTEP_EDGE_MQTT_INTERNAL_H

#include "backstep/base/random.h"
#include "mqtt_slots.h"

#include <MQTTAsync.h>
#include <pthread.h>
#include <stdatomic.h>

/* Publications the broker has not answered: enough to fill a link of 10 ms at 5 000 a second, few
 * enough that Paho's lists, which are searched from the front, stay short. */
#define BS_MQTT_FLIGHTS_MAX 50

enum bs_mqtt_wish { BS_MQTT_WISH_RUN, BS_MQTT_WISH_HOLD, BS_MQTT_WISH_STOP };

/* What the present client is for. */
enum bs_mqtt_role {
    BS_MQTT_SESSION, /* the persistent one */
    BS_MQTT_CONFIG,  /* "-config": fetches the documents */
    BS_MQTT_ASIDE,   /* "-aside": publishes while the session is held */
};

/* Noted by callbacks, taken by the publisher thread. */
enum bs_mqtt_event {
    BS_MQTT_EVENT_CONNECTED = 1,
    BS_MQTT_EVENT_SUBSCRIBED = 2,
    BS_MQTT_EVENT_MARKER = 4, /* our marker came back */
    BS_MQTT_EVENT_LEFT = 8,   /* our DISCONNECT is out */
    BS_MQTT_EVENT_BROKEN = 16 /* the link is of no more use; `reason` says why */
};

struct bs_mqtt_flight {
    struct bs_mqtt *mqtt;
    struct bs_mqtt_slot *slot; /* NULL: free */
    bool answered;
    enum bs_mqtt_outcome outcome; /* where answered */
    int code;                     /* where refused: MQTT 5's reason */
};

struct bs_mqtt {
    struct bs_mqtt_options options; /* every text and list in it is ours */
    pthread_t publisher;
    bool running; /* the publisher is there to be joined; the owner's */
    _Atomic uint64_t last_message_ns;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* of the publisher thread; CLOCK_MONOTONIC */
    /* Under `lock`. */
    enum bs_mqtt_wish wish;
    bool aside; /* while held, slots are sent all the same */
    unsigned events;
    char reason[BS_MQTT_ERROR_BYTES], tls_reason[128];
    char
        refusal[BS_MQTT_ERROR_BYTES]; /* of a publication on this link: why the broker may end it */
    bool broker_answered;             /* this link got a CONNACK, of whatever kind */
    struct bs_mqtt_state state;
    struct bs_mqtt_slots slots;
    struct bs_mqtt_flight flights[BS_MQTT_FLIGHTS_MAX];
    /* The first so many of them are used: MQTT 5's receive maximum of the broker. Beyond it Paho
     * keeps a publication to itself and looks at it again a second later, not at the next PUBACK;
     * and what it keeps it leaks when the client is destroyed. */
    size_t flights_max;

    /* The publisher thread's own. */
    MQTTAsync client;       /* never used for a second connection */
    MQTTAsync keeper;       /* never used at all: with the last client Paho ends its threads, which
                             * takes up to a second */
    enum bs_mqtt_role role; /* of `client` */
    bool cut;               /* its connection; in callbacks, but for a new client */
    enum bs_mqtt_wish link_wish; /* the link stands for as long as this is the wish */
    bool config_wanted;          /* the next link is the one for the configuration */
    uint64_t config_until_ns;    /* when it is given up; 0: the broker has not answered yet */
    char marker[17];
    struct bs_random jitter;
    unsigned tries; /* since a connection last stood for a while */
};

uint64_t bs_mqtt_now_ns(void);

/* mqtt_cut.c. Cuts the connection to the broker under Paho: nothing that it sends from now on goes
 * out. From within a callback. */
void bs_mqtt_cut(const char *uri);

/* Notes events (any thread); the first reason of a link that breaks is kept. */
void bs_mqtt_note(struct bs_mqtt *mqtt, unsigned events, const char *reason);

void bs_mqtt_note_broken(struct bs_mqtt *mqtt, const char *what, const char *why);

/* True for the documents' subscription. */
static inline bool bs_mqtt_is_first(const struct bs_mqtt *mqtt, const char *topic)
{
    return mqtt->options.first_subscription != NULL &&
           strcmp(topic, mqtt->options.first_subscription) == 0;
}

/* mqtt_session.c: the publisher thread. */
void *bs_mqtt_publisher_main(void *arg);

/* mqtt_link.c. All of it on the publisher thread, without `lock`. */

/* Ends the present client, if there is one, and creates that of the next link, unconnected. False:
 * there is none, `reason` says why. Afterwards no callback of the old one runs or will run. */
bool bs_mqtt_link_renew(struct bs_mqtt *mqtt, enum bs_mqtt_role role);
void bs_mqtt_link_end(struct bs_mqtt *mqtt);

/* Each starts something and returns; its event follows. False: it could not be started, which is
 * noted as BS_MQTT_EVENT_BROKEN. */
bool bs_mqtt_link_connect(struct bs_mqtt *mqtt);
/* `retained`: with the messages that lie there (3.1.1 gives them always). */
bool bs_mqtt_link_subscribe(struct bs_mqtt *mqtt, const char *topic, int qos, bool retained);
bool bs_mqtt_link_send_marker(struct bs_mqtt *mqtt);

/* Hands a flight's content to Paho. False: not now. A QoS 1 flight is answered later. */
bool bs_mqtt_link_publish(struct bs_mqtt *mqtt, struct bs_mqtt_flight *flight);

bool bs_mqtt_link_stands(struct bs_mqtt *mqtt);

/* Starts the normal DISCONNECT. False: there is no connection to leave. */
bool bs_mqtt_link_leave(struct bs_mqtt *mqtt);

/* mqtt_callbacks.c. Each names our callbacks in Paho's options. */
void bs_mqtt_hear_client(struct bs_mqtt *mqtt, MQTTAsync client);
void bs_mqtt_hear_connect(struct bs_mqtt *mqtt, MQTTAsync_connectOptions *options);
void bs_mqtt_hear_tls(struct bs_mqtt *mqtt, MQTTAsync_SSLOptions *tls);
void bs_mqtt_hear_subscribe(struct bs_mqtt *mqtt, MQTTAsync_responseOptions *response);
void bs_mqtt_hear_publish(struct bs_mqtt_flight *flight, MQTTAsync_responseOptions *response);
void bs_mqtt_hear_leave(struct bs_mqtt *mqtt, MQTTAsync_disconnectOptions *options);

#endif
