/* Drills as they were when a session used them: what they are called and when which phase is. Must
 * never keep what no interval holds, nor the same content twice. */
#include "session_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"
#include "backstep/core/snapshot.h"

#include <stdlib.h>

/* Neighbours of one name are one phase: but where a round ends, another name follows, so that a
 * stretch of one answer is found in few steps. */
struct version_phase {
    int64_t until_ms; /* since the round's begin; without a timetable 0 */
    uint32_t name_at, name_length;
};

struct bs_drill_version {
    UT_hash_handle hh;
    uint32_t references, text_length;
    /* From here on it is the key, and every byte is set. */
    int64_t round_ms, rounds; /* 0: there is no timetable */
    uint32_t id_length, phase_count;
    struct version_phase phases[BS_PHASES_MAX];
    char text[]; /* the id, the names */
};

#define KEY_AT offsetof(struct bs_drill_version, round_ms)

static struct bs_slice key_of(const struct bs_drill_version *v)
{
    return bs_slice_of(&v->round_ms,
                       offsetof(struct bs_drill_version, text) - KEY_AT + v->text_length);
}

static uint32_t add_text(struct bs_drill_version *v, struct bs_slice text)
{
    uint32_t at = v->text_length;
    memcpy(v->text + at, text.at, text.length);
    v->text_length += (uint32_t)text.length;
    return at;
}

static bool has_timetable(const struct bs_drill_document *drill)
{
    for (size_t i = 0; i < drill->phases.count; i++)
        if (drill->phases.at[i].duration_s == 0)
            return false;
    return true;
}

static void add_phase(struct bs_drill_version *v, const struct bs_phase *phase)
{
    uint32_t last = v->phase_count - 1;
    if (v->phase_count == 0 ||
        !bs_slice_equal(bs_drill_version_phase_name(v, (int)last), phase->name)) {
        last = v->phase_count++;
        v->phases[last].name_at = add_text(v, phase->name);
        v->phases[last].name_length = (uint32_t)phase->name.length;
    }
    v->phases[last].until_ms = v->round_ms;
}

static void copy_phases(struct bs_drill_version *v, const struct bs_drill_document *drill)
{
    bool timed = has_timetable(drill);
    for (size_t i = 0; i < drill->phases.count; i++) {
        if (timed)
            v->round_ms += drill->phases.at[i].duration_s * 1000;
        add_phase(v, &drill->phases.at[i]);
    }
    v->rounds = timed ? drill->repeat : 0;
    if (v->phase_count == 1) { /* so are rounds of one phase */
        v->round_ms *= v->rounds;
        v->phases[0].until_ms = v->round_ms;
        v->rounds = timed;
    }
}

/* Without phases, with room for so much text. */
static struct bs_drill_version *version_named(struct bs_slice id, size_t text_length)
{
    struct bs_drill_version *v = calloc(1, sizeof *v + text_length);
    if (!v)
        return NULL;
    v->references = 1;
    v->id_length = (uint32_t)id.length;
    add_text(v, id);
    return v;
}

static struct bs_drill_version *version_new(struct bs_slice id,
                                            const struct bs_drill_document *drill)
{
    size_t text_length = id.length;
    bs_check(drill->phases.count >= 1 && drill->phases.count <= BS_PHASES_MAX);
    for (size_t i = 0; i < drill->phases.count; i++)
        text_length += drill->phases.at[i].name.length;
    struct bs_drill_version *v = version_named(id, text_length);
    if (v)
        copy_phases(v, drill);
    return v;
}

static enum bs_status add_version(struct bs_drill_versions *versions, struct bs_drill_version *v,
                                  unsigned hash)
{
    if (HASH_COUNT(versions->by_content) >= BS_SESSION_DRILLS_MAX)
        return BS_FULL;
    struct bs_slice key = key_of(v);
    struct bs_drill_version *added = v;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, versions->by_content, key.at, key.length, hash, added);
    return added ? BS_OK : BS_NO_MEMORY;
}

