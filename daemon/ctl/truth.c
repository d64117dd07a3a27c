/* Sums of what was sent, and their JSON. Must never count what was only planned. */
#include "truth.h"

#include <stdlib.h>

static const char letters[BS_DIRECTION_COUNT] = {
#define DIRECTION_LETTER(name, letter) letter,
    BS_DIRECTIONS(DIRECTION_LETTER)
#undef DIRECTION_LETTER
};

enum bs_status bs_truth_init(struct bs_truth *t, size_t wearable_count)
{
    *t = (struct bs_truth){.wearable_count = wearable_count};
    t->sums = calloc(wearable_count ? wearable_count : 1, sizeof *t->sums);
    return t->sums ? BS_OK : BS_NO_MEMORY;
}

void bs_truth_fini(struct bs_truth *t)
{
    free(t->sums);
    *t = (struct bs_truth){0};
}

void bs_truth_add(struct bs_truth *t, size_t wearable, const struct bs_event *event)
{
    struct bs_truth_sum *sum = &t->sums[wearable][event->direction];
    t->steps++;
    sum->steps++;
    if (bs_event_has(event, BS_FIELD_STEP_MS))
        sum->step_time_ms += event->value[BS_FIELD_STEP_MS];
    if (bs_event_has(event, BS_FIELD_STEP_MM))
        sum->step_length_mm += event->value[BS_FIELD_STEP_MM];
}

void bs_truth_write_counts(const struct bs_truth *t, struct bs_buffer *ret)
{
    bs_buffer_add_format(ret, "\"messages\":%llu,\"steps\":%llu,\"duplicates\":%llu",
                         (unsigned long long)t->messages, (unsigned long long)t->steps,
                         (unsigned long long)t->duplicates);
}

static void write_wearable(const struct bs_truth_sum sums[BS_DIRECTION_COUNT],
                           struct bs_buffer *ret)
{
    const char *comma = "";
    bs_buffer_add_char(ret, '{');
    for (int d = 0; d < BS_DIRECTION_COUNT; d++) {
        if (sums[d].steps == 0)
            continue;
        bs_buffer_add_format(
            ret, "%s\"%c\":{\"steps\":%llu,\"step_time_ms_sum\":%lld,\"step_length_mm_sum\":%lld}",
            comma, letters[d], (unsigned long long)sums[d].steps, (long long)sums[d].step_time_ms,
            (long long)sums[d].step_length_mm);
        comma = ",";
    }
    bs_buffer_add_char(ret, '}');
}

void bs_truth_write_sent(const struct bs_truth *t, const struct bs_wearable *wearables,
                         struct bs_buffer *ret)
{
    bs_buffer_add_text(ret, "\"sent\":{");
    for (size_t i = 0; i < t->wearable_count; i++) {
        bs_buffer_add_format(ret, "%s\"%s\":", i == 0 ? "" : ",\n  ", wearables[i].id);
        write_wearable(t->sums[i], ret);
    }
    bs_buffer_add_char(ret, '}');
}
