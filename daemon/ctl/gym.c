/* Reads a gym's folder for a class of its members. Must never publish what it reads. */
#include "gym.h"

#include "document_files.h"
#include "exit_status.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A document of the folder; false where there is none. */
static bool find_file(const struct bs_document_files *files, enum bs_kind kind, struct bs_slice id,
                      const struct bs_document_file **ret)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct bs_document_file *file = &files->at[i];
        if (file->place.kind == kind && bs_slice_equal(bs_slice_text(file->place.id), id)) {
            *ret = file;
            return true;
        }
    }
    return false;
}

static int read_document(const struct bs_document_file *file, union bs_kind_document *ret)
{
    struct cJSON *json = NULL;
    struct bs_document_rev rev;
    struct bs_document_error error;
    enum bs_status status =
        bs_document_parse(bs_slice_of(file->bytes, file->length), &json, &rev, &error);
    if (status == BS_OK)
        status = bs_kind_read(file->place.kind, bs_slice_text(file->place.id), json, ret, &error);
    cJSON_Delete(json);
    if (status == BS_OK)
        return BS_EXIT_DONE;
    fprintf(stderr, "%s:%s: %s\n", file->path, error.pointer, error.message);
    return status == BS_NO_MEMORY ? BS_EXIT_MEMORY : BS_EXIT_DATA;
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

static int add_member(struct bs_gym *g, const struct bs_document_file *file, struct bs_slice group)
{
    union bs_kind_document document;
    int exit_status = read_document(file, &document);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    const struct bs_member_document *member = &document.member;
    if (member->devices.count > 0 && has_id(&member->groups, group))
        exit_status = add_device(g, member->devices.at[0]);
    if (exit_status != BS_EXIT_DONE)
        fprintf(stderr, "backstepctl: %s\n", bs_status_text(BS_NO_MEMORY));
    bs_kind_free(BS_KIND_MEMBER, &document);
    return exit_status;
}

/* The files stand in the order of kinds and ids. */
static int take_members(struct bs_gym *g, const struct bs_document_files *files,
                        struct bs_slice group)
{
    int exit_status = BS_EXIT_DONE;
    for (size_t i = 0; exit_status == BS_EXIT_DONE && i < files->count; i++) {
        if (files->at[i].place.kind == BS_KIND_MEMBER)
            exit_status = add_member(g, &files->at[i], group);
    }
    if (exit_status == BS_EXIT_DONE && g->device_count == 0) {
        fprintf(stderr, "backstepctl: no member of group %s has a device\n", group.at);
        exit_status = BS_EXIT_DATA;
    }
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

static int take_drill(struct bs_gym *g, const struct bs_document_files *files,
                      const struct bs_session_document *session)
{
    const struct bs_document_file *file;
    if (!find_file(files, BS_KIND_DRILL, session->drill, &file)) {
        fprintf(stderr, "backstepctl: the session's drill, drill/%.*s, is not there\n",
                (int)session->drill.length, session->drill.at);
        return BS_EXIT_NO_INPUT;
    }
    union bs_kind_document drill;
    int exit_status = read_document(file, &drill);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    const struct bs_phase *phase = phase_by_hand(&drill.drill, session->phase);
    if (phase)
        stay_in(g, phase);
    else
        take_timetable(g, &drill.drill);
    bs_kind_free(BS_KIND_DRILL, &drill);
    return BS_EXIT_DONE;
}

static int take_session(struct bs_gym *g, const struct bs_document_files *files,
                        struct bs_slice group)
{
    const struct bs_document_file *file;
    if (!find_file(files, BS_KIND_SESSION, group, &file)) {
        fprintf(stderr, "backstepctl: session/%s is not there\n", group.at);
        return BS_EXIT_NO_INPUT;
    }
    union bs_kind_document session;
    int exit_status = read_document(file, &session);
    if (exit_status != BS_EXIT_DONE)
        return exit_status;
    g->start_ms = session.session.start_ms;
    g->end_ms = session.session.end_ms;
    exit_status = take_drill(g, files, &session.session);
    bs_kind_free(BS_KIND_SESSION, &session);
    return exit_status;
}

int bs_gym_load(struct bs_gym *ret, const char *folder, const char *group)
{
    struct bs_document_files files = {0};
    struct bs_slice id = bs_slice_text(group);
    *ret = (struct bs_gym){0};
    int exit_status = bs_document_files_add(&files, folder, NULL);
    if (exit_status == BS_EXIT_DONE)
        exit_status = take_session(ret, &files, id);
    if (exit_status == BS_EXIT_DONE)
        exit_status = take_members(ret, &files, id);
    bs_document_files_fini(&files);
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

void bs_gym_class(const struct bs_gym *g, int64_t start_ms, struct bs_class_options *ret,
                  struct bs_wearables_options *ret_wearables)
{
    bool is_on = start_ms >= g->start_ms && start_ms < g->end_ms;
    ret->members = g->device_count;
    ret->timetable = g->timetable;
    ret->timetable.phases = g->phases;
    ret->timetable.ahead_ms = is_on ? start_ms - g->start_ms : 0;
    ret_wearables->members = g->device_count;
    ret_wearables->devices = (const char *const *)g->devices;
    bs_sensors_whole(1, &ret_wearables->sensors);
}
