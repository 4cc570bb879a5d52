// links: hub ir
// What a checkpoint's folder may look like: one file or shards, .st; heads and outputs that are asked for;
// names with other prefixes; files that can't be had.
#include "folder.h"

// --- Heads and outputs

START_TEST(heads_and_outputs) {
    link_base();
    opened x = open_model(
        (hub_options){.head = "embedding", .pooling = "cls", .outputs = "pooler_output,last_hidden_state"});
    ck_assert(x.ok);
    ck_assert_str_eq(output_name(&x, 0), "embedding");
    ck_assert_str_eq(output_name(&x, 1), "pooler_output");
    ck_assert_str_eq(output_name(&x, 2), "last_hidden_state");
    close_model(&x);
    x = open_model((hub_options){.outputs = "attentions.1,hidden_states.0,,last_hidden_state,attentions"});
    ck_assert(x.ok);
    static const char *const names[] = {"last_hidden_state", "pooler_output", "attentions.1",
                                        "hidden_states.0", "attentions.0"};
    for (int i = 0; i < 5; i++) ck_assert_str_eq(output_name(&x, i), names[i]);
    ck_assert_int_eq(x.m.graph->output_count, 5);
    close_model(&x);
    expect_failure((hub_options){.outputs = "hidden_states.3"},
                   "the model has no output hidden_states.3: ", 1);
    expect_failure((hub_options){.outputs = "attentions.2,x"}, "--outputs: the model has no output x: ", 2);
    expect_failure((hub_options){.outputs = "hidden_states."}, "the model has no output hidden_states.: ", 1);
    expect_failure((hub_options){.head = "nothing"}, "nothing is not known; heads are model, masked-lm,", 1);
    expect_failure((hub_options){.pooling = "mean,median"}, "mean,median is not known; known are cls, max,",
                   1);
    expect_failure((hub_options){.head = "masked-lm"}, "tensor \"cls.predictions.bias\": is missing", 5);
    expect_failure((hub_options){.head = "masked-lm"}, "nothing of the head is there: --head model compiles",
                   5);
    expect_failure((hub_options){.head = "next-sentence"},
                   "tensor \"cls.seq_relationship.weight\": is missing", 2);
}
END_TEST

START_TEST(model_of_a_head_without_pooler) {
    SKIP_WITHOUT("bert-qa");
    link_case("bert-qa/config.json", "config.json");
    link_case("bert-qa/model.safetensors", "model.safetensors");
    opened x = open_model((hub_options){.head = "model"});
    ck_assert(x.ok && says(&x, "has no pooler") && says(&x, "2 tensors are not read: qa_outputs"));
    ck_assert_int_eq(x.m.graph->output_count, 1);
    close_model(&x);
    expect_failure((hub_options){.head = "model", .outputs = "pooler_output"},
                   "the model has no output pooler_output: ", 1);
    expect_failure((hub_options){.head = "sequence-classification"},
                   "tensor \"bert.pooler.dense.weight\": is missing", 4);
}
END_TEST

// --- Files

START_TEST(one_file) {
    make_folder("elsewhere");
    link_case("bert-base-model/model.safetensors", "weights.st");
    expect_failure((hub_options){.model = in_folder("weights.st")}, "config.json: is missing (--config FILE",
                   1);
    link_case("bert-base-model/config.json", "elsewhere/config.json");
    opened x = open_model(
        (hub_options){.model = in_folder("weights.st"), .config = in_folder("elsewhere/config.json")});
    ck_assert(x.ok);
    close_model(&x);
    x = open_model((hub_options){.model = in_folder("weights.st"), .config = in_folder("elsewhere")});
    ck_assert(x.ok);
    close_model(&x);
    link_case("bert-base-model/model.safetensors", "elsewhere/model.st");
    x = open_model((hub_options){.model = in_folder("elsewhere")});
    ck_assert(x.ok);
    close_model(&x);
    expect_failure((hub_options){.model = in_folder("nothing")}, "nothing: can't be opened", 1);
}
END_TEST

