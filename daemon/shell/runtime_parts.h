/* The runtime's insides, shared by its parts: runtime.c (life), runtime_start.c (up to the first
 * connection), runtime_loop.c (records and deadlines), runtime_link.c (the broker),
 * runtime_publish.c (what goes to it), runtime_documents.c (its documents), runtime_beat.c (what
 * happens every ten seconds), runtime_reload.c (the configuration read again), runtime_snapshots.c
 * (the state on the disk). */
#ifndef BACKSTEP_SHELL_RUNTIME_PARTS_H
#define BACKSTEP_SHELL_RUNTIME_PARTS_H

#include "answers.h"
#include "backstep/base/buffer.h"
#include "backstep/base/time.h"
#include "backstep/core/books.h"
#include "backstep/core/timekeeper.h"
#include "backstep/edge/clock.h"
#include "backstep/edge/conf.h"
#include "backstep/edge/log.h"
#include "backstep/edge/mqtt.h"
#include "backstep/edge/snapshot_file.h"
#include "fold.h"
#include "outlet.h"
#include "silence.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    BS_TIMER_PAUSE,
    BS_TIMER_DEADLINE,
    BS_TIMER_BEAT,
    BS_TIMER_WATCHDOG,
    BS_TIMER_DOCUMENTS,
    BS_TIMER_SNAPSHOT,
    BS_TIMER_COUNT,
};

/* The documents that the broker keeps: it hands them over at each connection, and says nowhere that
 * it has. */
enum bs_coming { BS_DOCUMENTS_AWAY, BS_DOCUMENTS_COMING, BS_DOCUMENTS_FOLDING, BS_DOCUMENTS_HERE };

/* Somebody waits for an answer, and a notice is for its moment: none is left out for a newer one.
 * Of a state, a board or our own, the newest is enough. */
enum bs_publication_sort {
    BS_PUBLICATION_STATE,
    BS_PUBLICATION_NOTICE,
    BS_PUBLICATION_ANSWER, /* there may be thousands: they wait for whatever else does */
};

enum bs_reload { BS_RELOAD_NONE, BS_RELOAD_CLOSING, BS_RELOAD_READY };

struct bs_runtime_snapshots {
    struct bs_snapshot_files *files;
    uint64_t newest; /* intake position of the newest that is kept; 0: none is */
    bool under_way, committed;
    uint64_t intake, outbox; /* what the one under way knows of the logs */
    uint64_t begun_ns, again_ns;
    enum bs_status trouble; /* of the last one */
    int error;
    bool answered;       /* at the end: the broker had all answers */
    uint64_t give_up_ns; /* the last one waits no longer for the logs' syncs */
};

struct bs_runtime {
    struct bs_conf *conf, fresh; /* fresh: read again, not in force yet */
    const char *conf_path;
    enum bs_reload reload; /* nothing is folded meanwhile: the intake is the queue */

    uv_loop_t loop;
    uv_async_t wake; /* from other threads: records, conditions, the broker's state */
    uv_idle_t busy;  /* active while there is more to fold */
    uv_timer_t timers[BS_TIMER_COUNT];
    uv_signal_t signals[3];

    struct bs_clock clock;
    struct bs_log *intake, *outbox;
    struct bs_engine *engine;
    struct bs_fold fold;
    struct bs_outlet *outlet;
    struct bs_mqtt *mqtt;
    struct bs_runtime_snapshots snapshots;

    atomic_bool stopping;    /* read by the broker's thread too */
    atomic_bool look_around; /* a condition or the broker's state has changed */
    bool live;               /* the log is folded: what is said from now on is news */
    bool stop_wanted;        /* a stop came while the configuration was read again */
    bool stalled;            /* away from the broker */
    char reason[320];        /* why, "" while it is not */
    char reason_said[320];   /* in the log */
    unsigned reason_lines;   /* of it, up to reason_due_ns */
    uint64_t reason_due_ns;
    struct bs_mono_ns started;
    struct bs_timekeeper timekeeper;
    uint64_t slowest_turn_ns;  /* since the last service document */
    uint64_t watched_position; /* folded when the watchdog was fed last */

    struct bs_buffer service_topic, config_topic, result_topic, document, sentence;
    struct bs_buffer absent; /* see bs_runtime_find_absent */
    size_t absent_count;
    uint64_t absent_since; /* documents in the books when it was found, and 1; 0: not found yet */
    struct bs_wall_ms connected_at; /* what came before came over an earlier connection */
    enum bs_mqtt_phase last_phase;
    uint64_t last_connects;
    char last_error[BS_MQTT_ERROR_BYTES]; /* of the broker, as reported last */
    struct bs_silence silence;

