/* Reads the list of bad lines out of an answer of InfluxDB 3. A reader of its own, because the body
 * may be cut off, which no parser of whole documents takes. Must never read behind the body. */
#include "backstep/core/named_lines.h"

#include <string.h>

static bool take(struct bs_named_lines *n, char c)
{
    while (n->at < n->end && (*n->at == ' ' || *n->at == '\n' || *n->at == '\r' || *n->at == '\t'))
        n->at++;
    if (n->at == n->end || *n->at != c)
        return false;
    n->at++;
    return true;
}

static bool read_text(struct bs_named_lines *n, struct bs_slice *ret)
{
    if (!take(n, '"'))
        return false;
    const char *begin = n->at;
    while (n->at < n->end && *n->at != '"')
        n->at += *n->at == '\\' && n->at + 1 < n->end ? 2 : 1;
    if (n->at >= n->end)
        return false;
    *ret = bs_slice_of(begin, (size_t)(n->at - begin));
    n->at++;
    return true;
}

/* Any value: texts count as wholes, brackets are counted, the rest is what stands up to a comma. */
static bool skip_value(struct bs_named_lines *n)
{
    unsigned depth = 0;
    while (n->at < n->end) {
        struct bs_slice text;
        char c = *n->at;
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return true;
        if (c == '"') {
            if (!read_text(n, &text))
                return false;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        n->at++;
    }
    return false;
}

bool bs_named_lines_begin(struct bs_named_lines *n, struct bs_slice body)
{
    *n = (struct bs_named_lines){.at = body.at, .end = body.at + body.length};
    struct bs_slice key;
    if (body.length == 0 || !take(n, '{'))
        return false;
    do {
        if (!read_text(n, &key) || !take(n, ':'))
            return false;
        if (bs_slice_equal(key, BS_SLICE("data")))
            return take(n, '[');
    } while (skip_value(n) && take(n, ','));
    return false;
}

static bool read_number(struct bs_named_lines *n, uint32_t *ret)
{
    uint32_t value = 0;
    const char *begin = n->at;
    for (; n->at < n->end && *n->at >= '0' && *n->at <= '9'; n->at++) {
        if (n->at - begin == 9)
            return false;
        value = value * 10 + (uint32_t)(*n->at - '0');
    }
    *ret = value;
    return n->at > begin && n->at < n->end;
}

static bool read_member(struct bs_named_lines *n, struct bs_named_line *line)
{
    struct bs_slice key;
    if (!read_text(n, &key) || !take(n, ':'))
        return false;
    while (n->at < n->end && *n->at == ' ')
        n->at++;
    if (bs_slice_equal(key, BS_SLICE("line_number")))
        return read_number(n, &line->number);
    if (n->at < n->end && *n->at == '"') {
        struct bs_slice text;
        if (!read_text(n, &text))
            return false;
        if (bs_slice_equal(key, BS_SLICE("error_message")))
            line->message = text;
        if (bs_slice_equal(key, BS_SLICE("original_line")))
            line->original = text;
        return true;
    }
    return skip_value(n);
}

bool bs_named_lines_next(struct bs_named_lines *n, struct bs_named_line *ret)
{
    struct bs_named_line line = {0};
    if (n->whole)
        return false;
    if (take(n, ']')) {
        n->whole = true;
        return false;
    }
    take(n, ',');
    if (!take(n, '{'))
        return false;
    do {
        if (!read_member(n, &line))
            return false;
    } while (take(n, ','));
    if (!take(n, '}') || line.number == 0)
        return false;
    *ret = line;
    return true;
}

/* Comparing ---------------------------------------------------------------------------------- */

static size_t encode(uint32_t c, char ret[4])
{
    if (c < 0x80) {
        ret[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        ret[0] = (char)(0xc0 | c >> 6);
        ret[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    ret[0] = (char)(0xe0 | c >> 12);
    ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
    ret[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

/* The bytes that one escape stands for; 0 where it is none, or half of a surrogate pair, which no
 * server that quotes UTF-8 has a need of. */
static size_t unescape(struct bs_slice text, size_t *ret_used, char ret[4])
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name = text.length > 1 && text.at[1] ? strchr(names, text.at[1]) : NULL;
    *ret_used = 2;
    if (name) {
        ret[0] = values[name - names];
        return 1;
    }
    if (text.length < 6 || text.at[1] != 'u')
        return 0;
    uint32_t c = 0;
    for (size_t i = 2; i < 6; i++) {
        static const char digits[] = "0123456789abcdef";
        char lower = (char)(text.at[i] | 0x20);
        const char *digit = text.at[i] > 0x20 ? strchr(digits, lower) : NULL;
        if (!digit)
            return 0;
        c = c * 16 + (uint32_t)(digit - digits);
    }
    *ret_used = 6;
    return c >= 0xd800 && c < 0xe000 ? 0 : encode(c, ret);
}

bool bs_named_line_is(struct bs_slice text, struct bs_slice line)
{
    while (text.length > 0) {
        char plain[4] = {text.at[0]};
        size_t used = 1, bytes = 1;
        if (text.at[0] == '\\')
            bytes = unescape(text, &used, plain);
        if (bytes == 0 || !bs_slice_starts(line, bs_slice_of(plain, bytes)))
            return false;
        text = bs_slice_after(text, used);
        line = bs_slice_after(line, bytes);
    }
    return true;
}
