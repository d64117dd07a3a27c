/* Which tags a step carries: group, drill and phase by its event time, alias and consent as in
 * force. Must never give two answers for one set of names of one member. */
#include "engine_parts.h"

/* What is in force for a member at an event time, and over which stretch around it. */
struct finding {
    struct bs_slice group;
    struct bs_session_place place; /* of that group; not running: of no session */
    int64_t from_ms, until_ms;
};

/* Of the groups whose session runs then, the first by id; else the first that the document lists.
 */
static void find_group(struct bs_engine *e, const struct bs_ids *groups, int64_t time_ms,
                       struct finding *ret)
{
    *ret = (struct finding){.group = BS_SLICE("none"), .from_ms = INT64_MIN, .until_ms = INT64_MAX};
    if (groups->count)
        ret->group = groups->at[0];
    for (size_t i = 0; i < groups->count; i++) {
        struct bs_session_place place;
        bs_sessions_find(e->sessions, groups->at[i], time_ms, bs_engine_settled(e), &place);
        ret->from_ms = place.from_ms > ret->from_ms ? place.from_ms : ret->from_ms;
        ret->until_ms = place.until_ms < ret->until_ms ? place.until_ms : ret->until_ms;
        if (!place.running)
            continue;
        if (!ret->place.running || bs_slice_compare(groups->at[i], ret->group) < 0) {
            ret->group = groups->at[i];
            ret->place = place;
        }
    }
}

static void decide(struct bs_engine *e, struct bs_member *m, int64_t time_ms)
{
    struct bs_slice none = BS_SLICE("none");
    static const struct bs_ids no_groups;
    const struct bs_ids *groups = m->document ? &m->document->groups : &no_groups;
    struct finding found;
    uint64_t generation;
    do { /* to ask may close a session for good, and an answer holds as long as none did */
        generation = bs_sessions_generation(e->sessions);
        find_group(e, groups, time_ms, &found);
    } while (generation != bs_sessions_generation(e->sessions));
    const struct bs_session_place *place = &found.place;
    struct bs_tags_names names = {.group = found.group,
                                  .drill = place->running ? place->drill : none,
                                  .phase =
                                      place->running && place->phase.length ? place->phase : none};
    m->tagging = (struct bs_tagging){
        .tags = bs_roster_tags(e->roster, m, &names),
        .history = place->running ? place->history : NULL,
        .session_start_ms = place->start_ms,
        .from_ms = found.from_ms,
        .until_ms = found.until_ms,
        .generation = generation,
    };
}

struct bs_tags *bs_engine_tags(struct bs_engine *e, struct bs_member *m, int64_t time_ms)
{
    const struct bs_tagging *last = &m->tagging;
    bool holds = last->tags && time_ms >= last->from_ms && time_ms < last->until_ms &&
                 last->generation == bs_sessions_generation(e->sessions);
    if (!holds)
        decide(e, m, time_ms);
    return m->tagging.tags;
}
