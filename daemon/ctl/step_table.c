/* Reading step tables and laying them out in time. Must never change a recorded value: gaps, noise
 * and impossible figures go on as they are. */
#include "step_table.h"

#include "backstep/base/check.h"

#include <uthash.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32u
#define KEY_BYTES   (BS_TABLE_LINE_MAX + 1)

enum column {
    COLUMN_SOURCE = BS_FIELD_COUNT, /* before it: the fields, by number */
    COLUMN_MEMBER,
    COLUMN_TRIAL,
    COLUMN_SEQ,
    COLUMN_FOOT,
    COLUMN_DIR,
    COLUMN_T_MS,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
#define FIELD_NAME(name, text, min, max) [BS_FIELD_##name] = text,
    BS_FIELDS(FIELD_NAME)
#undef FIELD_NAME
        [COLUMN_SOURCE] = "source",
    [COLUMN_MEMBER] = "member",
    [COLUMN_TRIAL] = "trial",
    [COLUMN_SEQ] = "seq",
    [COLUMN_FOOT] = "foot",
    [COLUMN_DIR] = "dir",
    [COLUMN_T_MS] = "t_ms",
};

struct bs_table_member {
    char *name; /* source, zero byte, member */
    size_t name_length, source_length;
    char id[BS_ID_MAX + 1];
    uint32_t index, next_seq;
    uint32_t trials; /* the newest one, once laid out: the first */
    UT_hash_handle by_name, by_id;
};

struct reader {
    struct bs_step_table *table;
    const char *name;
    unsigned long line;
    enum column columns[COLUMNS_MAX];
    size_t column_count;
    char *error;
    size_t error_bytes;
};

struct cells {
    struct bs_slice at[COLUMN_COUNT]; /* by column; empty where the table has none */
};

__attribute__((format(printf, 2, 3))) static enum bs_status fail(struct reader *r,
                                                                 const char *format, ...)
{
    int used = snprintf(r->error, r->error_bytes, "%s:%lu: ", r->name, r->line);
    if (used > 0 && (size_t)used < r->error_bytes) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(r->error + used, r->error_bytes - (size_t)used, format, arguments);
        va_end(arguments);
    }
    return BS_INVALID;
}

static enum bs_status out_of_memory(struct reader *r)
{
    fail(r, "%s", bs_status_text(BS_NO_MEMORY));
    return BS_NO_MEMORY;
}

/* Room for one more element; false where memory is out. */
static bool grow(void **array, size_t count, size_t *room, size_t element_bytes)
{
    if (count < *room)
        return true;
    size_t wanted = *room ? *room * 2 : 64;
    void *moved = reallocarray(*array, wanted, element_bytes);
    if (!moved)
        return false;
    *array = moved;
    *room = wanted;
    return true;
}

/* ---- cells ---- */

/* The text up to the next comma, which is stepped over; *rest becomes NULL behind the last cell. */
static struct bs_slice next_cell(const char **rest, const char *end)
{
    const char *at = *rest;
    const char *comma = memchr(at, ',', (size_t)(end - at));
    *rest = comma ? comma + 1 : NULL;
    return bs_slice_of(at, (size_t)((comma ? comma : end) - at));
}

/* Decimal digits, at most 16 of them, with an optional minus: within ±2^53. */
static bool parse_integer(struct bs_slice cell, int64_t *ret)
{
    size_t at = cell.length > 0 && cell.at[0] == '-';
    if (cell.length == at || cell.length - at > 16)
        return false;
    int64_t value = 0;
    for (size_t i = at; i < cell.length; i++) {
        if (cell.at[i] < '0' || cell.at[i] > '9')
            return false;
        value = value * 10 + (cell.at[i] - '0');
    }
    if (value > BS_TABLE_INTEGER_MAX)
        return false;
    *ret = at ? -value : value;
    return true;
}

static enum bs_status read_letters(struct reader *r, const struct cells *cells,
                                   struct bs_event *ret)
{
    static const char feet[] = "ULR";
    static const char directions[] = {
#define DIRECTION_LETTER(name, letter) letter,
        BS_DIRECTIONS(DIRECTION_LETTER)
#undef DIRECTION_LETTER
            '\0'};
    struct bs_slice foot = cells->at[COLUMN_FOOT], dir = cells->at[COLUMN_DIR];
    const char *found = foot.length == 1 && *foot.at ? strchr(feet, *foot.at) : NULL;
    if (foot.length > 0 && !found)
        return fail(r, "foot is '%.*s', not L, R or U", (int)foot.length, foot.at);
    ret->foot = found ? (uint8_t)(found - feet) : BS_FOOT_UNKNOWN;
    found = dir.length == 1 && *dir.at ? strchr(directions, *dir.at) : NULL;
    if (dir.length > 0 && !found)
        return fail(r, "dir is '%.*s', not one of F B L R U D T N X", (int)dir.length, dir.at);
    ret->direction = found ? (uint8_t)(found - directions) : BS_DIRECTION_UNKNOWN;
    return BS_OK;
}

