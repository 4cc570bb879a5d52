// links: hub ir
// Checkpoints as they are published: config.json as it stands on the hub, but for its sizes, and the tensors
// by the names that they have there, in random numbers (tests/models/published). Each is read without a flag,
// as the head that it was published for; what is told of it is told, and no other thing. And checkpoints
// whose config says less, or says it otherwise, give the numbers of the same weights as Transformers saves
// them.
#include <math.h>

#include "folder.h"

#define PUBLISHED BERTC_TESTS "/models/published/"
#define NO_HEAD   "names no architecture: taken for the base model"
#define UNTIED    "differs from the word embeddings: read as it stands"

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
    {"camembert-base", "masked-lm", {UNTIED, "1 tensor is not read: roberta.embeddings.position_ids"}},
    {"mpnet-base", "masked-lm", {UNTIED, "1 tensor is not read: mpnet.embeddings.position_ids"}},
    {"deberta-v3-base", "model", {NO_HEAD, "12 tensors are not read: deberta.embeddings.position_ids, "}},
    {"deberta-v2-xlarge",
     "model",
     {NO_HEAD, "5 tensors are not read: lm_predictions.lm_head.dense.weight, "}},
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
    {"layoutlm-base-uncased",
     "masked-lm",
     {UNTIED, "1 tensor is not read: layoutlm.embeddings.position_ids"}},
};

// --- Folders as published

static uint32_t state;
static long long words; // the vocabulary's size, where it is to be another

static float drawn(void) { // in -0.25 .. 0.25
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 33554432.0f - 0.25f;
}

// A line of tensors.txt: type, name, shape.
static bool read_tensor(FILE *f, arena *a, safetensors_item *t) {
    char line[256], dtype[8], name[160];
    int at = 0, more;
    long long n, count = 1;
    if (!fgets(line, sizeof(line), f)) return false;
    ck_assert_int_eq(sscanf(line, "%7s %159s%n", dtype, name, &at), 2);
    *t = (safetensors_item){.name = arena_strdup(a, name), .dtype = arena_strdup(a, dtype)};
    for (; sscanf(line + at, "%lld%n", &n, &more) == 1; at += more) {
        if (strstr(name, "word_embeddings") && !t->rank && words) n = words;
        t->shape[t->rank++] = n;
        count *= n;
    }
    bool whole = !strcmp(dtype, "I64");
    t->bytes = (size_t)count * (whole ? 8 : 4);
    float *data = arena_alloc(a, t->bytes);
    for (long long i = 0; i < count && !whole; i++) data[i] = drawn();
    t->data = data;
    return true;
}

static void write_weights(const char *name) {
    char path[512];
    snprintf(path, sizeof(path), PUBLISHED "%s/tensors.txt", name);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    arena *a = arena_new();
    safetensors_item *items = ARENA_ARRAY(a, safetensors_item, 512);
    int n = 0;
    state = 1;
    while (read_tensor(f, a, &items[n])) ck_assert_int_lt(++n, 512);
    fclose(f);
    diag d;
    diag_init(&d);
    ck_assert(safetensors_write(in_folder("model.safetensors"), n, items, &d));
    diag_free(&d);
    arena_free(a);
}

// config.json with each pair's first text replaced by its second.
static void write_config(const char *path, const char *const changes[][2]) {
    char *text = case_text(path);
    for (int i = 0; changes && changes[i][0]; i++) {
        char *next = replaced(text, changes[i][0], changes[i][1]);
        free(text);
        text = next;
    }
    write_text("config.json", text);
    free(text);
}

static void write_published(const char *name, const char *const changes[][2]) {
    char path[128];
    snprintf(path, sizeof(path), "../published/%s/config.json", name);
    write_config(path, changes);
    write_weights(name);
}

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

// --- The same weights, said otherwise

// What evaluated() gives of a case, and of a folder with the same weights.
static void expect_same(const char *of) {
    char path[512];
    snprintf(path, sizeof(path), CASES "%s", of);
    opened x = open_model((hub_options){.model = path}), y = open_model((hub_options){0});
    if (!y.ok) diag_print(&y.d, stderr);
    ck_assert(x.ok && y.ok);
    tensor want = evaluated(&x), got = evaluated(&y);
    ck_assert_int_eq(tensor_count(&want), tensor_count(&got));
    ck_assert_mem_eq(want.data, got.data, sizeof(float) * (size_t)tensor_count(&want));
    close_model(&x);
    close_model(&y);
}

