/* The daemon at work: one uv loop that owns all state, between the two logs, the broker and the
 * database. */
#ifndef BACKSTEP_SHELL_RUNTIME_H
#define BACKSTEP_SHELL_RUNTIME_H

#include "backstep/edge/conf.h"

/* Exit statuses, after sysexits(3). */
enum {
    BS_EXIT_OK = 0,
    BS_EXIT_FAILED = 70, /* our own fault, memory, a disk without room */
    BS_EXIT_BUSY = 75,   /* another daemon holds the folder */
    BS_EXIT_CONFIG = 78,
};

/* Runs until SIGTERM or SIGINT and returns the exit status. Takes over *conf, which was loaded from
 * `conf_path` (read again at SIGHUP). */
int bs_runtime_run(struct bs_conf *conf, const char *conf_path);

#endif
