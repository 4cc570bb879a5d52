// Data of a differential test: random weights and inputs, and memory with a fence behind it.
#include "harness_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// --- Random numbers

uint32_t rng_next(rng *r) {
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 33);
}
int64_t rng_below(rng *r, int64_t n) {
    return (int64_t)rng_next(r) % n;
}
float rng_float(rng *r, double low, double high) {
    return (float)(low + (high - low) * ((double)rng_next(r) / 2147483648.0));
}

rng rng_of(const char *name) {
    rng r = {14695981039346656037u};
    for (; *name; name++) r.state = (r.state ^ (uint8_t)*name) * 1099511628211u;
    return r;
}

// --- Weights

recipe *harness_tensor(harness_weights *w, const char *name, elem e, int rank, const int64_t *shape,
                       double low, double high) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    rng r = rng_of(name);
    unsigned char *data = arena_alloc(w->a, (size_t)n * elem_size(e) + 1);
    for (int64_t i = 0; i < n; i++) {
        float f = rng_float(&r, low, high);
        elem_convert(ELEM_F32, &f, e, data + (size_t)i * elem_size(e), 1);
    }
    ck_assert_int_lt(w->count, HARNESS_TENSORS);
    tensor_view v = {.e = e, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++) v.shape[i] = shape[i];
    w->tensors[w->count].name = arena_strdup(w->a, name);
    w->tensors[w->count++].view = v;
    return recipe_tensor(w->a, name, e, rank, shape);
}

bool harness_find(void *context, const char *name, tensor_view *out) {
    harness_weights *w = context;
    for (int i = 0; w && i < w->count; i++) {
        if (strcmp(w->tensors[i].name, name) != 0) continue;
        *out = w->tensors[i].view;
        return true;
    }
    return false;
}

// --- Memory that ends at a page without access

fenced fenced_new(int64_t bytes) {
    size_t page = 4096, room = ((size_t)bytes + 63) / 64 * 64, pages = (room + page - 1) / page * page;
    fenced f = {.mapped = pages + page};
    f.map = mmap(NULL, f.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(f.map != MAP_FAILED);
    ck_assert_int_eq(mprotect(f.map + pages, page, PROT_NONE), 0);
    f.data = f.map + pages - room;
    return f;
}

void fenced_free(fenced *f) {
    munmap(f->map, f->mapped);
}

// --- Inputs

// Rows of the smallest table that value v indexes; INT64_MAX where it indexes none.
static int64_t table_rows(const graph *g, value v) {
    int64_t least = INT64_MAX;
    for (value u = 0; u < g->count; u++) {
        const node *n = graph_node(g, u);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            int64_t rows = INT64_MAX;
            dim d = graph_type(g, n->inputs[0])->rank ? graph_type(g, n->inputs[0])->d[0] : dim_num(1);
            if (n->op == OP_scatter_add) d = n->type.d[0];
            if ((n->op == OP_gather || n->op == OP_scatter_add) && i == 1) rows = d.s == SYM_NONE ? d.n : 1;
            int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
            if (n->body && i >= bounds) rows = table_rows(n->body, i - bounds);
            if (rows < least) least = rows;
        }
    }
    return least;
}

static void fill_bounds(int32_t *out, const int64_t *lengths, int texts) {
    for (int i = 0; i < texts; i++) out[i + 1] = out[i] + (int32_t)lengths[i];
}

// Rows that the head reads: ascending within each text.
static void fill_rows(run *r, int32_t *out, rng *random) {
    for (int s = 0; s < r->h->texts; s++) {
        int64_t had = r->bounds[s];
        for (int64_t i = 0; i < r->h->rows[s]; i++) {
            int64_t left = r->h->rows[s] - i, room = r->bounds[s + 1] - had - left;
            had += rng_below(random, room + 1);
            *out++ = (int32_t)had++;
        }
    }
}

// A float between low and high, or a whole number of all that the type holds.
static void fill_element(const run *r, tensor *t, int64_t i, rng *random, double low, double high) {
    bool few = t->e == ELEM_U8 && !strcmp(r->target.class, "avx2");
    int64_t numbers = t->e == ELEM_I4 ? 16 : few ? 128 : 256;
    float f = elem_is_float(t->e) ? rng_float(random, low, high)
                                  : (float)(rng_below(random, numbers) - (t->e == ELEM_U8 ? 0 : numbers / 2));
    elem_convert(ELEM_F32, &f, t->e, (char *)t->data + (size_t)i * elem_size(t->e), 1);
}

static void fill_input(run *r, value v, tensor *t) {
    const node *n = graph_node(r->g, v);
    rng random = rng_of(n->name);
    int64_t count = tensor_count(t), least = table_rows(r->g, v);
    double low = r->h->low, high = r->h->high;
    if (low == 0 && high == 0) low = -2, high = 2;
    if (!strcmp(n->name, "bounds")) {
        memcpy(t->data, r->bounds, sizeof(int32_t) * (size_t)count);
    } else if (!strcmp(n->name, "row_bounds")) {
        memcpy(t->data, r->row_bounds, sizeof(int32_t) * (size_t)count);
    } else if (!strcmp(n->name, "rows")) {
        fill_rows(r, t->data, &random);
    } else if (n->type.e == ELEM_I32) {
        for (int64_t i = 0; i < count; i++)
            ((int32_t *)t->data)[i] =
                (int32_t)(least < INT64_MAX ? rng_below(&random, least) : rng_below(&random, 41) - 20);
    } else {
        for (int64_t i = 0; i < count; i++) fill_element(r, t, i, &random, low, high);
    }
}

tensor harness_tensor_new(arena *a, const type *t, const bindings *b) {
    tensor x = {.e = t->e, .rank = t->rank};
    for (int i = 0; i < t->rank; i++) x.shape[i] = dim_value(t->d[i], b);
    x.data = arena_alloc(a, (size_t)tensor_count(&x) * elem_size(t->e) + 1);
    return x;
}

void harness_inputs(run *r) {
    r->inputs = ARENA_ARRAY(r->a, eval_input, r->g->count);
    for (value v = 0; v < r->g->count; v++) {
        const node *n = graph_node(r->g, v);
        if (n->op != OP_input) continue;
        eval_input *in = &r->inputs[r->input_count++];
        *in = (eval_input){n->name, harness_tensor_new(r->a, &n->type, &r->b)};
        fill_input(r, v, &in->value);
    }
}

void harness_bind(run *r, int32_t *bounds, int32_t *row_bounds) {
    fill_bounds(bounds, r->h->lengths, r->h->texts);
    fill_bounds(row_bounds, r->h->rows, r->h->texts);
    r->bounds = bounds;
    r->row_bounds = row_bounds;
    r->b.v[SYM_S] = r->h->texts;
    r->b.v[SYM_T] = bounds[r->h->texts];
    r->b.v[SYM_R] = row_bounds[r->h->texts];
}
