/* The loop of uv.h. Where libuv would wait for sockets, the world goes on. Must never call a handle
 * of the daemon's but from uv_run, which is the daemon's loop thread. */
#include <uv.h>

#include "backstep/base/check.h"
#include "world.h"

#include <errno.h>

/* No turn takes no time: a loop that wakes itself would stand still. */
#define TURN_NS 1000

/* Handles ------------------------------------------------------------------------------------ */

static void init(uv_loop_t *loop, uv_handle_t *h, enum sim_handle_type type)
{
    h->loop = loop;
    h->type = type;
    h->active = h->closing = false;
    h->close_cb = NULL;
    h->previous = NULL;
    h->next = loop->handles;
    if (h->next)
        h->next->previous = h;
    loop->handles = h;
    loop->handle_count++;
}

static void forget(uv_handle_t *h)
{
    if (h->previous)
        h->previous->next = h->next;
    else
        h->loop->handles = h->next;
    if (h->next)
        h->next->previous = h->previous;
}

void uv_close(uv_handle_t *h, uv_close_cb close_cb)
{
    uv_handle_t **end = &h->loop->closing;
    bs_check(!h->closing);
    forget(h);
    h->active = false;
    h->closing = true;
    h->close_cb = close_cb;
    h->next = NULL;
    while (*end)
        end = &(*end)->next;
    *end = h;
}

int uv_is_active(const uv_handle_t *h)
{
    return h->active;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *t)
{
    init(loop, (uv_handle_t *)t, SIM_HANDLE_TIMER);
    return 0;
}

int uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout_ms, uint64_t repeat_ms)
{
    if (t->closing || !cb)
        return -EINVAL;
    t->timer_cb = cb;
    t->due_ms = t->loop->time_ms + timeout_ms;
    t->repeat_ms = repeat_ms;
    t->start_id = t->loop->start_ids++;
    t->active = true;
    return 0;
}

int uv_timer_stop(uv_timer_t *t)
{
    t->active = false;
    return 0;
}

int uv_async_init(uv_loop_t *loop, uv_async_t *a, uv_async_cb cb)
{
    init(loop, (uv_handle_t *)a, SIM_HANDLE_ASYNC);
    a->async_cb = cb;
    a->pending = false;
    a->active = true;
    return 0;
}

int uv_async_send(uv_async_t *a)
{
    a->pending = true;
    return 0;
}

int uv_idle_init(uv_loop_t *loop, uv_idle_t *i)
{
    init(loop, (uv_handle_t *)i, SIM_HANDLE_IDLE);
    return 0;
}

int uv_idle_start(uv_idle_t *i, uv_idle_cb cb)
{
    i->idle_cb = i->active ? i->idle_cb : cb;
    i->active = true;
    return 0;
}

int uv_idle_stop(uv_idle_t *i)
{
    i->active = false;
    return 0;
}

int uv_signal_init(uv_loop_t *loop, uv_signal_t *s)
{
    init(loop, (uv_handle_t *)s, SIM_HANDLE_SIGNAL);
    s->pending = false;
    return 0;
}

int uv_signal_start(uv_signal_t *s, uv_signal_cb cb, int number)
{
    s->signal_cb = cb;
    s->signum = number;
    s->active = true;
    return 0;
}

void sim_loop_signal(uv_loop_t *loop, int number)
{
    for (uv_handle_t *h = loop->handles; h; h = h->next) {
        uv_signal_t *s = (uv_signal_t *)(void *)h;
        if (h->type == SIM_HANDLE_SIGNAL && h->active && s->signum == number)
            s->pending = true;
    }
}

/* The loop ----------------------------------------------------------------------------------- */

int uv_loop_init(uv_loop_t *loop)
{
    *loop = (uv_loop_t){0};
    uv_update_time(loop);
    world->process.loop = loop;
    return 0;
}

int uv_loop_close(uv_loop_t *loop)
{
    bs_check(!loop->handles && !loop->closing);
    world->process.loop = NULL;
    return 0;
}

void uv_stop(uv_loop_t *loop)
{
    loop->stopped = true;
}

void uv_update_time(uv_loop_t *loop)
{
    uint64_t now_ms = sim_now_ns() / 1000000;
    loop->time_ms = now_ms > loop->time_ms ? now_ms : loop->time_ms;
}

