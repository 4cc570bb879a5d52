// links: cli
// The pass `recompute` over a step of each case of tests/models/cases, with its loss and with dropout where the family has any: whatever is
// kept, two steps have the same bits by the reference evaluator, in loss, norm and every state. An argument, or BERTC_CASE,
// picks the cases whose names begin so.
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "main.h"
#include "models/case_list.h"
#include "models/case_targets.h"
#include "passes/passes.h"

enum { LENGTH = 24, TEXTS = 3, STEPS = 2, MOST_INPUTS = 24 };
static case_list cases;

typedef struct stepped {
    arena *a;
    hub_model m;
    grid at;
    safetensors *io;
    target host;
    int64_t fixed, most, least; // bytes: of states, of the arena with everything kept and with the least
    const graph *g;             // with everything kept, and what two steps of it give
    tensor *states, *results;
} stepped;

static const char *task_of(const hub_model *m) {
    static const char *const tasks[][2] = {{"masked-lm", "mlm"},
                                           {"token-classification", "tag"},
                                           {"question-answering", "answer"},
                                           {"pretraining", "pretrain"},
                                           {"sequence-classification", "classify"}};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (!strcmp(m->head, tasks[i][0]) && (i != 4 || m->label_count > 1)) return tasks[i][1];
    return !strcmp(m->head, "sequence-classification") ? "regress" : "embed";
}

// With dropout, where it is known in which places.
static void open_model(stepped *s, const char *folder, diag *d) {
    hub_options o = {.model = folder};
    if (!hub_open(&o, s->a, &s->m, d)) case_fail(d);
    o.train.task = task_of(&s->m);
    hub_close(&s->m);
    for (int way = 0; way < 3; way++) {
        diag quiet;
        diag_init(&quiet);
        o.train.dropout = way == 0 ? 0.2 : 0;
        if (way == 2) o.train.task = "embed"; // not every family has a classifier
        bool ok = hub_open(&o, s->a, &s->m, &quiet);
        diag_free(&quiet);
        if (ok) return;
    }
    ck_abort_msg("%s can't be trained", folder);
}

// A step of the model under `memory`, as it is compiled.
static graph *step_of(stepped *s, memory_options *memory, diag *d) {
    graph *g = graph_clone(s->a, s->m.graph);
    memory->length = LENGTH;
    memory->batch = TEXTS;
    memory->targets = &s->host;
    memory->target_count = 1;
    pass_context p = {.target = &s->host,
                      .source = &s->m.source,
                      .diag = d,
                      .verify = true,
                      .train = true,
                      .memory = memory};
    if (!passes_run(g, NULL, &p) || passes_add_variant(g, LENGTH, TEXTS, &p) < 0) case_fail(d);
    return g;
}

static eval_input number(const node *n, int step, arena *a) {
    static const struct {
        const char *name;
        float x;
    } known[] = {{"rate", 0.01F}, {"keep", 0}, {"scale", 0.3F}, {"clip", 1}};
    eval_input in = {n->name, {.e = n->type.e, .rank = n->type.rank}};
    for (int i = 0; i < n->type.rank; i++) in.value.shape[i] = n->type.d[i].n;
    int32_t *whole = ARENA_ARRAY(a, int32_t, 2);
    float *x = ARENA_ARRAY(a, float, 1);
    whole[0] = step + 1;
    whole[1] = 7;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, n->name)) *x = known[i].x;
    in.value.data = n->type.e == ELEM_I32 ? (void *)whole : (void *)x;
    return in;
}

static tensor *run_steps(const stepped *s, const graph *g, tensor *states, diag *d) {
    eval_input known[CASE_INPUTS], inputs[MOST_INPUTS];
    tensor *results = ARENA_ARRAY(s->a, tensor, g->output_count * STEPS);
    case_inputs(&s->m, &s->at, s->io, s->a, known);
    for (int step = 0; step < STEPS; step++) {
        int count = 0;
        for (value v = 0; v < g->count; v++) {
            const node *n = graph_node(g, v);
            if (n->op != OP_input) continue;
            int k = 0;
            while (k < CASE_INPUTS && strcmp(known[k].name, n->name)) k++;
            ck_assert_int_lt(count, MOST_INPUTS);
            inputs[count++] = k < CASE_INPUTS    ? known[k]
                              : input_of_call(n) ? number(n, step, s->a)
                                                 : case_target(g, &s->at, n, false, s->a);
        }
        eval_options o = {.source = &s->m.source, .inputs = inputs, .input_count = count, .states = states};
        if (!graph_eval(g, &o, s->a, results + step * g->output_count, d)) case_fail(d);
    }
    return results;
}

static value state_named(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++)
        if (node_is_state(graph_node(g, v)) && !strcmp(graph_node(g, v)->name, name)) return v;
    return VALUE_NONE;
}

