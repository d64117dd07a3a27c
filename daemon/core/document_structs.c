/* What a table says of a struct without a document: its defaults, whether two are equal, what it
 * holds. Must know the memory behind every type that the readers fill. */
#include "backstep/base/check.h"
#include "document_parts.h"

#include <stdlib.h>

static void set_default(const struct bs_document_field *field, void *at)
{
    switch (field->type) {
    case BS_DOCUMENT_REV:
        return;
    case BS_DOCUMENT_INTEGER:
        *(int64_t *)at = (int64_t)field->fallback;
        return;
    case BS_DOCUMENT_NUMBER:
        *(double *)at = field->fallback;
        return;
    case BS_DOCUMENT_BOOLEAN:
        *(bool *)at = field->fallback > 0;
        return;
    case BS_DOCUMENT_CHOICE:
        *(int *)at = (int)field->fallback;
        return;
    case BS_DOCUMENT_TEXT:
    case BS_DOCUMENT_ID:
        *(struct bs_slice *)at = (struct bs_slice){NULL, 0};
        return;
    case BS_DOCUMENT_IDS:
        *(struct bs_ids *)at = (struct bs_ids){NULL, 0};
        return;
    case BS_DOCUMENT_TIME:
        *(int64_t *)at = INT64_MAX;
        return;
    case BS_DOCUMENT_OBJECT:
        bs_document_default(field->table, at);
        return;
    case BS_DOCUMENT_OBJECTS:
        memcpy(at, &(struct object_list){NULL, 0}, sizeof(struct object_list));
        return;
    }
    bs_check(false);
}

void bs_document_default(struct bs_document_table table, void *ret)
{
    for (size_t i = 0; i < table.count; i++)
        set_default(&table.fields[i], (char *)ret + table.fields[i].offset);
}

/* Memory. */

static void free_objects(const struct bs_document_field *field, void *at)
{
    struct object_list list = bs_document_objects(at);
    for (size_t i = 0; i < list.count; i++)
        bs_document_free(field->table, (char *)list.at + i * field->item_bytes);
    free(list.at);
}

static void free_field(const struct bs_document_field *field, void *at)
{
    switch (field->type) {
    case BS_DOCUMENT_TEXT:
    case BS_DOCUMENT_ID:
        free((void *)(uintptr_t)((struct bs_slice *)at)->at);
        break;
    case BS_DOCUMENT_IDS:
        free(((struct bs_ids *)at)->at);
        break;
    case BS_DOCUMENT_OBJECT:
        bs_document_free(field->table, at);
        return;
    case BS_DOCUMENT_OBJECTS:
        free_objects(field, at);
        break;
    default:
        break;
    }
    set_default(field, at);
}

void bs_document_free(struct bs_document_table table, void *at)
{
    for (size_t i = 0; i < table.count; i++)
        free_field(&table.fields[i], (char *)at + table.fields[i].offset);
}

/* Equality. */

static bool ids_equal(const struct bs_ids *a, const struct bs_ids *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!bs_slice_equal(a->at[i], b->at[i]))
            return false;
    return true;
}

static bool objects_equal(const struct bs_document_field *field, const void *a, const void *b)
{
    struct object_list left = bs_document_objects(a), right = bs_document_objects(b);
    if (left.count != right.count)
        return false;
    for (size_t i = 0; i < left.count; i++)
        if (!bs_document_equal(field->table, (const char *)left.at + i * field->item_bytes,
                               (const char *)right.at + i * field->item_bytes))
            return false;
    return true;
}

static bool field_equal(const struct bs_document_field *field, const void *a, const void *b)
{
    switch (field->type) {
    case BS_DOCUMENT_REV:
        return true;
    case BS_DOCUMENT_INTEGER:
    case BS_DOCUMENT_TIME:
        return *(const int64_t *)a == *(const int64_t *)b;
    case BS_DOCUMENT_NUMBER:
        return memcmp(a, b, sizeof(double)) == 0;
    case BS_DOCUMENT_BOOLEAN:
        return *(const bool *)a == *(const bool *)b;
    case BS_DOCUMENT_CHOICE:
        return *(const int *)a == *(const int *)b;
    case BS_DOCUMENT_TEXT:
    case BS_DOCUMENT_ID:
        return bs_slice_equal(*(const struct bs_slice *)a, *(const struct bs_slice *)b);
    case BS_DOCUMENT_IDS:
        return ids_equal(a, b);
    case BS_DOCUMENT_OBJECT:
        return bs_document_equal(field->table, a, b);
    case BS_DOCUMENT_OBJECTS:
        return objects_equal(field, a, b);
    }
    bs_check(false);
    return false;
}

bool bs_document_equal(struct bs_document_table table, const void *a, const void *b)
{
    for (size_t i = 0; i < table.count; i++) {
        size_t offset = table.fields[i].offset;
        if (!field_equal(&table.fields[i], (const char *)a + offset, (const char *)b + offset))
            return false;
    }
    return true;
}
