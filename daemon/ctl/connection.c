/* The connection's course: closed, connecting, greeted, subscribing, online. What Paho reports
 * moves it in connection_callbacks.c. Must never call Paho with its own lock held. */
#include "connection_parts.h"

#include "backstep/base/check.h"
#include "backstep/edge/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BACK_OFF_LAST_MS  2000u
#define POLL_NS           UINT64_C(100000000)
#define MS_NS             UINT64_C(1000000)
#define CONNECT_TIMEOUT_S 10
#define LEAVE_MS          2000u

uint64_t bs_connection_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- beginning and end ---- */

static enum bs_status create_client(struct bs_connection *c)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    if (!bs_connection_is_v5(c))
        options.MQTTVersion = MQTTVERSION_3_1_1;
    /* The caller sends again what is lost: nothing may wait inside Paho without a connection. */
    options.sendWhileDisconnected = 0;
    char id[64];
    snprintf(id, sizeof id, "backstepctl-%ld-%08x", (long)getpid(),
             (unsigned)bs_random_next(&c->random));
    if (MQTTAsync_createWithOptions(&c->client, c->options.uri, id, MQTTCLIENT_PERSISTENCE_NONE,
                                    NULL, &options) != MQTTASYNC_SUCCESS)
        return BS_INVALID;
    bs_connection_hear_client(c);
    return BS_OK;
}

static void init_locks(struct bs_connection *c)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&c->lock, NULL);
}

static void free_memory(struct bs_connection *c)
{
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

enum bs_status bs_connection_new(struct bs_connection **ret,
                                 const struct bs_connection_options *options)
{
    struct bs_connection *c = calloc(1, sizeof *c);
    if (!c)
        return BS_NO_MEMORY;
    c->options = *options;
    c->limit = 1;
    c->back_off_ms = BS_CONNECTION_BACK_OFF_FIRST_MS;
    c->progress_ns = bs_connection_now_ns();
    bs_random_init(&c->random, options->seed ^ c->progress_ns ^ (uint64_t)getpid());
    init_locks(c);
    enum bs_status status = create_client(c);
    if (status != BS_OK)
        free_memory(c);
    else
        *ret = c;
    return status;
}

static void leave(struct bs_connection *c)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer5;
    if (!bs_connection_is_v5(c))
        options = (MQTTAsync_disconnectOptions)MQTTAsync_disconnectOptions_initializer;
    options.timeout = LEAVE_MS / 2;
    MQTTAsync_disconnect(c->client, &options);
    uint64_t until = bs_connection_now_ns() + LEAVE_MS * MS_NS;
    while (MQTTAsync_isConnected(c->client) && bs_connection_now_ns() < until)
        usleep(2000);
}

void bs_connection_free(struct bs_connection *c)
{
    if (!c)
        return;
    if (MQTTAsync_isConnected(c->client))
        leave(c);
    MQTTAsync_destroy(&c->client);
    free_memory(c);
}

/* ---- opening it ---- */

static void set_tls(struct bs_connection *c, MQTTAsync_SSLOptions *ret)
{
    ret->trustStore = c->options.ca_file;
    ret->keyStore = c->options.cert_file;
    ret->privateKey = c->options.key_file;
    ret->verify = 1;
}

static void connect_now(struct bs_connection *c)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer5;
    if (bs_connection_is_v5(c)) {
        options.cleanstart = 1;
    } else {
        options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer;
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.cleansession = 1;
    }
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    set_tls(c, &tls);
    options.ssl = &tls;
    options.keepAliveInterval = (int)c->options.keepalive_s;
    options.connectTimeout = CONNECT_TIMEOUT_S;
    options.username = c->options.username;
    options.password = c->options.password;
    bs_connection_hear_connect(c, &options);
    int code = MQTTAsync_connect(c->client, &options);
    if (code != MQTTASYNC_SUCCESS)
        bs_connection_close(c, MQTTAsync_strerror(code));
}

static void subscribe_now(struct bs_connection *c)
{
    size_t count = c->options.filter_count;
    int *qos = calloc(count, sizeof *qos);
    MQTTSubscribe_options *each = calloc(count, sizeof *each);
    int code = MQTTASYNC_FAILURE;
    if (qos && each) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        bs_connection_hear_subscribe(c, &response);
        /* 2: no retained ones (MQTT 5, 3.8.3.1) */
        response.subscribeOptions.retainHandling = c->options.skip_retained ? 2 : 0;
        for (size_t i = 0; i < count; i++) {
            qos[i] = c->options.filter_qos;
            each[i] = response.subscribeOptions;
        }
        if (bs_connection_is_v5(c) && count > 1) {
            response.subscribeOptionsCount = (int)count;
            response.subscribeOptionsList = each;
        }
        code = MQTTAsync_subscribeMany(
            c->client, (int)count, (char *const *)(uintptr_t)c->options.filters, qos, &response);
    }
    if (code != MQTTASYNC_SUCCESS)
        bs_connection_close(c, MQTTAsync_strerror(code));
    free(each);
    free(qos);
}

/* Full jitter, but never at once: Paho's own clean-up after a loss comes first. */
static void schedule_connect(struct bs_connection *c, uint64_t now)
{
    uint64_t jitter_ms = 20 + bs_random_below(&c->random, c->back_off_ms);
    c->connect_at_ns = now + jitter_ms * MS_NS;
    c->back_off_ms = c->back_off_ms * 2 < BACK_OFF_LAST_MS ? c->back_off_ms * 2 : BACK_OFF_LAST_MS;
}

