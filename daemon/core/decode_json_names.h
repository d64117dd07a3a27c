/* The names in a JSON step message: which of ours one is, and whether one that is not ours stands
 * there twice. */
#ifndef BACKSTEP_CORE_DECODE_JSON_NAMES_H
#define BACKSTEP_CORE_DECODE_JSON_NAMES_H

#include "decode_json_text.h"

#include "backstep/core/step.h"

/* Fields first, so that a field's key is its number; then what has a whole number in it. */
enum bs_step_key {
    BS_KEY_V = BS_FIELD_COUNT,
    BS_KEY_BOOT,
    BS_KEY_SEQ,
    BS_KEY_T,
    BS_KEY_UP,
    BS_KEY_DT_MS,
    BS_KEY_FOOT,
    BS_KEY_DIR,
    BS_KEY_STORED,
    BS_KEY_COLUMNS,
    BS_KEY_ROWS,
    BS_KEY_COUNT,
    BS_KEY_UNKNOWN = BS_KEY_COUNT
};

enum bs_step_key bs_step_key_find(const struct bs_json_string *name);

/* The unknown names of one object (or list of columns) so far. The first few are kept and compared
 * as they come; with more the whole is looked through at its end. */
#define BS_NAMES_KEPT 8u

struct bs_names {
    struct bs_json_string kept[BS_NAMES_KEPT];
    uint32_t count;
    bool repeated;
};

static inline void bs_names_init(struct bs_names *n)
{
    n->count = 0;
    n->repeated = false;
}

void bs_names_add(struct bs_names *n, const struct bs_json_string *name);

/* True where one of the names stands there twice. `whole` is the object or array they came of, from
 * its first byte; it has been read to its end and holds, if an array, nothing but strings. */
bool bs_names_repeat(const struct bs_names *n, struct bs_slice whole);

#endif