uint64_t uv_now(const uv_loop_t *loop)
{
    return loop->time_ms;
}

static uv_timer_t *first_timer(const uv_loop_t *loop)
{
    uv_timer_t *first = NULL;
    for (uv_handle_t *h = loop->handles; h; h = h->next) {
        uv_timer_t *t = (uv_timer_t *)(void *)h;
        if (h->type != SIM_HANDLE_TIMER || !h->active)
            continue;
        if (!first || t->due_ms < first->due_ms ||
            (t->due_ms == first->due_ms && t->start_id < first->start_id))
            first = t;
    }
    return first;
}

static void run_timers(uv_loop_t *loop)
{
    uv_timer_t *t;
    while ((t = first_timer(loop)) && t->due_ms <= loop->time_ms) {
        t->active = false;
        if (t->repeat_ms)
            uv_timer_start(t, t->timer_cb, t->repeat_ms, t->repeat_ms);
        t->timer_cb(t);
    }
}

/* A callback may close the handle behind its own: looked for anew each time. */
static void run_idle(uv_loop_t *loop)
{
    for (uv_handle_t *h = loop->handles; h; h = h->next)
        if (h->type == SIM_HANDLE_IDLE && h->active) {
            uv_idle_t *i = (uv_idle_t *)(void *)h;
            i->idle_cb(i);
            return;
        }
}

static uv_handle_t *first_pending(const uv_loop_t *loop)
{
    for (uv_handle_t *h = loop->handles; h; h = h->next) {
        if (h->type == SIM_HANDLE_ASYNC && ((uv_async_t *)(void *)h)->pending)
            return h;
        if (h->type == SIM_HANDLE_SIGNAL && ((uv_signal_t *)(void *)h)->pending)
            return h;
    }
    return NULL;
}

static bool run_pending(uv_loop_t *loop)
{
    uv_handle_t *h;
    bool any = false;
    for (unsigned left = loop->handle_count; left > 0 && (h = first_pending(loop)); left--) {
        any = true;
        if (h->type == SIM_HANDLE_ASYNC) {
            uv_async_t *a = (uv_async_t *)(void *)h;
            a->pending = false;
            a->async_cb(a);
        } else {
            uv_signal_t *s = (uv_signal_t *)(void *)h;
            s->pending = false;
            s->signal_cb(s, s->signum);
        }
    }
    return any;
}

static bool any_active(const uv_loop_t *loop, bool idle_only)
{
    for (uv_handle_t *h = loop->handles; h; h = h->next)
        if (h->active && (!idle_only || h->type == SIM_HANDLE_IDLE))
            return true;
    return false;
}

static bool is_alive(const uv_loop_t *loop)
{
    return loop->closing || any_active(loop, false);
}

/* When the wait ends by itself. */
static uint64_t wait_until_ns(const uv_loop_t *loop)
{
    if (loop->stopped || loop->closing || any_active(loop, true))
        return 0;
    const uv_timer_t *t = first_timer(loop);
    return t ? t->due_ms * 1000000 : UINT64_MAX;
}

static void poll(uv_loop_t *loop)
{
    uint64_t until_ns = wait_until_ns(loop);
    if (until_ns > sim_now_ns() && !first_pending(loop))
        sim_process_rests();
    while (!first_pending(loop)) {
        if (world->process.dead) {
            sim_process_skip(until_ns);
            break;
        }
        if (!sim_step(until_ns > world->now_ns ? until_ns : world->now_ns))
            break;
    }
    world->now_ns += world->process.dead ? 0 : TURN_NS;
    uv_update_time(loop);
    run_pending(loop);
}

static void run_closing(uv_loop_t *loop)
{
    uv_handle_t *h = loop->closing;
    loop->closing = NULL;
    while (h) {
        uv_handle_t *next = h->next;
        loop->handle_count--;
        if (h->close_cb)
            h->close_cb(h);
        h = next;
    }
}

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    bs_check(mode == UV_RUN_DEFAULT);
    bool alive = is_alive(loop);
    while (alive && !loop->stopped) {
        uv_update_time(loop);
        run_timers(loop);
        run_idle(loop);
        poll(loop);
        run_closing(loop);
        alive = is_alive(loop);
    }
    loop->stopped = false;
    return alive;
}
