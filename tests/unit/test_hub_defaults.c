// links: hub ir
// What Transformers 5.17 takes for each key that config.json leaves out, by family: the fields of an empty
// configuration of its class.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/config/config.h"
#include "main.h"

static const struct {
    const char *model_type, *class;
    int64_t sizes[8]; // ids, positions, types, embedding, hidden, inner, layers, heads
    const char *activation;
    double eps;
    int64_t pad;
    bool tied;
    double theta[2];
} families[] = {
    {"albert", "AlbertModel", {30000, 512, 2, 128, 4096, 16384, 12, 64}, "gelu_new", 1e-12, 0, true, {0, 0}},
    {"bert", "BertModel", {30522, 512, 2, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 0, true, {0, 0}},
    {"camembert", "CamembertModel", {30522, 512, 2, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 1, true, {0, 0}},
    {"convbert", "ConvBertModel", {30522, 512, 2, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 1, true, {0, 0}},
    {"data2vec-text",
     "Data2VecTextModel",
     {30522, 512, 2, 768, 768, 3072, 12, 12},
     "gelu",
     1e-12,
     1,
     true,
     {0, 0}},
    {"deberta", "DebertaModel", {50265, 512, 0, 768, 768, 3072, 12, 12}, "gelu", 1e-07, 0, true, {0, 0}},
    {"deberta-v2",
     "DebertaV2Model",
     {128100, 512, 0, 1536, 1536, 6144, 24, 24},
     "gelu",
     1e-07,
     0,
     true,
     {0, 0}},
    {"distilbert", "DistilBertModel", {30522, 512, 0, 768, 768, 3072, 6, 12}, "gelu", 1e-12, 0, true, {0, 0}},
    {"electra", "ElectraModel", {30522, 512, 2, 128, 256, 1024, 12, 4}, "gelu", 1e-12, 0, true, {0, 0}},
    {"ernie", "ErnieModel", {30522, 512, 2, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 0, true, {0, 0}},
    {"esm", "EsmModel", {0, 1026, 0, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 1, true, {0, 0}},
    {"eurobert",
     "EuroBertModel",
     {128256, 8192, 0, 768, 768, 3072, 12, 12},
     "silu",
     1e-05,
     128001,
     false,
     {10000, 0}},
    {"fnet", "FNetModel", {32000, 512, 4, 768, 768, 3072, 12, 1}, "gelu_new", 1e-12, 3, true, {0, 0}},
    {"gemma3_text",
     "Gemma3TextModel",
     {262208, 131072, 0, 2304, 2304, 9216, 26, 8},
     "gelu_pytorch_tanh",
     1e-06,
     0,
     true,
     {1000000, 10000}},
    {"jina_embeddings_v3",
     "JinaEmbeddingsV3Model",
     {250002, 8194, 1, 1024, 1024, 4096, 24, 16},
     "gelu",
     1e-05,
     1,
     true,
     {20000, 0}},
    {"layoutlm", "LayoutLMModel", {30522, 512, 2, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 0, true, {0, 0}},
    {"longformer",
     "LongformerModel",
     {30522, 512, 2, 768, 768, 3072, 12, 12},
     "gelu",
     1e-12,
     1,
     true,
     {0, 0}},
    {"megatron-bert",
     "MegatronBertModel",
     {29056, 512, 2, 1024, 1024, 4096, 24, 16},
     "gelu",
     1e-12,
     0,
     true,
     {0, 0}},
    {"mobilebert", "MobileBertModel", {30522, 512, 2, 128, 512, 512, 24, 4}, "relu", 1e-12, 0, true, {0, 0}},
    {"modernbert",
     "ModernBertModel",
     {50368, 8192, 0, 768, 768, 1152, 22, 12},
     "gelu",
     1e-05,
     50283,
     true,
     {160000, 10000}},
    {"mpnet", "MPNetModel", {30527, 512, 0, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 1, true, {0, 0}},
    {"mt5", "MT5EncoderModel", {250112, 512, 0, 512, 512, 1024, 8, 6}, "gelu_new", 1e-06, 0, true, {0, 0}},
    {"umt5", "UMT5EncoderModel", {250112, 512, 0, 512, 512, 1024, 8, 6}, "gelu_new", 1e-06, 0, true, {0, 0}},
    {"new", "NewModel", {30528, 2048, 1, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 0, true, {10000, 0}},
    {"nomic_bert",
     "NomicBertModel",
     {30528, 2048, 2, 768, 768, 3072, 12, 12},
     "silu",
     1e-12,
     0,
     true,
     {1000, 0}},
    {"qwen3",
     "Qwen3Model",
     {151936, 32768, 0, 4096, 4096, 22016, 32, 32},
     "silu",
     1e-06,
     0,
     false,
     {10000, 0}},
    {"rembert", "RemBertModel", {250300, 512, 2, 256, 1152, 4608, 32, 18}, "gelu", 1e-12, 0, false, {0, 0}},
    {"roberta", "RobertaModel", {50265, 512, 2, 768, 768, 3072, 12, 12}, "gelu", 1e-12, 1, true, {0, 0}},
    {"roberta-prelayernorm",
     "RobertaPreLayerNormModel",
     {50265, 512, 2, 768, 768, 3072, 12, 12},
     "gelu",
     1e-12,
     1,
     true,
     {0, 0}},
    {"roformer",
     "RoFormerModel",
     {50000, 1536, 2, 768, 768, 3072, 12, 12},
     "gelu",
     1e-12,
     0,
     true,
     {10000, 0}},
    {"squeezebert",
     "SqueezeBertModel",
     {30522, 512, 2, 768, 768, 3072, 12, 12},
     "gelu",
     1e-12,
     0,
     true,
     {0, 0}},
    {"t5", "T5EncoderModel", {32128, 512, 0, 512, 512, 2048, 6, 8}, "relu", 1e-06, 0, true, {0, 0}},
    {"xlm-roberta",
     "XLMRobertaModel",
     {30522, 512, 2, 768, 768, 3072, 12, 12},
     "gelu",
     1e-12,
     1,
     true,
     {0, 0}},
    {"xlm-roberta-xl",
     "XLMRobertaXLModel",
     {250880, 514, 1, 2560, 2560, 10240, 36, 32},
     "gelu",
     1e-05,
     1,
     true,
     {0, 0}},
};

static void expect(const char *family, const char *what, int64_t has, int64_t should) {
    ck_assert_msg(has == should, "%s: %s is %lld, not %lld", family, what, (long long)has, (long long)should);
}

static void same(const char *family, const char *what, double has, double should) {
    ck_assert_msg(fabs(has - should) <= 1e-9 * should, "%s: %s is %g, not %g", family, what, has, should);
}

START_TEST(of_family) {
    const char *name = families[_i].model_type;
    const int64_t *n = families[_i].sizes;
    const hub_sentence none = hub_sentence_plain();
    cJSON *json = cJSON_CreateObject(), *classes = cJSON_AddArrayToObject(json, "architectures");
    cJSON_AddStringToObject(json, "model_type", name);
    cJSON_AddItemToArray(classes, cJSON_CreateString(families[_i].class));
    if (!n[0]) cJSON_AddNumberToObject(json, "vocab_size", 33); // ESM's has no default
    arena *a = arena_new();
    diag d;
    hub_config c;
    diag_init(&d);
    bool ok = hub_config_from(json, "config.json", NULL, NULL, &none, a, &c, &d);
    if (!ok) diag_print(&d, stderr);
    ck_assert(ok);
    expect(name, "vocabulary", c.sizes[SIZE_VOCAB], n[0] ? n[0] : 33);
    expect(name, "positions", c.sizes[SIZE_POSITIONS], n[1]);
    expect(name, "types", hub_module_use(&c, MODULE_TYPE) ? c.sizes[SIZE_TYPES] : 0, n[2]);
    expect(name, "embedding", c.sizes[SIZE_WORD], n[3]);
    expect(name, "hidden", c.sizes[SIZE_HIDDEN], n[4]);
    expect(name, "inner", c.sizes[SIZE_INNER], n[5]);
    expect(name, "layers", c.layers, n[6]);
    // Half of ConvBERT's heads are convolutions.
    expect(name, "heads", c.heads, strcmp(name, "convbert") ? n[7] : n[7] / 2);
    ck_assert_msg(!strcmp(c.activation, families[_i].activation), "%s: %s", name, c.activation);
    same(name, "eps", c.eps, families[_i].eps);
    // Only families whose positions start after the pad's id read it.
    if (c.position_rule == BERTC_POSITION_COUNT) expect(name, "pad", c.pad_id, families[_i].pad);
    expect(name, "tied", c.tied, families[_i].tied);
    for (int i = 0; i < 2 && c.rotary != ROTARY_NONE; i++)
        same(name, "theta", c.theta[i], families[_i].theta[i]);
    if (!(families[_i].theta[0] > 0)) expect(name, "rotary", c.rotary, ROTARY_NONE);
    diag_free(&d);
    arena_free(a);
    cJSON_Delete(json);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("defaults");
    TCase *c = tcase_create("defaults");
    tcase_add_loop_test(c, of_family, 0, sizeof(families) / sizeof(families[0]));
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
