/* The lines of a script. Must never write one that its reader would take for two. */
#include "script.h"

#include <inttypes.h>

bool bs_script_open(struct bs_script *s, const char *path)
{
    bool is_stdout = path[0] == '-' && path[1] == '\0';
    *s = (struct bs_script){.file = is_stdout ? stdout : fopen(path, "we"), .now_ms = INT64_MIN};
    return s->file != NULL;
}

bool bs_script_close(struct bs_script *s)
{
    FILE *file = s->file;
    s->file = NULL;
    bool written = !ferror(file);
    int ended = file == stdout ? fflush(file) : fclose(file);
    return written && ended == 0;
}

static enum bs_status wait(void *context, int64_t at_ms)
{
    struct bs_script *s = context;
    if (at_ms > s->now_ms)
        s->now_ms = at_ms;
    return BS_OK;
}

static void write_hex(FILE *to, struct bs_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    fputs("hex:", to);
    for (size_t i = 0; i < bytes.length; i++) {
        putc(digits[(unsigned char)bytes.at[i] >> 4], to);
        putc(digits[(unsigned char)bytes.at[i] & 15], to);
    }
}

static enum bs_status deliver(void *context, const struct bs_parcel *parcel)
{
    struct bs_script *s = context;
    struct bs_slice payload = parcel->payload;
    fprintf(s->file, "%" PRId64 "\t%s\t", s->now_ms, parcel->topic);
    if (payload.length > 0 && payload.at[0] == '{')
        fwrite(payload.at, 1, payload.length, s->file);
    else
        write_hex(s->file, payload);
    s->lines++;
    return putc('\n', s->file) == EOF || ferror(s->file) ? BS_IO : BS_OK;
}

struct bs_sink bs_script_sink(struct bs_script *s)
{
    return (struct bs_sink){s, wait, deliver};
}
