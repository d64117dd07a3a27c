/* From a tree to a struct, by a table: descends, finds the row of every key, and what is missing.
 * Must never leave anything behind where it fails. */
#include "backstep/base/check.h"
#include "document_parts.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static enum bs_status read_table(const cJSON *object, struct bs_document_table table,
                                 const struct place *at, void *ret,
                                 struct bs_document_error *ret_error);

/* Levenshtein's distance, for keys of at most BS_ID_MAX bytes (longer ones are compared by their
 * beginning: they are no misspelling of anything). */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[BS_ID_MAX + 1];
    size_t length = strnlen(b, BS_ID_MAX);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; i <= BS_ID_MAX && a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[length];
}

static enum bs_status reject_unknown(const char *key, struct bs_document_table table,
                                     const struct place *at, struct bs_document_error *ret_error)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < table.count; i++) {
        size_t distance = edit_distance(key, table.fields[i].name);
        if (distance < least) {
            least = distance;
            nearest = table.fields[i].name;
        }
    }
    bs_check(nearest);
    if (least <= 2 + strlen(nearest) / 4)
        return bs_document_reject(at, ret_error, "unknown key; did you mean `%s`?", nearest);
    return bs_document_reject(at, ret_error, "unknown key; the nearest known one is `%s`", nearest);
}

static enum bs_status read_object(const cJSON *value, struct bs_document_table table,
                                  const struct place *at, void *ret,
                                  struct bs_document_error *ret_error)
{
    if (!cJSON_IsObject(value))
        return bs_document_reject(at, ret_error, "must be an object, not %s",
                                  bs_document_type_name(value));
    return read_table(value, table, at, ret, ret_error);
}

static enum bs_status judge_count(const cJSON *value, size_t count,
                                  const struct bs_document_field *field, const struct place *at,
                                  struct bs_document_error *ret_error)
{
    if (!cJSON_IsArray(value))
        return bs_document_reject(at, ret_error, "must be an array of objects, not %s",
                                  bs_document_type_name(value));
    if ((double)count < field->min || (double)count > field->max)
        return bs_document_reject(at, ret_error, "must have %.0f to %.0f objects, not %zu",
                                  field->min, field->max, count);
    return BS_OK;
}

static enum bs_status read_objects(const cJSON *value, const struct bs_document_field *field,
                                   const struct place *at, void *ret,
                                   struct bs_document_error *ret_error)
{
    size_t count = 0;
    for (const cJSON *item = value->child; item; item = item->next)
        count++;
    enum bs_status status = judge_count(value, count, field, at, ret_error);
    if (status != BS_OK || count == 0)
        return status;
    /* Zeroed: what is not reached has nothing to be freed. */
    struct object_list list = {calloc(count, field->item_bytes), count};
    if (!list.at) {
        bs_document_reject(at, ret_error, "out of memory");
        return BS_NO_MEMORY;
    }
    memcpy(ret, &list, sizeof list);
    struct place below = {.parent = at};
    for (const cJSON *item = value->child; item && status == BS_OK; item = item->next) {
        char *to = (char *)list.at + below.index * field->item_bytes;
        bs_document_default(field->table, to);
        status = read_object(item, field->table, &below, to, ret_error);
        below.index++;
    }
    return status;
}

static enum bs_status read_field(const cJSON *value, const struct bs_document_field *field,
                                 const struct place *at, void *ret,
                                 struct bs_document_error *ret_error)
{
    if (field->type == BS_DOCUMENT_OBJECT)
        return read_object(value, field->table, at, ret, ret_error);
    if (field->type == BS_DOCUMENT_OBJECTS)
        return read_objects(value, field, at, ret, ret_error);
    return bs_document_read_value(value, field, at, ret, ret_error);
}

static const struct bs_document_field *find_field(struct bs_document_table table, const char *key)
{
    for (size_t i = 0; i < table.count; i++)
        if (strcmp(table.fields[i].name, key) == 0)
            return &table.fields[i];
    return NULL;
}

/* A missing key is named as if it were there. */
static enum bs_status check_required(const cJSON *object, struct bs_document_table table,
                                     const struct place *at, struct bs_document_error *ret_error)
{
    for (size_t i = 0; i < table.count; i++) {
        const struct bs_document_field *field = &table.fields[i];
        struct place here = {.parent = at, .key = field->name};
        if (field->required && !cJSON_GetObjectItemCaseSensitive(object, field->name))
            return bs_document_reject(&here, ret_error, "is required");
    }
    return BS_OK;
}

static enum bs_status read_table(const cJSON *object, struct bs_document_table table,
                                 const struct place *at, void *ret,
                                 struct bs_document_error *ret_error)
{
    enum bs_status status = BS_OK;
    for (const cJSON *value = object->child; value && status == BS_OK; value = value->next) {
        struct place here = {.parent = at, .key = value->string};
        const struct bs_document_field *field = find_field(table, value->string);
        status = field ? read_field(value, field, &here, (char *)ret + field->offset, ret_error)
                       : reject_unknown(value->string, table, &here, ret_error);
    }
    return status == BS_OK ? check_required(object, table, at, ret_error) : status;
}

enum bs_status bs_document_read(const struct cJSON *document, struct bs_document_table table,
                                void *ret, struct bs_document_error *ret_error)
{
    bs_check(cJSON_IsObject(document));
    bs_document_default(table, ret);
    enum bs_status status = read_table(document, table, NULL, ret, ret_error);
    if (status != BS_OK)
        bs_document_free(table, ret);
    return status;
}
