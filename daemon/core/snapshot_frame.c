/* The frame around a state: its head and its checksum. Must never let a damaged state be looked at.
 */
#include "backstep/core/snapshot_frame.h"

#include "backstep/base/little.h"
#include "backstep/core/snapshot.h"

#include <zlib.h>

static const char MAGIC[6] = "BSSNAP";

#define CRC_BYTES 4

static uint32_t crc_of(uint32_t crc, struct bs_slice bytes)
{
    return (uint32_t)crc32_z(crc, (const Bytef *)bytes.at, bytes.length);
}

static bool pass_on(void *context, struct bs_slice bytes)
{
    struct bs_snapshot_framer *f = context;
    f->crc = crc_of(f->crc, bytes);
    return f->outer->write(f->outer->context, bytes);
}

bool bs_snapshot_frame_begin(struct bs_snapshot_framer *f, const struct bs_snapshot_frame *frame,
                             const struct bs_sink *outer)
{
    uint8_t head[BS_SNAPSHOT_FRAME_BYTES] = {0};
    *f = (struct bs_snapshot_framer){.inner = {f, pass_on}, .outer = outer};
    memcpy(head, MAGIC, sizeof MAGIC);
    bs_little_put_u16(head + 6, BS_SNAPSHOT_FORMAT);
    bs_little_put_u64(head + 8, frame->intake);
    bs_little_put_u64(head + 16, frame->outbox);
    bs_little_put_u64(head + 24, (uint64_t)frame->tick.ms);
    bs_little_put_u64(head + 32, (uint64_t)frame->start_tick.ms);
    bs_little_put_u32(head + 40, frame->has_start);
    bs_start_body_write(&frame->start, head + 48);
    return pass_on(f, bs_slice_of(head, sizeof head));
}

bool bs_snapshot_frame_end(struct bs_snapshot_framer *f)
{
    uint8_t crc[CRC_BYTES];
    bs_little_put_u32(crc, f->crc);
    return f->outer->write(f->outer->context, bs_slice_of(crc, sizeof crc));
}

static bool is_whole(struct bs_slice file)
{
    if (file.length < BS_SNAPSHOT_FRAME_BYTES + CRC_BYTES ||
        memcmp(file.at, MAGIC, sizeof MAGIC) != 0)
        return false;
    struct bs_slice covered = bs_slice_of(file.at, file.length - CRC_BYTES);
    return crc_of(0, covered) == bs_little_u32(file.at + covered.length);
}

enum bs_status bs_snapshot_frame_read(struct bs_slice file, struct bs_snapshot_frame *ret,
                                      struct bs_slice *ret_state)
{
    if (!is_whole(file))
        return BS_CORRUPT;
    const char *head = file.at;
    struct bs_snapshot_frame frame = {.format = bs_little_u16(head + 6),
                                      .intake = bs_little_u64(head + 8),
                                      .outbox = bs_little_u64(head + 16),
                                      .tick = {(int64_t)bs_little_u64(head + 24)},
                                      .start_tick = {(int64_t)bs_little_u64(head + 32)},
                                      .has_start = bs_little_u32(head + 40) == 1};
    ret->format = frame.format;
    if (frame.format < BS_SNAPSHOT_FORMAT_OLDEST || frame.format > BS_SNAPSHOT_FORMAT)
        return BS_INVALID;
    struct bs_slice start = bs_slice_of(head + 48, BS_START_BODY_BYTES);
    if (frame.has_start && bs_start_body_read(start, &frame.start) != BS_OK)
        return BS_CORRUPT;
    *ret = frame;
    *ret_state = bs_slice_of(head + BS_SNAPSHOT_FRAME_BYTES,
                             file.length - BS_SNAPSHOT_FRAME_BYTES - CRC_BYTES);
    return BS_OK;
}
