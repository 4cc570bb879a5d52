// links: hub ir
// Checkpoints as they are published: config.json as it stands on the hub, but for its sizes, and the tensors
// by the names that they have there, in random numbers (tests/models/published). Each is read without a flag,
// as the head that it was published for; what is told of it is told, and no other thing. And checkpoints
// whose config names no family.
#include "published.h"

#define NO_HEAD "names no architecture: taken for the base model"
#define UNTIED  "differs from the word embeddings: read as it stands"

static const struct {
    const char *name, *head;
    const char *notes[4]; // all of them
} published[] = {
    {"ModernBERT-base", "masked-lm", {UNTIED}},
    {"gte-modernbert-base", "model", {NULL}},
    {"all-MiniLM-L6-v2", "model", {"1 tensor is not read: embeddings.position_ids"}},
    {"multilingual-e5-base", "model", {"1 tensor is not read: embeddings.position_ids"}},
    {"biobert-v1.1",
     "model",
     {"names no model_type: taken for bert by the names of its tensors", NO_HEAD,
      "8 tensors are not read: cls.predictions.bias, "}},
    {"dbmdz-bert-german", "model", {NO_HEAD, "9 tensors are not read: bert.embeddings.position_ids, "}},
    {"bert-base-uncased", "masked-lm", {UNTIED, "2 tensors are not read: cls.seq_relationship.weight, "}},
    {"bert-base-uncased-old-config", "model", {NO_HEAD, "7 tensors are not read: cls.predictions.bias, "}},
    {"bert-base-NER", "token-classification", {"1 tensor is not read: bert.embeddings.position_ids"}},
    {"ms-marco-MiniLM-L-6-v2",
     "sequence-classification",
     {"1 tensor is not read: bert.embeddings.position_ids"}},
    {"distilbert-sst2", "sequence-classification", {NULL}},
    {"distilbert-base-uncased", "masked-lm", {UNTIED}},
    {"roberta-base", "masked-lm", {"1 tensor is not read: roberta.embeddings.position_ids"}},
    {"roberta-base-squad2", "question-answering", {"1 tensor is not read: roberta.embeddings.position_ids"}},
    {"xlm-roberta-base", "masked-lm", {UNTIED, "1 tensor is not read: roberta.embeddings.position_ids"}},
    {"bge-reranker-base",
     "sequence-classification",
     {"1 tensor is not read: roberta.embeddings.position_ids"}},
    {"jina-reranker-v2-base-multilingual", "sequence-classification", {NULL}},
    {"camembert-base", "masked-lm", {UNTIED, "1 tensor is not read: roberta.embeddings.position_ids"}},
    {"mpnet-base", "masked-lm", {UNTIED, "1 tensor is not read: mpnet.embeddings.position_ids"}},
    {"deberta-v3-base", "model", {NO_HEAD, "12 tensors are not read: deberta.embeddings.position_ids, "}},
    {"deberta-v2-xlarge",
     "model",
     {NO_HEAD, "5 tensors are not read: lm_predictions.lm_head.dense.weight, "}},
    {"deberta-base", "model", {NO_HEAD, "6 tensors are not read: deberta.embeddings.position_ids, "}},
    {"nli-deberta-v3", "sequence-classification", {NULL}},
    {"electra-small-discriminator",
     "discriminator",
     {"1 tensor is not read: electra.embeddings.position_ids"}},
    {"electra-small-generator",
     "masked-lm",
     {UNTIED, "1 tensor is not read: electra.embeddings.position_ids"}},
    {"albert-base-v2", "masked-lm", {UNTIED, "1 tensor is not read: albert.embeddings.position_ids"}},
    {"longformer-base-4096",
     "model",
     {NO_HEAD, "7 tensors are not read: longformer.embeddings.position_ids, "}},
    {"esm2_t6_8M_UR50D", "masked-lm", {"6 tensors are not read: esm.embeddings.position_ids, "}},
    {"EuroBERT-210m", "masked-lm", {NULL}},
    {"fnet-base", "pretraining", {UNTIED, "1 tensor is not read: fnet.embeddings.position_ids"}},
    {"mobilebert-uncased",
     "pretraining",
     {UNTIED, "3 tensors are not read: mobilebert.embeddings.position_ids, "}},
    {"squeezebert-uncased",
     "masked-lm",
     {UNTIED, "3 tensors are not read: transformer.embeddings.position_ids, "}},
    {"conv-bert-base", "model", {"1 tensor is not read: embeddings.position_ids"}},
    {"roformer_chinese_base", "masked-lm", {UNTIED}},
    {"nomic-embed-text-v1.5", "model", {"has no pooler: there is no pooler_output"}},
    {"nomic-bert-2048", "masked-lm", {UNTIED}},
    {"snowflake-arctic-embed-m-long",
     "model",
     {"rotary_scaling_factor: texts have up to max_trained_positions, 64, tokens",
      "has no pooler: there is no pooler_output"}},
    {"Qwen3-Embedding-0.6B", "model", {"architectures[0]: of Qwen3ForCausalLM the base model is read"}},
    {"embeddinggemma-300m", "model", {NULL}},
    {"sentence-t5-base", "model", {NULL}},
    {"gte-base-en-v1.5", "model", {"has no pooler: there is no pooler_output"}},
    {"gte-multilingual-base",
     "model",
     {"has no pooler: there is no pooler_output", "2 tensors are not read: classifier.weight, "}},
    {"snowflake-arctic-embed-m-v2.0", "model", {NULL}},
    {"jina-embeddings-v2-base-en", "model", {NULL}},
    {"jina-embeddings-v2-base-code", "model", {NULL}},
    {"granite-embedding-english-r2", "model", {NULL}},
    {"DenseOn", "model", {NULL}},
    {"mmBERT-base", "masked-lm", {NULL}},
    {"ettin-encoder-150m", "masked-lm", {NULL}},
    {"mdbr-leaf-ir", "model", {NULL}},
    {"layoutlm-base-uncased",
     "masked-lm",
     {UNTIED, "1 tensor is not read: layoutlm.embeddings.position_ids"}},
};

