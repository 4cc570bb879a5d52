// schedule: chooses tile sizes and task splits of one variant, by a cost model of the target
// (cost.c).
//
//   requires  places of the weights       produces  variant.schedules
//
//   before    variant avx512_s128 {length = 128, tokens = 128, row_tile = 8, ...} { }
//   after     variant avx512_s128 {length = 128, tokens = 128, row_tile = 8, ...} {
//               %u {tile = [8,48], splits = [rows[0,0], rows[64,0], columns[32,768], ...]}
//             }
//
//   tile          matmul, mlp and attention: rows x columns of the register tile, which is that of
//                 the target's product of the node's element types. The variant's row tile
//                 (sizes.c) has the rows of the tile of f32 by f32, or 16 for AMX.
//   splits[class] matmul and mlp: a task's block_rows x block_columns
//                 a product that is pooled: columns of a task, and rows of a block in it
//                 attention: query rows of a task, which is (sequence, head, row block)
//                 ops that work row by row: rows of a task
//                 a product that sums over rows: rows and columns of the result
//   chunk         mlp: hidden columns of a slice. Only the model decides it, because it fixes the
//                 order of the sum of an output.
//
//   FORM_ROWS: a task owns whole rows and norms them
//
//        columns ->
//     rows  +-----------------------+
//      |    | task 0                |
//      v    +-----------------------+
//           | task 1                |
//           +-----------------------+
//
//   FORM_COLUMNS: columns are split too, and the norm is a phase of its own
//
//           +-------+-------+-------+
//           | 0     | 1     | 2     |
//           +-------+-------+-------+
//           | 3     | 4     | 5     |
//           +-------+-------+-------+
//
// The number of threads is not known here. A session picks one of the four splits when it opens.
#include "passes/plan/cost.h"

// The most threads that a class is planned for, and tasks wanted for each, so that a slow thread does not
// hold up the rest.
static const int class_threads[THREAD_CLASSES] = {1, 2, 8, 16};
static const int class_tasks_a_thread[THREAD_CLASSES] = {1, 1, 2, 3};

#define MLP_ROWS 128
// Hidden columns of fuse_mlp's slices: what was fastest of those measured.
#define MLP_CHUNK 768

static int64_t capacity_rows(dim d, const variant *x) {
    return d.s == SYM_NONE ? d.n : x->tokens + d.n;
}

// A call holds about a batch of texts of full length; a head reads a few rows of each text.
static int64_t expected_rows(dim d, const variant *x) {
    if (d.s == SYM_S) return ceil_div(x->tokens, x->length);
    if (d.s == SYM_R) return ceil_div(x->tokens, 8);
    return capacity_rows(d, x);
}

// Rows a task so that the class has its tasks: whole tiles, never more than `most`.
static int64_t rows_a_task(int64_t rows, int64_t tasks, int64_t tile, int64_t most) {
    int64_t block = round_up(ceil_div(rows, tasks), tile);
    return block < most ? block : round_up(most, tile);
}

static void split_rows(schedule *s, const kernel_shape *k, const variant *x, int64_t most) {
    int64_t rows = expected_rows(k->rows, x);
    for (int i = 0; i < THREAD_CLASSES; i++) {
        int tasks = class_threads[i] * class_tasks_a_thread[i];
        bool single = k->kind == KERNEL_ROWS && i == THREAD_CLASSES - 1; // rows need no tile
        int64_t block = rows_a_task(rows, tasks, single ? 1 : x->row_tile, most);
        bool whole = block >= capacity_rows(k->rows, x);
        s->splits[i] = (task_split){FORM_ROWS, whole ? 0 : (int32_t)block, 0};
    }
}

// A text is the least that a call holds: its heads times row blocks must keep the class busy. No more blocks
// than that: each packs its head's keys and values anew, and its scores take a row tile at a time.
static void split_attention(schedule *s, const kernel_shape *k, const variant *x) {
    for (int i = 0; i < THREAD_CLASSES; i++) {
        int64_t blocks = ceil_div(class_threads[i] * class_tasks_a_thread[i], k->heads);
        int64_t block = rows_a_task(x->length, blocks, x->row_tile, x->length);
        s->splits[i] = (task_split){FORM_ROWS, block >= x->length ? 0 : (int32_t)block, 0};
    }
}

// A task's columns of a weight stay in half of L2 while all rows pass by, block after block; the blocks take the
// other half.
static void split_pooled(schedule *s, const kernel_shape *k, const variant *x, const pass *p) {
    int64_t half = p->c->target->l2_bytes / 2, tile = s->tile_columns, column = elem_bytes(k->right, k->k);
    int64_t most = half / column / tile * tile, rows = half / elem_bytes(k->left, k->k);
    rows = rows < 32 ? 32 : rows > 128 ? 128 : rows;
    for (int i = 0; i < THREAD_CLASSES; i++) {
        int64_t tasks = class_threads[i] > 1 ? 8 * class_threads[i] : 1;
        int64_t columns = round_up(ceil_div(k->n, tasks), tile);
        if (columns > most) columns = most;
        if (columns < tile) columns = tile;
        s->splits[i] = (task_split){FORM_COLUMNS, (int32_t)round_up(rows, x->row_tile), (int32_t)columns};
    }
}

