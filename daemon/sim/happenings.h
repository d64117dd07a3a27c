/* What may happen in the world: the words behind "at SECONDS". The table in happenings.c is the
 * only list of them; `backstep-sim --list` prints it. */
#ifndef BACKSTEP_SIM_HAPPENINGS_H
#define BACKSTEP_SIM_HAPPENINGS_H

#include "words.h"

#include <stdio.h>

struct sim_verb {
    const char *word, *usage, *sentence;
    void (*act)(struct sim_words *w);
};

/* It happens now; or, where the words are dry, only looks whether it could. False: w->problem. */
bool sim_happen(struct sim_words *w);

void sim_happenings_print(FILE *out);

/* The verbs, by whom they befall. */
void sim_happen_daemon(struct sim_words *w);
void sim_happen_power(struct sim_words *w);
void sim_happen_broker(struct sim_words *w);
void sim_happen_link(struct sim_words *w);
void sim_happen_network(struct sim_words *w);
void sim_happen_database(struct sim_words *w);
void sim_happen_disk(struct sim_words *w);
void sim_happen_clock(struct sim_words *w);
void sim_happen_conf(struct sim_words *w);
void sim_happen_set(struct sim_words *w);
void sim_happen_steps(struct sim_words *w);
void sim_happen_device(struct sim_words *w);
void sim_happen_document(struct sim_words *w);
void sim_happen_birth(struct sim_words *w);
void sim_happen_publish(struct sim_words *w);
void sim_happen_end(struct sim_words *w);

/* Every fault ends: disk, network, broker, database, configuration. */
void sim_heal(void);

#endif
