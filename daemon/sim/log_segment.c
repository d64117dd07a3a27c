/* A segment: its file, its bytes. Must never leave one under its own name that is not whole. */
#include "backstep/base/check.h"
#include "backstep/base/little.h"
#include "log_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static uint32_t sum_of(const char *head, size_t body)
{
    return (uint32_t)crc32_z(0, (const Bytef *)head + 4, LOG_HEAD_BYTES - 4 + body);
}

void log_seal(char *at, const struct bs_record *r)
{
    bs_little_put_u32(at + 4, (uint32_t)r->body.length);
    bs_little_put_u64(at + 8, r->position);
    bs_little_put_u64(at + 16, (uint64_t)r->tick.ms);
    at[24] = (char)r->type;
    at[25] = (char)r->flags;
    bs_little_put_u32(at, sum_of(at, r->body.length));
}

static bool read_bytes(const char *at, uint64_t position, uint64_t room, bool check,
                       struct bs_record *ret)
{
    if (room < LOG_HEAD_BYTES)
        return false;
    uint32_t length = bs_little_u32(at + 4);
    if (length > BS_RECORD_BODY_MAX || log_record_bytes(length) > room ||
        bs_little_u64(at + 8) != position || (check && bs_little_u32(at) != sum_of(at, length)))
        return false;
    *ret = (struct bs_record){
        .position = position,
        .next = position + log_record_bytes(length),
        .tick = {(int64_t)bs_little_u64(at + 16)},
        .type = (uint8_t)at[24],
        .flags = (uint8_t)at[25],
        .body = bs_slice_of(at + LOG_HEAD_BYTES, length),
    };
    return ret->type != 0;
}

bool log_read_at(const struct log_segment *s, uint64_t position, uint64_t limit, bool check,
                 struct bs_record *ret)
{
    return read_bytes(log_at(s, position), position, limit - position, check, ret);
}

enum bs_status bs_log_scan(struct bs_slice segment, size_t at, uint64_t first_position,
                           struct bs_record *ret, size_t *ret_next)
{
    if (at >= segment.length)
        return BS_NOT_FOUND;
    uint64_t position = first_position + (at - LOG_HEADER_BYTES);
    if (!read_bytes(segment.at + at, position, segment.length - at, true, ret))
        return BS_CORRUPT;
    *ret_next = at + (size_t)(ret->next - ret->position);
    return BS_OK;
}

static int fill(struct log_segment *s)
{
    char header[LOG_HEADER_BYTES] = "BSLOG";
    bs_little_put_u16(header + 6, 1);
    bs_little_put_u64(header + 8, s->first);
    bs_little_put_u64(header + 16, s->bytes);
    bs_little_put_u32(header + 60, (uint32_t)crc32_z(0, (const Bytef *)header, 60));
    int error = sim_disk_allocate(s->file, s->bytes);
    if (!error)
        error = sim_disk_write(s->file, 0, bs_slice_of(header, sizeof header));
    return error ? error : sim_disk_sync(s->file);
}

static void name_of(const struct bs_log *log, uint64_t first, char ret[SIM_NAME_MAX])
{
    snprintf(ret, SIM_NAME_MAX, "%s-%016llx.seg", log->options.name, (unsigned long long)first);
}

/* Under a passing name first. */
static int begin(struct bs_log *log, uint64_t first, uint64_t bytes, struct log_segment **ret)
{
    char name[SIM_NAME_MAX];
    struct log_segment *s = calloc(1, sizeof *s);
    bs_check(s);
    s->first = s->end = first;
    s->bytes = bytes;
    snprintf(name, sizeof name, "%s.new", log->options.name);
    int error = sim_disk_create(name, &s->file);
    if (error) {
        free(s);
        return error;
    }
    *ret = s;
    return fill(s);
}

static int end(struct bs_log *log, struct log_segment *s, int error)
{
    char name[SIM_NAME_MAX];
    name_of(log, s->first, name);
    if (!error)
        error = sim_disk_rename(s->file, name);
    if (!error)
        error = sim_disk_sync_folder();
    return error;
}

int log_segment_make(struct bs_log *log, uint64_t first, uint64_t bytes, struct log_segment **ret)
{
    struct log_segment *s = NULL;
    int error = begin(log, first, bytes, &s);
    if (!s)
        return error;
    error = end(log, s, error);
    if (error)
        log_segment_free(log, s, true);
    else
        *ret = s;
    return error;
}

int log_segment_copy(struct bs_log *log, const struct log_segment *s, uint64_t from,
                     struct log_segment **ret)
{
    struct log_segment *copy = NULL;
    int error = begin(log, from, LOG_HEADER_BYTES + (log_limit(s) - from), &copy);
    if (!copy)
        return error;
    if (!error && s->end > from)
        error = sim_disk_write(copy->file, LOG_HEADER_BYTES,
                               bs_slice_of(log_at(s, from), (size_t)(s->end - from)));
    if (!error)
        error = sim_disk_sync(copy->file);
    copy->end = s->end;
    error = end(log, copy, error);
    if (error)
        log_segment_free(log, copy, true);
    else
        *ret = copy;
    return error;
}

int log_segment_try(struct bs_log *log)
{
    struct log_segment *trial = NULL;
    int error = begin(log, 0, BS_LOG_SEGMENT_BYTES_MIN, &trial);
    if (trial)
        log_segment_free(log, trial, true);
    return error;
}

void log_segment_free(struct bs_log *log, struct log_segment *s, bool unlink)
{
    (void)log;
    if (unlink)
        sim_disk_unlink(s->file);
    sim_disk_close(s->file);
    free(s);
}
