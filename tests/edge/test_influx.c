/* One POST at a time, against a server of exact bytes and a real influxd: every way a transfer can
 * end is reported once, and the loop closes with nothing left on it. */
#include "backstep/edge/influx.h"

#include "influxd.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct trial {
    struct canned_server server;
    uv_loop_t loop;
    struct bs_influx *influx;
    struct bs_influx_options options;
    char url[64];
    unsigned answers;
    bool inside_post, closed;
    int http_status;
    char error[2048], body[20000];
    size_t body_length;
    int64_t retry_after_s;
    uint64_t sent_bytes;
    uint64_t answered_ms;
    const struct bs_slice *next_parts; /* posted from within `done` */
    bool close_when_done;
};

static void on_closed(void *context)
{
    struct trial *t = context;
    t->closed = true;
}

static void on_done(void *context, const struct bs_influx_answer *answer)
{
    struct trial *t = context;
    assert_false(t->inside_post);
    t->answers++;
    t->http_status = answer->http_status;
    snprintf(t->error, sizeof(t->error), "%.*s", (int)answer->error.length, answer->error.at);
    assert_true(answer->body.length < sizeof(t->body));
    t->body_length = answer->body.length;
    if (answer->body.length > 0)
        memcpy(t->body, answer->body.at, answer->body.length);
    t->retry_after_s = answer->retry_after_s;
    t->sent_bytes = answer->sent_bytes;
    t->answered_ms = uv_now(&t->loop);
    if (t->next_parts) {
        assert_int_equal(bs_influx_post(t->influx, t->next_parts, 1, on_done, t), BS_OK);
        t->next_parts = NULL;
    }
    if (t->close_when_done)
        bs_influx_close(t->influx, on_closed, t);
}

static void point_to(struct trial *t, unsigned port)
{
    snprintf(t->url, sizeof(t->url), "http://127.0.0.1:%u", port);
}

static void begin(struct trial *t, unsigned port)
{
    *t = (struct trial){0};
    point_to(t, port);
    assert_int_equal(uv_loop_init(&t->loop), 0);
    t->options = (struct bs_influx_options){
        .url = t->url, .database = "backstep", .timeout_ms = 5000, .loop = &t->loop};
}

/* With a server of its own; what the script does not say is answered with 204. */
static void begin_served(struct trial *t, const struct canned_step *script, size_t script_length)
{
    begin(t, 1);
    canned_start(&t->server, script, script_length);
    point_to(t, t->server.port);
}

static void post(struct trial *t, const char *lines)
{
    struct bs_slice part = bs_slice_text(lines);
    if (!t->influx)
        assert_int_equal(bs_influx_new(&t->influx, &t->options), BS_OK);
    unsigned before = t->answers;
    t->inside_post = true;
    assert_int_equal(bs_influx_post(t->influx, &part, 1, on_done, t), BS_OK);
    assert_int_equal(bs_influx_post(t->influx, &part, 1, on_done, t), BS_BUSY);
    t->inside_post = false;
    while (t->answers == before)
        uv_run(&t->loop, UV_RUN_ONCE);
    assert_int_equal(t->answers, before + 1);
}

static void end(struct trial *t)
{
    if (t->influx && !t->close_when_done)
        bs_influx_close(t->influx, on_closed, t);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_true(t->closed || !t->influx);
    assert_int_equal(uv_loop_close(&t->loop), 0);
}

static void end_served(struct trial *t)
{
    end(t);
    canned_stop(&t->server);
}

