/* The growing text buffer. Must never hold more than its maximum, nor write behind its memory. */
#include "backstep/base/buffer.h"

#include "backstep/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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

void bs_buffer_add_growing(struct bs_buffer *b, struct bs_slice s)
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

void bs_buffer_add_decimal(struct bs_buffer *b, int64_t value, unsigned decimals)
{
    char digits[20]; /* of 19 and a point */
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    bs_check(decimals <= 18);
    for (unsigned i = 0; i <= decimals || rest; i++) {
        if (i == decimals && i > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (value < 0)
        bs_buffer_add_char(b, '-');
    bs_buffer_add(b, bs_slice_of(digits + at, sizeof digits - at));
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

static bool is_escaped(char c)
{
    unsigned char u = (unsigned char)c;
    return c == '"' || c == '\\' || u < 0x20 || u == 0x7f;
}

static void add_escaped(struct bs_buffer *b, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char u = (unsigned char)c;
    char escaped[6] = {'\\', 'u', '0', '0', hex[u >> 4], hex[u & 15]};
    bool is_short = c == '"' || c == '\\';
    if (is_short)
        escaped[1] = c;
    bs_buffer_add(b, bs_slice_of(escaped, is_short ? 2 : 6));
}

void bs_buffer_add_json_string(struct bs_buffer *b, struct bs_slice s)
{
    bs_buffer_add_char(b, '"');
    for (size_t i = 0, plain; i < s.length; i++) {
        for (plain = i; i < s.length && !is_escaped(s.at[i]);)
            i++;
        bs_buffer_add(b, bs_slice_of(s.at + plain, i - plain));
        if (i < s.length)
            add_escaped(b, s.at[i]);
    }
    bs_buffer_add_char(b, '"');
}

struct date {
    int64_t year;
    int month, day;
};

/* By hand, for gmtime_r reads the environment and a time zone file. Years are counted from the
 * first of March, so that the leap day is the last: of 400, 100, 4 and 1 years in turn. */
static struct date date_of_days(int64_t days)
{
    enum { PER_400 = 146097, PER_100 = 36524, PER_4 = 1461, PER_1 = 365, TO_1970 = 719468 };
    days += TO_1970;
    int64_t cycles = (days >= 0 ? days : days - PER_400 + 1) / PER_400;
    int rest = (int)(days - cycles * PER_400);
    int hundreds = rest / PER_100 < 3 ? rest / PER_100 : 3;
    rest -= hundreds * PER_100;
    int fours = rest / PER_4;
    rest -= fours * PER_4;
    int ones = rest / PER_1 < 3 ? rest / PER_1 : 3;
    rest -= ones * PER_1;
    int month = (5 * rest + 2) / 153; /* 0 = March; five months have 153 days */
    struct date date = {
        .year = cycles * 400 + hundreds * 100 + fours * 4 + ones + (month >= 10),
        .month = month >= 10 ? month - 9 : month + 3,
        .day = rest - (153 * month + 2) / 5 + 1,
    };
    return date;
}

void bs_buffer_add_iso_time(struct bs_buffer *b, int64_t wall_ms)
{
    enum { DAY_MS = 86400000 };
    int64_t days = wall_ms / DAY_MS - (wall_ms % DAY_MS < 0);
    int ms = (int)(wall_ms - days * DAY_MS);
    struct date date = date_of_days(days);
    bs_buffer_add_format(b, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)date.year,
                         date.month, date.day, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
                         ms % 1000);
}
