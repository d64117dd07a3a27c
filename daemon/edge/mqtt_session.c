/* The publisher thread's course: connect, subscribe in order, publish what the slots hold, leave or
 * lose the link, wait, again. It alone calls into mqtt_link.c. It never calls the owner with the
 * lock held, and never waits without an end that the owner's wish can bring about. */
#include "backstep/base/check.h"
#include "mqtt_internal.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define MS_NS              1000000u
#define ANSWER_WAIT_MS     20000u /* for a CONNACK or a SUBACK; Paho gives up on a CONNACK first */
#define ASIDE_WAIT_MS      5000u  /* the same, where a stop may wait for it */
#define LEAVE_WAIT_MS      1000u
#define DRAIN_WAIT_MS      2000u
#define CONFIG_WAIT_MS     10000u
#define RETRY_HAND_OVER_MS 100u  /* Paho's buffer was full */
#define LOOK_MS            5000u /* at the link itself, should a callback be missing */
#define BACK_OFF_FIRST_MS  250u
#define BACK_OFF_MOST_MS   30000u
#define STANDING_MS        10000u /* a link that stood this long starts the back-off anew */
#define NO_DEADLINE        UINT64_MAX

static uint64_t in_ms(uint64_t ms)
{
    return bs_mqtt_now_ns() + ms * MS_NS;
}

/* With the lock held: until something is noted or `deadline_ns`; false at the deadline. */
static bool doze(struct bs_mqtt *mqtt, uint64_t deadline_ns)
{
    struct timespec at = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                          .tv_nsec = (long)(deadline_ns % 1000000000u)};

    if (deadline_ns == NO_DEADLINE) {
        pthread_cond_wait(&mqtt->wake, &mqtt->lock);
        return true;
    }
    return pthread_cond_timedwait(&mqtt->wake, &mqtt->lock, &at) != ETIMEDOUT;
}

static enum bs_mqtt_wish present_wish(struct bs_mqtt *mqtt)
{
    enum bs_mqtt_wish wish;

    pthread_mutex_lock(&mqtt->lock);
    wish = mqtt->wish;
    pthread_mutex_unlock(&mqtt->lock);
    return wish;
}

static void set_phase(struct bs_mqtt *mqtt, enum bs_mqtt_phase phase)
{
    pthread_mutex_lock(&mqtt->lock);
    mqtt->state.phase = phase;
    if (phase == BS_MQTT_WAITING) {
        memcpy(mqtt->state.error, mqtt->refusal[0] != '\0' ? mqtt->refusal : mqtt->reason,
               sizeof(mqtt->state.error));
    } else if (phase != BS_MQTT_CONNECTING && phase != BS_MQTT_SUBSCRIBING) {
        mqtt->state.error[0] = '\0';
    }
    pthread_mutex_unlock(&mqtt->lock);
    mqtt->options.on_change(mqtt->options.context);
}

/* ── one link ──────────────────────────────────────────────────────────────────────────────── */

/* With the lock held. A link aside has a last word to say when all is to end. */
static bool is_ended_by_wish(const struct bs_mqtt *mqtt)
{
    return mqtt->wish != mqtt->link_wish &&
           (mqtt->role != BS_MQTT_ASIDE || mqtt->wish == BS_MQTT_WISH_RUN);
}

/* True where the event came; false where the link broke, the owner wishes otherwise, or nothing
 * came in time (which breaks the link). */
static bool await(struct bs_mqtt *mqtt, unsigned event, uint64_t deadline_ns)
{
    bool came, broken, wished, late = false;

    pthread_mutex_lock(&mqtt->lock);
    for (;;) {
        came = (mqtt->events & event) != 0;
        broken = (mqtt->events & BS_MQTT_EVENT_BROKEN) != 0;
        wished = is_ended_by_wish(mqtt) && event != BS_MQTT_EVENT_LEFT;
        if (came || broken || wished || late) {
            break;
        }
        late = !doze(mqtt, deadline_ns);
    }
    mqtt->events &= ~event;
    pthread_mutex_unlock(&mqtt->lock);
    if (!came && !broken && !wished) {
        bs_mqtt_note(mqtt, BS_MQTT_EVENT_BROKEN, "the broker did not answer in time");
    }
    return came && !broken && !wished;
}

