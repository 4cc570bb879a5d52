// links: hub ir
// pruned_heads: layers whose tensors have lost heads answer as the whole model does with the columns of these heads
// zero in the projection behind attention. Where the tensors are whole, the key changes nothing.
#include <math.h>

#include "folder.h"

#define LAYER 1

static const struct {
    const char *model, *rows[3], *columns;
} families[] = {
    {"bert-base-model", {"self.query", "self.key", "self.value"}, "attention.output.dense.weight"},
    {"bert-relative-key-query", {"self.query", "self.key", "self.value"}, "attention.output.dense.weight"},
    {"roberta-model", {"self.query", "self.key", "self.value"}, "attention.output.dense.weight"},
    {"electra-model", {"self.query", "self.key", "self.value"}, "attention.output.dense.weight"},
    {"distilbert-model", {"q_lin", "k_lin", "v_lin"}, "attention.out_lin.weight"},
    {"roformer-model", {"self.query", "self.key", "self.value"}, "attention.output.dense.weight"},
    {"esm-model", {"self.query", "self.key", "self.value"}, "attention.output.dense.weight"},
    {"megatron-bert-model", {"self.query", "self.key", "self.value"}, "attention.output.dense.weight"},
};

static int family;
static int64_t heads;
static const bool *gone; // by head

static bool in_layer(const char *name, const char *part) {
    char number[16];
    snprintf(number, sizeof(number), "layer.%d.", LAYER);
    return strstr(name, number) && strstr(name, part);
}

static bool is_rows(const char *name) {
    for (int i = 0; i < 3; i++)
        if (in_layer(name, families[family].rows[i])) return true;
    return false;
}

// Drops, or zeroes, what lies in a pruned head along axis 0 or 1.
static void drop(safetensors_item *t, arena *a, int axis, bool zero) {
    int64_t n = t->shape[axis], width = n / heads, columns = t->rank == 2 ? t->shape[1] : 1, kept = 0;
    size_t size = t->bytes / (size_t)(t->shape[0] * columns);
    char *to = ARENA_ARRAY(a, char, t->bytes);
    const char *from = t->data;
    for (int64_t i = 0; i < t->shape[0] * columns; i++, from += size) {
        int64_t at = axis ? i % columns : i / columns;
        if (gone[at / width] && !zero) continue;
        if (!gone[at / width]) memcpy(to + size * (size_t)kept, from, size);
        kept++;
    }
    t->data = to;
    t->bytes = size * (size_t)kept;
    for (int64_t h = 0; !zero && h < heads; h++) t->shape[axis] -= gone[h] ? width : 0;
}

static bool pruned(safetensors_item *t, arena *a) {
    if (is_rows(t->name)) drop(t, a, 0, false);
    if (in_layer(t->name, families[family].columns)) drop(t, a, 1, false);
    return true;
}

static bool zeroed(safetensors_item *t, arena *a) {
    if (in_layer(t->name, families[family].columns)) drop(t, a, 1, true);
    return true;
}

// The case's config with `more` in front.
static void with_key(const char *model, const char *more) {
    char path[300];
    snprintf(path, sizeof(path), "%s/config.json", model);
    char *text = case_text(path), *changed = replaced(text, "{", more);
    write_text("config.json", changed);
    free(changed);
    free(text);
}

static void same(const opened *x, const tensor *a, const tensor *b) {
    for (int i = 0; i < x->m.graph->output_count; i++) {
        int64_t n = 1;
        ck_assert_int_eq(a[i].rank, b[i].rank);
        for (int k = 0; k < a[i].rank; k++) n *= a[i].shape[k];
        for (int64_t k = 0; k < n; k++)
            ck_assert_msg(fabsf(((float *)a[i].data)[k] - ((float *)b[i].data)[k]) < 4e-6f, "%s: %s[%d]",
                          families[family].model, output_name(x, i), (int)k);
    }
}

static int64_t heads_of(const char *model) {
    with_key(model, "{");
    const char *path = case_path(model, "model.safetensors");
    opened x = open_model((hub_options){.model = path, .config = in_folder("config.json")});
    ck_assert(x.ok);
    int64_t n = x.m.heads;
    close_model(&x);
    return n;
}

