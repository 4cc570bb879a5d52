// links: hub ir
// Checkpoints in other layouts than Transformers saves: they give the numbers of the same weights, or those
// of the published formula; what they can't be read as is refused by the key's name.
#include <math.h>

#include "published.h"

// What ModernBERT's code does not read, and published configs say.
START_TEST(modernbert_positions) {
    static const char *const kinds[] = {"absolute", "sans_pos", "rotary"};
    char with[80];
    snprintf(with, sizeof(with), "\"position_embedding_type\": \"%s\", \"norm_eps\"", kinds[_i]);
    const char *const changes[][2] = {{"\"norm_eps\"", with}, {NULL, NULL}};
    config_of("modernbert-model", changes);
    link_case("modernbert-model/model.safetensors", "model.safetensors");
    expect_same("modernbert-model");
}
END_TEST

// The table of words under its encoder's name, and a whole model's prefix.
static bool as_encoder(safetensors_item *t, arena *a) {
    (void)a;
    if (!strcmp(t->name, "shared.weight")) t->name = "encoder.embed_tokens.weight";
    return true;
}

static bool as_whole(safetensors_item *t, arena *a) {
    t->name = arena_printf(a, "model.%s", t->name);
    return true;
}

START_TEST(decoders_names) {
    config_of("t5-encoder", NULL);
    copy_weights("t5-encoder", as_encoder);
    expect_same("t5-encoder");
    config_of("qwen3-model", NULL);
    copy_weights("qwen3-model", as_whole);
    expect_same("qwen3-model");
}
END_TEST

static void expect_near(const tensor *want, const tensor *got) {
    ck_assert_int_eq(tensor_count(want), tensor_count(got));
    for (int64_t i = 0; i < tensor_count(want); i++)
        ck_assert_double_eq_tol(((float *)want->data)[i], ((float *)got->data)[i], 1e-5);
}

// RoFormer's table of sines is never trained; the case has 2.5 times of it.
static bool with_sines(safetensors_item *t, arena *a) {
    if (!strstr(t->name, "embed_positions")) return true;
    float *table = arena_dup(a, t->data, t->bytes);
    for (size_t i = 0; i < t->bytes / sizeof(float); i++) table[i] /= 2.5f;
    t->data = table;
    return true;
}

static bool without_table(safetensors_item *t, arena *a) {
    (void)a;
    return !strstr(t->name, "embed_positions");
}

START_TEST(roformer_without_table) {
    config_of("roformer-model", NULL);
    copy_weights("roformer-model", with_sines);
    opened x = open_model((hub_options){0});
    copy_weights("roformer-model", without_table);
    opened y = open_model((hub_options){0});
    ck_assert(x.ok && y.ok);
    tensor want = evaluated(&x), got = evaluated(&y);
    expect_near(&want, &got);
    close_model(&x);
    close_model(&y);
}
END_TEST

// DeBERTa's narrow embeddings: of width 8, and projected; and the same with the projection in the tables.
static safetensors_item *narrow[2];
static int narrow_count;

static bool narrowed(safetensors_item *t, arena *a) {
    (void)a;
    if (!strcmp(t->name, "mask_predictions.dense.weight")) t->name = "deberta.embeddings.embed_proj.weight";
    if (!strcmp(t->name, "lm_predictions.lm_head.dense.weight")) {
        t->name = "deberta.embeddings.token_type_embeddings.weight";
        t->shape[0] = 2;
    }
    if (!strstr(t->name, "embeddings.") || t->rank != 2 || !strcmp(t->dtype, "I64")) return true;
    if (strstr(t->name, "rel_embeddings")) return true;
    t->shape[1] = 8;
    t->bytes = sizeof(float) * 8 * (size_t)t->shape[0];
    return true;
}

static bool multiplied(safetensors_item *t, arena *a) {
    if (strstr(t->name, "embed_proj")) { // the last of them in the file
        const float *w = t->data;
        for (int i = 0; i < narrow_count; i++) {
            const float *x = narrow[i]->data;
            float *y = arena_alloc(a, sizeof(float) * 16 * (size_t)narrow[i]->shape[0]);
            for (int64_t r = 0; r < narrow[i]->shape[0] * 16; r++) {
                double sum = 0;
                for (int64_t k = 0; k < 8; k++) sum += (double)x[r / 16 * 8 + k] * (double)w[r % 16 * 8 + k];
                y[r] = (float)sum;
            }
            narrow[i]->data = y;
            narrow[i]->shape[1] = 16;
            narrow[i]->bytes *= 2;
        }
        return false;
    }
    if (t->rank == 2 && t->shape[1] == 8) narrow[narrow_count++] = t;
    return true;
}

