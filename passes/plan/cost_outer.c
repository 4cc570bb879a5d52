// The cost model of products that sum over rows: which blocks of the result [K,N] are tasks.
//
// Chunk by chunk, a task transposes its columns of the left rows, and packs its columns of the right rows into
// panels. So each number is laid out once per block that reads it. Larger blocks need less of that work. But the
// block and a chunk of both operands must stay in L2, and each thread needs tasks. A phase lasts as long as the
// thread with the most tasks.
#include "passes/plan/cost.h"

// Bytes of a chunk's row or column, as the kernel has them (backend/matmul/outer.c): here for L2 alone.
#define CHUNK_BYTES     512
#define CHUNK_BYTES_AMX 1024
// Seconds to lay out four bytes of an operand. Measured (Zen 5): 0.2 to 0.4 ns.
#define LAYOUT_SECONDS 3e-10
// Blocks have a multiple of so many rows and columns: whole register tiles on every ISA, whole panels.
#define BLOCK_STEP     48
#define BLOCK_STEP_AMX 64

static const int outer_threads[THREAD_CLASSES][2] = {{1, 1}, {2, 2}, {4, 8}, {16, 32}};

// Seconds for each row that is summed.
static double block_seconds(const cost_site *s, int64_t rows, int64_t columns) {
    double flops = 2.0 * (double)rows * (double)columns;
    return flops / (s->product->peak_gflops * 1e9) +
           (double)(rows + columns) * LAYOUT_SECONDS / s->product->group;
}

static double split_seconds(const cost_site *s, int64_t rows, int64_t columns, int threads) {
    int64_t tasks = ceil_div(s->shape.k, rows) * ceil_div(s->shape.n, columns);
    return (double)ceil_div(tasks, threads) * block_seconds(s, rows, columns);
}

static bool in_l2(const cost_site *s, int64_t rows, int64_t columns) {
    int64_t chunk = s->product->step == STEP_TILES ? CHUNK_BYTES_AMX : CHUNK_BYTES;
    int64_t bytes = (rows + columns) * chunk + rows * columns * 4;
    return 4 * bytes <= 3 * s->target->l2_bytes;
}

task_split cost_outer_split(const cost_site *s, int thread_class) {
    int64_t step = s->product->step == STEP_TILES ? BLOCK_STEP_AMX : BLOCK_STEP;
    int64_t most_rows = round_up(s->shape.k, step), most_columns = round_up(s->shape.n, step);
    int64_t best_rows = step, best_columns = step;
    double best = 0;
    for (int64_t rows = step; rows <= most_rows; rows += step)
        for (int64_t columns = step; columns <= most_columns; columns += step) {
            if (!in_l2(s, rows, columns)) break;
            double cost = 0;
            for (int i = 0; i < 2; i++)
                cost += split_seconds(s, rows, columns, outer_threads[thread_class][i]) *
                        outer_threads[thread_class][i];
            if (best > 0 && cost >= best) continue;
            best = cost;
            best_rows = rows;
            best_columns = columns;
        }
    return (task_split){FORM_COLUMNS, (int32_t)best_rows, (int32_t)best_columns};
}
