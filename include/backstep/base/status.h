/* What a call can end with: one type for the whole project, one sentence for each value.
 * Statuses are for the world's faults; our own are asserted. No errno passes the edge but as one of
 * these (a module that must say more carries an errno text of its own beside it). */
#ifndef BACKSTEP_BASE_STATUS_H
#define BACKSTEP_BASE_STATUS_H

#define BS_STATUSES(X)                                                                             \
    X(OK, "done")                                                                                  \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(FULL, "a bound is reached")                                                                  \
    X(INVALID, "the input is not valid")                                                           \
    X(NOT_FOUND, "there is no such thing")                                                         \
    X(BUSY, "somebody else holds it")                                                              \
    X(CORRUPT, "the stored bytes are damaged")                                                     \
    X(NO_SPACE, "the disk is full")                                                                \
    X(IO, "the disk or the network failed")                                                        \
    X(REFUSED, "the other side refused")                                                           \
    X(CLOSED, "it is closed")

enum bs_status {
#define BS_STATUS_VALUE(name, text) BS_##name,
    BS_STATUSES(BS_STATUS_VALUE)
#undef BS_STATUS_VALUE
};

/* The sentence for a status: static text, never NULL. */
const char *bs_status_text(enum bs_status status);

#endif
