/* What makes a document one to be accepted, and what it is warned of. The order: the bytes, its own
 * fields, its revision, then what it says beside the other documents. Must never change anything,
 * nor quote a text: ids alone may be named. */
#include "config_parts.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#define ID(slice) (int)(slice).length, (slice).at

static enum bs_status judge_revision(struct judgement *j)
{
    const struct document *d = j->document;
    if (!d || !j->rev.known || !d->rev.known || j->rev.number >= d->rev.number)
        return BS_OK;
    if (!d->in_force && j->arrival->at.ms - d->deleted_at.ms >= BS_CONFIG_DELETED_REMEMBER_MS)
        return BS_OK;
    bs_document_error_set(&j->error, "/rev",
                          d->in_force ? "stale revision: %u is in force"
                                      : "stale revision: %u was deleted less than 30 days ago",
                          d->rev.number);
    return BS_INVALID;
}

/* Bounds. What is in force already needs no room: a lowered max_members throws nobody out. */

static enum bs_status judge_members(const struct bs_config *config, struct judgement *j)
{
    size_t members = config->shelves[BS_KIND_MEMBER].in_force;
    if (members + j->arrival->guests < (uint64_t)config->settings.max_members)
        return BS_OK;
    bs_document_error_set(&j->error, "",
                          "no room for another member: `max_members` is %lld, there are %zu "
                          "members' documents and %u guests",
                          (long long)config->settings.max_members, members, j->arrival->guests);
    return BS_INVALID;
}

static enum bs_status judge_room(const struct bs_config *config, struct judgement *j)
{
    if (j->document && j->document->in_force)
        return BS_OK;
    if (j->kind == BS_KIND_MEMBER)
        return judge_members(config, j);
    if (config->shelves[j->kind].in_force < BS_CONFIG_DOCUMENTS_MAX)
        return BS_OK;
    bs_document_error_set(&j->error, "",
                          "no room for another document of the kind `%s`: %d are in force",
                          bs_kind_name(j->kind), BS_CONFIG_DOCUMENTS_MAX);
    return BS_INVALID;
}

/* Beside other documents. */

static enum bs_status judge_devices(const struct bs_config *config, struct judgement *j)
{
    const struct bs_ids *devices = &j->content.member.devices;
    for (size_t i = 0; i < devices->count; i++) {
        const struct document *wearer = bs_config_devices_wearer(config, devices->at[i]);
        if (!wearer || wearer == j->document)
            continue;
        char pointer[32];
        snprintf(pointer, sizeof pointer, "/devices/%zu", i);
        bs_document_error_set(&j->error, pointer, "`%.*s` is in the document of member `%.*s`",
                              ID(devices->at[i]), ID(document_id(wearer)));
        return BS_INVALID;
    }
    return BS_OK;
}

static bool has_phase(const struct bs_drill_document *drill, struct bs_slice phase)
{
    for (size_t i = 0; i < drill->phases.count; i++)
        if (bs_slice_equal(drill->phases.at[i].name, phase))
            return true;
    return false;
}

/* True where the phase that the coach set is not one of the drill's. */
static bool lacks_phase(const struct bs_drill_document *drill,
                        const struct bs_session_document *session)
{
    return session->phase.length > 0 && !has_phase(drill, session->phase);
}

static enum bs_status judge_phase(const struct bs_config *config, struct judgement *j)
{
    const struct bs_session_document *session = &j->content.session;
    const union bs_kind_document *drill = bs_config_find(config, BS_KIND_DRILL, session->drill);
    if (!drill || !lacks_phase(&drill->drill, session))
        return BS_OK;
    bs_document_error_set(&j->error, "/phase", "is not one of the phases of the drill `%.*s`",
                          ID(session->drill));
    return BS_INVALID;
}

static enum bs_status judge_company(const struct bs_config *config, struct judgement *j)
{
    switch (j->kind) {
    case BS_KIND_MEMBER:
        return judge_devices(config, j);
    case BS_KIND_SESSION:
        return judge_phase(config, j);
    default:
        return BS_OK;
    }
}

static enum bs_status judge_content(const struct bs_config *config, struct judgement *j)
{
    enum bs_status status = judge_revision(j);
    if (status == BS_OK)
        status = judge_room(config, j);
    if (status == BS_OK)
        status = judge_company(config, j);
    if (status != BS_OK)
        bs_kind_free(j->kind, &j->content);
    return status;
}

enum bs_status bs_config_judge(const struct bs_config *config, struct judgement *j)
{
    if (j->same) {
        j->rev = j->document->rev;
        return BS_OK;
    }
    if (j->arrival->digest.length) {
        bs_document_error_set(&j->error, "", "%s", BS_DOCUMENT_TOO_LARGE);
        return BS_INVALID;
    }
    cJSON *root = NULL;
    enum bs_status status = bs_document_parse(j->arrival->payload, &root, &j->rev, &j->error);
    if (status == BS_OK)
        status = bs_kind_read(j->kind, j->arrival->id, root, &j->content, &j->error);
    cJSON_Delete(root);
    return status == BS_OK ? judge_content(config, j) : status;
}

/* Warnings. */

static bool warn_of_session(const struct bs_config *config, const struct judgement *j,
                            struct bs_document_error *ret)
{
    const struct bs_session_document *session = &j->document->content.session;
    const union bs_kind_document *drill = bs_config_find(config, BS_KIND_DRILL, session->drill);
    if (!drill) {
        bs_document_error_set(ret, "/drill",
                              "there is no drill `%.*s`: the session runs once there is",
                              ID(session->drill));
        return true;
    }
    if (!lacks_phase(&drill->drill, session))
        return false;
    bs_document_error_set(ret, "/phase",
                          "is not one of the phases of the drill `%.*s` any more: none is in force",
                          ID(session->drill));
    return true;
}

/* The first by group: the same one whatever the order of the documents. */
static const struct document *find_lost_session(const struct bs_config *config,
                                                const struct judgement *j)
{
    const struct document *first = NULL;
    for (const struct document *d = config->shelves[BS_KIND_SESSION].documents; d; d = d->hh.next)
        if (d->in_force && bs_slice_equal(d->content.session.drill, j->arrival->id) &&
            lacks_phase(&j->document->content.drill, &d->content.session) &&
            (!first || bs_config_shelf_compare(d, first) < 0))
            first = d;
    return first;
}

static bool warn_of_drill(const struct bs_config *config, const struct judgement *j,
                          struct bs_document_error *ret)
{
    const struct document *session = find_lost_session(config, j);
    if (!session)
        return false;
    bs_document_error_set(ret, "/phases",
                          "the phase that the session of `%.*s` is in is not among them: none is "
                          "in force there",
                          ID(document_id(session)));
    return true;
}

bool bs_config_find_warning(const struct bs_config *config, const struct judgement *j,
                            struct bs_document_error *ret)
{
    if (!j->arrival->retained) {
        bs_document_error_set(
            ret, "", "not retained: the broker does not keep it and will not send it again");
        return true;
    }
    if (j->kind == BS_KIND_SESSION)
        return warn_of_session(config, j, ret);
    return j->kind == BS_KIND_DRILL && warn_of_drill(config, j, ret);
}
