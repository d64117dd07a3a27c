/* Who is there, saved and loaded: whatever happens then happens to both alike. */
#include "backstep/base/random.h"
#include "backstep/core/roster.h"
#include "snapshot_memory.h"

#include <stdio.h>

#define SEEDS   12
#define ACTIONS 800
#define MEMBERS 6
#define DEVICES 5

struct gym {
    struct bs_roster *roster;
    struct bs_windows *windows;
    int64_t now;
    struct bs_tags *held; /* as a row would; NULL: none */
};

static void release(void *context, struct bs_member *m)
{
    (void)context;
    (void)m;
}

static void *make(void)
{
    static const struct bs_member_release nothing_held = {NULL, release};
    struct gym *g = calloc(1, sizeof *g);
    assert_non_null(g);
    g->roster = bs_roster_new(BS_SLICE("gym"), &nothing_held);
    assert_non_null(g->roster);
    assert_int_equal(bs_windows_new(&g->windows, 10000), BS_OK);
    bs_windows_set_lateness(g->windows, 300000, 3600000);
    return g;
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct gym *g = at;
    bs_roster_snapshot(s, g->roster);
    g->held = bs_snapshot_refer(s, BS_SNAPSHOT_TAGS, g->held);
    if (bs_snapshot_loads(s) && g->held)
        bs_tags_hold(g->held);
    struct bs_device *d = bs_roster_find(g->roster, BS_SLICE("d0"));
    struct bs_device *same = bs_snapshot_refer(s, BS_SNAPSHOT_DEVICE, d);
    bs_snapshot_require(s, same == d);
}

static void let_go(struct gym *g)
{
    if (g->held)
        bs_tags_drop(g->held);
    g->held = NULL;
}

static void dispose(void *at)
{
    struct gym *g = at;
    let_go(g);
    bs_roster_free(g->roster);
    bs_windows_free(g->windows);
    free(g);
}

static const struct snapshot_subject subject = {make, carry, dispose};

/* What may happen; each tells what came of it. */

static int pick(struct bs_random *random, int below)
{
    return (int)bs_random_below(random, (uint64_t)below);
}

static struct bs_slice name(char kind, int number, char room[8])
{
    return bs_slice_of(room, (size_t)snprintf(room, 8, "%c%d", kind, number));
}

static struct bs_member *member(struct gym *g, struct bs_random *random)
{
    char room[8];
    return bs_roster_make_member(g->roster, name('m', pick(random, MEMBERS), room));
}

static struct bs_device *device(struct gym *g, struct bs_random *random)
{
    char room[8];
    struct bs_slice id = name('d', pick(random, DEVICES), room);
    struct bs_device *d = bs_roster_find(g->roster, id);
    if (!d)
        d = bs_roster_add(g->roster, id, NULL, (struct bs_tick_ms){g->now});
    assert_non_null(d);
    return d;
}

/* They are hers as long as they are the first of the list that fit. */
static int64_t ask_for_tags(struct gym *g, struct bs_random *random)
{
    static const struct bs_member_document document = {.alias = BS_SLICE("Ruth")};
    static const struct bs_slice groups[] = {BS_SLICE("none"), BS_SLICE("tue"), BS_SLICE("fri")};
    struct bs_member *m = member(g, random);
    struct bs_tags_names names = {
        .group = groups[pick(random, 3)], .drill = BS_SLICE("none"), .phase = BS_SLICE("none")};
    m->windows.withheld = pick(random, 2);
    m->summaries.withheld = pick(random, 2);
    m->document = pick(random, 2) ? &document : NULL;
    m->consent = (uint8_t)pick(random, 3);
    struct bs_tags *t = bs_roster_tags(g->roster, m, &names);
    m->document = NULL;
    assert_non_null(t);
    let_go(g);
    bs_tags_hold(t);
    g->held = t;
    int64_t place = 0;
    for (; t; t = t->next)
        place++;
    return place;
}

static int64_t give_slot(struct gym *g, struct bs_random *random)
{
    struct bs_device *d = device(g, random);
    bool fresh;
    if (!bs_device_wearer(d))
        bs_roster_set_wearer(g->roster, d, member(g, random));
    return 2 * bs_device_slot(d, &fresh) + fresh;
}

