/* Random words, steps and questions against a slow model: equal answers, stretches that are true
 * and the widest, and answers that stay true while the generation does. */
#include "session_model.h"

#include "backstep/base/random.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT(a)  (sizeof(a) / sizeof(a)[0])
#define GROUPS    2
#define CACHED    16
#define RUNS      60

#define FIRST_NOW (MODEL_BASE + 200 * MODEL_MINUTE)
#define LAST_NOW  (MODEL_BASE + (MODEL_MINUTES - 100) * MODEL_MINUTE)

/* 0 and 1 say the same. Pieces of a minute and of seconds; neighbours, and rounds, of one name. */
static const struct model_drill drills[] = {
    {"d0", 2, 0, 3, {{"a", 600}, {"b", 240}, {"b", 60}}},
    {"d0", 2, 0, 2, {{"a", 600}, {"b", 300}}},
    {"d0", 3, 2, 2, {{"a", 600}, {"c", 300}}},
    {"d0", 1, 3, 2, {{"a", 0}, {"b", 300}}},
    {"d1", 2, 4, 3, {{"a", 90}, {"b", 7}, {"a", 1}}},
    {"d1", 50, 5, 1, {{"a", 60}}},
};
static const char *const phases[] = {"", "", "", "a", "b", "c"};

struct cached {
    int group; /* -1: none */
    uint64_t generation;
    struct bs_session_place place;
};

struct run {
    struct bs_random random;
    uint64_t seed;
    struct bs_sessions *sessions;
    struct model models[GROUPS];
    struct model_word in_force[GROUPS];
    bool has_document[GROUPS];
    struct cached cached[CACHED];
    int64_t now, asked_from; /* nothing before asked_from is asked for */
    int64_t lateness;        /* so late a step is still accepted */
    int call, words_left;
    bool forgets;
};

static struct {
    unsigned running, none, not_running, cached, closed, evicted, deleted, recalled, forgotten;
} seen;

static int64_t below(struct run *r, int64_t limit)
{
    return (int64_t)bs_random_below(&r->random, (uint64_t)limit);
}

static int64_t settled(const struct run *r)
{
    return r->now - r->lateness;
}

static struct bs_slice group_name(int group)
{
    return group == 0 ? BS_SLICE("tue") : BS_SLICE("wed");
}

/* Comparing. */

static bool agrees(const struct model_answer *a, const struct bs_session_place *p)
{
    return a->running == p->running && a->start == p->start_ms &&
           bs_slice_equal(bs_slice_text(a->drill), p->drill) &&
           bs_slice_equal(bs_slice_text(a->phase), p->phase);
}

static double minute(int64_t time)
{
    return ((double)time - (double)MODEL_BASE) / (double)MODEL_MINUTE;
}

static void expect(const struct run *r, int group, int64_t time, const struct bs_session_place *p,
                   bool agree)
{
    struct model_answer a = model_ask(&r->models[group], time);
    if (agrees(&a, p) == agree)
        return;
    fail_msg("BACKSTEP_SEED=%" PRIu64 ", call %d, group %d, minute %.3f of %.3f..%.3f, now %.3f: "
             "%d %.*s/%.*s; %s %d %s/%s",
             r->seed, r->call, group, minute(time), minute(p->from_ms), minute(p->until_ms),
             minute(r->now), p->running, (int)p->drill.length, p->drill.at, (int)p->phase.length,
             p->phase.at, agree ? "the model says" : "so does the model:", a.running, a.drill,
             a.phase);
}

/* The stretch's first, last and some other times. */
static void expect_stretch(struct run *r, int group, const struct bs_session_place *p)
{
    int64_t from = p->from_ms < r->asked_from ? r->asked_from : p->from_ms;
    int64_t last = p->until_ms == INT64_MAX ? INT64_MAX : p->until_ms - 1;
    if (from > last)
        return;
    expect(r, group, from, p, true);
    expect(r, group, last, p, true);
    if (from < MODEL_BASE)
        from = MODEL_BASE;
    if (last > LAST_NOW)
        last = LAST_NOW;
    for (int i = 0; i < 3 && from <= last; i++)
        expect(r, group, from + below(r, last - from + 1), p, true);
}

