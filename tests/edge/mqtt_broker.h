/* A private mosquitto on a free loopback port, a peer of it that is not ours (libmosquitto), and a
 * sink for what edge/mqtt hands over; a broker and a sink are ready for each test. Must never touch
 * a broker it did not start. */
#ifndef BACKSTEP_TESTS_MQTT_BROKER_H
#define BACKSTEP_TESTS_MQTT_BROKER_H

#include "backstep/edge/mqtt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* cmocka wants these before it. */
#include <setjmp.h>

#include <cmocka.h>

#define WAIT_MS 15000

static inline uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static inline void nap(void)
{
    usleep(5000);
}

/* ── the broker ────────────────────────────────────────────────────────────────────────────── */

struct broker {
    char folder[64], config[96], uri[64];
    char extra[1024]; /* more lines of configuration */
    int port;
    pid_t pid;
};

static inline const char *broker_program(void)
{
    static const char *const places[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto",
                                         "/usr/bin/mosquitto"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], X_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

static inline struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* None of those that the kernel lends to connections (32768 on): one of these might be gone when a
 * broker that was killed wants it back. */
static inline int free_port(void)
{
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in a;
        uint16_t drawn;
        int port, taken;

        assert_true(fd >= 0 && getrandom(&drawn, sizeof(drawn), 0) == sizeof(drawn));
        port = 10000 + drawn % 20000;
        a = loopback(port);
        taken = bind(fd, (struct sockaddr *)&a, sizeof(a));
        close(fd);
        if (taken == 0) {
            return port;
        }
    }
}

static inline bool answers(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = loopback(port);
    bool up = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

    close(fd);
    return up;
}

/* False: it ended by itself, or does not answer. */
static inline bool broker_try(struct broker *b)
{
    uint64_t until = now_ms() + WAIT_MS;
    pid_t parent = getpid();

    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        char log[96];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(log, sizeof(log), "%s/log", b->folder);
        if (getppid() == parent && freopen(log, "a", stderr) != NULL) {
            execl(broker_program(), "mosquitto", "-c", b->config, (char *)NULL);
        }
        _exit(127);
    }
    while (!answers(b->port) && now_ms() < until) {
        nap();
        if (waitpid(b->pid, NULL, WNOHANG) == b->pid) {
            b->pid = 0;
            return false;
        }
    }
    return answers(b->port);
}

static inline void broker_run(struct broker *b)
{
    assert_true(broker_try(b));
}

