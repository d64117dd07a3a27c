/* Publications in few words. Must never hide one that says something new. */
#include "said.h"

#include "world.h"

/* The string or word behind `name":` from `*at` on, which goes on behind it; "" where it is not. */
static struct bs_slice value_of(struct bs_slice *at, const char *name)
{
    char key[64];
    size_t length = (size_t)snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = memmem(at->at, at->length, key, length);
    if (!found)
        return BS_SLICE("");
    struct bs_slice rest = bs_slice_after(*at, (size_t)(found - at->at) + length);
    bool quoted = rest.length > 0 && rest.at[0] == '"';
    rest = bs_slice_after(rest, quoted);
    size_t end = 0;
    while (end < rest.length && (quoted ? rest.at[end] != '"' : !memchr(",}", rest.at[end], 2)))
        end += rest.at[end] == '\\' ? 2 : 1;
    end = end < rest.length ? end : rest.length;
    *at = bs_slice_after(rest, end);
    return bs_slice_of(rest.at, end);
}

static void add(char *text, size_t bytes, const char *before, struct bs_slice s)
{
    size_t length = strlen(text);
    if (s.length > 0)
        snprintf(text + length, bytes - length, "%s%.*s", before, (int)s.length, s.at);
}

static void note_service(struct sim_said *s, struct bs_slice payload)
{
    char text[sizeof s->service] = "";
    add(text, sizeof text, "", value_of(&payload, "state"));
    add(text, sizeof text, ": ", value_of(&payload, "reason"));
    add(text, sizeof text, "; influxdb ", value_of(&payload, "state"));
    add(text, sizeof text, ": ", value_of(&payload, "error"));
    if (strcmp(text, s->service) == 0)
        return;
    memcpy(s->service, text, sizeof text);
    sim_trace("service %s", text);
}

static void note_result(struct bs_slice of, struct bs_slice payload)
{
    char text[1024] = "";
    if (payload.length == 0) {
        sim_trace("result %.*s deleted", (int)of.length, of.at);
        return;
    }
    bool ok = bs_slice_equal(value_of(&payload, "ok"), BS_SLICE("true"));
    add(text, sizeof text, " rev ", value_of(&payload, "rev"));
    add(text, sizeof text, ok ? " warning " : " at ", value_of(&payload, "pointer"));
    add(text, sizeof text, ": ", value_of(&payload, "message"));
    sim_trace("result %.*s %s%s", (int)of.length, of.at, ok ? "ok" : "refused", text);
}

void sim_said_note(struct sim_said *s, struct bs_slice topic, struct bs_slice payload)
{
    if (!world->trace || !bs_slice_starts(topic, BS_SLICE(SIM_ROOT "/")))
        return;
    struct bs_slice below = bs_slice_after(topic, sizeof SIM_ROOT);
    if (bs_slice_starts(below, BS_SLICE("service/")))
        note_service(s, payload);
    else if (bs_slice_starts(below, BS_SLICE("result/")))
        note_result(bs_slice_after(below, 7), payload);
}
