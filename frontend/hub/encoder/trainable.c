#include "frontend/hub/encoder/trainable.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/hub/encoder/lora.h"
#include "ir/rewrite.h"

// A run of a tensor's elements that a constant is made of.
typedef struct use {
    const char *tensor;
    int64_t first, count, size; // size: of the whole tensor
    int constant;               // its number in `constants`
} use;

typedef struct training {
    rewriter *r;
    graph *g;
    const hub_weights *weights;
    const hub_config *config;
    diag *d;
    arena *scratch;
    int count;        // of the constants that are made of tensors
    value *constants; // [count]
    bool *apart;      // [count]: ops make it
    int use_count;
    use *uses;          // by tensor and first element
    int state_count;    // of tensors that are states as they stand
    const char **names; // [state_count]
    value *states;
} training;

static bool names_tensor(const recipe *r) {
    if (r->kind == RECIPE_TENSOR) return true;
    for (int i = 0; i < r->part_count; i++)
        if (names_tensor(r->parts[i])) return true;
    return false;
}

static int count_tensors(const recipe *r) {
    int n = r->kind == RECIPE_TENSOR;
    for (int i = 0; i < r->part_count; i++) n += count_tensors(r->parts[i]);
    return n;
}

static const recipe *recipe_of(const training *t, int i) {
    return node_attr(graph_node(t->g, t->constants[i]), ATTR_recipe)->u.recipe;
}

// Is it made of the one table that is never trained?
static bool is_fixed(const training *t, const recipe *r) {
    const hub_weight *w = hub_weight_of(t->weights, MODULE_ROTARY, -1, PART_WEIGHT);
    while (r->part_count == 1) r = r->parts[0];
    return w->tensor && r->kind == RECIPE_TENSOR && !strcmp(r->tensor, w->tensor);
}

// With adapters most tensors stay as they are, and are constants.
static bool is_trained(const training *t, const recipe *r) {
    if (!t->weights->lora) return !is_fixed(t, r);
    if (r->kind == RECIPE_TENSOR) return hub_lora_trains(t->weights->lora, r->tensor);
    for (int i = 0; i < r->part_count; i++)
        if (is_trained(t, r->parts[i])) return true;
    return false;
}

static void find_constants(training *t) {
    t->constants = ARENA_ARRAY(t->scratch, value, t->g->count);
    for (value v = 0; v < t->g->count; v++) {
        const node *n = graph_node(t->g, v);
        const attr *r = n->op == OP_constant ? node_attr(n, ATTR_recipe) : NULL;
        if (r && names_tensor(r->u.recipe) && is_trained(t, r->u.recipe)) t->constants[t->count++] = v;
    }
    t->apart = ARENA_ARRAY(t->scratch, bool, t->count + 1);
}

// --- Which constants can be states themselves

// The whole of each tensor that the recipe names, whatever it does with it.
static void add_wholes(training *t, const recipe *r, int constant) {
    if (r->kind == RECIPE_TENSOR) {
        int64_t n = type_count(&r->type);
        t->uses[t->use_count++] = (use){r->tensor, 0, n, n, constant};
    }
    for (int i = 0; i < r->part_count; i++) add_wholes(t, r->parts[i], constant);
}

static void add_uses(training *t, int constant) {
    recipe_move *moves;
    const recipe *r = recipe_of(t, constant);
    int n = recipe_moves(r, t->scratch, &moves);
    t->apart[constant] = !n;
    if (!n) add_wholes(t, r, constant);
    for (int i = 0; i < n; i++)
        t->uses[t->use_count++] =
            (use){moves[i].tensor->tensor, moves[i].first, moves[i].rows * moves[i].columns,
                  type_count(&moves[i].tensor->type), constant};
}

static int by_tensor(const void *a, const void *b) {
    const use *x = a, *y = b;
    int name = strcmp(x->tensor, y->tensor);
    if (name) return name;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return (x->constant > y->constant) - (x->constant < y->constant);
}

// Uses [begin, end) are those of one tensor: do they follow each other from its first element to its last, in
// constants that are states?
static bool tiles(const training *t, int begin, int end) {
    int64_t at = 0;
    for (int i = begin; i < end; i++) {
        if (t->uses[i].first != at || t->apart[t->uses[i].constant]) return false;
        at += t->uses[i].count;
    }
    return at == t->uses[begin].size;
}

