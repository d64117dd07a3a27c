/* Folds a script of messages with the real engine and prints all that it says; what a model of the
 * gait is held against. Time passes as the daemon lets it: a tick record at each deadline.
 * Must never judge what comes out, nor guess what a bad line meant.
 *
 *   fold_script [--seed N] [--snapshot-every N] [--state FILE] [--from FILE [--format N]] < SCRIPT
 *
 * --state: FILE gets the engine's state at the end, as it stands in a snapshot. --from: the script
 * goes on from such a state, which may be of an older format.
 *
 * A line of the script, ticks (ms, = wall time) never falling; other white space is content:
 *   TICK <tab> TOPIC <tab> PAYLOAD   a message, TOPIC below the site; PAYLOAD as it stands, or
 *                                    `hex:` and its bytes; what is below config/ is retained
 *   TICK                             time passes up to then
 * What is printed:
 *   row <tab> TICK <tab> open|closed <tab> LINE          a point, as it is to be delivered
 *   say <tab> TICK <tab> TOPIC <tab> PAYLOAD             a publication, TOPIC below the site
 *   books <tab> JSON                                     at the end
 * Exit status 1, and the number of the line, where the script cannot be folded. */
#include "backstep/base/buffer.h"
#include "backstep/base/record.h"
#include "backstep/core/engine.h"

#include "../unit/engine_again.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT        "backstep/v1/gym/"
#define PAYLOAD_MAX (128u * 1024) /* more than the engine takes: too large is to be judged, too */
#define AT_ONCE_MAX 1000          /* tick records at one tick; more: its deadline is never met */

struct script {
    struct bs_engine *engine;
    uint64_t position;
    int64_t tick; /* of the last record */
    size_t line;
    bool begun;
    uint64_t hash_seed;
    uint64_t snapshot_every, folded; /* records; 0: the same engine folds them all */
    char body[BS_MESSAGE_HEAD_BYTES + UINT16_MAX + PAYLOAD_MAX];
};

__attribute__((noreturn, format(printf, 2, 3))) static void fail(const struct script *s,
                                                                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "fold_script: line %zu: ", s->line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

/* What the engine says. */

static void print_line(void *context, struct bs_slice line, bool open)
{
    const struct script *s = context;
    size_t length = line.length;
    if (length && line.at[length - 1] == '\n')
        length--;
    printf("row\t%lld\t%s\t%.*s\n", (long long)s->tick, open ? "open" : "closed", (int)length,
           line.at);
}

static void print_publication(void *context, const struct bs_publication *p)
{
    const struct script *s = context;
    struct bs_slice topic = p->topic;
    if (bs_slice_starts(topic, BS_SLICE(ROOT)))
        topic = bs_slice_after(topic, strlen(ROOT));
    printf("say\t%lld\t%.*s\t%.*s\n", (long long)s->tick, (int)topic.length, topic.at,
           (int)p->payload.length, p->payload.at);
}

/* Records. */

static const struct bs_engine_options engine_options = {BS_SLICE("backstep/v1"), BS_SLICE("gym")};

static void fold(struct script *s, enum bs_record_type type, uint8_t flags, struct bs_slice body)
{
    struct bs_record record = {.position = s->position,
                               .next = s->position + 64,
                               .tick = {s->tick},
                               .type = (uint8_t)type,
                               .flags = flags,
                               .body = body};
    struct bs_effects effects = {s, print_line, print_publication};
    s->position = record.next;
    if (s->snapshot_every && ++s->folded % s->snapshot_every == 0)
        engine_again(&s->engine, &engine_options);
    if (bs_engine_step(s->engine, &record, &effects) != BS_OK)
        fail(s, "the engine did not take the record");
    if (!bs_books_balance(bs_engine_books(s->engine)))
        fail(s, "the books do not balance");
}

static void begin(struct script *s, int64_t tick)
{
    struct bs_start_body start = {.offset_ms = 0, .hash_seed = s->hash_seed};
    uint8_t bytes[BS_START_BODY_BYTES];
    bs_start_body_write(&start, bytes);
    s->tick = tick;
    s->begun = true;
    fold(s, BS_RECORD_START, 0, bs_slice_of(bytes, sizeof bytes));
}

/* A tick record at each deadline, rounded up to 100 ms, that is due by then. */
static void pass_time(struct script *s, int64_t until)
{
    int64_t due;
    unsigned at_once = 0;
    while ((due = bs_engine_deadline(s->engine).ms) != BS_NEVER_MS) {
        int64_t rounded = due - due % 100 + 100;
        if (rounded > until)
            break;
        at_once = rounded > s->tick ? 0 : at_once + 1;
        if (at_once > AT_ONCE_MAX)
            fail(s, "deadline %lld stays at tick %lld", (long long)due, (long long)s->tick);
        if (rounded > s->tick)
            s->tick = rounded;
        fold(s, BS_RECORD_TICK, 0, (struct bs_slice){0});
    }
    s->tick = until;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Gives the payload's length. */
static size_t read_payload(struct script *s, const char *text, size_t length, char *to)
{
    if (length < 4 || memcmp(text, "hex:", 4) != 0) {
        if (length > PAYLOAD_MAX)
            fail(s, "a payload of %zu bytes", length);
        memcpy(to, text, length);
        return length;
    }
    if (length % 2 || (length - 4) / 2 > PAYLOAD_MAX)
        fail(s, "hex of %zu digits", length - 4);
    for (size_t i = 4; i < length; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            fail(s, "not hex: %.2s", text + i);
        *to++ = (char)(high * 16 + low);
    }
    return (length - 4) / 2;
}

static void fold_message(struct script *s, const char *topic, size_t topic_length,
                         const char *payload, size_t payload_length)
{
    size_t root = strlen(ROOT);
    if (topic_length == 0 || root + topic_length > UINT16_MAX)
        fail(s, "a topic of %zu bytes", topic_length);
    char *at = s->body + BS_MESSAGE_HEAD_BYTES;
    bs_message_head_write((uint16_t)(root + topic_length), 0, (uint8_t *)s->body);
    memcpy(at, ROOT, root);
    memcpy(at + root, topic, topic_length);
    at += root + topic_length;
    at += read_payload(s, payload, payload_length, at);
    bool retained = bs_slice_starts(bs_slice_of(topic, topic_length), BS_SLICE("config/"));
    fold(s, BS_RECORD_MESSAGE, retained ? BS_RECORD_RETAINED : 0,
         bs_slice_of(s->body, (size_t)(at - s->body)));
}

/* The script. */

static int64_t read_tick(const struct script *s, const char *line, char **ret_end)
{
    errno = 0;
    long long tick = strtoll(line, ret_end, 10);
    if (errno || *ret_end == line || tick < 0)
        fail(s, "no tick: %.40s", line);
    if (tick < s->tick)
        fail(s, "tick %lld after %lld", tick, (long long)s->tick);
    return tick;
}

static void take_line(struct script *s, const char *line, size_t length)
{
    char *at;
    int64_t tick = read_tick(s, line, &at);
    if (!s->begun)
        begin(s, tick);
    pass_time(s, tick);
    const char *end = line + length;
    if (at == end) {
        fold(s, BS_RECORD_TICK, 0, (struct bs_slice){0});
        return;
    }
    const char *topic = at + 1;
    const char *tab = *at == '\t' ? memchr(topic, '\t', (size_t)(end - topic)) : NULL;
    if (!tab)
        fail(s, "neither a tick nor a message: %.80s", line);
    fold_message(s, topic, (size_t)(tab - topic), tab + 1, (size_t)(end - tab - 1));
}

static void run(struct script *s)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        s->line++;
        if (line[length - 1] == '\n')
            line[--length] = 0;
        take_line(s, line, (size_t)length);
    }
    free(line);
    struct bs_buffer books;
    bs_buffer_init(&books, 1u << 20);
    bs_books_write(bs_engine_books(s->engine), &books);
    if (books.failed)
        fail(s, "out of memory");
    printf("books\t%.*s\n", (int)books.length, books.at);
    bs_buffer_fini(&books);
}

