#include "frontend/cli/serve/pace.h"

#include <math.h>
#include <stdlib.h>

enum {
    FEWEST_TEXTS = 64, // that tell anything
    SORT_EVERY = 32,
    MOST_TEXTS = 8 // a text waits no longer than so many take
};
static const double window = 60, most_seconds = 0.5, share = 1 / 2.2, slowest = 0.99, weight = 0.05;

void pace_note(pace *p, double at, double behind, double seconds, int64_t all, int64_t own) {
    double token = seconds / (double)(all > 0 ? all : 1), part = p->count ? weight : 1;
    int64_t i = p->count++ % PACE_TEXTS;
    p->texts[i].at = at;
    p->texts[i].took = behind + seconds;
    p->token += (token - p->token) * part;
    p->tokens += ((double)own - p->tokens) * part;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void find_slow(pace *p, double now) {
    double took[PACE_TEXTS];
    int64_t all = p->count < PACE_TEXTS ? p->count : PACE_TEXTS;
    size_t n = 0;
    for (int64_t i = 0; i < all; i++)
        if (now - p->texts[i].at < window) took[n++] = p->texts[i].took;
    p->sorted = p->count;
    p->slow = 0;
    if (n < FEWEST_TEXTS) return;
    qsort(took, n, sizeof *took, compare);
    p->slow = took[(size_t)((double)n * slowest)];
}

double pace_wait(pace *p, double now, int64_t tokens) {
    int64_t last = (p->count + PACE_TEXTS - 1) % PACE_TEXTS;
    if (!p->count) return 0;
    if (p->count - p->sorted >= SORT_EVERY || now - p->texts[last].at >= window) find_slow(p, now);
    double wait = p->slow * share - p->token * (double)tokens;
    return fmax(0, fmin(wait, fmin(most_seconds, (double)MOST_TEXTS * p->token * p->tokens)));
}
