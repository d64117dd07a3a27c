/* Which summary a step is in, and when summaries are due. Must never let a step be counted without
 * the summary that it belongs to. */
#include "engine_parts.h"

bool bs_engine_find_summary(struct bs_engine *e, struct bs_member *m)
{
    struct bs_tagging *t = &m->tagging;
    if (t->summary || !t->history)
        return true;
    return bs_summaries_find(e->summaries, &m->summaries, t->tags, t->session_start_ms,
                             &t->summary);
}

struct bs_tick_ms bs_engine_summaries_deadline(const struct bs_engine *e)
{
    int64_t wall = bs_summaries_wall_deadline(e->summaries).ms;
    int64_t by_wall = wall == BS_NEVER_MS ? BS_NEVER_MS : wall - e->offset_ms;
    int64_t by_tick = bs_summaries_tick_deadline(e->summaries).ms;
    return (struct bs_tick_ms){by_wall < by_tick ? by_wall : by_tick};
}
