/* Random documents between random steps, held against what the interface promises whatever comes:
 * whose a step is, that it stands in one row of windows and in one of its session, that final is
 * final, and that no row and no board with a member's name is written without that member's
 * consent. Twice with another key of the hash tables: the same bytes. */
#include "backstep/base/random.h"
#include "backstep/core/kinds.h"
#include "engine_world.h"

#include <string.h>

#define SEEDS   60
#define ACTIONS 400
#define MEMBERS 4
#define GROUPS  2
#define DEVICES 6
#define KEYS    4096

enum wearer { NEVER = -1, FORMER = -2 }; /* else a member's number */

struct key {
    char *text; /* measurement, tags, timestamp */
    long steps;
    bool final;
};

struct trial {
    struct world w;
    struct bs_random random;
    unsigned seed;
    /* What the documents say. Of a deleted one the consent stays. */
    int wearer[DEVICES], consent[MEMBERS];
    bool welcome; /* guests are */
    uint32_t seq;
    /* What was counted with consent `member`, by member, then by guest. */
    long expected[MEMBERS + DEVICES];
    struct key keys[KEYS];
    int key_count;
    long health_rows;
    struct bs_buffer all;
    long shown; /* on boards */
};

static int pick(struct trial *t, int below)
{
    return (int)bs_random_below(&t->random, (uint64_t)below);
}

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("seed %u: ", t->seed);                                                     \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* Whose rows a step of the device must be in, -1: nobody's. */
static int owner_of(const struct trial *t, int device)
{
    int wearer = t->wearer[device];
    if (wearer == NEVER && t->welcome)
        return MEMBERS + device;
    return wearer >= 0 && t->consent[wearer] == BS_CONSENT_MEMBER ? wearer : -1;
}

/* What is written. */

static struct key *find_key(struct trial *t, const char *text)
{
    for (int i = 0; i < t->key_count; i++)
        if (strcmp(t->keys[i].text, text) == 0)
            return &t->keys[i];
    EXPECT(t->key_count < KEYS, "more than %d rows", KEYS);
    t->keys[t->key_count] = (struct key){.text = strdup(text)};
    return &t->keys[t->key_count++];
}

/* The member of a row by number, a guest's behind all members'. */
static int member_of(const char *key)
{
    const char *name = strstr(key, ",member=") + 8;
    return *name == 'm' ? atoi(name + 1) : MEMBERS + atoi(name + 6);
}

/* What is said of a device is said of whoever wears it. */
static void take_health(struct trial *t, const char *line)
{
    int device = atoi(strstr(line, "device=") + 7);
    EXPECT(owner_of(t, device) >= 0, "without consent: %s", line);
    t->health_rows++;
}

static void take_line(struct trial *t, const char *line)
{
    if (strncmp(line, "device_health,", 14) == 0) {
        take_health(t, line);
        return;
    }
    char text[512];
    const char *fields = strstr(line, " steps="), *stamp = strrchr(line, ' ');
    const char *head = fields ? fields : strstr(line, " members=");
    snprintf(text, sizeof text, "%.*s%s", (int)(head - line), line, stamp);
    struct key *key = find_key(t, text);
    EXPECT(!key->final, "written after it was final: %s", line);
    key->final = strstr(line, "final=true ") != NULL;
    if (!fields || strncmp(line, "group_window", 12) == 0)
        return;
    long steps = strtol(fields + 7, NULL, 10);
    EXPECT(steps >= key->steps, "fewer steps than the %ld before: %s", key->steps, line);
    key->steps = steps;
    int who = member_of(text);
    EXPECT(who >= MEMBERS || t->consent[who] == BS_CONSENT_MEMBER, "without consent: %s", line);
}

static void take_lines(struct trial *t)
{
    bs_buffer_add(&t->all, bs_buffer_slice(&t->w.lines));
    char *text = strdup(world_lines(&t->w)), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        take_line(t, line);
    free(text);
}

static void take_publications(struct trial *t)
{
    bs_buffer_add(&t->all, bs_buffer_slice(&t->w.publications));
    bs_buffer_add_char(&t->w.publications, 0);
    assert_false(t->w.publications.failed);
    t->w.publications.length = 0;
    const char *at = t->w.publications.at;
    while ((at = strstr(at, "{\"member\":\"m"))) {
        at += strlen("{\"member\":\"m");
        EXPECT(t->consent[atoi(at)] == BS_CONSENT_MEMBER, "shown without consent: %.80s", at);
        t->shown++;
    }
}

/* What is done. */

static int64_t wall(const struct trial *t)
{
    return t->w.tick + bs_engine_offset_ms(t->w.engine);
}

/* True where it was accepted. */
static bool say(struct trial *t, const char *topic, const char *payload)
{
    uint64_t rejected = bs_engine_books(t->w.engine)->config_rejected;
    world_say(&t->w, topic, BS_RECORD_RETAINED, bs_slice_text(payload));
    return bs_engine_books(t->w.engine)->config_rejected == rejected;
}

