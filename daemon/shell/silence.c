/* One comparison of three times. Must never read a clock. */
#include "silence.h"

#define MINUTE_NS (60 * UINT64_C(1000000000))

/* A message is stamped with the coarse clock, which may lag behind that of the connection; one of
 * the connection before costs only that the silence is noticed later. */
#define LAG_NS    UINT64_C(1000000000)

enum bs_silence_kind bs_silence_judge(struct bs_silence *s, uint64_t now_ns, uint64_t connected_ns,
                                      uint64_t last_message_ns)
{
    bool heard = last_message_ns + LAG_NS >= connected_ns;
    uint64_t since_ns = heard ? last_message_ns : connected_ns;
    uint64_t limit_ns = (heard ? BS_SILENCE_SINCE_MIN : BS_SILENCE_AT_ONCE_MIN) * MINUTE_NS;
    if (connected_ns == 0 || since_ns == s->said_ns || now_ns < since_ns + limit_ns)
        return BS_SILENCE_NONE;
    s->said_ns = since_ns;
    return heard ? BS_SILENCE_SINCE : BS_SILENCE_AT_ONCE;
}
