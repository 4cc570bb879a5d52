// The pack family: a matrix of f32 or bf16 that changes from call to call, in the panels that products read.
//
//   pack x [K,N]                                       panel p holds columns 16p to 16p + 15 of x
//   fuse { yield pack (transpose x [N,K]) }            panel p holds rows 16p to 16p + 15 of x, turned round
//   fuse { yield pack (cast x [K,N]) }                 rounded to bf16 on the way
//   fuse { yield pack (cast (transpose x [N,K])) }
//
// It is read and written once a call, whatever the number of tokens; all tasks of the product then read the same panels. A
// task is some panels.
#include "backend/matmul/panel_pack.h"
#include "backend/matmul/tile.h"

// Numbers of a task, about.
#define TASK_NUMBERS 65536

typedef struct packing {
    bool turned;
    panel_form form;
    int64_t groups;   // of a panel
    int64_t k, n, ld; // of the result; from row to row of x, in numbers
    int64_t panels;   // of a task
} packing;

// What a body packs, from its pack back to its param.
static bool read_body(const graph *body, packing *p) {
    const node *n = graph_node(body, body->outputs[0].value);
    if (n->op != OP_pack || body->output_count != 1) return false;
    n = graph_node(body, n->inputs[0]);
    if (n->op == OP_cast) n = graph_node(body, n->inputs[0]);
    if (n->op == OP_transpose) {
        p->turned = node_attr(n, ATTR_perm)->u.ints[0] == 1;
        n = graph_node(body, n->inputs[0]);
    }
    return n->op == OP_param;
}

static bool form_fits(panel_form f) {
    return (f.to == ELEM_F32 || f.to == ELEM_BF16) && (f.from == ELEM_F32 || f.from == f.to);
}

static bool recognise(const kernel_site *s, packing *p) {
    const node *n = graph_node(s->graph, s->node);
    *p = (packing){0};
    if (n->type.layout != LAYOUT_PACKED || n->input_count != 1) return false;
    if (n->op == OP_fuse ? !read_body(n->body, p) : n->op != OP_pack) return false;
    const node *x = graph_node(s->graph, n->inputs[0]);
    p->form = (panel_form){x->type.e, n->type.e};
    if (!form_fits(p->form) || x->type.rank != 2 || x->type.layout != LAYOUT_ROW) return false;
    int64_t ld = node_is_constant(x) ? 0 : s->variant->places[n->inputs[0]].ld;
    p->ld = ld ? ld : x->type.d[1].n;
    p->k = n->type.d[0].n;
    p->n = n->type.d[1].n;
    p->groups = packed_groups(n->type.e, p->k);
    int64_t count = ceil_div(p->n, PANEL_COLUMNS), panels = ceil_div(TASK_NUMBERS, p->k * PANEL_COLUMNS);
    p->panels = panels < count ? panels : count;
    return true;
}

bool pack_accepts(const emit *e, const kernel_site *s) {
    packing p;
    (void)e;
    return recognise(s, &p);
}

// Functions for a panel, and for the last one, if that is not whole.
typedef struct pack_code {
    const packing *p;
    LLVMValueRef whole, last, x, out;
} pack_code;

static LLVMValueRef panel_function(emit *e, const packing *p, int columns) {
    return p->turned ? panel_pack_turned(e, p->form, columns)
                     : panel_pack_rows(e, p->form, p->groups * GROUP_BYTES, columns);
}

static LLVMValueRef smaller(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

// `panels` panels from number `panel` on, or, turned round, that one.
static void pack_at(emit *e, const pack_code *c, LLVMValueRef function, LLVMValueRef panel,
                    LLVMValueRef panels) {
    const packing *p = c->p;
    int64_t size = (int64_t)elem_size(p->form.from);
    LLVMValueRef from = tile_at(e, c->x, tile_mul(e, panel, PANEL_COLUMNS * size * (p->turned ? p->ld : 1)));
    LLVMValueRef out = tile_at(e, c->out, tile_mul(e, panel, p->groups * GROUP_BYTES));
    LLVMValueRef args[] = {from, build_const_i64(e, p->ld * size), build_const_i64(e, p->k), out, panels};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(function), function, args, p->turned ? 4 : 5, "");
}

// Zeros in the groups that fill panels [from, to) up.
static void fill_panels(emit *e, const pack_code *c, LLVMValueRef from, LLVMValueRef to) {
    const packing *p = c->p;
    int64_t group = packed_group(p->form.to), first = ceil_div(p->k, group);
    if (first == p->groups) return;
    loop panels = build_loop(e, from, to, 1, "fill");
    LLVMValueRef out = tile_at(e, c->out, tile_mul(e, panels.index, p->groups * GROUP_BYTES));
    for (int64_t at = first * GROUP_BYTES; at < p->groups * GROUP_BYTES; at += e->width * 4)
        build_store(e, LLVMConstNull(e->vi), tile_at_constant(e, out, at), (unsigned)e->width * 4);
    build_loop_end(e, &panels);
}

// Panels [from, to).
static void pack_panels(emit *e, const pack_code *c, LLVMValueRef function, LLVMValueRef from,
                        LLVMValueRef to) {
    if (!c->p->turned) {
        pack_at(e, c, function, from, LLVMBuildSub(e->b, to, from, ""));
        return;
    }
    loop panels = build_loop(e, from, to, 1, "panel");
    pack_at(e, c, function, panels.index, NULL);
    build_loop_end(e, &panels);
}

static LLVMValueRef emit_kernel(emit *e, const packing *p, pack_code *c) {
    LLVMValueRef f = build_function(e, "pack", e->kernel_type), args = LLVMGetParam(f, 0);
    c->x = build_arg(e, args, 0);
    c->out = build_arg(e, args, 1);
    LLVMValueRef from = tile_mul(e, LLVMGetParam(f, 2), p->panels);
    LLVMValueRef to = LLVMBuildAdd(e->b, from, build_const_i64(e, p->panels), ""),
                 whole = build_const_i64(e, p->n / PANEL_COLUMNS);
    pack_panels(e, c, c->whole, from, smaller(e, to, whole));
    if (c->last) {
        LLVMBasicBlockRef behind = build_if(e, LLVMBuildICmp(e->b, LLVMIntSGT, to, whole, ""));
        pack_panels(e, c, c->last, whole, LLVMBuildAdd(e->b, whole, build_const_i64(e, 1), ""));
        build_if_end(e, behind);
    }
    fill_panels(e, c, from, smaller(e, to, build_const_i64(e, ceil_div(p->n, PANEL_COLUMNS))));
    LLVMBuildRetVoid(e->b);
    return f;
}

bool pack_emit(emit *e, const kernel_site *s, kernel *out) {
    packing p;
    if (!recognise(s, &p)) return false;
    pack_code c = {.p = &p, .whole = panel_function(e, &p, PANEL_COLUMNS)};
    if (p.n % PANEL_COLUMNS) c.last = panel_function(e, &p, (int)(p.n % PANEL_COLUMNS));
    kernel_phase phase = {.function = emit_kernel(e, &p, &c),
                          .dim = SYM_NONE,
                          .unit = 1,
                          .inner = ceil_div(ceil_div(p.n, PANEL_COLUMNS), p.panels),
                          .suffix = ""};
    *out = (kernel){0};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        out->phases[class][0] = phase;
        out->phase_count[class] = 1;
    }
    return true;
}
