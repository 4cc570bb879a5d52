// links: backend passes ir llvm
// The inner loop of every register tile, as machine code, for every CPU that bertc knows: it never
// touches the stack, and it holds the multiply-adds, the loads and nothing else but what the table
// allows. Code is made, not run, so any machine checks all of them. And each row of kernels.def: its tile is
// the one that fills the registers, and it is in the table here.
#include "machine_code.h"

#include "backend/matmul/heights.h"
#include "backend/matmul/products.h"
#include "backend/matmul/tile.h"
#include "file.h"
#include "main.h"
#include "passes/passes.h"

// What four steps of k take with a tile of rows x columns; with the same product's lower tiles, in proportion. A step loads a float of each row for all lanes
// (`left`) and a row of each panel (`right`); a load folded into another instruction counts. A fused
// multiply-add counts as one of each. At most so many: moves between vector registers (without FMA the
// products need copies, and a float is spread by a shuffle); integer instructions: three pointers, a
// fourth where the next phase's weights are fetched, compare and branch (AArch64: also addresses of rows
// too far apart for an offset).
static const struct loop_row {
    const char *isa;
    int rows, columns, multiplies, adds, left, right, moves, integers, converts;
} table[] = {
    {"generic", 2, 16, 32, 32, 8, 16, 24, 7}, {"avx2", 6, 16, 48, 48, 24, 8, 0, 7},
    {"avx512", 8, 48, 96, 96, 32, 12, 0, 7},  {"avx512", 8, 32, 64, 64, 32, 8, 0, 7},
    {"avx512", 8, 16, 32, 32, 32, 4, 0, 7},   {"neon", 6, 16, 96, 96, 24, 16, 0, 12},
};
enum { ROWS = sizeof(table) / sizeof(table[0]), MOST_HEIGHT = 8 };

#define X86 "x86_64-unknown-linux-gnu"
#define ARM "aarch64-unknown-linux-gnu"

// The CPU on which a product's tile is looked at. A product that has no case here does not compile.
typedef struct product_test {
    const char *triple, *cpu;
    precision precision;
} product_test;
static product_test test_of(product_id id) {
    switch (id) {
    case PRODUCT_f32_generic: return (product_test){X86, "x86-64", PRECISION_F32};
    case PRODUCT_f32_avx2: return (product_test){X86, "x86-64-v3", PRECISION_F32};
    case PRODUCT_f32_avx512: return (product_test){X86, "x86-64-v4", PRECISION_F32};
    case PRODUCT_f32_neon: return (product_test){ARM, "generic", PRECISION_F32};
    case PRODUCT_bf16_avx512bf16: return (product_test){X86, "avx512bf16", PRECISION_BF16};
    case PRODUCT_i8_avx2: return (product_test){X86, "avx2", PRECISION_INT8};
    case PRODUCT_i8_avxvnni: return (product_test){X86, "avxvnni", PRECISION_INT8};
    case PRODUCT_i8_avx512: return (product_test){X86, "avx512", PRECISION_INT8};
    case PRODUCT_i8_avx512vnni: return (product_test){X86, "avx512vnni", PRECISION_INT8};
    case PRODUCT_f32_bf16_avx2: return (product_test){X86, "avx2", PRECISION_BF16};
    case PRODUCT_f32_bf16_avx512: return (product_test){X86, "avx512", PRECISION_BF16};
    case PRODUCT_f32_i8_avx2: return (product_test){X86, "avx2", PRECISION_INT8W};
    case PRODUCT_f32_i8_avx512: return (product_test){X86, "avx512", PRECISION_INT8W};
    case PRODUCT_bf16_amx: return (product_test){X86, "sapphirerapids", PRECISION_BF16};
    case PRODUCT_i8_amx: return (product_test){X86, "sapphirerapids", PRECISION_INT8};
    case PRODUCT_COUNT: break;
    }
    return (product_test){0};
}

// "NAME.tile8x48.10".
static bool tile_size(const char *name, int *rows, int *columns) {
    for (const char *at = name; (at = strstr(at, ".tile")); at++)
        if (sscanf(at, ".tile%dx%d", rows, columns) == 2) return true;
    return false;
}