// As Transformers: config.json may name the weights, also where there is a model.safetensors.
START_TEST(named_weights) {
    char *text = case_text("bert-base-model/config.json");
    static const char *const bad[][2] = {
        {"x.bin", "transformers_weights: \"x.bin\" names no safetensors file or index in this folder"},
        {"../x.safetensors", "names no safetensors file or index in this folder"},
        {"x.safetensors", "transformers_weights: x.safetensors is not there"},
    };
    char key[100];
    write_text("model.safetensors", "short");
    link_case("bert-base-model/model.safetensors", "encoder.safetensors");
    for (int i = 0; i < 4; i++) {
        snprintf(key, sizeof(key), "{\"transformers_weights\": \"%s\",",
                 i < 3 ? bad[i][0] : "encoder.safetensors");
        char *config = replaced(text, "{", key);
        write_text("config.json", config);
        free(config);
        if (i < 3) {
            expect_failure((hub_options){0}, bad[i][1], 1);
            continue;
        }
        opened x = open_model((hub_options){0});
        ck_assert(x.ok);
        close_model(&x);
    }
    free(text);
}
END_TEST

START_TEST(no_weights) {
    link_case("bert-base-model/config.json", "config.json");
    expect_failure((hub_options){0}, "holds no model.safetensors", 1);
    write_text("tf_model.h5", "");
    expect_failure((hub_options){0}, "tf_model.h5 is not read", 1);
    write_text("pytorch_model.bin", "PK\3\4");
    expect_failure((hub_options){0}, "pytorch_model.bin: is no whole zip file", 1);
}
END_TEST

START_TEST(shards) {
    SKIP_WITHOUT("bert-sharded");
    link_case("bert-sharded/config.json", "config.json");
    for (int i = 1; i <= 4; i++) {
        char name[64], from[96];
        snprintf(name, sizeof(name), "model-%05d-of-00004.safetensors", i);
        snprintf(from, sizeof(from), "bert-sharded/%s", name);
        link_case(from, name);
    }
    char *index = case_text("bert-sharded/model.safetensors.index.json");
    const char *const file = "model.safetensors.index.json";
    static const char *const bias = "\"embeddings.LayerNorm.bias\": \"model-00001-of-00004.safetensors\"";
    static const struct {
        const char *with, *cause;
        int errors;
    } cases[] = {
        {"\"embeddings.LayerNorm.bias\": \"gone.safetensors\"", "gone.safetensors: can't be opened", 1},
        {"\"embeddings.LayerNorm.bias\": \"../x.safetensors\"", "is no name of a file in this folder", 1},
        {"\"embeddings.LayerNorm.bias\": \"/etc/passwd\"", "is no name of a file in this folder", 1},
        {"\"embeddings.LayerNorm.bias\": \"\"", "is no name of a file in this folder", 1},
        {"\"embeddings.LayerNorm.bias\": 7", "is no name of a file in this folder", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *changed = replaced(index, bias, cases[i].with);
        write_text(file, changed);
        expect_failure((hub_options){0}, cases[i].cause, cases[i].errors);
        free(changed);
    }
    // The files say what is in them, whatever the map says.
    static const char *const loads[][2] = {
        {"\"embeddings.LayerNorm.bias\": \"model-00002-of-00004.safetensors\"", NULL},
        {"\"x\": \"model-00001-of-00004.safetensors\"", "weight_map: 1 tensor is in none of the files: x"}};
    for (int i = 0; i < 2; i++) {
        char *changed = replaced(index, bias, loads[i][0]);
        write_text(file, changed);
        opened y = open_model((hub_options){0});
        ck_assert(y.ok && y.d.count == (loads[i][1] != NULL));
        ck_assert(!loads[i][1] || says(&y, loads[i][1]));
        close_model(&y);
        free(changed);
    }
    write_text(file, "{\"weight_map\":[]}");
    expect_failure((hub_options){0}, "weight_map: is missing, or no object", 1);
    write_text(file, "{\"weight_map\":{}}");
    expect_failure((hub_options){0}, "tensor \"embeddings.word_embeddings.weight\": is missing", 37);
    write_text(file, index);
    opened x = open_model((hub_options){.model = in_folder(file)});
    ck_assert(x.ok);
    close_model(&x);
    free(index);
}
END_TEST

// --- Names and types of tensors

static bool with_prefix(safetensors_item *t, arena *a) {
    t->name = arena_printf(a, "module.bert.%s", t->name);
    return true;
}

static bool without_word(safetensors_item *t, arena *a) {
    (void)a;
    return !strstr(t->name, "word_embeddings");
}

static bool with_integers(safetensors_item *t, arena *a) {
    (void)a;
    if (strstr(t->name, "pooler.dense.bias")) t->dtype = "I32";
    return true;
}

static bool without_pooler_bias(safetensors_item *t, arena *a) {
    (void)a;
    return !strstr(t->name, "pooler.dense.bias");
}

START_TEST(other_tensors) {
    link_case("bert-base-model/config.json", "config.json");
    copy_weights("bert-base-model", with_prefix);
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok);
    close_model(&x);
    copy_weights("bert-base-model", without_word);
    expect_failure((hub_options){0}, "tensor \"embeddings.word_embeddings.weight\": is missing", 1);
    copy_weights("bert-base-model", with_integers);
    expect_failure((hub_options){0}, "tensor \"pooler.dense.bias\": I32 is not supported for weights", 1);
    copy_weights("bert-base-model", without_pooler_bias);
    expect_failure((hub_options){0}, "tensor \"pooler.dense.bias\": is missing", 1);
}
END_TEST

