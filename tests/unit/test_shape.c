// links: ir
// Shape inference: what each op makes of its operands, and what it refuses.
#include "main.h"
#include "text.h"

// %t: tokens, %s: texts, %i: ids, %w, %v: weights and vectors, %h: heads, %m: a mask.
#define OPERANDS                                                                                             \
    "%t: f32[T,6], %u: f32[T,6], %s: f32[S,6], %i: i32[T], %w: f32[6,5], %v: f32[6], %h: f32[2,T,3], "       \
    "%k: f32[2,3,4], %b: i32[S+1], %n: f32[2,6], %half: f16[T,6], %one: f32[1,6], %three: f32[3,3,4], "      \
    "%q: i8[T,6], %p: u8[T,6], %z: i4[T,6], %wq: i8[6,5], %brain: bf16[T,6], %wb: bf16[6,5], %g: f32[T,2]"

// What "graph @g(OPERANDS) { %y = STATEMENT }" gives: a type, or the end of the diagnostic.
static void infer(const char *statement, char *out, size_t size) {
    char text[1024];
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    int n = snprintf(text, sizeof(text), "graph @g(%s) {\n  %%y = %s\n  output y = %%y\n}\n", OPERANDS,
                     statement);
    ck_assert(n > 0 && (size_t)n < sizeof(text));
    graph *g = graph_parse(a, "test", text, strlen(text), &d);
    if (g) {
        type_print(graph_type(g, named(g, "y")), out, size);
    } else {
        const char *text_at = d.items[0].text, *cause = strstr(text_at, "): ");
        if (!cause) cause = strchr(strchr(strchr(text_at, ':') + 1, ':') + 1, ':') - 1;
        snprintf(out, size, "%s", cause + 3);
    }
    diag_free(&d);
    arena_free(a);
}