// The table's row for a tile, and what one of its height takes. NULL: it has none.
static const struct loop_row *row_of_size(const target *t, int rows, int columns, struct loop_row *out) {
    for (int i = 0; i < ROWS; i++) {
        const struct loop_row *x = &table[i];
        if (rows < 1 || rows > x->rows || x->columns != columns || strcmp(x->isa, t->isa)) continue;
        *out = *x;
        out->rows = rows;
        out->multiplies = x->multiplies / x->rows * rows;
        out->adds = x->adds / x->rows * rows;
        out->left = x->left / x->rows * rows;
        return x;
    }
    return NULL;
}

static const struct loop_row *row_of(const char *name, const target *t, struct loop_row *out) {
    int rows = 0, columns = 0;
    tile_size(name, &rows, &columns);
    return row_of_size(t, rows, columns, out);
}

// Lines fetched in four steps of k: four a panel, in whole turns of the streams, and the one of `next`. AMX's step
// of 16 groups is four such.
static int most_prefetches(const struct loop_row *x, const target *t) {
    int turns = strcmp(x->isa, "amx") ? 1 : 4;
    return turns * ((x->columns + 15) / 16 * 4 + t->prefetch_streams + 1);
}

// What is wrong with a tile's inner loop, with the loop itself, or NULL.
static const char *fault(arena *a, const object_code *code, const function_code *f, const target *t,
                         const struct loop_row *x) {
    int from = 0, to = 0;
    if (!x) return arena_printf(a, "%s on %s: the table has no such tile", f->name, t->cpu);
    if (!find_loop(f, code->arm, x->multiplies, &from, &to))
        return arena_printf(a, "%s on %s: no loop", f->name, t->cpu);
    loop_count c = count_loop(f, from, to, code->arm);
    const char *what = NULL;
    if (c.stack)
        what = "touches the stack";
    else if (c.multiplies != x->multiplies || c.adds != x->adds)
        what = "has other multiply-adds";
    else if (c.left != x->left)
        what = "has other loads of left rows";
    else if (c.right != x->right)
        what = "has other loads of right panels";
    else if (c.others)
        what = "has instructions that are not expected";
    else if (c.converts != x->converts)
        what = "has other conversions";
    else if (c.moves > x->moves)
        what = "moves between registers";
    else if (c.integers > x->integers)
        what = "has more integer instructions";
    else if (c.prefetches > most_prefetches(x, t))
        what = "has more prefetches";
    if (!what) return NULL;
    return arena_printf(
        a,
        "%s on %s: the loop %s: %d multiplies, %d adds, %d + %d loads, %d conversions, %d moves, %d "
        "prefetches, %d integer, %d of "
        "the stack, %d others:\n%s",
        f->name, t->cpu, what, c.multiplies, c.adds, c.left, c.right, c.converts, c.moves, c.prefetches,
        c.integers, c.stack, c.others, loop_text(a, f, from, to));
}

// --- Code of a graph, and of a lone tile

typedef struct setup {
    arena *a;
    diag d;
    target t;
    emit e;
    object_code *code;
} setup;

static void open_setup(setup *s, const char *triple, const char *cpu, precision p) {
    *s = (setup){.a = arena_new()};
    diag_init(&s->d);
    s->code = ARENA_NEW(s->a, object_code);
    ck_assert(target_init(&s->t, triple, cpu, p, &s->d));
    build_begin(&s->e, s->a, &s->d);
}

static void close_setup(setup *s) {
    build_end(&s->e);
    diag_free(&s->d);
    arena_free(s->a);
}

static void must(setup *s, bool ok, const char *what) {
    if (!ok) diag_print(&s->d, stderr);
    ck_assert_msg(ok, "%s on %s", what, s->t.cpu);
}

