/* Random documents, steps, silences and withdrawals against a slow model: every row says what its
 * steps add up to, is written in time, never without consent, and last of all as closed. */
#include "summaries_world.h"

#include "backstep/base/random.h"

#define RUNS    150
#define ACTIONS 1500
#define PEOPLE  3
#define GROUPS  2
#define ENTRIES 4096
#define WAITING 8
#define LATER   INT64_MAX

/* What one summary should be. */
struct entry {
    struct bs_summary *summary;
    int person, group;
    int64_t start; /* ms */
    char tags[96]; /* as the world shows them */
    long steps, bouts, slips;
    int64_t changed_at; /* tick; -1: written since; LATER: withheld, said with the next change */
    bool closed;        /* the last word was */
    bool gone;
};

struct trial {
    struct world w;
    struct bs_random random;
    uint64_t seed;
    int action;
    struct person people[PEOPLE];
    struct entry entries[ENTRIES];
    int count;
    struct {
        int entry;
        bool held;
    } waiting[WAITING];
    bool has_document[GROUPS];
    int64_t start[GROUPS];
};

static const char *const groups[GROUPS] = {"tue", "wed"};
static const char *const ids[PEOPLE] = {"m0", "m1", "m2"};
static const char *const drills[] = {"back", "side", "up"};
static const char *const aliases[] = {"Ruth", "Rudi"};

static struct {
    unsigned open, closed, withheld, freed, reopened, late;
} seen;

static int64_t below(struct trial *t, int64_t limit)
{
    return (int64_t)bs_random_below(&t->random, (uint64_t)limit);
}

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("BACKSTEP_SEED=%" PRIu64 ", action %d: ", t->seed, t->action);             \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* What is written. */

static struct entry *entry_of(struct trial *t, const char *tags)
{
    for (int i = t->count - 1; i >= 0; i--)
        if (!t->entries[i].gone && strcmp(t->entries[i].tags, tags) == 0)
            return &t->entries[i];
    EXPECT(false, "a row of nobody's: %s", tags);
    return NULL;
}

static void take_line(struct trial *t, const char *line)
{
    char how[8], name[80], tags[96];
    long long start;
    long steps, forward, bouts, slips;
    int found = sscanf(line,
                       "%7s %79s %lld steps=%ldi,backward_steps=0i,forward_steps=%ldi,side_steps=0i"
                       ",up_steps=0i,bouts=%ldi,carry_overs=0i,slips=%ldi",
                       how, name, &start, &steps, &forward, &bouts, &slips);
    EXPECT(found == 7, "%s", line);
    snprintf(tags, sizeof tags, "%s %lld", name, start);
    struct entry *e = entry_of(t, tags);
    EXPECT(!t->people[e->person].member.withheld, "without consent: %s", line);
    EXPECT(steps == e->steps && forward == e->steps && bouts == e->bouts && slips == e->slips,
           "%s\nexpected %ld steps, %ld bouts, %ld slips", line, e->steps, e->bouts, e->slips);
    EXPECT(!e->closed || e->changed_at >= 0, "it has not changed: %s", line);
    e->closed = strcmp(how, "closed") == 0;
    e->changed_at = -1;
    seen.open += !e->closed;
    seen.closed += e->closed;
}

static void take_lines(struct trial *t)
{
    char *text = strdup(world_lines(&t->w)), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        take_line(t, line);
    free(text);
}

/* Nothing is left unsaid for longer than it may. */
static void expect_in_time(struct trial *t)
{
    for (int i = 0; i < t->count; i++) {
        const struct entry *e = &t->entries[i];
        if (e->gone || e->changed_at < 0 || t->people[e->person].member.withheld)
            continue;
        EXPECT(e->changed_at == LATER || t->w.tick - e->changed_at < BS_SUMMARY_RUNNING_MS,
               "%s has not been written for %" PRIi64 " ms", e->tags, t->w.tick - e->changed_at);
    }
}

/* What happens. */

static void say(struct trial *t, int group)
{
    int64_t minute = (t->w.tick + t->w.offset - WORLD_BEGIN) / WORLD_MINUTE;
    if (!t->start[group] || below(t, 4) == 0)
        t->start[group] = minute + 5 - below(t, 40);
    int64_t end = below(t, 2) ? WORLD_NO_END : t->start[group] + 1 + below(t, 90);
    t->has_document[group] = true;
    world_say(&t->w, groups[group], t->start[group], end, drills[below(t, 3)]);
}

