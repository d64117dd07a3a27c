/* The daemon's life and death. Must never let a dead process change anything, nor let it live on in
 * an event. */
#include "process.h"

#include "backstep/base/check.h"
#include "backstep/edge/mqtt.h"
#include "backstep/edge/notify.h"
#include "backstep/edge/process.h"
#include "backstep/edge/tls.h"
#include "client.h"
#include "influx_places.h"
#include "log_places.h"
#include "runtime.h"
#include "snapshot_places.h"
#include "world.h"

#include <signal.h>

void sim_process_init(struct sim_process *p)
{
    sim_fiber_init(&p->receiver);
}

void sim_process_fini(struct sim_process *p)
{
    sim_fiber_fini(&p->receiver);
}

void sim_process_reset(struct sim_process *p)
{
    bs_check(!p->running);
    struct sim_fiber receiver = p->receiver;
    *p = (struct sim_process){.receiver = receiver};
}

/* From outside ----------------------------------------------------------------------------------
 */

void sim_process_start(void)
{
    world->process.wanted = true;
}

void sim_process_signal(int number)
{
    struct sim_process *p = &world->process;
    if (number == SIGTERM)
        p->wanted = false;
    if (p->running && !p->dead && p->loop)
        sim_loop_signal(p->loop, number);
}

/* Its code cannot be left where it stands: it is told to stop, and runs to its end in a world that
 * it cannot touch. */
void sim_process_kill(void)
{
    struct sim_process *p = &world->process;
    p->wanted = false;
    if (!p->running || p->dead)
        return;
    sim_trace("the daemon is killed");
    if (p->loop)
        sim_loop_signal(p->loop, SIGTERM);
    p->dead = true;
    sim_truth_note_end(&world->truth);
    if (p->receiver.begun)
        sim_fiber_drop(&p->receiver);
    p->receiver_ready = NULL;
    sim_events_cancel(&world->events, &p->receiver_sleep.event);
    sim_broker_forget_hand(&world->broker);
    sim_client_freeze();
    if (p->intake)
        sim_log_freeze(p->intake);
    if (p->outbox)
        sim_log_freeze(p->outbox);
    sim_influx_freeze();
    sim_snapshots_freeze();
}

static void lose_power(void)
{
    sim_trace("the power is cut");
    sim_truth_note_cut(&world->truth);
    sim_disk_cut_power();
    sim_machine_boot(&world->machine);
    world->process.power_cut = false;
}

void sim_process_cut_power(void)
{
    struct sim_process *p = &world->process;
    sim_process_kill();
    /* That a transfer is unresolved stands in a mark, and the last marks go with the power. */
    sim_database_flush(&world->database);
    p->power_cut = p->running;
    if (!p->running)
        lose_power();
}

void sim_process_run(void)
{
    struct sim_process *p = &world->process;
    struct bs_conf conf;
    p->running = true;
    p->stopping = p->dead = p->reloading = p->ready = false;
    p->extra_ns = 0;
    p->starts++;
    p->snapshot_read = 0;
    sim_settings_fill(&world->settings, &conf);
    sim_trace("the daemon starts");
    p->exit_status = bs_runtime_run(&conf, "backstepd.conf");
    if (p->dead) /* nobody sees what it says of itself */
        p->exit_status = BS_EXIT_OK;
    if (p->exit_status != BS_EXIT_OK && !p->dead)
        p->wanted = false;
    p->running = p->dead = p->ready = false;
    p->extra_ns = 0;
    p->clock = NULL;
    sim_trace("the daemon has ended: %d", p->exit_status);
    if (p->power_cut)
        lose_power();
}

/* The receiving thread --------------------------------------------------------------------------
 */

void sim_process_wake_receiver(void)
{
    struct sim_process *p = &world->process;
    if (!p->receiver_ready || p->receiver.inside || !p->receiver_ready(p->receiver_argument))
        return;
    p->receiver_ready = NULL;
    sim_fiber_resume(&p->receiver);
}

bool sim_process_wait_receiving(bool (*ready)(void *argument), void *argument)
{
    struct sim_process *p = &world->process;
    if (ready(argument))
        return true;
    p->receiver_ready = ready;
    p->receiver_argument = argument;
    sim_fiber_yield(&p->receiver);
    return true;
}

static void end_sleep(struct sim_event *event)
{
    SIM_OWNER(event, struct sim_sleep, event)->over = true;
}

static bool is_over(void *argument)
{
    return ((struct sim_sleep *)argument)->over;
}

void bs_process_sleep(uint64_t ns)
{
    struct sim_process *p = &world->process;
    if (p->dead) {
        p->extra_ns += ns;
        return;
    }
    struct sim_sleep *s = p->receiver.inside ? &p->receiver_sleep : &p->loop_sleep;
    *s = (struct sim_sleep){.event.fire = end_sleep};
    sim_events_set(&world->events, &s->event, world->now_ns + ns);
    sim_block(is_over, s);
    sim_events_cancel(&world->events, &s->event);
}

/* What the kernel knows is the same each time: a row's length must not depend on it. */
pid_t bs_process_id(void)
{
    return 4711;
}

uint64_t bs_process_resident_bytes(void)
{
    return 16 << 20;
}

/* The loop --------------------------------------------------------------------------------------
 */

void sim_process_skip(uint64_t until_ns)
{
    struct sim_process *p = &world->process;
    bs_check(until_ns != UINT64_MAX);
    if (until_ns > sim_now_ns())
        p->extra_ns += until_ns - sim_now_ns();
}

void sim_process_rests(void)
{
    if (!world->process.dead && !world->failed)
        sim_truth_check_rest(&world->truth);
}

enum bs_status sim_engine_step(struct bs_engine *e, const struct bs_record *r,
                               const struct bs_effects *effects)
{
    struct sim_process *p = &world->process;
    enum bs_status status = bs_engine_step(e, r, effects);
    if (p->dead)
        return status;
    p->engine = e;
    p->folded = r->next;
    p->books = *bs_engine_books(e);
    bs_engine_get_held(e, &p->held);
    world->now_ns += world->settings.fold_us * UINT64_C(1000);
    sim_truth_check_fold(&world->truth);
    return status;
}

void sim_engine_free(struct bs_engine *e)
{
    world->process.engine = NULL;
    bs_engine_free(e);
}

/* systemd, and whom nobody asks here ------------------------------------------------------------
 */

void bs_notify_ready(void)
{
    if (!world->process.ready && world->process.snapshot_read > 0)
        sim_history_trust(&world->history, world->process.snapshot_read - 1);
    world->process.ready = true;
    world->process.reloading = false;
}

void bs_notify_stopping(void)
{
    world->process.stopping = true;
}

void bs_notify_reloading(void)
{
    world->process.reloading = true;
}

void bs_notify_status(const char *text)
{
    sim_trace("status: %s", text);
}

void bs_notify_alive(void)
{
}

uint64_t bs_notify_watchdog_ms(void)
{
    return 0;
}

enum bs_status bs_tls_explain(const struct bs_tls_broker *broker, char *ret_why, size_t why_bytes)
{
    (void)broker;
    (void)ret_why;
    (void)why_bytes;
    return BS_IO;
}
