// The descriptor of an artefact (runtime/abi.h): one constant, @bertc_artefact, that holds the
// bertc_descriptor and after it every table that it points to. Offsets between tables are numbers; those of
// code and weights are differences of two symbols of one object, which the linker resolves, so no dynamic
// relocation is left.
#include <assert.h>
#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/output/descriptor.h"
#include "ir/memory.h"
#include "ir/parts.h"
#include "runtime/abi.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tables are built as they lie, little-endian");
_Static_assert(BERTC_THREAD_CLASSES == THREAD_CLASSES, "thread classes");

// --- Variants

static bertc_slot slot_of(const variant *v, value x) {
    const place *p = &v->places[x];
    return p->kind == PLACE_ARENA ? (bertc_slot){p->offset, p->ld} : (bertc_slot){-1, 0};
}

// What the thread classes share of a node: arguments and names.
typedef struct node_tables {
    bertc_off args;
    uint32_t arg_count, result_count;
    const char *name;
    const char *suffixes[KERNEL_MAX_PHASES * THREAD_CLASSES];
    bertc_off names[KERNEL_MAX_PHASES * THREAD_CLASSES];
    int name_count;
} node_tables;

// The operands, then the results.
static void put_args(descriptor_writer *t, const graph *g, const variant *v, value x, node_tables *out) {
    const node *n = graph_node(g, x);
    int results;
    const kernel_result *r = kernel_results(t->e->arena, &(kernel_site){g, v, x}, &results);
    out->arg_count = (uint32_t)(n->input_count + results);
    out->result_count = (uint32_t)results;
    bertc_arg *args = ARENA_ARRAY(t->e->arena, bertc_arg, out->arg_count);
    for (int i = 0; i < n->input_count; i++) args[i] = argument_of(g, v, n->inputs[i]);
    for (int i = 0; i < results; i++) args[r[i].arg] = argument_of(g, v, r[i].node);
    out->args = put_bytes(t, args, sizeof(*args) * out->arg_count, 8);
}

static bertc_off phase_name(descriptor_writer *t, node_tables *n, const char *suffix) {
    for (int i = 0; i < n->name_count; i++) {
        if (strcmp(n->suffixes[i], suffix) == 0) return n->names[i];
    }
    n->suffixes[n->name_count] = suffix;
    n->names[n->name_count] = put_string(t, arena_printf(t->e->arena, "%s%s", n->name, suffix));
    return n->names[n->name_count++];
}

static void phase_init(descriptor_writer *t, bertc_phase *out, const kernel_phase *p, node_tables *shared,
                       const graph *g, value v, bool first, bool last) {
    const node *n = graph_node(g, v);
    *out = (bertc_phase){.name = phase_name(t, shared, p->suffix ? p->suffix : ""),
                         .args = shared->args,
                         .arg_count = shared->arg_count,
                         .result_count = shared->result_count,
                         .dim = symbol_of(p->dim),
                         .unit = p->unit,
                         .inner = p->inner,
                         .node = last ? v : -1,
                         .stream = p->stream,
                         .stream_step = p->stream_step,
                         .stream_bytes = p->stream_bytes,
                         .flops_call = p->flops_call,
                         .flops_row = p->flops_row,
                         .flops_pair = p->flops_pair,
                         .weight_bytes = first ? weights_read(g, n) : 0,
                         .row_bytes = p->row_bytes,
                         .token_bytes = p->token_bytes,
                         .pair_bytes = p->pair_bytes};
}

static bool phase_ok(const kernel_phase *p) {
    bool dim_ok = p->dim == SYM_NONE || p->dim == SYM_T || p->dim == SYM_S || p->dim == SYM_R;
    return p->function && dim_ok && p->unit > 0 && p->inner > 0;
}

