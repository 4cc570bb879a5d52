// The printer of the text form. Grammar: docs/ir.md.
#include "ir/memory.h"
#include "ir/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct printer {
    FILE *out;
    const tensor_source *source;
} printer;

// Which names belong to one value of the graph only; values with other names print by number.
typedef struct labels {
    const graph *g;
    bool *named; // by value
} labels;

typedef struct label_entry {
    const char *name;
    value v;
} label_entry;

static int by_name(const void *a, const void *b) {
    const label_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static labels labels_new(const graph *g) {
    labels l = {g, memory_must(memory_zero((size_t)g->count, sizeof(bool)))};
    label_entry *entries = memory_must(memory_alloc((size_t)g->count, sizeof(*entries)));
    int n = 0;
    for (value v = 0; v < g->count; v++)
        if (g->nodes[v].name) entries[n++] = (label_entry){g->nodes[v].name, v};
    qsort(entries, (size_t)n, sizeof(*entries), by_name);
    for (int i = 0; i < n; i++) {
        bool before = i > 0 && !by_name(&entries[i - 1], &entries[i]);
        bool after = i + 1 < n && !by_name(&entries[i], &entries[i + 1]);
        l.named[entries[i].v] = !before && !after;
    }
    free(entries);
    return l;
}

// --- Words and numbers

static bool is_plain(const char *s) {
    if (!*s || strchr("0123456789.", *s)) return false;
    for (; *s; s++) {
        bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_';
        if (!letter && *s != '.' && !(*s >= '0' && *s <= '9')) return false;
    }
    return true;
}

static void print_string(FILE *out, const char *s) {
    putc('"', out);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

static void print_name(FILE *out, const char *s) {
    if (is_plain(s))
        fputs(s, out);
    else
        print_string(out, s);
}

static void print_value(const printer *p, const labels *l, value v) {
    putc('%', p->out);
    if (v >= 0 && v < l->g->count && l->named[v])
        print_name(p->out, l->g->nodes[v].name);
    else
        fprintf(p->out, "%" PRId32, v);
}

// The shortest decimal that reads back as the same number.
static void print_f32(FILE *out, float x) {
    char buf[64];
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (isnan(x)) {
        fputs("nan", out);
        if (bits != 0x7fc00000u) fprintf(out, "(0x%08" PRIx32 ")", bits);
        return;
    }
    bool whole = fabsf(x) < 0x1p24f && x == truncf(x);
    if (whole) snprintf(buf, sizeof(buf), "%.0f", (double)x);
    for (int digits = 1; !whole && digits <= 9; digits++) {
        snprintf(buf, sizeof(buf), "%.*g", digits, (double)x);
        if (strtof(buf, NULL) == x) break;
    }
    fputs(buf, out);
}

// f16 or bf16. Every one of them is a float, and a NaN's bits are its own.
static void print_half(FILE *out, elem e, uint16_t bits) {
    char buf[64];
    uint16_t back;
    float x, y;
    elem_convert(e, &bits, ELEM_F32, &x, 1);
    if (isnan(x)) {
        fputs("nan", out);
        if (bits != (e == ELEM_F16 ? 0x7e00u : 0x7fc0u)) fprintf(out, "(0x%04x)", bits);
        return;
    }
    bool whole = fabsf(x) < 0x1p24f && x == truncf(x);
    if (whole) snprintf(buf, sizeof(buf), "%.0f", (double)x);
    for (int digits = 1; !whole && digits <= 9; digits++) {
        snprintf(buf, sizeof(buf), "%.*g", digits, (double)x);
        y = strtof(buf, NULL);
        elem_convert(ELEM_F32, &y, e, &back, 1);
        if (back == bits) break;
    }
    fputs(buf, out);
}

static void print_f64(FILE *out, double x) {
    char buf[64];
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (isnan(x)) {
        fputs("nan", out);
        if (bits != 0x7ff8000000000000u) fprintf(out, "(0x%016" PRIx64 ")", bits);
        return;
    }
    bool whole = fabs(x) < 0x1p53 && x == trunc(x);
    if (whole) snprintf(buf, sizeof(buf), "%.0f", x);
    for (int digits = 1; !whole && digits <= 17; digits++) {
        snprintf(buf, sizeof(buf), "%.*g", digits, x);
        if (strtod(buf, NULL) == x) break;
    }
    fputs(buf, out);
}

static void print_type(FILE *out, const type *t) {
    char buf[256];
    fputs(type_print(t, buf, sizeof(buf)), out);
}

// "[T+1,768]": a type's without its element type.
static void print_dims(FILE *out, int n, const dim *d) {
    type t = type_make(ELEM_F32, n, d);
    char buf[256];
    fputs(strchr(type_print(&t, buf, sizeof(buf)), '['), out);
}

// --- Recipes

static void print_recipe(FILE *out, const recipe *r) {
    fprintf(out, "%s(", recipe_word(r->kind));
    if (r->kind == RECIPE_CONCAT) fprintf(out, "%" PRId64 ", ", r->axis);
    for (int i = 0; i < r->part_count; i++) {
        if (i) fputs(", ", out);
        print_recipe(out, r->parts[i]);
    }
    switch (r->kind) {
    case RECIPE_TENSOR:
    case RECIPE_ZEROS:
        print_string(out, r->tensor);
        fputs(", ", out);
        print_type(out, &r->type);
        break;
    case RECIPE_NORM:
    case RECIPE_SCALE:
    case RECIPE_SHIFT:
    case RECIPE_LARGE:
        fputs(", ", out);
        print_f64(out, r->scale);
        break;
    case RECIPE_CAST: fprintf(out, ", %s", elem_name(r->type.e)); break;
    case RECIPE_RESHAPE:
        fputs(", ", out);
        print_dims(out, r->type.rank, r->type.d);
        break;
    case RECIPE_SLICE:
        fprintf(out, ", %" PRId64 ", %" PRId64 ", %" PRId64, r->axis, r->begin,
                r->begin + r->type.d[r->axis].n);
        break;
    case RECIPE_DIAGONAL: fprintf(out, ", %" PRId64, r->axis); break;
    case RECIPE_COS:
    case RECIPE_SIN:
        print_type(out, &r->type);
        fputs(", ", out);
        print_f64(out, r->scale);
        break;
    case RECIPE_DFT_COS:
    case RECIPE_DFT_SIN: print_type(out, &r->type); break;
    case RECIPE_COLUMN_SCALES:
    case RECIPE_QUANTIZE_COLUMNS:
    case RECIPE_ROW_SCALES:
    case RECIPE_QUANTIZE_ROWS: fprintf(out, ", %d", (int)r->scale); break;
    case RECIPE_COLUMN_SUMS: fprintf(out, ", %" PRId64 ", %d", r->axis, (int)r->scale); break;
    case RECIPE_NUMBERS:
        for (int64_t i = 0; i < r->type.d[0].n; i++) {
            fputs(i ? ", " : "[", out);
            print_f32(out, r->numbers[i]);
        }
        putc(']', out);
        break;
    case RECIPE_QUOTIENT:
    case RECIPE_SCALE_ROWS:
    case RECIPE_TRANSPOSE:
    case RECIPE_CONCAT:
    case RECIPE_PRODUCT:
    case RECIPE_SUM:
    case RECIPE_PACK:
    case RECIPE_KINDS: break;
    }
    putc(')', out);
}

// --- Attributes

static void print_element(FILE *out, const attr *a, int i) {
    if (a->e == ELEM_F32)
        print_f32(out, a->u.floats[i]);
    else if (elem_is_float(a->e))
        print_half(out, a->e, ((const uint16_t *)a->u.literal)[i]);
    else
        fprintf(out, "%.0f", literal_number(a, i));
}

static void print_literal(FILE *out, const node *n, const attr *a) {
    bool list = n->type.rank > 0 || a->n != 1;
    if (list) putc('[', out);
    for (int i = 0; i < a->n; i++) {
        if (i) fputs(i % 16 ? ", " : ",\n    ", out);
        print_element(out, a, i);
    }
    if (list) putc(']', out);
}

static void print_attr(FILE *out, const node *n, const attr *a) {
    fputs(attr_name(a->id), out);
    if (attr_kind_of(a->id) != ATTR_KIND_FLAG) fputs(" = ", out);
    switch (attr_kind_of(a->id)) {
    case ATTR_KIND_INT: fprintf(out, "%" PRId64, a->u.i); break;
    case ATTR_KIND_FLOAT: print_f64(out, a->u.f); break;
    case ATTR_KIND_INTS:
        putc('[', out);
        for (int i = 0; i < a->n; i++) fprintf(out, "%s%" PRId64, i ? "," : "", a->u.ints[i]);
        putc(']', out);
        break;
    case ATTR_KIND_DIMS: print_dims(out, a->n, a->u.dims); break;
    case ATTR_KIND_NAME: print_name(out, a->u.name); break;
    case ATTR_KIND_ELEM: fputs(elem_name(a->u.e), out); break;
    case ATTR_KIND_LITERAL: print_literal(out, n, a); break;
    case ATTR_KIND_RECIPE: print_recipe(out, a->u.recipe); break;
    case ATTR_KIND_HASH: fprintf(out, "0x%016" PRIx64, a->u.hash); break;
    case ATTR_KIND_FLAG: break;
    }
}

// The hash of the recipe with the source's tensors, where there is a source.
static bool fresh_hash(const printer *p, const node *n, attr *hash) {
    const attr *recipe_attr = node_attr(n, ATTR_recipe);
    if (!recipe_attr || !p->source) return false;
    diag ignored;
    diag_init(&ignored);
    *hash = (attr){.id = ATTR_hash};
    bool ok = recipe_hash(recipe_attr->u.recipe, p->source, &hash->u.hash, &ignored);
    diag_free(&ignored);
    return ok;
}

static void print_attrs(const printer *p, const node *n) {
    attr hash;
    bool fresh = fresh_hash(p, n, &hash);
    int printed = 0;
    for (int id = 0; id < ATTR_COUNT; id++) {
        const attr *a = node_attr(n, (attr_id)id);
        if (id == ATTR_hash && fresh) a = &hash;
        if (!a || (n->op == OP_per_sequence && id == ATTR_bounds)) continue;
        fputs(printed++ ? ", " : " {", p->out);
        print_attr(p->out, n, a);
    }
    if (printed) putc('}', p->out);
}

// --- Nodes

static void print_statements(const printer *p, const labels *l, value from, value to, int indent);

static void indent_by(const printer *p, int indent) {
    for (int i = 0; i < indent; i++) fputs("  ", p->out);
}

static void print_node(const printer *p, const labels *l, value v, int indent);

// "yield %3, %5"; or the node itself, where one value is yielded, the last node, and it has no name.
static void print_body(const printer *p, const graph *body, int params, int indent) {
    labels l = labels_new(body);
    value yields = body->output_count ? body->outputs[0].value : VALUE_NONE;
    bool inlined =
        body->output_count == 1 && yields >= params && yields == body->count - 1 && !body->nodes[yields].name;
    fputs(" {\n", p->out);
    print_statements(p, &l, params, inlined ? body->count - 1 : body->count, indent + 1);
    indent_by(p, indent + 1);
    fputs("yield ", p->out);
    if (inlined) print_node(p, &l, yields, indent + 1);
    for (int i = 0; i < body->output_count && !inlined; i++) {
        if (i) fputs(", ", p->out);
        print_value(p, &l, body->outputs[i].value);
    }
    putc('\n', p->out);
    indent_by(p, indent);
    putc('}', p->out);
    free(l.named);
}

// "(%bounds; %q = %layer.0.query, %k)": the param is printed before its operand where their names differ.
static int print_bindings(const printer *p, const labels *l, const node *n) {
    const attr *bound = node_attr(n, ATTR_bounds);
    int bounds = bound ? (int)bound->u.i : 0, params = 0;
    labels inner = labels_new(n->body);
    fputs(" (", p->out);
    for (int i = 0; i < n->input_count; i++) {
        if (i) fputs(i == bounds ? "; " : ", ", p->out);
        if (i >= bounds) {
            const char *name = graph_node(l->g, n->inputs[i])->name;
            const char *param = params < n->body->count ? graph_node(n->body, params)->name : NULL;
            bool same =
                name && param && l->named[n->inputs[i]] && inner.named[params] && !strcmp(name, param);
            if (!same) {
                print_value(p, &inner, params);
                fputs(" = ", p->out);
            }
            params++;
        }
        print_value(p, l, n->inputs[i]);
    }
    putc(')', p->out);
    free(inner.named);
    return params;
}

// "constant 0.5"
static bool is_number(const node *n) {
    bool alone = n->op == OP_constant && n->attr_count == 1 && n->attrs[0].id == ATTR_value;
    return alone && n->type.e == ELEM_F32 && n->type.rank == 0 && n->attrs[0].n == 1;
}

// OP OPERANDS [-> TYPE] [BODY] [ATTRIBUTES]
static void print_node(const printer *p, const labels *l, value v, int indent) {
    const node *n = graph_node(l->g, v);
    int params = 0;
    fputs(op_name(n->op), p->out);
    if (is_number(n)) {
        putc(' ', p->out);
        print_f32(p->out, n->attrs[0].u.floats[0]);
        return;
    }
    if (n->body) params = print_bindings(p, l, n);
    for (int i = 0; i < n->input_count && !n->body; i++) {
        fputs(i ? ", " : " ", p->out);
        print_value(p, l, n->inputs[i]);
    }
    if (indent == 1 || n->body || n->op == OP_constant || n->op == OP_input || n->op == OP_param) {
        fputs(" -> ", p->out);
        print_type(p->out, &n->type);
    }
    if (n->body) print_body(p, n->body, params, indent);
    print_attrs(p, n);
}

static void print_statements(const printer *p, const labels *l, value from, value to, int indent) {
    for (value v = from; v < to; v++) {
        indent_by(p, indent);
        print_value(p, l, v);
        fputs(" = ", p->out);
        print_node(p, l, v, indent);
        putc('\n', p->out);
    }
}

// --- Variants

static bool is_split(const schedule *s) {
    for (int i = 0; i < THREAD_CLASSES; i++) {
        const struct task_split *x = &s->splits[i];
        if (x->form != FORM_ROWS || x->block_rows || x->block_columns) return true;
    }
    return false;
}

static bool is_scheduled(const schedule *s) {
    return s->tile_rows || s->tile_columns || s->chunk || s->prefetch || is_split(s);
}

static bool is_placed(const place *x) {
    return x->kind != PLACE_NONE || x->offset || x->ld;
}

static void print_schedule(FILE *out, const schedule *s) {
    const char *before = " {";
    if (s->tile_rows || s->tile_columns) {
        fprintf(out, "%stile = [%" PRId32 ",%" PRId32 "]", before, s->tile_rows, s->tile_columns);
        before = ", ";
    }
    if (s->chunk) fprintf(out, "%schunk = %" PRId32, before, s->chunk), before = ", ";
    if (s->prefetch) fprintf(out, "%sprefetch = %" PRId32, before, s->prefetch), before = ", ";
    if (is_split(s)) {
        fprintf(out, "%ssplits = [", before);
        for (int i = 0; i < THREAD_CLASSES; i++) {
            const char *form = s->splits[i].form == FORM_ROWS ? "rows" : "columns";
            fprintf(out, "%s%s[%" PRId32 ",%" PRId32 "]", i ? ", " : "", form, s->splits[i].block_rows,
                    s->splits[i].block_columns);
        }
        putc(']', out);
    }
    putc('}', out);
}

static void print_place(FILE *out, const place *x) {
    static const char *const kinds[] = {[PLACE_NONE] = "none",
                                        [PLACE_WEIGHT] = "weight",
                                        [PLACE_ARENA] = "arena",
                                        [PLACE_INPUT] = "input",
                                        [PLACE_STATE] = "state"};
    fprintf(out, " at %s+%" PRId64, kinds[x->kind], x->offset);
    if (x->ld) fprintf(out, " ld %" PRId64, x->ld);
}

static void print_variant(const printer *p, const labels *l, const variant *x) {
    FILE *out = p->out;
    fputs("variant ", out);
    print_name(out, x->name ? x->name : "");
    fputs(" {isa = ", out);
    print_name(out, x->isa ? x->isa : "");
    fprintf(out, ", length = %" PRId64 ", sequences = %" PRId64 ", tokens = %" PRId64, x->length,
            x->sequences, x->tokens);
    fprintf(out, ", row_tile = %" PRId64 ", arena_bytes = %" PRId64 "} {\n", x->row_tile, x->arena_bytes);
    for (value v = 0; v < l->g->count; v++) {
        const place *at = x->places && is_placed(&x->places[v]) ? &x->places[v] : NULL;
        const schedule *s = x->schedules && is_scheduled(&x->schedules[v]) ? &x->schedules[v] : NULL;
        if (!at && !s) continue;
        fputs("  ", out);
        print_value(p, l, v);
        if (at) print_place(out, at);
        if (s) print_schedule(out, s);
        putc('\n', out);
    }
    fputs("}\n", out);
}

// --- The graph

void graph_print(const graph *g, const tensor_source *source, FILE *out) {
    printer p = {out, source};
    labels l = labels_new(g);
    value inputs = 0;
    fputs("graph ", out);
    if (g->name) putc('@', out), print_name(out, g->name);
    if (g->class) fputs(g->name ? " class " : "class ", out), print_name(out, g->class);
    putc('(', out);
    for (; inputs < g->count && g->nodes[inputs].op == OP_input; inputs++) {
        if (inputs) fputs(", ", out);
        print_value(&p, &l, inputs);
        fputs(": ", out);
        print_type(out, graph_type(g, inputs));
    }
    fputs(") {\n", out);
    print_statements(&p, &l, inputs, g->count, 1);
    for (int i = 0; i < g->output_count; i++) {
        fputs("  output ", out);
        print_name(out, g->outputs[i].name ? g->outputs[i].name : "");
        fputs(" = ", out);
        print_value(&p, &l, g->outputs[i].value);
        putc('\n', out);
    }
    putc('}', out);
    if (g->weight_bytes) fprintf(out, " {weight_bytes = %" PRId64, g->weight_bytes);
    if (g->state_bytes) fprintf(out, ", state_bytes = %" PRId64, g->state_bytes);
    if (g->zero_bytes) fprintf(out, ", zero_bytes = %" PRId64, g->zero_bytes);
    if (g->weight_bytes) putc('}', out);
    putc('\n', out);
    for (int i = 0; i < g->variant_count; i++) print_variant(&p, &l, &g->variants[i]);
    free(l.named);
}
