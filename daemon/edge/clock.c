/* Reading the clocks. CLOCK_BOOTTIME goes on over suspends and over restarts of the daemon, so that
 * within one boot of the kernel a tick needs no guess; over a reboot only the wall clock is left to
 * say how long we were away. Must never give a tick below one given before. */
#include "backstep/edge/clock.h"

#include "backstep/base/check.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    bs_check(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 16 bytes out of 8-4-4-4-12 hexadecimal digits; zeros where there is no /proc. */
static void read_boot_id(uint8_t ret[16])
{
    char text[64];
    memset(ret, 0, 16);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t length = read(fd, text, sizeof text);
    close(fd);
    size_t digits = 0;
    for (ssize_t i = 0; i < length && digits < 32; i++) {
        int value = hex_value(text[i]);
        if (value < 0)
            continue;
        ret[digits / 2] = (uint8_t)(ret[digits / 2] * 16 + value);
        digits++;
    }
}

/* Without a boot id, or in a container whose boot time lies behind, only the wall clock helps. */
static bool is_same_boot(const struct bs_start_body *start, int64_t boottime_ms)
{
    static const uint8_t none[16];
    uint8_t boot_id[16];
    read_boot_id(boot_id);
    return memcmp(boot_id, none, 16) != 0 && memcmp(boot_id, start->boot_id, 16) == 0 &&
           (uint64_t)boottime_ms >= start->boottime_ms;
}

static int64_t first_tick(const struct bs_clock_past *past, int64_t boottime_ms)
{
    int64_t wall_ms = bs_clock_wall().ms;
    if (!past->any)
        return wall_ms;
    int64_t tick = wall_ms - past->offset_ms;
    if (is_same_boot(&past->start, boottime_ms))
        tick = past->start_tick.ms + boottime_ms - (int64_t)past->start.boottime_ms;
    return tick > past->last_tick.ms ? tick : past->last_tick.ms;
}

void bs_clock_hold(struct bs_clock *c, struct bs_tick_ms tick)
{
    c->base_ms = INT64_MIN / 2; /* so far behind that the last tick always wins */
    atomic_init(&c->last_ms, tick.ms);
}

void bs_clock_init(struct bs_clock *c, const struct bs_clock_past *past)
{
    int64_t boottime_ms = read_ms(CLOCK_BOOTTIME);
    int64_t first = first_tick(past, boottime_ms);
    c->base_ms = first - boottime_ms;
    atomic_init(&c->last_ms, first);
}

/* The kernel's clock does not run backwards, but two threads may carry its readings here in another
 * order than they took them. */
struct bs_tick_ms bs_clock_tick(struct bs_clock *c)
{
    int64_t now = read_ms(CLOCK_BOOTTIME) + c->base_ms;
    int64_t last = atomic_load_explicit(&c->last_ms, memory_order_relaxed);
    while (now > last)
        if (atomic_compare_exchange_weak_explicit(&c->last_ms, &last, now, memory_order_relaxed,
                                                  memory_order_relaxed))
            return (struct bs_tick_ms){now};
    return (struct bs_tick_ms){last};
}

struct bs_wall_ms bs_clock_wall(void)
{
    return (struct bs_wall_ms){read_ms(CLOCK_REALTIME)};
}

struct bs_mono_ns bs_clock_mono(void)
{
    struct timespec now;
    bs_check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (struct bs_mono_ns){(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec};
}

/* Before the kernel's pool is ready, in the first second of a boot, getrandom() would wait; the
 * clocks' low digits serve then, which nobody outside sees either. */
static uint64_t draw_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
        return seed;
    return bs_clock_mono().ns ^ (uint64_t)bs_clock_wall().ms << 32;
}

void bs_clock_start_body(struct bs_clock *c, struct bs_start_body *ret)
{
    struct bs_tick_ms tick = bs_clock_tick(c);
    *ret = (struct bs_start_body){
        .offset_ms = bs_clock_wall().ms - tick.ms,
        .hash_seed = draw_seed(),
        .boottime_ms = (uint64_t)read_ms(CLOCK_BOOTTIME),
    };
    read_boot_id(ret->boot_id);
}
