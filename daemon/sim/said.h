/* What the daemon says of itself and of documents, in few words: the trace has its publications
 * whole, too, but a scenario wants to see changes. */
#ifndef BACKSTEP_SIM_SAID_H
#define BACKSTEP_SIM_SAID_H

#include "backstep/base/slice.h"

struct sim_said {
    char service[512]; /* as it was told last */
};

/* The broker has it: service STATE: REASON; influxdb STATE: ERROR, where that is another than
 * before; result KIND/ID ok|refused ….*/
void sim_said_note(struct sim_said *s, struct bs_slice topic, struct bs_slice payload);

#endif
