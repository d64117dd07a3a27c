/* The terminal. Must never leave it other than it was. */
#include "screen.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINES_FALLBACK 24

/* The alternate screen, no cursor, no wrapped lines; and all of it back. */
#define BEGIN          "\033[?1049h\033[?25l\033[?7l"
#define END            "\033[?7h\033[?25h\033[?1049l"
#define HOME           "\033[H"
#define LINE_REST      "\033[K"
#define SCREEN_REST    "\033[J"

void bs_screen_init(struct bs_screen *ret)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool able = term && *term && strcmp(term, "dumb") != 0;
    setlocale(LC_CTYPE, "");
    ret->there = able && isatty(STDOUT_FILENO);
    ret->colours = ret->there && !(no_color && *no_color);
    ret->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void bs_screen_begin(const struct bs_screen *s)
{
    if (s->there)
        fputs(BEGIN, stdout);
}

void bs_screen_end(const struct bs_screen *s)
{
    if (!s->there)
        return;
    fputs(END, stdout);
    fflush(stdout);
}

unsigned bs_screen_lines(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
        return LINES_FALLBACK;
    return size.ws_row;
}

/* Over what stood there, so that nothing flickers. */
bool bs_screen_show(const char *text, size_t length)
{
    const char *at = text, *end;
    fputs(HOME, stdout);
    for (unsigned left = bs_screen_lines() - 1; left > 0; left--, at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + length - at));
        if (!end)
            break;
        fwrite(at, 1, (size_t)(end - at), stdout);
        fputs(LINE_REST "\n", stdout);
    }
    fputs(SCREEN_REST, stdout);
    return fflush(stdout) == 0;
}