static int end_of(const training *t, int begin) {
    int end = begin + 1;
    while (end < t->use_count && !strcmp(t->uses[end].tensor, t->uses[begin].tensor)) end++;
    return end;
}

// What one constant of a tensor can't be, none of them is; and so on, for a constant may be made of several tensors.
static void settle(training *t) {
    int room = 0;
    for (int i = 0; i < t->count; i++) room += count_tensors(recipe_of(t, i));
    t->uses = ARENA_ARRAY(t->scratch, use, room + 1);
    for (int i = 0; i < t->count; i++) add_uses(t, i);
    qsort(t->uses, (size_t)t->use_count, sizeof *t->uses, by_tensor);
    for (bool more = true; more;) {
        more = false;
        for (int i = 0, end; i < t->use_count; i = end) {
            end = end_of(t, i);
            if (tiles(t, i, end)) continue;
            for (int k = i; k < end; k++) {
                more |= !t->apart[t->uses[k].constant];
                t->apart[t->uses[k].constant] = true;
            }
        }
    }
}

// --- Recipes as ops

static bool refuse(const training *t, const char *name, const char *cause) {
    char where[700];
    snprintf(where, sizeof where, "%.400s: tensor \"%.200s\"", t->weights->checkpoint->where, name);
    return diag_error(t->d, where, "can't be trained: %s (%s)", cause, t->config->family->model_type);
}

// The state of the whole tensor, made once.
static value state_of(training *t, const recipe *source) {
    for (int i = 0; i < t->state_count; i++)
        if (!strcmp(t->names[i], source->tensor)) return t->states[i];
    arena *a = t->g->arena;
    int64_t shape[IR_MAX_RANK];
    for (int i = 0; i < source->type.rank; i++) shape[i] = source->type.d[i].n;
    recipe *r = recipe_tensor(a, source->tensor, source->type.e, source->type.rank, shape);
    if (r->type.e != ELEM_F32) r = recipe_cast(a, r, ELEM_F32);
    recipe_move *moves;
    if (!recipe_moves(r, t->scratch, &moves))
        return refuse(t, source->tensor, "its numbers are wider than float32"), VALUE_NONE;
    value v = graph_constant_recipe(t->g, NULL, r);
    node_set_attr(t->g, graph_node(t->g, v), attr_flag(ATTR_trainable));
    t->names[t->state_count] = source->tensor;
    return t->states[t->state_count++] = v;
}

static value zeros(training *t, int64_t rows, int64_t columns) {
    dim shape[] = {dim_num(rows), dim_num(columns)};
    value zero = graph_scalar(t->g, 0);
    attr to = {.id = ATTR_shape, .n = 2, .u.dims = shape};
    return graph_append(t->g, OP_broadcast, 1, &zero, 1, &to);
}

static value joined(training *t, int64_t axis, int n, const value *parts) {
    attr along = attr_int(ATTR_axis, axis);
    return n == 1 ? parts[0] : graph_append(t->g, OP_concat, n, parts, 1, &along);
}

// n blocks of a matrix's rows, each in columns of its own.
static value diagonal(training *t, value x, int64_t n) {
    const type is = *graph_type(t->g, x);
    int64_t rows = is.d[0].n / n, columns = is.d[1].n;
    value *blocks = ARENA_ARRAY(t->scratch, value, n);
    for (int64_t i = 0; i < n; i++) {
        dim begin[] = {dim_num(i * rows), dim_num(0)}, end[] = {dim_num((i + 1) * rows), is.d[1]};
        value side[3];
        int parts = 0;
        if (i) side[parts++] = zeros(t, rows, i * columns);
        side[parts++] = graph_slice(t->g, x, 2, begin, end);
        if (i + 1 < n) side[parts++] = zeros(t, rows, (n - 1 - i) * columns);
        blocks[i] = joined(t, 1, parts, side);
    }
    return joined(t, 0, (int)n, blocks);
}

static value sliced(training *t, const recipe *r, value x) {
    type is = *graph_type(t->g, x);
    dim begin[IR_MAX_RANK];
    for (int i = 0; i < is.rank; i++) begin[i] = dim_num(i == r->axis ? r->begin : 0);
    is.d[r->axis] = dim_num(r->begin + r->type.d[r->axis].n);
    return graph_slice(t->g, x, is.rank, begin, is.d);
}

