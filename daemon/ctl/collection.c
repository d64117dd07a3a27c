/* Gathering retained messages. Must never call a part of them all of them. */
#include "collection.h"

#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX    (256u * 1024 * 1024) /* MQTT's own bound */

/* Silence that says that there is nothing, and that the first round is over: what there is comes
 * right behind the SUBACK. The time that the SUBACK itself took comes on top, twice. */
#define SILENCE_NS     UINT64_C(150000000)
#define SILENCE_MAX_NS UINT64_C(2000000000)

struct gathering {
    struct bs_collection *into;
    struct bs_connection *connection;
    char prefix[BS_BROKER_TOPIC_MAX];
    size_t enough;
    /* The caller's thread. */
    uint64_t asked_ns; /* when the SUBSCRIBE went out; 0: not asked */
    uint64_t silence_ns;
    /* Under the connection's lock. */
    unsigned round; /* 1, 2; 0: not connected */
    size_t seen_twice;
    uint64_t last_ns; /* something came */
    enum bs_status status;
};

static void free_retained(struct bs_collection *c, struct bs_retained *m)
{
    HASH_DEL(c->by_rest, m); /* NOLINT: it is in the table */
    c->count--;
    c->bytes -= m->payload.length;
    bs_buffer_fini(&m->payload);
    free(m->rest);
    free(m);
}

void bs_collection_fini(struct bs_collection *collection)
{
    struct bs_retained *m, *next;
    HASH_ITER(hh, collection->by_rest, m, next)
    free_retained(collection, m);
}

const struct bs_retained *bs_collection_find(const struct bs_collection *collection,
                                             const char *rest)
{
    struct bs_retained *m = NULL;
    HASH_FIND_STR(collection->by_rest, rest, m);
    return m;
}

/* ---- what the connection says, its lock held ---- */

static struct bs_retained *find_or_add(struct bs_collection *c, struct bs_slice rest)
{
    struct bs_retained *m = NULL;
    HASH_FIND(hh, c->by_rest, rest.at, rest.length, m);
    if (m)
        return m;
    m = calloc(1, sizeof *m);
    if (m)
        m->rest = strndup(rest.at, rest.length);
    if (!m || !m->rest) {
        free(m);
        return NULL;
    }
    bs_buffer_init(&m->payload, PAYLOAD_MAX);
    HASH_ADD_KEYPTR(hh, c->by_rest, m->rest, rest.length, m);
    c->count++;
    return m;
}

static void forget(struct gathering *g, struct bs_slice rest)
{
    struct bs_retained *m = NULL;
    HASH_FIND(hh, g->into->by_rest, rest.at, rest.length, m);
    if (!m)
        return;
    g->seen_twice -= m->times >= 2;
    free_retained(g->into, m);
}

static enum bs_status take(struct gathering *g, struct bs_slice rest, const struct bs_arrived *m)
{
    struct bs_collection *c = g->into;
    struct bs_retained *found = find_or_add(c, rest);
    if (!found)
        return BS_NO_MEMORY;
    c->bytes -= found->payload.length;
    bs_buffer_reset(&found->payload);
    bs_buffer_add(&found->payload, m->payload);
    c->bytes += found->payload.length;
    if (found->payload.failed)
        return BS_NO_MEMORY;
    /* One that was published just now is known to be up to date: no second is due. */
    unsigned times = m->retained ? found->times + 1 : 2;
    g->seen_twice += times >= 2 && found->times < 2;
    found->times = times;
    return c->bytes > BS_COLLECTION_BYTES_MAX ? BS_FULL : BS_OK;
}

static void arrived(void *context, const struct bs_arrived *m)
{
    struct gathering *g = context;
    if (!bs_slice_starts(m->topic, bs_slice_text(g->prefix)) || g->status != BS_OK)
        return;
    struct bs_slice rest = bs_slice_after(m->topic, strlen(g->prefix));
    if (m->payload.length == 0)
        forget(g, rest);
    else
        g->status = take(g, rest, m);
    g->last_ns = bs_connection_now_ns();
    bs_connection_note_progress(g->connection);
    bs_connection_wake(g->connection);
}

static void abandoned(void *context)
{
    struct gathering *g = context;
    bs_collection_fini(g->into);
    g->seen_twice = 0;
    g->round = 0;
}