static uint64_t answer_deadline(const struct bs_mqtt *mqtt)
{
    uint64_t deadline_ns = in_ms(mqtt->role == BS_MQTT_ASIDE ? ASIDE_WAIT_MS : ANSWER_WAIT_MS);
    bool limited = mqtt->role == BS_MQTT_CONFIG && mqtt->config_until_ns != 0;

    return limited && mqtt->config_until_ns < deadline_ns ? mqtt->config_until_ns : deadline_ns;
}

/* A broker that sent a CONNACK said itself what it has against us. */
static void explain_failure(struct bs_mqtt *mqtt)
{
    char why[sizeof(mqtt->reason) - 32], text[sizeof(mqtt->reason)];
    bool asked;

    pthread_mutex_lock(&mqtt->lock);
    asked =
        mqtt->options.explain != NULL && !mqtt->broker_answered && mqtt->wish == BS_MQTT_WISH_RUN;
    pthread_mutex_unlock(&mqtt->lock);
    if (!asked || !mqtt->options.explain(mqtt->options.context, why, sizeof(why))) {
        return;
    }
    snprintf(text, sizeof(text), "no connection: %s", why);
    pthread_mutex_lock(&mqtt->lock);
    memcpy(mqtt->reason, text, sizeof(text));
    pthread_mutex_unlock(&mqtt->lock);
}

static bool open_link(struct bs_mqtt *mqtt, enum bs_mqtt_role role)
{
    if ((mqtt->client == NULL || mqtt->role != role) && !bs_mqtt_link_renew(mqtt, role)) {
        return false;
    }
    return bs_mqtt_link_connect(mqtt) &&
           await(mqtt, BS_MQTT_EVENT_CONNECTED, answer_deadline(mqtt));
}

static bool connect_link(struct bs_mqtt *mqtt, enum bs_mqtt_role role)
{
    set_phase(mqtt, BS_MQTT_CONNECTING);
    if (!open_link(mqtt, role)) {
        explain_failure(mqtt);
        return false;
    }
    pthread_mutex_lock(&mqtt->lock);
    mqtt->state.connects += role == BS_MQTT_SESSION ? 1 : 0;
    pthread_mutex_unlock(&mqtt->lock);
    set_phase(mqtt, BS_MQTT_SUBSCRIBING);
    return true;
}

static bool subscribe_one(struct bs_mqtt *mqtt, const char *topic, int qos, bool retained)
{
    char text[sizeof(mqtt->reason)];

    if (bs_mqtt_link_subscribe(mqtt, topic, qos, retained) &&
        await(mqtt, BS_MQTT_EVENT_SUBSCRIBED, answer_deadline(mqtt))) {
        return true;
    }
    pthread_mutex_lock(&mqtt->lock);
    snprintf(text, sizeof(text), "%.180s (while subscribing to %.40s)", mqtt->reason, topic);
    memcpy(mqtt->reason, text, sizeof(text));
    pthread_mutex_unlock(&mqtt->lock);
    return false;
}

/* Retained messages at QoS 1 go through the session's queue, of which a mosquitto as it comes keeps
 * a thousand: of five thousand documents it would give the first ones and drop the rest without a
 * word. At QoS 0 all of them come. What changes while we are away must be queued, so that the
 * subscription that stays is one of QoS 1. */
static bool subscribe_first(struct bs_mqtt *mqtt, const char *topic)
{
    return subscribe_one(mqtt, topic, 0, true) && subscribe_one(mqtt, topic, 1, false);
}