static void an_answer_comes_back_and_the_connection_stays(void **state)
{
    (void)state;
    struct trial t;
    begin_served(&t, NULL, 0);
    t.options.database = "back step&";
    t.options.retention_policy = "two/weeks";
    t.options.username = "ruth";
    t.options.password = "p:w";
    for (int i = 0; i < 20; i++) {
        post(&t, "m f=1 1\n");
        assert_int_equal(t.http_status, 204);
        assert_int_equal(t.sent_bytes, 8);
        assert_int_equal(t.retry_after_s, -1);
    }
    end(&t);
    assert_int_equal(t.server.requests, 20);
    assert_int_equal(t.server.connections, 1);
    assert_int_equal(t.server.body_length, 160);
    assert_non_null(strstr(t.server.head,
                           "POST /write?precision=ms&db=back%20step%26&rp=two%2Fweeks "
                           "HTTP/1.1\r\n"));
    assert_non_null(strstr(t.server.head, "\r\nAuthorization: Basic cnV0aDpwOnc=\r\n"));
    assert_non_null(strstr(t.server.head, "\r\nContent-Length: 8\r\n"));
    assert_null(strcasestr(t.server.head, "expect"));
    canned_stop(&t.server);
}

static void the_other_versions_have_their_own_addresses(void **state)
{
    (void)state;
    static const struct {
        enum bs_influx_api api;
        const char *start, *authorization;
    } table[] = {
        {BS_INFLUX_V2, "POST /base/api/v2/write?precision=ms&org=a%20b&bucket=c HTTP/1.1\r\n",
         "\r\nAuthorization: Token s3cret\r\n"},
        {BS_INFLUX_V3, "POST /base/api/v3/write_lp?precision=millisecond&db=backstep HTTP/1.1\r\n",
         "\r\nAuthorization: Bearer s3cret\r\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct trial t;
        begin_served(&t, NULL, 0);
        strcat(t.url, "/base/");
        t.options.api = table[i].api;
        t.options.org = "a b";
        t.options.bucket = "c";
        t.options.token = "s3cret";
        post(&t, "m f=1 1\n");
        end(&t);
        assert_non_null(strstr(t.server.head, table[i].start));
        assert_non_null(strstr(t.server.head, table[i].authorization));
        canned_stop(&t.server);
    }
}

static void gzip_carries_the_same_bytes(void **state)
{
    (void)state;
    enum { PARTS = 3000 };
    static char text[PARTS][400];
    struct bs_slice parts[PARTS];
    size_t total = 0;
    unsigned seed = 20261124;
    char *all = malloc(PARTS * sizeof(text[0]) + 1);
    for (size_t i = 0; i < PARTS; i++) {
        int length = snprintf(text[i], sizeof(text[i]), "m,a=%d f=%di,g=%d.%d %zu\n", rand_r(&seed),
                              rand_r(&seed), rand_r(&seed), rand_r(&seed), i);
        parts[i] = bs_slice_of(text[i], i % 97 == 5 ? 0 : (size_t)length);
        memcpy(all + total, text[i], parts[i].length);
        total += parts[i].length;
    }
    for (int gzip = 0; gzip < 2; gzip++) {
        for (size_t count = 1; count <= PARTS; count = count * 7 + 1) {
            struct trial t;
            begin_served(&t, NULL, 0);
            t.options.gzip = gzip;
            size_t length = 0;
            for (size_t i = 0; i < count; i++)
                length += parts[i].length;
            assert_int_equal(bs_influx_new(&t.influx, &t.options), BS_OK);
            for (unsigned twice = 1; twice <= 2; twice++) {
                bs_influx_post(t.influx, parts, count, on_done, &t);
                while (t.answers < twice)
                    uv_run(&t.loop, UV_RUN_ONCE);
                assert_int_equal(t.http_status, 204);
            }
            end(&t);
            if (t.server.body_length != 2 * length || memcmp(t.server.body, all, length) != 0 ||
                memcmp(t.server.body + length, all, length) != 0)
                fail_msg("seed 20261124, gzip %d, %zu parts: %zu bytes came, must be 2 × %zu", gzip,
                         count, t.server.body_length, length);
            assert_true(!gzip || count < 50 || t.sent_bytes < length);
            canned_stop(&t.server);
        }
    }
    free(all);
}

static void what_the_server_says_is_handed_on(void **state)
{
    (void)state;
    static const struct canned_step script[] = {
        {CANNED_ANSWER, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n"
                        "Content-Length: 4\r\n\r\nbusy"},
        {CANNED_CLOSE, "HTTP/1.1 503 No\r\nretry-after:   120 \r\nConnection: close\r\n\r\nx"},
        {CANNED_ANSWER, "HTTP/1.1 401 Unauthorized\r\nX-Influxdb-Error: authorization failed\r\n"
                        "Content-Length: 2\r\n\r\n{}"},
        {CANNED_ANSWER, "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
        {CANNED_ANSWER, "HTTP/1.1 100 Continue\r\nRetry-After: 5\r\n\r\n" CANNED_204},
        {CANNED_ANSWER, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                        "Content-Length: 0\r\n\r\n"},
        {CANNED_SLOWLY, "HTTP/1.1 429 Slow\r\nRetry-After: Mon, 01 Jan 2001 00:00:00 GMT\r\n"
                        "Content-Length: 0\r\n\r\n"},
        {CANNED_ANSWER, "HTTP/1.1 429 Slow\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n"},
    };
    static const struct {
        int http_status;
        int64_t retry_after_s;
        const char *error, *body;
    } expected[] = {
        {503, 7, "", "busy"},
        {503, 120, "", "x"},
        {401, -1, "authorization failed", "{}"},
        {400, -1, "", "hello world"},
        {204, -1, "", ""},
        {302, -1, "", ""},
        {429, 0, "", ""},
        {429, -1, "", ""},
    };
    struct trial t;
    begin_served(&t, script, sizeof(script) / sizeof(script[0]));
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        post(&t, "m f=1 1\n");
        t.body[t.body_length] = '\0';
        assert_int_equal(t.http_status, expected[i].http_status);
        assert_int_equal(t.retry_after_s, expected[i].retry_after_s);
        assert_string_equal(t.error, expected[i].error);
        assert_string_equal(t.body, expected[i].body);
    }
    end_served(&t);
}

static void a_date_to_come_back_at_is_read(void **state)
{
    (void)state;
    char text[256];
    time_t later = time(NULL) + 100;
    struct tm utc;
    gmtime_r(&later, &utc);
    strftime(text, sizeof(text),
             "HTTP/1.1 503 No\r\nRetry-After: %a, %d %b %Y %H:%M:%S GMT\r\nContent-Length: "
             "0\r\n\r\n",
             &utc);
    struct canned_step step = {CANNED_ANSWER, text};
    struct trial t;
    begin_served(&t, &step, 1);
    post(&t, "m f=1 1\n");
    assert_in_range(t.retry_after_s, 95, 100);
    end_served(&t);
}

static void a_long_body_is_bounded(void **state)
{
    (void)state;
    static const struct canned_step script[] = {
        {CANNED_LONG, "HTTP/1.1 400 Bad Request\r\nContent-Length: 3000002\r\n\r\n{}"}};
    struct trial t;
    begin_served(&t, script, 1);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 400);
    assert_int_equal(t.body_length, 16384);
    assert_memory_equal(t.body, "{}xxx", 5);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 204);
    assert_int_equal(t.server.connections, 1);
    end_served(&t);
}

