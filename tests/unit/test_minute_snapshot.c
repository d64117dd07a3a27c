/* A minute's turns in snapshots: they come at the same times in the same order; nobody is in it
 * twice. */
#include "backstep/base/random.h"
#include "backstep/core/minute.h"
#include "snapshot_world.h"

#define DEVICES 400

/* Whoever has a place begins with it. */
struct device {
    struct bs_minute_place place;
    int name;
};

struct owner {
    struct bs_minute minute;
    struct device devices[DEVICES];
    int count;
};

static void *make(void)
{
    struct owner *o = calloc(1, sizeof *o);
    assert_non_null(o);
    o->count = DEVICES;
    return o;
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct owner *o = at;
    o->count = (int)bs_snapshot_u32(s, (uint32_t)o->count, DEVICES);
    for (int i = 0; i < o->count; i++)
        bs_snapshot_define(s, BS_SNAPSHOT_DEVICE, &o->devices[i]);
    bs_minute_snapshot(s, &o->minute);
}

/* As devices are forgotten: each leaves. */
static void dispose(void *at)
{
    struct owner *o = at;
    for (int i = 0; i < DEVICES; i++)
        bs_minute_leave(&o->devices[i].place);
    assert_int_equal(o->minute.count, 0);
    free(o);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static void enter(struct owner *o, int device, int64_t now)
{
    if (!o->devices[device].place.minute)
        bs_minute_enter(&o->minute, &o->devices[device].place, (struct bs_tick_ms){now});
}

/* Some come in together, some leave, turns pass. */
static void live(struct owner *o, struct bs_random *r, int64_t *now, int turns)
{
    for (int i = 0; i < turns; i++) {
        *now += (int64_t)bs_random_below(r, 3000);
        for (uint64_t n = bs_random_below(r, 12); n; n--)
            enter(o, (int)bs_random_below(r, (uint64_t)o->count), *now);
        bs_minute_leave(&o->devices[bs_random_below(r, (uint64_t)o->count)].place);
        while (bs_minute_deadline(&o->minute).ms <= *now)
            bs_minute_advance(&o->minute);
    }
}

static void expect_same_turns(struct owner *a, struct owner *b, int turns)
{
    for (int i = 0; i < turns; i++) {
        assert_int_equal(bs_minute_deadline(&a->minute).ms, bs_minute_deadline(&b->minute).ms);
        if (bs_minute_deadline(&a->minute).ms == BS_NEVER_MS)
            return;
        const struct bs_minute_place *p = bs_minute_turn(&a->minute);
        const struct bs_minute_place *q = bs_minute_turn(&b->minute);
        for (; p && q; p = p->next, q = q->next)
            assert_int_equal((const struct device *)p - a->devices,
                             (const struct device *)q - b->devices);
        assert_true(!p && !q);
        bs_minute_advance(&a->minute);
        bs_minute_advance(&b->minute);
    }
}

static void goes_on_as_before(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct bs_random r, again;
        int64_t now = 1000, later;
        bs_random_init(&r, seed);
        struct owner *o = make();
        live(o, &r, &now, 200);
        struct owner *copy = snapshot_copy(&subject, o);
        again = r;
        later = now;
        live(o, &r, &now, 50);
        live(copy, &again, &later, 50);
        expect_same_turns(o, copy, 1200);
        dispose(o);
        dispose(copy);
    }
}

static void use(void *at)
{
    struct owner *o = at;
    bs_minute_leave(&o->devices[0].place);
    enter(o, 1, 5000);
    for (int i = 0; i < 700 && o->minute.count; i++) {
        for (struct bs_minute_place *p = bs_minute_turn(&o->minute), *next; p; p = next) {
            next = p->next;
            bs_minute_leave(p);
        }
        bs_minute_advance(&o->minute);
    }
}

static struct owner *few(void)
{
    struct owner *o = make();
    o->count = 5;
    for (int i = 0; i < o->count; i++)
        enter(o, i, 100 * (i / 2));
    return o;
}

static void what_is_cut_or_changed_is_safe(void **state)
{
    (void)state;
    struct owner *o = few();
    snapshot_expect_whole(&subject, o);
    assert_true(snapshot_change_bytes(&subject, o, use) > 0);
    dispose(o);
}

static void nobody_is_in_it_twice(void **state)
{
    (void)state;
    struct owner *o = few();
    struct bs_buffer saved = snapshot_save(&subject, o);
    /* count, anybody, next (2 bytes), then part 0: two, the first and the second device */
    assert_memory_equal(saved.at + 4, "\2\1\2", 3);
    saved.at[6] = 1;
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
    dispose(o);
}

static void nobody_is_nothing(void **state)
{
    (void)state;
    struct owner *o = make(), *copy = snapshot_copy(&subject, o);
    assert_int_equal(bs_minute_deadline(&copy->minute).ms, BS_NEVER_MS);
    dispose(o);
    dispose(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_as_before),
        cmocka_unit_test(what_is_cut_or_changed_is_safe),
        cmocka_unit_test(nobody_is_in_it_twice),
        cmocka_unit_test(nobody_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
