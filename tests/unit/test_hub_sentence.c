// links: hub ir
// What a sentence-transformers folder may look like, and what is wrong with one. What it computes:
// models/test_sentences.c.
#include <math.h>

#include "folder.h"

#define MODULE(type, path)                                                                                   \
    "{\"idx\":0,\"name\":\"0\",\"path\":\"" path "\",\"type\":\"sentence_transformers.models." type "\"}"

static void sentence_folder(const char *modules, const char *pooling) {
    write_text("modules.json", modules);
    if (access(in_folder("config.json"), F_OK)) {
        link_base();
        make_folder("1_Pooling");
        write_text("sentence_bert_config.json", "{\"max_seq_length\": 64, \"do_lower_case\": false}");
    }
    write_text("1_Pooling/config.json", pooling);
}

#define THREE                                                                                                \
    "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE("Normalize",                 \
                                                                                "2_Normalize") "]"
#define TWO "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]"

START_TEST(pooling) {
    link_base();
    opened base = open_model((hub_options){0});
    const float *rows = evaluated(&base).data;
    unlink(in_folder("config.json"));
    unlink(in_folder("model.safetensors"));
    static const struct {
        const char *modules, *pooling;
        bool cls, normalized;
    } cases[] = {
        {THREE, "{\"embedding_dimension\":48,\"pooling_mode\":\"mean\"}", false, true},
        {TWO, "{\"embedding_dimension\":48,\"pooling_mode\":\"cls\"}", true, false},
        {TWO,
         "{\"word_embedding_dimension\":48,\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":"
         "true}",
         false, false},
        {THREE,
         "{\"word_embedding_dimension\":48,\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":"
         "false}",
         true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sentence_folder(cases[i].modules, cases[i].pooling);
        opened x = open_model((hub_options){0});
        ck_assert(x.ok);
        ck_assert_str_eq(x.m.head, "embedding");
        ck_assert_str_eq(output_name(&x, 0), "embedding");
        ck_assert_int_eq(x.m.graph->output_count, 1);
        const bertc_task *task = x.m.task;
        ck_assert_uint_eq(task->kind, BERTC_TASK_EMBEDDING);
        ck_assert_uint_eq(task->max_length, 64);
        tensor t = evaluated(&x);
        ck_assert_int_eq(t.shape[0], 2);
        double wanted[48], norm = 0;
        for (int k = 0; k < 48; k++) {
            wanted[k] = 0; // of the second text: rows 5, 6, 7
            for (int r = 5; r < (cases[i].cls ? 6 : 8); r++)
                wanted[k] += rows[r * 48 + k] / (cases[i].cls ? 1 : 3.0);
            norm += wanted[k] * wanted[k];
        }
        norm = cases[i].normalized ? sqrt(norm) : 1;
        for (int k = 0; k < 48; k++)
            ck_assert_double_eq_tol(((float *)t.data)[48 + k], wanted[k] / norm, 1e-6);
        close_model(&x);
    }
    close_model(&base);
}
END_TEST

START_TEST(wrong_sentence_folders) {
    static const char *const good = "{\"pooling_mode\":\"mean\"}";
    static const struct {
        const char *modules, *pooling, *cause;
    } cases[] = {
        {"{}", good, "modules.json: holds an object where an array"},
        {"[]", good, "modules.json: names no Transformer and Pooling"},
        {"[3]", good, "[0] is no object"},
        {"[{\"path\":\"\"}]", good, "[0].type: is missing"},
        {"[{\"type\":\"Transformer\"}]", good, "[0].path: is missing"},
        {"[{\"type\":\"custom_st.Transformer\",\"path\":\"\"}]", good,
         "[0].type: custom_st.Transformer is none of sentence-transformers' own classes"},
        {"[" MODULE("Pooling", "1_Pooling") "]", good, "[0].type: Pooling is not supported here"},
        {"[" MODULE("Transformer", "") "," MODULE("Dense", "2_Dense") "]", good,
         "[1].type: Dense is not supported"},
        {"[" MODULE("Transformer", "../x") "]", good, "[0].path: leads out of the folder"},
        {"[" MODULE("Transformer", "/etc") "]", good, "[0].path: leads out of the folder"},
        {"[" MODULE("Transformer", "") "," MODULE("Pooling", "nowhere") "]", good,
         "nowhere/config.json: can't be opened"},
        {TWO, "{\"pooling_mode\":\"median\"}",
         "pooling_mode: \"median\" is not known; known are cls, max, mean,"},
        {TWO, "{\"pooling_mode\":[\"mean\",3]}", "pooling_mode: \"a number\" is not known"},
        {TWO, "{\"pooling_mode\":[]}", "pooling_mode: is empty"},
        {TWO, "{\"pooling_mode\":true}", "pooling_mode: is true or false where a string or an array"},
        {TWO,
         "{\"pooling_mode\":[\"mean\",\"cls\",\"max\",\"mean\",\"cls\",\"max\",\"mean\",\"cls\",\"max\","
         "\"mean\","
         "\"cls\",\"max\",\"mean\",\"cls\",\"max\",\"mean\",\"cls\"]}",
         "pooling_mode: has more than 16 modes"},
        {TWO, "{\"pooling_mode_median_tokens\":true}", "pooling_mode_median_tokens: is not known"},
        {TWO, "{\"pooling_mode_max_tokens\":1}", "pooling_mode_max_tokens: is a number"},
        {TWO, "{\"include_prompt\":1}", "include_prompt: is a number"},
        {"[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE("CNN", "2_CNN") "]",
         good, "[2].type: CNN is not supported here; a Transformer is, then a Pooling, then any of Dense,"},
        {"[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE("Pooling",
                                                                                     "1_Pooling") "]",
         good, "[2].type: Pooling is not supported here"},
        {TWO, "{\"embedding_dimension\":49,\"pooling_mode\":\"mean\"}",
         "the width that the pooling expects, 49"},
        {TWO, "{\"embedding_dimension\":\"x\",\"pooling_mode\":\"mean\"}",
         "embedding_dimension: is a string"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sentence_folder(cases[i].modules, cases[i].pooling);
        expect_failure((hub_options){0}, cases[i].cause, 1);
    }
}
END_TEST

