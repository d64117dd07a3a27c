/* The outlet's life: options, marks, the one timer, the end. Must never release a record that some
 * sink has not had, unless it was given up and counted. */
#include "outlet_parts.h"

#include "report.h"

#include "backstep/base/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS_MAX = 65536, /* records a transfer: 1 MiB of slices */
    FINISHING_TURN_MS = 20,
};

/* Positions ----------------------------------------------------------------------------------- */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t clamp(uint64_t position, uint64_t first, uint64_t head)
{
    return position < first ? first : smaller(position, head);
}

/* A sink that is not there has had everything that the other had. */
uint64_t outlet_slowest(const struct bs_outlet *o)
{
    if (!o->file.used)
        return o->influx.high;
    return o->influx.used ? smaller(o->file.high, o->influx.high) : o->file.high;
}

static uint64_t kept_from(const struct bs_outlet *o)
{
    uint64_t at = smaller(outlet_slowest(o), bs_delivery_kept_from(&o->delivery));
    return o->influx.used ? smaller(at, o->influx.at) : at;
}

void outlet_store_marks(struct bs_outlet *o)
{
    o->marks[BS_OUTLET_DELIVERED] = o->influx.used ? o->influx.high : o->file.high;
    o->marks[BS_OUTLET_FILE_WRITTEN] = o->file.used ? o->file.high : o->influx.high;
    uint64_t unresolved = bs_delivery_kept_from(&o->delivery);
    if (o->in_flight)
        unresolved = smaller(unresolved, o->batch.from);
    o->marks[BS_OUTLET_UNRESOLVED] = unresolved == BS_DELIVERY_NOWHERE ? 0 : unresolved + 1;
    if (memcmp(o->marks, o->stored_marks, sizeof o->marks) == 0)
        return;
    memcpy(o->stored_marks, o->marks, sizeof o->marks);
    bs_log_marks_store(o->options.outbox, o->marks);
}

/* After a power cut the marks may be younger than the log, or older than what was released. */
static void load_marks(struct bs_outlet *o)
{
    uint64_t first = bs_log_first(o->options.outbox), head = bs_log_head(o->options.outbox);
    bs_log_marks_load(o->options.outbox, o->marks);
    memcpy(o->stored_marks, o->marks, sizeof o->marks);
    o->influx.at = o->influx.high = clamp(o->marks[BS_OUTLET_DELIVERED], first, head);
    o->file.at = o->file.high = clamp(o->marks[BS_OUTLET_FILE_WRITTEN], first, head);
    uint64_t unresolved = o->marks[BS_OUTLET_UNRESOLVED];
    enum bs_delivery_api api =
        (enum bs_delivery_api)(o->options.conf->influxdb.api - 1 + BS_DELIVERY_V1);
    /* What was not delivered may have been on its way when the power went, and its mark was not on
     * the disk yet: the database may still apply it, after newer rows. */
    uint64_t from = unresolved > 0 ? smaller(unresolved - 1, o->influx.at) : o->influx.at;
    bool any = o->influx.used && from < head;
    bs_delivery_init(&o->delivery, api, any ? clamp(from, first, head) : BS_DELIVERY_NOWHERE);
    o->counted = outlet_slowest(o);
    o->reader = o->counted;
    bs_log_seek(o->options.outbox, o->counted);
    outlet_store_marks(o);
}

void outlet_release(struct bs_outlet *o)
{
    uint64_t position = kept_from(o);
    if (position <= o->released)
        return;
    o->released = position;
    bs_log_release(o->options.outbox, position);
    if (o->reader < position)
        o->reader = position; /* releasing took the log's reading place along */
}

static void find_oldest(struct bs_outlet *o)
{
    uint64_t at = outlet_slowest(o);
    struct outlet_record record;
    if (at == o->counted) {
        o->oldest.ms = BS_NEVER_MS;
    } else if (at != o->oldest_at || o->oldest.ms == BS_NEVER_MS) {
        if (outlet_read(o, at, &record))
            o->oldest = record.tick;
    }
    o->oldest_at = at;
}

/* Turns --------------------------------------------------------------------------------------- */

