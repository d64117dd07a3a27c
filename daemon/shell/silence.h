/* When to say that nothing comes: a broker may grant every subscription and hand over nothing, as
 * one does whose access list does not let us read. */
#ifndef BACKSTEP_SHELL_SILENCE_H
#define BACKSTEP_SHELL_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

enum bs_silence_kind {
    BS_SILENCE_NONE,
    /* Not one message since the connection, though the broker hands over every retained one then:
     * something is wrong, most likely. */
    BS_SILENCE_AT_ONCE,
    /* Messages came, and now none: nobody walks, or something is wrong. */
    BS_SILENCE_SINCE,
};

#define BS_SILENCE_AT_ONCE_MIN 2
#define BS_SILENCE_SINCE_MIN   10

/* Begins as all zeros. */
struct bs_silence {
    uint64_t said_ns; /* the silence that was reported began then */
};

/* What is to be said now: each silence once. `connected_ns` 0: not online; `last_message_ns` 0:
 * none yet. */
enum bs_silence_kind bs_silence_judge(struct bs_silence *s, uint64_t now_ns, uint64_t connected_ns,
                                      uint64_t last_message_ns);

#endif
