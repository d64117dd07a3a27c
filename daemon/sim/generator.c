/* Lines of a random scenario: a class that walks for two minutes, and what befalls it. Must never
 * draw from anything but its seed, nor leave a fault that the end does not heal. */
#include "generator.h"

#include "backstep/base/random.h"

#include <stdio.h>

/* More devices than the world has room for would follow. */
enum { MEMBERS_MAX = 60 };

struct generator {
    struct sim_script *script;
    struct bs_random random;
    unsigned members, devices; /* so far */
    unsigned walking_s;
    uint64_t messages;
    bool groups;
};

static uint64_t draw(struct generator *g, uint64_t least, uint64_t most)
{
    return least + bs_random_below(&g->random, most - least + 1);
}

static bool chance(struct generator *g, unsigned percent)
{
    return draw(g, 1, 100) <= percent;
}

static unsigned pick(struct generator *g, const unsigned *of, size_t count)
{
    return of[draw(g, 0, count - 1)];
}

#define PICK(g, ...)                                                                               \
    pick(g, (const unsigned[]){__VA_ARGS__},                                                       \
         sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned))

static void set(struct generator *g, const char *name, unsigned value)
{
    sim_script_add(g->script, "set %s %u", name, value);
}

static double moment(struct generator *g)
{
    return (double)draw(g, 3000, (uint64_t)g->walking_s * 1000) / 1000;
}

/* Settings ------------------------------------------------------------------------------------- */

static void set_daemon(struct generator *g)
{
    set(g, "journal.sync_ms", PICK(g, 0, 20, 200, 200, 1000));
    set(g, "journal.snapshot_s", PICK(g, 5, 10, 20, 60));
    set(g, "mqtt.version", PICK(g, 5, 5, 311));
    set(g, "influxdb.api", PICK(g, 1, 1, 2, 3));
    set(g, "influxdb.batch_points", PICK(g, 3, 20, 200, 5000));
    set(g, "influxdb.flush_ms", PICK(g, 0, 200, 1000));
    set(g, "influxdb.timeout_ms", PICK(g, 1000, 5000, 10000));
    set(g, "output.used", chance(g, 10));
    unsigned segment = PICK(g, 0, 16384, 65536), in_flight = PICK(g, 1, 3, 10, 100);
    set(g, "intake.segment_bytes", segment);
    bool bounded = segment == 65536 && chance(g, 70);
    if (bounded) {
        set(g, "intake.max_bytes", segment * PICK(g, 4, 5, 6));
        set(g, "journal.snapshot_s", PICK(g, 5, 10));
    }
    /* What is in flight fits into the reserve, half a segment. */
    set(g, "mqtt.receive_maximum", segment > 0 && in_flight > 10 ? 10 : in_flight);
    if (chance(g, 30)) {
        set(g, "outbox.segment_bytes", 131072);
        set(g, "outbox.max_bytes", 131072 * PICK(g, 3, 4, 6));
    }
}

static void set_world(struct generator *g)
{
    set(g, "network.most_us", PICK(g, 600, 5000, 50000));
    set(g, "network.lost_ack_per_mille", PICK(g, 0, 0, 10, 100));
    set(g, "disk.sync_most_us", PICK(g, 1000, 20000, 200000));
    set(g, "daemon.fold_us", PICK(g, 0, 2, 20));
    set(g, "run.settle_s", 60);
}

/* The gym -------------------------------------------------------------------------------------- */

static void add_site(struct generator *g)
{
    sim_script_add(g->script,
                   "at 0.5 document settings/site {\"window_s\":%u,\"refresh_s\":%u,"
                   "\"allowed_lateness_s\":%u,\"stored_lateness_s\":%u,\"reorder_ms\":%u,"
                   "\"min_group_size\":3}",
                   PICK(g, 5, 10), PICK(g, 1, 2, 5), PICK(g, 0, 5, 20), PICK(g, 0, 40),
                   PICK(g, 0, 500, 2000));
}

static void add_class(struct generator *g)
{
    sim_script_add(g->script,
                   "at 0.6 document drill/back {\"name\":\"Back\",\"repeat\":3,\"phases\":[{"
                   "\"name\":\"imprint\",\"direction\":\"B\",\"duration_s\":15},{\"name\":"
                   "\"carry\",\"direction\":\"F\",\"duration_s\":15}]}");
    sim_script_add(g->script, "at 0.7 document session/g1 {\"drill\":\"back\",\"start\":"
                              "\"2026-11-24T18:00:05Z\",\"end\":\"2026-11-24T18:01:30Z\"}");
}

