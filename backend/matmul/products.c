#include "backend/matmul/products.h"

#include <assert.h>
#include <string.h>

static const product_row rows_of_table[] = {
#define PRODUCT(name, left, right, sum, isa, rows, columns, step, group, rate)                               \
    [PRODUCT_##name] = {                                                                                     \
        #name, isa, {ELEM_##left, ELEM_##right, ELEM_##sum, rows, columns, STEP_##step, group, rate}},
#include "backend/matmul/kernels.def"
#undef PRODUCT
};

// A step of k is 64 bytes of a panel, whatever the elements; tiles are whole panels or parts of one.
#define PRODUCT(name, left, right, sum, isa, rows, columns, step, group, rate)                               \
    static_assert((rows) > 0 && (group) > 0 && (columns) > 0 && (columns) % PANEL_COLUMNS == 0, #name);
#include "backend/matmul/kernels.def"
#undef PRODUCT

const product_row *product_row_of(product_id id) {
    return &rows_of_table[id];
}

void products_add(target *t, const char *isa, double gflops) {
    for (int i = 0; i < PRODUCT_COUNT; i++) {
        const product_row *row = &rows_of_table[i];
        if (strcmp(row->isa, isa)) continue;
        int at = 0;
        while (at < t->product_count &&
               (t->products[at].left != row->product.left || t->products[at].right != row->product.right))
            at++;
        if (at == t->product_count) t->product_count++;
        assert(at < TARGET_MOST_PRODUCTS);
        t->products[at] = row->product;
        t->products[at].peak_gflops *= gflops;
    }
}
