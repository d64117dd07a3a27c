/* A class of members in windows alone; the group rows it gets. For tests only. */
#ifndef BACKSTEP_TESTS_CLASS_WORLD_H
#define BACKSTEP_TESTS_CLASS_WORLD_H

#include "windows_world.h"

#include <string.h>

/* A class: members 0..count-1, of whom the first `unnamed` consent to group rows only. */

#define CLASS_MAX 16

struct class
{
    struct world world;
    struct bs_window_member members[CLASS_MAX];
    struct bs_tags *tags[CLASS_MAX];
    int count;
};

static inline void begin_class(struct class *c, int count, int unnamed)
{
    memset(c->members, 0, sizeof c->members);
    c->count = count;
    world_begin(&c->world);
    for (int i = 0; i < count; i++)
        c->tags[i] = world_member_tags(&world_class, i, i >= unnamed);
}

static inline void end_class(struct class *c)
{
    struct bs_effects effects = world_effects(&c->world);
    bs_windows_finalise_all(c->world.windows, &effects);
    assert_int_equal(bs_windows_open_rows(c->world.windows), 0);
    for (int i = 0; i < c->count; i++) {
        assert_int_equal(c->tags[i]->references, 1);
        bs_tags_drop(c->tags[i]);
    }
    world_end(&c->world);
}

/* One step of member i, forwards, now. */
static inline void walk(struct class *c, int i, int step_ms)
{
    world_add(&c->world, &c->members[i], c->tags[i],
              (struct world_step){c->world.now, BS_DIRECTION_FORWARD, step_ms, 400, false});
}

static inline void walk_all(struct class *c)
{
    for (int i = 0; i < c->count; i++)
        walk(c, i, 500 + i);
}

/* The group rows written since the last call. */
static inline const char *group_rows(struct world *w)
{
    static char rows[4096];
    size_t length = 0;
    for (const char *at = world_lines(w), *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        size_t line = (size_t)(end + 1 - at);
        if (strncmp(at, "group_window,", 13) != 0)
            continue;
        assert_true(length + line < sizeof rows);
        memcpy(rows + length, at, line);
        length += line;
    }
    rows[length] = 0;
    return rows;
}

#endif
