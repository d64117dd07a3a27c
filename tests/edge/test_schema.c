/* The JSON Schemas in configs/schema are made of the kinds' tables: each file is compared with what
 * its table says, byte by byte. BACKSTEP_SCHEMA=FOLDER writes them there. */
#include "backstep/base/buffer.h"
#include "backstep/core/kinds.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCHEMA_BYTES_MAX 65536

#define ID_PATTERN       "^[A-Za-z0-9_-]{1,64}$"
#define NO_CONTROL       "\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f\\\\u2028\\\\u2029\\\\\\\\"
#define TEXT_PATTERN     "^[^ " NO_CONTROL "]([^" NO_CONTROL "]*[^ " NO_CONTROL "])?$"

static void add_object(struct bs_buffer *b, struct bs_document_table table, int indent);

/* A default beside the range only says that the key was not given. */
static void add_integer(struct bs_buffer *b, const struct bs_document_field *f)
{
    bs_buffer_add_format(b, "\"type\": \"integer\", \"minimum\": %.0f, \"maximum\": %.0f", f->min,
                         f->max);
    if (f->type != BS_DOCUMENT_REV && f->fallback >= f->min && f->fallback <= f->max)
        bs_buffer_add_format(b, ", \"default\": %.0f", f->fallback);
}

static void add_choice(struct bs_buffer *b, const struct bs_document_field *f)
{
    bs_buffer_add_text(b, "\"enum\": [");
    for (int i = 0; f->choices[i]; i++)
        bs_buffer_add_format(b, "%s\"%s\"", i ? ", " : "", f->choices[i]);
    bs_buffer_add_char(b, ']');
    if (!f->required)
        bs_buffer_add_format(b, ", \"default\": \"%s\"", f->choices[(int)f->fallback]);
}

static void add_objects(struct bs_buffer *b, const struct bs_document_field *f, int indent)
{
    bs_buffer_add_format(
        b, "\"type\": \"array\", \"minItems\": %.0f, \"maxItems\": %.0f,\n%*s\"items\": {\n%*s",
        f->min, f->max, indent, "", indent + 2, "");
    add_object(b, f->table, indent + 2);
    bs_buffer_add_format(b, "\n%*s}", indent, "");
}

static void add_type(struct bs_buffer *b, const struct bs_document_field *f, int indent)
{
    switch (f->type) {
    case BS_DOCUMENT_REV:
    case BS_DOCUMENT_INTEGER:
        add_integer(b, f);
        break;
    case BS_DOCUMENT_NUMBER:
        bs_buffer_add_format(
            b,
            "\"type\": \"number\", \"exclusiveMinimum\": %.0f, \"maximum\": %.0f, \"default\": %g",
            f->min, f->max, f->fallback);
        break;
    case BS_DOCUMENT_BOOLEAN:
        bs_buffer_add_format(b, "\"type\": \"boolean\", \"default\": %s",
                             f->fallback > 0 ? "true" : "false");
        break;
    case BS_DOCUMENT_CHOICE:
        add_choice(b, f);
        break;
    case BS_DOCUMENT_TEXT:
        bs_buffer_add_format(
            b, "\"type\": \"string\", \"minLength\": 1, \"maxLength\": %d,\n%*s\"pattern\": \"%s\"",
            BS_DOCUMENT_TEXT_MAX, indent, "", TEXT_PATTERN);
        break;
    case BS_DOCUMENT_ID:
        bs_buffer_add_text(b, "\"type\": \"string\", \"pattern\": \"" ID_PATTERN "\"");
        break;
    case BS_DOCUMENT_IDS:
        bs_buffer_add_format(b,
                             "\"type\": \"array\", \"uniqueItems\": true, \"default\": [],\n%*s"
                             "\"items\": { \"type\": \"string\", \"pattern\": \"" ID_PATTERN "\" }",
                             indent, "");
        break;
    case BS_DOCUMENT_TIME:
        bs_buffer_add_text(b, "\"type\": \"string\", \"format\": \"date-time\"");
        break;
    case BS_DOCUMENT_OBJECT:
        add_object(b, f->table, indent);
        break;
    case BS_DOCUMENT_OBJECTS:
        add_objects(b, f, indent);
        break;
    }
}

