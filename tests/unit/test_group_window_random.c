/* Random classes: whatever the members, consents, directions and the order of the steps, the final
 * rows are the same, and group rows are what a slow calculation of its own says. */
#include "backstep/base/random.h"
#include "windows_world.h"

#include <math.h>
#include <string.h>

#define CLASSES        30
#define RANDOM_MEMBERS 12
#define RANDOM_STEPS   1500
#define RANDOM_WINDOWS 3
#define GROUPS         3 /* the last is `none` */
#define PHASES         2
#define ALIASES        2

struct random_step {
    int member, group, phase, alias, window, step_ms, step_mm;
    bool named, stored;
    enum bs_direction direction;
};

struct random_class {
    uint64_t seed;
    struct bs_random random;
    struct random_step steps[RANDOM_STEPS];
    struct bs_tags *tags[RANDOM_MEMBERS][GROUPS][PHASES][ALIASES][2];
};

static int pick(struct bs_random *r, int below)
{
    return (int)bs_random_below(r, (uint64_t)below);
}

static const char *const group_names[GROUPS] = {"thu", "tue", "none"};
static const char *const phase_names[PHASES] = {"carry-over", "imprint"};

/* Members keep a consent each, mostly; so every case of nobody, too few and enough comes up. */
static void draw_steps(struct random_class *c)
{
    struct bs_random *r = &c->random;
    bs_random_init(r, c->seed);
    int crowd = 1 + pick(r, RANDOM_MEMBERS), unnamed = pick(r, 6);
    for (int i = 0; i < RANDOM_STEPS; i++) {
        struct random_step *s = &c->steps[i];
        *s = (struct random_step){.member = pick(r, crowd),
                                  .group = pick(r, GROUPS),
                                  .phase = pick(r, PHASES),
                                  .alias = pick(r, ALIASES),
                                  .window = pick(r, RANDOM_WINDOWS),
                                  .stored = pick(r, 8) == 0,
                                  .direction = (enum bs_direction)pick(r, BS_DIRECTION_COUNT)};
        s->named = s->member >= unnamed || pick(r, 4) == 0;
        if (s->member == crowd - 1 && pick(r, 400) == 0)
            s->named = false;
        s->step_ms = s->member % 5 == 4 || pick(r, 4) == 0 ? 0 : 300 + pick(r, 500);
        s->step_mm = s->member % 5 == 3 || pick(r, 4) == 0 ? 0 : 200 + pick(r, 600);
    }
}

static void make_tags(struct random_class *c)
{
    for (int i = 0; i < RANDOM_MEMBERS * GROUPS * PHASES * ALIASES * 2; i++) {
        int named = i % 2, alias = i / 2 % ALIASES, phase = i / 2 / ALIASES % PHASES;
        int group = i / 2 / ALIASES / PHASES % GROUPS, member = i / 2 / ALIASES / PHASES / GROUPS;
        struct bs_tags_names names = world_class;
        names.group = bs_slice_text(group_names[group]);
        names.phase = bs_slice_text(phase_names[phase]);
        names.alias = alias ? BS_SLICE("a") : BS_SLICE("b");
        c->tags[member][group][phase][alias][named] = world_member_tags(&names, member, named != 0);
    }
}

static void drop_tags(struct random_class *c)
{
    struct bs_tags **tags = &c->tags[0][0][0][0][0];
    for (size_t i = 0; i < sizeof c->tags / sizeof *tags; i++) {
        assert_int_equal(tags[i]->references, 1);
        bs_tags_drop(tags[i]);
    }
}

