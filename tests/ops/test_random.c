// links: backend passes ir llvm
// Random bodies of fuse and per_sequence, and graphs for the passes: ops drawn from a seed over values of random rank
// and element type, compiled against evaluated. They yield up to three values, of several types and shapes.
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "main.h"
#include "random_elements.h"

#define PARAMS 3
static const char *const param_names[PARAMS] = {"x", "y", "z"}; // two of f32, one of any element type

// A value that was made already, f32 and leading with the rows where asked.
static value pick(maker *m) {
    for (;;) {
        value v = (value)draw(m, m->g->count);
        if (type_of(m, v)->e == ELEM_F32 && type_of(m, v)->rank >= 2 &&
            graph_node(m->g, v)->op != OP_constant)
            return v;
    }
}

static value unary(maker *m, value x) {
    static const op ops[] = {OP_neg, OP_tanh, OP_erf, OP_sigmoid, OP_softmax};
    if (draw(m, 6) == 0) {
        attr word = attr_word(ATTR_approximation, draw(m, 2) ? "none" : "tanh");
        return graph_append(m->g, OP_gelu, 1, &x, 1, &word);
    }
    return graph_op1(m->g, ops[draw(m, 5)], x);
}

static value binary(maker *m, value x) {
    static const op ops[] = {OP_add, OP_sub, OP_mul, OP_maximum};
    value y = x;
    if (draw(m, 3) == 0) {
        y = graph_scalar(m->g, (double)draw(m, 9) / 4 - 1);
    } else {
        for (int i = 0; i < 8; i++) {
            value other = pick(m);
            if (type_same_shape(type_of(m, other), type_of(m, x))) y = other;
        }
    }
    op o = ops[draw(m, 4)];
    return draw(m, 2) ? graph_op2(m->g, o, x, y) : graph_op2(m->g, o, y, x);
}

static value reduce(maker *m, value x) {
    static const op ops[] = {OP_reduce_sum, OP_reduce_max, OP_reduce_mean};
    int64_t axis = 1 + draw(m, type_of(m, x)->rank - 1);
    if (m->rows == SYM_L && draw(m, 4) == 0) axis = 0;
    attr axes = attr_ints(m->a, ATTR_axes, 1, &axis);
    value y = graph_append(m->g, ops[draw(m, 3)], 1, &x, 1, &axes);
    return graph_op2(m->g, OP_sub, x, y); // back to x's shape
}

static value slice(maker *m, value x) {
    const type *t = type_of(m, x);
    dim begin[IR_MAX_RANK], end[IR_MAX_RANK];
    for (int i = 0; i < t->rank; i++) {
        begin[i] = dim_num(0);
        end[i] = t->d[i];
        if (t->d[i].s != SYM_NONE || t->d[i].n < 3) continue;
        begin[i] = dim_num(draw(m, t->d[i].n / 2));
        end[i] = dim_num(begin[i].n + 1 + draw(m, t->d[i].n - begin[i].n));
    }
    return graph_slice(m->g, x, t->rank, begin, end);
}

// Splits the last axis, or joins the last two.
static value reshape(maker *m, value x) {
    type t = *type_of(m, x);
    dim *last = &t.d[t.rank - 1];
    if (t.rank < 4 && last->s == SYM_NONE && last->n % 2 == 0) {
        t.d[t.rank] = dim_num(last->n / 2);
        *last = dim_num(2);
        t.rank++;
    } else if (t.rank > 2 && last->s == SYM_NONE && last[-1].s == SYM_NONE) {
        last[-1].n *= last->n;
        t.rank--;
    }
    return graph_reshape(m->g, x, t.rank, t.d);
}