static void expect_widest(const struct run *r, int group, const struct bs_session_place *p)
{
    if (p->from_ms > r->asked_from)
        expect(r, group, p->from_ms - 1, p, false);
    if (p->until_ms < INT64_MAX)
        expect(r, group, p->until_ms, p, false);
}

static void expect_cached(struct run *r)
{
    for (int i = 0; i < CACHED; i++) {
        struct cached *c = &r->cached[i];
        if (c->group < 0 || c->generation != bs_sessions_generation(r->sessions))
            continue;
        seen.cached++;
        expect_stretch(r, c->group, &c->place);
    }
}

static struct bs_session_place ask(struct run *r, int group, int64_t time)
{
    struct bs_session_place p;
    bs_sessions_find(r->sessions, group_name(group), time, (struct bs_wall_ms){settled(r)}, &p);
    model_settle(&r->models[group], settled(r));
    if (p.from_ms > time || p.until_ms <= time || p.running != (p.history != NULL))
        fail_msg("BACKSTEP_SEED=%" PRIu64 ", call %d: %" PRIi64 " is not in %" PRIi64 "..%" PRIi64,
                 r->seed, r->call, time, p.from_ms, p.until_ms);
    expect(r, group, time, &p, true);
    expect_stretch(r, group, &p);
    expect_widest(r, group, &p);
    r->cached[below(r, CACHED)] = (struct cached){group, bs_sessions_generation(r->sessions), p};
    seen.running += p.running && p.phase.length > 0;
    seen.none += p.running && p.phase.length == 0;
    seen.not_running += !p.running;
    return p;
}

/* What is forgotten has no step to come. */
static void expect_forgotten(struct run *r, int group, int64_t start)
{
    struct model_answer last = model_ask(&r->models[group], r->asked_from);
    if (!r->forgets || (last.running && last.start == start) || start >= r->asked_from)
        fail_msg("BACKSTEP_SEED=%" PRIu64 ", call %d, group %d: the session of minute %.3f is not "
                 "known",
                 r->seed, r->call, group, minute(start));
    seen.forgotten++;
}

static void expect_recalled(struct run *r, int group, int64_t start)
{
    struct bs_session_facts facts;
    int64_t over;
    const char *first;
    bool known = bs_sessions_recall(r->sessions, group_name(group), start, &facts);
    if (!model_recall(&r->models[group], start, &over, &first)) {
        assert_false(known);
        return;
    }
    if (!known) {
        expect_forgotten(r, group, start);
        return;
    }
    seen.recalled++;
    if (facts.over_ms != over || !bs_slice_equal(facts.first_drill, bs_slice_text(first)))
        fail_msg("BACKSTEP_SEED=%" PRIu64 ", call %d, group %d: the session of minute %.3f is over "
                 "at %.3f, first %.*s; the model says %.3f, %s",
                 r->seed, r->call, group, minute(start), minute(facts.over_ms),
                 (int)facts.first_drill.length, facts.first_drill.at, minute(over), first);
}

static void expect_all_recalled(struct run *r)
{
    for (int i = 0; i < GROUPS; i++) {
        for (int k = 0; k < r->models[i].session_count; k++)
            expect_recalled(r, i, r->models[i].sessions[k]->start);
        expect_recalled(r, i, r->now + 1);
    }
}

/* What happens. */

