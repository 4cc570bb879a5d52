// The loop nest's products by the register tile. Private to loop_nest/
#ifndef BERTC_BACKEND_BLOCK_PRODUCT_H
#define BERTC_BACKEND_BLOCK_PRODUCT_H

#include "backend/loop_nest/loop_nest.h"
#include "backend/matmul/panels.h"

// Tiles of a loop nest's products.
typedef struct loop_nest_tile {
    panels p;
    struct loop_nest_tile *next;
} loop_nest_tile;

// x [..,M,K] by w [K,N] or [..,K,N] into `out`; false, and nothing is emitted, where the loops of product.c do as well.
bool loop_nest_block_product(loop_nest *n, const view *x, const view *w, const view *out);

#endif