static void config_of(const char *of, const char *const changes[][2]) {
    char path[96];
    snprintf(path, sizeof(path), "%s/config.json", of);
    write_config(path, changes);
}

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

START_TEST(modernbert_absolute) {
    const char *const changes[][2] = {
        {"\"norm_eps\"", "\"position_embedding_type\": \"absolute\", \"norm_eps\""}, {NULL, NULL}};
    config_of("modernbert-model", changes);
    link_case("modernbert-model/model.safetensors", "model.safetensors");
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok);
    ck_assert_int_eq(x.m.position_rule, BERTC_POSITION_COLUMN);
    close_model(&x);
}
END_TEST

// A decoder has no bias where the config says so, and nowhere else.
static bool without_bias(safetensors_item *t, arena *a) {
    (void)a;
    return strcmp(t->name, "decoder.bias") != 0;
}

START_TEST(decoder_bias) {
    const char *const plain[][2] = {{"\"decoder_bias\": true", "\"decoder_bias\": false"}, {NULL, NULL}};
    config_of("modernbert-mlm", NULL);
    copy_weights("modernbert-mlm", without_bias);
    expect_failure((hub_options){0}, "tensor \"decoder.bias\": is missing", 1);
    config_of("modernbert-mlm", plain);
    opened x = open_model((hub_options){0});
    ck_assert(x.ok);
    close_model(&x);
    unlink(in_folder("model.safetensors"));
    link_case("modernbert-mlm/model.safetensors", "model.safetensors");
    x = open_model((hub_options){0});
    ck_assert(x.ok && says(&x, "1 tensor is not read: decoder.bias"));
    close_model(&x);
}
END_TEST

// --- Nomic's own code

// The feed-forward's rows, or columns, up to 256, as that code has them: of zeros.
static bool wider(safetensors_item *t, arena *a) {
    bool up = strstr(t->name, "fc1"), down = strstr(t->name, "fc2");
    if (!up && !down) return true;
    int64_t rows = t->shape[0], columns = t->shape[1];
    t->shape[up ? 0 : 1] = 256;
    t->bytes = sizeof(float) * (size_t)(t->shape[0] * t->shape[1]);
    float *wide = arena_alloc(a, t->bytes);
    memset(wide, 0, t->bytes);
    for (int64_t i = 0; i < rows; i++)
        memcpy(wide + i * t->shape[1], (const float *)t->data + i * columns, sizeof(float) * (size_t)columns);
    t->data = wide;
    return true;
}

START_TEST(nomic_as_published) {
    const char *const changes[][2] = {
        {"\"n_embd\": 16", "\"n_embd\": 48"},
        {"\"n_head\": 2", "\"n_head\": 4"},
        {"\"n_inner\": 24", "\"n_inner\": 96"},
        {"\"vocab_size\": 40", "\"vocab_size\": 211"},
        {"\"pad_vocab_size_multiple\": 8", "\"pad_vocab_size_multiple\": 1"},
        {NULL, NULL},
    };
    write_config("../published/nomic-embed-text-v1.5/config.json", changes);
    copy_weights("nomic-bert-model", wider);
    expect_same("nomic-bert-model");
}
END_TEST

static const struct {
    const char *old, *with, *cause;
    int errors;
} nomic_keys[] = {
    {"\"prenorm\": false", "\"prenorm\": true", "prenorm: true is not supported", 1},
    {"\"causal\": false", "\"causal\": true", "causal: true is not supported", 1},
    {"\"use_rms_norm\": false", "\"use_rms_norm\": 1", "use_rms_norm: 1 is not supported", 1},
    {"\"causal\": false", "\"causal\": \"no\"", "causal: a string is not supported", 1},
    {"\"rotary_emb_interleaved\": false", "\"rotary_emb_interleaved\": true",
     "rotary_emb_interleaved: true is not supported", 1},
    {"\"rotary_emb_scale_base\": null", "\"rotary_emb_scale_base\": 512",
     "rotary_emb_scale_base: 512 is not supported", 1},
    {"\"scale_attn_weights\": true", "\"scale_attn_weights\": false",
     "scale_attn_weights: false is not supported", 1},
    {"\"causal\": false", "\"num_experts\": 8", "num_experts: 8 is not supported", 1},
    {"\"swiglu\"", "\"gelu\"", "activation_function: \"gelu\" is not supported; known are swiglu, geglu, glu",
     1},
    {"\"activation_function\": \"swiglu\",", "", "activation_function: is missing", 1},
    {"\"rotary_emb_fraction\": 1.0", "\"rotary_emb_fraction\": 0.4",
     "rotary_emb_fraction: 0.4 of a head of 8 is no even number", 1},
    {"\"rotary_emb_fraction\": 1.0", "\"rotary_emb_fraction\": 0",
     "tensor \"bert.embeddings.position_embeddings.weight\": is missing", 1},
    {"\"causal\": false", "\"partial_rotary_factor\": 0.5", "partial_rotary_factor: 0.5 is not supported", 1},
    {"\"pad_vocab_size_multiple\": 8", "\"pad_vocab_size_multiple\": 64",
     "tensor \"bert.embeddings.word_embeddings.weight\": has the shape [40,16], the config says [64,16]", 2},
    {"\"qkv_proj_bias\": false", "\"qkv_proj_bias\": true",
     "tensor \"bert.encoder.layers.1.attn.out_proj.bias\": is missing", 8},
    {"\"qkv_proj_bias\": false,", "", "tensor \"bert.encoder.layers.0.attn.Wqkv.bias\": is missing", 8},
    {"\"mlp_fc1_bias\": false", "\"mlp_fc1_bias\": true",
     "tensor \"cls.predictions.decoder.bias\": is missing", 6},
    {"\"mlp_fc2_bias\": false", "\"mlp_fc2_bias\": true",
     "tensor \"bert.encoder.layers.0.mlp.fc2.bias\": is missing", 2},
};

