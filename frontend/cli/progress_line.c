#include "frontend/cli/progress_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool is_terminal(int fd) {
    const char *term = getenv("TERM");
    return isatty(fd) && !(term && !strcmp(term, "dumb"));
}

bool shows_colours(int fd) {
    const char *none = getenv("NO_COLOR"); // https://no-color.org: set, and not empty
    return is_terminal(fd) && !(none && *none);
}

static void draw(void *user, const char *what, double share) {
    progress_line *l = user;
    int percent = share < 0 ? -1 : (int)(100 * share);
    bool same = l->drawn && percent == l->percent && !strcmp(what, l->what);
    if (same) return;
    fprintf(stderr, "\r\033[K%s ", what);
    if (percent < 0)
        fputs("...", stderr);
    else
        fprintf(stderr, "%d %%", percent);
    l->what = what;
    l->percent = percent;
    l->drawn = true;
}

const progress_hook *progress_line_open(progress_line *l) {
    *l = (progress_line){.hook = {.at = draw, .user = l}};
    return is_terminal(2) ? &l->hook : NULL;
}

void progress_line_clear(progress_line *l) {
    if (l->drawn) fputs("\r\033[K", stderr);
    l->drawn = false;
}
