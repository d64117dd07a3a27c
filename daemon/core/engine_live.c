/* Boards in the engine: what steps, documents and time mean for them. Must never show a member
 * whose consent is less than `member` now. */
#include "engine_parts.h"

static void find_session(void *context, struct bs_slice group, struct bs_session_place *ret)
{
    struct bs_engine *e = context;
    bs_sessions_find(e->sessions, group, bs_engine_wall(e).ms, bs_engine_settled(e), ret);
}

enum bs_status bs_engine_make_live(struct bs_engine *e)
{
    bs_buffer_reset(&e->topic);
    bs_buffer_add(&e->topic, bs_buffer_slice(&e->root));
    bs_buffer_add(&e->topic, BS_SLICE("live/"));
    if (e->topic.failed)
        return BS_NO_MEMORY;
    struct bs_live_options options = {
        .topic = bs_buffer_slice(&e->topic), .find_session = find_session, .context = e};
    return bs_live_new(&e->live, &options);
}

void bs_engine_fire_live(struct bs_engine *e)
{
    bs_live_fire_tick(e->live, e->now, bs_engine_wall(e), e->effects);
}

/* Steps may still pass of whose document is deleted: the consent is there, but nobody to show. */
static bool may_be_shown(const struct bs_member *m)
{
    return m->consent == BS_CONSENT_MEMBER && (m->document || m->is_guest);
}

void bs_engine_show_step(struct bs_engine *e, struct bs_member *m, const struct bs_passed *step)
{
    if (may_be_shown(m) && !bs_live_take(e->live, &m->live, step))
        e->books.live_without_room++;
}

void bs_engine_show_member(struct bs_engine *e, struct bs_member *m)
{
    struct bs_tags *tags = NULL;
    if (may_be_shown(m))
        tags = bs_engine_tags(e, m, bs_engine_wall(e).ms);
    bs_live_follow(e->live, &m->live, tags);
}
