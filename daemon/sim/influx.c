/* edge/influx: one transfer to the database of the world. Must never answer from within a call. */
#include "backstep/edge/influx.h"

#include "backstep/base/check.h"
#include "influx_places.h"
#include "log_places.h"
#include "world.h"

#include <stdlib.h>

enum { ANSWER_KEPT_BYTES = 16 * 1024, LATE_MS_MAX = 8000 };

struct bs_influx {
    uv_loop_t *loop;
    uint32_t timeout_ms;
    uv_async_t answered;
    struct sim_event arrival, end; /* of the request; of the wait for an answer */
    const struct bs_slice *parts;
    size_t part_count;
    uint64_t begun_ns, from, until; /* positions of its bytes in the outbox */
    bool busy, arrived, closing;
    struct sim_answer answer;
    bs_influx_done done;
    void *context;
    void (*closed)(void *context);
    void *closed_context;
};

static void note_settled(const struct bs_influx *x)
{
    const struct sim_answer *a = &x->answer;
    if (a->settles)
        sim_history_settle(&world->history, x->from, x->until);
    else if (a->sent && (a->none || a->status == 502 || a->status == 504))
        sim_history_unsettle(&world->history, x->from, x->until);
}

static uint64_t sent_bytes(const struct bs_influx *x)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < x->part_count; i++)
        sum += x->parts[i].length;
    return x->answer.sent ? sum : 0;
}

static size_t count_lines(const struct bs_influx *x)
{
    size_t lines = 0;
    for (size_t i = 0; i < x->part_count; i++)
        for (size_t k = 0; k < x->parts[i].length; k++)
            lines += x->parts[i].at[k] == '\n';
    return lines;
}

static void on_answered(uv_async_t *async)
{
    struct bs_influx *x = async->data;
    if (!x->busy || x->closing)
        return;
    struct bs_slice body = bs_buffer_slice(&x->answer.body);
    struct bs_influx_answer a = {
        .http_status = x->answer.none ? 0 : x->answer.status,
        .body =
            bs_slice_of(body.at, body.length < ANSWER_KEPT_BYTES ? body.length : ANSWER_KEPT_BYTES),
        .error = bs_buffer_slice(&x->answer.error),
        .retry_after_s = x->answer.retry_after_s,
        .sent_bytes = sent_bytes(x),
    };
    if (x->answer.none) {
        a.error = x->answer.sent ? BS_SLICE("Timeout was reached")
                                 : BS_SLICE("Couldn't connect to server");
        a.body = BS_SLICE("");
    }
    sim_trace("database: answer %d to %zu lines %.*s", a.http_status, count_lines(x),
              (int)a.error.length, a.error.at);
    x->busy = false;
    x->done(x->context, &a);
}

static void on_end(struct sim_event *event)
{
    struct bs_influx *x = SIM_OWNER(event, struct bs_influx, end);
    note_settled(x);
    uv_async_send(&x->answered);
}

static void on_arrival(struct sim_event *event)
{
    struct bs_influx *x = SIM_OWNER(event, struct bs_influx, arrival);
    uint64_t limit_ns = x->begun_ns + x->timeout_ms * UINT64_C(1000000);
    x->arrived = true;
    sim_database_take(&world->database, x->parts, x->part_count, &x->answer);
    uint64_t due_ns = world->now_ns + sim_network_ns();
    if (x->answer.none && x->answer.sent)
        due_ns = limit_ns;
    sim_events_set(&world->events, &x->end, due_ns);
}

enum bs_status bs_influx_new(struct bs_influx **ret, const struct bs_influx_options *options)
{
    struct bs_influx *x = calloc(1, sizeof *x);
    bs_check(x);
    x->loop = options->loop;
    x->timeout_ms = options->timeout_ms;
    x->arrival.fire = on_arrival;
    x->end.fire = on_end;
    bs_buffer_init(&x->answer.error, 1 << 20);
    bs_buffer_init(&x->answer.body, 16 << 20);
    uv_async_init(x->loop, &x->answered, on_answered);
    x->answered.data = x;
    world->process.influx = x;
    *ret = x;
    return BS_OK;
}

enum bs_status bs_influx_post(struct bs_influx *x, const struct bs_slice *parts, size_t part_count,
                              bs_influx_done done, void *context)
{
    bs_check(!x->closing && part_count > 0);
    if (x->busy)
        return BS_BUSY;
    x->busy = true;
    x->arrived = false;
    x->parts = parts;
    x->part_count = part_count;
    x->done = done;
    x->context = context;
    x->begun_ns = world->now_ns;
    if (world->process.dead)
        return BS_OK;
    const struct bs_slice *last = &parts[part_count - 1];
    x->from = sim_log_position_of(world->process.outbox, parts[0].at);
    x->until = sim_log_position_of(world->process.outbox, last->at + last->length - 1) + 1;
    sim_trace("database: rows %llu..%llu leave", (unsigned long long)x->from,
              (unsigned long long)x->until);
    sim_truth_check_post(&world->truth, x->from, x->until);
    sim_events_set(&world->events, &x->arrival, world->now_ns + sim_network_ns());
    return BS_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct bs_influx *x = handle->data;
    void (*closed)(void *) = x->closed;
    void *context = x->closed_context;
    bs_buffer_fini(&x->answer.error);
    bs_buffer_fini(&x->answer.body);
    free(x);
    if (closed)
        closed(context);
}

/* What has not arrived yet may do so all the same. */
static void give_up(struct bs_influx *x)
{
    if (x->busy && x->until > 0)
        sim_history_unsettle(&world->history, x->from, x->until);
    if (sim_event_waits(&x->arrival) && bs_random_below(&world->chance, 2) == 0 &&
        world->database.mode != SIM_DATABASE_DOWN)
        sim_database_take_later(&world->database, x->parts, x->part_count,
                                sim_between(0, LATE_MS_MAX) * 1000000);
    sim_events_cancel(&world->events, &x->arrival);
    sim_events_cancel(&world->events, &x->end);
}

void bs_influx_close(struct bs_influx *x, void (*closed)(void *context), void *context)
{
    bs_check(!x->closing);
    x->closing = true;
    x->closed = closed;
    x->closed_context = context;
    give_up(x);
    x->busy = false;
    if (world->process.influx == x)
        world->process.influx = NULL;
    uv_close((uv_handle_t *)&x->answered, on_closed);
}

void sim_influx_freeze(void)
{
    if (!world->process.influx)
        return;
    give_up(world->process.influx);
    if (sim_log_marks_are_lost(world->process.outbox))
        sim_history_doubt(&world->history);
}
