/* The JSON cursor. Must never read behind the end, whatever stands there. */
#include "decode_json_text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hex digits, or -1. */
static int32_t hex_unit(struct bs_json *j)
{
    if (j->end - j->at < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(*j->at++);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static bool is_high(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Behind \u: the code point of one unit or of a pair; -1 where it is neither. */
static int32_t unicode_escape(struct bs_json *j)
{
    int32_t unit = hex_unit(j);
    if (!is_high(unit))
        return is_low(unit) ? -1 : unit;
    if (j->end - j->at < 2 || j->at[0] != '\\' || j->at[1] != 'u')
        return -1;
    j->at += 2;
    int32_t low = hex_unit(j);
    return is_low(low) ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : -1;
}

/* Behind a backslash: the code point that stands for; -1 where there is no such escape. */
static int32_t escape(struct bs_json *j)
{
    if (j->at == j->end)
        return -1;
    switch (*j->at++) {
    case '"':
        return '"';
    case '\\':
        return '\\';
    case '/':
        return '/';
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        return unicode_escape(j);
    default:
        return -1;
    }
}

bool bs_json_string_rest(struct bs_json *j, const char *first, struct bs_json_string *ret)
{
    unsigned char all = 0;
    ret->escaped = false;
    for (;;) {
        if (j->at == j->end)
            return false;
        unsigned char c = (unsigned char)*j->at;
        if (c == '"')
            break;
        if (c < 0x20)
            return false;
        all |= c;
        j->at++;
        if (c == '\\') {
            ret->escaped = true;
            if (escape(j) < 0)
                return false;
        }
    }
    ret->raw = bs_slice_of(first, (size_t)(j->at - first));
    j->at++;
    return all < 0x80 || bs_slice_is_utf8(ret->raw);
}

static bool digits(struct bs_json *j)
{
    const char *first = j->at;
    while (j->at < j->end && is_digit(*j->at))
        j->at++;
    return j->at > first;
}

static bool fraction_and_exponent(struct bs_json *j)
{
    if (*j->at == '.') {
        j->at++;
        if (!digits(j))
            return false;
    }
    if (j->at < j->end && (*j->at == 'e' || *j->at == 'E')) {
        j->at++;
        if (j->at < j->end && (*j->at == '+' || *j->at == '-'))
            j->at++;
        return digits(j);
    }
    return true;
}

static inline bool number(struct bs_json *j, struct bs_json_value *ret)
{
    const char *at = j->at, *end = j->end;
    bool negative = *at == '-';
    at += negative;
    const char *first = at;
    uint64_t magnitude = 0;
    for (; at < end && is_digit(*at); at++)
        magnitude = magnitude * 10 + (uint64_t)(*at - '0');
    size_t count = (size_t)(at - first);
    j->at = at;
    if (count == 0 || (*first == '0' && count > 1))
        return false;
    /* Beyond 18 digits the sum may have wrapped; no range of ours reaches that far. */
    int64_t bounded = count > 18 ? INT64_MAX : (int64_t)magnitude;
    ret->integer = negative ? -bounded : bounded;
    ret->type = BS_JSON_INTEGER;
    if (at == end || (*at != '.' && *at != 'e' && *at != 'E'))
        return true;
    ret->type = BS_JSON_FRACTION;
    return fraction_and_exponent(j);
}

static bool literal(struct bs_json *j, struct bs_slice word, enum bs_json_type type,
                    struct bs_json_value *ret)
{
    if (!bs_slice_starts(bs_slice_of(j->at, (size_t)(j->end - j->at)), word))
        return false;
    j->at += word.length;
    ret->type = type;
    return true;
}

static bool is_compound(char c)
{
    return c == '{' || c == '[';
}

/* Anything but an object or an array; the cursor stands on its first byte. */
static inline __attribute__((always_inline)) bool scalar(struct bs_json *j,
                                                         struct bs_json_value *ret)
{
    char c = *j->at;
    if (is_digit(c) || c == '-')
        return number(j, ret);
    if (c == '"') {
        ret->type = BS_JSON_STRING;
        return bs_json_string(j, &ret->string);
    }
    if (c == 'n')
        return literal(j, BS_SLICE("null"), BS_JSON_NULL, ret);
    if (c == 't')
        return literal(j, BS_SLICE("true"), BS_JSON_TRUE, ret);
    return literal(j, BS_SLICE("false"), BS_JSON_FALSE, ret);
}

/* What is open around the cursor while a compound value is skipped: one bit a level, the innermost
 * lowest, set for an object. */
struct nest {
    uint64_t objects;
    unsigned open, open_max;
};

static bool name_and_colon(struct bs_json *j)
{
    struct bs_json_string name;
    bs_json_space(j);
    return j->at < j->end && *j->at == '"' && bs_json_string(j, &name) && bs_json_take(j, ':');
}

/* Opens the object or array the cursor stands on, up to where its first value begins.
 * *ret_closed: it was empty and is closed again. */
static bool enter(struct bs_json *j, struct nest *n, bool *ret_closed)
{
    bool object = *j->at++ == '{';
    *ret_closed = bs_json_take(j, object ? '}' : ']');
    if (n->open == n->open_max)
        return false;
    if (*ret_closed)
        return true;
    n->open++;
    n->objects = n->objects << 1 | object;
    return !object || name_and_colon(j);
}

/* Behind a value: closes what ends there, up to where the next value begins. */
static bool leave(struct bs_json *j, struct nest *n)
{
    while (n->open > 0) {
        bool object = n->objects & 1;
        if (bs_json_take(j, ','))
            return !object || name_and_colon(j);
        if (!bs_json_take(j, object ? '}' : ']'))
            return false;
        n->open--;
        n->objects >>= 1;
    }
    return true;
}

static bool skip_compound(struct bs_json *j, unsigned depth)
{
    struct nest n = {.open_max = depth < BS_JSON_DEPTH_MAX ? BS_JSON_DEPTH_MAX - depth : 0};
    struct bs_json_value ignored;
    do {
        bool whole = true;
        bs_json_space(j);
        if (j->at == j->end)
            return false;
        if (is_compound(*j->at) ? !enter(j, &n, &whole) : !scalar(j, &ignored))
            return false;
        if (whole && !leave(j, &n))
            return false;
    } while (n.open > 0);
    return true;
}

bool bs_json_value_any(struct bs_json *j, unsigned depth, struct bs_json_value *ret)
{
    if (j->at == j->end)
        return false;
    if (!is_compound(*j->at))
        return scalar(j, ret);
    ret->type = BS_JSON_COMPOUND;
    return skip_compound(j, depth);
}

int32_t bs_json_next_char(struct bs_json *content)
{
    if (content->at == content->end)
        return -1;
    unsigned char lead = (unsigned char)*content->at++;
    if (lead == '\\')
        return escape(content);
    if (lead < 0x80)
        return lead;
    int following = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    int32_t point = lead & (0x3f >> following);
    for (int i = 0; i < following; i++)
        point = point << 6 | (*content->at++ & 0x3f);
    return point;
}

static struct bs_json content_of(const struct bs_json_string *s)
{
    return (struct bs_json){s->raw.at, s->raw.at + s->raw.length};
}

bool bs_json_string_equal(const struct bs_json_string *a, const struct bs_json_string *b)
{
    if (!a->escaped && !b->escaped)
        return bs_slice_equal(a->raw, b->raw);
    struct bs_json x = content_of(a), y = content_of(b);
    int32_t c;
    do {
        c = bs_json_next_char(&x);
        if (c != bs_json_next_char(&y))
            return false;
    } while (c >= 0);
    return true;
}

size_t bs_json_ascii(const struct bs_json_string *s, char *ret_text, size_t room)
{
    struct bs_json content = content_of(s);
    size_t length = 0;
    for (int32_t c; (c = bs_json_next_char(&content)) >= 0; length++) {
        if (c > 0x7f || length == room)
            return 0;
        ret_text[length] = (char)c;
    }
    return length;
}
