/* Random steps, documents, sessions and pauses, held against a model that knows all steps and works
 * everything out anew: each board that is published says what it must, no sooner and no later than
 * it may, and in the end none is left at the broker. */
#include "backstep/base/random.h"
#include "live_world.h"

#include <math.h>

#define SEEDS     60
#define ACTIONS   600
#define MEMBERS   7
#define GROUPS    3
#define STEPS_MAX ACTIONS
#define SESSIONS  (2 * GROUPS)
#define TEXT_MAX  4096
#define SILENCE   60000
#define VISIT     600000

static const char *const groups[GROUPS + 1] = {"a", "b", "c", "none"};

/* What is known of a member, and where. */
struct person {
    struct bs_live_member part;
    char id[4], alias[8];
    int group; /* of the board, -1: on none */
    int64_t last_ms, slip_ms;
    double retention; /* -1: none */
    bool slipped;
    int count; /* of steps of this visit */
    struct world_step steps[STEPS_MAX];
};

/* What is known of a board: what was published, and what it should have been. */
struct board {
    char content[TEXT_MAX]; /* published, without t and ages; empty: nothing is there */
    int64_t published_ms, deleted_ms, differs_since_ms, closed_ms;
    int64_t at_once_ms; /* somebody had to go */
    bool exists, running, anew;
};

struct trial {
    struct world w;
    struct bs_random random;
    unsigned seed;
    struct person people[MEMBERS];
    struct board boards[GROUPS];
    struct world_session sessions[SESSIONS];
    int64_t refresh_ms;
    long published;
};

#define CHECK(t, condition, ...)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("seed %u, %.1f s: ", (t)->seed, (double)((t)->w.now - WORLD_NOW) / 1000);  \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

static int pick(struct trial *t, int below)
{
    return (int)bs_random_below(&t->random, (uint64_t)below);
}

/* The model's text. */

static const struct world_session *session_of(const struct trial *t, int group)
{
    for (int i = 0; i < SESSIONS; i++)
        if (strcmp(t->sessions[i].group, groups[group]) == 0 &&
            t->w.now >= t->sessions[i].from_ms && t->w.now < t->sessions[i].until_ms)
            return &t->sessions[i];
    return NULL;
}

static double rounded(double value, double places)
{
    return floor(value * places + 0.5) / places;
}

static void add_figures(const struct person *p, struct bs_buffer *out)
{
    double time = 0, length = 0;
    int times = 0, lengths = 0;
    for (int i = p->count > 10 ? p->count - 10 : 0; i < p->count; i++) {
        time += p->steps[i].step_ms;
        times += p->steps[i].step_ms > 0;
        length += p->steps[i].step_mm;
        lengths += p->steps[i].step_mm > 0;
    }
    double cadence = 60000 / (time / times);
    enum bs_direction direction = p->steps[p->count - 1].direction;
    if (direction != BS_DIRECTION_UNKNOWN)
        bs_buffer_add_format(out, ",\"dir\":\"%c\"", bs_direction_letter(direction));
    if (times)
        bs_buffer_add_format(out, ",\"cadence_spm\":%.1f", rounded(cadence, 10));
    if (lengths)
        bs_buffer_add_format(out, ",\"step_mm\":%.0f", rounded(length / lengths, 1));
    if (times && lengths)
        bs_buffer_add_format(out, ",\"walk_ratio\":%.5f",
                             rounded(length / lengths / 1000 / cadence, 100000));
}

static void add_person(const struct trial *t, const struct person *p, bool ages,
                       struct bs_buffer *out)
{
    int64_t age = t->w.now > p->last_ms ? t->w.now - p->last_ms : 0;
    bs_buffer_add_format(out, "{\"member\":\"%s\",\"alias\":\"%s\"", p->id, p->alias);
    add_figures(p, out);
    if (p->retention >= 0)
        bs_buffer_add_format(out, ",\"retention_pct\":%.1f", rounded(p->retention, 10));
    if (p->slipped)
        bs_buffer_add_format(out, ",\"slip\":{\"metric\":\"step_time\",\"age_s\":%lld}",
                             ages ? (long long)(t->w.now - p->slip_ms) / 1000 : 0);
    bs_buffer_add_format(out, ",\"last_step_age_s\":%lld.%lld}", ages ? (long long)age / 1000 : 0,
                         ages ? (long long)age / 100 % 10 : 0);
}

