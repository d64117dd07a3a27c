/* The course of the link against real brokers: none there, away on purpose, gone without a word,
 * refusing, replaced, silent; TLS; the last will. */
#include "mqtt_broker.h"

#include "backstep/base/random.h"

static int set_up_without_broker(void **state)
{
    (void)state;
    memset(&broker, 0, sizeof(broker));
    broker_prepare(&broker);
    sink_init(&sink);
    return 0;
}

static void test_it_comes_up_when_the_broker_does(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;

    (void)state;
    options.config_first = true;
    mqtt = start(&options);
    wait_for_error(mqtt, "no connection: ");
    usleep(600000);
    assert_in_range(state_of(mqtt).phase, BS_MQTT_WAITING, BS_MQTT_CONNECTING);
    assert_int_equal(state_of(mqtt).connects, 0);
    broker_run(&broker);
    expect_online(mqtt, 1);
    bs_mqtt_stop(mqtt);
}

static void test_a_held_start_waits_for_the_word(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer p;

    (void)state;
    peer_start(&p, &broker, "t/result/#");
    peer_publish(&p, "t/config/member/m1", "{}", true);
    options.start_held = true;
    mqtt = start(&options);
    put(mqtt, "t/result/a", "x");
    usleep(300000);
    assert_int_equal(state_of(mqtt).phase, BS_MQTT_HELD);
    assert_int_equal(sink_count(&p.sink), 0);
    bs_mqtt_connect(mqtt, true);
    expect_online(mqtt, 1);
    sink_expect(&p.sink, 1);
    /* Once by the link for the configuration, once by the session. */
    sink_expect(&sink, 2);
    bs_mqtt_stop(mqtt);
    peer_stop(&p);
}

static void test_hold_keeps_the_session_and_stays_away(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer p;

    (void)state;
    options.will_topic = "t/service/ours";
    options.will_payload = "offline";
    peer_start(&p, &broker, "t/service/#");
    mqtt = start(&options);
    expect_online(mqtt, 1);
    put(mqtt, "t/service/ours", "stalled");
    bs_mqtt_hold(mqtt);
    expect_phase(mqtt, BS_MQTT_HELD);
    sink_expect(&p.sink, 1);
    assert_string_equal(sink_get(&p.sink, 0).payload, "stalled");
    for (int i = 0; i < 50; i++) {
        peer_publish(&p, "t/device/a/steps", "while away", false);
    }
    assert_int_equal(state_of(mqtt).phase, BS_MQTT_HELD);
    assert_int_equal(sink_count(&sink), 0);
    put(mqtt, "t/service/ours", "stalled for long");
    sink_find(&p.sink, 1, "t/service/ours", "stalled for long");
    bs_mqtt_resume(mqtt);
    expect_online(mqtt, 2);
    sink_expect(&sink, 50);
    bs_mqtt_hold(mqtt);
    put(mqtt, "t/service/ours", "stalled again");
    sink_find(&p.sink, 2, "t/service/ours", "stalled again");
    put(mqtt, "t/service/ours", "stopped");
    bs_mqtt_stop(mqtt);
    sink_find(&p.sink, 3, "t/service/ours", "stopped");
    sink_expect(&p.sink, 4);
    peer_stop(&p);
}

/* However often and fast the owner changes its mind, its last wish is fulfilled. */
static void test_many_wishes_end_in_the_last(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt = start(&options);
    uint64_t seed = now_ms();
    struct bs_random random;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    bs_random_init(&random, seed);
    for (int i = 0; i < 40; i++) {
        put(mqtt, "t/service/ours", i % 2 ? "online" : "stalled");
        (i % 2 ? bs_mqtt_resume : bs_mqtt_hold)(mqtt);
        usleep((unsigned)bs_random_below(&random, i % 8 == 0 ? 300000 : 5000));
    }
    put(mqtt, "t/service/ours", "at last");
    expect_phase(mqtt, BS_MQTT_ONLINE);
    struct peer p;
    peer_start(&p, &broker, "t/service/#");
    sink_find(&p.sink, 0, "t/service/ours", "at last");
    peer_stop(&p);
    bs_mqtt_stop(mqtt);
}

static _Atomic int refusals;

