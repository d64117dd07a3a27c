/* Text in columns. Must never pass a control character on, whatever the text. */
#include "cells.h"

#include "backstep/base/slice.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <wchar.h>

/* One character of a text: its bytes, and the columns that it takes. */
struct glyph {
    const char *bytes;
    unsigned length, columns;
};

static unsigned length_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static unsigned code_of(const char *at, unsigned length)
{
    unsigned char first = (unsigned char)*at;
    unsigned code = length == 1 ? first : first & (0xffu >> (length + 1));
    for (unsigned i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3fu);
    return code;
}

/* C0, DEL, C1, and the two separators of Unicode. */
static bool is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

/* The next one of a text that is UTF-8 (or is not: each byte by itself). */
static struct glyph next(const char **at, bool is_utf8)
{
    struct glyph g = {*at, is_utf8 ? length_of((unsigned char)**at) : 1, 1};
    unsigned code = code_of(*at, g.length);
    *at += g.length;
    if (is_control(code) || (!is_utf8 && code >= 0x80)) {
        g.bytes = "?";
        g.length = 1;
    } else if (code >= 0x80) {
        int columns = wcwidth((wchar_t)code); /* -1 where the locale does not know it */
        g.columns = columns < 0 ? 1 : (unsigned)columns;
    }
    return g;
}

unsigned bs_cell_columns(const char *text)
{
    bool is_utf8 = bs_slice_is_utf8(bs_slice_text(text));
    unsigned columns = 0;
    while (*text)
        columns += next(&text, is_utf8).columns;
    return columns;
}

void bs_cell_put(const char *text, unsigned columns, FILE *to)
{
    bool is_utf8 = bs_slice_is_utf8(bs_slice_text(text));
    bool cut = columns > 0 && bs_cell_columns(text) > columns;
    unsigned used = 0, most = cut ? columns - 1 : UINT_MAX;
    while (*text) {
        struct glyph g = next(&text, is_utf8);
        if (used + g.columns > most)
            break;
        fwrite(g.bytes, 1, g.length, to);
        used += g.columns;
    }
    if (cut) {
        fputs(MB_CUR_MAX > 1 ? "…" : ".", to);
        used++;
    }
    for (; used < columns; used++)
        fputc(' ', to);
}
