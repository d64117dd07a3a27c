/* Duplicates: single cases by hand, then random sequences against a model that keeps every seq. */
#include "backstep/core/seen.h"

#include "backstep/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEW       BS_SEEN_NEW
#define DUPLICATE BS_SEEN_DUPLICATE
#define STALE     BS_SEEN_STALE

static void expect(struct bs_seen *s, uint32_t seq, enum bs_seen_verdict verdict, uint32_t lost)
{
    uint32_t got_lost = 77;
    enum bs_seen_verdict got = bs_seen_mark(s, seq, &got_lost);
    if (got != verdict || got_lost != lost)
        fail_msg("seq %u: verdict %d, lost %u; expected %d, %u", seq, got, got_lost, verdict, lost);
}

static void test_in_order(void **state)
{
    (void)state;
    struct bs_seen s;
    bs_seen_init(&s);
    for (uint32_t seq = 0; seq < 20000; seq++)
        expect(&s, seq, NEW, 0);
    assert_int_equal(s.hole_count, 0);
    for (uint32_t seq = 0; seq < 20000; seq += 7)
        expect(&s, seq, DUPLICATE, 0);
    bs_seen_fini(&s);
}

static void test_first_of_a_boot(void **state)
{
    (void)state;
    struct bs_seen s;
    bs_seen_init(&s);
    expect(&s, 1000000, NEW, 0);
    expect(&s, 1000000, DUPLICATE, 0);
    expect(&s, 0, NEW, 0);
    expect(&s, 0, DUPLICATE, 0);
    expect(&s, 1000000 - 4096, NEW, 0);
    expect(&s, 1000000 - 4095, NEW, 0);
    expect(&s, 1000000 - 4096, DUPLICATE, 0);
    expect(&s, 500000, NEW, 0);
    expect(&s, 500000, DUPLICATE, 0);
    expect(&s, 499999, NEW, 0);
    bs_seen_fini(&s);
}

static void test_lost(void **state)
{
    (void)state;
    struct bs_seen s;
    bs_seen_init(&s);
    expect(&s, 10, NEW, 0);
    expect(&s, 11, NEW, 0);
    expect(&s, 15, NEW, 3);
    expect(&s, 13, NEW, 0);
    expect(&s, 15 + 4097, NEW, 4096);
    expect(&s, 15 + 4097 + 4098, NEW, 0);
    expect(&s, UINT32_MAX, NEW, 0);
    expect(&s, UINT32_MAX - 1, NEW, 0);
    expect(&s, UINT32_MAX, DUPLICATE, 0);
    expect(&s, 14, NEW, 0);
    bs_seen_fini(&s);
}

/* A belt walks live while it uploads an hour that lies behind its head. */
static void test_upload_behind_the_head(void **state)
{
    (void)state;
    struct bs_seen s;
    bs_seen_init(&s);
    expect(&s, 7000, NEW, 0);
    for (uint32_t i = 0; i < 7000; i++) {
        expect(&s, i, NEW, 0);
        expect(&s, 7001 + i, NEW, 0);
        expect(&s, i, DUPLICATE, 0);
    }
    assert_int_equal(s.hole_count, 0);
    bs_seen_fini(&s);
}

static void test_lowest_hole_is_forgotten_first(void **state)
{
    (void)state;
    struct bs_seen s;
    bs_seen_init(&s);
    for (uint32_t i = 0; i <= BS_SEEN_HOLES_MAX; i++) /* 5, 15, 25, … are never marked */
        for (uint32_t seq = i * 10; seq < i * 10 + 10; seq++)
            if (seq % 10 != 5)
                expect(&s, seq, NEW, seq % 10 == 6);
    expect(&s, 10000, NEW, 0);
    assert_int_equal(s.hole_count, BS_SEEN_HOLES_MAX);
    /* 65 holes and the run behind them: the two lowest are gone. */
    expect(&s, 4, DUPLICATE, 0);
    expect(&s, 5, STALE, 0);
    expect(&s, 15, STALE, 0);
    expect(&s, 16, DUPLICATE, 0);
    expect(&s, 25, NEW, 0);
    expect(&s, 25, DUPLICATE, 0);
    expect(&s, 5, STALE, 0);
    bs_seen_fini(&s);
}

/* The model: every seq of base..base+RANGE-1 a byte, all below base never marked. */
#define RANGE 12000

struct model {
    uint32_t base, head, forgotten_first, forgotten_last;
    bool any, forgot;
    char marked[RANGE];
};

static void model_forget(struct model *m, uint32_t first, uint32_t last)
{
    if (!m->forgot)
        m->forgotten_first = first;
    m->forgot = true;
    m->forgotten_last = last;
}

