/* Messages of wearables: each step gets its verdict, in the order of the interface, and what is
 * accepted is counted in its window. Must never count a step whose identity is not marked as seen.
 */
#include "backstep/core/birth.h"
#include "engine_parts.h"

/* A guest of before is kept while guests are not welcome: its identities may be asked for again. */
static struct bs_device *known_device(struct bs_engine *e, struct bs_slice id)
{
    const struct bs_settings *s = bs_config_settings(e->config);
    if (s->unknown_devices != BS_UNKNOWN_GUEST)
        return NULL;
    struct bs_device *d = bs_roster_find(e->roster, id);
    if (d)
        return d;
    d = bs_roster_add_guest(e->roster, id, (uint32_t)s->max_members, e->now);
    if (d && e->next_sweep.ms == BS_NEVER_MS)
        e->next_sweep.ms = e->now.ms + BS_ENGINE_SWEEP_MS;
    return d;
}

static void reject_all(struct bs_engine *e, enum bs_step_reason reason)
{
    e->books.steps_received += e->message.count;
    e->books.steps_rejected[reason] += e->message.count;
}

/* Step time and length as the step itself tells them; halves, so that half a stride is exact. */
static void measure(const struct bs_step *step, struct bs_sample *ret)
{
    if (bs_step_has(step, BS_FIELD_STEP_MS)) {
        ret->step_time_halves = (uint16_t)(2 * step->value[BS_FIELD_STEP_MS]);
        ret->step_time_exact = true;
    } else if (bs_step_has(step, BS_FIELD_STRIDE_MS)) {
        ret->step_time_halves = (uint16_t)step->value[BS_FIELD_STRIDE_MS];
    }
    if (bs_step_has(step, BS_FIELD_STEP_MM))
        ret->step_length_halves = (uint16_t)(2 * step->value[BS_FIELD_STEP_MM]);
    else if (bs_step_has(step, BS_FIELD_STRIDE_MM))
        ret->step_length_halves = (uint16_t)step->value[BS_FIELD_STRIDE_MM];
}

/* The message's device and boot, and where its times lie on the wall clock. */
struct origin {
    struct bs_device *device;
    struct bs_member *member;
    struct bs_boot *boot;
    bool placed;       /* its times can be placed */
    int64_t offset_ms; /* wall time = time of the step + offset */
};

#define ACCEPTED BS_STEP_REASON_COUNT

/* Finds the step's window and makes room in it; the reason where it has none. */
static enum bs_step_reason place_step(struct bs_engine *e, const struct origin *o,
                                      const struct bs_window_key *key, struct bs_window_place *ret)
{
    if (!o->placed)
        return BS_STEP_UNPLACED;
    if (key->time_ms > bs_engine_wall(e).ms + bs_config_settings(e->config)->max_future_ms)
        return BS_STEP_FUTURE;
    if (bs_windows_too_late(e->windows, key->time_ms, key->stored)) {
        bs_windows_refuse(e->windows, key->time_ms, key->stored);
        return BS_STEP_TOO_LATE;
    }
    *ret = bs_windows_find(e->windows, &o->member->windows, key);
    if (!bs_windows_reserve(e->windows, &o->member->windows, key, ret))
        return BS_STEP_OVER_LIMIT;
    return ACCEPTED;
}

static void count_in_window(struct bs_engine *e, const struct origin *o,
                            const struct bs_window_key *key, const struct bs_window_place *place,
                            struct bs_sample *sample)
{
    sample->late = bs_engine_wall(e).ms >= place->end_ms;
    measure(sample->step, sample);
    bs_windows_add(e->windows, &o->member->windows, key, place, sample, e->now);
    if (!o->boot->accepted || key->time_ms > o->boot->latest_accepted)
        o->boot->latest_accepted = key->time_ms;
    o->boot->accepted = true;
}

/* A step over a bound leaves no trace, so that it may come again; every other one is marked as seen
 * before anything else is said of it. */
