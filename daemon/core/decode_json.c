/* A JSON step message, single or batch, in one pass over its text. Keys come in any order; rows
 * that come before their columns are read when the object has ended.
 * A fault of schema never ends the reading: only text that is JSON to its last byte has a schema.
 * Must never allocate, nor say of a text that is not JSON anything but `malformed`. */
#include "decode_forms.h"
#include "decode_json_names.h"

#include "backstep/base/check.h"

/* Objects and arrays that are open around a value of the top level, of a row, of the columns. */
enum { DEPTH_MEMBER = 1, DEPTH_COLUMN = 2, DEPTH_ROW = 2, DEPTH_CELL = 3 };

/* The columns we know, ascending by place, and how many there are in all. */
#define COLUMNS_KNOWN_MAX (BS_FIELD_COUNT + 3)

struct columns {
    struct {
        uint32_t place;
        enum bs_step_key key;
    } known[COLUMNS_KNOWN_MAX];
    uint32_t known_count, count;
    bool has_dt;
};

struct reading {
    struct bs_message *message;
    bool schema;  /* a fault that is not one of the text */
    bool unknown; /* a name that is not ours */
    bool stored;
    uint32_t keys;    /* bit k: key k was there */
    uint32_t dropped; /* at the top of the object; `stored` alone counts in both forms */
    uint32_t dropped_in_rows, dropped_stored;
    uint32_t row_count;
    const char *rows_at; /* rows still to be read */
    int64_t whole[BS_KEY_UP + 1 - BS_KEY_V];
    struct columns columns;
    struct bs_names names;
    struct bs_step single;
};

static uint32_t bit(enum bs_step_key key)
{
    return UINT32_C(1) << key;
}

static bool is_among(int64_t value, int64_t min, int64_t max)
{
    return value >= min && value <= max;
}

/* The character of a string of one, else 0. */
static char letter_of(const struct bs_json_value *v)
{
    char letter;
    if (v->type != BS_JSON_STRING)
        return 0;
    if (!v->string.escaped)
        return v->string.raw.length == 1 ? v->string.raw.at[0] : 0;
    return bs_json_ascii(&v->string, &letter, 1) == 1 ? letter : 0;
}

static bool set_foot(struct bs_step *s, const struct bs_json_value *v)
{
    char letter = letter_of(v);
    s->foot = letter == 'L' ? BS_FOOT_LEFT : letter == 'R' ? BS_FOOT_RIGHT : BS_FOOT_UNKNOWN;
    return s->foot != BS_FOOT_UNKNOWN || letter == 'U';
}

static bool set_direction(struct bs_step *s, const struct bs_json_value *v)
{
    enum bs_direction direction;
    if (!bs_direction_of_letter(letter_of(v), &direction))
        return false;
    s->direction = (uint8_t)direction;
    return true;
}

/* What a step may have or not; false where the value is to be dropped. */
static inline bool set_optional(struct bs_step *s, enum bs_step_key key,
                                const struct bs_json_value *v)
{
    if (key == BS_KEY_FOOT)
        return set_foot(s, v);
    if (key == BS_KEY_DIR)
        return set_direction(s, v);
    const struct bs_field_range *range = &bs_field_ranges[key];
    if (v->type != BS_JSON_INTEGER || !is_among(v->integer, range->min, range->max))
        return false;
    bs_step_set(s, (enum bs_field)key, (int16_t)v->integer);
    return true;
}

/* Identity and time. */
static void set_whole(struct reading *r, enum bs_step_key key, const struct bs_json_value *v)
{
    static const struct {
        int64_t min, max;
    } ranges[] = {{1, 1},
                  {0, UINT32_MAX},
                  {0, UINT32_MAX},
                  {-BS_TIME_ABS_MAX, BS_TIME_ABS_MAX},
                  {-BS_TIME_ABS_MAX, BS_TIME_ABS_MAX}};
    unsigned i = key - BS_KEY_V;
    if (v->type != BS_JSON_INTEGER || !is_among(v->integer, ranges[i].min, ranges[i].max))
        r->schema = true;
    else
        r->whole[i] = v->integer;
}

static int64_t whole(const struct reading *r, enum bs_step_key key)
{
    return r->whole[key - BS_KEY_V];
}

static void set_stored(struct reading *r, const struct bs_json_value *v)
{
    r->stored = v->type == BS_JSON_TRUE;
    r->dropped_stored = v->type != BS_JSON_TRUE && v->type != BS_JSON_FALSE;
}

static void add_column(struct columns *c, struct bs_names *names, uint32_t *seen, bool *ret_schema,
                       const struct bs_json_string *name)
{
    enum bs_step_key key = bs_step_key_find(name);
    uint32_t place = c->count++;
    if (key >= BS_KEY_COLUMNS) {
        bs_names_add(names, name);
        return;
    }
    bool belongs_above = is_among(key, BS_KEY_V, BS_KEY_UP) || key == BS_KEY_STORED;
    if (belongs_above || (*seen & bit(key))) {
        *ret_schema = true;
        return;
    }
    *seen |= bit(key);
    c->has_dt |= key == BS_KEY_DT_MS;
    c->known[c->known_count].place = place;
    c->known[c->known_count++].key = key;
}

