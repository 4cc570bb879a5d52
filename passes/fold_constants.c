// fold_constants: moves arithmetic on constants to the time when the artefact is written.
//
//   requires  row-major weights       produces  nothing
//
//   1. The scale of attention's scores moves into the projection of the queries.
//
//   before    %q = add (matmul %x, %w), %b
//             %c = per_sequence (%bounds; %q, ...) {
//               %s = mul (matmul (views of q), ...), 0.125
//               ...
//   after     %q = add (matmul %x, %w.scaled), %b.scaled
//             %c = per_sequence (%bounds; %q, ...) {
//               %s = matmul (views of q), ...
//               ...
//
//      It needs every reader of %q to apply the same scale. A scale on the projection itself,
//      mul (add (matmul %x, %w), %b), c, moves the same way.
//
//   2. transpose, reshape, cast and concat of constants, and constants times a number, become
//      recipes, whatever their size. So do products, sums and norms of matrices of at least 64 KiB
//      (DeBERTa's relative positions in each layer's projections).
//
//   before    %w = constant {recipe = tensor("w", f32[768,768])}
//             %t = transpose %w {perm = [1,0]}
//   after     %t = constant {recipe = transpose(tensor("w", f32[768,768]))}
//
//   A state (`trainable`) doesn't count as a constant, because training changes it.
//
//   3. Every other node whose operands are all constants is evaluated, if its result is smaller
//      than 1 MiB; in bodies, if its result is one number.
#include "passes/constants.h"
#include "passes/region.h"

#include <string.h>

#define EVALUATED_BYTES ((int64_t)1 << 20)
// Products, sums and norms from here on are recipes.
#define COMPUTED_BYTES ((int64_t)1 << 16)

// --- 1. Scales

// mul or div by a scalar literal: the factor.
static bool scale_of(const graph *g, value v, double *factor) {
    const node *n = graph_node(g, v);
    if (n->op != OP_mul && n->op != OP_div) return false;
    double c;
    if (!value_is_scalar(g, n->inputs[1], &c) || graph_type(g, n->inputs[1])->rank) return false;
    if (n->op == OP_div && c == 0) return false;
    *factor = n->op == OP_mul ? c : 1 / c;
    return n->type.e == ELEM_F32;
}

// A projection: matmul of x and a weight, with or without a bias.
typedef struct projection {
    value product, weight, bias; // bias VALUE_NONE: none
} projection;

static bool weight_scales(const graph *g, value w, int rank) {
    const node *n = graph_node(g, w);
    return node_is_constant(n) && !node_is_state(n) && n->type.rank == rank && n->type.e == ELEM_F32 &&
           n->type.layout == LAYOUT_ROW;
}

static bool find_projection(rewriter *r, value v, projection *out) {
    const graph *g = rewriter_graph(r);
    match_result m;
    if (match(r, v, "(add (matmul ?x !w)@product !b)", &m)) {
        *out = (projection){match_get(&m, "product"), match_get(&m, "w"), match_get(&m, "b")};
    } else if (match(r, v, "(matmul ?x !w)", &m)) {
        *out = (projection){v, match_get(&m, "w"), VALUE_NONE};
    } else {
        return false;
    }
    return weight_scales(g, out->weight, 2) && (out->bias == VALUE_NONE || weight_scales(g, out->bias, 1));
}

// The only use of `v` in the body, which reads it once; VALUE_NONE where there are more, or none.
static value only_user(const graph *body, value v) {
    value user = VALUE_NONE;
    if (region_yields(body, v)) return VALUE_NONE;
    for (value u = 0; u < body->count; u++) {
        const node *n = graph_node(body, u);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            if (user != VALUE_NONE) return VALUE_NONE;
            user = u;
        }
    }
    return user;
}

// From param v through views into one product and its scale: the scale's node, or VALUE_NONE.
static value find_scale(const graph *body, value v, double *factor) {
    for (value u = only_user(body, v); u != VALUE_NONE; v = u, u = only_user(body, u)) {
        op o = graph_node(body, u)->op;
        if (o == OP_matmul) {
            value scale = only_user(body, u);
            return scale != VALUE_NONE && scale_of(body, scale, factor) &&
                           graph_node(body, scale)->inputs[0] == u
                       ? scale
                       : VALUE_NONE;
        }
        if (o != OP_reshape && o != OP_transpose && o != OP_slice) return VALUE_NONE;
    }
    return VALUE_NONE;
}

typedef struct reader {
    value region; // a per_sequence
    value scale;  // the node of its body that goes
} reader;
#define MOST_READERS 8

