/* Configuration documents as such: strict JSON in, typed fields by a table out.
 *
 * Whatever is wrong is one error: a JSON Pointer (RFC 6901) to the offending value and a sentence
 * for the operator. Knows no kind of document; the tables do. */
#ifndef BACKSTEP_CORE_DOCUMENT_H
#define BACKSTEP_CORE_DOCUMENT_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

#define BS_DOCUMENT_BYTES_MAX (64u * 1024)
#define BS_DOCUMENT_DEPTH_MAX 32 /* the deepest document of any kind has four levels */

/* A pointer that would not fit is that of the nearest parent that does. Messages never quote texts
 * of the document: an alias must not reach a log. */
struct bs_document_error {
    char pointer[256];
    char message[256];
};

enum bs_document_type {
    BS_DOCUMENT_REV, /* integer; judged by the reader, stored nowhere: bs_document_parse has it */
    BS_DOCUMENT_INTEGER, /* int64_t; min..max. JSON has no integers of its own: 10.0 is one, too */
    BS_DOCUMENT_NUMBER,  /* double; above min, at most max */
    BS_DOCUMENT_BOOLEAN, /* bool */
    BS_DOCUMENT_CHOICE,  /* int: the index in `choices` */
    BS_DOCUMENT_OBJECT,  /* a struct of its own by `table` */
};

struct bs_document_table {
    const struct bs_document_field *fields;
    size_t count;
};

/* One key of a kind of document. Every key may be left out and then has its default. */
struct bs_document_field {
    const char *name;
    enum bs_document_type type;
    size_t offset; /* of its value in the struct that is read into */
    double min, max;
    double fallback;            /* the default; BOOLEAN: 0 or 1, CHOICE: the index */
    const char *const *choices; /* CHOICE: words, NULL behind the last */
    struct bs_document_table table;
    const char *unit; /* "" where it has none */
    const char *sentence;
};

/* A document's `rev`; not known where it has none, or none that is a u32, or two. */
struct bs_document_rev {
    bool known;
    uint32_t number;
};

/* Strict JSON (RFC 8259): at most BS_DOCUMENT_BYTES_MAX, UTF-8 without a byte order mark, an object
 * at the top, no key twice in any object, no number beyond a double, no U+0000. BS_INVALID with
 * ret_error; *ret is the caller's, for cJSON_Delete. ret_rev is set on failure, too: an answer
 * names the revision that it rejects. */
enum bs_status bs_document_parse(struct bs_slice payload, struct cJSON **ret,
                                 struct bs_document_rev *ret_rev,
                                 struct bs_document_error *ret_error);

/* Reads a parsed document into the struct that the table describes, defaults for what is absent.
 * BS_INVALID with the first error in the document's order; *ret is then of no use. */
enum bs_status bs_document_read(const struct cJSON *document, struct bs_document_table table,
                                void *ret, struct bs_document_error *ret_error);

/* Fills the struct with the table's defaults. */
void bs_document_default(struct bs_document_table table, void *ret);

/* True where both structs have the same values. */
bool bs_document_equal(struct bs_document_table table, const void *a, const void *b);

/* Fills an error; the pointer is taken as it is. */
void bs_document_error_set(struct bs_document_error *ret, const char *pointer, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

#endif