static bool refuse_some(void *context, const struct bs_mqtt_message *message)
{
    char last = message->payload.at[message->payload.length - 1];

    if (last == '7' && refusals > 0) {
        refusals--;
        return false;
    }
    return sink_add(context, message);
}

static void publish_100(void)
{
    struct peer p;
    char text[16];

    peer_start(&p, &broker, NULL);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%d", i);
        peer_publish(&p, "t/device/a/steps", text, false);
    }
    peer_stop(&p); /* in this process its connection would be cut, too */
}

/* Of what was received from `from` on: all 100, each the first time in its turn. What was stored
 * may come again: a cut can reach an acknowledgement that is on its way. */
static size_t find_100(size_t from)
{
    uint64_t until = now_ms() + WAIT_MS;
    int next = 0;

    while (next < 100 && now_ms() < until) {
        if (from == sink_count(&sink)) {
            nap();
        } else if (atoi(sink_get(&sink, from).payload) == next) {
            next++;
            from++;
        } else {
            assert_true(atoi(sink_get(&sink, from).payload) < next);
            from++;
        }
    }
    assert_int_equal(next, 100);
    return from;
}

/* Nothing that was not stored is acknowledged, nor anything behind it: all of it comes again. */
static void test_what_is_not_stored_comes_again(void **state)
{
    static const int versions[] = {5, 311};
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    size_t from = 0;

    (void)state;
    options.on_message = refuse_some;
    for (size_t version = 0; version < 2; version++) {
        struct bs_mqtt *mqtt;

        options.version = versions[version];
        mqtt = start(&options);
        expect_online(mqtt, 1);
        bs_mqtt_hold(mqtt);
        expect_phase(mqtt, BS_MQTT_HELD);
        publish_100();
        refusals = 5;
        bs_mqtt_resume(mqtt);
        from = find_100(from);
        assert_int_equal(refusals, 0);
        expect_phase(mqtt, BS_MQTT_ONLINE);
        bs_mqtt_hold(mqtt);
        expect_phase(mqtt, BS_MQTT_HELD);
        bs_mqtt_resume(mqtt);
        expect_phase(mqtt, BS_MQTT_ONLINE);
        sink_expect(&sink, from);
        bs_mqtt_stop(mqtt);
    }
}

/* This program again, as the one that is killed: "URI": online until then. */
static int be_killed(char *uri)
{
    struct bs_mqtt_options options;
    struct bs_mqtt *mqtt;

    sink_init(&sink);
    options = usual_options(&broker, &sink);
    options.uri = uri;
    options.will_topic = "t/service/ours";
    options.will_payload = "offline";
    mqtt = start(&options);
    expect_online(mqtt, 1);
    put(mqtt, "t/service/ours", "online");
    sleep(60);
    return 1;
}

static void test_the_will_speaks_after_a_kill_and_not_after_a_stop(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;
    struct peer first, second;
    pid_t child;

    (void)state;
    peer_start(&first, &broker, "t/service/#");
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "killed", broker.uri, (char *)NULL);
        _exit(127);
    }
    sink_find(&first.sink, 0, "t/service/ours", "online");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    sink_find(&first.sink, 1, "t/service/ours", "offline");
    peer_start(&second, &broker, "t/service/#");
    sink_expect(&second.sink, 1);
    assert_true(sink_get(&second.sink, 0).retained);
    assert_string_equal(sink_get(&second.sink, 0).payload, "offline");
    options.will_topic = "t/service/ours";
    options.will_payload = "offline";
    mqtt = start(&options);
    expect_online(mqtt, 1);
    put(mqtt, "t/service/ours", "stopped by hand");
    bs_mqtt_stop(mqtt);
    sink_find(&first.sink, 2, "t/service/ours", "stopped by hand");
    sink_expect(&first.sink, 3);
    peer_stop(&first);
    peer_stop(&second);
}

static void quiet_connect(struct mosquitto *m)
{
    assert_int_equal(mosquitto_connect(m, "127.0.0.1", broker.port, 60), MOSQ_ERR_SUCCESS);
    for (int i = 0; i < 20; i++) {
        mosquitto_loop(m, 10, 1);
    }
}