// The value that the recipe makes, of states and ops; VALUE_NONE with a diagnostic.
static value as_ops(training *t, const recipe *r) {
    if (r->kind == RECIPE_TENSOR) return state_of(t, r);
    if (!names_tensor(r)) return graph_constant_recipe(t->g, NULL, r);
    value *parts = ARENA_ARRAY(t->scratch, value, r->part_count), x;
    for (int i = 0; i < r->part_count; i++)
        if ((parts[i] = as_ops(t, r->parts[i])) == VALUE_NONE) return VALUE_NONE;
    x = parts[0];
    switch (r->kind) {
    case RECIPE_CAST: // a state is float32
        if (r->type.e == ELEM_F32) return x;
        break;
    case RECIPE_TRANSPOSE: return graph_transpose(t->g, x, 2, (int64_t[]){1, 0});
    case RECIPE_CONCAT: return joined(t, r->axis, r->part_count, parts);
    case RECIPE_SCALE: return graph_op2(t->g, OP_mul, x, graph_scalar(t->g, r->scale));
    case RECIPE_SHIFT: return graph_op2(t->g, OP_add, x, graph_scalar(t->g, r->scale));
    case RECIPE_RESHAPE: return graph_reshape(t->g, x, r->type.rank, r->type.d);
    case RECIPE_SLICE: return sliced(t, r, x);
    case RECIPE_DIAGONAL: return diagonal(t, x, r->axis);
    case RECIPE_PRODUCT: return graph_op2(t->g, OP_matmul, x, parts[1]);
    case RECIPE_SUM: return graph_op2(t->g, OP_add, x, parts[1]);
    case RECIPE_TENSOR:
    case RECIPE_COS:
    case RECIPE_SIN:
    case RECIPE_DFT_COS:
    case RECIPE_DFT_SIN:
    case RECIPE_NORM:
    case RECIPE_PACK:
    case RECIPE_COLUMN_SCALES:
    case RECIPE_QUANTIZE_COLUMNS:
    case RECIPE_ROW_SCALES:
    case RECIPE_QUANTIZE_ROWS:
    case RECIPE_COLUMN_SUMS:
    case RECIPE_NUMBERS:
    case RECIPE_LARGE:
    case RECIPE_QUOTIENT:
    case RECIPE_SCALE_ROWS:
    case RECIPE_ZEROS:
    case RECIPE_KINDS: break;
    }
    const recipe *source = r;
    while (source->kind != RECIPE_TENSOR) source = source->parts[0];
    return refuse(t, source->tensor, arena_printf(t->scratch, "%s changes it", recipe_word(r->kind))),
           VALUE_NONE;
}

static bool replace(training *t, int i) {
    value v = t->constants[i];
    if (!t->apart[i]) {
        node_set_attr(t->g, graph_node(t->g, v), attr_flag(ATTR_trainable));
        return true;
    }
    value with = as_ops(t, recipe_of(t, i));
    if (with != VALUE_NONE) replace_all_uses(t->r, v, with);
    return with != VALUE_NONE;
}

// Each state needs a name, by which its gradient goes: the constant's, or the tensor's.
static void name_states(graph *g) {
    for (value v = 0; v < g->count; v++) {
        if (!node_is_state(graph_node(g, v)) || graph_node(g, v)->name) continue;
        const recipe *r = node_attr(graph_node(g, v), ATTR_recipe)->u.recipe;
        while (r->kind != RECIPE_TENSOR) r = r->parts[0];
        const char *name = r->tensor;
        for (value u = 0; u < g->count; u++)
            if (graph_node(g, u)->name && !strcmp(graph_node(g, u)->name, name))
                name = arena_printf(g->arena, "%s.state", name);
        graph_name(g, v, name);
    }
}

bool hub_make_trainable(graph *g, const hub_weights *w, const hub_config *config, diag *d) {
    training t = {
        .r = rewriter_begin(g), .g = g, .weights = w, .config = config, .d = d, .scratch = arena_new()};
    bool ok = true;
    find_constants(&t);
    settle(&t);
    t.names = ARENA_ARRAY(t.scratch, const char *, t.use_count + 1);
    t.states = ARENA_ARRAY(t.scratch, value, t.use_count + 1);
    for (int i = 0; i < t.count; i++) ok &= replace(&t, i);
    rewriter_end(t.r);
    if (ok) name_states(g);
    arena_free(t.scratch);
    return ok;
}
