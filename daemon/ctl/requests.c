/* Requests: documents without an answer over a connection. Must never take an old answer, which
 * still lies at the broker, for one to what it has just published. */
#include "requests.h"

#include "backstep/base/check.h"
#include "backstep/base/random.h"

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

/* Documents without an answer at once: enough to keep the daemon busy over a far broker, and half
 * of what a broker keeps for a daemon that is away (mosquitto: 1000) before it drops some. */
#define OPEN_MAX      500u
#define KEY_BYTES_MAX (BS_ID_MAX + sizeof "settings/")

/* What tells our answer from others: this run, this document, this time. */
struct mark {
    uint64_t run;
    uint32_t number, time;
};

struct bs_request {
    struct bs_delivery delivery; /* first: what is settled is the request */
    char key[KEY_BYTES_MAX];     /* "member/ruth" */
    char *topic;
    char sha256[BS_SHA256_HEX_BYTES];
    struct mark mark;
    /* On this connection. */
    bool open, in_flight;
    bool answered, was_there;
    struct bs_answer answer;
    UT_hash_handle hh;
};

struct bs_requests {
    const struct bs_broker *broker;
    struct bs_connection *connection;
    char **filters;
    size_t filter_count;
    char prefix[BS_BROKER_TOPIC_MAX]; /* "backstep/v1/north/" */
    uint64_t run;
    struct bs_request **at; /* each where it was born: the hash and Paho know its address */
    struct bs_request *by_key;
    size_t count, capacity;
    char trouble[256];

    /* Under the connection's lock. */
    size_t answered;
    size_t open, in_flight; /* published, without answer or without PUBACK */
    size_t first_waiting;   /* none before it waits to be published */
};

/* ---- what the connection says, its lock held ---- */

static void settled(void *context, struct bs_delivery *delivery, bool acknowledged)
{
    struct bs_requests *r = context;
    struct bs_request *q = (struct bs_request *)delivery;
    if (!q->in_flight)
        return;
    q->in_flight = false;
    r->in_flight--;
    if (acknowledged) {
        bs_connection_note_progress(r->connection);
    } else if (q->open) {
        q->open = false;
        r->open--;
    }
    if (!q->open && !q->answered)
        r->first_waiting = 0;
    bs_connection_wake(r->connection);
}

static void abandoned(void *context)
{
    struct bs_requests *r = context;
    for (size_t i = 0; i < r->count; i++)
        r->at[i]->open = r->at[i]->in_flight = false;
    r->open = r->in_flight = 0;
    r->first_waiting = 0;
}

/* False where it is the answer to another document, or to another publisher. */
static bool read_answer(const struct bs_request *q, const struct bs_arrived *m,
                        struct bs_answer *ret)
{
    if (m->correlation.length > 0 &&
        !bs_slice_equal(m->correlation, bs_slice_of(&q->mark, sizeof q->mark)))
        return false;
    bool is_deletion = q->delivery.payload.length == 0;
    if (m->payload.length == 0) {
        *ret = (struct bs_answer){.ok = true};
        return is_deletion;
    }
    return !is_deletion && bs_answer_read(m->payload, ret) && strcmp(ret->sha256, q->sha256) == 0;
}

static void take_answer(struct bs_requests *r, struct bs_request *q, const struct bs_arrived *m)
{
    if (q->answered || q->mark.time == 0 || !read_answer(q, m, &q->answer))
        return;
    q->answered = true;
    r->answered++;
    if (q->open) {
        q->open = false;
        r->open--;
    }
    bs_connection_note_progress(r->connection);
    bs_connection_wake(r->connection);
}

/* The topic's rest behind the site is "result/KEY" or "config/KEY". */
static void arrived(void *context, const struct bs_arrived *m)
{
    struct bs_requests *r = context;
    if (!bs_slice_starts(m->topic, bs_slice_text(r->prefix)))
        return;
    struct bs_slice rest = bs_slice_after(m->topic, strlen(r->prefix));
    bool is_answer = bs_slice_starts(rest, BS_SLICE("result/"));
    if (!is_answer && !bs_slice_starts(rest, BS_SLICE("config/")))
        return;
    struct bs_slice key = bs_slice_after(rest, strlen("result/"));
    struct bs_request *q = NULL;
    HASH_FIND(hh, r->by_key, key.at, key.length, q);
    if (!q)
        return;
    if (m->retained)
        q->was_there |= m->payload.length > 0;
    else if (is_answer)
        take_answer(r, q, m);
}

