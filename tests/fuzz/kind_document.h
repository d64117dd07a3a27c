/* Any bytes as a document of one kind: what is read keeps to its table, value by value, and is read
 * again from what it says; the answer is itself strict JSON. */
#ifndef BACKSTEP_TESTS_FUZZ_KIND_DOCUMENT_H
#define BACKSTEP_TESTS_FUZZ_KIND_DOCUMENT_H

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/core/config.h"

#include <cjson/cJSON.h>
#include <stdio.h>

/* A pointer and a sentence: text that can be shown as it is. */
static inline void check_finding(const char *pointer, const char *message)
{
    bs_check(pointer[0] == 0 || pointer[0] == '/');
    bs_check(message[0] != 0);
    bs_check(bs_slice_is_utf8(bs_slice_text(pointer)) && bs_slice_is_utf8(bs_slice_text(message)));
}

static inline const char *string_in(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    bs_check(cJSON_IsString(value));
    return value->valuestring;
}

static inline void check_result(const struct bs_config_outcome *outcome)
{
    bool ok = outcome->verdict == BS_CONFIG_ACCEPTED;
    bs_check(ok || outcome->verdict == BS_CONFIG_REJECTED);
    bs_check(ok || !outcome->changed);
    struct bs_document_error error;
    struct bs_document_rev rev;
    cJSON *root = NULL;
    bs_check(bs_document_parse(outcome->result, &root, &rev, &error) == BS_OK);
    bs_check(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "ok")) == ok);
    bs_check(strlen(string_in(root, "sha256")) == 64);
    const cJSON *finding = cJSON_GetObjectItemCaseSensitive(root, ok ? "warning" : "error");
    bs_check(ok || finding);
    if (finding)
        check_finding(string_in(finding, "pointer"), string_in(finding, "message"));
    cJSON_Delete(root);
}

/* Writing what was read. */

static inline void write_struct(struct bs_buffer *b, struct bs_document_table table,
                                const void *at);

static inline void write_ids(struct bs_buffer *b, const struct bs_ids *ids)
{
    bs_buffer_add_char(b, '[');
    for (size_t i = 0; i < ids->count; i++) {
        bs_check(bs_slice_is_id(ids->at[i]));
        bs_buffer_add_text(b, i ? "," : "");
        bs_buffer_add_json_string(b, ids->at[i]);
    }
    bs_buffer_add_char(b, ']');
}

static inline void write_objects(struct bs_buffer *b, const struct bs_document_field *field,
                                 const void *at)
{
    struct {
        const char *at;
        size_t count;
    } list;
    memcpy(&list, at, sizeof list);
    bs_check((double)list.count >= field->min && (double)list.count <= field->max);
    bs_buffer_add_char(b, '[');
    for (size_t i = 0; i < list.count; i++) {
        bs_buffer_add_text(b, i ? "," : "");
        write_struct(b, field->table, list.at + i * field->item_bytes);
    }
    bs_buffer_add_char(b, ']');
}

static inline void write_integer(struct bs_buffer *b, const struct bs_document_field *field,
                                 int64_t value)
{
    bs_check((double)value >= field->min && (double)value <= field->max);
    bs_buffer_add_i64(b, value);
}

static inline void write_value(struct bs_buffer *b, const struct bs_document_field *field,
                               const void *at)
{
    switch (field->type) {
    case BS_DOCUMENT_REV:
        bs_check(false);
        break;
    case BS_DOCUMENT_INTEGER:
        write_integer(b, field, *(const int64_t *)at);
        break;
    case BS_DOCUMENT_NUMBER:
        bs_check(*(const double *)at > field->min && *(const double *)at <= field->max);
        bs_buffer_add_format(b, "%.17g", *(const double *)at);
        break;
    case BS_DOCUMENT_BOOLEAN:
        bs_buffer_add_text(b, *(const bool *)at ? "true" : "false");
        break;
    case BS_DOCUMENT_CHOICE:
        bs_buffer_add_json_string(b, bs_slice_text(field->choices[*(const int *)at]));
        break;
    case BS_DOCUMENT_TEXT:
    case BS_DOCUMENT_ID:
        bs_buffer_add_json_string(b, *(const struct bs_slice *)at);
        break;
    case BS_DOCUMENT_IDS:
        write_ids(b, at);
        break;
    case BS_DOCUMENT_TIME:
        bs_buffer_add_char(b, '"');
        bs_buffer_add_iso_time(b, *(const int64_t *)at);
        bs_buffer_add_char(b, '"');
        break;
    case BS_DOCUMENT_OBJECT:
        write_struct(b, field->table, at);
        break;
    case BS_DOCUMENT_OBJECTS:
        write_objects(b, field, at);
        break;
    }
}