static bool subscribe_all(struct bs_mqtt *mqtt)
{
    for (size_t i = 0; i < mqtt->options.subscription_count; i++) {
        const char *topic = mqtt->options.subscriptions[i];

        if (!(bs_mqtt_is_first(mqtt, topic) ? subscribe_first(mqtt, topic)
                                            : subscribe_one(mqtt, topic, 1, true))) {
            return false;
        }
    }
    return true;
}

/* ── publishing ────────────────────────────────────────────────────────────────────────────── */

static void say_refused(struct bs_mqtt *mqtt, const struct bs_mqtt_flight *flight)
{
    snprintf(mqtt->refusal, sizeof(mqtt->refusal),
             "the broker refused the publication of %.80s: reason %d", flight->slot->topic,
             flight->code);
    memcpy(mqtt->state.error, mqtt->refusal, sizeof(mqtt->state.error));
}

/* With the lock held. True where the owner should be told of a refusal. */
static bool settle_answered(struct bs_mqtt *mqtt)
{
    bool refused = false;

    for (size_t i = 0; i < BS_MQTT_FLIGHTS_MAX; i++) {
        struct bs_mqtt_flight *flight = &mqtt->flights[i];

        if (flight->slot == NULL || !flight->answered) {
            continue;
        }
        if (flight->outcome == BS_MQTT_REFUSED) {
            say_refused(mqtt, flight);
            refused = true;
        }
        bs_mqtt_slots_settle(&mqtt->slots, flight->slot, flight->outcome);
        flight->slot = NULL;
    }
    return refused;
}

/* With the lock held: a free place and the slot whose turn it is, or NULL. */
static struct bs_mqtt_flight *next_flight(struct bs_mqtt *mqtt)
{
    for (size_t i = 0; i < mqtt->flights_max; i++) {
        struct bs_mqtt_flight *flight = &mqtt->flights[i];

        if (flight->slot == NULL) {
            flight->slot = bs_mqtt_slots_take(&mqtt->slots, bs_mqtt_now_ns());
            flight->answered = false;
            return flight->slot != NULL ? flight : NULL;
        }
    }
    return NULL;
}

/* With the lock held, which is released around the hand-over: what flies is not changed meanwhile.
 * False: Paho takes nothing at present. */
static bool hand_over(struct bs_mqtt *mqtt, struct bs_mqtt_flight *flight)
{
    bool kept = flight->slot->flying->qos > 0;
    bool sent;

    pthread_mutex_unlock(&mqtt->lock);
    sent = bs_mqtt_link_publish(mqtt, flight);
    pthread_mutex_lock(&mqtt->lock);
    if (!sent || !kept) {
        flight->answered = true;
        flight->outcome = sent ? BS_MQTT_DELIVERED : BS_MQTT_LOST;
    }
    return sent;
}

/* With the lock held, which is released around it: tells the owner of a refusal, or looks whether
 * the link still stands. */
static void tell_refusal(struct bs_mqtt *mqtt)
{
    pthread_mutex_unlock(&mqtt->lock);
    mqtt->options.on_change(mqtt->options.context);
    pthread_mutex_lock(&mqtt->lock);
}

static void look_at_link(struct bs_mqtt *mqtt)
{
    pthread_mutex_unlock(&mqtt->lock);
    if (!bs_mqtt_link_stands(mqtt)) {
        bs_mqtt_note(mqtt, BS_MQTT_EVENT_BROKEN, "the connection is gone");
    }
    pthread_mutex_lock(&mqtt->lock);
}

/* With the lock held: hands one slot over, or waits for something to do. */
static void publish_one(struct bs_mqtt *mqtt, uint64_t deadline_ns)
{
    struct bs_mqtt_flight *flight = next_flight(mqtt);

    if (flight == NULL) {
        uint64_t look_ns = in_ms(LOOK_MS);

        if (!doze(mqtt, look_ns < deadline_ns ? look_ns : deadline_ns)) {
            look_at_link(mqtt);
        }
    } else if (!hand_over(mqtt, flight)) {
        settle_answered(mqtt);
        doze(mqtt, in_ms(RETRY_HAND_OVER_MS));
    }
}

