// links: hub ir
// Tensors under the names that Transformers gives them as it reads them: nomic_bert and jina_embeddings_v3. The model
// is the one of the published names, bit for bit.
#include "folder.h"

static const struct {
    const char *model, *from[9], *to[9], *fused;
} layouts[] = {
    {"nomic-bert-mlm",
     {"encoder.layers", "emb_ln", "attn.out_proj", "fc11", "fc12", "fc2", "norm1", "norm2"},
     {"layers", "embeddings.LayerNorm", "self_attn.o_proj", "up_proj", "gate_proj", "down_proj",
      "post_attention_layernorm", "post_mlp_layernorm"},
     "attn.Wqkv"},
    {"jina-embeddings-v3",
     {"encoder.layers", "emb_ln", "mixer.out_proj", "norm1", "norm2"},
     {"layers", "embeddings.LayerNorm", "self_attn.o_proj", "post_attention_layernorm", "post_mlp_layernorm"},
     "mixer.Wqkv"},
};

static const char *renamed(arena *a, int row, const char *name) {
    for (int i = 0; layouts[row].from[i]; i++)
        if (strstr(name, layouts[row].from[i])) {
            char *s = replaced(name, layouts[row].from[i], layouts[row].to[i]);
            name = arena_strdup(a, s);
            free(s);
        }
    return name;
}

// The tensors of `own`, renamed, and what holds queries, keys and values in three.
static void write_native(int row, arena *a, diag *d) {
    safetensors *s = safetensors_open(in_folder("own/model.safetensors"), d);
    safetensors_item *items = ARENA_ARRAY(a, safetensors_item, 3 * safetensors_count(s));
    int n = 0;
    for (int i = 0; i < safetensors_count(s); i++) {
        const char *name = safetensors_name(s, i), *parts[] = {"q", "k", "v"};
        bool fused = strstr(name, layouts[row].fused);
        for (int p = 0; p < (fused ? 3 : 1); p++) {
            safetensors_item *t = &items[n++];
            const int64_t *shape;
            ck_assert(safetensors_entry(s, name, &t->dtype, &t->rank, &shape, &t->data, &t->bytes));
            for (int k = 0; k < t->rank; k++) t->shape[k] = shape[k];
            t->name = renamed(a, row, name);
            if (!fused) continue;
            char *whole =
                replaced(t->name, layouts[row].fused, arena_printf(a, "self_attn.%s_proj", parts[p]));
            t->name = arena_strdup(a, whole);
            free(whole);
            t->shape[0] /= 3;
            t->bytes /= 3;
            t->data = (const char *)t->data + (size_t)p * t->bytes;
        }
    }
    ck_assert(safetensors_write(in_folder("model.safetensors"), n, items, d));
    safetensors_close(s);
}

START_TEST(native_names) {
    char shape[300], config[100];
    diag d;
    diag_init(&d);
    arena *space = arena_new();
    snprintf(shape, sizeof(shape), CASES "%s/config.json", layouts[_i].model);
    snprintf(config, sizeof(config), "%s/config.json", layouts[_i].model);
    link_case(config, "config.json");
    ck_assert(hub_synth(
        &(synth_options){.shape = shape, .output = in_folder("own"), .dtype = "F32", .seed = 3}, &d));
    write_native(_i, space, &d);
    opened own = open_model((hub_options){.model = in_folder("own")}), x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(own.ok && x.ok && x.d.count == own.d.count);
    ck_assert_int_eq(own.m.parameters, x.m.parameters);
    const tensor *a = all_evaluated(&own), *b = all_evaluated(&x);
    for (int i = 0; i < own.m.graph->output_count; i++) {
        size_t bytes = sizeof(float);
        for (int k = 0; k < a[i].rank; k++) bytes *= (size_t)a[i].shape[k];
        ck_assert_msg(!memcmp(a[i].data, b[i].data, bytes), "%s", output_name(&own, i));
    }
    close_model(&own);
    close_model(&x);
    arena_free(space);
    diag_free(&d);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, native_names, 0, sizeof(layouts) / sizeof(layouts[0]));
}

int main(void) {
    return run_suite("renamed tensors", add);
}
