// links: hub ir
// Word embeddings and the decoder that is tied to them, either of them stored under the other's name alone: the
// model that comes of it gives the same numbers, bit for bit.
#include "folder.h"

static const struct {
    const char *model, *word, *decoder;
} pairs[] = {
    {"albert-mlm", "albert.embeddings.word_embeddings.weight", "predictions.decoder.weight"},
    {"bert-mlm", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"bert-pretraining", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"camembert-mlm", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
    {"convbert-mlm", "convbert.embeddings.word_embeddings.weight", "generator_lm_head.weight"},
    {"deberta-v2-mlm", "deberta.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"distilbert-mlm", "distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight"},
    {"electra-mlm", "electra.embeddings.word_embeddings.weight", "generator_lm_head.weight"},
    {"esm-mlm", "esm.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
    {"fnet-mlm", "fnet.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"longformer-mlm", "longformer.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
    {"mobilebert-mlm", "mobilebert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"modernbert-mlm", "model.embeddings.tok_embeddings.weight", "decoder.weight"},
    {"mpnet-mlm", "mpnet.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
    {"nomic-bert-mlm", "nomic_bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"roberta-mlm", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
    {"roformer-mlm", "roformer.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
};

static int pair; // the row that the changes below work on

static bool under_decoder(safetensors_item *t, arena *a) {
    if (!strcmp(t->name, pairs[pair].decoder)) return false;
    if (!strcmp(t->name, pairs[pair].word)) t->name = arena_strdup(a, pairs[pair].decoder);
    return true;
}

static bool under_word(safetensors_item *t, arena *a) {
    (void)a;
    return strcmp(t->name, pairs[pair].decoder) != 0;
}

// Random weights of the case's shape, in the folder's `own`.
static void make_own(const char *model) {
    char shape[300];
    snprintf(shape, sizeof(shape), CASES "%s/config.json", model);
    diag d;
    diag_init(&d);
    bool ok = hub_synth(
        &(synth_options){.shape = shape, .output = in_folder("own"), .dtype = "F32", .seed = 3}, &d);
    if (!ok) diag_print(&d, stderr);
    ck_assert(ok);
    diag_free(&d);
    snprintf(shape, sizeof(shape), "%s/config.json", model);
    link_case(shape, "config.json");
}

// The folder's model, its weights those of `own` put through f, held against `own`.
static void same_numbers(const char *model, change f) {
    change_weights(in_folder("own/model.safetensors"), f);
    opened own = open_model((hub_options){.model = in_folder("own")}), x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert_msg(own.ok && x.ok, "%s", model);
    ck_assert_int_eq(own.m.parameters, x.m.parameters);
    const tensor *a = all_evaluated(&own), *b = all_evaluated(&x);
    for (int i = 0; i < own.m.graph->output_count; i++) {
        size_t bytes = sizeof(float);
        for (int k = 0; k < a[i].rank; k++) bytes *= (size_t)a[i].shape[k];
        ck_assert_msg(!memcmp(a[i].data, b[i].data, bytes), "%s: %s", model, output_name(&own, i));
    }
    close_model(&own);
    close_model(&x);
}

static void find_roberta(void) {
    for (pair = 0; strcmp(pairs[pair].model, "roberta-mlm"); pair++) {
    }
    make_own("roberta-mlm");
}

START_TEST(either_name) {
    pair = _i;
    make_own(pairs[pair].model);
    same_numbers(pairs[pair].model, under_decoder);
    same_numbers(pairs[pair].model, under_word);
}
END_TEST

// The encoder of a masked LM whose embeddings stand under the decoder's name.
START_TEST(encoder_alone) {
    find_roberta();
    change_weights(in_folder("own/model.safetensors"), under_decoder);
    opened x = open_model((hub_options){.head = "model"});
    ck_assert(x.ok);
    close_model(&x);
}
END_TEST

// --- The bias of the decoder, which is the predictions' own

static const char *const biases[][3] = {
    {"albert-mlm", "predictions.bias", "predictions.decoder.bias"},
    {"bert-mlm", "cls.predictions.bias", "cls.predictions.decoder.bias"},
    {"deberta-v2-mlm", "cls.predictions.bias", "cls.predictions.decoder.bias"},
    {"fnet-mlm", "cls.predictions.bias", "cls.predictions.decoder.bias"},
    {"mobilebert-mlm", "cls.predictions.bias", "cls.predictions.decoder.bias"},
    {"mpnet-mlm", "lm_head.bias", "lm_head.decoder.bias"},
    {"nomic-bert-mlm", "cls.predictions.bias", "cls.predictions.decoder.bias"},
    {"roberta-mlm", "lm_head.bias", "lm_head.decoder.bias"},
    {"roformer-mlm", "cls.predictions.bias", "cls.predictions.decoder.bias"},
};

static bool other_bias(safetensors_item *t, arena *a) {
    (void)a;
    if (!strcmp(t->name, biases[pair][1])) t->name = biases[pair][2];
    return true;
}

START_TEST(either_bias) {
    pair = _i;
    make_own(biases[pair][0]);
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(in_folder("own/model.safetensors"), &d);
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    size_t bytes;
    ck_assert(safetensors_entry(s, biases[pair][1], &dtype, &rank, &shape, &data, &bytes));
    safetensors_close(s);
    diag_free(&d);
    same_numbers(biases[pair][0], other_bias);
}
END_TEST

// --- A prefix of somebody's own, and shards

static bool wrapped(safetensors_item *t, arena *a) {
    if (!under_decoder(t, a)) return false;
    t->name = arena_printf(a, "module.%s", t->name);
    return true;
}

START_TEST(under_a_prefix) {
    find_roberta();
    same_numbers("roberta-mlm", wrapped);
}
END_TEST

static bool is_decoder(safetensors_item *t, arena *a) {
    return under_decoder(t, a) && !strcmp(t->name, pairs[pair].decoder);
}

static bool is_no_decoder(safetensors_item *t, arena *a) {
    return under_decoder(t, a) && strcmp(t->name, pairs[pair].decoder) != 0;
}

static void move_weights(const char *name) {
    char from[200];
    snprintf(from, sizeof(from), "%s", in_folder("model.safetensors"));
    ck_assert_int_eq(rename(from, in_folder(name)), 0);
}

START_TEST(in_shards) {
    find_roberta();
    FILE *f = fopen(in_folder("model.safetensors.index.json"), "w");
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(in_folder("own/model.safetensors"), &d);
    fprintf(f, "{\"weight_map\": {\"%s\": \"b.safetensors\"", pairs[pair].decoder);
    for (int i = 0; i < safetensors_count(s); i++) {
        const char *name = safetensors_name(s, i);
        if (strcmp(name, pairs[pair].word)) fprintf(f, ", \"%s\": \"a.safetensors\"", name);
    }
    fprintf(f, "}}");
    fclose(f);
    safetensors_close(s);
    diag_free(&d);
    change_weights(in_folder("own/model.safetensors"), is_no_decoder);
    move_weights("a.safetensors");
    change_weights(in_folder("own/model.safetensors"), is_decoder);
    move_weights("b.safetensors");
    opened own = open_model((hub_options){.model = in_folder("own")}), x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(own.ok && x.ok && x.d.count == 0);
    const tensor *a = all_evaluated(&own), *b = all_evaluated(&x);
    ck_assert(!memcmp(a[0].data, b[0].data, 4 * (size_t)(a[0].shape[0] * a[0].shape[1])));
    close_model(&own);
    close_model(&x);
}
END_TEST

static bool without_either(safetensors_item *t, arena *a) {
    (void)a;
    return strcmp(t->name, pairs[pair].word) && strcmp(t->name, pairs[pair].decoder);
}

START_TEST(neither) {
    find_roberta();
    change_weights(in_folder("own/model.safetensors"), without_either);
    expect_failure((hub_options){0}, "tensor \"roberta.embeddings.word_embeddings.weight\": is missing", 1);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, either_name, 0, sizeof(pairs) / sizeof(pairs[0]));
    tcase_add_test(c, encoder_alone);
    tcase_add_loop_test(c, either_bias, 0, sizeof(biases) / sizeof(biases[0]));
    tcase_add_test(c, under_a_prefix);
    tcase_add_test(c, in_shards);
    tcase_add_test(c, neither);
}

int main(void) {
    return run_suite("tied weights", add);
}
