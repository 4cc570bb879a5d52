// links: cli
// Trained models as folders (hub_save_model): each case is opened for its task, saved with the numbers that it has, and the
// folder that comes out is opened by its own config alone. It holds the tensors that Transformers gave the case, and gives its
// outputs, evaluated and compiled. And what a new head, labels, narrower numbers and sentence-transformers' modules make of it.
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case_path.h"
#include "main.h"
#include "models/cases.h"
#include "models/reference.h"

static const struct saved_case {
    const char *name, *task;
} cases[] = {{"bert-seqcls", "classify"},
             {"bert-mlm", "mlm"},
             {"bert-pretraining", "pretrain"},
             {"bert-tokcls", "tag"},
             {"albert-mlm", "mlm"},
             {"albert-pretraining", "pretrain"},
             {"distilbert-mlm", "mlm"},
             {"distilbert-seqcls", "classify"},
             {"electra-mlm", "mlm"},
             {"electra-seqcls", "classify"},
             {"mpnet-mlm", "mlm"},
             {"mpnet-seqcls", "classify"},
             {"modernbert-qa", "answer"},
             {"modernbert-seqcls", "classify"},
             {"xlm-roberta-tokcls", "tag"},
             {"xlm-roberta-seqcls", "regress"},
             {"xlm-roberta-qa", "answer"},
             {"roberta-mlm", "mlm"},
             {"deberta-v2-tokcls", "tag"},
             {"nomic-bert-seqcls", "classify"},
             {"eurobert-seqcls", "classify"},
             {"longformer-qa", "answer"},
             {"bert-base-model", "tag"},
             {"squeezebert-model", "classify"},
             {"roformer-mlm", "mlm"}};
enum { CASES = sizeof cases / sizeof *cases };

static char folder[64];

static void begin(void) {
    strcpy(folder, "/tmp/bertc-saved-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void end(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static bool is_of(const recipe *r, const char *name) {
    bool is = r->kind == RECIPE_TENSOR && !strcmp(r->tensor, name);
    for (int i = 0; i < r->part_count; i++) is |= is_of(r->parts[i], name);
    return is;
}

// A parameter as it stands in the checkpoint, of those alone that training changes.
static bool as_read(void *user, const char *name, float *out, int64_t count, diag *d) {
    const hub_model *m = user;
    tensor_view t;
    bool trained = false;
    for (value v = 0; v < m->graph->count; v++)
        if (node_is_state(graph_node(m->graph, v)))
            trained |= is_of(node_attr(graph_node(m->graph, v), ATTR_recipe)->u.recipe, name);
    if (!trained) return diag_error(d, name, "is no parameter");
    if (!m->source.find(m->source.context, name, &t)) return diag_error(d, name, "is not there");
    elem_convert(t.e, t.data, ELEM_F32, out, count);
    return true;
}

static void open_model(const char *from, hub_training t, arena *a, hub_model *m, diag *d) {
    hub_options o = {.model = from, .train = t};
    if (!hub_open(&o, a, m, d)) case_fail(d);
}

static void save(const char *from, hub_training t, const char *dtype, arena *a, diag *d) {
    hub_model m;
    open_model(from, t, a, &m, d);
    hub_save s = {.folder = folder, .dtype = dtype, .card = "# A model\n", .read = as_read, .user = &m};
    if (!hub_save_model(&m, &s, d)) case_fail(d);
    hub_close(&m);
}

// Every own of the saved folder stands in the case's, under the same name and in the same shape.
static void check_names(const char *name, arena *a, diag *d) {
    safetensors *old = safetensors_open(case_path(name, "model.safetensors"), d);
    safetensors *new = safetensors_open(arena_printf(a, "%s/model.safetensors", folder), d);
    if (!old || !new) case_fail(d);
    ck_assert_int_gt(safetensors_count(new), 5);
    for (int i = 0; i < safetensors_count(new); i++) {
        const char *dtype, *own = safetensors_name(new, i);
        const int64_t *has, *wants;
        const void *data;
        size_t bytes;
        int rank, other;
        ck_assert(safetensors_entry(new, own, &dtype, &rank, &has, &data, &bytes));
        ck_assert_str_eq(dtype, "F32");
        ck_assert_msg(safetensors_entry(old, own, &dtype, &other, &wants, &data, &bytes), "%s: no %s", name,
                      own);
        ck_assert_int_eq(rank, other);
        for (int k = 0; k < rank; k++) ck_assert_int_eq(has[k], wants[k]);
    }
    safetensors_close(old);
    safetensors_close(new);
}

static void check_compiled(const char *name, diag *d) {
    opened m;
    reference r;
    build_options o = {.batch = 1, .optimise = 2, .mcpu = "native", .hub.model = folder};
    must_diag(opened_open(&m, folder, &o, d), d, name);
    reference_open(&r, case_path(name, "io.safetensors"));
    reference_check(&r, m.model, 1, (tolerance){5e-5, 5e-5, false, NULL}, name);
    reference_close(&r);
    opened_close(&m);
}

START_TEST(saved_case) {
    const struct saved_case *c = &cases[_i];
    if (!case_home(c->name)) SKIP("shared", "%s", c->name);
    arena *a = arena_new();
    diag d;
    hub_model m;
    diag_init(&d);
    begin();
    bool whole = !strstr(c->name, "-model"); // its head is there
    save(case_home(c->name), (hub_training){.task = c->task}, NULL, a, &d);
    open_model(folder, (hub_training){0}, a, &m, &d);
    if (whole) {
        check_names(c->name, a, &d);
        safetensors *io = safetensors_open(case_path(c->name, "io.safetensors"), &d);
        case_check(&m, io, "out.", 0, 5e-5, a, &d);
        safetensors_close(io);
        if (_i % 6 == 0) check_compiled(c->name, &d);
    }
    hub_close(&m);
    end();
    diag_free(&d);
    arena_free(a);
}
END_TEST

static cJSON *config(void) {
    char path[128], text[8192];
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    cJSON *root = cJSON_Parse(text);
    ck_assert_ptr_nonnull(root);
    return root;
}

static const char *text_of(const cJSON *root, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(root, key));
    return text ? text : "";
}