static enum bs_step_reason judge(struct bs_engine *e, const struct origin *o, struct bs_step *step)
{
    struct bs_window_key key = {o->member->tags, step->time_ms + o->offset_ms, step->direction,
                                e->message.stored};
    struct bs_window_place place;
    enum bs_step_reason reason = place_step(e, o, &key, &place);
    if (reason == BS_STEP_OVER_LIMIT)
        return reason;
    uint32_t lost;
    enum bs_seen_verdict seen = bs_seen_mark(&o->boot->seen, step->seq, &lost);
    if (seen != BS_SEEN_NEW)
        return seen == BS_SEEN_DUPLICATE ? BS_STEP_DUPLICATE : BS_STEP_STALE_SEQ;
    if (reason != ACCEPTED)
        return reason;
    if (step->foot == BS_FOOT_UNKNOWN)
        step->foot = (uint8_t)bs_device_side(o->device);
    struct bs_sample sample = {.step = step, .lost = (uint16_t)lost};
    count_in_window(e, o, &key, &place, &sample);
    return ACCEPTED;
}

/* Time since power-up is placed by what arrives at once; a stored upload tells nothing of it. */
static void place_message(struct bs_engine *e, struct origin *o)
{
    const struct bs_message *m = &e->message;
    int64_t newest = m->steps[m->count - 1].time_ms;
    o->placed = true;
    o->offset_ms = 0;
    if (m->uses_up) {
        if (!o->boot->upclock)
            o->boot->upclock = bs_upclock_new();
        if (o->boot->upclock && !m->stored)
            bs_upclock_hear(o->boot->upclock, e->now, bs_engine_wall(e).ms - newest);
        o->placed = o->boot->upclock && bs_upclock_offset(o->boot->upclock, e->now, &o->offset_ms);
    } else if (!m->stored) {
        bs_device_note_delay(o->device, bs_engine_wall(e).ms - newest, e->now);
    }
}

static void take_steps(struct bs_engine *e, struct bs_slice device)
{
    struct bs_message *m = &e->message;
    struct origin o = {.device = known_device(e, device)};
    if (!o.device) {
        bool guests = bs_config_settings(e->config)->unknown_devices == BS_UNKNOWN_GUEST;
        reject_all(e, guests ? BS_STEP_OVER_LIMIT : BS_STEP_UNKNOWN_DEVICE);
        return;
    }
    o.member = bs_device_member(o.device);
    o.boot = bs_device_boot(o.device, m->boot, m->uses_up, e->windows, e->now);
    if (!o.boot) {
        reject_all(e, BS_STEP_OVER_LIMIT);
        return;
    }
    place_message(e, &o);
    for (size_t i = 0; i < m->count; i++) {
        enum bs_step_reason reason = judge(e, &o, &m->steps[i]);
        e->books.steps_received++;
        if (reason == ACCEPTED)
            e->books.steps_counted++;
        else
            e->books.steps_rejected[reason]++;
    }
}

static bool decode(struct bs_engine *e, struct bs_slice payload)
{
    switch (bs_decode(payload, &e->message)) {
    case BS_DECODED:
        return true;
    case BS_DECODE_TOO_LARGE:
        e->books.messages_rejected[BS_MESSAGE_TOO_LARGE]++;
        return false;
    case BS_DECODE_MALFORMED:
        e->books.messages_rejected[BS_MESSAGE_MALFORMED]++;
        return false;
    case BS_DECODE_SCHEMA:
        break;
    }
    e->books.messages_rejected[BS_MESSAGE_SCHEMA]++;
    return false;
}

void bs_engine_take_steps(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload, bool retained)
{
    e->books.messages_received++;
    if (!topic->valid) {
        e->books.messages_rejected[BS_MESSAGE_BAD_TOPIC]++;
        return;
    }
    if (retained) {
        e->books.messages_rejected[BS_MESSAGE_RETAINED]++;
        return;
    }
    if (!decode(e, payload))
        return;
    e->books.messages_parsed++;
    e->books.field_out_of_range += e->message.field_out_of_range;
    e->books.unknown_keys += e->message.unknown_keys;
    take_steps(e, topic->id);
}

/* What a device says of itself. */

void bs_engine_take_birth(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload)
{
    enum bs_foot side = BS_FOOT_UNKNOWN;
    e->books.birth_received++;
    if (!topic->valid || bs_birth_parse(payload, &side) != BS_OK) {
        e->books.birth_rejected++;
        return;
    }
    struct bs_device *d = bs_roster_find(e->roster, topic->id);
    if (!d)
        d = known_device(e, topic->id);
    if (d)
        bs_device_set_side(d, side, e->now);
}
