/* What the database's answers mean and when to send again. Must never touch a socket, a clock or a
 * line: positions and answers come in, a verdict goes out. */
#include "backstep/core/delivery.h"

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

enum meaning { DELIVERED, PASSES_BY_ITSELF, MUST_BE_MENDED };

void bs_delivery_init(struct bs_delivery *d, uint64_t unresolved)
{
    *d = (struct bs_delivery){
        .state = BS_DELIVERY_OK,
        .unresolved = unresolved,
        .resend_from = BS_DELIVERY_NOWHERE,
        .resend_until = BS_DELIVERY_NOWHERE,
        .answering_since_ms = BS_DELIVERY_NOWHERE,
    };
}

static bool contains(struct bs_slice text, struct bs_slice word)
{
    return text.length > 0 && memmem(text.at, text.length, word.at, word.length) != NULL;
}

static enum meaning meaning_of(const struct bs_delivery_answer *a)
{
    static const struct bs_slice no_policy = {"retention policy not found", 26};

    switch (a->http_status) {
    case 200:
    case 204:
        return DELIVERED;
    case 0:
    case 408:
    case 425:
    case 429:
        return PASSES_BY_ITSELF;
    case 500:
        /* InfluxDB 1 says so for ever where the policy does not exist. */
        if (contains(a->error, no_policy) || contains(a->body, no_policy))
            return MUST_BE_MENDED;
        return PASSES_BY_ITSELF;
    default:
        return a->http_status > 500 && a->http_status <= 599 ? PASSES_BY_ITSELF : MUST_BE_MENDED;
    }
}

/* A gateway that gave up waiting knows no more than we do without an answer. */
static bool is_unresolved(const struct bs_delivery_answer *a)
{
    return (a->http_status == 0 && a->sent) || a->http_status == 502 || a->http_status == 504;
}

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

/* How many bytes the value of a tag takes: up to a comma or space that is not escaped. */
static size_t tag_value_length(struct bs_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == ',' || text.at[i] == ' ')
            return i;
        /* In a JSON body the escaping backslash is itself escaped. */
        while (text.at[i] == '\\' && i + 1 < text.length)
            i++;
    }
    return text.length;
}

/* Servers quote our lines back; an alias may stand in no topic and no log. */
static size_t copy_without_alias(char *to, size_t room, struct bs_slice text)
{
    static const struct bs_slice tag = {"alias=", 6};

    size_t used = 0;
    while (text.length > 0 && used < room) {
        if (bs_slice_starts(text, tag) && room - used > tag.length) {
            memcpy(to + used, tag.at, tag.length);
            used += tag.length;
            to[used++] = '*';
            text = bs_slice_after(text, tag.length);
            text = bs_slice_after(text, tag_value_length(text));
            continue;
        }
        char c = text.at[0];
        to[used++] = c >= 0x20 && c < 0x7f ? c : c == '\n' || c == '\r' ? ' ' : '?';
        text = bs_slice_after(text, 1);
    }
    while (used > 0 && to[used - 1] == ' ')
        used--;
    return used;
}

static void set_error(struct bs_delivery *d, const struct bs_delivery_answer *a)
{
    size_t used = 0;
    if (a->http_status != 0)
        used = (size_t)snprintf(d->error, sizeof d->error, "HTTP %d: ", a->http_status);
    struct bs_slice said = a->error.length > 0 ? a->error : a->body;
    if (said.length == 0)
        said = a->http_status ? BS_SLICE("no reason given") : BS_SLICE("no answer");
    used += copy_without_alias(d->error + used, BS_DELIVERY_ERROR_MAX - used, said);
    d->error[used] = '\0';
}

static void note_progress(struct bs_delivery *d, struct bs_delivery_batch batch, uint64_t now_ms)
{
    d->state = BS_DELIVERY_OK;
    d->failures = 0;
    d->again_ms = 0;
    d->error[0] = '\0';
    if (d->answering_since_ms == BS_DELIVERY_NOWHERE)
        d->answering_since_ms = now_ms;
    if (d->resend_from != BS_DELIVERY_NOWHERE && batch.until >= d->resend_until) {
        d->resend_from = BS_DELIVERY_NOWHERE;
        d->resend_until = BS_DELIVERY_NOWHERE;
    }
}

enum bs_delivery_verdict bs_delivery_take(struct bs_delivery *d,
                                          const struct bs_delivery_answer *answer,
                                          struct bs_delivery_batch batch, uint64_t now_ms,
                                          uint64_t random)
{
    bs_check(batch.from < batch.until);
    enum meaning meaning = meaning_of(answer);
    if (meaning == DELIVERED) {
        note_progress(d, batch, now_ms);
        return BS_DELIVERY_DELIVERED;
    }
    /* Only good answers count as a sound connection: what a server that is overloaded or restarting
     * still holds back comes after its 503. */
    d->answering_since_ms = BS_DELIVERY_NOWHERE;
    if (is_unresolved(answer) && batch.from < d->unresolved)
        d->unresolved = batch.from;
    set_error(d, answer);
    if (meaning == MUST_BE_MENDED) {
        d->state = BS_DELIVERY_REFUSED;
        d->failures = 0;
        d->again_ms = now_ms + REFUSED_AGAIN_MS;
    } else {
        d->state = BS_DELIVERY_RETRYING;
        d->again_ms = now_ms + backoff_ms(d, answer, random);
        d->failures++;
    }
    return BS_DELIVERY_AGAIN;
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
