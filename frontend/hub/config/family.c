#include "frontend/hub/config/family.h"

#include <string.h>

const hub_family hub_families[] = {
#include "frontend/hub/config/families.def"
#include "frontend/hub/config/families_attention.def"
#include "frontend/hub/config/families_custom.def"
#include "frontend/hub/config/families_decoder.def"
};
const int hub_family_count = sizeof(hub_families) / sizeof(hub_families[0]);

static const char *const head_names[HEAD_COUNT] = {
    [HEAD_MODEL] = "model",
    [HEAD_MASKED_LM] = "masked-lm",
    [HEAD_NEXT_SENTENCE] = "next-sentence",
    [HEAD_PRETRAINING] = "pretraining",
    [HEAD_SEQUENCE] = "sequence-classification",
    [HEAD_TOKEN] = "token-classification",
    [HEAD_ANSWER] = "question-answering",
    [HEAD_DISCRIMINATOR] = "discriminator",
    [HEAD_EMBEDDING] = "embedding",
    [HEAD_SPARSE] = "sparse",
    [HEAD_VECTORS] = "vectors",
    [HEAD_SEVERAL] = "several",
};

static const hub_module_shape shapes[MODULE_COUNT] = {
#define MODULE(id, kind, rows, columns, scope) {KIND_##kind, SIZE_##rows, SIZE_##columns, SCOPE_##scope},
    HUB_MODULES(MODULE)
#undef MODULE
};

const char *hub_head_name(hub_head h) {
    return head_names[h];
}

bool hub_head_find(const char *name, hub_head *h) {
    for (int i = 0; i < HEAD_COUNT; i++) {
        if (!strcmp(name, head_names[i])) return *h = (hub_head)i, true;
    }
    return false;
}

const char *hub_head_names(void) {
    return "model, masked-lm, next-sentence, pretraining, sequence-classification, token-classification, "
           "question-answering, discriminator, embedding, sparse, vectors";
}

bool hub_head_predicts(hub_head h) {
    return h == HEAD_MASKED_LM || h == HEAD_PRETRAINING || h == HEAD_SPARSE;
}

hub_head hub_head_class(hub_head h) {
    return h == HEAD_EMBEDDING || h == HEAD_VECTORS || h == HEAD_SEVERAL ? HEAD_MODEL
           : h == HEAD_SPARSE                                            ? HEAD_MASKED_LM
                                                                         : h;
}

const hub_module_shape *hub_module_of(hub_module m) {
    return &shapes[m];
}

bool hub_family_head(const hub_family *f, const char *architecture, hub_head *h) {
    for (int k = 0; k < HEAD_COUNT; k++) {
        if (f->classes[k] && !strcmp(f->classes[k], architecture)) return *h = (hub_head)k, true;
    }
    return false;
}

const char *hub_family_key(const hub_family *f, hub_key k) {
    static const char *const of_bert[KEY_COUNT] = {[KEY_VOCAB] = "vocab_size",
                                                   [KEY_TYPES] = "type_vocab_size",
                                                   [KEY_POSITIONS] = "max_position_embeddings",
                                                   [KEY_HIDDEN] = "hidden_size",
                                                   [KEY_INNER] = "intermediate_size",
                                                   [KEY_LAYERS] = "num_hidden_layers",
                                                   [KEY_HEADS] = "num_attention_heads",
                                                   [KEY_ACTIVATION] = "hidden_act",
                                                   [KEY_BUCKETS] = "relative_attention_num_buckets",
                                                   [KEY_EPS] = "layer_norm_eps"};
    const char *name = f->keys[k] ? f->keys[k] : of_bert[k];
    return name && *name ? name : NULL;
}
