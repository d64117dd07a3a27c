/* Any bytes as an answer of the database: "v1 400 12\n" (version, status, lines sent), the text of
 * its error header and a newline, its body. Whatever it says, the verdict fits the state, what is
 * shown of it is short, printable and names nobody, and only lines that were sent are named. */
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

static void check_verdict(const struct bs_delivery *d, struct bs_delivery_verdict v, uint32_t lines)
{
    bs_check((v.outcome == BS_DELIVERY_AGAIN) == (d->state != BS_DELIVERY_OK));
    bs_check((v.outcome == BS_DELIVERY_AGAIN) == (d->error[0] != '\0'));
    bs_check(v.expired <= lines && (v.outcome == BS_DELIVERY_EXPIRED || v.expired == 0));
    bs_check(v.outcome != BS_DELIVERY_NAMED || d->api == BS_DELIVERY_V3);
    bs_check(d->again_ms <= 1000 + 600000);
    check_shown(d->error);
    check_shown(d->complaint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_slice text = bs_slice_of(data, size);
    struct bs_slice first = cut_line(&text);
    struct bs_delivery d;
    bs_delivery_init(&d, (enum bs_delivery_api)(cut_number(&first) % 3), BS_DELIVERY_NOWHERE);
    struct bs_delivery_answer answer = {.http_status = (int)cut_number(&first),
                                        .retry_after_s = (int64_t)size};
    uint32_t lines = 1 + cut_number(&first);
    answer.error = cut_line(&text);
    answer.body = text;
    struct bs_delivery_transfer transfer = {0, 100, lines};
    check_verdict(&d, bs_delivery_take(&d, &answer, transfer, 1000, size), lines);
    check_names(answer.body);
    return 0;
}
