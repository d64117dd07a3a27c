/* edge/mqtt as a course of events: connect, subscribe in order, publish what the slots hold, leave
 * or lose the link, wait, again; as the publisher thread of daemon/edge/mqtt_session.c does it.
 * Must never hand over a message while an earlier one is with the daemon. */
#include "client.h"

#include "backstep/base/check.h"
#include "client_slots.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define MS_NS             UINT64_C(1000000)
#define ANSWER_WAIT_NS    (20000 * MS_NS)
#define DRAIN_WAIT_NS     (2000 * MS_NS)
#define CONFIG_WAIT_NS    (10000 * MS_NS)
#define LOOK_NS           (50 * MS_NS)
#define BACK_OFF_FIRST_MS 250u
#define BACK_OFF_MOST_MS  30000u
#define STANDING_NS       (10000 * MS_NS)

enum wish { WISH_RUN, WISH_HOLD, WISH_STOP };

/* Where it stands, and what its next event means. */
enum step {
    STEP_HELD,
    STEP_WAITING,
    STEP_CONNECTING,
    STEP_DOCUMENTS,      /* of the configuration link */
    STEP_MARKER,         /* likewise */
    STEP_SUBSCRIBING,    /* documents at QoS 0 */
    STEP_SUBSCRIBING_ON, /* at QoS 1 */
    STEP_SUBSCRIBING_LAST,
    STEP_ONLINE,
    STEP_DRAINING,
    STEP_LEAVING,
    STEP_STOPPED,
};

struct bs_mqtt {
    struct bs_mqtt_options options;
    struct bs_mqtt_state state;
    enum wish wish;
    enum step step;
    struct sim_event next, sending, silence;
    uint64_t answer_due_ns, online_since_ns, drain_until_ns;
    bool config_wanted;
    uint64_t config_until_ns; /* 0: the broker has not answered yet */
    bool broken, linked;
    bool aside; /* held for a while: it goes on to publish */
    char reason[BS_MQTT_ERROR_BYTES];
    struct bs_random jitter;
    unsigned tries;
    bool running;
    struct bs_mqtt_message message; /* with the receiving function */
    struct client_slots slots;
};

static void go_to(struct bs_mqtt *m, enum step step, uint64_t due_ns)
{
    m->step = step;
    if (due_ns == UINT64_MAX)
        sim_events_cancel(&world->events, &m->next);
    else
        sim_events_set(&world->events, &m->next, due_ns);
}

static void set_phase(struct bs_mqtt *m, enum bs_mqtt_phase phase)
{
    m->state.phase = phase;
    if (phase == BS_MQTT_WAITING)
        memcpy(m->state.error, m->reason, sizeof m->state.error);
    else if (phase != BS_MQTT_CONNECTING && phase != BS_MQTT_SUBSCRIBING)
        m->state.error[0] = '\0';
    m->options.on_change(m->options.context);
}

static void note_broken(struct bs_mqtt *m, const char *reason)
{
    if (!m->broken)
        snprintf(m->reason, sizeof m->reason, "%s", reason);
    m->broken = true;
}

static uint64_t round_trip_ns(void)
{
    return world->now_ns + sim_network_ns() + sim_network_ns();
}

/* Publishing ----------------------------------------------------------------------------------- */

static bool may_send(const struct bs_mqtt *m)
{
    return m->step == STEP_HELD
               ? m->aside
               : (m->step == STEP_ONLINE || m->step == STEP_DRAINING) && m->linked && !m->broken;
}

static void arm_sending(struct bs_mqtt *m)
{
    if (may_send(m) && !sim_event_waits(&m->sending) && !client_slots_are_empty(&m->slots))
        sim_events_set(&world->events, &m->sending, world->now_ns + sim_network_ns());
}

static void on_sending(struct sim_event *event)
{
    struct bs_mqtt *m = SIM_OWNER(event, struct bs_mqtt, sending);
    if (!may_send(m))
        return;
    if (sim_broker_answers(&world->broker) && !world->broker.refuses)
        client_slots_send(&m->slots);
    else
        sim_events_set(&world->events, &m->sending, world->now_ns + LOOK_NS);
}

/* The links ------------------------------------------------------------------------------------ */

