/* Marked seq, saved and loaded: they are judged as if nothing had happened. */
#include "backstep/base/random.h"
#include "backstep/core/seen.h"
#include "snapshot_memory.h"

static void *make(void)
{
    struct bs_seen *seen = malloc(sizeof *seen);
    assert_non_null(seen);
    bs_seen_init(seen);
    return seen;
}

static void snapshot(struct bs_snapshot *s, void *object)
{
    bs_seen_snapshot(s, object);
}

static void end(void *object)
{
    bs_seen_fini(object);
    free(object);
}

/* Near its head, below it, and on. */
static void use(void *object)
{
    struct bs_seen *seen = object;
    struct bs_random random;
    uint32_t lost;
    bs_random_init(&random, 7);
    for (int i = 0; i < 300; i++)
        bs_seen_mark(seen, seen->head - (uint32_t)bs_random_below(&random, 20000), &lost);
    for (unsigned i = 0; i < seen->hole_count; i++)
        bs_seen_mark(seen, bs_seen_holes(seen)[i].last, &lost);
    bs_seen_mark(seen, UINT32_MAX, &lost);
    bs_seen_mark(seen, UINT32_MAX, &lost);
}

static const struct snapshot_subject subject = {make, snapshot, end};

/* A stream with losses, jumps and what comes late. */
static uint32_t next_of(struct bs_random *random, uint32_t *head, int manner)
{
    uint64_t what = bs_random_below(random, 1000);
    if (what < 5)
        *head += (uint32_t)bs_random_below(random, 9000);
    else if (what < 700)
        *head += 1 + (uint32_t)(bs_random_below(random, 10) < (uint64_t)manner);
    else
        return *head - (uint32_t)bs_random_below(random, *head % (what < 900 ? 4200 : 60000) + 1);
    return *head;
}

static void verdicts_stay_what_they_are(void **state)
{
    (void)state;
    unsigned forgot = 0, many = 0;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct bs_random random;
        bs_random_init(&random, seed);
        uint32_t head = seed % 4 ? 0 : 100000, lost, lost_too;
        struct bs_seen *seen = make();
        if (seed % 2) /* the lowest hole is not at the beginning */
            bs_seen_mark(seen, 0, &lost);
        for (int part = 0; part < 12; part++) {
            struct bs_seen *copy = snapshot_copy(&subject, seen);
            for (int i = 0; i < 700; i++) {
                uint32_t seq = next_of(&random, &head, (int)(seed % 5));
                assert_int_equal(bs_seen_mark(seen, seq, &lost),
                                 bs_seen_mark(copy, seq, &lost_too));
                assert_int_equal(lost, lost_too);
            }
            snapshot_expect_same(&subject, seen, copy);
            forgot += seen->forgot;
            many += seen->hole_count > BS_SEEN_HOLES_NEAR;
            end(seen);
            seen = copy;
        }
        end(seen);
    }
    assert_true(forgot > 50 && many > 50);
}

static struct bs_seen *with_holes(void)
{
    struct bs_seen *seen = make();
    uint32_t lost;
    for (uint32_t seq = 3; seq < 400; seq += 5)
        bs_seen_mark(seen, seq, &lost);
    bs_seen_mark(seen, 9000, &lost);
    assert_true(seen->forgot && seen->hole_count == BS_SEEN_HOLES_MAX);
    return seen;
}

/* A device that loses nothing takes next to nothing. */
static void a_full_ring_is_short(void **state)
{
    (void)state;
    struct bs_seen *seen = make();
    uint32_t lost;
    for (uint32_t seq = 0; seq < 10000; seq++)
        bs_seen_mark(seen, seq, &lost);
    struct bs_buffer bytes = snapshot_save(&subject, seen);
    assert_in_range(bytes.length, 1, 10);
    bs_buffer_fini(&bytes);
    end(seen);
}

static void what_is_forged_is_refused_or_harmless(void **state)
{
    (void)state;
    struct bs_seen *seen = with_holes();
    snapshot_expect_whole(&subject, seen);
    assert_true(snapshot_change_bytes(&subject, seen, use) > 0);
    assert_true(snapshot_change_numbers(&subject, seen, use, 4000) > 0);
    end(seen);
}

static void memory_may_be_out(void **state)
{
    (void)state;
    expect_out_of_memory(subject, with_holes());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_stay_what_they_are),
        cmocka_unit_test(a_full_ring_is_short),
        cmocka_unit_test(what_is_forged_is_refused_or_harmless),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
