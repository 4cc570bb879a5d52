#include "frontend/cli/graph.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/backend.h"
#include "ir/memory.h"

#define TEXT_BYTES_MAX ((size_t)1 << 30)

// --- Files

static FILE *open_graph(const char *path, diag *d) {
    if (!strcmp(path, "-")) return stdin;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not hold us up
    struct stat s;
    bool is_file = fd >= 0 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
    FILE *f = is_file ? fdopen(fd, "rb") : NULL;
    if (f) return f;
    if (fd < 0 || is_file)
        diag_error(d, path, "can't be read: %s", strerror(errno));
    else
        diag_error(d, path, "is no file (`-` reads standard input)");
    if (fd >= 0) close(fd);
    return NULL;
}

char *read_text(const char *path, size_t *size, diag *d) {
    FILE *f = open_graph(path, d);
    if (!f) return NULL;
    size_t capacity = 1 << 16, n = 0;
    char *text = memory_must(memory_alloc(capacity, 1));
    const char *why = NULL;
    while (!why && !feof(f)) {
        if (n + 1 == capacity) text = memory_must(memory_grow(text, capacity *= 2, 1));
        n += fread(text + n, 1, capacity - n - 1, f);
        if (ferror(f))
            why = strerror(errno);
        else if (n >= TEXT_BYTES_MAX)
            why = "it is longer than 1 GiB";
    }
    if (f != stdin) fclose(f);
    text[n] = 0;
    *size = n;
    if (!why) return text;
    diag_error(d, path, "can't be read: %s", why);
    free(text);
    return NULL;
}

// What is text, or can't be told, the parser has its say about.
bool may_be_graph(const char *path, diag *d) {
    static const char *const texts[] = {"op-graph text", "text"};
    const char *kind = strcmp(path, "-") ? hub_file_kind(path) : NULL;
    bool ok = !kind;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ok = ok || !strncmp(kind, texts[i], strlen(texts[i]));
    return ok ||
           diag_error(d, path,
                      "is no op-graph text (bertc compile MODEL --emit ir --stage input prints it), but %s",
                      kind);
}

// --- What the text is held against

typedef struct against {
    const char *file;
    const graph *g;     // the text's
    const hub_model *m; // with the checkpoint's own graph
    diag *d;
} against;

static bool wrong(const against *x, const char *kind, const char *name, const char *cause) {
    char where[600];
    snprintf(where, sizeof where, "%.400s: %s%.150s", x->file, kind, name);
    return diag_error(x->d, where, "%s", cause);
}

// What values of the input must be below, where the graph picks rows of tables by them.
static bool check_limit(const against *x, const char *name, value v, value own) {
    int64_t has = backend_input_limit(x->g, v), should = backend_input_limit(x->m->graph, own);
    char cause[200];
    if (!has || (should && has >= should)) return true;
    snprintf(cause, sizeof cause,
             "picks rows of a table of %" PRId64 ", fewer than the checkpoint's graph has", has);
    return wrong(x, "%", name, cause);
}

// The type of a number of the call, where that is what an input is called; else NULL.
static const char *number_type(const char *name, char *buf, size_t size) {
    type t;
    return number_of_call(name, &t) ? type_print(&t, buf, size) : NULL;
}

static bool check_input(const against *x, value v) {
    const graph *own = x->m->graph;
    const node *n = graph_node(x->g, v);
    char has[96], should[96], cause[300];
    if (input_of_call(n))
        return !backend_input_limit(x->g, v) ||
               wrong(x, "%", n->name, "picks rows of a table: a number of the call may be any");
    for (value u = 0; u < own->count; u++) {
        const node *like = graph_node(own, u);
        if (like->op != OP_input || strcmp(like->name, n->name)) continue;
        if (type_eq(&like->type, &n->type)) return check_limit(x, n->name, v, u);
        snprintf(cause, sizeof cause, "is %s; of this checkpoint it is %s",
                 type_print(&n->type, has, sizeof has), type_print(&like->type, should, sizeof should));
        return wrong(x, "%", n->name, cause);
    }
    if (!number_type(n->name, should, sizeof should))
        return wrong(x, "%", n->name, "is no input of this checkpoint's graph");
    snprintf(cause, sizeof cause, "is %s; as a number of the call it is %s",
             type_print(&n->type, has, sizeof has), should);
    return wrong(x, "%", n->name, cause);
}

static bool check_outputs(const against *x) {
    const graph *own = x->m->graph;
    char has[96], should[96], cause[400];
    for (int i = 0; i < own->output_count; i++) {
        const graph_output *want = &own->outputs[i];
        int k = 0;
        while (k < x->g->output_count && strcmp(x->g->outputs[k].name, want->name)) k++;
        if (k == x->g->output_count) {
            snprintf(cause, sizeof cause,
                     "is missing, and the head %s gives it (--head and --outputs say what is given)",
                     x->m->head);
            return wrong(x, "output ", want->name, cause);
        }
        const type *y = graph_type(x->g, x->g->outputs[k].value), *z = graph_type(own, want->value);
        if (type_eq(y, z)) continue;
        snprintf(cause, sizeof cause, "is %s; the checkpoint's head %s gives %s",
                 type_print(y, has, sizeof has), x->m->head, type_print(z, should, sizeof should));
        return wrong(x, "output ", want->name, cause);
    }
    return true;
}

