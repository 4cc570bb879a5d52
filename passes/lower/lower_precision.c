// lower_precision: puts products and tables in bf16 or int8, for one arithmetic class.
//
//   requires  no packed weights       produces  nothing
//
//   before    %u = fuse (%x, %w, %b) { %0 = matmul %x, %w; yield add %0, %b }
//
//   after     bf16 (class bf16): weights and the rows that they multiply; sums in f32
//             %xb = cast %x {to = bf16}
//             %u = fuse (%xb, %w, %b) { matmul %xb, %w; add }           w: cast(.., bf16)
//
//             int8 (class vnni; in class avx2 limit is 63, so that vpmaddubsw can't saturate)
//             %s = scales %x {group = K, limit = 127}
//             %q = quantize %x, %s {to = u8, group = K, limit = 127}
//             %u = fuse (%q, %w, %c, %s, %sw, %b) {                    w: quantize_columns(.., 127)
//               %0 = matmul %q, %w                                      i32
//               %1 = add %0, %c                                         column_sums(w, K, -128)
//               %2 = cast %1 {to = f32}
//               %3 = mul %2, %s                                         one number per row
//               %4 = mul %3, %sw                                        column_scales(.., 127)
//               yield add %4, %b
//             }
//
//             int8w, and bf16 in class f32: only weights
//             %u = fuse (%x, %w, %sw, %b) {
//               %0 = cast %w {to = f32}
//               %1 = matmul %x, %0
//               %2 = mul %1, %sw                                        of int8w
//               yield add %2, %b
//             }
//
// Rows are quantised whole, with two exceptions. Rows of a product without a norm that are wider
// than 768 columns (hidden rows of a feed-forward) are quantised in groups, so that a task of some
// columns can own a group. In class avx2 all rows have groups, of at most 256 columns, because 7
// bits are coarse. The group follows from the width and the class alone (rows.c). A product then
// sums each group separately:
//
//               %0 = matmul %q, %w {group = 768}                        i32[T,K/768,N]
//               %1 = add %0, %c                                         c: i32[K/768,N]
//               %2 = cast %1 {to = f32}
//               %3 = mul %2, (reshape %s)                               [T,K/768,1]
//               %4 = reshape (reduce_sum %3 {axes = [1]})               f32[T,N]
//
// (Except if the weight is zero outside of blocks on its diagonal: its product leaves out the zeros
// instead.) Rows that several products read are narrowed once. If the left operand of a product is
// computed in the product's own box (fuse_mlp), the `cast`, or `scales` and `quantize`, are inside.
// fuse_precision joins the others to the kernel that computes the rows.
//
// In classes bf16 and vnni, attention's two products are bf16 (attention.c); CPUs of class avx2
// have no product of bf16. Tables are bf16, or i8 with one scale per 64 columns of a row
// (table.c).
//
// These stay f32: what --keep names; weights that are no f32 matrix of the checkpoint, or are
// states; weights with fewer than 16 columns or inner rows, which would save nothing.
#include <string.h>

#include "passes/lower/lower.h"

// How a graph of the class is lowered; false where the class has no such form.
static bool choose_form(lower *l, precision p, const char *class) {
    bool int8 = p == PRECISION_INT8, vnni = !strcmp(class, "vnni"), f32 = !strcmp(class, "f32");
    l->weight = p == PRECISION_BF16 ? ELEM_BF16 : ELEM_I8;
    l->rows = int8 || (p == PRECISION_BF16 && !f32);
    l->limit = vnni ? 127 : 63;
    l->attention = l->rows && strcmp(class, "avx2") != 0;
    if (int8) return vnni || !strcmp(class, "avx2");
    return f32 || (p == PRECISION_BF16 && !strcmp(class, "bf16"));
}

bool pass_lower_precision(graph *g, pass *p) {
    precision to = p->c->precision;
    if (to == PRECISION_F32) return true;
    lower l = {.p = p};
    if (!choose_form(&l, to, graph_class(g)))
        return diag_error(p->c->diag, p->name, "class %s has no form of %s", graph_class(g),
                          precision_name(to));
    l.scratch = arena_new();
    l.r = rewriter_begin(g);
    bool ok = keep_open(&l);
    for (value v = 0, count = g->count; ok && v < count; v++) {
        if (!use_count(l.r, v)) continue;
        lower_lookups(&l, v);
        if (use_count(l.r, v) && !lower_sums(&l, v)) lower_products(&l, v);
        if (use_count(l.r, v)) lower_attention(&l, v);
    }
    ok = ok && (l.weight == ELEM_BF16 || vectors_are_finite(&l));
    weights_name(&l);
    rewriter_end(l.r);
    arena_free(l.scratch);
    if (ok && l.rows && l.weight == ELEM_BF16) lower_saved(g, p);
    return ok;
}