static struct bs_drill_version *find_version(const struct bs_drill_versions *versions,
                                             struct bs_slice key, unsigned hash)
{
    struct bs_drill_version *v;
    HASH_FIND_BYHASHVALUE(hh, versions->by_content, key.at, key.length, hash, v);
    return v;
}

enum bs_status bs_drill_version_hold(struct bs_drill_versions *versions, struct bs_slice id,
                                     const struct bs_drill_document *drill,
                                     struct bs_drill_version **ret)
{
    struct bs_drill_version *v = version_new(id, drill);
    if (!v)
        return BS_NO_MEMORY;
    struct bs_slice key = key_of(v);
    unsigned hash = (unsigned)bs_hash_bytes(versions->seed, key);
    struct bs_drill_version *known = find_version(versions, key, hash);
    enum bs_status status = known ? BS_OK : add_version(versions, v, hash);
    if (known) {
        known->references++;
        *ret = known;
    } else if (status == BS_OK) {
        *ret = v;
        return BS_OK;
    }
    free(v);
    return status;
}

void bs_drill_version_drop(struct bs_drill_versions *versions, struct bs_drill_version *v)
{
    bs_check(v->references > 0);
    if (--v->references > 0)
        return;
    HASH_DELETE(hh, versions->by_content, v);
    free(v);
}

struct bs_drill_version *bs_drill_version_share(struct bs_drill_version *v)
{
    v->references++;
    return v;
}

struct bs_slice bs_drill_version_id(const struct bs_drill_version *v)
{
    return bs_slice_of(v->text, v->id_length);
}

int bs_drill_version_phase(const struct bs_drill_version *v, struct bs_slice name)
{
    for (int i = 0; i < (int)v->phase_count; i++)
        if (bs_slice_equal(bs_drill_version_phase_name(v, i), name))
            return i;
    return BS_PHASE_NONE;
}

struct bs_slice bs_drill_version_phase_name(const struct bs_drill_version *v, int phase)
{
    if (phase == BS_PHASE_NONE)
        return BS_SLICE("");
    bs_check(phase >= 0 && (uint32_t)phase < v->phase_count);
    return bs_slice_of(v->text + v->phases[phase].name_at, v->phases[phase].name_length);
}

int bs_drill_version_phase_at(const struct bs_drill_version *v, int64_t since_start_ms,
                              struct bs_stretch *ret_since_start)
{
    int64_t all = v->round_ms * v->rounds;
    if (since_start_ms >= all) {
        *ret_since_start = (struct bs_stretch){all, INT64_MAX};
        return BS_PHASE_NONE;
    }
    int64_t within = since_start_ms % v->round_ms, round = since_start_ms - within;
    int i = 0;
    while (within >= v->phases[i].until_ms)
        i++;
    *ret_since_start = (struct bs_stretch){round + (i > 0 ? v->phases[i - 1].until_ms : 0),
                                           round + v->phases[i].until_ms};
    return i;
}

bool bs_drill_version_has(const struct bs_drill_version *v, int phase)
{
    return phase == BS_PHASE_NONE || phase == BS_PHASE_BY_TIMETABLE ||
           (phase >= 0 && (uint32_t)phase < v->phase_count);
}

/* Snapshots: id, number of phases, name and until_ms of each, rounds. */

/* The longest drill that a document may describe. */
#define ROUND_MS_MAX   (BS_PHASES_MAX * INT64_C(7200) * 1000 * ROUNDS_MAX)
#define ROUNDS_MAX     100
#define NAME_BYTES_MAX (BS_DOCUMENT_TEXT_MAX * 4)

/* What is read of one; its texts are the stream's. */
struct version_words {
    struct bs_slice id, names[BS_PHASES_MAX];
    int64_t until_ms[BS_PHASES_MAX], rounds;
    size_t phase_count, text_length;
};

/* As copy_phases would have left it: all that the search for a phase relies on. */
static bool is_valid_phase(const struct version_words *w, size_t i)
{
    int64_t before = i > 0 ? w->until_ms[i - 1] : 0;
    return bs_document_is_text(w->names[i]) &&
           (i == 0 || !bs_slice_equal(w->names[i - 1], w->names[i])) &&
           (w->rounds > 0 ? w->until_ms[i] > before : w->until_ms[i] == 0);
}

