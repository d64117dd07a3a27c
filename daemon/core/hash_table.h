/* uthash as the core uses it. An element that found no memory is not in its table; the pointer that
 * was handed to HASH_ADD… is NULL then, which uthash by itself does not do. */
#ifndef BACKSTEP_DAEMON_CORE_HASH_TABLE_H
#define BACKSTEP_DAEMON_CORE_HASH_TABLE_H

#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) ((element) = NULL)
#include <uthash.h>

#endif
