// The descriptor of an artefact (runtime/abi.h): one constant, @bertc_artefact, that holds the
// bertc_descriptor and after it every table that it points to. Offsets between tables are numbers; those of
// code and weights are differences of two symbols of one object, which the linker resolves, so no dynamic
// relocation is left.
#include <assert.h>
#include <elf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/output/artefact.h"
#include "ir/memory.h"
#include "runtime/abi.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tables are built as they lie, little-endian");
_Static_assert(BERTC_THREAD_CLASSES == THREAD_CLASSES, "thread classes");

// A field whose value is the distance from the descriptor to a symbol.
typedef struct distance {
    size_t at;
    LLVMValueRef symbol;
} distance;

typedef struct descriptor_writer {
    emit *e;
    const artefact *a;
    const kernel *const *kernels;
    unsigned char *bytes;
    size_t size, capacity;
    distance *distances;
    size_t distance_count, distance_capacity;
} descriptor_writer;

static void *grown(void *p, size_t *capacity, size_t need, size_t item) {
    if (need <= *capacity) return p;
    while (*capacity < need) *capacity = *capacity ? *capacity * 2 : 256;
    return memory_must(memory_grow(p, *capacity, item));
}

// Appends; the offset of the first byte.
static bertc_off put_bytes(descriptor_writer *t, const void *data, size_t size, size_t align) {
    size_t at = (size_t)round_up((int64_t)t->size, (int64_t)align);
    t->bytes = grown(t->bytes, &t->capacity, at + size, 1);
    memset(t->bytes + t->size, 0, at - t->size);
    if (data)
        memcpy(t->bytes + at, data, size);
    else
        memset(t->bytes + at, 0, size);
    t->size = at + size;
    return (bertc_off)at;
}

static bertc_off put_string(descriptor_writer *t, const char *s) {
    return put_bytes(t, s, strlen(s) + 1, 1);
}

static void point(descriptor_writer *t, size_t at, LLVMValueRef symbol) {
    t->distances = grown(t->distances, &t->distance_capacity, t->distance_count + 1, sizeof(*t->distances));
    t->distances[t->distance_count++] = (distance){at, symbol};
}

// --- Ports

static uint32_t symbol_of(sym s) {
    switch (s) {
    case SYM_T: return BERTC_T;
    case SYM_S: return BERTC_S;
    case SYM_R: return BERTC_R;
    case SYM_M: return BERTC_M;
    case SYM_NONE:
    case SYM_L:
    case SYM_Q:
    case SYM_COUNT: break;
    }
    return BERTC_NUMBER;
}

// Inputs are i32, outputs f32: what a graph keeps in another type it casts for whoever calls.
static bool port_init(descriptor_writer *t, bertc_port *p, const char *name, value v, elem should) {
    const node *n = graph_node(t->a->graph, v);
    const type *y = &n->type;
    if (y->e != should) {
        char buf[96];
        return diag_error(t->e->diag, name, "is %s: inputs are i32 and outputs f32, so cast it",
                          type_print(y, buf, sizeof(buf)));
    }
    if (y->rank < 1 || y->rank > 5 || symbol_of(y->d[0].s) == BERTC_NUMBER || y->d[0].s == SYM_M) {
        char buf[96];
        return diag_error(t->e->diag, name, "internal error: it can't be an input or output: %s",
                          type_print(y, buf, sizeof(buf)));
    }
    *p = (bertc_port){.elem = should == ELEM_F32 ? BERTC_F32 : BERTC_I32,
                      .leading = symbol_of(y->d[0].s),
                      .rank = (uint32_t)y->rank - 1};
    for (int i = 1; i < y->rank; i++) {
        p->shape[i - 1] = y->d[i].s == SYM_NONE ? y->d[i].n : 0;
        if (y->d[i].s == SYM_M && i == y->rank - 1) p->ragged = 1;
    }
    p->name = put_string(t, name);
    return true;
}

static bool slices_first_row(const graph *body) {
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->op == OP_fuse && slices_first_row(n->body)) return true;
        if (n->op != OP_slice) continue;
        const type *from = graph_type(body, n->inputs[0]);
        if (from->d[0].s == SYM_L && dim_is(node_attr(n, ATTR_begin)->u.dims[0], 0) &&
            dim_is(node_attr(n, ATTR_end)->u.dims[0], 1))
            return true;
    }
    return false;
}