/* ---- beginning and end ---- */

enum bs_status bs_requests_new(struct bs_requests **ret, const struct bs_broker *broker)
{
    struct bs_requests *r = calloc(1, sizeof *r);
    if (!r)
        return BS_NO_MEMORY;
    r->broker = broker;
    bs_broker_topic(broker, "", r->prefix);
    struct bs_random random;
    bs_random_init(&random, bs_connection_now_ns() ^ (uint64_t)getpid() << 32);
    r->run = bs_random_next(&random);
    *ret = r;
    return BS_OK;
}

static void free_request(struct bs_request *q)
{
    if (q)
        free(q->topic);
    free(q);
}

void bs_requests_free(struct bs_requests *r)
{
    if (!r)
        return;
    bs_connection_free(r->connection);
    HASH_CLEAR(hh, r->by_key);
    for (size_t i = 0; i < r->count; i++)
        free_request(r->at[i]);
    for (size_t i = 0; i < r->filter_count; i++)
        free(r->filters[i]);
    free(r->filters);
    free(r->at);
    free(r);
}

static bool make_room(struct bs_requests *r)
{
    if (r->count < r->capacity)
        return true;
    size_t capacity = r->capacity ? r->capacity * 2 : 64;
    struct bs_request **more = realloc(r->at, capacity * sizeof *more); /* NOLINT: of pointers */
    if (!more)
        return false;
    r->at = more;
    r->capacity = capacity;
    return true;
}

static struct bs_request *new_request(struct bs_requests *r, const char *key,
                                      struct bs_slice payload)
{
    struct bs_request *q = calloc(1, sizeof *q);
    char *topic;
    if (!q || asprintf(&topic, "%sconfig/%s", r->prefix, key) < 0) {
        free(q);
        return NULL;
    }
    snprintf(q->key, sizeof q->key, "%s", key);
    q->topic = topic;
    q->mark = (struct mark){.run = r->run, .number = (uint32_t)r->count};
    q->delivery = (struct bs_delivery){.topic = topic,
                                       .payload = payload,
                                       .correlation = bs_slice_of(&q->mark, sizeof q->mark),
                                       .retained = true};
    SHA256Data((const uint8_t *)payload.at, payload.length, q->sha256);
    return q;
}

enum bs_status bs_requests_add(struct bs_requests *r, const struct bs_document_place *place,
                               struct bs_slice payload)
{
    char key[KEY_BYTES_MAX];
    struct bs_request *q = NULL;
    snprintf(key, sizeof key, "%s/%s", bs_kind_name(place->kind), place->id);
    HASH_FIND_STR(r->by_key, key, q);
    if (q)
        return BS_BUSY;
    q = make_room(r) ? new_request(r, key, payload) : NULL;
    if (!q)
        return BS_NO_MEMORY;
    HASH_ADD_STR(r->by_key, key, q);
    r->at[r->count++] = q;
    return BS_OK;
}

enum bs_status bs_requests_connect(struct bs_requests *r, struct bs_progress *progress,
                                   const char *const *filters, size_t filter_count,
                                   bool look_before)
{
    r->filters = calloc(filter_count, sizeof *r->filters);
    for (size_t i = 0; r->filters && i < filter_count; i++) {
        if (asprintf(&r->filters[i], "%s%s", r->prefix, filters[i]) < 0)
            return BS_NO_MEMORY;
        r->filter_count++;
    }
    if (!r->filters)
        return BS_NO_MEMORY;
    struct bs_connection_options options;
    bs_broker_connection_options(r->broker, progress, &options);
    options.filters = (const char *const *)r->filters;
    options.filter_count = filter_count;
    options.filter_qos = look_before ? 0 : 1;
    options.skip_retained = !look_before;
    options.listener = (struct bs_connection_listener){
        .settled = settled, .arrived = arrived, .abandoned = abandoned, .context = r};
    return bs_connection_new(&r->connection, &options);
}