// A folder with one module behind the pooling.
static void module_folder(const char *class, const char *config, bool weights) {
    static const float zeros[64 * 64];
    const safetensors_item items[] = {{"linear.weight", "F32", 2, {2, 48}, zeros, 2 * 48 * 4},
                                      {"linear.bias", "F32", 1, {2}, zeros, 2 * 4},
                                      {"norm.weight", "I32", 1, {48}, zeros, 48 * 4}};
    char modules[512];
    diag d;
    diag_init(&d);
    snprintf(modules, sizeof modules,
             "[" MODULE("Transformer", "") "," MODULE(
                 "Pooling", "1_Pooling") ",{\"path\":\"2\",\"type\":\"sentence_transformers.x.%s\"}]",
             class);
    sentence_folder(modules, "{\"pooling_mode\":\"mean\"}");
    if (access(in_folder("2"), F_OK)) make_folder("2");
    write_text("2/config.json", config);
    unlink(in_folder("2/model.safetensors"));
    if (weights) ck_assert(safetensors_write(in_folder("2/model.safetensors"), 3, items, &d));
    diag_free(&d);
}

#define DENSE                                                                                                \
    "{\"in_features\":48,\"out_features\":2,\"activation_function\":\"torch.nn.modules.activation.Tanh\""

START_TEST(modules) {
    static const struct {
        const char *class, *config, *cause;
        int errors;
    } cases[] = {
        {"Dense", DENSE "}", NULL, 0},
        {"Dense", DENSE ",\"use_residual\":true}", "tensor \"residual.weight\": is missing", 1},
        {"Dense", "{\"in_features\":47,\"out_features\":2}",
         "2/config.json: in_features: 47 is not the width that comes in, 48", 1},
        {"Dense", "{\"in_features\":48,\"out_features\":3}", "tensor \"linear.weight\": has another shape",
         2},
        {"Dense",
         "{\"in_features\":48,\"out_features\":2,\"activation_function\":\"torch.nn.modules.activation."
         "Softmax\"}",
         "2/config.json: activation_function: \"torch.nn.modules.activation.Softmax\" is not known; known "
         "are",
         1},
        {"Dense", "{\"in_features\":48,\"out_features\":2,\"activation_function\":\"mine.Tanh\"}",
         "activation_function: \"mine.Tanh\" is not known", 1},
        {"Dense", DENSE ",\"module_input_name\":\"token_embeddings\"}",
         "module_input_name: \"token_embeddings\" is not supported", 1},
        {"Dense", "{}", "in_features: is missing", 2},
        {"Normalize", "{\"module_output_name\":\"token_embeddings\"}",
         "module_output_name: \"token_embeddings\"", 1},
        {"LayerNorm", "{\"dimension\":2}", "2/config.json: dimension: 2 is not the width that comes in, 48",
         1},
        {"LayerNorm", "{\"dimension\":48}", "tensor \"norm.weight\": I32 is not supported for weights", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        module_folder(cases[i].class, cases[i].config, true);
        if (cases[i].cause) {
            expect_failure((hub_options){0}, cases[i].cause, cases[i].errors);
            continue;
        }
        opened x = open_model((hub_options){0});
        ck_assert(x.ok);
        tensor t = evaluated(&x);
        ck_assert_int_eq(t.shape[1], 2);
        close_model(&x);
    }
    module_folder("Dense", DENSE "}", false);
    expect_failure((hub_options){0}, "/2: holds no model.safetensors", 1);
    write_text("2/pytorch_model.bin", "PK\3\4");
    expect_failure((hub_options){0}, "2/pytorch_model.bin: is no whole zip file", 1);
}
END_TEST

// Without weights a Dense gives its activation of its bias.
START_TEST(activations) {
    static const float zeros[2 * 48], bias[2] = {-1.5f, 2.5f};
    const safetensors_item items[] = {{"linear.weight", "F32", 2, {2, 48}, zeros, sizeof zeros},
                                      {"linear.bias", "F32", 1, {2}, bias, sizeof bias}};
    const double low = expm1(-1.5), swish = 1.5 / 6;
    const struct {
        const char *class;
        double below, above;
    } cases[] = {{"Tanh", tanh(-1.5), tanh(2.5)},
                 {"Identity", -1.5, 2.5},
                 {"LeakyReLU", -0.015, 2.5},
                 {"ELU", low, 2.5},
                 {"CELU", low, 2.5},
                 {"SELU", 1.0507009873554805 * 1.6732632423543772 * low, 1.0507009873554805 * 2.5},
                 {"Softplus", log1p(exp(-1.5)), log1p(exp(2.5))},
                 {"Softsign", -1.5 / 2.5, 2.5 / 3.5},
                 {"Hardtanh", -1, 1},
                 {"Hardsigmoid", swish, 5.5 / 6},
                 {"Hardswish", -1.5 * swish, 2.5 * 5.5 / 6},
                 {"LogSigmoid", -log1p(exp(1.5)), -log1p(exp(-2.5))},
                 {"Tanhshrink", -1.5 - tanh(-1.5), 2.5 - tanh(2.5)}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[200];
        diag d;
        diag_init(&d);
        snprintf(config, sizeof config,
                 "{\"in_features\":48,\"out_features\":2,\"activation_function\":\"torch.nn.modules."
                 "activation.%s\"}",
                 cases[i].class);
        module_folder("Dense", config, true);
        ck_assert(safetensors_write(in_folder("2/model.safetensors"), 2, items, &d));
        diag_free(&d);
        opened x = open_model((hub_options){0});
        ck_assert_msg(x.ok, "%s", cases[i].class);
        const float *has = evaluated(&x).data;
        ck_assert_double_eq_tol((double)has[0], cases[i].below, 1e-6);
        ck_assert_double_eq_tol((double)has[1], cases[i].above, 1e-6);
        close_model(&x);
    }
}
END_TEST

START_TEST(transformers_and_prompts) {
    static const struct {
        const char *file, *text, *cause;
    } cases[] = {
        {"sentence_bert_config.json", "{\"max_seq_length\":0}", "max_seq_length: is 0, outside"},
        {"sentence_bert_config.json", "{\"transformer_task\":\"text-generation\"}",
         "transformer_task: \"text-generation\" is not supported; feature-extraction, "},
        {"sentence_bert_config.json", "{\"transformer_task\":\"fill-mask\"}",
         "[1].type: Pooling is not supported here; behind a masked LM a SpladePooling is"},
        {"sentence_bert_config.json",
         "{\"modality_config\":{\"text\":{\"method_output_name\":\"pooler_output\"}}}",
         "modality_config.text.method_output_name: \"pooler_output\" is not supported"},
        {"sentence_bert_config.json", "{\"module_output_name\":\"x\"}",
         "module_output_name: \"x\" is not supported"},
        {"sentence_bert_config.json", "{\"modality_config\":{\"image\":{}}}",
         "modality_config.text: is missing"},
        {"sentence_bert_config.json", "{\"modality_config\":{\"text\":{},\"message\":{}}}",
         "modality_config.message: is not supported"},
        {"sentence_bert_config.json", "{\"modality_config\":{\"text\":{\"method\":\"get_text_features\"}}}",
         "modality_config.text.method: \"get_text_features\" is not supported"},
        {"sentence_bert_config.json", "{\"config_args\":{\"rope_theta\":1}}",
         "config_args.rope_theta: is not supported"},
        {"sentence_bert_config.json", "{\"tokenizer_args\":{\"add_eos_token\":true}}",
         "tokenizer_args.add_eos_token: is not supported"},
        {"sentence_bert_config.json", "{\"processor_kwargs\":{\"model_max_length\":\"x\"}}",
         "processor_kwargs.model_max_length: is a string"},
        {"sentence_bert_config.json", "{\"model_kwargs\":{\"variant\":\"fp16\"}}",
         "model_kwargs.variant: is not supported"},
        {"sentence_bert_config.json", "{\"processing_kwargs\":{\"text\":{\"add_special_tokens\":false}}}",
         "text.add_special_tokens: is not supported"},
        {"config_sentence_transformers.json", "{\"prompts\":[]}", "prompts: is an array where an object"},
        {"config_sentence_transformers.json", "{\"prompts\":{\"a\":3}}",
         "prompts.a: is a number where a string"},
        {"config_sentence_transformers.json", "{\"default_prompt_name\":\"a\",\"prompts\":{\"b\":\"x\"}}",
         "default_prompt_name: \"a\" is none of the prompts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sentence_folder(TWO, "{}");
        write_text("sentence_bert_config.json", "{}");
        write_text("config_sentence_transformers.json", "{}");
        write_text(cases[i].file, cases[i].text);
        expect_failure((hub_options){0}, cases[i].cause, 1);
    }
    write_text("config_sentence_transformers.json",
               "{\"default_prompt_name\":\"b\",\"prompts\":{\"a\":null,\"b\":\"x: \"}}");
    opened x = open_model((hub_options){0});
    ck_assert(x.ok);
    const bertc_task *task = x.m.task;
    uint64_t at[8];
    ck_assert_uint_eq(task->prompt_count, 4);
    ck_assert_uint_eq(task->own_prompts, 2);
    ck_assert_uint_eq(task->default_prompt, 2);
    memcpy(at, (const char *)task + task->prompts, sizeof at);
    static const char *const strings[] = {"a", "", "b", "x: ", "query", "", "document", ""};
    for (int i = 0; i < 8; i++) ck_assert_str_eq((const char *)task + at[i], strings[i]);
    ck_assert(!task->dimensions && !task->normalize && task->similarity == BERTC_SIMILARITY_COSINE);
    close_model(&x);
    write_text("config_sentence_transformers.json",
               "{\"truncate_dim\":-40,\"similarity_fn_name\":\"manhattan\"}");
    x = open_model((hub_options){.normalize = true});
    task = x.m.task;
    ck_assert(x.ok && task->dimensions == 8 && task->normalize == 1);
    ck_assert_uint_eq(task->similarity, BERTC_SIMILARITY_MANHATTAN);
    close_model(&x);
    x = open_model((hub_options){.dimensions = 48});
    ck_assert(x.ok && ((const bertc_task *)x.m.task)->dimensions == 48);
    close_model(&x);
    expect_failure((hub_options){.dimensions = 49}, "--dimensions: is 49, and the model's embeddings have 48",
                   1);
    x = open_model((hub_options){.head = "model"}); // which answers no text
    ck_assert(x.ok);
    ck_assert_uint_eq(((const bertc_task *)x.m.task)->prompt_count, 0);
    close_model(&x);
}
END_TEST

// Each way of saying how long a text may be; and what changes no answer.
START_TEST(lengths) {
    static const struct {
        const char *file, *text;
        uint32_t length;
    } cases[] = {
        {"sentence_bert_config.json", "{\"max_seq_length\":20}", 20},
        {"sentence_xlnet_config.json", "{\"max_seq_length\":19}", 19},
        {"sentence_bert_config.json", "{\"max_seq_length\":20,\"tokenizer_args\":{\"model_max_length\":18}}",
         18},
        {"sentence_bert_config.json",
         "{\"processor_kwargs\":{\"model_max_length\":17,\"padding_side\":\"left\"}}", 17},
        {"sentence_bert_config.json",
         "{\"max_seq_length\":20,\"unpad_inputs\":true,\"model_args\":{\"attn_implementation\":\"eager\"},"
         "\"config_args\":{},\"processing_kwargs\":{\"text\":{\"max_length\":16,\"padding\":\"max_length\"}}"
         "}",
         16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sentence_folder(TWO, "{}");
        unlink(in_folder("sentence_bert_config.json"));
        unlink(in_folder("sentence_xlnet_config.json"));
        write_text(cases[i].file, cases[i].text);
        opened x = open_model((hub_options){0});
        ck_assert(x.ok);
        ck_assert_uint_eq(((const bertc_task *)x.m.task)->max_length, cases[i].length);
        close_model(&x);
    }
}
END_TEST

// A cross-encoder's folder: `key` is one more of config.json's; `more`: what
// config_sentence_transformers.json says, NULL: a folder of Transformers' own.
static void cross_folder(const char *key, const char *more) {
    char *config = case_text("bert-seqcls-regression/config.json"), begin[256];
    snprintf(begin, sizeof begin, "{%s%s", key ? key : "", key ? "," : "");
    char *changed = replaced(config, "{", begin);
    write_text("config.json", changed);
    free(changed);
    free(config);
    unlink(in_folder("modules.json"));
    if (!more) return;
    write_text("modules.json", "[" MODULE("Transformer", "") "]");
    write_text("config_sentence_transformers.json", more);
    write_text("sentence_bert_config.json",
               "{\"transformer_task\":\"sequence-classification\",\"module_output_name\":\"scores\","
               "\"modality_config\":{\"text\":{\"method\":\"forward\",\"method_output_name\":\"logits\"}}}");
}

// A cross-encoder as sentence-transformers 6 saves it, and as older versions do: what becomes of its logit.
START_TEST(cross_encoders) {
    static const struct {
        const char *folder, *key; // what the folder says, and config.json in a further key
        bertc_task_kind kind;
        const char *cause, *note;
    } cases[] = {
        {"{\"prompts\":{\"q\":\"query: \"}}", NULL, BERTC_TASK_MULTI_LABEL, NULL},
        {"{\"activation_fn\":\"torch.nn.modules.activation.Sigmoid\"}", NULL, BERTC_TASK_MULTI_LABEL, NULL},
        {"{\"activation_fn\":\"torch.nn.modules.linear.Identity\"}",
         "\"sbert_ce_default_activation_function\":\"torch.nn.modules.activation.Sigmoid\"",
         BERTC_TASK_REGRESSION, NULL},
        {"{}", "\"sentence_transformers\":{\"activation_fn\":\"torch.nn.modules.linear.Identity\"}",
         BERTC_TASK_REGRESSION, NULL},
        {NULL, NULL, BERTC_TASK_MULTI_LABEL, NULL},
        {NULL, "\"sbert_ce_default_activation_function\":\"torch.nn.modules.linear.Identity\"",
         BERTC_TASK_REGRESSION, NULL},
        {NULL, "\"sentence_transformers\":{\"activation_fn\":\"torch.nn.modules.linear.Identity\"}",
         BERTC_TASK_REGRESSION, NULL},
        {NULL, "\"problem_type\":null", BERTC_TASK_MULTI_LABEL, NULL},
        {NULL, "\"problem_type\":\"regression\"", BERTC_TASK_REGRESSION, NULL},
        {NULL, "\"problem_type\":\"multi_label_classification\"", BERTC_TASK_MULTI_LABEL, NULL},
        {NULL, "\"problem_type\":\"single_label_classification\"", BERTC_TASK_MULTI_LABEL, NULL,
         "a softmax over one label (\"single_label_classification\") is 1 for every text"},
        {NULL,
         "\"problem_type\":\"regression\",\"sentence_transformers\":{\"activation_fn\":"
         "\"torch.nn.modules.activation.Sigmoid\"}",
         BERTC_TASK_MULTI_LABEL, NULL},
        {NULL, "\"sentence_transformers\":{\"activation_fn\":\"torch.nn.modules.activation.Softmax\"}",
         BERTC_TASK_MULTI_LABEL, NULL, "a softmax over one label"},
        {NULL, "\"sbert_ce_default_activation_function\":\"torch.nn.modules.activation.Sigmoid\"",
         BERTC_TASK_MULTI_LABEL, NULL},
        {NULL, "\"sentence_transformers\":{\"activation_fn\":\"torch.nn.modules.activation.Tanh\"}",
         BERTC_TASK_TENSORS, "activation_fn: \"torch.nn.modules.activation.Tanh\" is not known; known are"},
        {"{\"activation_fn\":\"mine.Tanh\"}", NULL, BERTC_TASK_MULTI_LABEL, NULL,
         "\"mine.Tanh\" is none of torch's"},
    };
    SKIP_WITHOUT("bert-seqcls-regression");
    link_case("bert-seqcls-regression/model.safetensors", "model.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cross_folder(cases[i].key, cases[i].folder);
        if (cases[i].cause) {
            expect_failure((hub_options){0}, cases[i].cause, 1);
            continue;
        }
        opened x = open_model((hub_options){0});
        if (!x.ok) diag_print(&x.d, stderr);
        ck_assert(x.ok);
        ck_assert_str_eq(x.m.head, "sequence-classification");
        const bertc_task *task = x.m.task;
        ck_assert_msg(task->kind == cases[i].kind, "case %zu: task %u", i, task->kind);
        ck_assert_msg(cases[i].note ? says(&x, cases[i].note) : !x.d.count, "case %zu: notes", i);
        ck_assert_uint_eq(task->prompt_count, i == 0);
        close_model(&x);
    }
    write_text("modules.json", "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]");
    expect_failure((hub_options){0}, "[1].type: Pooling is not supported here", 1);
}
END_TEST

static void add(TCase *c) {
    tcase_add_test(c, pooling);
    tcase_add_test(c, wrong_sentence_folders);
    tcase_add_test(c, modules);
    tcase_add_test(c, transformers_and_prompts);
    tcase_add_test(c, lengths);
    tcase_add_test(c, activations);
    tcase_add_test(c, cross_encoders);
}

int main(void) {
    return run_suite("sentence-transformers folders", add);
}
