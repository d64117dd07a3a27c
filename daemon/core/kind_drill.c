/* config/drill/{drill}: the phases of an exercise. Must hold every rule of one such document. */
#include "kind_parts.h"

#include <stddef.h>

/* Step events know X as well: a step's direction may be unknown, a drill's is not. */
static const char *const directions[] = {"F", "B", "L", "R", "U", "D", "T", "N", NULL};

static const struct bs_document_field phase_fields[] = {
    {.name = "name",
     .type = BS_DOCUMENT_TEXT,
     .required = true,
     .offset = offsetof(struct bs_phase, name),
     .unit = "",
     .sentence = "the phase's name, as in the tag `phase`"},
    {.name = "direction",
     .type = BS_DOCUMENT_CHOICE,
     .required = true,
     .offset = offsetof(struct bs_phase, direction),
     .choices = directions,
     .unit = "",
     .sentence = "forward, backward, left, right, step up, step down, turn, on the spot"},
    {.name = "duration_s",
     .type = BS_DOCUMENT_INTEGER,
     .offset = offsetof(struct bs_phase, duration_s),
     .min = 1,
     .max = 7200,
     .unit = "s",
     .sentence = "how long the phase lasts; without it the coach moves on by hand"},
    {.name = "risers",
     .type = BS_DOCUMENT_INTEGER,
     .offset = offsetof(struct bs_phase, risers),
     .min = 0,
     .max = 6,
     .fallback = -1,
     .unit = "",
     .sentence = "risers under the step"},
};

static const struct bs_document_field fields[] = {
    BS_KIND_REV,
    {.name = "name",
     .type = BS_DOCUMENT_TEXT,
     .offset = offsetof(struct bs_drill_document, name),
     .unit = "",
     .sentence = "the drill's name; without it the id is"},
    {.name = "repeat",
     .type = BS_DOCUMENT_INTEGER,
     .offset = offsetof(struct bs_drill_document, repeat),
     .min = 1,
     .max = 100,
     .fallback = 1,
     .unit = "",
     .sentence = "how often the phases are gone through"},
    {.name = "phases",
     .type = BS_DOCUMENT_OBJECTS,
     .required = true,
     .offset = offsetof(struct bs_drill_document, phases),
     .min = 1,
     .max = BS_PHASES_MAX,
     .table = BS_KIND_TABLE(phase_fields),
     .item_bytes = sizeof(struct bs_phase),
     .unit = "",
     .sentence = "the phases, one after another"},
};

struct bs_document_table bs_kind_drill_table(void)
{
    return (struct bs_document_table)BS_KIND_TABLE(fields);
}
