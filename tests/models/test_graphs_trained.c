// links: cli
// The graphs of the trained checkpoints, evaluated by the reference evaluator on their first texts, against
// what Transformers and sentence-transformers give with them.
#include "cases.h"
#include "main.h"

static const struct {
    const char *name, *head;
    int64_t rows;
    bertc_task_kind task;
} models[] = {
    {"mini-sst2", "sequence-classification", 4, BERTC_TASK_CLASSIFY},
    {"small-ner", "token-classification", 3, BERTC_TASK_ENTITIES},
    {"small-qa", "question-answering", 1, BERTC_TASK_ANSWER},
    {"small-sts", "embedding", 4, BERTC_TASK_EMBEDDING},
    {"small-pretrained", "pretraining", 2, BERTC_TASK_PRETRAINING},
};

START_TEST(outputs_agree) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    hub_model m;
    hub_options options = {.model = arena_printf(a, BERTC_SHARED "/models/%s", models[_i].name)};
    if (!hub_open(&options, a, &m, &d)) case_fail(&d);
    ck_assert_str_eq(m.head, models[_i].head);
    ck_assert_uint_eq(((const bertc_task *)m.task)->kind, models[_i].task);
    ck_assert_uint_eq(((const bertc_task *)m.task)->max_length, 512);
    ck_assert_int_eq(((const bertc_task *)m.task)->mask_id, 4);
    safetensors *io = safetensors_open(arena_printf(a, "%s/reference.safetensors", options.model), &d);
    if (!io) case_fail(&d);
    case_check(&m, io, "", models[_i].rows, 5e-5, a, &d);
    safetensors_close(io);
    hub_close(&m);
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    struct stat s;
    if (stat(BERTC_SHARED "/models/mini-sst2/config.json", &s))
        return skip_all("shared", "the trained checkpoints");
    Suite *suite = suite_create("graphs of the trained checkpoints");
    TCase *c = tcase_create("models");
    tcase_add_loop_test(c, outputs_agree, 0, sizeof(models) / sizeof(models[0]));
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
