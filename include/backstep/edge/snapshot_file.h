/* The engine's state as files beside the log: the newest two are kept.
 *
 *   DIRECTORY/snapshot-<intake position, 16 hex digits>   .new while it is written
 *                                                         .damaged what could not be read
 *
 * A snapshot of a running engine is taken by a forked process, which holds the state as it was at
 * that moment while ours goes on: no record waits for it, and no part of the fold must know of it.
 * (Sliced copying would have to be asked at every place that touches a member.) The child writes
 * and syncs the file and waits to be told that both logs are on the disk as far as the state knows
 * them; only then it gets its name, and older ones go. A child whose parent died leaves nothing but
 * a .new file, which the next start removes.
 *
 * All calls on the loop's thread. */
#ifndef BACKSTEP_EDGE_SNAPSHOT_FILE_H
#define BACKSTEP_EDGE_SNAPSHOT_FILE_H

#include "backstep/base/sink.h"
#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define BS_SNAPSHOT_FILES_KEPT 2
/* As many as a folder is looked through for: a crash between two steps leaves one more. */
#define BS_SNAPSHOT_FILES_MAX  8

struct bs_snapshot_files;

struct bs_snapshot_file_options {
    uv_loop_t *loop;
    const char *directory; /* exists: the log's */
    /* Writes the whole content. Called in the child (or by bs_snapshot_files_write), where nothing
     * but memory and the sink may be touched. */
    enum bs_status (*save)(void *context, const struct bs_sink *sink);
    /* What bs_snapshot_files_begin began has ended: BS_OK, it has its name and is on the disk; else
     * nothing is left of it, and why (an errno, or 0). On the loop, never from within a call. */
    void (*on_end)(void *context, enum bs_status status, int error);
    void *context;
};

/* Removes what a crash left half-written. BS_IO with a sentence in ret_error. */
enum bs_status bs_snapshot_files_open(struct bs_snapshot_files **ret,
                                      const struct bs_snapshot_file_options *options,
                                      char *ret_error, size_t ret_error_bytes);

/* Intake positions of what is there, the newest first; returns how many. */
size_t bs_snapshot_files_list(const struct bs_snapshot_files *f,
                              uint64_t ret_positions[BS_SNAPSHOT_FILES_MAX]);

/* The content, until bs_snapshot_files_put_down; one at a time. */
enum bs_status bs_snapshot_files_read(struct bs_snapshot_files *f, uint64_t position,
                                      struct bs_slice *ret, int *ret_errno);
void bs_snapshot_files_put_down(struct bs_snapshot_files *f);

/* It is renamed to .damaged, one of which is kept. */
void bs_snapshot_files_set_aside(struct bs_snapshot_files *f, uint64_t position);

/* Begins one of the state as it is now. BS_BUSY while one is under way; BS_IO, BS_NO_MEMORY where
 * no process can be made. */
enum bs_status bs_snapshot_files_begin(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno);

/* Both logs are synced as far as the state knows them: it may have its name. */
void bs_snapshot_files_commit(struct bs_snapshot_files *f);

/* Writes one in this process and names it: at the end of a run, when both logs are synced. One that
 * is under way is given up. */
enum bs_status bs_snapshot_files_write(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno);

/* Gives up what is under way and frees all when its handles have closed, for which the loop must
 * run on. */
void bs_snapshot_files_close(struct bs_snapshot_files *f);

#endif
