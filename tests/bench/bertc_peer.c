// bertc as a contender:  bertc_peer MODEL.so THREADS [huge-pages]
#include <stdlib.h>
#include <string.h>

#include "peer_io.h"
#include "runtime/bertc.h"

#define OUTPUTS_MAX 16

typedef struct own {
    bertc_model *model;
    bertc_session *session;
    const peer_batch *batch;
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
    if (o.model) o.session = bertc_open(o.model, &options, &e);
    double load = (peer_seconds() - start) * 1e3;
    if (!o.session) return peer_failed(e.message);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(o.model, &info, NULL);
    if (info.output_count > OUTPUTS_MAX) return peer_failed("more outputs than expected");
    o.outputs = info.output_count;
    char isa[32];
    snprintf(isa, sizeof(isa), "%.*s", (int)strcspn(info.isa_names, ","), info.isa_names);
    int status = peer_serve(&(peer_calls){&o, set_batch, call, write_outputs}, load, *isa ? isa : "generic");
    for (int i = 0; i < o.outputs; i++) free(o.buffers[i]);
    bertc_close(o.session);
    bertc_unload(o.model);
    return status;
}