// A decoder in the file of a model that says it is tied: an equal one is the word embeddings, another stands.
static const safetensors_item *word_embeddings;

static bool keep_word(safetensors_item *t, arena *a) {
    if (strstr(t->name, "word_embeddings")) {
        safetensors_item *copy = arena_dup(a, t, sizeof(*t));
        word_embeddings = copy;
    }
    if (!strcmp(t->name, "cls.predictions.decoder.weight")) {
        ck_assert_ptr_nonnull(word_embeddings);
        t->data = word_embeddings->data;
    }
    return true;
}

static bool keep_all(safetensors_item *t, arena *a) {
    (void)t;
    (void)a;
    return true;
}

START_TEST(tied_and_untied) {
    char *config = case_text("bert-mlm-untied/config.json");
    char *tied = replaced(config, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    write_text("config.json", tied);
    copy_weights("bert-mlm-untied", keep_all);
    opened x = open_model((hub_options){0});
    ck_assert(x.ok && says(&x, "differs from the word embeddings"));
    ck_assert_int_eq(x.m.parameters, 52063);
    close_model(&x);
    copy_weights("bert-mlm-untied", keep_word);
    x = open_model((hub_options){0});
    ck_assert(x.ok && !says(&x, "differs"));
    ck_assert_int_eq(x.m.parameters, 49807);
    close_model(&x);
    unlink(in_folder("model.safetensors"));
    link_case("bert-mlm/model.safetensors", "model.safetensors");
    write_text("config.json", config);
    expect_failure((hub_options){0}, "tensor \"cls.predictions.decoder.weight\": is missing", 1);
    free(tied);
    free(config);
}
END_TEST

#define VOCABULARY "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n"

START_TEST(tokenizer) {
    link_base();
    opened x = open_model((hub_options){0});
    ck_assert(x.ok && !x.m.tokenizer);
    ck_assert_int_eq(((const bertc_task *)x.m.task)->mask_id, -1);
    close_model(&x);
    expect_failure((hub_options){.tokenizer = in_folder("nowhere")}, "nowhere: can't be opened", 1);
    static const struct {
        const char *text;
        unsigned max;
    } cases[] = {{"{\"model_max_length\": 40}", 40},
                 {"{\"model_max_length\": 1000000000000000019884624838656}", 0},
                 {"{\"model_max_length\": 512}", 80},
                 {"{}", 0}};
    write_text("vocab.txt", VOCABULARY);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_text("tokenizer_config.json", cases[i].text);
        x = open_model((hub_options){0});
        if (!x.ok) diag_print(&x.d, stderr);
        ck_assert(x.ok && x.m.tokenizer);
        ck_assert_uint_eq(((const bertc_task *)x.m.task)->max_length, cases[i].max);
        ck_assert_int_eq(((const bertc_task *)x.m.task)->mask_id, 4);
        close_model(&x);
    }
    char large[2048] = VOCABULARY;
    for (int i = 0; i < 205; i++) snprintf(large + strlen(large), 16, "w%d\n", i);
    make_folder("other");
    write_text("other/vocab.txt", large);
    x = open_model((hub_options){.tokenizer = in_folder("other")}); // a text that uses w204 is an error
    ck_assert(x.ok);
    ck_assert_ptr_nonnull(
        strstr(x.d.items[0].text, "the tokenizer's ids go up to 211, the model's vocabulary has 211"));
    close_model(&x);
}
END_TEST

static void add(TCase *c) {
    tcase_add_test(c, heads_and_outputs);
    tcase_add_test(c, model_of_a_head_without_pooler);
    tcase_add_test(c, one_file);
    tcase_add_test(c, no_weights);
    tcase_add_test(c, named_weights);
    tcase_add_test(c, shards);
    tcase_add_test(c, other_tensors);
    tcase_add_test(c, tied_and_untied);
    tcase_add_test(c, tokenizer);
}

int main(void) {
    return run_suite("model folders", add);
}