static inline void broker_prepare(struct broker *b)
{
    FILE *f;

    snprintf(b->folder, sizeof(b->folder), "/tmp/backstep-mqtt-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->port = free_port();
    b->pid = 0;
    snprintf(b->uri, sizeof(b->uri), "mqtt://127.0.0.1:%d", b->port);
    snprintf(b->config, sizeof(b->config), "%s/conf", b->folder);
    f = fopen(b->config, "w");
    assert_non_null(f);
    fprintf(f,
            "listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "persistence true\npersistence_location %s/\nautosave_interval 0\n"
            "log_type all\n%s%s",
            b->port, b->folder, geteuid() == 0 ? "user root\n" : "", b->extra);
    fclose(f);
}

static inline void broker_start(struct broker *b)
{
    broker_prepare(b);
    broker_run(b);
}

static inline void broker_end(struct broker *b, int sig)
{
    if (b->pid > 0) {
        kill(b->pid, sig);
        waitpid(b->pid, NULL, 0);
        b->pid = 0;
    }
}

/* Lets it write its sessions and retained messages down, as autosave would. */
static inline void broker_save(struct broker *b)
{
    char path[96];
    struct stat s;
    uint64_t until = now_ms() + WAIT_MS;

    snprintf(path, sizeof(path), "%s/mosquitto.db", b->folder);
    unlink(path);
    kill(b->pid, SIGUSR1);
    while ((stat(path, &s) != 0 || s.st_size == 0) && now_ms() < until) {
        nap();
    }
    usleep(20000);
}

static inline void broker_remove(struct broker *b)
{
    char command[128];

    broker_end(b, SIGTERM);
    snprintf(command, sizeof(command), "rm -rf '%s'", b->folder);
    assert_int_equal(system(command), 0);
}

/* ── received messages, by us or by the peer ───────────────────────────────────────────────── */

struct received {
    char *topic, *payload, *correlation;
    size_t length, correlation_length;
    bool retained;
};

struct sink {
    pthread_mutex_t lock;
    struct received *all;
    size_t count, room;
};

static inline void sink_init(struct sink *s)
{
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
}

static inline char *text_of(struct bs_slice s)
{
    char *copy = calloc(1, s.length + 1);

    if (s.length > 0) {
        memcpy(copy, s.at, s.length);
    }
    return copy;
}

static inline bool sink_add(void *context, const struct bs_mqtt_message *m)
{
    struct sink *s = context;
    struct received r = {.topic = text_of(m->topic),
                         .payload = text_of(m->payload),
                         .correlation = text_of(m->correlation),
                         .length = m->payload.length,
                         .correlation_length = m->correlation.length,
                         .retained = m->retained};

    pthread_mutex_lock(&s->lock);
    if (s->count == s->room) {
        s->room = s->room * 2 + 64;
        s->all = realloc(s->all, s->room * sizeof(*s->all));
    }
    s->all[s->count++] = r;
    pthread_mutex_unlock(&s->lock);
    return true;
}

static inline void sink_fini(struct sink *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->all[i].topic);
        free(s->all[i].payload);
        free(s->all[i].correlation);
    }
    free(s->all);
    pthread_mutex_destroy(&s->lock);
}

static inline size_t sink_count(struct sink *s)
{
    size_t count;

    pthread_mutex_lock(&s->lock);
    count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

static inline struct received sink_get(struct sink *s, size_t i)
{
    struct received r;

    pthread_mutex_lock(&s->lock);
    assert_true(i < s->count);
    r = s->all[i];
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* Waits until at least `count` came, then a little for what should not come. */
static inline void sink_expect(struct sink *s, size_t count)
{
    uint64_t until = now_ms() + 60000;

    while (sink_count(s) < count && now_ms() < until) {
        nap();
    }
    usleep(50000);
    assert_int_equal(sink_count(s), count);
}

/* The place of the first message with this payload from `from` on; waits for it. */
static inline size_t sink_find(struct sink *s, size_t from, const char *topic, const char *payload)
{
    uint64_t until = now_ms() + WAIT_MS;

    do {
        size_t count = sink_count(s);

        for (size_t i = from; i < count; i++) {
            struct received r = sink_get(s, i);

            if (strcmp(r.topic, topic) == 0 && strcmp(r.payload, payload) == 0) {
                return i;
            }
        }
        nap();
    } while (now_ms() < until);
    fail_msg("%s = '%s' never came (%zu others did)", topic, payload, sink_count(s));
    return 0;
}

/* ── the peer ──────────────────────────────────────────────────────────────────────────────── */

struct peer {
    struct mosquitto *m;
    struct sink sink;
    _Atomic int connected, subscribed, acknowledged;
    _Atomic uint32_t expiry_s; /* what is left of the last message's; 0: it has none */
};

static inline void peer_connected(struct mosquitto *m, void *context, int rc, int flags,
                                  const mosquitto_property *properties)
{
    (void)m, (void)flags, (void)properties;
    ((struct peer *)context)->connected = rc == 0;
}

static inline void peer_subscribed(struct mosquitto *m, void *context, int mid, int count,
                                   const int *granted, const mosquitto_property *properties)
{
    (void)m, (void)mid, (void)count, (void)granted, (void)properties;
    ((struct peer *)context)->subscribed++;
}

static inline void peer_acknowledged(struct mosquitto *m, void *context, int mid, int reason,
                                     const mosquitto_property *properties)
{
    (void)m, (void)mid, (void)reason, (void)properties;
    ((struct peer *)context)->acknowledged++;
}

static inline void peer_received(struct mosquitto *m, void *context,
                                 const struct mosquitto_message *message,
                                 const mosquitto_property *properties)
{
    void *correlation = NULL;
    uint16_t length = 0;
    uint32_t expiry_s = 0;
    struct bs_mqtt_message out;

    (void)m;
    mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &correlation, &length,
                                   false);
    out = (struct bs_mqtt_message){
        .topic = bs_slice_text(message->topic),
        .payload = bs_slice_of(message->payload, (size_t)message->payloadlen),
        .correlation = bs_slice_of(correlation, length),
        .retained = message->retain,
    };
    mosquitto_property_read_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, &expiry_s, false);
    ((struct peer *)context)->expiry_s = expiry_s;
    sink_add(&((struct peer *)context)->sink, &out);
    free(correlation);
}

