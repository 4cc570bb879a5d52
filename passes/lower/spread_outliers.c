// spread_outliers: moves a norm's gamma into the weights of the products that read the norm. On by
// default only for int8.
//
//   requires  row-major weights       produces  nothing
//
//   before    %x = layer_norm %0, %gamma, %beta
//             %q = matmul %x, %w
//             %r = add %y, %x
//   after     %n = layer_norm %0, %gamma / v, %beta / v
//             %q = matmul %n, %w.spread
//             %x = mul %n, v
//             %r = add %y, %x
//
// with v = large(%gamma, 2^-10), which is gamma, or 1 where gamma is small, and %w.spread =
// scale_rows(%w, v). So gamma / v is 1 nearly everywhere.
//
// A row of activations is quantised by its largest magnitude. If that is in the same few channels
// in every row, gamma has made them large (Outlier Suppression, arXiv 2209.13325). Without gamma,
// all channels have about the same size. The rows of the weights get gamma instead, which may make
// their columns coarser. Whether it pays depends on the weights: noise.h predicts the noise of the
// products that read the norm, with gamma in the norm and with gamma in the weights. Gamma moves if
// the sum falls by a tenth.
//
// All norms with the same gamma and beta move or stay together (ALBERT's layers share theirs). A
// weight that something else reads too (the table of a tied decoder, another norm's product) would
// have to be stored twice, so it stays, and gamma with it. Elements of gamma below 2^-10 of the
// largest stay, because beta / gamma is of no use there.
//
// With a calibration (of a few random tokens, or of texts: bertc compile --calibrate) a second v
// is tried. For each channel it is about the root of its largest magnitude divided by that of its
// weights, so that both become equally even (SmoothQuant, arXiv 2211.10438, with an exponent of
// 0.55 instead of 0.5). The v with less noise is taken.
#include "passes/constants.h"
#include "passes/lower/lower.h"
#include "passes/lower/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

#define SMALLEST 0x1p-10
// What the noise must fall to, or the multiplications by v are not worth it.
#define WORTH 0.9
// The share of a channel's magnitude that smoothing moves to the weights. Half of it would make rows and weights
// about as even; but rows have 7 bits in class avx2, and weights are the same in all classes.
#define SMOOTHED 0.55

// --- Constants and their numbers

static recipe *recipe_of(const graph *g, value c) {
    const node *n = graph_node(g, c);
    const attr *r = node_attr(n, ATTR_recipe), *literal = node_attr(n, ATTR_value);
    if (r) return (recipe *)(uintptr_t)r->u.recipe;
    int64_t shape[IR_MAX_RANK];
    for (int i = 0; i < n->type.rank; i++) shape[i] = n->type.d[i].n;
    recipe *numbers = recipe_numbers(g->arena, literal->n, literal->u.floats);
    return n->type.rank == 1 ? numbers : recipe_reshape(g->arena, numbers, n->type.rank, shape);
}

static bool is_plain(const graph *g, value c, int rank) {
    const node *n = graph_node(g, c);
    return node_is_constant(n) && !node_is_state(n) && n->type.e == ELEM_F32 && n->type.rank == rank &&
           n->type.layout == LAYOUT_ROW;
}

// The elements, to be freed; NULL where memory runs out or the source lacks a tensor.
static float *numbers_of(const recipe *r, const pass *p) {
    float *numbers = memory_alloc(recipe_bytes(r), 1);
    diag ignored; // whoever needs the constant reports it
    diag_init(&ignored);
    if (numbers && !recipe_run(r, p->c->source, numbers, &ignored)) {
        free(numbers);
        numbers = NULL;
    }
    diag_free(&ignored);
    return numbers;
}

// --- Norms and the products that read them

static bool is_norm(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if ((n->op != OP_layer_norm && n->op != OP_rms_norm) || n->type.e != ELEM_F32 || n->type.rank != 2)
        return false;
    return is_plain(g, n->inputs[1], 1) && (n->op == OP_rms_norm || is_plain(g, n->inputs[2], 1));
}

// Have they the same gamma and beta?
static bool are_alike(const graph *g, value a, value b) {
    const node *x = graph_node(g, a), *y = graph_node(g, b);
    if (x->op != y->op || x->inputs[1] != y->inputs[1]) return false;
    return x->op == OP_rms_norm || x->inputs[2] == y->inputs[2];
}

// Is v a product of such a norm's rows with a constant?
static bool reads(const graph *g, value v, value norm) {
    const node *n = graph_node(g, v);
    if (n->op != OP_matmul || n->type.rank != 2 || !is_plain(g, n->inputs[1], 2)) return false;
    return is_norm(g, n->inputs[0]) && are_alike(g, n->inputs[0], norm);
}

static bool names_tensor(const recipe *r, const char *name) {
    if (r->kind == RECIPE_TENSOR) return !strcmp(r->tensor, name);
    for (int i = 0; i < r->part_count; i++)
        if (names_tensor(r->parts[i], name)) return true;
    return false;
}

