/* The table of happenings. Must never let a line half happen. */
#include "happenings.h"

#include "world.h"

static const struct sim_verb verbs[] = {
    {"daemon", "start|stop|kill|reload", "SIGTERM, SIGKILL, SIGHUP", sim_happen_daemon},
    {"power", "cut", "the daemon's machine: what was not synced may be lost; start it again",
     sim_happen_power},
    {"broker", "start|stop|kill|save|lose-session|refuse|accept",
     "a kill takes what came since its last save", sim_happen_broker},
    {"link", "cut", "the daemon's connection to the broker is reset", sim_happen_link},
    {"network", "cut|heal", "between daemon and broker: packets vanish", sim_happen_network},
    {"database",
     "ok|down|silent|status N|limit BYTES|conflict WORD|garbage WORD|keeps SECONDS|whole on|off\n"
     "    [retry-after S] [effect none|now|later MS] [for REQUESTS] [text WORDS…]",
     "how it answers from now on; a word marks the lines that it does not take",
     sim_happen_database},
    {"disk",
     "ok|full|room|read-only|writable|fail sync|write|rename N|slow LEAST_US MOST_US|damage "
     "BEGINNING [at BYTE] [forgiven]",
     "N 0: for ever; damage: one bit of the newest file whose name begins so;\n      forgiven: "
     "what is lost by it breaks no rule",
     sim_happen_disk},
    {"clock", "jump SECONDS", "the daemon's wall clock, from where it is", sim_happen_clock},
    {"conf", "broken|good", "the configuration file, when it is read again", sim_happen_conf},
    {"set", "NAME VALUE", "as before the run; for the next start or reload", sim_happen_set},
    {"steps",
     "DEVICE boot N seq FIRST..LAST [dir LETTERS] [foot LETTERS] [every MS] [form "
     "json|batch|binary]\n    [batch N] [up] [stored] [ago MS] [twice]",
     "a wearable walks from now on and publishes", sim_happen_steps},
    {"device", "NAME away|back", "it keeps what it has to publish meanwhile", sim_happen_device},
    {"document", "KIND/ID [JSON]", "an operator publishes it; without text it is deleted",
     sim_happen_document},
    {"birth", "DEVICE [JSON]", "retained", sim_happen_birth},
    {"publish", "BELOW-ROOT [qos N] [retain] [bytes N] [text …]",
     "anything on any topic; bytes: so many, of the text again and again", sim_happen_publish},
    {"end", "", "nothing happens; every fault ends a second behind the last line", sim_happen_end},
};

#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

void sim_happen_end(struct sim_words *w)
{
    sim_words_done(w);
}

bool sim_happen(struct sim_words *w)
{
    struct bs_slice word;
    if (!sim_words_next(w, &word)) {
        sim_words_fail(w, "what happens is missing");
        return false;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (!bs_slice_equal(word, bs_slice_text(verbs[i].word)))
            continue;
        verbs[i].act(w);
        return !w->problem[0];
    }
    sim_words_fail(w, "%.*s is nothing that happens", (int)word.length, word.at);
    return false;
}

void sim_happenings_print(FILE *out)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %s %s\n      %s\n", verbs[i].word, verbs[i].usage, verbs[i].sentence);
}

void sim_heal(void)
{
    struct sim_broker *b = &world->broker;
    struct sim_disk *disk = &world->disk;
    disk->full = disk->read_only = false;
    memset(disk->failing, 0, sizeof disk->failing);
    disk->sync_least_us = world->settings.disk_sync_least_us;
    disk->sync_most_us = world->settings.disk_sync_most_us;
    sim_database_heal(&world->database);
    world->settings.conf_broken = false;
    b->refuses = false;
    if (b->network_cut)
        sim_broker_cut_network(b, false);
    sim_broker_start(b);
    for (size_t i = 0; i < world->wearables.device_count; i++)
        sim_wearables_set_away(&world->wearables, (uint32_t)i, false);
    sim_process_start();
}
