/* What wearables and operators do. */
#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "happenings.h"
#include "world.h"

#include <stdio.h>

enum { PAYLOAD_MAX = 1 << 20 };

/* Walks ---------------------------------------------------------------------------------------- */

static void read_range(struct sim_words *w, struct sim_walk_plan *p)
{
    char text[48];
    unsigned long long first, last;
    sim_words_text(w, text, sizeof text);
    if (sscanf(text, "%llu..%llu", &first, &last) != 2 || first > last || last > UINT32_MAX ||
        last - first > 1000000)
        sim_words_fail(w, "%s is no range of steps", text);
    p->first = (uint32_t)first;
    p->last = (uint32_t)last;
}

static void read_letters(struct sim_words *w, const char *allowed, char *ret, size_t bytes)
{
    sim_words_text(w, ret, bytes);
    for (const char *c = ret; *c; c++)
        if (!strchr(allowed, *c))
            sim_words_fail(w, "%c is none of %s", *c, allowed);
}

static bool read_option(struct sim_words *w, struct sim_walk_plan *p)
{
    static const char *const forms[] = {"json", "batch", "binary", NULL};
    if (sim_words_take(w, "dir"))
        read_letters(w, "FBLRUDTNX", p->directions, sizeof p->directions);
    else if (sim_words_take(w, "foot"))
        read_letters(w, "LRU", p->feet, sizeof p->feet);
    else if (sim_words_take(w, "every"))
        p->every_ms = (uint32_t)sim_words_number(w, 140, 2000);
    else if (sim_words_take(w, "form"))
        p->form = (enum sim_form)sim_words_choice(w, forms);
    else if (sim_words_take(w, "batch"))
        p->batch = (uint32_t)sim_words_number(w, 1, 255);
    else if (sim_words_take(w, "up"))
        p->up = true;
    else if (sim_words_take(w, "stored"))
        p->stored = true;
    else if (sim_words_take(w, "twice"))
        p->twice = true;
    else if (sim_words_take(w, "ago"))
        p->ago_ms = sim_words_signed(w, -100000000, 1000000000);
    else
        return false;
    return true;
}

void sim_happen_steps(struct sim_words *w)
{
    struct sim_walk_plan p = {.directions = "F", .feet = "LR", .every_ms = 550, .batch = 1};
    sim_words_text(w, p.device, sizeof p.device);
    if (!sim_words_take(w, "boot"))
        sim_words_fail(w, "boot is missing");
    p.boot = (uint32_t)sim_words_number(w, 0, UINT32_MAX);
    if (!sim_words_take(w, "seq"))
        sim_words_fail(w, "seq is missing");
    read_range(w, &p);
    while (!w->problem[0] && read_option(w, &p))
        ;
    if (p.form == SIM_FORM_JSON && p.batch != 1)
        sim_words_fail(w, "form json holds one step");
    if (sim_words_done(w) && !w->dry)
        sim_wearables_walk(&world->wearables, &p, w->seed);
}

void sim_happen_device(struct sim_words *w)
{
    static const char *const what[] = {"away", "back", NULL};
    char name[SIM_ID_MAX];
    sim_words_text(w, name, sizeof name);
    int choice = sim_words_choice(w, what);
    if (sim_words_done(w) && !w->dry)
        sim_wearables_set_away(&world->wearables, sim_wearables_device(&world->wearables, name),
                               choice == 0);
}

/* Publications --------------------------------------------------------------------------------- */

static void publish(const char *sender, const char *below, struct bs_slice payload, int qos,
                    bool retain)
{
    char topic[256];
    snprintf(topic, sizeof topic, SIM_ROOT "/%s", below);
    struct sim_publication p = {
        .topic = bs_slice_text(topic), .payload = payload, .qos = qos, .retain = retain};
    sim_wearables_publish(&world->wearables, sim_wearables_device(&world->wearables, sender),
                          sim_broker_add_message(&world->broker, &p));
}

void sim_happen_document(struct sim_words *w)
{
    char name[160], below[200];
    sim_words_text(w, name, sizeof name);
    struct bs_slice text = sim_words_all(w);
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: document %s", name);
    snprintf(below, sizeof below, "config/%s", name);
    publish("(operator)", below, text, 1, true);
}

void sim_happen_birth(struct sim_words *w)
{
    char name[SIM_ID_MAX], below[SIM_ID_MAX + 16];
    sim_words_text(w, name, sizeof name);
    struct bs_slice text = sim_words_all(w);
    if (!sim_words_done(w) || w->dry)
        return;
    snprintf(below, sizeof below, "device/%s/birth", name);
    publish(name, below, text, 1, true);
}

void sim_happen_publish(struct sim_words *w)
{
    char below[200];
    int qos = 1;
    uint64_t bytes = 0;
    sim_words_text(w, below, sizeof below);
    if (sim_words_take(w, "qos"))
        qos = (int)sim_words_number(w, 0, 1);
    bool retain = sim_words_take(w, "retain");
    if (sim_words_take(w, "bytes"))
        bytes = sim_words_number(w, 1, PAYLOAD_MAX);
    struct bs_slice text = BS_SLICE("");
    if (sim_words_take(w, "text"))
        text = sim_words_all(w);
    if (!sim_words_done(w) || w->dry)
        return;
    world->wearables.by_hand |= bs_slice_starts(bs_slice_text(below), BS_SLICE("device/"));
    struct bs_buffer payload;
    bs_buffer_init(&payload, 2 * PAYLOAD_MAX);
    struct bs_slice piece = text.length > 0 ? text : BS_SLICE("x");
    bs_buffer_add(&payload, text);
    while (payload.length < bytes)
        bs_buffer_add(&payload, piece);
    if (bytes > 0)
        payload.length = bytes;
    publish("(somebody)", below, bs_buffer_slice(&payload), qos, retain);
    bs_buffer_fini(&payload);
}
