// links: cli
// The graphs of every BERT case, evaluated by the reference evaluator, against what Transformers gives.
#include "cases.h"

static const char *const names[] = {
    "bert-base-model",
    "bert-relu",
    "bert-gelu-new",
    "bert-gelu-tanh",
    "bert-silu",
    "bert-odd",
    "bert-head64",
    "bert-one-token",
    "bert-eps",
    "bert-3types",
    "bert-f16",
    "bert-bf16",
    "bert-sharded",
    "bert-legacy-gamma-beta",
    "bert-mlm",
    "bert-mlm-untied",
    "bert-nsp",
    "bert-qa",
    "bert-pretraining",
    "bert-seqcls",
    "bert-tokcls",
    "ibert-like-bert-qk",
    "bert-seqcls-regression",
};

// Opens the case, and holds it against the tensors of `file`. False where the case is not here.
static bool check(const char *name, const char *file, const char *outputs) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    const char *folder = case_folder(a, name);
    if (!folder) {
        arena_free(a);
        return false;
    }
    hub_model m;
    hub_options options = {.model = folder, .outputs = outputs};
    if (!hub_open(&options, a, &m, &d)) case_fail(&d);
    ck_assert_int_eq(d.count, 0);
    if (!graph_verify(m.graph, "hub", &d)) case_fail(&d);
    safetensors *io = safetensors_open(arena_printf(a, "%s/%s", folder, file), &d);
    if (!io) case_fail(&d);
    case_check(&m, io, "out.", 0, 5e-5, a, &d);
    safetensors_close(io);
    hub_close(&m);
    diag_free(&d);
    arena_free(a);
    return true;
}

START_TEST(outputs_agree) {
    bool base = !strcmp(names[_i], "bert-base-model"); // its reference holds all that can be asked for
    check(names[_i], "io.safetensors", base ? "hidden_states,attentions" : NULL);
}
END_TEST

// Padding on the left, holes, both: masks.safetensors holds what Transformers 5.17 gives with the case's ids
// and other masks.
static const char *const masked[] = {"bert-base-model", "bert-mlm", "bert-tokcls", "bert-qa"};

START_TEST(masks_agree) {
    ck_assert(check(masked[_i], "masks.safetensors", NULL));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("graphs of BERT");
    TCase *c = tcase_create("cases");
    tcase_add_loop_test(c, outputs_agree, 0, sizeof(names) / sizeof(names[0]));
    tcase_add_loop_test(c, masks_agree, 0, sizeof(masked) / sizeof(masked[0]));
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
