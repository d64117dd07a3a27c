/* Which topic a message came on. Grammar only; knows no payloads. */
#ifndef BACKSTEP_CORE_TOPIC_H
#define BACKSTEP_CORE_TOPIC_H

#include "backstep/base/slice.h"

#include <stdbool.h>

enum bs_topic_kind {
    BS_TOPIC_STEPS,  /* device/{device}/steps */
    BS_TOPIC_BIRTH,  /* device/{device}/birth */
    BS_TOPIC_STATE,  /* device/{device}/state */
    BS_TOPIC_CONFIG, /* config/{kind}/{id} */
    BS_TOPIC_FORGET, /* command/forget/{member} */
    BS_TOPIC_OTHER,  /* not ours to understand */
};

struct bs_topic {
    enum bs_topic_kind kind;
    bool valid; /* every named level matches [A-Za-z0-9_-]{1,64} and none is missing or extra */
    struct bs_slice id;       /* the device, the document's id or the member; only where valid */
    struct bs_slice document; /* CONFIG: the document's kind as written; only where valid */
};

/* `root` ends with its slash: "backstep/v1/north/". A topic below device/ whose last level is steps
 * (birth, state) is of that kind, valid or not; below config/ likewise. */
struct bs_topic bs_topic_parse(struct bs_slice root, struct bs_slice topic);

#endif
