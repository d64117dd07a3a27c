/* Foreign text for a terminal: nothing in it may steer one, and columns keep their width. */
#ifndef BACKSTEP_CTL_CELLS_H
#define BACKSTEP_CTL_CELLS_H

#include <stdio.h>

/* Columns of the terminal that bs_cell_put takes for the text; by LC_CTYPE, where that is UTF-8. */
unsigned bs_cell_columns(const char *text);

/* The text, cut at `columns` (the last one then is "…", or a point) and filled up with spaces; 0:
 * as long as it is. What is no UTF-8, and every control character, is a '?'. */
void bs_cell_put(const char *text, unsigned columns, FILE *to);

#endif