static void on_part_closed(struct bs_outlet *o)
{
    bs_check(o->closing_parts > 0);
    if (--o->closing_parts > 0)
        return;
    o->closed = true;
    o->done(o->done_context);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void on_poster_closed(void *context)
{
    on_part_closed(context);
}

/* A transfer that is cut off here stays marked as unresolved. */
static void close_all(struct bs_outlet *o)
{
    outlet_store_marks(o);
    outlet_drop_batch(o);
    o->closing = true;
    o->closing_parts = 1;
    uv_close((uv_handle_t *)&o->timer, on_timer_closed);
    if (o->poster) {
        o->closing_parts++;
        bs_influx_close(o->poster, on_poster_closed, o);
    }
    bs_points_file_close(o->points_file);
    bs_points_file_close(o->letters.file);
}

/* While finishing: nothing is left, or what is left cannot go in time. */
static bool is_finished(const struct bs_outlet *o, bool more)
{
    if (outlet_now_ms(o) >= o->deadline_ms)
        return true;
    if (more || o->in_flight)
        return false;
    bool influx_hopes = o->influx.used && o->influx.high < o->counted &&
                        o->delivery.again_ms < o->deadline_ms &&
                        o->letters.again_ms < o->deadline_ms;
    bool file_hopes = o->file.used && o->file.at < o->counted && o->file_error == 0;
    return !influx_hopes && !file_hopes;
}

static void on_timer(uv_timer_t *timer)
{
    outlet_turn(timer->data);
}

static void arm(struct bs_outlet *o, bool more)
{
    uint64_t now_ms = outlet_now_ms(o);
    uint64_t due_ms = more ? now_ms : outlet_send_due_ms(o);
    if (o->file.used && o->file.at < o->counted && o->file_again_ms > now_ms)
        due_ms = smaller(due_ms, o->file_again_ms);
    if (o->finishing) /* and nobody may be left who wakes us when the intake is synced */
        due_ms = smaller(due_ms, smaller(o->deadline_ms, now_ms + FINISHING_TURN_MS));
    if (due_ms == OUTLET_NEVER_MS)
        uv_timer_stop(&o->timer);
    else
        /* Never 0: libuv runs such a timer again before it looks at any socket. */
        uv_timer_start(&o->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 1, 0);
}

void outlet_turn(struct bs_outlet *o)
{
    if (o->closing)
        return;
    bool more = outlet_count(o);
    more |= outlet_feed_file(o);
    outlet_send(o);
    find_oldest(o);
    outlet_store_marks(o);
    outlet_release(o);
    more = more || !outlet_sleep(o);
    if (o->finishing && is_finished(o, more))
        close_all(o);
    else
        arm(o, more);
}

void bs_outlet_wake(struct bs_outlet *outlet)
{
    if (!outlet->closing)
        uv_timer_start(&outlet->timer, on_timer, 0, 0);
}

void outlet_changed(struct bs_outlet *o)
{
    if (o->options.on_change && !o->closing)
        o->options.on_change(o->options.context);
}

/* Life ---------------------------------------------------------------------------------------- */

static enum bs_status open_file(struct bs_outlet *o, char *ret_error, size_t ret_error_bytes)
{
    const struct bs_conf *conf = o->options.conf;
    if (!o->file.used)
        return BS_OK;
    int error = 0;
    enum bs_status status = bs_points_file_open(
        &o->points_file, conf->output.file, (uint64_t)conf->output.file_max_mb << 20, 0640, &error);
    if (status != BS_OK)
        snprintf(ret_error, ret_error_bytes, "%s: %s", conf->output.file, strerror(error));
    return status;
}

static enum bs_status open_influx(struct bs_outlet *o, char *ret_error, size_t ret_error_bytes)
{
    const struct bs_conf *conf = o->options.conf;
    if (!o->influx.used)
        return BS_OK;
    o->parts_max = smaller(conf->influxdb.batch_points, PARTS_MAX);
    o->parts = calloc(o->parts_max, sizeof *o->parts);
    enum bs_status status = BS_NO_MEMORY;
    if (o->parts)
        status = bs_influx_new(&o->poster, &(struct bs_influx_options){
                                               .url = conf->influxdb.url,
                                               .api = conf->influxdb.api == 3   ? BS_INFLUX_V3
                                                      : conf->influxdb.api == 2 ? BS_INFLUX_V2
                                                                                : BS_INFLUX_V1,
                                               .database = conf->influxdb.database,
                                               .retention_policy = conf->influxdb.retention_policy,
                                               .org = conf->influxdb.org,
                                               .bucket = conf->influxdb.bucket,
                                               .username = conf->influxdb.username,
                                               .password = conf->influxdb.password,
                                               .token = conf->influxdb.token,
                                               .ca_file = conf->influxdb.ca_file,
                                               .gzip = conf->influxdb.gzip,
                                               .timeout_ms = conf->influxdb.timeout_ms,
                                               .loop = o->options.loop,
                                           });
    if (status != BS_OK)
        snprintf(ret_error, ret_error_bytes, "influxdb: %s: %s", conf->influxdb.url,
                 bs_status_text(status));
    return status;
}

enum bs_status bs_outlet_new(struct bs_outlet **ret, const struct bs_outlet_options *options,
                             char *ret_error, size_t ret_error_bytes)
{
    struct bs_outlet *o = calloc(1, sizeof *o);
    if (!o) {
        snprintf(ret_error, ret_error_bytes, "%s", bs_status_text(BS_NO_MEMORY));
        return BS_NO_MEMORY;
    }
    o->options = *options;
    o->file.used = options->conf->output.file != NULL;
    o->influx.used = options->conf->influxdb.url != NULL;
    bs_check(o->file.used || o->influx.used);
    enum bs_status status = open_file(o, ret_error, ret_error_bytes);
    if (status == BS_OK)
        status = open_influx(o, ret_error, ret_error_bytes);
    if (status != BS_OK) {
        bs_points_file_close(o->points_file);
        free(o->parts);
        free(o);
        return status;
    }
    bs_random_init(&o->random, options->jitter_seed);
    o->first_wait_ms = o->file_full_since_ms = OUTLET_NEVER_MS;
    o->oldest.ms = BS_NEVER_MS;
    o->part_max = UINT32_MAX;
    load_marks(o);
    uv_timer_init(options->loop, &o->timer);
    o->timer.data = o;
    bs_outlet_wake(o);
    *ret = o;
    return BS_OK;
}

static enum bs_outlet_influx influx_state(const struct bs_outlet *o)
{
    if (!o->influx.used)
        return BS_OUTLET_INFLUX_NONE;
    if (o->letters.trouble[0])
        return BS_OUTLET_INFLUX_RETRYING;
    return BS_OUTLET_INFLUX_OK + (unsigned)o->delivery.state;
}

void bs_outlet_get_state(const struct bs_outlet *outlet, struct bs_outlet_state *ret)
{
    const struct bs_outlet *o = outlet;
    uint64_t points = o->file.waiting > o->influx.waiting ? o->file.waiting : o->influx.waiting;
    *ret = (struct bs_outlet_state){
        .points = points,
        .bytes = o->counted - outlet_slowest(o),
        .fresh_bytes = bs_log_head(o->options.outbox) - o->counted,
        .oldest = o->oldest,
        .delivered = o->marks[BS_OUTLET_DELIVERED_POINTS],
        .dropped = o->marks[BS_OUTLET_DROPPED_POINTS],
        .dead_letters = o->marks[BS_OUTLET_DEAD_LETTERS],
        .points_expired = o->marks[BS_OUTLET_EXPIRED_POINTS],
        .transfers = o->transfers,
        .influx = influx_state(o),
        .error = o->letters.trouble[0] ? o->letters.trouble : o->delivery.error,
        .letters_error = o->letters.trouble,
        .file_error = o->file_error,
    };
}

void bs_outlet_finish(struct bs_outlet *outlet, uint64_t budget_ms, void (*done)(void *context),
                      void *context)
{
    bs_check(!outlet->finishing);
    uv_update_time(outlet->options.loop);
    outlet->finishing = true;
    outlet->deadline_ms = outlet_now_ms(outlet) + budget_ms;
    outlet->done = done;
    outlet->done_context = context;
    /* One more try at once, for a server that is back already; one that refuses stays as it is. */
    if (outlet->delivery.state == BS_DELIVERY_RETRYING)
        outlet->delivery.again_ms = 0;
    bs_outlet_wake(outlet);
}

void bs_outlet_free(struct bs_outlet *outlet)
{
    if (!outlet)
        return;
    bs_check(outlet->closed);
    free(outlet->parts);
    free(outlet);
}
