/* The fold between two real logs: however often it is stopped and begun again, the outbox holds
 * what one run without a stop would have put there, each chunk once, in order. */
#include "../../daemon/shell/fold.h"
#include "log_fixture.h"

#include "backstep/base/random.h"

#include <string.h>
#include <time.h>

#define MESSAGES 6000
#define BEGIN_MS INT64_C(1795716000000)

struct pair {
    struct fixture intake, outbox;
    struct bs_fold fold;
};

static bool no_room(void *context)
{
    (void)context;
    return false;
}

static bool keep_open_rows(void *context)
{
    (void)context;
    return false;
}

static void ignore_publication(void *context, const struct bs_publication *publication)
{
    (void)context;
    (void)publication;
}

static void open_pair(struct pair *p)
{
    struct bs_engine_options options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};
    fixture_open(&p->intake);
    fixture_open(&p->outbox);
    memset(&p->fold, 0, sizeof p->fold);
    p->fold.intake = p->intake.log;
    p->fold.outbox = p->outbox.log;
    p->fold.make_room = no_room;
    p->fold.skip_open_rows = keep_open_rows;
    p->fold.publish = ignore_publication;
    assert_int_equal(bs_engine_new(&p->fold.engine, &options), BS_OK);
    assert_int_equal(bs_fold_init(&p->fold), BS_OK);
}

static void close_pair(struct pair *p)
{
    bs_fold_fini(&p->fold);
    bs_engine_free(p->fold.engine);
    bs_log_close(p->intake.log);
    bs_log_close(p->outbox.log);
}

static void init_pair(struct pair *p)
{
    fixture_init_in(&p->intake, "/tmp", 4u << 20, 8);
    fixture_init_in(&p->outbox, "/tmp", 4u << 20, 8);
    p->outbox.options.name = "outbox";
    atomic_store(&p->intake.tick, BEGIN_MS);
    open_pair(p);
}

static void fini_pair(struct pair *p)
{
    close_pair(p);
    fixture_remove(p->intake.directory);
    fixture_remove(p->outbox.directory);
}

static void append_message(struct pair *p, const char *topic, const char *payload)
{
    uint8_t head[BS_MESSAGE_HEAD_BYTES];
    char full[128];
    int length = snprintf(full, sizeof full, "backstep/v1/gym/%s", topic);
    bs_message_head_write((uint16_t)length, 0, head);
    struct bs_slice parts[] = {bs_slice_of(head, sizeof head), bs_slice_of(full, (size_t)length),
                               bs_slice_text(payload)};
    assert_int_equal(bs_log_append(p->intake.log, BS_RECORD_MESSAGE, 0, parts, 3, NULL), BS_OK);
}

static void append_step(struct pair *p, struct bs_random *random, unsigned number)
{
    char topic[64], payload[256];
    unsigned device = (unsigned)bs_random_below(random, 40);
    atomic_fetch_add(&p->intake.tick, (int64_t)bs_random_below(random, 40));
    snprintf(topic, sizeof topic, "device/d%u/steps", device);
    snprintf(payload, sizeof payload,
             "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"%c\",\"step_ms\":%u}", number,
             (long long)(atomic_load(&p->intake.tick) - (int64_t)bs_random_below(random, 20000)),
             "FB"[bs_random_below(random, 2)], 400 + (unsigned)bs_random_below(random, 300));
    append_message(p, topic, payload);
}

static void append_start(struct pair *p)
{
    struct bs_start_body start = {.hash_seed = 5};
    uint8_t bytes[BS_START_BODY_BYTES];
    bs_start_body_write(&start, bytes);
    struct bs_slice part = bs_slice_of(bytes, sizeof bytes);
    assert_int_equal(bs_log_append(p->intake.log, BS_RECORD_START, 0, &part, 1, NULL), BS_OK);
    append_message(p, "config/settings/site",
                   "{\"unknown_devices\":\"guest\",\"allowed_lateness_s\":15}");
}

