// links: hub ir
// config.json: every problem is named with its key, and all problems are listed; what may be missing takes
// its default.
#include "folder.h"

static void with_config(const char *old, const char *with) {
    char *text = case_text("bert-base-model/config.json"), *changed = replaced(text, old, with);
    write_text("config.json", changed);
    if (access(in_folder("model.safetensors"), F_OK))
        link_case("bert-base-model/model.safetensors", "model.safetensors");
    free(changed);
    free(text);
}

static const struct {
    const char *old, *with, *cause;
} wrong[] = {
    {"\"hidden_size\": 48", "\"hidden_size\": \"48\"",
     "hidden_size: is a string where a whole number is expected"},
    {"\"hidden_size\": 48", "\"hidden_size\": 48.5", "hidden_size: is 48.5 where a whole number is expected"},
    {"\"hidden_size\": 48", "\"hidden_size\": -48", "hidden_size: is -48, outside 1 to"},
    {"\"hidden_size\": 48", "\"hidden_size\": 1e40", "hidden_size: is 1e+40"},
    {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000000000",
     "num_hidden_layers: is 1000000000, outside"},
    {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": [2]", "num_hidden_layers: is an array"},
    {"\"num_attention_heads\": 4", "\"num_attention_heads\": 5",
     "num_attention_heads: 5 heads don't divide the width of 48"},
    {"\"num_attention_heads\": 4", "\"num_attention_heads\": 0", "num_attention_heads: is 0"},
    {"\"hidden_act\": \"gelu\"", "\"hidden_act\": \"glu\"",
     "hidden_act: \"glu\" is not known; known are gelu,"},
    {"\"hidden_act\": \"gelu\"", "\"hidden_act\": 3", "hidden_act: is a number where a string"},
    {"\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": -1", "layer_norm_eps: is -1, outside"},
    {"\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": \"x\"", "layer_norm_eps: is a string"},
    {"\"pad_token_id\": 0", "\"pad_token_id\": 211", "pad_token_id: 211 is not below"},
    {"\"tie_word_embeddings\": true", "\"tie_word_embeddings\": 1",
     "tie_word_embeddings: is a number where true or false"},
    {"\"is_decoder\": false", "\"is_decoder\": true", "is_decoder: is true"},
    {"\"use_cache\": true", "\"position_embedding_type\": \"relative\"",
     "position_embedding_type: \"relative\" is not supported; known is absolute, relative_key, "
     "relative_key_query"},
    {"\"use_cache\": true", "\"quantization_config\": {\"quant_method\": \"fp8\"}",
     "quantization_config: quantised weights are not read"},
    {"\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": NaN", "layer_norm_eps: is not finite"},
    {"\"hidden_size\": 48", "\"hidden_size\": -Infinity", "hidden_size: is not finite"},
    {"\"use_cache\": true", "\"x\": Nan", "no JSON"},
    {"\"BertModel\"", "\"GPT2Model\"",
     "architectures[0]: \"GPT2Model\" is not known; known are BertModel, BertForMaskedLM,"},
    {"\"BertModel\"", "\"BertForMultipleChoice\"",
     "architectures[0]: \"BertForMultipleChoice\" is not known"},
    {"\"BertModel\"", "7", "architectures[0]: a number is not known"},
    {"\"model_type\": \"bert\"", "\"model_type\": \"gpt2\"",
     "model_type: \"gpt2\" is not known; known are bert"},
    {"\"model_type\": \"bert\"", "\"model_type\": 4", "model_type: is a number"},
    {"{", "{{", "no JSON"},
    {"{", "[", "no JSON"},
    {"{", "[]\n#", "no JSON"},
    {"\"bert\"", "\"\xff\"", "is no UTF-8 text"},
};

START_TEST(one_problem) {
    with_config(wrong[_i].old, wrong[_i].with);
    expect_failure((hub_options){0}, wrong[_i].cause, 1);
}
END_TEST

START_TEST(all_problems) {
    write_text("config.json",
               "{\"model_type\":\"bert\",\"hidden_size\":48,\"num_attention_heads\":7,\"vocab_size\":\"x\","
               "\"hidden_act\":\"glu\",\"is_decoder\":true}");
    write_text("model.safetensors", "short");
    expect_failure((hub_options){0}, "num_attention_heads: 7 heads", 5);
}
END_TEST

START_TEST(defaults) {
    // the pooler's class is known by model_type alone; hidden_act, layer_norm_eps, type_vocab_size and the
    // pad have defaults
    write_text(
        "config.json",
        "{\"architectures\":[\"BertModel\"],\"hidden_size\":48,\"num_attention_heads\":4,\"vocab_size\":211,"
        "\"num_hidden_layers\":2,\"intermediate_size\":112,\"max_position_embeddings\":80}");
    link_case("bert-base-model/model.safetensors", "model.safetensors");
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok);
    ck_assert_str_eq(x.m.family, "bert");
    ck_assert_str_eq(x.m.head, "model");
    ck_assert_int_eq(x.m.type_vocab_size, 2);
    ck_assert_int_eq(x.m.pad_id, 0);
    ck_assert_int_eq(x.m.position_count, 80);
    ck_assert_int_eq(x.m.parameters, 57536);
    close_model(&x);
}
END_TEST

// What Python's json reads beyond JSON; a value that is not read may be anything.
START_TEST(read_as_python_reads_it) {
    with_config(
        "\"use_cache\": true",
        "\"classifier_dropout\": NaN, \"x\": [0.0, Infinity, -Infinity, \"a \\\"NaN\\\" b\"], "
        "\"hidden_size\": 7, \"hidden_act\": \"relu\", \"hidden_size\": 48, \"hidden_act\": \"gelu\"");
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok && x.d.count == 0);
    ck_assert_int_eq(x.m.hidden_size, 48);
    close_model(&x);
}
END_TEST

