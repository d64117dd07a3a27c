/* A run without a broker: what would be sent, one line a message, for a program that folds it.
 *
 *   TICK<TAB>TOPIC<TAB>PAYLOAD
 *
 * TICK: arrival, Unix time in ms, never before that of the line above. TOPIC: below the site.
 * PAYLOAD: JSON on one line; of a binary message "hex:" and its bytes in hexadecimal. */
#ifndef BACKSTEP_CTL_SCRIPT_H
#define BACKSTEP_CTL_SCRIPT_H

#include "parcel.h"

#include <stdio.h>

struct bs_script {
    FILE *file;
    int64_t now_ms;
    uint64_t lines;
};

/* Where it is written: a path, or "-" for stdout. False, with errno, where it cannot be opened. */
bool bs_script_open(struct bs_script *s, const char *path);

/* False, with errno, where not all of it could be written. Must be called once after _open. */
bool bs_script_close(struct bs_script *s);

/* Delivers into the script, at once: event time passes as fast as it is written. BS_IO where that
 * fails. */
struct bs_sink bs_script_sink(struct bs_script *s);

#endif
