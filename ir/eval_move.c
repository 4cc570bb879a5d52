// Ops that move elements without computing: views, gather, gather_along, concat, pad, iota.
#include "ir/eval_ops.h"

#include <inttypes.h>
#include <string.h>

// Copies shape[0] x ... elements of `size` bytes between two addresses, each with its own step along each
// axis.
static void copy_steps(int rank, const int64_t *shape, size_t size, const unsigned char *in,
                       const int64_t *in_steps, unsigned char *out, const int64_t *out_steps) {
    if (rank == 0) {
        memcpy(out, in, size);
        return;
    }
    bool dense = rank == 1 && *in_steps == (int64_t)size && *out_steps == (int64_t)size;
    if (dense && *shape > 0) memcpy(out, in, size * (size_t)*shape);
    for (int64_t i = 0; !dense && i < *shape; i++) {
        copy_steps(rank - 1, shape + 1, size, in + i * *in_steps, in_steps + 1, out + i * *out_steps,
                   out_steps + 1);
    }
}

static bool copy_all(const eval_call *c, const int64_t *shape, const unsigned char *in,
                     const int64_t *in_steps, const int64_t *out_steps, int64_t out_offset) {
    copy_steps(c->out->rank, shape, eval_size(c->out->e), in, in_steps,
               (unsigned char *)c->out->data + out_offset, out_steps);
    return true;
}

bool kernel_assign(const eval_call *c) {
    const tensor *x = eval_operand(c, 1);
    memcpy(c->out->data, x->data, (size_t)tensor_count(x) * eval_size(x->e));
    return true;
}

// The layout is how it lies in memory: the evaluator holds every matrix row by row.
bool kernel_pack(const eval_call *c) {
    const tensor *x = eval_operand(c, 0);
    memcpy(c->out->data, x->data, (size_t)tensor_count(x) * eval_size(x->e));
    return true;
}

bool kernel_gather(const eval_call *c) {
    const tensor *table = eval_operand(c, 0), *ids = eval_operand(c, 1);
    const int32_t *id = ids->data;
    unsigned char *out = c->out->data;
    size_t row = eval_size(table->e);
    for (int i = 1; i < table->rank; i++) row *= (size_t)table->shape[i];
    for (int64_t i = 0; i < ids->shape[0]; i++) {
        if (id[i] < 0 || id[i] >= table->shape[0]) {
            return eval_error(c->g, c->v, c->d,
                              "id %" PRId32 " at position %" PRId64 " is not in the table of %" PRId64
                              " rows",
                              id[i], i, table->shape[0]);
        }
        memcpy(out + (size_t)i * row, (const unsigned char *)table->data + (size_t)id[i] * row, row);
    }
    return true;
}

// Element by element; along the last axis the step of `x` is not the result's, but the id's.
static bool gather_along(const eval_call *c, int axis, const unsigned char *x, const int64_t *x_steps,
                         const unsigned char *ids, const int64_t *id_steps, unsigned char **out) {
    const tensor *table = eval_operand(c, 0);
    size_t size = eval_size(c->out->e);
    int64_t n = c->out->shape[axis], most = table->shape[table->rank - 1];
    bool last = axis == c->out->rank - 1;
    for (int64_t i = 0; i < n; i++) {
        if (!last) {
            if (!gather_along(c, axis + 1, x + i * x_steps[axis], x_steps, ids + i * id_steps[axis], id_steps,
                              out))
                return false;
            continue;
        }
        int32_t id;
        memcpy(&id, ids + i * id_steps[axis], sizeof(id));
        if (id < 0 || id >= most)
            return eval_error(c->g, c->v, c->d, "id %" PRId32 " is not below %" PRId64, id, most);
        memcpy(*out, x + (size_t)id * size, size);
        *out += size;
    }
    return true;
}

