/* The grammar of topics below the root. Must never look at a payload. */
#include "backstep/core/topic.h"

/* Splits `s` at its first slash; *ret_rest is what stands behind it. False where there is none. */
static bool split(struct bs_slice s, struct bs_slice *ret_level, struct bs_slice *ret_rest)
{
    const char *slash = s.length ? memchr(s.at, '/', s.length) : NULL;
    if (!slash)
        return false;
    *ret_level = bs_slice_of(s.at, (size_t)(slash - s.at));
    *ret_rest = bs_slice_after(s, ret_level->length + 1);
    return true;
}

static struct bs_slice last_level(struct bs_slice s)
{
    size_t from = s.length;
    while (from > 0 && s.at[from - 1] != '/')
        from--;
    return bs_slice_after(s, from);
}

static enum bs_topic_kind device_kind(struct bs_slice last)
{
    if (bs_slice_equal(last, BS_SLICE("steps")))
        return BS_TOPIC_STEPS;
    if (bs_slice_equal(last, BS_SLICE("birth")))
        return BS_TOPIC_BIRTH;
    if (bs_slice_equal(last, BS_SLICE("state")))
        return BS_TOPIC_STATE;
    return BS_TOPIC_OTHER;
}

static struct bs_topic parse_device(struct bs_slice below)
{
    struct bs_slice device = {0}, channel = {0};
    struct bs_topic topic = {.kind = device_kind(last_level(below))};
    if (topic.kind == BS_TOPIC_OTHER || !split(below, &device, &channel))
        return topic;
    /* A level too many leaves a slash in `channel`, which then is no channel. */
    if (device_kind(channel) != topic.kind || !bs_slice_is_id(device))
        return topic;
    topic.valid = true;
    topic.id = device;
    return topic;
}

static struct bs_topic parse_config(struct bs_slice below)
{
    struct bs_slice document = {0}, id = {0};
    struct bs_topic topic = {.kind = BS_TOPIC_CONFIG};
    if (!split(below, &document, &id) || !bs_slice_is_id(document) || !bs_slice_is_id(id))
        return topic;
    topic.valid = true;
    topic.document = document;
    topic.id = id;
    return topic;
}

static struct bs_topic parse_forget(struct bs_slice member)
{
    struct bs_topic topic = {.kind = BS_TOPIC_FORGET, .valid = bs_slice_is_id(member)};
    if (topic.valid)
        topic.id = member;
    return topic;
}

struct bs_topic bs_topic_parse(struct bs_slice root, struct bs_slice topic)
{
    static const struct {
        struct bs_slice prefix;
        struct bs_topic (*parse)(struct bs_slice below);
    } branches[] = {
        {BS_SLICE("device/"), parse_device},
        {BS_SLICE("config/"), parse_config},
        {BS_SLICE("command/forget/"), parse_forget},
    };
    struct bs_topic other = {.kind = BS_TOPIC_OTHER};
    if (!bs_slice_starts(topic, root))
        return other;
    struct bs_slice below = bs_slice_after(topic, root.length);
    for (size_t i = 0; i < sizeof branches / sizeof *branches; i++)
        if (bs_slice_starts(below, branches[i].prefix))
            return branches[i].parse(bs_slice_after(below, branches[i].prefix.length));
    return other;
}
