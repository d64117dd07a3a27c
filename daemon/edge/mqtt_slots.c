/* The slots of what is to be published: a hash by topic and two queues through it. Must never
 * block, lock or call the MQTT library. */
#include "mqtt_slots.h"

#include "backstep/base/check.h"

#include <stdlib.h>
#include <utlist.h>

static void free_slot(struct bs_mqtt_slot *slot)
{
    if (slot->flying != slot->newest) {
        free(slot->flying);
    }
    free(slot->newest);
    free(slot);
}

static void enqueue(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot)
{
    bs_check(!slot->queued && slot->flying == NULL);
    slot->queued = true;
    DL_APPEND(slots->queues[slot->patient], slot);
}

static void dequeue(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot)
{
    bs_check(slot->queued);
    slot->queued = false;
    DL_DELETE(slots->queues[slot->patient], slot);
}

static void forget(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot)
{
    bs_check(!slot->queued);
    HASH_DEL(slots->by_topic, slot); /* NOLINT: it is in the table */
    free_slot(slot);
}

static struct bs_mqtt_content *copy_content(const struct bs_mqtt_publication *p)
{
    struct bs_mqtt_content *c = malloc(sizeof(*c) + p->payload.length + p->correlation.length);

    if (c == NULL) {
        return NULL;
    }
    c->qos = p->qos;
    c->retained = p->retained;
    c->expiry_s = p->expiry_s;
    if (p->payload.length > 0) {
        memcpy(c->bytes, p->payload.at, p->payload.length);
    }
    if (p->correlation.length > 0) {
        memcpy(c->bytes + p->payload.length, p->correlation.at, p->correlation.length);
    }
    c->payload = (struct bs_slice){c->bytes, p->payload.length};
    c->correlation = (struct bs_slice){c->bytes + p->payload.length, p->correlation.length};
    return c;
}

static enum bs_status add_slot(struct bs_mqtt_slots *slots, const struct bs_mqtt_publication *p,
                               struct bs_mqtt_content *content)
{
    struct bs_mqtt_slot *slot;

    if (HASH_COUNT(slots->by_topic) >= BS_MQTT_SLOTS_MAX) {
        return BS_FULL;
    }
    slot = calloc(1, sizeof(*slot) + p->topic.length + 1);
    if (slot == NULL) {
        return BS_NO_MEMORY;
    }
    memcpy(slot->topic, p->topic.at, p->topic.length);
    HASH_ADD_KEYPTR(hh, slots->by_topic, slot->topic, p->topic.length, slot);
    if (slot->hh.tbl == NULL) {
        free(slot);
        return BS_NO_MEMORY;
    }
    slot->newest = content;
    slot->patient = p->patient;
    enqueue(slots, slot);
    return BS_OK;
}

static void replace_content(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot,
                            struct bs_mqtt_content *content)
{
    if (slot->newest != slot->flying) {
        free(slot->newest);
    }
    slot->newest = content;
    if (!slot->queued && slot->flying == NULL) {
        enqueue(slots, slot);
    }
}

enum bs_status bs_mqtt_slots_put(struct bs_mqtt_slots *slots,
                                 const struct bs_mqtt_publication *publication)
{
    struct bs_mqtt_content *content = copy_content(publication);
    struct bs_mqtt_slot *slot = NULL;
    enum bs_status status = BS_OK;

    if (content == NULL) {
        return BS_NO_MEMORY;
    }
    HASH_FIND(hh, slots->by_topic, publication->topic.at, publication->topic.length, slot);
    if (slot != NULL) {
        replace_content(slots, slot, content);
    } else {
        status = add_slot(slots, publication, content);
        if (status != BS_OK) {
            free(content);
        }
    }
    return status;
}

struct bs_mqtt_slot *bs_mqtt_slots_take(struct bs_mqtt_slots *slots)
{
    struct bs_mqtt_slot *slot = slots->queues[slots->queues[0] == NULL];

    if (slot != NULL) {
        dequeue(slots, slot);
        slot->flying = slot->newest;
        slots->flying_count++;
    }
    return slot;
}

void bs_mqtt_slots_settle(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot,
                          enum bs_mqtt_outcome outcome)
{
    bool overtaken = slot->newest != slot->flying;

    bs_check(slot->flying != NULL && slots->flying_count > 0);
    slots->flying_count--;
    if (overtaken) {
        free(slot->flying);
    }
    slot->flying = NULL;
    if (overtaken || (outcome == BS_MQTT_LOST && slot->newest->qos > 0)) {
        enqueue(slots, slot);
    } else {
        forget(slots, slot);
    }
}

static void drop_unkept(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *queue)
{
    struct bs_mqtt_slot *slot, *after;

    DL_FOREACH_SAFE(queue, slot, after)
    {
        if (slot->newest->qos == 0) {
            dequeue(slots, slot);
            forget(slots, slot);
        }
    }
}

void bs_mqtt_slots_drop_unkept(struct bs_mqtt_slots *slots)
{
    drop_unkept(slots, slots->queues[0]);
    drop_unkept(slots, slots->queues[1]);
}

bool bs_mqtt_slots_idle(const struct bs_mqtt_slots *slots)
{
    return slots->queues[0] == NULL && slots->queues[1] == NULL && slots->flying_count == 0;
}

void bs_mqtt_slots_fini(struct bs_mqtt_slots *slots)
{
    struct bs_mqtt_slot *slot, *after;

    HASH_ITER(hh, slots->by_topic, slot, after)
    {
        HASH_DEL(slots->by_topic, slot); /* NOLINT: the next one was taken before */
        free_slot(slot);
    }
    *slots = (struct bs_mqtt_slots){0};
}