static value transpose(maker *m, value x) {
    int rank = type_of(m, x)->rank, first = m->rows == SYM_L && draw(m, 2) ? 0 : 1;
    int64_t perm[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    int i = first + (int)draw(m, rank - first), k = first + (int)draw(m, rank - first);
    int64_t p = perm[i];
    perm[i] = perm[k];
    perm[k] = p;
    return graph_transpose(m->g, x, rank, perm);
}

static value concat(maker *m, value x) {
    value in[] = {x, x};
    int rank = type_of(m, x)->rank;
    if (type_of(m, x)->d[rank - 1].s != SYM_NONE || type_of(m, x)->d[rank - 1].n > 40) return x;
    attr axis = attr_int(ATTR_axis, rank - 1);
    return graph_append(m->g, OP_concat, 2, in, 1, &axis);
}

// x times its own transpose, softened so that values stay small.
static value square(maker *m, value x) {
    int rank = type_of(m, x)->rank;
    int64_t perm[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    if (rank < 3) return x;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    value y = graph_op2(m->g, OP_matmul, x, graph_transpose(m->g, x, rank, perm));
    return graph_op1(m->g, OP_tanh, y);
}

static value step(maker *m) {
    value x = pick(m);
    switch (draw(m, 12)) {
    case 0: return unary(m, x);
    case 1:
    case 2: return binary(m, x);
    case 3: return reduce(m, x);
    case 4: return slice(m, x);
    case 5: return reshape(m, x);
    case 6: return transpose(m, x);
    case 7: return concat(m, x);
    case 8: return square(m, x);
    default: return element_step(m);
    }
}

// The last value that leads with the rows and has numbers behind them; brought to two axes.
static value last_rows(maker *m) {
    for (value v = m->g->count - 1;; v--) {
        const type *t = type_of(m, v);
        bool fits = t->e == ELEM_F32 && t->rank >= 2 && dim_eq(t->d[0], dim_sym(m->rows));
        for (int i = 1; i < t->rank; i++) fits = fits && t->d[i].s == SYM_NONE;
        if (!fits) continue;
        int64_t n = 1;
        for (int i = 1; i < t->rank; i++) n *= t->d[i].n;
        return graph_reshape(m->g, v, 2, (dim[]){dim_sym(m->rows), dim_num(n)});
    }
}

// Of another element type. What is cast or compared is exact, so that rounding can't tell the two sides apart.
static value other_type(maker *m) {
    value x = graph_op2(m->g, OP_mul, (value)draw(m, 2), graph_scalar(m->g, 4));
    if (draw(m, 3) == 0) {
        value inputs[] = {x, graph_scalar(m->g, 0.5)};
        attr predicate = attr_word(ATTR_predicate, "lt");
        return graph_append(m->g, OP_compare, 2, inputs, 1, &predicate);
    }
    return cast_to(m, times(m, x, 4), drawn_elems[draw(m, DRAWN_ELEMS)]);
}

// One number for each of x's rows, or (down) one row for all of them.
static value reduced(maker *m, value x, bool down) {
    static const op ops[] = {OP_reduce_sum, OP_reduce_max, OP_reduce_mean};
    int64_t axis = down ? 0 : type_of(m, x)->rank - 1;
    attr axes = attr_ints(m->a, ATTR_axes, 1, &axis);
    return graph_append(m->g, ops[draw(m, 3)], 1, &x, 1, &axes);
}

// What a body may yield beside its first value: a param, that value again, or another of any shape and type.
static value further_yield(maker *m, value first) {
    switch (draw(m, 6)) {
    case 0: return (value)draw(m, PARAMS);
    case 1: return first;
    case 2: return reduced(m, first, false);
    case 3: return reduced(m, (value)draw(m, 2), true);
    case 4: step(m); return last_rows(m);
    default: return other_type(m);
    }
}

static graph *random_body(maker *m, const type *params) {
    m->g = graph_new(m->a, NULL);
    for (int i = 0; i < PARAMS; i++) graph_param(m->g, param_names[i], params[i]);
    use_param(m, 2);
    int64_t steps = 3 + draw(m, 8);
    for (int64_t i = 0; i < steps; i++) step(m);
    value first = last_rows(m);
    int64_t yields = 1 + draw(m, 3);
    graph_output_add(m->g, NULL, first);
    for (int64_t i = 1; i < yields; i++) graph_output_add(m->g, NULL, further_yield(m, first));
    return m->g;
}

// Most yields are outputs of the graph; nobody reads the others.
static void read_some(maker *m, graph *g, value region, char letter) {
    int yields = node_yield_count(graph_node(g, region)), last = (int)draw(m, yields);
    for (int i = 0; i < yields; i++) {
        if (i != last && draw(m, 4) == 0) continue;
        graph_output_add(g, arena_printf(m->a, "%c%d", letter, i), graph_result(g, region, i));
    }
}

// x, y and z, over T.
static void draw_params(maker *m, type *params) {
    dim t = dim_sym(SYM_T), shape[] = {t, dim_num(2 + draw(m, 20)), dim_num(1 + draw(m, 4)),
                                       dim_num(1 + draw(m, 9)), dim_num(1 + draw(m, 30))};
    params[0] = type_make(ELEM_F32, 2, shape);
    params[1] = type_make(ELEM_F32, 3, (dim[]){t, shape[2], shape[3]});
    params[2] = type_make(drawn_elems[draw(m, DRAWN_ELEMS)], 2, (dim[]){t, shape[4]});
}

// Two regions a graph; sums of large values are compared against the largest.
static void check(uint64_t seed, sym rows) {
    maker m = {.a = arena_new(), .state = seed * 77 + 5, .rows = rows};
    graph *g = graph_new(m.a, "random");
    type params[PARAMS];
    draw_params(&m, params);
    value in[1 + PARAMS] = {graph_input(g, "bounds", type_make(ELEM_I32, 1, (dim[]){{SYM_S, 1}}))};
    for (int i = 0; i < PARAMS; i++)
        in[i + 1] = graph_input(g, param_names[i], params[i]), params[i].d[0] = dim_sym(rows);
    for (int i = 0; i < 2; i++) {
        graph *body = random_body(&m, params);
        bool fuse = rows == SYM_T;
        value v = graph_region(g, fuse ? OP_fuse : OP_per_sequence, PARAMS + !fuse, in + fuse, body, 1);
        read_some(&m, g, v, i ? 'b' : 'a');
    }
    harness_check(g, &(harness){.tolerance = 1e-5, .texts = 4, .lengths = {7, 1, 18, 3}});
    arena_free(m.a);
}

// Rows of x by a weight of the checkpoint, f32 or narrow, or rows of a narrow table.
static value weighted(maker *m, harness_weights *w) {
    static const elem of[] = {ELEM_F32, ELEM_BF16, ELEM_I8, ELEM_U8, ELEM_F16, ELEM_I4};
    elem e = of[draw(m, 6)], kept = e == ELEM_I4 ? ELEM_I8 : e;
    bool table = e == ELEM_U8 || e == ELEM_F16 || e == ELEM_I4;
    int64_t n = type_of(m, 0)->d[1].n, shape[] = {table ? 5 : n, 1 + draw(m, 40)};
    double most = elem_is_float(kept) ? 1 : 100;
    recipe *r = harness_tensor(w, arena_printf(m->a, "w%d", w->count), kept, 2, shape, -most, most);
    if (e != kept) r = recipe_cast(m->a, r, e);
    value k = graph_constant_recipe(m->g, NULL, r), x = 0;
    if (table) return cast_to(m, graph_op2(m->g, OP_gather, k, PARAMS), ELEM_F32);
    if (e != ELEM_F32) x = cast_to(m, times(m, x, 4), draw(m, 2) && e == ELEM_I8 ? ELEM_U8 : e);
    value y = cast_to(m, graph_op2(m->g, OP_matmul, x, k), ELEM_F32);
    return graph_op1(m->g, OP_tanh, times(m, y, elem_is_float(kept) ? 0x1p-3 : 0x1p-10));
}

// Ops at the top, which all the passes fuse as they can.
static void check_passes(uint64_t seed) {
    maker m = {.a = arena_new(), .state = seed * 91 + 3, .rows = SYM_T};
    harness_weights w = {.a = m.a};
    graph *g = m.g = graph_new(m.a, "random");
    type params[PARAMS];
    dim tokens = dim_sym(SYM_T);
    draw_params(&m, params);
    for (int i = 0; i < PARAMS; i++) graph_input(g, param_names[i], params[i]);
    graph_input(g, "ids", type_make(ELEM_I32, 1, &tokens));
    use_param(&m, 2);
    for (int64_t i = 4 + draw(&m, 8); i > 0; i--) draw(&m, 3) ? step(&m) : weighted(&m, &w);
    graph_output_add(g, "first", last_rows(&m));
    graph_output_add(g, "other", other_type(&m));
    graph_output_add(g, "last", last_rows(&m));
    harness_check(g, &(harness){.tolerance = 1e-5, .passes = "+merge_qkv", .weights = &w});
    arena_free(m.a);
}

START_TEST(random_passes) {
    check_passes((uint64_t)_i);
}
END_TEST

START_TEST(random_fuse) {
    check((uint64_t)_i, SYM_T);
}
END_TEST

START_TEST(random_per_sequence) {
    check((uint64_t)_i, SYM_L);
}
END_TEST

int main(int argc, char **argv) {
    int seeds = argc > 1 ? atoi(argv[1]) : 12;
    Suite *s = suite_create("random");
    TCase *t = tcase_create("random");
    tcase_add_loop_test(t, random_fuse, 0, seeds);
    tcase_add_loop_test(t, random_per_sequence, 0, seeds);
    tcase_add_loop_test(t, random_passes, 0, seeds);
    suite_add_tcase(s, t);
    return suite_status(s);
}
