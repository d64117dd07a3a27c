/* What one POST sends: the parts one behind the other, compressed on the way where so set, a piece
 * at a time as curl asks for it. Must never copy the parts together first. */
#ifndef BACKSTEP_DAEMON_EDGE_INFLUX_BODY_H
#define BACKSTEP_DAEMON_EDGE_INFLUX_BODY_H

#include "backstep/base/slice.h"
#include "backstep/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct bs_influx_body {
    const struct bs_slice *parts;
    size_t part_count, part, offset; /* the next byte is parts[part].at[offset] */
    bool gzip, ended;
    z_stream z;
};

/* BS_NO_MEMORY where zlib has none. */
enum bs_status bs_influx_body_init(struct bs_influx_body *b, bool gzip);
void bs_influx_body_fini(struct bs_influx_body *b);

/* The parts, and the array of them, must hold as long as it is read. */
void bs_influx_body_set(struct bs_influx_body *b, const struct bs_slice *parts, size_t part_count);

/* The next bytes, at most `size` of them; 0 at the end. */
size_t bs_influx_body_read(struct bs_influx_body *b, char *to, size_t size);

/* Uncompressed. */
uint64_t bs_influx_body_bytes(const struct bs_influx_body *b);

#endif
