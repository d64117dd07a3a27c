/* Any bytes as the head of an answer, cut at newlines as curl does: what is kept of it is bounded,
 * and a time to come back at is never negative. */
#include "../../daemon/edge/influx_head.h"

#include "backstep/base/check.h"
#include "backstep/edge/influx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_influx_head head;
    bs_influx_head_reset(&head);
    struct bs_slice text = bs_slice_of(data, size);
    while (text.length > 0) {
        const char *end = memchr(text.at, '\n', text.length);
        size_t length = end ? (size_t)(end - text.at) + 1 : text.length;
        bs_influx_head_take(&head, bs_slice_of(text.at, length), 1795716000);
        text = bs_slice_after(text, length);
        bs_check(head.retry_after_s >= -1 && head.error_length <= sizeof head.error);
    }
    return 0;
}
