/* The table of our names, and the search for repeated ones. Must never take more time than a sort
 * of the names takes, whatever a sender chooses them to be. */
#include "decode_json_names.h"

#include "backstep/base/check.h"
#include "backstep/core/decode.h"

/* A perfect hash: no two of our names share a slot (the compiler says so if ever two do). */
#define SLOTS                     32u
#define SLOT(first, last, length) (((first) + 2u * (last) + (length)) % SLOTS)
#define KEY(text, first, last, key)                                                                \
    [SLOT(first, last, sizeof(text) - 1)] = {text, sizeof(text) - 1, key}

struct known_key {
    char name[14];
    uint8_t length, key;
};

static const struct known_key known_keys[SLOTS] = {
    KEY("v", 'v', 'v', BS_KEY_V),
    KEY("boot", 'b', 't', BS_KEY_BOOT),
    KEY("seq", 's', 'q', BS_KEY_SEQ),
    KEY("t", 't', 't', BS_KEY_T),
    KEY("up", 'u', 'p', BS_KEY_UP),
    KEY("dt_ms", 'd', 's', BS_KEY_DT_MS),
    KEY("foot", 'f', 't', BS_KEY_FOOT),
    KEY("dir", 'd', 'r', BS_KEY_DIR),
    KEY("step_ms", 's', 's', BS_FIELD_STEP_MS),
    KEY("stride_ms", 's', 's', BS_FIELD_STRIDE_MS),
    KEY("contact_ms", 'c', 's', BS_FIELD_CONTACT_MS),
    KEY("step_mm", 's', 'm', BS_FIELD_STEP_MM),
    KEY("stride_mm", 's', 'm', BS_FIELD_STRIDE_MM),
    KEY("trunk_cdeg", 't', 'g', BS_FIELD_TRUNK_CDEG),
    KEY("pitch_cdeg", 'p', 'g', BS_FIELD_PITCH_CDEG),
    KEY("vo_mm", 'v', 'm', BS_FIELD_VO_MM),
    KEY("impact_g16", 'i', '6', BS_FIELD_IMPACT_G16),
    KEY("quality", 'q', 'y', BS_FIELD_QUALITY),
    KEY("stored", 's', 'd', BS_KEY_STORED),
    KEY("columns", 'c', 's', BS_KEY_COLUMNS),
    KEY("rows", 'r', 's', BS_KEY_ROWS),
};

static uint64_t load64(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint32_t load32(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Equality of two names of the same length without a call: first and last word, which overlap. */
static inline bool same(const char *a, const char *b, size_t length)
{
    if (length >= 8)
        return load64(a) == load64(b) && load64(a + length - 8) == load64(b + length - 8);
    if (length >= 4)
        return load32(a) == load32(b) && load32(a + length - 4) == load32(b + length - 4);
    return a[0] == b[0] && a[length / 2] == b[length / 2] && a[length - 1] == b[length - 1];
}

static enum bs_step_key find(const char *name, size_t length)
{
    if (length == 0 || length > sizeof known_keys->name)
        return BS_KEY_UNKNOWN;
    unsigned char first = (unsigned char)name[0], last = (unsigned char)name[length - 1];
    const struct known_key *k = &known_keys[SLOT(first, last, length)];
    return k->length == length && same(k->name, name, length) ? k->key : BS_KEY_UNKNOWN;
}

enum bs_step_key bs_step_key_find(const struct bs_json_string *name)
{
    if (!name->escaped)
        return find(name->raw.at, name->raw.length);
    char text[sizeof known_keys->name];
    return find(text, bs_json_ascii(name, text, sizeof text));
}

void bs_names_add(struct bs_names *n, const struct bs_json_string *name)
{
    uint32_t kept = n->count < BS_NAMES_KEPT ? n->count : BS_NAMES_KEPT;
    for (uint32_t i = 0; i < kept && !n->repeated; i++)
        n->repeated = bs_json_string_equal(&n->kept[i], name);
    if (n->count < BS_NAMES_KEPT)
        n->kept[n->count] = *name;
    n->count++;
}

/* The shortest name in an array of strings takes three bytes with its comma. */
#define NAMES_MAX (BS_MESSAGE_BYTES_MAX / 3 + 1)

/* All names of a whole, each as the offset of its opening quote. */
struct offsets {
    const char *base, *end;
    uint32_t count;
    uint16_t at[NAMES_MAX];
};

static struct bs_json content_at(const struct offsets *o, uint16_t offset)
{
    struct bs_json j = {o->base + offset, o->end};
    struct bs_json_string s;
    bool is_string = bs_json_string(&j, &s);
    bs_check(is_string);
    return (struct bs_json){s.raw.at, s.raw.at + s.raw.length};
}

static int order(const struct offsets *o, uint16_t a, uint16_t b)
{
    struct bs_json x = content_at(o, a), y = content_at(o, b);
    int32_t c, d;
    do {
        c = bs_json_next_char(&x);
        d = bs_json_next_char(&y);
    } while (c == d && c >= 0);
    return c < d ? -1 : c > d;
}

static void sift(struct offsets *o, uint32_t from, uint32_t count)
{
    uint16_t moved = o->at[from];
    for (uint32_t child; (child = 2 * from + 1) < count; from = child) {
        if (child + 1 < count && order(o, o->at[child], o->at[child + 1]) < 0)
            child++;
        if (order(o, moved, o->at[child]) >= 0)
            break;
        o->at[from] = o->at[child];
    }
    o->at[from] = moved;
}

/* A heap sort: in place, and as quick on the worst names as on others. */
static void sort(struct offsets *o)
{
    for (uint32_t i = o->count / 2; i-- > 0;)
        sift(o, i, o->count);
    for (uint32_t left = o->count; left-- > 1;) {
        uint16_t largest = o->at[0];
        o->at[0] = o->at[left];
        o->at[left] = largest;
        sift(o, 0, left);
    }
}

static void collect(struct offsets *o)
{
    struct bs_json j = {o->base, o->end};
    bool object = *j.at++ == '{';
    bool well_formed = true;
    do {
        struct bs_json_value value;
        bs_json_space(&j);
        bs_check(o->count < NAMES_MAX && j.at - o->base <= UINT16_MAX);
        o->at[o->count++] = (uint16_t)(j.at - o->base);
        well_formed = bs_json_value(&j, 1, &value) && value.type == BS_JSON_STRING;
        if (object)
            well_formed = well_formed && bs_json_take(&j, ':') && bs_json_value(&j, 1, &value);
        bs_check(well_formed);
    } while (bs_json_take(&j, ','));
}

/* Not inlined: its 44 KiB of stack are for messages that no device sends today. */
static __attribute__((noinline)) bool search_all(struct bs_slice whole)
{
    struct offsets o;
    o.base = whole.at;
    o.end = whole.at + whole.length;
    o.count = 0;
    collect(&o);
    sort(&o);
    for (uint32_t i = 1; i < o.count; i++)
        if (order(&o, o.at[i - 1], o.at[i]) == 0)
            return true;
    return false;
}

bool bs_names_repeat(const struct bs_names *n, struct bs_slice whole)
{
    return n->repeated || (n->count > BS_NAMES_KEPT && search_all(whole));
}
