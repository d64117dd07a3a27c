/* backstepctl watch: boards in the terminal, for as long as somebody looks. Must never wait for the
 * terminal with the connection's lock held. */
#include "boards.h"
#include "broker.h"
#include "collection.h"
#include "commands.h"
#include "exit_status.h"
#include "screen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GIVE_UP_S       30u
#define SECOND_NS       UINT64_C(1000000000)
#define BOARD_LINES     3u /* of a board besides its rows: two of its head, and one behind it */
#define CONDITION_LINES 2u /* why nothing new comes, and where the cursor stands */
#define MORE_LINES      1u /* that says how many rows are left out */

struct watch {
    struct bs_broker broker;
    const char *group; /* NULL: all */
    bool once;
    struct bs_screen screen;
    struct bs_progress progress;
    struct bs_connection *connection;
    char rest[BS_ID_MAX + 16]; /* the filter below the site */
    char prefix[BS_BROKER_TOPIC_MAX], filter[BS_BROKER_TOPIC_MAX];
    bool was_online;
    uint64_t draw_ns; /* when the screen is due again, though nothing has come */
    /* Under the connection's lock. */
    struct bs_boards boards;
    bool news;
};

/* ---- the command line ---- */

enum { OPTION_ONCE = 0x3000 };

static const struct argp_option option_table[] = {
    {"once", OPTION_ONCE, NULL, 0, "print the boards that are there, and exit", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct watch *w = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &w->broker;
        return 0;
    case OPTION_ONCE:
        w->once = true;
        return 0;
    case ARGP_KEY_ARG:
        if (w->group)
            argp_error(state, "'%s' is too much", argument);
        if (!bs_slice_is_id(bs_slice_text(argument)))
            argp_error(state, "the group is '%s', not of [A-Za-z0-9_-]{1,64}", argument);
        w->group = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct watch *w, int argc, char **argv)
{
    static const struct argp_child children[] = {{&bs_broker_argp, 0, NULL, 0}, {0}};
    static const struct argp parser = {
        .options = option_table,
        .parser = parse,
        .args_doc = "[GROUP]",
        .doc = "Show who walks how at present: the board of GROUP, or those of all groups, until "
               "Ctrl-C. Where stdout is no terminal, a line for each member of each board that "
               "comes.",
        .children = children,
    };
    *w = (struct watch){.broker = {.give_up_s = GIVE_UP_S}};
    argp_parse(&parser, argc, argv, 0, NULL, w);
}

/* ---- what is shown ---- */

/* The next board that is not too old, from `b` on. */
static struct bs_board *young(struct bs_board *b, uint64_t now_ns, struct bs_board_view *ret)
{
    while (b && !bs_board_view(b, now_ns, ret))
        b = b->hh.next;
    return b;
}

static unsigned count(const struct watch *w, uint64_t now_ns, unsigned *ret_rows)
{
    unsigned boards = 0;
    struct bs_board_view view;
    *ret_rows = 0;
    for (struct bs_board *b = w->boards.by_group; (b = young(b, now_ns, &view)); b = b->hh.next) {
        *ret_rows += bs_board_rows(&view);
        boards++;
    }
    return boards;
}

/* The most rows of one of the boards: where not all fit, each has the same room. */
static unsigned rows_of_each(unsigned lines, unsigned boards, unsigned rows)
{
    if (lines >= rows + boards * BOARD_LINES)
        return rows;
    unsigned share = boards > 0 ? lines / boards : lines;
    return share > BOARD_LINES + MORE_LINES ? share - BOARD_LINES - MORE_LINES : 1;
}

/* From far an empty line between two people helps, as long as there is room for all. */
static void write_tables(const struct watch *w, uint64_t now_ns, unsigned lines, FILE *to)
{
    unsigned rows, boards = count(w, now_ns, &rows);
    struct bs_board_style style = {.colours = w->screen.colours,
                                   .arrows = w->screen.utf8,
                                   .spaced = lines >= 2 * rows + boards * (BOARD_LINES + 1)};
    struct bs_board_view view;
    for (struct bs_board *b = w->boards.by_group; (b = young(b, now_ns, &view)); b = b->hh.next) {
        bs_board_write_table(&view, &style, rows_of_each(lines, boards, rows), to);
        fputc('\n', to);
    }
    if (boards == 0)
        fprintf(to, "no board of %s\n", w->group ? w->group : "any group");
}

/* Of those that are news. */
static void write_lines(const struct watch *w, uint64_t now_ns, FILE *to)
{
    struct bs_board_view view;
    for (struct bs_board *b = w->boards.by_group; (b = young(b, now_ns, &view)); b = b->hh.next) {
        if (b->news)
            bs_board_write_lines(&view, to);
        b->news = false;
    }
}

/* Why nothing new comes. */
static void write_condition(const struct watch *w, FILE *to)
{
    const char *trouble = bs_connection_trouble(w->connection);
    if (!bs_connection_is_online(w->connection) && *trouble)
        fprintf(to, "no connection to %s: %s\n", w->broker.uri, trouble);
    else if (!bs_connection_is_online(w->connection))
        fprintf(to, "connecting to %s\n", w->broker.uri);
    else if (w->boards.trouble[0])
        fprintf(to, "%s\n", w->boards.trouble);
}

static void write_all(struct watch *w, FILE *to)
{
    uint64_t now_ns = bs_connection_now_ns();
    w->news = false;
    if (w->screen.there) {
        write_condition(w, to);
        write_tables(w, now_ns, bs_screen_lines() - CONDITION_LINES, to);
    } else {
        write_lines(w, now_ns, to);
    }
}

/* Into memory first, for the lock is not held while the terminal takes it. False where there is
 * nobody any more to show it to. */
static bool show(struct watch *w)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    if (!to)
        return false;
    bs_connection_lock(w->connection);
    write_all(w, to);
    bs_connection_unlock(w->connection);
    fclose(to);
    bool shown = true;
    if (w->screen.there)
        shown = bs_screen_show(text, length);
    else
        shown = fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0;
    free(text);
    return shown;
}