START_TEST(fewer_heads) {
    SKIP_WITHOUT(families[_i].model);
    static const bool second[8] = {false, true};
    family = _i;
    gone = second;
    const char *model = families[family].model;
    heads = heads_of(model);
    ck_assert_int_gt(heads, 1);
    copy_weights(model, zeroed);
    opened whole = open_model((hub_options){0});
    ck_assert(whole.ok);
    const tensor *a = all_evaluated(&whole);
    with_key(model, "{\"pruned_heads\": {\"1\": [1, 1]}, ");
    copy_weights(model, pruned);
    opened x = open_model((hub_options){.outputs = "attentions"});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok && !says(&x, "read whole"));
    ck_assert_int_lt(x.m.parameters, whole.m.parameters);
    const tensor *b = all_evaluated(&x);
    same(&whole, a, b);
    int layer = whole.m.graph->output_count; // behind them the attentions of layers 0, 1
    ck_assert_str_eq(output_name(&x, layer + 1), "attentions.1");
    ck_assert_int_eq(b[layer].shape[1], heads);
    ck_assert_int_eq(b[layer + 1].shape[1], heads - 1);
    close_model(&x);
    close_model(&whole);
}
END_TEST

START_TEST(whole_tensors) {
    link_case("bert-base-model/model.safetensors", "model.safetensors");
    with_key("bert-base-model", "{");
    opened own = open_model((hub_options){0});
    ck_assert(own.ok);
    const tensor *a = all_evaluated(&own);
    with_key("bert-base-model", "{\"pruned_heads\": {\"0\": [0, 2], \"1\": [1], \"7\": [1], \"x\": 3}, ");
    opened x = open_model((hub_options){0});
    ck_assert(x.ok && says(&x, "pruned_heads: layers whose tensors have all heads are read whole"));
    const tensor *b = all_evaluated(&x);
    for (int i = 0; i < own.m.graph->output_count; i++)
        ck_assert(!memcmp(a[i].data, b[i].data, 4 * (size_t)(a[i].shape[0] * a[i].shape[1])));
    close_model(&x);
    close_model(&own);
}
END_TEST

START_TEST(no_such_layers) {
    static const bool first[8] = {true}, all[8] = {true, true, true, true, true, true, true, true};
    family = 0;
    gone = first;
    heads = heads_of("bert-base-model");
    copy_weights("bert-base-model", pruned);
    with_key("bert-base-model", "{\"pruned_heads\": {\"1\": [0, 1]}, ");
    expect_failure((hub_options){0},
                   "layer.1.attention.self.query.weight\": has the shape [36,48], the config says [48,48]",
                   7);
    with_key("bert-base-model", "{\"pruned_heads\": [1], ");
    expect_failure((hub_options){0}, "pruned_heads: is an array where an object is expected", 1);
    gone = all;
    copy_weights("bert-base-model", pruned);
    with_key("bert-base-model", "{\"pruned_heads\": {\"1\": [0, 1, 2, 3]}, ");
    expect_failure((hub_options){0}, "layer.1.attention.self.query.weight\": has the shape [0,48]", 7);
}
END_TEST

static bool pruned_mpnet(safetensors_item *t, arena *a) {
    if (strstr(t->name, "layer.1.attention.attn.q.") || strstr(t->name, "layer.1.attention.attn.k.") ||
        strstr(t->name, "layer.1.attention.attn.v."))
        drop(t, a, 0, false);
    if (strstr(t->name, "layer.1.attention.attn.o.weight")) drop(t, a, 1, false);
    return true;
}

START_TEST(no_such_families) {
    static const bool first[8] = {true};
    gone = first;
    heads = heads_of("mpnet-model");
    copy_weights("mpnet-model", pruned_mpnet);
    with_key("mpnet-model", "{\"pruned_heads\": {\"1\": [0]}, ");
    expect_failure(
        (hub_options){0},
        "config.json: pruned_heads.1: layers with fewer heads are not supported in the family mpnet", 1);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, fewer_heads, 0, sizeof(families) / sizeof(families[0]));
    tcase_add_test(c, whole_tensors);
    tcase_add_test(c, no_such_layers);
    tcase_add_test(c, no_such_families);
}

int main(void) {
    return run_suite("pruned heads", add);
}