static void take_off(struct trial *t, int member)
{
    for (int d = 0; d < DEVICES; d++)
        if (t->wearer[d] == member)
            t->wearer[d] = FORMER;
}

static void change_member(struct trial *t)
{
    static const char *const consents[] = {"none", "group", "member", "member"};
    static const char *const aliases[] = {"", "\"alias\":\"A\",", "\"alias\":\"B b\","};
    static const char *const groups[] = {"", "\"g0\"", "\"g1\",\"g0\""};
    int member = pick(t, MEMBERS), consent = pick(t, 4), first = pick(t, DEVICES);
    int second = pick(t, 3) ? -1 : (first + 1) % DEVICES;
    char topic[32], more[16] = "", payload[256] = "";
    bool deleted = pick(t, 10) == 0;
    snprintf(topic, sizeof topic, "config/member/m%d", member);
    if (second >= 0)
        snprintf(more, sizeof more, ",\"%d\"", second);
    int alias = pick(t, 3), group = pick(t, 3);
    if (!deleted)
        snprintf(payload, sizeof payload,
                 "{\"consent\":\"%s\",%s\"devices\":[\"%d\"%s],\"groups\":[%s]}", consents[consent],
                 aliases[alias], first, more, groups[group]);
    world_fold(&t->w, BS_RECORD_TICK, 0, (struct bs_slice){0}); /* boards that are due anyway */
    take_publications(t);
    bool accepted = say(t, topic, payload);
    take_lines(t); /* the last ones that the consent before allows are among them */
    if (!accepted)
        return;
    take_off(t, member);
    if (deleted)
        return;
    t->wearer[first] = member;
    if (second >= 0)
        t->wearer[second] = member;
    t->consent[member] = consent > BS_CONSENT_MEMBER ? BS_CONSENT_MEMBER : consent;
}

static void change_class(struct trial *t)
{
    char topic[32], payload[256] = "";
    struct bs_buffer start;
    snprintf(topic, sizeof topic, "config/session/g%d", pick(t, GROUPS));
    bs_buffer_init(&start, 64);
    bs_buffer_add_iso_time(&start, wall(t) + 1000 * pick(t, 40) - 20000);
    if (pick(t, 4))
        snprintf(payload, sizeof payload, "{\"drill\":\"d%d\",\"start\":\"%.*s\"%s}", pick(t, 2),
                 (int)start.length, start.at, pick(t, 2) ? ",\"phase\":\"p\"" : "");
    bs_buffer_fini(&start);
    say(t, topic, payload);
}

static void change_drill(struct trial *t)
{
    char topic[32], payload[256] = "";
    snprintf(topic, sizeof topic, "config/drill/d%d", pick(t, 2));
    if (pick(t, 4))
        snprintf(payload, sizeof payload,
                 "{\"phases\":[{\"name\":\"%s\",\"direction\":\"B\",\"duration_s\":%d},"
                 "{\"name\":\"q\",\"direction\":\"F\",\"duration_s\":5}]}",
                 pick(t, 3) ? "p" : "o o", 1 + pick(t, 9));
    say(t, topic, payload);
}

static void change_settings(struct trial *t)
{
    static const int sizes[] = {1, 7, 10, 30};
    char payload[256];
    bool welcome = pick(t, 2);
    snprintf(payload, sizeof payload,
             "{\"unknown_devices\":\"%s\",\"window_s\":%d,\"allowed_lateness_s\":%d,"
             "\"stored_lateness_s\":%d,\"max_future_ms\":%d,\"min_group_size\":3}",
             welcome ? "guest" : "ignore", sizes[pick(t, 4)], 30 * pick(t, 3), 40 * pick(t, 3),
             2500 * pick(t, 3));
    if (say(t, "config/settings/site", payload))
        t->welcome = welcome;
}

static bool may_count(const struct trial *t, int device)
{
    int wearer = t->wearer[device];
    return wearer >= 0 ? t->consent[wearer] != BS_CONSENT_NONE : wearer == NEVER && t->welcome;
}

static void step(struct trial *t)
{
    char name[8];
    int device = pick(t, DEVICES), back = pick(t, 4000) * (pick(t, 6) ? 1 : 25);
    bool stored = pick(t, 4) == 0, again = t->seq > 0 && pick(t, 8) == 0;
    uint64_t counted = bs_engine_books(t->w.engine)->steps_counted;
    snprintf(name, sizeof name, "%d", device);
    t->seq += !again;
    world_step(&t->w, name, "{\"v\":1,\"boot\":1,\"seq\":%u,\"t\":%lld,\"dir\":\"%c\"%s}", t->seq,
               (long long)(wall(t) + 1000 - back), "BF"[pick(t, 2)],
               stored ? ",\"stored\":true" : "");
    bool taken = bs_engine_books(t->w.engine)->steps_counted > counted;
    EXPECT(!taken || may_count(t, device), "a step of device %d was counted", device);
    if (taken && owner_of(t, device) >= 0)
        t->expected[owner_of(t, device)]++;
}

