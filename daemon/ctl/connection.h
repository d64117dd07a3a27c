/* One connection to the broker, kept: opened, subscribed, and opened again with back-off where it
 * is lost.
 *
 * One thread calls; Paho's own threads report through the listener, with the connection's lock
 * held, and under that lock the caller keeps what it shares with them. A function that is not for
 * the lock's holder calls Paho, whose callbacks come with Paho's lock held and take ours. */
#ifndef BACKSTEP_CTL_CONNECTION_H
#define BACKSTEP_CTL_CONNECTION_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bs_connection;

/* One publication at QoS 1. Lives with the caller until it is settled or the connection is freed;
 * a caller's own struct begins with it. */
struct bs_delivery {
    struct bs_connection *connection; /* filled in by _send */
    const char *topic;
    struct bs_slice payload;
    struct bs_slice correlation; /* MQTT 5 only; empty: none */
    bool retained;
};

struct bs_arrived {
    struct bs_slice topic, payload, correlation;
    bool retained; /* it lay at the broker already when we subscribed */
};

/* Called with the lock held. */
struct bs_connection_listener {
    /* The broker has acknowledged it, or it was lost. */
    void (*settled)(void *context, struct bs_delivery *delivery, bool acknowledged);
    void (*arrived)(void *context, const struct bs_arrived *message); /* NULL: nothing may come */
    /* Another connection is about to be opened: what is not settled is lost and will not be. */
    void (*abandoned)(void *context);
    void *context;
};

/* Texts must live as long as the connection. */
struct bs_connection_options {
    const char *uri;                            /* mqtt:// mqtts:// ws:// wss:// */
    int version;                                /* 5, or 311 */
    const char *username, *password;            /* NULL: none */
    const char *ca_file, *cert_file, *key_file; /* NULL: none */
    uint32_t keepalive_s;
    uint32_t give_up_s; /* without progress; 0: never */
    uint64_t seed;      /* of the client id and the back-off's jitter */
    /* Subscribed behind every CONNACK. QoS 0 takes nothing from who asks again after a lost
     * connection, and spares the broker a queue, whose bound would cut off what is retained. */
    const char *const *filters;
    size_t filter_count;
    int filter_qos;
    bool skip_retained; /* MQTT 5: nothing that lies at the broker already is wanted */
    /* Called at least every 100 ms while it waits; true: a stop was requested. */
    bool (*poll)(void *context);
    void *context;
    struct bs_connection_listener listener;
};

/* Connects in _keep. BS_INVALID where the URI is not understood. */
enum bs_status bs_connection_new(struct bs_connection **ret,
                                 const struct bs_connection_options *options);

/* Disconnects and frees; what is in flight is given up. NULL is none. */
void bs_connection_free(struct bs_connection *c);

/* Opens and subscribes where there is need and its time has come; returns at once. */
void bs_connection_keep(struct bs_connection *c);

/* Hands one publication to Paho, which copies it. What was not taken is settled as lost before this
 * returns false. */
bool bs_connection_send(struct bs_connection *c, struct bs_delivery *delivery);

/* BS_OK while there is a point in going on. BS_REFUSED: the broker refuses us or a message for
 * good; BS_IO: no progress for too long; BS_CLOSED: a stop was requested. */
enum bs_status bs_connection_judge(struct bs_connection *c);

/* For the lock's holder from here on. */
void bs_connection_lock(struct bs_connection *c);
void bs_connection_unlock(struct bs_connection *c);

/* Connected, and every filter subscribed. */
bool bs_connection_is_online(const struct bs_connection *c);

/* Publications that the broker takes before it acknowledges one. */
uint32_t bs_connection_limit(const struct bs_connection *c);

/* The time for giving up begins anew. */
void bs_connection_note_progress(struct bs_connection *c);

/* Subscribes once more: what is retained comes again. Not online until it is granted. */
void bs_connection_ask_again(struct bs_connection *c);

/* Ends the caller's _sleep. */
void bs_connection_wake(struct bs_connection *c);

/* Gives the lock away until woken, `until_ns` (CLOCK_MONOTONIC), a tenth of a second, or the time
 * of the next try to connect. */
void bs_connection_sleep(struct bs_connection *c, uint64_t until_ns);

uint64_t bs_connection_count(const struct bs_connection *c); /* connections so far */

/* Why it is not connected, or what was refused; "" if it is well. */
const char *bs_connection_trouble(const struct bs_connection *c);

uint64_t bs_connection_now_ns(void);

#endif