/* ---- the caller's thread ---- */

/* With the lock held. */
static bool has_room(const struct bs_requests *r)
{
    return bs_connection_is_online(r->connection) && r->open < OPEN_MAX &&
           r->in_flight < bs_connection_limit(r->connection);
}

/* The next one to publish, noted as being published; NULL where there is none, or no room now. */
static struct bs_request *next_waiting(struct bs_requests *r)
{
    struct bs_request *found = NULL;
    bs_connection_lock(r->connection);
    if (has_room(r)) {
        for (; r->first_waiting < r->count && !found; r->first_waiting++) {
            struct bs_request *q = r->at[r->first_waiting];
            if (!q->answered && !q->open && !q->in_flight)
                found = q;
        }
    }
    if (found) {
        found->open = found->in_flight = true;
        found->mark.time++;
        r->open++;
        r->in_flight++;
    }
    bs_connection_unlock(r->connection);
    return found;
}

static bool all_answered(struct bs_requests *r)
{
    bs_connection_lock(r->connection);
    bool all = r->answered == r->count;
    bs_connection_unlock(r->connection);
    return all;
}

static bool send_waiting(struct bs_requests *r)
{
    struct bs_request *q;
    while ((q = next_waiting(r)) != NULL) {
        if (!bs_connection_send(r->connection, &q->delivery))
            return false;
    }
    return true;
}

/* With the lock held: a callback has come since the last look. */
static bool has_work(const struct bs_requests *r)
{
    return r->answered == r->count || (has_room(r) && r->first_waiting < r->count);
}

enum bs_status bs_requests_run(struct bs_requests *r)
{
    enum bs_status status = BS_OK;
    while (status == BS_OK && !all_answered(r)) {
        bs_connection_keep(r->connection);
        bool sent = send_waiting(r);
        status = bs_connection_judge(r->connection);
        bs_connection_lock(r->connection);
        if (status == BS_OK && (!sent || !has_work(r)))
            bs_connection_sleep(r->connection, UINT64_MAX);
        bs_connection_unlock(r->connection);
    }
    return status;
}

void bs_requests_repeat(struct bs_requests *r, size_t i)
{
    bs_check(i < r->count && r->at[i]->answered);
    bs_connection_lock(r->connection);
    r->at[i]->answered = false;
    r->answered--;
    r->first_waiting = 0;
    bs_connection_note_progress(r->connection);
    bs_connection_unlock(r->connection);
}

size_t bs_requests_count(const struct bs_requests *r)
{
    return r->count;
}

size_t bs_requests_answered(struct bs_requests *r)
{
    if (!r->connection)
        return 0;
    bs_connection_lock(r->connection);
    size_t answered = r->answered;
    bs_connection_unlock(r->connection);
    return answered;
}

const struct bs_answer *bs_requests_answer(struct bs_requests *r, size_t i)
{
    bs_check(i < r->count);
    if (!r->connection)
        return NULL;
    bs_connection_lock(r->connection);
    bool answered = r->at[i]->answered;
    bs_connection_unlock(r->connection);
    return answered ? &r->at[i]->answer : NULL;
}

bool bs_requests_was_there(struct bs_requests *r, size_t i)
{
    bs_check(i < r->count && r->connection != NULL);
    bs_connection_lock(r->connection);
    bool was_there = r->at[i]->was_there;
    bs_connection_unlock(r->connection);
    return was_there;
}

const char *bs_requests_trouble(struct bs_requests *r)
{
    if (!r->connection)
        return "";
    bs_connection_lock(r->connection);
    snprintf(r->trouble, sizeof r->trouble, "%s", bs_connection_trouble(r->connection));
    bs_connection_unlock(r->connection);
    return r->trouble;
}

int bs_requests_explain(struct bs_requests *r, enum bs_status status)
{
    size_t open = r->count - bs_requests_answered(r);
    char left[128] = "";
    if (open > 0)
        snprintf(left, sizeof left, "%zu of %zu documents have none%s", open, r->count,
                 status == BS_IO ? "; does the daemon run? (backstepctl status)" : "");
    return bs_broker_explain(r->broker, status, left, bs_requests_trouble(r));
}