START_TEST(new_head) {
    static const char *const names[] = {"bad", "so \"so\"", "good"};
    arena *a = arena_new();
    diag d;
    hub_model m;
    diag_init(&d);
    begin();
    const hub_training t = {.task = "classify", .label_count = 3, .labels = names, .multi_label = true};
    save(case_home("bert-mlm"), t, "bf16", a, &d);
    cJSON *root = config();
    ck_assert_str_eq(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "architectures"), 0)->valuestring,
                     "BertForSequenceClassification");
    ck_assert_str_eq(text_of(root, "problem_type"), "multi_label_classification");
    ck_assert_str_eq(text_of(root, "dtype"), "bfloat16");
    ck_assert_str_eq(text_of(cJSON_GetObjectItem(root, "id2label"), "1"), names[1]);
    ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "label2id"), "good")->valueint, 2);
    cJSON_Delete(root);
    open_model(folder, (hub_training){0}, a, &m, &d);
    ck_assert_int_eq(m.label_count, 3);
    ck_assert(m.multi_label);
    tensor_view view;
    ck_assert(m.source.find(m.source.context, "classifier.weight", &view));
    ck_assert_int_eq(view.e, ELEM_BF16);
    ck_assert(m.source.find(m.source.context, "bert.pooler.dense.weight", &view));
    hub_close(&m);
    end();
    diag_free(&d);
    arena_free(a);
}
END_TEST

// A plain encoder becomes a sentence-transformers folder, and one of these keeps its modules.
START_TEST(embeddings) {
    static const char *const from[] = {"bert-base-model", "st-weightedmean", "st-concat-new", "st-prompts"};
    arena *a = arena_new();
    diag d;
    hub_model m, old;
    diag_init(&d);
    if (!case_home(from[_i])) SKIP("shared", "%s", from[_i]);
    begin();
    save(case_home(from[_i]), (hub_training){.task = "embed"}, NULL, a, &d);
    ck_assert_int_eq(access(arena_printf(a, "%s/modules.json", folder), R_OK), 0);
    open_model(folder, (hub_training){0}, a, &m, &d);
    hub_options o = {.model = case_home(from[_i]), .head = "embedding"};
    if (!hub_open(&o, a, &old, &d)) case_fail(&d);
    ck_assert_str_eq(m.head, "embedding");
    // The same ops on the same numbers: so the same text, but for the names of the tensors.
    ck_assert_int_eq(m.graph->count, old.graph->count);
    for (value v = 0; v < m.graph->count; v++)
        ck_assert_int_eq(graph_node(m.graph, v)->op, graph_node(old.graph, v)->op);
    ck_assert_uint_eq(m.task_bytes, old.task_bytes);
    if (_i) ck_assert_mem_eq(m.task, old.task, m.task_bytes); // a plain one gets the length of its positions
    hub_close(&m);
    hub_close(&old);
    end();
    diag_free(&d);
    arena_free(a);
}
END_TEST

static bool fails(void *user, const char *name, float *out, int64_t count, diag *d) {
    (void)user, (void)out, (void)count;
    return diag_error(d, name, "can't be read");
}

START_TEST(refused) {
    arena *a = arena_new();
    diag d;
    hub_model m;
    diag_init(&d);
    begin();
    open_model(case_home("bert-mlm"), (hub_training){.task = "mlm"}, a, &m, &d);
    hub_save s = {.folder = folder, .dtype = "f8", .read = fails, .user = &m};
    ck_assert(!hub_save_model(&m, &s, &d));
    ck_assert_msg(strstr(d.items[d.count - 1].text, "--save-dtype: f8 is not known") != NULL, "%s",
                  d.items[d.count - 1].text);
    s.dtype = NULL;
    ck_assert(!hub_save_model(&m, &s, &d));
    ck_assert_int_ne(access(arena_printf(a, "%s/model.safetensors", folder), F_OK), 0);
    s.folder = "/dev/null/x";
    ck_assert(!hub_save_model(&m, &s, &d));
    hub_close(&m);
    end();
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("saved models");
    TCase *t = tcase_create("saved models");
    tcase_add_loop_test(t, saved_case, 0, CASES);
    tcase_add_test(t, new_head);
    tcase_add_loop_test(t, embeddings, 0, 4);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return suite_status(s);
}
