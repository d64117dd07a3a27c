/* The body of a POST, made while it is sent. Must never hold more than curl's buffer of it. */
#include "influx_body.h"

#include "backstep/base/check.h"

enum {
    /* Lines repeat their tags: level 1 takes them to about a tenth, and a higher level costs three
     * times the CPU for little more. */
    LEVEL = 1,
    GZIP_WINDOW_BITS = 15 + 16,
    MEMORY_LEVEL = 8,
};

enum bs_status bs_influx_body_init(struct bs_influx_body *b, bool gzip)
{
    *b = (struct bs_influx_body){.gzip = gzip};
    if (!gzip)
        return BS_OK;
    int result =
        deflateInit2(&b->z, LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    if (result == Z_MEM_ERROR)
        return BS_NO_MEMORY;
    bs_check(result == Z_OK);
    return BS_OK;
}

void bs_influx_body_fini(struct bs_influx_body *b)
{
    if (b->gzip)
        deflateEnd(&b->z);
}

void bs_influx_body_set(struct bs_influx_body *b, const struct bs_slice *parts, size_t part_count)
{
    b->parts = parts;
    b->part_count = part_count;
    b->part = 0;
    b->offset = 0;
    b->ended = false;
    if (b->gzip) {
        int result = deflateReset(&b->z);
        bs_check(result == Z_OK);
        b->z.avail_in = 0;
    }
}

static size_t read_plain(struct bs_influx_body *b, char *to, size_t size)
{
    size_t used = 0;
    while (used < size && b->part < b->part_count) {
        struct bs_slice rest = bs_slice_after(b->parts[b->part], b->offset);
        size_t count = rest.length < size - used ? rest.length : size - used;
        if (count > 0)
            memcpy(to + used, rest.at, count);
        used += count;
        b->offset += count;
        if (count == rest.length) {
            b->part++;
            b->offset = 0;
        }
    }
    return used;
}

static size_t read_gzip(struct bs_influx_body *b, char *to, size_t size)
{
    b->z.next_out = (Bytef *)to;
    b->z.avail_out = (uInt)size;
    while (!b->ended && b->z.avail_out > 0) {
        if (b->z.avail_in == 0 && b->part < b->part_count) {
            struct bs_slice part = b->parts[b->part++];
            b->z.next_in = (z_const Bytef *)(uintptr_t)part.at;
            b->z.avail_in = (uInt)part.length;
        }
        int result = deflate(&b->z, b->part == b->part_count ? Z_FINISH : Z_NO_FLUSH);
        bs_check(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        b->ended = result == Z_STREAM_END;
    }
    return size - b->z.avail_out;
}

size_t bs_influx_body_read(struct bs_influx_body *b, char *to, size_t size)
{
    bs_check(size <= UINT32_MAX);
    return b->gzip ? read_gzip(b, to, size) : read_plain(b, to, size);
}

uint64_t bs_influx_body_bytes(const struct bs_influx_body *b)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < b->part_count; i++)
        bytes += b->parts[i].length;
    return bytes;
}