static void follow(struct run *r, int group, const struct model_word *w)
{
    struct bs_phase copied[4];
    struct bs_drill_document drill = {.phases = {copied, 0}};
    if (w->drill >= 0) {
        const struct model_drill *d = &drills[w->drill];
        drill.repeat = d->repeat;
        drill.phases.count = d->count;
        for (size_t i = 0; i < d->count; i++)
            copied[i] = (struct bs_phase){.name = bs_slice_text(d->phases[i].name),
                                          .duration_s = d->phases[i].duration_s};
    }
    struct bs_session_document document = {
        .drill = w->drill >= 0 ? bs_slice_text(drills[w->drill].id) : BS_SLICE("d0"),
        .phase = bs_slice_text(w->phase),
        .start_ms = w->start,
        .end_ms = w->end};
    struct bs_session_word word = {.group = group_name(group),
                                   .session = &document,
                                   .drill = w->drill >= 0 ? &drill : NULL,
                                   .at = {w->at},
                                   .settled = {w->settled},
                                   .by_drill = w->by_drill};
    assert_int_equal(bs_sessions_follow(r->sessions, &word), BS_OK);
    model_follow(&r->models[group], w);
}

static int draw_drill(struct run *r)
{
    return (int)below(r, COUNT(drills) + 1) - 1;
}

static int64_t draw_start(struct run *r, int group)
{
    const struct model_word *w = &r->in_force[group];
    if (w->start != 0 && below(r, 8) > 0) /* also the one that was deleted */
        return w->start;
    int64_t start = r->now + (below(r, 90) - 45) * MODEL_MINUTE;
    return start < r->asked_from ? r->now : start;
}

static void say_document(struct run *r, int group)
{
    struct model_word *w = &r->in_force[group];
    int64_t start = draw_start(r, group);
    if (start != w->start || below(r, 4) == 0)
        w->end = below(r, 3) ? start + (1 + below(r, 240)) * MODEL_MINUTE : MODEL_OPEN;
    w->start = start;
    if (below(r, 3) > 0)
        w->drill = draw_drill(r);
    w->phase = phases[below(r, COUNT(phases))];
    w->by_drill = false;
    w->at = r->now;
    w->settled = settled(r);
    r->has_document[group] = true;
    follow(r, group, w);
}

static void say_drill(struct run *r, int group)
{
    if (!r->has_document[group])
        return;
    r->in_force[group].by_drill = true;
    r->in_force[group].drill = draw_drill(r);
    r->in_force[group].at = r->now;
    r->in_force[group].settled = settled(r);
    follow(r, group, &r->in_force[group]);
}

static void delete_document(struct run *r, int group)
{
    seen.deleted++;
    r->has_document[group] = false;
    bs_sessions_close(r->sessions, group_name(group), (struct bs_wall_ms){r->now});
    model_close(&r->models[group], r->now);
}

/* By what was cached where that is still good, as the engine does. */
static void step(struct run *r, int group)
{
    int64_t time = r->now + (below(r, 10) ? -below(r, 25) : 1 + below(r, 40)) * MODEL_MINUTE;
    if (time < r->asked_from)
        return;
    struct bs_session_place p = {.running = false};
    for (int i = 0; i < CACHED && !p.running; i++)
        if (r->cached[i].group == group &&
            r->cached[i].generation == bs_sessions_generation(r->sessions) &&
            r->cached[i].place.from_ms <= time && time < r->cached[i].place.until_ms)
            p = r->cached[i].place;
    if (!p.running)
        p = ask(r, group, time);
    if (!p.running)
        return;
    bs_sessions_note(p.history, time, (struct bs_wall_ms){settled(r)});
    model_note(&r->models[group], time, settled(r));
}

static void forget(struct run *r)
{
    int64_t before = r->now - (30 + below(r, 60)) * MODEL_MINUTE;
    if (!r->forgets || before < r->asked_from)
        return;
    r->asked_from = before;
    bs_sessions_forget(r->sessions, (struct bs_wall_ms){before});
    for (int i = 0; i < GROUPS; i++)
        model_forget(&r->models[i], before);
}

