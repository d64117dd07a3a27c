/* What the wearables of a class say of themselves at power-up: kind, side and battery, retained. */
#ifndef BACKSTEP_CTL_BIRTHS_H
#define BACKSTEP_CTL_BIRTHS_H

#include "parcel.h"
#include "wearables.h"

#include "backstep/base/status.h"

struct bs_births {
    char **topics; /* one a wearable that says something; they live until _fini */
    uint32_t count;
};

/* Begin with all zero. `topic`: above the device, with its slash. */
enum bs_status bs_births_send(struct bs_births *b, const struct bs_wearables_options *options,
                              const struct bs_wearables *wearables, const char *topic,
                              const struct bs_sink *to);

/* When nobody needs the topics any more. */
void bs_births_fini(struct bs_births *b);

#endif
