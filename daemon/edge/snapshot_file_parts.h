/* What the files of this module share. Must be included by daemon/edge/snapshot_file*.c alone. */
#ifndef BACKSTEP_DAEMON_EDGE_SNAPSHOT_FILE_PARTS_H
#define BACKSTEP_DAEMON_EDGE_SNAPSHOT_FILE_PARTS_H

#include "backstep/edge/snapshot_file.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#define SNAPSHOT_NAME_MAX 48
#define SNAPSHOT_NEW      ".new"
#define SNAPSHOT_DAMAGED  ".damaged"

struct bs_snapshot_files {
    struct bs_snapshot_file_options options;
    int folder_fd;
    size_t count; /* of those that have their name, the newest first */
    uint64_t positions[BS_SNAPSHOT_FILES_MAX];
    void *content; /* what is read; NULL: nothing */
    size_t content_bytes;

    pid_t child;       /* 0: none is under way */
    int channel;       /* to it */
    uint64_t position; /* of what it writes */
    bool committed, timed_out;
    uv_signal_t ended; /* active while there is a child, as is the timer */
    uv_timer_t timer;
    unsigned open_handles;
};

/* The child's last word. None: it was killed. */
struct snapshot_report {
    enum bs_status status;
    int error;
};

/* snapshot_file_folder.c. `suffix` is "", SNAPSHOT_NEW or SNAPSHOT_DAMAGED. */
void snapshot_file_name(uint64_t position, const char *suffix, char ret[SNAPSHOT_NAME_MAX]);
int snapshot_file_remove(const struct bs_snapshot_files *f, uint64_t position, const char *suffix);
/* Fills the list, removes what is half-written; 0 or an errno. */
int snapshot_file_look_through(struct bs_snapshot_files *f);
void snapshot_file_list_add(struct bs_snapshot_files *f, uint64_t position);
/* Makes the list what a published one leaves; those that must go are told. */
void snapshot_file_list_keep(struct bs_snapshot_files *f, uint64_t position,
                             void (*gone)(const struct bs_snapshot_files *f, uint64_t position));

/* snapshot_file_save.c, in whichever process. */
enum bs_status snapshot_file_status(int error);
/* The whole content under its passing name, on the disk; where that fails, nothing. */
enum bs_status snapshot_file_save(const struct bs_snapshot_files *f, uint64_t position,
                                  int *ret_errno);
/* Its own name; the others that may stay are on the list then. */
enum bs_status snapshot_file_publish(struct bs_snapshot_files *f, uint64_t position,
                                     int *ret_errno);

/* snapshot_file_child.c: all that the forked process does. `before`: the mask of signals, all of
 * which are blocked. */
_Noreturn void snapshot_file_child(struct bs_snapshot_files *f, int channel, pid_t parent,
                                   const sigset_t *before);

#endif