static void compile(setup *s) {
    LLVMTargetMachineRef machine = codegen_machine(&s->t, 2, &s->d);
    must(s, machine && codegen_optimise(&s->e, machine, 2), "optimiser");
    LLVMMemoryBufferRef object = codegen_emit(&s->e, machine, LLVMObjectFile);
    must(s, object != NULL, "object");
    LLVMDisposeTargetMachine(machine);
    read_functions(object, &s->t, ".tile", s->a, s->code);
}

// The graph of a file, through passes, schedule and code generation.
static void compile_graph(setup *s, const char *file, const char *passes) {
    size_t size;
    char *text = file_text(file, &size);
    graph *g = graph_parse(s->a, file, text, size, &s->d);
    free(text);
    must(s, g != NULL, file);
    pass_context c = {.target = &s->t, .diag = &s->d, .verify = true};
    must(s, passes_run(g, passes, &c), passes ? passes : "passes");
    target_settle(&s->t, g);
    must(s, passes_add_variant(g, 128, 1, &c) == 0, "variant");
    artefact a = {.module = module_alone(s->a, g), .targets = &s->t, .target_count = 1};
    const kernel **kernels = ARENA_ARRAY(s->a, const kernel *, g->count);
    must(s, codegen_kernels(&s->e, &a, kernels), "kernels");
    for (value v = 0; v < g->count; v++)
        for (int class = 0; kernels[v] && class < THREAD_CLASSES; class ++)
            for (int p = 0; p < kernels[v]->phase_count[class]; p++)
                LLVMSetLinkage(kernels[v]->phases[class][p].function, LLVMExternalLinkage);
    compile(s);
}

static void compile_tile(setup *s, const target_product *product, int rows, int columns) {
    build_target(&s->e, &s->t);
    tile x = {.name = arena_printf(s->a, "lone.tile%dx%d", rows, columns),
              .product = product,
              .rows = rows,
              .vectors = columns / s->e.width,
              .k = 768,
              .lda = 768 * elem_bytes(product->left, 1),
              .ldc = 768 * 4,
              .panel = packed_groups(product->right, 768) * GROUP_BYTES};
    tile_emit(&s->e, &x);
    LLVMSetLinkage(x.function, LLVMExternalLinkage);
    compile(s);
    ck_assert_int_eq(s->code->count, 1);
}

// --- Every CPU

#define MOST_CPUS 64
static struct cpu_name {
    char triple[64], name[32];
} cpus[MOST_CPUS];
static int cpu_count;

// The CPUs of `bertc targets`; its levels are code of theirs.
static void read_cpus(void) {
    char *list = NULL, *rest = NULL, triple[64] = "";
    size_t size;
    bool of_cpus = false;
    FILE *out = open_memstream(&list, &size);
    target_list(out);
    fclose(out);
    for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct cpu_name *c = &cpus[cpu_count];
        if (line[0] != ' ') {
            snprintf(triple, sizeof(triple), "%s", line);
        } else if (begins(line, "  level ") || begins(line, "  CPU ")) { // heads a list
            of_cpus = begins(line, "  CPU ");
        } else if (of_cpus && sscanf(line, "%31s", c->name) == 1 && strcmp(c->name, "native") != 0) {
            memcpy(c->triple, triple, sizeof(triple));
            if (++cpu_count == MOST_CPUS) abort();
        }
    }
    free(list);
}

// Has this LLVM code for it?
static bool has_code(const char *triple) {
    target t;
    diag d;
    diag_init(&d);
    LLVMTargetMachineRef machine =
        target_init(&t, triple, "generic", PRECISION_F32, &d) ? codegen_machine(&t, 2, &d) : NULL;
    if (machine) LLVMDisposeTargetMachine(machine);
    diag_free(&d);
    return machine != NULL;
}

// By row of the table, and by height.
typedef struct tiles_seen {
    bool heights[ROWS][MOST_HEIGHT];
} tiles_seen;

