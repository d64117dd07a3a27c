/* Memory that runs out at every single allocation of a member's document: it is rejected, or its
 * consent holds from then on, whether it found the memory to take effect or not. */
#include "engine_world.h"
#include "failing_memory.h"

static const struct bs_books *books(const struct world *w)
{
    return bs_engine_books(w->engine);
}

static void step(struct world *w, const char *device, unsigned seq)
{
    world_step(w, device, "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld}", seq, (long long)w->tick);
}

/* A guest who becomes a member with consent `none`. False where an allocation was refused. */
static bool name_a_guest(int allowed, uint64_t *without_effect)
{
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, "");
    step(&w, "pod", 1);
    until_failure = allowed;
    world_say(&w, "config/member/m1", BS_RECORD_RETAINED,
              BS_SLICE("{\"consent\":\"none\",\"devices\":[\"belt\",\"pod\"]}"));
    bool enough = until_failure >= 0;
    until_failure = -1;
    bool accepted = books(&w)->config_accepted == 2;
    step(&w, "pod", 2);
    step(&w, "belt", 1);
    if (books(&w)->steps_rejected[BS_STEP_NO_CONSENT] != (accepted ? 2 : 0))
        fail_msg("after %d allocations, accepted %d: %llu steps without consent", allowed, accepted,
                 (unsigned long long)books(&w)->steps_rejected[BS_STEP_NO_CONSENT]);
    *without_effect += books(&w)->config_without_effect;
    world_end(&w);
    return enough;
}

static void consent_holds_without_memory(void **state)
{
    (void)state;
    uint64_t without_effect = 0;
    int allowed = 0;
    while (!name_a_guest(allowed, &without_effect))
        allowed++;
    assert_true(allowed > 3);
    assert_true(without_effect > 0); /* else nothing was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consent_holds_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
