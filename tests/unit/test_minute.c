/* Turns once a minute: at which times they come and in which order, how they are spread, who leaves
 * in the middle of them; then random comings and goings against a model that keeps them all. */
#include "backstep/core/minute.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE_MS 60000

static void enter(struct bs_minute *m, struct bs_minute_place *place, int64_t now)
{
    bs_minute_enter(m, place, (struct bs_tick_ms){now});
}

static void turns_come_every_minute(void **state)
{
    (void)state;
    struct bs_minute m = {0};
    struct bs_minute_place early = {0}, late = {0}, later = {0};
    assert_int_equal(bs_minute_deadline(&m).ms, BS_NEVER_MS);
    enter(&m, &late, 30120);
    enter(&m, &early, 1000);
    enter(&m, &later, 30199); /* in the same part */
    for (int64_t minute = 1; minute < 4; minute++) {
        assert_int_equal(bs_minute_deadline(&m).ms, minute * MINUTE_MS + 1000);
        assert_ptr_equal(bs_minute_turn(&m), &early);
        assert_null(early.next);
        bs_minute_advance(&m);
        assert_int_equal(bs_minute_deadline(&m).ms, minute * MINUTE_MS + 30100);
        assert_ptr_equal(bs_minute_turn(&m), &late);
        assert_ptr_equal(late.next, &later);
        assert_null(later.next);
        bs_minute_advance(&m);
    }
}

static void who_leaves_has_no_turn(void **state)
{
    (void)state;
    struct bs_minute m = {0};
    struct bs_minute_place places[4] = {0};
    for (int i = 0; i < 3; i++)
        enter(&m, &places[i], 500);
    bs_minute_leave(&places[1]);
    bs_minute_leave(&places[1]); /* is in none: nothing happens */
    assert_ptr_equal(bs_minute_turn(&m), &places[0]);
    assert_ptr_equal(places[0].next, &places[2]);
    bs_minute_leave(&places[0]);
    bs_minute_leave(&places[2]);
    assert_int_equal(bs_minute_deadline(&m).ms, BS_NEVER_MS);
    enter(&m, &places[3], 100); /* sooner than the one that was awaited */
    assert_int_equal(bs_minute_deadline(&m).ms, MINUTE_MS + 100);
    enter(&m, &places[0], 200);
    bs_minute_leave(&places[3]); /* whose turn may come, with nobody in it */
    if (bs_minute_deadline(&m).ms == MINUTE_MS + 100) {
        assert_null(bs_minute_turn(&m));
        bs_minute_advance(&m);
    }
    assert_int_equal(bs_minute_deadline(&m).ms, MINUTE_MS + 200);
}

/* Ten thousand at once: the last waits for 30 s longer, and no part is a long piece of work. */
static void a_crowd_is_spread(void **state)
{
    (void)state;
    enum { CROWD = 10000 };
    static struct bs_minute m;
    struct bs_minute_place *places = calloc(CROWD, sizeof *places);
    for (int i = 0; i < CROWD; i++)
        enter(&m, &places[i], 0);
    uint32_t largest = 0, used = 0;
    for (int i = 0; i < BS_MINUTE_PARTS; i++) {
        largest = m.parts[i].count > largest ? m.parts[i].count : largest;
        used += m.parts[i].count > 0;
    }
    assert_in_range(largest, 1, 32 + 2 * CROWD / BS_MINUTE_PARTS);
    assert_in_range(used, CROWD / largest, BS_MINUTE_PARTS / 2);
    for (int i = 0; i < CROWD; i++)
        bs_minute_leave(&places[i]);
    assert_int_equal(bs_minute_deadline(&m).ms, BS_NEVER_MS);
    free(places);
}

/* Each who is in it has a turn every 60 s, to the ms, behind those who came before into the same
 * part, whoever else comes and goes. */

#define PLACES 40

struct trial {
    struct bs_minute m;
    struct bs_minute_place places[PLACES];
    int64_t due[PLACES]; /* 0: is in none */
    int came[PLACES];    /* the how manieth that came in */
};

static void take_turns(struct trial *t, int64_t now, unsigned seed)
{
    while (bs_minute_deadline(&t->m).ms <= now) {
        int64_t due = bs_minute_deadline(&t->m).ms;
        int last = -1;
        for (struct bs_minute_place *p = bs_minute_turn(&t->m); p; p = p->next) {
            int who = (int)(p - t->places);
            if (t->due[who] != due || t->came[who] <= last)
                fail_msg("seed %u: the turn of %d is at %lld, expected at %lld; %d behind %d", seed,
                         who, (long long)due, (long long)t->due[who], t->came[who], last);
            t->due[who] += MINUTE_MS;
            last = t->came[who];
        }
        bs_minute_advance(&t->m);
    }
    for (int i = 0; i < PLACES; i++)
        if (t->due[i] && t->due[i] <= now)
            fail_msg("seed %u: the turn of %d at %lld did not come", seed, i, (long long)t->due[i]);
}

static void turns_are_on_time_whoever_comes_and_goes(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct trial t = {0};
        struct bs_random random;
        bs_random_init(&random, seed);
        int64_t now = 1000000;
        for (int i = 0; i < 2000; i++) {
            if (bs_random_below(&random, 10) == 0)
                now += (int64_t)bs_random_below(&random, bs_random_below(&random, 4) ? 300 : 90000);
            take_turns(&t, now, seed);
            int who = (int)bs_random_below(&random, PLACES);
            if (t.due[who]) {
                bs_minute_leave(&t.places[who]);
                t.due[who] = 0;
            } else {
                enter(&t.m, &t.places[who], now);
                t.came[who] = i;
                t.due[who] = now - now % 100 + MINUTE_MS;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_come_every_minute),
        cmocka_unit_test(who_leaves_has_no_turn),
        cmocka_unit_test(a_crowd_is_spread),
        cmocka_unit_test(turns_are_on_time_whoever_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
