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

// Products in registers take the place of those of the same types. AMX's tiles are put before these.
static int place_for(target *t, const target_product *p) {
    int at = 0;
    while (at < t->product_count && (t->products[at].left != p->left || t->products[at].right != p->right))
        at++;
    if (at < t->product_count && p->step != STEP_TILES) return at;
    assert(t->product_count < TARGET_MOST_PRODUCTS);
    for (int i = t->product_count++; i > at; i--) t->products[i] = t->products[i - 1];
    return at;
}

void products_add(target *t, const char *isa, double gflops) {
    for (int i = 0; i < PRODUCT_COUNT; i++) {
        const product_row *row = &rows_of_table[i];
        if (strcmp(row->isa, isa)) continue;
        int at = place_for(t, &row->product);
        t->products[at] = row->product;
        t->products[at].peak_gflops *= gflops;
    }
}
