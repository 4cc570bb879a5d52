// links: cli
// Adapters against what PEFT 0.21 gives with them (answers/lora, its inputs and base model): the kinds of LoRA that it saves, and two
// adapters by weight.
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case_path.h"
#include "main.h"
#include "models/answers.h"

#define LORA BERTC_TESTS "/models/answers/lora"
#define KIN  LORA "/adapters/"

static const struct {
    const char *name, *base, *adapters, *combine, *head, *wanted;
} all[] = {
    {"of the model", LORA, LORA "/adapter", NULL, NULL, LORA "/io.safetensors"},
    {"scales by patterns and roots", LORA, KIN "rslora", NULL, NULL, KIN "rslora/out.safetensors"},
    {"all biases", LORA, KIN "bias-all", NULL, NULL, KIN "bias-all/out.safetensors"},
    {"biases of its layers", LORA, KIN "bias-lora-only", NULL, NULL, KIN "bias-lora-only/out.safetensors"},
    {"a bias of its own", LORA, KIN "lora-bias", NULL, NULL, KIN "lora-bias/out.safetensors"},
    {"a classifier", LORA, KIN "seq-cls", NULL, NULL, KIN "seq-cls/out.safetensors"},
    {"a tagger", LORA, KIN "token-cls", NULL, NULL, KIN "token-cls/out.safetensors"},
    {"tables of embeddings", LORA, KIN "embeddings", NULL, NULL, KIN "embeddings/out.safetensors"},
    {"a prefix in the checkpoint", "bert-mlm", KIN "prefix", NULL, "model", KIN "prefix/out.safetensors"},
    {"EuroBERT", "eurobert-model", KIN "eurobert", NULL, NULL, KIN "eurobert/out.safetensors"},
    {"two, by weight", LORA, LORA "/adapter=0.7," KIN "second=-0.4", NULL, NULL, KIN "cat.safetensors"},
    {"two, linear", LORA, LORA "/adapter=0.7," KIN "second=-0.4", "linear", NULL, KIN "linear.safetensors"}};

// The inputs, of the base model's file, with the outputs that are wanted.
static const char *join(const char *inputs, const char *wanted) {
    static char path[64];
    safetensors *files[2];
    safetensors_item items[32];
    int n = 0;
    diag d;
    diag_init(&d);
    snprintf(path, sizeof path, "/tmp/bertc-adapters-%d.safetensors", (int)getpid());
    for (int f = 0; f < 2; f++) {
        files[f] = safetensors_open(f ? wanted : inputs, &d);
        must_diag(files[f] != NULL, &d, f ? wanted : inputs);
        for (int i = 0; i < safetensors_count(files[f]); i++) {
            const int64_t *shape;
            safetensors_item *t = &items[n];
            *t = (safetensors_item){.name = safetensors_name(files[f], i)};
            if ((strncmp(t->name, "out.", 4) == 0) != (f == 1)) continue;
            ck_assert_int_lt(n, 31);
            ck_assert(safetensors_entry(files[f], t->name, &t->dtype, &t->rank, &shape, &t->data, &t->bytes));
            for (int k = 0; k < t->rank; k++) t->shape[k] = shape[k];
            n++;
        }
    }
    must_diag(safetensors_write(path, n, items, &d), &d, path);
    for (int f = 0; f < 2; f++) safetensors_close(files[f]);
    diag_free(&d);
    return path;
}

static void check(int i, const char *dtype, tolerance most) {
    opened model;
    reference r;
    diag d;
    char inputs[1100];
    const char *base = *all[i].base == '/' ? all[i].base : case_home(all[i].base);
    if (!base) SKIP("shared", "%s", all[i].base);
    diag_init(&d);
    snprintf(inputs, sizeof inputs, "%s/io.safetensors", base);
    const char *path = join(inputs, all[i].wanted);
    build_options o = {.batch = 4,
                       .optimise = 1,
                       .lengths = {1, {64}},
                       .dtype = dtype,
                       .adapters = {1, {all[i].adapters}},
                       .hub = {.combine = all[i].combine, .head = all[i].head}};
    must_diag(opened_open(&model, base, &o, &d), &d, all[i].name);
    reference_open(&r, path);
    double largest = 0;
    most.largest = &largest;
    reference_check(&r, model.model, 1, most, all[i].name);
    table_note(largest);
    reference_close(&r);
    opened_close(&model);
    diag_free(&d);
    unlink(path);
}

START_TEST(as_peft) {
    check(_i, NULL, (tolerance){.absolute = 5e-5});
    table_row("adapters", all[_i].name);
}
END_TEST

// The merged weights are lowered as any others.
START_TEST(lowered) {
    check(0, _i ? "int8" : "bf16", (tolerance){.absolute = 0.15});
}
END_TEST

int main(int argc, char **argv) {
    table_begin(argc, argv);
    Suite *s = suite_create("adapters");
    TCase *t = tcase_create("adapters");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, as_peft, 0, sizeof all / sizeof *all);
    tcase_add_loop_test(t, lowered, 0, 2);
    suite_add_tcase(s, t);
    return suite_status(s);
}