/* True while the text is JSON, as all readers below; what is wrong else goes to r->schema. */
static bool read_columns(struct reading *r, struct bs_json *j)
{
    struct columns *c = &r->columns;
    struct bs_names names;
    uint32_t seen = 0;
    bool schema = false;
    struct bs_json_value v;
    const char *first = j->at;
    c->count = c->known_count = 0;
    c->has_dt = false;
    bs_names_init(&names);
    j->at++;
    if (bs_json_take(j, ']'))
        return true;
    do {
        if (!bs_json_value(j, DEPTH_COLUMN, &v))
            return false;
        if (v.type == BS_JSON_STRING)
            add_column(c, &names, &seen, &schema, &v.string);
        else
            schema = true;
    } while (bs_json_take(j, ','));
    if (!bs_json_take(j, ']'))
        return false;
    struct bs_slice all = bs_slice_of(first, (size_t)(j->at - first));
    r->schema |= schema || bs_names_repeat(&names, all);
    r->unknown |= names.count > 0;
    return true;
}

static void set_cell(struct reading *r, struct bs_step *s, enum bs_step_key key,
                     const struct bs_json_value *v)
{
    if (key == BS_KEY_DT_MS) {
        if (v->type == BS_JSON_INTEGER && is_among(v->integer, 0, BS_BATCH_STEP_GAP_MAX))
            s->time_ms = v->integer;
        else
            r->schema = true;
    } else if (v->type != BS_JSON_NULL) {
        r->dropped_in_rows += !set_optional(s, key, v);
    }
}

/* The cursor stands on the row's bracket; the step's time is then its dt_ms. */
static bool read_row(struct reading *r, struct bs_json *cursor, struct bs_step *s)
{
    const struct columns *c = &r->columns;
    struct bs_json j = *cursor;
    uint32_t place = 0, known = 0;
    struct bs_json_value v;
    *s = (struct bs_step){0};
    j.at++;
    if (bs_json_take(&j, ']')) {
        r->schema = true;
        *cursor = j;
        return true;
    }
    do {
        if (!bs_json_value(&j, DEPTH_CELL, &v))
            return false;
        if (known < c->known_count && c->known[known].place == place)
            set_cell(r, s, c->known[known++].key, &v);
        place++;
    } while (bs_json_take(&j, ','));
    r->schema |= place != c->count;
    bool closed = bs_json_take(&j, ']');
    *cursor = j;
    return closed;
}

/* A row beyond the most is read as any other: the text must be JSON to its end all the same. */
static bool read_rows(struct reading *r, struct bs_json *j)
{
    struct bs_step beyond;
    struct bs_json_value other;
    r->row_count = 0;
    j->at++;
    if (bs_json_take(j, ']'))
        return true;
    do {
        uint32_t i = r->row_count++;
        bs_json_space(j);
        if (j->at < j->end && *j->at == '[') {
            if (!read_row(r, j, i < BS_MESSAGE_STEPS_MAX ? &r->message->steps[i] : &beyond))
                return false;
        } else {
            r->schema = true;
            if (!bs_json_value(j, DEPTH_ROW, &other))
                return false;
        }
    } while (bs_json_take(j, ','));
    return bs_json_take(j, ']');
}

static bool read_table(struct reading *r, struct bs_json *j, enum bs_step_key key)
{
    struct bs_json_value other;
    bs_json_space(j);
    bool array = j->at < j->end && *j->at == '[';
    if (array && key == BS_KEY_COLUMNS)
        return read_columns(r, j);
    if (array && (r->keys & bit(BS_KEY_COLUMNS)))
        return read_rows(r, j);
    if (array)
        r->rows_at = j->at;
    else
        r->schema = true;
    return bs_json_value(j, DEPTH_MEMBER, &other);
}

/* As above, with a copy of the cursor: the one of the object stays in registers. */
static bool read_table_apart(struct reading *r, struct bs_json *j, enum bs_step_key key)
{
    struct bs_json apart = *j;
    bool well_formed = read_table(r, &apart, key);
    *j = apart;
    return well_formed;
}

static inline bool read_member(struct reading *r, struct bs_json *j,
                               const struct bs_json_string *name)
{
    struct bs_json_value v;
    enum bs_step_key key = bs_step_key_find(name);
    if (key == BS_KEY_UNKNOWN || key == BS_KEY_DT_MS) {
        bs_names_add(&r->names, name);
        return bs_json_value(j, DEPTH_MEMBER, &v);
    }
    r->schema |= (r->keys & bit(key)) != 0;
    r->keys |= bit(key);
    if (key == BS_KEY_COLUMNS || key == BS_KEY_ROWS)
        return read_table_apart(r, j, key);
    if (!bs_json_value(j, DEPTH_MEMBER, &v))
        return false;
    if (is_among(key, BS_KEY_V, BS_KEY_UP))
        set_whole(r, key, &v);
    else if (key == BS_KEY_STORED)
        set_stored(r, &v);
    else
        r->dropped += !set_optional(&r->single, key, &v);
    return true;
}

