// links: hub ir
// What a family's config says of its own: wrong values are named with their key, missing ones take the
// family's defaults, and a checkpoint of an unknown family is told which are known.
#include "folder.h"

static const struct {
    const char *of, *old, *with, *cause;
} wrong[] = {
    {"roberta-model", "\"roberta\"", "\"gpt2\"",
     "model_type: \"gpt2\" is not known; known are bert, roberta, xlm-roberta, camembert,"},
    {"roberta-model", "\"pad_token_id\": 1", "\"pad_token_id\": 81",
     "max_position_embeddings: leaves no position after 82"},
    {"albert-groups", "\"num_hidden_groups\": 2", "\"num_hidden_groups\": 5",
     "num_hidden_groups: is above the number of layers"},
    {"albert-groups", "\"inner_group_num\": 2", "\"inner_group_num\": 900",
     "inner_group_num: makes too many layers"},
    {"modernbert-model", "\"layer_types\": [", "\"layer_types\": [1,",
     "layer_types: must be an array with a word a layer"},
    {"modernbert-model", "\"sliding_attention\",", "\"chunked\",", "layer_types: holds what is neither"},
    {"modernbert-model", "\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"",
     "rope_parameters.full_attention.rope_type: \"longrope\" is not supported; known are default, dynamic,"},
    {"modernbert-model", "\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"",
     "rope_parameters.full_attention.factor: is missing"},
    {"eurobert-model", "\"rope_type\": \"default\"",
     "\"rope_type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 4, \"high_freq_factor\": 1",
     "rope_parameters.high_freq_factor: is not above low_freq_factor"},
    {"eurobert-model", "\"rope_type\": \"default\"",
     "\"rope_type\": \"linear\", \"factor\": 2, \"partial_rotary_factor\": 0.5",
     "rope_parameters.partial_rotary_factor: 0.5 is not supported"},
    {"modernbert-model", "\"rope_type\": \"default\"",
     "\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5",
     "rope_parameters.full_attention.partial_rotary_factor: 0.5 is not supported"},
    {"eurobert-model", "\"rope_type\": \"default\"",
     "\"rope_type\": \"dynamic\", \"factor\": 2, \"partial_rotary_factor\": 0.5",
     "rope_parameters.partial_rotary_factor: 0.5 is not supported"},
    {"nomic-bert-model", "\"type_vocab_size\"", "\"rotary_emb_fraction\": 0.5, \"type_vocab_size\"",
     "rotary_emb_fraction: 0.5 is not supported"},
    {"modernbert-model", "160000.0", "-1", "rope_theta: is -1, outside"},
    {"eurobert-model", "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3",
     "num_attention_heads: 4 heads don't fit"},
    {"eurobert-model", "\"head_dim\": 12", "\"head_dim\": 11",
     "num_attention_heads: heads of odd width can't be turned"},
    {"esm-model", "\"rotary\"", "\"alibi\"",
     "position_embedding_type: \"alibi\" is not supported; known is rotary"},
    {"longformer-model", "\"attention_window\": [", "\"attention_window\": [8,",
     "attention_window: must have a number a layer"},
    {"longformer-model", "\"attention_window\": [", "\"attention_window\": 7, \"other\": [",
     "attention_window: 7 is odd"},
    {"deberta-v2-model", "\"position_buckets\": 16", "\"position_buckets\": 16, \"conv_kernel_size\": 4",
     "conv_kernel_size: 4 is even"},
    {"deberta-v2-model", "\"position_buckets\": 16", "\"conv_kernel_size\": 3, \"conv_groups\": 5",
     "conv_groups: 5 groups don't divide the layer"},
    {"deberta-v2-model", "\"position_buckets\": 16", "\"conv_kernel_size\": 3, \"conv_act\": \"swell\"",
     "conv_act: \"swell\" is not known"},
    {"modernbert-model", "\"max_position_embeddings\": 128", "\"max_position_embeddings\": 2000000000",
     "max_position_embeddings: is too large"},
    {"deberta-v2-model", "\"max_relative_positions\": -1", "\"max_relative_positions\": 2000000000",
     "max_relative_positions: is too large"},
    {"deberta-v2-model", "\"pooler_hidden_act\": \"gelu\"", "\"pooler_hidden_act\": \"swell\"",
     "pooler_hidden_act: \"swell\" is not known"},
    {"squeezebert-model", "\"q_groups\": 4", "\"q_groups\": 5", "q_groups: 5 groups don't divide the layer"},
    {"convbert-groups", "\"conv_kernel_size\": 5", "\"conv_kernel_size\": 6", "conv_kernel_size: 6 is even"},
    {"convbert-groups", "\"num_groups\": 2", "\"num_groups\": 5",
     "num_groups: 5 groups don't divide the layer"},
    {"convbert-groups", "\"num_attention_heads\": 4", "\"num_attention_heads\": 20",
     "num_attention_heads: 20 heads don't divide the width of 12"},
    {"mobilebert-all", "\"key_query_shared_bottleneck\": true", "\"key_query_shared_bottleneck\": false",
     "key_query_shared_bottleneck: is false: queries of 8 can't be made from a width of 16"},
    {"mobilebert-all", "\"no_norm\"", "\"batch_norm\"",
     "normalization_type: \"batch_norm\" is not known; known are no_norm, layer_norm"},
    {"mobilebert-all", "\"embedding_size\": 8", "\"embedding_size\": 17",
     "embedding_size: is above the hidden size"},
    {"mobilebert-all", "\"num_feedforward_networks\": 3", "\"num_feedforward_networks\": 0",
     "num_feedforward_networks: is 0, outside"},
    {"mobilebert-all", "\"num_feedforward_networks\": 3", "\"num_feedforward_networks\": 900",
     "num_feedforward_networks: makes too many layers"},
    {"fnet-all", "\"max_position_embeddings\": 16", "\"max_position_embeddings\": 40000",
     "max_position_embeddings: is above 32768"},
    {"qwen3-model", "\"use_sliding_window\": false", "\"use_sliding_window\": true",
     "use_sliding_window: true is not supported"},
    {"qwen3-model", "\"full_attention\",", "\"sliding_attention\",",
     "layer_types: holds another kind than full_attention"},
    {"qwen3-model", "\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"",
     "rope_parameters.rope_type: \"longrope\" is not supported"},
    {"gemma3-text-model", "\"attn_logit_softcapping\": null", "\"attn_logit_softcapping\": 50.0",
     "attn_logit_softcapping: 50 is not supported"},
    {"gemma3-text-model", "\"sliding_window\": 6", "\"sliding_window\": 1", "sliding_window: is 1, outside"},
    {"gemma3-text-model", "\"query_pre_attn_scalar\": 16", "\"query_pre_attn_scalar\": 0",
     "query_pre_attn_scalar: is 0, outside"},
    {"gemma3-text-model", "\"use_bidirectional_attention\": true", "\"use_bidirectional_attention\": 1",
     "use_bidirectional_attention: is a number where true or false"},
    {"t5-encoder", "\"relative_attention_num_buckets\": 8", "\"relative_attention_num_buckets\": 3",
     "relative_attention_num_buckets: is below 4"},
    {"t5-encoder", "\"relative_attention_max_distance\": 16", "\"relative_attention_max_distance\": 2",
     "relative_attention_num_buckets: 8 buckets are too many for distances up to 2"},
    {"t5-encoder", "\"feed_forward_proj\": \"relu\"", "\"feed_forward_proj\": \"swell\"",
     "feed_forward_proj: \"swell\" is not known"},
    {"t5-encoder-gated", "\"gated-gelu\"", "\"gated-swell\"",
     "feed_forward_proj: \"gated-swell\" is not supported; known are gated-gelu, gated-silu, gated-relu"},
    {"new-model", "\"logn_attention_scale\": false", "\"logn_attention_scale\": true",
     "logn_attention_scale: true is not supported"},
    {"new-model", "\"layer_norm\"", "\"rms_norm\"",
     "layer_norm_type: \"rms_norm\" is not supported; known is layer_norm"},
    {"new-model", "\"ntk\"", "\"longrope\"", "rope_scaling.rope_type: \"longrope\" is not supported"},
    {"new-model", "\"type\": \"ntk\"", "\"type\": \"linear\", \"mixed_b\": 0.6",
     "rope_scaling.mixed_b: is of ntk alone"},
    {"new-model", "\"rope\"", "\"alibi\"", "position_embedding_type: \"alibi\" is not supported"},
    {"eurobert-model", "\"rope_type\": \"default\"", "\"rope_type\": \"ntk\", \"factor\": 2",
     "rope_parameters.rope_type: \"ntk\" is not supported; known are default, dynamic, linear, yarn, llama3"},
    {"jina-bert-model", "\"geglu\"", "\"swiglu\"",
     "feed_forward_type: \"swiglu\" is not supported; known are geglu, reglu"},
    {"bert-base-model", "\"vocab_size\"", "\"position_embedding_type\": \"alibi\", \"vocab_size\"",
     "architectures[0]: \"BertModel\" is not known; known are JinaBertModel,"},
    {"jina-bert-model", "\"feed_forward_type\"", "\"feed_forward\"", "feed_forward_type: is missing"},
    {"deberta-v2-mlm-modern", "\"legacy\": false", "\"legacy\": 1",
     "legacy: is a number where true or false"},
};

