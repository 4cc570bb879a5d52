// links: cli
// Heads that a folder lacks (hub_options.train): of each case's checkpoint the encoder alone is left, under the names of a
// bare encoder; its head comes from a file, and then the outputs are those of Transformers; or it is drawn.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case_path.h"
#include "main.h"
#include "models/cases.h"

static const struct head_case {
    const char *name, *prefix, *task;
    bool pooler; // is new, too
} cases[] = {
    {"bert-seqcls", "bert.", "classify", true},
    {"bert-mlm", "bert.", "mlm", false},
    {"bert-pretraining", "bert.", "pretrain", true},
    {"albert-mlm", "albert.", "mlm", false},
    {"albert-seqcls", "albert.", "classify", true},
    {"electra-mlm", "electra.", "mlm", false},
    {"electra-seqcls", "electra.", "classify", false},
    {"distilbert-seqcls", "distilbert.", "classify", false},
    {"distilbert-mlm", "distilbert.", "mlm", false},
    {"mpnet-seqcls", "mpnet.", "classify", false},
    {"mpnet-mlm", "mpnet.", "mlm", false},
    {"roberta-mlm", "roberta.", "mlm", false},
    {"xlm-roberta-seqcls", "roberta.", "regress", false},
    {"xlm-roberta-tokcls", "roberta.", "tag", false},
    {"roberta-qa", "roberta.", "answer", false},
    {"modernbert-qa", "model.", "answer", false},
    {"modernbert-seqcls", "model.", "classify", false},
    {"modernbert-mlm", "model.", "mlm", false},
};
enum { CASES = sizeof cases / sizeof *cases };

static char folder[64], init[96];

static bool is_head(const struct head_case *c, const char *name) {
    size_t n = strlen(c->prefix);
    if (strncmp(name, c->prefix, n)) return true;
    return c->pooler && !strncmp(name + n, "pooler.", 7);
}

static safetensors_item item_of(const safetensors *s, const char *name, const char *as) {
    safetensors_item x = {.name = as};
    const int64_t *shape;
    ck_assert(safetensors_entry(s, name, &x.dtype, &x.rank, &shape, &x.data, &x.bytes));
    for (int i = 0; i < x.rank; i++) x.shape[i] = shape[i];
    return x;
}

static void copy_file(const char *from, const char *to) {
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    ck_assert_msg(in && out, "%s", from);
    for (int c; (c = fgetc(in)) != EOF;) fputc(c, out);
    fclose(in);
    fclose(out);
}

