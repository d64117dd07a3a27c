/* Configuration documents as files: KIND/ID.json, alone or in folders. */
#ifndef BACKSTEP_CTL_DOCUMENT_FILES_H
#define BACKSTEP_CTL_DOCUMENT_FILES_H

#include "backstep/base/slice.h"
#include "backstep/core/kinds.h"

#include <stddef.h>

/* The most one run takes: every member there can be, and as many of the other kinds as the daemon
 * takes; and what of them a small machine can hold. */
#define BS_DOCUMENT_FILES_MAX       1100000u
#define BS_DOCUMENT_FILES_BYTES_MAX (512u * 1024 * 1024)

/* "member/ruth" */
struct bs_document_place {
    enum bs_kind kind;
    char id[BS_ID_MAX + 1];
};

struct bs_document_file {
    char *path; /* as messages name it */
    struct bs_document_place place;
    char *bytes;
    size_t length; /* 1..BS_DOCUMENT_BYTES_MAX + 1; the last: larger than a document may be */
};

/* Begin with all zero. */
struct bs_document_files {
    struct bs_document_file *at;
    size_t count, capacity, bytes;
};

void bs_document_files_fini(struct bs_document_files *files);

/* "KIND/ID"; false, and says why in ret_why, where it is no such place. */
bool bs_document_place_read(struct bs_slice text, struct bs_document_place *ret, char *ret_why,
                            size_t why_bytes);

/* Adds a file, or every *.json below a folder: settings, groups, drills, members, sessions, each by
 * id, so that none comes before what it names. `as`: the file's place, where its path does not say
 * it (then `path` may be "-", standard input), or NULL. What cannot be added is said on stderr, and
 * the rest is; gives the exit status of the first such failure, else BS_EXIT_DONE. */
int bs_document_files_add(struct bs_document_files *files, const char *path, const char *as);

#endif
