/* Documents take effect: who a step belongs to, which tags it carries, and what consent withholds.
 */
#include "engine_world.h"

#include <string.h>

#define MINUTE 60000

/* The newest writing of each row. */
struct board {
    struct {
        char key[320]; /* measurement, tags, timestamp */
        long steps;
        int written;
    } rows[256];
    int count;
};

static void take_row(struct board *b, const char *line)
{
    char key[320];
    const char *fields = strchr(line, ' '), *stamp = strrchr(line, ' ');
    const char *steps = strstr(fields, "steps=");
    while (fields > line && fields[-1] == '\\') /* an escaped space in a tag */
        fields = strchr(fields + 1, ' ');
    snprintf(key, sizeof key, "%.*s%s", (int)(fields - line), line, stamp);
    int i = 0;
    while (i < b->count && strcmp(b->rows[i].key, key) != 0)
        i++;
    assert_true(i < 256);
    if (i == b->count)
        snprintf(b->rows[b->count++].key, sizeof key, "%s", key);
    b->rows[i].steps = strtol(steps + 6, NULL, 10);
    b->rows[i].written++;
}

/* Takes what was written since the last call; how many lines that were. */
static int take_rows(struct world *w, struct board *b)
{
    int lines = 0;
    char *text = strdup(world_lines(w)), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line; lines++)
        take_row(b, line);
    free(text);
    return lines;
}

/* Steps over all rows whose keys hold both texts. */
static long steps_in(const struct board *b, const char *first, const char *second)
{
    long sum = 0;
    for (int i = 0; i < b->count; i++)
        if (strstr(b->rows[i].key, first) && strstr(b->rows[i].key, second))
            sum += b->rows[i].steps;
    return sum;
}

static void say(struct world *w, const char *document, const char *payload)
{
    char topic[128];
    uint64_t accepted = bs_engine_books(w->engine)->config_accepted;
    snprintf(topic, sizeof topic, "config/%s", document);
    world_say(w, topic, BS_RECORD_RETAINED, bs_slice_text(payload));
    if (payload[0] && bs_engine_books(w->engine)->config_accepted != accepted + 1)
        fail_msg("%s: %.*s", document, (int)w->publications.length, w->publications.at);
    w->publications.length = 0;
}

static uint32_t next_seq;

static void step_at(struct world *w, const char *device, int64_t time_ms)
{
    world_step(w, device, "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"F\"}", next_seq++,
               (long long)time_ms);
}

static void step(struct world *w, const char *device)
{
    step_at(w, device, w->tick);
}

static uint64_t rejected(struct world *w, enum bs_step_reason reason)
{
    return bs_engine_books(w->engine)->steps_rejected[reason];
}

static const char ruth[] = "{\"consent\":\"member\",\"alias\":\"Ruth\",\"devices\":[\"pod\"],"
                           "\"groups\":[\"tue\",\"mon\"]}";

static void a_device_is_its_members(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    step(&w, "other");
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 1);
    say(&w, "member/m2", "{\"consent\":\"none\",\"devices\":[\"belt\"]}");
    step(&w, "belt");
    assert_int_equal(rejected(&w, BS_STEP_NO_CONSENT), 1);
    say(&w, "member/m1", "");
    step(&w, "pod"); /* nobody's now, and no guest either */
    world_welcome_guests(&w, "");
    step(&w, "pod");
    step(&w, "other");
    assert_int_equal(rejected(&w, BS_STEP_UNKNOWN_DEVICE), 3);
    world_wait(&w, 3000);
    take_rows(&w, &b);
    assert_int_equal(
        steps_in(&b, "alias=Ruth,direction=F,drill=none,group=tue,member=m1,phase=none", ""), 1);
    assert_int_equal(steps_in(&b, "member=guest-other", "group=none"), 1);
    assert_int_equal(b.count, 2);
    world_end(&w);
}