static struct entry *enter(struct trial *t, int person, int group, struct bs_summary *summary,
                           const struct bs_session_place *place)
{
    for (int i = 0; i < t->count; i++)
        if (!t->entries[i].gone && t->entries[i].summary == summary) {
            EXPECT(t->entries[i].start == place->start_ms && t->entries[i].group == group &&
                       t->entries[i].person == person,
                   "%s is taken for another", t->entries[i].tags);
            return &t->entries[i];
        }
    EXPECT(t->count < ENTRIES, "more than %d summaries", ENTRIES);
    struct bs_session_facts facts;
    assert_true(
        bs_sessions_recall(t->w.sessions, bs_slice_text(groups[group]), place->start_ms, &facts));
    struct entry *e = &t->entries[t->count++];
    *e = (struct entry){.summary = summary,
                        .person = person,
                        .group = group,
                        .start = place->start_ms,
                        .changed_at = -1};
    snprintf(e->tags, sizeof e->tags, "%s/%.*s/%s/%s %lld", t->people[person].alias,
             (int)facts.first_drill.length, facts.first_drill.at, groups[group], ids[person],
             ((long long)place->start_ms - WORLD_BEGIN) / WORLD_MINUTE);
    return e;
}

static void change(struct trial *t, struct entry *e)
{
    if (e->changed_at < 0 || e->changed_at == LATER)
        e->changed_at = t->w.tick;
    seen.withheld += t->people[e->person].member.withheld;
}

static void pass(struct trial *t, struct entry *e)
{
    e->steps++;
    change(t, e);
    world_pass(&t->w, e->summary);
}

/* A step that was told to wait passes in its time, whatever happened. */
static void release(struct trial *t, int slot)
{
    if (!t->waiting[slot].held)
        return;
    struct entry *e = &t->entries[t->waiting[slot].entry];
    t->waiting[slot].held = false;
    pass(t, e);
    bs_summary_drop(e->summary);
}

static void step(struct trial *t, int person, int group)
{
    int64_t time = t->w.tick + t->w.offset - (below(t, 3) ? 0 : below(t, 6 * WORLD_MINUTE));
    struct bs_session_place place;
    bs_sessions_find(t->w.sessions, bs_slice_text(groups[group]), time,
                     (struct bs_wall_ms){WORLD_BEGIN}, &place);
    if (!place.running)
        return;
    struct bs_summary *summary;
    assert_true(world_find(&t->w, &t->people[person], groups[group], time, &summary));
    EXPECT((summary == NULL) == t->people[person].unnamed, "a summary without consent");
    if (!summary)
        return;
    struct entry *e = enter(t, person, group, summary, &place);
    seen.reopened += e->closed;
    int slot = (int)below(t, WAITING);
    release(t, slot);
    t->waiting[slot].entry = (int)(e - t->entries);
    t->waiting[slot].held = true;
    bs_summary_hold(summary);
    if (below(t, 4))
        release(t, slot);
}

static void count(struct trial *t)
{
    int slot = (int)below(t, WAITING);
    if (!t->waiting[slot].held)
        return;
    struct entry *e = &t->entries[t->waiting[slot].entry];
    bool slip = below(t, 2);
    e->slips += slip;
    e->bouts += !slip;
    change(t, e);
    bs_summaries_count(t->w.summaries, e->summary, slip ? BS_SUMMARY_SLIPS : BS_SUMMARY_BOUTS,
                       (struct bs_tick_ms){t->w.tick});
}

static void change_consent(struct trial *t, int person)
{
    struct person *p = &t->people[person];
    if (!p->unnamed) {
        struct bs_effects effects = world_effects(&t->w);
        bs_summaries_write_member(t->w.summaries, &p->member, &effects);
        take_lines(t);
        for (int i = 0; i < t->count; i++)
            EXPECT(t->entries[i].gone || t->entries[i].person != person || t->entries[i].closed ||
                       t->entries[i].steps == 0,
                   "%s: not the last word", t->entries[i].tags);
    }
    p->unnamed = !p->unnamed;
    p->member.withheld = p->unnamed;
    for (int i = 0; i < t->count && !p->unnamed; i++)
        if (t->entries[i].person == person && t->entries[i].changed_at >= 0)
            t->entries[i].changed_at = LATER;
}

static bool is_held(const struct trial *t, int entry)
{
    for (int i = 0; i < WAITING; i++)
        if (t->waiting[i].held && t->waiting[i].entry == entry)
            return true;
    return false;
}

