/* The scan of a segment: any bytes, read from any place, stay inside the segment, go on, and end.
 * The first byte says whether CRCs are mended first: else hardly an input would get past them. */
#include "backstep/edge/log.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HEADER_BYTES 64
#define HEAD_BYTES   32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* The record at `at` gets the CRC its own length asks for, and the position of its place. */
static void mend(char *segment, size_t size, size_t at, uint64_t first)
{
    if (at > size || size - at < HEAD_BYTES)
        return;
    uint32_t length;
    uint64_t position = first + (at - HEADER_BYTES);
    memcpy(&length, segment + at + 4, 4);
    memcpy(segment + at + 8, &position, 8);
    if (length > size - at - HEAD_BYTES)
        return;
    uint32_t crc = (uint32_t)crc32(0, (Bytef *)segment + at + 4, HEAD_BYTES - 4 + length);
    memcpy(segment + at, &crc, 4);
}

static void scan_all(char *segment, size_t size, uint64_t first, bool mends)
{
    size_t at = HEADER_BYTES, next = 0;
    struct bs_record r;
    for (;;) {
        if (mends)
            mend(segment, size, at, first);
        enum bs_status status = bs_log_scan(bs_slice_of(segment, size), at, first, &r, &next);
        if (status != BS_OK) {
            require(status == BS_NOT_FOUND || status == BS_CORRUPT);
            return;
        }
        require(next > at && next <= size && next % 8 == at % 8);
        require(r.position == first + (at - HEADER_BYTES) && r.next - r.position == next - at);
        require(r.body.at == segment + at + HEAD_BYTES && r.body.length <= next - at - HEAD_BYTES);
        require(r.body.length <= BS_RECORD_BODY_MAX);
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 9)
        return 0;
    uint64_t first;
    memcpy(&first, data + 1, 8);
    char *segment = malloc(size - 9 + 1);
    if (!segment)
        return 0;
    memcpy(segment, data + 9, size - 9);
    scan_all(segment, size - 9, first, data[0] & 1);
    struct bs_record r;
    size_t next;
    for (size_t at = 0; at < size; at += 1 + size / 64)
        (void)bs_log_scan(bs_slice_of(segment, size - 9), at, first, &r, &next);
    free(segment);
    return 0;
}
