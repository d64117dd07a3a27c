/* config/group/{group}: a group's name. Must hold every rule of such a document. */
#include "kind_parts.h"

#include <stddef.h>

static const struct bs_document_field fields[] = {
    BS_KIND_REV,
    {.name = "name",
     .type = BS_DOCUMENT_TEXT,
     .offset = offsetof(struct bs_group_document, name),
     .unit = "",
     .sentence = "the group's name; without it the id is"},
};

struct bs_document_table bs_kind_group_table(void)
{
    return (struct bs_document_table)BS_KIND_TABLE(fields);
}