/* Runs never marked below the last 4096 and above what is forgotten: the lowest beyond 64 go. */
static void model_count_holes(struct model *m)
{
    static struct bs_seen_hole runs[RANGE + 1];
    int64_t top = (int64_t)m->head - BS_SEEN_BITS, from = m->forgot ? m->forgotten_last + 1ll : 0;
    size_t count = 0;
    for (int64_t seq = from; seq <= top;) {
        int64_t i = seq - m->base;
        if (i >= 0 && m->marked[i]) {
            const char *zero = memchr(m->marked + i, 0, (size_t)(top + 1 - seq));
            seq = zero ? m->base + (zero - m->marked) : top + 1;
            continue;
        }
        int64_t inside = i < 0 ? 0 : i;
        const char *one = NULL;
        if (m->base + inside <= top)
            one = memchr(m->marked + inside, 1, (size_t)(top + 1 - m->base - inside));
        int64_t end = one ? m->base + (one - m->marked) : top + 1;
        runs[count++] = (struct bs_seen_hole){(uint32_t)seq, (uint32_t)(end - 1)};
        seq = end;
    }
    for (size_t i = 0; i + BS_SEEN_HOLES_MAX < count; i++)
        model_forget(m, runs[i].first, runs[i].last);
}

static enum bs_seen_verdict model_mark(struct model *m, uint32_t seq, uint32_t *ret_lost)
{
    *ret_lost = 0;
    if (m->any && seq > m->head && seq - m->head - 1 <= BS_SEEN_BITS)
        *ret_lost = seq - m->head - 1;
    bool below = m->any && m->head >= BS_SEEN_BITS && seq <= m->head - BS_SEEN_BITS;
    bool in_forgotten = m->forgot && seq >= m->forgotten_first && seq <= m->forgotten_last;
    if (below && in_forgotten)
        return BS_SEEN_STALE;
    if (m->marked[seq - m->base])
        return BS_SEEN_DUPLICATE;
    m->marked[seq - m->base] = 1;
    if (!m->any || seq > m->head)
        m->head = seq;
    m->any = true;
    model_count_holes(m);
    return BS_SEEN_NEW;
}

/* Where the next seq comes from: near the head, behind it, anywhere, or a run that goes on. */
static uint32_t draw(struct bs_random *r, uint32_t base, uint32_t head, uint32_t last)
{
    uint32_t top = base + (RANGE - 1);
    int64_t seq;
    switch (bs_random_below(r, 8)) {
    case 0:
        seq = base + (int64_t)bs_random_below(r, RANGE);
        break;
    case 1:
        seq = (int64_t)head + (int64_t)bs_random_below(r, 200);
        break;
    case 2:
        seq = (int64_t)head - 4200 + (int64_t)bs_random_below(r, 210);
        break;
    case 3:
        seq = (int64_t)head - (int64_t)bs_random_below(r, 9000);
        break;
    default:
        seq = (int64_t)last + 1 + (int64_t)bs_random_below(r, 2);
    }
    return seq < base ? base : seq > top ? top : (uint32_t)seq;
}

static void run_random(uint64_t seed, uint32_t base, unsigned verdicts[3])
{
    static struct model m;
    struct bs_random r;
    struct bs_seen s;
    bs_random_init(&r, seed);
    bs_seen_init(&s);
    memset(&m, 0, sizeof m);
    m.base = base;
    uint32_t last = base + (uint32_t)bs_random_below(&r, RANGE / 4);
    for (int i = 0; i < 3000; i++) {
        uint32_t seq = draw(&r, base, m.any ? m.head : base, last), lost = 0, model_lost = 0;
        enum bs_seen_verdict expected = model_mark(&m, seq, &model_lost);
        enum bs_seen_verdict got = bs_seen_mark(&s, seq, &lost);
        if (got != expected || lost != model_lost)
            fail_msg("seed %llu base %u, call %d, seq %u: verdict %d, lost %u; model %d, %u",
                     (unsigned long long)seed, base, i, seq, got, lost, expected, model_lost);
        verdicts[got]++;
        last = seq;
    }
    bs_seen_fini(&s);
}

static void test_random_against_the_model(void **state)
{
    (void)state;
    unsigned verdicts[3] = {0};
    const char *given = getenv("BACKSTEP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261124;
    print_message("seed %llu (BACKSTEP_SEED sets another)\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < 12; i++) {
        run_random(seed + i, 0, verdicts);
        run_random(seed + i, 1000000, verdicts);
        run_random(seed + i, UINT32_MAX - (RANGE - 1), verdicts);
    }
    print_message("%u new, %u duplicate, %u stale\n", verdicts[NEW], verdicts[DUPLICATE],
                  verdicts[STALE]);
    assert_true(verdicts[NEW] > 1000 && verdicts[DUPLICATE] > 1000 && verdicts[STALE] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_first_of_a_boot),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_upload_behind_the_head),
        cmocka_unit_test(test_lowest_hole_is_forgotten_first),
        cmocka_unit_test(test_random_against_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