/* The whole text: one object, white space around it. */
static bool read_object(struct reading *r, struct bs_slice payload)
{
    struct bs_json j = {payload.at, payload.at + payload.length};
    struct bs_json_string name;
    if (!bs_json_take(&j, '{'))
        return false;
    const char *first = j.at - 1;
    if (!bs_json_take(&j, '}')) {
        do {
            bs_json_space(&j);
            if (j.at == j.end || *j.at != '"' || !bs_json_string(&j, &name) ||
                !bs_json_take(&j, ':') || !read_member(r, &j, &name))
                return false;
        } while (bs_json_take(&j, ','));
        if (!bs_json_take(&j, '}'))
            return false;
    }
    r->schema |= bs_names_repeat(&r->names, bs_slice_of(first, (size_t)(j.at - first)));
    r->unknown |= r->names.count > 0;
    bs_json_space(&j);
    return j.at == j.end;
}

static void finish_single(struct reading *r)
{
    struct bs_message *m = r->message;
    m->steps[0] = r->single;
    m->steps[0].time_ms = 0;
    m->count = 1;
    m->field_out_of_range = r->dropped + r->dropped_stored;
}

/* In a batch the keys of a single step mean nothing at the top. */
static void finish_batch(struct reading *r)
{
    const uint32_t per_step = (bit(BS_KEY_V) - 1) | bit(BS_KEY_FOOT) | bit(BS_KEY_DIR);
    struct bs_message *m = r->message;
    m->count = r->row_count;
    m->field_out_of_range = r->dropped_in_rows + r->dropped_stored;
    r->unknown |= (r->keys & per_step) != 0;
    r->schema |= !(r->keys & bit(BS_KEY_COLUMNS)) || !r->columns.has_dt || r->row_count == 0;
}

/* Gives each step its seq and its time, which so far is the time since the step before. */
static bool place_steps(struct reading *r)
{
    struct bs_message *m = r->message;
    int64_t first_seq = whole(r, BS_KEY_SEQ);
    int64_t time_ms = whole(r, m->uses_up ? BS_KEY_UP : BS_KEY_T);
    if (first_seq + (int64_t)m->count - 1 > UINT32_MAX)
        return false;
    for (size_t i = 0; i < m->count; i++) {
        time_ms += m->steps[i].time_ms;
        m->steps[i].time_ms = time_ms;
        m->steps[i].seq = (uint32_t)first_seq + (uint32_t)i;
    }
    return time_ms <= BS_TIME_ABS_MAX;
}

static enum bs_decode_result finish(struct reading *r)
{
    const uint32_t identity = bit(BS_KEY_V) | bit(BS_KEY_BOOT) | bit(BS_KEY_SEQ);
    struct bs_message *m = r->message;
    if (r->row_count > BS_MESSAGE_STEPS_MAX)
        return BS_DECODE_TOO_LARGE;
    if (r->keys & (bit(BS_KEY_COLUMNS) | bit(BS_KEY_ROWS)))
        finish_batch(r);
    else
        finish_single(r);
    bool has_t = r->keys & bit(BS_KEY_T), has_up = r->keys & bit(BS_KEY_UP);
    m->uses_up = has_up;
    if (r->schema || (r->keys & identity) != identity || has_t == has_up || !place_steps(r))
        return BS_DECODE_SCHEMA;
    m->boot = (uint32_t)whole(r, BS_KEY_BOOT);
    m->stored = r->stored;
    m->unknown_keys = r->unknown;
    return BS_DECODED;
}

enum bs_decode_result bs_decode_json(struct bs_slice payload, struct bs_message *ret)
{
    /* Member by member: what a message has no use for (names, columns) is not worth clearing. */
    struct reading r;
    r.message = ret;
    r.schema = r.unknown = r.stored = false;
    r.keys = r.dropped = r.dropped_in_rows = r.dropped_stored = r.row_count = 0;
    r.rows_at = NULL;
    memset(r.whole, 0, sizeof r.whole);
    r.columns.count = r.columns.known_count = 0;
    r.columns.has_dt = false;
    bs_names_init(&r.names);
    r.single = (struct bs_step){0};
    if (!read_object(&r, payload))
        return BS_DECODE_MALFORMED;
    if (r.rows_at) {
        struct bs_json j = {r.rows_at, payload.at + payload.length};
        bool well_formed = read_rows(&r, &j);
        bs_check(well_formed);
    }
    return finish(&r);
}
