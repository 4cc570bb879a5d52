// The sums of a product as float32: what stands in a body between the product and its epilogue.
//
//   f32      matmul                                                            the sums themselves
//   8 bits   mul (cast (add (matmul x w), offsets [N])), scales [X,1]
//   groups   reshape (reduce_sum (mul (cast (add (matmul x w) [X,G,N], offsets [G,N])), reshape scales [X,G]))
//
// The groups' sums are scaled and added one group after the other. Private to backend/.
#ifndef BERTC_BACKEND_SUMS_H
#define BERTC_BACKEND_SUMS_H

#include "ir/ir.h"

// The one product of a body; VALUE_NONE where there is none, or several.
value product_anchor(const graph *body);
// Its operands, which must be params; `widens`: the right one is cast to f32 first.
bool product_operands(const graph *body, value anchor, int *x, int *w, bool *widens);

typedef struct product_sums {
    value anchor; // the product
    value value;  // the sums [X,N] of all of k, f32: what the epilogue begins with
    // Of 8-bit products: a param, and a param or `scales` in the body. VALUE_NONE: the product's sums are f32.
    value offsets, scales;
    int64_t groups, group; // groups of k, and elements of each
    // C holds the sums of what was multiplied so far, in f32: there are several groups, or slices of k.
    bool in_parts;
} product_sums;

// False where sums that are no f32 become it in another way.
bool sums_collect(const graph *body, value anchor, product_sums *out);

// Whether the product's 16-bit sums of pairs can hold what value `left` of g may be: STEP_PAIRS_I8 wants numbers of at most
// 127, which only a limit of at most 63 makes. A graph's input is taken to keep to its class.
bool sums_hold(const target_product *product, const graph *g, value left);

#endif
