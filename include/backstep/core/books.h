/* The books: every message and every step that arrived is in exactly one of these counters. They
 * are part of the fold, so a replay counts them again to the same numbers.
 *
 *   messages_received = messages_parsed + Σ messages_rejected
 *   steps_received    = steps_counted + steps_fused + Σ steps_rejected */
#ifndef BACKSTEP_CORE_BOOKS_H
#define BACKSTEP_CORE_BOOKS_H

#include "backstep/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a whole message on `steps` is rejected: the first that applies. */
#define BS_MESSAGE_REASONS(X)                                                                      \
    X(BAD_TOPIC, "bad_topic")                                                                      \
    X(RETAINED, "retained")                                                                        \
    X(TOO_LARGE, "too_large")                                                                      \
    X(MALFORMED, "malformed")                                                                      \
    X(SCHEMA, "schema")

/* Why a step is rejected: the first that applies. */
#define BS_STEP_REASONS(X)                                                                         \
    X(UNKNOWN_DEVICE, "unknown_device")                                                            \
    X(NO_CONSENT, "no_consent")                                                                    \
    X(OVER_LIMIT, "over_limit")                                                                    \
    X(DUPLICATE, "duplicate")                                                                      \
    X(STALE_SEQ, "stale_seq")                                                                      \
    X(UNPLACED, "unplaced")                                                                        \
    X(FUTURE, "future")                                                                            \
    X(TOO_LATE, "too_late")

enum bs_message_reason {
#define BS_REASON_VALUE(name, text) BS_MESSAGE_##name,
    BS_MESSAGE_REASONS(BS_REASON_VALUE)
#undef BS_REASON_VALUE
        BS_MESSAGE_REASON_COUNT
};

enum bs_step_reason {
#define BS_REASON_VALUE(name, text) BS_STEP_##name,
    BS_STEP_REASONS(BS_REASON_VALUE)
#undef BS_REASON_VALUE
        BS_STEP_REASON_COUNT
};

/* The single counters: name in the service document, what it counts. */
#define BS_BOOKS_COUNTERS(X)                                                                       \
    X(messages_received, "messages on a steps topic")                                              \
    X(messages_parsed, "of these, the ones whose steps were judged")                               \
    X(steps_received, "steps in parsed messages")                                                  \
    X(steps_counted, "steps that became a step of a member")                                       \
    X(steps_fused, "events that joined a step another sensor had reported")                        \
    X(steps_waiting, "counted steps that wait for their order")                                    \
    X(field_out_of_range, "optional values dropped: out of range, mistyped, not in the set")       \
    X(unknown_keys, "messages with keys or columns that are not known")                            \
    X(config_received, "configuration documents that arrived")                                     \
    X(config_accepted, "of these, the ones that came into force")                                  \
    X(config_rejected, "of these, the ones that did not")                                          \
    X(config_deleted, "deletions")                                                                 \
    X(config_unknown_kind, "documents of no known kind")                                           \
    X(config_without_effect, "accepted ones that found no memory to take effect in")               \
    X(live_without_room, "steps of members whose group's board found no room")                     \
    X(birth_received, "birth messages")                                                            \
    X(birth_rejected, "of these, the ones that were not understood")                               \
    X(state_received, "device state messages")                                                     \
    X(state_rejected, "of these, the ones that were not understood")                               \
    X(other_received, "messages on topics that mean nothing here")

struct bs_books {
#define BS_BOOKS_FIELD(name, sentence) uint64_t name;
    BS_BOOKS_COUNTERS(BS_BOOKS_FIELD)
#undef BS_BOOKS_FIELD
    uint64_t messages_rejected[BS_MESSAGE_REASON_COUNT];
    uint64_t steps_rejected[BS_STEP_REASON_COUNT];
};

const char *bs_message_reason_name(enum bs_message_reason reason);
const char *bs_step_reason_name(enum bs_step_reason reason);

/* True where both equations hold. */
bool bs_books_balance(const struct bs_books *b);

/* Each number of the books with its name in the measurement: steps_counted,
 * steps_rejected_duplicate … */
void bs_books_each(const struct bs_books *b,
                   void (*take)(void *context, const char *name, uint64_t value), void *context);

/* The books as a JSON object: every counter and every reason, at zero too. */
void bs_books_write(const struct bs_books *b, struct bs_buffer *out);

#endif
