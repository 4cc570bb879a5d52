// BGE-M3: dense, sparse and late interaction from one pass over a text. Its two heads are files of torch.save beside the
// encoder: sparse_linear.pt, a weight per token, and colbert_linear.pt, a vector per token.
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/sentence/sentence.h"

// What --outputs calls the three answers, and the order of hub_sentence.several.
static const char *const words[HUB_ANSWERS] = {"dense", "sparse", "colbert"}, *const files[HUB_ANSWERS] = {
                                                                                  NULL, "sparse_linear.pt",
                                                                                  "colbert_linear.pt"};

static int answer_of(const char *word, size_t n) {
    for (int i = 0; i < HUB_ANSWERS; i++)
        if (strlen(words[i]) == n && !strncmp(words[i], word, n)) return i;
    return -1;
}

const char *hub_several_read(const char *outputs, arena *a, hub_sentence *s) {
    const char *rest = NULL;
    for (const char *p = outputs; p && *p;) {
        size_t n = strcspn(p, ",");
        int i = answer_of(p, n);
        if (i >= 0)
            s->several[i] = true;
        else if (n)
            rest = arena_printf(a, "%s%s%.*s", rest ? rest : "", rest ? "," : "", (int)n, p);
        p += n + (p[n] == ',');
    }
    return rest;
}

bool hub_several_there(const char *folder, arena *a) {
    for (int i = 0; i < HUB_ANSWERS; i++)
        if (files[i] && !hub_is_file(hub_path(a, folder, files[i]))) return false;
    return true;
}

static hub_step head_of(const char *folder, const char *file, const char *activation, int64_t out, arena *a) {
    const char *name = arena_strndup(a, file, strlen(file) - strlen(".pt"));
    return (hub_step){
        .kind = STEP_DENSE,
        .folder = name,
        .config = hub_path(a, folder, file),
        .weights = hub_path(a, folder, file),
        .out = out,
        .activation = activation,
        .biased = true,
        .weight = {.name = arena_printf(a, "%s/weight", name), .rank = 2},
        .bias = {.name = arena_printf(a, "%s/bias", name), .rank = 1},
    };
}

bool hub_several_open(const char *folder, arena *a, hub_sentence *s, diag *d) {
    for (int i = 0; i < HUB_ANSWERS; i++) {
        if (!s->several[i] || !files[i]) continue;
        if (!hub_is_file(hub_path(a, folder, files[i])))
            return diag_error(d, "--outputs", "%s: %s holds no %s, which is BGE-M3's", words[i], folder,
                              files[i]);
    }
    s->weights_head = head_of(folder, files[1], "relu", 1, a);
    s->vectors_head = head_of(folder, files[2], "linear", 0, a);
    return true;
}
