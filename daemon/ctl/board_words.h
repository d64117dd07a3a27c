/* A board, live/{group}, for people: as a table for a screen that is looked at from far, and as
 * lines for whatever reads lines. Who has made no step for BS_BOARD_HIDE_S seconds is left out. */
#ifndef BACKSTEP_CTL_BOARD_WORDS_H
#define BACKSTEP_CTL_BOARD_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cJSON;

#define BS_BOARD_HIDE_S 30

struct bs_board_view {
    const struct cJSON *document;
    const char *group; /* as in the topic */
    double age_s;      /* since it was written: what its ages have grown by */
};

struct bs_board_style {
    bool colours;
    bool arrows; /* the terminal shows more than ASCII */
    bool spaced; /* an empty line between two members */
};

/* False where the document is no board. */
bool bs_board_is_one(const struct cJSON *document);

/* When it was written, Unix time in ms. */
int64_t bs_board_time_ms(const struct cJSON *document);

/* Members that are shown. */
unsigned bs_board_rows(const struct bs_board_view *board);

/* A head and a row for each of them, at most `rows_max`; the last line then says how many are left
 * out. */
void bs_board_write_table(const struct bs_board_view *board, const struct bs_board_style *style,
                          unsigned rows_max, FILE *to);

/* A line for each of them, in columns that tabs part; what is not known is "-". Of a board with
 * nobody on it one line, with "-" from the member on. */
void bs_board_write_lines(const struct bs_board_view *board, FILE *to);

#endif
