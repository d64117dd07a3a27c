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

static enum bs_status reject(const struct place *at, const char *message,
                             struct bs_document_error *ret_error)
{
    bs_document_error_set(ret_error, "", "%s", message);
    bs_document_point(at, ret_error);
    return BS_INVALID;
}

struct key {
    const char *text;
    size_t index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *left = a, *right = b;
    int order = strcmp(left->text, right->text);
    return order ? order : (left->index > right->index) - (left->index < right->index);
}

/* Sorted, because 64 KiB hold some seven thousand keys and comparing each with each takes 50 ms of
 * a loop that others wait for. */
static enum bs_status check_keys(const cJSON *object, const struct place *at,
                                 struct bs_document_error *ret_error)
{
    size_t count = 0;
    for (const cJSON *item = object->child; item; item = item->next)
        count++;
    if (count < 2)
        return BS_OK;
    struct key *keys = calloc(count, sizeof *keys);
    if (!keys)
        return BS_NO_MEMORY;
    size_t i = 0;
    for (const cJSON *item = object->child; item; item = item->next, i++)
        keys[i] = (struct key){item->string, i};
    qsort(keys, count, sizeof *keys, compare_keys);
    const struct key *first = NULL; /* the first in the document's order that repeats another */
    for (i = 1; i < count; i++)
        if (strcmp(keys[i - 1].text, keys[i].text) == 0 && (!first || keys[i].index < first->index))
            first = &keys[i];
    enum bs_status status = BS_OK;
    if (first) {
        struct place twice = {.parent = at, .key = first->text};
        status = reject(&twice, "key given twice", ret_error);
    }
    free(keys);
    return status;
}

/* Depth is bounded by the scan. */
static enum bs_status check_tree(const cJSON *item, const struct place *at,
                                 struct bs_document_error *ret_error)
{
    if (cJSON_IsNumber(item) && !isfinite(item->valuedouble))
        return reject(at, "a number beyond what can be held", ret_error);
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
        return reject(NULL, "larger than 64 KiB", ret_error);
    if (!bs_slice_is_utf8(payload))
        return reject(NULL, "not UTF-8", ret_error);
    return bs_document_scan(payload, ret_error);
}

static enum bs_status check_root(const cJSON *root, struct bs_document_error *ret_error)
{
    if (!cJSON_IsObject(root))
        return reject(NULL, "a document is a JSON object", ret_error);
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
        reject(NULL, "out of memory", ret_error);
    if (status != BS_OK) {
        cJSON_Delete(root);
        return status;
    }
    *ret = root;
    return BS_OK;
}
