/* The fold: deadlines, then the record. Must never look at anything but its state and the record.
 */
#include "backstep/core/engine.h"

#include "backstep/base/check.h"
#include "backstep/core/birth.h"
#include "backstep/core/config.h"
#include "backstep/core/decode.h"
#include "backstep/core/roster.h"
#include "backstep/core/settings.h"
#include "backstep/core/topic.h"
#include "backstep/core/window.h"

#include <stdlib.h>

#define SWEEP_EVERY_MS 60000

struct bs_engine {
    struct bs_books books;
    struct bs_config *config;
    struct bs_roster *roster;
    struct bs_windows *windows;
    struct bs_buffer root; /* "backstep/v1/north/" */
    struct bs_buffer topic;
    struct bs_tick_ms now, next_sweep;
    int64_t offset_ms;
    bool started;
    struct bs_message message; /* the one being judged: too large for the stack of a fold */
};

static struct bs_wall_ms wall(const struct bs_engine *e)
{
    return (struct bs_wall_ms){e->now.ms + e->offset_ms};
}

static void apply_settings(struct bs_engine *e)
{
    const struct bs_settings *s = bs_config_settings(e->config);
    bs_windows_set_lateness(e->windows, s->allowed_lateness_s * 1000, s->stored_lateness_s * 1000);
    bs_windows_set_refresh(e->windows, s->refresh_s * 1000);
}

static enum bs_status make_parts(struct bs_engine *e, const struct bs_engine_options *options)
{
    if (bs_config_new(&e->config) != BS_OK)
        return BS_NO_MEMORY;
    e->roster = bs_roster_new(options->site);
    if (!e->roster)
        return BS_NO_MEMORY;
    int64_t window_ms = bs_config_settings(e->config)->window_s * 1000;
    if (bs_windows_new(&e->windows, window_ms) != BS_OK)
        return BS_NO_MEMORY;
    apply_settings(e);
    bs_buffer_add(&e->root, options->topic_root);
    bs_buffer_add_char(&e->root, '/');
    bs_buffer_add(&e->root, options->site);
    bs_buffer_add_char(&e->root, '/');
    return e->root.failed ? BS_NO_MEMORY : BS_OK;
}

enum bs_status bs_engine_new(struct bs_engine **ret, const struct bs_engine_options *options)
{
    struct bs_engine *e = calloc(1, sizeof *e);
    if (!e)
        return BS_NO_MEMORY;
    bs_buffer_init(&e->root, UINT16_MAX);
    bs_buffer_init(&e->topic, UINT16_MAX);
    e->next_sweep.ms = BS_NEVER_MS;
    enum bs_status status = make_parts(e, options);
    if (status != BS_OK) {
        bs_engine_free(e);
        return status;
    }
    *ret = e;
    return BS_OK;
}

void bs_engine_free(struct bs_engine *e)
{
    if (!e)
        return;
    bs_roster_free(e->roster);
    bs_windows_free(e->windows);
    bs_config_free(e->config);
    bs_buffer_fini(&e->root);
    bs_buffer_fini(&e->topic);
    free(e);
}

/* Deadlines. */

struct bs_tick_ms bs_engine_deadline(const struct bs_engine *e)
{
    int64_t next = bs_windows_wall_deadline(e->windows).ms;
    if (next != BS_NEVER_MS)
        next -= e->offset_ms;
    int64_t refresh = bs_windows_tick_deadline(e->windows).ms;
    next = refresh < next ? refresh : next;
    return (struct bs_tick_ms){e->next_sweep.ms < next ? e->next_sweep.ms : next};
}

static void fire_deadlines(struct bs_engine *e, const struct bs_effects *effects)
{
    bs_windows_fire_wall(e->windows, wall(e), effects);
    bs_windows_fire_tick(e->windows, e->now, effects);
    bs_windows_advance(e->windows, wall(e));
    if (e->now.ms < e->next_sweep.ms)
        return;
    bs_roster_sweep(e->roster, e->windows, e->now);
    e->next_sweep.ms =
        bs_roster_devices(e->roster) ? e->now.ms + SWEEP_EVERY_MS : (int64_t)BS_NEVER_MS;
}

