/* JSON text (RFC 8259), read once from left to right: a cursor that takes one value at a time.
 * Strict: what is not JSON is false, and the cursor is then of no more use.
 * Stricter than the grammar in three places it leaves open: the text is UTF-8, an escaped surrogate
 * has its partner, nothing stands deeper than BS_JSON_DEPTH_MAX.
 * Knows nothing of steps; must never allocate or recurse. */
#ifndef BACKSTEP_CORE_DECODE_JSON_TEXT_H
#define BACKSTEP_CORE_DECODE_JSON_TEXT_H

#include "backstep/base/slice.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>

/* Objects and arrays within each other, the document itself included. */
#define BS_JSON_DEPTH_MAX 64u

struct bs_json {
    const char *at, *end;
};

enum bs_json_type {
    BS_JSON_INTEGER,  /* a number without fraction and exponent */
    BS_JSON_FRACTION, /* any other number, 582.0 and 5e2 too */
    BS_JSON_STRING,
    BS_JSON_TRUE,
    BS_JSON_FALSE,
    BS_JSON_NULL,
    BS_JSON_COMPOUND, /* an object or an array, skipped */
};

/* What stands between the quotes, as written. */
struct bs_json_string {
    struct bs_slice raw;
    bool escaped; /* there is a backslash in it */
};

struct bs_json_value {
    enum bs_json_type type;
    int64_t integer; /* INTEGER: exact up to 18 digits, above INT64_MAX or -INT64_MAX */
    struct bs_json_string string;
};

/* The next code point of a string's content, with its escapes resolved; -1 at the end.
 * For strings that bs_json_string has passed, and only for them. */
int32_t bs_json_next_char(struct bs_json *content);

bool bs_json_string_equal(const struct bs_json_string *a, const struct bs_json_string *b);

/* The string's bytes where they are ASCII and at most `room`; the number of them, else 0. */
size_t bs_json_ascii(const struct bs_json_string *s, char *ret_text, size_t room);

/* The general cases of the two inline readers below. */
bool bs_json_string_rest(struct bs_json *j, const char *first, struct bs_json_string *ret);
bool bs_json_value_any(struct bs_json *j, unsigned depth, struct bs_json_value *ret);

static inline void bs_json_space(struct bs_json *j)
{
    const char *at = j->at;
    while (at < j->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    j->at = at;
}

/* White space, then c: true and behind it where it stands there. */
static inline bool bs_json_take(struct bs_json *j, char c)
{
    bs_json_space(j);
    if (j->at == j->end || *j->at != c)
        return false;
    j->at++;
    return true;
}

#define BS_EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* The high bit of the lowest byte that is a quote, a backslash, a control character or not ASCII;
 * 0 where all eight are plain. (Above the lowest, a borrow may mark a plain byte.) */
static inline uint64_t bs_json_not_plain(uint64_t word)
{
    uint64_t quote = (word ^ BS_EACH_BYTE('"')) - BS_EACH_BYTE(1);
    uint64_t backslash = (word ^ BS_EACH_BYTE('\\')) - BS_EACH_BYTE(1);
    uint64_t control = word - BS_EACH_BYTE(0x20);
    return (quote | backslash | control | word) & BS_EACH_BYTE(0x80);
}

/* The cursor stands on the quote. Nearly all strings are short and plain: those are measured in
 * words. The slow way gets a copy of the cursor, so that the fast one keeps it in registers. */
static inline bool bs_json_string(struct bs_json *j, struct bs_json_string *ret)
{
    const char *first = j->at + 1, *at = first;
    uint64_t word, marks = 0;
    while (j->end - at >= (ptrdiff_t)sizeof word && !marks) {
        memcpy(&word, at, sizeof word);
        marks = bs_json_not_plain(le64toh(word));
        at += marks ? __builtin_ctzll(marks) / 8 : (int)sizeof word;
    }
    if (at < j->end && *at == '"') {
        ret->raw = bs_slice_of(first, (size_t)(at - first));
        ret->escaped = false;
        j->at = at + 1;
        return true;
    }
    struct bs_json rest = {at, j->end};
    bool well_formed = bs_json_string_rest(&rest, first, ret);
    *j = rest;
    return well_formed;
}

/* Any value; `depth` objects and arrays are open around it. White space before it is skipped. */
static inline bool bs_json_value(struct bs_json *j, unsigned depth, struct bs_json_value *ret)
{
    bs_json_space(j);
    /* An integer that is followed by something and short enough not to wrap goes the fast way. */
    const char *at = j->at;
    int64_t integer = 0;
    while (j->end - at > 1 && *at >= '0' && *at <= '9')
        integer = (int64_t)((uint64_t)integer * 10 + (uint64_t)(*at++ - '0'));
    ptrdiff_t count = at - j->at;
    if (count > 0 && count <= 18 && (*at == ',' || *at == '}' || *at == ']') &&
        (count == 1 || *j->at != '0')) {
        ret->type = BS_JSON_INTEGER;
        ret->integer = integer;
        j->at = at;
        return true;
    }
    struct bs_json rest = *j;
    bool well_formed = bs_json_value_any(&rest, depth, ret);
    *j = rest;
    return well_formed;
}

#endif