static void add_walks(struct generator *g, const char *device)
{
    static const char *const directions[] = {"B", "F", "BF", "BFLRTN", "FBX", "UD"};
    static const char *const feet[] = {"LR", "L", "R", "U"};
    static const char *const forms[] = {"json", "json", "json", "batch", "binary"};
    double at = (double)draw(g, 3000, 8000) / 1000;
    uint32_t seq = 1;
    for (unsigned walk = 0; at < g->walking_s && walk < 6; walk++) {
        unsigned every = (unsigned)draw(g, 300, 900), steps = (unsigned)draw(g, 20, 150);
        const char *form = forms[draw(g, 0, 4)];
        bool single = form[0] == 'j', stored = chance(g, 10);
        unsigned batch = single ? 1 : (unsigned)draw(g, 2, 12);
        sim_script_add(g->script,
                       "at %.3f steps %s boot %u seq %u..%u dir %s foot %s every %u form %s batch "
                       "%u%s%s%s",
                       at, device, 1 + walk / 3, seq, seq + steps - 1, directions[draw(g, 0, 5)],
                       feet[draw(g, 0, 3)], every, form, batch, stored ? " stored" : "",
                       chance(g, 5) ? " twice" : "", !stored && chance(g, 15) ? " up" : "");
        if (chance(g, 15)) /* some once more, as after a device's own restart */
            sim_script_add(g->script, "at %.3f steps %s boot %u seq %u..%u form batch batch 10",
                           at + 5, device, 1 + walk / 3, seq, seq + steps / 2);
        g->messages += (steps + batch - 1) / batch;
        at += (double)every * steps / 1000 + (double)draw(g, 0, 6000) / 1000;
        seq += steps;
    }
}

static void add_member(struct generator *g)
{
    unsigned count = PICK(g, 1, 1, 2, 3), member = ++g->members;
    char devices[128] = "";
    size_t length = 0;
    for (unsigned i = 0; i < count; i++)
        length += (size_t)snprintf(devices + length, sizeof devices - length, "%s\"pod-%u\"",
                                   i ? "," : "", g->devices + i + 1);
    sim_script_add(g->script,
                   "at %.3f document member/m%u {\"consent\":\"%s\",\"devices\":[%s],\"groups\":"
                   "[%s]}",
                   0.8 + 0.01 * member, member, chance(g, 85) ? "member" : "group", devices,
                   g->groups ? "\"g1\"" : "");
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "pod-%u", ++g->devices);
        if (chance(g, 50))
            sim_script_add(g->script, "at 0.9 birth %s {\"kind\":\"%s\",\"battery_pct\":80}", name,
                           chance(g, 70) ? "foot" : "trunk");
        add_walks(g, name);
    }
}

/* Faults --------------------------------------------------------------------------------------- */

static void befall_daemon(struct generator *g, double at)
{
    double back = at + (double)draw(g, 0, 10000) / 1000;
    switch (draw(g, 0, 4)) {
    case 0:
        sim_script_add(g->script, "at %.3f daemon stop", at);
        break;
    case 1:
    case 2:
        sim_script_add(g->script, "at %.3f daemon kill", at);
        break;
    case 3:
        sim_script_add(g->script, "at %.3f power cut", at);
        break;
    default:
        sim_script_add(g->script, "at %.3f daemon reload", at);
        return;
    }
    sim_script_add(g->script, "at %.3f daemon start", back);
}

static void befall_broker(struct generator *g, double at)
{
    double back = at + (double)draw(g, 0, 8000) / 1000;
    switch (draw(g, 0, 6)) {
    case 0:
        sim_script_add(g->script, "at %.3f broker kill", at);
        sim_script_add(g->script, "at %.3f broker start", back);
        break;
    case 1:
        sim_script_add(g->script, "at %.3f broker stop", at);
        sim_script_add(g->script, "at %.3f broker start", back);
        break;
    case 2:
        sim_script_add(g->script, "at %.3f broker save", at);
        break;
    case 3:
        sim_script_add(g->script, "at %.3f broker lose-session", at);
        break;
    case 4:
        sim_script_add(g->script, "at %.3f network cut", at);
        sim_script_add(g->script, "at %.3f network heal", back + 30.0 * (double)draw(g, 0, 1));
        break;
    default:
        sim_script_add(g->script, "at %.3f link cut", at);
    }
}

static void answer_badly(struct generator *g, double at)
{
    static const unsigned statuses[] = {408, 425, 429, 500, 502, 503, 504, 401, 403, 404};
    static const char *const effects[] = {"none", "now", "later 5000"};
    unsigned status = pick(g, statuses, 10);
    bool unresolved = status == 502 || status == 504;
    sim_script_add(g->script, "at %.3f database status %u%s effect %s", at, status,
                   chance(g, 30) ? " retry-after 3" : "",
                   unresolved ? effects[draw(g, 0, 2)] : "none");
}

