/* Arrivals of configuration documents, and what is asked about those in force. What may fail comes
 * first, then everything changes, so that a rejected document leaves all as it was. */
#include "config_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

enum bs_status bs_config_new(struct bs_config **ret)
{
    struct bs_config *config = calloc(1, sizeof *config);
    if (!config)
        return BS_NO_MEMORY;
    bs_buffer_init(&config->result, BS_CONFIG_RESULT_BYTES_MAX);
    if (!bs_buffer_room(&config->result, BS_CONFIG_RESULT_BYTES_MAX)) {
        bs_config_free(config);
        return BS_NO_MEMORY;
    }
    bs_settings_default(&config->settings);
    *ret = config;
    return BS_OK;
}

static void free_former(struct bs_config *config)
{
    bs_kind_free(config->former.kind, &config->former.content);
}

void bs_config_free(struct bs_config *config)
{
    if (!config)
        return;
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++) {
        struct document *d, *next;
        HASH_ITER(hh, config->shelves[kind].documents, d, next)
        {
            bs_config_shelf_remove(config, d);
        }
    }
    bs_config_devices_free(config);
    free_former(config);
    bs_buffer_fini(&config->result);
    free(config);
}

void bs_config_seed(struct bs_config *config, uint64_t seed)
{
    bool used = config->devices;
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++)
        used = used || config->shelves[kind].documents;
    if (!used)
        config->seed = seed;
}

/* Arrivals. */

/* What may fail of putting it in force; then all is as before. */
static struct document *make_room(struct bs_config *config, struct judgement *j)
{
    struct document *d = j->document;
    if (!d)
        d = bs_config_shelf_add(config, j->kind, j->arrival->id);
    enum bs_status status = d ? BS_OK : BS_NO_MEMORY;
    if (d && j->kind == BS_KIND_MEMBER)
        status = bs_config_devices_reserve(config, &j->content.member.devices);
    if (status == BS_OK)
        return d;
    if (d && !j->document)
        bs_config_shelf_remove(config, d);
    if (status == BS_FULL)
        bs_document_error_set(&j->error, "/devices",
                              "no room for another device: members' documents have named %u",
                              BS_CONFIG_DEVICES_MAX);
    else
        bs_document_error_set(&j->error, "", "out of memory");
    bs_kind_free(j->kind, &j->content);
    return NULL;
}

/* The content goes to where the outcome shows it. */
static const union bs_kind_document *retire(struct bs_config *config, struct document *d)
{
    if (d->kind == BS_KIND_MEMBER)
        bs_config_devices_release(config, &d->content.member.devices, d);
    config->former.kind = d->kind;
    config->former.content = d->content;
    bs_document_default(bs_kind_table(d->kind), &d->content);
    return &config->former.content;
}

static void put_in_force(struct bs_config *config, struct document *d, struct judgement *j,
                         struct bs_config_outcome *ret)
{
    if (d->in_force)
        ret->before = retire(config, d);
    else
        bs_config_shelf_revive(config, d);
    d->content = j->content;
    d->rev = j->rev;
    memcpy(d->sha256, j->sha256, sizeof d->sha256);
    if (d->kind == BS_KIND_MEMBER)
        bs_config_devices_give(config, &d->content.member.devices, d);
    if (d->kind == BS_KIND_SETTINGS)
        config->settings = d->content.settings;
    ret->changed = true;
}

static void accept(struct bs_config *config, struct document *d, struct judgement *j,
                   struct bs_config_outcome *ret)
{
    if (j->same)
        ret->before = &d->content;
    else
        put_in_force(config, d, j, ret);
    j->document = d;
    d->accepted_at = j->arrival->at;
    ret->now = &d->content;
    ret->verdict = BS_CONFIG_ACCEPTED;
    struct bs_document_error warning;
    bool warned = bs_config_find_warning(config, j, &warning);
    bs_config_write_accepted(config, j, warned ? &warning : NULL);
}

static void reject(struct bs_config *config, const struct judgement *j,
                   struct bs_config_outcome *ret)
{
    ret->verdict = BS_CONFIG_REJECTED;
    if (j->document && j->document->in_force)
        ret->before = ret->now = &j->document->content;
    bs_config_write_rejected(config, j);
}

static void write_digest(struct bs_slice digest, char ret[SHA256_DIGEST_STRING_LENGTH])
{
    static const char digits[] = "0123456789abcdef";
    bs_check(digest.length == SHA256_DIGEST_LENGTH);
    for (size_t i = 0; i < digest.length; i++) {
        ret[2 * i] = digits[(uint8_t)digest.at[i] >> 4];
        ret[2 * i + 1] = digits[digest.at[i] & 15];
    }
    ret[2 * digest.length] = 0;
}

static void digest_arrival(const struct bs_config_arrival *arrival,
                           char ret[SHA256_DIGEST_STRING_LENGTH])
{
    SHA2_CTX context;
    if (arrival->digest.length) {
        write_digest(arrival->digest, ret);
        return;
    }
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)arrival->payload.at, arrival->payload.length);
    SHA256End(&context, ret);
}