/* False where the document did not say it, and no document can. */
static inline bool is_given(const struct bs_document_field *field, const void *at)
{
    if (field->type == BS_DOCUMENT_TEXT || field->type == BS_DOCUMENT_ID)
        return ((const struct bs_slice *)at)->length > 0;
    if (field->type == BS_DOCUMENT_TIME)
        return *(const int64_t *)at != INT64_MAX;
    if (field->type == BS_DOCUMENT_INTEGER && (double)*(const int64_t *)at == field->fallback)
        return field->fallback >= field->min && field->fallback <= field->max;
    return field->type != BS_DOCUMENT_REV;
}

static inline void write_struct(struct bs_buffer *b, struct bs_document_table table, const void *at)
{
    const char *comma = "";
    bs_buffer_add_char(b, '{');
    for (size_t i = 0; i < table.count; i++) {
        const struct bs_document_field *field = &table.fields[i];
        const void *value = (const char *)at + field->offset;
        bs_check(!field->required || is_given(field, value));
        if (!is_given(field, value))
            continue;
        bs_buffer_add_format(b, "%s\"%s\":", comma, field->name);
        write_value(b, field, value);
        comma = ",";
    }
    bs_buffer_add_char(b, '}');
}

/* Reading. */

static inline bool read_kind(enum bs_kind kind, struct bs_slice id, struct bs_slice payload,
                             union bs_kind_document *ret)
{
    struct bs_document_error error = {.pointer = "?"};
    struct bs_document_rev rev;
    cJSON *root = NULL;
    enum bs_status status = bs_document_parse(payload, &root, &rev, &error);
    if (status == BS_OK)
        status = bs_kind_read(kind, id, root, ret, &error);
    if (status != BS_OK)
        check_finding(error.pointer, error.message);
    cJSON_Delete(root);
    return status == BS_OK;
}

/* What it says in full may be more than a document may be long: then it is not read again. */
static inline void check_content(enum bs_kind kind, struct bs_slice id,
                                 const union bs_kind_document *content)
{
    struct bs_document_table table = bs_kind_table(kind);
    struct bs_buffer b;
    bs_buffer_init(&b, 4 * BS_DOCUMENT_BYTES_MAX);
    write_struct(&b, table, content);
    bs_check(!b.failed);
    union bs_kind_document again;
    if (b.length <= BS_DOCUMENT_BYTES_MAX) {
        bs_check(read_kind(kind, id, bs_buffer_slice(&b), &again));
        bs_check(bs_document_equal(table, content, &again));
        bs_kind_free(kind, &again);
    }
    bs_buffer_fini(&b);
}

static inline void take_bytes(enum bs_kind kind, const uint8_t *data, size_t size)
{
    struct bs_slice id = kind == BS_KIND_SETTINGS ? BS_SLICE("site") : BS_SLICE("x");
    struct bs_slice payload = bs_slice_of(data, size);
    union bs_kind_document content;
    bool good = read_kind(kind, id, payload, &content);
    if (good) {
        check_content(kind, id, &content);
        bs_kind_free(kind, &content);
    }
    struct bs_config *config = NULL;
    bs_check(bs_config_new(&config) == BS_OK);
    struct bs_config_arrival arrival = {
        .kind = bs_slice_text(bs_kind_name(kind)),
        .id = id,
        .payload = payload,
        .retained = size % 2 == 0,
        .at = {INT64_C(1795543198120)},
    };
    struct bs_config_outcome outcome;
    bs_config_arrive(config, &arrival, &outcome);
    if (size > 0) {
        check_result(&outcome);
        bs_check((outcome.verdict == BS_CONFIG_ACCEPTED) == good);
    }
    bs_check(bs_config_count(config) == good);
    bs_config_free(config);
}

#endif