/* ---- what the connection says, its lock held ---- */

static struct bs_boards_moment this_moment(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (struct bs_boards_moment){.now_ns = bs_connection_now_ns(),
                                     .wall_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000};
}

static void arrived(void *context, const struct bs_arrived *m)
{
    struct watch *w = context;
    if (!bs_slice_starts(m->topic, bs_slice_text(w->prefix)))
        return;
    struct bs_boards_moment moment = this_moment();
    bs_boards_take(&w->boards, bs_slice_after(m->topic, strlen(w->prefix)), m->payload, m->retained,
                   &moment);
    w->news = true;
    bs_connection_wake(w->connection);
}

/* What is shown grows old by itself. */
static void abandoned(void *context)
{
    (void)context;
}

static void settled(void *context, struct bs_delivery *delivery, bool acknowledged)
{
    (void)context;
    (void)delivery;
    (void)acknowledged;
}

/* ---- watching ---- */

/* Where there is no screen that could say it. */
static void report_loss(const struct watch *w, bool online)
{
    if (w->was_online && !online && !w->screen.there)
        fprintf(stderr, "backstepctl: the connection to %s is lost; trying again\n", w->broker.uri);
}

/* True where there is something to show. Only a broker that was never there is given up. */
static bool wait_for_news(struct watch *w)
{
    bs_connection_keep(w->connection);
    bs_connection_lock(w->connection);
    if (bs_connection_count(w->connection) > 0)
        bs_connection_note_progress(w->connection);
    if (!w->news)
        bs_connection_sleep(w->connection, w->screen.there ? w->draw_ns : UINT64_MAX);
    bool news = w->news, online = bs_connection_is_online(w->connection);
    bs_connection_unlock(w->connection);
    bool due = bs_connection_now_ns() >= w->draw_ns || online != w->was_online;
    report_loss(w, online);
    w->was_online = online;
    return news || (w->screen.there && due);
}