static void test_a_session_taken_over_is_named_and_taken_back(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt = start(&options);
    struct mosquitto *other;

    (void)state;
    expect_online(mqtt, 1);
    mosquitto_lib_init();
    other = mosquitto_new("ours", false, NULL);
    mosquitto_int_option(other, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    quiet_connect(other);
    expect_online(mqtt, 2);
    mosquitto_destroy(other);
    mosquitto_lib_cleanup();
    bs_mqtt_stop(mqtt);
}

static void test_a_silent_broker_is_left_and_found_again(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt *mqtt;

    (void)state;
    options.keepalive_s = 2;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    kill(broker.pid, SIGSTOP);
    wait_for_error(mqtt, "the connection was lost");
    kill(broker.pid, SIGCONT);
    expect_online(mqtt, 2);
    bs_mqtt_stop(mqtt);
}

static void test_a_refused_connection_says_why(void **state)
{
    static const int versions[] = {5, 311};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bs_mqtt_options options = usual_options(&broker, &sink);
        struct bs_mqtt *mqtt;

        options.version = versions[i];
        options.username = "nobody";
        options.password = "wrong";
        mqtt = start(&options);
        wait_for_error(mqtt, versions[i] == 5 ? "Not authorized" : "not authorized");
        bs_mqtt_stop(mqtt);
    }
}

static int set_up_closed(void **state)
{
    (void)state;
    memset(&broker, 0, sizeof(broker));
    broker_prepare(&broker);
    snprintf(broker.extra, sizeof(broker.extra),
             "echo 'u:x' > %s/p && sed -i "
             "'s/^allow_anonymous true/allow_anonymous false/' %s",
             broker.folder, broker.config);
    assert_int_equal(system(broker.extra), 0);
    broker_run(&broker);
    sink_init(&sink);
    return 0;
}

/* Accepts the connection and never says a word. */
static void test_a_stop_need_not_wait_for_a_mute_peer(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct sockaddr_in a = loopback(broker.port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct bs_mqtt *mqtt;
    uint64_t began;

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 8), 0);
    for (int i = 0; i < 4; i++) {
        mqtt = start(&options);
        usleep((useconds_t)i * 100000);
        began = now_ms();
        bs_mqtt_stop(mqtt);
        assert_in_range(now_ms() - began, 0, 4000);
    }
    close(fd);
}

static void read_all(int fd, size_t least)
{
    char bytes[1024];
    size_t count = 0;

    while (count < least) {
        ssize_t n = read(fd, bytes, sizeof(bytes));

        assert_true(n > 0);
        count += (size_t)n;
    }
}

/* mosquitto grants what it will not deliver; other brokers refuse. */
static void test_a_refused_subscription_is_named(void **state)
{
    static const unsigned char connack[] = {0x20, 3, 0, 0, 0}, suback[] = {0x90, 4, 0, 1, 0, 0x87};
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct sockaddr_in a = loopback(broker.port);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd, one = 1;
    struct bs_mqtt *mqtt;

    (void)state;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(listener, 8), 0);
    mqtt = start(&options);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    read_all(fd, 20);
    assert_int_equal(write(fd, connack, sizeof(connack)), sizeof(connack));
    read_all(fd, 10);
    assert_int_equal(write(fd, suback, sizeof(suback)), sizeof(suback));
    wait_for_error(mqtt, "Not authorized (while subscribing to t/config/#)");
    close(fd);
    close(listener);
    bs_mqtt_stop(mqtt);
}

static void make_certificates(void)
{
    char command[1024];

    snprintf(
        command, sizeof(command),
        "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2"
        " -subj /CN=test-ca 2>/dev/null && openssl req -newkey rsa:2048 -nodes -keyout s.key"
        " -out s.csr -subj /CN=localhost 2>/dev/null && printf "
        "'subjectAltName=DNS:localhost' > ext && openssl x509 -req -in s.csr -CA ca.crt "
        "-CAkey ca.key -CAcreateserial -out s.crt -days 2 -extfile ext 2>/dev/null && "
        "chmod 644 s.key && printf 'cafile %s/ca.crt\\ncertfile %s/s.crt\\nkeyfile %s/s.key\\n'"
        " >> conf",
        broker.folder, broker.folder, broker.folder, broker.folder);
    assert_int_equal(system(command), 0);
}

