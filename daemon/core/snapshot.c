/* The stream of a snapshot. Must never read beyond what it was given, nor give more than it was
 * asked for. */
#include "backstep/core/snapshot.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/base/little.h"

#include <math.h>
#include <stdlib.h>

/* What the sink gets at once. */
#define PIECE_BYTES  (64u * 1024)

#define LEB_BITS     7
#define LEB_MORE     0x80u
#define LEB_LAST_BIT 63

#define TIME_MAX_MS  (INT64_C(1) << 56)

void bs_snapshot_save(struct bs_snapshot *s, const struct bs_sink *sink)
{
    *s = (struct bs_snapshot){.format = BS_SNAPSHOT_FORMAT, .sink = sink};
    bs_buffer_init(&s->bytes, PIECE_BYTES);
}

void bs_snapshot_load(struct bs_snapshot *s, struct bs_slice bytes, uint32_t format)
{
    *s = (struct bs_snapshot){.loading = true, .format = format, .rest = bytes};
    bs_buffer_init(&s->bytes, PIECE_BYTES);
}

void bs_snapshot_fail(struct bs_snapshot *s, enum bs_status why)
{
    if (s->failed)
        return;
    s->failed = true;
    s->why = why;
}

void bs_snapshot_require(struct bs_snapshot *s, bool holds)
{
    bs_check(holds || s->loading);
    if (!holds)
        bs_snapshot_fail(s, BS_CORRUPT);
}

static void flush(struct bs_snapshot *s)
{
    if (s->failed || s->bytes.length == 0)
        return;
    if (!s->sink->write(s->sink->context, bs_buffer_slice(&s->bytes)))
        bs_snapshot_fail(s, BS_IO);
    bs_buffer_reset(&s->bytes);
}

enum bs_status bs_snapshot_end(struct bs_snapshot *s)
{
    if (s->loading)
        bs_snapshot_require(s, s->failed || s->rest.length == 0);
    else
        flush(s);
    for (int i = 0; i < BS_SNAPSHOT_SORTS; i++) {
        free(s->objects[i].objects);
        free(s->objects[i].numbers);
    }
    bs_buffer_fini(&s->bytes);
    return s->failed ? s->why : BS_OK;
}

/* Bytes. */

static void put(struct bs_snapshot *s, struct bs_slice bytes)
{
    if (s->failed)
        return;
    if (bytes.length > PIECE_BYTES - s->bytes.length)
        flush(s);
    if (bytes.length > PIECE_BYTES) {
        if (!s->failed && !s->sink->write(s->sink->context, bytes))
            bs_snapshot_fail(s, BS_IO);
        return;
    }
    bs_buffer_add(&s->bytes, bytes);
    if (s->bytes.failed)
        bs_snapshot_fail(s, BS_NO_MEMORY);
}

/* NULL where so many are not left. */
static const char *get(struct bs_snapshot *s, size_t length)
{
    if (!s->failed && length > s->rest.length)
        bs_snapshot_fail(s, BS_CORRUPT);
    if (s->failed)
        return NULL;
    const char *at = s->rest.at;
    s->rest = bs_slice_after(s->rest, length);
    return at;
}

void bs_snapshot_bytes(struct bs_snapshot *s, void *at, size_t length)
{
    if (length == 0)
        return;
    if (!s->loading) {
        put(s, bs_slice_of(at, length));
        return;
    }
    const char *from = get(s, length);
    if (from)
        memcpy(at, from, length);
    else
        memset(at, 0, length);
}

struct bs_slice bs_snapshot_text(struct bs_snapshot *s, struct bs_slice text, size_t max)
{
    size_t length = bs_snapshot_u64(s, text.length, max);
    if (!s->loading) {
        put(s, text);
        return text;
    }
    const char *at = get(s, length);
    return at ? bs_slice_of(at, length) : (struct bs_slice){"", 0};
}

/* Numbers. */

static void put_number(struct bs_snapshot *s, uint64_t value)
{
    uint8_t bytes[10];
    size_t length = 0;
    for (; value >= LEB_MORE; value >>= LEB_BITS)
        bytes[length++] = (uint8_t)(value | LEB_MORE);
    bytes[length++] = (uint8_t)value;
    put(s, bs_slice_of(bytes, length));
}

/* The shortest form only: one value, one sequence of bytes. */
static uint64_t get_number(struct bs_snapshot *s)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift <= LEB_LAST_BIT; shift += LEB_BITS) {
        const char *at = get(s, 1);
        if (!at)
            return 0;
        uint64_t bits = (uint8_t)*at & (LEB_MORE - 1);
        bool last = !((uint8_t)*at & LEB_MORE);
        if ((shift == LEB_LAST_BIT && bits > 1) || (last && bits == 0 && shift > 0))
            break;
        value |= bits << shift;
        if (last)
            return value;
    }
    bs_snapshot_fail(s, BS_CORRUPT);
    return 0;
}

uint64_t bs_snapshot_u64(struct bs_snapshot *s, uint64_t value, uint64_t max)
{
    if (!s->loading) {
        bs_check(value <= max);
        put_number(s, value);
        return value;
    }
    value = get_number(s);
    if (value <= max)
        return value;
    bs_snapshot_fail(s, BS_CORRUPT);
    return 0;
}