static bool are_valid(const struct version_words *w)
{
    for (size_t i = 0; i < w->phase_count; i++)
        if (!is_valid_phase(w, i))
            return false;
    return bs_slice_is_id(w->id) && w->phase_count > 0 && (w->phase_count > 1 || w->rounds <= 1);
}

static void carry_words(struct bs_snapshot *s, struct version_words *w)
{
    w->id = bs_snapshot_text(s, w->id, BS_ID_MAX);
    w->phase_count = bs_snapshot_count(s, w->phase_count, BS_PHASES_MAX);
    for (size_t i = 0; i < w->phase_count; i++) {
        w->names[i] = bs_snapshot_text(s, w->names[i], NAME_BYTES_MAX);
        w->until_ms[i] = bs_snapshot_between(s, w->until_ms[i], 0, ROUND_MS_MAX);
        w->text_length += w->names[i].length;
    }
    w->rounds = bs_snapshot_between(s, w->rounds, 0, ROUNDS_MAX);
}

static void save_version(struct bs_snapshot *s, struct bs_drill_version *v)
{
    struct version_words w = {
        .id = bs_drill_version_id(v), .phase_count = v->phase_count, .rounds = v->rounds};
    for (size_t i = 0; i < v->phase_count; i++) {
        w.names[i] = bs_drill_version_phase_name(v, (int)i);
        w.until_ms[i] = v->phases[i].until_ms;
    }
    carry_words(s, &w);
    bs_snapshot_define(s, BS_SNAPSHOT_DRILL, v);
}

static struct bs_drill_version *version_of(const struct version_words *w)
{
    struct bs_drill_version *v = version_named(w->id, w->id.length + w->text_length);
    if (!v)
        return NULL;
    v->phase_count = (uint32_t)w->phase_count;
    for (size_t i = 0; i < w->phase_count; i++)
        v->phases[i] = (struct version_phase){.until_ms = w->until_ms[i],
                                              .name_at = add_text(v, w->names[i]),
                                              .name_length = (uint32_t)w->names[i].length};
    v->round_ms = w->until_ms[w->phase_count - 1];
    v->rounds = w->rounds;
    return v;
}

static void load_version(struct bs_snapshot *s, struct bs_drill_versions *versions)
{
    struct version_words w = {.phase_count = 0};
    carry_words(s, &w);
    bs_snapshot_require(s, s->failed || are_valid(&w));
    if (s->failed)
        return;
    struct bs_drill_version *v = version_of(&w);
    if (!v) {
        bs_snapshot_fail(s, BS_NO_MEMORY);
        return;
    }
    unsigned hash = (unsigned)bs_hash_bytes(versions->seed, key_of(v));
    bs_snapshot_require(s, !find_version(versions, key_of(v), hash));
    if (!s->failed && add_version(versions, v, hash) != BS_OK)
        bs_snapshot_fail(s, BS_NO_MEMORY);
    if (s->failed)
        free(v);
    else
        bs_snapshot_define(s, BS_SNAPSHOT_DRILL, v);
}

void bs_drill_versions_snapshot(struct bs_snapshot *s, struct bs_drill_versions *versions)
{
    size_t count = bs_snapshot_count(s, HASH_COUNT(versions->by_content), BS_SESSION_DRILLS_MAX);
    if (bs_snapshot_loads(s)) {
        for (size_t i = 0; i < count && !s->failed; i++)
            load_version(s, versions);
        return;
    }
    for (struct bs_drill_version *v = versions->by_content; v; v = v->hh.next)
        save_version(s, v);
}

void bs_drill_versions_loaded(struct bs_snapshot *s, struct bs_drill_versions *versions)
{
    struct bs_drill_version *v, *next;
    HASH_ITER(hh, versions->by_content, v, next)
    {
        bs_snapshot_require(s, v->references > 1);
        bs_drill_version_drop(versions, v);
    }
}