static void test_tls_checks_the_certificate_and_the_name(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    char uri[64], wrong_name[64], ca[96];
    struct bs_mqtt *mqtt;

    (void)state;
    make_certificates();
    broker_run(&broker);
    snprintf(uri, sizeof(uri), "mqtts://localhost:%d", broker.port);
    snprintf(wrong_name, sizeof(wrong_name), "mqtts://127.0.0.1:%d", broker.port);
    snprintf(ca, sizeof(ca), "%s/ca.crt", broker.folder);
    options.uri = uri;
    options.ca_file = ca;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    bs_mqtt_stop(mqtt);
    options.ca_file = NULL;
    mqtt = start(&options);
    wait_for_error(mqtt, "certificate verify failed");
    assert_int_equal(state_of(mqtt).connects, 0);
    bs_mqtt_stop(mqtt);
    options.ca_file = ca;
    options.uri = wrong_name;
    mqtt = start(&options);
    wait_for_error(mqtt, "no connection");
    sleep(1);
    assert_int_equal(state_of(mqtt).connects, 0);
    bs_mqtt_stop(mqtt);
}

static void test_websockets_work(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    char uri[64], command[160];
    struct bs_mqtt *mqtt;

    (void)state;
    snprintf(command, sizeof(command), "echo 'protocol websockets' >> %s", broker.config);
    assert_int_equal(system(command), 0);
    /* Where it cannot, it answers for a moment and then ends. */
    if (!broker_try(&broker) || usleep(300000) != 0 ||
        waitpid(broker.pid, NULL, WNOHANG) == broker.pid) {
        broker.pid = 0;
        printf("skipped: this mosquitto opens no websockets listener here\n");
        skip();
    }
    snprintf(uri, sizeof(uri), "ws://127.0.0.1:%d", broker.port);
    options.uri = uri;
    mqtt = start(&options);
    expect_online(mqtt, 1);
    bs_mqtt_stop(mqtt);
}

static void test_what_cannot_be_is_refused_at_once(void **state)
{
    struct bs_mqtt_options options = usual_options(&broker, &sink);
    struct bs_mqtt_publication p = {.topic = BS_SLICE("a/+"), .payload = BS_SLICE("x")};
    struct bs_mqtt *mqtt = NULL;

    (void)state;
    options.uri = "http://127.0.0.1";
    assert_int_equal(bs_mqtt_start(&mqtt, &options), BS_INVALID);
    options.uri = broker.uri;
    options.version = 4;
    assert_int_equal(bs_mqtt_start(&mqtt, &options), BS_INVALID);
    assert_null(mqtt);
    options.version = 5;
    mqtt = start(&options);
    assert_int_equal(bs_mqtt_publish(mqtt, &p), BS_INVALID);
    p.topic = BS_SLICE("");
    assert_int_equal(bs_mqtt_publish(mqtt, &p), BS_INVALID);
    p.topic = BS_SLICE("a\xff");
    assert_int_equal(bs_mqtt_publish(mqtt, &p), BS_INVALID);
    bs_mqtt_stop(mqtt);
}

#define WITH(set_up_, test_) cmocka_unit_test_setup_teardown(test_, set_up_, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH(set_up_without_broker, test_it_comes_up_when_the_broker_does),
        WITH(set_up, test_a_held_start_waits_for_the_word),
        WITH(set_up, test_hold_keeps_the_session_and_stays_away),
        WITH(set_up, test_many_wishes_end_in_the_last),
        WITH(set_up, test_what_is_not_stored_comes_again),
        WITH(set_up, test_the_will_speaks_after_a_kill_and_not_after_a_stop),
        WITH(set_up, test_a_session_taken_over_is_named_and_taken_back),
        WITH(set_up, test_a_silent_broker_is_left_and_found_again),
        WITH(set_up_closed, test_a_refused_connection_says_why),
        WITH(set_up_without_broker, test_a_stop_need_not_wait_for_a_mute_peer),
        WITH(set_up_without_broker, test_a_refused_subscription_is_named),
        WITH(set_up_without_broker, test_tls_checks_the_certificate_and_the_name),
        WITH(set_up_without_broker, test_websockets_work),
        WITH(set_up_without_broker, test_what_cannot_be_is_refused_at_once),
    };

    if (argc > 1 && strcmp(argv[0], "killed") == 0) {
        return be_killed(argv[1]);
    }
    return skipped() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
