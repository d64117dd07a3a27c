/* What is to be published: one slot per topic, the newest content wins; only of answers and
 * notices, each of which is for somebody, none is left out for a newer one. A slot lives until the
 * broker answered exactly its newest content, so memory is bounded by what is outstanding. Two
 * queues run through them: what is patient flies when nothing else waits.
 *
 * Holds no lock and calls no MQTT library: whoever calls holds the module's lock. Content that is
 * `flying` is never freed or changed before the slot is settled, so that it may be read without
 * the lock meanwhile. */
#ifndef BACKSTEP_EDGE_MQTT_SLOTS_H
#define BACKSTEP_EDGE_MQTT_SLOTS_H

#include "backstep/edge/mqtt.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

/* A site of 10 000 members has about 40 000 documents, each with one result. */
#define BS_MQTT_SLOTS_MAX     65536u

/* Contents that wait behind another of their topic, together: some fifty thousand usual answers.
 * Beyond it the newest wins among answers, too. */
#define BS_MQTT_IN_TURN_BYTES (16u * 1024 * 1024)

/* Contents of all slots together, beyond which no answer is taken. A usual answer has some three
 * hundred bytes; whoever asks may add 64 KiB of correlation data to each. */
#define BS_MQTT_WAITING_BYTES (128u * 1024 * 1024)

struct bs_mqtt_content {
    struct bs_slice payload, correlation; /* both in `bytes` */
    int qos;
    bool retained;
    bool in_turn;
    uint64_t expires_ns; /* UINT64_MAX: never */
    struct bs_mqtt_content *prev, *next;
    char bytes[];
};

struct bs_mqtt_slot {
    struct bs_mqtt_content *contents; /* never NULL; the first flies next, the last is the newest */
    struct bs_mqtt_content *flying;   /* handed over, not yet settled: the first, or NULL */
    bool queued;                      /* waits for its turn; never while flying */
    bool patient;                     /* of the content that opened it */
    struct bs_mqtt_slot *prev, *next;
    UT_hash_handle hh;
    char topic[]; /* zero-terminated */
};

struct bs_mqtt_slots {
    struct bs_mqtt_slot *by_topic;
    struct bs_mqtt_slot *queues[2]; /* the patient ones' second; each first come, first out */
    size_t flying_count;
    size_t patient_count; /* slots, waiting or flying */
    size_t bytes;         /* of all contents */
    size_t in_turn_bytes; /* of the contents that are not the first of their slot */
};

enum bs_mqtt_outcome {
    BS_MQTT_DELIVERED, /* acknowledged; at QoS 0: handed over */
    BS_MQTT_LOST,      /* no answer: what is kept waits again, what is not is given up */
    /* The broker said no, and may end the connection over it (mosquitto 2.0.11 does): given up,
     * or every further connection would end the same way. */
    BS_MQTT_REFUSED,
};

void bs_mqtt_slots_fini(struct bs_mqtt_slots *slots);

/* Copies the publication. BS_FULL where BS_MQTT_SLOTS_MAX topics are outstanding, or where it is an
 * answer and BS_MQTT_WAITING_BYTES are. Times of this and
 * the next are CLOCK_MONOTONIC. */
enum bs_status bs_mqtt_slots_put(struct bs_mqtt_slots *slots,
                                 const struct bs_mqtt_publication *publication, uint64_t now_ns);

/* The slot whose turn it is, now flying; NULL where none waits. Gives up what has expired before
 * its turn came. */
struct bs_mqtt_slot *bs_mqtt_slots_take(struct bs_mqtt_slots *slots, uint64_t now_ns);

/* Ends the flight; the slot may be gone afterwards. */
void bs_mqtt_slots_settle(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot,
                          enum bs_mqtt_outcome outcome);

/* Gives up what waits and is not kept: there is no connection. */
void bs_mqtt_slots_drop_unkept(struct bs_mqtt_slots *slots);

/* Nothing waits and nothing flies. */
bool bs_mqtt_slots_idle(const struct bs_mqtt_slots *slots);

#endif
