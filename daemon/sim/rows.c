/* A table of rows. Must never depend on the order of a hash. */
#include "rows.h"

#include "backstep/base/check.h"

enum { KEY_MAX = 4096 };

void sim_rows_reset(struct sim_rows *rows)
{
    HASH_CLEAR(hh, rows->by_key);
    sim_arena_reset(&rows->arena);
    rows->writes = 0;
}

void sim_rows_fini(struct sim_rows *rows)
{
    HASH_CLEAR(hh, rows->by_key);
    sim_arena_fini(&rows->arena);
}

/* Lines ---------------------------------------------------------------------------------------- */

bool sim_line_split(struct bs_slice line, struct bs_slice *ret_head, struct bs_slice *ret_fields,
                    struct bs_slice *ret_time)
{
    const char *end = line.at + line.length, *at = line.at;
    while (at < end && *at != ' ') /* no tag of ours begins after an escaped space: see line.c */
        at += *at == '\\' ? 2 : 1;
    const char *last = line.length > 0 ? memrchr(line.at, ' ', line.length) : NULL;
    if (at >= end || !last || last <= at)
        return false;
    *ret_head = bs_slice_of(line.at, (size_t)(at - line.at));
    *ret_fields = bs_slice_of(at + 1, (size_t)(last - at - 1));
    *ret_time = bs_slice_of(last + 1, (size_t)(end - last - 1));
    return ret_fields->length > 0 && ret_time->length > 0;
}

/* Fields --------------------------------------------------------------------------------------- */

static size_t length_of_value(struct bs_slice rest)
{
    bool quoted = false;
    for (size_t i = 0; i < rest.length; i++) {
        if (rest.at[i] == '\\')
            i++;
        else if (rest.at[i] == '"')
            quoted = !quoted;
        else if (rest.at[i] == ',' && !quoted)
            return i;
    }
    return rest.length;
}

bool sim_fields_next(struct bs_slice *rest, struct bs_slice *ret_name, struct bs_slice *ret_value)
{
    const char *equals = rest->length > 0 ? memchr(rest->at, '=', rest->length) : NULL;
    if (!equals)
        return false;
    *ret_name = bs_slice_of(rest->at, (size_t)(equals - rest->at));
    struct bs_slice value = bs_slice_after(*rest, ret_name->length + 1);
    *ret_value = bs_slice_of(value.at, length_of_value(value));
    *rest = bs_slice_after(value, ret_value->length + 1);
    return true;
}

bool sim_fields_find(struct bs_slice fields, struct bs_slice name, struct bs_slice *ret_value)
{
    struct bs_slice found;
    while (sim_fields_next(&fields, &found, ret_value))
        if (bs_slice_equal(found, name))
            return true;
    return false;
}

bool sim_fields_are_in(struct bs_slice a, struct bs_slice b, struct bs_slice *ret_name)
{
    struct bs_slice value, other;
    if (bs_slice_equal(a, b))
        return true;
    while (sim_fields_next(&a, ret_name, &value))
        if (!sim_fields_find(b, *ret_name, &other) || !bs_slice_equal(value, other))
            return false;
    return true;
}

/* Where both name the same fields, one line after the other: as it nearly always is. */
static bool name_the_same(struct bs_slice a, struct bs_slice b)
{
    struct bs_slice name_a, name_b, value;
    bool more_a, more_b;
    do {
        more_a = sim_fields_next(&a, &name_a, &value);
        more_b = sim_fields_next(&b, &name_b, &value);
    } while (more_a && more_b && bs_slice_equal(name_a, name_b));
    return !more_a && !more_b;
}

/* Rows ----------------------------------------------------------------------------------------- */

static struct bs_slice make_key(struct bs_slice head, struct bs_slice time, char buffer[KEY_MAX])
{
    bs_check(head.length + time.length + 1 <= KEY_MAX);
    memcpy(buffer, head.at, head.length);
    buffer[head.length] = ' ';
    memcpy(buffer + head.length + 1, time.at, time.length);
    return bs_slice_of(buffer, head.length + 1 + time.length);
}

struct sim_row *sim_rows_find(const struct sim_rows *rows, struct bs_slice key)
{
    struct sim_row *row;
    HASH_FIND(hh, rows->by_key, key.at, key.length, row);
    return row;
}

static void set_fields(struct sim_rows *rows, struct sim_row *row, struct bs_slice fields,
                       size_t more)
{
    char *at = (char *)(uintptr_t)row->fields.at;
    if (row->room < fields.length + more) {
        row->room = (fields.length + more) * 5 / 4;
        at = sim_arena_take(&rows->arena, row->room);
    }
    memmove(at, fields.at, fields.length);
    row->fields = bs_slice_of(at, fields.length);
}

static void add_field(struct sim_row *row, struct bs_slice name, struct bs_slice value)
{
    char *at = (char *)(uintptr_t)row->fields.at + row->fields.length;
    *at++ = ',';
    memcpy(at, name.at, name.length);
    at += name.length;
    *at++ = '=';
    memcpy(at, value.at, value.length);
    row->fields.length += name.length + value.length + 2;
}

/* New values first, then what the old row had and the new line has not. */
static void merge(struct sim_rows *rows, struct sim_row *row, struct bs_slice fields)
{
    if (row->fields.length == 0 || name_the_same(row->fields, fields)) {
        set_fields(rows, row, fields, 0);
        return;
    }
    struct bs_slice old = sim_arena_copy(&rows->arena, row->fields), name, value, other;
    set_fields(rows, row, fields, old.length + 1);
    while (sim_fields_next(&old, &name, &value))
        if (!sim_fields_find(fields, name, &other))
            add_field(row, name, value);
}

bool sim_rows_write(struct sim_rows *rows, struct bs_slice line, bool open)
{
    char buffer[KEY_MAX];
    struct bs_slice head, fields, time;
    if (!sim_line_split(line, &head, &fields, &time))
        return false;
    struct bs_slice key = make_key(head, time, buffer);
    struct sim_row *row = sim_rows_find(rows, key);
    if (!row) {
        row = sim_arena_take(&rows->arena, sizeof *row);
        *row = (struct sim_row){.key = sim_arena_copy(&rows->arena, key)};
        HASH_ADD_KEYPTR(hh, rows->by_key, row->key.at, row->key.length, row);
    }
    merge(rows, row, fields);
    row->last = bs_slice_of(row->fields.at, fields.length);
    row->open = open;
    rows->writes++;
    return true;
}
