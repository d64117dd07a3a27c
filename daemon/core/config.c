/* Judging configuration documents. The order: parse, kind and id, fields, revision; only then is
 * anything changed, so that a rejected document leaves everything as it was. */
#include "backstep/core/config.h"

#include "backstep/base/buffer.h"
#include "backstep/base/check.h"
#include "backstep/core/kinds.h"

#include <cjson/cJSON.h>
#include <sha2.h>
#include <stdlib.h>

/* The longest result: a pointer and a message of 255 bytes each, every byte as \u00xx, and some 300
 * bytes of frame. Taken once, so that answering never fails. */
#define RESULT_BYTES_MAX    4096

/* How long the revision of a deleted document still refuses older ones. */
#define DELETED_REMEMBER_MS (INT64_C(30) * 24 * 3600 * 1000)

/* One (kind, id): a document in force, or what is remembered of a deleted one. */
struct document {
    bool in_force;
    struct bs_document_rev rev; /* in force, or of the deleted one */
    struct bs_wall_ms deleted_at;
    struct bs_wall_ms accepted_at;
    char sha256[SHA256_DIGEST_STRING_LENGTH];
};

struct bs_config {
    struct document site; /* settings/site */
    struct bs_settings settings;
    struct bs_buffer result;
};

/* What is being judged, and what has been found. */
struct judgement {
    const struct bs_config_arrival *arrival;
    struct document *document; /* NULL: none of this kind and id can be in force */
    struct bs_document_rev rev;
    char sha256[SHA256_DIGEST_STRING_LENGTH];
    struct bs_settings settings;
    struct bs_document_error error;
};

enum bs_status bs_config_new(struct bs_config **ret)
{
    struct bs_config *config = calloc(1, sizeof *config);
    if (!config)
        return BS_NO_MEMORY;
    bs_buffer_init(&config->result, RESULT_BYTES_MAX);
    if (!bs_buffer_room(&config->result, RESULT_BYTES_MAX)) {
        bs_config_free(config);
        return BS_NO_MEMORY;
    }
    bs_settings_default(&config->settings);
    *ret = config;
    return BS_OK;
}

void bs_config_free(struct bs_config *config)
{
    if (!config)
        return;
    bs_buffer_fini(&config->result);
    free(config);
}

const struct bs_settings *bs_config_settings(const struct bs_config *config)
{
    return &config->settings;
}

size_t bs_config_count(const struct bs_config *config)
{
    return config->site.in_force;
}

void bs_config_write_absent(const struct bs_config *config, struct bs_wall_ms since,
                            struct bs_buffer *out)
{
    bool absent = config->site.in_force && config->site.accepted_at.ms < since.ms;
    bs_buffer_add_text(out, absent ? "[\"settings/site\"]" : "[]");
}

static bool is_settings(struct bs_slice kind)
{
    return bs_slice_equal(kind, BS_SLICE("settings"));
}

