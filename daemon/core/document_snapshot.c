/* Documents in snapshots, by their tables. Must never load what the readers would not have read. */
#include "backstep/base/check.h"
#include "backstep/core/snapshot.h"
#include "document_parts.h"

#include <stdlib.h>

/* No list of a document can say more: each id has two quotes and a comma or a bracket. */
#define IDS_BYTES_MAX  BS_DOCUMENT_BYTES_MAX
#define IDS_MAX        (BS_DOCUMENT_BYTES_MAX / 4)

/* 32 code points of four bytes. */
#define TEXT_BYTES_MAX (BS_DOCUMENT_TEXT_MAX * 4)

/* Texts. */

/* Loading, takes a copy. */
static void carry_text(struct bs_snapshot *s, const struct bs_document_field *field,
                       bool (*is_valid)(struct bs_slice), struct bs_slice *at)
{
    struct bs_slice text = bs_snapshot_text(s, *at, TEXT_BYTES_MAX);
    if (!bs_snapshot_loads(s))
        return;
    bs_snapshot_require(s, text.length ? is_valid(text) : !field->required);
    if (s->failed || text.length == 0)
        return;
    char *copy = malloc(text.length);
    if (!copy) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    memcpy(copy, text.at, text.length);
    *at = bs_slice_of(copy, text.length);
}

/* Lists of ids. */

static int compare_slices(const void *a, const void *b)
{
    return bs_slice_compare(*(const struct bs_slice *)a, *(const struct bs_slice *)b);
}

/* Sorts them: as many as a document has are too many to compare each with each. */
static bool have_repeated(struct bs_slice *ids, size_t count)
{
    qsort(ids, count, sizeof *ids, compare_slices);
    for (size_t i = 1; i < count; i++)
        if (bs_slice_equal(ids[i - 1], ids[i]))
            return true;
    return false;
}

/* Slices of what is read; *ret_bytes of them all. */
static void load_ids(struct bs_snapshot *s, struct bs_slice *ids, size_t count, size_t *ret_bytes)
{
    *ret_bytes = 0;
    for (size_t i = 0; i < count && !s->failed; i++) {
        ids[i] = bs_snapshot_text(s, ids[i], BS_ID_MAX);
        *ret_bytes += ids[i].length;
        bs_snapshot_require(s, s->failed || bs_slice_is_id(ids[i]));
    }
    bs_snapshot_require(s, *ret_bytes + 3 * count <= IDS_BYTES_MAX);
}

/* One block, as a reader makes it: the slices, and behind them what they point to. */
static bool copy_ids(const struct bs_slice *ids, size_t count, size_t bytes, struct bs_ids *ret)
{
    struct bs_slice *copies = malloc(count * sizeof *copies + bytes);
    if (!copies)
        return false;
    char *text = (char *)(copies + count);
    for (size_t i = 0; i < count; i++) {
        copies[i] = bs_slice_of(text, ids[i].length);
        memcpy(text, ids[i].at, ids[i].length);
        text += ids[i].length;
    }
    *ret = (struct bs_ids){copies, count};
    return true;
}

static void load_list(struct bs_snapshot *s, size_t count, struct bs_ids *ret)
{
    if (count == 0)
        return;
    struct bs_slice *ids = calloc(count, sizeof *ids);
    size_t bytes;
    if (!ids) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    load_ids(s, ids, count, &bytes);
    struct bs_ids list = {NULL, 0};
    if (!s->failed && !copy_ids(ids, count, bytes, &list))
        bs_snapshot_fail(s, BS_NO_MEMORY);
    bs_snapshot_require(s, s->failed || !have_repeated(ids, count));
    free(ids);
    *ret = list;
}

static void carry_ids(struct bs_snapshot *s, struct bs_ids *at)
{
    size_t count = bs_snapshot_count(s, at->count, IDS_MAX);
    if (bs_snapshot_loads(s)) {
        load_list(s, count, at);
        return;
    }
    for (size_t i = 0; i < count; i++)
        bs_snapshot_text(s, at->at[i], BS_ID_MAX);
}