static void with_config(const char *of, const char *old, const char *with) {
    char path[96];
    snprintf(path, sizeof(path), "%s/config.json", of);
    char *text = case_text(path), *changed = replaced(text, old, with);
    write_text("config.json", changed);
    snprintf(path, sizeof(path), "%s/model.safetensors", of);
    link_case(path, "model.safetensors");
    free(changed);
    free(text);
}

START_TEST(one_problem) {
    SKIP_WITHOUT(wrong[_i].of);
    with_config(wrong[_i].of, wrong[_i].old, wrong[_i].with);
    opened x = open_model((hub_options){0});
    if (!says(&x, wrong[_i].cause)) diag_print(&x.d, stderr);
    ck_assert_msg(!x.ok && says(&x, wrong[_i].cause), "nothing says \"%s\"", wrong[_i].cause);
    close_model(&x);
}
END_TEST

// Cases with a key left out, whose default is what the case has.
static const struct {
    const char *of, *old;
} missing[] = {
    {"roberta-model", "\"pad_token_id\": 1,"},
    {"albert-model", "\"inner_group_num\": 1,"},
    {"albert-model", "\"num_hidden_groups\": 1,"},
    {"albert-model", "\"hidden_act\": \"gelu_new\","},
    {"albert-model", "\"layer_norm_eps\": 1e-12,"},
    {"deberta-v2-model", "\"layer_norm_eps\": 1e-07,"},
    {"mpnet-model", "\"relative_attention_num_buckets\": 32,"},
    {"squeezebert-model", "\"q_groups\": 4,"},
    {"eurobert-model", "\"head_dim\": 12,"},
    {"eurobert-model", "\"num_key_value_heads\": 4,"},
    {"distilbert-model", "\"activation\": \"gelu\","},
    {"convbert-mlm", "\"head_ratio\": 2,"},
    {"convbert-mlm", "\"num_groups\": 1,"},
    {"mobilebert-all", "\"hidden_act\": \"relu\","},
    {"mobilebert-all", "\"trigram_input\": true,"},
    {"mobilebert-all", "\"normalization_type\": \"no_norm\","},
    {"fnet-all", "\"hidden_act\": \"gelu_new\","},
    {"fnet-all", "\"use_tpu_fourier_optimizations\": false,"},
    {"qwen3-model", "\"hidden_act\": \"silu\","},
    {"qwen3-model", "\"rms_norm_eps\": 1e-06,"},
    {"gemma3-text-model", "\"hidden_activation\": \"gelu_pytorch_tanh\","},
    {"t5-encoder-gated", "\"relative_attention_max_distance\": 128,"},
    {"t5-encoder-gated", "\"relative_attention_num_buckets\": 32,"},
    {"layoutlm-model", "\"max_2d_position_embeddings\": 1024,"},
};

