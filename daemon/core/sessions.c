/* The table of groups and what is asked of it. Must never let an answer depend on the order of the
 * table. */
#include "session_parts.h"

#include "backstep/base/hash.h"

#include <stdlib.h>

enum bs_status bs_sessions_new(struct bs_sessions **ret)
{
    struct bs_sessions *s = calloc(1, sizeof *s);
    if (!s)
        return BS_NO_MEMORY;
    *ret = s;
    return BS_OK;
}

static void free_history(struct bs_sessions *s, struct bs_group_history *h)
{
    HASH_DELETE(hh, s->histories, h); /* NOLINT: it is in the table */
    bs_history_fini(h);
    free(h);
}

void bs_sessions_free(struct bs_sessions *s)
{
    if (!s)
        return;
    struct bs_group_history *h, *next;
    HASH_ITER(hh, s->histories, h, next)
    {
        free_history(s, h);
    }
    free(s);
}

void bs_sessions_seed(struct bs_sessions *s, uint64_t seed)
{
    if (!s->histories)
        s->versions.seed = seed;
}

static unsigned hash_group(const struct bs_sessions *s, struct bs_slice group)
{
    return (unsigned)bs_hash_bytes(s->versions.seed, group);
}

struct bs_group_history *bs_sessions_history(const struct bs_sessions *s, struct bs_slice group)
{
    struct bs_group_history *h;
    HASH_FIND_BYHASHVALUE(hh, s->histories, group.at, group.length, hash_group(s, group), h);
    return h;
}

enum bs_status bs_sessions_add(struct bs_sessions *s, struct bs_slice group,
                               struct bs_group_history **ret)
{
    if (HASH_COUNT(s->histories) >= BS_SESSION_GROUPS_MAX)
        return BS_FULL;
    struct bs_group_history *h = calloc(1, sizeof *h + group.length), *added = h;
    if (!h)
        return BS_NO_MEMORY;
    h->owner = s;
    h->deleted_ms = INT64_MAX;
    h->group_length = group.length;
    memcpy(h->group, group.at, group.length);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->histories, h->group, h->group_length, hash_group(s, group),
                                added);
    if (!added) {
        free(h);
        return BS_NO_MEMORY;
    }
    *ret = h;
    return BS_OK;
}

/* The group's history, with room for a word. */
static enum bs_status enter_history(struct bs_sessions *s, struct bs_slice group,
                                    struct bs_group_history **ret)
{
    struct bs_group_history *h = bs_sessions_history(s, group);
    enum bs_status status = h ? BS_OK : bs_sessions_add(s, group, &h);
    if (status != BS_OK)
        return status;
    status = bs_history_reserve(h);
    if (status == BS_OK)
        *ret = h;
    else if (h->session_count == 0)
        free_history(s, h);
    return status;
}

enum bs_status bs_sessions_follow(struct bs_sessions *s, const struct bs_session_word *word)
{
    struct bs_drill_version *version = NULL;
    if (word->drill) {
        enum bs_status held =
            bs_drill_version_hold(&s->versions, word->session->drill, word->drill, &version);
        if (held != BS_OK)
            return held;
    }
    struct bs_group_history *h;
    enum bs_status status = enter_history(s, word->group, &h);
    if (status == BS_OK)
        bs_history_follow(h, word, version);
    else if (version)
        bs_drill_version_drop(&s->versions, version);
    return status;
}

void bs_sessions_close(struct bs_sessions *s, struct bs_slice group, struct bs_wall_ms at)
{
    struct bs_group_history *h = bs_sessions_history(s, group);
    if (!h)
        return;
    bs_history_close(h, at.ms);
    if (h->session_count == 0)
        free_history(s, h);
}

void bs_sessions_find(struct bs_sessions *s, struct bs_slice group, int64_t time_ms,
                      struct bs_wall_ms settled, struct bs_session_place *ret)
{
    struct bs_group_history *h = bs_sessions_history(s, group);
    if (!h) {
        *ret = (struct bs_session_place){.from_ms = INT64_MIN, .until_ms = INT64_MAX};
        return;
    }
    bs_history_settle(h, settled.ms);
    bs_history_find(h, time_ms, ret);
}

void bs_sessions_note(struct bs_group_history *history, int64_t time_ms, struct bs_wall_ms settled)
{
    bs_history_settle(history, settled.ms);
    bs_history_note(history, time_ms);
}

bool bs_sessions_recall(const struct bs_sessions *s, struct bs_slice group, int64_t start_ms,
                        struct bs_session_facts *ret)
{
    const struct bs_group_history *h = bs_sessions_history(s, group);
    return h && bs_history_recall(h, start_ms, ret);
}

void bs_sessions_forget(struct bs_sessions *s, struct bs_wall_ms before)
{
    struct bs_group_history *h, *next;
    HASH_ITER(hh, s->histories, h, next)
    {
        bs_history_forget(h, before.ms);
        if (h->session_count == 0)
            free_history(s, h);
    }
}

uint64_t bs_sessions_generation(const struct bs_sessions *s)
{
    return s->generation;
}
