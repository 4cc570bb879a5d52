// The pipeline: picks the passes and their order, checks requirements, runs, verifies, prints and reports. The
// table is passes.def.
//
//   list        NULL: every pass that is on by default, in the table's order
//               "-a,+b": that without a and with b, each at its place in the table
//               "a,b,c": exactly these, in this order; "" runs none
//
// Passes of variants (schedule, plan_memory) run when a variant is added, never from a list.
#include <inttypes.h>
#include <string.h>

#include "passes/plan/plan.h"

typedef struct pass_row {
    pass_info info;
    pass_function run;
    // clang-format off: `requires` is a word of C++
    unsigned requires, produces;
    // clang-format on
} pass_row;

// When a pass is on by default.
enum { NEVER, INT8, TRAINING, ALWAYS };

static const pass_row passes[] = {
#define PASS(name, requires, produces, on, stage, summary)                                                   \
    {{#name, summary, (on) == ALWAYS, (on) == ALWAYS || (on) == INT8, (stage) == STAGE_FINAL,                \
      (produces) != 0, stage, (on) == TRAINING},                                                             \
     pass_##name,                                                                                            \
     requires,                                                                                               \
     produces},
#include "passes/passes.def"
#undef PASS
};
enum { PASS_COUNT = sizeof(passes) / sizeof(passes[0]) };

// Most passes in one list; one may be in it more than once.
#define LIST_MAX 256

int passes_count(void) {
    return PASS_COUNT;
}

const pass_info *passes_info(int i) {
    return &passes[i].info;
}

// --- Facts

static const char *fact_cause(unsigned missing) {
    if (missing & FACT_ROW_WEIGHTS)
        return "the weights are packed already: take the graph from before (bertc compile --emit ir --stage "
               "input or fused)";
    if (missing & FACT_WEIGHTS_PLACED) return "the weights have no places yet: pack_weights must run first";
    if (missing & FACT_SCHEDULED) return "the variant has no schedule yet";
    return "the variant has no plan yet";
}

static unsigned graph_facts(const graph *g) {
    unsigned facts = FACT_ROW_WEIGHTS | FACT_WEIGHTS_PLACED;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!node_is_constant(n)) continue;
        if (n->type.layout != LAYOUT_ROW) facts &= ~(unsigned)FACT_ROW_WEIGHTS;
        if (!node_attr(n, ATTR_at)) facts &= ~(unsigned)FACT_WEIGHTS_PLACED;
    }
    return facts;
}

// --- Stages

static const char *const stage_names[] = {
    [STAGE_INPUT] = "input", [STAGE_FUSED] = "fused", [STAGE_PACKED] = "packed", [STAGE_FINAL] = "final"};
enum { STAGE_COUNT = sizeof(stage_names) / sizeof(stage_names[0]) };

const char *passes_stage_name(pass_stage stage) {
    return stage_names[stage];
}

bool passes_stage_find(const char *name, pass_stage *out) {
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (strcmp(name, stage_names[i])) continue;
        *out = (pass_stage)i;
        return true;
    }
    return false;
}

pass_stage passes_stage_of(const graph *g) {
    unsigned facts = graph_facts(g);
    if (g->variant_count) return STAGE_FINAL;
    if (facts & FACT_WEIGHTS_PLACED) return STAGE_PACKED;
    return facts & FACT_ROW_WEIGHTS ? STAGE_INPUT : STAGE_FUSED;
}

// --- One pass

static bool print_wanted(const pass_context *c, const char *name) {
    return c->print_after && c->print_to && (!strcmp(c->print_after, "all") || !strcmp(c->print_after, name));
}

static void report_name(const module *m, const graph *g, const char *name, FILE *out) {
    if (m->graph_count > 1)
        fprintf(out, "%s, class %s\n", name, graph_class(g));
    else
        fprintf(out, "%s\n", name);
}

static bool run_one(const module *m, graph *g, const pass_row *row, variant *x, unsigned facts,
                    const pass_context *c) {
    const char *name = row->info.name;
    facts |= graph_facts(g);
    if (row->requires & ~facts) return diag_error(c->diag, name, "%s", fact_cause(row->requires & ~facts));
    if (c->report && !x) report_name(m, g, name, c->report);
    pass p = {.c = c, .name = name, .module = m, .variant = x};
    if (!row->run(g, &p)) return false;
    if (c->report && !x && !p.fired) fprintf(c->report, "  nothing to do\n");
    if (c->report && !x && p.fired && !p.told) fprintf(c->report, "  %d changes\n", p.fired);
    return true;
}

