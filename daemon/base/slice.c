/* What slices of input are checked for. Must never read behind a slice's end, nor trust a byte. */
#include "backstep/base/slice.h"

/* Bytes from `at` that make one well-formed sequence (RFC 3629, the table of section 4), or 0. */
static size_t sequence_bytes(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];
    size_t bytes = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (bytes == 0 || lead > 0xf4 || bytes > left)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xf0 && at[1] < 0x90);
    bool surrogate = lead == 0xed && at[1] > 0x9f;
    bool above = lead == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || above ? 0 : bytes;
}

size_t bs_slice_character(struct bs_slice s, uint32_t *ret_code_point)
{
    const unsigned char *at = (const unsigned char *)s.at;
    size_t bytes = sequence_bytes(at, s.length);
    uint32_t code_point = bytes == 0 ? 0 : bytes == 1 ? at[0] : at[0] & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++)
        code_point = code_point << 6 | (at[i] & 0x3f);
    *ret_code_point = code_point;
    return bytes ? bytes : 1;
}

bool bs_slice_is_utf8(struct bs_slice s)
{
    const unsigned char *at = (const unsigned char *)s.at;
    size_t left = s.length;
    while (left > 0) {
        uint64_t word;
        if (left >= sizeof word) {
            memcpy(&word, at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                at += sizeof word;
                left -= sizeof word;
                continue;
            }
        }
        size_t bytes = sequence_bytes(at, left);
        if (bytes == 0)
            return false;
        at += bytes;
        left -= bytes;
    }
    return true;
}

int bs_slice_compare(struct bs_slice a, struct bs_slice b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common ? memcmp(a.at, b.at, common) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

bool bs_slice_is_id(struct bs_slice s)
{
    if (s.length == 0 || s.length > BS_ID_MAX)
        return false;
    for (size_t i = 0; i < s.length; i++) {
        char c = s.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}
