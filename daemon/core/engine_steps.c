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

/* The message's device and boot, and where its times lie on the wall clock. */
struct origin {
    struct bs_device *device;
    struct bs_member *member;
    struct bs_boot *boot;
    unsigned slot;                  /* the device's, in the member's order */
    bool placed;                    /* its times can be placed */
    int64_t offset_ms;              /* wall time = time of the step + offset */
    struct bs_device_counts counts; /* what became of the message's steps */
};

/* An event on the way to its verdict: the step that it joins, or the window of its own. */
struct arrival {
    struct bs_order_event event;
    struct bs_order_place join;
    struct bs_window_key key;
    struct bs_window_place window;
};

/* Makes room for it as a step of its own; false where there is none. */
static bool reserve_own(struct bs_engine *e, const struct origin *o, struct arrival *a)
{
    a->key.tags = bs_engine_tags(e, o->member, a->key.time_ms);
    if (!a->key.tags || (!a->key.stored && !bs_engine_find_summary(e, o->member)))
        return false;
    a->window = bs_windows_find(e->windows, &o->member->windows, &a->key);
    return bs_windows_reserve(e->windows, &o->member->windows, &a->key, &a->window) &&
           bs_engine_reserve_step(e, o->member, &a->event);
}

/* Finds the event's place; the reason where it has none. */
static enum bs_step_reason place_event(struct bs_engine *e, const struct origin *o,
                                       struct arrival *a)
{
    if (!o->placed)
        return BS_STEP_UNPLACED;
    if (a->key.time_ms > bs_engine_wall(e).ms + bs_config_settings(e->config)->max_future_ms)
        return BS_STEP_FUTURE;
    if (bs_windows_too_late(e->windows, a->key.time_ms, a->key.stored)) {
        bs_windows_refuse(e->windows, a->key.time_ms, a->key.stored);
        return BS_STEP_TOO_LATE;
    }
    a->join = bs_engine_find_step(e, o->member, &a->event);
    return a->join.joins || reserve_own(e, o, a) ? ACCEPTED : BS_STEP_OVER_LIMIT;
}

static void accept(struct bs_engine *e, const struct origin *o, const struct arrival *a,
                   uint32_t lost)
{
    if (!o->boot->accepted || a->key.time_ms > o->boot->latest_accepted)
        o->boot->latest_accepted = a->key.time_ms;
    o->boot->accepted = true;
    if (a->join.joins) {
        bs_engine_take_event(e, o->member, &a->event, &a->join);
        return;
    }
    if (o->member->tagging.history && !a->key.stored)
        bs_sessions_note(o->member->tagging.history, a->key.time_ms, bs_engine_settled(e));
    struct bs_order_errand errand = {
        .row = bs_windows_hold(e->windows, &o->member->windows, &a->key, &a->window),
        .summary = a->key.stored ? NULL : o->member->tagging.summary,
        .late = bs_engine_wall(e).ms >= a->window.end_ms,
        .lost = (uint16_t)lost};
    bs_summary_hold(errand.summary);
    bs_engine_take_step(e, o->member, &a->event, &errand);
}

/* A step over a bound leaves no trace, so that it may come again; every other one is marked as seen
 * before anything else is said of it. */
static enum bs_step_reason judge(struct bs_engine *e, struct origin *o, struct bs_step *step)
{
    const struct bs_birth *birth = bs_device_birth(o->device);
    step->time_ms += o->offset_ms;
    if (step->foot == BS_FOOT_UNKNOWN)
        step->foot = (uint8_t)birth->side;
    struct arrival a = {.event = {step, o->slot, (uint8_t)birth->kind, e->message.stored},
                        .key = {NULL, step->time_ms, step->direction, e->message.stored}};
    enum bs_step_reason reason = place_event(e, o, &a);
    if (reason == BS_STEP_OVER_LIMIT)
        return reason;
    uint32_t lost;
    enum bs_seen_verdict seen = bs_seen_mark(&o->boot->seen, step->seq, &lost);
    o->counts.lost += lost;
    if (seen != BS_SEEN_NEW)
        return seen == BS_SEEN_DUPLICATE ? BS_STEP_DUPLICATE : BS_STEP_STALE_SEQ;
    if (reason == ACCEPTED)
        accept(e, o, &a, lost);
    return reason;
}

/* Time since power-up is placed by what arrives at once; a stored upload tells nothing of it. */
static void place_message(struct bs_engine *e, struct origin *o)
{
    const struct bs_message *m = &e->message;
    int64_t newest = m->steps[m->count - 1].time_ms;
    if (!m->stored)
        bs_device_clock_hear(&bs_device_health(o->device)->clock, m->boot, m->uses_up,
                             bs_engine_wall(e).ms - newest, e->now);
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

/* The member's order knows the device; false where a bound or memory is reached. */
static bool ready(struct origin *o)
{
    if (!bs_engine_ready_member(o->member))
        return false;
    bool fresh;
    int slot = bs_device_slot(o->device, &fresh);
    if (slot < 0)
        return false;
    o->slot = (unsigned)slot;
    if (fresh)
        bs_order_clear_slot(o->member->order, o->slot);
    return bs_order_know(o->member->order, o->slot);
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
    o.counts.received = m->count;
    if (!o.boot || !ready(&o)) {
        reject_all(e, BS_STEP_OVER_LIMIT);
        o.counts.rejected = m->count;
        bs_engine_hear_device(e, o.device, &o.counts);
        return;
    }
    place_message(e, &o);
    for (size_t i = 0; i < m->count; i++) {
        enum bs_step_reason reason = judge(e, &o, &m->steps[i]);
        e->books.steps_received++;
        if (reason != ACCEPTED) {
            e->books.steps_rejected[reason]++;
            bs_device_counts_reject(&o.counts, reason);
        }
    }
    bs_engine_hear_device(e, o.device, &o.counts);
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
                          struct bs_slice payload, bool retained)
{
    struct bs_birth birth;
    e->books.birth_received++;
    if (!topic->valid || bs_birth_parse(payload, &birth) != BS_OK) {
        e->books.birth_rejected++;
        return;
    }
    struct bs_device *d = bs_roster_find(e->roster, topic->id);
    if (!d && birth.side == BS_FOOT_UNKNOWN && birth.kind == BS_SENSOR_UNKNOWN &&
        birth.battery_pct < 0)
        return;
    if (!d)
        d = add_unheard(e, topic->id);
    if (!d) {
        e->books.birth_rejected++;
        return;
    }
    bs_device_set_birth(d, &birth, e->now);
    if (!retained) /* else it tells of some time ago */
        bs_engine_hear_device(e, d, NULL);
}