    enum bs_coming documents;
    uint64_t online_ns;                /* when they began to come */
    uint64_t documents_head;           /* the last of them stands before it in the intake */
    _Atomic uint64_t last_document_ns; /* written by the broker's thread */
    struct bs_answers answers;
    uint64_t unknown_documents;               /* as in the books, as far as reported */
    uint64_t unpublished, unpublished_due_ns; /* and given up, since it was said; when again */

    /* Messages by reason, steps by reason. */
    uint64_t reported_rejects[BS_MESSAGE_REASON_COUNT + BS_STEP_REASON_COUNT];
    uint64_t report_due_ns[BS_MESSAGE_REASON_COUNT + BS_STEP_REASON_COUNT];
    int exit_status;
};

/* runtime.c: leaves the broker, folds to the head, delivers for a while; ends the loop. */
void bs_runtime_stop(struct bs_runtime *rt);

/* runtime_start.c. Both give an exit status. */

/* Everything up to the first connection. */
int bs_runtime_set_up(struct bs_runtime *rt);

/* By the configuration in force. */
int bs_runtime_start_outlet(struct bs_runtime *rt);

/* runtime_reload.c */

/* Checks the file and lets go of what depends on it; nothing is folded until it has ended. */
void bs_runtime_begin_reload(struct bs_runtime *rt);

/* The outlet is closed: the fresh configuration comes into force. */
void bs_runtime_finish_reload(struct bs_runtime *rt);

/* runtime_loop.c */

/* Folds what is there, for at most 10 ms, and arranges to be called again. */
void bs_runtime_turn(struct bs_runtime *rt);

/* What the loop did since then was a turn of it, too. */
void bs_runtime_note_turn(struct bs_runtime *rt, uint64_t began_ns);

void bs_runtime_on_wake(uv_async_t *wake);
void bs_runtime_on_busy(uv_idle_t *busy);
void bs_runtime_on_timer(uv_timer_t *timer);

/* runtime_link.c */

/* Readies the client and its slots, or the one that has left; nothing connects before
 * bs_runtime_link_connect. */
enum bs_status bs_runtime_link_start(struct bs_runtime *rt);
void bs_runtime_link_connect(struct bs_runtime *rt);

/* Leaves the broker; what it did not acknowledge waits for the next bs_runtime_link_start. */
void bs_runtime_link_leave(struct bs_runtime *rt);
void bs_runtime_link_stop(struct bs_runtime *rt);

/* Follows the conditions of logs and broker: stalls, resumes, reports changes. */
void bs_runtime_look_around(struct bs_runtime *rt);

/* runtime_snapshots.c */

enum bs_status bs_runtime_open_snapshots(struct bs_runtime *rt);

/* Makes the engine: of the newest snapshot that can be used, else a new one. What the fold needs to
 * go on from there is in rt->fold. */
enum bs_status bs_runtime_restore(struct bs_runtime *rt);

/* The log is folded: from now on they are taken. */
void bs_runtime_start_snapshots(struct bs_runtime *rt);

/* Takes one where it is due, or lets the one under way have its name. */
void bs_runtime_look_at_snapshots(struct bs_runtime *rt);

/* At a stop: before the client goes; then, when all else is done, takes one and ends the loop. */
void bs_runtime_note_answered(struct bs_runtime *rt);
void bs_runtime_end_with_snapshot(struct bs_runtime *rt);

/* runtime_publish.c */

/* While the log is folded anew of answers, too, the newest of each topic is enough. */
void bs_runtime_publish(struct bs_runtime *rt, const struct bs_publication *publication,
                        enum bs_publication_sort sort);

/* A publication of the engine's, whatever it is; the context is the runtime. */
void bs_runtime_take_publication(void *context, const struct bs_publication *p);

/* runtime_documents.c */

/* A document has arrived; from the broker's thread. */
void bs_runtime_note_document(struct bs_runtime *rt);

/* Those of a connection begin to come, or the connection is gone. */
void bs_runtime_expect_documents(struct bs_runtime *rt);
void bs_runtime_forget_documents(struct bs_runtime *rt);

/* Whether they are all here by now; says then what is in force. */
void bs_runtime_look_for_documents(struct bs_runtime *rt);

/* A line of the log: settings and how many of each kind, `where`, and a remark behind it. */
void bs_runtime_report_in_force(struct bs_runtime *rt, const char *where, const char *remark);

/* Names of documents in force that the broker does not keep, as JSON, and how many they are; none
 * while it may still hand some over. */
size_t bs_runtime_find_absent(struct bs_runtime *rt);

/* The record folded last was a document of an unknown kind, if the books say so. */
void bs_runtime_note_unknown(struct bs_runtime *rt);

/* runtime_beat.c */

void bs_runtime_beat(struct bs_runtime *rt);
void bs_runtime_watchdog(struct bs_runtime *rt);

/* Publishes the service document and tells systemd the sentence. */
void bs_runtime_tell(struct bs_runtime *rt, const char *state);

#endif
