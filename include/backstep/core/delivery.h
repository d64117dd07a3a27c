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

enum bs_delivery_api { BS_DELIVERY_V1, BS_DELIVERY_V2, BS_DELIVERY_V3 };

/* What became of the lines of one transfer. */
enum bs_delivery_outcome {
    BS_DELIVERY_DELIVERED, /* all are stored */
    BS_DELIVERY_AGAIN,     /* nobody can say: the same lines again, not before again_ms */
    BS_DELIVERY_EXPIRED,   /* stored, but for `expired` of them, which are older than is kept */
    BS_DELIVERY_BAD,       /* some line in it is why; whether the others are stored, who knows */
    BS_DELIVERY_NAMED,     /* stored, but for those that the body names (core/named_lines.h) */
    BS_DELIVERY_TOO_LARGE, /* fewer lines at once */
};

struct bs_delivery_verdict {
    enum bs_delivery_outcome outcome;
    uint32_t expired; /* with EXPIRED, at most the transfer's lines; else 0 */
};

struct bs_delivery_answer {
    int http_status;             /* 0: none came */
    bool sent;                   /* some of the lines left this machine */
    struct bs_slice error, body; /* the server's short message (or why none came); its body */
    int64_t retry_after_s;       /* -1: not given */
};

/* What one transfer carried: lines out of these records of the outbox (positions, `until` behind
 * the last). */
struct bs_delivery_transfer {
    uint64_t from, until;
    uint32_t lines;
};

#define BS_DELIVERY_NOWHERE   UINT64_MAX
#define BS_DELIVERY_ERROR_MAX 200

struct bs_delivery {
    enum bs_delivery_api api;
    enum bs_delivery_state state;
    uint32_t failures;   /* in a row */
    uint64_t again_ms;   /* no transfer before it; 0: at once */
    uint64_t unresolved; /* start of the oldest transfer nobody knows the end of, or NOWHERE */
    uint64_t resend_from, resend_until; /* the second sending under way, or NOWHERE */
    uint64_t answering_since_ms;        /* NOWHERE: the last transfer had no good answer */
    /* Printable ASCII, no alias and no phase in it: why it is not OK, "" while it is; and what the
     * server said of bad lines last. */
    char error[BS_DELIVERY_ERROR_MAX + 1], complaint[BS_DELIVERY_ERROR_MAX + 1];
};

/* `unresolved`: what an earlier run left so (bs_delivery_kept_from at its end), or NOWHERE. */
void bs_delivery_init(struct bs_delivery *d, enum bs_delivery_api api, uint64_t unresolved);

/* What became of the transfer. `random` is any 64 random bits. */
struct bs_delivery_verdict bs_delivery_take(struct bs_delivery *d,
                                            const struct bs_delivery_answer *answer,
                                            struct bs_delivery_transfer transfer, uint64_t now_ms,
                                            uint64_t random);

/* Everything before `until` is settled: delivered, or given up and counted. */
void bs_delivery_pass(struct bs_delivery *d, uint64_t until);

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

/* A server's words made fit for a log, a topic and a dead letter: printable ASCII, zero-terminated,
 * cut to fit, the values of the tags `alias` and `phase` and what stands behind `value=` replaced
 * by `*`: servers quote our lines back. */
void bs_delivery_quote(struct bs_slice said, char *ret, size_t ret_bytes);

#endif