static void close_link(struct bs_mqtt *m);

static void try_connect(struct bs_mqtt *m)
{
    m->broken = false;
    m->answer_due_ns = world->now_ns + ANSWER_WAIT_NS;
    if (m->config_wanted && m->config_until_ns && m->config_until_ns < m->answer_due_ns)
        m->answer_due_ns = m->config_until_ns;
    set_phase(m, BS_MQTT_CONNECTING);
    go_to(m, STEP_CONNECTING, round_trip_ns());
}

static void go_on(struct bs_mqtt *m)
{
    if (m->wish == WISH_RUN) {
        try_connect(m);
        return;
    }
    bool stop = m->wish == WISH_STOP;
    m->tries = 0;
    go_to(m, stop ? STEP_STOPPED : STEP_HELD, UINT64_MAX);
    set_phase(m, stop ? BS_MQTT_STOPPED : BS_MQTT_HELD);
    arm_sending(m);
}

static void back_off(struct bs_mqtt *m)
{
    uint64_t most_ms = (uint64_t)BACK_OFF_FIRST_MS << (m->tries < 7 ? m->tries : 7);
    most_ms = most_ms < BACK_OFF_MOST_MS ? most_ms : BACK_OFF_MOST_MS;
    m->tries++;
    set_phase(m, BS_MQTT_WAITING);
    go_to(m, STEP_WAITING, sim_in_ms(1 + bs_random_below(&m->jitter, most_ms)));
}

/* Whoever leaves waits for the receiving function: the library's lock is held in it. */
static void close_link(struct bs_mqtt *m)
{
    if (world->broker.in_hand) {
        go_to(m, STEP_LEAVING, world->now_ns + MS_NS);
        return;
    }
    if (m->linked)
        sim_broker_drop_link(&world->broker);
    m->linked = false;
    sim_events_cancel(&world->events, &m->sending);
    sim_events_cancel(&world->events, &m->silence);
    client_slots_drop_unkept(&m->slots);
    if (m->step == STEP_ONLINE && world->now_ns - m->online_since_ns >= STANDING_NS)
        m->tries = 0;
    if (m->broken && m->wish == WISH_RUN)
        back_off(m);
    else
        go_on(m);
}

static bool is_late(const struct bs_mqtt *m)
{
    return world->now_ns >= m->answer_due_ns;
}

/* True where the broker answers now; else the link is broken, or the answer waited for. */
static bool has_answer(struct bs_mqtt *m)
{
    if (m->wish != WISH_RUN) {
        close_link(m);
        return false;
    }
    if (world->broker.down)
        note_broken(m, "no connection: refused");
    else if (!world->broker.network_cut)
        return true;
    else if (is_late(m))
        note_broken(m, "the broker did not answer in time");
    else
        go_to(m, m->step, world->now_ns + LOOK_NS);
    if (m->broken)
        close_link(m);
    return false;
}

static void limit_config(struct bs_mqtt *m)
{
    if (!m->config_wanted)
        return;
    if (m->config_until_ns == 0)
        m->config_until_ns = world->now_ns + CONFIG_WAIT_NS;
    if (world->now_ns >= m->config_until_ns)
        m->config_wanted = false;
}

static void on_connack(struct bs_mqtt *m)
{
    if (!has_answer(m))
        return;
    limit_config(m);
    if (world->broker.refuses) {
        note_broken(m, "the broker refused the connection: not authorized");
        close_link(m);
        return;
    }
    sim_broker_connect(&world->broker, m->config_wanted ? SIM_LINK_CONFIG : SIM_LINK_SESSION,
                       m->options.receive_maximum);
    m->linked = true;
    m->state.connected_ns = bs_clock_mono().ns;
    m->state.connects += m->config_wanted ? 0 : 1;
    set_phase(m, BS_MQTT_SUBSCRIBING);
    sim_trace("client: connected%s", m->config_wanted ? " for the configuration" : "");
    go_to(m, m->config_wanted ? STEP_DOCUMENTS : STEP_SUBSCRIBING, round_trip_ns());
}

static void on_documents(struct bs_mqtt *m)
{
    if (!has_answer(m))
        return;
    sim_broker_subscribe_documents(&world->broker, 0, true);
    sim_broker_take_marker(&world->broker);
    go_to(m, STEP_MARKER, m->config_until_ns);
}

