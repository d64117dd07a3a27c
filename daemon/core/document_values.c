/* From one JSON value to one value of a struct. Must never store a value that its row does not
 * allow, and never quote a text of the document in a message. */
#include "backstep/base/check.h"
#include "document_parts.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *bs_document_type_name(const struct cJSON *value)
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

static enum bs_status read_integer(const cJSON *value, const struct bs_document_field *field,
                                   const struct place *at, int64_t *ret,
                                   struct bs_document_error *ret_error)
{
    if (!cJSON_IsNumber(value))
        return bs_document_reject(at, ret_error, "must be an integer, not %s",
                                  bs_document_type_name(value));
    double v = value->valuedouble;
    if (v != floor(v))
        return bs_document_reject(at, ret_error, "must be an integer, not %.15g", v);
    if (v < field->min || v > field->max)
        return bs_document_reject(at, ret_error, "must be %.0f to %.0f, not %.15g", field->min,
                                  field->max, v);
    *ret = (int64_t)v;
    return BS_OK;
}

static enum bs_status read_number(const cJSON *value, const struct bs_document_field *field,
                                  const struct place *at, double *ret,
                                  struct bs_document_error *ret_error)
{
    if (!cJSON_IsNumber(value))
        return bs_document_reject(at, ret_error, "must be a number, not %s",
                                  bs_document_type_name(value));
    double v = value->valuedouble;
    if (v <= field->min || v > field->max)
        return bs_document_reject(at, ret_error, "must be above %.0f and at most %.0f, not %.10g",
                                  field->min, field->max, v);
    *ret = v;
    return BS_OK;
}

static enum bs_status reject_choice(const struct bs_document_field *field, const struct place *at,
                                    struct bs_document_error *ret_error)
{
    bs_document_reject(at, ret_error, "must be");
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

/* Texts. */

static enum bs_status copy_text(struct bs_slice text, const struct place *at, struct bs_slice *ret,
                                struct bs_document_error *ret_error)
{
    char *copy = malloc(text.length);
    if (!copy) {
        bs_document_reject(at, ret_error, "out of memory");
        return BS_NO_MEMORY;
    }
    memcpy(copy, text.at, text.length);
    *ret = bs_slice_of(copy, text.length);
    return BS_OK;
}

/* The code point that begins at `at`, which is well-formed UTF-8; *ret_bytes of it. */
static uint32_t code_point(const char *at, size_t *ret_bytes)
{
    unsigned char lead = (unsigned char)at[0];
    size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t value = bytes == 1 ? lead : lead & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++)
        value = value << 6 | ((unsigned char)at[i] & 0x3f);
    *ret_bytes = bytes;
    return value;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029;
}

/* What is wrong with the characters of a text, NULL: nothing; *ret_count of them. */
static const char *judge_characters(struct bs_slice text, size_t *ret_count)
{
    size_t count = 0, bytes;
    for (size_t i = 0; i < text.length; i += bytes, count++) {
        uint32_t c = code_point(text.at + i, &bytes);
        if (is_control(c))
            return "must not have a control character";
        if (c == '\\')
            return "must not have a backslash";
    }
    *ret_count = count;
    return NULL;
}

static bool has_outer_space(struct bs_slice text)
{
    return text.at[0] == ' ' || text.at[text.length - 1] == ' ';
}

bool bs_document_is_text(struct bs_slice text)
{
    size_t count = 0;
    return text.length > 0 && bs_slice_is_utf8(text) && !judge_characters(text, &count) &&
           !has_outer_space(text) && count <= BS_DOCUMENT_TEXT_MAX;
}

static enum bs_status read_text(const cJSON *value, const struct place *at, struct bs_slice *ret,
                                struct bs_document_error *ret_error)
{
    if (!cJSON_IsString(value))
        return bs_document_reject(at, ret_error, "must be a text, not %s",
                                  bs_document_type_name(value));
    struct bs_slice text = bs_slice_text(value->valuestring);
    if (text.length == 0)
        return bs_document_reject(at, ret_error, "must not be empty");
    size_t count = 0;
    const char *wrong = judge_characters(text, &count);
    if (wrong)
        return bs_document_reject(at, ret_error, "%s", wrong);
    if (has_outer_space(text))
        return bs_document_reject(at, ret_error, "must not begin or end with a space");
    if (count > BS_DOCUMENT_TEXT_MAX)
        return bs_document_reject(at, ret_error, "must have at most %d characters, not %zu",
                                  BS_DOCUMENT_TEXT_MAX, count);
    return copy_text(text, at, ret, ret_error);
}

/* Ids. */