static void judge_arrival(struct bs_config *config, const struct bs_config_arrival *arrival,
                          struct bs_config_outcome *ret)
{
    struct judgement j = {
        .arrival = arrival,
        .kind = ret->kind,
        .document = bs_config_shelf_find(config, ret->kind, arrival->id),
    };
    digest_arrival(arrival, j.sha256);
    j.same = j.document && j.document->in_force && strcmp(j.document->sha256, j.sha256) == 0;
    struct document *d = NULL;
    if (bs_config_judge(config, &j) == BS_OK)
        d = j.same ? j.document : make_room(config, &j);
    if (d)
        accept(config, d, &j, ret);
    else
        reject(config, &j, ret);
    bs_check(!config->result.failed);
    ret->result = bs_buffer_slice(&config->result);
}

/* A second deletion leaves the first one's mark: its 30 days run already. */
static void delete_document(struct bs_config *config, const struct bs_config_arrival *arrival,
                            struct bs_config_outcome *ret)
{
    struct document *d = bs_config_shelf_find(config, ret->kind, arrival->id);
    ret->verdict = BS_CONFIG_DELETED;
    if (!d || !d->in_force)
        return;
    ret->before = retire(config, d);
    ret->changed = true;
    bs_config_shelf_delete(config, d, arrival->at);
    if (ret->kind == BS_KIND_SETTINGS)
        bs_settings_default(&config->settings);
}

void bs_config_arrive(struct bs_config *config, const struct bs_config_arrival *arrival,
                      struct bs_config_outcome *ret)
{
    *ret = (struct bs_config_outcome){.result = BS_SLICE("")};
    free_former(config);
    if (!bs_kind_of_name(arrival->kind, &ret->kind))
        ret->verdict = BS_CONFIG_UNKNOWN_KIND;
    else if (arrival->payload.length == 0 && arrival->digest.length == 0)
        delete_document(config, arrival, ret);
    else
        judge_arrival(config, arrival, ret);
}

/* Questions. */

const struct bs_settings *bs_config_settings(const struct bs_config *config)
{
    return &config->settings;
}

const union bs_kind_document *bs_config_find(const struct bs_config *config, enum bs_kind kind,
                                             struct bs_slice id)
{
    const struct document *d = bs_config_shelf_find(config, kind, id);
    return d && d->in_force ? &d->content : NULL;
}

void bs_config_each_session_of(struct bs_config *config, struct bs_slice drill,
                               void (*take)(void *context, struct bs_slice group,
                                            const struct bs_session_document *session),
                               void *context)
{
    struct document *d = bs_config_shelf_sorted(config, BS_KIND_SESSION);
    for (; d; d = d->hh.next)
        if (d->in_force && bs_slice_equal(d->content.session.drill, drill))
            take(context, document_id(d), &d->content.session);
}

void bs_config_each(struct bs_config *config,
                    void (*take)(void *context, const struct bs_config_entry *entry), void *context)
{
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++)
        for (struct document *d = bs_config_shelf_sorted(config, kind); d; d = d->hh.next) {
            if (!d->in_force)
                continue;
            struct bs_config_entry entry = {.kind = kind,
                                            .id = document_id(d),
                                            .rev = d->rev,
                                            .sha256 = d->sha256,
                                            .accepted_at = d->accepted_at};
            take(context, &entry);
        }
}

struct bs_document_rev bs_config_rev(const struct bs_config *config, enum bs_kind kind,
                                     struct bs_slice id)
{
    const struct document *d = bs_config_shelf_find(config, kind, id);
    return d && d->in_force ? d->rev : (struct bs_document_rev){.known = false};
}

size_t bs_config_count(const struct bs_config *config)
{
    size_t count = 0;
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++)
        count += config->shelves[kind].in_force;
    return count;
}

size_t bs_config_count_kind(const struct bs_config *config, enum bs_kind kind)
{
    return config->shelves[kind].in_force;
}

/* The absent. */

static void write_absent_of(struct bs_config *config, enum bs_kind kind, struct bs_wall_ms since,
                            struct bs_buffer *out, size_t *count)
{
    for (struct document *d = bs_config_shelf_sorted(config, kind); d; d = d->hh.next) {
        if (!d->in_force || d->accepted_at.ms >= since.ms)
            continue;
        if (*count < BS_CONFIG_ABSENT_MAX)
            bs_buffer_add_format(out, "%s\"%s/%.*s\"", *count ? "," : "", bs_kind_name(kind),
                                 d->id_length, d->id);
        ++*count;
    }
}

void bs_config_write_absent(struct bs_config *config, struct bs_wall_ms since,
                            struct bs_buffer *out, size_t *ret_count)
{
    /* By name. */
    static const enum bs_kind order[BS_KIND_COUNT] = {BS_KIND_DRILL, BS_KIND_GROUP, BS_KIND_MEMBER,
                                                      BS_KIND_SESSION, BS_KIND_SETTINGS};
    size_t count = 0;
    bs_buffer_add_char(out, '[');
    for (size_t i = 0; i < BS_KIND_COUNT; i++)
        write_absent_of(config, order[i], since, out, &count);
    bs_buffer_add_char(out, ']');
    *ret_count = count;
}