static int64_t hear_boot(struct gym *g, struct bs_random *random)
{
    uint32_t lost;
    struct bs_device *d = device(g, random);
    bool uses_up = pick(random, 10) == 0;
    uint32_t id = (uint32_t)pick(random, pick(random, 4) ? 2 : 20);
    struct bs_boot *b = bs_device_boot(d, id, uses_up, g->windows, (struct bs_tick_ms){g->now});
    int64_t offset = 0;
    if (!b)
        return -1;
    if (uses_up && !b->upclock)
        b->upclock = bs_upclock_new();
    if (b->upclock)
        bs_upclock_hear(b->upclock, (struct bs_tick_ms){g->now}, pick(random, 1000));
    if (b->upclock)
        bs_upclock_offset(b->upclock, (struct bs_tick_ms){g->now}, &offset);
    bool before = b->accepted;
    int64_t latest = b->latest_accepted;
    b->accepted = before || pick(random, 3);
    if (b->accepted)
        b->latest_accepted = g->now;
    uint32_t seq = (uint32_t)pick(random, pick(random, 10) ? 9 : 9000);
    return latest % 1000000 + before + 2 * bs_seen_mark(&b->seen, seq, &lost) +
           10 * (offset % 1000000);
}

static int64_t hear_device(struct gym *g, struct bs_random *random)
{
    struct bs_device *d = device(g, random);
    struct bs_birth birth = {(enum bs_sensor_kind)pick(random, BS_SENSOR_KINDS),
                             (enum bs_foot)pick(random, 3), pick(random, 102) - 1};
    int64_t median = -1;
    const struct bs_birth *before = bs_device_birth(d);
    int64_t said =
        (int64_t)before->kind + 10 * (int64_t)before->side + 100 * (int64_t)before->battery_pct;
    if (pick(random, 2))
        bs_device_set_birth(d, &birth, (struct bs_tick_ms){g->now});
    bs_device_note_delay(d, pick(random, 5000), (struct bs_tick_ms){g->now});
    said += (int64_t)(bs_device_health(d)->counts.received++ % 10000) * 100000;
    bs_device_health(d)->last_seen.ms = g->now;
    bs_roster_median_delay(g->roster, (struct bs_tick_ms){g->now}, &median);
    return said + 7 * (median % 10000);
}

static int64_t change_wearer(struct gym *g, struct bs_random *random)
{
    struct bs_device *d = device(g, random);
    bs_roster_set_wearer(g->roster, d, pick(random, 4) ? member(g, random) : NULL);
    if (pick(random, 3))
        return 0;
    struct bs_member *guest = bs_roster_make_guest(g->roster, bs_device_id(d));
    bs_roster_set_wearer(g->roster, d, guest);
    return guest->is_guest;
}

static int64_t sweep(struct gym *g, struct bs_random *random)
{
    let_go(g);
    g->now += pick(random, 100) ? 60000 : 7 * INT64_C(3600000);
    bs_windows_advance(g->windows, (struct bs_wall_ms){g->now});
    bs_roster_sweep(g->roster, g->windows, (struct bs_tick_ms){g->now});
    if (pick(random, 20) == 0)
        bs_roster_restart_clocks(g->roster);
    return 0;
}

static int64_t act(struct gym *g, struct bs_random *random)
{
    static int64_t (*const actions[])(struct gym *, struct bs_random *) = {
        ask_for_tags, give_slot, hear_boot, hear_device, change_wearer, sweep};
    int64_t said = actions[pick(random, 6)](g, random);
    return said * 1000003 + bs_roster_devices(g->roster) * 1000 + bs_roster_guests(g->roster) * 30 +
           bs_roster_members(g->roster);
}

static void copy_time(const struct gym *from, struct gym *to)
{
    to->now = from->now;
    bs_windows_advance(to->windows, (struct bs_wall_ms){to->now});
}

static void tell(void *context, struct bs_member *m)
{
    struct bs_slice id = bs_member_id(m);
    bs_buffer_add_format(context, "%.*s guest %d consent %d withheld %d %d slots %x last %d\n",
                         (int)id.length, id.at, m->is_guest, m->consent, m->windows.withheld,
                         m->summaries.withheld, m->slots, m->last_slot);
}

static void expect_same_members(struct gym *a, struct gym *b)
{
    struct bs_buffer one, other;
    bs_buffer_init(&one, 1u << 16);
    bs_buffer_init(&other, 1u << 16);
    bs_roster_each_member(a->roster, tell, &one);
    bs_roster_each_member(b->roster, tell, &other);
    bs_buffer_add_char(&one, 0);
    bs_buffer_add_char(&other, 0);
    assert_string_equal(one.at, other.at);
    bs_buffer_fini(&one);
    bs_buffer_fini(&other);
}

