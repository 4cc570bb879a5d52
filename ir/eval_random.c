// random: numbers in [0, 1) by seed and place.
#include "ir/eval_ops.h"
#include "ir/philox.h"

bool kernel_random(const eval_call *c) {
    const int32_t *seed = eval_operand(c, 0)->data, *rows = eval_operand(c, 1)->data;
    uint32_t stream = (uint32_t)node_attr(c->n, ATTR_stream)->u.i;
    int rank = c->out->rank;
    int64_t columns = rank > 1 ? c->out->shape[rank - 1] : 1, middle = 1;
    eval_float *out = c->out->data;
    for (int i = 1; i < rank - 1; i++) middle *= c->out->shape[i];
    for (int64_t r = 0; r < c->out->shape[0]; r++) {
        for (int64_t m = 0; m < middle; m++) {
            for (int64_t j = 0; j < columns; j++) {
                uint32_t column = (uint32_t)(j / PHILOX_BLOCK * PHILOX_LANES + j % PHILOX_LANES), words[4];
                philox((uint32_t[]){column, (uint32_t)rows[r], (uint32_t)m, stream}, (uint32_t)seed[0],
                       (uint32_t)seed[1], words);
                *out++ = (eval_float)(words[j / PHILOX_LANES % 4] >> 8) * (eval_float)0x1p-24;
            }
        }
    }
    return true;
}
