/* The kinds of configuration documents: what each holds once it was read. One table per kind says
 * name, type, unit, range, default and sentence of every key; reader, JSON Schema and reference
 * page come of it or are checked against it. Rules between two documents are config.h's. */
#ifndef BACKSTEP_CORE_KINDS_H
#define BACKSTEP_CORE_KINDS_H

#include "backstep/core/document.h"
#include "backstep/core/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum bs_kind {
    BS_KIND_SETTINGS,
    BS_KIND_MEMBER,
    BS_KIND_GROUP,
    BS_KIND_DRILL,
    BS_KIND_SESSION,
    BS_KIND_COUNT,
};

/* What of a member's steps may be kept: nothing, group rows, rows of the member's own, too. */
enum bs_consent { BS_CONSENT_NONE, BS_CONSENT_GROUP, BS_CONSENT_MEMBER };

struct bs_member_document {
    struct bs_slice alias; /* empty: the id is the alias */
    int consent;           /* enum bs_consent */
    struct bs_ids devices, groups;
};

struct bs_group_document {
    struct bs_slice name; /* empty: the id is the name */
};

#define BS_PHASES_MAX 32

struct bs_phase {
    struct bs_slice name;
    int direction;      /* index in the table's choices: F B L R U D T N */
    int64_t duration_s; /* 0: the coach moves on by hand */
    int64_t risers;     /* -1: not said */
};

struct bs_drill_document {
    struct bs_slice name; /* empty: the id is the name */
    int64_t repeat;
    struct {
        struct bs_phase *at;
        size_t count; /* 1..BS_PHASES_MAX */
    } phases;
};

struct bs_session_document {
    struct bs_slice drill;
    struct bs_slice phase;    /* empty: by the timetable */
    int64_t start_ms, end_ms; /* Unix time; INT64_MAX: no end was given */
};

union bs_kind_document {
    struct bs_settings settings;
    struct bs_member_document member;
    struct bs_group_document group;
    struct bs_drill_document drill;
    struct bs_session_document session;
};

/* "settings" … */
const char *bs_kind_name(enum bs_kind kind);

/* False where no kind has that name; *ret untouched. */
bool bs_kind_of_name(struct bs_slice name, enum bs_kind *ret);

struct bs_document_table bs_kind_table(enum bs_kind kind);

/* Reads a parsed document of that kind and judges all that can be judged by itself (`id` is the one
 * in its topic: `guest-` is no beginning of a member's, `site` the only settings'). What it returns
 * owns its memory. BS_INVALID with ret_error, BS_NO_MEMORY likewise; *ret untouched. */
enum bs_status bs_kind_read(enum bs_kind kind, struct bs_slice id, const struct cJSON *document,
                            union bs_kind_document *ret, struct bs_document_error *ret_error);
/* Saves a document, or loads one that bs_kind_read could have given. Loaded, or failed in the
 * middle, it is for bs_kind_free. */
void bs_kind_snapshot(struct bs_snapshot *s, enum bs_kind kind, struct bs_slice id,
                      union bs_kind_document *document);
void bs_kind_free(enum bs_kind kind, union bs_kind_document *document);

#endif