/* Publishes until the link breaks, or while `draining` until all is answered or `deadline_ns`, or
 * else until the owner wishes otherwise. */
static void publish(struct bs_mqtt *mqtt, bool draining, uint64_t deadline_ns)
{
    bool done = false;

    pthread_mutex_lock(&mqtt->lock);
    while (!done) {
        if (settle_answered(mqtt)) {
            tell_refusal(mqtt);
        }
        done = (mqtt->events & BS_MQTT_EVENT_BROKEN) != 0 || bs_mqtt_now_ns() >= deadline_ns ||
               (draining ? bs_mqtt_slots_idle(&mqtt->slots) : mqtt->wish != mqtt->link_wish);
        if (!done) {
            publish_one(mqtt, deadline_ns);
        }
    }
    pthread_mutex_unlock(&mqtt->lock);
}

/* After the client is gone: nobody answers any more. */
static void give_up_flights(struct bs_mqtt *mqtt)
{
    pthread_mutex_lock(&mqtt->lock);
    settle_answered(mqtt);
    for (size_t i = 0; i < BS_MQTT_FLIGHTS_MAX; i++) {
        if (mqtt->flights[i].slot != NULL) {
            bs_mqtt_slots_settle(&mqtt->slots, mqtt->flights[i].slot, BS_MQTT_LOST);
            mqtt->flights[i].slot = NULL;
        }
    }
    bs_mqtt_slots_drop_unkept(&mqtt->slots);
    pthread_mutex_unlock(&mqtt->lock);
}

/* ── the kinds of link ─────────────────────────────────────────────────────────────────── */

static void run_session(struct bs_mqtt *mqtt)
{
    uint64_t since_ns;

    if (!connect_link(mqtt, BS_MQTT_SESSION) || !subscribe_all(mqtt)) {
        return;
    }
    since_ns = bs_mqtt_now_ns();
    set_phase(mqtt, BS_MQTT_ONLINE);
    publish(mqtt, false, NO_DEADLINE);
    publish(mqtt, true, in_ms(DRAIN_WAIT_MS));
    if (bs_mqtt_now_ns() - since_ns >= STANDING_MS * (uint64_t)MS_NS) {
        mqtt->tries = 0;
    }
}

/* mosquitto sends a session's queued messages right after the CONNACK, before anything that is
 * subscribed now: without this link the steps of a night would meet a state without documents. */
static void run_config_link(struct bs_mqtt *mqtt)
{
    bool answered;

    if (connect_link(mqtt, BS_MQTT_CONFIG)) {
        mqtt->config_until_ns =
            mqtt->config_until_ns == 0 ? in_ms(CONFIG_WAIT_MS) : mqtt->config_until_ns;
        if (subscribe_one(mqtt, mqtt->options.first_subscription, 0, true) &&
            subscribe_one(mqtt, mqtt->options.marker_topic, 1, true) &&
            bs_mqtt_link_send_marker(mqtt) &&
            await(mqtt, BS_MQTT_EVENT_MARKER, mqtt->config_until_ns)) {
            mqtt->config_wanted = false;
            mqtt->tries = 0;
        }
    }
    pthread_mutex_lock(&mqtt->lock);
    answered = mqtt->broker_answered;
    pthread_mutex_unlock(&mqtt->lock);
    if (answered && mqtt->config_until_ns == 0) {
        mqtt->config_until_ns = in_ms(CONFIG_WAIT_MS);
    }
    if (mqtt->config_until_ns != 0 && bs_mqtt_now_ns() >= mqtt->config_until_ns) {
        mqtt->config_wanted = false;
    }
}

/* While the session is held: the owner goes on to say how it is, and its last will stands. */
static void run_aside(struct bs_mqtt *mqtt)
{
    if (open_link(mqtt, BS_MQTT_ASIDE)) {
        publish(mqtt, false, NO_DEADLINE);
        publish(mqtt, true, in_ms(DRAIN_WAIT_MS));
    }
}