static enum bs_status watch(struct watch *w)
{
    enum bs_status status;
    while ((status = bs_connection_judge(w->connection)) == BS_OK) {
        if (!wait_for_news(w))
            continue;
        if (!show(w))
            return BS_CLOSED;
        w->draw_ns = bs_connection_now_ns() + SECOND_NS;
    }
    return status;
}

static enum bs_status connect_and_watch(struct watch *w, char ret_trouble[256])
{
    const char *const filters[] = {w->filter};
    struct bs_connection_options options;
    bs_broker_connection_options(&w->broker, &w->progress, &options);
    options.filters = filters;
    options.filter_count = 1;
    options.listener = (struct bs_connection_listener){
        .settled = settled, .arrived = arrived, .abandoned = abandoned, .context = w};
    enum bs_status status = bs_connection_new(&w->connection, &options);
    if (status != BS_OK)
        return status;
    bs_screen_begin(&w->screen);
    status = watch(w);
    bs_screen_end(&w->screen);
    bs_connection_lock(w->connection);
    snprintf(ret_trouble, 256, "%s", bs_connection_trouble(w->connection));
    bs_connection_unlock(w->connection);
    bs_connection_free(w->connection);
    return status;
}

static void describe(void *context, FILE *to)
{
    (void)context;
    fputs("waiting for the broker", to);
}

/* To be stopped is how it ends. */
static int watch_until_stopped(struct watch *w)
{
    char trouble[256] = "";
    bs_progress_init(&w->progress, true, describe, NULL);
    bs_broker_topic(&w->broker, "live/", w->prefix);
    bs_broker_topic(&w->broker, w->rest, w->filter);
    enum bs_status status = connect_and_watch(w, trouble);
    return status == BS_CLOSED ? BS_EXIT_DONE : bs_broker_explain(&w->broker, status, "", trouble);
}

/* ---- once ---- */

static int print_found(struct watch *w, const struct bs_collection *found)
{
    struct bs_boards_moment moment = this_moment();
    const struct bs_retained *m, *next;
    HASH_ITER(hh, found->by_rest, m, next)
    {
        bs_boards_take(&w->boards, bs_slice_text(m->rest + strlen("live/")),
                       bs_buffer_slice(&m->payload), true, &moment);
    }
    unsigned rows;
    if (count(w, moment.now_ns, &rows) == 0) {
        fprintf(stderr, "backstepctl: the broker has no board of %s that is younger than %d s\n",
                w->group ? w->group : "any group", BS_BOARD_HIDE_S);
        return BS_EXIT_NO;
    }
    if (w->screen.there)
        write_tables(w, moment.now_ns, UINT16_MAX, stdout);
    else
        write_lines(w, moment.now_ns, stdout);
    return fflush(stdout) == 0 ? BS_EXIT_DONE : BS_EXIT_CANNOT_CREATE;
}

static int print_once(struct watch *w)
{
    const char *const filters[] = {w->rest};
    struct bs_collection found;
    bs_progress_init(&w->progress, !isatty(STDERR_FILENO), describe, NULL);
    enum bs_status status =
        bs_collection_gather(&found, &w->broker, &w->progress, filters, 1, w->group ? 1 : 0);
    bs_progress_end(&w->progress);
    int exit_status = bs_broker_explain(&w->broker, status, "", found.trouble);
    if (exit_status == BS_EXIT_DONE)
        exit_status = print_found(w, &found);
    bs_collection_fini(&found);
    return exit_status;
}

int bs_watch(int argc, char **argv)
{
    struct watch w;
    parse_arguments(&w, argc, argv);
    int exit_status = bs_broker_resolve(&w.broker);
    if (exit_status == BS_EXIT_DONE) {
        bs_screen_init(&w.screen);
        snprintf(w.rest, sizeof w.rest, "live/%s", w.group ? w.group : "+");
        exit_status = w.once ? print_once(&w) : watch_until_stopped(&w);
        bs_boards_fini(&w.boards);
        bs_broker_fini(&w.broker);
    }
    return exit_status;
}
