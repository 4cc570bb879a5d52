// The fusion report: what passes changed, and what they did not and why.
#include "passes/pass.h"

const char *pass_where(const graph *g, value v, char *buf, size_t size) {
    const char *name = graph_node(g, v)->name;
    for (int i = 0; i < g->output_count && !name; i++)
        if (g->outputs[i].value == v) name = g->outputs[i].name;
    if (name)
        snprintf(buf, size, "%s", name);
    else
        snprintf(buf, size, "%%%d", v);
    return buf;
}

static void report_line(const pass *p, const graph *g, value v, char sign, const char *format, va_list list) {
    if (!p->c->report) return;
    char where[160];
    fprintf(p->c->report, "  %c %s: ", sign, pass_where(g, v, where, sizeof(where)));
    vfprintf(p->c->report, format, list);
    fputc('\n', p->c->report);
}

void pass_fired(pass *p, const graph *g, value v, const char *format, ...) {
    p->fired++;
    p->told++;
    va_list list;
    va_start(list, format);
    report_line(p, g, v, '+', format, list);
    va_end(list);
}

void pass_missed(const pass *p, const graph *g, value v, const char *format, ...) {
    va_list list;
    va_start(list, format);
    report_line(p, g, v, '-', format, list);
    va_end(list);
}