/* Ends the link, however far it came, and prepares the next. True where it broke. */
static bool close_link(struct bs_mqtt *mqtt)
{
    bool broken;

    if (mqtt->client != NULL && bs_mqtt_link_leave(mqtt)) {
        await(mqtt, BS_MQTT_EVENT_LEFT, in_ms(LEAVE_WAIT_MS));
    }
    pthread_mutex_lock(&mqtt->lock);
    broken = (mqtt->events & BS_MQTT_EVENT_BROKEN) != 0;
    pthread_mutex_unlock(&mqtt->lock);
    if (present_wish(mqtt) == BS_MQTT_WISH_STOP) {
        bs_mqtt_link_end(mqtt);
    } else {
        bs_mqtt_link_renew(mqtt, BS_MQTT_SESSION);
    }
    give_up_flights(mqtt);
    return broken;
}

static void clear_notes(struct bs_mqtt *mqtt)
{
    pthread_mutex_lock(&mqtt->lock);
    mqtt->events = 0;
    mqtt->broker_answered = false;
    mqtt->tls_reason[0] = '\0';
    mqtt->refusal[0] = '\0';
    pthread_mutex_unlock(&mqtt->lock);
}

/* ── the course ────────────────────────────────────────────────────────────────────────────── */

/* Full jitter: a site's daemons do not come back in step. Ends early where the owner wishes
 * otherwise than the link did. */
static void back_off(struct bs_mqtt *mqtt)
{
    uint64_t most_ms = (uint64_t)BACK_OFF_FIRST_MS << (mqtt->tries < 7 ? mqtt->tries : 7);
    uint64_t deadline_ns;
    bool in_time = true;

    most_ms = most_ms < BACK_OFF_MOST_MS ? most_ms : BACK_OFF_MOST_MS;
    deadline_ns = in_ms(1 + bs_random_below(&mqtt->jitter, most_ms));
    mqtt->tries++;
    pthread_mutex_lock(&mqtt->lock);
    while (mqtt->wish == mqtt->link_wish && in_time) {
        in_time = doze(mqtt, deadline_ns);
    }
    pthread_mutex_unlock(&mqtt->lock);
}

static void run(struct bs_mqtt *mqtt)
{
    bool config = mqtt->config_wanted;

    clear_notes(mqtt);
    if (config) {
        run_config_link(mqtt);
    } else {
        run_session(mqtt);
    }
    if (close_link(mqtt) && config == mqtt->config_wanted) {
        set_phase(mqtt, BS_MQTT_WAITING);
        back_off(mqtt);
    }
}

/* With the lock held. */
static bool is_quiet(struct bs_mqtt *mqtt)
{
    return mqtt->wish == BS_MQTT_WISH_HOLD && !mqtt->aside;
}

static void stay_away(struct bs_mqtt *mqtt)
{
    set_phase(mqtt, BS_MQTT_HELD);
    pthread_mutex_lock(&mqtt->lock);
    while (is_quiet(mqtt)) {
        doze(mqtt, NO_DEADLINE);
    }
    pthread_mutex_unlock(&mqtt->lock);
    while (present_wish(mqtt) == BS_MQTT_WISH_HOLD) {
        clear_notes(mqtt);
        run_aside(mqtt);
        if (close_link(mqtt)) {
            back_off(mqtt);
        }
    }
    mqtt->tries = 0;
}

void *bs_mqtt_publisher_main(void *arg)
{
    struct bs_mqtt *mqtt = arg;

    while ((mqtt->link_wish = present_wish(mqtt)) != BS_MQTT_WISH_STOP) {
        if (mqtt->link_wish == BS_MQTT_WISH_HOLD) {
            stay_away(mqtt);
        } else {
            run(mqtt);
        }
    }
    bs_mqtt_link_end(mqtt);
    set_phase(mqtt, BS_MQTT_STOPPED);
    return NULL;
}