static enum bs_status read_integers(struct reader *r, const struct cells *cells,
                                    struct bs_event *ret)
{
    static const char wrong[] = "%s is '%.*s', not an integer within +-2^53";
    for (int c = 0; c < COLUMN_COUNT; c++) {
        struct bs_slice cell = cells->at[c];
        bool is_number = c < BS_FIELD_COUNT || c == COLUMN_SEQ || c == COLUMN_T_MS;
        int64_t value;
        if (!is_number || (cell.length == 0 && c != COLUMN_T_MS))
            continue;
        if (!parse_integer(cell, &value))
            return fail(r, wrong, column_names[c], (int)cell.length, cell.at);
        if (c == COLUMN_T_MS && (value < -BS_TABLE_TRIAL_MAX_MS || value > BS_TABLE_TRIAL_MAX_MS))
            return fail(r, "t_ms is %lld: no trial lasts 31 days", (long long)value);
        if (c == COLUMN_T_MS)
            ret->time_ms = value;
        else if (c < BS_FIELD_COUNT)
            bs_event_set(ret, (enum bs_field)c, value);
    }
    return BS_OK;
}

/* ---- members and trials ---- */

/* Bytes that no topic level may hold become '_'; a second member that comes out the same gets a
 * number. */
static void name_device(const struct bs_step_table *t, struct bs_table_member *m)
{
    static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    char plain[BS_ID_MAX + 1];
    size_t length = 0;
    size_t from = m->source_length > 0 ? 0 : 1;
    for (size_t i = from; i < m->name_length && length < BS_ID_MAX; i++) {
        char c = m->name[i];
        plain[length++] = i == m->source_length ? '-' : c != '\0' && strchr(fit, c) ? c : '_';
    }
    plain[length] = '\0';
    snprintf(m->id, sizeof m->id, "%s", plain);
    struct bs_table_member *other;
    for (unsigned n = 2;; n++) {
        HASH_FIND(by_id, t->by_id, m->id, strlen(m->id), other);
        if (!other)
            return;
        char suffix[16];
        int suffix_length = snprintf(suffix, sizeof suffix, "-%u", n);
        int keep = BS_ID_MAX - suffix_length;
        snprintf(m->id, sizeof m->id, "%.*s%s", keep, plain, suffix);
    }
}

static struct bs_table_member *add_member(struct bs_step_table *t, struct bs_slice name,
                                          size_t source_length)
{
    if (!grow((void **)&t->members, t->member_count, &t->member_room, sizeof(void *)))
        return NULL;
    struct bs_table_member *m = calloc(1, sizeof *m);
    char *copy = malloc(name.length);
    if (!m || !copy) {
        free(m);
        free(copy);
        return NULL;
    }
    m->name = memcpy(copy, name.at, name.length);
    m->name_length = name.length;
    m->source_length = source_length;
    m->index = (uint32_t)t->member_count;
    m->trials = BS_TABLE_NO_TRIAL;
    name_device(t, m);
    HASH_ADD_KEYPTR(by_name, t->by_name, m->name, m->name_length, m);
    HASH_ADD_KEYPTR(by_id, t->by_id, m->id, strlen(m->id), m);
    t->members[t->member_count++] = m;
    return m;
}

static struct bs_table_member *member_of(struct bs_step_table *t, const struct cells *cells)
{
    struct bs_slice source = cells->at[COLUMN_SOURCE], member = cells->at[COLUMN_MEMBER];
    char key[KEY_BYTES];
    bs_check(source.length + 1 + member.length <= sizeof key);
    if (source.length > 0)
        memcpy(key, source.at, source.length);
    key[source.length] = '\0';
    if (member.length > 0)
        memcpy(key + source.length + 1, member.at, member.length);
    size_t length = source.length + 1 + member.length;
    struct bs_table_member *m;
    HASH_FIND(by_name, t->by_name, key, length, m); /* NOLINT: the key is whole */
    return m ? m : add_member(t, bs_slice_of(key, length), source.length);
}

/* A trial is a member's rows of one name; the rows of the newest one usually come together. */
static struct bs_table_trial *trial_of(struct bs_step_table *t, struct bs_table_member *m,
                                       struct bs_slice name)
{
    for (uint32_t i = m->trials; i != BS_TABLE_NO_TRIAL; i = t->trials[i].linked) {
        if (bs_slice_equal(bs_slice_text(t->trials[i].name), name))
            return &t->trials[i];
    }
    if (!grow((void **)&t->trials, t->trial_count, &t->trial_room, sizeof *t->trials))
        return NULL;
    char *copy = strndup(name.length ? name.at : "", name.length);
    if (!copy)
        return NULL;
    struct bs_table_trial *trial = &t->trials[t->trial_count];
    *trial = (struct bs_table_trial){
        .name = copy, .member = m->index, .linked = m->trials, .last_ms = INT64_MIN};
    m->trials = (uint32_t)t->trial_count++;
    return trial;
}

