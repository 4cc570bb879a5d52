// The text form of a module: its graphs one after the other, each followed by its variants.
#include <limits.h>

#include "ir/text.h"
#include "ir/text_parse.h"
#include "ir/verify.h"

void module_print(const module *m, const tensor_source *source, FILE *out) {
    for (int i = 0; i < m->graph_count; i++) graph_print(m->graphs[i], source, out);
}

// The graphs, up to `most`.
static bool read_graphs(parser *p, module *m, int most) {
    do {
        spot start = here(&p->s);
        graph *g = read_graph(p);
        if (!g) return false;
        if (m->graph_count == most)
            return scan_error(&p->s, start,
                              most == 1 ? "only one graph is expected, but this is a second one"
                                        : "there are too many graphs");
        const char *at = spot_print(&p->s, start);
        if (!graph_verify(g, at, p->s.d) || !module_fits(m, g, at, p->s.d)) return false;
        module_add(m, g);
    } while (looks_at(&p->s, "g"));
    return at_end(&p->s) || missing(&p->s, "a graph, or the end of the text");
}

static module *parse(arena *a, const char *file, const char *text, size_t size, int most, diag *d) {
    parser p = {.s = {.file = file, .text = text, .size = size, .line = 1, .d = d}, .a = a};
    p.s.a = arena_new();
    module *m = module_new(a);
    spot start = here(&p.s);
    bool ok = size <= INT_MAX ? read_graphs(&p, m, most) : scan_error(&p.s, start, "the text is too large");
    arena_free(p.s.a);
    return ok ? m : NULL;
}

module *module_parse(arena *a, const char *file, const char *text, size_t size, diag *d) {
    return parse(a, file, text, size, MODULE_MOST_GRAPHS, d);
}

graph *graph_parse(arena *a, const char *file, const char *text, size_t size, diag *d) {
    module *m = parse(a, file, text, size, 1, d);
    return m ? m->graphs[0] : NULL;
}
