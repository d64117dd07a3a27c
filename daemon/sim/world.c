/* Time and its passing. Must never let two courses of control run at once: what the daemon does on
 * two threads happens one after the other here, in an order that the seed decides. */
#include "world.h"

#include "backstep/base/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct sim_world *world;

struct sim_world *sim_world_new(void)
{
    struct sim_world *w = calloc(1, sizeof *w);
    bs_check(w);
    world = w;
    sim_process_init(&w->process);
    return w;
}

void sim_world_free(struct sim_world *w)
{
    sim_events_clear(&w->events);
    sim_wearables_fini(&w->wearables);
    sim_broker_fini(&w->broker);
    sim_database_fini(&w->database);
    sim_history_fini(&w->history);
    sim_disk_fini(&w->disk);
    sim_process_fini(&w->process);
    sim_events_fini(&w->events);
    free(w);
    world = NULL;
}

void sim_world_reset(uint64_t seed)
{
    struct sim_world *w = world;
    sim_events_clear(&w->events);
    w->now_ns = w->fired = 0;
    w->seed = seed;
    w->failed = false;
    w->violation[0] = '\0';
    bs_random_init(&w->chance, seed);
    sim_settings_reset(&w->settings);
    sim_machine_reset(&w->machine);
    sim_disk_reset(&w->disk);
    sim_process_reset(&w->process);
    sim_broker_reset(&w->broker);
    sim_database_reset(&w->database);
    sim_wearables_reset(&w->wearables);
    sim_history_reset(&w->history);
    sim_truth_reset(&w->truth);
    w->said = (struct sim_said){0};
}

uint64_t sim_now_ns(void)
{
    return world->now_ns + world->process.extra_ns;
}

bool sim_step(uint64_t until_ns)
{
    struct sim_event *e = sim_events_first(&world->events);
    bs_check(e || until_ns != UINT64_MAX); /* nothing would ever happen again */
    if (!e || e->due_ns > until_ns) {
        if (until_ns > world->now_ns)
            world->now_ns = until_ns;
        return false;
    }
    sim_events_cancel(&world->events, e);
    if (e->due_ns > world->now_ns)
        world->now_ns = e->due_ns;
    world->fired++;
    e->fire(e);
    sim_process_wake_receiver();
    if (world->failed)
        sim_process_kill();
    return true;
}

bool sim_block(bool (*ready)(void *argument), void *argument)
{
    if (world->process.receiver.inside)
        return sim_process_wait_receiving(ready, argument);
    while (!ready(argument)) {
        if (world->process.dead)
            return false;
        sim_step(UINT64_MAX);
    }
    return true;
}

uint64_t sim_between(uint64_t least, uint64_t most)
{
    return most > least ? least + bs_random_below(&world->chance, most - least + 1) : least;
}

void sim_violation(const char *format, ...)
{
    if (world->failed)
        return;
    world->failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->violation, sizeof world->violation, format, arguments);
    va_end(arguments);
    sim_trace("violation: %s", world->violation);
}

void sim_trace_line(const char *format, ...)
{
    if (world->process.dead) /* nobody hears it any more */
        return;
    fprintf(world->trace, "%.6f ", (double)sim_now_ns() / 1e9);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(world->trace, format, arguments);
    va_end(arguments);
    fputc('\n', world->trace);
}
