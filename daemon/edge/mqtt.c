/* The owner's side of edge/mqtt: start, stop, wishes, slots, the state. Never calls Paho and never
 * waits for it, but for bs_mqtt_stop, which waits for the publisher thread to end. */
#include "backstep/base/check.h"
#include "mqtt_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOPIC_MAX   65535u
#define PAYLOAD_MAX (16u * 1024 * 1024)

uint64_t bs_mqtt_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void bs_mqtt_note(struct bs_mqtt *mqtt, unsigned events, const char *reason)
{
    pthread_mutex_lock(&mqtt->lock);
    if (reason != NULL && (mqtt->events & BS_MQTT_EVENT_BROKEN) == 0) {
        snprintf(mqtt->reason, sizeof(mqtt->reason), "%s", reason);
    }
    mqtt->events |= events;
    pthread_cond_signal(&mqtt->wake);
    pthread_mutex_unlock(&mqtt->lock);
}

/* ── the options, copied ───────────────────────────────────────────────────────────────────── */

static const size_t text_offsets[] = {
    offsetof(struct bs_mqtt_options, uri),
    offsetof(struct bs_mqtt_options, client_id),
    offsetof(struct bs_mqtt_options, username),
    offsetof(struct bs_mqtt_options, password),
    offsetof(struct bs_mqtt_options, ca_file),
    offsetof(struct bs_mqtt_options, cert_file),
    offsetof(struct bs_mqtt_options, key_file),
    offsetof(struct bs_mqtt_options, will_topic),
    offsetof(struct bs_mqtt_options, will_payload),
    offsetof(struct bs_mqtt_options, marker_topic),
    offsetof(struct bs_mqtt_options, first_subscription),
};

#define TEXT_COUNT (sizeof(text_offsets) / sizeof(text_offsets[0]))

static const char **text_at(struct bs_mqtt_options *options, size_t i)
{
    return (const char **)(void *)((char *)options + text_offsets[i]);
}

static void free_options(struct bs_mqtt_options *options)
{
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        free((void *)(uintptr_t)*text_at(options, i));
    }
    for (size_t i = 0; options->subscriptions != NULL && i < options->subscription_count; i++) {
        free((void *)(uintptr_t)options->subscriptions[i]);
    }
    free((void *)(uintptr_t)options->subscriptions);
}

static bool copy_subscriptions(struct bs_mqtt_options *ret, const struct bs_mqtt_options *from)
{
    char **copies = calloc(from->subscription_count + 1, sizeof(*copies));
    bool complete = copies != NULL;

    ret->subscriptions = (const char *const *)copies;
    ret->subscription_count = from->subscription_count;
    for (size_t i = 0; complete && i < from->subscription_count; i++) {
        copies[i] = strdup(from->subscriptions[i]);
        complete = copies[i] != NULL;
    }
    return complete;
}

/* False: out of memory; what was copied is to be freed all the same. */
static bool copy_options(struct bs_mqtt_options *ret, const struct bs_mqtt_options *from)
{
    struct bs_mqtt_options source = *from;
    bool complete = true;

    *ret = *from;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const char *text = *text_at(&source, i);
        char *copy = text != NULL ? strdup(text) : NULL;

        complete = complete && (text == NULL || copy != NULL);
        *text_at(ret, i) = copy;
    }
    return copy_subscriptions(ret, from) && complete;
}

static bool options_valid(const struct bs_mqtt_options *o)
{
    static const char *const schemes[] = {"mqtt://", "mqtts://", "ws://", "wss://"};
    bool known = false;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        known = known || strncmp(o->uri, schemes[i], strlen(schemes[i])) == 0;
    }
    return known && (o->version == 5 || o->version == 311) && o->client_id[0] != '\0' &&
           o->receive_maximum > 0;
}

/* ── start and stop ────────────────────────────────────────────────────────────────────────── */

static void free_mqtt(struct bs_mqtt *mqtt)
{
    bs_mqtt_slots_fini(&mqtt->slots);
    pthread_cond_destroy(&mqtt->wake);
    pthread_mutex_destroy(&mqtt->lock);
    free_options(&mqtt->options);
    free(mqtt);
}

