/* config/member/{member}: who wears what, is in which groups, and what may be kept. Must hold every
 * rule of one such document; a device in two of them is config_judge.c's. */
#include "kind_parts.h"

#include <stddef.h>

static const char *const consents[] = {"none", "group", "member", NULL};

static const struct bs_document_field fields[] = {
    BS_KIND_REV,
    {.name = "alias",
     .type = BS_DOCUMENT_TEXT,
     .offset = offsetof(struct bs_member_document, alias),
     .unit = "",
     .sentence = "the name on the boards, of the member's own choice; without it the id is"},
    {.name = "consent",
     .type = BS_DOCUMENT_CHOICE,
     .required = true,
     .offset = offsetof(struct bs_member_document, consent),
     .choices = consents,
     .unit = "",
     .sentence = "what may be kept: nothing, group rows only, rows of the member's own too"},
    {.name = "devices",
     .type = BS_DOCUMENT_IDS,
     .offset = offsetof(struct bs_member_document, devices),
     .unit = "",
     .sentence = "the wearables; each in one member's document only"},
    {.name = "groups",
     .type = BS_DOCUMENT_IDS,
     .offset = offsetof(struct bs_member_document, groups),
     .unit = "",
     .sentence = "the groups the member trains with"},
};

struct bs_document_table bs_kind_member_table(void)
{
    return (struct bs_document_table)BS_KIND_TABLE(fields);
}

enum bs_status bs_kind_judge_member(struct bs_slice id, struct bs_document_error *ret_error)
{
    if (!bs_slice_starts(id, BS_SLICE("guest-")))
        return BS_OK;
    bs_document_error_set(ret_error, "",
                          "a member's id must not begin with `guest-`: those are of devices that "
                          "no member's document names");
    return BS_INVALID;
}
