/* Whole lines into a local file: points as line protocol, or dead letters. Grows to `max_bytes`, is
 * then renamed to FILE.1 (one predecessor) and begun again. A path that is not a regular file
 * (/dev/null, a pipe) is only written to. */
#ifndef BACKSTEP_EDGE_POINTS_FILE_H
#define BACKSTEP_EDGE_POINTS_FILE_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdint.h>
#include <sys/types.h>

struct bs_points_file;

/* Created with `mode` where absent; half a line at its end, left by a writer that died, is cut off.
 * A pipe must have its reader. On failure ret_errno says why. */
enum bs_status bs_points_file_open(struct bs_points_file **ret, const char *path,
                                   uint64_t max_bytes, mode_t mode, int *ret_errno);

/* Writes whole lines, at least one; a short write is finished or undone (no half line stays). After
 * a failure the same lines are handed in again: into a pipe, writing goes on where it stopped. */
enum bs_status bs_points_file_write(struct bs_points_file *f, struct bs_slice lines,
                                    int *ret_errno);

/* What was written is on the disk when it returns, and from now on also whenever the file is
 * renamed. After a failure nobody knows: open the file afresh and write it again. */
enum bs_status bs_points_file_sync(struct bs_points_file *f, int *ret_errno);

/* What stands in the file now stays; so does what is there at open. */
void bs_points_file_keep(struct bs_points_file *f);

/* Cuts off what was written since; lines that were renamed away meanwhile stay. */
enum bs_status bs_points_file_undo(struct bs_points_file *f, int *ret_errno);

void bs_points_file_close(struct bs_points_file *f);

#endif
