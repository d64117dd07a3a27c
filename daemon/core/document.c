/* From a payload to a tree: size, UTF-8, grammar, then cJSON, then what a grammar cannot see (keys
 * given twice, numbers beyond a double). Must never hand out a tree that failed one of these. */
#include "backstep/core/document.h"

#include "document_parts.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bs_document_error_set(struct bs_document_error *ret, const char *pointer, const char *format,
                           ...)
{
    snprintf(ret->pointer, sizeof ret->pointer, "%s", pointer);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret->message, sizeof ret->message, format, arguments);
    va_end(arguments);
}

/* Appends "/key" with ~ and / escaped; false where it does not fit. */
static bool append_key(char *pointer, size_t room, const char *key)
{
    size_t used = 0;
    pointer[used++] = '/';
    for (; *key; key++) {
        if (used + 3 > room)
            return false;
        if (*key == '~' || *key == '/') {
            pointer[used++] = '~';
            pointer[used++] = *key == '~' ? '0' : '1';
        } else {
            pointer[used++] = *key;
        }
    }
    pointer[used] = 0;
    return true;
}

/* The length of the pointer so far; once a part did not fit, nothing follows it. */
static size_t append_place(const struct place *at, struct bs_document_error *ret, bool *fits)
{
    size_t used = at->parent ? append_place(at->parent, ret, fits) : 0;
    size_t room = sizeof ret->pointer - used;
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", at->index);
    *fits = *fits && room >= 3 && append_key(ret->pointer + used, room, at->key ? at->key : digits);
    if (!*fits)
        ret->pointer[used] = 0;
    return strlen(ret->pointer);
}

void bs_document_point(const struct place *at, struct bs_document_error *ret)
{
    bool fits = true;
    ret->pointer[0] = 0;
    if (at)
        append_place(at, ret, &fits);
}

enum bs_status bs_document_reject(const struct place *at, struct bs_document_error *ret_error,
                                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error->message, sizeof ret_error->message, format, arguments);
    va_end(arguments);
    bs_document_point(at, ret_error);
    return BS_INVALID;
}

static int compare_texts(const void *a, const void *b)
{
    const struct indexed_text *left = a, *right = b;
    int order = strcmp(left->text, right->text);
    return order ? order : (left->index > right->index) - (left->index < right->index);
}

/* Sorted, because 64 KiB hold some seven thousand keys and comparing each with each takes 50 ms of
 * a loop that others wait for. */
const struct indexed_text *bs_document_find_repeated(struct indexed_text *texts, size_t count)
{
    if (count < 2)
        return NULL;
    qsort(texts, count, sizeof *texts, compare_texts);
    const struct indexed_text *first = NULL;
    for (size_t i = 1; i < count; i++)
        if (strcmp(texts[i - 1].text, texts[i].text) == 0 &&
            (!first || texts[i].index < first->index))
            first = &texts[i];
    return first;
}

static enum bs_status check_keys(const cJSON *object, const struct place *at,
                                 struct bs_document_error *ret_error)
{
    size_t count = 0;
    for (const cJSON *item = object->child; item; item = item->next)
        count++;
    if (count < 2)
        return BS_OK;
    struct indexed_text *keys = calloc(count, sizeof *keys);
    if (!keys)
        return BS_NO_MEMORY;
    size_t i = 0;
    for (const cJSON *item = object->child; item; item = item->next, i++)
        keys[i] = (struct indexed_text){item->string, i};
    const struct indexed_text *repeated = bs_document_find_repeated(keys, count);
    enum bs_status status = BS_OK;
    if (repeated) {
        struct place twice = {.parent = at, .key = repeated->text};
        status = bs_document_reject(&twice, ret_error, "key given twice");
    }
    free(keys);
    return status;
}

/* Depth is bounded by the scan. */
static enum bs_status check_tree(const cJSON *item, const struct place *at,
                                 struct bs_document_error *ret_error)
{
    if (cJSON_IsNumber(item) && !isfinite(item->valuedouble))
        return bs_document_reject(at, ret_error, "a number beyond what can be held");
    enum bs_status status = cJSON_IsObject(item) ? check_keys(item, at, ret_error) : BS_OK;
    struct place below = {.parent = at};
    for (const cJSON *child = item->child; child && status == BS_OK; child = child->next) {
        below.key = child->string;
        status = check_tree(child, &below, ret_error);
        below.index++;
    }
    return status;
}

static enum bs_status check_text(struct bs_slice payload, struct bs_document_error *ret_error)
{
    if (payload.length > BS_DOCUMENT_BYTES_MAX)
        return bs_document_reject(NULL, ret_error, BS_DOCUMENT_TOO_LARGE);
    if (!bs_slice_is_utf8(payload))
        return bs_document_reject(NULL, ret_error, "not UTF-8");
    return bs_document_scan(payload, ret_error);
}

static enum bs_status check_root(const cJSON *root, struct bs_document_error *ret_error)
{
    if (!cJSON_IsObject(root))
        return bs_document_reject(NULL, ret_error, "a document is a JSON object");
    return check_tree(root, NULL, ret_error);
}

static struct bs_document_rev read_rev(const cJSON *root)
{
    struct bs_document_rev rev = {.known = false};
    if (!root || !cJSON_IsObject(root))
        return rev;
    for (const cJSON *item = root->child; item; item = item->next) {
        double v = item->valuedouble;
        if (strcmp(item->string, "rev") != 0)
            continue;
        if (rev.known || !cJSON_IsNumber(item) || v != floor(v) || v < 0 || v > UINT32_MAX)
            return (struct bs_document_rev){.known = false};
        rev = (struct bs_document_rev){.known = true, .number = (uint32_t)v};
    }
    return rev;
}

enum bs_status bs_document_parse(struct bs_slice payload, struct cJSON **ret,
                                 struct bs_document_rev *ret_rev,
                                 struct bs_document_error *ret_error)
{
    *ret_rev = (struct bs_document_rev){.known = false};
    enum bs_status status = check_text(payload, ret_error);
    if (status != BS_OK)
        return status;
    cJSON *root = cJSON_ParseWithLengthOpts(payload.at, payload.length, NULL, false);
    /* The text is JSON, so what cJSON lacked was memory. */
    status = root ? check_root(root, ret_error) : BS_NO_MEMORY;
    *ret_rev = read_rev(root);
    if (status == BS_NO_MEMORY)
        bs_document_reject(NULL, ret_error, "out of memory");
    if (status != BS_OK) {
        cJSON_Delete(root);
        return status;
    }
    *ret = root;
    return BS_OK;
}
