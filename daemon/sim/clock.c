/* edge/clock over the world's time: the rules are those of daemon/edge/clock.c. Must never give a
 * tick below one given before. */
#include "backstep/edge/clock.h"

#include "world.h"

#include <string.h>

#define BOOTTIME_FIRST_MS 100000

void sim_machine_reset(struct sim_machine *m)
{
    *m = (struct sim_machine){.boots = 1};
}

void sim_machine_boot(struct sim_machine *m)
{
    m->boots++;
    m->booted_ns = world->now_ns;
}

int64_t sim_wall_ms(void)
{
    return SIM_BEGIN_WALL_MS + (int64_t)(sim_now_ns() / 1000000);
}

static int64_t boottime_ms(void)
{
    return BOOTTIME_FIRST_MS + (int64_t)((sim_now_ns() - world->machine.booted_ns) / 1000000);
}

static void read_boot_id(uint8_t ret[16])
{
    memset(ret, 0, 16);
    memcpy(ret, &world->machine.boots, sizeof world->machine.boots);
}

static bool is_same_boot(const struct bs_start_body *start, int64_t boottime)
{
    uint8_t boot_id[16];
    read_boot_id(boot_id);
    return memcmp(boot_id, start->boot_id, 16) == 0 && (uint64_t)boottime >= start->boottime_ms;
}

static int64_t first_tick(const struct bs_clock_past *past, int64_t boottime)
{
    int64_t wall_ms = bs_clock_wall().ms;
    if (!past->any)
        return wall_ms;
    int64_t tick = wall_ms - past->offset_ms;
    if (is_same_boot(&past->start, boottime))
        tick = past->start_tick.ms + boottime - (int64_t)past->start.boottime_ms;
    return tick > past->last_tick.ms ? tick : past->last_tick.ms;
}

void bs_clock_hold(struct bs_clock *c, struct bs_tick_ms tick)
{
    c->base_ms = INT64_MIN / 2;
    atomic_init(&c->last_ms, tick.ms);
}

void bs_clock_init(struct bs_clock *c, const struct bs_clock_past *past)
{
    int64_t boottime = boottime_ms(), first = first_tick(past, boottime);
    c->base_ms = first - boottime;
    atomic_init(&c->last_ms, first);
    world->process.clock = c;
}

struct bs_tick_ms bs_clock_tick(struct bs_clock *c)
{
    int64_t now = boottime_ms() + c->base_ms, last = atomic_load(&c->last_ms);
    if (now <= last)
        return (struct bs_tick_ms){last};
    atomic_store(&c->last_ms, now);
    return (struct bs_tick_ms){now};
}

struct bs_wall_ms bs_clock_wall(void)
{
    return (struct bs_wall_ms){sim_wall_ms() + world->machine.wall_error_ms};
}

struct bs_mono_ns bs_clock_mono(void)
{
    return (struct bs_mono_ns){(uint64_t)BOOTTIME_FIRST_MS * 1000000 + sim_now_ns() -
                               world->machine.booted_ns};
}

void bs_clock_start_body(struct bs_clock *c, struct bs_start_body *ret)
{
    struct bs_tick_ms tick = bs_clock_tick(c);
    *ret = (struct bs_start_body){
        .offset_ms = bs_clock_wall().ms - tick.ms,
        .hash_seed = bs_random_next(&world->chance),
        .boottime_ms = (uint64_t)boottime_ms(),
    };
    read_boot_id(ret->boot_id);
}
