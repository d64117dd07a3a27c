/* The broker: retained documents, the daemon's persistent session and its queue, one link to the
 * daemon. It acknowledges a wearable's message when it stands in the queue. A kill takes what came
 * since its last save, and hands over again what was acknowledged since. */
#ifndef BACKSTEP_SIM_BROKER_H
#define BACKSTEP_SIM_BROKER_H

#include "arena.h"
#include "events.h"

#include <stdbool.h>
#include <uthash.h>

/* A publication of a wearable's or an operator's. */
struct sim_message {
    struct bs_slice topic, payload, correlation;
    uint32_t steps; /* how many are in it, 0: none */
    int qos;
    bool retain;       /* as it was published */
    bool acknowledged; /* its publisher had the PUBACK */
    bool queued;       /* for the daemon's session, when it came */
    bool forgotten;    /* the broker lost it, or its session */
    bool handed;       /* the daemon's receiving function returned at least once */
};

/* On the way to the daemon: the numbers of messages, in order. */
struct sim_queued {
    uint32_t message;
    int qos;
    bool retained; /* because of a SUBSCRIBE */
    bool gone;     /* at QoS 0, and the link it was for has ended */
    uint64_t arrives_ns, acknowledged_ns;
};

/* Before the first cursor all is acknowledged, before the second handed over, before the third
 * sent. */
struct sim_line {
    struct sim_queued *items;
    size_t count, room;
    size_t next_ack, next_hand, next_send;
};

struct sim_retained {
    uint32_t message, saved; /* SIM_NO_MESSAGE: none */
    UT_hash_handle hh;
    char topic[];
};

/* What the session, or the configuration link, is subscribed to. */
struct sim_subscriptions {
    bool documents, devices;
};

enum sim_link_kind { SIM_LINK_NONE, SIM_LINK_CONFIG, SIM_LINK_SESSION };

#define SIM_MARKER (UINT32_MAX - 1) /* as a message's number: the configuration link's marker */

struct sim_broker {
    struct sim_message *messages;
    uint32_t message_count, message_room;
    struct sim_arena arena;
    struct sim_retained *retained;

    bool down, network_cut;
    bool refuses; /* it answers every CONNECT with a refusal */
    bool session; /* it exists */
    struct sim_subscriptions subscribed, visiting, saved_subscribed;
    struct sim_line queue, visit; /* the session's; the configuration link's */
    size_t saved_ack, saved_count;
    bool saved_session;

    enum sim_link_kind link;
    uint32_t window; /* receive maximum */
    uint64_t last_down_ns, last_up_ns;
    struct sim_event down_event, up_event;
    bool in_hand; /* a message is with the daemon's receiving function */
    uint32_t message_in_hand;
    uint64_t overflowed;
};

void sim_broker_reset(struct sim_broker *b);
void sim_broker_fini(struct sim_broker *b);

/* A publication begins to exist. Its texts are copied. */
struct sim_publication {
    struct bs_slice topic, payload, correlation;
    int qos;
    bool retain;
    uint32_t steps;
};
uint32_t sim_broker_add_message(struct sim_broker *b, const struct sim_publication *p);

/* It arrives. False: the broker is away and does not take it. */
bool sim_broker_take(struct sim_broker *b, uint32_t message);

/* The message that the daemon is being handed, or SIM_NO_MESSAGE. */
uint32_t sim_broker_message_in_hand(const struct sim_broker *b);

/* Everything the session has is acknowledged. */
bool sim_broker_is_empty(const struct sim_broker *b);

bool sim_broker_answers(const struct sim_broker *b);
uint64_t sim_network_ns(void); /* one way, drawn anew */

/* The daemon's client, for client.c. ----------------------------------------------------------- */

/* The CONNECT arrives. */
void sim_broker_connect(struct sim_broker *b, enum sim_link_kind kind, uint32_t receive_maximum);
/* To the documents; `retained`: with those that lie there. */
void sim_broker_subscribe_documents(struct sim_broker *b, int qos, bool retained);
void sim_broker_subscribe_devices(struct sim_broker *b);
/* The configuration link's marker: it comes back behind the documents. */
void sim_broker_take_marker(struct sim_broker *b);
/* The link has ended. */
void sim_broker_drop_link(struct sim_broker *b);
/* The receiving function has returned. */
void sim_broker_note_handed(struct sim_broker *b);
/* The process that held one is gone. */
void sim_broker_forget_hand(struct sim_broker *b);

/* What happens to it. -------------------------------------------------------------------------- */
void sim_broker_save(struct sim_broker *b);
void sim_broker_kill(struct sim_broker *b);
/* In order: it saves first. */
void sim_broker_stop(struct sim_broker *b);
void sim_broker_start(struct sim_broker *b);
void sim_broker_lose_session(struct sim_broker *b);
void sim_broker_cut_network(struct sim_broker *b, bool cut);
/* The connection breaks; the next try may succeed at once. */
void sim_broker_cut_link(struct sim_broker *b);

#endif