static void add_required(struct bs_buffer *b, struct bs_document_table table, int indent)
{
    const char *before = "\"required\": [";
    for (size_t i = 0; i < table.count; i++)
        if (table.fields[i].required) {
            bs_buffer_add_format(b, "%s\"%s\"", before, table.fields[i].name);
            before = ", ";
        }
    if (before[0] == ',')
        bs_buffer_add_format(b, "],\n%*s", indent, "");
}

static void add_object(struct bs_buffer *b, struct bs_document_table table, int indent)
{
    bs_buffer_add_format(b, "\"type\": \"object\",\n%*s\"additionalProperties\": false,\n%*s",
                         indent, "", indent, "");
    add_required(b, table, indent);
    bs_buffer_add_text(b, "\"properties\": {\n");
    for (size_t i = 0; i < table.count; i++) {
        const struct bs_document_field *f = &table.fields[i];
        bs_buffer_add_format(b, "%*s\"%s\": {\n%*s\"description\": \"%s%s%s%s\",\n%*s", indent + 2,
                             "", f->name, indent + 4, "", f->sentence, *f->unit ? " (" : "",
                             f->unit, *f->unit ? ")" : "", indent + 4, "");
        add_type(b, f, indent + 4);
        bs_buffer_add_format(b, "\n%*s}%s\n", indent + 2, "", i + 1 < table.count ? "," : "");
    }
    bs_buffer_add_format(b, "%*s}", indent, "");
}

static void write_schema(enum bs_kind kind, struct bs_buffer *b)
{
    static const char *const ids[BS_KIND_COUNT] = {"site", "{member}", "{group}", "{drill}",
                                                   "{group}"};
    bs_buffer_add_format(b,
                         "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                         "  \"title\": \"config/%s/%s\",\n  ",
                         bs_kind_name(kind), ids[kind]);
    add_object(b, bs_kind_table(kind), 2);
    bs_buffer_add_text(b, "\n}\n");
    assert_false(b->failed);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    return file;
}

static void write_file(const char *path, struct bs_slice text)
{
    FILE *file = open_file(path, "w");
    assert_int_equal(fwrite(text.at, 1, text.length, file), text.length);
    assert_int_equal(fclose(file), 0);
}

static void compare_file(const char *path, struct bs_slice text)
{
    static char content[SCHEMA_BYTES_MAX];
    FILE *file = open_file(path, "r");
    size_t length = fread(content, 1, sizeof content, file);
    fclose(file);
    if (length != text.length || memcmp(content, text.at, length) != 0)
        fail_msg("%s differs from the kind's table; with BACKSTEP_SCHEMA=FOLDER this test writes "
                 "it anew",
                 path);
}

static void test_schemas(void **state)
{
    (void)state;
    const char *folder = getenv("BACKSTEP_SCHEMA");
    const char *end = strstr(__FILE__, "tests/edge/test_schema.c");
    assert_non_null(end);
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++) {
        struct bs_buffer b;
        char path[4096];
        bs_buffer_init(&b, SCHEMA_BYTES_MAX);
        write_schema(kind, &b);
        snprintf(path, sizeof path, "%s/%s.json", folder, bs_kind_name(kind));
        if (folder)
            write_file(path, bs_buffer_slice(&b));
        snprintf(path, sizeof path, "%.*sconfigs/schema/%s.json", (int)(end - __FILE__), __FILE__,
                 bs_kind_name(kind));
        compare_file(path, bs_buffer_slice(&b));
        bs_buffer_fini(&b);
    }
}

/* What is written is JSON, with every key once. */
static void test_schemas_are_json(void **state)
{
    (void)state;
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++) {
        struct bs_buffer b;
        struct bs_document_rev rev;
        struct bs_document_error error = {.message = ""};
        cJSON *root = NULL;
        bs_buffer_init(&b, SCHEMA_BYTES_MAX);
        write_schema(kind, &b);
        if (bs_document_parse(bs_buffer_slice(&b), &root, &rev, &error) != BS_OK)
            fail_msg("%s: \"%s\" \"%s\"", bs_kind_name(kind), error.pointer, error.message);
        cJSON *properties = cJSON_GetObjectItemCaseSensitive(root, "properties");
        assert_int_equal(cJSON_GetArraySize(properties), bs_kind_table(kind).count);
        cJSON_Delete(root);
        bs_buffer_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_schemas_are_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