// Every tile of the object is in the table, and as it says; `kinds`: words that functions' names begin
// with, all of which must be there.
static void check_tiles(setup *s, const char *kinds, tiles_seen *used) {
    char *list = arena_strdup(s->a, kinds), *rest = NULL;
    for (const char *kind = strtok_r(list, " ", &rest); kind; kind = strtok_r(NULL, " ", &rest)) {
        bool found = false;
        for (int i = 0; i < s->code->count; i++) found = found || begins(s->code->functions[i].name, kind);
        ck_assert_msg(found, "no tile of %s on %s", kind, s->t.cpu);
    }
    for (int i = 0; i < s->code->count; i++) {
        const function_code *f = &s->code->functions[i];
        int rows, columns;
        if (!tile_size(f->name, &rows, &columns)) continue;
        struct loop_row counts;
        const struct loop_row *x = row_of(f->name, &s->t, &counts);
        const char *wrong = fault(s->a, s->code, f, &s->t, x ? &counts : NULL);
        if (wrong) fputs(wrong, stderr); // Check's own messages are too short for it
        ck_assert_msg(!wrong, "%.*s", (int)strcspn(wrong, "\n"), wrong);
        if (used) used->heights[x - table][rows - 1] = true;
    }
}

static void check_file(const struct cpu_name *c, const char *file, const char *passes, const char *kinds,
                       tiles_seen *used) {
    setup s;
    open_setup(&s, c->triple, c->name, PRECISION_F32);
    compile_graph(&s, file, passes);
    check_tiles(&s, kinds, used);
    close_setup(&s);
}

#define LAYER BERTC_TESTS "/unit/hot_loops.ir"

START_TEST(every_cpu) {
    if (!has_code(cpus[_i].triple)) SKIP("neon", "this LLVM has no code for %s", cpus[_i].triple);
    check_file(&cpus[_i], LAYER, "+fuse_mlp",
               "matmul.tile mlp.up mlp.down attention.score attention.value attention.table", NULL);
}
END_TEST

// The other kernels with products, for one CPU of each level; the table holds no tile that none of them
// makes.
START_TEST(every_kernel) {
    static const struct cpu_name of_level[] = {
        {X86, "x86-64"}, {X86, "x86-64-v2"}, {X86, "x86-64-v3"}, {X86, "x86-64-v4"}, {ARM, "generic"}};
    static const struct {
        const char *file, *passes, *kinds;
    } files[] = {
        {LAYER, NULL, "matmul.tile"},
        {BERTC_TESTS "/unit/hot_loops_widths.ir", "assign_layouts,pack_weights", "matmul.tile"},
        {BERTC_TESTS "/ops/token_mix.ir", "assign_layouts,pack_weights", "token_mix"},
        {BERTC_TESTS "/ops/matmul_sums.ir", "assign_layouts,pack_weights", "outer.tile"},
        {BERTC_TESTS "/ops/fuse_blocks.ir", "fuse_epilogue,assign_layouts,pack_weights", "matmul.tile"},
        {BERTC_TESTS "/ops/attention_relative.ir", "fuse_attention,assign_layouts,pack_weights", "attention"},
    };
    tiles_seen used = {0};
    bool arm = has_code(ARM);
    if (!arm) skip_part("neon", "this LLVM has no code for " ARM);
    for (size_t i = 0; i < sizeof(of_level) / sizeof(of_level[0]); i++)
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]) && (arm || strcmp(of_level[i].triple, ARM));
             k++)
            check_file(&of_level[i], files[k].file, files[k].passes, files[k].kinds, &used);
    for (int i = 0; i < ROWS; i++)
        for (int rows = 1; rows <= table[i].rows; rows++)
            ck_assert_msg(used.heights[i][rows - 1] || (!arm && !strcmp(table[i].isa, "neon")),
                          "no kernel on %s has a tile of %d x %d", table[i].isa, rows, table[i].columns);
}
END_TEST

// --- The rows of kernels.def

static const char *const step_words[] = {
    [STEP_FMA] = "fused multiply-add",
    [STEP_MUL_ADD] = "multiply, add",
    [STEP_WIDEN] = "widen, fused multiply-add",
    [STEP_DOT_BF16] = "`vdpbf16ps`",
    [STEP_DOT_I8] = "`vpdpbusd`",
    [STEP_PAIRS_I8] = "`vpmaddubsw`, `vpmaddwd`, add",
    [STEP_TILES] = "tiles, two by two",
};

