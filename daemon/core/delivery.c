/* What the database's answers mean and when to send again. Must never touch a socket, a clock or a
 * line: positions and answers come in, a verdict goes out. */
#include "backstep/core/delivery.h"

#include "backstep/core/named_lines.h"

#include "backstep/base/check.h"

#include <stdio.h>
#include <string.h>

enum {
    FIRST_BACKOFF_MS = 250,
    LAST_BACKOFF_MS = 60000,
    RETRY_AFTER_MAX_S = 600,
    REFUSED_AGAIN_MS = 30000,
    ANSWERING_MS = 10000,
};

enum meaning { JUDGED, PASSES_BY_ITSELF, MUST_BE_MENDED };

void bs_delivery_init(struct bs_delivery *d, enum bs_delivery_api api, uint64_t unresolved)
{
    *d = (struct bs_delivery){
        .api = api,
        .state = BS_DELIVERY_OK,
        .unresolved = unresolved,
        .resend_from = BS_DELIVERY_NOWHERE,
        .resend_until = BS_DELIVERY_NOWHERE,
        .answering_since_ms = BS_DELIVERY_NOWHERE,
    };
}

/* What an answer means ------------------------------------------------------------------------ */

static const char *find(struct bs_slice text, struct bs_slice word)
{
    return text.length > 0 ? memmem(text.at, text.length, word.at, word.length) : NULL;
}

/* A quoted line of ours may hold any words: what the server says itself ends before it. */
static struct bs_slice own_words(struct bs_slice text)
{
    const char *quote = text.length > 0 ? memchr(text.at, '\'', text.length) : NULL;
    return quote ? bs_slice_of(text.at, (size_t)(quote - text.at)) : text;
}

static bool says(const struct bs_delivery_answer *a, struct bs_slice words)
{
    return find(own_words(a->error), words) || find(own_words(a->body), words);
}

static bool must_be_mended(const struct bs_delivery_answer *a)
{
    return says(a, BS_SLICE("max-values-per-tag")) || says(a, BS_SLICE("max-series"));
}

/* InfluxDB 1 and 2 call it a partial write where their own disk takes no more series: that says
 * nothing of the lines, whose only fault was to come then. The words are the kernel's, as Go has
 * them. */
static bool is_servers_own_trouble(const struct bs_delivery_answer *a)
{
    return says(a, BS_SLICE("no space left on device")) ||
           says(a, BS_SLICE("disk quota exceeded")) || says(a, BS_SLICE("input/output error")) ||
           says(a, BS_SLICE("read-only file system")) || says(a, BS_SLICE("too many open files"));
}

/* InfluxDB 3 has no such limits, and what it quotes ends at no such mark. */
static enum meaning meaning_of_complaint(enum bs_delivery_api api,
                                         const struct bs_delivery_answer *a)
{
    if (api == BS_DELIVERY_V3)
        return JUDGED;
    if (a->http_status == 400 && must_be_mended(a))
        return MUST_BE_MENDED;
    return is_servers_own_trouble(a) ? PASSES_BY_ITSELF : JUDGED;
}

/* A page for a browser, or the words of a server that waits for TLS: whoever says so has not looked
 * at our lines. A wrong address must not make dead letters of them, nor pass for a database that
 * stores them. But a gateway's page may say that a body is too large. */
static bool is_no_database(const struct bs_delivery_answer *a)
{
    struct bs_slice body = a->body;
    while (body.length > 0 && memchr(" \t\r\n", body.at[0], 4))
        body = bs_slice_after(body, 1);
    return a->http_status != 413 &&
           (bs_slice_starts(body, BS_SLICE("<")) ||
            bs_slice_starts(body, BS_SLICE("Client sent an HTTP request to an HTTPS server")));
}

static enum meaning meaning_of_status(enum bs_delivery_api api, const struct bs_delivery_answer *a)
{
    switch (a->http_status) {
    case 200:
    case 204:
        return JUDGED;
    case 0:
    case 408:
    case 425:
    case 429:
        return PASSES_BY_ITSELF;
    case 400:
    case 422:
        return meaning_of_complaint(api, a);
    /* These speak of the request's sender, address, headers or encoding, never of a line in it. */
    case 401:
    case 402:
    case 403:
    case 404:
    case 405:
    case 406:
    case 407:
    case 410:
    case 411:
    case 414:
    case 415:
    case 421:
    case 426:
    case 431:
    case 451:
        return MUST_BE_MENDED;
    case 500:
        /* InfluxDB 1 says so for ever where the policy does not exist. */
        return says(a, BS_SLICE("retention policy not found")) ? MUST_BE_MENDED : PASSES_BY_ITSELF;
    default:
        if (a->http_status > 400 && a->http_status <= 499)
            return JUDGED;
        return a->http_status > 500 && a->http_status <= 599 ? PASSES_BY_ITSELF : MUST_BE_MENDED;
    }
}