/* The trap of curl's own example: with one transfer there is no other to drain it. */
static void the_last_transfer_that_times_out_is_reported(void **state)
{
    (void)state;
    static const struct canned_step script[] = {{CANNED_SILENCE, NULL}};
    struct trial t;
    begin_served(&t, script, 1);
    t.options.timeout_ms = 300;
    uint64_t start_ms = uv_now(&t.loop);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 0);
    assert_int_equal(t.sent_bytes, 8);
    assert_true(strlen(t.error) > 0);
    assert_in_range(t.answered_ms - start_ms, 290, 2000);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 204);
    end_served(&t);
}

static void a_body_that_hangs_leaves_its_status(void **state)
{
    (void)state;
    static const struct canned_step script[] = {
        {CANNED_ANSWER, "HTTP/1.1 400 Bad Request\r\nContent-Length: 50\r\n\r\npartial"}};
    struct trial t;
    begin_served(&t, script, 1);
    t.options.timeout_ms = 300;
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 400);
    assert_int_equal(t.body_length, 7);
    end_served(&t);
}

static void half_a_head_is_no_answer(void **state)
{
    (void)state;
    static const struct canned_step script[] = {{CANNED_CLOSE, "HTTP/1.1 204 No Content\r\nX-A: b"},
                                                {CANNED_CLOSE, "garbage\r\n\r\n"}};
    struct trial t;
    begin_served(&t, script, 2);
    for (int i = 0; i < 2; i++) {
        post(&t, "m f=1 1\n");
        assert_int_equal(t.http_status, 0);
        assert_true(strlen(t.error) > 0);
    }
    end_served(&t);
}