static void split_outer(schedule *s, const kernel_shape *k, const variant *x, const pass *p,
                        const target_product *product) {
    cost_site site = {.shape = *k,
                      .target = p->c->target,
                      .product = product,
                      .tile_rows = s->tile_rows,
                      .tile_columns = s->tile_columns,
                      .capacity = capacity_rows(k->rows, x),
                      .expected = expected_rows(k->rows, x)};
    for (int i = 0; i < THREAD_CLASSES; i++) s->splits[i] = cost_outer_split(&site, i);
}

static int64_t mlp_chunk(int64_t hidden) {
    for (int64_t n = MLP_CHUNK; n >= MLP_CHUNK / 2; n -= PANEL_COLUMNS)
        if (hidden % n == 0) return n;
    return hidden < MLP_CHUNK ? round_up(hidden, PANEL_COLUMNS) : MLP_CHUNK;
}

static void take_tile(schedule *s, const target_product *product) {
    s->tile_rows = product->rows;
    s->tile_columns = product->columns;
}

static void schedule_product(schedule *s, const kernel_shape *k, const variant *x, const pass *p,
                             const target_product *product) {
    if (k->kind == KERNEL_MLP) {
        s->chunk = (int32_t)mlp_chunk(k->hidden);
        split_rows(s, k, x, MLP_ROWS);
        return;
    }
    cost_site site = {.shape = *k,
                      .target = p->c->target,
                      .product = product,
                      .tile_rows = s->tile_rows,
                      .tile_columns = s->tile_columns,
                      .capacity = capacity_rows(k->rows, x),
                      .expected = expected_rows(k->rows, x)};
    for (int i = 0; i < THREAD_CLASSES; i++) s->splits[i] = cost_matmul_split(&site, i);
}

// Streams of the next panel's prefetch: a model whose weights stay in L3 wants few.
static int32_t prefetch_streams(const graph *g, const target *t) {
    int32_t few = t->prefetch_streams < 2 ? t->prefetch_streams : 2;
    return g->weight_bytes <= t->l3_bytes ? few : t->prefetch_streams;
}

static bool same_shape(const kernel_shape *a, const kernel_shape *b) {
    return a->kind == b->kind && dim_eq(a->rows, b->rows) && a->k == b->k && a->n == b->n &&
           a->hidden == b->hidden && a->heads == b->heads && a->norm == b->norm && a->group == b->group &&
           a->left == b->left && a->right == b->right && a->result == b->result && a->written == b->written;
}

static bool is_kernel(const node *n) {
    return n->op != OP_input && n->op != OP_result && !node_is_constant(n);
}

// Layers repeat: a node takes over the schedule of the first of its shape.
static void schedule_node(const graph *g, value v, const kernel_shape *shapes, const pass *p) {
    variant *x = p->variant;
    schedule *s = &x->schedules[v];
    const kernel_shape k = shapes[v];
    for (value u = 0; u < v; u++) {
        const node *like = graph_node(g, u);
        if (!is_kernel(like) || !same_shape(&shapes[u], &k)) continue;
        *s = x->schedules[u];
        return;
    }
    const target *t = p->c->target;
    const target_product *product = k.kind == KERNEL_ATTENTION
                                        ? target_product_in_registers(t, k.left, k.right)
                                        : target_product_find(t, k.left, k.right);
    switch (k.kind) {
    case KERNEL_MATMUL:
    case KERNEL_MLP:
        if (product) {
            take_tile(s, product);
            s->prefetch = prefetch_streams(g, p->c->target);
            schedule_product(s, &k, x, p, product);
            break;
        }
        split_rows(s, &k, x, x->tokens);
        break;
    case KERNEL_OUTER:
        if (!product) break;
        take_tile(s, product);
        split_outer(s, &k, x, p, product);
        break;
    case KERNEL_POOLED:
        if (!product) break;
        take_tile(s, product);
        s->prefetch = prefetch_streams(g, p->c->target);
        split_pooled(s, &k, x, p);
        break;
    case KERNEL_ATTENTION:
        if (product) take_tile(s, product);
        split_attention(s, &k, x);
        break;
    case KERNEL_ROWS: split_rows(s, &k, x, x->tokens); break;
    case KERNEL_SEQUENCE: break; // one task for each sequence
    }
}

bool pass_schedule(graph *g, pass *p) {
    arena *scratch = arena_new();
    kernel_shape *shapes = ARENA_ARRAY(scratch, kernel_shape, g->count + 1);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!is_kernel(n)) continue;
        shapes[v] = kernel_describe(g, v);
        schedule_node(g, v, shapes, p);
    }
    arena_free(scratch);
    return true;
}