// By value: is it made from each text's first row?
static bool *first_row_readers(descriptor_writer *t) {
    const graph *g = t->a->graph;
    bool *reads = ARENA_ARRAY(t->e->arena, bool, g->count);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        reads[v] = n->op == OP_per_sequence && slices_first_row(n->body);
        for (int i = 0; i < n->input_count; i++) reads[v] |= reads[n->inputs[i]];
    }
    return reads;
}

static int collect_inputs(descriptor_writer *t, value **out) {
    const graph *g = t->a->graph;
    int n = 0;
    *out = ARENA_ARRAY(t->e->arena, value, g->count);
    for (value v = 0; v < g->count; v++) {
        if (graph_node(g, v)->op == OP_input) (*out)[n++] = v;
    }
    return n;
}

int64_t backend_input_limit(const graph *g, value v) {
    int64_t least = 0;
    for (value u = 0; u < g->count; u++) {
        const node *n = graph_node(g, u);
        int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            int64_t rows = n->body && i >= bounds ? backend_input_limit(n->body, i - bounds) : 0;
            if (n->op == OP_gather && i == 1) {
                dim d = graph_type(g, n->inputs[0])->d[0];
                rows = d.s == SYM_NONE ? d.n : 0;
            }
            if (rows && (!least || rows < least)) least = rows;
        }
    }
    return least;
}

static bool put_ports(descriptor_writer *t, bertc_descriptor *h, const value *inputs) {
    const graph *g = t->a->graph;
    bertc_port *ports = ARENA_ARRAY(t->e->arena, bertc_port, h->input_count + h->output_count);
    bool all_columns = false; // hidden tokens too
    for (uint32_t i = 0; i < h->input_count; i++) {
        const char *name = graph_node(g, inputs[i])->name;
        if (!port_init(t, &ports[i], name, inputs[i], ELEM_I32)) return false;
        ports[i].limit = backend_input_limit(g, inputs[i]);
        if (!strcmp(name, "mask")) ports[i].rule = BERTC_RULE_ONE, all_columns = true;
        if (strcmp(name, "global")) continue;
        ports[i].rule = t->a->global_rule;
        ports[i].rule_id = t->a->sep_id;
    }
    const bool *reads = first_row_readers(t);
    bertc_port *outputs = ports + h->input_count;
    for (uint32_t i = 0; i < h->output_count; i++) {
        graph_output o = g->outputs[i];
        if (!port_init(t, &outputs[i], o.name, o.value, ELEM_F32)) return false;
        outputs[i].reads_first = reads[o.value] && !all_columns;
    }
    h->inputs = put_bytes(t, ports, sizeof(*ports) * h->input_count, 8);
    h->outputs = put_bytes(t, outputs, sizeof(*ports) * h->output_count, 8);
    return true;
}

// --- Variants

static bertc_slot slot_of(const variant *v, value x) {
    const place *p = &v->places[x];
    return p->kind == PLACE_ARENA ? (bertc_slot){p->offset, p->ld} : (bertc_slot){-1, 0};
}

// Bytes of weights that a node reads once a call: all of its constants but tables that it gathers rows from.
static bool gathers_from(const node *n, int operand) {
    if (n->op == OP_gather) return operand == 0;
    if (!n->body) return false;
    int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
    value param = operand - bounds;
    for (value v = 0; v < n->body->count; v++) {
        const node *m = graph_node(n->body, v);
        for (int i = 0; i < m->input_count; i++) {
            if (m->inputs[i] == param && gathers_from(m, i)) return true;
        }
    }
    return false;
}