START_TEST(is_read) {
    write_published(published[_i].name, NULL);
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert_msg(x.ok, "%s", published[_i].name);
    ck_assert_str_eq(x.m.head, published[_i].head);
    int notes = 0;
    for (; notes < 4 && published[_i].notes[notes]; notes++)
        ck_assert_msg(says(&x, published[_i].notes[notes]), "nothing says \"%s\"",
                      published[_i].notes[notes]);
    if (x.d.count != notes) diag_print(&x.d, stderr);
    ck_assert_int_eq(x.d.count, notes);
    close_model(&x);
}
END_TEST

// --- Families told by tensors

static const char *prefix;

static bool prefixed(safetensors_item *t, arena *a) {
    t->name = arena_printf(a, "%s%s", prefix, t->name);
    return true;
}

static const struct {
    const char *of, *class, *type, *prefix, *taken;
} unnamed[] = {
    {"bert-base-model", "BertModel", "bert", "bert.", "taken for bert"},
    {"bert-legacy-gamma-beta", "BertModel", "bert", "bert.", "taken for bert"},
    {"roberta-model", "RobertaModel", "roberta", "roberta.", "taken for roberta"},
    {"xlm-roberta-model", "XLMRobertaModel", "xlm-roberta", "roberta.", "taken for roberta"},
    {"distilbert-model", "DistilBertModel", "distilbert", "distilbert.", "taken for distilbert"},
    {"megatron-bert-model", "MegatronBertModel", "megatron-bert", "bert.", "taken for megatron-bert"},
};

static void without_family(int i) {
    char class[64], key[64];
    snprintf(class, sizeof(class), "\"%s\"", unnamed[i].class);
    snprintf(key, sizeof(key), "\"model_type\": \"%s\",", unnamed[i].type);
    const char *const changes[][2] = {{class, ""}, {key, ""}, {NULL, NULL}};
    config_of(unnamed[i].of, changes);
}

START_TEST(family_by_tensors) {
    SKIP_WITHOUT(unnamed[_i].of);
    without_family(_i);
    prefix = unnamed[_i].prefix;
    copy_weights(unnamed[_i].of, prefixed);
    opened x = open_model((hub_options){0});
    ck_assert(x.ok && says(&x, unnamed[_i].taken));
    close_model(&x);
    expect_same(unnamed[_i].of);
}
END_TEST

static bool second_family(safetensors_item *t, arena *a) {
    static const char *const names[] = {"attention.self.query", "intermediate.dense", "output.LayerNorm",
                                        "embeddings.word"};
    static const char *const other[] = {"attention.q_lin", "ffn.lin1", "output_layer_norm"};
    bool taken = prefixed(t, a);
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(t->name, names[i]);
        if (!strstr(t->name, "layer.1.") || !at || strstr(t->name, "attention.output")) continue;
        t->name = arena_printf(a, "distilbert.transformer.layer.0.%s%s", other[i], at + strlen(names[i]));
    }
    if (strstr(t->name, "token_type")) t->name = "distilbert.embeddings.word_embeddings.weight";
    return taken;
}

START_TEST(family_of_no_tensors) {
    without_family(0);
    prefix = "";
    copy_weights(unnamed[0].of, prefixed);
    expect_failure(
        (hub_options){0},
        "config.json: model_type: is missing, as are architectures, and no family's tensors are in "
        "the weights",
        1);
    prefix = "bert.";
    copy_weights(unnamed[0].of, second_family);
    expect_failure((hub_options){0}, "the weights hold tensors of bert and of distilbert", 1);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, is_read, 0, sizeof(published) / sizeof(published[0]));
    tcase_add_loop_test(c, family_by_tensors, 0, sizeof(unnamed) / sizeof(unnamed[0]));
    tcase_add_test(c, family_of_no_tensors);
}

int main(void) {
    return run_suite("published checkpoints", add);
}
