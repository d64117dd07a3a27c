/* An outlet between two real logs in a folder of its own, where asked for before a server of exact
 * bytes, and the lines that are sent through it: line i is "m,s=<i mod 7> f=<i>i <i+1>", each with
 * an intake record as its origin. */
#ifndef BACKSTEP_TESTS_EDGE_OUTLET_RIG_H
#define BACKSTEP_TESTS_EDGE_OUTLET_RIG_H

#include "../../daemon/shell/outlet.h"

#include "influxd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct rig {
    char folder[64], url[64], file[96], letters[96];
    struct canned_server server;
    bool served; /* the server runs */
    struct bs_conf conf;
    uint64_t outbox_segment_bytes, outbox_max_bytes;
    uint32_t intake_sync_ms;
    uv_loop_t loop;
    uv_async_t async;
    struct bs_log *intake, *outbox;
    struct bs_outlet *outlet;
    unsigned lines; /* appended so far */
    unsigned changes;
    bool finished;
    bool deaf; /* what the logs say is not handed on */
};

static _Atomic int64_t last_tick_ms = 1000;

static struct bs_tick_ms stamp(void *context)
{
    (void)context;
    return (struct bs_tick_ms){atomic_fetch_add(&last_tick_ms, 1)};
}

static void on_log_change(void *context)
{
    struct rig *r = context;
    uv_async_send(&r->async);
}

static void on_async(uv_async_t *async)
{
    struct rig *r = async->data;
    if (r->outlet && !r->deaf)
        bs_outlet_wake(r->outlet);
}

static void on_state_change(void *context)
{
    struct rig *r = context;
    r->changes++;
}

static struct bs_log *open_log(struct rig *r, const char *name, uint64_t segment_bytes,
                               uint64_t max_bytes, uint32_t sync_ms)
{
    struct bs_log *log = NULL;
    struct bs_log_recovery found;
    enum bs_status status = bs_log_open(&log,
                                        &(struct bs_log_options){.directory = r->folder,
                                                                 .name = name,
                                                                 .segment_bytes = segment_bytes,
                                                                 .max_bytes = max_bytes,
                                                                 .sync_ms = sync_ms,
                                                                 .stamp = stamp,
                                                                 .on_record = on_log_change,
                                                                 .on_change = on_log_change,
                                                                 .context = r},
                                        &found);
    if (status != BS_OK || found.message[0])
        fail_msg("log %s: %s %s", name, bs_status_text(status), found.message);
    return log;
}

/* Holds from the next start. */
static void point_to(struct rig *r, unsigned port)
{
    snprintf(r->url, sizeof(r->url), "http://127.0.0.1:%u", port);
    r->conf.influxdb.url = r->url;
}

static void prepare(struct rig *r, unsigned port)
{
    *r = (struct rig){.folder = "/tmp/backstep-outlet-XXXXXX",
                      .outbox_segment_bytes = 1 << 20,
                      .outbox_max_bytes = 16 << 20,
                      .intake_sync_ms = 20};
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->file, sizeof(r->file), "%s/points.lp", r->folder);
    r->conf.influxdb.api = 1;
    static char database[] = "backstep";
    r->conf.influxdb.database = database;
    r->conf.influxdb.gzip = true;
    r->conf.influxdb.batch_points = 1000;
    r->conf.influxdb.flush_ms = 20;
    r->conf.influxdb.timeout_ms = 400;
    snprintf(r->letters, sizeof(r->letters), "%s/dead-letters.jsonl", r->folder);
    r->conf.influxdb.dead_letter_file = r->letters;
    r->conf.influxdb.dead_letter_max_mb = 64;
    r->conf.output.file_max_mb = 64;
    if (port)
        point_to(r, port);
}

/* The outlet of the rig's own server; what the script does not say is answered with 204. */
static void prepare_served(struct rig *r, const struct canned_step *script, size_t script_length)
{
    prepare(r, 0);
    canned_start(&r->server, script, script_length);
    r->served = true;
    point_to(r, r->server.port);
}

static void start(struct rig *r)
{
    char error[256] = "";
    r->finished = false;
    assert_int_equal(uv_loop_init(&r->loop), 0);
    assert_int_equal(uv_async_init(&r->loop, &r->async, on_async), 0);
    r->async.data = r;
    r->intake = open_log(r, "intake", 1 << 20, 16 << 20, r->intake_sync_ms);
    r->outbox = open_log(r, "outbox", r->outbox_segment_bytes, r->outbox_max_bytes, 20);
    enum bs_status status = bs_outlet_new(&r->outlet,
                                          &(struct bs_outlet_options){.loop = &r->loop,
                                                                      .outbox = r->outbox,
                                                                      .intake = r->intake,
                                                                      .conf = &r->conf,
                                                                      .jitter_seed = 7,
                                                                      .on_change = on_state_change,
                                                                      .context = r},
                                          error, sizeof(error));
    if (status != BS_OK)
        fail_msg("%s: %s", bs_status_text(status), error);
}

