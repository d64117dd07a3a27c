/* Words for the service document. Must take any document: another version may have written it. */
#include "service_words.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>

#define LABEL "  %-10s "

static const cJSON *item(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *n = item(object, key);
    return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static const char *text(const cJSON *object, const char *key)
{
    const char *t = cJSON_GetStringValue(item(object, key));
    return t ? t : "";
}

/* A foreign text: nothing in it may steer the terminal. */
static void put_text(const char *t, FILE *to)
{
    for (; *t; t++)
        fputc((unsigned char)*t < 0x20 || *t == 0x7f ? '?' : *t, to);
}

static void put_duration(double seconds, FILE *to)
{
    if (seconds < 60)
        fprintf(to, "%.1f s", seconds);
    else if (seconds < 3600)
        fprintf(to, "%.0f min %.0f s", floor(seconds / 60), floor(fmod(seconds, 60)));
    else if (seconds < 86400)
        fprintf(to, "%.0f h %.0f min", floor(seconds / 3600), floor(fmod(seconds, 3600) / 60));
    else
        fprintf(to, "%.0f d %.0f h", floor(seconds / 86400), floor(fmod(seconds, 86400) / 3600));
}

static void put_bytes(double bytes, FILE *to)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        fprintf(to, "%.0f bytes", bytes);
        return;
    }
    size_t unit = 0;
    for (bytes /= 1024; bytes >= 1024 && unit < 3; unit++)
        bytes /= 1024;
    fprintf(to, "%.1f %s", bytes, units[unit]);
}

static void write_state(const cJSON *d, const char *instance, const char *site, FILE *to)
{
    fprintf(to, "%s at %s: ", instance, site);
    put_text(text(d, "state"), to);
    if (*text(d, "reason")) {
        fputs(", ", to);
        put_text(text(d, "reason"), to);
    }
    fputc('\n', to);
}

static void write_process(const cJSON *d, FILE *to)
{
    if (!item(d, "version"))
        return;
    fprintf(to, LABEL, "process");
    put_text(text(d, "version"), to);
    fprintf(to, ", pid %.0f, up ", number(d, "pid"));
    put_duration(number(d, "uptime_s"), to);
    fputs(", ", to);
    put_bytes(number(d, "rss_bytes"), to);
    fputs(" in memory\n", to);
}

static void write_broker(const cJSON *mqtt, FILE *to)
{
    if (!mqtt)
        return;
    fprintf(to, LABEL "%s", "broker",
            cJSON_IsTrue(item(mqtt, "connected")) ? "connected" : "not connected");
    if (cJSON_IsNumber(item(mqtt, "last_message_age_s"))) {
        fputs(", last message ", to);
        put_duration(number(mqtt, "last_message_age_s"), to);
        fputs(" before", to);
    }
    fputc('\n', to);
}

static void write_influx(const cJSON *influx, FILE *to)
{
    if (!influx)
        return;
    fprintf(to, LABEL, "InfluxDB");
    put_text(text(influx, "state"), to);
    if (*text(influx, "error")) {
        fputs(": ", to);
        put_text(text(influx, "error"), to);
    }
    fputc('\n', to);
}

/* Gives the sum of the reasons; those at zero are not named. */
static double sum(const cJSON *reasons)
{
    double total = 0;
    const cJSON *reason;
    cJSON_ArrayForEach(reason, reasons) total += cJSON_IsNumber(reason) ? reason->valuedouble : 0;
    return total;
}

static void put_reasons(const cJSON *reasons, FILE *to)
{
    const char *between = " (";
    const cJSON *reason;
    cJSON_ArrayForEach(reason, reasons)
    {
        if (!reason->string || !cJSON_IsNumber(reason) || reason->valuedouble <= 0)
            continue;
        fputs(between, to);
        put_text(reason->string, to);
        fprintf(to, " %.0f", reason->valuedouble);
        between = ", ";
    }
    if (*between == ',')
        fputc(')', to);
}

