#include "frontend/cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double unit_of(const char *text) {
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},      {"B", 1},      {"kB", 1e3},      {"KB", 1e3},         {"MB", 1e6}, {"GB", 1e9},
                 {"TB", 1e12}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"G", 1e9},  {"M", 1e6}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(units[i].name, text)) return units[i].bytes;
    return 0;
}

bool memory_read(const char *text, memory_options *out, diag *d) {
    char *end;
    if (keep_policy_find(text, &out->policy)) return true;
    double number = strtod(text, &end), bytes = number * unit_of(end + (*end == ' '));
    bool digit = (*text >= '0' && *text <= '9') || *text == '.';
    if (!digit || end == text || !isfinite(bytes) || bytes < 1 || bytes > 1e18)
        return diag_error(
            d, "--memory",
            "'%s' is no size, as 2.2GB or 800MB, and none of products, everything, linear, nothing", text);
    out->policy = KEEP_BUDGET;
    out->budget = (int64_t)bytes;
    return true;
}

typedef struct size_line {
    char text[32];
} size_line;

static size_line in_words(int64_t bytes) {
    size_line s;
    bool large = bytes >= 1000000000;
    snprintf(s.text, sizeof s.text, large ? "%.2f GB" : "%.1f MB", (double)bytes / (large ? 1e9 : 1e6));
    return s;
}

void memory_tell(const memory_options *o, FILE *out) {
    const memory_choice *c = o->choice;
    if (!c->made) return;
    fprintf(out, "memory %s: states and weights %s, values of a step %s",
            in_words(c->state_bytes + c->arena_bytes + o->beside).text, in_words(c->state_bytes).text,
            in_words(c->arena_bytes).text);
    if (o->beside) fprintf(out, ", all else %s", in_words(o->beside).text);
    fprintf(out, "\n");
    if (!c->count) return;
    fprintf(
        out,
        "computed again in the backward part, in %.1f %% of a step's time by the model; values were %s:\n",
        100 * c->share, in_words(c->arena_before).text);
    for (int i = 0; i < c->count; i++)
        fprintf(out, "  %4d %-44s %s\n", c->lines[i].values, c->lines[i].name,
                in_words(c->lines[i].bytes).text);
}
