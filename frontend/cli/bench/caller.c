#include "frontend/cli/bench/caller.h"

#include <stdlib.h>

#include "ir/memory.h"

#define RATE         1e-12f
#define GUESSED_EACH 7 // every seventh token is one that a masked LM guesses, as a share of 0.15 has it

// --- A step

static bool add_target(caller *c, const char *name, bool of_texts, int64_t width, bool integers,
                       const workload *w, diag *d) {
    int64_t texts = w->batch, n = (of_texts ? texts : texts * w->length) * width;
    if (c->target_count == CALLER_TARGETS_MAX) return diag_error(d, name, "is one target too many");
    int32_t *rows = memory_alloc((size_t)n, sizeof *rows);
    if (!rows) return diag_error(d, NULL, "out of memory: target %s", name);
    float *numbers = (float *)(void *)rows;
    for (int64_t i = 0; i < n; i++) { // one of two classes, or places: every model has as many
        int32_t x = of_texts && texts < 2 ? 0 : (int32_t)(i & 1);
        if (integers)
            rows[i] = x;
        else
            numbers[i] = (float)x;
    }
    c->target_rows[c->target_count] = rows;
    c->targets[c->target_count++] =
        (bertc_target){BERTC_SIZED(bertc_target), name, integers ? rows : NULL, integers ? NULL : numbers};
    return true;
}

static bool make_targets(caller *c, const bertc_model *model, const workload *w, diag *d) {
    char symbol;
    int64_t width;
    bool integers, guesses = false;
    const char *name;
    for (int i = 0; (name = bertc_target_describe(model, i, &symbol, &width, &integers)); i++) {
        guesses |= symbol == 'R';
        if (!add_target(c, name, symbol == 'S', width, integers, w, d)) return false;
    }
    if (!guesses) return true;
    int64_t n = w->batch * w->length;
    c->rows = memory_alloc((size_t)n, sizeof *c->rows);
    if (!c->rows) return diag_error(d, NULL, "out of memory: rows");
    for (int64_t i = 0; i < n; i++) c->rows[i] = i % GUESSED_EACH == 0;
    return true;
}

static bool open_trainer(caller *c, bertc_model *model, const bertc_session_options *so, const workload *w,
                         diag *d) {
    bertc_error e;
    c->trainer = bertc_trainer_open(model, so, &e);
    if (!c->trainer) return runtime_failed(d, &e);
    return make_targets(c, model, w, d);
}

static bool take_step(caller *c, const workload *w, bertc_error *e) {
    const bertc_train_batch batch = {.size = sizeof batch,
                                     .batch = w->batch,
                                     .length = w->length,
                                     .input_ids = w->ids,
                                     .attention_mask = w->mask,
                                     .rows = c->rows,
                                     .target_count = c->target_count,
                                     .targets = c->targets,
                                     .scale = 1.0f / (float)w->batch,
                                     .seed = {1, c->step + 1}};
    const bertc_train_update update = {.size = sizeof update, .step = ++c->step, .rate = RATE, .clip = 1};
    float loss, norm;
    return bertc_trainer_step(c->trainer, &batch, &update, &loss, &norm, e);
}

// --- An answer

static bool open_session(caller *c, bertc_model *model, const bertc_session_options *so, const workload *w,
                         diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_error e;
    bertc_model_describe(model, &info, NULL);
    c->outputs = info.output_count;
    c->buffers = memory_zero((size_t)info.output_count, sizeof(float *));
    c->session = bertc_open(model, so, &e);
    if (!c->session) return runtime_failed(d, &e);
    if (!c->buffers) return diag_error(d, NULL, "out of memory");
    for (int i = 0; i < c->outputs; i++) {
        c->buffers[i] = memory_alloc(bertc_output_bytes(model, i, w->batch, w->length), 1);
        if (!c->buffers[i])
            return diag_error(d, NULL, "out of memory: output %s", bertc_output_name(model, i));
    }
    return true;
}

static bool answer(caller *c, const workload *w, bertc_error *e) {
    bertc_batch b = {BERTC_SIZED(bertc_batch), w->batch, w->length, w->ids, w->mask, NULL};
    return bertc_run(c->session, &b, c->buffers, NULL, e);
}

// --- Either

bool caller_open(caller *c, const bench_options *o, bertc_model *model, const workload *w, int threads,
                 bertc_phase_hook hook, void *user, diag *d) {
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = threads, .hook = hook,
                                .hook_user = user, .huge_pages = o->huge_pages};
    *c = (caller){0};
    return bertc_model_trains(model) ? open_trainer(c, model, &so, w, d) : open_session(c, model, &so, w, d);
}

void caller_close(caller *c) {
    if (c->session) bertc_close(c->session);
    if (c->trainer) bertc_trainer_close(c->trainer);
    for (int i = 0; c->buffers && i < c->outputs; i++) free(c->buffers[i]);
    free(c->buffers);
    for (int i = 0; i < c->target_count; i++) free(c->target_rows[i]);
    free(c->rows);
    *c = (caller){0};
}

bool caller_call(caller *c, const workload *w, double *seconds, diag *d) {
    bertc_error e;
    double start = seconds_now();
    bool ok = c->trainer ? take_step(c, w, &e) : answer(c, w, &e);
    *seconds = seconds_now() - start;
    return ok || runtime_failed(d, &e);
}
