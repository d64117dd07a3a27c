/* The bodies of records, to bytes and back. Must never read behind a body, whatever its lengths
 * say, and must write the same bytes on every machine. */
#include "backstep/base/record.h"

#include "backstep/base/little.h"

void bs_start_body_write(const struct bs_start_body *b, uint8_t ret[BS_START_BODY_BYTES])
{
    bs_little_put_u32(ret, BS_START_FORMAT);
    bs_little_put_u32(ret + 4, 0);
    bs_little_put_u64(ret + 8, (uint64_t)b->offset_ms);
    bs_little_put_u64(ret + 16, b->hash_seed);
    bs_little_put_u64(ret + 24, b->boottime_ms);
    memcpy(ret + 32, b->boot_id, sizeof(b->boot_id));
}

void bs_clock_body_write(const struct bs_clock_body *b, uint8_t ret[BS_CLOCK_BODY_BYTES])
{
    bs_little_put_u64(ret, (uint64_t)b->offset_ms);
    ret[8] = b->stepped;
}

void bs_message_head_write(uint16_t topic_length, uint16_t correlation_length,
                           uint8_t ret[BS_MESSAGE_HEAD_BYTES])
{
    bs_little_put_u16(ret, topic_length);
    bs_little_put_u16(ret + 2, correlation_length);
}

void bs_points_head_write(uint64_t origin, uint32_t part, uint32_t points,
                          uint8_t ret[BS_POINTS_HEAD_BYTES])
{
    bs_little_put_u64(ret, origin);
    bs_little_put_u32(ret + 8, part);
    bs_little_put_u32(ret + 12, points);
}

enum bs_status bs_start_body_read(struct bs_slice body, struct bs_start_body *ret)
{
    if (body.length != BS_START_BODY_BYTES || bs_little_u32(body.at) != BS_START_FORMAT)
        return BS_CORRUPT;
    ret->offset_ms = (int64_t)bs_little_u64(body.at + 8);
    ret->hash_seed = bs_little_u64(body.at + 16);
    ret->boottime_ms = bs_little_u64(body.at + 24);
    memcpy(ret->boot_id, body.at + 32, sizeof(ret->boot_id));
    return BS_OK;
}

enum bs_status bs_clock_body_read(struct bs_slice body, struct bs_clock_body *ret)
{
    if (body.length != BS_CLOCK_BODY_BYTES || (uint8_t)body.at[8] > 1)
        return BS_CORRUPT;
    ret->offset_ms = (int64_t)bs_little_u64(body.at);
    ret->stepped = body.at[8] == 1;
    return BS_OK;
}

enum bs_status bs_message_body_read(struct bs_slice body, uint8_t flags,
                                    struct bs_message_body *ret)
{
    if (body.length < BS_MESSAGE_HEAD_BYTES)
        return BS_CORRUPT;
    size_t topic = bs_little_u16(body.at);
    size_t correlation = bs_little_u16(body.at + 2);
    struct bs_slice rest = bs_slice_after(body, BS_MESSAGE_HEAD_BYTES);
    if (topic + correlation > rest.length)
        return BS_CORRUPT;
    struct bs_slice payload = bs_slice_after(rest, topic + correlation);
    bool digested = flags & BS_RECORD_DIGESTED;
    if (digested && payload.length != BS_DIGEST_BYTES)
        return BS_CORRUPT;
    ret->topic = bs_slice_of(rest.at, topic);
    ret->correlation = bs_slice_of(rest.at + topic, correlation);
    ret->payload = digested ? bs_slice_of("", 0) : payload;
    ret->digest = digested ? payload : bs_slice_of("", 0);
    return BS_OK;
}

enum bs_status bs_points_body_read(struct bs_slice body, struct bs_points_body *ret)
{
    if (body.length < BS_POINTS_HEAD_BYTES)
        return BS_CORRUPT;
    ret->origin = bs_little_u64(body.at);
    ret->part = bs_little_u32(body.at + 8);
    ret->points = bs_little_u32(body.at + 12);
    ret->lines = bs_slice_after(body, BS_POINTS_HEAD_BYTES);
    return BS_OK;
}