static void shuffle(struct random_class *c)
{
    for (int i = RANDOM_STEPS - 1; i > 0; i--) {
        int j = pick(&c->random, i + 1);
        struct random_step step = c->steps[i];
        c->steps[i] = c->steps[j];
        c->steps[j] = step;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define LINES_MAX 4096

/* How many steps were late is the one thing that depends on when they came. */
static void cut_late(char *line)
{
    char *late = strstr(line, ",late=");
    if (!late)
        return;
    char *behind = late + 1 + strcspn(late + 1, ",");
    memmove(late, behind, strlen(behind) + 1);
}

/* Final lines, sorted; `text` is cut into them. */
static size_t sorted_finals(char *text, char **ret_lines)
{
    size_t count = 0;
    for (char *at = text, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        *end = 0;
        assert_true(count < LINES_MAX);
        if (!strstr(at, "final=true"))
            continue;
        cut_late(at);
        ret_lines[count++] = at;
    }
    qsort(ret_lines, count, sizeof ret_lines[0], by_text);
    return count;
}

/* Everything at once but for some refreshing in between; then all is final. */
static char *walk_through(struct random_class *c)
{
    struct world w;
    struct bs_window_member members[RANDOM_MEMBERS] = {0};
    world_begin(&w);
    bs_windows_set_group_min(w.windows, 3);
    for (int i = 0; i < RANDOM_STEPS; i++) {
        const struct random_step *s = &c->steps[i];
        world_add(&w, &members[s->member],
                  c->tags[s->member][s->group][s->phase][s->alias][s->named],
                  (struct world_step){WORLD_NOW + s->window * WORLD_SIZE, s->direction, s->step_ms,
                                      s->step_mm, s->stored});
        if (pick(&c->random, 100) == 0)
            world_wait(&w, pick(&c->random, 5000));
    }
    struct bs_effects effects = world_effects(&w);
    bs_windows_finalise_all(w.windows, &effects);
    assert_int_equal(bs_windows_open_rows(w.windows), 0);
    char *text = strdup(world_lines(&w));
    world_end(&w);
    return text;
}

/* The slow calculation. */

struct expected {
    unsigned members, unnamed, steps, backward;
    unsigned cadences, lengths, ratios; /* how many have one */
    double cadence[RANDOM_MEMBERS], length[RANDOM_MEMBERS], ratio[RANDOM_MEMBERS];
};

static void expect_member(const struct random_class *c, int member, int group, int phase,
                          int window, struct expected *e)
{
    double time = 0, length = 0;
    unsigned steps = 0, times = 0, lengths = 0, unnamed = 0;
    for (int i = 0; i < RANDOM_STEPS; i++) {
        const struct random_step *s = &c->steps[i];
        if (s->stored || s->member != member || s->group != group || s->phase != phase ||
            s->window != window)
            continue;
        steps++;
        unnamed += !s->named;
        e->backward += s->direction == BS_DIRECTION_BACKWARD;
        time += s->step_ms;
        times += s->step_ms != 0;
        length += s->step_mm;
        lengths += s->step_mm != 0;
    }
    e->steps += steps;
    e->members += steps > 0;
    e->unnamed += unnamed > 0;
    if (times)
        e->cadence[e->cadences++] = 60000 / (time / times);
    if (lengths)
        e->length[e->lengths++] = length / lengths;
    if (times && lengths)
        e->ratio[e->ratios++] = length / lengths / 1000 * (time / times) / 60000;
}

/* Without sorting: the value, or the mean of the two, with as many below as above. */
static double slow_median(const double *values, unsigned count)
{
    double sum = 0;
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned below = 0, equal = 0;
        for (unsigned j = 0; j < count; j++) {
            below += values[j] < values[i];
            equal += values[j] == values[i];
        }
        /* It stands at places below .. below + equal - 1, once for each that equals it. */
        for (unsigned place = (count - 1) / 2; place <= count / 2; place++)
            if (place >= below && place < below + equal) {
                sum += values[i] / equal;
                found += 1;
            }
    }
    assert_true(found > 0);
    return sum / (count % 2 ? 1 : 2);
}

static void assert_field(const struct random_class *c, const char *line, const char *name,
                         unsigned count, double expected)
{
    char key[64];
    snprintf(key, sizeof key, "%s=", name);
    const char *at = strstr(line, key);
    if ((at != NULL) != (count > 0))
        fail_msg("BACKSTEP_SEED=%llu: %s is %s in %s", (unsigned long long)c->seed, name,
                 at ? "there" : "missing", line);
    if (at && fabs(strtod(at + strlen(key), NULL) - expected) > 1e-8 * fabs(expected))
        fail_msg("BACKSTEP_SEED=%llu: %s should be %.9g in %s", (unsigned long long)c->seed, name,
                 expected, line);
}

static void assert_group_row(const struct random_class *c, const char *line,
                             const struct expected *e)
{
    assert_field(c, line, "members", 1, e->members);
    assert_field(c, line, "steps", 1, e->steps);
    assert_field(c, line, "backward_pct", 1, 100.0 * e->backward / e->steps);
    assert_field(c, line, "cadence_spm_p50", e->cadences,
                 e->cadences ? slow_median(e->cadence, e->cadences) : 0);
    assert_field(c, line, "step_length_mm_p50", e->lengths,
                 e->lengths ? slow_median(e->length, e->lengths) : 0);
    assert_field(c, line, "walk_ratio_p50", e->ratios,
                 e->ratios ? slow_median(e->ratio, e->ratios) : 0);
}

/* Returns how many group rows there must be, each of which is there and right. */
static size_t assert_groups(const struct random_class *c, char **lines, size_t count)
{
    size_t rows = 0;
    for (int i = 0; i < (GROUPS - 1) * PHASES * RANDOM_WINDOWS; i++) {
        int group = i % (GROUPS - 1), phase = i / (GROUPS - 1) % PHASES,
            window = i / (GROUPS - 1) / PHASES;
        struct expected e = {0};
        for (int m = 0; m < RANDOM_MEMBERS; m++)
            expect_member(c, m, group, phase, window, &e);
        char head[128], tail[32];
        snprintf(head, sizeof head, "group_window,drill=back-twenty,group=%s,phase=%s,site=gym ",
                 group_names[group], phase_names[phase]);
        snprintf(tail, sizeof tail, " %lld", (long long)WORLD_NOW + window * WORLD_SIZE);
        const char *line = NULL;
        for (size_t l = 0; l < count; l++)
            if (strncmp(lines[l], head, strlen(head)) == 0 && strstr(lines[l], tail))
                line = lines[l];
        bool safe = e.members >= 3 && (e.unnamed == 0 || e.unnamed >= 3);
        if ((line != NULL) != safe)
            fail_msg("BACKSTEP_SEED=%llu: %s%s: %u members, %u unnamed, %s",
                     (unsigned long long)c->seed, head, tail, e.members, e.unnamed,
                     line ? line : "not written");
        if (line)
            assert_group_row(c, line, &e);
        rows += safe;
    }
    return rows;
}

/* Sums of the members' own rows: every step that has a name is in one of them. */
static void assert_named_steps(const struct random_class *c, char **lines, size_t count)
{
    long named = 0, written = 0;
    for (int i = 0; i < RANDOM_STEPS; i++)
        named += c->steps[i].named;
    for (size_t i = 0; i < count; i++)
        if (strncmp(lines[i], "gait_window,", 12) == 0)
            written += strtol(strstr(lines[i], " steps=") + 7, NULL, 10);
    if (named != written)
        fail_msg("BACKSTEP_SEED=%llu: %ld steps written of %ld", (unsigned long long)c->seed,
                 written, named);
}

static size_t run_random(uint64_t seed)
{
    static struct random_class c;
    static char *lines[2][LINES_MAX];
    char *text[2];
    size_t count[2];
    c.seed = seed;
    make_tags(&c);
    draw_steps(&c);
    for (int pass = 0; pass < 2; pass++) {
        text[pass] = walk_through(&c);
        count[pass] = sorted_finals(text[pass], lines[pass]);
        shuffle(&c);
    }
    assert_int_equal(count[0], count[1]);
    for (size_t i = 0; i < count[0]; i++)
        if (strcmp(lines[0][i], lines[1][i]) != 0)
            fail_msg("BACKSTEP_SEED=%llu:\n%s\n%s", (unsigned long long)seed, lines[0][i],
                     lines[1][i]);
    size_t rows = assert_groups(&c, lines[0], count[0]), found = 0;
    for (size_t i = 0; i < count[0]; i++)
        found += strncmp(lines[0][i], "group_window,", 13) == 0;
    assert_int_equal(rows, found);
    assert_named_steps(&c, lines[0], count[0]);
    free(text[0]);
    free(text[1]);
    drop_tags(&c);
    return rows;
}

static void random_classes_agree_with_a_slow_calculation(void **state)
{
    (void)state;
    const char *given = getenv("BACKSTEP_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261124;
    print_message("seed %llu (BACKSTEP_SEED sets another)\n", (unsigned long long)seed);
    size_t rows = 0, most = CLASSES * (GROUPS - 1) * PHASES * RANDOM_WINDOWS;
    for (uint64_t i = 0; i < CLASSES; i++)
        rows += run_random(seed + i);
    print_message("%zu of %zu group rows were to be written\n", rows, most);
    if (!given) /* the draw has both */
        assert_in_range(rows, most / 4, most * 3 / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_classes_agree_with_a_slow_calculation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
