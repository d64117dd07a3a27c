/* The three forms of a step message. Must never change a value that the form can hold. */
#include "encode.h"

#include "backstep/base/check.h"

#include <zlib.h>

#define BATCH_GAP_MAX_MS  3600000
#define BINARY_HEAD_BYTES 24u
#define BINARY_STEP_BYTES 16u
#define BINARY_CRC_BYTES  4u
#define LOW_QUALITY_BELOW 50

static const char *const field_names[BS_FIELD_COUNT] = {
#define FIELD_NAME(name, text, min, max) text,
    BS_FIELDS(FIELD_NAME)
#undef FIELD_NAME
};

static const char direction_letters[BS_DIRECTION_COUNT] = {
#define DIRECTION_LETTER(name, letter) letter,
    BS_DIRECTIONS(DIRECTION_LETTER)
#undef DIRECTION_LETTER
};

static const char foot_letters[] = {'U', 'L', 'R'};

size_t bs_encode_max(enum bs_form form)
{
    static const size_t max[] = {[BS_FORM_JSON] = 1, [BS_FORM_BATCH] = 256, [BS_FORM_BINARY] = 255};
    return max[form];
}

bool bs_encode_follows(enum bs_form form, const struct bs_event *last, const struct bs_event *next)
{
    int64_t gap_ms = next->time_ms - last->time_ms;
    int64_t gap_max_ms = form == BS_FORM_BINARY ? UINT16_MAX : BATCH_GAP_MAX_MS;
    return next->seq == last->seq + 1 && next->seq != 0 && gap_ms >= 0 && gap_ms <= gap_max_ms;
}

static void add_key(struct bs_buffer *b, const char *key)
{
    bs_buffer_add_text(b, ",\"");
    bs_buffer_add_text(b, key);
    bs_buffer_add_text(b, "\":");
}

static void add_letter(struct bs_buffer *b, char letter)
{
    const char text[] = {'"', letter, '"'};
    bs_buffer_add(b, bs_slice_of(text, sizeof text));
}

static void add_head(const struct bs_encoding *how, uint32_t boot, const struct bs_event *first,
                     struct bs_buffer *b)
{
    bs_buffer_add_text(b, "{\"v\":1");
    add_key(b, "boot");
    bs_buffer_add_u64(b, boot);
    add_key(b, "seq");
    bs_buffer_add_u64(b, first->seq);
    add_key(b, how->up ? "up" : "t");
    bs_buffer_add_i64(b, first->time_ms);
    if (how->stored) {
        add_key(b, "stored");
        bs_buffer_add_text(b, "true");
    }
}

static void encode_json(const struct bs_encoding *how, uint32_t boot, const struct bs_event *e,
                        struct bs_buffer *b)
{
    add_head(how, boot, e, b);
    if (e->foot != BS_FOOT_UNKNOWN) {
        add_key(b, "foot");
        add_letter(b, foot_letters[e->foot]);
    }
    if (e->direction != BS_DIRECTION_UNKNOWN) {
        add_key(b, "dir");
        add_letter(b, direction_letters[e->direction]);
    }
    for (int f = 0; f < BS_FIELD_COUNT; f++) {
        if (!bs_event_has(e, (enum bs_field)f))
            continue;
        add_key(b, field_names[f]);
        bs_buffer_add_i64(b, e->value[f]);
    }
    bs_buffer_add_char(b, '}');
}

static void add_row(struct bs_buffer *b, const struct bs_event *e, int64_t dt_ms, unsigned columns)
{
    bs_buffer_add_char(b, '[');
    bs_buffer_add_i64(b, dt_ms);
    bs_buffer_add_char(b, ',');
    add_letter(b, foot_letters[e->foot]);
    bs_buffer_add_char(b, ',');
    add_letter(b, direction_letters[e->direction]);
    for (int f = 0; f < BS_FIELD_COUNT; f++) {
        if (!(columns >> f & 1u))
            continue;
        bs_buffer_add_char(b, ',');
        if (bs_event_has(e, (enum bs_field)f))
            bs_buffer_add_i64(b, e->value[f]);
        else
            bs_buffer_add_text(b, "null");
    }
    bs_buffer_add_char(b, ']');
}

static void encode_batch(const struct bs_encoding *how, uint32_t boot,
                         const struct bs_event *events, size_t count, struct bs_buffer *b)
{
    unsigned columns = 0;
    for (size_t i = 0; i < count; i++)
        columns |= events[i].known;
    add_head(how, boot, events, b);
    add_key(b, "columns");
    bs_buffer_add_text(b, "[\"dt_ms\",\"foot\",\"dir\"");
    for (int f = 0; f < BS_FIELD_COUNT; f++) {
        if (!(columns >> f & 1u))
            continue;
        bs_buffer_add_text(b, ",\"");
        bs_buffer_add_text(b, field_names[f]);
        bs_buffer_add_char(b, '"');
    }
    bs_buffer_add_char(b, ']');
    add_key(b, "rows");
    for (size_t i = 0; i < count; i++) {
        bs_buffer_add_char(b, i == 0 ? '[' : ',');
        int64_t dt_ms = i == 0 ? 0 : events[i].time_ms - events[i - 1].time_ms;
        add_row(b, &events[i], dt_ms, columns);
    }
    bs_buffer_add_text(b, "]}");
}

