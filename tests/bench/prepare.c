#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"

static bool newer(const char *path, const char *than) {
    struct stat a, b;
    if (stat(path, &a) || stat(than, &b)) return false;
    return a.st_mtim.tv_sec > b.st_mtim.tv_sec ||
           (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec >= b.st_mtim.tv_nsec);
}

static bool exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0;
}

static bool join(char *out, const bench_options *o, const char *name, const char *ending, diag *d) {
    if (snprintf(out, PATH_BYTES, "%s/%s%s", o->work, name, ending) < PATH_BYTES) return true;
    return diag_error(d, o->work, "the path is too long");
}

static char *read_text(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = calloc(1, 65536);
    if (text) text[fread(text, 1, 65535, f)] = 0;
    fclose(f);
    return text;
}

static int64_t number_of(const cJSON *config, const char *name, int64_t otherwise) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, name);
    return cJSON_IsNumber(v) ? (int64_t)v->valuedouble : otherwise;
}

static bool read_sizes(const char *folder, const bench_model *m, model_sizes *s, diag *d) {
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s/config.json", folder);
    char *text = read_text(path);
    cJSON *config = cJSON_Parse(text ? text : "");
    free(text);
    if (!config) return diag_error(d, path, "can't be read");
    *s = (model_sizes){.layers = number_of(config, "num_hidden_layers", 0),
                       .hidden = number_of(config, "hidden_size", 0),
                       .inner = number_of(config, "intermediate_size", 0),
                       .vocabulary = number_of(config, "vocab_size", 0),
                       .labels = m->head ? number_of(config, "num_labels", 2) : 0};
    const cJSON *labels = cJSON_GetObjectItemCaseSensitive(config, "id2label");
    if (m->head && cJSON_IsObject(labels)) s->labels = cJSON_GetArraySize(labels);
    cJSON_Delete(config);
    return (s->layers > 0 && s->hidden > 0) || diag_error(d, path, "has no sizes");
}

bool prepare_checkpoint(const bench_options *o, const bench_model *m, char *folder, model_sizes *sizes,
                        diag *d) {
    char log[PATH_BYTES], weights[PATH_BYTES];
    if (!join(folder, o, m->name, "", d) || !join(log, o, m->name, ".synth.log", d) ||
        !join(weights, o, m->name, "/model.safetensors", d))
        return false;
    if (!exists(weights)) {
        const char *argv[] = {o->bertc, "synth",  m->shape, "-o",
                              folder,   "--seed", "1",      m->head ? "--head" : NULL,
                              m->head,  NULL};
        if (!run_command(argv, log, NULL, d)) return false;
    }
    return read_sizes(folder, m, sizes, d);
}

// Compiled anew in each run: bertc is what is measured.
bool prepare_artefact(const bench_options *o, const bench_build *b, char *path, diag *d) {
    char folder[PATH_BYTES], log[PATH_BYTES];
    model_sizes unused;
    if (!prepare_checkpoint(o, b->model, folder, &unused, d)) return false;
    if (!join(path, o, b->name, ".so", d) || !join(log, o, b->name, ".compile.log", d)) return false;
    struct stat st;
    if (!stat(path, &st) && st.st_mtim.tv_sec > o->started) return true;
    const char *argv[20] = {o->bertc, "compile",  folder,    "-o",    path,
                            "--seq",  b->lengths, "--batch", b->batch};
    int n = 9;
    argv[n++] = "--mcpu", argv[n++] = b->mcpu ? b->mcpu : "native";
    if (b->dtype) argv[n++] = "--dtype", argv[n++] = b->dtype;
    if (b->train) argv[n++] = "--train", argv[n++] = b->train;
    if (b->dropout) argv[n++] = "--dropout", argv[n++] = b->dropout;
    if (o->passes) argv[n++] = "--passes", argv[n++] = o->passes;
    return run_command(argv, log, NULL, d);
}

bool prepare_onnx(const bench_options *o, const bench_model *m, const char *form, char *path, diag *d) {
    char folder[PATH_BYTES], log[PATH_BYTES], script[PATH_BYTES], weights[PATH_BYTES], ending[64];
    model_sizes unused;
    if (!prepare_checkpoint(o, m, folder, &unused, d)) return false;
    snprintf(ending, sizeof(ending), ".%s.onnx", form);
    if (!join(path, o, m->name, ending, d) || !join(weights, o, m->name, "/model.safetensors", d))
        return false;
    snprintf(ending, sizeof(ending), ".%s.log", form);
    if (!join(log, o, m->name, ending, d)) return false;
    if (snprintf(script, sizeof(script), "%s/onnx_graph.py", o->scripts) >= (int)sizeof(script))
        return diag_error(d, o->scripts, "the path is too long");
    if (newer(path, weights) && newer(path, script)) return true;
    const char *argv[] = {o->python_onnx, script, folder, form, path, NULL};
    return run_command(argv, log, NULL, d);
}

bool prepare_batch(const bench_options *o, const bench_row *r, int64_t vocabulary, char *path, diag *d) {
    int64_t length = row_length(r), n = r->texts * length;
    if (!join(path, o, r->name, ".batch", d)) return false;
    int32_t *ids = calloc((size_t)n * 2, sizeof(*ids)), *mask = ids + n;
    FILE *f = fopen(path, "wb");
    if (!ids || !f) {
        free(ids);
        if (f) fclose(f);
        return diag_error(d, path, "can't be written: %s", strerror(errno));
    }
    uint32_t state = 2463534242u;
    for (int row = 0; row < r->texts; row++) {
        for (int64_t k = 0; k < r->lengths[row]; k++) {
            state ^= state << 13, state ^= state >> 17, state ^= state << 5;
            ids[row * length + k] = (int32_t)(state % (uint32_t)vocabulary);
            mask[row * length + k] = 1;
        }
    }
    bool ok = fwrite(ids, sizeof(*ids), (size_t)n * 2, f) == (size_t)n * 2;
    ok = fclose(f) == 0 && ok;
    free(ids);
    return ok || diag_error(d, path, "can't be written: %s", strerror(errno));
}
