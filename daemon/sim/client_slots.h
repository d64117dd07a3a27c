/* What the daemon publishes, until it is sent: per topic the newest, but where each has its turn.
 */
#ifndef BACKSTEP_SIM_CLIENT_SLOTS_H
#define BACKSTEP_SIM_CLIENT_SLOTS_H

#include "backstep/edge/mqtt.h"

struct client_slot;

struct client_slots {
    struct client_slot *first;
    size_t count;
};

enum bs_status client_slots_put(struct client_slots *s, const struct bs_mqtt_publication *p);

/* All of them, to the broker, which has them then. */
void client_slots_send(struct client_slots *s);

/* What nobody keeps while there is no link. */
void client_slots_drop_unkept(struct client_slots *s);

/* Topics whose patient publication was not sent yet. */
size_t client_slots_count_patient(const struct client_slots *s);

bool client_slots_are_empty(const struct client_slots *s);
void client_slots_fini(struct client_slots *s);

#endif