static void put_balance(double received, double accounted, FILE *to)
{
    if (received == accounted)
        fputs(": balanced", to);
    else
        fprintf(to, ": NOT balanced by %.0f", received - accounted);
}

static void write_books(const cJSON *books, FILE *to)
{
    if (!books)
        return;
    const cJSON *messages = item(books, "messages_rejected"),
                *steps = item(books, "steps_rejected");
    double received = number(books, "messages_received"), parsed = number(books, "messages_parsed");
    fprintf(to, LABEL "%.0f received = %.0f parsed + %.0f rejected", "messages", received, parsed,
            sum(messages));
    put_reasons(messages, to);
    put_balance(received, parsed + sum(messages), to);
    received = number(books, "steps_received");
    double counted = number(books, "steps_counted"), fused = number(books, "steps_fused");
    fprintf(to, "\n" LABEL "%.0f received = %.0f counted + %.0f fused + %.0f rejected", "steps",
            received, counted, fused, sum(steps));
    put_reasons(steps, to);
    put_balance(received, counted + fused + sum(steps), to);
    if (number(books, "steps_waiting") > 0)
        fprintf(to, "; %.0f wait for their order", number(books, "steps_waiting"));
    fputc('\n', to);
}

static void write_intake(const cJSON *intake, FILE *to)
{
    if (!intake)
        return;
    fprintf(to, LABEL, "intake");
    if (number(intake, "lag_bytes") > 0) {
        put_bytes(number(intake, "lag_bytes"), to);
        fputs(" behind, ", to);
        put_duration(number(intake, "lag_s"), to);
    } else {
        fputs("up to date", to);
    }
    fputc('\n', to);
}

static void write_outbox(const cJSON *outbox, FILE *to)
{
    if (!outbox)
        return;
    fprintf(to, LABEL "%.0f points wait (", "outbox", number(outbox, "points"));
    put_bytes(number(outbox, "bytes"), to);
    if (number(outbox, "points") > 0) {
        fputs(", the oldest for ", to);
        put_duration(number(outbox, "oldest_s"), to);
    }
    fprintf(to, "), %.0f delivered, %.0f dropped, %.0f dead letters, %.0f beyond retention\n",
            number(outbox, "delivered"), number(outbox, "dropped"), number(outbox, "dead_letters"),
            number(outbox, "points_expired"));
}

static void write_held(const cJSON *held, FILE *to)
{
    if (held)
        fprintf(to, LABEL "%.0f members, %.0f devices, %.0f windows\n", "held",
                number(held, "members"), number(held, "devices"), number(held, "windows"));
}

/* The list ends where it is long; the count does not. */
static void write_documents(const cJSON *config, FILE *to)
{
    const cJSON *absent = item(config, "not_on_broker"), *name;
    if (!absent)
        return;
    double listed = cJSON_GetArraySize(absent), count = number(config, "not_on_broker_count");
    fprintf(to, LABEL, "documents");
    if (listed == 0 && count == 0) {
        fputs("the broker has all that are in force\n", to);
        return;
    }
    fprintf(to, "%.0f in force that the broker does not have:", count > listed ? count : listed);
    cJSON_ArrayForEach(name, absent)
    {
        fputc(' ', to);
        put_text(cJSON_IsString(name) ? name->valuestring : "?", to);
    }
    fputs(count > listed ? " ...\n" : "\n", to);
}

void bs_service_words_write(const cJSON *document, const char *instance, const char *site, FILE *to)
{
    write_state(document, instance, site, to);
    write_process(document, to);
    write_broker(item(document, "mqtt"), to);
    write_influx(item(document, "influxdb"), to);
    write_books(item(document, "books"), to);
    write_intake(item(document, "intake"), to);
    write_outbox(item(document, "outbox"), to);
    write_held(item(document, "held"), to);
    write_documents(item(document, "config"), to);
}
