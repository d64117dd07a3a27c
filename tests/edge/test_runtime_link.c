/* The runtime and the broker's connections: another one is noticed, whatever of the loss was seen.
 */
#include "runtime_scene.h"

/* The loop is busy from before the loss until the next connection stands. */
static void another_connection_is_noticed(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    bs_runtime_link_connect(&s.rt);
    expect_online(s.rt.mqtt, 1);
    bs_runtime_look_around(&s.rt);
    assert_int_equal(s.rt.documents, BS_DOCUMENTS_COMING);
    s.rt.documents = BS_DOCUMENTS_HERE;
    int64_t first_ms = s.rt.connected_at.ms;
    bs_runtime_look_around(&s.rt);
    assert_int_equal(s.rt.documents, BS_DOCUMENTS_HERE);
    assert_int_equal(s.rt.connected_at.ms, first_ms);

    broker_end(&broker, SIGKILL);
    broker_run(&broker);
    expect_online(s.rt.mqtt, 2);
    bs_runtime_look_around(&s.rt);
    assert_int_equal(s.rt.documents, BS_DOCUMENTS_COMING);
    if (s.rt.connected_at.ms <= first_ms)
        fail_msg("connected at %lld, and then at %lld", (long long)first_ms,
                 (long long)s.rt.connected_at.ms);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_connection_is_noticed, set_up, tear_down),
    };
    return skipped() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
