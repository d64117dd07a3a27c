/* Line protocol. Must never write what a parser could take for another tag, field or line. */
#include "backstep/core/line.h"

#include "backstep/base/check.h"

#include <math.h>

/* No single piece may run over the end: tags are bounded by their grammar, fields by their number.
 */
static char *room(struct bs_line *l, size_t length)
{
    bs_check((size_t)(l->text + sizeof l->text - l->at) >= length);
    return l->at;
}

void bs_line_begin(struct bs_line *l, struct bs_slice measurement)
{
    l->at = l->text;
    l->has_field = false;
    bs_line_add(l, measurement);
}

void bs_line_add(struct bs_line *l, struct bs_slice text)
{
    memcpy(room(l, text.length), text.at, text.length);
    l->at += text.length;
}

static char *field(struct bs_line *l, struct bs_slice name)
{
    char *at = room(l, name.length + 48);
    *at++ = l->has_field ? ',' : ' ';
    l->has_field = true;
    memcpy(at, name.at, name.length);
    at += name.length;
    *at++ = '=';
    return at;
}

static const char two_digits[] = "00010203040506070809101112131415161718192021222324"
                                 "25262728293031323334353637383940414243444546474849"
                                 "50515253545556575859606162636465666768697071727374"
                                 "75767778798081828384858687888990919293949596979899";

static char *digits(char *at, uint64_t value)
{
    char reversed[20];
    size_t i = sizeof reversed;
    while (value >= 100) {
        i -= 2;
        memcpy(reversed + i, two_digits + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        i -= 2;
        memcpy(reversed + i, two_digits + value * 2, 2);
    } else {
        reversed[--i] = (char)('0' + value);
    }
    memcpy(at, reversed + i, sizeof reversed - i);
    return at + (sizeof reversed - i);
}

void bs_line_integer(struct bs_line *l, struct bs_slice name, uint64_t value)
{
    char *at = digits(field(l, name), value);
    *at++ = 'i';
    l->at = at;
}

/* value = whole / 10^decimals, trailing zeros left out. */
static char *decimal(char *at, uint64_t whole, unsigned decimals)
{
    while (decimals && whole % 10 == 0) {
        whole /= 10;
        decimals--;
    }
    char text[20];
    size_t length = (size_t)(digits(text, whole) - text);
    if (length <= decimals) {
        *at++ = '0';
        *at++ = '.';
        for (size_t zeros = decimals - length; zeros; zeros--)
            *at++ = '0';
        memcpy(at, text, length);
        return at + length;
    }
    size_t before = length - decimals;
    memcpy(at, text, before);
    at += before;
    if (decimals) {
        *at++ = '.';
        memcpy(at, text + before, decimals);
        at += decimals;
    }
    return at;
}

void bs_line_float(struct bs_line *l, struct bs_slice name, double value)
{
    /* The first power above the value is 10^(k-6), so that it has k-6 digits before the point
     * (below 1: as many zeros behind it) and 15-k decimals make nine significant ones. */
    static const double powers[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1,
                                    1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                    1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    static const double scales[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bs_check(isfinite(value) && fabs(value) < 1e15);
    char *at = field(l, name);
    if (value < 0) {
        *at++ = '-';
        value = -value;
    }
    unsigned k = 0;
    while (value >= powers[k])
        k++;
    unsigned decimals = k < 15 ? 15 - k : 0;
    l->at = decimal(at, (uint64_t)(value * scales[decimals] + 0.5), decimals);
}

void bs_line_boolean(struct bs_line *l, struct bs_slice name, bool value)
{
    l->at = field(l, name);
    bs_line_add(l, value ? BS_SLICE("true") : BS_SLICE("false"));
}

struct bs_slice bs_line_end(struct bs_line *l, int64_t wall_ms)
{
    char *at = room(l, 24);
    *at++ = ' ';
    if (wall_ms < 0)
        *at++ = '-';
    at = digits(at, wall_ms < 0 ? 0 - (uint64_t)wall_ms : (uint64_t)wall_ms);
    *at++ = '\n';
    l->at = at;
    return bs_slice_of(l->text, (size_t)(at - l->text));
}

void bs_line_add_tag(struct bs_buffer *b, struct bs_slice key, struct bs_slice value)
{
    bs_buffer_add_char(b, ',');
    bs_buffer_add(b, key);
    bs_buffer_add_char(b, '=');
    for (size_t i = 0; i < value.length; i++) {
        char c = value.at[i];
        if (bs_line_escapes(c))
            bs_buffer_add_char(b, '\\');
        bs_buffer_add_char(b, c);
    }
}