static void check_tensor(const tensor *has, const tensor *wants, const char *what, const char *name) {
    size_t bytes = (size_t)tensor_count(wants) * elem_size(wants->e);
    ck_assert_int_eq(tensor_count(has), tensor_count(wants));
    ck_assert_msg(!memcmp(has->data, wants->data, bytes), "%s: other bits of %s", what, name);
}

// Both steps, bit by bit.
static void check_same(stepped *s, const graph *g, const char *what, diag *d) {
    tensor *states = ARENA_ARRAY(s->a, tensor, g->count), *results = run_steps(s, g, states, d);
    ck_assert_int_eq(g->output_count, s->g->output_count);
    for (int i = 0; i < STEPS * g->output_count; i++)
        check_tensor(&results[i], &s->results[i], what, g->outputs[i % g->output_count].name);
    int found = 0;
    for (value v = 0; v < s->g->count; v++) {
        const node *n = graph_node(s->g, v);
        if (!node_is_state(n) || !s->states[v].data) continue;
        value there = state_named(g, n->name);
        ck_assert_msg(there != VALUE_NONE, "%s: no state %s", what, n->name);
        check_tensor(&states[there], &s->states[v], what, n->name);
        found++;
    }
    ck_assert_int_gt(found, 4);
}

static const char *const words[] = {"everything", "products", "linear", "nothing"};

static void check_policies(stepped *s, const char *name, diag *d) {
    for (int i = 0; i < 4; i++) {
        memory_choice c = {0};
        memory_options m = {.choice = &c};
        ck_assert(keep_policy_find(words[i], &m.policy));
        const graph *g = step_of(s, &m, d);
        ck_assert(c.made);
        ck_assert_int_eq(g->variants[0].arena_bytes,
                         c.arena_bytes); // what was searched for is what is planned
        ck_assert_int_le(c.arena_bytes, c.arena_before);
        if (i == 0) {
            s->g = g;
            s->states = ARENA_ARRAY(s->a, tensor, g->count);
            s->results = run_steps(s, g, s->states, d);
            s->most = c.arena_bytes;
            s->fixed = c.state_bytes;
            ck_assert_int_eq(c.count, 0);
        } else if (i % 2) {
            check_same(s, g, arena_printf(s->a, "%s, %s", name, words[i]), d);
        }
        s->least = c.arena_bytes;
    }
}

// From what everything takes to the least; below that an error says the least.
static void check_budgets(stepped *s, const char *name, diag *d) {
    for (int i = 0; i <= 2; i++) {
        memory_choice c = {0};
        int64_t bytes = s->fixed + s->least + (s->most - s->least) * (2 - i) / 2;
        memory_options m = {.policy = KEEP_BUDGET, .budget = bytes, .choice = &c};
        const graph *g = step_of(s, &m, d);
        ck_assert_int_le(c.state_bytes + g->variants[0].arena_bytes, bytes);
        if (i == 1) check_same(s, g, arena_printf(s->a, "%s in %lld bytes", name, (long long)bytes), d);
    }
    diag refused;
    diag_init(&refused);
    memory_options m = {
        .policy = KEEP_BUDGET, .budget = s->fixed + s->least - 1, .length = LENGTH, .batch = TEXTS};
    m.targets = &s->host;
    m.target_count = 1;
    pass_context p = {
        .target = &s->host, .source = &s->m.source, .diag = &refused, .train = true, .memory = &m};
    ck_assert(!passes_run(graph_clone(s->a, s->m.graph), NULL, &p));
    ck_assert(strstr(refused.items[refused.count - 1].text, "--memory: ") &&
              strstr(refused.items[refused.count - 1].text, "so the least is"));
    diag_free(&refused);
}

START_TEST(same_bits) {
    const char *name = cases.names[_i];
    char folder[1024];
    if (!case_home(name)) SKIP("shared", "%s", name);
    snprintf(folder, sizeof folder, "%s", case_home(name));
    diag d;
    diag_init(&d);
    stepped s = {.a = arena_new()};
    ck_assert(target_init(&s.host, NULL, NULL, PRECISION_F32, &d));
    open_model(&s, folder, &d);
    s.io = safetensors_open(case_path(name, "io.safetensors"), &d);
    if (!s.io) case_fail(&d);
    s.at = case_grid(&s.m, s.io, 0, s.a);
    check_policies(&s, name, &d);
    check_budgets(&s, name, &d);
    safetensors_close(s.io);
    hub_close(&s.m);
    diag_free(&d);
    arena_free(s.a);
}
END_TEST

int main(int argc, char **argv) {
    return case_main("steps that make values again", argc, argv, &cases, same_bits, 1, NULL);
}
