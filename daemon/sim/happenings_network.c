/* What befalls broker, network and database. */
#include "happenings.h"
#include "world.h"

void sim_happen_broker(struct sim_words *w)
{
    static const char *const what[] = {"start",        "stop",   "kill",   "save",
                                       "lose-session", "refuse", "accept", NULL};
    struct sim_broker *b = &world->broker;
    int choice = sim_words_choice(w, what);
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: broker %s", what[choice]);
    switch (choice) {
    case 0:
        sim_broker_start(b);
        break;
    case 1:
        sim_broker_stop(b);
        break;
    case 2:
        sim_broker_kill(b);
        break;
    case 3:
        sim_broker_save(b);
        break;
    case 4:
        sim_broker_lose_session(b);
        break;
    default:
        b->refuses = choice == 5;
    }
}

void sim_happen_link(struct sim_words *w)
{
    static const char *const what[] = {"cut", NULL};
    sim_words_choice(w, what);
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: link cut");
    sim_broker_cut_link(&world->broker);
}

void sim_happen_network(struct sim_words *w)
{
    static const char *const what[] = {"cut", "heal", NULL};
    int choice = sim_words_choice(w, what);
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: network %s", what[choice]);
    sim_broker_cut_network(&world->broker, choice == 0);
}

/* Database ------------------------------------------------------------------------------------- */

/* How it answers, as the words behind the first ones say; the rest stays as it is. */
static void read_manner(struct sim_words *w, struct sim_database *d)
{
    static const char *const effects[] = {"none", "now", "later", NULL};
    d->retry_after_s = -1;
    d->effect = SIM_EFFECT_NONE;
    d->later_ms = d->mode_requests = 0;
    d->text[0] = '\0';
    if (sim_words_take(w, "retry-after"))
        d->retry_after_s = sim_words_signed(w, 0, 100000);
    if (sim_words_take(w, "effect"))
        d->effect = (enum sim_effect)sim_words_choice(w, effects);
    if (d->effect == SIM_EFFECT_LATER)
        d->later_ms = (uint32_t)sim_words_number(w, 0, 10000000);
    if (sim_words_take(w, "for"))
        d->mode_requests = (uint32_t)sim_words_number(w, 1, 1000000);
    if (sim_words_take(w, "text")) {
        struct bs_slice text = sim_words_all(w);
        size_t kept = text.length < sizeof d->text ? text.length : sizeof d->text - 1;
        memcpy(d->text, text.at, kept);
        d->text[kept] = '\0';
    }
}

enum choice { OK, DOWN, SILENT, STATUS, LIMIT, CONFLICT, GARBAGE, KEEPS, WHOLE };

static void read_choice(struct sim_words *w, struct sim_database *d, enum choice choice)
{
    static const char *const switches[] = {"on", "off", NULL};
    switch (choice) {
    case OK:
        sim_database_heal(d);
        break;
    case DOWN:
        d->mode = SIM_DATABASE_DOWN;
        break;
    case SILENT:
        d->mode = SIM_DATABASE_SILENT;
        break;
    case STATUS:
        d->mode = SIM_DATABASE_STATUS;
        d->status = (int)sim_words_number(w, 100, 599);
        break;
    case LIMIT:
        d->body_max = sim_words_number(w, 0, 1 << 30);
        break;
    case CONFLICT:
        sim_words_text(w, d->conflict, sizeof d->conflict);
        break;
    case GARBAGE:
        sim_words_text(w, d->garbage, sizeof d->garbage);
        break;
    case KEEPS:
        d->kept_ms = (int64_t)(sim_words_seconds(w) * 1000);
        break;
    case WHOLE:
        d->whole_or_nothing = sim_words_choice(w, switches) == 0;
        break;
    }
}

void sim_happen_database(struct sim_words *w)
{
    static const char *const what[] = {"ok",       "down",    "silent", "status", "limit",
                                       "conflict", "garbage", "keeps",  "whole",  NULL};
    struct sim_database changed = world->database;
    struct bs_slice all = sim_words_all(w);
    w->rest = all;
    enum choice choice = (enum choice)sim_words_choice(w, what);
    read_choice(w, &changed, choice);
    if (choice == DOWN || choice == SILENT || choice == STATUS)
        read_manner(w, &changed);
    if (!sim_words_done(w) || w->dry)
        return;
    sim_trace("happens: database %.*s", (int)all.length, all.at);
    world->database = changed;
}