static void on_finished(void *context)
{
    struct rig *r = context;
    r->finished = true;
    uv_close((uv_handle_t *)&r->async, NULL);
}

/* How long it took. */
static uint64_t stop(struct rig *r, uint64_t budget_ms)
{
    uv_update_time(&r->loop);
    uint64_t start_ms = uv_now(&r->loop);
    bs_outlet_finish(r->outlet, budget_ms, on_finished, r);
    assert_false(r->finished);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    assert_true(r->finished);
    uint64_t took_ms = uv_now(&r->loop) - start_ms;
    bs_outlet_free(r->outlet);
    r->outlet = NULL;
    bs_log_close(r->outbox);
    bs_log_close(r->intake);
    assert_int_equal(uv_loop_close(&r->loop), 0);
    return took_ms;
}

static void discard(struct rig *r)
{
    if (r->served)
        canned_stop(&r->server);
    nftw(r->folder, influxd_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_turn(uv_timer_t *timer)
{
    (void)timer;
}

static void turn(struct rig *r)
{
    uv_timer_t timer;
    uv_timer_init(&r->loop, &timer);
    uv_timer_start(&timer, on_turn, 5, 5);
    uv_run(&r->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&r->loop, UV_RUN_NOWAIT);
}

static inline void run_for(struct rig *r, uint64_t ms)
{
    uv_update_time(&r->loop);
    for (uint64_t until_ms = uv_now(&r->loop) + ms; uv_now(&r->loop) < until_ms;)
        turn(r);
}

static struct bs_outlet_state state_of(const struct rig *r)
{
    struct bs_outlet_state s;
    bs_outlet_get_state(r->outlet, &s);
    return s;
}

static inline void run_until_delivered(struct rig *r, uint64_t points)
{
    for (int i = 0; i < 4000 && (state_of(r).delivered < points || state_of(r).points > 0); i++)
        turn(r);
    assert_int_equal(state_of(r).delivered, points);
    assert_int_equal(state_of(r).points, 0);
    assert_int_equal(state_of(r).bytes, 0);
    assert_int_equal(state_of(r).oldest.ms, BS_NEVER_MS);
}

/* One intake record and the row it led to. BS_FULL where the outbox is. */
static enum bs_status append_line(struct rig *r)
{
    char line[64];
    uint8_t head[BS_POINTS_HEAD_BYTES];
    struct bs_slice message = BS_SLICE("\0\0\0\0step");
    uint64_t origin = bs_log_head(r->intake);
    assert_int_equal(bs_log_append(r->intake, BS_RECORD_MESSAGE, 0, &message, 1, NULL), BS_OK);
    int length =
        snprintf(line, sizeof(line), "m,s=%u f=%ui %u\n", r->lines % 7, r->lines, r->lines + 1);
    bs_points_head_write(origin, 0, 1, head);
    struct bs_slice parts[2] = {bs_slice_of(head, sizeof(head)), bs_slice_of(line, (size_t)length)};
    enum bs_status status = bs_log_append(r->outbox, BS_RECORD_POINTS, 0, parts, 2, NULL);
    if (status == BS_OK) {
        r->lines++;
        bs_outlet_wake(r->outlet);
    }
    return status;
}

static void append(struct rig *r, unsigned lines)
{
    for (unsigned i = 0; i < lines; i++)
        assert_int_equal(append_line(r), BS_OK);
}

/* Lines first .. beyond-1 stand at `text`; returns what is behind them. */
static inline const char *assert_lines(const char *text, unsigned first, unsigned beyond)
{
    for (unsigned i = first; i < beyond; i++) {
        char line[64];
        size_t length = (size_t)snprintf(line, sizeof(line), "m,s=%u f=%ui %u\n", i % 7, i, i + 1);
        if (strncmp(text, line, length) != 0)
            fail_msg("line %u is \"%.40s\", must be \"%s\"", i, text, line);
        text += length;
    }
    return text;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 22);
    assert_true(fread(text, 1, (1 << 22) - 1, file) < (1 << 22) - 1);
    fclose(file);
    return text;
}

/* All that the server stored are the lines first .. beyond-1. */
static inline void assert_served(const struct rig *r, unsigned first, unsigned beyond)
{
    assert_string_equal(assert_lines(r->server.body, first, beyond), "");
}

/* All that stands in the file are the first lines. */
static inline void assert_filed(const struct rig *r, unsigned lines)
{
    char *text = read_file(r->file);
    assert_string_equal(assert_lines(text, 0, lines), "");
    free(text);
}

#endif