static enum meaning meaning_of(enum bs_delivery_api api, const struct bs_delivery_answer *a)
{
    enum meaning meaning = meaning_of_status(api, a);
    return meaning == JUDGED && is_no_database(a) ? MUST_BE_MENDED : meaning;
}

/* The number behind "dropped="; false where there is none. */
static bool read_dropped(struct bs_slice text, uint32_t *ret)
{
    static const struct bs_slice name = {"dropped=", 8};
    const char *at = find(text, name);
    if (!at)
        return false;
    struct bs_slice rest = bs_slice_after(text, (size_t)(at - text.at) + name.length);
    uint32_t value = 0, digits = 0;
    for (; digits < rest.length && rest.at[digits] >= '0' && rest.at[digits] <= '9'; digits++) {
        if (digits == 9)
            return false;
        value = value * 10 + (uint32_t)(rest.at[digits] - '0');
    }
    *ret = value;
    return digits > 0;
}

static bool is_partial(enum bs_delivery_api api, int http_status)
{
    return (api == BS_DELIVERY_V1 && http_status == 400) ||
           (api == BS_DELIVERY_V2 && http_status == 422);
}

/* Where the server does not say how many, the lines are looked for one by one, and then it is. */
static bool are_expired(enum bs_delivery_api api, const struct bs_delivery_answer *a,
                        uint32_t lines, uint32_t *ret)
{
    if (!is_partial(api, a->http_status) || !says(a, BS_SLICE("points beyond retention policy")))
        return false;
    uint32_t dropped = 0;
    if (lines > 1 && !read_dropped(a->error, &dropped) && !read_dropped(a->body, &dropped))
        return false;
    *ret = lines == 1 || dropped > lines ? lines : dropped;
    return true;
}

static struct bs_delivery_verdict judge(enum bs_delivery_api api,
                                        const struct bs_delivery_answer *a, uint32_t lines)
{
    struct bs_delivery_verdict v = {BS_DELIVERY_BAD, 0};
    struct bs_named_lines names;
    if (a->http_status == 200 || a->http_status == 204)
        v.outcome = BS_DELIVERY_DELIVERED;
    else if (a->http_status == 413)
        v.outcome = BS_DELIVERY_TOO_LARGE;
    else if (are_expired(api, a, lines, &v.expired))
        v.outcome = BS_DELIVERY_EXPIRED;
    else if (api == BS_DELIVERY_V3 && (a->http_status == 400 || a->http_status == 422) &&
             bs_named_lines_begin(&names, a->body))
        v.outcome = BS_DELIVERY_NAMED;
    return v;
}

/* A gateway that gave up waiting knows no more than we do without an answer; nor does InfluxDB 1
 * where its own write took too long. */
static bool is_unresolved(const struct bs_delivery_answer *a)
{
    return (a->http_status == 0 && a->sent) || a->http_status == 502 || a->http_status == 504 ||
           (a->http_status == 500 && says(a, BS_SLICE("timeout")));
}

/* When to try again --------------------------------------------------------------------------- */

static uint64_t backoff_ms(const struct bs_delivery *d, const struct bs_delivery_answer *a,
                           uint64_t random)
{
    /* "Retry-After: 0" would be a busy loop: then the back-off counts. */
    if (a->retry_after_s > 0)
        return 1000u * (uint64_t)(a->retry_after_s < RETRY_AFTER_MAX_S ? a->retry_after_s
                                                                       : RETRY_AFTER_MAX_S);
    uint64_t ceiling_ms = FIRST_BACKOFF_MS;
    for (uint32_t i = 0; i < d->failures && ceiling_ms < LAST_BACKOFF_MS; i++)
        ceiling_ms *= 2;
    if (ceiling_ms > LAST_BACKOFF_MS)
        ceiling_ms = LAST_BACKOFF_MS;
    return random % (ceiling_ms + 1);
}