static void what_happens_happens_to_both(void **state)
{
    (void)state;
    size_t largest = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct bs_random random;
        bs_random_init(&random, seed);
        struct gym *g = make();
        bs_roster_seed(g->roster, seed);
        for (int i = 0; i < ACTIONS; i += 10) {
            struct gym *copy = snapshot_copy(&subject, g);
            copy_time(g, copy);
            expect_same_members(g, copy);
            for (int k = 0; k < 10; k++) {
                struct bs_random again = random;
                int64_t said = act(g, &random);
                assert_int_equal(said, act(copy, &again));
            }
            snapshot_expect_same(&subject, g, copy);
            largest =
                bs_roster_devices(g->roster) > largest ? bs_roster_devices(g->roster) : largest;
            dispose(g);
            g = copy;
        }
        dispose(g);
    }
    assert_true(largest > DEVICES / 2);
}

/* Nobody wears more than a bound may ask for, once documents have left them: they are all there. */
static void devices_beyond_the_bound_come_back(void **state)
{
    (void)state;
    struct gym *g = make();
    char id[16];
    struct bs_member *m = bs_roster_make_member(g->roster, BS_SLICE("m1"));
    struct bs_tick_ms now = {0};
    struct bs_device *d = bs_roster_add(g->roster, BS_SLICE("worn"), m, now);
    for (unsigned i = 0; i < BS_UNWORN_MAX; i++) {
        snprintf(id, sizeof id, "%u", i);
        assert_non_null(bs_roster_add(g->roster, bs_slice_text(id), NULL, now));
    }
    bs_roster_set_wearer(g->roster, d, NULL);
    struct gym *copy = snapshot_copy(&subject, g);
    assert_int_equal(bs_roster_devices(copy->roster), BS_UNWORN_MAX + 1);
    assert_null(bs_roster_add(copy->roster, BS_SLICE("another"), NULL, now));
    dispose(g);
    dispose(copy);
}

/* Forged. */

static void use(void *at)
{
    struct bs_random random;
    bs_random_init(&random, 5);
    for (int i = 0; i < 30; i++)
        act(at, &random);
    struct bs_buffer again = snapshot_save(&subject, at);
    bs_buffer_fini(&again);
}

static struct gym *small_gym(void)
{
    struct gym *g = make();
    struct bs_random random;
    bs_random_init(&random, 2);
    bs_roster_seed(g->roster, 1);
    for (int i = 0; i < 2; i++) {
        char room[8];
        bool fresh;
        struct bs_device *d = bs_roster_add(g->roster, name('d', i, room), member(g, &random),
                                            (struct bs_tick_ms){0});
        assert_true(bs_device_slot(d, &fresh) >= 0);
        hear_device(g, &random);
    }
    hear_boot(g, &random);
    ask_for_tags(g, &random);
    change_wearer(g, &random);
    return g;
}

static void damaged_ones_do_no_harm(void **state)
{
    (void)state;
    struct gym *g = small_gym();
    snapshot_expect_whole(&subject, g);
    assert_true(snapshot_change_bytes(&subject, g, use) > 0);
    assert_true(snapshot_change_numbers(&subject, g, use, 4000) > 0);
    dispose(g);
}

/* Two devices of one member have the slots 1 and 2: whose number is changed to the other's. */
static void two_devices_with_one_slot_are_refused(void **state)
{
    (void)state;
    struct gym *g = make();
    struct bs_member *m = bs_roster_make_member(g->roster, BS_SLICE("m1"));
    bool fresh;
    bs_device_slot(bs_roster_add(g->roster, BS_SLICE("one"), m, (struct bs_tick_ms){0}), &fresh);
    bs_device_slot(bs_roster_add(g->roster, BS_SLICE("two"), m, (struct bs_tick_ms){0}), &fresh);
    struct bs_buffer saved = snapshot_save(&subject, g);
    char *two = memmem(saved.at, saved.length, "two\1", 4);
    assert_non_null(two);
    assert_int_equal(two[4], 2 * 2);
    two[4] = 1 * 2;
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    two[4] = 3 * 2;
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_OK);
    bs_buffer_fini(&saved);
    dispose(g);
}

static void memory_may_be_out(void **state)
{
    (void)state;
    expect_out_of_memory(subject, small_gym());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happens_happens_to_both),
        cmocka_unit_test(devices_beyond_the_bound_come_back),
        cmocka_unit_test(damaged_ones_do_no_harm),
        cmocka_unit_test(two_devices_with_one_slot_are_refused),
        cmocka_unit_test(memory_may_be_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