// A function as the descriptor's module names it: one of another module by a hidden symbol, which is an alias there, so
// that equal functions may still become one.
static LLVMValueRef visible_code(descriptor_writer *t, LLVMValueRef f) {
    LLVMModuleRef home = LLVMGetGlobalParent(f);
    size_t size;
    if (home == t->e->module) return f;
    const char *name =
        arena_printf(t->e->arena, "%s.%s", LLVMGetModuleIdentifier(home, &size), LLVMGetValueName2(f, &size));
    LLVMValueRef here = LLVMGetNamedFunction(t->e->module, name);
    if (here) return here;
    LLVMValueRef alias = LLVMAddAlias2(home, LLVMGlobalGetValueType(f), 0, f, name);
    LLVMSetVisibility(alias, LLVMHiddenVisibility);
    here = LLVMAddFunction(t->e->module, name, t->e->kernel_type);
    LLVMSetVisibility(here, LLVMHiddenVisibility);
    return here;
}

// The phases of one variant and thread class; their code is filled in as distances. `parts` of the nodes: NULL where they
// stand in another order.
static bool put_phases(descriptor_writer *t, const variant_site *s, int class, node_tables *nodes,
                       const graph_part *parts, bertc_variant *out) {
    const graph *g = s->graph;
    bertc_phase *phases = ARENA_ARRAY(t->e->arena, bertc_phase, g->count * KERNEL_MAX_PHASES);
    LLVMValueRef *code = ARENA_ARRAY(t->e->arena, LLVMValueRef, g->count * KERNEL_MAX_PHASES);
    uint32_t n = 0;
    for (value v = 0; v < g->count; v++) {
        const kernel *k = s->kernels[v];
        if (!k) continue;
        for (int i = 0; i < k->phase_count[class]; i++, n++) {
            const kernel_phase *p = &k->phases[class][i];
            if (!phase_ok(p))
                return diag_error(t->e->diag, nodes[v].name, "internal error: a phase is not complete");
            phase_init(t, &phases[n], p, &nodes[v], g, v, i == 0, i == k->phase_count[class] - 1);
            code[n] = p->function;
            if (parts && parts[v] <= PART_FORWARD) out->forward[class] = n + 1;
            if (parts && parts[v] <= PART_BACKWARD) out->backward[class] = n + 1;
        }
    }
    out->phase_count[class] = n;
    out->phases[class] = put_bytes(t, phases, sizeof(*phases) * n, 8);
    for (uint32_t i = 0; i < n; i++) {
        put_distance(t, (size_t)out->phases[class] + i * sizeof(bertc_phase) + offsetof(bertc_phase, kernel),
                     visible_code(t, code[i]));
    }
    return true;
}

// By value; NULL where the graph does not train, or its nodes stand in another order than the parts.
static const graph_part *parts_of(descriptor_writer *t, const graph *g) {
    if (!graph_trains(g)) return NULL;
    graph_part *parts = ARENA_ARRAY(t->e->arena, graph_part, g->count);
    graph_parts(g, parts);
    return parts_in_order(g, parts) ? parts : NULL;
}

// NULL: a kernel is more than the loader takes.
static node_tables *put_node_tables(descriptor_writer *t, const variant_site *s) {
    const graph *g = s->graph;
    node_tables *nodes = ARENA_ARRAY(t->e->arena, node_tables, g->count);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!s->kernels[v]) continue;
        nodes[v].name = n->name ? n->name : arena_printf(t->e->arena, "%s.%d", op_name(n->op), v);
        put_args(t, g, s->variant, v, &nodes[v]);
        if (!limits_check_kernel(s->kernels[v], s->variant, nodes[v].name, nodes[v].arg_count, t->e->diag))
            return NULL;
    }
    return nodes;
}

// That codegen_kernels has found.
static const target *target_of(const artefact *a, const variant *v) {
    int i = 0;
    while (strcmp(a->targets[i].isa, v->isa) != 0) i++;
    return &a->targets[i];
}