// What the config leaves out is what Transformers takes, with a note.
START_TEST(missing_sizes) {
    static const char *const sizes[][2] = {
        {"hidden_size\": 48", "hidden_size: is missing, and read as Transformers' default, 768"},
        {"vocab_size\": 211", "vocab_size: is missing, and read as Transformers' default, 30522"},
        {"intermediate_size\": 112", "default, 3072"},
        {"num_hidden_layers\": 2", "default, 12"},
        {"max_position_embeddings\": 80", "default, 512"}};
    for (int i = 0; i < 5; i++) {
        with_config(sizes[i][0], "other\": 1");
        opened x = open_model((hub_options){0});
        ck_assert_msg(!x.ok && says(&x, sizes[i][1]), "%s", sizes[i][0]);
        close_model(&x);
    }
}
END_TEST

// DistilBERT's attribute_map: BERT's names mean its own, and win where both stand.
START_TEST(aliases) {
    static const struct {
        const char *keys, *cause;
    } cases[] = {
        {"\"hidden_size\": 48, \"num_attention_heads\": 4, \"num_hidden_layers\": 2", NULL},
        {"\"hidden_size\": 48, \"num_attention_heads\": 4, \"num_hidden_layers\": 2, \"dim\": 7, "
         "\"n_heads\": 9, "
         "\"n_layers\": 1",
         NULL},
        {"\"dim\": 48, \"n_heads\": 4, \"n_layers\": 2", NULL},
        {"\"dim\": 48, \"num_attention_heads\": 5, \"n_layers\": 2",
         "num_attention_heads: 5 heads don't divide the width of 48"},
        {"\"hidden_size\": 48, \"n_heads\": 4", "n_layers: is missing, and read as Transformers' default, 6"},
    };
    char config[500];
    SKIP_WITHOUT("distilbert-model");
    link_case("distilbert-model/model.safetensors", "model.safetensors");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(
            config, sizeof(config),
            "{\"architectures\": [\"DistilBertModel\"], \"model_type\": \"distilbert\", \"hidden_dim\": 112, "
            "\"max_position_embeddings\": 80, \"vocab_size\": 211, %s}",
            cases[i].keys);
        write_text("config.json", config);
        opened x = open_model((hub_options){0});
        if (cases[i].cause ? x.ok : !x.ok) diag_print(&x.d, stderr);
        ck_assert_int_eq(x.ok, cases[i].cause == NULL);
        ck_assert(cases[i].cause ? says(&x, cases[i].cause) : x.d.count == 0 && x.m.heads == 4);
        close_model(&x);
    }
}
END_TEST