static int64_t draw_time(struct run *r)
{
    switch (below(r, 8)) {
    case 0:
        return INT64_MAX - 1 - below(r, 3);
    case 1:
        return r->forgets ? r->asked_from : INT64_MIN + below(r, 3);
    case 2:
        return r->now + below(r, 100 * MODEL_MINUTE);
    default:;
        int64_t time = r->now - below(r, 200 * MODEL_MINUTE);
        return time < r->asked_from ? r->now : time;
    }
}

static void pass_time(struct run *r)
{
    static const int64_t minutes[] = {0, 0, 1, 1, 2, 5, 12, 35};
    int64_t passed = below(r, 20) ? minutes[below(r, COUNT(minutes))] : -1 - below(r, 5);
    if (!r->forgets && passed > 2)
        passed /= 4;
    r->now += passed * MODEL_MINUTE;
}

static void act(struct run *r)
{
    int group = (int)below(r, GROUPS);
    int64_t kind = below(r, 16);
    if (kind < 5 && r->words_left > 0) {
        r->words_left--;
        if (kind < 2)
            say_document(r, group);
        else if (kind < 4)
            say_drill(r, group);
        else if (below(r, 3) == 0)
            delete_document(r, group);
    } else if (kind < 10) {
        step(r, group);
    } else if (kind < 11) {
        forget(r);
    } else {
        ask(r, group, draw_time(r));
    }
}

/* Where something is forgotten few words are said: what the model keeps counts, too. */
static void run_random(uint64_t seed, bool forgets)
{
    static struct run r;
    memset(&r, 0, sizeof r);
    bs_random_init(&r.random, seed);
    r.seed = seed;
    r.forgets = forgets;
    r.words_left = forgets ? BS_SESSION_INTERVALS_MAX / 2 : 1000;
    r.now = FIRST_NOW;
    r.lateness = below(&r, 4) * 15 * MODEL_MINUTE;
    r.asked_from = forgets ? MODEL_BASE : INT64_MIN;
    assert_int_equal(bs_sessions_new(&r.sessions), BS_OK);
    bs_sessions_seed(r.sessions, seed);
    for (int i = 0; i < CACHED; i++)
        r.cached[i].group = -1;
    for (int i = 0; i < GROUPS; i++)
        r.models[i] = (struct model){.drills = drills, .deleted = MODEL_OPEN};
    for (r.call = 0; r.call < 1000 && r.now < LAST_NOW; r.call++) {
        pass_time(&r);
        act(&r);
        expect_cached(&r);
        expect_all_recalled(&r);
    }
    for (int i = 0; i < GROUPS; i++) {
        for (int k = 0; k < r.models[i].session_count; k++)
            seen.closed += r.models[i].sessions[k]->closed != MODEL_OPEN;
        seen.evicted += r.models[i].evicted;
        model_clear(&r.models[i]);
    }
    bs_sessions_free(r.sessions);
}

static void test_random_against_the_model(void **state)
{
    (void)state;
    const char *given = getenv("BACKSTEP_SEED");
    const char *runs = getenv("BACKSTEP_RUNS");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261124;
    uint64_t count = runs ? strtoull(runs, NULL, 0) : RUNS;
    print_message("seed %" PRIu64 " (BACKSTEP_SEED sets another)\n", seed);
    for (uint64_t i = 0; i < count; i++)
        run_random(seed + i, (seed + i) % 2);
    print_message("%u in a phase, %u in none, %u not running, %u cached; %u closed, %u evicted, "
                  "%u deletions; %u recalled, %u forgotten\n",
                  seen.running, seen.none, seen.not_running, seen.cached, seen.closed, seen.evicted,
                  seen.deleted, seen.recalled, seen.forgotten);
    if (!runs)
        assert_true(seen.running > 1000 && seen.none > 1000 && seen.not_running > 1000 &&
                    seen.cached > 1000 && seen.closed > 20 && seen.evicted > 100 &&
                    seen.deleted > 100 && seen.recalled > 1000 && seen.forgotten > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_against_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