// What follows every pass: the verifier, and the print where one was asked for.
static bool close_one(graph *g, const pass_row *row, const pass_context *c) {
    char stage[64];
    snprintf(stage, sizeof(stage), "after %s", row->info.name);
    // A pass must not bring a reader of a state behind its assign.
    if ((c->verify || graph_has_effect(g)) && !graph_verify(g, stage, c->diag)) return false;
    if (print_wanted(c, row->info.name)) {
        fprintf(c->print_to, "// %s\n", stage);
        graph_print(g, c->source, c->print_to);
    }
    return true;
}

// --- Lists

static int find_pass(const char *name, size_t n) {
    for (int i = 0; i < PASS_COUNT; i++)
        if (strlen(passes[i].info.name) == n && !memcmp(passes[i].info.name, name, n)) return i;
    return -1;
}

// One item of a list, without its sign; its row, or -1 with a diagnostic.
static int read_item(const char *name, size_t n, diag *d) {
    int i = find_pass(name, n);
    if (i < 0) {
        diag_error(d, "--passes", "there is no pass '%.*s' (bertc opt --list lists them)",
                   n > 64 ? 64 : (int)n, name);
    } else if (passes[i].info.per_variant) {
        diag_error(d, "--passes", "%s runs for each variant anyway and can't be listed", passes[i].info.name);
        i = -1;
    }
    return i;
}

static int default_order(const int8_t *change, pass_stage reached, const pass_context *c, int *order) {
    int n = 0;
    for (int i = 0; i < PASS_COUNT; i++) {
        const pass_info *p = &passes[i].info;
        bool on = c->precision == PRECISION_INT8 ? p->on_for_int8 : p->on_by_default;
        if (c->train) on = p->on_by_default || p->for_training;
        if (change[i]) on = change[i] > 0;
        if (on && !passes[i].info.per_variant && passes[i].info.stage > reached) order[n++] = i;
    }
    return n;
}

// Fills in the rows to run; -1 with a diagnostic where the list is wrong.
static int read_list(const char *list, pass_stage reached, const pass_context *c, int *order) {
    diag *d = c->diag;
    int8_t change[PASS_COUNT] = {0};
    if (!list) return default_order(change, reached, c, order);
    int exact = 0, changes = 0;
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, ",");
        bool sign = *at == '+' || *at == '-';
        int i = read_item(at + sign, n - sign, d);
        if (i < 0) return -1;
        if (exact == LIST_MAX) {
            diag_error(d, "--passes", "more than %d passes", LIST_MAX);
            return -1;
        }
        if (sign) {
            change[i] = *at == '+' ? 1 : -1;
            changes++;
        } else {
            order[exact++] = i;
        }
        at += n + (at[n] == ',');
    }
    if (exact && changes) {
        diag_error(d, "--passes", "a list names passes, or changes the default with + and -, not both");
        return -1;
    }
    return changes ? default_order(change, reached, c, order) : exact;
}

int passes_listed(const char *list, pass_stage reached, const pass_context *c, const char **out, int most) {
    diag quiet;
    int order[LIST_MAX > PASS_COUNT ? LIST_MAX : PASS_COUNT], count = 0;
    pass_context own = *c;
    diag_init(&quiet);
    own.diag = &quiet;
    int n = read_list(list, reached, &own, order);
    diag_free(&quiet);
    for (int i = 0; i < n && count < most; i++) out[count++] = passes[order[i]].info.name;
    for (int i = 0; n >= 0 && i < PASS_COUNT && count < most; i++)
        if (passes[i].info.per_variant) out[count++] = passes[i].info.name;
    return n < 0 ? -1 : count;
}

static bool print_after_known(const pass_context *c) {
    if (!c->print_after || !strcmp(c->print_after, "all")) return true;
    int i = find_pass(c->print_after, strlen(c->print_after));
    if (i >= 0 && passes[i].info.per_variant && !(passes[i].produces & FACT_PLANNED))
        return diag_error(c->diag, "--print-after", "a variant can be printed once it is whole: plan_memory");
    if (i >= 0) return true;
    return diag_error(c->diag, "--print-after", "there is no pass '%.64s' (bertc opt --list lists them)",
                      c->print_after);
}

