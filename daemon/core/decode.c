/* Which of the forms a step message has. Must never look further than that. */
#include "backstep/core/decode.h"

#include "decode_forms.h"

enum bs_decode_result bs_decode(struct bs_slice payload, struct bs_message *ret)
{
    if (payload.length > BS_MESSAGE_BYTES_MAX)
        return BS_DECODE_TOO_LARGE;
    if (payload.length == 0)
        return BS_DECODE_MALFORMED;
    if (bs_slice_starts(payload, BS_SLICE("BS")))
        return bs_decode_binary(payload, ret);
    return bs_decode_json(payload, ret);
}