static bool is_kind(struct bs_slice kind)
{
    static const char *const others[] = {"member", "group", "drill", "session"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (bs_slice_equal(kind, bs_slice_text(others[i])))
            return true;
    return is_settings(kind);
}

static struct document *find_document(struct bs_config *config, struct bs_slice kind,
                                      struct bs_slice id)
{
    bool is_site = is_settings(kind) && bs_slice_equal(id, BS_SLICE("site"));
    return is_site ? &config->site : NULL;
}

static enum bs_status judge_place(struct judgement *j)
{
    struct bs_slice kind = j->arrival->kind;
    if (!is_settings(kind))
        bs_document_error_set(&j->error, "",
                              "this version does not understand documents of the kind `%.*s`",
                              (int)kind.length, kind.at);
    else if (!j->document)
        bs_document_error_set(&j->error, "", "the only document of the kind `settings` is `site`");
    return j->document ? BS_OK : BS_INVALID;
}

static enum bs_status judge_revision(struct judgement *j)
{
    const struct document *d = j->document;
    if (!j->rev.known || !d->rev.known || j->rev.number >= d->rev.number)
        return BS_OK;
    if (d->in_force)
        bs_document_error_set(&j->error, "/rev", "stale revision: %u is in force", d->rev.number);
    else if (j->arrival->at.ms - d->deleted_at.ms < DELETED_REMEMBER_MS)
        bs_document_error_set(&j->error, "/rev",
                              "stale revision: %u was deleted less than 30 days ago",
                              d->rev.number);
    else
        return BS_OK;
    return BS_INVALID;
}

static enum bs_status read_settings(const cJSON *root, struct judgement *j)
{
    union bs_kind_document content;
    enum bs_status status =
        bs_kind_read(BS_KIND_SETTINGS, j->arrival->id, root, &content, &j->error);
    if (status == BS_OK)
        j->settings = content.settings;
    return status;
}

static enum bs_status judge(struct judgement *j)
{
    cJSON *root = NULL;
    enum bs_status status = bs_document_parse(j->arrival->payload, &root, &j->rev, &j->error);
    if (status != BS_OK)
        return status;
    status = judge_place(j);
    if (status == BS_OK)
        status = read_settings(root, j);
    if (status == BS_OK)
        status = judge_revision(j);
    cJSON_Delete(root);
    return status;
}

static void write_revision(struct bs_buffer *b, struct bs_document_rev rev)
{
    bs_buffer_add_text(b, "\"rev\":");
    if (rev.known)
        bs_buffer_add_u64(b, rev.number);
    else
        bs_buffer_add_text(b, "null");
}

static void write_finding(struct bs_buffer *b, const char *name,
                          const struct bs_document_error *finding)
{
    bs_buffer_add_format(b, ",\"%s\":{\"pointer\":", name);
    bs_buffer_add_json_string(b, bs_slice_text(finding->pointer));
    bs_buffer_add_text(b, ",\"message\":");
    bs_buffer_add_json_string(b, bs_slice_text(finding->message));
    bs_buffer_add_char(b, '}');
}

static void write_head(struct bs_buffer *b, bool ok, const struct judgement *j)
{
    bs_buffer_reset(b);
    bs_buffer_add_text(b, ok ? "{\"ok\":true," : "{\"ok\":false,");
    write_revision(b, j->rev);
    bs_buffer_add_format(b, ",\"sha256\":\"%s\",\"at\":\"", j->sha256);
    bs_buffer_add_iso_time(b, j->arrival->at.ms);
    bs_buffer_add_char(b, '"');
}

static void write_accepted(struct bs_buffer *b, const struct judgement *j)
{
    static const struct bs_document_error not_retained = {
        .pointer = "",
        .message = "not retained: the broker does not keep it and will not send it again",
    };
    write_head(b, true, j);
    if (!j->arrival->retained)
        write_finding(b, "warning", &not_retained);
    bs_buffer_add_char(b, '}');
}

static void write_rejected(struct bs_buffer *b, const struct judgement *j)
{
    write_head(b, false, j);
    write_finding(b, "error", &j->error);
    if (j->document && j->document->in_force) {
        bs_buffer_add_text(b, ",\"in_force\":{");
        write_revision(b, j->document->rev);
        bs_buffer_add_format(b, ",\"sha256\":\"%s\"}}", j->document->sha256);
    } else {
        bs_buffer_add_text(b, ",\"in_force\":null}");
    }
}

static void digest(struct bs_slice payload, char ret[SHA256_DIGEST_STRING_LENGTH])
{
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)payload.at, payload.length);
    SHA256End(&context, ret);
}

static bool put_settings(struct bs_config *config, const struct bs_settings *settings)
{
    bool changed = !bs_settings_equal(&config->settings, settings);
    config->settings = *settings;
    return changed;
}

static void accept(struct bs_config *config, const struct judgement *j,
                   struct bs_config_outcome *ret)
{
    *j->document =
        (struct document){.in_force = true, .rev = j->rev, .accepted_at = j->arrival->at};
    memcpy(j->document->sha256, j->sha256, sizeof j->sha256);
    ret->verdict = BS_CONFIG_ACCEPTED;
    ret->settings_changed = put_settings(config, &j->settings);
    write_accepted(&config->result, j);
}

/* A second deletion leaves the first one's mark: its 30 days run already. */
static void delete_document(struct bs_config *config, const struct bs_config_arrival *arrival,
                            struct bs_config_outcome *ret)
{
    struct document *d = find_document(config, arrival->kind, arrival->id);
    ret->verdict = BS_CONFIG_DELETED;
    if (!d || !d->in_force)
        return;
    *d = (struct document){.rev = d->rev, .deleted_at = arrival->at};
    struct bs_settings defaults;
    bs_settings_default(&defaults);
    ret->settings_changed = put_settings(config, &defaults);
}

static void judge_document(struct bs_config *config, const struct bs_config_arrival *arrival,
                           struct bs_config_outcome *ret)
{
    struct judgement j = {
        .arrival = arrival,
        .document = find_document(config, arrival->kind, arrival->id),
    };
    digest(arrival->payload, j.sha256);
    if (judge(&j) == BS_OK) {
        accept(config, &j, ret);
    } else {
        ret->verdict = BS_CONFIG_REJECTED;
        write_rejected(&config->result, &j);
    }
    bs_check(!config->result.failed);
    ret->result = bs_buffer_slice(&config->result);
}

void bs_config_arrive(struct bs_config *config, const struct bs_config_arrival *arrival,
                      struct bs_config_outcome *ret)
{
    *ret = (struct bs_config_outcome){.result = BS_SLICE("")};
    if (!is_kind(arrival->kind))
        ret->verdict = BS_CONFIG_UNKNOWN_KIND;
    else if (arrival->payload.length == 0)
        delete_document(config, arrival, ret);
    else
        judge_document(config, arrival, ret);
}