/* All lines of the outbox, and that its origins never go back. */
static char *outbox_lines(struct pair *p, size_t *ret_length)
{
    struct bs_buffer lines;
    struct bs_record r;
    uint64_t last_origin = 0;
    uint32_t last_part = 0;
    bool any = false;
    bs_buffer_init(&lines, 64u << 20);
    bs_log_seek(p->outbox.log, bs_log_first(p->outbox.log));
    while (bs_log_read(p->outbox.log, &r)) {
        struct bs_points_body body;
        assert_int_equal(bs_points_body_read(r.body, &body), BS_OK);
        if (any)
            assert_true(body.origin > last_origin ||
                        (body.origin == last_origin && body.part > last_part));
        any = true;
        last_origin = body.origin;
        last_part = body.part;
        bs_buffer_add(&lines, body.lines);
    }
    assert_false(lines.failed);
    *ret_length = lines.length;
    return lines.at;
}

static void a_fold_that_is_stopped_says_nothing_twice(void **state)
{
    (void)state;
    struct bs_random random;
    uint64_t seed = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    bs_random_init(&random, seed);
    struct pair stopped;
    init_pair(&stopped);
    append_start(&stopped);
    for (unsigned i = 0; i < MESSAGES; i++) {
        append_step(&stopped, &random, i);
        if (bs_random_below(&random, 3) == 0)
            for (uint64_t n = bs_random_below(&random, 8); n && bs_fold_next(&stopped.fold); n--)
                ;
        if (bs_random_below(&random, 400) == 0) {
            close_pair(&stopped);
            open_pair(&stopped);
        }
    }
    while (bs_fold_next(&stopped.fold))
        ;

    /* The same intake into an empty outbox, in one go. */
    struct pair straight = {.intake = stopped.intake};
    size_t stopped_length, straight_length;
    char *stopped_lines = outbox_lines(&stopped, &stopped_length);
    close_pair(&stopped);
    fixture_init_in(&straight.outbox, "/tmp", 4u << 20, 8);
    straight.outbox.options.name = "outbox";
    open_pair(&straight);
    while (bs_fold_next(&straight.fold))
        ;
    char *straight_lines = outbox_lines(&straight, &straight_length);
    assert_true(straight_length > 100000);
    assert_int_equal(stopped_length, straight_length);
    assert_memory_equal(stopped_lines, straight_lines, straight_length);
    free(stopped_lines);
    free(straight_lines);
    fini_pair(&straight);
    fixture_remove(stopped.outbox.directory);
}

/* A power loss took the intake's end: rows that came of it must go too, and nothing else. */
static void rows_of_vanished_records_are_cut_away(void **state)
{
    (void)state;
    struct bs_random random;
    bs_random_init(&random, 1);
    struct pair p;
    init_pair(&p);
    append_start(&p);
    for (unsigned i = 0; i < 2000; i++)
        append_step(&p, &random, i);
    uint64_t cut = 0;
    for (unsigned i = 0; i < 1000 && bs_fold_next(&p.fold); i++)
        cut = p.fold.folded;
    while (bs_fold_next(&p.fold))
        ;
    close_pair(&p);
    fixture_open(&p.intake);
    assert_int_equal(bs_log_truncate(p.intake.log, cut), BS_OK);
    bs_log_close(p.intake.log);
    open_pair(&p);
    struct bs_record r;
    uint64_t rows = 0;
    bs_log_seek(p.outbox.log, bs_log_first(p.outbox.log));
    while (bs_log_read(p.outbox.log, &r)) {
        struct bs_points_body body;
        assert_int_equal(bs_points_body_read(r.body, &body), BS_OK);
        assert_true(body.origin < cut);
        rows += body.points;
    }
    assert_true(rows > 0);
    fini_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fold_that_is_stopped_says_nothing_twice),
        cmocka_unit_test(rows_of_vanished_records_are_cut_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