int64_t bs_snapshot_i64(struct bs_snapshot *s, int64_t value)
{
    uint64_t zigzag = (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
    zigzag = bs_snapshot_u64(s, zigzag, UINT64_MAX);
    return (int64_t)(zigzag >> 1 ^ (zigzag & 1 ? UINT64_MAX : 0));
}

int64_t bs_snapshot_between(struct bs_snapshot *s, int64_t value, int64_t min, int64_t max)
{
    value = bs_snapshot_i64(s, value);
    bool fits = value >= min && value <= max;
    bs_snapshot_require(s, fits || s->failed);
    return fits ? value : min;
}

static bool is_moment(int64_t ms)
{
    return ms >= -TIME_MAX_MS && ms <= TIME_MAX_MS;
}

int64_t bs_snapshot_time(struct bs_snapshot *s, int64_t ms)
{
    ms = bs_snapshot_i64(s, ms);
    bool fits = is_moment(ms) || ms == INT64_MAX || ms == INT64_MIN;
    bs_snapshot_require(s, fits);
    return fits ? ms : 0;
}

int64_t bs_snapshot_time_or(struct bs_snapshot *s, int64_t ms, int64_t none)
{
    ms = bs_snapshot_i64(s, ms);
    bool fits = is_moment(ms) || ms == none;
    bs_snapshot_require(s, fits);
    return fits ? ms : 0;
}

int64_t bs_snapshot_moment(struct bs_snapshot *s, int64_t ms)
{
    return bs_snapshot_between(s, ms, -TIME_MAX_MS, TIME_MAX_MS);
}

double bs_snapshot_real(struct bs_snapshot *s, double value)
{
    uint8_t bytes[8];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bs_little_put_u64(bytes, bits);
    bs_snapshot_bytes(s, bytes, sizeof bytes);
    bits = bs_little_u64(bytes);
    memcpy(&value, &bits, sizeof value);
    bs_snapshot_require(s, isfinite(value));
    return isfinite(value) ? value : 0;
}

size_t bs_snapshot_count(struct bs_snapshot *s, size_t count, size_t max)
{
    count = bs_snapshot_u64(s, count, max);
    if (!s->loading || count <= s->rest.length)
        return count;
    bs_snapshot_fail(s, BS_CORRUPT);
    return 0;
}

void bs_snapshot_mark(struct bs_snapshot *s, uint32_t mark)
{
    uint8_t bytes[4];
    bs_little_put_u32(bytes, mark);
    bs_snapshot_bytes(s, bytes, sizeof bytes);
    bs_snapshot_require(s, s->failed || bs_little_u32(bytes) == mark);
}

/* Objects. */

static uint32_t place_of(const struct bs_snapshot_objects *o, const void *object)
{
    uint32_t place = (uint32_t)bs_hash_mix((uintptr_t)object) & (o->room - 1);
    while (o->objects[place] && o->objects[place] != object)
        place = (place + 1) & (o->room - 1);
    return place;
}

static bool grow_table(struct bs_snapshot_objects *o)
{
    struct bs_snapshot_objects larger = {.count = o->count, .room = o->room ? o->room * 2 : 256};
    larger.objects = calloc(larger.room, sizeof *larger.objects);
    larger.numbers = calloc(larger.room, sizeof *larger.numbers);
    if (!larger.objects || !larger.numbers) {
        free(larger.objects);
        free(larger.numbers);
        return false;
    }
    for (uint32_t i = 0; i < o->room; i++) {
        if (!o->objects[i])
            continue;
        uint32_t place = place_of(&larger, o->objects[i]);
        larger.objects[place] = o->objects[i];
        larger.numbers[place] = o->numbers[i];
    }
    free(o->objects);
    free(o->numbers);
    *o = larger;
    return true;
}

/* At most two thirds full: a search ends soon. */
static bool number_it(struct bs_snapshot_objects *o, void *object)
{
    if (o->count >= o->room / 3 * 2 && !grow_table(o))
        return false;
    uint32_t place = place_of(o, object);
    bs_check(!o->objects[place]);
    o->objects[place] = object;
    o->numbers[place] = ++o->count;
    return true;
}

static bool list_it(struct bs_snapshot_objects *o, void *object)
{
    if (o->count == o->room) {
        uint32_t room = o->room ? o->room * 2 : 256;
        void **larger = realloc(o->objects, room * sizeof *larger);
        if (!larger)
            return false;
        o->objects = larger;
        o->room = room;
    }
    o->objects[o->count++] = object;
    return true;
}

void bs_snapshot_define(struct bs_snapshot *s, enum bs_snapshot_sort sort, void *object)
{
    if (s->failed)
        return;
    bs_check(object);
    struct bs_snapshot_objects *o = &s->objects[sort];
    if (!(s->loading ? list_it(o, object) : number_it(o, object)))
        bs_snapshot_fail(s, BS_NO_MEMORY);
}

void *bs_snapshot_defined(const struct bs_snapshot *s, enum bs_snapshot_sort sort, uint32_t number)
{
    bs_check(s->loading); /* saving, they lie by their addresses */
    const struct bs_snapshot_objects *o = &s->objects[sort];
    return number > 0 && number <= o->count ? o->objects[number - 1] : NULL;
}

static uint32_t number_of(const struct bs_snapshot_objects *o, const void *object)
{
    if (!object)
        return 0;
    uint32_t place = o->room ? place_of(o, object) : 0;
    bs_check(o->room && o->objects[place]);
    return o->numbers[place];
}

void *bs_snapshot_refer(struct bs_snapshot *s, enum bs_snapshot_sort sort, void *object)
{
    struct bs_snapshot_objects *o = &s->objects[sort];
    if (s->failed)
        return s->loading ? NULL : object;
    if (!s->loading) {
        put_number(s, number_of(o, object));
        return object;
    }
    uint32_t number = bs_snapshot_u32(s, 0, o->count);
    return bs_snapshot_defined(s, sort, number);
}

void *bs_snapshot_refer_some(struct bs_snapshot *s, enum bs_snapshot_sort sort, void *object)
{
    object = bs_snapshot_refer(s, sort, object);
    bs_snapshot_require(s, object || s->failed);
    return object;
}
