/* Any bytes as a topic, below the root and as they are: names that are valid, or none. */
#include "backstep/base/check.h"
#include "backstep/core/topic.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_topic(struct bs_topic t)
{
    bs_check(t.kind <= BS_TOPIC_OTHER);
    bs_check(t.valid == bs_slice_is_id(t.id));
    bs_check(!t.valid || t.kind != BS_TOPIC_OTHER);
    bs_check(bs_slice_is_id(t.document) == (t.valid && t.kind == BS_TOPIC_CONFIG));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bs_slice root = {"backstep/v1/north/", sizeof "backstep/v1/north/" - 1};
    check_topic(bs_topic_parse(root, bs_slice_of(data, size)));
    char *below = malloc(root.length + size);
    bs_check(below);
    memcpy(below, root.at, root.length);
    if (size)
        memcpy(below + root.length, data, size);
    check_topic(bs_topic_parse(root, bs_slice_of(below, root.length + size)));
    free(below);
    return 0;
}