bool kernel_gather_along(const eval_call *c) {
    int64_t x[IR_MAX_RANK], ids[IR_MAX_RANK];
    unsigned char *out = c->out->data;
    eval_broadcast_steps(eval_operand(c, 0), c->out->rank, x);
    eval_broadcast_steps(eval_operand(c, 1), c->out->rank, ids);
    return gather_along(c, 0, eval_operand(c, 0)->data, x, eval_operand(c, 1)->data, ids, &out);
}

bool kernel_iota(const eval_call *c) {
    int64_t axis = node_attr(c->n, ATTR_axis)->u.i, inner = 1, count = tensor_count(c->out);
    int32_t *out = c->out->data;
    for (int i = (int)axis + 1; i < c->out->rank; i++) inner *= c->out->shape[i];
    for (int64_t i = 0; i < count; i++) out[i] = (int32_t)(i / inner % c->out->shape[axis]);
    return true;
}

bool kernel_transpose(const eval_call *c) {
    const tensor *x = eval_operand(c, 0);
    const attr *perm = node_attr(c->n, ATTR_perm);
    int64_t steps[IR_MAX_RANK], in[IR_MAX_RANK], out[IR_MAX_RANK];
    eval_steps(x, steps);
    eval_steps(c->out, out);
    for (int i = 0; i < x->rank; i++) in[i] = steps[perm->u.ints[i]];
    return copy_all(c, c->out->shape, x->data, in, out, 0);
}

bool kernel_reshape(const eval_call *c) {
    memcpy(c->out->data, eval_operand(c, 0)->data, (size_t)tensor_count(c->out) * eval_size(c->out->e));
    return true;
}

bool kernel_broadcast(const eval_call *c) {
    int64_t in[IR_MAX_RANK], out[IR_MAX_RANK];
    eval_broadcast_steps(eval_operand(c, 0), c->out->rank, in);
    eval_steps(c->out, out);
    return copy_all(c, c->out->shape, eval_operand(c, 0)->data, in, out, 0);
}

bool kernel_slice(const eval_call *c) {
    const tensor *x = eval_operand(c, 0);
    const attr *begin = node_attr(c->n, ATTR_begin), *end = node_attr(c->n, ATTR_end);
    int64_t in[IR_MAX_RANK], out[IR_MAX_RANK], offset = 0;
    eval_steps(x, in);
    eval_steps(c->out, out);
    for (int i = 0; i < x->rank; i++) {
        int64_t from = dim_value(begin->u.dims[i], c->b), to = dim_value(end->u.dims[i], c->b);
        if (from < 0 || to < from || to > x->shape[i]) {
            return eval_error(c->g, c->v, c->d,
                              "[%" PRId64 ":%" PRId64 "] is not within axis %d, which has length %" PRId64,
                              from, to, i, x->shape[i]);
        }
        offset += from * in[i];
    }
    return copy_all(c, c->out->shape, (const unsigned char *)x->data + offset, in, out, 0);
}

bool kernel_concat(const eval_call *c) {
    int64_t axis = node_attr(c->n, ATTR_axis)->u.i, in[IR_MAX_RANK], out[IR_MAX_RANK], offset = 0;
    eval_steps(c->out, out);
    for (int i = 0; i < c->n->input_count; i++) {
        const tensor *x = eval_operand(c, i);
        eval_steps(x, in);
        copy_all(c, x->shape, x->data, in, out, offset);
        offset += x->shape[axis] * out[axis];
    }
    return true;
}

bool kernel_pad(const eval_call *c) {
    const tensor *x = eval_operand(c, 0);
    int64_t in[IR_MAX_RANK], out[IR_MAX_RANK];
    for (int i = 0; i < x->rank; i++) {
        if (x->shape[i] <= c->out->shape[i]) continue;
        return eval_error(c->g, c->v, c->d,
                          "axis %d has length %" PRId64 ", and should be padded to %" PRId64, i, x->shape[i],
                          c->out->shape[i]);
    }
    eval_steps(x, in);
    eval_steps(c->out, out);
    return copy_all(c, x->shape, x->data, in, out, 0);
}
