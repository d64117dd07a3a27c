/* Shared tag texts. Must never hold a value that was not escaped. */
#include "backstep/core/tags.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/core/document.h"
#include "backstep/core/line.h"
#include "backstep/core/roster.h"
#include "backstep/core/snapshot.h"

#include <stdlib.h>

/* Six values of at most 128 bytes (32 code points of 4 bytes, or an id), each byte escaped. */
#define TAGS_BYTES_MAX 2048

/* The text, piece by piece, and where each piece ends. */
struct pieces {
    struct bs_buffer text;
    size_t alias_end, head_end, member_end, phase_end;
};

static void write_pieces(const struct bs_tags_names *names, struct pieces *ret)
{
    struct bs_buffer *text = &ret->text;
    bs_buffer_init(text, TAGS_BYTES_MAX);
    bs_line_add_tag(text, BS_SLICE("alias"), names->alias);
    ret->alias_end = text->length;
    bs_line_add_tag(text, BS_SLICE("drill"), names->drill);
    bs_line_add_tag(text, BS_SLICE("group"), names->group);
    ret->head_end = text->length;
    bs_line_add_tag(text, BS_SLICE("member"), names->member);
    ret->member_end = text->length;
    bs_line_add_tag(text, BS_SLICE("phase"), names->phase);
    ret->phase_end = text->length;
    bs_line_add_tag(text, BS_SLICE("site"), names->site);
}

static bool is_grouped(const struct bs_tags_names *names)
{
    return !bs_slice_equal(names->group, BS_SLICE("none"));
}

struct bs_tags *bs_tags_new(const struct bs_tags_names *names)
{
    struct pieces p;
    write_pieces(names, &p);
    struct bs_tags *t = p.text.failed ? NULL : malloc(sizeof *t + p.text.length);
    if (t) {
        *t = (struct bs_tags){.references = 1,
                              .alias_length = (uint16_t)p.alias_end,
                              .head_length = (uint16_t)(p.head_end - p.alias_end),
                              .member_length = (uint16_t)(p.member_end - p.head_end),
                              .tail_length = (uint16_t)(p.text.length - p.member_end),
                              .group_length = (uint8_t)names->group.length,
                              .site_length = (uint8_t)(p.text.length - p.phase_end),
                              .named = names->named,
                              .grouped = is_grouped(names)};
        memcpy(t->text, p.text.at, p.text.length);
        /* No outsider chooses these names: no seed is needed. */
        t->shared_hash =
            (uint32_t)bs_hash_bytes(bs_hash_bytes(0, bs_tags_head(t)), bs_tags_tail(t));
    }
    bs_buffer_fini(&p.text);
    return t;
}

void bs_tags_hold(struct bs_tags *t)
{
    t->references++;
}

void bs_tags_drop(struct bs_tags *t)
{
    bs_check(t->references > 0);
    if (--t->references == 0)
        free(t);
}

/* The tag as bs_line_add_tag writes it, off the front of *text; false where another stands there.
 */
static bool take_tag(struct bs_slice *text, const char *key, struct bs_slice value)
{
    const char *at = text->at, *end = at + text->length;
    size_t key_length = strlen(key);
    if ((size_t)(end - at) < key_length || memcmp(at, key, key_length) != 0)
        return false;
    at += key_length;
    for (size_t i = 0; i < value.length; i++) {
        if (bs_line_escapes(value.at[i]) && (at == end || *at++ != '\\'))
            return false;
        if (at == end || *at++ != value.at[i])
            return false;
    }
    *text = bs_slice_of(at, (size_t)(end - at));
    return true;
}

/* The key of the next tag ends what could be a longer value, and so does the end of the text. */
bool bs_tags_are(const struct bs_tags *t, const struct bs_tags_names *names)
{
    struct bs_slice text = bs_slice_of(t->text, t->alias_length + bs_tags_rest(t).length);
    return t->named == names->named && take_tag(&text, ",alias=", names->alias) &&
           take_tag(&text, ",drill=", names->drill) && take_tag(&text, ",group=", names->group) &&
           take_tag(&text, ",member=", names->member) && take_tag(&text, ",phase=", names->phase) &&
           take_tag(&text, ",site=", names->site) && text.length == 0;
}

