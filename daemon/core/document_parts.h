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

/* The grammar of RFC 8259 over the whole of `text`, which is UTF-8. BS_INVALID with ret_error. */
enum bs_status bs_document_scan(struct bs_slice text, struct bs_document_error *ret_error);

#endif
