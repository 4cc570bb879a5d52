// The cost model: what a matmul over a streamed weight costs under a split, and the search for the cheapest
// split.
//
// A task (row block x column block) goes through its column panels, and for each panel through its row
// tiles. So it reads each panel of the weights once, and its rows once per panel: from L2, if the block fits
// there beside two panels.
//
// - The time of a panel is the longest of three: its arithmetic, the read of the next panel (which is
//   prefetched meanwhile), and the reads of rows that are not in L2.
// - The first row block reads weights from memory. The others find them in L3, if they fit.
// - The first panel of a task was prefetched during the thread's previous task. If the task is taken from
//   another thread, the read costs its full time.
// - Rows that other threads wrote come slowly from their L2. The thread itself wrote about half of a task's
//   whole rows.
// - A phase lasts as long as the thread with the most work, and ends in a barrier. A norm after split columns
//   costs one more phase over the rows.
//
// A call rarely fills a variant, so splits are judged at the capacity and below it.
#include "passes/plan/cost.h"

// What a core sees of memory, relative to the target's figure for memory itself. Two cores: assumptions,
// which no timing of splits has set. More: chosen so that the model picks what was best of eleven splits
// timed at 128 tokens on 16 threads of a shared machine, where narrow columns and many tasks won:
// weights that another core has read come no faster than from memory, and rows that it has written no slower.
typedef struct memory_view {
    double l3;       // L3 against memory
    double other_l2; // another core's L2 against L3: misses that nothing foresees
    double exposed;  // the share of a prefetched stream that shows all the same: favours tall row blocks
    double slow;     // speed of each fourth thread: a busy neighbour on the same core
} memory_view;
static const memory_view few_cores = {2.0, 0.25, 0.25, 1.0}, many_cores = {1.0, 1.0, 0.5, 0.4};

static const memory_view *view_of(int threads) {
    return threads <= 2 ? &few_cores : &many_cores;
}
// The figures below are assumptions of the model.
// A barrier between phases, with the wake of its threads.
#define BARRIER_SECONDS 2e-6
// Taking a task and setting up its pointers.
#define TASK_SECONDS 3e-7
// With many threads: how many, tasks wanted for each, and the least that a task is worth.
#define MANY_THREADS   16
#define TASKS_A_THREAD 16
#define LEAST_SECONDS  4e-5
// The largest number of threads that splits are judged at.
#define MOST_THREADS 32

