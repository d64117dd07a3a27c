/* Bouts of the truth. Must never look at how the daemon finds them. */
#include "true_bouts.h"

#include <stdlib.h>

#define BOUT_GAP_MS   3000
#define CONFIRM_STEPS 3u
#define OTHERS_MAX    8u

struct arrived {
    uint32_t number; /* among those that arrived */
    uint32_t contact;
};

struct finder {
    const struct bs_traces *traces;
    const struct bs_member_traces *member;
    void (*take)(void *context, const struct bs_true_bout *bout);
    void *context;
    struct bs_bout_step *steps; /* of the bout that goes on; room for all of the member's */
    uint32_t count;             /* 0: none goes on */
    enum bs_direction direction;
    uint32_t last_number; /* of its last step */
    struct arrived unsettled[CONFIRM_STEPS];
    uint32_t unsettled_count;
    enum bs_direction unsettled_direction;
    uint32_t others; /* in a row, since the bout's last step */
};

static bool has_bouts(enum bs_direction d)
{
    return d != BS_DIRECTION_UNKNOWN && d != BS_DIRECTION_TURN && d != BS_DIRECTION_ON_THE_SPOT;
}

static void end_bout(struct finder *f)
{
    if (f->count > 0)
        f->take(f->context, &(struct bs_true_bout){f->direction, f->steps, f->count});
    f->count = 0;
}

static void settle(struct finder *f, struct arrived step)
{
    f->steps[f->count] = (struct bs_bout_step){
        .contact = step.contact,
        .follows = f->count > 0 && step.number == f->last_number + 1,
    };
    f->count++;
    f->last_number = step.number;
    f->others = 0;
}

/* True where that many steps in one direction make a bout of it. */
static bool confirms(struct finder *f, struct arrived step, enum bs_direction direction)
{
    if (f->unsettled_count > 0 && f->unsettled_direction != direction)
        f->unsettled_count = 0;
    f->unsettled_direction = direction;
    f->unsettled[f->unsettled_count++] = step;
    return f->unsettled_count == CONFIRM_STEPS;
}

static void begin_bout(struct finder *f)
{
    end_bout(f);
    f->direction = f->unsettled_direction;
    for (uint32_t i = 0; i < f->unsettled_count; i++)
        settle(f, f->unsettled[i]);
    f->unsettled_count = 0;
}

static void pass(struct finder *f, struct arrived step, enum bs_direction direction)
{
    if (f->count > 0 && direction == f->direction) {
        f->unsettled_count = 0;
        settle(f, step);
    } else if (has_bouts(direction) && confirms(f, step, direction)) {
        begin_bout(f);
    } else if (++f->others == OTHERS_MAX) {
        end_bout(f);
    }
}

static void pass_all(struct finder *f)
{
    const struct bs_member_traces *m = f->member;
    struct arrived step = {0};
    int64_t last_ms = INT64_MIN;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct bs_trace *trace = &m->at[i];
        if (trace->live == 0)
            continue;
        if (step.number > 0 && trace->time_ms - last_ms > BOUT_GAP_MS) {
            end_bout(f);
            f->unsettled_count = 0;
        }
        last_ms = trace->time_ms;
        step.number++;
        step.contact = i;
        pass(f, step, bs_trace_direction(f->traces, trace));
    }
    end_bout(f);
}

enum bs_status bs_true_bouts(const struct bs_traces *t, const struct bs_member_traces *m,
                             void (*take)(void *context, const struct bs_true_bout *bout),
                             void *context)
{
    struct finder f = {.traces = t, .member = m, .take = take, .context = context};
    f.steps = calloc(m->count ? m->count : 1, sizeof *f.steps);
    if (!f.steps)
        return BS_NO_MEMORY;
    pass_all(&f);
    free(f.steps);
    return BS_OK;
}