static void forget(struct trial *t)
{
    int64_t minute = (t->w.tick + t->w.offset - WORLD_BEGIN) / WORLD_MINUTE;
    world_forget(&t->w, minute - below(t, 30));
    take_lines(t);
    uint32_t left = 0;
    for (int i = 0; i < t->count; i++) {
        struct entry *e = &t->entries[i];
        struct bs_session_facts facts;
        if (e->gone)
            continue;
        bool known =
            bs_sessions_recall(t->w.sessions, bs_slice_text(groups[e->group]), e->start, &facts);
        e->gone = !known && !is_held(t, i);
        EXPECT(!e->gone || e->steps == 0 || e->closed || t->people[e->person].member.withheld,
               "%s was freed unsaid", e->tags);
        if (e->gone)
            e->changed_at = -1; /* or it was withheld to its end */
        seen.freed += e->gone;
        left += !e->gone;
    }
    EXPECT(bs_summaries_open(t->w.summaries) == left, "%u summaries, expected %u",
           bs_summaries_open(t->w.summaries), left);
}

static void step_clock(struct trial *t)
{
    struct bs_effects effects = world_effects(&t->w);
    t->w.offset += below(t, 20 * WORLD_MINUTE) - 10 * WORLD_MINUTE;
    bs_summaries_follow_clock(t->w.summaries, world_wall(&t->w), &effects);
}

static void act(struct trial *t)
{
    int group = (int)below(t, GROUPS), person = (int)below(t, PEOPLE);
    switch (below(t, 40)) {
    case 0:
        say(t, group);
        break;
    case 1:
        if (t->has_document[group] && below(t, 3) == 0) {
            t->has_document[group] = false;
            world_delete(&t->w, groups[group]);
        }
        break;
    case 2:
        if (below(t, 4) == 0)
            change_consent(t, person);
        break;
    case 3:
        t->people[person].alias = aliases[below(t, 2)];
        break;
    case 4:
        forget(t);
        break;
    case 5:
        if (below(t, 8) == 0)
            step_clock(t);
        break;
    case 6:
        world_wait_ms(&t->w,
                      below(t, 8) ? below(t, 3 * WORLD_MINUTE) : below(t, 40 * WORLD_MINUTE));
        break;
    case 7:
    case 8:
        count(t);
        break;
    default:
        step(t, person, group);
        world_wait_ms(&t->w, below(t, 4000));
    }
    take_lines(t);
    expect_in_time(t);
}

/* Everything ends, and the last word of each is as it should be. */
static void finish(struct trial *t)
{
    for (int i = 0; i < WAITING; i++)
        release(t, i);
    for (int i = 0; i < PEOPLE; i++)
        t->people[i].member.withheld = false;
    for (int i = 0; i < GROUPS; i++)
        world_delete(&t->w, groups[i]);
    world_wait_ms(&t->w, 1000 * WORLD_MINUTE);
    take_lines(t);
    bs_sessions_forget(t->w.sessions, (struct bs_wall_ms){INT64_MAX});
    forget(t);
    EXPECT(bs_summaries_open(t->w.summaries) == 0, "%u summaries are left",
           bs_summaries_open(t->w.summaries));
    for (int i = 0; i < t->count; i++)
        EXPECT(t->entries[i].steps == 0 || t->entries[i].changed_at < 0, "%s was never said",
               t->entries[i].tags);
    EXPECT(bs_summaries_wall_deadline(t->w.summaries).ms == BS_NEVER_MS ||
               bs_summaries_open(t->w.summaries) == 0,
           "a deadline for nothing");
}

static void run(uint64_t seed)
{
    static struct trial t;
    memset(&t, 0, sizeof t);
    t.seed = seed;
    bs_random_init(&t.random, seed);
    world_begin(&t.w);
    for (int i = 0; i < PEOPLE; i++)
        t.people[i] = (struct person){.id = ids[i], .alias = aliases[0]};
    for (t.action = 0; t.action < ACTIONS; t.action++)
        act(&t);
    finish(&t);
    world_end(&t.w);
}

static void random_classes(void **state)
{
    (void)state;
    const char *given = getenv("BACKSTEP_SEED"), *runs = getenv("BACKSTEP_RUNS");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261124;
    uint64_t count = runs ? strtoull(runs, NULL, 0) : RUNS;
    print_message("seed %" PRIu64 " (BACKSTEP_SEED sets another)\n", seed);
    for (uint64_t i = 0; i < count; i++)
        run(seed + i);
    print_message("%u open, %u closed, %u changes withheld, %u freed, %u steps after the end\n",
                  seen.open, seen.closed, seen.withheld, seen.freed, seen.reopened);
    if (!runs)
        assert_true(seen.open > 1000 && seen.closed > 1000 && seen.withheld > 50 &&
                    seen.freed > 100 && seen.reopened > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_classes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
