/* The slots of what is to be published: a hash by topic and two queues through it. Must never
 * block, lock or call the MQTT library. */
#include "mqtt_slots.h"

#include "backstep/base/check.h"

#include <stdlib.h>

static size_t content_bytes(const struct bs_mqtt_content *content)
{
    return sizeof(*content) + content->payload.length + content->correlation.length;
}

static void free_slot(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot)
{
    struct bs_mqtt_content *content, *after;

    DL_FOREACH_SAFE(slot->contents, content, after)
    {
        slots->bytes -= content_bytes(content);
        free(content);
    }
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
    slots->patient_count -= slot->patient;
    HASH_DEL(slots->by_topic, slot); /* NOLINT: it is in the table */
    free_slot(slots, slot);
}

/* The broker has what was there before it: it is not given up for want of a connection. */
static bool is_kept(const struct bs_mqtt_content *content)
{
    return content->qos > 0 || content->retained;
}

static struct bs_mqtt_content *copy_content(const struct bs_mqtt_publication *p, uint64_t now_ns)
{
    struct bs_mqtt_content *c = malloc(sizeof(*c) + p->payload.length + p->correlation.length);

    if (c == NULL) {
        return NULL;
    }
    c->qos = p->qos;
    c->retained = p->retained;
    c->in_turn = p->in_turn;
    c->expires_ns = p->expiry_s > 0 ? now_ns + p->expiry_s * UINT64_C(1000000000) : UINT64_MAX;
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
    DL_APPEND(slot->contents, content);
    slot->patient = p->patient;
    slots->patient_count += slot->patient;
    enqueue(slots, slot);
    return BS_OK;
}

static void remove_content(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot,
                           struct bs_mqtt_content *content)
{
    /* The first is not counted, and the one behind it is the first from now on. */
    struct bs_mqtt_content *counted = content == slot->contents ? content->next : content;

    if (counted != NULL) {
        slots->in_turn_bytes -= content_bytes(counted);
    }
    DL_DELETE(slot->contents, content); /* NOLINT: it is in the list, which has a last one */
    slots->bytes -= content_bytes(content);
    free(content);
}

/* What waits is left out for a newer one, unless each has its turn and there is room. */
static void add_content(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot,
                        struct bs_mqtt_content *content)
{
    struct bs_mqtt_content *newest = slot->contents->prev; /* as utlist has the last one */
    bool room = slots->in_turn_bytes + content_bytes(content) <= BS_MQTT_IN_TURN_BYTES;

    if (newest != slot->flying && !(newest->in_turn && content->in_turn && room)) {
        remove_content(slots, slot, newest);
    }
    if (slot->contents != NULL) {
        slots->in_turn_bytes += content_bytes(content);
    }
    DL_APPEND(slot->contents, content); /* NOLINT: what was freed is out of the list */
}

enum bs_status bs_mqtt_slots_put(struct bs_mqtt_slots *slots,
                                 const struct bs_mqtt_publication *publication, uint64_t now_ns)
{
    struct bs_mqtt_slot *slot = NULL;
    struct bs_mqtt_content *content;
    enum bs_status status = BS_OK;

    if (publication->patient && slots->bytes >= BS_MQTT_WAITING_BYTES) {
        return BS_FULL;
    }
    content = copy_content(publication, now_ns);
    if (content == NULL) {
        return BS_NO_MEMORY;
    }
    slots->bytes += content_bytes(content);
    HASH_FIND(hh, slots->by_topic, publication->topic.at, publication->topic.length, slot);
    if (slot != NULL) {
        add_content(slots, slot, content);
    } else {
        status = add_slot(slots, publication, content);
        if (status != BS_OK) {
            slots->bytes -= content_bytes(content);
            free(content);
        }
    }
    return status;
}

/* A queued slot that lost some of its contents; false where none is left and it is gone. */
static bool has_content(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot)
{
    if (slot->contents != NULL) {
        return true;
    }
    dequeue(slots, slot);
    forget(slots, slot);
    return false;
}

static bool has_fresh_content(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot,
                              uint64_t now_ns)
{
    while (slot->contents != NULL && slot->contents->expires_ns <= now_ns) {
        remove_content(slots, slot, slot->contents);
    }
    return has_content(slots, slot);
}

struct bs_mqtt_slot *bs_mqtt_slots_take(struct bs_mqtt_slots *slots, uint64_t now_ns)
{
    struct bs_mqtt_slot *slot;

    do {
        slot = slots->queues[slots->queues[0] == NULL];
    } while (slot != NULL && !has_fresh_content(slots, slot, now_ns));
    if (slot != NULL) {
        dequeue(slots, slot);
        slot->flying = slot->contents;
        slots->flying_count++;
    }
    return slot;
}

void bs_mqtt_slots_settle(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot,
                          enum bs_mqtt_outcome outcome)
{
    struct bs_mqtt_content *landed = slot->contents;
    bool again = outcome == BS_MQTT_LOST && is_kept(landed);
    bool overtaken = landed->next != NULL;

    bs_check(landed == slot->flying && slots->flying_count > 0);
    slots->flying_count--;
    slot->flying = NULL;
    if (overtaken && !(again && landed->in_turn)) {
        remove_content(slots, slot, landed);
    }
    if (overtaken || again) {
        enqueue(slots, slot);
    } else {
        forget(slots, slot);
    }
}

static void drop_unkept(struct bs_mqtt_slots *slots, struct bs_mqtt_slot *slot)
{
    struct bs_mqtt_content *content, *after;

    DL_FOREACH_SAFE(slot->contents, content, after)
    {
        if (!is_kept(content)) {
            remove_content(slots, slot, content);
        }
    }
    has_content(slots, slot);
}

void bs_mqtt_slots_drop_unkept(struct bs_mqtt_slots *slots)
{
    struct bs_mqtt_slot *slot, *after;

    for (size_t i = 0; i < 2; i++) {
        DL_FOREACH_SAFE(slots->queues[i], slot, after)
        {
            drop_unkept(slots, slot);
        }
    }
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
        free_slot(slots, slot);
    }
    *slots = (struct bs_mqtt_slots){0};
}
