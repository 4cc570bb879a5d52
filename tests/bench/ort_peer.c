// ONNX Runtime as a contender, through its C API:  ort_peer LIBRARY MODEL.onnx THREADS
// All optimisations, sequential execution, outputs bound to buffers of the caller: nothing is copied or
// allocated around a call.
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "ort_api.h"
#include "peer_io.h"

#define TENSORS_MAX 8
#define RANK_MAX    6

typedef struct tensor {
    char *name;
    int64_t shape[RANK_MAX];
    size_t rank, count;
    int type;
    void *data;
    ort_object *value;
} tensor;

typedef struct ort {
    ort_api api;
    ort_object *env, *options, *session, *memory, *allocator;
    size_t input_count, output_count;
    tensor inputs[TENSORS_MAX], outputs[TENSORS_MAX];
    const char *input_names[TENSORS_MAX], *output_names[TENSORS_MAX];
    const ort_object *input_values[TENSORS_MAX];
    ort_object *output_values[TENSORS_MAX];
} ort;

static bool good(ort *o, ort_status status, char *error) {
    if (!status) return true;
    snprintf(error, 512, "%.500s", o->api.message(status));
    error[strcspn(error, "\n")] = 0;
    o->api.release_status(status);
    return false;
}

static bool open_library(ort *o, const char *path, char *error) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const ort_api_base *(*get_base)(void) = NULL;
    if (library) *(void **)&get_base = dlsym(library, "OrtGetApiBase");
    const void *const *table = get_base ? get_base()->get_api(ORT_API_VERSION) : NULL;
    if (!table) return snprintf(error, 512, "%.400s: no ONNX Runtime", path), false;
#define X(name, place, type) memcpy(&o->api.name, &table[place], sizeof(void *));
    ORT_FUNCTIONS(X)
#undef X
    fprintf(stderr, "ONNX Runtime %s\n", get_base()->version());
    return true;
}

static bool open_session(ort *o, const char *model, int threads, char *error) {
    const ort_api *a = &o->api;
    return good(o, a->create_options(&o->options), error) &&
           good(o, a->set_execution_mode(o->options, ORT_SEQUENTIAL), error) &&
           good(o, a->set_optimisation(o->options, ORT_ALL_OPTIMISATIONS), error) &&
           good(o, a->set_threads(o->options, threads), error) &&
           good(o, a->set_inter_threads(o->options, 1), error) &&
           good(o, a->create_session(o->env, model, o->options, &o->session), error);
}

static bool describe(ort *o, char *error) {
    const ort_api *a = &o->api;
    if (!good(o, a->default_allocator(&o->allocator), error) ||
        !good(o, a->cpu_memory(ORT_DEVICE_ALLOCATOR, ORT_DEFAULT_MEMORY, &o->memory), error) ||
        !good(o, a->input_count(o->session, &o->input_count), error) ||
        !good(o, a->output_count(o->session, &o->output_count), error))
        return false;
    if (o->input_count > TENSORS_MAX || o->output_count > TENSORS_MAX)
        return strcpy(error, "many tensors"), false;
    for (size_t i = 0; i < o->input_count; i++) {
        tensor *t = &o->inputs[i];
        ort_object *type;
        const ort_object *tensor_type;
        if (!good(o, a->input_name(o->session, i, o->allocator, &t->name), error) ||
            !good(o, a->input_type(o->session, i, &type), error) ||
            !good(o, a->cast_type(type, &tensor_type), error) ||
            !good(o, a->element_type(tensor_type, &t->type), error))
            return false;
        a->release_type(type);
        o->input_names[i] = t->name;
    }
    for (size_t i = 0; i < o->output_count; i++) {
        if (!good(o, a->output_name(o->session, i, o->allocator, &o->outputs[i].name), error)) return false;
        o->output_names[i] = o->outputs[i].name;
    }
    return true;
}

