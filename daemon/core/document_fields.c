/* From a tree to a struct, by a table. Must never store a value that its row does not allow, and
 * never quote a text of the document in a message. */
#include "backstep/core/document.h"

#include "backstep/base/check.h"
#include "document_parts.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum bs_status read_table(const cJSON *object, struct bs_document_table table,
                                 const struct place *at, void *ret,
                                 struct bs_document_error *ret_error);

__attribute__((format(printf, 3, 4))) static enum bs_status reject(
    const struct place *at, struct bs_document_error *ret_error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error->message, sizeof ret_error->message, format, arguments);
    va_end(arguments);
    bs_document_point(at, ret_error);
    return BS_INVALID;
}

static const char *type_name(const cJSON *value)
{
    if (cJSON_IsNull(value))
        return "null";
    if (cJSON_IsBool(value))
        return "a boolean";
    if (cJSON_IsNumber(value))
        return "a number";
    if (cJSON_IsString(value))
        return "a text";
    return cJSON_IsArray(value) ? "an array" : "an object";
}

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
        return reject(at, ret_error, "unknown key; did you mean `%s`?", nearest);
    return reject(at, ret_error, "unknown key; the nearest known one is `%s`", nearest);
}

static enum bs_status read_integer(const cJSON *value, const struct bs_document_field *field,
                                   const struct place *at, int64_t *ret,
                                   struct bs_document_error *ret_error)
{
    if (!cJSON_IsNumber(value))
        return reject(at, ret_error, "must be an integer, not %s", type_name(value));
    double v = value->valuedouble;
    if (v != floor(v))
        return reject(at, ret_error, "must be an integer, not %.10g", v);
    if (v < field->min || v > field->max)
        return reject(at, ret_error, "must be %.0f to %.0f, not %.10g", field->min, field->max, v);
    *ret = (int64_t)v;
    return BS_OK;
}

static enum bs_status read_number(const cJSON *value, const struct bs_document_field *field,
                                  const struct place *at, double *ret,
                                  struct bs_document_error *ret_error)
{
    if (!cJSON_IsNumber(value))
        return reject(at, ret_error, "must be a number, not %s", type_name(value));
    double v = value->valuedouble;
    if (v <= field->min || v > field->max)
        return reject(at, ret_error, "must be above %.0f and at most %.0f, not %.10g", field->min,
                      field->max, v);
    *ret = v;
    return BS_OK;
}

static enum bs_status reject_choice(const struct bs_document_field *field, const struct place *at,
                                    struct bs_document_error *ret_error)
{
    reject(at, ret_error, "must be");
    size_t used = strlen(ret_error->message);
    for (const char *const *word = field->choices; *word; word++) {
        int more = snprintf(ret_error->message + used, sizeof ret_error->message - used,
                            "%s \"%s\"", word == field->choices ? "" : " or", *word);
        used += (size_t)more;
        bs_check(used < sizeof ret_error->message);
    }
    return BS_INVALID;
}

static enum bs_status read_choice(const cJSON *value, const struct bs_document_field *field,
                                  const struct place *at, int *ret,
                                  struct bs_document_error *ret_error)
{
    if (cJSON_IsString(value))
        for (int i = 0; field->choices[i]; i++)
            if (strcmp(field->choices[i], value->valuestring) == 0) {
                *ret = i;
                return BS_OK;
            }
    return reject_choice(field, at, ret_error);
}

static enum bs_status read_field(const cJSON *value, const struct bs_document_field *field,
                                 const struct place *at, void *ret,
                                 struct bs_document_error *ret_error)
{
    int64_t unused;
    switch (field->type) {
    case BS_DOCUMENT_REV:
        return read_integer(value, field, at, &unused, ret_error);
    case BS_DOCUMENT_INTEGER:
        return read_integer(value, field, at, ret, ret_error);
    case BS_DOCUMENT_NUMBER:
        return read_number(value, field, at, ret, ret_error);
    case BS_DOCUMENT_BOOLEAN:
        if (!cJSON_IsBool(value))
            return reject(at, ret_error, "must be true or false, not %s", type_name(value));
        *(bool *)ret = cJSON_IsTrue(value);
        return BS_OK;
    case BS_DOCUMENT_CHOICE:
        return read_choice(value, field, at, ret, ret_error);
    case BS_DOCUMENT_OBJECT:
        if (!cJSON_IsObject(value))
            return reject(at, ret_error, "must be an object, not %s", type_name(value));
        return read_table(value, field->table, at, ret, ret_error);
    }
    bs_check(false);
    return BS_INVALID;
}

static const struct bs_document_field *find_field(struct bs_document_table table, const char *key)
{
    for (size_t i = 0; i < table.count; i++)
        if (strcmp(table.fields[i].name, key) == 0)
            return &table.fields[i];
    return NULL;
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
    return status;
}

enum bs_status bs_document_read(const struct cJSON *document, struct bs_document_table table,
                                void *ret, struct bs_document_error *ret_error)
{
    bs_check(cJSON_IsObject(document));
    bs_document_default(table, ret);
    return read_table(document, table, NULL, ret, ret_error);
}

void bs_document_default(struct bs_document_table table, void *ret)
{
    for (size_t i = 0; i < table.count; i++) {
        const struct bs_document_field *field = &table.fields[i];
        void *at = (char *)ret + field->offset;
        switch (field->type) {
        case BS_DOCUMENT_REV:
            break;
        case BS_DOCUMENT_INTEGER:
            *(int64_t *)at = (int64_t)field->fallback;
            break;
        case BS_DOCUMENT_NUMBER:
            *(double *)at = field->fallback;
            break;
        case BS_DOCUMENT_BOOLEAN:
            *(bool *)at = field->fallback > 0;
            break;
        case BS_DOCUMENT_CHOICE:
            *(int *)at = (int)field->fallback;
            break;
        case BS_DOCUMENT_OBJECT:
            bs_document_default(field->table, at);
            break;
        }
    }
}

static bool field_equal(const struct bs_document_field *field, const void *a, const void *b)
{
    switch (field->type) {
    case BS_DOCUMENT_REV:
        return true;
    case BS_DOCUMENT_INTEGER:
        return *(const int64_t *)a == *(const int64_t *)b;
    case BS_DOCUMENT_NUMBER:
        return memcmp(a, b, sizeof(double)) == 0;
    case BS_DOCUMENT_BOOLEAN:
        return *(const bool *)a == *(const bool *)b;
    case BS_DOCUMENT_CHOICE:
        return *(const int *)a == *(const int *)b;
    case BS_DOCUMENT_OBJECT:
        return bs_document_equal(field->table, a, b);
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
