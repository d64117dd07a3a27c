/* The binary batch, little-endian:
 *
 *   header, 24 bytes   0 'B' 'S'   2 u8 version=1   3 u8 n (1..255)   4 u32 boot   8 u32 first seq
 *                     12 u16 flags: b0 time base is `up`, b1 stored, b2 CRC-32 trailer, others 0
 *                     14 u16 0    16 i64 time base, ms
 *   record, 16 bytes   0 u16 dt_ms since the previous record; the first: since the base
 *                      2 u8  b0-1 foot   b2-5 direction   b6 low quality   b7 0
 *                      3 u8  impact 1/16 g (255 unknown)
 *                      4 u16 step_ms   6 stride_ms   8 contact_ms   10 step_mm   (65535 unknown)
 *                     12 i8  trunk pitch 0.5 deg   13 i8 foot pitch 1 deg   (-128 unknown)
 *                     14 u8  vo_mm (255 unknown)   15 u8 0
 *   trailer, 4 bytes   with b2: CRC-32 of all before it
 *
 * Must never read a field before the length has been checked. */
#include "decode_forms.h"

#include <endian.h>
#include <zlib.h>

#define HEADER_BYTES  24u
#define RECORD_BYTES  16u
#define TRAILER_BYTES 4u

enum { FLAG_UP = 1, FLAG_STORED = 2, FLAG_CRC = 4, FLAGS_KNOWN = 7 };
enum { MARK_RESERVED = 0x80, MARK_LOW_QUALITY = 0x40 };

static uint16_t load16(const char *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return le16toh(value);
}

static uint32_t load32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static int64_t load_time(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return (int64_t)le64toh(value);
}

struct header {
    unsigned version, count, flags, reserved;
    int64_t base_ms;
};

/* False where the payload is not as long as its own header says, or damaged on the way. */
static bool read_header(struct bs_slice payload, struct header *ret)
{
    if (payload.length < HEADER_BYTES)
        return false;
    const char *at = payload.at;
    *ret = (struct header){
        .version = (uint8_t)at[2],
        .count = (uint8_t)at[3],
        .flags = load16(at + 12),
        .reserved = load16(at + 14),
        .base_ms = load_time(at + 16),
    };
    size_t body = HEADER_BYTES + ret->count * RECORD_BYTES;
    size_t trailer = ret->flags & FLAG_CRC ? TRAILER_BYTES : 0;
    if (ret->count == 0 || payload.length != body + trailer)
        return false;
    return !trailer || crc32(0, (const Bytef *)at, (uInt)body) == load32(at + body);
}

static bool reserved_is_zero(const struct header *h, const char *records)
{
    unsigned set = (h->flags & ~(unsigned)FLAGS_KNOWN) | h->reserved;
    for (size_t i = 0; i < h->count; i++) {
        const char *at = records + i * RECORD_BYTES;
        set |= ((uint8_t)at[2] & MARK_RESERVED) | (uint8_t)at[15];
    }
    return set == 0;
}

/* Without a branch on the value: whether a field is there or fits changes from step to step. */
static inline void put(struct bs_step *s, enum bs_field f, int value, int unknown,
                       uint32_t *dropped)
{
    unsigned fits = value >= bs_field_ranges[f].min && value <= bs_field_ranges[f].max;
    fits &= value != unknown;
    s->known = (uint16_t)(s->known | fits << f);
    s->value[f] = (int16_t)(fits ? value : 0);
    *dropped += !fits & (value != unknown);
}

/* A foot of 3 and directions from 9 on are values outside their set, not reserved bits. */
static void put_marks(struct bs_step *s, unsigned marks, uint32_t *dropped)
{
    unsigned foot = marks & 3, direction = marks >> 2 & 15;
    *dropped += (foot > BS_FOOT_RIGHT ? 1u : 0u) + (direction >= BS_DIRECTION_COUNT ? 1u : 0u);
    s->foot = (uint8_t)(foot > BS_FOOT_RIGHT ? BS_FOOT_UNKNOWN : foot);
    s->direction = (uint8_t)(direction >= BS_DIRECTION_COUNT ? BS_DIRECTION_UNKNOWN : direction);
    /* Not low is not a number: quality is then unknown. */
    put(s, BS_FIELD_QUALITY, marks & MARK_LOW_QUALITY ? 0 : -1, -1, dropped);
}

static void read_record(const char *at, struct bs_step *s, uint32_t *dropped)
{
    s->known = 0;
    s->value[BS_FIELD_STRIDE_MM] = 0;
    put_marks(s, (uint8_t)at[2], dropped);
    put(s, BS_FIELD_IMPACT_G16, (uint8_t)at[3], 255, dropped);
    put(s, BS_FIELD_STEP_MS, load16(at + 4), 65535, dropped);
    put(s, BS_FIELD_STRIDE_MS, load16(at + 6), 65535, dropped);
    put(s, BS_FIELD_CONTACT_MS, load16(at + 8), 65535, dropped);
    put(s, BS_FIELD_STEP_MM, load16(at + 10), 65535, dropped);
    put(s, BS_FIELD_TRUNK_CDEG, (int8_t)at[12] * 50, -128 * 50, dropped);
    put(s, BS_FIELD_PITCH_CDEG, (int8_t)at[13] * 100, -128 * 100, dropped);
    put(s, BS_FIELD_VO_MM, (uint8_t)at[14], 255, dropped);
}

/* False where the last step's time is beyond what `t` and `up` may be. */
static bool read_records(const struct header *h, const char *records, uint32_t first_seq,
                         struct bs_message *ret)
{
    int64_t time_ms = h->base_ms;
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        const char *at = records + (size_t)i * RECORD_BYTES;
        time_ms += load16(at);
        ret->steps[i].time_ms = time_ms;
        ret->steps[i].seq = first_seq + i;
        read_record(at, &ret->steps[i], &dropped);
    }
    ret->field_out_of_range = dropped;
    return time_ms <= BS_TIME_ABS_MAX;
}

enum bs_decode_result bs_decode_binary(struct bs_slice payload, struct bs_message *ret)
{
    struct header h;
    if (!read_header(payload, &h) || !reserved_is_zero(&h, payload.at + HEADER_BYTES))
        return BS_DECODE_MALFORMED;
    uint32_t first_seq = load32(payload.at + 8);
    if (h.version != 1 || h.base_ms < -BS_TIME_ABS_MAX || h.base_ms > BS_TIME_ABS_MAX ||
        h.count - 1 > UINT32_MAX - first_seq)
        return BS_DECODE_SCHEMA;
    if (!read_records(&h, payload.at + HEADER_BYTES, first_seq, ret))
        return BS_DECODE_SCHEMA;
    ret->boot = load32(payload.at + 4);
    ret->uses_up = h.flags & FLAG_UP;
    ret->stored = h.flags & FLAG_STORED;
    ret->unknown_keys = 0;
    ret->count = h.count;
    return BS_DECODED;
}
