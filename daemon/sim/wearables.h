/* The wearables: who walks, what they publish, what the broker has acknowledged of it. */
#ifndef BACKSTEP_SIM_WEARABLES_H
#define BACKSTEP_SIM_WEARABLES_H

#include "backstep/base/random.h"
#include "events.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_ID_MAX 72

/* A device's way to the broker: one message after the other, again until it is acknowledged. */
struct sim_device {
    char name[SIM_ID_MAX];
    uint32_t *queue; /* numbers of messages */
    size_t first, count, room;
    struct sim_event event;
    bool away;
};

enum sim_form { SIM_FORM_JSON, SIM_FORM_BATCH, SIM_FORM_BINARY };

/* A run of steps, as one line of a scenario asks for it. */
struct sim_walk_plan {
    char device[SIM_ID_MAX];
    uint32_t boot, first, last; /* seq */
    char directions[32],
        feet[8]; /* letters, taken in turn: a direction for 8 steps, a foot for one */
    uint32_t every_ms, batch;
    enum sim_form form;
    bool up, stored, twice;
    int64_t ago_ms; /* the steps were taken so long before they are published */
};

struct sim_walk {
    struct sim_walk_plan plan;
    uint32_t device, next_seq, pending;
    int64_t next_ms; /* wall time of the next step */
    struct bs_random random;
    struct sim_event event;
};

/* Which steps a message holds. */
struct sim_message_steps {
    uint32_t message, device, boot, first, count;
};

struct sim_wearables {
    struct sim_device *devices[1024];
    size_t device_count;
    struct sim_walk *walks[8192];
    size_t walk_count, walking;
    struct sim_message_steps *messages;
    size_t message_count, message_room;
    uint64_t last_step_ns;
    uint64_t steps;
    bool by_hand; /* somebody wrote steps that no walk knows of */
};

void sim_wearables_reset(struct sim_wearables *w);
void sim_wearables_fini(struct sim_wearables *w);

/* By name; made where there is none. */
uint32_t sim_wearables_device(struct sim_wearables *w, const char *name);

/* From now on. `seed`: of what the plan leaves open. */
void sim_wearables_walk(struct sim_wearables *w, const struct sim_walk_plan *plan, uint64_t seed);

/* A device, or whoever `sender` is, publishes a message of the broker's. */
void sim_wearables_publish(struct sim_wearables *w, uint32_t sender, uint32_t message);

void sim_wearables_set_away(struct sim_wearables *w, uint32_t device, bool away);

/* Nobody walks and every message was acknowledged. */
bool sim_wearables_are_done(const struct sim_wearables *w);

#endif
