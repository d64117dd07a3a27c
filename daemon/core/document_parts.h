/* What the parts of the document module share among themselves; nothing outside includes it. */
#ifndef BACKSTEP_DAEMON_CORE_DOCUMENT_PARTS_H
#define BACKSTEP_DAEMON_CORE_DOCUMENT_PARTS_H

#include "backstep/core/document.h"

/* Where a value stands: a list from the value up to the root (whose parent is NULL), on the stack
 * of whoever descends. */
struct place {
    const struct place *parent;
    const char *key; /* NULL: `index` of an array */
    size_t index;
};

/* Writes the JSON Pointer of `at` (NULL: the whole document) into ret->pointer. */
void bs_document_point(const struct place *at, struct bs_document_error *ret);

__attribute__((format(printf, 3, 4))) enum bs_status bs_document_reject(
    const struct place *at, struct bs_document_error *ret_error, const char *format, ...);

/* What a value of another type is called in a message. */
const char *bs_document_type_name(const struct cJSON *value);

/* A text and its place in a list. */
struct indexed_text {
    const char *text;
    size_t index;
};

/* The first, in the list's order, that repeats one before it; NULL: none does. Sorts the texts. */
const struct indexed_text *bs_document_find_repeated(struct indexed_text *texts, size_t count);

/* One value of any type but OBJECT and OBJECTS, which document_fields.c descends into. */
enum bs_status bs_document_read_value(const struct cJSON *value,
                                      const struct bs_document_field *field, const struct place *at,
                                      void *ret, struct bs_document_error *ret_error);

/* 9999-12-31T23:59:59.999Z */
#define BS_DOCUMENT_TIME_LAST_MS INT64_C(253402300799999)

/* RFC 3339, `date-time`: Unix time in ms, what is finer is cut off. False where it is none, or not
 * in the years 1970 to 9999. */
bool bs_document_read_time(struct bs_slice text, int64_t *ret);

/* The list that an OBJECTS field of any ITEM is, by its bytes. */
struct object_list {
    void *at;
    size_t count;
};

static inline struct object_list bs_document_objects(const void *field_at)
{
    struct object_list list;
    memcpy(&list, field_at, sizeof list);
    return list;
}

/* The grammar of RFC 8259 over the whole of `text`, which is UTF-8. BS_INVALID with ret_error. */
enum bs_status bs_document_scan(struct bs_slice text, struct bs_document_error *ret_error);

#endif
