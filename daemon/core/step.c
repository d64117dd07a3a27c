/* The tables of a step: letters of the directions, names and ranges of the fields. Must never know
 * in which form a step came. */
#include "backstep/core/step.h"

#include "backstep/base/check.h"

static const char letters[BS_DIRECTION_COUNT] = {
#define BS_DIRECTION_LETTER(name, letter) [BS_DIRECTION_##name] = letter,
    BS_DIRECTIONS(BS_DIRECTION_LETTER)
#undef BS_DIRECTION_LETTER
};

const struct bs_field_range bs_field_ranges[BS_FIELD_COUNT] = {
#define BS_FIELD_RANGE(name, text, min, max) [BS_FIELD_##name] = {text, min, max},
    BS_FIELDS(BS_FIELD_RANGE)
#undef BS_FIELD_RANGE
};

char bs_direction_letter(enum bs_direction direction)
{
    bs_check((unsigned)direction < BS_DIRECTION_COUNT);
    return letters[direction];
}

bool bs_direction_of_letter(char letter, enum bs_direction *ret)
{
    switch (letter) {
#define BS_DIRECTION_CASE(name, its_letter)                                                        \
    case its_letter:                                                                               \
        *ret = BS_DIRECTION_##name;                                                                \
        return true;
        BS_DIRECTIONS(BS_DIRECTION_CASE)
#undef BS_DIRECTION_CASE
    default:
        return false;
    }
}