static int64_t weight_bytes_of(const graph *g, const node *n) {
    int64_t bytes = 0;
    for (int i = 0; i < n->input_count; i++) {
        if (node_is_constant(graph_node(g, n->inputs[i])) && !gathers_from(n, i))
            bytes += weight_size(g, n->inputs[i]);
    }
    return bytes;
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
static void put_args(descriptor_writer *t, const variant *v, value x, node_tables *out) {
    const graph *g = t->a->graph;
    const node *n = graph_node(g, x);
    int results;
    const kernel_result *r = kernel_results(t->e->arena, &(kernel_site){g, v, x}, &results);
    out->arg_count = (uint32_t)(n->input_count + results);
    out->result_count = (uint32_t)results;
    bertc_arg *args = ARENA_ARRAY(t->e->arena, bertc_arg, out->arg_count);
    for (int i = 0; i < n->input_count; i++) {
        const node *operand = graph_node(g, n->inputs[i]);
        args[i] = node_is_constant(operand) ? (bertc_arg){BERTC_ARG_WEIGHT, node_attr(operand, ATTR_at)->u.i}
                                            : (bertc_arg){BERTC_ARG_ARENA, v->places[n->inputs[i]].offset};
    }
    for (int i = 0; i < results; i++)
        args[r[i].arg] = (bertc_arg){BERTC_ARG_ARENA, v->places[r[i].node].offset};
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
                       value v, bool first, bool last) {
    const graph *g = t->a->graph;
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
                         .weight_bytes = first ? weight_bytes_of(g, n) : 0,
                         .row_bytes = p->row_bytes,
                         .token_bytes = p->token_bytes,
                         .pair_bytes = p->pair_bytes};
}

static bool phase_ok(const kernel_phase *p) {
    bool dim_ok = p->dim == SYM_NONE || p->dim == SYM_T || p->dim == SYM_S || p->dim == SYM_R;
    return p->function && dim_ok && p->unit > 0 && p->inner > 0;
}

// The phases of one variant and thread class; their code is filled in as distances.
static bool put_phases(descriptor_writer *t, int variant_index, int class, node_tables *nodes,
                       bertc_variant *out) {
    const graph *g = t->a->graph;
    const kernel *const *kernels = t->kernels + (size_t)variant_index * (size_t)g->count;
    bertc_phase *phases = ARENA_ARRAY(t->e->arena, bertc_phase, g->count * KERNEL_MAX_PHASES);
    LLVMValueRef *code = ARENA_ARRAY(t->e->arena, LLVMValueRef, g->count * KERNEL_MAX_PHASES);
    uint32_t n = 0;
    for (value v = 0; v < g->count; v++) {
        const kernel *k = kernels[v];
        if (!k) continue;
        for (int i = 0; i < k->phase_count[class]; i++, n++) {
            const kernel_phase *p = &k->phases[class][i];
            if (!phase_ok(p))
                return diag_error(t->e->diag, nodes[v].name, "internal error: a phase is not complete");
            phase_init(t, &phases[n], p, &nodes[v], v, i == 0, i == k->phase_count[class] - 1);
            code[n] = p->function;
        }
    }
    out->phase_count[class] = n;
    out->phases[class] = put_bytes(t, phases, sizeof(*phases) * n, 8);
    for (uint32_t i = 0; i < n; i++) {
        point(t, (size_t)out->phases[class] + i * sizeof(bertc_phase) + offsetof(bertc_phase, kernel),
              code[i]);
    }
    return true;
}

static node_tables *put_node_tables(descriptor_writer *t, int index) {
    const graph *g = t->a->graph;
    node_tables *nodes = ARENA_ARRAY(t->e->arena, node_tables, g->count);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!t->kernels[(size_t)index * (size_t)g->count + (size_t)v]) continue;
        nodes[v].name = n->name ? n->name : arena_printf(t->e->arena, "%s.%d", op_name(n->op), v);
        put_args(t, &g->variants[index], v, &nodes[v]);
    }
    return nodes;
}

// That codegen_kernels has found.
static const target *target_of(const artefact *a, const variant *v) {
    int i = 0;
    while (strcmp(a->targets[i].isa, v->isa) != 0) i++;
    return &a->targets[i];
}

