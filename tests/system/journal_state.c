/* What a daemon's intake log folds to, as text that can be compared byte by byte: every document in
 * force, who wears which device, what each group does when, and the books. Reads the segments, also
 * those of a running daemon, up to the last whole record. Must never write anything but stdout. */
#include "../../daemon/core/engine_parts.h"
#include "backstep/base/little.h"
#include "backstep/edge/log.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SEGMENT_HEADER_BYTES 64

/* Hops over a group's history; it has at most as many intervals, each with its phases. */
#define HOPS_MAX             20000

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "journal_state: %s: %s\n", which, what);
    exit(1);
}

/* Folding. */

static void ignore_line(void *context, struct bs_slice line, bool open)
{
    (void)context;
    (void)line;
    (void)open;
}

static void ignore_publication(void *context, const struct bs_publication *publication)
{
    (void)context;
    (void)publication;
}

static struct bs_slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat found;
    if (!file || fstat(fileno(file), &found) != 0)
        fail("cannot be read", path);
    char *bytes = malloc((size_t)found.st_size + 1);
    if (!bytes)
        fail("out of memory", path);
    size_t length = fread(bytes, 1, (size_t)found.st_size, file);
    fclose(file);
    return bs_slice_of(bytes, length);
}

static void fold_segment(struct bs_engine *engine, const char *path)
{
    struct bs_slice segment = read_file(path);
    if (segment.length < SEGMENT_HEADER_BYTES || memcmp(segment.at, "BSLOG", 6) != 0)
        fail("not a segment", path);
    uint64_t first = bs_little_u64(segment.at + 8);
    struct bs_effects effects = {NULL, ignore_line, ignore_publication};
    struct bs_record record;
    for (size_t at = SEGMENT_HEADER_BYTES; bs_log_scan(segment, at, first, &record, &at) == BS_OK;)
        if (bs_engine_step(engine, &record, &effects) != BS_OK)
            fail("a record was not understood", path);
    free((char *)segment.at);
}

static int is_segment(const struct dirent *entry)
{
    return fnmatch("intake-*.seg", entry->d_name, 0) == 0;
}

static void fold_folder(struct bs_engine *engine, const char *folder)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_segment, alphasort);
    if (count <= 0)
        fail("no segment of an intake log", folder);
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        fold_segment(engine, path);
        free(names[i]);
    }
    free(names);
}

/* Printing. */

static void print_devices(struct bs_engine *e, struct bs_slice member)
{
    const struct bs_member_document *document =
        &bs_config_find(e->config, BS_KIND_MEMBER, member)->member;
    for (size_t i = 0; i < document->devices.count; i++) {
        struct bs_slice device = document->devices.at[i], wearer = BS_SLICE("nobody");
        enum bs_naming naming = bs_config_find_device(e->config, device, &wearer);
        printf("device %.*s: %d %.*s\n", (int)device.length, device.at, (int)naming,
               (int)wearer.length, wearer.at);
    }
}

static void print_history(struct bs_engine *e, struct bs_slice group)
{
    struct bs_session_place place = {.until_ms = 0};
    for (int hops = 0; hops < HOPS_MAX && place.until_ms != INT64_MAX; hops++) {
        bs_sessions_find(e->sessions, group, place.until_ms, bs_engine_wall(e), &place);
        if (place.running)
            printf("class %.*s from %lld until %lld: %.*s, %.*s\n", (int)group.length, group.at,
                   (long long)place.from_ms, (long long)place.until_ms, (int)place.drill.length,
                   place.drill.at, (int)place.phase.length, place.phase.at);
    }
}

static void print_entry(void *context, const struct bs_config_entry *entry)
{
    printf("%s/%.*s rev ", bs_kind_name(entry->kind), (int)entry->id.length, entry->id.at);
    if (entry->rev.known)
        printf("%u", entry->rev.number);
    else
        printf("null");
    printf(" sha256 %s accepted_at %lld\n", entry->sha256, (long long)entry->accepted_at.ms);
    if (entry->kind == BS_KIND_MEMBER)
        print_devices(context, entry->id);
    if (entry->kind == BS_KIND_SESSION)
        print_history(context, entry->id);
}

static void print_count(void *context, const char *name, uint64_t value)
{
    (void)context;
    printf("books %s %llu\n", name, (unsigned long long)value);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: journal_state FOLDER SITE\n");
        return 2;
    }
    struct bs_engine_options options = {BS_SLICE("backstep/v1"), bs_slice_text(argv[2])};
    struct bs_engine *engine;
    if (bs_engine_new(&engine, &options) != BS_OK)
        fail("out of memory", argv[1]);
    fold_folder(engine, argv[1]);
    bs_config_each(engine->config, print_entry, engine);
    bs_books_each(bs_engine_books(engine), print_count, NULL);
    bs_engine_free(engine);
    return 0;
}