START_TEST(deberta_narrow_embeddings) {
    const char *const sizes[][2] = {{"\"vocab_size\": 40", "\"vocab_size\": 72"},
                                    {"\"type_vocab_size\": 0",
                                     "\"type_vocab_size\": 2, \"embedding_size\": 8"},
                                    {NULL, NULL}},
                      *const whole[][2] = {{sizes[0][0], sizes[0][1]},
                                           {"\"type_vocab_size\": 0", "\"type_vocab_size\": 2"},
                                           {NULL, NULL}};
    words = 72;
    write_published("deberta-v3-base", sizes);
    change_weights(in_folder("model.safetensors"), narrowed);
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok && !says(&x, "embed_proj"));
    tensor want = evaluated(&x);
    write_config("../published/deberta-v3-base/config.json", whole);
    change_weights(in_folder("model.safetensors"), multiplied);
    opened y = open_model((hub_options){0});
    if (!y.ok) diag_print(&y.d, stderr);
    ck_assert(y.ok);
    tensor got = evaluated(&y);
    expect_near(&want, &got);
    close_model(&x);
    close_model(&y);
}
END_TEST

// EuroBERT's own code calls it clf_pooling.
START_TEST(eurobert_pooling) {
    const char *const names[][2] = {{"\"classifier_pooling\": \"late\"", "\"classifier_pooling\": \"bos\""},
                                    {"\"classifier_pooling\": \"late\"", "\"clf_pooling\": \"bos\""},
                                    {"\"classifier_pooling\": \"late\"", "\"clf_pooling\": \"last\""}};
    tensor results[2];
    opened x[2];
    link_case("eurobert-seqcls/model.safetensors", "model.safetensors");
    for (int i = 0; i < 2; i++) {
        const char *const changes[][2] = {{names[i][0], names[i][1]}, {NULL, NULL}};
        config_of("eurobert-seqcls", changes);
        x[i] = open_model((hub_options){0});
        ck_assert(x[i].ok);
        results[i] = evaluated(&x[i]);
    }
    ck_assert_mem_eq(results[0].data, results[1].data, sizeof(float) * (size_t)tensor_count(&results[0]));
    const char *const changes[][2] = {{names[2][0], names[2][1]}, {NULL, NULL}};
    config_of("eurobert-seqcls", changes);
    expect_failure((hub_options){0}, "clf_pooling: \"last\" is not known", 1);
    close_model(&x[0]);
    close_model(&x[1]);
}
END_TEST

// Jina's code: queries, keys and values in one, and other names.
static const safetensors_item *query_and_key[2][2]; // [which][bias, weight]

static void join(safetensors_item *v, arena *a) {
    size_t bytes = v->bytes;
    int part = v->rank - 1;
    char *all = arena_alloc(a, 3 * bytes);
    memcpy(all, query_and_key[0][part]->data, bytes);
    memcpy(all + bytes, query_and_key[1][part]->data, bytes);
    memcpy(all + 2 * bytes, v->data, bytes);
    v->data = all;
    v->bytes = 3 * bytes;
    v->shape[0] *= 3;
}

static bool as_jina(safetensors_item *t, arena *a) {
    static const char *const names[][2] = {
        {"embeddings.LayerNorm", "emb_ln"},
        {"attention.output.LayerNorm", "norm1"},
        {"attention.output.dense", "mixer.out_proj"},
        {"attention.self.value", "mixer.Wqkv"},
        {"intermediate.dense", "mlp.fc1"},
        {"output.dense", "mlp.fc2"},
        {"output.LayerNorm", "norm2"},
        {"encoder.layer.", "encoder.layers."},
    };
    bool query = strstr(t->name, "self.query"), key = strstr(t->name, "self.key");
    if (query || key) {
        query_and_key[key][t->rank - 1] =
            arena_dup(a, t, sizeof(*t)); // they stand before their layer's value in the file
        return false;
    }
    if (strstr(t->name, "self.value")) join(t, a);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *at = strstr(t->name, names[i][0]);
        if (at)
            t->name = arena_printf(a, "%.*s%s%s", (int)(at - t->name), t->name, names[i][1],
                                   at + strlen(names[i][0]));
    }
    return true;
}

START_TEST(jina_as_published) {
    const char *const flash[][2] = {
        {"\"use_cache\"",
         "\"use_flash_attn\": true, \"position_embedding_type\": \"absolute\", \"use_cache\""},
        {NULL, NULL}};
    config_of("xlm-roberta-seqcls", flash);
    copy_weights("xlm-roberta-seqcls", as_jina);
    expect_same("xlm-roberta-seqcls");
}
END_TEST

// A decoder has no bias where the config says so, and nowhere else.
static bool without_bias(safetensors_item *t, arena *a) {
    (void)a;
    return strcmp(t->name, "decoder.bias") != 0;
}

START_TEST(decoder_bias) {
    SKIP_WITHOUT("modernbert-mlm");
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
    SKIP_WITHOUT("nomic-bert-model");
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
    tcase_add_loop_test(c, modernbert_positions, 0, 3);
    tcase_add_test(c, roformer_without_table);
    tcase_add_test(c, deberta_narrow_embeddings);
    tcase_add_test(c, eurobert_pooling);
    tcase_add_test(c, decoders_names);
    tcase_add_test(c, jina_as_published);
    tcase_add_test(c, decoder_bias);
    tcase_add_test(c, nomic_as_published);
    tcase_add_loop_test(c, nomic_key, 0, sizeof(nomic_keys) / sizeof(nomic_keys[0]));
    tcase_add_test(c, nomic_turns_a_part);
}

int main(void) {
    return run_suite("other layouts", add);
}