/* As in live_world.h: without what it checks itself. */
static void write_board(const struct trial *t, int group, bool ages, char ret[TEXT_MAX])
{
    struct bs_buffer out;
    const struct world_session *s = session_of(t, group);
    bool any = false;
    bs_buffer_init(&out, TEXT_MAX);
    bs_buffer_add_format(&out, "\"drill\":\"%s\",\"phase\":\"%s\",\"members\":[",
                         s ? s->drill : "none", s ? s->phase : "none");
    for (int i = 0; i < MEMBERS; i++) {
        if (t->people[i].group != group)
            continue;
        bs_buffer_add_text(&out, any ? "," : "");
        add_person(t, &t->people[i], ages, &out);
        any = true;
    }
    bs_buffer_add_text(&out, "]}");
    bs_buffer_add_char(&out, 0);
    assert_false(out.failed);
    memcpy(ret, out.at, out.length);
    bs_buffer_fini(&out);
}

/* Time in the model. */

static int people_on(const struct trial *t, int group)
{
    int count = 0;
    for (int i = 0; i < MEMBERS; i++)
        count += t->people[i].group == group;
    return count;
}

static void follow_session(struct trial *t, int group, int64_t closed_ms)
{
    struct board *b = &t->boards[group];
    bool runs = session_of(t, group) != NULL;
    if (b->exists && b->running && !runs) {
        b->closed_ms = closed_ms;
        for (int i = 0; i < MEMBERS; i++)
            if (t->people[i].group == group && t->people[i].last_ms < closed_ms)
                t->people[i].group = -1;
    }
    b->running = b->exists && runs;
}

static void let_silent_go(struct trial *t)
{
    for (int i = 0; i < MEMBERS; i++)
        if (t->w.now - t->people[i].last_ms >= SILENCE)
            t->people[i].group = -1;
}

static void note_differences(struct trial *t)
{
    char text[TEXT_MAX];
    for (int g = 0; g < GROUPS; g++) {
        struct board *b = &t->boards[g];
        write_board(t, g, false, text);
        bool wanted = people_on(t, g) > 0 || strstr(b->content, "\"member\"");
        bool differs = wanted && strcmp(text, b->content) != 0;
        if (!differs)
            b->differs_since_ms = INT64_MAX;
        else if (b->differs_since_ms == INT64_MAX)
            b->differs_since_ms = t->w.now;
    }
}

/* What is published, against the model. */

static void take_deletion(struct trial *t, int group)
{
    struct board *b = &t->boards[group];
    bool closed = b->closed_ms == t->w.now;
    bool empty = b->content[0] && !strstr(b->content, "\"member\"");
    CHECK(t, b->content[0], "%s is deleted twice", groups[group]);
    CHECK(t, closed || (empty && !b->running && t->w.now >= b->published_ms + SILENCE),
          "%s is deleted while it says %s", groups[group], b->content);
    b->content[0] = 0;
    b->deleted_ms = t->w.now;
}

static void take_board(struct trial *t, int group, const char *text)
{
    struct board *b = &t->boards[group];
    char expected[TEXT_MAX], content[TEXT_MAX];
    write_board(t, group, true, expected);
    write_board(t, group, false, content);
    CHECK(t, strcmp(text, expected) == 0, "%s says %s and not %s", groups[group], text, expected);
    int64_t wait = t->w.now - b->published_ms;
    bool is_new = strcmp(content, b->content) != 0;
    CHECK(t, is_new || wait >= 10000 || b->anew, "%s says nothing new", groups[group]);
    CHECK(t,
          wait >= t->refresh_ms || wait >= 10000 || b->anew ||
              (wait >= 100 && t->w.now <= b->at_once_ms + 100),
          "%s is published again after %lld ms", groups[group], (long long)wait);
    CHECK(t, people_on(t, group) || strstr(b->content, "\"member\"") || b->anew,
          "%s has nobody to be told of", groups[group]);
    strcpy(b->content, content);
    b->published_ms = t->w.now;
    b->anew = false;
    b->at_once_ms = INT64_MIN / 2;
    t->published++;
}

static void take_said(struct trial *t)
{
    char *said = strdup(world_said(&t->w)), *rest = said;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char *group = strchr(line, ' ') + 1;
        if (group[1] == ' ')
            take_board(t, group[0] - 'a', group + 2);
        else
            take_deletion(t, group[0] - 'a');
    }
    free(said);
}