static void a_device_moves_on(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "member/m1", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    step(&w, "pod");
    say(&w, "member/m1", "{\"consent\":\"member\"}");
    say(&w, "member/m2", "{\"consent\":\"member\",\"devices\":[\"pod\"]}");
    step(&w, "pod");
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "member=m1", ""), 1);
    assert_int_equal(steps_in(&b, "member=m2", ""), 2);
    world_end(&w);
}

/* The same key within a window is the same row, however often the names changed between. */
static void an_alias_changes_and_returns(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    const char *form = "{\"consent\":\"member\",\"alias\":\"%s\",\"devices\":[\"pod\"]}";
    char document[128];
    for (int i = 0; i < 5; i++) {
        snprintf(document, sizeof document, form, i % 2 ? "B b" : "A");
        say(&w, "member/m1", document);
        step(&w, "pod");
    }
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "alias=A,", ""), 3);
    assert_int_equal(steps_in(&b, "alias=B\\ b,", ""), 2);
    assert_int_equal(b.count, 2);
    world_end(&w);
}

static void withdrawn_consent_is_the_last_word(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "settings/site", "{\"allowed_lateness_s\":60}");
    say(&w, "member/m1", ruth);
    say(&w, "member/m2", "{\"consent\":\"member\",\"devices\":[\"pod2\"],\"groups\":[\"tue\"]}");
    step(&w, "pod");
    step(&w, "pod");
    step(&w, "pod2");
    assert_int_equal(take_rows(&w, &b), 0);
    say(&w, "member/m1", "{\"consent\":\"none\",\"devices\":[\"pod\"]}");
    assert_int_equal(take_rows(&w, &b), 1); /* at that moment, and its own row alone */
    assert_int_equal(steps_in(&b, "member=m1", ""), 2);
    step(&w, "pod");
    assert_int_equal(rejected(&w, BS_STEP_NO_CONSENT), 1);
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    for (int i = 0; i < b.count; i++)
        if (strstr(b.rows[i].key, "member=m1"))
            assert_int_equal(b.rows[i].written, 1);
    assert_int_equal(steps_in(&b, "member=m2", ""), 1);
    struct bs_engine_held held;
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.windows, 0);
    world_end(&w);
}

static void consent_that_returns_goes_on_with_the_row(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    say(&w, "member/m1",
        "{\"consent\":\"group\",\"alias\":\"Ruth\",\"devices\":[\"pod\"],"
        "\"groups\":[\"tue\"]}");
    step(&w, "pod"); /* in no row of the member's */
    say(&w, "member/m1", ruth);
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 3);
    assert_int_equal(steps_in(&b, "member=m1", ""), 2);
    assert_int_equal(b.count, 1);
    world_end(&w);
}

static const char drill[] =
    "{\"phases\":[{\"name\":\"imprint\",\"direction\":\"B\",\"duration_s\":60},"
    "{\"name\":\"carry on\",\"direction\":\"F\",\"duration_s\":60}]}";

static void say_session(struct world *w, const char *group, int64_t start_s, const char *more)
{
    char topic[96], document[256];
    struct bs_buffer at;
    bs_buffer_init(&at, 64);
    bs_buffer_add_iso_time(&at, start_s * 1000);
    snprintf(topic, sizeof topic, "session/%s", group);
    snprintf(document, sizeof document, "{\"drill\":\"back\",\"start\":\"%.*s\"%s}", (int)at.length,
             at.at, more);
    say(w, topic, document);
    bs_buffer_fini(&at);
}

static void a_session_gives_drill_and_phase(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t start = w.tick / 1000;
    say(&w, "member/m1", ruth);
    say_session(&w, "mon", start, "");
    step(&w, "pod"); /* before its drill is there, the session runs nothing */
    say(&w, "drill/back", drill);
    step(&w, "pod");
    world_wait(&w, 70000);
    step(&w, "pod");
    step_at(&w, "pod", start * 1000 + 59999); /* late: the phase of its own time */
    world_wait(&w, 100000);
    step(&w, "pod"); /* behind the last phase */
    say_session(&w, "mon", start, ",\"phase\":\"imprint\"");
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=none,group=tue", "phase=none"), 1);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", "phase=imprint"), 3);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", "phase=carry\\ on"), 1);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", "phase=none"), 1);
    assert_int_equal(steps_in(&b, "", ""), 6);
    world_end(&w);
}

