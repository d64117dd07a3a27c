/* Drills as they were when a session used them: what they are called and when which phase is. Must
 * never keep what no interval holds, nor the same content twice. */
#include "session_parts.h"

#include "backstep/base/check.h"
#include "backstep/base/hash.h"

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

static struct bs_drill_version *version_new(struct bs_slice id,
                                            const struct bs_drill_document *drill)
{
    size_t text_length = id.length;
    bs_check(drill->phases.count >= 1 && drill->phases.count <= BS_PHASES_MAX);
    for (size_t i = 0; i < drill->phases.count; i++)
        text_length += drill->phases.at[i].name.length;
    struct bs_drill_version *v = calloc(1, sizeof *v + text_length);
    if (!v)
        return NULL;
    v->references = 1;
    v->id_length = (uint32_t)id.length;
    add_text(v, id);
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

enum bs_status bs_drill_version_hold(struct bs_drill_versions *versions, struct bs_slice id,
                                     const struct bs_drill_document *drill,
                                     struct bs_drill_version **ret)
{
    struct bs_drill_version *v = version_new(id, drill);
    if (!v)
        return BS_NO_MEMORY;
    struct bs_slice key = key_of(v);
    unsigned hash = (unsigned)bs_hash_bytes(versions->seed, key);
    struct bs_drill_version *known;
    HASH_FIND_BYHASHVALUE(hh, versions->by_content, key.at, key.length, hash, known);
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