static void leave_config(struct bs_mqtt *m)
{
    m->config_wanted = false;
    m->tries = 0;
    close_link(m);
}

static void on_subscribed(struct bs_mqtt *m)
{
    if (!has_answer(m))
        return;
    switch (m->step) {
    case STEP_SUBSCRIBING:
        sim_broker_subscribe_documents(&world->broker, 0, true);
        go_to(m, STEP_SUBSCRIBING_ON, round_trip_ns());
        break;
    case STEP_SUBSCRIBING_ON:
        sim_broker_subscribe_documents(&world->broker, 1, false);
        go_to(m, STEP_SUBSCRIBING_LAST, round_trip_ns());
        break;
    default:
        sim_broker_subscribe_devices(&world->broker);
        m->online_since_ns = world->now_ns;
        go_to(m, STEP_ONLINE, UINT64_MAX);
        set_phase(m, BS_MQTT_ONLINE);
        arm_sending(m);
    }
}

static void drain(struct bs_mqtt *m)
{
    if (m->step != STEP_DRAINING)
        m->drain_until_ns = world->now_ns + DRAIN_WAIT_NS;
    m->step = STEP_DRAINING;
    if (m->broken || client_slots_are_empty(&m->slots) || world->now_ns >= m->drain_until_ns) {
        close_link(m);
        return;
    }
    arm_sending(m);
    go_to(m, STEP_DRAINING, world->now_ns + MS_NS);
}

static void on_next(struct sim_event *event)
{
    struct bs_mqtt *m = SIM_OWNER(event, struct bs_mqtt, next);
    switch (m->step) {
    case STEP_HELD:
    case STEP_WAITING:
        go_on(m);
        break;
    case STEP_CONNECTING:
        on_connack(m);
        break;
    case STEP_DOCUMENTS:
        on_documents(m);
        break;
    case STEP_MARKER:
        if (m->wish == WISH_RUN)
            leave_config(m);
        else
            close_link(m);
        break;
    case STEP_SUBSCRIBING:
    case STEP_SUBSCRIBING_ON:
    case STEP_SUBSCRIBING_LAST:
        on_subscribed(m);
        break;
    case STEP_ONLINE:
    case STEP_DRAINING:
        drain(m);
        break;
    case STEP_LEAVING:
        close_link(m);
        break;
    case STEP_STOPPED:
        break;
    }
}

/* What the broker does to it ------------------------------------------------------------------- */

static void receive(void *argument)
{
    struct bs_mqtt *m = world->process.mqtt;
    (void)argument;
    bool stored = m->options.on_message(m->options.context, &m->message);
    m->state.last_message_ns = bs_clock_mono().ns;
    if (stored) {
        sim_broker_note_handed(&world->broker);
        return;
    }
    sim_trace("client: a message is not stored, and the link is cut before its acknowledgement");
    sim_broker_forget_hand(&world->broker);
    sim_broker_cut_link(&world->broker);
}

void sim_client_hand(const struct bs_mqtt_message *message)
{
    world->process.mqtt->message = *message;
    sim_fiber_begin(&world->process.receiver, receive, NULL);
}

void sim_client_take_marker(void)
{
    struct bs_mqtt *m = world->process.mqtt;
    if (m && m->step == STEP_MARKER)
        leave_config(m);
}

void sim_client_break(const char *reason)
{
    struct bs_mqtt *m = world->process.mqtt;
    if (!m || !m->linked)
        return;
    m->linked = false;
    note_broken(m, reason);
    if (m->step != STEP_LEAVING)
        close_link(m);
}

static void on_silence(struct sim_event *event)
{
    struct bs_mqtt *m = SIM_OWNER(event, struct bs_mqtt, silence);
    if (!m->linked || !world->broker.network_cut)
        return;
    note_broken(m, "the connection was lost: closed or silent");
    if (m->step != STEP_LEAVING)
        close_link(m);
}

