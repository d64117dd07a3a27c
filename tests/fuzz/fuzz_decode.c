/* Any bytes as a step message: one of the four results, and a decoded message within its bounds.
 * White space around a JSON message changes nothing. */
#include "backstep/base/check.h"
#include "backstep/core/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_step(const struct bs_step *s)
{
    bs_check(s->foot <= BS_FOOT_RIGHT);
    bs_check(s->direction < BS_DIRECTION_COUNT);
    bs_check(s->known >> BS_FIELD_COUNT == 0);
    bs_check(s->time_ms >= -BS_TIME_ABS_MAX && s->time_ms <= BS_TIME_ABS_MAX);
    for (int f = 0; f < BS_FIELD_COUNT; f++)
        bs_check(s->value[f] == 0 ||
                 (bs_step_has(s, (enum bs_field)f) && s->value[f] >= bs_field_ranges[f].min &&
                  s->value[f] <= bs_field_ranges[f].max));
}

static void check_message(const struct bs_message *m)
{
    bs_check(m->count >= 1 && m->count <= BS_MESSAGE_STEPS_MAX);
    bs_check(m->unknown_keys <= 1);
    bs_check(m->field_out_of_range <= m->count * (BS_FIELD_COUNT + 2) + 1);
    for (size_t i = 0; i < m->count; i++) {
        check_step(&m->steps[i]);
        if (i == 0)
            continue;
        int64_t gap = m->steps[i].time_ms - m->steps[i - 1].time_ms;
        bs_check(gap >= 0 && gap <= BS_BATCH_STEP_GAP_MAX);
        bs_check(m->steps[i].seq == m->steps[i - 1].seq + 1);
    }
}

static void check_same(const struct bs_message *a, const struct bs_message *b)
{
    bs_check(a->count == b->count && a->boot == b->boot && a->uses_up == b->uses_up &&
             a->stored == b->stored && a->unknown_keys == b->unknown_keys &&
             a->field_out_of_range == b->field_out_of_range);
    for (size_t i = 0; i < a->count; i++) {
        const struct bs_step *s = &a->steps[i], *t = &b->steps[i];
        bs_check(s->time_ms == t->time_ms && s->seq == t->seq && s->foot == t->foot &&
                 s->direction == t->direction && s->known == t->known);
        bs_check(memcmp(s->value, t->value, sizeof s->value) == 0);
    }
}

/* The same text two bytes longer, in memory of exactly that size. */
static enum bs_decode_result decode_spaced(const uint8_t *data, size_t size, struct bs_message *ret)
{
    char *text = malloc(size + 2);
    bs_check(text);
    text[0] = ' ';
    memcpy(text + 1, data, size);
    text[size + 1] = '\n';
    enum bs_decode_result result = bs_decode(bs_slice_of(text, size + 2), ret);
    free(text);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bs_message message, spaced;
    enum bs_decode_result result = bs_decode(bs_slice_of(data, size), &message);
    bs_check(result <= BS_DECODE_SCHEMA);
    if (result == BS_DECODED)
        check_message(&message);
    bool binary = size >= 2 && data[0] == 'B' && data[1] == 'S';
    if (binary || size + 2 > BS_MESSAGE_BYTES_MAX)
        return 0;
    bs_check(decode_spaced(data, size, &spaced) == result);
    if (result == BS_DECODED)
        check_same(&spaced, &message);
    return 0;
}