// ids, mask, or zeros, in the element type that the graph takes.
static bool fill_input(ort *o, tensor *t, const peer_batch *b, char *error) {
    size_t n = (size_t)(b->texts * b->length), size = t->type == ORT_INT64 ? 8 : 4;
    const int32_t *from = !strcmp(t->name, "input_ids")        ? b->ids
                          : !strcmp(t->name, "attention_mask") ? b->mask
                                                               : NULL;
    if (t->value) o->api.release_value(t->value);
    free(t->data);
    t->value = NULL;
    t->data = calloc(n, size);
    if (!t->data) return strcpy(error, "out of memory"), false;
    for (size_t i = 0; from && i < n; i++) {
        if (size == 8)
            ((int64_t *)t->data)[i] = from[i];
        else
            ((int32_t *)t->data)[i] = from[i];
    }
    int64_t shape[] = {b->texts, b->length};
    return good(o, o->api.make_tensor(o->memory, t->data, n * size, shape, 2, t->type, &t->value), error);
}

static bool run(ort *o, char *error) {
    return good(o,
                o->api.run(o->session, NULL, o->input_names, o->input_values, o->input_count, o->output_names,
                           o->output_count, o->output_values),
                error);
}

// Puts a buffer of our own in the place of an output that the runtime allocated, with the same numbers.
static bool bind_output(ort *o, tensor *t, ort_object **value, char *error) {
    const ort_api *a = &o->api;
    ort_object *type;
    void *given;
    if (!good(o, a->tensor_type(*value, &type), error) ||
        !good(o, a->dimension_count(type, &t->rank), error) || t->rank > RANK_MAX ||
        !good(o, a->dimensions(type, t->shape, t->rank), error) ||
        !good(o, a->element_count(type, &t->count), error) || !good(o, a->data(*value, &given), error))
        return false;
    free(t->data);
    t->data = malloc(t->count * sizeof(float));
    if (!t->data) return strcpy(error, "out of memory"), false;
    memcpy(t->data, given, t->count * sizeof(float));
    a->release_tensor_type(type);
    a->release_value(*value);
    *value = NULL;
    return good(
        o, a->make_tensor(o->memory, t->data, t->count * sizeof(float), t->shape, t->rank, ORT_FLOAT, value),
        error);
}

static bool set_batch(void *user, const peer_batch *b, char *error) {
    ort *o = user;
    for (size_t i = 0; i < o->input_count; i++) {
        if (!fill_input(o, &o->inputs[i], b, error)) return false;
        o->input_values[i] = o->inputs[i].value;
    }
    for (size_t i = 0; i < o->output_count; i++) {
        if (o->output_values[i]) o->api.release_value(o->output_values[i]);
        o->output_values[i] = NULL;
        o->outputs[i].count = 0; // bound after the first call, which finds the shapes
    }
    return true;
}

static bool call(void *user, char *error) {
    ort *o = user;
    bool first = o->outputs[0].count == 0;
    if (!run(o, error)) return false;
    if (!first) return true;
    for (size_t i = 0; i < o->output_count; i++) {
        if (!bind_output(o, &o->outputs[i], &o->output_values[i], error)) return false;
    }
    return true;
}

static bool write_outputs(void *user, FILE *f, int64_t *count, char *error) {
    ort *o = user;
    (void)error;
    for (size_t i = 0; i < o->output_count; i++) {
        const tensor *t = &o->outputs[i];
        if (fwrite(t->data, sizeof(float), t->count, f) != t->count) return false;
        *count += (int64_t)t->count;
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc != 4) return peer_failed("usage: ort_peer LIBRARY MODEL.onnx THREADS");
    static ort o;
    char error[512] = "";
    if (!open_library(&o, argv[1], error) ||
        !good(&o, o.api.create_env(ORT_WARNINGS, "bench", &o.env), error))
        return peer_failed(error);
    double start = peer_seconds();
    if (!open_session(&o, argv[2], atoi(argv[3]), error)) return peer_failed(error);
    double load = (peer_seconds() - start) * 1e3;
    if (!describe(&o, error)) return peer_failed(error);
    int status = peer_serve(&(peer_calls){&o, set_batch, call, write_outputs}, load, "-");
    o.api.release_session(o.session);
    return status;
}
