/* Reads a gym's folder for a class of its members. Must never publish what it reads. */
#include "gym.h"

#include "exit_status.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".json"

/* A whole file of at most a document's size and one byte, so that a larger one is seen as such. */
static int read_bytes(const char *path, char bytes[BS_DOCUMENT_BYTES_MAX + 1], struct bs_slice *ret)
{
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(bytes, 1, BS_DOCUMENT_BYTES_MAX + 1, file) : 0;
    bool failed = !file || ferror(file);
    if (failed)
        fprintf(stderr, "backstepctl: %s: %s\n", path, strerror(errno));
    if (file)
        fclose(file);
    *ret = bs_slice_of(bytes, length);
    return failed ? BS_EXIT_NO_INPUT : BS_EXIT_DONE;
}

static int read_file(const char *path, enum bs_kind kind, struct bs_slice id,
                     union bs_kind_document *ret)
{
    static char bytes[BS_DOCUMENT_BYTES_MAX + 1];
    struct bs_slice text;
    int exit_status = read_bytes(path, bytes, &text);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    struct cJSON *json = NULL;
    struct bs_document_rev rev;
    struct bs_document_error error;
    enum bs_status status = bs_document_parse(text, &json, &rev, &error);
    if (status == BS_OK)
        status = bs_kind_read(kind, id, json, ret, &error);
    cJSON_Delete(json);
    if (status == BS_OK)
        return BS_EXIT_DONE;
    fprintf(stderr, "backstepctl: %s: %s: %s\n", path, error.pointer, error.message);
    return status == BS_NO_MEMORY ? BS_EXIT_MEMORY : BS_EXIT_DATA;
}

static int read_document(const char *folder, enum bs_kind kind, struct bs_slice id,
                         union bs_kind_document *ret)
{
    char *path;
    if (asprintf(&path, "%s/%s/%.*s" SUFFIX, folder, bs_kind_name(kind), (int)id.length, id.at) < 0)
        return BS_EXIT_MEMORY;
    int exit_status = read_file(path, kind, id, ret);
    free(path);
    return exit_status;
}

static bool has_id(const struct bs_ids *ids, struct bs_slice id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (bs_slice_equal(ids->at[i], id))
            return true;
    }
    return false;
}

static int add_device(struct bs_gym *g, struct bs_slice device)
{
    if (g->device_count == BS_CLASS_MEMBERS_MAX)
        return BS_EXIT_MEMORY;
    char **more = realloc(g->devices, (g->device_count + 1) * sizeof *more);
    char *name = strndup(device.at, device.length);
    if (more)
        g->devices = more;
    if (!more || !name) {
        free(name);
        return BS_EXIT_MEMORY;
    }
    g->devices[g->device_count++] = name;
    return BS_EXIT_DONE;
}

static int add_member(struct bs_gym *g, const char *folder, struct bs_slice group,
                      struct bs_slice id)
{
    union bs_kind_document document;
    int exit_status = read_document(folder, BS_KIND_MEMBER, id, &document);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    const struct bs_member_document *member = &document.member;
    if (member->devices.count > 0 && has_id(&member->groups, group))
        exit_status = add_device(g, member->devices.at[0]);
    bs_kind_free(BS_KIND_MEMBER, &document);
    return exit_status;
}

static int is_document(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > strlen(SUFFIX) && strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int load_members(struct bs_gym *g, const char *folder, struct bs_slice group)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, bs_kind_name(BS_KIND_MEMBER)) < 0)
        return BS_EXIT_MEMORY;
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_document, alphasort), exit_status = BS_EXIT_DONE;
    if (count < 0) {
        fprintf(stderr, "backstepctl: %s: %s\n", path, strerror(errno));
        exit_status = BS_EXIT_NO_INPUT;
    }
    free(path);
    for (int i = 0; i < count; i++) {
        struct bs_slice id = bs_slice_text(entries[i]->d_name);
        id.length -= strlen(SUFFIX);
        if (exit_status == BS_EXIT_DONE)
            exit_status = add_member(g, folder, group, id);
        free(entries[i]);
    }
    free(entries);
    return exit_status;
}

