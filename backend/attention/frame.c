// The sequence, head and rows of an attention task. They are stored at the start of its scratch, so that the
// functions that it calls need one address.
#include "backend/attention/attention.h"

#define FRAME_FIELDS 7

static void fields(task_frame *f, LLVMValueRef **at) {
    LLVMValueRef *const all[FRAME_FIELDS] = {&f->args,  &f->head,    &f->key,     &f->keys,
                                             &f->query, &f->queries, &f->sequence};
    for (int i = 0; i < FRAME_FIELDS; i++) at[i] = all[i];
}

void task_frame_store(emit *e, const task_frame *f, LLVMValueRef scratch) {
    task_frame copy = *f;
    LLVMValueRef *at[FRAME_FIELDS];
    fields(&copy, at);
    for (int i = 0; i < FRAME_FIELDS; i++) build_store(e, *at[i], tile_at_constant(e, scratch, 8 * i), 8);
}

task_frame task_frame_load(emit *e, LLVMValueRef scratch) {
    task_frame f;
    LLVMValueRef *at[FRAME_FIELDS];
    fields(&f, at);
    for (int i = 0; i < FRAME_FIELDS; i++)
        *at[i] = build_load(e, i == 0 ? e->ptr : e->i64, tile_at_constant(e, scratch, 8 * i), 8);
    return f;
}

LLVMValueRef attention_smaller(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

LLVMValueRef attention_up_to(emit *e, LLVMValueRef x, int64_t n) {
    LLVMValueRef up = LLVMBuildAdd(e->b, x, build_const_i64(e, n - 1), "");
    return LLVMBuildAnd(e->b, up, build_const_i64(e, -n), "");
}

static const node *operand_node(const kernel_site *s, int operand) {
    return graph_node(s->graph, graph_node(s->graph, s->node)->inputs[operand]);
}

int64_t attention_ld(const kernel_site *s, int operand) {
    const node *n = operand_node(s, operand);
    if (n->type.rank < 2) return 1;
    if (node_is_constant(n)) return n->type.d[n->type.rank - 1].n;
    return s->variant->places[graph_node(s->graph, s->node)->inputs[operand]].ld;
}

LLVMValueRef attention_operand(emit *e, const kernel_site *s, const task_frame *f, int operand) {
    const type *t = &operand_node(s, operand)->type;
    LLVMValueRef p = build_arg(e, f->args, operand), row = NULL;
    sym rows = t->rank ? t->d[0].s : SYM_NONE;
    if (rows == SYM_T) row = f->key;
    if (rows == SYM_R) row = f->query;
    if (rows == SYM_S) row = f->sequence;
    return row ? tile_at(e, p, tile_mul(e, row, elem_bytes(t->e, attention_ld(s, operand)))) : p;
}

LLVMValueRef attention_head_at(emit *e, const kernel_site *s, const task_frame *f, const heads *x) {
    LLVMValueRef head =
        x->group > 1 ? LLVMBuildUDiv(e->b, f->head, build_const_i64(e, x->group), "") : f->head;
    LLVMValueRef p = attention_operand(e, s, f, x->operand);
    int64_t size = (int64_t)elem_size(x->e);
    return tile_at_constant(e, tile_at(e, p, tile_mul(e, head, x->stride * size)), x->column * size);
}

void attention_call(emit *e, LLVMValueRef f, int n, LLVMValueRef *args) {
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, args, (unsigned)n, "");
}
