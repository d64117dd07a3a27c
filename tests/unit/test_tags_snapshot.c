/* Tags in snapshots: the same text comes back, and only names that could have been given do. */
#include "backstep/core/tags.h"
#include "snapshot_world.h"

#define REPEAT_8(text) text text text text text text text text
#define ID_64          REPEAT_8("device-1")

static const struct bs_tags_names ruth = {.site = BS_SLICE("gym"),
                                          .group = BS_SLICE("tue"),
                                          .drill = BS_SLICE("back-twenty"),
                                          .phase = BS_SLICE("carry over"),
                                          .member = BS_SLICE("m1"),
                                          .alias = BS_SLICE("R=1, R"),
                                          .named = true};

static const struct bs_tags_names guest = {.site = BS_SLICE(ID_64),
                                           .group = BS_SLICE("none"),
                                           .drill = BS_SLICE("none"),
                                           .phase = BS_SLICE("none"),
                                           .member = BS_SLICE("guest-" ID_64),
                                           .alias = BS_SLICE("guest-" ID_64)};

/* Tags and the place they are loaded to. */
struct holder {
    struct bs_tags *tags;
};

static void *make(void)
{
    return calloc(1, sizeof(struct holder));
}

static void carry(struct bs_snapshot *s, void *at)
{
    struct holder *h = at;
    h->tags = bs_tags_snapshot(s, h->tags);
}

static void dispose(void *at)
{
    struct holder *h = at;
    if (h->tags)
        bs_tags_drop(h->tags);
    free(h);
}

static const struct snapshot_subject subject = {make, carry, dispose};

static struct holder *hold(const struct bs_tags_names *names)
{
    struct holder *h = make();
    h->tags = bs_tags_new(names);
    assert_non_null(h->tags);
    return h;
}

static void expect_copied(const struct bs_tags_names *names)
{
    struct holder *h = hold(names), *copy = snapshot_copy(&subject, h);
    const struct bs_tags *a = h->tags, *b = copy->tags;
    assert_true(bs_tags_are(b, names));
    assert_true(bs_tags_share_group(a, b));
    assert_int_equal(a->references, 1);
    assert_int_equal(b->references, 1);
    assert_int_equal(a->grouped, b->grouped);
    assert_int_equal(a->alias_length, b->alias_length);
    assert_true(bs_slice_equal(bs_tags_rest(a), bs_tags_rest(b)));
    assert_true(bs_slice_equal(bs_tags_group(b), names->group));
    assert_true(bs_slice_equal(bs_tags_member(b), names->member));
    assert_true(bs_slice_equal(bs_tags_site_tag(a), bs_tags_site_tag(b)));
    dispose(h);
    dispose(copy);
}

static void the_same_comes_back(void **state)
{
    (void)state;
    expect_copied(&ruth);
    expect_copied(&guest);
    /* 32 code points: of four bytes, and most with a backslash. */
    struct bs_tags_names longest = ruth;
    longest.alias = BS_SLICE(REPEAT_8("\xf0\x9f\x91\xa3") REPEAT_8("\xf0\x9f\x91\xa3")
                                 REPEAT_8("\xf0\x9f\x91\xa3") REPEAT_8("\xf0\x9f\x91\xa3"));
    longest.phase = BS_SLICE("a, b = " REPEAT_8("=, ") "x");
    expect_copied(&longest);
}

/* It is saved as it is, but does not come back. */
static void expect_refused(const struct bs_tags_names *names)
{
    struct holder *h = hold(names);
    struct bs_buffer saved = snapshot_save(&subject, h);
    assert_int_equal(snapshot_try(&subject, bs_buffer_slice(&saved)), BS_CORRUPT);
    bs_buffer_fini(&saved);
    dispose(h);
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    struct bs_tags_names names;
#define REFUSE(name, text)                                                                         \
    names = ruth;                                                                                  \
    names.name = BS_SLICE(text);                                                                   \
    expect_refused(&names)
    REFUSE(alias, "");
    REFUSE(alias, "two\nlines");
    REFUSE(alias, " Ruth");
    REFUSE(alias, "\xff");
    REFUSE(phase, "imprint ");
    REFUSE(phase, "");
    REFUSE(group, "a/b");
    REFUSE(drill, "a b");
    REFUSE(drill, "");
    REFUSE(member, "a=b");
    REFUSE(member, "guest-a.b");
    REFUSE(site, "g/m");
#undef REFUSE
}

static void read_all(void *at)
{
    const struct bs_tags *t = ((struct holder *)at)->tags;
    char room[BS_TAGS_ALIAS_MAX];
    size_t length = bs_tags_alias_name(t, room).length + bs_tags_member(t).length +
                    bs_tags_group(t).length + bs_tags_site_tag(t).length;
    assert_true(length <= t->alias_length + bs_tags_rest(t).length);
}

static void damaged_ones_do_no_harm(void **state)
{
    (void)state;
    struct holder *h = hold(&ruth);
    snapshot_expect_whole(&subject, h);
    assert_true(snapshot_change_bytes(&subject, h, read_all) > 0);
    dispose(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_comes_back),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(damaged_ones_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
