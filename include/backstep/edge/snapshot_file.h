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
 * a .new file, which the next start removes. It needs Linux 5.9.
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

#define BS_SNAPSHOT_FILES_KEPT       2
/* As many as a folder is looked through for: a crash between two steps leaves one more. */
#define BS_SNAPSHOT_FILES_MAX        8
#define BS_SNAPSHOT_FILES_TIMEOUT_MS 600000

struct bs_snapshot_files;

struct bs_snapshot_file_options {
    uv_loop_t *loop;
    const char *directory; /* exists: the log's; asked for by bs_snapshot_files_open alone */
    uint32_t timeout_ms;   /* one that takes longer, its commit included, is given up and told as
                            * BS_IO, ETIMEDOUT; 0: BS_SNAPSHOT_FILES_TIMEOUT_MS */
    /* Writes the whole content. Called in the child (or by bs_snapshot_files_write), where nothing
     * but memory, malloc and the sink may be touched: no descriptor but standard error's is open
     * there, no other thread lives, and a lock that one of them held is never given back. */
    enum bs_status (*save)(void *context, const struct bs_sink *sink);
    /* What bs_snapshot_files_begin began has ended: BS_OK, it has its name and is on the disk; else
     * nothing is left of it, and why (an errno, or 0: with BS_IO, its process was killed). On the
     * loop, never from within a call; may begin the next. Not told of what was given up by
     * bs_snapshot_files_write or _close. */
    void (*on_end)(void *context, enum bs_status status, int error);
    void *context;
};

/* Looks through the folder and removes what a crash left half-written. BS_IO, BS_NO_MEMORY with a
 * sentence in ret_error. */
enum bs_status bs_snapshot_files_open(struct bs_snapshot_files **ret,
                                      const struct bs_snapshot_file_options *options,
                                      char *ret_error, size_t ret_error_bytes);

/* Intake positions of what is there, the newest first; returns how many. */
size_t bs_snapshot_files_list(const struct bs_snapshot_files *f,
                              uint64_t ret_positions[BS_SNAPSHOT_FILES_MAX]);

/* The content, until bs_snapshot_files_put_down; one at a time. In memory of its own and not the
 * file's map: a disk that fails is BS_IO here and no SIGBUS later. BS_REFUSED where we may not read
 * it, BS_NO_MEMORY, BS_FULL for want of descriptors: these tell nothing against the file. */
enum bs_status bs_snapshot_files_read(struct bs_snapshot_files *f, uint64_t position,
                                      struct bs_slice *ret, int *ret_errno);
void bs_snapshot_files_put_down(struct bs_snapshot_files *f);

/* It is renamed to .damaged, one of which is kept. Due to all that are newer than the one that is
 * used: they tell of another course of things. */
void bs_snapshot_files_set_aside(struct bs_snapshot_files *f, uint64_t position);

/* Begins one of the state as it is now. BS_BUSY while one is under way; BS_IO, BS_NO_MEMORY where
 * no process can be made. */
enum bs_status bs_snapshot_files_begin(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno);

/* Both logs are synced as far as the state knows them: it may have its name. May come before it is
 * written, and when it has failed already (nothing happens). Of the others those stay that are
 * older, up to BS_SNAPSHOT_FILES_KEPT with it; newer ones go. */
void bs_snapshot_files_commit(struct bs_snapshot_files *f);

/* Writes one in this process and names it: at the end of a run, when both logs are synced. One that
 * is under way is given up. BS_IO, BS_NO_SPACE with an errno, or what `save` said. */
enum bs_status bs_snapshot_files_write(struct bs_snapshot_files *f, uint64_t position,
                                       int *ret_errno);

/* Gives up what is under way and frees all when its handles have closed, for which the loop must
 * run on. */
void bs_snapshot_files_close(struct bs_snapshot_files *f);

#endif