static enum bs_status judge_id(const cJSON *value, const struct place *at,
                               struct bs_document_error *ret_error)
{
    if (!cJSON_IsString(value))
        return bs_document_reject(at, ret_error, "must be an id, not %s",
                                  bs_document_type_name(value));
    if (!bs_slice_is_id(bs_slice_text(value->valuestring)))
        return bs_document_reject(
            at, ret_error, "must be an id: 1 to %d of A to Z, a to z, 0 to 9, _ and -", BS_ID_MAX);
    return BS_OK;
}

static enum bs_status read_id(const cJSON *value, const struct place *at, struct bs_slice *ret,
                              struct bs_document_error *ret_error)
{
    enum bs_status status = judge_id(value, at, ret_error);
    return status == BS_OK ? copy_text(bs_slice_text(value->valuestring), at, ret, ret_error)
                           : status;
}

/* Fills `texts`, which has room for all, in the order of the list. The first wrong one is named:
 * it is no id, or it repeats one before it. */
static enum bs_status judge_ids(const cJSON *list, const struct place *at,
                                struct indexed_text *texts, struct bs_document_error *ret_error)
{
    struct place below = {.parent = at};
    enum bs_status status = BS_OK;
    for (const cJSON *item = list->child; item; item = item->next, below.index++) {
        status = judge_id(item, &below, ret_error);
        if (status != BS_OK)
            break;
        texts[below.index] = (struct indexed_text){item->valuestring, below.index};
    }
    const struct indexed_text *repeated = bs_document_find_repeated(texts, below.index);
    if (!repeated)
        return status;
    below.index = repeated->index;
    return bs_document_reject(&below, ret_error, "`%s` is given twice", repeated->text);
}

/* One block: the slices, and behind them what they point to. */
static bool copy_ids(const cJSON *list, size_t count, struct bs_ids *ret)
{
    size_t bytes = 0;
    for (const cJSON *item = list->child; item; item = item->next)
        bytes += strlen(item->valuestring);
    struct bs_slice *ids = malloc(count * sizeof *ids + bytes);
    if (!ids)
        return false;
    char *text = (char *)(ids + count);
    size_t i = 0;
    for (const cJSON *item = list->child; item; item = item->next, i++) {
        ids[i] = bs_slice_of(text, strlen(item->valuestring));
        memcpy(text, item->valuestring, ids[i].length);
        text += ids[i].length;
    }
    *ret = (struct bs_ids){ids, count};
    return true;
}

static enum bs_status read_ids(const cJSON *value, const struct place *at, struct bs_ids *ret,
                               struct bs_document_error *ret_error)
{
    if (!cJSON_IsArray(value))
        return bs_document_reject(at, ret_error, "must be an array of ids, not %s",
                                  bs_document_type_name(value));
    size_t count = 0;
    for (const cJSON *item = value->child; item; item = item->next)
        count++;
    if (count == 0)
        return BS_OK;
    struct indexed_text *texts = calloc(count, sizeof *texts);
    enum bs_status status = texts ? judge_ids(value, at, texts, ret_error) : BS_NO_MEMORY;
    free(texts);
    if (status == BS_OK && !copy_ids(value, count, ret))
        status = BS_NO_MEMORY;
    if (status == BS_NO_MEMORY)
        bs_document_reject(at, ret_error, "out of memory");
    return status;
}

static enum bs_status read_time(const cJSON *value, const struct place *at, int64_t *ret,
                                struct bs_document_error *ret_error)
{
    if (!cJSON_IsString(value))
        return bs_document_reject(at, ret_error, "must be a date and time, not %s",
                                  bs_document_type_name(value));
    if (!bs_document_read_time(bs_slice_text(value->valuestring), ret))
        return bs_document_reject(at, ret_error,
                                  "must be a date and time as 2026-11-24T18:00:00Z or "
                                  "2026-11-24T19:00:00+01:00, in the years 1970 to 9999");
    return BS_OK;
}

enum bs_status bs_document_read_value(const struct cJSON *value,
                                      const struct bs_document_field *field, const struct place *at,
                                      void *ret, struct bs_document_error *ret_error)
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
            return bs_document_reject(at, ret_error, "must be true or false, not %s",
                                      bs_document_type_name(value));
        *(bool *)ret = cJSON_IsTrue(value);
        return BS_OK;
    case BS_DOCUMENT_CHOICE:
        return read_choice(value, field, at, ret, ret_error);
    case BS_DOCUMENT_TEXT:
        return read_text(value, at, ret, ret_error);
    case BS_DOCUMENT_ID:
        return read_id(value, at, ret, ret_error);
    case BS_DOCUMENT_IDS:
        return read_ids(value, at, ret, ret_error);
    case BS_DOCUMENT_TIME:
        return read_time(value, at, ret, ret_error);
    case BS_DOCUMENT_OBJECT:
    case BS_DOCUMENT_OBJECTS:
        break;
    }
    bs_check(false);
    return BS_INVALID;
}