static inline void wait_for(_Atomic int *value, int least)
{
    uint64_t until = now_ms() + 60000;

    while (*value < least && now_ms() < until) {
        nap();
    }
    assert_true(*value >= least);
}

static inline void peer_subscribe(struct peer *p, const char *topic)
{
    int before = p->subscribed;

    assert_int_equal(mosquitto_subscribe(p->m, NULL, topic, 1), MOSQ_ERR_SUCCESS);
    wait_for(&p->subscribed, before + 1);
}

static inline void peer_start(struct peer *p, const struct broker *b, const char *topic)
{
    memset(p, 0, sizeof(*p));
    sink_init(&p->sink);
    mosquitto_lib_init();
    p->m = mosquitto_new(NULL, true, p);
    assert_non_null(p->m);
    mosquitto_int_option(p->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_connect_v5_callback_set(p->m, peer_connected);
    mosquitto_subscribe_v5_callback_set(p->m, peer_subscribed);
    mosquitto_publish_v5_callback_set(p->m, peer_acknowledged);
    mosquitto_message_v5_callback_set(p->m, peer_received);
    assert_int_equal(mosquitto_connect(p->m, "127.0.0.1", b->port, 60), MOSQ_ERR_SUCCESS);
    assert_int_equal(mosquitto_loop_start(p->m), MOSQ_ERR_SUCCESS);
    wait_for(&p->connected, 1);
    if (topic != NULL) {
        peer_subscribe(p, topic);
    }
}

static inline void peer_stop(struct peer *p)
{
    mosquitto_disconnect(p->m);
    mosquitto_loop_stop(p->m, false);
    mosquitto_destroy(p->m);
    mosquitto_lib_cleanup();
    sink_fini(&p->sink);
}

/* QoS 1; returns when the broker has it. */
static inline void peer_publish(struct peer *p, const char *topic, const char *payload, bool retain)
{
    int before = p->acknowledged;

    assert_int_equal(mosquitto_publish(p->m, NULL, topic, (int)strlen(payload), payload, 1, retain),
                     MOSQ_ERR_SUCCESS);
    wait_for(&p->acknowledged, before + 1);
}

/* ── ours ──────────────────────────────────────────────────────────────────────────────────── */

static const char *const usual_subscriptions[] = {"t/config/#", "t/device/#"};

static inline void no_change(void *context)
{
    (void)context;
}

static inline struct bs_mqtt_options usual_options(const struct broker *b, struct sink *sink)
{
    return (struct bs_mqtt_options){
        .uri = b->uri,
        .version = 5,
        .client_id = "ours",
        .session_expiry_s = 3600,
        .receive_maximum = 100,
        .keepalive_s = 30,
        .subscriptions = usual_subscriptions,
        .subscription_count = 2,
        .first_subscription = "t/config/#",
        .marker_topic = "t/marker/ours",
        .jitter_seed = 1,
        .on_message = sink_add,
        .on_change = no_change,
        .context = sink,
    };
}

static inline struct bs_mqtt_state state_of(struct bs_mqtt *mqtt)
{
    struct bs_mqtt_state s;

    bs_mqtt_get_state(mqtt, &s);
    return s;
}

static inline void expect_phase(struct bs_mqtt *mqtt, enum bs_mqtt_phase phase)
{
    uint64_t until = now_ms() + WAIT_MS;

    while (state_of(mqtt).phase != phase && now_ms() < until) {
        nap();
    }
    if (state_of(mqtt).phase != phase) {
        fail_msg("phase is %d (%s), expected %d", (int)state_of(mqtt).phase, state_of(mqtt).error,
                 (int)phase);
    }
}

/* ONLINE for the nth time. */
static inline void expect_online(struct bs_mqtt *mqtt, uint64_t connects)
{
    uint64_t until = now_ms() + 2 * WAIT_MS;
    struct bs_mqtt_state s = state_of(mqtt);

    while ((s.phase != BS_MQTT_ONLINE || s.connects < connects) && now_ms() < until) {
        nap();
        s = state_of(mqtt);
    }
    assert_int_equal(s.phase, BS_MQTT_ONLINE);
    assert_int_equal(s.connects, connects);
    assert_string_equal(s.error, "");
}

/* Some errors stand only until the next attempt: hence no nap, and no second look. */
static inline void wait_for_error(struct bs_mqtt *mqtt, const char *part)
{
    uint64_t until = now_ms() + WAIT_MS;
    struct bs_mqtt_state s = state_of(mqtt);

    while (strstr(s.error, part) == NULL && now_ms() < until) {
        usleep(200);
        s = state_of(mqtt);
    }
    if (strstr(s.error, part) == NULL) {
        fail_msg("the error is '%s', expected '%s' in it", s.error, part);
    }
}

static inline struct bs_mqtt *start(const struct bs_mqtt_options *options)
{
    struct bs_mqtt *mqtt = NULL;

    assert_int_equal(bs_mqtt_start(&mqtt, options), BS_OK);
    return mqtt;
}

static inline void put(struct bs_mqtt *mqtt, const char *topic, const char *payload)
{
    struct bs_mqtt_publication p = {.topic = bs_slice_text(topic),
                                    .payload = bs_slice_text(payload),
                                    .qos = 1,
                                    .retained = true};

    assert_int_equal(bs_mqtt_publish(mqtt, &p), BS_OK);
}

static inline bool skipped(void)
{
    if (broker_program() == NULL) {
        printf("skipped: there is no mosquitto on this machine\n");
        return true;
    }
    return false;
}

/* ── what each test begins and ends with ───────────────────────────────────────────────────── */

static struct broker broker;
static struct sink sink;

static inline int set_up(void **state)
{
    (void)state;
    memset(&broker, 0, sizeof(broker));
    broker_start(&broker);
    sink_init(&sink);
    return 0;
}

/* A broker that queues no more than mosquitto does as it comes. */
static inline int set_up_with_short_queues(void **state)
{
    (void)state;
    memset(&broker, 0, sizeof(broker));
    snprintf(broker.extra, sizeof(broker.extra),
             "max_queued_messages 1000\nmax_inflight_messages 20\n");
    broker_start(&broker);
    sink_init(&sink);
    return 0;
}

/* The broker takes nothing outside of t/. */
static inline int set_up_with_acl(void **state)
{
    char path[96];
    FILE *f;

    (void)state;
    memset(&broker, 0, sizeof(broker));
    snprintf(path, sizeof(path), "/tmp/backstep-mqtt-acl-%d", (int)getpid());
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "topic readwrite t/#\n");
    fclose(f);
    snprintf(broker.extra, sizeof(broker.extra), "acl_file %s\n", path);
    broker_start(&broker);
    unlink(path);
    sink_init(&sink);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    sink_fini(&sink);
    broker_remove(&broker);
    return 0;
}

#endif