// One graph for each class, where there is one for all so far.
static void split_classes(module *m, const pass_context *c) {
    const graph *g = m->graphs[0];
    if (m->graph_count == 1 && !g->class && c->class_count && passes_stage_of(g) < STAGE_PACKED)
        module_split(m, c->class_count, c->classes);
}

static bool run_list(module *m, pass_stage reached, pass_stage last, const char *list,
                     const pass_context *c) {
    int order[LIST_MAX > PASS_COUNT ? LIST_MAX : PASS_COUNT];
    if (!print_after_known(c)) return false;
    int n = read_list(list, reached, c, order);
    if (n < 0) return false;
    if (n && module_variant_count(m))
        return diag_error(c->diag, "--passes",
                          "the graph has variants, which passes would make wrong: take it from before (bertc "
                          "compile --emit ir --stage packed)");
    for (int i = 0; i < n; i++) {
        const pass_row *row = &passes[order[i]];
        if (row->info.stage > last) continue;
        if (row->info.stage >= STAGE_PACKED) split_classes(m, c);
        for (int k = 0; k < m->graph_count; k++)
            if (!run_one(m, m->graphs[k], row, NULL, 0, c) || !close_one(m->graphs[k], row, c)) return false;
    }
    return true;
}

bool passes_run(graph *g, const char *list, const pass_context *c) {
    module alone = {.arena = g->arena, .graph_count = 1, .graphs = {g}};
    pass_context as_it_is = *c;
    as_it_is.class_count = 0;
    return run_list(&alone, STAGE_INPUT, STAGE_PACKED, list, &as_it_is);
}

bool passes_run_module(module *m, const char *list, const pass_context *c) {
    return run_list(m, STAGE_INPUT, STAGE_PACKED, list, c);
}

bool passes_run_to(module *m, pass_stage last, const char *list, const pass_context *c) {
    pass_stage reached = passes_stage_of(m->graphs[0]);
    for (int i = 1; i < m->graph_count; i++) {
        pass_stage other = passes_stage_of(m->graphs[i]);
        if (other != reached)
            return diag_error(c->diag, "the graphs",
                              "are of different stages: class %s is %s, and class %s is %s",
                              graph_class(m->graphs[0]), passes_stage_name(reached),
                              graph_class(m->graphs[i]), passes_stage_name(other));
    }
    return run_list(m, reached, last, list, c);
}

// --- Variants

static bool variant_new(graph *g, int64_t length, int64_t batch, const pass_context *c, variant *x) {
    if (!c->target) return diag_error(c->diag, "variant", "there is no target to schedule for");
    if (!plan_sizes(g, c->target, length, batch, c->diag, x)) return false;
    const char *isa = c->target->isa;
    char name[96];
    snprintf(name, sizeof(name), "%s_s%" PRId64, isa, length);
    if (batch > 1) snprintf(name, sizeof(name), "%s_s%" PRId64 "_b%" PRId64, isa, length, batch);
    for (int i = 0; i < g->variant_count; i++)
        if (!strcmp(g->variants[i].name, name)) return diag_error(c->diag, name, "is there already");
    x->name = arena_strdup(g->arena, name);
    x->isa = arena_strdup(g->arena, isa);
    x->schedules = ARENA_ARRAY(g->arena, schedule, g->count);
    x->places = ARENA_ARRAY(g->arena, place, g->count);
    return true;
}

static void variant_add(graph *g, const variant *x) {
    variant *variants = ARENA_ARRAY(g->arena, variant, g->variant_count + 1);
    if (g->variant_count) memcpy(variants, g->variants, sizeof(variant) * (size_t)g->variant_count);
    variants[g->variant_count++] = *x;
    g->variants = variants;
}

int passes_add_variant(graph *g, int64_t length, int64_t batch, const pass_context *c) {
    variant x;
    const module alone = {.arena = g->arena, .graph_count = 1, .graphs = {g}};
    if (!print_after_known(c) || !variant_new(g, length, batch, c, &x)) return -1;
    unsigned facts = 0;
    for (int i = 0; i < PASS_COUNT; i++) {
        if (!passes[i].info.per_variant) continue;
        if (!run_one(&alone, g, &passes[i], &x, facts, c)) return -1;
        facts |= passes[i].produces;
        // A variant can be verified, and printed, once it is whole.
        if (!(facts & FACT_PLANNED)) continue;
        variant_add(g, &x);
        if (!close_one(g, &passes[i], c)) return -1;
    }
    return g->variant_count - 1;
}