static void init_locks(struct bs_mqtt *mqtt)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&mqtt->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&mqtt->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Our thread, and Paho's that come of it, take no signal that is meant for the owner. */
static int start_thread(struct bs_mqtt *mqtt)
{
    static const int owners[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM};
    sigset_t blocked, before;
    int failed;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        sigaddset(&blocked, owners[i]);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    failed = pthread_create(&mqtt->publisher, NULL, bs_mqtt_publisher_main, mqtt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static enum bs_status begin(struct bs_mqtt *mqtt, const struct bs_mqtt_options *options)
{
    mqtt->wish = options->start_held ? BS_MQTT_WISH_HOLD : BS_MQTT_WISH_RUN;
    mqtt->state = (struct bs_mqtt_state){
        .phase = options->start_held ? BS_MQTT_HELD : BS_MQTT_CONNECTING,
    };
    mqtt->config_wanted = options->config_first;
    mqtt->config_until_ns = 0;
    mqtt->tries = 0;
    bs_random_init(&mqtt->jitter, options->jitter_seed);
    snprintf(mqtt->marker, sizeof(mqtt->marker), "%016llx",
             (unsigned long long)bs_random_next(&mqtt->jitter));
    if (!copy_options(&mqtt->options, options) || start_thread(mqtt) != 0) {
        return BS_NO_MEMORY;
    }
    mqtt->running = true;
    return BS_OK;
}

enum bs_status bs_mqtt_start(struct bs_mqtt **ret, const struct bs_mqtt_options *options)
{
    struct bs_mqtt *mqtt;
    enum bs_status status;

    if (!options_valid(options)) {
        return BS_INVALID;
    }
    mqtt = calloc(1, sizeof(*mqtt));
    if (mqtt == NULL) {
        return BS_NO_MEMORY;
    }
    init_locks(mqtt);
    for (size_t i = 0; i < BS_MQTT_FLIGHTS_MAX; i++) {
        mqtt->flights[i].mqtt = mqtt;
    }
    status = begin(mqtt, options);
    if (status != BS_OK) {
        free_mqtt(mqtt);
        return status;
    }
    *ret = mqtt;
    return BS_OK;
}

enum bs_status bs_mqtt_return(struct bs_mqtt *mqtt, const struct bs_mqtt_options *options)
{
    bs_check(!mqtt->running);
    if (!options_valid(options)) {
        return BS_INVALID;
    }
    free_options(&mqtt->options);
    return begin(mqtt, options);
}

void bs_mqtt_ignore_proxies(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

static void set_wish(struct bs_mqtt *mqtt, enum bs_mqtt_wish wish)
{
    pthread_mutex_lock(&mqtt->lock);
    mqtt->wish = wish;
    pthread_cond_signal(&mqtt->wake);
    pthread_mutex_unlock(&mqtt->lock);
}

void bs_mqtt_hold(struct bs_mqtt *mqtt)
{
    set_wish(mqtt, BS_MQTT_WISH_HOLD);
}

void bs_mqtt_connect(struct bs_mqtt *mqtt, bool config_first)
{
    pthread_mutex_lock(&mqtt->lock);
    bs_check(mqtt->wish == BS_MQTT_WISH_HOLD && mqtt->state.connects == 0);
    mqtt->config_wanted = config_first;
    mqtt->wish = BS_MQTT_WISH_RUN;
    pthread_cond_signal(&mqtt->wake);
    pthread_mutex_unlock(&mqtt->lock);
}

void bs_mqtt_resume(struct bs_mqtt *mqtt)
{
    set_wish(mqtt, BS_MQTT_WISH_RUN);
}

void bs_mqtt_leave(struct bs_mqtt *mqtt)
{
    if (mqtt->running) {
        set_wish(mqtt, BS_MQTT_WISH_STOP);
        pthread_join(mqtt->publisher, NULL);
        mqtt->running = false;
    }
}

void bs_mqtt_stop(struct bs_mqtt *mqtt)
{
    bs_mqtt_leave(mqtt);
    free_mqtt(mqtt);
}

/* ── slots and state ───────────────────────────────────────────────────────────────────────── */

static bool topic_valid(struct bs_slice topic)
{
    return topic.length > 0 && topic.length <= TOPIC_MAX && bs_slice_is_utf8(topic) &&
           memchr(topic.at, '\0', topic.length) == NULL &&
           memchr(topic.at, '+', topic.length) == NULL &&
           memchr(topic.at, '#', topic.length) == NULL;
}

enum bs_status bs_mqtt_publish(struct bs_mqtt *mqtt, const struct bs_mqtt_publication *publication)
{
    enum bs_status status = BS_OK;
    bool connected, kept = publication->qos > 0 || publication->retained;

    bs_check(publication->qos == 0 || publication->qos == 1);
    if (!topic_valid(publication->topic) || publication->payload.length > PAYLOAD_MAX ||
        publication->correlation.length > UINT16_MAX) {
        return BS_INVALID;
    }
    pthread_mutex_lock(&mqtt->lock);
    connected = mqtt->state.phase == BS_MQTT_SUBSCRIBING || mqtt->state.phase == BS_MQTT_ONLINE;
    if (kept || connected) {
        status = bs_mqtt_slots_put(&mqtt->slots, publication, bs_mqtt_now_ns());
    }
    /* Without a connection there is nobody to wake: who has one looks at the slots first. A replay
     * of a hundred thousand answers would wake the thread for each. */
    if (connected) {
        pthread_cond_signal(&mqtt->wake);
    }
    pthread_mutex_unlock(&mqtt->lock);
    return status;
}

void bs_mqtt_get_state(struct bs_mqtt *mqtt, struct bs_mqtt_state *ret)
{
    pthread_mutex_lock(&mqtt->lock);
    *ret = mqtt->state;
    ret->patient = mqtt->slots.patient_count;
    pthread_mutex_unlock(&mqtt->lock);
    ret->last_message_ns = atomic_load_explicit(&mqtt->last_message_ns, memory_order_relaxed);
}
