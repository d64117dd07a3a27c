/* A server's words made fit to be shown. Must never let a name out of a document through. */
#include "backstep/core/delivery.h"

#include <string.h>

/* What stands behind it is a document's text and ends at a comma or space that is not escaped; or,
 * where the server itself quotes a value, at the quotation mark. */
static const struct {
    struct bs_slice mark;
    bool quoted;
} masked[] = {{{"alias=", 6}, false}, {{"phase=", 6}, false}, {{"value=", 6}, true}};

enum { MASKED = sizeof masked / sizeof masked[0] };

static size_t backslashes(struct bs_slice text, size_t at)
{
    size_t count = 0;
    while (at + count < text.length && text.at[at + count] == '\\')
        count++;
    return count;
}

/* In a JSON body the escaping backslash is itself escaped. */
static size_t tag_value_length(struct bs_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == ',' || text.at[i] == ' ')
            return i;
        i += backslashes(text, i);
    }
    return text.length;
}

/* The mark that closes has as many backslashes before it as the one that opens. */
static size_t quoted_value_length(struct bs_slice text)
{
    size_t escapes = backslashes(text, 0);
    if (escapes >= text.length || text.at[escapes] != '"')
        return tag_value_length(text);
    for (size_t i = escapes + 1; i < text.length; i++) {
        size_t before = backslashes(text, i);
        i += before;
        if (i < text.length && text.at[i] == '"' && before <= escapes)
            return i + 1;
    }
    return text.length;
}

static bool find_mask(struct bs_slice said, size_t *ret)
{
    for (size_t i = 0; i < MASKED; i++) {
        if (bs_slice_starts(said, masked[i].mark)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static char printable(char c)
{
    if (c == '\n' || c == '\r')
        return ' ';
    return c >= 0x20 && c < 0x7f ? c : '?';
}

void bs_delivery_quote(struct bs_slice said, char *ret, size_t ret_bytes)
{
    size_t used = 0, room = ret_bytes - 1, mask = 0;
    while (said.length > 0 && used < room) {
        if (find_mask(said, &mask) && room - used > masked[mask].mark.length) {
            memcpy(ret + used, masked[mask].mark.at, masked[mask].mark.length);
            used += masked[mask].mark.length;
            ret[used++] = '*';
            said = bs_slice_after(said, masked[mask].mark.length);
            said = bs_slice_after(said, masked[mask].quoted ? quoted_value_length(said)
                                                            : tag_value_length(said));
            continue;
        }
        ret[used++] = printable(said.at[0]);
        said = bs_slice_after(said, 1);
    }
    while (used > 0 && ret[used - 1] == ' ')
        used--;
    ret[used] = '\0';
}
