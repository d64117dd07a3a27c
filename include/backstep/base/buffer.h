/* A growing text buffer with a maximum. Once an append does not fit (or memory is out) it has
 * `failed`, keeps what it held before and ignores what follows, so that a writer checks once. */
#ifndef BACKSTEP_BASE_BUFFER_H
#define BACKSTEP_BASE_BUFFER_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bs_buffer {
    char *at;
    size_t length, capacity, max;
    bool failed;
};

/* No memory is taken before the first append. `max` is the most bytes it may ever hold. */
void bs_buffer_init(struct bs_buffer *b, size_t max);
void bs_buffer_fini(struct bs_buffer *b);

/* Empties it and clears `failed`; the memory is kept for the next use. */
void bs_buffer_reset(struct bs_buffer *b);

/* Room for `length` more bytes behind the content, to be filled by the caller, who then adds what
 * was used to b->length; NULL (and `failed`) where they do not fit. */
char *bs_buffer_room(struct bs_buffer *b, size_t length);

/* bs_buffer_add where there is no room yet, or nothing to add. */
void bs_buffer_add_growing(struct bs_buffer *b, struct bs_slice s);

static inline void bs_buffer_add(struct bs_buffer *b, struct bs_slice s)
{
    if (b->failed || s.length == 0 || s.length > b->capacity - b->length) {
        bs_buffer_add_growing(b, s);
        return;
    }
    memcpy(b->at + b->length, s.at, s.length);
    b->length += s.length;
}

static inline void bs_buffer_add_char(struct bs_buffer *b, char c)
{
    bs_buffer_add(b, bs_slice_of(&c, 1));
}

void bs_buffer_add_text(struct bs_buffer *b, const char *text);
void bs_buffer_add_u64(struct bs_buffer *b, uint64_t value);
void bs_buffer_add_i64(struct bs_buffer *b, int64_t value);
/* value / 10^decimals with all of its decimals, at most 18: (982, 1) is 98.2. */
void bs_buffer_add_decimal(struct bs_buffer *b, int64_t value, unsigned decimals);
void bs_buffer_add_format(struct bs_buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* s as a JSON string with its quotes; s must be UTF-8, control characters are escaped. */
void bs_buffer_add_json_string(struct bs_buffer *b, struct bs_slice s);

/* `at` as 2026-11-24T17:59:58.120Z. */
void bs_buffer_add_iso_time(struct bs_buffer *b, int64_t wall_ms);

static inline struct bs_slice bs_buffer_slice(const struct bs_buffer *b)
{
    return (struct bs_slice){b->at, b->length};
}

#endif
