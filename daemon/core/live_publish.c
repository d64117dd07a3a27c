/* Which board is published when. Must never leave a message at the broker that nobody would
 * delete. */
#include "live_parts.h"

/* What a session does may change by steps that are on no board: it is looked at this often while a
 * board waits for its end. */
#define ASK_MS 60000

/* When a board is due. */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t tick_of(const struct bs_live *l, int64_t wall_ms)
{
    if (wall_ms <= l->wall.ms)
        return l->now.ms;
    return wall_ms == BS_NEVER_MS ? BS_NEVER_MS : wall_ms - (l->wall.ms - l->now.ms);
}

static int64_t due_for_change(const struct bs_live *l, const struct bs_live_board *b)
{
    if (!b->changed)
        return BS_NEVER_MS;
    return b->built + (b->at_once ? BS_LIVE_AT_ONCE_MS : l->refresh_ms);
}

static bool may_expire(const struct bs_live_board *b)
{
    return b->said == BS_LIVE_NOBODY && !b->running;
}

/* One that still shows who has left is changed: it is only looked at by time. */
static int64_t due_by_time(const struct bs_live *l, const struct bs_live_board *b)
{
    if (b->count > 0)
        return earlier(b->published + BS_LIVE_ALIVE_MS, tick_of(l, b->leaves_ms));
    if (b->said == BS_LIVE_NOTHING)
        return tick_of(l, b->closed_ms + BS_LIVE_SILENCE_MS);
    return may_expire(b) ? b->published + BS_LIVE_SILENCE_MS : l->now.ms + ASK_MS;
}

void bs_live_arm(struct bs_live *l, struct bs_live_board *b)
{
    int64_t due = earlier(due_for_change(l, b), due_by_time(l, b));
    due = earlier(due, tick_of(l, b->until_ms));
    b->due = due < l->now.ms ? l->now.ms : due;
    bs_live_queue_move(&l->queue, b);
}

void bs_live_change(struct bs_live *l, struct bs_live_board *b, bool at_once)
{
    b->changed = true;
    b->at_once = b->at_once || at_once;
    bs_live_arm(l, b);
}

/* Publishing. */

static void publish(struct bs_live *l, struct bs_live_board *b, struct bs_slice payload,
                    const struct bs_effects *effects)
{
    l->topic.length = l->root_length;
    bs_buffer_add(&l->topic, bs_live_group(b));
    struct bs_publication p = {.topic = bs_buffer_slice(&l->topic),
                               .payload = payload,
                               .retained = true,
                               .expiry_s = payload.length ? BS_LIVE_EXPIRY_S : 0};
    effects->publish(effects->context, &p);
    b->published = l->now.ms;
}

static void delete_message(struct bs_live *l, struct bs_live_board *b,
                           const struct bs_effects *effects)
{
    if (b->said == BS_LIVE_NOTHING)
        return;
    publish(l, b, (struct bs_slice){0}, effects);
    b->said = BS_LIVE_NOTHING;
    b->content = 0;
}

static void show(struct bs_live *l, struct bs_live_board *b, const struct bs_session_place *session,
                 const struct bs_effects *effects)
{
    bool alive = b->count > 0 && l->now.ms >= b->published + BS_LIVE_ALIVE_MS;
    if (!alive && l->now.ms < due_for_change(l, b))
        return;
    b->changed = b->at_once = false;
    if (b->count == 0 && b->said != BS_LIVE_MEMBERS)
        return;
    uint64_t content = bs_live_write(l, b, session);
    b->built = l->now.ms;
    if (!alive && content == b->content)
        return;
    publish(l, b, bs_buffer_slice(&l->text), effects);
    b->said = b->count > 0 ? BS_LIVE_MEMBERS : BS_LIVE_NOBODY;
    b->content = content;
}

/* Time. */

/* True where the session that ran has closed. */
static bool ask(struct bs_live *l, struct bs_live_board *b, struct bs_session_place *ret)
{
    bool ran = b->running;
    b->changed = b->changed || l->wall.ms >= b->until_ms;
    l->find_session(l->context, bs_live_group(b), ret);
    b->running = ret->running;
    b->until_ms = ret->until_ms;
    return ran && !ret->running;
}

static void close_session(struct bs_live *l, struct bs_live_board *b, int64_t closed_ms,
                          const struct bs_effects *effects)
{
    b->closed_ms = closed_ms;
    bs_live_let_go(b, closed_ms);
    delete_message(l, b, effects);
}

static bool has_expired(const struct bs_live *l, const struct bs_live_board *b)
{
    return may_expire(b) && l->now.ms >= b->published + BS_LIVE_SILENCE_MS;
}

static bool is_over(const struct bs_live *l, const struct bs_live_board *b)
{
    return b->count == 0 && b->said == BS_LIVE_NOTHING &&
           l->wall.ms >= b->closed_ms + BS_LIVE_SILENCE_MS;
}

static void attend(struct bs_live *l, struct bs_live_board *b, const struct bs_effects *effects)
{
    struct bs_session_place session;
    if (ask(l, b, &session))
        close_session(l, b, session.from_ms, effects);
    if (l->wall.ms >= b->leaves_ms)
        bs_live_let_go(b, l->wall.ms - BS_LIVE_SILENCE_MS + 1);
    show(l, b, &session, effects);
    if (has_expired(l, b))
        delete_message(l, b, effects);
    if (is_over(l, b))
        bs_live_drop(l, b);
    else
        bs_live_arm(l, b);
}

struct bs_tick_ms bs_live_tick_deadline(const struct bs_live *l)
{
    return (struct bs_tick_ms){l->queue.count ? l->queue.boards[0]->due : BS_NEVER_MS};
}

void bs_live_fire_tick(struct bs_live *l, struct bs_tick_ms now, struct bs_wall_ms wall,
                       const struct bs_effects *effects)
{
    l->now = now;
    l->wall = wall;
    while (bs_live_tick_deadline(l).ms <= now.ms)
        attend(l, l->queue.boards[0], effects);
}