// What four groups of k take with a tile of rows x columns. Widened operands are loaded for each element of a group;
// pairs, where registers are scarce, read the left operand for each vector of the right one. AMX's tiles take 16 groups.
static struct loop_row loop_of(const target_product *p, const target *t, int rows, int columns) {
    int vectors = columns / t->vector_floats, sums = 4 * rows * vectors, group = p->group;
    struct loop_row x = {t->isa, rows, columns, sums, sums, 4 * rows, 4 * vectors, 0, 7, 0};
    switch (p->step) {
    case STEP_FMA:
    case STEP_MUL_ADD: row_of_size(t, rows, columns, &x); return x;
    case STEP_DOT_BF16:
    case STEP_DOT_I8: return x;
    case STEP_PAIRS_I8: x.multiplies *= 2, x.left = sums; return x;
    case STEP_WIDEN:
        x.multiplies = x.adds = sums * group;
        x.left *= group;
        x.right *= group;
        // A shift or a mask for each bf16. For each i8 two shifts, but one for the last, and a conversion.
        x.converts = 4 * vectors * (p->right == ELEM_BF16 ? 2 : 11);
        x.moves = t->vector_floats == 8 && p->right == ELEM_BF16 ? 4 : 0; // zeros for a blend
        return x;
    case STEP_TILES:
        sums = rows / AMX_ROWS * vectors;
        return (struct loop_row){t->isa, rows, columns, sums, sums, rows / AMX_ROWS, vectors, 0, 8, 0};
    }
    return x;
}

// The tile with the most accumulators of those with at most 8 rows and 48, 32 or 16 columns, if one step of k
// takes a vector of B for each of them and one of A. Of AMX's eight tiles four are accumulators, two by two.
static void fullest_tile(const target *t, product_step step, int *rows, int *columns) {
    int best = 0;
    if (step == STEP_TILES) {
        *rows = *columns = 32;
        return;
    }
    for (int width = 48; width >= 16; width -= 16) {
        int vectors = width / t->vector_floats, most = (t->vector_registers - vectors - 1) / vectors;
        if (most > 8) most = 8;
        if (most * vectors <= best) continue;
        best = most * vectors;
        *rows = most;
        *columns = width;
    }
}

static void check_height(const product_test *on, product_id id, int rows, int columns) {
    setup s;
    open_setup(&s, on->triple, on->cpu, on->precision);
    const product_row *row = product_row_of(id);
    const target_product *p = target_product_find(&s.t, row->product.left, row->product.right);
    compile_tile(&s, p, rows, columns);
    struct loop_row counts = loop_of(p, &s.t, rows, columns);
    const char *wrong = fault(s.a, s.code, &s.code->functions[0], &s.t, &counts);
    ck_assert_msg(!wrong, "%s", wrong);
    close_setup(&s);
}

START_TEST(every_product) {
    const product_row *row = product_row_of((product_id)_i);
    product_test on = test_of((product_id)_i);
    int rows = 0, columns = 0;
    setup s;
    if (!has_code(on.triple)) SKIP("neon", "this LLVM has no code for %s", on.triple);
    open_setup(&s, on.triple, on.cpu, on.precision);
    ck_assert_str_eq(s.t.isa, row->isa);
    const target_product *p = target_product_find(&s.t, row->product.left, row->product.right);
    ck_assert_msg(p && p->rows == row->product.rows && p->columns == row->product.columns,
                  "%s is not what %s multiplies by", row->name, on.cpu);
    ck_assert(p->peak_gflops > 0 && p->sum == row->product.sum);
    fullest_tile(&s.t, p->step, &rows, &columns);
    ck_assert_msg(p->rows == rows && p->columns == columns, "%s: a tile of %d x %d fits", row->name, rows,
                  columns);
    ck_assert_int_eq(p->step != STEP_MUL_ADD, s.t.fma);
    ck_assert_int_eq((int)elem_size(p->right) * p->group * PANEL_COLUMNS, GROUP_BYTES);
    ck_assert_int_eq(p->group, packed_group(p->right));
    close_setup(&s);
    for (int height = 1; height <= row->product.rows; height++)
        if (heights_has(&row->product, row->product.rows, height))
            check_height(&on, (product_id)_i, height, columns);
    if (row->product.step != STEP_TILES) return;
    check_height(&on, (product_id)_i, 32, 16);
    check_height(&on, (product_id)_i, 16, 16);
}
END_TEST