static bool share_tensor(const recipe *a, const recipe *b) {
    if (a->kind == RECIPE_TENSOR) return names_tensor(b, a->tensor);
    for (int i = 0; i < a->part_count; i++)
        if (share_tensor(a->parts[i], b)) return true;
    return false;
}

// Do only products of such norms read constant c?
static bool is_their_own(const graph *g, value c, value norm) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        for (int i = 0; i < n->input_count; i++)
            if (n->inputs[i] == c && (i != 1 || !reads(g, v, norm))) return false;
    }
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == c) return false;
    return true;
}

// May the weight's rows be scaled? Its tensors make nothing but weights of products of such norms.
static bool weight_moves(const graph *g, value w, value norm) {
    const attr *r = node_attr(graph_node(g, w), ATTR_recipe);
    if (!is_their_own(g, w, norm)) return false;
    for (value c = 0; r && c < g->count; c++) {
        const attr *other = c == w ? NULL : node_attr(graph_node(g, c), ATTR_recipe);
        if (other && share_tensor(r->u.recipe, other->u.recipe) && !is_their_own(g, c, norm)) return false;
    }
    return true;
}

// --- Does it pay?

typedef struct vectors {
    int64_t n;
    // Deviation and mean of the channels: gamma and beta (NULL: 0), or as calibration found them.
    float *deviation, *mean;
    float *moved, *ones, *rest; // without what moves: deviation / moved, mean / moved
} vectors;

static void free_vectors(vectors *x) {
    free(x->deviation);
    free(x->mean);
    free(x->moved);
    free(x->ones);
    free(x->rest);
}

static float *quotient(const float *x, const float *by, int64_t n) {
    float *y = memory_alloc((size_t)n, sizeof(*y));
    for (int64_t i = 0; y && i < n; i++) y[i] = x[i] / by[i];
    return y;
}

static float *copied(const float *x, int64_t n) {
    float *y = memory_alloc((size_t)n, sizeof(*y));
    if (y) memcpy(y, x, sizeof(*y) * (size_t)n);
    return y;
}

static bool read_vectors(const graph *g, value norm, const recipe *moved, const pass *p, vectors *x) {
    const node *n = graph_node(g, norm);
    *x = (vectors){.n = moved->type.d[0].n};
    const channel_range *range = calibration_find(p->c->calibration, n->name, x->n);
    bool seen = range && range->mean;
    x->deviation = seen ? copied(range->deviation, x->n) : numbers_of(recipe_of(g, n->inputs[1]), p);
    x->moved = numbers_of(moved, p);
    if (!x->deviation || !x->moved) return false;
    x->ones = quotient(x->deviation, x->moved, x->n);
    if (!seen && n->op == OP_rms_norm) return x->ones != NULL;
    x->mean = seen ? copied(range->mean, x->n) : numbers_of(recipe_of(g, n->inputs[2]), p);
    if (x->mean) x->rest = quotient(x->mean, x->moved, x->n);
    return x->ones && x->rest;
}

// Adds the predicted noise of a product with weight w as it is, and with gamma in it.
static bool add_noise(const graph *g, value w, const vectors *x, const pass *p, double *before,
                      double *after) {
    int64_t columns = graph_type(g, w)->d[1].n;
    float *weights = numbers_of(recipe_of(g, w), p);
    if (!weights) return false;
    *before += noise_of_product(&(noise_rows){x->n, x->deviation, x->mean}, weights, columns);
    for (int64_t j = 0; j < x->n; j++)
        for (int64_t c = 0; c < columns; c++) weights[j * columns + c] *= x->moved[j];
    *after += noise_of_product(&(noise_rows){x->n, x->ones, x->rest}, weights, columns);
    free(weights);
    return true;
}

// Does gamma of the norms like `norm` move? *change: what becomes of their products' noise. *why where they stay.
static bool pays(const graph *g, value norm, const recipe *moved, const pass *p, double *change,
                 const char **why) {
    vectors x;
    double before = 0, after = 0;
    bool known = read_vectors(g, norm, moved, p, &x);
    *why = "a weight of its products is read by others too";
    for (value w = 0; w < g->count && known; w++) {
        value reader = VALUE_NONE;
        for (value v = w; v < g->count && reader == VALUE_NONE; v++)
            if (reads(g, v, norm) && graph_node(g, v)->inputs[1] == w) reader = v;
        if (reader == VALUE_NONE) continue;
        if (!weight_moves(g, w, norm)) return free_vectors(&x), false;
        known = add_noise(g, w, &x, p, &before, &after);
    }
    free_vectors(&x);
    *why = "its numbers are not at hand";
    *change = after / before;
    if (!known) return false;
    *why = NULL;
    return after < WORTH * before;
}

// --- Smoothing

