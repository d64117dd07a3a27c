/* What the parts of a connection share: connection.c is its course, connection_callbacks.c what
 * Paho reports of it. */
#ifndef BACKSTEP_CTL_CONNECTION_PARTS_H
#define BACKSTEP_CTL_CONNECTION_PARTS_H

#include "connection.h"

#include "backstep/base/random.h"

#include <MQTTAsync.h>
#include <pthread.h>

#define BS_CONNECTION_BACK_OFF_FIRST_MS 100u

enum bs_connection_phase {
    BS_CONNECTION_CLOSED,
    BS_CONNECTION_OPENING,
    BS_CONNECTION_GREETED, /* the broker has taken us; the filters are still to be subscribed */
    BS_CONNECTION_SUBSCRIBING,
    BS_CONNECTION_ONLINE,
};

struct bs_connection {
    struct bs_connection_options options;
    MQTTAsync client;
    struct bs_random random;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* of the caller's thread */
    /* Under the lock. */
    enum bs_connection_phase phase;
    uint32_t limit;
    uint64_t connects;
    uint64_t progress_ns;
    uint64_t connect_at_ns; /* UINT64_MAX: not settled yet */
    uint32_t back_off_ms;
    bool refused;     /* for good */
    bool unexplained; /* no CONNECT was answered: TLS may be the reason */
    /* The last publication that was refused, and why. Only the caller's thread knows that its topic
     * still lives: it makes the sentence. */
    const struct bs_delivery *refused_delivery;
    const char *refused_reason;
    char trouble[256];
};

static inline bool bs_connection_is_v5(const struct bs_connection *c)
{
    return c->options.version == 5;
}

/* What was begun has failed, and why; without the lock. */
void bs_connection_close(struct bs_connection *c, const char *why);

/* What stood is gone, and why; without the lock. */
void bs_connection_lose(struct bs_connection *c, const char *why);

/* Who is called for what. */
void bs_connection_hear_client(struct bs_connection *c);
void bs_connection_hear_connect(struct bs_connection *c, MQTTAsync_connectOptions *options);
void bs_connection_hear_subscribe(struct bs_connection *c, MQTTAsync_responseOptions *response);
void bs_connection_hear_send(struct bs_connection *c, struct bs_delivery *delivery,
                             MQTTAsync_responseOptions *response);

#endif