/* While a transfer waits for an answer that does not come. */
static void kill_meanwhile(struct generator *g, double at)
{
    double killed = at + (double)draw(g, 500, 6000) / 1000;
    sim_script_add(g->script, "at %.3f %s", killed, chance(g, 80) ? "daemon kill" : "power cut");
    sim_script_add(g->script, "at %.3f daemon start", killed + (double)draw(g, 0, 1500) / 1000);
}

static void befall_database(struct generator *g, double at)
{
    static const char *const effects[] = {"none", "now", "later 8000"};
    double back = at + (double)draw(g, 0, 15000) / 1000;
    /* One fault at a time: beside rows that are too old a server says nothing of bad lines. */
    sim_script_add(g->script, "at %.3f database ok", at);
    switch (draw(g, 0, 7)) {
    case 0:
        sim_script_add(g->script, "at %.3f database down", at);
        break;
    case 1:
    case 2:
        sim_script_add(g->script, "at %.3f database silent effect %s%s", at, effects[draw(g, 0, 2)],
                       chance(g, 30) ? " for 1" : "");
        if (chance(g, 40))
            kill_meanwhile(g, at);
        break;
    case 3:
    case 4:
        answer_badly(g, at);
        break;
    case 5:
        sim_script_add(g->script, "at %.3f database limit %u", at, PICK(g, 700, 3000, 20000));
        break;
    case 6:
        sim_script_add(g->script, "at %.3f database %s direction=%c", at,
                       chance(g, 50) ? "conflict" : "garbage", chance(g, 50) ? 'L' : 'X');
        break;
    default:
        sim_script_add(g->script, "at %.3f database keeps %u", at, PICK(g, 10, 30));
    }
    sim_script_add(g->script, "at %.3f database ok", back);
}

static void befall_disk(struct generator *g, double at)
{
    double back = at + (double)draw(g, 0, 10000) / 1000;
    switch (draw(g, 0, 5)) {
    case 0:
        sim_script_add(g->script, "at %.3f disk full", at);
        break;
    case 1:
        sim_script_add(g->script, "at %.3f disk read-only", at);
        break;
    case 2:
        sim_script_add(g->script, "at %.3f disk fail sync %u", at, PICK(g, 0, 1, 1, 3));
        break;
    case 3:
        sim_script_add(g->script, "at %.3f disk fail write %u", at, PICK(g, 0, 1, 2));
        break;
    case 4:
        sim_script_add(g->script, "at %.3f disk fail rename %u", at, PICK(g, 0, 1, 2));
        break;
    default:
        sim_script_add(g->script, "at %.3f disk slow 500000 3000000", at);
    }
    sim_script_add(g->script, "at %.3f disk ok", back);
}

static void befall(struct generator *g)
{
    double at = moment(g);
    switch (draw(g, 0, 9)) {
    case 0:
    case 1:
    case 2:
        befall_daemon(g, at);
        break;
    case 3:
    case 4:
        befall_broker(g, at);
        break;
    case 5:
    case 6:
    case 7:
        befall_database(g, at);
        break;
    case 8:
        befall_disk(g, at);
        break;
    default:
        if (chance(g, 50)) {
            sim_script_add(g->script, "at %.3f device pod-%u away", at,
                           (unsigned)draw(g, 1, g->devices));
        } else {
            int jump = chance(g, 50) ? 3600 : -3600;
            sim_script_add(g->script, "at %.3f clock jump %d", at, jump);
            sim_script_add(g->script, "at %.3f clock jump %d", at + (double)draw(g, 5, 100), -jump);
        }
    }
}

void sim_generate(struct sim_script *s, uint64_t seed, uint64_t least)
{
    struct generator g = {.script = s, .walking_s = 120};
    bs_random_init(&g.random, seed);
    set_daemon(&g);
    set_world(&g);
    sim_script_add(s, "at 0 daemon start");
    add_site(&g);
    g.groups = chance(&g, 60);
    if (g.groups)
        add_class(&g);
    for (uint64_t members = draw(&g, 2, 7); members > 0; members--)
        add_member(&g);
    while (g.messages < least && g.members < MEMBERS_MAX)
        add_member(&g);
    for (uint64_t faults = draw(&g, 0, 12); faults > 0; faults--)
        befall(&g);
    sim_script_add(s, "at %u end", g.walking_s);
}