// docs/architecture.md lists them, and no others.
START_TEST(every_product_has_its_line_in_the_docs) {
    size_t size;
    char *page = file_text(BERTC_TESTS "/../docs/architecture.md", &size), line[160];
    int lines = 0;
    for (product_id i = 0; i < PRODUCT_COUNT; i++) {
        const product_row *row = product_row_of(i);
        const target_product *p = &row->product;
        snprintf(line, sizeof(line), "\n| %s x %s to %s | `%s` | %d x %d | %s |", elem_name(p->left),
                 elem_name(p->right), elem_name(p->sum), row->isa, p->rows, p->columns, step_words[p->step]);
        ck_assert_msg(strstr(page, line) != NULL, "docs/architecture.md has no line%s", line);
    }
    const char *at = strstr(page, "| product |");
    ck_assert(at != NULL);
    for (at = strchr(at, '\n'); at && at[1] == '|'; at = strchr(at + 1, '\n')) lines++;
    ck_assert_int_eq(lines - 1, PRODUCT_COUNT);
    free(page);
}
END_TEST

// --- What is wrong is found

// A tile too high for the registers spills, and one of another size has other counts.
START_TEST(faults_are_found) {
    static const struct {
        const char *triple, *cpu;
        int rows, columns;
        const char *as; // the tile for which it passes itself off
        const char *what;
    } doctored[] = {
        {X86, "x86-64", 4, 16, ".tile2x16", "touches the stack"},
        {X86, "x86-64-v3", 8, 16, ".tile6x16", "touches the stack"},
        {X86, "x86-64-v4", 12, 48, ".tile8x48", "touches the stack"},
        {ARM, "generic", 8, 16, ".tile6x16", "touches the stack"},
        {X86, "x86-64-v3", 5, 16, ".tile6x16", "has other multiply-adds"},
        {X86, "x86-64-v4", 4, 32, ".tile8x16", "has other loads of left rows"},
        {X86, "x86-64-v4", 8, 128, ".tile8x128", "the table has no such tile"},
    };
    for (size_t i = 0; i < sizeof(doctored) / sizeof(doctored[0]); i++) {
        setup s;
        if (!has_code(doctored[i].triple)) continue;
        open_setup(&s, doctored[i].triple, doctored[i].cpu, PRECISION_F32);
        compile_tile(&s, target_product_find(&s.t, ELEM_F32, ELEM_F32), doctored[i].rows,
                     doctored[i].columns);
        const function_code *f = &s.code->functions[0];
        struct loop_row counts;
        bool known = row_of(doctored[i].as, &s.t, &counts);
        const char *wrong = fault(s.a, s.code, f, &s.t, known ? &counts : NULL);
        ck_assert_msg(wrong && strstr(wrong, doctored[i].what), "%zu: not \"%s\": %s", i, doctored[i].what,
                      wrong ? wrong : "nothing");
        ck_assert_msg(strstr(wrong, "\n    ") || !known, "%zu: the message does not show the loop: %s", i,
                      wrong);
        close_setup(&s);
    }
}
END_TEST

int main(void) {
    read_cpus();
    Suite *suite = suite_create("hot_loops");
    TCase *c = tcase_create("hot_loops");
    tcase_add_loop_test(c, every_cpu, 0, cpu_count);
    tcase_add_test(c, every_kernel);
    tcase_add_loop_test(c, every_product, 0, PRODUCT_COUNT);
    tcase_add_test(c, every_product_has_its_line_in_the_docs);
    tcase_add_test(c, faults_are_found);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
