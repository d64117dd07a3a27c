/* The fold: deadlines, then the record. Must never look at anything but its state and the record.
 */
#include "backstep/base/check.h"
#include "engine_parts.h"

#include <stdlib.h>

void bs_engine_apply_settings(struct bs_engine *e)
{
    const struct bs_settings *s = bs_config_settings(e->config);
    bs_windows_set_lateness(e->windows, s->allowed_lateness_s * 1000, s->stored_lateness_s * 1000);
    bs_windows_set_refresh(e->windows, s->refresh_s * 1000);
    bs_windows_set_group_min(e->windows, s->min_group_size);
    bs_live_set_refresh(e->live, s->refresh_s * 1000);
    bs_summaries_set_refresh(e->summaries, s->refresh_s * 1000);
}

static enum bs_status make_parts(struct bs_engine *e, const struct bs_engine_options *options)
{
    if (bs_config_new(&e->config) != BS_OK)
        return BS_NO_MEMORY;
    if (bs_sessions_new(&e->sessions) != BS_OK)
        return BS_NO_MEMORY;
    struct bs_member_release release = {e, bs_engine_release_member};
    e->roster = bs_roster_new(options->site, &release);
    if (!e->roster)
        return BS_NO_MEMORY;
    struct bs_bout_listener listener = bs_engine_bout_listener(e);
    if (bs_bouts_new(&e->bouts, bs_config_settings(e->config), &listener) != BS_OK)
        return BS_NO_MEMORY;
    int64_t window_ms = bs_config_settings(e->config)->window_s * 1000;
    if (bs_windows_new(&e->windows, window_ms) != BS_OK)
        return BS_NO_MEMORY;
    if (bs_summaries_new(&e->summaries, e->sessions) != BS_OK)
        return BS_NO_MEMORY;
    bs_buffer_add(&e->root, options->topic_root);
    bs_buffer_add_char(&e->root, '/');
    bs_buffer_add(&e->root, options->site);
    bs_buffer_add_char(&e->root, '/');
    if (e->root.failed || bs_engine_make_live(e) != BS_OK)
        return BS_NO_MEMORY;
    bs_engine_apply_settings(e);
    return BS_OK;
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
    bs_live_free(e->live);
    bs_roster_free(e->roster);
    bs_heap_fini(&e->timers);
    bs_bouts_free(e->bouts);
    bs_windows_free(e->windows);
    bs_summaries_free(e->summaries);
    bs_sessions_free(e->sessions);
    bs_config_free(e->config);
    bs_buffer_fini(&e->root);
    bs_buffer_fini(&e->topic);
    free(e);
}

/* Deadlines. */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct bs_tick_ms bs_engine_deadline(const struct bs_engine *e)
{
    int64_t next =
        earlier(bs_windows_wall_deadline(e->windows).ms, bs_engine_timers_deadline(e).ms);
    if (next != BS_NEVER_MS)
        next -= e->offset_ms;
    next = earlier(next, bs_windows_tick_deadline(e->windows).ms);
    next = earlier(next, bs_bouts_deadline(e->bouts).ms);
    next = earlier(next, bs_engine_summaries_deadline(e).ms);
    next = earlier(next, bs_live_tick_deadline(e->live).ms);
    next = earlier(next, bs_minute_deadline(&e->minute).ms);
    return (struct bs_tick_ms){earlier(next, e->next_sweep.ms)};
}

void bs_engine_arm_sweep(struct bs_engine *e)
{
    if (e->next_sweep.ms == BS_NEVER_MS)
        e->next_sweep.ms = e->now.ms + BS_ENGINE_SWEEP_MS;
}

/* No step before that is accepted, as either kind, whatever size its window has. */
void bs_engine_forget_sessions(struct bs_engine *e)
{
    const struct bs_settings *s = bs_config_settings(e->config);
    int64_t lateness_s =
        s->allowed_lateness_s > s->stored_lateness_s ? s->allowed_lateness_s : s->stored_lateness_s;
    int64_t before = bs_engine_wall(e).ms - (lateness_s + BS_SETTINGS_WINDOW_S_MAX) * 1000;
    bs_sessions_forget(e->sessions, (struct bs_wall_ms){before});
}