// An output beyond the head's: rows of tokens, texts or chosen rows, or one of known size, as bertc_run gives them.
static bool check_more_outputs(const against *x) {
    char has[96], cause[200];
    for (int i = 0; i < x->g->output_count; i++) {
        const type *y = graph_type(x->g, x->g->outputs[i].value);
        bool known = y->rank >= 1 && y->rank <= 4 && y->d[0].s == SYM_NONE,
             rows = y->rank >= 1 && y->d[0].n == 0 &&
                    (y->d[0].s == SYM_T || y->d[0].s == SYM_S || y->d[0].s == SYM_R);
        bool ok = y->e == ELEM_F32 && y->rank <= 5 && (known || rows);
        for (int k = 1; ok && k < y->rank; k++)
            ok = y->d[k].s == SYM_NONE ||
                 (y->d[k].s == SYM_M && !y->d[k].n && k == y->rank - 1 && y->d[0].s == SYM_T);
        if (ok) continue;
        snprintf(cause, sizeof cause, "is %s, which can't be an output: f32 with T, S or R first can",
                 type_print(y, has, sizeof has));
        return wrong(x, "output ", x->g->outputs[i].name, cause);
    }
    return true;
}

// --- Tensors

static bool check_tensor(const against *x, const recipe *r) {
    tensor_view t;
    char has[96], should[96], cause[400];
    if (!x->m->source.find(x->m->source.context, r->tensor, &t)) {
        snprintf(cause, sizeof cause, "is not in the checkpoint: the graph is another one's");
        return wrong(x, "tensor ", r->tensor, cause);
    }
    dim axes[IR_MAX_RANK];
    for (int i = 0; i < t.rank; i++) axes[i] = dim_num(t.shape[i]);
    type found = type_make(t.e, t.rank, axes);
    if (type_eq(&found, &r->type)) return true;
    snprintf(cause, sizeof cause, "is %s in the checkpoint, not %s: the graph is another one's",
             type_print(&found, has, sizeof has), type_print(&r->type, should, sizeof should));
    return wrong(x, "tensor ", r->tensor, cause);
}

static bool check_recipe(const against *x, const recipe *r) {
    if (r->kind == RECIPE_TENSOR) return check_tensor(x, r);
    for (int i = 0; i < r->part_count; i++)
        if (!check_recipe(x, r->parts[i])) return false;
    return true;
}

static bool check_hash(const against *x, const node *n, const recipe *r, const char *name) {
    const attr *said = node_attr(n, ATTR_hash);
    uint64_t is;
    char cause[300];
    if (!said) return true;
    if (!recipe_hash(r, &x->m->source, &is, x->d)) return false;
    if (is == said->u.hash) return true;
    snprintf(cause, sizeof cause,
             "its recipe makes other bytes than when the graph was printed (hash 0x%016" PRIx64
             ", not 0x%016" PRIx64 "): the graph is another checkpoint's, or leave `hash` out",
             is, said->u.hash);
    return wrong(x, "%", name, cause);
}

static bool check_constants(const against *x, const graph *g) {
    char number[24];
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        const attr *r = n->op == OP_constant ? node_attr(n, ATTR_recipe) : NULL;
        snprintf(number, sizeof number, "%d", v);
        if (r &&
            (!check_recipe(x, r->u.recipe) || !check_hash(x, n, r->u.recipe, n->name ? n->name : number)))
            return false;
        if (n->body && !check_constants(x, n->body)) return false;
    }
    return true;
}

static bool check_graph(const against *x) {
    for (value v = 0; v < x->g->count; v++)
        if (graph_node(x->g, v)->op == OP_input && !check_input(x, v)) return false;
    return check_outputs(x) && check_more_outputs(x) && check_constants(x, x->g);
}

module *graph_parse_classes(arena *a, const char *file, const char *text, size_t size, diag *d) {
    char list[100];
    module *m = module_parse(a, file, text, size, d);
    for (int i = 0; m && i < m->graph_count; i++) {
        const char *class = graph_class(m->graphs[i]);
        if (target_is_class(class, list, sizeof list)) continue;
        diag_error(d, file, "there is no arithmetic class '%.60s': there are %s", class, list);
        return NULL;
    }
    return m;
}

module *graph_from_text(const char *path, const hub_model *m, arena *a, diag *d) {
    size_t size;
    char *text = may_be_graph(path, d) ? read_text(path, &size, d) : NULL;
    if (!text) return NULL;
    const char *file = strcmp(path, "-") ? path : "standard input";
    module *all = graph_parse_classes(a, file, text, size, d);
    free(text);
    for (int i = 0; all && i < all->graph_count; i++)
        if (!check_graph(&(against){file, all->graphs[i], m, d})) return NULL;
    return all;
}