// The case's encoder as a folder of its own, and its head as a file.
static void split(const struct head_case *c, arena *a, diag *d) {
    safetensors *s = safetensors_open(case_path(c->name, "model.safetensors"), d);
    if (!s) case_fail(d);
    safetensors_item *items[2] = {ARENA_ARRAY(a, safetensors_item, safetensors_count(s)),
                                  ARENA_ARRAY(a, safetensors_item, safetensors_count(s))};
    int n[2] = {0, 0};
    for (int i = 0; i < safetensors_count(s); i++) {
        const char *name = safetensors_name(s, i);
        bool head = is_head(c, name);
        items[head][n[head]++] = item_of(s, name, head ? name : name + strlen(c->prefix));
    }
    strcpy(folder, "/tmp/bertc-heads-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(init, sizeof init, "%s/head.safetensors", folder);
    ck_assert(safetensors_write(arena_printf(a, "%s/model.safetensors", folder), n[0], items[0], d));
    ck_assert(safetensors_write(init, n[1], items[1], d));
    copy_file(case_path(c->name, "config.json"), arena_printf(a, "%s/config.json", folder));
    safetensors_close(s);
}

static void unsplit(void) {
    char path[128];
    static const char *const files[] = {"model.safetensors", "head.safetensors", "config.json"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void open_split(const struct head_case *c, hub_training t, arena *a, hub_model *m, diag *d) {
    t.task = c->task;
    hub_options o = {.model = folder, .train = t};
    if (!hub_open(&o, a, m, d)) case_fail(d);
    if (!graph_verify(m->graph, c->name, d)) case_fail(d);
}

// A target that nothing is known of: -100, or 0.
static eval_input unknown_target(const node *n, const grid *g, arena *a) {
    tensor t = {.e = n->type.e, .rank = n->type.rank};
    for (int i = 0; i < t.rank; i++)
        t.shape[i] = n->type.d[i].s == SYM_NONE ? n->type.d[i].n
                     : n->type.d[i].s == SYM_S  ? g->batch
                                                : g->tokens;
    int64_t count = tensor_count(&t);
    int32_t *data = ARENA_ARRAY(a, int32_t, count);
    for (int64_t i = 0; t.e == ELEM_I32 && i < count; i++) data[i] = -100;
    t.data = data;
    return (eval_input){n->name, t};
}

static void check_outputs(const struct head_case *c, const hub_model *m, arena *a, diag *d) {
    safetensors *io = safetensors_open(case_path(c->name, "io.safetensors"), d);
    grid g = case_grid(m, io, 0, a);
    eval_input known[CASE_INPUTS], inputs[CASE_INPUTS + 4];
    case_inputs(m, &g, io, a, known);
    eval_options e = {.source = &m->source, .inputs = inputs};
    for (value v = 0; v < m->graph->count; v++) {
        const node *n = graph_node(m->graph, v);
        if (n->op != OP_input) continue;
        int k = 0;
        while (k < CASE_INPUTS && strcmp(known[k].name, n->name)) k++;
        inputs[e.input_count++] = k < CASE_INPUTS ? known[k] : unknown_target(n, &g, a);
    }
    tensor *results = ARENA_ARRAY(a, tensor, m->graph->output_count);
    if (!graph_eval(m->graph, &e, a, results, d)) case_fail(d);
    int last = m->graph->output_count - 1;
    for (int i = 0; i < last; i++) {
        const char *dtype, *name = arena_printf(a, "out.%s", m->graph->outputs[i].name);
        const int64_t *shape;
        const void *data;
        size_t bytes;
        int rank;
        ck_assert_msg(safetensors_entry(io, name, &dtype, &rank, &shape, &data, &bytes), "no %s", name);
        difference x = case_compare(&g, &results[i], rank, shape, data);
        ck_assert_msg(x.largest > 0 && x.most <= 5e-5 * fmax(1, x.largest), "%s: %s is off by %g", c->name,
                      name, x.most);
    }
    ck_assert_str_eq(m->graph->outputs[last].name, "loss");
    ck_assert_float_eq(*(float *)results[last].data, 0);
    safetensors_close(io);
}

START_TEST(from_a_file) {
    const struct head_case *c = &cases[_i];
    if (!case_home(c->name)) SKIP("shared", "%s", c->name);
    arena *a = arena_new();
    diag d;
    hub_model m;
    diag_init(&d);
    split(c, a, &d);
    open_split(c, (hub_training){.init = init}, a, &m, &d);
    ck_assert_int_eq(m.drawn_count, 0);
    check_outputs(c, &m, a, &d);
    hub_close(&m);
    unsplit();
    diag_free(&d);
    arena_free(a);
}
END_TEST

// The drawn numbers of one tensor.
static const float *drawn(const hub_model *m, int i, int64_t *n) {
    tensor_view t;
    ck_assert(m->source.find(m->source.context, m->drawn[i], &t));
    ck_assert_int_eq(t.e, ELEM_F32);
    *n = 1;
    for (int k = 0; k < t.rank; k++) *n *= t.shape[k];
    return t.data;
}

static double deviation(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sqrt(sum / (double)n);
}

START_TEST(by_seed) {
    const struct head_case *c = &cases[_i];
    if (!case_home(c->name)) SKIP("shared", "%s", c->name);
    arena *a = arena_new();
    diag d;
    hub_model m, again, other;
    diag_init(&d);
    split(c, a, &d);
    open_split(c, (hub_training){.seed = 3}, a, &m, &d);
    open_split(c, (hub_training){.seed = 3}, a, &again, &d);
    open_split(c, (hub_training){.seed = 4}, a, &other, &d);
    ck_assert_int_gt(m.drawn_count, 0);
    for (int i = 0; i < m.drawn_count; i++) {
        int64_t n, k;
        const float *x = drawn(&m, i, &n), *y = drawn(&again, i, &k), *z = drawn(&other, i, &k);
        bool bias = strstr(m.drawn[i], "bias"),
             norm = strstr(m.drawn[i], "Norm.") || strstr(m.drawn[i], "norm.");
        ck_assert_mem_eq(x, y, (size_t)n * sizeof *x);
        for (int64_t j = 0; (bias || norm) && j < n; j++) ck_assert_float_eq(x[j], bias ? 0 : 1);
        if (bias || norm) continue;
        ck_assert_msg(memcmp(x, z, (size_t)n * sizeof *x) != 0, "%s: the seed changes nothing", m.drawn[i]);
        double width = deviation(x, n);
        ck_assert_msg(width > 0.005 && width < 0.3, "%s: deviation %g", m.drawn[i], width);
    }
    hub_close(&m);
    hub_close(&again);
    hub_close(&other);
    unsplit();
    diag_free(&d);
    arena_free(a);
}
END_TEST

START_TEST(labels_of_data) {
    const struct head_case *c = &cases[0];
    static const char *const names[] = {"bad", "so so", "good"};
    if (!case_home(c->name)) SKIP("shared", "%s", c->name);
    arena *a = arena_new();
    diag d;
    hub_model m;
    diag_init(&d);
    split(c, a, &d);
    hub_options o = {.model = folder};
    open_split(c, (hub_training){.label_count = 3, .labels = names}, a, &m, &d);
    ck_assert_int_eq(m.label_count, 3);
    ck_assert_str_eq(m.labels[2], "good");
    ck_assert(!m.multi_label);
    ck_assert_int_eq(graph_type(m.graph, m.graph->outputs[0].value)->d[1].n, 3);
    hub_close(&m);
    o.model = case_home(c->name);
    o.train = (hub_training){.task = "classify", .label_count = 7};
    ck_assert(!hub_open(&o, a, &m, &d)); // the folder's classifier has others
    ck_assert_msg(strstr(d.items[d.count - 1].text, "classifier") != NULL, "%s", d.items[d.count - 1].text);
    unsplit();
    diag_free(&d);
    arena_free(a);
}
END_TEST

static void refuse(hub_training t, const char *cause) {
    arena *a = arena_new();
    diag d;
    hub_model m;
    diag_init(&d);
    hub_options o = {.model = folder, .train = t};
    ck_assert_msg(!hub_open(&o, a, &m, &d), "not refused: %s", cause);
    bool found = false;
    for (int i = 0; i < d.count; i++)
        found |= d.items[i].kind == DIAG_ERROR && strstr(d.items[i].text, cause);
    ck_assert_msg(found, "%s: %s", cause, d.items[d.count - 1].text);
    diag_free(&d);
    arena_free(a);
}

// A message names the file that is wrong, and the tensor.
START_TEST(wrong_files) {
    const struct head_case *c = &cases[0];
    if (!case_home(c->name)) SKIP("shared", "%s", c->name);
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    split(c, a, &d);
    const char *config = arena_printf(a, "%s/config.json", folder);
    refuse((hub_training){.task = "classify", .init = init, .label_count = 3},
           "head.safetensors: tensor \"classifier.weight\": has the shape [5,48]; of the data's 3 labels it "
           "would be "
           "[3,48]");
    refuse((hub_training){.task = "classify", .init = config}, "config.json");
    refuse((hub_training){.task = "classify", .init = "/nowhere/head.safetensors"},
           "/nowhere/head.safetensors");
    refuse((hub_training){.task = "classify", .init = arena_printf(a, "%s/model.safetensors", folder)},
           "model.safetensors: holds no tensor that the model lacks, as \"");
    refuse((hub_training){.task = "mlm", .label_count = 3}, "mlm: the head masked-lm has no labels");
    hub_model m;
    open_split(c, (hub_training){.init = init}, a, &m, &d);
    hub_close(&m);
    hub_options o = {.model = folder, .train = {.task = "tag", .label_count = 5, .init = init}};
    ck_assert(hub_open(&o, a, &m, &d)); // its classifier, but no pooler
    bool noted = false;
    for (int i = 0; i < d.count; i++)
        noted |= strstr(d.items[i].text, "are not read: ") && strstr(d.items[i].text, "pooler.dense.weight");
    ck_assert(noted);
    hub_close(&m);
    unsplit();
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("new heads");
    TCase *t = tcase_create("new heads");
    tcase_add_loop_test(t, from_a_file, 0, CASES);
    tcase_add_loop_test(t, by_seed, 0, CASES);
    tcase_add_test(t, labels_of_data);
    tcase_add_test(t, wrong_files);
    suite_add_tcase(s, t);
    return suite_status(s);
}
