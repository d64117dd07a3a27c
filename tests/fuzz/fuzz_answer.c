/* Any bytes as answers of the database, a line "%%" between them: "v1 400 12 8 1\n" (version, of
 * the first alone; status; lines sent; Retry-After + 1; whether some left this machine), the text
 * of its error header and a newline, its body. Whatever they say, the verdict fits the state, what
 * is shown of it is short, printable and names nobody; and a sender that goes by the verdicts comes
 * back to every transfer that nobody knows the end of. */
#include "backstep/core/delivery.h"
#include "backstep/core/named_lines.h"

#include "backstep/base/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bs_slice cut_line(struct bs_slice *text)
{
    const char *end = text->length ? memchr(text->at, '\n', text->length) : NULL;
    struct bs_slice line = end ? bs_slice_of(text->at, (size_t)(end - text->at)) : *text;
    *text = bs_slice_after(*text, line.length + 1);
    return line;
}

/* The next number of the line, at most 9999. */
static uint32_t cut_number(struct bs_slice *line)
{
    uint32_t value = 0;
    while (line->length > 0 && (line->at[0] < '0' || line->at[0] > '9'))
        *line = bs_slice_after(*line, 1);
    while (line->length > 0 && line->at[0] >= '0' && line->at[0] <= '9' && value < 1000) {
        value = value * 10 + (uint32_t)(line->at[0] - '0');
        *line = bs_slice_after(*line, 1);
    }
    return value;
}

static void check_masked(const char *text, const char *mark)
{
    for (const char *at = text; (at = strstr(at, mark)); at++)
        bs_check(at[strlen(mark)] == '*' || at[strlen(mark)] == '\0');
}

static void check_shown(const char *text)
{
    bs_check(strlen(text) <= BS_DELIVERY_ERROR_MAX);
    for (const char *c = text; *c; c++)
        bs_check(*c >= 0x20 && *c < 0x7f);
    check_masked(text, "alias=");
    check_masked(text, "phase=");
    check_masked(text, "value=");
}

static void check_names(struct bs_slice body)
{
    struct bs_named_lines names;
    struct bs_named_line line;
    if (!bs_named_lines_begin(&names, body))
        return;
    while (bs_named_lines_next(&names, &line)) {
        bs_check(line.number > 0 && line.number <= 999999999);
        bs_check(line.original.length <= body.length && line.message.length <= body.length);
        (void)bs_named_line_is(line.original, body);
        bs_check(bs_named_line_is(bs_slice_of(line.original.at, 0), body));
    }
    bs_check(names.at <= names.end && names.end == body.at + body.length);
}

static void check_again(const struct bs_delivery *d, const struct bs_delivery_answer *answer,
                        uint64_t now_ms)
{
    uint64_t wait_ms = d->again_ms - now_ms;
    bs_check(d->again_ms >= now_ms && wait_ms <= 600000);
    if (d->state == BS_DELIVERY_REFUSED)
        bs_check(wait_ms == 30000);
    else if (answer->retry_after_s > 0)
        bs_check(wait_ms == 600000 || wait_ms == 1000 * (uint64_t)answer->retry_after_s);
    else
        bs_check(wait_ms <= 60000);
}

static void check_verdict(const struct bs_delivery *d, struct bs_delivery_verdict v, uint32_t lines)
{
    bs_check((v.outcome == BS_DELIVERY_AGAIN) == (d->state != BS_DELIVERY_OK));
    bs_check((v.outcome == BS_DELIVERY_AGAIN) == (d->error[0] != '\0'));
    bs_check(v.expired <= lines && (v.outcome == BS_DELIVERY_EXPIRED || v.expired == 0));
    bs_check(v.outcome != BS_DELIVERY_NAMED || d->api == BS_DELIVERY_V3);
    check_shown(d->error);
    check_shown(d->complaint);
}

/* Sends a transfer of 100 positions after the other, as the verdicts say. */
struct sender {
    struct bs_delivery d;
    uint64_t now_ms, from, delivered;
    uint64_t unknown;                 /* start of the oldest transfer without an end, or NOWHERE */
    uint64_t again_from, again_until; /* what is sent once more */
};

static bool has_no_end(const struct bs_delivery_answer *a)
{
    return (a->http_status == 0 && a->sent) || a->http_status == 502 || a->http_status == 504;
}

static void go_back(struct sender *s)
{
    uint64_t from, due_ms = bs_delivery_go_back_ms(&s->d);
    bool goes = bs_delivery_go_back(&s->d, s->delivered, s->now_ms, &from);
    bs_check(!goes || s->now_ms >= due_ms);
    if (!goes)
        return;
    bs_check(from < s->delivered && from <= s->unknown);
    s->again_from = s->from = from;
    s->again_until = s->delivered;
    s->unknown = BS_DELIVERY_NOWHERE;
}

static void move_on(struct sender *s, uint64_t until)
{
    bs_delivery_pass(&s->d, until);
    s->from = until;
    s->delivered = until > s->delivered ? until : s->delivered;
    if (until >= s->again_until)
        s->again_from = s->again_until = BS_DELIVERY_NOWHERE;
    if (s->unknown != BS_DELIVERY_NOWHERE)
        s->now_ms += 5000; /* two good answers make it due */
    go_back(s);
}

static void take_answer(struct sender *s, const struct bs_delivery_answer *answer, uint32_t lines,
                        uint64_t random)
{
    struct bs_delivery_transfer transfer = {s->from, s->from + 100, lines};
    struct bs_delivery_verdict v = bs_delivery_take(&s->d, answer, transfer, s->now_ms, random);
    check_verdict(&s->d, v, lines);
    if (v.outcome != BS_DELIVERY_AGAIN) {
        move_on(s, transfer.until);
    } else {
        check_again(&s->d, answer, s->now_ms);
        s->now_ms = s->d.again_ms;
        if (has_no_end(answer) && s->from < s->unknown)
            s->unknown = s->from;
    }
    bs_check(bs_delivery_kept_from(&s->d) <= s->unknown);
    bs_check(bs_delivery_kept_from(&s->d) <= s->again_from);
}

static struct bs_slice cut_answer(struct bs_slice *rest)
{
    const char *mark = rest->length ? memmem(rest->at, rest->length, "\n%%\n", 4) : NULL;
    struct bs_slice text = mark ? bs_slice_of(rest->at, (size_t)(mark - rest->at)) : *rest;
    *rest = bs_slice_after(*rest, text.length + 4);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_slice rest = bs_slice_of(data, size);
    struct sender s = {.now_ms = 1000,
                       .unknown = BS_DELIVERY_NOWHERE,
                       .again_from = BS_DELIVERY_NOWHERE,
                       .again_until = BS_DELIVERY_NOWHERE};
    bool begun = false;
    do {
        struct bs_slice text = cut_answer(&rest);
        struct bs_slice first = cut_line(&text);
        uint32_t api = cut_number(&first) % 3;
        if (!begun)
            bs_delivery_init(&s.d, (enum bs_delivery_api)api, BS_DELIVERY_NOWHERE);
        begun = true;
        struct bs_delivery_answer answer = {.http_status = (int)cut_number(&first)};
        uint32_t lines = 1 + cut_number(&first);
        answer.retry_after_s = (int64_t)cut_number(&first) - 1;
        answer.sent = cut_number(&first) % 2;
        answer.error = cut_line(&text);
        answer.body = text;
        take_answer(&s, &answer, lines, size * 0x9e3779b97f4a7c15u);
        check_names(answer.body);
    } while (rest.length > 0);
    return 0;
}