/* Steps. */

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
        e->next_sweep.ms = e->now.ms + SWEEP_EVERY_MS;
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
    if (key->time_ms > wall(e).ms + bs_config_settings(e->config)->max_future_ms)
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
    sample->late = wall(e).ms >= place->end_ms;
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
            bs_upclock_hear(o->boot->upclock, e->now, wall(e).ms - newest);
        o->placed = o->boot->upclock && bs_upclock_offset(o->boot->upclock, e->now, &o->offset_ms);
    } else if (!m->stored) {
        bs_device_note_delay(o->device, wall(e).ms - newest, e->now);
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

static void take_step_message(struct bs_engine *e, const struct bs_topic *topic,
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

static void take_birth(struct bs_engine *e, const struct bs_topic *topic, struct bs_slice payload)
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

/* Documents. */

static void follow_settings(struct bs_engine *e, const struct bs_settings *old)
{
    const struct bs_settings *s = bs_config_settings(e->config);
    int64_t max_future =
        s->max_future_ms > old->max_future_ms ? s->max_future_ms : old->max_future_ms;
    bs_windows_set_size(e->windows, s->window_s * 1000, wall(e), max_future);
    apply_settings(e);
}

static void publish_result(struct bs_engine *e, const struct bs_topic *topic,
                           struct bs_slice result, struct bs_slice correlation,
                           const struct bs_effects *effects)
{
    bs_buffer_reset(&e->topic);
    bs_buffer_add(&e->topic, bs_buffer_slice(&e->root));
    bs_buffer_add(&e->topic, BS_SLICE("result/"));
    bs_buffer_add(&e->topic, topic->document);
    bs_buffer_add_char(&e->topic, '/');
    bs_buffer_add(&e->topic, topic->id);
    if (e->topic.failed)
        return;
    struct bs_publication p = {.topic = bs_buffer_slice(&e->topic),
                               .payload = result,
                               .correlation = correlation,
                               .qos = 1,
                               .retained = true};
    effects->publish(effects->context, &p);
}

static void take_document(struct bs_engine *e, const struct bs_topic *topic,
                          const struct bs_message_body *body, bool retained,
                          const struct bs_effects *effects)
{
    e->books.config_received++;
    if (!topic->valid) {
        e->books.config_unknown_kind++;
        return;
    }
    struct bs_settings old = *bs_config_settings(e->config);
    struct bs_config_arrival arrival = {.kind = topic->document,
                                        .id = topic->id,
                                        .payload = body->payload,
                                        .retained = retained,
                                        .at = wall(e)};
    struct bs_config_outcome outcome;
    bs_config_arrive(e->config, &arrival, &outcome);
    uint64_t *counters[] = {[BS_CONFIG_ACCEPTED] = &e->books.config_accepted,
                            [BS_CONFIG_REJECTED] = &e->books.config_rejected,
                            [BS_CONFIG_DELETED] = &e->books.config_deleted,
                            [BS_CONFIG_UNKNOWN_KIND] = &e->books.config_unknown_kind};
    ++*counters[outcome.verdict];
    if (outcome.settings_changed)
        follow_settings(e, &old);
    if (outcome.verdict != BS_CONFIG_UNKNOWN_KIND)
        publish_result(e, topic, outcome.result, body->correlation, effects);
}

static enum bs_status take_message(struct bs_engine *e, const struct bs_record *r,
                                   const struct bs_effects *effects)
{
    struct bs_message_body body;
    enum bs_status status = bs_message_body_read(r->body, &body);
    if (status != BS_OK)
        return status;
    bool retained = r->flags & BS_RECORD_RETAINED;
    struct bs_topic topic = bs_topic_parse(bs_buffer_slice(&e->root), body.topic);
    switch (topic.kind) {
    case BS_TOPIC_STEPS:
        take_step_message(e, &topic, body.payload, retained);
        break;
    case BS_TOPIC_CONFIG:
        take_document(e, &topic, &body, retained, effects);
        break;
    case BS_TOPIC_BIRTH:
        take_birth(e, &topic, body.payload);
        break;
    case BS_TOPIC_STATE:
        e->books.state_received++;
        break;
    case BS_TOPIC_FORGET:
    case BS_TOPIC_OTHER:
        e->books.other_received++;
        break;
    }
    return BS_OK;
}

/* Time. */

static enum bs_status take_start(struct bs_engine *e, struct bs_slice body)
{
    struct bs_start_body start;
    enum bs_status status = bs_start_body_read(body, &start);
    if (status != BS_OK || e->started)
        return status;
    e->started = true;
    e->offset_ms = start.offset_ms;
    if (bs_roster_devices(e->roster) == 0)
        bs_roster_seed(e->roster, start.hash_seed);
    bs_windows_advance(e->windows, wall(e));
    return BS_OK;
}

/* A slewed clock moves by what nobody notices; a stepped one ends what was counted by the old. */
static enum bs_status take_clock(struct bs_engine *e, struct bs_slice body,
                                 const struct bs_effects *effects)
{
    struct bs_clock_body clock;
    enum bs_status status = bs_clock_body_read(body, &clock);
    if (status != BS_OK)
        return status;
    e->offset_ms = clock.offset_ms;
    if (clock.stepped) {
        bs_windows_finalise_all(e->windows, effects);
        bs_roster_restart_upclocks(e->roster);
    }
    bs_windows_advance(e->windows, wall(e));
    return BS_OK;
}

enum bs_status bs_engine_step(struct bs_engine *e, const struct bs_record *r,
                              const struct bs_effects *effects)
{
    e->now = r->tick;
    fire_deadlines(e, effects);
    switch (r->type) {
    case BS_RECORD_START:
        return take_start(e, r->body);
    case BS_RECORD_TICK:
        return BS_OK;
    case BS_RECORD_CLOCK:
        return take_clock(e, r->body, effects);
    case BS_RECORD_MESSAGE:
        return take_message(e, r, effects);
    default:
        return BS_CORRUPT;
    }
}

/* Questions. */

const struct bs_books *bs_engine_books(const struct bs_engine *e)
{
    return &e->books;
}

void bs_engine_get_held(const struct bs_engine *e, struct bs_engine_held *ret)
{
    uint32_t devices = bs_roster_devices(e->roster);
    *ret = (struct bs_engine_held){
        .members = devices, .devices = devices, .windows = bs_windows_open_rows(e->windows)};
}

size_t bs_engine_documents(const struct bs_engine *e)
{
    return bs_config_count(e->config);
}

void bs_engine_write_absent(const struct bs_engine *e, struct bs_tick_ms since,
                            struct bs_buffer *out)
{
    struct bs_wall_ms wall_since = {since.ms + e->offset_ms};
    bs_config_write_absent(e->config, wall_since, out);
}

int64_t bs_engine_offset_ms(const struct bs_engine *e)
{
    return e->offset_ms;
}

bool bs_engine_median_delay(const struct bs_engine *e, struct bs_tick_ms now, int64_t *ret_ms)
{
    return bs_roster_median_delay(e->roster, now, ret_ms);
}
