/* The documents of a simulated class. Must never write one that the daemon would reject. */
#include "class_documents.h"

#include "backstep/base/buffer.h"
#include "backstep/base/random.h"

#include <inttypes.h>
#include <stdio.h>

#define DOCUMENT_BYTES_MAX (64u * 1024)
#define PHASE_MS_MAX       7200000
#define REPEAT_MAX         100
#define END_GRACE_MS       60000 /* a session ends so long after its class */

const char *bs_class_documents_consent(const void *context, uint32_t member)
{
    const struct bs_class_documents *d = context;
    struct bs_random r;
    bs_random_init(&r, bs_class_seed(d->wearables->seed, 'c', member));
    return bs_random_unit(&r) * 100 < d->group_consent_pct ? "group" : "member";
}

const char *bs_class_documents_trouble(const struct bs_class_timetable *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->phases[i].length_ms % 1000 != 0 || t->phases[i].length_ms > PHASE_MS_MAX)
            return "the phases of a drill have whole seconds, at most 7200";
    }
    return NULL;
}

static enum bs_status send(const struct bs_sink *to, const char *kind, const char *id,
                           const struct bs_buffer *payload)
{
    char topic[128];
    snprintf(topic, sizeof topic, "config/%s/%s", kind, id);
    if (payload->failed)
        return BS_NO_MEMORY;
    return to->deliver(
        to->context,
        &(struct bs_parcel){.topic = topic, .retained = true, .payload = bs_buffer_slice(payload)});
}

static void write_settings(const struct bs_class_documents *d, struct bs_buffer *to)
{
    bs_buffer_add_format(to, "{\"rev\":1,\"unknown_devices\":\"%s\"}",
                         d->guests ? "guest" : "ignore");
}

static const char *phase_name(enum bs_direction direction)
{
    return direction == BS_DIRECTION_BACKWARD ? "back" : "forward";
}

static int64_t rounds(const struct bs_class_documents *d)
{
    const struct bs_class_timetable *t = &d->class->timetable;
    int64_t round_ms = 0, left_ms = d->class->duration_ms + t->ahead_ms;
    for (uint32_t i = 0; i < t->count; i++)
        round_ms += t->phases[i].length_ms;
    int64_t needed = d->class->duration_ms > 0 ? (left_ms + round_ms - 1) / round_ms : REPEAT_MAX;
    return needed < 1 ? 1 : needed > REPEAT_MAX ? REPEAT_MAX : needed;
}

static void write_drill(const struct bs_class_documents *d, struct bs_buffer *to)
{
    const struct bs_class_timetable *t = &d->class->timetable;
    const char *comma = "";
    bs_buffer_add_format(to, "{\"rev\":1,\"repeat\":%" PRId64 ",\"phases\":[", rounds(d));
    for (uint32_t i = 0; i < t->count; i++) {
        const struct bs_class_phase *phase = &t->phases[i];
        if (phase->length_ms == 0)
            continue;
        bs_buffer_add_format(to,
                             "%s{\"name\":\"%s\",\"direction\":\"%c\",\"duration_s\":%" PRId64 "}",
                             comma, phase_name(phase->direction),
                             bs_direction_letter(phase->direction), phase->length_ms / 1000);
        comma = ",";
    }
    bs_buffer_add_text(to, "]}");
}

static void write_member(const struct bs_class_documents *d, uint32_t member, struct bs_buffer *to)
{
    uint32_t sensors = d->wearables->sensors.count;
    bs_buffer_add_format(to, "{\"rev\":1,\"consent\":\"%s\",\"devices\":[",
                         bs_class_documents_consent(d, member));
    for (uint32_t i = 0; i < sensors; i++)
        bs_buffer_add_format(to, "%s\"%s\"", i > 0 ? "," : "",
                             bs_wearables_identities(d->worn)[member * sensors + i].id);
    bs_buffer_add_format(to, "],\"groups\":[\"%s\"]}", d->wearables->prefix);
}

static void write_session(const struct bs_class_documents *d, struct bs_buffer *to)
{
    bs_buffer_add_format(to, "{\"rev\":1,\"drill\":\"%s\",\"start\":\"", d->wearables->prefix);
    bs_buffer_add_iso_time(to, d->start_ms - d->class->timetable.ahead_ms);
    if (d->class->duration_ms > 0) {
        bs_buffer_add_text(to, "\",\"end\":\"");
        bs_buffer_add_iso_time(to, d->start_ms + d->class->duration_ms + END_GRACE_MS);
    }
    bs_buffer_add_text(to, "\"}");
}

static enum bs_status send_members(const struct bs_class_documents *d, const struct bs_sink *to,
                                   struct bs_buffer *text)
{
    enum bs_status status = BS_OK;
    for (uint32_t i = 0; status == BS_OK && i < d->wearables->members; i++) {
        char member[BS_ID_MAX + 1];
        bs_wearables_member(d->wearables, i, member);
        bs_buffer_reset(text);
        write_member(d, i, text);
        status = send(to, "member", member, text);
    }
    return status;
}

static enum bs_status send_group(const struct bs_class_documents *d, const struct bs_sink *to,
                                 struct bs_buffer *text)
{
    const char *id = d->wearables->prefix;
    bs_buffer_reset(text);
    bs_buffer_add_format(text, "{\"rev\":1,\"name\":\"%s\"}", "Simulated class");
    enum bs_status status = send(to, "group", id, text);
    if (status != BS_OK)
        return status;
    bs_buffer_reset(text);
    write_drill(d, text);
    return send(to, "drill", id, text);
}

static enum bs_status send_session(const struct bs_class_documents *d, const struct bs_sink *to,
                                   struct bs_buffer *text)
{
    bs_buffer_reset(text);
    write_session(d, text);
    return send(to, "session", d->wearables->prefix, text);
}

enum bs_status bs_class_documents_send(const struct bs_class_documents *d, const struct bs_sink *to)
{
    struct bs_buffer text;
    bs_buffer_init(&text, DOCUMENT_BYTES_MAX);
    write_settings(d, &text);
    enum bs_status status = send(to, "settings", "site", &text);
    if (status == BS_OK && !d->guests) {
        status = send_group(d, to, &text);
        if (status == BS_OK)
            status = send_members(d, to, &text);
        if (status == BS_OK)
            status = send_session(d, to, &text);
    }
    bs_buffer_fini(&text);
    return status;
}