static void expect_same_graphs(const opened *x, const opened *y) {
    const opened *both[] = {x, y};
    char *texts[2];
    ck_assert(x->ok && y->ok);
    for (int i = 0; i < 2; i++) {
        size_t size;
        FILE *f = open_memstream(&texts[i], &size);
        graph_print(both[i]->m.graph, NULL, f);
        fclose(f);
    }
    ck_assert_str_eq(texts[0], texts[1]);
    ck_assert_int_eq(x->m.position_start, y->m.position_start);
    free(texts[0]);
    free(texts[1]);
}

START_TEST(a_default) {
    SKIP_WITHOUT(missing[_i].of);
    with_config(missing[_i].of, missing[_i].old, "");
    opened without = open_model((hub_options){0});
    opened with = open_model((hub_options){.model = case_home(missing[_i].of)});
    expect_same_graphs(&with, &without);
    close_model(&with);
    close_model(&without);
}
END_TEST

// Layers that share their weights read one set: the checkpoint's tensors are each counted once.
START_TEST(shared_layers) {
    SKIP_WITHOUT("albert-model");
    opened x = open_model((hub_options){.model = case_home("albert-model")});
    ck_assert(x.ok);
    ck_assert_int_eq(x.m.layers, 3);
    int weights = 0;
    for (value v = 0; v < x.m.graph->count; v++)
        weights += node_attr(graph_node(x.m.graph, v), ATTR_recipe) != NULL;
    ck_assert_int_eq(weights,
                     3 + 2 + 2 + 16 + 2); // embeddings, their norm and projection, a layer, the pooler
    close_model(&x);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, one_problem, 0, sizeof(wrong) / sizeof(wrong[0]));
    tcase_add_loop_test(c, a_default, 0, sizeof(missing) / sizeof(missing[0]));
    tcase_add_test(c, shared_layers);
}

int main(void) {
    return run_suite("families", add);
}
