/* Appenders and a reader at once, over segments that come and go: nothing lost, nothing twice, each
 * appender's records in its order. Meant for the thread sanitizer too. */
#include "log_fixture.h"

#include <pthread.h>

#define APPENDERS 2
#define EACH      20000u

struct appender {
    struct fixture *f;
    uint64_t index;
};

/* A full log is waited for, as back-pressure is. */
static void *append_many(void *argument)
{
    const struct appender *a = argument;
    for (uint64_t i = 0; i < EACH;) {
        enum bs_status status = append_numbered(a->f->log, i * APPENDERS + a->index, NULL);
        if (status == BS_OK)
            i++;
        else if (status == BS_FULL)
            sleep_ms(1);
        else
            return (void *)(uintptr_t)status;
    }
    return NULL;
}

static void read_many(struct fixture *f, uint64_t next[APPENDERS])
{
    struct bs_record r;
    struct bs_tick_ms last = {0};
    unsigned sleeps = 0;
    for (uint64_t total = 0; total < APPENDERS * EACH;) {
        unsigned woken = atomic_load(&f->records);
        if (!bs_log_read(f->log, &r)) {
            if (!bs_log_sleep(f->log))
                continue;
            sleeps++;
            WAIT_FOR(atomic_load(&f->records) > woken);
            continue;
        }
        uint64_t number = number_of(&r);
        assert_int_equal(number / APPENDERS, next[number % APPENDERS]++);
        assert_true(r.tick.ms > last.ms);
        last = r.tick;
        if (++total % 500 == 0) {
            bs_log_release(f->log, r.position);
            bs_log_marks_store(f->log, (uint64_t[BS_LOG_MARKS]){total});
            bs_log_watch_sync(f->log, r.position);
        }
    }
    assert_int_equal(atomic_load(&f->records), sleeps);
}

static void appenders_and_a_reader(void **state)
{
    struct fixture f;
    pthread_t threads[APPENDERS];
    struct appender appenders[APPENDERS];
    uint64_t next[APPENDERS] = {0};
    fixture_init(&f, 16384, 8);
    f.options.sync_ms = *(uint32_t *)*state;
    fixture_open(&f);
    for (size_t i = 0; i < APPENDERS; i++) {
        appenders[i] = (struct appender){&f, i};
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, &appenders[i]), 0);
    }
    read_many(&f, next);
    for (size_t i = 0; i < APPENDERS; i++) {
        void *status;
        pthread_join(threads[i], &status);
        assert_null(status);
        assert_int_equal(next[i], EACH);
    }
    assert_true(bs_log_first(f.log) > 0);
    fixture_close(&f);
    fixture_open(&f);
    assert_string_equal(f.recovery.message, "");
    fixture_fini(&f);
}

int main(void)
{
    static uint32_t later = 3;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(appenders_and_a_reader, &later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