// Variants of one level share them.
static void put_thread_calls(descriptor_writer *t, const target *level, size_t variant_at) {
    if (!thread_calls_needed(level)) return;
    if (t->calls_of != level) {
        build_target(t->e, level);
        thread_calls_emit(t->e, &t->enter, &t->leave);
        t->calls_of = level;
    }
    put_distance(t, variant_at + offsetof(bertc_variant, enter), t->enter);
    put_distance(t, variant_at + offsetof(bertc_variant, leave), t->leave);
}

static bool variant_init(descriptor_writer *t, const bertc_descriptor *h, const variant_site *s,
                         bertc_variant *out) {
    const graph *g = s->graph;
    const variant *v = s->variant;
    const target *level = target_of(t->a, v);
    *out = (bertc_variant){.name = put_string(t, v->name),
                           .isa = put_string(t, v->isa),
                           .class_name = put_string(t, graph_class(g)),
                           .features = level->feature_bits,
                           .rank = (uint32_t)level->rank,
                           .length = v->length,
                           .sequences = v->sequences,
                           .tokens = v->tokens,
                           .arena_bytes = round_up(v->arena_bytes, 64),
                           .row_tile = v->row_tile};
    bertc_slot *slots = ARENA_ARRAY(t->e->arena, bertc_slot, h->input_count + h->output_count);
    for (uint32_t i = 0; i < h->input_count; i++) {
        value x = find_input(g, t->inputs[i].name);
        slots[i] = x == VALUE_NONE ? (bertc_slot){-1, 0} : slot_of(v, x);
    }
    bertc_slot *outputs = slots + h->input_count;
    for (uint32_t i = 0; i < h->output_count; i++) {
        outputs[i] = slot_of(v, g->outputs[i].value);
        if (outputs[i].offset < 0)
            return diag_error(t->e->diag, g->outputs[i].name, "internal error: the output has no place");
    }
    out->inputs = put_bytes(t, slots, sizeof(*slots) * h->input_count, 8);
    out->outputs = put_bytes(t, outputs, sizeof(*slots) * h->output_count, 8);
    node_tables *nodes = put_node_tables(t, s);
    if (!nodes) return false;
    const graph_part *parts = parts_of(t, g);
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        if (!put_phases(t, s, class, nodes, parts, out)) return false;
    }
    for (value x = 0; x < g->count; x++) {
        const kernel *k = s->kernels[x];
        if (k && k->scratch_bytes > out->scratch_bytes) out->scratch_bytes = k->scratch_bytes;
    }
    return limits_check_variant(out, v, t->e->diag);
}

// By falling rank; ascending by tokens, then by length, within one.
static bool variant_before(const artefact *a, const variant *x, const variant *y) {
    int dx = target_of(a, x)->rank, dy = target_of(a, y)->rank;
    if (dx != dy) return dx > dy;
    return x->tokens != y->tokens ? x->tokens < y->tokens : x->length < y->length;
}

// `kernels` as codegen_kernels leaves them.
static void sort_variants(descriptor_writer *t, const kernel *const *kernels) {
    const module *m = t->a->module;
    int n = 0;
    t->variants = ARENA_ARRAY(t->e->arena, variant_site, module_variant_count(m));
    for (int i = 0; i < m->graph_count; i++) {
        const graph *g = m->graphs[i];
        for (int v = 0; v < g->variant_count; v++, kernels += g->count) {
            int k = n++;
            for (; k > 0 && variant_before(t->a, &g->variants[v], t->variants[k - 1].variant); k--)
                t->variants[k] = t->variants[k - 1];
            t->variants[k] = (variant_site){g, &g->variants[v], kernels};
        }
    }
}

static bool put_variants(descriptor_writer *t, bertc_descriptor *h) {
    bertc_variant *variants = ARENA_ARRAY(t->e->arena, bertc_variant, h->variant_count);
    for (uint32_t i = 0; i < h->variant_count; i++) {
        if (!variant_init(t, h, &t->variants[i], &variants[i])) return false;
    }
    h->variants = put_bytes(t, variants, sizeof(*variants) * h->variant_count, 8);
    for (uint32_t i = 0; i < h->variant_count; i++)
        put_thread_calls(t, target_of(t->a, t->variants[i].variant),
                         (size_t)h->variants + i * sizeof(bertc_variant));
    return true;
}