// Every reader of q, with its scale; 0 where they are not all per_sequence regions that scale it alike.
static int find_readers(rewriter *r, value q, reader *readers, double *factor) {
    const graph *g = rewriter_graph(r);
    value users[MOST_READERS];
    int n = users_of(r, q, users, MOST_READERS), uses = 0;
    if (n == 0 || n > MOST_READERS) return 0;
    for (int i = 0; i < n; i++) {
        const node *u = graph_node(g, users[i]);
        if (u->op != OP_per_sequence) return 0;
        int bounds = (int)node_attr(u, ATTR_bounds)->u.i;
        double c;
        readers[i] = (reader){users[i], VALUE_NONE};
        for (int k = bounds; k < u->input_count; k++) {
            if (u->inputs[k] != q) continue;
            if (readers[i].scale != VALUE_NONE) return 0;
            readers[i].scale = find_scale(u->body, k - bounds, &c);
            if (readers[i].scale == VALUE_NONE || (i && c != *factor)) return 0;
            *factor = c;
            uses++;
        }
        if (readers[i].scale == VALUE_NONE) return 0;
    }
    return uses == use_count(r, q) ? n : 0;
}

static void drop_scale(graph *body, value scale) {
    rewriter *r = rewriter_begin(body);
    replace_all_uses(r, scale, graph_node(body, scale)->inputs[0]);
    rewriter_end(r);
}

static value scaled_and_named(graph *g, value c, double factor) {
    const char *name = graph_node(g, c)->name;
    value v = constant_scaled(g, c, factor);
    if (name) name_if_free(g, v, arena_printf(g->arena, "%s.scaled", name));
    return v;
}

// The projection again, its weight and bias times `factor`.
static value scaled_projection(graph *g, const projection *p, double factor) {
    value x = graph_node(g, p->product)->inputs[0];
    value v = graph_op2(g, OP_matmul, x, scaled_and_named(g, p->weight, factor));
    return p->bias == VALUE_NONE ? v : graph_op2(g, OP_add, v, scaled_and_named(g, p->bias, factor));
}

// Moves the scale that v, or each of its readers, applies into the weights that v is computed from.
static void move_scale(rewriter *r, value v, pass *p) {
    graph *g = rewriter_graph(r);
    projection q;
    reader readers[MOST_READERS];
    double factor;
    if (scale_of(g, v, &factor)) {
        value x = graph_node(g, v)->inputs[0];
        if (!has_one_use(r, x) || !find_projection(r, x, &q)) return;
        pass_fired(p, g, v, "times %g, into weight and bias", factor);
        replace_all_uses(r, v, scaled_projection(g, &q, factor));
        return;
    }
    if (use_count(r, v) == 0 || !find_projection(r, v, &q)) return;
    int n = find_readers(r, v, readers, &factor);
    if (!n) return;
    pass_fired(p, g, v, "the scores' scale %g, into weight and bias", factor);
    for (int i = 0; i < n; i++) drop_scale(graph_node(g, readers[i].region)->body, readers[i].scale);
    // It holds other numbers from here on, so it has another name.
    const char *name = graph_node(g, v)->name;
    value with = scaled_projection(g, &q, factor);
    if (name) name_if_free(g, with, arena_printf(g->arena, "%s.scaled", name));
    replace_all_uses(r, v, with);
}

// --- 2. Recipes

static recipe *recipe_at(const graph *g, const node *n, int i) {
    const attr *a = node_attr(graph_node(g, n->inputs[i]), ATTR_recipe);
    if (!a || a->u.recipe->type.layout != LAYOUT_ROW) return NULL;
    return (recipe *)(uintptr_t)a->u.recipe;
}

static recipe *transposed(const graph *g, const node *n) {
    recipe *r = recipe_at(g, n, 0);
    const attr *perm = node_attr(n, ATTR_perm);
    return r && r->type.rank == 2 && perm->u.ints[0] == 1 ? recipe_transpose(g->arena, r) : NULL;
}

static recipe *reshaped(const graph *g, const node *n) {
    recipe *r = recipe_at(g, n, 0);
    int64_t shape[IR_MAX_RANK];
    for (int i = 0; i < n->type.rank; i++) shape[i] = n->type.d[i].n;
    return r ? recipe_reshape(g->arena, r, n->type.rank, shape) : NULL;
}

static recipe *concatenated(const graph *g, const node *n) {
    recipe **parts = ARENA_ARRAY(g->arena, recipe *, n->input_count);
    for (int i = 0; i < n->input_count; i++) {
        parts[i] = recipe_at(g, n, i);
        if (!parts[i]) return NULL;
    }
    return recipe_concat(g->arena, node_attr(n, ATTR_axis)->u.i, n->input_count, parts);
}

static recipe *cast_or_scaled(const graph *g, value v) {
    const node *n = graph_node(g, v);
    recipe *r = recipe_at(g, n, 0);
    double factor;
    if (!r) return NULL;
    if (n->op == OP_cast)
        return recipe_casts(r->type.e, n->type.e) ? recipe_cast(g->arena, r, n->type.e) : NULL;
    return scale_of(g, v, &factor) ? recipe_scale(g->arena, r, factor) : NULL;
}