static void a_reset_and_a_closed_port_are_reported(void **state)
{
    (void)state;
    static const struct canned_step script[] = {{CANNED_RESET, NULL}};
    struct trial t;
    begin_served(&t, script, 1);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 0);
    assert_int_equal(t.sent_bytes, 8);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 204);
    canned_stop(&t.server);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 0);
    assert_int_equal(t.sent_bytes, 0);
    end(&t);
}

/* By itself curl would send it again on a new connection, and nobody would know of the first. */
static void what_a_kept_connection_lost_is_not_sent_again_in_silence(void **state)
{
    (void)state;
    static const struct canned_step script[] = {{CANNED_ANSWER, CANNED_204}, {CANNED_CLOSE, ""}};
    for (int gzip = 0; gzip <= 1; gzip++) {
        struct trial t;
        begin_served(&t, script, 2);
        t.options.gzip = gzip;
        post(&t, "m f=1 1\n");
        post(&t, "m f=2 2\n");
        assert_int_equal(t.http_status, 0);
        assert_string_equal(t.error, "the connection was closed before the answer");
        assert_true(t.sent_bytes > 0);
        assert_int_equal(t.server.requests, 2);
        post(&t, "m f=2 2\n");
        assert_int_equal(t.http_status, 204);
        assert_int_equal(t.server.requests, 3);
        assert_string_equal(t.server.body, "m f=1 1\nm f=2 2\n");
        end_served(&t);
    }
}

static void the_next_may_be_posted_when_one_is_done(void **state)
{
    (void)state;
    struct bs_slice part = BS_SLICE("m f=2 2\n");
    struct trial t;
    begin_served(&t, NULL, 0);
    t.next_parts = &part;
    post(&t, "m f=1 1\n");
    t.close_when_done = true;
    while (t.answers < 2)
        uv_run(&t.loop, UV_RUN_ONCE);
    end(&t);
    assert_string_equal(t.server.body, "m f=1 1\nm f=2 2\n");
    canned_stop(&t.server);
}

static void closing_ends_a_transfer_in_silence(void **state)
{
    (void)state;
    static const struct canned_step script[] = {{CANNED_SILENCE, NULL}};
    struct bs_slice part = BS_SLICE("m f=1 1\n");
    struct trial t;
    begin_served(&t, script, 1);
    assert_int_equal(bs_influx_new(&t.influx, &t.options), BS_OK);
    assert_int_equal(bs_influx_post(t.influx, &part, 1, on_done, &t), BS_OK);
    while (t.server.requests == 0)
        uv_run(&t.loop, UV_RUN_NOWAIT);
    end(&t);
    assert_int_equal(t.answers, 0);
    canned_stop(&t.server);
}