void sim_client_note_cut(bool cut)
{
    struct bs_mqtt *m = world->process.mqtt;
    if (!m)
        return;
    sim_events_cancel(&world->events, &m->silence);
    uint64_t keepalive_ms = 1000 * (uint64_t)m->options.keepalive_s;
    if (cut && m->linked)
        sim_events_set(&world->events, &m->silence,
                       sim_in_ms(sim_between(keepalive_ms, keepalive_ms * 3 / 2)));
}

static void cancel_all(struct bs_mqtt *m)
{
    sim_events_cancel(&world->events, &m->next);
    sim_events_cancel(&world->events, &m->sending);
    sim_events_cancel(&world->events, &m->silence);
}

void sim_client_freeze(void)
{
    struct bs_mqtt *m = world->process.mqtt;
    if (!m)
        return;
    cancel_all(m);
    if (m->linked)
        sim_broker_drop_link(&world->broker);
    m->linked = false;
}

/* The owner's side ----------------------------------------------------------------------------- */

static void begin(struct bs_mqtt *m, const struct bs_mqtt_options *options)
{
    m->options = *options;
    m->wish = options->start_held ? WISH_HOLD : WISH_RUN;
    m->state = (struct bs_mqtt_state){.phase = BS_MQTT_HELD};
    m->config_wanted = options->config_first;
    m->config_until_ns = 0;
    m->tries = 0;
    m->broken = m->linked = m->aside = false;
    m->running = true;
    bs_random_init(&m->jitter, options->jitter_seed);
    go_to(m, STEP_HELD, m->wish == WISH_RUN ? world->now_ns : UINT64_MAX);
}

enum bs_status bs_mqtt_start(struct bs_mqtt **ret, const struct bs_mqtt_options *options)
{
    struct bs_mqtt *m = calloc(1, sizeof *m);
    bs_check(m && options->subscription_count == 2);
    m->next.fire = on_next;
    m->sending.fire = on_sending;
    m->silence.fire = on_silence;
    world->process.mqtt = m;
    begin(m, options);
    *ret = m;
    return BS_OK;
}

enum bs_status bs_mqtt_return(struct bs_mqtt *m, const struct bs_mqtt_options *options)
{
    bs_check(!m->running);
    begin(m, options);
    return BS_OK;
}

/* The publisher thread looks at once. */
static void set_wish(struct bs_mqtt *m, enum wish wish)
{
    m->wish = wish;
    if (!world->process.dead && m->step != STEP_STOPPED && m->step != STEP_LEAVING)
        sim_events_set(&world->events, &m->next, world->now_ns);
}

void bs_mqtt_hold(struct bs_mqtt *m)
{
    m->aside = true;
    set_wish(m, WISH_HOLD);
}

void bs_mqtt_connect(struct bs_mqtt *m, bool config_first)
{
    bs_check(m->wish == WISH_HOLD && m->state.connects == 0);
    m->config_wanted = config_first;
    set_wish(m, WISH_RUN);
}

void bs_mqtt_resume(struct bs_mqtt *m)
{
    set_wish(m, WISH_RUN);
}

static bool is_stopped(void *argument)
{
    return ((struct bs_mqtt *)argument)->step == STEP_STOPPED;
}

void bs_mqtt_leave(struct bs_mqtt *m)
{
    if (!m->running)
        return;
    set_wish(m, WISH_STOP);
    if (!world->process.dead)
        sim_block(is_stopped, m);
    cancel_all(m);
    m->running = false;
}

void bs_mqtt_stop(struct bs_mqtt *m)
{
    bs_mqtt_leave(m);
    client_slots_fini(&m->slots);
    world->process.mqtt = NULL;
    free(m);
}

enum bs_status bs_mqtt_publish(struct bs_mqtt *m, const struct bs_mqtt_publication *p)
{
    if (world->process.dead)
        return BS_OK;
    bool connected = m->state.phase == BS_MQTT_SUBSCRIBING || m->state.phase == BS_MQTT_ONLINE;
    if (p->qos == 0 && !p->retained && !connected)
        return BS_OK;
    enum bs_status status = client_slots_put(&m->slots, p);
    arm_sending(m);
    return status;
}

void bs_mqtt_get_state(struct bs_mqtt *m, struct bs_mqtt_state *ret)
{
    *ret = m->state;
    ret->patient = client_slots_count_patient(&m->slots);
}

void bs_mqtt_ignore_proxies(void)
{
}
