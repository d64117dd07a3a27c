/* Memory that runs out at every single allocation of a member's document: it is rejected, or its
 * consent holds from then on, whether it found the memory to take effect or not. */
#include "engine_world.h"
#include "failing_memory.h"

#include <string.h>

static const struct bs_books *books(const struct world *w)
{
    return bs_engine_books(w->engine);
}

static void step(struct world *w, const char *device, unsigned seq)
{
    world_step(w, device, "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld}", seq, (long long)w->tick);
}

/* A guest becomes a member. False where an allocation was refused. */
static bool name_a_guest(const char *consent, int allowed, uint64_t *without_effect)
{
    struct world w;
    char document[96];
    world_begin(&w);
    world_welcome_guests(&w, "");
    step(&w, "pod", 1);
    snprintf(document, sizeof document, "{\"consent\":\"%s\",\"devices\":[\"belt\",\"pod\"]}",
             consent);
    until_failure = allowed;
    world_say(&w, "config/member/m1", BS_RECORD_RETAINED, bs_slice_text(document));
    bool enough = until_failure >= 0;
    until_failure = -1;
    uint64_t accepted = books(&w)->config_accepted - 1, is_none = consent[0] == 'n';
    step(&w, "pod", 2);
    world_wait(&w, 500);
    step(&w, "belt", 1);
    if (books(&w)->steps_rejected[BS_STEP_NO_CONSENT] != 2 * accepted * is_none)
        fail_msg("%s, after %d allocations, accepted %d: %d steps without consent", consent,
                 allowed, (int)accepted, (int)books(&w)->steps_rejected[BS_STEP_NO_CONSENT]);
    world_wait(&w, 3000);
    bool named = strstr(world_lines(&w), "member=m1,phase=none,site=gym steps=2i") != NULL;
    if (named != (accepted && !is_none))
        fail_msg("%s, after %d allocations: a row of hers %d", consent, allowed, named);
    *without_effect += books(&w)->config_without_effect;
    world_end(&w);
    return enough;
}

static void consent_holds_without_memory(void **state)
{
    (void)state;
    static const char *const consents[] = {"none", "member"};
    for (int i = 0; i < 2; i++) {
        uint64_t without_effect = 0;
        int allowed = 0;
        while (!name_a_guest(consents[i], allowed, &without_effect))
            allowed++;
        assert_true(allowed > 3);
        assert_true(without_effect > 0); /* else nothing was tried */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consent_holds_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