static void check_promises(struct trial *t)
{
    for (int g = 0; g < GROUPS; g++) {
        struct board *b = &t->boards[g];
        int64_t wait = people_on(t, g) && t->refresh_ms > 10000 ? 10000 : t->refresh_ms;
        int64_t due = b->differs_since_ms == INT64_MAX ? INT64_MAX : b->differs_since_ms + wait;
        if (b->differs_since_ms < b->at_once_ms && b->at_once_ms + 100 < due)
            due = b->at_once_ms + 100;
        CHECK(t, t->w.now < due, "%s is not published; it says %s", groups[g], b->content);
        CHECK(t,
              !people_on(t, g) || t->w.now < b->published_ms + 10000 ||
                  t->w.now < b->deleted_ms + 10000,
              "%s is silent", groups[g]);
        b->exists = people_on(t, g) || b->content[0] || t->w.now < b->closed_ms + SILENCE;
        b->running = b->exists && session_of(t, g);
    }
}

static void settle(struct trial *t)
{
    world_fire(&t->w);
    take_said(t);
    note_differences(t);
    check_promises(t);
}

/* The next moment at which the model changes by itself, or the module has something to say. */
static int64_t next_moment(const struct trial *t, int64_t until)
{
    int64_t due = bs_live_tick_deadline(t->w.live).ms;
    int64_t next = due == BS_NEVER_MS ? until : due + t->w.ahead;
    for (int i = 0; i < MEMBERS; i++)
        if (t->people[i].group >= 0 && t->people[i].last_ms + SILENCE < next)
            next = t->people[i].last_ms + SILENCE;
    for (int i = 0; i < SESSIONS; i++) {
        const struct world_session *s = &t->sessions[i];
        next = s->from_ms > t->w.now && s->from_ms < next ? s->from_ms : next;
        next = s->until_ms > t->w.now && s->until_ms < next ? s->until_ms : next;
    }
    return next < until ? next : until;
}

static void pass_time(struct trial *t, int64_t ms)
{
    int64_t until = t->w.now + ms;
    while (t->w.now < until) {
        int64_t next = next_moment(t, until);
        CHECK(t, next > t->w.now, "a deadline has passed");
        t->w.now = next;
        for (int g = 0; g < GROUPS; g++)
            follow_session(t, g, t->w.now);
        let_silent_go(t);
        note_differences(t);
        settle(t);
    }
}

/* What is done. */

static void step(struct trial *t)
{
    struct person *p = &t->people[pick(t, MEMBERS)];
    int group = pick(t, 12) ? (int)(p - t->people) % GROUPS : pick(t, GROUPS + 1);
    int64_t time_ms = t->w.now - (pick(t, 5) ? pick(t, 3000) : pick(t, 100000));
    bool in_order = time_ms >= p->last_ms;
    struct world_step s = {.ago_ms = t->w.now - time_ms,
                           .direction = (enum bs_direction)pick(t, BS_DIRECTION_COUNT),
                           .step_ms = pick(t, 4) ? 397 + 101 * pick(t, 3) : 0,
                           .step_mm = pick(t, 4) ? 311 + 149 * pick(t, 3) : 0,
                           .late = !in_order};
    struct bs_tags *tags = world_tags(groups[group], p->id, p->alias);
    assert_true(world_take(&t->w, &p->part, tags, s));
    bs_tags_drop(tags);
    if (!in_order)
        return;
    if (time_ms - p->last_ms > VISIT) {
        p->count = 0;
        p->slipped = false;
        p->retention = -1;
    }
    p->last_ms = time_ms;
    if (group == GROUPS) {
        p->group = -1;
        return;
    }
    p->steps[p->count++] = s;
    if (p->group == group)
        return;
    p->group = -1;
    if (t->w.now - time_ms < SILENCE && time_ms >= t->boards[group].closed_ms)
        p->group = group;
    t->boards[group].exists = t->boards[group].exists || p->group == group;
}

static void forget(struct trial *t, struct person *p)
{
    if (p->group >= 0)
        t->boards[p->group].at_once_ms = t->w.now;
    p->group = -1;
    p->count = 0;
    p->last_ms = 0;
    p->slipped = false;
    p->retention = -1;
}

static void change_document(struct trial *t)
{
    struct person *p = &t->people[pick(t, MEMBERS)];
    if (pick(t, 2)) {
        bs_live_follow(t->w.live, &p->part, NULL);
        forget(t, p);
        return;
    }
    snprintf(p->alias, sizeof p->alias, "%c%d", 'A' + pick(t, 26), pick(t, 10));
    int group = pick(t, GROUPS + 1);
    struct bs_tags *tags = world_tags(groups[group], p->id, p->alias);
    bs_live_follow(t->w.live, &p->part, tags);
    bs_tags_drop(tags);
    if (p->group >= 0 && p->group != group) {
        t->boards[p->group].at_once_ms = t->w.now;
        p->group = -1;
    }
}

