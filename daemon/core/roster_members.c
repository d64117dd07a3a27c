/* Members by id, and the tags of their steps. Must never free one while a row or a summary is open.
 */
#include "roster_parts.h"

#include "backstep/base/check.h"

#include <stdlib.h>

/* Members. */

static struct member *find(const struct bs_roster *r, struct bs_slice id)
{
    struct member *m;
    HASH_FIND_BYHASHVALUE(hh, r->members, id.at, id.length, bs_roster_hash(r, id), m);
    return m;
}

static struct member *add(struct bs_roster *r, struct bs_slice id)
{
    bs_check(id.length <= BS_MEMBER_ID_MAX);
    struct member *m = calloc(1, sizeof *m + id.length);
    if (!m)
        return NULL;
    m->member.timer_ms = INT64_MAX;
    m->member.quiet = true;
    m->id_length = (uint8_t)id.length;
    memcpy(m->id, id.at, id.length);
    struct member *added = m;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, r->members, m->id, id.length, bs_roster_hash(r, id), added);
    if (!added) { /* uthash found no memory */
        free(m);
        return NULL;
    }
    return m;
}

struct bs_member *bs_roster_make_member(struct bs_roster *r, struct bs_slice id)
{
    struct member *m = find(r, id);
    if (!m)
        m = add(r, id);
    return m ? &m->member : NULL;
}

struct bs_member *bs_roster_make_guest(struct bs_roster *r, struct bs_slice device)
{
    char guest[BS_MEMBER_ID_MAX];
    memcpy(guest, "guest-", 6);
    memcpy(guest + 6, device.at, device.length);
    struct bs_member *m = bs_roster_make_member(r, bs_slice_of(guest, 6 + device.length));
    if (!m)
        return NULL;
    r->guests += !m->is_guest;
    m->is_guest = true;
    m->consent = BS_CONSENT_MEMBER;
    return m;
}

struct bs_slice bs_member_id(const struct bs_member *member)
{
    const struct member *m = (const struct member *)member;
    return bs_slice_of(m->id, m->id_length);
}

void bs_roster_each_member(struct bs_roster *r, void (*look)(void *context, struct bs_member *m),
                           void *context)
{
    for (struct member *m = r->members; m; m = m->hh.next)
        look(context, &m->member);
}

/* Tags. */

struct bs_tags *bs_roster_tags(struct bs_roster *r, struct bs_member *member,
                               const struct bs_tags_names *names)
{
    struct member *m = (struct member *)member;
    struct bs_tags_names all = *names;
    all.site = bs_slice_of(r->site, r->site_length);
    all.member = all.alias = bs_slice_of(m->id, m->id_length);
    if (member->document && member->document->alias.length)
        all.alias = member->document->alias;
    all.named = member->consent == BS_CONSENT_MEMBER;
    for (struct bs_tags *t = m->tags; t; t = t->next)
        if (bs_tags_are(t, &all))
            return t;
    struct bs_tags *t = bs_tags_new(&all);
    if (t) {
        t->next = m->tags;
        m->tags = t;
    }
    return t;
}

/* Drops what no row holds, or all. */
static void drop_tags(struct member *m, bool all)
{
    for (struct bs_tags **link = &m->tags; *link;) {
        struct bs_tags *t = *link;
        if (!all && (t->references > 1 || t == m->member.tagging.tags)) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        bs_tags_drop(t);
    }
}

/* Forgetting. */

void bs_roster_free_member(struct bs_roster *r, struct member *m)
{
    bs_check(m->devices == 0 && !m->member.live.board);
    r->guests -= m->member.is_guest;
    HASH_DELETE(hh, r->members, m); /* NOLINT: it is in the table */
    r->release.release(r->release.context, &m->member);
    drop_tags(m, true);
    free(m);
}

void bs_roster_sweep_members(struct bs_roster *r)
{
    struct member *m, *next;
    HASH_ITER(hh, r->members, m, next)
    {
        bool open =
            m->member.windows.rows[0] || m->member.windows.rows[1] || m->member.summaries.first;
        if (!m->member.document && !m->devices && !open && m->member.quiet)
            bs_roster_free_member(r, m);
        else
            drop_tags(m, false);
    }
}

uint32_t bs_roster_members(const struct bs_roster *r)
{
    return HASH_COUNT(r->members);
}

uint32_t bs_roster_guests(const struct bs_roster *r)
{
    return r->guests;
}