static void proxies_of_the_environment_do_not_count(void **state)
{
    (void)state;
    struct trial t;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    begin_served(&t, NULL, 0);
    post(&t, "m f=1 1\n");
    assert_int_equal(t.http_status, 204);
    end_served(&t);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void a_bad_url_is_refused(void **state)
{
    (void)state;
    struct trial t;
    begin(&t, 1);
    t.options.url = "http://[::1";
    assert_int_equal(bs_influx_new(&t.influx, &t.options), BS_INVALID);
    t.options.url = "";
    assert_int_equal(bs_influx_new(&t.influx, &t.options), BS_INVALID);
    t.influx = NULL;
    end(&t);
}

static void a_real_influxd_takes_the_lines(void **state)
{
    (void)state;
    struct influxd database;
    if (!influxd_start_with(&database, "backstep"))
        skip();
    for (int gzip = 0; gzip < 2; gzip++) {
        struct trial t;
        char line[64];
        begin(&t, database.port);
        t.options.gzip = gzip;
        snprintf(line, sizeof(line), "m,way=%d f=1i 1795716000000\n", gzip);
        post(&t, line);
        assert_int_equal(t.http_status, 204);
        post(&t, "m f=\n");
        assert_int_equal(t.http_status, 400);
        assert_non_null(strstr(t.error, "unable to parse"));
        end(&t);
        begin(&t, database.port);
        t.options.database = "other";
        post(&t, line);
        assert_int_equal(t.http_status, 404);
        end(&t);
        begin(&t, database.port);
        t.options.retention_policy = "other";
        post(&t, line);
        assert_int_equal(t.http_status, 500);
        assert_non_null(strstr(t.error, "retention policy not found"));
        end(&t);
    }
    assert_int_equal(influxd_number(&database, "backstep", "SELECT count(f) FROM m"), 2);
    char answer[65536];
    influxd_query(&database, "backstep", "SELECT f FROM m", answer);
    assert_non_null(strstr(answer, "[1795716000000,1]"));
    influxd_remove(&database);
}

static void a_stopped_influxd_times_out_and_comes_back(void **state)
{
    (void)state;
    struct influxd database;
    if (!influxd_start_with(&database, "backstep"))
        skip();
    struct trial t;
    begin(&t, database.port);
    t.options.timeout_ms = 500;
    t.options.gzip = true;
    post(&t, "m f=1i 1\n");
    assert_int_equal(t.http_status, 204);
    kill(database.pid, SIGSTOP);
    post(&t, "m f=1i 2\n");
    assert_int_equal(t.http_status, 0);
    assert_true(t.sent_bytes > 0);
    kill(database.pid, SIGCONT);
    post(&t, "m f=1i 3\n");
    assert_int_equal(t.http_status, 204);
    influxd_kill(&database);
    post(&t, "m f=1i 4\n");
    assert_int_equal(t.http_status, 0);
    assert_true(influxd_run(&database));
    post(&t, "m f=1i 5\n");
    assert_int_equal(t.http_status, 204);
    end(&t);
    assert_in_range(influxd_number(&database, "backstep", "SELECT count(f) FROM m"), 3, 4);
    influxd_remove(&database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back_and_the_connection_stays),
        cmocka_unit_test(the_other_versions_have_their_own_addresses),
        cmocka_unit_test(gzip_carries_the_same_bytes),
        cmocka_unit_test(what_the_server_says_is_handed_on),
        cmocka_unit_test(a_date_to_come_back_at_is_read),
        cmocka_unit_test(a_long_body_is_bounded),
        cmocka_unit_test(the_last_transfer_that_times_out_is_reported),
        cmocka_unit_test(a_body_that_hangs_leaves_its_status),
        cmocka_unit_test(half_a_head_is_no_answer),
        cmocka_unit_test(a_reset_and_a_closed_port_are_reported),
        cmocka_unit_test(what_a_kept_connection_lost_is_not_sent_again_in_silence),
        cmocka_unit_test(the_next_may_be_posted_when_one_is_done),
        cmocka_unit_test(closing_ends_a_transfer_in_silence),
        cmocka_unit_test(proxies_of_the_environment_do_not_count),
        cmocka_unit_test(a_bad_url_is_refused),
        cmocka_unit_test(a_real_influxd_takes_the_lines),
        cmocka_unit_test(a_stopped_influxd_times_out_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