static void sweep(struct bs_engine *e)
{
    bs_engine_quieten_members(e);
    bs_engine_forget_sessions(e);
    bs_summaries_sweep(e->summaries, e->effects);
    bs_roster_sweep(e->roster, e->windows, e->now);
    e->next_sweep.ms = BS_NEVER_MS;
    if (bs_roster_devices(e->roster) || bs_roster_members(e->roster))
        bs_engine_arm_sweep(e);
}

static void fire_deadlines(struct bs_engine *e)
{
    bs_engine_fire_timers(e);
    bs_windows_fire_wall(e->windows, bs_engine_wall(e), e->effects);
    bs_windows_fire_tick(e->windows, e->now, e->effects);
    bs_bouts_fire(e->bouts, e->now, e->effects);
    bs_summaries_fire(e->summaries, bs_engine_wall(e), e->now, e->effects);
    bs_windows_advance(e->windows, bs_engine_wall(e));
    bs_engine_fire_health(e);
    bs_engine_fire_live(e);
    if (e->now.ms >= e->next_sweep.ms)
        sweep(e);
}

static enum bs_status take_message(struct bs_engine *e, const struct bs_record *r,
                                   const struct bs_effects *effects)
{
    struct bs_message_body body;
    enum bs_status status = bs_message_body_read(r->body, r->flags, &body);
    if (status != BS_OK)
        return status;
    bool retained = r->flags & BS_RECORD_RETAINED;
    struct bs_topic topic = bs_topic_parse(bs_buffer_slice(&e->root), body.topic);
    switch (topic.kind) {
    case BS_TOPIC_STEPS:
        bs_engine_take_steps(e, &topic, body.payload, retained);
        break;
    case BS_TOPIC_CONFIG:
        bs_engine_take_document(e, &topic, &body, retained, effects);
        break;
    case BS_TOPIC_BIRTH:
        bs_engine_take_birth(e, &topic, body.payload, retained);
        break;
    case BS_TOPIC_STATE:
        bs_engine_take_state(e, &topic, body.payload, retained);
        break;
    case BS_TOPIC_FORGET:
    case BS_TOPIC_OTHER:
        e->books.other_received++;
        break;
    }
    return BS_OK;
}

/* Time. */

static void seed(struct bs_engine *e, uint64_t hash_seed)
{
    bs_roster_seed(e->roster, hash_seed);
    bs_config_seed(e->config, hash_seed);
    bs_sessions_seed(e->sessions, hash_seed);
    bs_live_seed(e->live, hash_seed);
}

static enum bs_status take_start(struct bs_engine *e, struct bs_slice body)
{
    struct bs_start_body start;
    enum bs_status status = bs_start_body_read(body, &start);
    if (status != BS_OK)
        return status;
    bs_live_restart(e->live);
    if (e->started)
        return BS_OK;
    e->started = true;
    e->offset_ms = start.offset_ms;
    if (bs_roster_devices(e->roster) == 0 && bs_roster_members(e->roster) == 0)
        seed(e, start.hash_seed);
    bs_windows_advance(e->windows, bs_engine_wall(e));
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
        bs_engine_restart_order(e);
        bs_windows_finalise_all(e->windows, effects);
        bs_summaries_follow_clock(e->summaries, bs_engine_wall(e), e->effects);
        bs_roster_restart_clocks(e->roster);
        bs_live_empty(e->live);
    }
    bs_windows_advance(e->windows, bs_engine_wall(e));
    return BS_OK;
}

enum bs_status bs_engine_step(struct bs_engine *e, const struct bs_record *r,
                              const struct bs_effects *effects)
{
    e->now = r->tick;
    e->effects = effects;
    fire_deadlines(e);
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
    *ret = (struct bs_engine_held){.members = bs_roster_members(e->roster),
                                   .devices = bs_roster_devices(e->roster),
                                   .windows = bs_windows_open_rows(e->windows)};
}

size_t bs_engine_documents(const struct bs_engine *e)
{
    return bs_config_count(e->config);
}

struct bs_config *bs_engine_config(const struct bs_engine *e)
{
    return e->config;
}

int64_t bs_engine_offset_ms(const struct bs_engine *e)
{
    return e->offset_ms;
}

bool bs_engine_median_delay(const struct bs_engine *e, struct bs_tick_ms now, int64_t *ret_ms)
{
    return bs_roster_median_delay(e->roster, now, ret_ms);
}