/* The choices of a phase's direction are the known directions in the order of their numbers. */
static enum bs_direction direction_of(const struct bs_phase *phase)
{
    return (enum bs_direction)(BS_DIRECTION_FORWARD + phase->direction);
}

/* One phase without end: how long it takes is of no meaning then. */
static void stay_in(struct bs_gym *g, const struct bs_phase *phase)
{
    g->phases[0] = (struct bs_class_phase){direction_of(phase), 1};
    g->timetable.count = 1;
}

/* The one phase that is walked whatever the clock says; NULL: the timetable holds. */
static const struct bs_phase *phase_by_hand(const struct bs_drill_document *drill,
                                            struct bs_slice chosen)
{
    for (size_t i = 0; i < drill->phases.count; i++) {
        const struct bs_phase *phase = &drill->phases.at[i];
        if (chosen.length > 0 && bs_slice_equal(phase->name, chosen))
            return phase;
        if (chosen.length == 0 && phase->duration_s == 0)
            return &drill->phases.at[0];
    }
    return chosen.length > 0 ? &drill->phases.at[0] : NULL;
}

static void take_timetable(struct bs_gym *g, const struct bs_drill_document *drill)
{
    g->timetable.count = (uint32_t)drill->phases.count;
    g->timetable.repeat = (uint32_t)drill->repeat;
    for (size_t i = 0; i < drill->phases.count; i++) {
        const struct bs_phase *phase = &drill->phases.at[i];
        g->phases[i] = (struct bs_class_phase){direction_of(phase), phase->duration_s * 1000};
    }
}

static int load_session(struct bs_gym *g, const char *folder, struct bs_slice group)
{
    union bs_kind_document session, drill;
    int exit_status = read_document(folder, BS_KIND_SESSION, group, &session);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    g->start_ms = session.session.start_ms;
    g->end_ms = session.session.end_ms;
    exit_status = read_document(folder, BS_KIND_DRILL, session.session.drill, &drill);
    if (exit_status == BS_EXIT_DONE) {
        const struct bs_phase *phase = phase_by_hand(&drill.drill, session.session.phase);
        if (phase)
            stay_in(g, phase);
        else
            take_timetable(g, &drill.drill);
        bs_kind_free(BS_KIND_DRILL, &drill);
    }
    bs_kind_free(BS_KIND_SESSION, &session);
    return exit_status;
}

int bs_gym_load(struct bs_gym *ret, const char *folder, const char *group)
{
    struct bs_slice id = bs_slice_text(group);
    *ret = (struct bs_gym){0};
    int exit_status = load_session(ret, folder, id);
    if (exit_status == BS_EXIT_DONE)
        exit_status = load_members(ret, folder, id);
    if (exit_status == BS_EXIT_DONE && ret->device_count == 0) {
        fprintf(stderr, "backstepctl: %s: no member of group %s has a device\n", folder, group);
        exit_status = BS_EXIT_DATA;
    }
    if (exit_status != BS_EXIT_DONE)
        bs_gym_fini(ret);
    return exit_status;
}

void bs_gym_fini(struct bs_gym *g)
{
    for (uint32_t i = 0; i < g->device_count; i++)
        free(g->devices[i]);
    free(g->devices);
    *g = (struct bs_gym){0};
}

void bs_gym_class(const struct bs_gym *g, int64_t start_ms, struct bs_class_options *ret)
{
    bool is_on = start_ms >= g->start_ms && start_ms < g->end_ms;
    ret->members = g->device_count;
    ret->devices_each = 1;
    ret->devices = (const char *const *)g->devices;
    ret->timetable = g->timetable;
    ret->timetable.phases = g->phases;
    ret->timetable.ahead_ms = is_on ? start_ms - g->start_ms : 0;
}
