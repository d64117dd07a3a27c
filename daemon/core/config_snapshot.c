/* The config in snapshots. Must never load what arrivals could not have left behind: a device of
 * two members, a document beyond its ranges.
 *
 *   seed
 *   names of devices                   in the order in which they were named
 *   for each kind, for each document   in the order of its list, those in force and the deleted
 *     id, is it in force
 *     in force: rev, accepted_at, sha256, content (document_snapshot.c)
 *     deleted:  rev, deleted_at
 *   kind and id of the deleted ones    in the order of their deletion */
#include "config_parts.h"

#include "backstep/base/check.h"
#include "backstep/core/snapshot.h"

#define MARK         0x474e4f43u /* CONG */

/* The most that a settings document may say; those of other kinds are fewer. */
#define MEMBERS_MAX  1000000u
#define DIGEST_CHARS ((size_t)SHA256_DIGEST_STRING_LENGTH - 1)

/* One document. */

static void carry_rev(struct bs_snapshot *s, struct document *d)
{
    d->rev.known = bs_snapshot_flag(s, d->rev.known);
    if (d->rev.known)
        d->rev.number = bs_snapshot_u32(s, d->rev.number, UINT32_MAX);
}

static void carry_digest(struct bs_snapshot *s, struct document *d)
{
    bs_snapshot_bytes(s, d->sha256, DIGEST_CHARS);
    for (size_t i = 0; i < DIGEST_CHARS; i++) {
        char c = d->sha256[i];
        bs_snapshot_require(s, s->failed || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    }
}

/* In force where it is whole: before, nobody frees its content. */
static void carry_content(struct bs_snapshot *s, struct bs_config *config, struct document *d)
{
    bs_kind_snapshot(s, d->kind, document_id(d), &d->content);
    if (!bs_snapshot_loads(s))
        return;
    if (s->failed)
        bs_kind_free(d->kind, &d->content);
    else
        bs_config_shelf_revive(config, d);
}

static void carry_document(struct bs_snapshot *s, struct bs_config *config, struct document *d,
                           bool in_force)
{
    carry_rev(s, d);
    if (in_force) {
        d->accepted_at.ms = bs_snapshot_moment(s, d->accepted_at.ms);
        carry_digest(s, d);
        carry_content(s, config, d);
    } else {
        d->deleted_at.ms = bs_snapshot_moment(s, d->deleted_at.ms);
        bs_snapshot_require(s, s->failed || d->rev.known);
    }
}

/* Whose a device is, is not said twice: the documents name them. */
static void give_devices(struct bs_snapshot *s, struct bs_config *config, const struct document *d)
{
    const struct bs_ids *devices = &d->content.member.devices;
    for (size_t i = 0; i < devices->count; i++) {
        struct bs_slice unused;
        bs_snapshot_require(s, bs_config_find_device(config, devices->at[i], &unused) ==
                                   BS_NAMING_FORMER);
    }
    if (!s->failed)
        bs_config_devices_give(config, devices, d);
}

static void load_document(struct bs_snapshot *s, struct bs_config *config, enum bs_kind kind)
{
    struct bs_slice id = bs_snapshot_text(s, BS_SLICE(""), BS_ID_MAX);
    bool in_force = bs_snapshot_flag(s, false);
    bs_snapshot_require(s, bs_slice_is_id(id) && !bs_config_shelf_find(config, kind, id));
    if (s->failed)
        return;
    struct document *d = bs_config_shelf_add(config, kind, id);
    if (!d) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    carry_document(s, config, d, in_force);
    if (!s->failed && in_force && kind == BS_KIND_MEMBER)
        give_devices(s, config, d);
    if (!s->failed && in_force && kind == BS_KIND_SETTINGS)
        config->settings = d->content.settings;
}

static void carry_shelf(struct bs_snapshot *s, struct bs_config *config, enum bs_kind kind)
{
    struct document *first = config->shelves[kind].documents;
    size_t most = kind == BS_KIND_MEMBER ? MEMBERS_MAX : BS_CONFIG_DOCUMENTS_MAX;
    size_t count = bs_snapshot_count(s, HASH_COUNT(first), most + BS_CONFIG_DELETED_MAX);
    if (bs_snapshot_loads(s)) {
        for (size_t i = 0; i < count && !s->failed; i++)
            load_document(s, config, kind);
        return;
    }
    for (struct document *d = first; d; d = d->hh.next) {
        bs_snapshot_text(s, document_id(d), BS_ID_MAX);
        bs_snapshot_flag(s, d->in_force);
        carry_document(s, config, d, d->in_force);
    }
}

/* The deleted, in their order. */

static bool is_remembered(const struct bs_config *config, const struct document *d)
{
    return d->deleted_before || config->deleted_first == d;
}

static void load_deleted(struct bs_snapshot *s, struct bs_config *config)
{
    enum bs_kind kind = (enum bs_kind)bs_snapshot_u8(s, 0, BS_KIND_COUNT - 1);
    struct bs_slice id = bs_snapshot_text(s, BS_SLICE(""), BS_ID_MAX);
    struct document *d = s->failed ? NULL : bs_config_shelf_find(config, kind, id);
    bs_snapshot_require(s, d && !d->in_force && !is_remembered(config, d));
    if (!s->failed)
        bs_config_shelf_remember(config, d);
}

static void carry_deleted(struct bs_snapshot *s, struct bs_config *config)
{
    size_t count = bs_snapshot_count(s, config->deleted_count, BS_CONFIG_DELETED_MAX);
    if (bs_snapshot_loads(s)) {
        for (size_t i = 0; i < count && !s->failed; i++)
            load_deleted(s, config);
        return;
    }
    for (struct document *d = config->deleted_first; d; d = d->deleted_after) {
        bs_snapshot_u8(s, (uint8_t)d->kind, BS_KIND_COUNT - 1);
        bs_snapshot_text(s, document_id(d), BS_ID_MAX);
    }
}

/* What is not in force is remembered, and no kind has more in force than arrivals let in. */
static void require_bounds(struct bs_snapshot *s, const struct bs_config *config)
{
    size_t known = 0;
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++) {
        size_t most = kind == BS_KIND_MEMBER ? MEMBERS_MAX : BS_CONFIG_DOCUMENTS_MAX;
        bs_snapshot_require(s, config->shelves[kind].in_force <= most);
        known += HASH_COUNT(config->shelves[kind].documents);
    }
    bs_snapshot_require(s, known == bs_config_count(config) + config->deleted_count);
}

void bs_config_snapshot(struct bs_snapshot *s, struct bs_config *config)
{
    bs_check(!bs_snapshot_loads(s) || (!config->devices && bs_config_count(config) == 0));
    bs_snapshot_mark(s, MARK);
    config->seed = bs_snapshot_u64(s, config->seed, UINT64_MAX);
    bs_config_devices_snapshot(s, config);
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++)
        carry_shelf(s, config, kind);
    carry_deleted(s, config);
    if (!s->failed)
        require_bounds(s, config);
}