// The largest magnitude of each row of w, if it is more than what `most` holds.
static bool add_rows(const graph *g, value w, const pass *p, float *most) {
    const type *t = graph_type(g, w);
    float *weights = numbers_of(recipe_of(g, w), p);
    if (!weights) return false;
    for (int64_t j = 0; j < t->d[0].n; j++)
        for (int64_t c = 0; c < t->d[1].n; c++) most[j] = fmaxf(most[j], fabsf(weights[j * t->d[1].n + c]));
    free(weights);
    return true;
}

// What evens out rows and weights: for each channel its largest magnitude over texts, over that of its weights,
// each to its share's power. NULL where there is no calibration of the norm.
static recipe *smoothing(graph *g, value norm, const pass *p) {
    int64_t n = graph_type(g, norm)->d[1].n;
    const channel_range *range = calibration_find(p->c->calibration, graph_node(g, norm)->name, n);
    if (!range) return NULL;
    float *weights = ARENA_ARRAY(g->arena, float, n), *by = ARENA_ARRAY(g->arena, float, n);
    for (value v = norm; v < g->count; v++)
        if (reads(g, v, norm) && !add_rows(g, graph_node(g, v)->inputs[1], p, weights)) return NULL;
    for (int64_t j = 0; j < n; j++) {
        by[j] = (float)(pow((double)range->largest[j], SMOOTHED) / pow((double)weights[j], 1 - SMOOTHED));
        if (!(by[j] >= SMALLEST && by[j] <= 1 / SMALLEST)) by[j] = 1;
    }
    return recipe_numbers(g->arena, n, by);
}

// --- The move

static value named_after(graph *g, value c, value with) {
    const char *name = graph_node(g, c)->name;
    if (name) name_if_free(g, with, arena_printf(g->arena, "%s" LOWER_SPREAD, name));
    return with;
}

static value divided(graph *g, value c, recipe *by) {
    return named_after(g, c, constant_of_recipe(g, recipe_quotient(g->arena, recipe_of(g, c), by)));
}

static value bare_norm(graph *g, value norm, recipe *moved) {
    value inputs[3];
    int n = graph_node(g, norm)->input_count;
    inputs[0] = graph_node(g, norm)->inputs[0];
    for (int i = 1; i < n; i++) inputs[i] = divided(g, graph_node(g, norm)->inputs[i], moved);
    return named_after(g, norm, copy_node(g, graph_node(g, norm), inputs));
}

// Returns how many products read the norm, which is *bare then; 0: it stays as it is.
static int move(rewriter *r, value norm, recipe *moved, value *bare) {
    graph *g = rewriter_graph(r);
    int users = users_of(r, norm, NULL, 0), uses = use_count(r, norm), products = 0;
    value *user = ARENA_ARRAY(g->arena, value, users);
    users_of(r, norm, user, users);
    for (int i = 0; i < users; i++) {
        if (!reads(g, user[i], norm)) continue;
        value w = graph_node(g, user[i])->inputs[1];
        if (!products++) *bare = bare_norm(g, norm, moved);
        recipe *scaled = recipe_scale_rows(g->arena, recipe_of(g, w), moved);
        value inputs[] = {*bare, named_after(g, w, constant_of_recipe(g, scaled))};
        replace_all_uses(r, user[i], copy_node(g, graph_node(g, user[i]), inputs));
    }
    if (products && uses > products)
        replace_all_uses(r, norm, graph_op2(g, OP_mul, *bare, constant_of_recipe(g, moved)));
    return products;
}

// Norms like the one at `first`, up to `count`.
static void spread(rewriter *r, value first, value count, pass *p) {
    graph *g = rewriter_graph(r);
    recipe *moved = recipe_large(g->arena, recipe_of(g, graph_node(g, first)->inputs[1]), SMALLEST);
    recipe *smooth = smoothing(g, first, p);
    double change = 0, smoothed = 0;
    const char *why;
    bool fires = pays(g, first, moved, p, &change, &why);
    if (!why && smooth && pays(g, first, smooth, p, &smoothed, &why) && !(change <= smoothed)) {
        fires = true;
        moved = smooth;
        change = smoothed;
    }
    if (!fires) {
        if (why)
            pass_missed(p, g, first, "gamma stays: %s", why);
        else
            pass_missed(p, g, first, "gamma stays: the noise of its products would be %.2f x", change);
        return;
    }
    for (value v = first; v < count; v++) {
        if (!is_norm(g, v) || !are_alike(g, v, first)) continue;
        value bare = VALUE_NONE;
        int products = move(r, v, moved, &bare);
        if (products)
            pass_fired(p, g, bare, "%s into %d product%s: their noise is %.2f x",
                       moved == smooth ? "smoothing" : "gamma", products, products > 1 ? "s" : "", change);
    }
}

static bool has_products(const graph *g, value norm) {
    for (value v = norm; v < g->count; v++)
        if (reads(g, v, norm)) return true;
    return false;
}

bool pass_spread_outliers(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++) {
        bool first = is_norm(g, v) && has_products(g, v);
        for (value u = 0; u < v && first; u++) first = !is_norm(g, u) || !are_alike(g, u, v);
        if (first) spread(r, v, count, p);
    }
    rewriter_end(r);
    return true;
}