static void step_clock(struct trial *t)
{
    struct bs_clock_body clock = {.offset_ms = pick(t, 80000) - 40000, .stepped = true};
    uint8_t bytes[BS_CLOCK_BODY_BYTES];
    bs_clock_body_write(&clock, bytes);
    world_fold(&t->w, BS_RECORD_CLOCK, 0, bs_slice_of(bytes, sizeof bytes));
}

static void act(struct trial *t)
{
    int what = pick(t, 100);
    if (what < 10)
        change_member(t);
    else if (what < 13)
        change_class(t);
    else if (what < 16)
        change_drill(t);
    else if (what < 18)
        change_settings(t);
    else if (what < 19 && pick(t, 4) == 0)
        step_clock(t);
    else if (what < 30)
        world_wait(&t->w, pick(t, what < 21 ? 60000 : 3000));
    else
        step(t);
    take_lines(t);
    take_publications(t);
}

/* A live step of a class is in one row of windows, and in one of its session. */
static void expect_summaries(struct trial *t)
{
    long in_windows[MEMBERS][GROUPS] = {0}, in_sessions[MEMBERS][GROUPS] = {0};
    for (int i = 0; i < t->key_count; i++) {
        const char *key = t->keys[i].text, *group = strstr(key, ",group=g");
        if (!group || strstr(key, ",drill=none,") || strstr(key, ",stored=1"))
            continue;
        if (strncmp(key, "gait_window", 11) == 0)
            in_windows[member_of(key)][atoi(group + 8)] += t->keys[i].steps;
        else if (strncmp(key, "session_summary", 15) == 0)
            in_sessions[member_of(key)][atoi(group + 8)] += t->keys[i].steps;
    }
    for (int i = 0; i < MEMBERS * GROUPS; i++)
        EXPECT(in_windows[i / GROUPS][i % GROUPS] == in_sessions[i / GROUPS][i % GROUPS],
               "%ld steps of member %d in classes of group %d are in windows, %ld in sessions",
               in_windows[i / GROUPS][i % GROUPS], i / GROUPS, i % GROUPS,
               in_sessions[i / GROUPS][i % GROUPS]);
}

/* All that was written, in order. */
static struct bs_buffer live_through(unsigned seed, uint64_t hash_seed, long *counted,
                                     long *health_rows, long *shown)
{
    struct trial *t = calloc(1, sizeof *t);
    t->seed = seed;
    bs_random_init(&t->random, seed);
    bs_buffer_init(&t->all, 64u << 20);
    memset(t->wearer, -1, sizeof t->wearer);
    world_begin_seeded(&t->w, hash_seed);
    for (int i = 0; i < DEVICES; i++)
        change_member(t);
    for (int i = 0; i < ACTIONS; i++)
        act(t);
    world_wait(&t->w, INT64_C(24) * 3600 * 1000);
    take_lines(t);
    struct bs_engine_held held;
    bs_engine_get_held(t->w.engine, &held);
    EXPECT(held.windows == 0, "%u rows are open", held.windows);
    expect_summaries(t);
    long written[MEMBERS + DEVICES] = {0};
    for (int i = 0; i < t->key_count; i++) {
        if (strncmp(t->keys[i].text, "gait_window", 11) == 0)
            written[member_of(t->keys[i].text)] += t->keys[i].steps;
        free(t->keys[i].text);
    }
    for (int i = 0; i < MEMBERS + DEVICES; i++) {
        EXPECT(written[i] == t->expected[i], "%ld steps of %s %d are in rows, %ld were counted",
               written[i], i < MEMBERS ? "member" : "guest", i % MEMBERS, t->expected[i]);
        *counted += written[i];
    }
    *health_rows += t->health_rows;
    take_publications(t);
    *shown += t->shown;
    assert_false(t->all.failed);
    struct bs_buffer all = t->all;
    world_end(&t->w);
    free(t);
    return all;
}

static void promises_hold_whatever_comes(void **state)
{
    (void)state;
    long counted = 0, health_rows = 0, shown = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct bs_buffer one = live_through(seed, 7, &counted, &health_rows, &shown);
        struct bs_buffer other = live_through(seed, 0x5eed5eed5eed, &counted, &health_rows, &shown);
        if (!bs_slice_equal(bs_buffer_slice(&one), bs_buffer_slice(&other)))
            fail_msg("seed %u: another key of the tables, other effects", seed);
        bs_buffer_fini(&one);
        bs_buffer_fini(&other);
    }
    assert_in_range(counted, SEEDS * ACTIONS / 4, SEEDS * ACTIONS * 2);
    assert_in_range(health_rows, SEEDS * DEVICES, SEEDS * DEVICES * 100);
    assert_in_range(shown, SEEDS * 10, SEEDS * ACTIONS * 2 * MEMBERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_hold_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