// --- The whole

// All graphs have the states of the first one.
static void put_parameters(descriptor_writer *t, bertc_descriptor *h) {
    const module *m = t->a->module;
    parameter_part *parts;
    int n = parameters_collect(m->graphs[0], t->e->arena, &parts);
    bertc_parameter_part *rows = ARENA_ARRAY(t->e->arena, bertc_parameter_part, n);
    for (int i = 0; i < n; i++) {
        bool again = i && !strcmp(parts[i - 1].tensor, parts[i].tensor);
        rows[i] = parts[i].row;
        rows[i].name = again ? rows[i - 1].name : put_string(t, parts[i].tensor);
    }
    h->state_bytes = m->graphs[0]->state_bytes;
    h->zero_bytes = m->graphs[0]->zero_bytes;
    for (int i = 0; i < m->graph_count; i++) h->updates |= graph_has_effect(m->graphs[i]);
    h->parameter_count = (uint32_t)n;
    if (n) h->parameters = put_bytes(t, rows, sizeof(*rows) * (size_t)n, 8);
}

// Of bits of BERTC_REQUIRES_LIST.
static void put_requirements(descriptor_writer *t, bertc_descriptor *h) {
    h->required = ports_need_training(h, t) || h->zero_bytes ? BERTC_REQUIRES_TRAINING : 0;
    if (h->required) h->required_names = put_string(t, "training");
}

static void put_blobs(descriptor_writer *t, bertc_descriptor *h) {
    const artefact *a = t->a;
    if (a->tokenizer) h->tokenizer = put_bytes(t, a->tokenizer, a->tokenizer_bytes, 64);
    if (a->tokenizer) h->tokenizer_bytes = (int64_t)a->tokenizer_bytes;
    if (a->task) h->task = put_bytes(t, a->task, a->task_bytes, 64);
    if (a->task) h->task_bytes = (int64_t)a->task_bytes;
    if (a->json) h->json = put_string(t, a->json);
    if (a->json) h->json_bytes = (int64_t)strlen(a->json) + 1;
}

static void descriptor_init(bertc_descriptor *h, const artefact *a) {
    *h = (bertc_descriptor){.abi_version = BERTC_ABI_VERSION,
                            .size = sizeof(*h),
                            .row_bytes = BERTC_ROW_BYTES,
                            .machine =
                                strncmp(a->targets[0].triple, "aarch64", 7) == 0 ? EM_AARCH64 : EM_X86_64,
                            .output_count = (uint32_t)a->module->graphs[0]->output_count,
                            .variant_count = (uint32_t)module_variant_count(a->module),
                            .weights_bytes = module_weight_bytes(a->module),
                            .vocab_size = a->vocab_size,
                            .type_vocab_size = a->type_vocab_size,
                            .position_count = a->position_count,
                            .position_rule = a->position_rule,
                            .position_start = a->position_start,
                            .pad_id = a->pad_id};
    memcpy(h->magic, BERTC_MAGIC, sizeof(h->magic));
}

