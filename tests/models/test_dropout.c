// links: cli
// Dropout of models (hub_training.dropout): it stands in as many places as Transformers has it in, changes nothing where the
// seed's second number is 0, and drops the share that is asked for; the others are divided by what stays.
#include <check.h>
#include <math.h>
#include <string.h>

#include "case_path.h"
#include "main.h"
#include "models/cases.h"

#define SHARE 0.25
static const struct drop_case {
    const char *name, *task;
    int each, others; // places of a layer, and beside them
} cases[] = {
    {"bert-seqcls", "classify", 3, 2},           {"bert-mlm", "mlm", 3, 1},
    {"xlm-roberta-tokcls", "tag", 3, 2},         {"xlm-roberta-seqcls", "regress", 3, 3},
    {"distilbert-sinusoidal", "classify", 2, 2}, {"distilbert-sinusoidal", "answer", 2, 2},
    {"albert-pretraining", "pretrain", 2, 2},    {"electra-mlm", "classify", 3, 3},
    {"mpnet-model", "classify", 3, 3},           {"modernbert-qa", "answer", 3, 2},
};
enum { CASES = sizeof cases / sizeof *cases };

static int count_random(const graph *g) {
    int n = 0;
    for (value v = 0; v < g->count; v++) {
        n += graph_node(g, v)->op == OP_random;
        if (graph_node(g, v)->body) n += count_random(graph_node(g, v)->body);
    }
    return n;
}

typedef struct answers {
    arena *a;
    hub_model m;
    grid at;
    tensor *results;
    const float *embeddings; // the last ones that were evaluated
    int64_t count;
} answers;

static bool keep_embeddings(void *context, const graph *g, value v, const tensor *t) {
    answers *x = context;
    const char *name = graph_node(g, v)->name;
    if (!name || strcmp(name, "embeddings")) return true;
    x->count = tensor_count(t);
    x->embeddings = arena_dup(x->a, t->data, sizeof(float) * (size_t)x->count);
    return true;
}

static eval_input nothing_known(const node *n, const grid *g, arena *a) {
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

static void answer(answers *x, const safetensors *io, const int32_t seed[2], diag *d) {
    eval_input known[CASE_INPUTS], inputs[CASE_INPUTS + 6];
    eval_options e = {
        .source = &x->m.source, .inputs = inputs, .observe = keep_embeddings, .observe_context = x};
    x->at = case_grid(&x->m, io, 0, x->a);
    case_inputs(&x->m, &x->at, io, x->a, known);
    for (value v = 0; v < x->m.graph->count; v++) {
        const node *n = graph_node(x->m.graph, v);
        if (n->op != OP_input) continue;
        int k = 0;
        while (k < CASE_INPUTS && strcmp(known[k].name, n->name)) k++;
        eval_input own = k < CASE_INPUTS ? known[k] : nothing_known(n, &x->at, x->a);
        if (!strcmp(n->name, "seed")) own.value.data = (void *)(uintptr_t)seed;
        inputs[e.input_count++] = own;
    }
    x->results = ARENA_ARRAY(x->a, tensor, x->m.graph->output_count);
    if (!graph_eval(x->m.graph, &e, x->a, x->results, d)) case_fail(d);
}

static bool same(const answers *x, const tensor *y) {
    size_t bytes = sizeof(float) * (size_t)tensor_count(y);
    return !memcmp(x->results[0].data, y->data, bytes);
}

// Of the embeddings: a share of zeros, and the others so much larger.
static void check_share(const float *has, const float *plain, int64_t n) {
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; i++) {
        if (has[i] == 0) zeros++;
        if (has[i] != 0) ck_assert_double_le(fabs((double)has[i] - (double)plain[i] / (1 - SHARE)), 1e-5);
    }
    double share = (double)zeros / (double)n;
    ck_assert_msg(fabs(share - SHARE) < 4 * sqrt(SHARE * (1 - SHARE) / (double)n), "%g of %d are dropped",
                  share, (int)n);
}

START_TEST(dropped) {
    const struct drop_case *c = &cases[_i];
    static const int32_t off[] = {5, 0}, first[] = {5, 1}, second[] = {5, 2}, other[] = {6, 1};
    if (!case_home(c->name)) SKIP("shared", "%s", c->name);
    diag d;
    diag_init(&d);
    answers x = {.a = arena_new()}, plain = {.a = x.a};
    hub_options o = {.model = case_home(c->name), .train = {.task = c->task, .dropout = SHARE}};
    safetensors *io = safetensors_open(case_path(c->name, "io.safetensors"), &d);
    if (!io || !hub_open(&o, x.a, &x.m, &d)) case_fail(&d);
    if (!graph_verify(x.m.graph, c->name, &d)) case_fail(&d);
    ck_assert_int_eq(count_random(x.m.graph), c->each * (int)x.m.layers + c->others);
    o.train.dropout = 0;
    if (!hub_open(&o, x.a, &plain.m, &d)) case_fail(&d);
    ck_assert_int_eq(count_random(plain.m.graph), 0);
    answer(&plain, io, off, &d);
    answer(&x, io, off, &d);
    ck_assert(same(&x, plain.results));
    answer(&x, io, first, &d);
    ck_assert(!same(&x, plain.results));
    if (!strncmp(c->name, "bert-", 5)) check_share(x.embeddings, plain.embeddings, x.count);
    tensor kept = x.results[0];
    answer(&x, io, second, &d);
    ck_assert(!same(&x, &kept));
    answer(&x, io, other, &d);
    ck_assert(!same(&x, &kept));
    answer(&x, io, first, &d);
    ck_assert(same(&x, &kept));
    safetensors_close(io);
    hub_close(&x.m);
    hub_close(&plain.m);
    diag_free(&d);
    arena_free(x.a);
}
END_TEST

START_TEST(as_the_config_says) {
    diag d;
    diag_init(&d);
    arena *a = arena_new();
    hub_model m;
    hub_options o = {.model = case_home("bert-mlm"), .train = {.task = "classify", .dropout = -1}};
    if (!hub_open(&o, a, &m, &d)) case_fail(&d);
    int64_t places = 3 * m.layers + 2; // hidden_dropout_prob and attention_probs_dropout_prob are 0.1 there
    ck_assert_int_eq(count_random(m.graph), places);
    hub_close(&m);
    o.model = case_home("modernbert-qa"); // all 0
    o.train.task = "answer";
    if (!hub_open(&o, a, &m, &d)) case_fail(&d);
    ck_assert_int_eq(count_random(m.graph), 0);
    hub_close(&m);
    o.train.dropout = 1;
    ck_assert(!hub_open(&o, a, &m, &d));
    ck_assert_msg(strstr(d.items[d.count - 1].text, "--dropout: 1: is not below 1") != NULL, "%s",
                  d.items[d.count - 1].text);
    o = (hub_options){.model = case_home("fnet-mlm"), .train = {.task = "mlm", .dropout = -1}}; // all 0
    if (!hub_open(&o, a, &m, &d)) case_fail(&d);
    hub_close(&m);
    o.train.dropout = 0.5;
    ck_assert(!hub_open(&o, a, &m, &d));
    ck_assert_msg(strstr(d.items[d.count - 1].text, "where the family fnet drops numbers is not known") !=
                      NULL,
                  "%s", d.items[d.count - 1].text);
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("dropout");
    TCase *t = tcase_create("dropout");
    tcase_add_loop_test(t, dropped, 0, CASES);
    tcase_add_test(t, as_the_config_says);
    suite_add_tcase(s, t);
    return suite_status(s);
}