/* Where no CONNECT was answered: Paho does not tell whose certificate was refused. */
static void explain_now(struct bs_connection *c)
{
    char why[sizeof c->trouble];
    struct bs_tls_broker broker = {.uri = c->options.uri,
                                   .ca_file = c->options.ca_file,
                                   .cert_file = c->options.cert_file,
                                   .key_file = c->options.key_file};
    if (bs_tls_explain(&broker, why, sizeof why) != BS_REFUSED)
        return;
    pthread_mutex_lock(&c->lock);
    memcpy(c->trouble, why, sizeof why);
    c->refused = c->connects == 0;
    pthread_mutex_unlock(&c->lock);
}

typedef void move(struct bs_connection *c);

/* With the lock held: what is to be done now, noted as being done; NULL: nothing. */
static move *next_move(struct bs_connection *c)
{
    if (c->phase == BS_CONNECTION_GREETED) {
        c->phase = c->options.filter_count > 0 ? BS_CONNECTION_SUBSCRIBING : BS_CONNECTION_ONLINE;
        return c->options.filter_count > 0 ? subscribe_now : NULL;
    }
    if (c->phase != BS_CONNECTION_CLOSED || c->refused)
        return NULL;
    if (c->unexplained) {
        c->unexplained = false;
        return explain_now;
    }
    uint64_t now = bs_connection_now_ns();
    if (c->connect_at_ns == UINT64_MAX)
        schedule_connect(c, now);
    if (now < c->connect_at_ns)
        return NULL;
    c->options.listener.abandoned(c->options.listener.context);
    c->phase = BS_CONNECTION_OPENING;
    c->connect_at_ns = UINT64_MAX;
    return connect_now;
}

void bs_connection_keep(struct bs_connection *c)
{
    pthread_mutex_lock(&c->lock);
    move *next = next_move(c);
    pthread_mutex_unlock(&c->lock);
    if (next)
        next(c);
}

/* ---- using it ---- */

static void add_correlation(MQTTProperties *properties, struct bs_slice correlation)
{
    MQTTProperty property = {.identifier = MQTTPROPERTY_CODE_CORRELATION_DATA};
    property.value.data.data = (char *)(uintptr_t)correlation.at;
    property.value.data.len = (int)correlation.length;
    MQTTProperties_add(properties, &property);
}

bool bs_connection_send(struct bs_connection *c, struct bs_delivery *delivery)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    delivery->connection = c;
    message.payload = (void *)(uintptr_t)delivery->payload.at;
    message.payloadlen = (int)delivery->payload.length;
    message.qos = 1;
    message.retained = delivery->retained;
    if (bs_connection_is_v5(c) && delivery->correlation.length > 0)
        add_correlation(&message.properties, delivery->correlation);
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    bs_connection_hear_send(c, delivery, &response);
    int code = MQTTAsync_sendMessage(c->client, delivery->topic, &message, &response);
    MQTTProperties_free(&message.properties);
    if (code == MQTTASYNC_SUCCESS)
        return true;
    pthread_mutex_lock(&c->lock);
    c->options.listener.settled(c->options.listener.context, delivery, false);
    pthread_mutex_unlock(&c->lock);
    if (code == MQTTASYNC_DISCONNECTED)
        bs_connection_lose(c, "the connection was lost");
    return false;
}

enum bs_status bs_connection_judge(struct bs_connection *c)
{
    enum bs_status status = BS_OK;
    pthread_mutex_lock(&c->lock);
    uint64_t now = bs_connection_now_ns();
    if (c->refused_delivery)
        snprintf(c->trouble, sizeof c->trouble, "the broker refuses messages: %s: %s",
                 c->refused_delivery->topic, c->refused_reason ? c->refused_reason : "no reason");
    if (c->refused)
        status = BS_REFUSED;
    else if (c->options.give_up_s > 0 && now > c->progress_ns &&
             now - c->progress_ns > c->options.give_up_s * 1000 * MS_NS)
        status = BS_IO;
    pthread_mutex_unlock(&c->lock);
    if (status == BS_OK && c->options.poll(c->options.context))
        status = BS_CLOSED;
    return status;
}

void bs_connection_lock(struct bs_connection *c)
{
    pthread_mutex_lock(&c->lock);
}

void bs_connection_unlock(struct bs_connection *c)
{
    pthread_mutex_unlock(&c->lock);
}

bool bs_connection_is_online(const struct bs_connection *c)
{
    return c->phase == BS_CONNECTION_ONLINE;
}

uint32_t bs_connection_limit(const struct bs_connection *c)
{
    return c->limit;
}

void bs_connection_note_progress(struct bs_connection *c)
{
    c->progress_ns = bs_connection_now_ns();
}

void bs_connection_ask_again(struct bs_connection *c)
{
    if (c->phase == BS_CONNECTION_ONLINE)
        c->phase = BS_CONNECTION_GREETED;
}

void bs_connection_wake(struct bs_connection *c)
{
    pthread_cond_signal(&c->changed);
}

void bs_connection_sleep(struct bs_connection *c, uint64_t until_ns)
{
    uint64_t now = bs_connection_now_ns();
    if (until_ns > now + POLL_NS)
        until_ns = now + POLL_NS;
    if (c->phase == BS_CONNECTION_CLOSED && c->connect_at_ns < until_ns)
        until_ns = c->connect_at_ns;
    struct timespec t = {.tv_sec = (time_t)(until_ns / 1000000000u),
                         .tv_nsec = (long)(until_ns % 1000000000u)};
    if (c->phase != BS_CONNECTION_GREETED)
        pthread_cond_timedwait(&c->changed, &c->lock, &t);
}

uint64_t bs_connection_count(const struct bs_connection *c)
{
    return c->connects;
}

const char *bs_connection_trouble(const struct bs_connection *c)
{
    return c->trouble;
}
