/* The books' names and their JSON form. Must never leave a reason out: dashboards count on zeros.
 */
#include "backstep/core/books.h"

#include <stdio.h>

static const char *const message_reasons[] = {
#define BS_REASON_NAME(name, text) [BS_MESSAGE_##name] = text,
    BS_MESSAGE_REASONS(BS_REASON_NAME)
#undef BS_REASON_NAME
};

static const char *const step_reasons[] = {
#define BS_REASON_NAME(name, text) [BS_STEP_##name] = text,
    BS_STEP_REASONS(BS_REASON_NAME)
#undef BS_REASON_NAME
};

const char *bs_message_reason_name(enum bs_message_reason reason)
{
    return message_reasons[reason];
}

const char *bs_step_reason_name(enum bs_step_reason reason)
{
    return step_reasons[reason];
}

static uint64_t sum(const uint64_t *counts, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += counts[i];
    return total;
}

bool bs_books_balance(const struct bs_books *b)
{
    return b->messages_received ==
               b->messages_parsed + sum(b->messages_rejected, BS_MESSAGE_REASON_COUNT) &&
           b->steps_received ==
               b->steps_counted + b->steps_fused + sum(b->steps_rejected, BS_STEP_REASON_COUNT);
}

static void each_reason(const char *what, const char *const *reasons, const uint64_t *counts,
                        size_t count, void (*take)(void *, const char *, uint64_t), void *context)
{
    char name[64];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s_%s", what, reasons[i]);
        take(context, name, counts[i]);
    }
}

void bs_books_each(const struct bs_books *b,
                   void (*take)(void *context, const char *name, uint64_t value), void *context)
{
#define BS_BOOKS_TAKE(name, sentence) take(context, #name, b->name);
    BS_BOOKS_COUNTERS(BS_BOOKS_TAKE)
#undef BS_BOOKS_TAKE
    each_reason("messages_rejected", message_reasons, b->messages_rejected, BS_MESSAGE_REASON_COUNT,
                take, context);
    each_reason("steps_rejected", step_reasons, b->steps_rejected, BS_STEP_REASON_COUNT, take,
                context);
}

static void add_counter(struct bs_buffer *out, const char *name, uint64_t value)
{
    bs_buffer_add_char(out, '"');
    bs_buffer_add_text(out, name);
    bs_buffer_add_text(out, "\":");
    bs_buffer_add_u64(out, value);
    bs_buffer_add_char(out, ',');
}

static void add_reasons(struct bs_buffer *out, const char *name, const char *const *reasons,
                        const uint64_t *counts, size_t count)
{
    bs_buffer_add_format(out, "\"%s\":{", name);
    for (size_t i = 0; i < count; i++)
        bs_buffer_add_format(out, "%s\"%s\":%llu", i ? "," : "", reasons[i],
                             (unsigned long long)counts[i]);
    bs_buffer_add_char(out, '}');
}

void bs_books_write(const struct bs_books *b, struct bs_buffer *out)
{
    bs_buffer_add_char(out, '{');
#define BS_BOOKS_ADD(name, sentence) add_counter(out, #name, b->name);
    BS_BOOKS_COUNTERS(BS_BOOKS_ADD)
#undef BS_BOOKS_ADD
    add_reasons(out, "messages_rejected", message_reasons, b->messages_rejected,
                BS_MESSAGE_REASON_COUNT);
    bs_buffer_add_char(out, ',');
    add_reasons(out, "steps_rejected", step_reasons, b->steps_rejected, BS_STEP_REASON_COUNT);
    bs_buffer_add_char(out, '}');
}