// A product, a sum or a norm of matrices: what a model says of positions alone. Small ones are evaluated.
static recipe *computed(const graph *g, const node *n) {
    recipe *parts[3] = {NULL};
    if (n->type.rank != 2 || type_count(&n->type) * 4 < COMPUTED_BYTES) return NULL;
    for (int i = 0; i < n->input_count; i++) {
        parts[i] = recipe_at(g, n, i);
        if (!parts[i]) return NULL;
    }
    recipe_kind kind = n->op == OP_matmul ? RECIPE_PRODUCT : n->op == OP_add ? RECIPE_SUM : RECIPE_NORM;
    if (!recipe_fits(kind, n->input_count, parts)) return NULL;
    if (kind == RECIPE_PRODUCT) return recipe_product(g->arena, parts[0], parts[1]);
    if (kind == RECIPE_SUM) return recipe_sum(g->arena, parts[0], parts[1]);
    return recipe_norm(g->arena, parts[0], parts[1], parts[2], node_attr(n, ATTR_eps)->u.f);
}

static recipe *as_recipe(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op == OP_transpose) return transposed(g, n);
    if (n->op == OP_reshape) return reshaped(g, n);
    if (n->op == OP_concat) return concatenated(g, n);
    if (n->op == OP_matmul || n->op == OP_add || n->op == OP_layer_norm) return computed(g, n);
    if (n->op == OP_cast || n->op == OP_mul || n->op == OP_div) return cast_or_scaled(g, v);
    return NULL;
}

// --- 3. Evaluation

static bool operands_constant(const graph *g, const node *n) {
    for (int i = 0; i < n->input_count; i++)
        if (!node_is_constant(graph_node(g, n->inputs[i])) || node_is_state(graph_node(g, n->inputs[i])))
            return false;
    return n->op != OP_input && n->op != OP_param && n->op != OP_constant && !n->body;
}

// Small, of numbers alone, and of a type that a literal can have.
static bool evaluates(const graph *g, const node *n, bool top, const tensor_source *source) {
    int64_t count = type_count(&n->type);
    if (count < 1 || type_bytes(&n->type) >= EVALUATED_BYTES || n->type.e == ELEM_I1) return false;
    if (!top && (count > 1 || n->type.e != ELEM_F32 || n->type.rank)) return false;
    for (int i = 0; i < n->input_count; i++)
        if (!source && node_attr(graph_node(g, n->inputs[i]), ATTR_recipe)) return false;
    return true;
}

// The node's value as a literal of `g`; VALUE_NONE, with a diagnostic, where evaluation failed.
static value evaluate(graph *g, value v, const pass *p) {
    arena *scratch = arena_new();
    const node *n = graph_node(g, v);
    graph *small = graph_new(scratch, "constant");
    value *inputs = ARENA_ARRAY(scratch, value, n->input_count);
    for (int i = 0; i < n->input_count; i++) inputs[i] = copy_node(small, graph_node(g, n->inputs[i]), NULL);
    graph_output_add(small, "value", copy_node(small, n, inputs));
    eval_options o = {.source = p->c->source};
    tensor result;
    value literal = VALUE_NONE;
    if (graph_eval(small, &o, scratch, &result, p->c->diag))
        literal = constant_literal(g, n->type, result.data);
    arena_free(scratch);
    return literal;
}

static bool fold(graph *g, bool top, pass *p) {
    bool ok = true;
    for (value v = 0; v < g->count && ok; v++)
        if (graph_node(g, v)->body) ok = fold(graph_node(g, v)->body, false, p);
    rewriter *r = rewriter_begin(g);
    // Topological order: constants made on the way are operands further on.
    for (value v = 0, count = g->count; v < count && ok; v++) {
        if (!operands_constant(g, graph_node(g, v)) || use_count(r, v) == 0) continue;
        recipe *folded = top ? as_recipe(g, v) : NULL;
        value with = VALUE_NONE;
        if (folded) {
            with = constant_of_recipe(g, folded);
        } else if (evaluates(g, graph_node(g, v), top, p->c->source)) {
            with = evaluate(g, v, p);
            ok = with != VALUE_NONE;
        }
        if (with == VALUE_NONE) continue;
        pass_fired(p, g, v, "%s of constants", op_name(graph_node(g, v)->op));
        replace_all_uses(r, v, with);
    }
    rewriter_end(r);
    return ok;
}

bool pass_fold_constants(graph *g, pass *p) {
    if (!fold(g, true, p)) return false;
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++) move_scale(r, v, p);
    rewriter_end(r);
    return true;
}