/* Numbers. */

static bool is_within(const struct bs_document_field *field, int64_t value)
{
    return (value >= (int64_t)field->min && value <= (int64_t)field->max) ||
           (!field->required && value == (int64_t)field->fallback);
}

static void carry_integer(struct bs_snapshot *s, const struct bs_document_field *field, int64_t *at)
{
    int64_t value = bs_snapshot_i64(s, *at);
    bs_snapshot_require(s, s->failed || is_within(field, value));
    if (!s->failed)
        *at = value;
}

static void carry_real(struct bs_snapshot *s, const struct bs_document_field *field, double *at)
{
    double value = bs_snapshot_real(s, *at);
    bs_snapshot_require(s, s->failed || (value > field->min && value <= field->max));
    if (!s->failed)
        *at = value;
}

static void carry_choice(struct bs_snapshot *s, const struct bs_document_field *field, int *at)
{
    uint8_t count = 0;
    while (field->choices[count])
        count++;
    *at = bs_snapshot_u8(s, (uint8_t)*at, (uint8_t)(count - 1));
}

static void carry_time(struct bs_snapshot *s, const struct bs_document_field *field, int64_t *at)
{
    int64_t ms = bs_snapshot_time_or(s, *at, INT64_MAX);
    bool fits = ms == INT64_MAX ? !field->required : ms >= 0 && ms <= BS_DOCUMENT_TIME_LAST_MS;
    bs_snapshot_require(s, s->failed || fits);
    if (!s->failed)
        *at = ms;
}

/* Objects. */

static void carry_objects(struct bs_snapshot *s, const struct bs_document_field *field, void *at)
{
    struct object_list list = bs_document_objects(at);
    size_t count = bs_snapshot_count(s, list.count, (size_t)field->max);
    bs_snapshot_require(s, s->failed || count >= (size_t)field->min ||
                               (count == 0 && !field->required));
    if (s->failed)
        return;
    if (bs_snapshot_loads(s) && count > 0) {
        list = (struct object_list){calloc(count, field->item_bytes), count};
        if (!list.at) {
            bs_snapshot_fail(s, BS_NO_MEMORY);
            return;
        }
        memcpy(at, &list, sizeof list);
    }
    for (size_t i = 0; i < count; i++)
        bs_document_snapshot(s, field->table, (char *)list.at + i * field->item_bytes);
}

static void carry_field(struct bs_snapshot *s, const struct bs_document_field *field, void *at)
{
    switch (field->type) {
    case BS_DOCUMENT_REV:
        return;
    case BS_DOCUMENT_INTEGER:
        carry_integer(s, field, at);
        return;
    case BS_DOCUMENT_NUMBER:
        carry_real(s, field, at);
        return;
    case BS_DOCUMENT_BOOLEAN:
        *(bool *)at = bs_snapshot_flag(s, *(bool *)at);
        return;
    case BS_DOCUMENT_CHOICE:
        carry_choice(s, field, at);
        return;
    case BS_DOCUMENT_TEXT:
        carry_text(s, field, bs_document_is_text, at);
        return;
    case BS_DOCUMENT_ID:
        carry_text(s, field, bs_slice_is_id, at);
        return;
    case BS_DOCUMENT_IDS:
        carry_ids(s, at);
        return;
    case BS_DOCUMENT_TIME:
        carry_time(s, field, at);
        return;
    case BS_DOCUMENT_OBJECT:
        bs_document_snapshot(s, field->table, at);
        return;
    case BS_DOCUMENT_OBJECTS:
        carry_objects(s, field, at);
        return;
    }
    bs_check(false);
}

void bs_document_snapshot(struct bs_snapshot *s, struct bs_document_table table, void *at)
{
    if (bs_snapshot_loads(s))
        bs_document_default(table, at);
    for (size_t i = 0; i < table.count && !s->failed; i++)
        carry_field(s, &table.fields[i], (char *)at + table.fields[i].offset);
}
