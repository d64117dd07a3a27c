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
struct bs_snapshot;

#define BS_DOCUMENT_BYTES_MAX (64u * 1024)
#define BS_DOCUMENT_TOO_LARGE "larger than 64 KiB"
#define BS_DOCUMENT_DEPTH_MAX 32 /* the deepest document of any kind has four levels */

/* A pointer that would not fit is that of the nearest parent that does. Messages never quote texts
 * of the document: an alias must not reach a log. */
struct bs_document_error {
    char pointer[256];
    char message[256];
};

#define BS_DOCUMENT_TEXT_MAX 32 /* Unicode code points of a text */

/* True where it is UTF-8 and may stand as a TEXT, below. */
bool bs_document_is_text(struct bs_slice text);

/* A list of ids as the document gives them, none twice. */
struct bs_ids {
    struct bs_slice *at;
    size_t count;
};

enum bs_document_type {
    BS_DOCUMENT_REV, /* integer; judged by the reader, stored nowhere: bs_document_parse has it */
    BS_DOCUMENT_INTEGER, /* int64_t; min..max. JSON has no integers of its own: 10.0 is one, too */
    BS_DOCUMENT_NUMBER,  /* double; above min, at most max */
    BS_DOCUMENT_BOOLEAN, /* bool */
    BS_DOCUMENT_CHOICE,  /* int: the index in `choices` */
    BS_DOCUMENT_TEXT,   /* struct bs_slice, empty where absent: 1..BS_DOCUMENT_TEXT_MAX code points,
                           no control character, no backslash, no space at either end */
    BS_DOCUMENT_ID,     /* struct bs_slice as bs_slice_is_id, empty where absent */
    BS_DOCUMENT_IDS,    /* struct bs_ids */
    BS_DOCUMENT_TIME,   /* int64_t: Unix time in ms of an RFC 3339 date-time in the years 1970 to
                           9999, INT64_MAX where absent */
    BS_DOCUMENT_OBJECT, /* a struct of its own by `table` */
    BS_DOCUMENT_OBJECTS, /* struct { ITEM *at; size_t count; }: min..max of them by `table`, ITEM
                            being `item_bytes` large; none where absent */
};

struct bs_document_table {
    const struct bs_document_field *fields;
    size_t count;
};

/* One key of a kind of document. What is not required may be left out and then has its default. */
struct bs_document_field {
    const char *name;
    enum bs_document_type type;
    bool required;
    size_t offset; /* of its value in the struct that is read into */
    double min, max;
    double fallback;            /* the default; BOOLEAN: 0 or 1, CHOICE: the index; INTEGER: beside
                                   min..max it says that the key was not given */
    const char *const *choices; /* CHOICE: words, NULL behind the last */
    struct bs_document_table table;
    size_t item_bytes;
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
 * What it stores is a copy, for bs_document_free. BS_INVALID with the first error in the document's
 * order, a missing key behind those of its object; BS_NO_MEMORY likewise. *ret then holds nothing
 * to be freed. */
enum bs_status bs_document_read(const struct cJSON *document, struct bs_document_table table,
                                void *ret, struct bs_document_error *ret_error);

/* Frees what the struct holds and leaves the table's defaults in it. */
void bs_document_free(struct bs_document_table table, void *at);

/* Fills the struct with the table's defaults; looks at nothing that is there. */
void bs_document_default(struct bs_document_table table, void *ret);

/* True where both structs have the same values. */
bool bs_document_equal(struct bs_document_table table, const void *a, const void *b);

/* Saves the struct; or loads into it, whatever is there, what bs_document_read could have given.
 * Loaded, or failed in the middle, it is for bs_document_free. */
void bs_document_snapshot(struct bs_snapshot *s, struct bs_document_table table, void *at);

/* Fills an error; the pointer is taken as it is. */
void bs_document_error_set(struct bs_document_error *ret, const char *pointer, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

#endif
