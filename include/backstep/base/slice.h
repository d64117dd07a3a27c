/* Text and bytes that belong to somebody else: a pointer and a length, never a terminating zero. */
#ifndef BACKSTEP_BASE_SLICE_H
#define BACKSTEP_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bs_slice {
    const char *at;
    size_t length;
};

#define BS_SLICE(literal) ((struct bs_slice){(literal), sizeof(literal) - 1})

static inline struct bs_slice bs_slice_of(const void *at, size_t length)
{
    return (struct bs_slice){at, length};
}

/* The slice of a zero-terminated string of ours (a table's name, an option): never of input. */
static inline struct bs_slice bs_slice_text(const char *text)
{
    return (struct bs_slice){text, strlen(text)};
}

static inline bool bs_slice_equal(struct bs_slice a, struct bs_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

/* Orders by bytes, a beginning before what it begins: < 0, 0, > 0. */
int bs_slice_compare(struct bs_slice a, struct bs_slice b);

static inline bool bs_slice_starts(struct bs_slice s, struct bs_slice prefix)
{
    return s.length >= prefix.length && memcmp(s.at, prefix.at, prefix.length) == 0;
}

/* What is left of s behind its first `count` bytes (all of it gone where it is shorter). */
static inline struct bs_slice bs_slice_after(struct bs_slice s, size_t count)
{
    return count >= s.length ? (struct bs_slice){s.at + s.length, 0}
                             : (struct bs_slice){s.at + count, s.length - count};
}

/* True where s is valid UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF). */
bool bs_slice_is_utf8(struct bs_slice s);

/* The first character of what is not empty, and of how many bytes it is; 1 and ret_code_point 0
 * where no well-formed sequence begins there. */
size_t bs_slice_character(struct bs_slice s, uint32_t *ret_code_point);

/* True where s matches [A-Za-z0-9_-]{1,64}: the names that stand in topics. */
bool bs_slice_is_id(struct bs_slice s);

#define BS_ID_MAX 64

#endif