static int by_position(const void *a, const void *b) {
    const distance *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static LLVMValueRef bytes_constant(descriptor_writer *t, size_t from, size_t to) {
    return LLVMConstStringInContext2(t->e->context, (const char *)t->bytes + from, to - from, true);
}

// Bytes and distances in turn, as one packed struct.
static void define(descriptor_writer *t) {
    emit *e = t->e;
    qsort(t->distances, t->distance_count, sizeof(*t->distances), by_position);
    size_t n = 0, at = 0, parts = 2 * t->distance_count + 1;
    LLVMValueRef *fields = ARENA_ARRAY(e->arena, LLVMValueRef, parts);
    LLVMTypeRef *types = ARENA_ARRAY(e->arena, LLVMTypeRef, parts);
    for (size_t i = 0; i <= t->distance_count; i++) {
        size_t end = i < t->distance_count ? t->distances[i].at : t->size;
        types[n++] = LLVMArrayType2(e->i8, end - at);
        if (i < t->distance_count) types[n++] = e->i64;
        at = end + 8;
    }
    LLVMValueRef self =
        LLVMAddGlobal(e->module, LLVMStructTypeInContext(e->context, types, (unsigned)n, true), BERTC_SYMBOL);
    n = at = 0;
    for (size_t i = 0; i <= t->distance_count; i++) {
        size_t end = i < t->distance_count ? t->distances[i].at : t->size;
        fields[n++] = bytes_constant(t, at, end);
        if (i < t->distance_count) {
            LLVMValueRef to = LLVMConstPtrToInt(t->distances[i].symbol, e->i64);
            fields[n++] = LLVMConstSub(to, LLVMConstPtrToInt(self, e->i64));
        }
        at = end + 8;
    }
    LLVMSetInitializer(self, LLVMConstStructInContext(e->context, fields, (unsigned)n, true));
    LLVMSetGlobalConstant(self, true);
    LLVMSetAlignment(self, 64);
    LLVMSetVisibility(
        self, LLVMProtectedVisibility); // exported, and never another module's: distances to it are constants
}

static bool fill_descriptor(descriptor_writer *t, bool weights_symbol) {
    emit *e = t->e;
    bertc_descriptor h;
    descriptor_init(&h, t->a);
    put_bytes(t, NULL, sizeof(h), 64);
    h.input_count = collect_inputs(t);
    if (!limits_check_ports(&h, t->a->module->graphs[0], e->diag)) return false;
    if (!put_ports(t, &h) || !put_variants(t, &h)) return false;
    put_parameters(t, &h);
    if (!limits_check_parameters(&h, t->a->module->graphs[0], e->diag)) return false;
    put_requirements(t, &h);
    put_blobs(t, &h);
    if (weights_symbol && h.weights_bytes > 0) {
        LLVMValueRef w = LLVMAddGlobal(e->module, e->i8, WEIGHTS_SYMBOL);
        LLVMSetVisibility(w, LLVMHiddenVisibility);
        LLVMSetGlobalConstant(w, true);
        put_distance(t, offsetof(bertc_descriptor, weights), w);
    }
    memcpy(t->bytes, &h, sizeof(h));
    return true;
}

// `kernels` as codegen_kernels leaves them.
static bool descriptor_emit(emit *e, const artefact *a, const kernel *const *kernels, bool weights_symbol) {
    descriptor_writer t = {.e = e, .a = a};
    sort_variants(&t, kernels);
    bool ok = fill_descriptor(&t, weights_symbol);
    if (ok) define(&t);
    free(t.bytes);
    free(t.distances);
    return ok;
}

static bool has_variants(const artefact *a, diag *d) {
    return module_variant_count(a->module) > 0 ||
           diag_error(d, a->module->graphs[0]->name, "internal error: there is no variant");
}

bool artefact_emit(emit *e, const artefact *a, bool weights_symbol) {
    if (!has_variants(a, e->diag)) return false;
    const kernel **kernels = ARENA_ARRAY(e->arena, const kernel *, codegen_sites(a->module));
    return codegen_kernels(e, a, kernels) && descriptor_emit(e, a, kernels, weights_symbol);
}

bool artefact_emit_units(emit *const *units, int parts, const artefact *a, bool weights_symbol) {
    emit *e = units[0];
    if (!has_variants(a, e->diag)) return false;
    const kernel **kernels = ARENA_ARRAY(e->arena, const kernel *, codegen_sites(a->module));
    return codegen_kernels_units(units, parts, a, kernels) && descriptor_emit(e, a, kernels, weights_symbol);
}
