/* The growing text buffer. Must never hold more than its maximum, nor write behind its memory. */
#include "backstep/base/buffer.h"

#include "backstep/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void bs_buffer_init(struct bs_buffer *b, size_t max)
{
    *b = (struct bs_buffer){.max = max};
}

void bs_buffer_fini(struct bs_buffer *b)
{
    free(b->at);
    *b = (struct bs_buffer){.max = b->max};
}

void bs_buffer_reset(struct bs_buffer *b)
{
    b->length = 0;
    b->failed = false;
}

static bool grow(struct bs_buffer *b, size_t needed)
{
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > b->max)
        capacity = b->max;
    char *at = realloc(b->at, capacity);
    if (!at)
        return false;
    b->at = at;
    b->capacity = capacity;
    return true;
}

char *bs_buffer_room(struct bs_buffer *b, size_t length)
{
    bs_check(b->length <= b->max);
    if (b->failed)
        return NULL;
    if (length > b->max - b->length ||
        (b->length + length > b->capacity && !grow(b, b->length + length))) {
        b->failed = true;
        return NULL;
    }
    return b->at + b->length;
}

void bs_buffer_add(struct bs_buffer *b, struct bs_slice s)
{
    if (s.length == 0)
        return;
    char *room = bs_buffer_room(b, s.length);
    if (!room)
        return;
    memcpy(room, s.at, s.length);
    b->length += s.length;
}

void bs_buffer_add_text(struct bs_buffer *b, const char *text)
{
    bs_buffer_add(b, bs_slice_text(text));
}

void bs_buffer_add_char(struct bs_buffer *b, char c)
{
    bs_buffer_add(b, bs_slice_of(&c, 1));
}

void bs_buffer_add_u64(struct bs_buffer *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    bs_buffer_add(b, bs_slice_of(digits + at, sizeof digits - at));
}

void bs_buffer_add_i64(struct bs_buffer *b, int64_t value)
{
    if (value < 0)
        bs_buffer_add_char(b, '-');
    bs_buffer_add_u64(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void bs_buffer_add_format(struct bs_buffer *b, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bs_check(length >= 0);
    if ((size_t)length >= sizeof text) {
        b->failed = true;
        return;
    }
    bs_buffer_add(b, bs_slice_of(text, (size_t)length));
}

static void add_json_char(struct bs_buffer *b, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char u = (unsigned char)c;
    if (c == '"' || c == '\\') {
        char escaped[2] = {'\\', c};
        bs_buffer_add(b, bs_slice_of(escaped, 2));
    } else if (u < 0x20 || u == 0x7f) {
        char escaped[6] = {'\\', 'u', '0', '0', hex[u >> 4], hex[u & 15]};
        bs_buffer_add(b, bs_slice_of(escaped, 6));
    } else {
        bs_buffer_add_char(b, c);
    }
}

void bs_buffer_add_json_string(struct bs_buffer *b, struct bs_slice s)
{
    bs_buffer_add_char(b, '"');
    for (size_t i = 0; i < s.length; i++)
        add_json_char(b, s.at[i]);
    bs_buffer_add_char(b, '"');
}

void bs_buffer_add_iso_time(struct bs_buffer *b, int64_t wall_ms)
{
    int64_t part = wall_ms % 1000;
    int64_t seconds = wall_ms / 1000;
    if (part < 0) {
        part += 1000;
        seconds -= 1;
    }
    time_t t = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&t, &utc)) {
        b->failed = true;
        return;
    }
    bs_buffer_add_format(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                         utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                         (int)part);
}
