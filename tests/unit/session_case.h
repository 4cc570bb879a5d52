// A session on a model by hand (toy.h), and grids of tokens with what must come out of them.
#ifndef BERTC_TESTS_SESSION_CASE_H
#define BERTC_TESTS_SESSION_CASE_H

#include <check.h>
#include <pthread.h>

#include "toy.h"

static const toy_variant two[] = {{"toy_s8", 0, 8, 8}, {"toy_s32", 0, 32, 32}};
static const toy_options plain = {.variants = two, .variant_count = 2, .pad_id = 0};

typedef struct run_case {
    blob memory;
    bertc_model *model;
    bertc_session *session;
} run_case;

static inline run_case open_case(const toy_options *o, const bertc_session_options *s) {
    bertc_error error = {""};
    run_case c = {.memory = toy_memory(*o)};
    c.model = bertc_load_memory(c.memory.data, NULL, &error);
    ck_assert_msg(c.model != NULL, "%s", error.message);
    c.session = bertc_open(c.model, s, &error);
    ck_assert_msg(c.session != NULL, "%s", error.message);
    return c;
}
static inline void close_case(run_case *c) {
    bertc_close(c->session);
    bertc_unload(c->model);
    free(c->memory.data);
}

// A grid of up to 64 x 64 and its outputs.
typedef struct grid {
    int64_t batch, length;
    int32_t ids[4096], mask[4096], types[4096];
    float *out[TOY_OUTPUTS];
    bertc_tensor tensors[TOY_OUTPUTS];
    bertc_error error;
} grid;

static inline grid *grid_new(int64_t batch, int64_t length) {
    grid *g = calloc(1, sizeof *g);
    g->batch = batch;
    g->length = length;
    g->tensors[0].size = sizeof *g->tensors;
    return g;
}
static inline void grid_free(grid *g) {
    for (int i = 0; i < TOY_OUTPUTS; i++) free(g->out[i]);
    free(g);
}
static inline bool grid_run(run_case *c, grid *g) {
    bertc_batch in = {BERTC_SIZED(bertc_batch), g->batch, g->length, g->ids, g->mask, g->types};
    for (int i = 0; i < TOY_OUTPUTS; i++) {
        free(g->out[i]);
        g->out[i] = malloc(bertc_output_bytes(c->model, i, g->batch, g->length) + 1);
    }
    return bertc_run(c->session, &in, g->out, g->tensors, &g->error);
}
static inline void put_row(grid *g, int64_t b, int64_t at, int n, int first_id) {
    for (int i = 0; i < n; i++) {
        g->ids[b * g->length + at + i] = first_id + i;
        g->mask[b * g->length + at + i] = 1;
        g->types[b * g->length + at + i] = i % TOY_TYPES;
    }
}

// Everything that the toy's kernels should give on that grid, column rule.
static inline void check_grid(const grid *g) {
    for (int64_t b = 0; b < g->batch; b++) {
        int first = -1;
        for (int64_t c = 0; c < g->length && first < 0; c++)
            if (g->mask[b * g->length + c]) first = g->ids[b * g->length + c];
        ck_assert_float_eq(g->out[TOY_POOLER][b * 2 + 1], (float)first);
        for (int64_t c = 0; c < g->length; c++) {
            int64_t at = b * g->length + c;
            bool on = g->mask[at] != 0;
            const float *h = g->out[TOY_HIDDEN] + at * 4, *l = g->out[TOY_LOGITS] + at * 8;
            ck_assert_float_eq(h[0], on ? (float)g->ids[at] : 0);
            ck_assert_float_eq(h[1], on ? (float)g->types[at] : 0);
            ck_assert_float_eq(h[2], on ? (float)c : 0);
            ck_assert_float_eq(h[3], on ? (float)(g->ids[at] + first) : 0);
            for (int v = 0; v < 8; v++) ck_assert_float_eq(l[v], on ? (float)(10 * g->ids[at] + v) : 0);
            for (int64_t k = 0; k < g->length; k++)
                for (int64_t head = 0; head < 2; head++) {
                    float a = g->out[TOY_ATTENTION][((b * 2 + head) * g->length + c) * g->length + k];
                    bool both = on && g->mask[b * g->length + k];
                    float want =
                        both ? (float)(1000 * g->ids[at] + g->ids[b * g->length + k]) + 0.5f * (float)head
                             : 0;
                    ck_assert_float_eq(a, want);
                }
        }
    }
}

// A parallel_for of an application: a thread for each of up to 16 bodies.
typedef struct case_body {
    void (*body)(void *, int64_t);
    void *context;
    int64_t i;
} case_body;
static inline void *case_body_main(void *p) {
    case_body *b = p;
    b->body(b->context, b->i);
    return NULL;
}
static inline void case_thread_for(void *user, int64_t n, void (*body)(void *, int64_t), void *context) {
    (void)user;
    pthread_t threads[16];
    case_body b[16];
    ck_assert_int_le(n, 16);
    for (int64_t i = 0; i < n; i++) {
        b[i] = (case_body){body, context, i};
        pthread_create(&threads[i], NULL, case_body_main, &b[i]);
    }
    for (int64_t i = 0; i < n; i++) pthread_join(threads[i], NULL);
}

#endif
