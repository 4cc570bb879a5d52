#include "frontend/cli/probe.h"

#include <math.h>

#include "frontend/cli/verify.h"

#define TOKENS 16

typedef struct collector {
    arena *a;
    int count;
    channel_range *ranges;
} collector;

// Only norms are smoothed.
static bool collect(void *context, const graph *g, value v, const tensor *t) {
    collector *c = context;
    const node *n = graph_node(g, v);
    bool norm = n->op == OP_layer_norm || n->op == OP_rms_norm;
    if (!norm || !n->name || t->e != ELEM_F32 || t->rank != 2) return true;
    int64_t rows = t->shape[0], width = t->shape[1];
    const float *data = t->data;
    float *largest = ARENA_ARRAY(c->a, float, width), *mean = ARENA_ARRAY(c->a, float, width),
          *deviation = ARENA_ARRAY(c->a, float, width);
    for (int64_t k = 0; k < width; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < rows; i++) {
            double x = (double)data[i * width + k];
            largest[k] = fmaxf(largest[k], (float)fabs(x));
            sum += x;
            squares += x * x;
        }
        double m = rows ? sum / (double)rows : 0, square = rows ? squares / (double)rows : 0;
        mean[k] = (float)m;
        deviation[k] = (float)sqrt(fmax(square - m * m, 0));
    }
    c->ranges[c->count++] = (channel_range){arena_strdup(c->a, n->name), width, largest, mean, deviation};
    return true;
}

bool probe(const hub_model *m, arena *a, calibration *out, diag *d) {
    const graph *g = m->graph;
    arena *scratch = arena_new();
    collector c = {.a = a, .ranges = ARENA_ARRAY(a, channel_range, g->count)};
    int64_t n = m->position_count < TOKENS ? m->position_count : TOKENS;
    inputs x = verify_inputs(scratch, m, n);
    tensor *results = ARENA_ARRAY(scratch, tensor, g->output_count);
    bool ok = verify_evaluate(g, m, &x, collect, NULL, &c, scratch, results, d);
    arena_free(scratch);
    *out = (calibration){.count = c.count, .ranges = c.ranges, .rough = true};
    return ok;
}
