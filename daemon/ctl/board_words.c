/* Words for a board. Must take any document: another version may have written it. */
#include "board_words.h"

#include "cells.h"

#include "backstep/base/buffer.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#define BOLD      "\033[1m"
#define DIM       "\033[2m"
#define RED       "\033[1;31m"
#define GREEN     "\033[1;32m"
#define CYAN      "\033[1;36m"
#define PLAIN     "\033[0m"

/* Columns of the table: 77 of them, and the slip behind. */
#define ALIAS     18u
#define WAY       13u
#define CADENCE   10
#define LENGTH    9
#define RATIO     7
#define RETENTION 11
#define AGE       7

static const cJSON *item(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* NAN where it is not there. */
static double number(const cJSON *object, const char *key)
{
    const cJSON *n = item(object, key);
    return cJSON_IsNumber(n) ? n->valuedouble : (double)NAN;
}

static const char *text(const cJSON *object, const char *key)
{
    const char *t = cJSON_GetStringValue(item(object, key));
    return t ? t : "-";
}

bool bs_board_is_one(const cJSON *document)
{
    return cJSON_IsNumber(item(document, "t")) && cJSON_IsArray(item(document, "members"));
}

int64_t bs_board_time_ms(const cJSON *document)
{
    double t = number(document, "t");
    return fabs(t) < 9e15 ? (int64_t)t : 0;
}

/* Members. */

static double age_of(const struct bs_board_view *board, const cJSON *member)
{
    return number(member, "last_step_age_s") + board->age_s;
}

/* Whose age is not known is not shown either. */
static bool is_shown(const struct bs_board_view *board, const cJSON *member)
{
    return age_of(board, member) < BS_BOARD_HIDE_S;
}

unsigned bs_board_rows(const struct bs_board_view *board)
{
    unsigned count = 0;
    const cJSON *member;
    cJSON_ArrayForEach(member, item(board->document, "members"))
    {
        count += is_shown(board, member);
    }
    return count;
}

struct way {
    char letter;
    const char *word, *arrow, *colour;
};

static const struct way *way_of(const cJSON *member)
{
    static const struct way ways[] = {
        {'F', "forward", "▶ forward", GREEN},
        {'B', "backward", "◀ backward", CYAN},
        {'L', "left", "⇐ left", ""},
        {'R', "right", "⇒ right", ""},
        {'U', "up", "▲ up", ""},
        {'D', "down", "▼ down", ""},
        {'T', "turn", "↻ turn", ""},
        {'N', "on the spot", "● on the spot", ""},
    };
    static const struct way unknown = {'X', "-", "-", ""};
    const char *letter = text(member, "dir");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (letter[0] == ways[i].letter && letter[1] == 0)
            return &ways[i];
    return &unknown;
}

/* "step_length" is "step length". */
static void metric_words(const cJSON *slip, char ret[32])
{
    snprintf(ret, 32, "%s", text(slip, "metric"));
    for (char *at = ret; (at = strchr(at, '_'));)
        *at = ' ';
}

/* The table. */

static void paint(const struct bs_board_style *style, const char *colour, FILE *to)
{
    if (style->colours)
        fputs(colour, to);
}

static void put_figure(double value, int decimals, int columns, FILE *to)
{
    if (isnan(value) || fabs(value) >= 1e5)
        fprintf(to, "%*s", columns, "-");
    else
        fprintf(to, "%*.*f", columns, decimals, value);
}

static void put_slip(const struct bs_board_view *board, const cJSON *member,
                     const struct bs_board_style *style, FILE *to)
{
    const cJSON *slip = item(member, "slip");
    char metric[32];
    if (!cJSON_IsObject(slip))
        return;
    metric_words(slip, metric);
    paint(style, RED, to);
    fputs("  slip: ", to);
    bs_cell_put(metric, 0, to);
    fputs(", ", to);
    put_figure(floor(number(slip, "age_s") + board->age_s), 0, 0, to);
    fputs(" s ago", to);
    paint(style, PLAIN, to);
}

static void put_row(const struct bs_board_view *board, const cJSON *member,
                    const struct bs_board_style *style, FILE *to)
{
    const struct way *way = way_of(member);
    paint(style, BOLD, to);
    bs_cell_put(text(member, "alias"), ALIAS, to);
    paint(style, PLAIN, to);
    fputs("  ", to);
    paint(style, way->colour, to);
    bs_cell_put(style->arrows ? way->arrow : way->word, WAY, to);
    paint(style, PLAIN, to);
    put_figure(number(member, "cadence_spm"), 0, CADENCE, to);
    put_figure(number(member, "step_mm"), 0, LENGTH, to);
    put_figure(number(member, "walk_ratio"), 4, RATIO, to);
    put_figure(number(member, "retention_pct"), 0, RETENTION, to);
    put_figure(floor(age_of(board, member)), 0, AGE, to);
    put_slip(board, member, style, to);
    fputc('\n', to);
    if (style->spaced)
        fputc('\n', to);
}

static void put_head(const struct bs_board_view *board, const struct bs_board_style *style,
                     FILE *to)
{
    paint(style, BOLD, to);
    bs_cell_put(board->group, 0, to);
    paint(style, PLAIN, to);
    if (strcmp(text(board->document, "drill"), "none") != 0) {
        fputs("  ", to);
        bs_cell_put(text(board->document, "drill"), 0, to);
        fputs(", ", to);
        bs_cell_put(text(board->document, "phase"), 0, to);
    }
    fputc('\n', to);
    paint(style, DIM, to);
    fprintf(to, "%*s%*s%*s%*s%*s%*s", (int)(ALIAS + 2 + WAY), "", CADENCE, "steps/min", LENGTH,
            "step mm", RATIO, "ratio", RETENTION, "retention", AGE, "s ago");
    paint(style, PLAIN, to);
    fputs(style->spaced ? "\n\n" : "\n", to);
}

void bs_board_write_table(const struct bs_board_view *board, const struct bs_board_style *style,
                          unsigned rows_max, FILE *to)
{
    unsigned rows = bs_board_rows(board), put = 0;
    const cJSON *member;
    put_head(board, style, to);
    cJSON_ArrayForEach(member, item(board->document, "members"))
    {
        if (!is_shown(board, member) || put >= rows_max)
            continue;
        put_row(board, member, style, to);
        put++;
    }
    if (rows == 0)
        fputs("nobody walks\n", to);
    else if (put < rows)
        fprintf(to, "and %u more\n", rows - put);
}

/* Lines. */

static void put_field(const char *value, FILE *to)
{
    fputc('\t', to);
    bs_cell_put(value, 0, to);
}

static void put_number(double value, int decimals, FILE *to)
{
    if (isnan(value))
        fputs("\t-", to);
    else
        fprintf(to, "\t%.*f", decimals, value);
}

static void put_beginning(const struct bs_board_view *board, FILE *to)
{
    struct bs_buffer time;
    bs_buffer_init(&time, 64);
    bs_buffer_add_iso_time(&time, bs_board_time_ms(board->document));
    fwrite(time.at, 1, time.length, to);
    bs_buffer_fini(&time);
    put_field(board->group, to);
    put_field(text(board->document, "drill"), to);
    put_field(text(board->document, "phase"), to);
}

static void put_member(const struct bs_board_view *board, const cJSON *member, FILE *to)
{
    const cJSON *slip = item(member, "slip");
    char metric[32] = "-";
    if (slip)
        metric_words(slip, metric);
    put_beginning(board, to);
    put_field(text(member, "member"), to);
    put_field(text(member, "alias"), to);
    put_field(way_of(member)->word, to);
    put_number(number(member, "cadence_spm"), 1, to);
    put_number(number(member, "step_mm"), 0, to);
    put_number(number(member, "walk_ratio"), 5, to);
    put_number(number(member, "retention_pct"), 1, to);
    put_field(metric, to);
    put_number(age_of(board, member), 1, to);
    fputc('\n', to);
}

void bs_board_write_lines(const struct bs_board_view *board, FILE *to)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, item(board->document, "members"))
    {
        if (is_shown(board, member))
            put_member(board, member, to);
    }
    if (bs_board_rows(board) > 0)
        return;
    put_beginning(board, to);
    for (int i = 0; i < 9; i++)
        fputs("\t-", to);
    fputc('\n', to);
}
