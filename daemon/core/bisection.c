/* Which part of a batch goes next, and whom to blame. Must never blame a line that did not fail
 * alone, nor let a line go ahead of one before it. */
#include "backstep/core/bisection.h"

#include "backstep/base/check.h"

static struct bs_bisection_range *innermost(struct bs_bisection *b)
{
    return &b->range[b->depth - 1];
}

static void push(struct bs_bisection *b, uint32_t beyond, enum bs_bisection_fault fault)
{
    bs_check(b->depth < BS_BISECTION_DEPTH_MAX);
    b->range[b->depth].beyond = beyond;
    b->range[b->depth].fault = fault;
    b->depth++;
}

void bs_bisection_init(struct bs_bisection *b, uint32_t lines, uint32_t part_max)
{
    bs_check(lines > 0 && part_max > 0);
    *b = (struct bs_bisection){.lines = lines, .part_max = part_max, .part_first_max = part_max};
    push(b, lines, BS_BISECTION_UNKNOWN);
}

/* What is left of a range that failed holds its fault still, but has not failed by itself. */
static void move_to(struct bs_bisection *b, uint32_t at)
{
    b->at = at;
    while (b->depth > 0 && innermost(b)->beyond <= at)
        b->depth--;
    if (b->depth > 0 && innermost(b)->fault == BS_BISECTION_SHOWN)
        innermost(b)->fault = BS_BISECTION_INFERRED;
}

static struct bs_bisection_step step_to(const struct bs_bisection *b,
                                        enum bs_bisection_action action, uint32_t beyond)
{
    return (struct bs_bisection_step){action, b->at, beyond};
}

static struct bs_bisection_step give_up(struct bs_bisection *b, enum bs_bisection_action action,
                                        uint32_t beyond)
{
    struct bs_bisection_step step = step_to(b, action, beyond);
    move_to(b, beyond);
    return step;
}

/* Each range has one request reserved, to be sent as a whole; halving takes one more. */
static bool may_halve(const struct bs_bisection *b)
{
    return BS_BISECTION_REQUESTS_MAX - b->requests > b->depth;
}

static bool is_exhausted(const struct bs_bisection *b)
{
    return b->requests >= BS_BISECTION_REQUESTS_MAX && b->troubled &&
           (b->depth > 1 || b->part_max >= b->lines);
}

static struct bs_bisection_step ask(struct bs_bisection *b)
{
    uint32_t left = innermost(b)->beyond - b->at;
    b->sent = true;
    b->sent_beyond = b->at + (left < b->part_max ? left : b->part_max);
    return step_to(b, BS_BISECTION_SEND, b->sent_beyond);
}

struct bs_bisection_step bs_bisection_next(struct bs_bisection *b)
{
    if (b->blame) {
        b->blame = false;
        return give_up(b, BS_BISECTION_BLAME, b->at + 1);
    }
    if (b->depth == 0)
        return step_to(b, BS_BISECTION_DONE, b->at);
    if (b->sent)
        return step_to(b, BS_BISECTION_SEND, b->sent_beyond);
    struct bs_bisection_range *r = innermost(b);
    if (is_exhausted(b))
        return give_up(b, BS_BISECTION_SUSPECT, r->beyond);
    if (r->fault != BS_BISECTION_UNKNOWN && r->beyond - b->at > 1 && may_halve(b))
        push(b, b->at + (r->beyond - b->at) / 2, BS_BISECTION_UNKNOWN);
    else if (r->fault == BS_BISECTION_SHOWN)
        return give_up(b, BS_BISECTION_SUSPECT, r->beyond);
    return ask(b);
}

/* Where the part is all that is left of the innermost range the fault is that range's, else a range
 * of its own. The ranges around it hold a fault no longer: it is this one. */
static void place_fault(struct bs_bisection *b)
{
    for (uint32_t i = 0; i < b->depth; i++)
        b->range[i].fault = BS_BISECTION_UNKNOWN;
    if (innermost(b)->beyond == b->sent_beyond)
        innermost(b)->fault = BS_BISECTION_SHOWN;
    else
        push(b, b->sent_beyond, BS_BISECTION_SHOWN);
}

static void shrink(struct bs_bisection *b)
{
    uint32_t lines = b->sent_beyond - b->at;
    b->blame = b->part_grows = lines == 1;
    b->part_max = lines == 1 ? 1 : lines / 2;
}

static void pass(struct bs_bisection *b)
{
    move_to(b, b->sent_beyond);
    if (b->part_grows && b->part_max < b->part_first_max)
        b->part_max = b->part_max > b->part_first_max / 2 ? b->part_first_max : b->part_max * 2;
}

void bs_bisection_take(struct bs_bisection *b, enum bs_bisection_result result)
{
    bs_check(b->sent);
    b->sent = false;
    if (result == BS_BISECTION_TOO_LARGE) {
        shrink(b);
        return;
    }
    if (result != BS_BISECTION_PASSED || b->depth > 1 || b->range[0].fault != BS_BISECTION_UNKNOWN)
        b->requests++;
    if (result == BS_BISECTION_PASSED)
        pass(b);
    if (result != BS_BISECTION_FAILED)
        return;
    b->troubled = true;
    place_fault(b);
    b->blame = b->sent_beyond - b->at == 1;
}

void bs_bisection_take_named(struct bs_bisection *b, uint32_t line)
{
    bs_check(b->sent && line >= b->at && line < b->sent_beyond);
    b->troubled = true;
    move_to(b, line + 1);
}

bool bs_bisection_is_untouched(const struct bs_bisection *b)
{
    return b->at == 0 && !b->troubled && b->depth == 1 && b->part_max >= b->lines && !b->blame;
}
