/* The sentence for each status. Must never allocate: it is called when memory has run out. */
#include "backstep/base/status.h"

const char *bs_status_text(enum bs_status status)
{
    switch (status) {
#define BS_STATUS_CASE(name, text)                                                                 \
    case BS_##name:                                                                                \
        return text;
        BS_STATUSES(BS_STATUS_CASE)
#undef BS_STATUS_CASE
    }
    return "unknown status";
}