static void note(struct trial *t)
{
    struct person *p = &t->people[pick(t, MEMBERS)];
    switch (pick(t, 3)) {
    case 0:
        p->retention = pick(t, 401) / 4.0;
        bs_live_note_retention(t->w.live, &p->part, p->retention);
        break;
    case 1:
        p->slipped = true;
        p->slip_ms = t->w.now - pick(t, 5000);
        bs_live_note_slip(t->w.live, &p->part, "step_time", p->slip_ms);
        break;
    default:
        p->slipped = false;
        bs_live_note_bout(t->w.live, &p->part);
    }
}

/* Two of a group that follow each other without a gap, or one that is over. */
static void change_session(struct trial *t)
{
    static const char *const phases[] = {"x", "y", "z"};
    int group = pick(t, GROUPS);
    struct world_session *s = &t->sessions[2 * group];
    int64_t from = t->w.now - 1000 * pick(t, 60), until = t->w.now + 1000 * (1 + pick(t, 200));
    if (pick(t, 3) == 0) {
        from = s->from_ms < t->w.now ? s->from_ms : t->w.now - 1;
        until = t->w.now;
    }
    s[0] = (struct world_session){groups[group], "d", phases[pick(t, 3)], from, until};
    s[1] = (struct world_session){groups[group], "d", phases[pick(t, 3)], until,
                                  until + (until > t->w.now ? 1000 * pick(t, 60) : 0)};
    bs_live_note_session(t->w.live, bs_slice_text(groups[group]));
    follow_session(t, group, until == t->w.now ? t->w.now : INT64_MIN);
}

static void restart(struct trial *t)
{
    bs_live_restart(t->w.live);
    for (int g = 0; g < GROUPS; g++) {
        struct board *b = &t->boards[g];
        b->anew = b->content[0] != 0;
        b->published_ms = INT64_MIN / 2;
    }
}

static void act(struct trial *t)
{
    int what = pick(t, 1000);
    if (what < 600)
        step(t);
    else if (what < 650)
        note(t);
    else if (what < 690)
        change_document(t);
    else if (what < 720)
        change_session(t);
    else if (what < 725)
        restart(t);
    else if (what < 990)
        pass_time(t, pick(t, 2000));
    else
        pass_time(t, pick(t, pick(t, 3) ? 70000 : 700000));
    note_differences(t);
    settle(t);
}

static void begin(struct trial *t, unsigned seed)
{
    *t = (struct trial){.seed = seed};
    bs_random_init(&t->random, seed);
    world_begin(&t->w);
    t->refresh_ms = 500 + 500 * pick(t, 40);
    bs_live_set_refresh(t->w.live, t->refresh_ms);
    t->w.sessions = t->sessions;
    t->w.session_count = SESSIONS;
    for (int i = 0; i < SESSIONS; i++)
        t->sessions[i] = (struct world_session){groups[i / 2], "d", "p", 0, 0};
    for (int g = 0; g < GROUPS; g++)
        t->boards[g] = (struct board){.closed_ms = INT64_MIN / 2,
                                      .published_ms = INT64_MIN / 2,
                                      .deleted_ms = INT64_MIN / 2,
                                      .at_once_ms = INT64_MIN / 2,
                                      .differs_since_ms = INT64_MAX};
    for (int i = 0; i < MEMBERS; i++) {
        struct person *p = &t->people[i];
        snprintf(p->id, sizeof p->id, "m%d", i);
        snprintf(p->alias, sizeof p->alias, "A%d", i);
        p->group = -1;
        p->retention = -1;
    }
}

static void boards_keep_their_promises(void **state)
{
    (void)state;
    static struct trial t;
    long published = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        begin(&t, seed);
        for (int i = 0; i < ACTIONS; i++)
            act(&t);
        pass_time(&t, 30 * MINUTE);
        CHECK(&t, bs_live_boards(t.w.live) == 0, "%u boards are left", bs_live_boards(t.w.live));
        for (int g = 0; g < GROUPS; g++)
            CHECK(&t, !t.boards[g].content[0], "%s is left: %s", groups[g], t.boards[g].content);
        world_end(&t.w);
        published += t.published;
    }
    assert_in_range(published, SEEDS * 50, SEEDS * ACTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boards_keep_their_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
