/* The bytes of segment headers and records. Must never trust a length it has not checked against
 * the room that is there. */
#include "log_internal.h"

#include "backstep/base/little.h"

#include <zlib.h>

static const char MAGIC[6] = "BSLOG";

uint32_t log_crc(uint32_t crc, const char *at, size_t length)
{
    /* zlib takes NULL as "give me the initial value". */
    return length > 0 ? (uint32_t)crc32_z(crc, (const Bytef *)at, length) : crc;
}

void log_header_write(uint64_t first, uint64_t bytes, char ret[LOG_HEADER_BYTES])
{
    memset(ret, 0, LOG_HEADER_BYTES);
    memcpy(ret, MAGIC, sizeof(MAGIC));
    bs_little_put_u16(ret + 6, LOG_FORMAT);
    bs_little_put_u64(ret + 8, first);
    bs_little_put_u64(ret + 16, bytes);
    bs_little_put_u32(ret + 60, log_crc(0, ret, 60));
}

enum bs_status log_header_read(const char header[LOG_HEADER_BYTES], uint64_t *ret_first,
                               uint64_t *ret_bytes)
{
    if (memcmp(header, MAGIC, sizeof(MAGIC)) != 0 ||
        bs_little_u32(header + 60) != log_crc(0, header, 60))
        return BS_CORRUPT;
    if (bs_little_u16(header + 6) != LOG_FORMAT)
        return BS_INVALID;
    *ret_first = bs_little_u64(header + 8);
    *ret_bytes = bs_little_u64(header + 16);
    return BS_OK;
}

void log_record_head_write(const struct log_record_head *head, char ret[LOG_RECORD_HEAD_BYTES])
{
    bs_little_put_u32(ret + 4, head->length);
    bs_little_put_u64(ret + 8, head->position);
    bs_little_put_u64(ret + 16, (uint64_t)head->tick.ms);
    ret[24] = (char)head->type;
    ret[25] = (char)head->flags;
    memset(ret + 26, 0, 6);
}

void log_record_put_crc(char ret[LOG_RECORD_HEAD_BYTES], uint32_t crc)
{
    bs_little_put_u32(ret, crc);
}

void log_record_seal(char *at, uint32_t length)
{
    log_record_put_crc(at, log_crc(0, at + 4, LOG_RECORD_HEAD_BYTES - 4 + length));
}

bool log_record_read(const char *at, uint64_t position, uint64_t room, struct bs_record *ret)
{
    if (room < LOG_RECORD_HEAD_BYTES)
        return false;
    uint32_t length = bs_little_u32(at + 4);
    if (length > BS_RECORD_BODY_MAX || log_record_bytes(length) > room ||
        bs_little_u64(at + 8) != position)
        return false;
    *ret = (struct bs_record){
        .position = position,
        .next = position + log_record_bytes(length),
        .tick = {(int64_t)bs_little_u64(at + 16)},
        .type = (uint8_t)at[24],
        .flags = (uint8_t)at[25],
        .body = {at + LOG_RECORD_HEAD_BYTES, length},
    };
    return true;
}

static bool is_zero(const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (at[i])
            return false;
    return true;
}

enum bs_status bs_log_scan(struct bs_slice segment, size_t at, uint64_t first_position,
                           struct bs_record *ret, size_t *ret_next)
{
    if (at >= segment.length)
        return BS_NOT_FOUND;
    const char *head = segment.at + at;
    size_t room = segment.length - at;
    if (is_zero(head, room < LOG_RECORD_HEAD_BYTES ? room : LOG_RECORD_HEAD_BYTES))
        return BS_NOT_FOUND;
    struct bs_record record;
    if (at < LOG_HEADER_BYTES ||
        !log_record_read(head, first_position + (at - LOG_HEADER_BYTES), room, &record) ||
        log_crc(0, head + 4, LOG_RECORD_HEAD_BYTES - 4 + record.body.length) != bs_little_u32(head))
        return BS_CORRUPT;
    *ret = record;
    *ret_next = at + (size_t)(record.next - record.position);
    return BS_OK;
}
