/* Delivery as a policy: what an answer of the database means, when to try again, and from where to
 * send once more. A pure state machine: the present time (monotone, ms) and the random numbers for
 * the jitter are handed in; it sends nothing and keeps no line.
 *
 * A transfer that ended without an answer is *unresolved*: the server may still apply it, after
 * newer rows. Everything from the oldest such transfer on is kept, and when answers have come for
 * 10 s without a break it is all sent once more, in order, so that no stale row stays. */
#ifndef BACKSTEP_CORE_DELIVERY_H
#define BACKSTEP_CORE_DELIVERY_H

#include "backstep/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum bs_delivery_state {
    BS_DELIVERY_OK,
    BS_DELIVERY_RETRYING, /* the network or an overloaded server: it passes by itself */
    BS_DELIVERY_REFUSED,  /* the server said no: somebody must mend it; nothing is dropped */
};

enum bs_delivery_verdict {
    BS_DELIVERY_DELIVERED, /* go on behind the batch */
    BS_DELIVERY_AGAIN,     /* the same lines again, not before again_ms */
};

struct bs_delivery_answer {
    int http_status;             /* 0: none came */
    bool sent;                   /* some of the lines left this machine */
    struct bs_slice error, body; /* the server's short message (or why none came); its body */
    int64_t retry_after_s;       /* -1: not given */
};

/* The records of the outbox that one transfer carried: positions, `until` behind the last. */
struct bs_delivery_batch {
    uint64_t from, until;
};

#define BS_DELIVERY_NOWHERE   UINT64_MAX
#define BS_DELIVERY_ERROR_MAX 200

struct bs_delivery {
    enum bs_delivery_state state;
    uint32_t failures;   /* in a row */
    uint64_t again_ms;   /* no transfer before it; 0: at once */
    uint64_t unresolved; /* start of the oldest transfer nobody knows the end of, or NOWHERE */
    uint64_t resend_from, resend_until;    /* the second sending under way, or NOWHERE */
    uint64_t answering_since_ms;           /* NOWHERE: the last transfer had no good answer */
    char error[BS_DELIVERY_ERROR_MAX + 1]; /* printable ASCII, no alias in it; "" while OK */
};

/* `unresolved`: what an earlier run left so (bs_delivery_kept_from at its end), or NOWHERE. */
void bs_delivery_init(struct bs_delivery *d, uint64_t unresolved);

/* What became of the batch. `random` is any 64 random bits. */
enum bs_delivery_verdict bs_delivery_take(struct bs_delivery *d,
                                          const struct bs_delivery_answer *answer,
                                          struct bs_delivery_batch batch, uint64_t now_ms,
                                          uint64_t random);

/* When bs_delivery_go_back is due; BS_DELIVERY_NOWHERE while there is no reason to. */
uint64_t bs_delivery_go_back_ms(const struct bs_delivery *d);

/* With nothing in flight: true, and the position to send from once more, where that is due.
 * `delivered` is the position up to which all was delivered once. */
bool bs_delivery_go_back(struct bs_delivery *d, uint64_t delivered, uint64_t now_ms,
                         uint64_t *ret_from);

/* Everything from here on must be kept although it may have been delivered; NOWHERE if nothing. */
uint64_t bs_delivery_kept_from(const struct bs_delivery *d);

/* Records before `first` were given up: nothing there can be sent again. */
void bs_delivery_forget_before(struct bs_delivery *d, uint64_t first);

#endif