static void put(unsigned char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

/* The value of a field that counts from 0, or `unknown`, the field's largest. */
static uint64_t count_or(const struct bs_event *e, enum bs_field f, uint64_t unknown)
{
    if (!bs_event_has(e, f) || e->value[f] < 0 || (uint64_t)e->value[f] >= unknown)
        return unknown;
    return (uint64_t)e->value[f];
}

/* An angle in units of `unit_cdeg`, rounded half away from zero; -128 is unknown. */
static uint64_t angle_or_unknown(const struct bs_event *e, enum bs_field f, int64_t unit_cdeg)
{
    int64_t unknown = INT8_MIN;
    if (!bs_event_has(e, f))
        return (uint64_t)unknown;
    int64_t half = e->value[f] < 0 ? -unit_cdeg / 2 : unit_cdeg / 2;
    int64_t units = (e->value[f] + half) / unit_cdeg;
    return (uint64_t)(units > INT8_MIN && units <= INT8_MAX ? units : unknown);
}

/* The record of the reference's section on binary batches:
 *   0 u16 dt_ms   2 u8 foot, dir, low quality   3 u8 impact   4 u16 step_ms   6 u16 stride_ms
 *   8 u16 contact_ms   10 u16 step_mm   12 i8 trunk   13 i8 pitch   14 u8 vo_mm   15 u8 0 */
static void put_record(unsigned char *at, const struct bs_event *e, int64_t dt_ms)
{
    bool low = bs_event_has(e, BS_FIELD_QUALITY) && e->value[BS_FIELD_QUALITY] < LOW_QUALITY_BELOW;
    put(at, (uint64_t)dt_ms, 2);
    at[2] = (unsigned char)((unsigned)e->foot | (unsigned)e->direction << 2 | (low ? 1u << 6 : 0));
    put(at + 3, count_or(e, BS_FIELD_IMPACT_G16, UINT8_MAX), 1);
    put(at + 4, count_or(e, BS_FIELD_STEP_MS, UINT16_MAX), 2);
    put(at + 6, count_or(e, BS_FIELD_STRIDE_MS, UINT16_MAX), 2);
    put(at + 8, count_or(e, BS_FIELD_CONTACT_MS, UINT16_MAX), 2);
    put(at + 10, count_or(e, BS_FIELD_STEP_MM, UINT16_MAX), 2);
    put(at + 12, angle_or_unknown(e, BS_FIELD_TRUNK_CDEG, 50), 1);
    put(at + 13, angle_or_unknown(e, BS_FIELD_PITCH_CDEG, 100), 1);
    put(at + 14, count_or(e, BS_FIELD_VO_MM, UINT8_MAX), 1);
    at[15] = 0;
}

/*   0 'B' 'S'   2 u8 version   3 u8 n   4 u32 boot   8 u32 seq   12 u16 flags   14 u16 0
 *  16 i64 time base */
static void put_head(unsigned char *at, const struct bs_encoding *how, uint32_t boot,
                     const struct bs_event *first, size_t count)
{
    enum { USES_UP = 1, STORED = 2, HAS_CRC = 4 };
    put(at, 'B' | (uint64_t)'S' << 8 | 1u << 16 | (uint64_t)count << 24, 4);
    put(at + 4, boot, 4);
    put(at + 8, first->seq, 4);
    put(at + 12, HAS_CRC | (how->up ? USES_UP : 0u) | (how->stored ? STORED : 0u), 2);
    put(at + 14, 0, 2);
    put(at + 16, (uint64_t)first->time_ms, 8);
}

static void encode_binary(const struct bs_encoding *how, uint32_t boot,
                          const struct bs_event *events, size_t count, struct bs_buffer *b)
{
    size_t length = BINARY_HEAD_BYTES + BINARY_STEP_BYTES * count;
    unsigned char *at = (unsigned char *)bs_buffer_room(b, length + BINARY_CRC_BYTES);
    if (!at)
        return;
    put_head(at, how, boot, events, count);
    for (size_t i = 0; i < count; i++) {
        int64_t dt_ms = i == 0 ? 0 : events[i].time_ms - events[i - 1].time_ms;
        put_record(at + BINARY_HEAD_BYTES + BINARY_STEP_BYTES * i, &events[i], dt_ms);
    }
    put(at + length, crc32(0, at, (uInt)length), BINARY_CRC_BYTES);
    b->length += length + BINARY_CRC_BYTES;
}

void bs_encode(const struct bs_encoding *how, uint32_t boot, const struct bs_event *events,
               size_t count, struct bs_buffer *ret)
{
    bs_check(count >= 1 && count <= bs_encode_max(how->form));
    if (how->form == BS_FORM_JSON)
        encode_json(how, boot, events, ret);
    else if (how->form == BS_FORM_BATCH)
        encode_batch(how, boot, events, count, ret);
    else
        encode_binary(how, boot, events, count, ret);
}