START_TEST(tensors_that_dont_fit) {
    with_config("\"intermediate_size\": 112", "\"intermediate_size\": 100");
    expect_failure(
        (hub_options){0},
        "tensor \"encoder.layer.1.output.dense.weight\": has the shape [48,112], the config says [48,100]",
        6);
    with_config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    expect_failure((hub_options){0}, "tensor \"encoder.layer.2.attention.self.query.weight\": is missing",
                   16);
    with_config("\"vocab_size\": 211", "\"vocab_size\": 212");
    expect_failure((hub_options){0}, "tensor \"embeddings.word_embeddings.weight\"", 1);
    with_config("\"BertModel\"", "\"BertForQuestionAnswering\"");
    expect_failure((hub_options){0}, "tensor \"qa_outputs.weight\": is missing", 2);
}
END_TEST

START_TEST(tensors_that_are_not_read) {
    with_config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    opened x = open_model((hub_options){0});
    ck_assert(x.ok && says(&x, "16 tensors are not read: "));
    close_model(&x);
}
END_TEST

static const char *label(const opened *x, int i) {
    const char *task = x->m.task;
    return task + ((const uint64_t *)(const void *)(task + ((const bertc_task *)x->m.task)->labels))[i];
}

// The five labels of bert-seqcls: changed to `labels`, the task table or the problem.
static opened with_labels(const char *labels) {
    char *text = case_text("bert-seqcls/config.json");
    char *end = strchr(strstr(text, "\"id2label\""), '}') + 1;
    char *changed = malloc(strlen(text) + strlen(labels) + 1);
    sprintf(changed, "%.*s%s%s", (int)(strstr(text, "\"id2label\"") - text), text, labels, end);
    write_text("config.json", changed);
    if (access(in_folder("model.safetensors"), F_OK))
        link_case("bert-seqcls/model.safetensors", "model.safetensors");
    free(changed);
    free(text);
    return open_model((hub_options){0});
}

