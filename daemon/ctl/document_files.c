/* Reading documents from files. Must never take a file for a document of another place than its
 * path says. */
#include "document_files.h"

#include "exit_status.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".json"

void bs_document_files_fini(struct bs_document_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->at[i].path);
        free(files->at[i].bytes);
    }
    free(files->at);
    *files = (struct bs_document_files){0};
}

/* ---- places ---- */

bool bs_document_place_read(struct bs_slice text, struct bs_document_place *ret, char *ret_why,
                            size_t why_bytes)
{
    const char *slash = text.length ? memchr(text.at, '/', text.length) : NULL;
    if (!slash) {
        snprintf(ret_why, why_bytes, "is not KIND/ID");
        return false;
    }
    struct bs_slice kind = bs_slice_of(text.at, (size_t)(slash - text.at));
    struct bs_slice id = bs_slice_after(text, kind.length + 1);
    struct bs_document_place place;
    if (!bs_kind_of_name(kind, &place.kind)) {
        snprintf(ret_why, why_bytes,
                 "there is no such kind of document (settings, member, group, drill, session)");
        return false;
    }
    if (!bs_slice_is_id(id)) {
        snprintf(ret_why, why_bytes, "the id does not match [A-Za-z0-9_-]{1,64}");
        return false;
    }
    memcpy(place.id, id.at, id.length);
    place.id[id.length] = '\0';
    *ret = place;
    return true;
}

/* The last component of the folder that a file stands in, which is its kind; `real` takes the
 * memory where the path itself does not name it. */
static struct bs_slice folder_name(struct bs_slice folder, char **real)
{
    char *path = folder.length ? strndup(folder.at, folder.length) : strdup(".");
    struct bs_slice name = path ? bs_slice_text(path) : BS_SLICE("");
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (slash)
        name = bs_slice_text(slash + 1);
    *real = path;
    if (!bs_slice_equal(name, BS_SLICE(".")) && !bs_slice_equal(name, BS_SLICE("..")))
        return name;
    *real = realpath(path, NULL);
    free(path);
    slash = *real ? strrchr(*real, '/') : NULL;
    return slash ? bs_slice_text(slash + 1) : BS_SLICE("");
}

static bool has_suffix(struct bs_slice name)
{
    return name.length > strlen(SUFFIX) &&
           memcmp(name.at + name.length - strlen(SUFFIX), SUFFIX, strlen(SUFFIX)) == 0;
}

static bool place_of_path(const char *path, struct bs_document_place *ret, char *ret_why,
                          size_t why_bytes)
{
    const char *slash = strrchr(path, '/');
    struct bs_slice name = bs_slice_text(slash ? slash + 1 : path);
    if (!has_suffix(name)) {
        snprintf(ret_why, why_bytes, "is not named KIND/ID.json (--as KIND/ID says what it is)");
        return false;
    }
    name.length -= strlen(SUFFIX);
    char *folder, *text = NULL;
    struct bs_slice kind =
        folder_name(bs_slice_of(path, slash ? (size_t)(slash - path) : 0), &folder);
    int length = asprintf(&text, "%.*s/%.*s", (int)kind.length, kind.at, (int)name.length, name.at);
    free(folder);
    if (length < 0) {
        snprintf(ret_why, why_bytes, "%s", bs_status_text(BS_NO_MEMORY));
        return false;
    }
    bool found = bs_document_place_read(bs_slice_text(text), ret, ret_why, why_bytes);
    free(text);
    return found;
}

/* ---- reading ---- */

static const char *name_of(const char *path)
{
    return strcmp(path, "-") == 0 ? "stdin" : path;
}

static int say(const char *path, const char *what, int exit_status)
{
    fprintf(stderr, "%s:: %s\n", name_of(path), what);
    return exit_status;
}

/* One byte more than a document may have, so that a larger one is seen as such. */
static int read_bytes(const char *path, struct bs_document_file *f)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    f->bytes = malloc(BS_DOCUMENT_BYTES_MAX + 1);
    if (file && f->bytes) {
        f->length = fread(f->bytes, 1, BS_DOCUMENT_BYTES_MAX + 1, file);
        char *exact = realloc(f->bytes, f->length + 1);
        f->bytes = exact ? exact : f->bytes;
    }
    bool failed = !file || ferror(file);
    if (failed)
        fprintf(stderr, "backstepctl: %s: %s\n", path, strerror(errno));
    if (file && !is_stdin)
        fclose(file);
    if (failed)
        return BS_EXIT_NO_INPUT;
    return f->bytes ? BS_EXIT_DONE : BS_EXIT_MEMORY;
}

