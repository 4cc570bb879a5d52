// links: hub ir
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

static void fail_with(const diag *d) {
    diag_print(d, stderr);
    ck_abort_msg("%s", d->count ? d->items[d->count - 1].text : "failed without a word");
}

START_TEST(outputs_agree) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    const char *folder = case_folder(a, names[_i]);
    if (!folder) {
        arena_free(a);
        return;
    }
    hub_model m;
    // What the head gives by default must not change by what is asked for besides.
    bool base = !strcmp(names[_i], "bert-base-model");
    hub_options options = {.model = folder, .outputs = base ? "hidden_states,attentions" : NULL};
    if (!hub_open(&options, a, &m, &d)) fail_with(&d);
    ck_assert_int_eq(d.count, 0);
    if (!graph_verify(m.graph, "hub", &d)) fail_with(&d);

    safetensors *io = safetensors_open(arena_printf(a, "%s/io.safetensors", folder), &d);
    if (!io) fail_with(&d);
    grid g = case_grid(io, a);
    eval_input inputs[6];
    eval_options e = {.source = &m.source, .input_count = case_inputs(&g, a, inputs), .inputs = inputs};
    bool rows = false;
    for (int i = 0; i < m.graph->count; i++) {
        rows |= m.graph->nodes[i].op == OP_input && !strcmp(m.graph->nodes[i].name, "rows");
    }
    if (!rows) e.input_count = 4;
    tensor *results = ARENA_ARRAY(a, tensor, m.graph->output_count);
    if (!graph_eval(m.graph, &e, a, results, &d)) fail_with(&d);

    int compared = 0, references = 0;
    for (int i = 0; i < safetensors_count(io); i++)
        references += !strncmp(safetensors_name(io, i), "out.", 4);
    for (int i = 0; i < m.graph->output_count; i++) {
        const char *dtype, *name = arena_printf(a, "out.%s", m.graph->outputs[i].name);
        int rank;
        const int64_t *shape;
        const void *data;
        size_t bytes;
        ck_assert_msg(safetensors_entry(io, name, &dtype, &rank, &shape, &data, &bytes), "%s: %s", names[_i],
                      name);
        difference x = case_compare(&g, &results[i], rank, shape, data);
        ck_assert_msg(x.largest > 0 && x.most <= 5e-5 * fmax(1, x.largest),
                      "%s: %s is off by %g (largest %g)", names[_i], name, x.most, x.largest);
        compared++;
    }
    ck_assert_int_eq(compared, references);
    safetensors_close(io);
    hub_close(&m);
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("graphs of BERT");
    TCase *c = tcase_create("cases");
    tcase_add_loop_test(c, outputs_agree, 0, sizeof(names) / sizeof(names[0]));
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