static void describe(const struct bs_delivery_answer *a, char ret[BS_DELIVERY_ERROR_MAX + 1])
{
    size_t used = 0;
    if (a->http_status != 0)
        used = (size_t)snprintf(ret, BS_DELIVERY_ERROR_MAX, "HTTP %d: ", a->http_status);
    size_t room = BS_DELIVERY_ERROR_MAX + 1 - used;
    bs_delivery_quote(a->error.length > 0 ? a->error : a->body, ret + used, room);
    if (ret[used] == '\0') /* also where it is blank */
        snprintf(ret + used, room, "%s", a->http_status ? "no reason given" : "no answer");
}

static void note_judged(struct bs_delivery *d, uint64_t now_ms)
{
    d->state = BS_DELIVERY_OK;
    d->failures = 0;
    d->again_ms = 0;
    d->error[0] = '\0';
    if (d->answering_since_ms == BS_DELIVERY_NOWHERE)
        d->answering_since_ms = now_ms;
}

static void note_trouble(struct bs_delivery *d, enum meaning meaning,
                         const struct bs_delivery_answer *answer, uint64_t now_ms, uint64_t random)
{
    /* Only judgements count as a sound connection: what a server that is overloaded or restarting
     * still holds back comes after its 503. */
    d->answering_since_ms = BS_DELIVERY_NOWHERE;
    describe(answer, d->error);
    if (meaning == MUST_BE_MENDED) {
        d->state = BS_DELIVERY_REFUSED;
        d->failures = 0;
        d->again_ms = now_ms + REFUSED_AGAIN_MS;
    } else {
        d->state = BS_DELIVERY_RETRYING;
        d->again_ms = now_ms + backoff_ms(d, answer, random);
        d->failures++;
    }
}

struct bs_delivery_verdict bs_delivery_take(struct bs_delivery *d,
                                            const struct bs_delivery_answer *answer,
                                            struct bs_delivery_transfer transfer, uint64_t now_ms,
                                            uint64_t random)
{
    bs_check(transfer.from < transfer.until && transfer.lines > 0);
    enum meaning meaning = meaning_of(d->api, answer);
    if (meaning == JUDGED) {
        struct bs_delivery_verdict v = judge(d->api, answer, transfer.lines);
        note_judged(d, now_ms);
        if (v.outcome != BS_DELIVERY_DELIVERED)
            describe(answer, d->complaint);
        return v;
    }
    if (is_unresolved(answer) && transfer.from < d->unresolved)
        d->unresolved = transfer.from;
    note_trouble(d, meaning, answer, now_ms, random);
    return (struct bs_delivery_verdict){BS_DELIVERY_AGAIN, 0};
}

/* Once more ----------------------------------------------------------------------------------- */

void bs_delivery_pass(struct bs_delivery *d, uint64_t until)
{
    if (d->resend_from != BS_DELIVERY_NOWHERE && until >= d->resend_until) {
        d->resend_from = BS_DELIVERY_NOWHERE;
        d->resend_until = BS_DELIVERY_NOWHERE;
    }
}

uint64_t bs_delivery_go_back_ms(const struct bs_delivery *d)
{
    if (d->unresolved == BS_DELIVERY_NOWHERE || d->resend_from != BS_DELIVERY_NOWHERE ||
        d->answering_since_ms == BS_DELIVERY_NOWHERE)
        return BS_DELIVERY_NOWHERE;
    return d->answering_since_ms + ANSWERING_MS;
}

bool bs_delivery_go_back(struct bs_delivery *d, uint64_t delivered, uint64_t now_ms,
                         uint64_t *ret_from)
{
    if (now_ms < bs_delivery_go_back_ms(d))
        return false;
    uint64_t from = d->unresolved;
    d->unresolved = BS_DELIVERY_NOWHERE;
    if (from >= delivered)
        return false;
    d->resend_from = from;
    d->resend_until = delivered;
    *ret_from = from;
    return true;
}

uint64_t bs_delivery_kept_from(const struct bs_delivery *d)
{
    return d->unresolved < d->resend_from ? d->unresolved : d->resend_from;
}

void bs_delivery_forget_before(struct bs_delivery *d, uint64_t first)
{
    if (d->unresolved < first)
        d->unresolved = first;
    if (d->resend_from < first)
        d->resend_from = first;
    if (d->resend_until <= first) {
        d->resend_from = BS_DELIVERY_NOWHERE;
        d->resend_until = BS_DELIVERY_NOWHERE;
    }
}