static int make_room(struct bs_document_files *files)
{
    if (files->count < files->capacity)
        return BS_EXIT_DONE;
    size_t capacity = files->capacity ? files->capacity * 2 : 64;
    struct bs_document_file *more = realloc(files->at, capacity * sizeof *more);
    if (!more)
        return BS_EXIT_MEMORY;
    files->at = more;
    files->capacity = capacity;
    return BS_EXIT_DONE;
}

static int read_file(const char *path, struct bs_document_file *f)
{
    int exit_status = read_bytes(path, f);
    if (exit_status == BS_EXIT_DONE && f->length == 0)
        return say(path, "is empty, which would delete the document (backstepctl delete does that)",
                   BS_EXIT_DATA);
    if (exit_status == BS_EXIT_DONE) {
        f->path = strdup(name_of(path));
        exit_status = f->path ? BS_EXIT_DONE : BS_EXIT_MEMORY;
    }
    if (exit_status == BS_EXIT_MEMORY)
        fprintf(stderr, "backstepctl: %s: %s\n", path, bs_status_text(BS_NO_MEMORY));
    return exit_status;
}

static int add_file(struct bs_document_files *files, const char *path, const char *as)
{
    struct bs_document_file f = {0};
    char why[160];
    bool placed = as ? bs_document_place_read(bs_slice_text(as), &f.place, why, sizeof why)
                     : place_of_path(path, &f.place, why, sizeof why);
    if (!placed)
        return say(as ? as : path, why, BS_EXIT_DATA);
    if (files->count >= BS_DOCUMENT_FILES_MAX || files->bytes >= BS_DOCUMENT_FILES_BYTES_MAX)
        return say(path, "one document too many for one run", BS_EXIT_DATA);
    int exit_status = make_room(files);
    if (exit_status == BS_EXIT_DONE)
        exit_status = read_file(path, &f);
    if (exit_status == BS_EXIT_DONE) {
        files->bytes += f.length;
        files->at[files->count++] = f;
    } else {
        free(f.path);
        free(f.bytes);
    }
    return exit_status;
}

/* ---- folders ---- */

static int by_place(const void *a, const void *b)
{
    /* A document stands behind those that it names. */
    static const int rank[BS_KIND_COUNT] = {[BS_KIND_SETTINGS] = 0,
                                            [BS_KIND_GROUP] = 1,
                                            [BS_KIND_DRILL] = 2,
                                            [BS_KIND_MEMBER] = 3,
                                            [BS_KIND_SESSION] = 4};
    const struct bs_document_file *f = a, *g = b;
    int order = rank[f->place.kind] - rank[g->place.kind];
    if (order == 0)
        order = strcmp(f->place.id, g->place.id);
    return order != 0 ? order : strcmp(f->path, g->path);
}

static int visit(struct bs_document_files *files, FTS *walk, FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_D:
        /* An editor's and git's own things. */
        if (entry->fts_level > 0 && entry->fts_name[0] == '.')
            fts_set(walk, entry, FTS_SKIP);
        return BS_EXIT_DONE;
    case FTS_F:
        if (entry->fts_name[0] == '.' || !has_suffix(bs_slice_text(entry->fts_name)))
            return BS_EXIT_DONE;
        return add_file(files, entry->fts_path, NULL);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        fprintf(stderr, "backstepctl: %s: %s\n", entry->fts_path, strerror(entry->fts_errno));
        return BS_EXIT_NO_INPUT;
    default:
        return BS_EXIT_DONE;
    }
}

static int add_folder(struct bs_document_files *files, const char *path)
{
    char *const roots[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    size_t before = files->count;
    int exit_status = walk ? BS_EXIT_DONE : BS_EXIT_MEMORY;
    for (FTSENT *entry = walk ? fts_read(walk) : NULL; entry; entry = fts_read(walk)) {
        int found = visit(files, walk, entry);
        exit_status = exit_status != BS_EXIT_DONE ? exit_status : found;
    }
    if (walk)
        fts_close(walk);
    if (exit_status == BS_EXIT_DONE && files->count == before)
        return say(path, "holds no document (KIND/ID.json)", BS_EXIT_NO_INPUT);
    if (files->count > before)
        qsort(files->at + before, files->count - before, sizeof *files->at, by_place);
    return exit_status;
}

int bs_document_files_add(struct bs_document_files *files, const char *path, const char *as)
{
    struct stat found = {0};
    if (strcmp(path, "-") != 0 && stat(path, &found) != 0) {
        fprintf(stderr, "backstepctl: %s: %s\n", path, strerror(errno));
        return BS_EXIT_NO_INPUT;
    }
    return S_ISDIR(found.st_mode) && !as ? add_folder(files, path) : add_file(files, path, as);
}
