/* stdout as a screen that is drawn over again and again, where it is a terminal. */
#ifndef BACKSTEP_CTL_SCREEN_H
#define BACKSTEP_CTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct bs_screen {
    bool there; /* stdout is a terminal that can be drawn on: TERM names one, and it is not dumb */
    bool colours; /* and NO_COLOR does not forbid them */
    bool utf8;    /* the locale's characters, wherever stdout goes */
};

/* Takes the locale's LC_CTYPE. */
void bs_screen_init(struct bs_screen *ret);

/* A screen of its own, and back to what was there before; nothing where there is none. */
void bs_screen_begin(const struct bs_screen *s);
void bs_screen_end(const struct bs_screen *s);

/* How many lines it has now. */
unsigned bs_screen_lines(void);

/* Whole lines, in the place of what it showed: as many as it has, but the last; longer ones are cut
 * off by the terminal. False where they cannot be written. */
bool bs_screen_show(const char *text, size_t length);

#endif