START_TEST(nomic_key) {
    const char *const changes[][2] = {{nomic_keys[_i].old, nomic_keys[_i].with}, {NULL, NULL}};
    write_published("nomic-bert-2048", changes);
    expect_failure((hub_options){0}, nomic_keys[_i].cause, nomic_keys[_i].errors);
}
END_TEST

// Queries or keys of a head of 8, of which the first 4 are turned by their position: in double, from the
// formula.
static void turned(const float *x, const float *w, int position, double y[8]) {
    for (int i = 0; i < 8; i++) {
        y[i] = 0;
        for (int k = 0; k < 16; k++) y[i] += (double)x[k] * (double)w[i * 16 + k];
    }
    for (int j = 0; j < 2; j++) {
        double angle = position / pow(1000, j / 2.0), left = y[j], right = y[j + 2];
        y[j] = left * cos(angle) - right * sin(angle);
        y[j + 2] = right * cos(angle) + left * sin(angle);
    }
}

START_TEST(nomic_turns_a_part) {
    const char *const changes[][2] = {{"\"rotary_emb_fraction\": 1.0", "\"rotary_emb_fraction\": 0.5"},
                                      {"\"vocab_size\": 40", "\"vocab_size\": 72"},
                                      {NULL, NULL}};
    write_config("../published/nomic-embed-text-v1.5/config.json", changes);
    words = 72;
    write_weights("nomic-embed-text-v1.5");
    opened x = open_model((hub_options){.outputs = "hidden_states.0,attentions.0"});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok);
    const tensor *results = all_evaluated(&x);
    const float *rows = results[1].data, *got = results[2].data;
    tensor_view w;
    ck_assert(x.m.source.find(x.m.source.context, "encoder.layers.0.attn.Wqkv.weight", &w));
    for (int head = 0; head < 2; head++) {
        for (int i = 0; i < 5; i++) {
            const float *of = (const float *)w.data + head * 8 * 16;
            double q[8], k[8], p[5], sum = 0;
            turned(rows + i * 16, of, i, q);
            for (int j = 0; j < 5; j++) {
                turned(rows + j * 16, of + 16 * 16, j, k);
                p[j] = 0;
                for (int n = 0; n < 8; n++) p[j] += q[n] * k[n] / sqrt(8);
                sum += p[j] = exp(p[j]);
            }
            for (int j = 0; j < 5; j++)
                ck_assert_double_eq_tol(p[j] / sum, (double)got[(i * 2 + head) * 5 + j], 1e-6);
        }
    }
    close_model(&x);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, is_read, 0, sizeof(published) / sizeof(published[0]));
    tcase_add_loop_test(c, family_by_tensors, 0, sizeof(unnamed) / sizeof(unnamed[0]));
    tcase_add_test(c, family_of_no_tensors);
    tcase_add_test(c, modernbert_absolute);
    tcase_add_test(c, decoder_bias);
    tcase_add_test(c, nomic_as_published);
    tcase_add_loop_test(c, nomic_key, 0, sizeof(nomic_keys) / sizeof(nomic_keys[0]));
    tcase_add_test(c, nomic_turns_a_part);
}

int main(void) {
    return run_suite("published checkpoints", add);
}
