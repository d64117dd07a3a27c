/* The recording that the bench measures with: devices that walk at 109 steps a minute, as intake
 * records in memory; guests, who walk forward, or members of classes that are on, who walk
 * backward and forward as their drill says and slip now and then. The same arguments give the same
 * bytes; no clock is read. */
#ifndef BACKSTEP_TESTS_BENCH_WALK_H
#define BACKSTEP_TESTS_BENCH_WALK_H

#include "backstep/base/buffer.h"
#include "backstep/base/random.h"
#include "backstep/base/record.h"

#define WALK_STEP_MS    550
#define WALK_BATCH      20
#define WALK_CLASS_SIZE 25 /* members of a class */
#define WALK_PHASE_S    30 /* of a class's drill: backward, forward and so on */

enum walk_people { WALK_GUESTS, WALK_MEMBERS };

enum walk_form { WALK_SINGLE, WALK_BATCHED, WALK_BINARY, WALK_FORMS };

/* Records one behind the other, their bodies in one buffer. */
struct walk {
    enum walk_form form;
    enum walk_people people;
    unsigned devices;
    int64_t begin_ms; /* tick and wall time of the first record */
    struct bs_random random;
    struct bs_buffer bytes;
    struct bs_record *records; /* their bodies stand only behind walk_place */
    size_t *bodies;            /* offsets: the buffer moves while it grows */
    size_t count, room;
    uint64_t messages, steps; /* so far, dropped ones too */
};

/* The form of that name ("single", "batch", "binary"), or -1. */
int walk_form_of(const char *name);

unsigned walk_steps_per_message(enum walk_form form);

void walk_init(struct walk *w, enum walk_form form, enum walk_people people, unsigned devices,
               int64_t begin_ms);
void walk_fini(struct walk *w);

/* The START record and the documents: one that lets guests in, or those of classes, each in a drill
 * by the timetable, and of members who wear one device each. */
void walk_add_head(struct walk *w);

/* The document of the member who wears a device; `version` makes others of it, of one length. */
void walk_add_member(struct walk *w, unsigned device, unsigned version);

/* The next device's next message. */
void walk_add_message(struct walk *w);

/* Lets the records' bodies point to their bytes. */
void walk_place(struct walk *w);

/* Forgets the records, not who walked how far. */
void walk_drop(struct walk *w);

#endif
