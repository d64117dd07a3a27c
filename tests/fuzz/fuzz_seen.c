/* Bytes as a sequence of `seq`: nothing is new twice, and the holes keep their order.
 * Each three bytes are an operation: what is moved (top two bits), and by how far. */
#include "backstep/base/check.h"
#include "backstep/core/seen.h"

#include <stdbool.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS_MAX 4096

static uint32_t next_seq(const uint8_t *at, uint32_t head, uint32_t last)
{
    uint32_t by = (uint32_t)(at[0] & 63) << 16 | (uint32_t)at[1] << 8 | at[2];
    switch (at[0] >> 6) {
    case 0:
        return last + 1 + by % 64;
    case 1:
        return head > by ? head - by : 0;
    case 2:
        return head < UINT32_MAX - by ? head + by : UINT32_MAX;
    default:
        return by << 10 | by >> 12;
    }
}

static void check_holes(const struct bs_seen *s)
{
    const struct bs_seen_hole *holes = bs_seen_holes(s);
    bs_check(s->hole_count <= BS_SEEN_HOLES_MAX);
    for (unsigned i = 0; i < s->hole_count; i++) {
        bs_check(holes[i].first <= holes[i].last);
        bs_check(i == 0 || holes[i].first - holes[i - 1].last > 1);
        bs_check(i == 0 || holes[i].first > holes[i - 1].last);
    }
    if (s->hole_count > 0) {
        bs_check(s->head >= BS_SEEN_BITS);
        bs_check(holes[s->hole_count - 1].last <= s->head - BS_SEEN_BITS);
        bs_check(!s->forgot || holes[0].first > s->forgotten_last);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t marked[CALLS_MAX];
    struct bs_seen s;
    uint32_t count = 0, last = 0;
    bs_seen_init(&s);
    for (size_t i = 0; i + 3 <= size && count < CALLS_MAX; i += 3) {
        uint32_t lost, seq = next_seq(data + i, s.head, last);
        bool twice = false;
        for (uint32_t k = 0; k < count && !twice; k++)
            twice = marked[k] == seq;
        enum bs_seen_verdict verdict = bs_seen_mark(&s, seq, &lost);
        bs_check(twice ? verdict != BS_SEEN_NEW : verdict != BS_SEEN_DUPLICATE);
        bs_check(lost <= BS_SEEN_BITS);
        check_holes(&s);
        if (verdict == BS_SEEN_NEW)
            marked[count++] = seq;
        last = seq;
    }
    bs_seen_fini(&s);
    return 0;
}
