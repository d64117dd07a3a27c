/* The service document. Must never quote a document's text: it is read by whoever may read the
 * broker. Ids it may name. */
#include "service.h"

#include "backstep/edge/process.h"

#include <stdio.h>
#include <string.h>

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

static bool is_connected(const struct bs_service_view *v)
{
    return v->mqtt.phase == BS_MQTT_ONLINE || v->mqtt.phase == BS_MQTT_SUBSCRIBING;
}

static void add_mqtt(const struct bs_service_view *v, struct bs_buffer *out)
{
    bs_buffer_add_format(out, "\"mqtt\":{\"connected\":%s,\"last_message_age_s\":",
                         is_connected(v) ? "true" : "false");
    if (v->last_message_age_ms < 0)
        bs_buffer_add_text(out, "null");
    else
        bs_buffer_add_format(out, "%.3f", seconds(v->last_message_age_ms));
    bs_buffer_add_text(out, "},");
}

static const char *influx_word(enum bs_outlet_influx state)
{
    switch (state) {
    case BS_OUTLET_INFLUX_RETRYING:
        return "retrying";
    case BS_OUTLET_INFLUX_REFUSED:
        return "refused";
    case BS_OUTLET_INFLUX_NONE:
    case BS_OUTLET_INFLUX_OK:
        break;
    }
    return "ok";
}

/* A server's words may be anything: what is not UTF-8 would spoil the whole document. */
static struct bs_slice presentable(const char *text)
{
    struct bs_slice s = bs_slice_text(text);
    return bs_slice_is_utf8(s) ? s : BS_SLICE("(an answer that is not text)");
}

static void add_influx(const struct bs_service_view *v, struct bs_buffer *out)
{
    bs_buffer_add_format(
        out, "\"influxdb\":{\"state\":\"%s\",\"error\":", influx_word(v->outlet.influx));
    bs_buffer_add_json_string(out, presentable(v->outlet.error));
    bs_buffer_add_text(out, "},");
}

static void add_outbox(const struct bs_service_view *v, struct bs_buffer *out)
{
    const struct bs_outlet_state *o = &v->outlet;
    bs_buffer_add_format(out,
                         "\"outbox\":{\"points\":%llu,\"bytes\":%llu,\"oldest_s\":%.3f,"
                         "\"delivered\":%llu,\"dropped\":%llu,\"dead_letters\":%llu,"
                         "\"points_expired\":%llu},",
                         (unsigned long long)o->points, (unsigned long long)o->bytes,
                         seconds(v->outbox_oldest_age_ms), (unsigned long long)o->delivered,
                         (unsigned long long)o->dropped, (unsigned long long)o->dead_letters,
                         (unsigned long long)o->points_expired);
}

void bs_service_write(const struct bs_service_view *v, struct bs_buffer *out)
{
    bs_buffer_reset(out);
    bs_buffer_add_format(out, "{\"state\":\"%s\",\"reason\":", v->state);
    bs_buffer_add_json_string(out, presentable(v->reason));
    bs_buffer_add_format(out, ",\"version\":\"%s\",\"uptime_s\":%.3f,\"pid\":%d,", BACKSTEP_VERSION,
                         seconds(v->uptime_ms), (int)bs_process_id());
    add_mqtt(v, out);
    add_influx(v, out);
    bs_buffer_add_text(out, "\"books\":");
    bs_books_write(v->books, out);
    bs_buffer_add_format(out, ",\"intake\":{\"lag_bytes\":%llu,\"lag_s\":%.3f},",
                         (unsigned long long)v->lag_bytes, seconds(v->lag_ms));
    add_outbox(v, out);
    bs_buffer_add_format(out, "\"held\":{\"members\":%u,\"devices\":%u,\"windows\":%u},",
                         v->held.members, v->held.devices, v->held.windows);
    bs_buffer_add_format(out,
                         "\"rss_bytes\":%llu,\"slowest_turn_ms\":%.3f,"
                         "\"config\":{\"not_on_broker\":",
                         (unsigned long long)bs_process_resident_bytes(),
                         (double)v->slowest_turn_ns / 1e6);
    bs_buffer_add(out, v->absent);
    bs_buffer_add_format(out, ",\"not_on_broker_count\":%zu}}", v->absent_count);
}

/* The row. */