/* ---- lines ---- */

static enum bs_status read_header(struct reader *r, const char *line, const char *end)
{
    bool seen[COLUMN_COUNT] = {false};
    for (const char *rest = line; rest;) {
        struct bs_slice name = next_cell(&rest, end);
        int c = 0;
        while (c < COLUMN_COUNT && !bs_slice_equal(name, bs_slice_text(column_names[c])))
            c++;
        if (c == COLUMN_COUNT)
            return fail(r, "there is no column '%.*s'", (int)name.length, name.at);
        if (seen[c])
            return fail(r, "column %s is named twice", column_names[c]);
        seen[c] = true;
        r->columns[r->column_count++] = (enum column)c;
    }
    if (!seen[COLUMN_MEMBER] || !seen[COLUMN_T_MS])
        return fail(r, "column %s is missing",
                    column_names[seen[COLUMN_MEMBER] ? COLUMN_T_MS : COLUMN_MEMBER]);
    return BS_OK;
}

static enum bs_status split(struct reader *r, const char *line, const char *end, struct cells *ret)
{
    size_t count = 0;
    for (const char *rest = line; rest; count++) {
        struct bs_slice cell = next_cell(&rest, end);
        if (count < r->column_count)
            ret->at[r->columns[count]] = cell;
    }
    if (count != r->column_count)
        return fail(r, "%zu cells, but %zu columns", count, r->column_count);
    if (ret->at[COLUMN_MEMBER].length == 0)
        return fail(r, "member is empty");
    return BS_OK;
}

static enum bs_status read_row(struct reader *r, const char *line, const char *end)
{
    struct bs_step_table *t = r->table;
    struct cells cells = {0};
    struct bs_event event = {0};
    enum bs_status status = split(r, line, end, &cells);
    if (status == BS_OK)
        status = read_letters(r, &cells, &event);
    if (status == BS_OK)
        status = read_integers(r, &cells, &event);
    if (status != BS_OK)
        return status;
    if (t->row_count >= BS_TABLE_ROWS_MAX)
        return fail(r, "more than %u rows", BS_TABLE_ROWS_MAX);
    struct bs_table_member *m = member_of(t, &cells);
    struct bs_table_trial *trial = m ? trial_of(t, m, cells.at[COLUMN_TRIAL]) : NULL;
    if (!trial || !grow((void **)&t->rows, t->row_count, &t->row_room, sizeof *t->rows))
        return out_of_memory(r);
    trial->rows++;
    if (event.time_ms > trial->last_ms)
        trial->last_ms = event.time_ms;
    t->rows[t->row_count++] =
        (struct bs_table_row){.event = event, .trial = (uint32_t)(trial - t->trials)};
    return BS_OK;
}

static enum bs_status read_line(struct reader *r, const char *line, size_t length)
{
    r->line++;
    if (length > 0 && line[length - 1] == '\n')
        length--;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (length > BS_TABLE_LINE_MAX)
        return fail(r, "the line is longer than %u bytes", BS_TABLE_LINE_MAX);
    if (!bs_slice_is_utf8(bs_slice_of(line, length)) || memchr(line, '\0', length))
        return fail(r, "this is not text");
    if (memchr(line, '"', length))
        return fail(r, "quoted cells are not understood");
    if (r->line == 1)
        return read_header(r, line, line + length);
    return length == 0 ? BS_OK : read_row(r, line, line + length);
}

enum bs_status bs_step_table_read(struct bs_step_table *ret, FILE *file, const char *name,
                                  char *ret_error, size_t ret_error_bytes)
{
    *ret = (struct bs_step_table){0};
    struct reader r = {
        .table = ret, .name = name, .error = ret_error, .error_bytes = ret_error_bytes};
    char *line = NULL;
    size_t room = 0;
    ssize_t length = 0;
    enum bs_status status = BS_OK;
    while (status == BS_OK && (length = getline(&line, &room, file)) >= 0)
        status = read_line(&r, line, (size_t)length);
    if (status == BS_OK && ferror(file)) {
        fail(&r, "%s", bs_status_text(BS_IO));
        status = BS_IO;
    }
    if (status == BS_OK && ret->row_count == 0) {
        r.line = r.line ? r.line : 1;
        status = fail(&r, "there are no steps in it");
    }
    free(line);
    if (status != BS_OK)
        bs_step_table_fini(ret);
    return status;
}

