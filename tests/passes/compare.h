// Evaluates a graph of bert.h before and after passes, and holds the outputs against each other.
#ifndef TEST_COMPARE_H
#define TEST_COMPARE_H

#include "bert.h"
#include "evaluate.h"

typedef struct texts {
    int64_t tokens, sequences, rows;
    int32_t ids[64], types[64], positions[64], bounds[9], chosen[64], row_bounds[9];
} texts;

// Some texts of 1 to 7 tokens, each with some rows that a head reads.
static texts random_texts(uint32_t *state, const bert *b) {
    texts t = {.sequences = 1 + test_random(state) % 5};
    for (int64_t s = 0; s < t.sequences; s++) {
        int n = 1 + (int)(test_random(state) % 7);
        t.bounds[s] = (int32_t)t.tokens;
        t.row_bounds[s] = (int32_t)t.rows;
        for (int i = 0; i < n; i++, t.tokens++) {
            t.ids[t.tokens] = (int32_t)(test_random(state) % (uint32_t)b->vocab);
            t.types[t.tokens] = (int32_t)(test_random(state) % 2);
            t.positions[t.tokens] = i;
            if (test_random(state) % 3 == 0) t.chosen[t.rows++] = (int32_t)t.tokens;
        }
    }
    t.bounds[t.sequences] = (int32_t)t.tokens;
    t.row_bounds[t.sequences] = (int32_t)t.rows;
    return t;
}

static tensor test_ints(int32_t *data, int64_t n) {
    return (tensor){.e = ELEM_I32, .rank = 1, .shape = {n}, .data = data};
}

static tensor *evaluated(const graph *g, texts *t, const tensor_source *source, arena *a) {
    const struct {
        const char *name;
        tensor v;
    } all[] = {{"ids", test_ints(t->ids, t->tokens)},
               {"types", test_ints(t->types, t->tokens)},
               {"positions", test_ints(t->positions, t->tokens)},
               {"bounds", test_ints(t->bounds, t->sequences + 1)},
               {"rows", test_ints(t->chosen, t->rows)},
               {"row_bounds", test_ints(t->row_bounds, t->sequences + 1)}};
    eval_input inputs[6];
    int n = 0;
    for (value v = 0; v < g->count; v++)
        for (int i = 0; i < 6; i++)
            if (graph_node(g, v)->op == OP_input && !strcmp(graph_node(g, v)->name, all[i].name))
                inputs[n++] = (eval_input){all[i].name, all[i].v};
    eval_options o = {.source = source, .input_count = n, .inputs = inputs, .length = 8};
    return evaluate_all(g, &o, a);
}

// The largest difference of any output, relative where values are above 1; outputs in the order of their
// names.
static double difference(const graph *g, const tensor *x, const graph *h, const tensor *y) {
    double worst = 0;
    ck_assert_int_eq(g->output_count, h->output_count);
    for (int i = 0; i < g->output_count; i++) {
        ck_assert_str_eq(g->outputs[i].name, h->outputs[i].name);
        worst = fmax(worst, largest_difference(&x[i], &y[i]));
    }
    return worst;
}

#endif
