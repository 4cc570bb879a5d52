// What an artefact says of how it was made: the same checkpoint, options, bertc and LLVM give the same bytes. Options that name files are
// not among them, for the same files may lie elsewhere: the hash is that of their bytes.
#include <inttypes.h>
#include <string.h>

#include "frontend/cli/cli.h"

#define PASSES_MOST 300

static void add_text(cJSON *o, const char *name, const char *text) {
    if (text) cJSON_AddStringToObject(o, name, text);
}

static void add_options(cJSON *root, const build_options *o) {
    cJSON *all = cJSON_AddObjectToObject(root, "options");
    add_text(all, "head", o->hub.head);
    add_text(all, "pooling", o->hub.pooling);
    add_text(all, "combine", o->hub.combine);
    add_text(all, "task", o->hub.task);
    add_text(all, "outputs", o->hub.outputs);
    add_text(all, "train", o->hub.train.task);
    if (o->adapters.count) cJSON_AddNumberToObject(all, "adapters", o->adapters.count);
    cJSON *lengths = o->lengths.count ? cJSON_AddArrayToObject(all, "seq") : NULL;
    for (int i = 0; i < o->lengths.count; i++)
        cJSON_AddItemToArray(lengths, cJSON_CreateNumber((double)o->lengths.v[i]));
    cJSON_AddNumberToObject(all, "batch", (double)o->batch);
    add_text(all, "mcpu", build_mcpu(o));
    add_text(all, "target", o->triple);
    add_text(all, "dtype", o->dtype);
    if (o->calibrate) cJSON_AddBoolToObject(all, "calibrate", true);
    add_text(all, "passes", o->passes);
    cJSON_AddNumberToObject(all, "optimise", (double)o->optimise);
}

static void add_passes(cJSON *root, const build *b, const build_options *o) {
    const char *names[PASSES_MOST];
    const pass_context c = {.precision = build_precision(o), .train = build_makes_step(o)};
    int n = passes_listed(o->passes, b->reached, &c, names, PASSES_MOST);
    cJSON *list = cJSON_AddArrayToObject(root, "passes");
    for (int i = 0; i < n; i++) cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
}

void describe_making(cJSON *root, const build *b, const build_options *o) {
    char hash[32];
    cJSON_AddStringToObject(root, "bertc", bertc_version());
    cJSON_AddStringToObject(root, "llvm", backend_llvm_version());
    if (!o->stops && !o->graph_only) {
        snprintf(hash, sizeof hash, "xxh64:%016" PRIx64, hub_hash(&b->model));
        cJSON_AddStringToObject(root, "checkpoint", hash);
    }
    add_options(root, o);
    add_passes(root, b, o);
}