static double larger(double a, double b) {
    return a > b ? a : b;
}
static int64_t smaller_int(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static double bytes_of(elem e, int64_t elements) {
    return (double)elem_bits(e) / 8 * (double)elements;
}

// Seconds of one task over `rows` rows and `columns` columns. `first`: its weights come from memory;
// `others`: the share of its rows that other threads wrote; `fetched`: its first panel is in L2.
static double task_seconds(const cost_site *s, const memory_view *m, int64_t rows, int64_t columns,
                           bool first, double others, bool fetched) {
    const target *t = s->target;
    double flops = s->product->peak_gflops * 1e9, memory = t->memory_gbs * 1e9, l3 = memory * m->l3;
    int64_t k = s->shape.k, panels = ceil_div(columns, s->tile_columns);
    double weights = bytes_of(s->product->right, k * columns) / (double)panels;
    double block = bytes_of(s->product->left, rows * k);
    bool in_l3 = bytes_of(s->product->right, k * s->shape.n) <= (double)t->l3_bytes;
    bool in_l2 = block + 2 * weights <= (double)t->l2_bytes;
    double arithmetic = 2.0 * (double)(rows * k) * (double)columns / (double)panels / flops;
    double stream = weights / (first || !in_l3 ? memory : l3);
    double reread = in_l2 ? 0 : block / l3;
    double panel = larger(arithmetic + reread, stream) + m->exposed * stream;
    double begin = (fetched ? m->exposed : 1) * stream + others * block / (l3 * m->other_l2);
    return TASK_SECONDS + begin + (double)panels * panel;
}

typedef struct candidate {
    int64_t block_rows, block_columns; // both given
    bool columns;                      // form
} candidate;

// Of a phase's tasks a thread's run of neighbours (runtime/session/pool.h): those from `begin` to `end` are
// left.
typedef struct task_share {
    int64_t begin, end;
    double busy; // seconds
} task_share;

// A task for the thread that is free first: its own next one, or the last one of the next thread that has
// some.
static int64_t next_task(task_share *shares, int threads, int *thread, bool *stolen) {
    int first = 0;
    for (int t = 1; t < threads; t++)
        if (shares[t].busy < shares[first].busy) first = t;
    *thread = first;
    *stolen = shares[first].begin == shares[first].end;
    if (!*stolen) return shares[first].begin++;
    int victim = first;
    while (shares[victim].begin == shares[victim].end) victim = victim + 1 < threads ? victim + 1 : 0;
    return --shares[victim].end;
}

// Seconds until all tasks of a phase are done, if threads get and take tasks as the pool does. With many
// tasks for each thread, threads end half a task's time apart.
static double tasks_seconds(const cost_site *s, const candidate *c, int64_t rows, int threads) {
    int64_t inner = ceil_div(s->shape.n, c->block_columns), outer = ceil_div(rows, c->block_rows);
    int64_t last_columns = s->shape.n - (inner - 1) * c->block_columns;
    int64_t block = ceil_div(rows, outer), last_rows = rows - (outer - 1) * block;
    double last = 0, others = (double)(threads - 1) / threads / (c->columns ? 1 : 2);
    const memory_view *m = view_of(threads);
    if (inner * outer > 16 * threads) {
        double full = task_seconds(s, m, block, c->block_columns, false, others, true);
        double first = task_seconds(s, m, block, c->block_columns, true, others, true);
        double columns = (double)s->shape.n / (double)c->block_columns;
        double blocks = (double)rows / (double)block;
        return (columns * first + columns * (blocks - 1) * full) / threads + full / 2;
    }
    task_share shares[MOST_THREADS] = {0};
    for (int t = 0; t < threads; t++) {
        shares[t].begin = t ? shares[t - 1].end : 0;
        shares[t].end = shares[t].begin + inner * outer / threads + (t < inner * outer % threads);
    }
    for (int64_t n = 0; n < inner * outer; n++) {
        int thread;
        bool stolen;
        int64_t task = next_task(shares, threads, &thread, &stolen);
        double seconds = task_seconds(s, m, task / inner + 1 < outer ? block : last_rows,
                                      task % inner + 1 < inner ? c->block_columns : last_columns,
                                      task < inner, others, !stolen);
        shares[thread].busy += thread % 4 == 3 ? seconds / m->slow : seconds;
        last = larger(last, shares[thread].busy);
    }
    return last;
}

// Seconds of the phase (and of the norm's) at a number of rows and of threads.
static double phase_seconds(const cost_site *s, const candidate *c, int64_t rows, int threads) {
    double barrier = threads > 1 ? BARRIER_SECONDS : 0;
    double seconds = tasks_seconds(s, c, rows, threads) + barrier;
    if (!s->shape.norm || !c->columns) return seconds;
    double bytes = bytes_of(s->shape.result, rows * s->shape.n) + (double)(rows * s->shape.written);
    double l3 = s->target->memory_gbs * 1e9 * view_of(threads)->l3;
    return seconds + bytes / l3 / threads + barrier;
}

// Relative to what one thread would need at best, so that full, half-full and quarter-full calls, few and
// many threads weigh alike: in a variant for 128 tokens most texts are short, and must keep all threads busy.
static double candidate_cost(const cost_site *s, const candidate *c, int thread_class) {
    static const int threads[THREAD_CLASSES][2] = {{1, 1}, {2, 2}, {4, 8}, {16, MOST_THREADS}};
    double sum = 0;
    for (int i = 0; i < 2; i++)
        for (int part = 1; part <= 4; part *= 2) {
            int64_t rows = ceil_div(s->expected, part);
            int n = threads[thread_class][i];
            double ideal =
                2.0 * (double)(rows * s->shape.k) * (double)s->shape.n / (s->product->peak_gflops * 1e9) / n;
            sum += phase_seconds(s, c, rows, n) / ideal;
        }
    return sum;
}

// As good as equal: the taller block it is. The more threads, the less the model knows.
static bool same_cost(double a, double b, int thread_class) {
    double most = thread_class > 1 ? 1.01 : 1.002;
    return a <= b * most && b <= a * most;
}

// Blocks of fewer rows, so that each of many threads has some tasks: a phase lasts as long as its slowest task.
// The blocks that one was cut into take the same weights one after the other, by the same thread
// (runtime/session/order.h).
static int64_t finer_rows(const cost_site *s, int64_t rows, int64_t columns) {
    int64_t blocks = ceil_div(s->shape.n, columns);
    while (blocks * ceil_div(s->expected, rows) < MANY_THREADS * TASKS_A_THREAD) {
        int64_t half = round_up(ceil_div(smaller_int(rows, s->expected), 2), s->tile_rows);
        double flops = 2.0 * (double)(half * s->shape.k) * (double)columns;
        if (half >= rows || flops < LEAST_SECONDS * s->product->peak_gflops * 1e9) break;
        rows = half;
    }
    return rows;
}

// Tiles multiply so fast that a panel's way into L2 shows; with one or two threads a tall block, for which it
// comes once, is worth the room that its rows take in L2, with room for its results: BERT-base's projections of
// 512 tokens take three quarters of the time of four blocks of 128 rows. Where groups of columns are quantised or
// groups of k added up, a block's sums pass through L2 more than once: with one's rows they may take five eighths
// of it.
static bool takes_tall_block(const cost_site *s, int64_t rows, int thread_class) {
    const kernel_shape *k = &s->shape;
    double l2 = (double)s->target->l2_bytes;
    if (s->product->step != STEP_TILES || thread_class > 1) return false;
    if (!k->group && 4 * bytes_of(s->product->left, rows * k->k) <= l2) return true;
    if (rows > 256 || (!k->group && k->together == k->k)) return false;
    double left = bytes_of(s->product->left, rows * k->together);
    double sums = bytes_of(ELEM_F32, rows * (k->group ? k->group : k->n));
    return 8 * (left + sums) <= 5 * l2;
}

task_split cost_matmul_split(const cost_site *s, int thread_class) {
    // 128 rows and parts of them; a little more only where that is all there is, and several times as many where
    // tiles multiply them.
    enum { ROW_BLOCKS = 9 };
    static const int64_t row_blocks[ROW_BLOCKS] = {512, 256, 192, 128, 96, 64, 48, 32, 16};
    static const int64_t column_blocks[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128};
    candidate best = {0};
    double best_cost = 0;
    for (int i = 0; i < ROW_BLOCKS; i++) {
        int64_t rows = round_up(row_blocks[i], s->tile_rows), last = 0;
        if (rows > 192 && !takes_tall_block(s, rows, thread_class)) continue;
        if (row_blocks[i] == 192 && s->expected > rows) continue;
        if (row_blocks[i] < 64 && row_blocks[i] * 16 < s->expected) continue; // each streams the weights
        if (row_blocks[i] != 192 && i + 1 < ROW_BLOCKS &&
            row_blocks[i + 1] >= round_up(s->expected, s->tile_rows))
            continue;
        for (int j = 0; j < 14; j++) {
            int64_t columns = round_up(ceil_div(s->shape.n, column_blocks[j]), s->tile_columns);
            if (s->shape.group) columns = s->shape.group;
            if (columns == last) continue;
            last = columns;
            candidate c = {rows, smaller_int(columns, s->shape.n), column_blocks[j] > 1 || s->shape.group};
            double cost = candidate_cost(s, &c, thread_class);
            if (best.block_rows && (cost > best_cost || same_cost(cost, best_cost, thread_class))) continue;
            best = c;
            best_cost = cost;
        }
    }
    if (thread_class == THREAD_CLASSES - 1 && best.columns)
        best.block_rows = finer_rows(s, best.block_rows, best.block_columns);
    bool whole_rows = best.block_rows >= s->capacity, whole_columns = best.block_columns >= s->shape.n;
    return (task_split){whole_columns ? FORM_ROWS : FORM_COLUMNS, whole_rows ? 0 : (int32_t)best.block_rows,
                        whole_columns ? 0 : (int32_t)best.block_columns};
}
