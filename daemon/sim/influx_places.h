/* What the world does to the daemon's transfer. */
#ifndef BACKSTEP_SIM_INFLUX_PLACES_H
#define BACKSTEP_SIM_INFLUX_PLACES_H

/* The process dies: what was under way may still arrive. */
void sim_influx_freeze(void);

#endif