START_TEST(labels) {
    opened x =
        with_labels("\"id2label\": {\"4\": \"e\", \"0\": \"a\", \"2\": \"c\", \"1\": \"b\", \"3\": \"d\"}");
    ck_assert(x.ok);
    const bertc_task *task = x.m.task;
    ck_assert_uint_eq(task->kind, BERTC_TASK_CLASSIFY);
    ck_assert_uint_eq(task->label_count, 5);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(label(&x, i)[0], 'a' + i);
    ck_assert_ptr_eq(label(&x, 4) + 2, (const char *)x.m.task + x.m.task_bytes);
    close_model(&x);
    x = with_labels("\"num_labels\": 5, \"problem_type\": \"multi_label_classification\"");
    ck_assert(x.ok);
    ck_assert_uint_eq(((const bertc_task *)x.m.task)->kind, BERTC_TASK_MULTI_LABEL);
    ck_assert_str_eq(label(&x, 3), "LABEL_3");
    close_model(&x);
    // A gap, and numbers from 1: as many labels as the classifier has rows; what no label stands for has none.
    x = with_labels("\"id2label\": {\"4\": \"e\", \" +0_1 \": \"b\"}");
    ck_assert(x.ok && says(&x, "names 2 labels, the last of them 4; the model has 5"));
    ck_assert_uint_eq(((const bertc_task *)x.m.task)->label_count, 5);
    ck_assert_str_eq(label(&x, 0), "LABEL_0");
    ck_assert_str_eq(label(&x, 1), "b");
    ck_assert_str_eq(label(&x, 4), "e");
    close_model(&x);
    x = with_labels("\"id2label\": {\"1\": \"a\", \"2\": \"b\", \"3\": \"c\", \"4\": \"d\", \"5\": \"e\"}");
    ck_assert(x.ok && says(&x, "names 5 labels, the last of them 5; the model has 5"));
    ck_assert_str_eq(label(&x, 0), "LABEL_0");
    ck_assert_str_eq(label(&x, 4), "d");
    close_model(&x);
    // num_labels that the weights have, and id2label of another length: Transformers sets the labels anew.
    x = with_labels("\"num_labels\": 5, \"id2label\": {\"0\": \"a\", \"1\": \"b\"}");
    ck_assert(x.ok && says(&x, "num_labels: the model has so many; id2label is not read"));
    ck_assert_uint_eq(((const bertc_task *)x.m.task)->label_count, 5);
    ck_assert_str_eq(label(&x, 0), "LABEL_0");
    ck_assert_str_eq(label(&x, 4), "LABEL_4");
    close_model(&x);
    x = with_labels("\"num_labels\": 3, "
                    "\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\", \"3\": \"d\", \"4\": \"e\"}");
    ck_assert(x.ok && says(&x, "num_labels: 3, but id2label has 5"));
    ck_assert_str_eq(label(&x, 4), "e");
    close_model(&x);
    // As Python's dict: of equal numbers the last counts.
    x = with_labels(
        "\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\", \"3\": \"d\", \"4\": \"e\", \"4\": \"f\"}");
    ck_assert(x.ok && x.d.count == 0);
    ck_assert_str_eq(label(&x, 4), "f");
    close_model(&x);
    static const char *const bad[][2] = {
        {"\"id2label\": {}", "id2label: is empty"},
        {"\"id2label\": 5", "id2label: is a number"},
        {"\"id2label\": {\"a\": \"x\"}", "id2label.a: the key is no number"},
        {"\"id2label\": {\"1.5\": \"x\"}", "id2label.1.5: the key is no number"},
        {"\"id2label\": {\"_1\": \"x\"}", "id2label._1: the key is no number"},
        {"\"id2label\": {\"99999999999999999999\": \"x\"}", "id2label.99999999999999999999: is above"},
        {"\"id2label\": {\"5\": \"x\"}",
         "\"classifier.weight\": has the shape [5,48], the config says [1,48]"},
        {"\"id2label\": {\"0\": 1}", "id2label.0: is a number where a string"},
        {"\"num_labels\": 4", "\"classifier.weight\": has the shape [5,48], the config says [4,48]"},
        {"\"num_labels\": 1e9", "num_labels: is 1000000000, outside"},
        {"\"num_labels\": 5, \"problem_type\": \"x\"", "problem_type: \"x\" is not known"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        x = with_labels(bad[i][0]);
        ck_assert_msg(!x.ok && says(&x, bad[i][1]), "%s: %s", bad[i][0],
                      x.d.count ? x.d.items[0].text : "accepted");
        close_model(&x);
    }
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, one_problem, 0, sizeof(wrong) / sizeof(wrong[0]));
    tcase_add_test(c, all_problems);
    tcase_add_test(c, defaults);
    tcase_add_test(c, read_as_python_reads_it);
    tcase_add_test(c, missing_sizes);
    tcase_add_test(c, aliases);
    tcase_add_test(c, tensors_that_dont_fit);
    tcase_add_test(c, tensors_that_are_not_read);
    tcase_add_test(c, labels);
}

int main(void) {
    return run_suite("config.json", add);
}
