/* Devices and walks. Must never forget a message before the broker has acknowledged it. */
#include "wearables.h"

#include "backstep/base/check.h"
#include "steps.h"
#include "world.h"

#include <stdlib.h>

enum { RETRY_LEAST_MS = 200, RETRY_MOST_MS = 3000, STEPS_OF_ONE_DIRECTION = 8 };

#define UP_BEGINS_MS 5000

/* Life ----------------------------------------------------------------------------------------- */

void sim_wearables_reset(struct sim_wearables *w)
{
    for (size_t i = 0; i < w->device_count; i++) {
        free(w->devices[i]->queue);
        free(w->devices[i]);
    }
    for (size_t i = 0; i < w->walk_count; i++)
        free(w->walks[i]);
    w->device_count = w->walk_count = w->walking = w->message_count = 0;
    w->last_step_ns = w->steps = 0;
    w->by_hand = false;
}

void sim_wearables_fini(struct sim_wearables *w)
{
    sim_wearables_reset(w);
    free(w->messages);
}

/* Devices -------------------------------------------------------------------------------------- */

static void send_next(struct sim_device *d)
{
    if (d->count > d->first && !d->away && !sim_event_waits(&d->event))
        sim_events_set(&world->events, &d->event, world->now_ns + sim_network_ns());
}

static void on_device(struct sim_event *event)
{
    struct sim_device *d = SIM_OWNER(event, struct sim_device, event);
    if (d->away || d->first == d->count)
        return;
    uint32_t message = d->queue[d->first];
    if (!sim_broker_take(&world->broker, message)) {
        sim_events_set(&world->events, &d->event,
                       sim_in_ms(sim_between(RETRY_LEAST_MS, RETRY_MOST_MS)));
        return;
    }
    /* The acknowledgement may be lost: it is published once more then. */
    if (sim_between(1, 1000) > world->settings.lost_ack_per_mille) {
        world->broker.messages[message].acknowledged = true;
        d->first++;
    }
    send_next(d);
}

uint32_t sim_wearables_device(struct sim_wearables *w, const char *name)
{
    for (size_t i = 0; i < w->device_count; i++)
        if (strcmp(w->devices[i]->name, name) == 0)
            return (uint32_t)i;
    bs_check(w->device_count < sizeof w->devices / sizeof w->devices[0]);
    struct sim_device *d = calloc(1, sizeof *d);
    bs_check(d);
    snprintf(d->name, sizeof d->name, "%s", name);
    d->event.fire = on_device;
    w->devices[w->device_count] = d;
    return (uint32_t)w->device_count++;
}

void sim_wearables_publish(struct sim_wearables *w, uint32_t sender, uint32_t message)
{
    struct sim_device *d = w->devices[sender];
    if (d->count == d->room) {
        d->room = d->room ? 2 * d->room : 64;
        d->queue = realloc(d->queue, d->room * sizeof *d->queue);
        bs_check(d->queue);
    }
    d->queue[d->count++] = message;
    send_next(d);
}

void sim_wearables_set_away(struct sim_wearables *w, uint32_t device, bool away)
{
    w->devices[device]->away = away;
    send_next(w->devices[device]);
}

bool sim_wearables_are_done(const struct sim_wearables *w)
{
    for (size_t i = 0; i < w->device_count; i++)
        if (w->devices[i]->first < w->devices[i]->count)
            return false;
    return w->walking == 0;
}

/* Walks ---------------------------------------------------------------------------------------- */

static int64_t below(struct bs_random *r, uint64_t most)
{
    return (int64_t)bs_random_below(r, most);
}

static struct sim_step_event take_step(struct sim_walk *walk, uint32_t number, int64_t base_ms)
{
    const struct sim_walk_plan *p = &walk->plan;
    struct bs_random *r = &walk->random;
    size_t directions = strlen(p->directions), feet = strlen(p->feet);
    return (struct sim_step_event){
        .time_ms = walk->next_ms - base_ms,
        .foot = p->feet[number % feet],
        .direction = p->directions[number / STEPS_OF_ONE_DIRECTION % directions],
        .step_ms = (uint16_t)(p->every_ms * 9 / 10 + (uint32_t)below(r, p->every_ms / 5 + 1)),
        .contact_ms = (uint16_t)(500 + below(r, 200)),
        .step_mm = (uint16_t)(350 + below(r, 300)),
        .trunk_cdeg = (int16_t)(below(r, 800) - 200),
        .vo_mm = (uint8_t)(20 + below(r, 30)),
    };
}

