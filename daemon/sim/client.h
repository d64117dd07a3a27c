/* What the broker does to the daemon's client. */
#ifndef BACKSTEP_SIM_CLIENT_H
#define BACKSTEP_SIM_CLIENT_H

#include "backstep/edge/mqtt.h"

/* A message is here: on the receiving thread. */
void sim_client_hand(const struct bs_mqtt_message *message);
void sim_client_take_marker(void);

/* The link is gone, and the client is told. */
void sim_client_break(const char *reason);

/* Nothing arrives from now on, and the client is not told. */
void sim_client_note_cut(bool cut);

/* The process dies. */
void sim_client_freeze(void);

#endif