bool bs_tags_share_group(const struct bs_tags *a, const struct bs_tags *b)
{
    return a->shared_hash == b->shared_hash && bs_slice_equal(bs_tags_head(a), bs_tags_head(b)) &&
           bs_slice_equal(bs_tags_tail(a), bs_tags_tail(b));
}

/* Ids have nothing to be escaped. */

struct bs_slice bs_tags_group(const struct bs_tags *t)
{
    struct bs_slice head = bs_tags_head(t);
    return bs_slice_after(head, head.length - t->group_length);
}

struct bs_slice bs_tags_member(const struct bs_tags *t)
{
    return bs_slice_after(bs_tags_member_tag(t), strlen(",member="));
}

/* No name has a backslash of its own. */
static struct bs_slice unescape(struct bs_slice value, char room[BS_TAGS_ALIAS_MAX])
{
    size_t length = 0;
    if (!memchr(value.at, '\\', value.length))
        return value;
    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] == '\\')
            continue;
        bs_check(length < BS_TAGS_ALIAS_MAX);
        room[length++] = value.at[i];
    }
    return bs_slice_of(room, length);
}

struct bs_slice bs_tags_alias_name(const struct bs_tags *t, char room[BS_TAGS_ALIAS_MAX])
{
    return unescape(bs_slice_after(bs_tags_alias(t), strlen(",alias=")), room);
}

/* Snapshots have the names: whatever they say, the text is one that was made of names. */

static struct bs_slice between(struct bs_slice text, size_t before, size_t behind)
{
    return bs_slice_of(text.at + before, text.length - before - behind);
}

/* The rooms hold what was escaped. */
static struct bs_tags_names names_of(const struct bs_tags *t, char alias[BS_TAGS_ALIAS_MAX],
                                     char phase[BS_TAGS_ALIAS_MAX])
{
    struct bs_slice phase_value = between(bs_tags_tail(t), strlen(",phase="), t->site_length);
    return (struct bs_tags_names){
        .site = bs_slice_after(bs_tags_site_tag(t), strlen(",site=")),
        .group = bs_tags_group(t),
        .drill = between(bs_tags_head(t), strlen(",drill="), strlen(",group=") + t->group_length),
        .phase = unescape(phase_value, phase),
        .member = bs_tags_member(t),
        .alias = bs_tags_alias_name(t, alias),
        .named = t->named,
    };
}

static bool is_member(struct bs_slice id)
{
    struct bs_slice guest = BS_SLICE("guest-");
    return bs_slice_is_id(id) ||
           (bs_slice_starts(id, guest) && bs_slice_is_id(bs_slice_after(id, guest.length)));
}

static bool are_valid(const struct bs_tags_names *names)
{
    return bs_slice_is_id(names->site) && bs_slice_is_id(names->group) &&
           bs_slice_is_id(names->drill) && bs_document_is_text(names->phase) &&
           is_member(names->member) &&
           (bs_document_is_text(names->alias) || is_member(names->alias));
}

struct bs_tags *bs_tags_snapshot(struct bs_snapshot *s, struct bs_tags *t)
{
    char alias[BS_TAGS_ALIAS_MAX], phase[BS_TAGS_ALIAS_MAX];
    struct bs_tags_names names = {.named = false};
    if (!bs_snapshot_loads(s))
        names = names_of(t, alias, phase);
    names.alias = bs_snapshot_text(s, names.alias, BS_TAGS_ALIAS_MAX);
    names.drill = bs_snapshot_text(s, names.drill, BS_ID_MAX);
    names.group = bs_snapshot_text(s, names.group, BS_ID_MAX);
    names.member = bs_snapshot_text(s, names.member, BS_MEMBER_ID_MAX);
    names.phase = bs_snapshot_text(s, names.phase, BS_TAGS_ALIAS_MAX);
    names.site = bs_snapshot_text(s, names.site, BS_ID_MAX);
    names.named = bs_snapshot_flag(s, names.named);
    if (!bs_snapshot_loads(s))
        return t;
    bs_snapshot_require(s, are_valid(&names));
    t = s->failed ? NULL : bs_tags_new(&names);
    if (!t)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    return t;
}
