// bertc as a contender:  bertc_peer MODEL.so THREADS [huge-pages]
// Of an artefact that trains (bertc compile --train) a call is a step, and its outputs are loss and norm.
#include <stdlib.h>
#include <string.h>

#include "peer_io.h"
#include "runtime/bertc_train.h"

#define OUTPUTS_MAX 16
#define RATE        2e-5f

typedef struct own {
    bertc_model *model;
    bertc_session *session; // NULL: it trains
    bertc_trainer *trainer;
    const peer_batch *batch;
    int32_t *labels, step;
    float said[2]; // loss and norm
    int outputs;
    float *buffers[OUTPUTS_MAX];
    size_t bytes[OUTPUTS_MAX];
} own;

static bool set_batch(void *user, const peer_batch *b, char *error) {
    own *o = user;
    o->batch = b;
    for (int i = 0; i < o->outputs; i++) {
        free(o->buffers[i]);
        o->bytes[i] = bertc_output_bytes(o->model, i, b->texts, b->length);
        o->buffers[i] = calloc(1, o->bytes[i] + 1);
        if (!o->buffers[i]) return strcpy(error, "out of memory"), false;
    }
    return true;
}

static bool set_step_batch(void *user, const peer_batch *b, char *error) {
    own *o = user;
    o->batch = b;
    free(o->labels);
    o->labels = calloc((size_t)b->texts, sizeof *o->labels);
    if (!o->labels) return strcpy(error, "out of memory"), false;
    for (int64_t i = 0; i < b->texts; i++) o->labels[i] = (int32_t)(i & 1);
    return true;
}

static bool step(void *user, char *error) {
    own *o = user;
    bertc_error e;
    const bertc_target labels = {BERTC_SIZED(bertc_target), "labels", o->labels, NULL};
    const bertc_train_batch b = {.size = sizeof b,
                                 .batch = o->batch->texts,
                                 .length = o->batch->length,
                                 .input_ids = o->batch->ids,
                                 .attention_mask = o->batch->mask,
                                 .target_count = 1,
                                 .targets = &labels,
                                 .scale = 1.0f / (float)o->batch->texts,
                                 .seed = {1, o->step + 1}};
    const bertc_train_update u = {.size = sizeof u, .step = ++o->step, .rate = RATE, .clip = 1};
    if (bertc_trainer_step(o->trainer, &b, &u, &o->said[0], &o->said[1], &e)) return true;
    memcpy(error, e.message, sizeof(e.message));
    return false;
}

static bool write_step(void *user, FILE *f, int64_t *count, char *error) {
    own *o = user;
    (void)error;
    *count = 2;
    return fwrite(o->said, sizeof(float), 2, f) == 2;
}

static bool call(void *user, char *error) {
    own *o = user;
    bertc_error e;
    bertc_batch b = {
        BERTC_SIZED(bertc_batch), o->batch->texts, o->batch->length, o->batch->ids, o->batch->mask, NULL};
    if (bertc_run(o->session, &b, o->buffers, NULL, &e)) return true;
    memcpy(error, e.message, sizeof(e.message));
    return false;
}

static bool write_outputs(void *user, FILE *f, int64_t *count, char *error) {
    own *o = user;
    (void)error;
    for (int i = 0; i < o->outputs; i++) {
        if (fwrite(o->buffers[i], 1, o->bytes[i], f) != o->bytes[i]) return false;
        *count += (int64_t)(o->bytes[i] / sizeof(float));
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc < 3) return peer_failed("usage: bertc_peer MODEL.so THREADS [huge-pages]");
    own o = {0};
    bertc_error e;
    double start = peer_seconds();
    o.model = bertc_load(argv[1], &e);
    bertc_session_options options = {BERTC_SIZED(bertc_session_options), .threads = atoi(argv[2]),
                                     .huge_pages = argc > 3 && !strcmp(argv[3], "huge-pages")};
    bool trains = o.model && bertc_model_trains(o.model);
    if (trains) o.trainer = bertc_trainer_open(o.model, &options, &e);
    if (o.model && !trains) o.session = bertc_open(o.model, &options, &e);
    double load = (peer_seconds() - start) * 1e3;
    if (!o.session && !o.trainer) return peer_failed(e.message);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(o.model, &info, NULL);
    if (!trains && info.output_count > OUTPUTS_MAX) return peer_failed("more outputs than expected");
    o.outputs = trains ? 0 : info.output_count;
    char isa[32];
    snprintf(isa, sizeof(isa), "%.*s", (int)strcspn(info.isa_names, ","), info.isa_names);
    const peer_calls answers = {&o, set_batch, call, write_outputs},
                     steps = {&o, set_step_batch, step, write_step};
    int status = peer_serve(trains ? &steps : &answers, load, *isa ? isa : "generic");
    for (int i = 0; i < o.outputs; i++) free(o.buffers[i]);
    free(o.labels);
    if (o.session) bertc_close(o.session);
    bertc_trainer_close(o.trainer);
    bertc_unload(o.model);
    return status;
}
