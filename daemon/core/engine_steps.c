/* Messages of wearables: each step gets its verdict, in the order of the interface, and what is
 * accepted is counted in its window. Must never count a step whose identity is not marked as seen.
 */
#include "backstep/core/birth.h"
#include "engine_parts.h"

#define ACCEPTED BS_STEP_REASON_COUNT

/* A guest for a device that no member's document ever named; NULL where there is no room. */
static struct bs_member *welcome(struct bs_engine *e, struct bs_slice id)
{
    uint32_t members = (uint32_t)bs_config_count_kind(e->config, BS_KIND_MEMBER);
    uint32_t guests = bs_roster_guests(e->roster);
    if (members + guests >= bs_config_settings(e->config)->max_members)
        return NULL;
    return bs_roster_make_guest(e->roster, id);
}

struct bs_member *bs_engine_member(struct bs_engine *e, struct bs_slice id)
{
    struct bs_member *m = bs_roster_make_member(e->roster, id);
    const union bs_kind_document *d = bs_config_find(e->config, BS_KIND_MEMBER, id);
    if (m && d) {
        m->document = &d->member;
        m->consent = (uint8_t)d->member.consent;
    }
    return m;
}

/* The reason why the device's steps cannot be anybody's, or ACCEPTED and whose they are. */
static enum bs_step_reason find_wearer(struct bs_engine *e, struct bs_slice id,
                                       struct bs_device *known, struct bs_member **ret)
{
    struct bs_slice name;
    bool guests = bs_config_settings(e->config)->unknown_devices == BS_UNKNOWN_GUEST;
    struct bs_member *m = known ? bs_device_wearer(known) : NULL;
    if (m && m->is_guest && !guests)
        return BS_STEP_UNKNOWN_DEVICE; /* kept: its identities may be asked for again */
    if (!m) {
        enum bs_naming naming = bs_config_find_device(e->config, id, &name);
        if (naming == BS_NAMING_FORMER || (naming == BS_NAMING_NEVER && !guests))
            return BS_STEP_UNKNOWN_DEVICE;
        m = naming == BS_NAMING_MEMBER ? bs_engine_member(e, name) : welcome(e, id);
    }
    if (!m)
        return BS_STEP_OVER_LIMIT;
    *ret = m;
    return m->consent == BS_CONSENT_NONE ? BS_STEP_NO_CONSENT : ACCEPTED;
}

/* The device with its wearer, made where it is new; NULL where memory is out. */
static struct bs_device *put_on(struct bs_engine *e, struct bs_slice id, struct bs_device *known,
                                struct bs_member *wearer)
{
    if (!known)
        known = bs_roster_add(e->roster, id, wearer, e->now);
    else if (bs_device_wearer(known) != wearer)
        bs_roster_set_wearer(e->roster, known, wearer);
    bs_engine_arm_sweep(e);
    return known;
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

/* Finds the step's window and makes room in it; the reason where it has none. */
static enum bs_step_reason place_step(struct bs_engine *e, const struct origin *o,
                                      struct bs_window_key *key, struct bs_window_place *ret)
{
    if (!o->placed)
        return BS_STEP_UNPLACED;
    if (key->time_ms > bs_engine_wall(e).ms + bs_config_settings(e->config)->max_future_ms)
        return BS_STEP_FUTURE;
    if (bs_windows_too_late(e->windows, key->time_ms, key->stored)) {
        bs_windows_refuse(e->windows, key->time_ms, key->stored);
        return BS_STEP_TOO_LATE;
    }
    key->tags = bs_engine_tags(e, o->member, key->time_ms);
    if (!key->tags)
        return BS_STEP_OVER_LIMIT;
    if (!key->stored && !bs_engine_find_summary(e, o->member))
        return BS_STEP_OVER_LIMIT;
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
    if (!key->stored)
        bs_engine_add_to_summary(e, o->member, sample);
    if (!o->boot->accepted || key->time_ms > o->boot->latest_accepted)
        o->boot->latest_accepted = key->time_ms;
    o->boot->accepted = true;
    if (o->member->tagging.history && !key->stored)
        bs_sessions_note(o->member->tagging.history, key->time_ms, bs_engine_settled(e));
}

/* A step over a bound leaves no trace, so that it may come again; every other one is marked as seen
 * before anything else is said of it. */
static enum bs_step_reason judge(struct bs_engine *e, const struct origin *o, struct bs_step *step)
{
    struct bs_window_key key = {NULL, step->time_ms + o->offset_ms, step->direction,
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
        step->foot = (uint8_t)bs_device_birth(o->device)->side;
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
    struct origin o = {.device = bs_roster_find(e->roster, device)};
    enum bs_step_reason whole = find_wearer(e, device, o.device, &o.member);
    if (whole == ACCEPTED) {
        o.device = put_on(e, device, o.device, o.member);
        whole = o.device ? ACCEPTED : BS_STEP_OVER_LIMIT;
    }
    if (whole != ACCEPTED) {
        reject_all(e, whole);
        return;
    }
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

/* What it says of itself is kept for the steps to come, whoever will wear it. */
static struct bs_device *add_unheard(struct bs_engine *e, struct bs_slice id)
{
    struct bs_slice name;
    struct bs_member *wearer = NULL;
    if (bs_config_find_device(e->config, id, &name) == BS_NAMING_MEMBER)
        wearer = bs_engine_member(e, name);
    bs_engine_arm_sweep(e);
    return bs_roster_add(e->roster, id, wearer, e->now);
}

void bs_engine_take_birth(struct bs_engine *e, const struct bs_topic *topic,
                          struct bs_slice payload)
{
    struct bs_birth birth;
    e->books.birth_received++;
    if (!topic->valid || bs_birth_parse(payload, &birth) != BS_OK) {
        e->books.birth_rejected++;
        return;
    }
    struct bs_device *d = bs_roster_find(e->roster, topic->id);
    if (!d && birth.side == BS_FOOT_UNKNOWN && birth.kind == BS_SENSOR_UNKNOWN)
        return;
    if (!d)
        d = add_unheard(e, topic->id);
    if (d)
        bs_device_set_birth(d, &birth, e->now);
    else
        e->books.birth_rejected++;
}