static bool variant_init(descriptor_writer *t, const bertc_descriptor *h, const value *inputs, int index,
                         bertc_variant *out) {
    const graph *g = t->a->graph;
    const variant *v = &g->variants[index];
    const target *level = target_of(t->a, v);
    *out = (bertc_variant){.name = put_string(t, v->name),
                           .isa = put_string(t, v->isa),
                           .features = level->feature_bits,
                           .rank = (uint32_t)level->rank,
                           .length = v->length,
                           .sequences = v->sequences,
                           .tokens = v->tokens,
                           .arena_bytes = round_up(v->arena_bytes, 64),
                           .row_tile = v->row_tile};
    bertc_slot *slots = ARENA_ARRAY(t->e->arena, bertc_slot, h->input_count + h->output_count);
    for (uint32_t i = 0; i < h->input_count; i++) slots[i] = slot_of(v, inputs[i]);
    bertc_slot *outputs = slots + h->input_count;
    for (uint32_t i = 0; i < h->output_count; i++) {
        outputs[i] = slot_of(v, g->outputs[i].value);
        if (outputs[i].offset < 0)
            return diag_error(t->e->diag, g->outputs[i].name, "internal error: the output has no place");
    }
    out->inputs = put_bytes(t, slots, sizeof(*slots) * h->input_count, 8);
    out->outputs = put_bytes(t, outputs, sizeof(*slots) * h->output_count, 8);
    node_tables *nodes = put_node_tables(t, index);
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        if (!put_phases(t, index, class, nodes, out)) return false;
    }
    for (value x = 0; x < g->count; x++) {
        const kernel *k = t->kernels[(size_t)index * (size_t)g->count + (size_t)x];
        if (k && k->scratch_bytes > out->scratch_bytes) out->scratch_bytes = k->scratch_bytes;
    }
    return true;
}

// By falling rank; ascending by tokens, then by length, within one.
static bool variant_before(const artefact *a, const variant *x, const variant *y) {
    int dx = target_of(a, x)->rank, dy = target_of(a, y)->rank;
    if (dx != dy) return dx > dy;
    return x->tokens != y->tokens ? x->tokens < y->tokens : x->length < y->length;
}

static bool put_variants(descriptor_writer *t, bertc_descriptor *h, const value *inputs) {
    const graph *g = t->a->graph;
    int *order = ARENA_ARRAY(t->e->arena, int, g->variant_count);
    for (int i = 0; i < g->variant_count; i++) {
        int k = i;
        for (; k > 0 && variant_before(t->a, &g->variants[i], &g->variants[order[k - 1]]); k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    bertc_variant *variants = ARENA_ARRAY(t->e->arena, bertc_variant, g->variant_count);
    for (int i = 0; i < g->variant_count; i++) {
        if (!variant_init(t, h, inputs, order[i], &variants[i])) return false;
    }
    h->variants = put_bytes(t, variants, sizeof(*variants) * (size_t)g->variant_count, 8);
    return true;
}

// --- The whole

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
                            .output_count = (uint32_t)a->graph->output_count,
                            .variant_count = (uint32_t)a->graph->variant_count,
                            .weights_bytes = a->graph->weight_bytes,
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
    value *inputs;
    descriptor_init(&h, t->a);
    put_bytes(t, NULL, sizeof(h), 64);
    h.input_count = (uint32_t)collect_inputs(t, &inputs);
    if (!put_ports(t, &h, inputs) || !put_variants(t, &h, inputs)) return false;
    put_blobs(t, &h);
    if (weights_symbol && h.weights_bytes > 0) {
        LLVMValueRef w = LLVMAddGlobal(e->module, e->i8, WEIGHTS_SYMBOL);
        LLVMSetVisibility(w, LLVMHiddenVisibility);
        LLVMSetGlobalConstant(w, true);
        point(t, offsetof(bertc_descriptor, weights), w);
    }
    memcpy(t->bytes, &h, sizeof(h));
    return true;
}

// `kernels` as codegen_kernels leaves them.
static bool descriptor_emit(emit *e, const artefact *a, const kernel *const *kernels, bool weights_symbol) {
    descriptor_writer t = {.e = e, .a = a, .kernels = kernels};
    bool ok = fill_descriptor(&t, weights_symbol);
    if (ok) define(&t);
    free(t.bytes);
    free(t.distances);
    return ok;
}

bool artefact_emit(emit *e, const artefact *a, bool weights_symbol) {
    if (a->graph->variant_count == 0)
        return diag_error(e->diag, a->graph->name, "internal error: the graph has no variant");
    size_t count = (size_t)a->graph->variant_count * (size_t)a->graph->count;
    const kernel **kernels = ARENA_ARRAY(e->arena, const kernel *, count);
    return codegen_kernels(e, a, kernels) && descriptor_emit(e, a, kernels, weights_symbol);
}