static void write_state(struct script *s, const char *path)
{
    struct bs_buffer state;
    engine_again_save(s->engine, &state);
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(state.at, 1, state.length, file) == state.length;
    if (!file || fclose(file) != 0 || !written)
        fail(s, "%s cannot be written", path);
    bs_buffer_fini(&state);
}

static void begin_from(struct script *s, const char *path, uint32_t format)
{
    struct bs_buffer state;
    bs_buffer_init(&state, 64u << 20);
    FILE *file = fopen(path, "rb");
    size_t length = 0;
    do {
        char *room = bs_buffer_room(&state, 65536);
        length = file && room ? fread(room, 1, 65536, file) : 0;
        state.length += length;
    } while (length > 0);
    if (!file || ferror(file) ||
        bs_engine_load(&s->engine, &engine_options, bs_buffer_slice(&state), format) != BS_OK)
        fail(s, "%s is no state of format %u", path, format);
    fclose(file);
    bs_buffer_fini(&state);
    s->begun = true;
}

static int explain(const char *program)
{
    fprintf(stderr,
            "usage: %s [--seed N] [--snapshot-every N] [--state FILE] [--from FILE [--format N]] "
            "< SCRIPT\n",
            program);
    return 64;
}

int main(int argc, char **argv)
{
    static struct script s = {.hash_seed = 7};
    const char *state = NULL, *from = NULL;
    uint64_t format = BS_SNAPSHOT_FORMAT;
    const struct {
        const char *name;
        const char **text;
        uint64_t *number;
    } options[] = {{"--state", &state, NULL},
                   {"--from", &from, NULL},
                   {"--seed", NULL, &s.hash_seed},
                   {"--snapshot-every", NULL, &s.snapshot_every},
                   {"--format", NULL, &format}};
    for (int i = 1; i < argc; i += 2) {
        size_t o = 0;
        char *end = NULL;
        while (o < sizeof options / sizeof options[0] && strcmp(argv[i], options[o].name) != 0)
            o++;
        if (o == sizeof options / sizeof options[0] || i + 1 == argc)
            return explain(argv[0]);
        if (options[o].text)
            *options[o].text = argv[i + 1];
        else
            *options[o].number = strtoull(argv[i + 1], &end, 10);
        if (end && *end)
            return explain(argv[0]);
    }
    if (from)
        begin_from(&s, from, (uint32_t)format);
    else if (bs_engine_new(&s.engine, &engine_options) != BS_OK)
        fail(&s, "out of memory");
    run(&s);
    if (state)
        write_state(&s, state);
    bs_engine_free(s.engine);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