static const char *const cases[][2] = {
    {"add %t, %u", "f32[T,6]"},
    {"add %t, %v", "f32[T,6]"},
    {"add %v, %t", "f32[T,6]"},
    {"add %t, %one", "f32[T,6]"},
    {"add %t, %n", "the shapes don't broadcast"},
    {"add %t, %s", "the shapes don't broadcast"},
    {"add %t, %i", "takes operands that are all f32 or all i32"},
    {"add %half, %half", "takes operands that are all f32 or all i32"},
    {"mul %i, %i", "i32[T]"},
    {"div %i, %i", "takes f32"},
    {"exp %i", "takes f32"},
    {"gather %w, %i", "f32[T,5]"},
    {"gather %v, %i", "f32[T]"},
    {"gather %half, %i", "f16[T,6]"},
    {"gather_along %t, %i", "f32[T,T]"},
    {"gather_along %h, %i", "f32[2,T,T]"},
    {"gather_along %half, %i", "f16[T,T]"},
    {"gather_along %t, %u", "the ids must be i32[..,M]"},
    {"gather %w, %t", "the ids must be i32[X]"},
    {"matmul %t, %w", "f32[T,5]"},
    {"matmul %t, %w {blocks = [5,1]}", "f32[T,5]"},
    {"matmul %t, %w {blocks = [1,2]}", "blocks don't divide the right operand"},
    {"matmul %t, %w {blocks = [0,1]}", "blocks don't divide the right operand"},
    {"matmul %t, %w {blocks = [1]}", "blocks don't divide the right operand"},
    {"matmul %h, %k {blocks = [1,1]}", "blocks don't divide the right operand"},
    {"matmul %h, %k", "f32[2,T,4]"},
    {"matmul %h, %three", "the leading axes differ"},
    {"matmul %t, %t", "the inner axes differ"},
    {"matmul %v, %w", "takes matrices"},
    {"matmul %t, %k", "the right operand is one matrix, or one each"},
    {"matmul %q, %wq", "i32[T,5]"},
    {"matmul %p, %wq", "i32[T,5]"},
    {"matmul %brain, %wb", "f32[T,5]"},
    {"matmul %t, %wb", "takes f32, bf16, or i8 or u8 by i8"},
    {"matmul %z, %wq", "takes f32, bf16, or i8 or u8 by i8"},
    {"matmul %half, %w", "takes f32, bf16, or i8 or u8 by i8"},
    {"matmul %p, %wq {group = 2}", "i32[T,3,5]"},
    {"matmul %q, %wq {group = 6}", "i32[T,1,5]"},
    {"matmul %q, %wq {group = 4}", "group does not divide the inner axis"},
    {"matmul %q, %wq {group = 0}", "group does not divide the inner axis"},
    {"matmul %q, %wq {group = 2, blocks = [1,1]}", "takes blocks or group, one of them"},
    {"matmul %t, %w {group = 2}", "group is of matrices of 8-bit numbers"},
    {"add %q, %q", "takes operands that are all f32 or all i32"},
    {"compare %q, %q {predicate = lt}", "compares two f32 or two i32"},
    {"softmax %brain", "takes f32"},
    {"reduce_sum %q {axes = [1]}", "takes f32"},
    {"concat %q, %p {axis = 1}", "the operands differ in element type or rank"},
    {"concat %z, %z {axis = 1}", "i4[T,12]"},
    {"cast %z {to = u8}", "u8[T,6]"},
    {"scales %t {group = 3, limit = 127}", "f32[T,2]"},
    {"scales %h {group = 1, limit = 7}", "f32[2,T,3]"},
    {"scales %half {group = 3, limit = 127}", "takes f32"},
    {"scales %t {group = 4, limit = 127}", "group does not divide the row"},
    {"scales %t {group = 3, limit = 128}", "limit is 1 to 127"},
    {"scales %t {group = 3, limit = 0}", "limit is 1 to 127"},
    {"quantize %t, %g {to = i8, group = 3, limit = 127}", "i8[T,6]"},
    {"quantize %t, %g {to = u8, group = 3, limit = 63}", "u8[T,6]"},
    {"quantize %t, %g {to = i4, group = 3, limit = 7}", "i4[T,6]"},
    {"quantize %t, %g {to = i4, group = 3, limit = 8}", "limit is 1 to 127, of i4 1 to 7"},
    {"quantize %t, %g {to = i8, group = 3, limit = 0}", "limit is 1 to 127, of i4 1 to 7"},
    {"quantize %t, %g {to = i32, group = 3, limit = 7}", "quantizes to i8, u8 or i4"},
    {"quantize %q, %g {to = i8, group = 3, limit = 7}", "takes f32"},
    {"quantize %t, %g {to = i8, group = 4, limit = 7}", "group does not divide the row"},
    {"quantize %t, %g {to = i8, group = 0, limit = 7}", "group does not divide the row"},
    {"quantize %t, %g {to = i8, group = 2, limit = 7}", "the scales must be f32, one a group of each row"},
    {"quantize %t, %n {to = i8, group = 1, limit = 7}", "the scales must be f32, one a group of each row"},
    {"quantize %t, %half {to = i8, group = 1, limit = 7}", "the scales must be f32, one a group of each row"},
    {"dequantize %q, %g {group = 3}", "f32[T,6]"},
    {"dequantize %p, %t {group = 1}", "f32[T,6]"},
    {"dequantize %p, %g {group = 3, limit = 63}", "f32[T,6]"},
    {"dequantize %p, %g {group = 3, limit = 128}", "limit is 1 to 127, of i4 1 to 7"},
    {"dequantize %z, %g {group = 3}", "f32[T,6]"},
    {"dequantize %t, %g {group = 3}", "takes i8, u8 or i4"},
    {"dequantize %i, %v {group = 1}", "takes i8, u8 or i4"},
    {"transpose %h {perm = [1,0,2]}", "f32[T,2,3]"},
    {"transpose %h {perm = [1,0]}", "perm must name every axis"},
    {"transpose %h {perm = [1,1,2]}", "perm is no permutation of the axes"},
    {"transpose %h {perm = [1,0,3]}", "perm is no permutation of the axes"},
    {"reshape %t {shape = [T,2,3]}", "f32[T,2,3]"},
    {"reshape %t {shape = [2,T,3]}", "f32[2,T,3]"},
    {"reshape %t {shape = [T,7]}", "shape has another number of elements"},
    {"reshape %t {shape = [S,6]}", "shape has another number of elements"},
    {"reshape %t {shape = [T,6,0]}", "shape has an axis below 1"},
    {"slice %t {begin = [0,1], end = [T,5]}", "f32[T,4]"},
    {"slice %t {begin = [0,0], end = [1,6]}", "f32[1,6]"},
    {"slice %t {begin = [0,0], end = [2,6]}", "begin and end are not within the operand"},
    {"slice %t {begin = [0,0], end = [T+1,6]}", "begin and end are not within the operand"},
    {"slice %t {begin = [-1,0], end = [T,6]}", "begin and end are not within the operand"},
    {"slice %t {begin = [0,3], end = [T,3]}", "the slice is empty"},
    {"slice %b {begin = [1], end = [S+1]}", "i32[S]"},
    {"slice %b {begin = [S], end = [S+1]}", "i32[1]"},
    {"concat %t, %u {axis = 1}", "f32[T,12]"},
    {"concat %one, %t {axis = 0}", "f32[T+1,6]"},
    {"concat %t, %u {axis = 0}", "two symbols don't add up"},
    {"concat %t, %n {axis = 1}", "the operands differ on another axis"},
    {"concat %t, %half {axis = 1}", "the operands differ in element type or rank"},
    {"concat %t {axis = 2}", "axis is not one of the operands'"},
    {"pad %t {shape = [T,8]}", "f32[T,8]"},
    {"pad %t {shape = [T+2,6]}", "f32[T+2,6]"},
    {"pad %t {shape = [T,5]}", "shape is smaller than the operand"},
    {"pad %t {shape = [M,6]}", "shape is smaller than the operand"},
    {"broadcast %v {shape = [T,6]}", "f32[T,6]"},
    {"broadcast %t {shape = [1,6]}", "does not broadcast to the shape"},
    {"reduce_sum %h {axes = [0,2]}", "f32[1,T,1]"},
    {"reduce_sum %h {axes = []}", "axes is empty"},
    {"reduce_max %h {axes = [0,0]}", "axes are not the operand's, or repeat"},
    {"reduce_mean %h {axes = [3]}", "axes are not the operand's, or repeat"},
    {"softmax %h", "f32[2,T,3]"},
    {"layer_norm %t, %v, %v {eps = 0}", "f32[T,6]"},
    {"layer_norm %t, %v, %w {eps = 0}", "a vector of another length"},
    {"rms_norm %h, %v {eps = 0}", "a vector of another length"},
    {"rms_norm %t, %v {eps = -1}", "eps is below 0"},
    {"rms_norm %t, %v {eps = nan}", "eps is below 0"},
    {"compare %t, %v {predicate = le}", "i1[T,6]"},
    {"compare %t, %i {predicate = le}", "compares two f32 or two i32"},
    {"compare %t, %v {predicate = less}", "predicate is eq, ne, lt, le, gt or ge"},
    {"select %t, %t, %t", "the first operand must be i1"},
    {"gelu %t {approximation = none}", "f32[T,6]"},
    {"gelu %t {approximation = erf}", "approximation is none or tanh"},
    {"cast %i {to = f32}", "f32[T]"},
    {"iota {shape = [T,3], axis = 1}", "i32[T,3]"},
    {"iota {shape = [T,3], axis = 2}", "axis is not one of the shape's"},
    {"per_sequence (%b; %t) { yield %t }", "f32[T,6]"},
    {"per_sequence (%b; %t) { yield slice %t {begin = [0,0], end = [1,6]} }", "f32[S,6]"},
    {"per_sequence (%b; %s) { yield %s }", "f32[S,6]"},
    {"per_sequence (%b; %t, %w) { yield matmul %t, %w }", "f32[T,5]"},
    {"per_sequence (%b; %t) { yield transpose %t {perm = [1,0]} }", "the body must yield L, Q or 1 rows"},
    {"per_sequence (%b; %t) { %1 = transpose %t {perm = [1,0]} yield matmul %t, %1 }",
     "only the rows may be ragged: pad to M"},
    {"per_sequence (%b; %t) { %1 = transpose %t {perm = [1,0]} %2 = matmul %t, %1 yield pad %2 {shape = "
     "[L,M]} }",
     "f32[T,M]"},
    {"per_sequence (%i; %t) { yield %t }", "bounds must be i32[S+1]"},
    {"per_sequence (%b; %h) { yield %h }", "T, S and R are not allowed in per_sequence"},
};

START_TEST(one) {
    char got[256];
    infer(cases[_i][0], got, sizeof(got));
    ck_assert_msg(!strcmp(got, cases[_i][1]), "%s: %s, not %s", cases[_i][0], got, cases[_i][1]);
}
END_TEST

int main(void) {
    Suite *s = suite_create("shape");
    TCase *c = tcase_create("shape");
    tcase_add_loop_test(c, one, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(s, c);
    return suite_status(s);
}