static void the_first_running_group_counts(void **state)
{
    (void)state;
    struct world w;
    struct board b = {.count = 0};
    world_begin(&w);
    int64_t start = w.tick / 1000;
    say(&w, "drill/back", drill);
    say(&w, "member/m1", ruth);
    say_session(&w, "tue", start, "");
    step(&w, "pod");
    say_session(&w, "mon", start, ""); /* by id, not by the document's order */
    step(&w, "pod");
    say(&w, "session/mon", "");
    step(&w, "pod");
    world_wait(&w, 31 * MINUTE); /* without an end it closes half an hour after the last step */
    step(&w, "pod");
    world_wait(&w, 10 * MINUTE);
    take_rows(&w, &b);
    assert_int_equal(steps_in(&b, "drill=back,group=tue", ""), 2);
    assert_int_equal(steps_in(&b, "drill=back,group=mon", ""), 1);
    assert_int_equal(steps_in(&b, "drill=none,group=tue", ""), 1);
    world_end(&w);
}

static void a_birth_comes_before_its_document(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_say_text(&w, "device/pod/birth", "{\"side\":\"L\"}");
    say(&w, "member/m1", ruth);
    for (int i = 0; i < 4; i++)
        world_step(&w, "pod",
                   "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"F\",\"foot\":"
                   "\"R\",\"step_ms\":500}",
                   next_seq++, (long long)w.tick);
    for (int i = 0; i < 4; i++)
        world_step(&w, "pod",
                   "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"F\","
                   "\"step_ms\":500}",
                   next_seq++, (long long)w.tick);
    world_wait(&w, 3000);
    assert_non_null(strstr(world_lines(&w), "symmetry_pct=0,"));
    world_end(&w);
}

static void guests_and_members_share_the_bound(void **state)
{
    (void)state;
    struct world w;
    world_begin(&w);
    world_welcome_guests(&w, ",\"max_members\":2");
    say(&w, "member/m1", ruth);
    step(&w, "a");
    step(&w, "b");
    assert_int_equal(rejected(&w, BS_STEP_OVER_LIMIT), 1);
    step(&w, "a");
    step(&w, "pod");
    assert_int_equal(bs_engine_books(w.engine)->steps_counted, 3);
    world_say(&w, "config/member/m2", BS_RECORD_RETAINED, BS_SLICE("{\"consent\":\"none\"}"));
    assert_int_equal(bs_engine_books(w.engine)->config_rejected, 1);
    world_end(&w);
}

static void members_come_and_go_without_a_trace(void **state)
{
    (void)state;
    struct world w;
    struct bs_engine_held held;
    world_begin(&w);
    for (int i = 0; i < 200; i++) {
        char name[32], document[96], device[16];
        snprintf(name, sizeof name, "member/m%d", i);
        snprintf(device, sizeof device, "pod%d", i);
        snprintf(document, sizeof document, "{\"consent\":\"member\",\"devices\":[\"%s\"]}",
                 device);
        say(&w, name, document);
        step(&w, device);
        say(&w, name, "");
    }
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 200);
    world_wait(&w, INT64_C(8) * 24 * 60 * MINUTE);
    bs_engine_get_held(w.engine, &held);
    assert_int_equal(held.members, 0);
    assert_int_equal(held.devices, 0);
    assert_int_equal(held.windows, 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_its_members),
        cmocka_unit_test(a_device_moves_on),
        cmocka_unit_test(an_alias_changes_and_returns),
        cmocka_unit_test(withdrawn_consent_is_the_last_word),
        cmocka_unit_test(consent_that_returns_goes_on_with_the_row),
        cmocka_unit_test(a_session_gives_drill_and_phase),
        cmocka_unit_test(the_first_running_group_counts),
        cmocka_unit_test(a_birth_comes_before_its_document),
        cmocka_unit_test(guests_and_members_share_the_bound),
        cmocka_unit_test(members_come_and_go_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
