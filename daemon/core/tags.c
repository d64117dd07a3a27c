/* Shared tag texts. Must never hold a value that was not escaped. */
#include "backstep/core/tags.h"

#include "backstep/base/check.h"
#include "backstep/core/line.h"

#include <stdlib.h>

/* Six values of at most 128 bytes (32 code points of 4 bytes, or an id), each byte escaped. */
#define TAGS_BYTES_MAX 2048

struct bs_tags *bs_tags_new(const struct bs_tags_names *names, uint32_t serial)
{
    struct bs_buffer text;
    bs_buffer_init(&text, TAGS_BYTES_MAX);
    bs_line_add_tag(&text, BS_SLICE("alias"), names->alias);
    size_t alias_length = text.length;
    bs_line_add_tag(&text, BS_SLICE("drill"), names->drill);
    bs_line_add_tag(&text, BS_SLICE("group"), names->group);
    bs_line_add_tag(&text, BS_SLICE("member"), names->member);
    bs_line_add_tag(&text, BS_SLICE("phase"), names->phase);
    bs_line_add_tag(&text, BS_SLICE("site"), names->site);

    struct bs_tags *t = text.failed ? NULL : malloc(sizeof *t + text.length);
    if (t) {
        *t = (struct bs_tags){.references = 1,
                              .serial = serial,
                              .alias_length = (uint16_t)alias_length,
                              .rest_length = (uint16_t)(text.length - alias_length)};
        memcpy(t->text, text.at, text.length);
    }
    bs_buffer_fini(&text);
    return t;
}

void bs_tags_hold(struct bs_tags *t)
{
    t->references++;
}

void bs_tags_drop(struct bs_tags *t)
{
    bs_check(t->references > 0);
    if (--t->references == 0)
        free(t);
}