void bs_step_table_fini(struct bs_step_table *t)
{
    HASH_CLEAR(by_name, t->by_name);
    HASH_CLEAR(by_id, t->by_id);
    for (size_t i = 0; i < t->member_count; i++) {
        free(t->members[i]->name);
        free(t->members[i]);
    }
    for (size_t i = 0; i < t->trial_count; i++)
        free(t->trials[i].name);
    free(t->members);
    free(t->trials);
    free(t->rows);
    *t = (struct bs_step_table){0};
}

/* ---- the layout ---- */

static int by_time(const void *a, const void *b)
{
    const struct bs_table_row *x = a, *y = b;
    if (x->event.time_ms != y->event.time_ms)
        return x->event.time_ms < y->event.time_ms ? -1 : 1;
    /* seq still holds the row's number in the file: equal times keep its order. */
    return x->event.seq < y->event.seq ? -1 : x->event.seq > y->event.seq;
}

/* The lane that is free first; each holds one walking member at a time. */
static size_t first_free(const int64_t *lanes, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = lanes[i] < lanes[best] ? i : best;
    return best;
}

/* Trials in the order of their first rows: a member's first begins where its lane is free. */
static void place_trials(struct bs_step_table *t, int64_t gap_ms, int64_t *lanes, size_t at_once)
{
    for (size_t member = 0; member < t->member_count; member++) {
        struct bs_table_member *m = t->members[member];
        uint32_t order = BS_TABLE_NO_TRIAL;
        /* The chain runs from the newest to the first; turn it round. */
        for (uint32_t i = m->trials; i != BS_TABLE_NO_TRIAL;) {
            uint32_t previous = t->trials[i].linked;
            t->trials[i].linked = order;
            order = i;
            i = previous;
        }
        m->trials = order;
        size_t lane = first_free(lanes, at_once);
        for (uint32_t i = order; i != BS_TABLE_NO_TRIAL; i = t->trials[i].linked) {
            t->trials[i].start_ms = lanes[lane];
            lanes[lane] += t->trials[i].last_ms + gap_ms;
        }
    }
}

enum bs_status bs_step_table_lay_out(struct bs_step_table *t, int64_t gap_ms, size_t at_once)
{
    if (at_once == 0 || at_once > t->member_count)
        at_once = t->member_count;
    int64_t *lanes = calloc(at_once, sizeof *lanes);
    if (!lanes)
        return BS_NO_MEMORY;
    place_trials(t, gap_ms, lanes, at_once);
    free(lanes);
    for (size_t i = 0; i < t->row_count; i++) {
        t->rows[i].event.time_ms += t->trials[t->rows[i].trial].start_ms;
        t->rows[i].event.seq = (uint32_t)i;
    }
    qsort(t->rows, t->row_count, sizeof *t->rows, by_time);
    for (size_t i = 0; i < t->row_count; i++)
        t->rows[i].event.seq = t->members[t->trials[t->rows[i].trial].member]->next_seq++;
    bs_step_table_shift(t, -t->rows[0].event.time_ms);
    return BS_OK;
}

void bs_step_table_shift(struct bs_step_table *t, int64_t by_ms)
{
    for (size_t i = 0; i < t->row_count; i++)
        t->rows[i].event.time_ms += by_ms;
    for (size_t i = 0; i < t->trial_count; i++)
        t->trials[i].start_ms += by_ms;
}

const char *bs_step_table_device(const struct bs_step_table *t, size_t member)
{
    return t->members[member]->id;
}

static void write_device(const struct bs_step_table *t, const struct bs_table_member *m,
                         struct bs_buffer *ret)
{
    bs_buffer_add_format(ret, "\"%s\":{\"source\":", m->id);
    bs_buffer_add_json_string(ret, bs_slice_of(m->name, m->source_length));
    bs_buffer_add_text(ret, ",\"member\":");
    bs_buffer_add_json_string(
        ret, bs_slice_after(bs_slice_of(m->name, m->name_length), m->source_length + 1));
    const char *comma = ",\"trials\":[";
    for (uint32_t i = m->trials; i != BS_TABLE_NO_TRIAL; i = t->trials[i].linked) {
        bs_buffer_add_format(ret, "%s{\"trial\":", comma);
        bs_buffer_add_json_string(ret, bs_slice_text(t->trials[i].name));
        bs_buffer_add_format(ret, ",\"start\":%lld,\"steps\":%llu}",
                             (long long)t->trials[i].start_ms,
                             (unsigned long long)t->trials[i].rows);
        comma = ",";
    }
    bs_buffer_add_text(ret, "]}");
}

void bs_step_table_write_devices(const struct bs_step_table *t, struct bs_buffer *ret)
{
    bs_buffer_add_text(ret, "\"devices\":{");
    for (size_t i = 0; i < t->member_count; i++) {
        if (i > 0)
            bs_buffer_add_text(ret, ",\n  ");
        write_device(t, t->members[i], ret);
    }
    bs_buffer_add_char(ret, '}');
}