static void settled(void *context, struct bs_delivery *delivery, bool acknowledged)
{
    (void)context;
    (void)delivery;
    (void)acknowledged;
}

/* ---- the caller's thread ---- */

static bool is_silent(const struct gathering *g, uint64_t now)
{
    return now - g->last_ns >= g->silence_ns;
}

/* With the lock held: moves on from round to round; true where all is there. */
static bool advance(struct gathering *g)
{
    struct bs_collection *c = g->into;
    uint64_t now = bs_connection_now_ns();
    if (!bs_connection_is_online(g->connection)) {
        if (g->asked_ns == 0)
            g->asked_ns = now;
        return false;
    }
    if (g->asked_ns > 0) {
        g->round++;
        g->silence_ns = SILENCE_NS + 2 * (now - g->asked_ns);
        if (g->silence_ns > SILENCE_MAX_NS)
            g->silence_ns = SILENCE_MAX_NS;
        g->last_ns = g->last_ns > g->asked_ns ? g->last_ns : now;
        g->asked_ns = 0;
        bs_connection_note_progress(g->connection);
    }
    if (g->enough > 0 && c->count >= g->enough)
        return true;
    if (g->round == 1 && is_silent(g, now)) {
        bs_connection_ask_again(g->connection);
        g->asked_ns = now;
    }
    return g->round >= 2 && (c->count > 0 ? g->seen_twice == c->count : is_silent(g, now));
}

static enum bs_status gather(struct gathering *g)
{
    for (;;) {
        bs_connection_keep(g->connection);
        bs_connection_lock(g->connection);
        bool done = advance(g);
        enum bs_status status = g->status;
        bool silence_tells = g->round == 1 || g->into->count == 0;
        if (!done && status == BS_OK)
            bs_connection_sleep(g->connection, silence_tells && g->asked_ns == 0
                                                   ? g->last_ns + g->silence_ns
                                                   : UINT64_MAX);
        bs_connection_unlock(g->connection);
        if (done || status != BS_OK)
            return status;
        status = bs_connection_judge(g->connection);
        if (status != BS_OK)
            return status;
    }
}

static int by_rest(const struct bs_retained *a, const struct bs_retained *b)
{
    return strcmp(a->rest, b->rest);
}

static enum bs_status connect_and_gather(struct gathering *g, const struct bs_broker *broker,
                                         struct bs_progress *progress, char **filters,
                                         size_t filter_count)
{
    struct bs_connection_options options;
    bs_broker_connection_options(broker, progress, &options);
    options.filters = (const char *const *)filters;
    options.filter_count = filter_count;
    options.listener = (struct bs_connection_listener){
        .settled = settled, .arrived = arrived, .abandoned = abandoned, .context = g};
    enum bs_status status = bs_connection_new(&g->connection, &options);
    if (status != BS_OK)
        return status;
    status = gather(g);
    bs_connection_lock(g->connection);
    snprintf(g->into->trouble, sizeof g->into->trouble, "%s", bs_connection_trouble(g->connection));
    bs_connection_unlock(g->connection);
    bs_connection_free(g->connection);
    HASH_SORT(g->into->by_rest, by_rest);
    return status;
}

enum bs_status bs_collection_gather(struct bs_collection *ret, const struct bs_broker *broker,
                                    struct bs_progress *progress, const char *const *filters,
                                    size_t filter_count, size_t enough)
{
    *ret = (struct bs_collection){0};
    struct gathering g = {.into = ret, .enough = enough};
    bs_broker_topic(broker, "", g.prefix);
    char **whole = calloc(filter_count, sizeof *whole);
    enum bs_status status = whole ? BS_OK : BS_NO_MEMORY;
    for (size_t i = 0; status == BS_OK && i < filter_count; i++) {
        if (asprintf(&whole[i], "%s%s", g.prefix, filters[i]) < 0) {
            whole[i] = NULL;
            status = BS_NO_MEMORY;
        }
    }
    if (status == BS_OK)
        status = connect_and_gather(&g, broker, progress, whole, filter_count);
    for (size_t i = 0; whole && i < filter_count; i++)
        free(whole[i]);
    free(whole);
    return status;
}