static void add_number(void *line, const char *name, uint64_t value)
{
    bs_line_integer(line, bs_slice_text(name), value);
}

static void add_row_state(const struct bs_service_view *v, struct bs_line *line)
{
    bs_line_float(line, BS_SLICE("uptime_s"), seconds(v->uptime_ms));
    bs_line_boolean(line, BS_SLICE("mqtt_connected"), is_connected(v));
    if (v->last_message_age_ms >= 0)
        bs_line_float(line, BS_SLICE("mqtt_last_message_age_s"), seconds(v->last_message_age_ms));
    add_number(line, "intake_lag_bytes", v->lag_bytes);
    bs_line_float(line, BS_SLICE("intake_lag_s"), seconds(v->lag_ms));
    add_number(line, "held_members", v->held.members);
    add_number(line, "held_devices", v->held.devices);
    add_number(line, "held_windows", v->held.windows);
    add_number(line, "pid", (uint64_t)bs_process_id());
    add_number(line, "rss_bytes", bs_process_resident_bytes());
    bs_line_float(line, BS_SLICE("slowest_turn_ms"), (double)v->slowest_turn_ns / 1e6);
    add_number(line, "config_not_on_broker_count", v->absent_count);
}

static void add_row_outbox(const struct bs_service_view *v, struct bs_line *line)
{
    add_number(line, "outbox_points", v->outlet.points);
    add_number(line, "outbox_bytes", v->outlet.bytes);
    bs_line_float(line, BS_SLICE("outbox_oldest_s"), seconds(v->outbox_oldest_age_ms));
    add_number(line, "outbox_delivered", v->outlet.delivered);
    add_number(line, "outbox_dropped", v->outlet.dropped);
    add_number(line, "outbox_dead_letters", v->outlet.dead_letters);
    add_number(line, "outbox_points_expired", v->outlet.points_expired);
}

struct bs_slice bs_service_write_row(const struct bs_service_view *v, const char *site,
                                     const char *instance, int64_t wall_ms, struct bs_line *line)
{
    /* Both match the grammar of ids: nothing in them needs escaping. */
    bs_line_begin(line, BS_SLICE("backstep_service,instance="));
    bs_line_add(line, bs_slice_text(instance));
    bs_line_add(line, BS_SLICE(",site="));
    bs_line_add(line, bs_slice_text(site));
    add_row_state(v, line);
    bs_books_each(v->books, add_number, line);
    add_row_outbox(v, line);
    return bs_line_end(line, wall_ms);
}

static const char *broker_words(const struct bs_service_view *v)
{
    switch (v->mqtt.phase) {
    case BS_MQTT_WAITING:
    case BS_MQTT_CONNECTING:
        return "waiting for the broker at";
    case BS_MQTT_SUBSCRIBING:
        return "subscribing at";
    case BS_MQTT_ONLINE:
        return "online at";
    case BS_MQTT_HELD: /* by us: in trouble, or before the first connection */
        return v->reason[0] ? "away from" : "about to connect to";
    case BS_MQTT_STOPPED:
        break;
    }
    return "stopped, was at";
}

void bs_service_sentence(const struct bs_service_view *v, struct bs_buffer *out)
{
    bs_buffer_reset(out);
    if (v->reason[0])
        bs_buffer_add_format(out, "stalled: %.250s; ", v->reason);
    bs_buffer_add_format(out, "%s %.200s", broker_words(v), v->broker);
    if (v->mqtt.phase != BS_MQTT_ONLINE && v->mqtt.error[0])
        bs_buffer_add_format(out, " (%s)", v->mqtt.error);
    bs_buffer_add_format(out, "; %llu steps counted", (unsigned long long)v->books->steps_counted);
    if (v->outlet.letters_error[0])
        bs_buffer_add_format(out, "; %llu rows wait", (unsigned long long)v->outlet.points);
    else if (v->outlet.influx == BS_OUTLET_INFLUX_RETRYING ||
             v->outlet.influx == BS_OUTLET_INFLUX_REFUSED)
        bs_buffer_add_format(out, "; InfluxDB %s, %llu rows wait: %.200s",
                             v->outlet.influx == BS_OUTLET_INFLUX_REFUSED ? "refuses"
                                                                          : "does not answer",
                             (unsigned long long)v->outlet.points, v->outlet.error);
}
