/* The daemon's log: one line a message on stderr, text or JSON. The only mutable global there is.
 * Library layers return statuses; only the shell speaks. Members' names never stand in a line. */
#ifndef BACKSTEP_SHELL_REPORT_H
#define BACKSTEP_SHELL_REPORT_H

#include "backstep/edge/conf.h"

#include <stdbool.h>

void bs_report_set(enum bs_conf_log_level level, bool json);

/* At most 1 KiB of text; longer is cut. Thread-safe. */
void bs_report(enum bs_conf_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
