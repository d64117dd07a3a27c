/* What the tables of the kinds share; nothing outside includes it. */
#ifndef BACKSTEP_DAEMON_CORE_KIND_PARTS_H
#define BACKSTEP_DAEMON_CORE_KIND_PARTS_H

#include "backstep/core/kinds.h"

#define BS_KIND_TABLE(rows)                                                                        \
    {                                                                                              \
        (rows), sizeof(rows) / sizeof((rows)[0])                                                   \
    }

/* The row that every kind begins with. */
#define BS_KIND_REV                                                                                \
    {                                                                                              \
        .name = "rev", .type = BS_DOCUMENT_REV, .max = UINT32_MAX, .unit = "",                     \
        .sentence = "revision; one lower than that in force is rejected"                           \
    }

struct bs_document_table bs_kind_member_table(void);
struct bs_document_table bs_kind_group_table(void);
struct bs_document_table bs_kind_drill_table(void);
struct bs_document_table bs_kind_session_table(void);

/* What a table cannot say of one document. BS_INVALID with ret_error. */
enum bs_status bs_kind_judge_member(struct bs_slice id, struct bs_document_error *ret_error);
enum bs_status bs_kind_judge_session(const struct bs_session_document *session,
                                     struct bs_document_error *ret_error);

#endif
