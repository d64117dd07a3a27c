/* The kinds by name, each with its table, and the rules of one document that no table can say. Must
 * know nothing of the other documents. */
#include "backstep/core/kinds.h"

#include "backstep/base/check.h"
#include "backstep/core/snapshot.h"
#include "kind_parts.h"

static const struct {
    const char *name;
    struct bs_document_table (*table)(void);
} kinds[BS_KIND_COUNT] = {
    [BS_KIND_SETTINGS] = {"settings", bs_settings_table},
    [BS_KIND_MEMBER] = {"member", bs_kind_member_table},
    [BS_KIND_GROUP] = {"group", bs_kind_group_table},
    [BS_KIND_DRILL] = {"drill", bs_kind_drill_table},
    [BS_KIND_SESSION] = {"session", bs_kind_session_table},
};

const char *bs_kind_name(enum bs_kind kind)
{
    bs_check(kind < BS_KIND_COUNT);
    return kinds[kind].name;
}

bool bs_kind_of_name(struct bs_slice name, enum bs_kind *ret)
{
    for (enum bs_kind kind = 0; kind < BS_KIND_COUNT; kind++)
        if (bs_slice_equal(name, bs_slice_text(kinds[kind].name))) {
            *ret = kind;
            return true;
        }
    return false;
}

struct bs_document_table bs_kind_table(enum bs_kind kind)
{
    bs_check(kind < BS_KIND_COUNT);
    return kinds[kind].table();
}

static enum bs_status judge_id(enum bs_kind kind, struct bs_slice id,
                               struct bs_document_error *ret_error)
{
    if (kind == BS_KIND_MEMBER)
        return bs_kind_judge_member(id, ret_error);
    if (kind != BS_KIND_SETTINGS || bs_slice_equal(id, BS_SLICE("site")))
        return BS_OK;
    bs_document_error_set(ret_error, "", "the only document of the kind `settings` is `site`");
    return BS_INVALID;
}

static enum bs_status judge_content(enum bs_kind kind, const union bs_kind_document *document,
                                    struct bs_document_error *ret_error)
{
    return kind == BS_KIND_SESSION ? bs_kind_judge_session(&document->session, ret_error) : BS_OK;
}

enum bs_status bs_kind_read(enum bs_kind kind, struct bs_slice id, const struct cJSON *document,
                            union bs_kind_document *ret, struct bs_document_error *ret_error)
{
    struct bs_document_table table = bs_kind_table(kind);
    union bs_kind_document content = {0};
    enum bs_status status = judge_id(kind, id, ret_error);
    if (status == BS_OK)
        status = bs_document_read(document, table, &content, ret_error);
    if (status != BS_OK)
        return status;
    status = judge_content(kind, &content, ret_error);
    if (status == BS_OK)
        *ret = content;
    else
        bs_document_free(table, &content);
    return status;
}

void bs_kind_snapshot(struct bs_snapshot *s, enum bs_kind kind, struct bs_slice id,
                      union bs_kind_document *document)
{
    struct bs_document_error unused;
    bs_document_snapshot(s, bs_kind_table(kind), document);
    if (!s->failed)
        bs_snapshot_require(s, judge_id(kind, id, &unused) == BS_OK &&
                                   judge_content(kind, document, &unused) == BS_OK);
}

void bs_kind_free(enum bs_kind kind, union bs_kind_document *document)
{
    bs_document_free(bs_kind_table(kind), document);
}
