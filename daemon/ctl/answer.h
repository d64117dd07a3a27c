/* The daemon's answer to a configuration document, result/{kind}/{id}, as a program reads it. */
#ifndef BACKSTEP_CTL_ANSWER_H
#define BACKSTEP_CTL_ANSWER_H

#include "backstep/base/slice.h"
#include "backstep/core/document.h"

#include <stdbool.h>
#include <stdio.h>

#define BS_SHA256_HEX_BYTES 65 /* with its zero */

struct bs_answer {
    bool ok;
    struct bs_document_rev rev;
    char sha256[BS_SHA256_HEX_BYTES]; /* of the document; "" where the answer names none */
    bool has_finding;                 /* the error, or where it is ok the warning */
    struct bs_document_error finding;
    bool has_in_force; /* of a rejection: what stays in force */
    struct bs_document_rev in_force;
};

/* False where the text is no answer. */
bool bs_answer_read(struct bs_slice text, struct bs_answer *ret);

/* One line as a compiler writes them, where there is a finding: "PATH:POINTER: MESSAGE", a warning
 * with "warning: " before its message. */
void bs_answer_write_finding(const struct bs_answer *answer, const char *path, FILE *to);

#endif
