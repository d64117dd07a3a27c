/* JSON's grammar, to the letter. cJSON takes more than RFC 8259 does (numbers such as 01, control
 * characters in texts, bytes behind the end) and cuts a text at \u0000, so every payload passes
 * here first. Builds nothing, allocates nothing; must never read behind the text. */
#include "document_parts.h"

#include <string.h>

/* cJSON copies a number into 64 bytes and would read a longer one in part. */
#define NUMBER_CHARACTERS_MAX 40

struct scan {
    const char *begin, *at, *end;
    unsigned depth;
    const char *why;
};

static bool scan_value(struct scan *s);

static bool fail(struct scan *s, const char *why)
{
    s->why = why;
    return false;
}

/* The next byte, or -1 at the end. */
static int peek(const struct scan *s)
{
    return s->at < s->end ? (unsigned char)*s->at : -1;
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != (unsigned char)c)
        return false;
    s->at++;
    return true;
}

static void skip_space(struct scan *s)
{
    while (take(s, ' ') || take(s, '\n') || take(s, '\t') || take(s, '\r'))
        ;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool scan_digits(struct scan *s)
{
    if (!is_digit(peek(s)))
        return fail(s, "a digit is missing");
    while (is_digit(peek(s)))
        s->at++;
    return true;
}

static bool scan_number(struct scan *s)
{
    const char *begin = s->at;
    take(s, '-');
    if (take(s, '0')) {
        if (is_digit(peek(s)))
            return fail(s, "a number must not begin with 0");
    } else if (!scan_digits(s)) {
        return false;
    }
    if (take(s, '.') && !scan_digits(s))
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        if (!scan_digits(s))
            return false;
    }
    if (s->at - begin > NUMBER_CHARACTERS_MAX)
        return fail(s, "a number of more than 40 characters");
    return true;
}

static int hex_value(int c)
{
    if (is_digit(c))
        return c - '0';
    int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 where they are not. */
static int scan_hex(struct scan *s)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(peek(s));
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
        s->at++;
    }
    return value;
}

static bool scan_unicode_escape(struct scan *s)
{
    int unit = scan_hex(s);
    if (unit < 0)
        return fail(s, "\\u needs four hexadecimal digits");
    if (unit == 0)
        return fail(s, "a text with U+0000");
    if (unit >= 0xdc00 && unit <= 0xdfff)
        return fail(s, "half of a surrogate pair");
    if (unit < 0xd800 || unit > 0xdbff)
        return true;
    int low = take(s, '\\') && take(s, 'u') ? scan_hex(s) : -1;
    return (low >= 0xdc00 && low <= 0xdfff) || fail(s, "half of a surrogate pair");
}

static bool scan_escape(struct scan *s)
{
    if (take(s, 'u'))
        return scan_unicode_escape(s);
    int c = peek(s);
    if (c <= 0 || !strchr("\"\\/bfnrt", c))
        return fail(s, "an escape that JSON does not have");
    s->at++;
    return true;
}

static bool scan_text(struct scan *s)
{
    if (!take(s, '"'))
        return fail(s, "a text in double quotes is missing");
    while (!take(s, '"')) {
        int c = peek(s);
        if (c < 0)
            return fail(s, "a text without its end");
        if (c < 0x20)
            return fail(s, "a control character in a text");
        s->at++;
        if (c == '\\' && !scan_escape(s))
            return false;
    }
    return true;
}

static bool scan_member(struct scan *s)
{
    skip_space(s);
    if (!scan_text(s))
        return false;
    skip_space(s);
    return take(s, ':') ? scan_value(s) : fail(s, "a colon is missing");
}

/* What stands between { and }, or [ and ]. */
static bool scan_list(struct scan *s, char close, bool (*scan_item)(struct scan *s))
{
    if (++s->depth > BS_DOCUMENT_DEPTH_MAX)
        return fail(s, "nested deeper than 32 levels");
    skip_space(s);
    if (!take(s, close)) {
        do {
            if (!scan_item(s))
                return false;
        } while (take(s, ','));
        if (!take(s, close))
            return fail(s, close == '}' ? "a comma or } is missing" : "a comma or ] is missing");
    }
    s->depth--;
    return true;
}

static bool scan_word(struct scan *s, struct bs_slice word)
{
    if (!bs_slice_starts((struct bs_slice){s->at, (size_t)(s->end - s->at)}, word))
        return fail(s, "a value is missing");
    s->at += word.length;
    return true;
}

static bool scan_bare_value(struct scan *s)
{
    switch (peek(s)) {
    case '{':
        s->at++;
        return scan_list(s, '}', scan_member);
    case '[':
        s->at++;
        return scan_list(s, ']', scan_value);
    case '"':
        return scan_text(s);
    case 't':
        return scan_word(s, BS_SLICE("true"));
    case 'f':
        return scan_word(s, BS_SLICE("false"));
    case 'n':
        return scan_word(s, BS_SLICE("null"));
    default:
        return peek(s) == '-' || is_digit(peek(s)) ? scan_number(s) : fail(s, "a value is missing");
    }
}

/* With the white space around it. */
static bool scan_value(struct scan *s)
{
    skip_space(s);
    if (!scan_bare_value(s))
        return false;
    skip_space(s);
    return true;
}

/* People write these documents in an editor: line and column, both from 1. */
static enum bs_status report(const struct scan *s, struct bs_document_error *ret_error)
{
    size_t line = 1, column = 1;
    for (const char *c = s->begin; c < s->at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    bs_document_error_set(ret_error, "", "not JSON: line %zu, column %zu: %s", line, column,
                          s->why);
    return BS_INVALID;
}

enum bs_status bs_document_scan(struct bs_slice text, struct bs_document_error *ret_error)
{
    struct scan s = {.begin = text.at, .at = text.at, .end = text.at + text.length};
    if (scan_value(&s) && s.at < s.end)
        fail(&s, "something stands behind the document's end");
    return s.why ? report(&s, ret_error) : BS_OK;
}