static void note_message(struct sim_wearables *w, struct sim_message_steps steps)
{
    if (w->message_count == w->message_room) {
        w->message_room = w->message_room ? 2 * w->message_room : 4096;
        w->messages = realloc(w->messages, w->message_room * sizeof *w->messages);
        bs_check(w->messages);
    }
    w->messages[w->message_count++] = steps;
}

static void write_message(enum sim_form form, const struct sim_step_message *m,
                          struct bs_buffer *out)
{
    if (form == SIM_FORM_BINARY)
        sim_steps_write_binary(m, out);
    else if (form == SIM_FORM_BATCH)
        sim_steps_write_batch(m, out);
    else
        sim_steps_write_json(m, out);
}

static void publish(struct sim_walk *walk, const struct sim_step_message *m)
{
    struct sim_wearables *w = &world->wearables;
    char topic[128];
    struct bs_buffer out;
    bs_buffer_init(&out, 64 * 1024);
    write_message(walk->plan.form, m, &out);
    snprintf(topic, sizeof topic, SIM_ROOT "/device/%s/steps", walk->plan.device);
    struct sim_publication p = {.topic = bs_slice_text(topic),
                                .payload = bs_buffer_slice(&out),
                                .qos = 1,
                                .steps = m->count};
    for (int i = 0; i < (walk->plan.twice ? 2 : 1); i++) {
        uint32_t message = sim_broker_add_message(&world->broker, &p);
        note_message(w,
                     (struct sim_message_steps){message, walk->device, m->boot, m->seq, m->count});
        sim_wearables_publish(w, walk->device, message);
    }
    w->steps += m->count;
    w->last_step_ns = world->now_ns;
    bs_buffer_fini(&out);
}

/* The steps since the last message; the last of them was taken just now. */
static void on_walk(struct sim_event *event)
{
    struct sim_walk *walk = SIM_OWNER(event, struct sim_walk, event);
    const struct sim_walk_plan *p = &walk->plan;
    struct sim_step_message m = {
        .boot = p->boot, .seq = walk->next_seq, .up = p->up, .stored = p->stored};
    int64_t base_ms = p->up ? SIM_BEGIN_WALL_MS - UP_BEGINS_MS : 0;
    uint32_t left = p->last - walk->next_seq + 1;
    m.count = left < p->batch ? left : p->batch;
    for (uint32_t i = 0; i < m.count; i++) {
        m.steps[i] = take_step(walk, m.seq + i - p->first, base_ms);
        walk->next_ms += p->every_ms;
    }
    publish(walk, &m);
    walk->next_seq += m.count;
    left -= m.count;
    if (left == 0) {
        world->wearables.walking--;
        return;
    }
    uint32_t next = left < p->batch ? left : p->batch;
    sim_events_set(&world->events, event, sim_in_ms((uint64_t)next * p->every_ms));
}

void sim_wearables_walk(struct sim_wearables *w, const struct sim_walk_plan *plan, uint64_t seed)
{
    bs_check(w->walk_count < sizeof w->walks / sizeof w->walks[0]);
    struct sim_walk *walk = calloc(1, sizeof *walk);
    bs_check(walk);
    walk->plan = *plan;
    walk->device = sim_wearables_device(w, plan->device);
    walk->next_seq = plan->first;
    walk->next_ms = sim_wall_ms() - plan->ago_ms;
    walk->event.fire = on_walk;
    bs_random_init(&walk->random, seed);
    w->walks[w->walk_count++] = walk;
    w->walking++;
    uint32_t steps = plan->last - plan->first + 1;
    steps = steps < plan->batch ? steps : plan->batch;
    sim_events_set(&world->events, &walk->event, sim_in_ms((uint64_t)(steps - 1) * plan->every_ms));
}
