/* Tags: the text in its order, its pieces, what is the same and what is shared. */
#include "backstep/core/tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

static const struct bs_tags_names ruth = {.site = BS_SLICE("gym"),
                                          .group = BS_SLICE("tue"),
                                          .drill = BS_SLICE("back-twenty"),
                                          .phase = BS_SLICE("carry over"),
                                          .member = BS_SLICE("m1"),
                                          .alias = BS_SLICE("R=1, R"),
                                          .named = true};

static struct bs_tags *tags_of(const struct bs_tags_names *names)
{
    struct bs_tags *tags = bs_tags_new(names);
    assert_non_null(tags);
    return tags;
}

static void assert_text(struct bs_slice found, const char *expected)
{
    char text[512];
    assert_true(found.length < sizeof text);
    memcpy(text, found.at, found.length);
    text[found.length] = 0;
    assert_string_equal(text, expected);
}

static void pieces_stand_in_the_order_of_their_names(void **state)
{
    (void)state;
    struct bs_tags *tags = tags_of(&ruth);
    assert_text(bs_tags_alias(tags), ",alias=R\\=1\\,\\ R");
    assert_text(bs_tags_rest(tags),
                ",drill=back-twenty,group=tue,member=m1,phase=carry\\ over,site=gym");
    assert_text(bs_tags_head(tags), ",drill=back-twenty,group=tue");
    assert_text(bs_tags_tail(tags), ",phase=carry\\ over,site=gym");
    assert_text(bs_tags_group(tags), "tue");
    assert_text(bs_tags_member_tag(tags), ",member=m1");
    assert_text(bs_tags_site_tag(tags), ",site=gym");
    assert_true(tags->named);
    assert_true(tags->grouped);
    bs_tags_drop(tags);
}

static void names_are_read_back(void **state)
{
    (void)state;
    char room[BS_TAGS_ALIAS_MAX];
    struct bs_tags *tags = tags_of(&ruth);
    assert_text(bs_tags_group(tags), "tue");
    assert_text(bs_tags_member(tags), "m1");
    assert_text(bs_tags_alias_name(tags, room), "R=1, R");
    bs_tags_drop(tags);
    /* 32 code points of four bytes */
    struct bs_tags_names names = ruth;
    char longest[BS_TAGS_ALIAS_MAX];
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = "\xf0\x9f\x9a\xb6"[i % 4];
    names.alias = bs_slice_of(longest, sizeof longest);
    tags = tags_of(&names);
    assert_true(bs_slice_equal(bs_tags_alias_name(tags, room), names.alias));
    bs_tags_drop(tags);
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = ",= "[i % 3];
    tags = tags_of(&names);
    assert_true(bs_slice_equal(bs_tags_alias_name(tags, room), names.alias));
    bs_tags_drop(tags);
}

static void no_group_is_told(void **state)
{
    (void)state;
    struct bs_tags_names names = ruth;
    names.group = BS_SLICE("none");
    names.named = false;
    struct bs_tags *tags = tags_of(&names);
    assert_false(tags->grouped);
    assert_false(tags->named);
    bs_tags_drop(tags);
}

/* Every way of differing, a longer and a shorter value among them. */
static void the_same_are_told_from_others(void **state)
{
    (void)state;
    struct bs_tags *tags = tags_of(&ruth);
    assert_true(bs_tags_are(tags, &ruth));
    struct bs_tags_names other = ruth;
    other.named = false;
    assert_false(bs_tags_are(tags, &other));
    struct bs_slice *values[] = {&other.site,  &other.group,  &other.drill,
                                 &other.phase, &other.member, &other.alias};
    const char *texts[] = {"", "x", "gy", "gymn", "gym,x", "gym\\"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
            other = ruth;
            *values[i] = bs_slice_text(texts[j]);
            if (bs_tags_are(tags, &other))
                fail_msg("value %zu: \"%s\" is taken for another", i, texts[j]);
            struct bs_tags *own = tags_of(&other);
            assert_true(bs_tags_are(own, &other));
            bs_tags_drop(own);
        }
    }
    bs_tags_drop(tags);
}

static void a_group_is_shared_by_whoever_is_in_it(void **state)
{
    (void)state;
    struct bs_tags *tags = tags_of(&ruth);
    struct bs_tags_names names = ruth;
    names.member = BS_SLICE("m2");
    names.alias = BS_SLICE("Ida");
    names.named = false;
    struct bs_tags *ida = tags_of(&names);
    assert_true(bs_tags_share_group(tags, ida));
    bs_tags_drop(ida);
    struct bs_slice *values[] = {&names.site, &names.group, &names.drill, &names.phase};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        names = ruth;
        *values[i] = BS_SLICE("other");
        struct bs_tags *other = tags_of(&names);
        assert_false(bs_tags_share_group(tags, other));
        bs_tags_drop(other);
    }
    bs_tags_drop(tags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_stand_in_the_order_of_their_names),
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(no_group_is_told),
        cmocka_unit_test(the_same_are_told_from_others),
        cmocka_unit_test(a_group_is_shared_by_whoever_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
