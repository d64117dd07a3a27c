/* A list of publications. Must never hold two of a topic where the newest is enough. */
#include "client_slots.h"

#include "world.h"

#include <stdlib.h>
#include <utlist.h>

enum { SLOTS_MAX = 65536 };

struct client_slot {
    struct client_slot *prev, *next;
    bool kept, in_turn, retained, patient;
    uint64_t expires_ns;
    size_t topic_length, payload_length;
    char bytes[]; /* topic, payload */
};

static void forget(struct client_slots *s, struct client_slot *slot)
{
    DL_DELETE(s->first, slot);
    s->count--;
    free(slot);
}

static struct client_slot *find(struct client_slots *s, struct bs_slice topic)
{
    struct client_slot *slot;
    DL_FOREACH(s->first, slot)
    {
        if (!slot->in_turn && bs_slice_equal(bs_slice_of(slot->bytes, slot->topic_length), topic))
            return slot;
    }
    return NULL;
}

enum bs_status client_slots_put(struct client_slots *s, const struct bs_mqtt_publication *p)
{
    struct client_slot *old = p->in_turn ? NULL : find(s, p->topic);
    if (old)
        forget(s, old);
    if (s->count >= SLOTS_MAX)
        return BS_FULL;
    struct client_slot *slot = malloc(sizeof *slot + p->topic.length + p->payload.length);
    if (!slot)
        return BS_NO_MEMORY;
    *slot = (struct client_slot){
        .kept = p->qos > 0 || p->retained,
        .in_turn = p->in_turn,
        .retained = p->retained,
        .patient = p->patient,
        .expires_ns = p->expiry_s ? sim_in_ms(1000 * (uint64_t)p->expiry_s) : UINT64_MAX,
        .topic_length = p->topic.length,
        .payload_length = p->payload.length,
    };
    memcpy(slot->bytes, p->topic.at, p->topic.length);
    if (p->payload.length > 0)
        memcpy(slot->bytes + p->topic.length, p->payload.at, p->payload.length);
    DL_APPEND(s->first, slot);
    s->count++;
    return BS_OK;
}

static void say(const struct client_slot *slot)
{
    struct bs_slice topic = bs_slice_of(slot->bytes, slot->topic_length);
    struct bs_slice payload = bs_slice_of(slot->bytes + slot->topic_length, slot->payload_length);
    struct bs_slice shown = payload.length > 0 ? payload : BS_SLICE("(empty)");
    sim_trace("%s%.*s %.*s", slot->retained ? "retained " : "", (int)topic.length, topic.at,
              (int)shown.length, shown.at);
    sim_said_note(&world->said, topic, payload);
}

void client_slots_send(struct client_slots *s)
{
    while (s->first) {
        struct client_slot *slot = s->first;
        if (slot->expires_ns > world->now_ns)
            say(slot);
        forget(s, slot);
    }
}

void client_slots_drop_unkept(struct client_slots *s)
{
    struct client_slot *slot, *next;
    DL_FOREACH_SAFE(s->first, slot, next)
    {
        if (!slot->kept)
            forget(s, slot);
    }
}

size_t client_slots_count_patient(const struct client_slots *s)
{
    const struct client_slot *slot;
    size_t count = 0;
    DL_FOREACH(s->first, slot)
    count += slot->patient;
    return count;
}

bool client_slots_are_empty(const struct client_slots *s)
{
    return s->first == NULL;
}

void client_slots_fini(struct client_slots *s)
{
    while (s->first)
        forget(s, s->first);
}
