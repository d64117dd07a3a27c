/* The course of a run: happenings at their times, then health, rest, the orderly end. Must never
 * wait for ever: what does not come to rest in two hours of the world is a violation. */
#include "run.h"

#include "backstep/base/check.h"
#include "happenings.h"
#include "log_places.h"
#include "outcome.h"
#include "outlet.h"
#include "runtime.h"
#include "words.h"
#include "world.h"

#include <signal.h>

#define SECOND_NS     UINT64_C(1000000000)
#define SETTLE_MAX_NS (7200 * SECOND_NS)
#define RESTART_NS    (2 * SECOND_NS)

struct course {
    struct sim_script *script;
    size_t next;
    struct sim_event happening, look, restart;
    bool settling, stopped;
    uint64_t settling_since_ns;
};

/* Happenings ----------------------------------------------------------------------------------- */

static void arm(struct course *c)
{
    const struct sim_script *s = c->script;
    uint64_t now_ns = world->now_ns;
    if (c->next < s->count) {
        sim_events_set(&world->events, &c->happening, s->happenings[c->next].at_ns);
    } else {
        c->settling = true;
        sim_events_set(&world->events, &c->look, now_ns + SECOND_NS);
    }
}

static uint64_t line_seed(struct bs_slice text)
{
    uint64_t seed = world->seed ^ UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++)
        seed = (seed ^ (unsigned char)text.at[i]) * UINT64_C(0x100000001b3);
    return seed;
}

static void on_happening(struct sim_event *event)
{
    struct course *c = SIM_OWNER(event, struct course, happening);
    const struct sim_happening *h = &c->script->happenings[c->next++];
    struct sim_words words = {.rest = h->text, .seed = line_seed(h->text)};
    if (!sim_happen(&words))
        sim_violation("line %u: %s", h->line, words.problem);
    arm(c);
}

/* Rest ----------------------------------------------------------------------------------------- */

/* What has not come to rest yet; NULL: everything has. */
static const char *what_is_open(void)
{
    const struct sim_process *p = &world->process;
    if (!p->running || !p->ready || !p->intake || !p->outbox)
        return "the daemon does not run";
    if (!sim_wearables_are_done(&world->wearables))
        return "a wearable has something to publish";
    if (!sim_broker_is_empty(&world->broker))
        return "the broker's queue is not empty";
    if (!sim_log_rests(p->intake))
        return "the intake is not folded";
    if (world->now_ns < world->wearables.last_step_ns + world->settings.settle_s * SECOND_NS)
        return "windows may be open";
    if (sim_log_mark(p->outbox,
                     world->settings.influxdb_used ? BS_OUTLET_DELIVERED : BS_OUTLET_FILE_WRITTEN) <
        bs_log_head(p->outbox))
        return "rows are not delivered";
    if (sim_log_mark(p->outbox, BS_OUTLET_UNRESOLVED) > 0)
        return "a transfer is unresolved";
    return sim_database_is_late(&world->database) ? "a late write has not come" : NULL;
}

static void on_look(struct sim_event *event)
{
    struct course *c = SIM_OWNER(event, struct course, look);
    if (c->settling_since_ns == 0) {
        sim_trace("everything heals");
        c->settling_since_ns = world->now_ns;
        sim_heal();
    }
    const char *open = what_is_open();
    if (!open) {
        sim_trace("everything rests");
        c->stopped = true;
        sim_process_signal(SIGTERM);
        return;
    }
    if (world->now_ns - c->settling_since_ns > SETTLE_MAX_NS)
        sim_violation("two hours after all faults: %s", open);
    sim_events_set(&world->events, &c->look, world->now_ns + SECOND_NS / 4);
}

/* The daemon is under systemd: a start that failed is tried again. */
static void on_restart(struct sim_event *event)
{
    (void)event;
    sim_process_start();
}

static void run_daemon(struct course *c)
{
    sim_process_run();
    if (world->process.exit_status != BS_EXIT_OK && !c->stopped)
        sim_events_set(&world->events, &c->restart, world->now_ns + RESTART_NS);
    if (world->process.exit_status == BS_EXIT_FAILED && !world->disk.was_faulty)
        sim_violation("the daemon ended with %d", world->process.exit_status);
}

static void note_result(struct sim_result *ret)
{
    ret->failed = world->failed;
    memcpy(ret->violation, world->violation, sizeof ret->violation);
    ret->records = world->history.count;
    ret->steps = world->wearables.steps;
    ret->rows = HASH_COUNT(world->database.rows.by_key);
    ret->events = world->fired;
    ret->seconds = world->now_ns / SECOND_NS;
}

void sim_run(struct sim_script *script, uint64_t seed, FILE *trace, struct sim_result *ret)
{
    struct course c = {.script = script,
                       .happening.fire = on_happening,
                       .look.fire = on_look,
                       .restart.fire = on_restart};
    *ret = (struct sim_result){0};
    sim_world_reset(seed);
    world->trace = trace;
    if (!sim_script_make_ready(script, ret->violation, sizeof ret->violation)) {
        ret->failed = ret->malformed = true;
        return;
    }
    sim_disk_reset(&world->disk); /* by the settings of the script */
    arm(&c);
    while (!world->failed && !(c.stopped && !world->process.running)) {
        if (world->process.wanted)
            run_daemon(&c);
        else
            sim_step(UINT64_MAX);
    }
    if (!world->failed)
        sim_truth_check_end(&world->truth);
    sim_outcome_trace();
    note_result(ret);
    sim_events_clear(&world->events);
}
