/* The daemon as a process: it is started, stopped, killed, and asked how it is while it runs. A
 * killed one goes on to its end as if it were told to stop, but nothing that it does has an effect
 * any more and no time passes: so it frees what it holds. */
#ifndef BACKSTEP_SIM_PROCESS_H
#define BACKSTEP_SIM_PROCESS_H

#include "backstep/core/books.h"
#include "backstep/core/engine.h"
#include "backstep/edge/clock.h"
#include "events.h"
#include "fiber.h"

#include <uv.h>

struct bs_log;
struct bs_mqtt;
struct bs_influx;
struct bs_snapshot_files;

struct sim_sleep {
    struct sim_event event;
    bool over;
};

struct sim_process {
    bool wanted;  /* it was started and nobody has stopped it */
    bool running; /* its code is on the stack */
    bool stopping;
    bool dead;
    bool power_cut; /* when its code is off the stack, the disk loses what was not synced */
    bool reloading, ready;
    uint64_t extra_ns; /* a dead one's own time */
    int exit_status;
    unsigned starts;

    uv_loop_t *loop;
    struct sim_fiber receiver;
    bool (*receiver_ready)(void *argument); /* it waits; NULL: it does not */
    void *receiver_argument;
    struct sim_sleep receiver_sleep, loop_sleep;

    /* What it has open; NULL where it has not. */
    struct bs_engine *engine;
    struct bs_clock *clock;
    struct bs_log *intake, *outbox;
    struct bs_mqtt *mqtt;
    struct bs_influx *influx;
    struct bs_snapshot_files *snapshots;

    uint64_t snapshot_read; /* 1 + the position of the one that was read last, or 0 */

    struct bs_books books; /* as the record folded last left them */
    struct bs_engine_held held;
    uint64_t folded; /* position behind it */
};

void sim_process_init(struct sim_process *p);
void sim_process_fini(struct sim_process *p);
void sim_process_reset(struct sim_process *p);

/* Begins when the world comes to it: sim_process_run. */
void sim_process_start(void);
void sim_process_signal(int number);
void sim_process_kill(void);
void sim_process_cut_power(void);

/* From its start to its end, the world going on meanwhile. */
void sim_process_run(void);

/* For the world and the loop. */
void sim_process_wake_receiver(void);
bool sim_process_wait_receiving(bool (*ready)(void *argument), void *argument);
void sim_process_skip(uint64_t until_ns);
/* The loop has nothing to do at present: what must hold then? */
void sim_process_rests(void);

void sim_loop_signal(uv_loop_t *loop, int number);

/* The shell's bs_engine_step and bs_engine_free. */
enum bs_status sim_engine_step(struct bs_engine *e, const struct bs_record *r,
                               const struct bs_effects *effects);
void sim_engine_free(struct bs_engine *e);

#endif
