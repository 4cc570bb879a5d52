// links: backend ir llvm
// Code for a level with AMX configures the tiles of each thread and gives them back; other code calls nothing.
#include "machine_code.h"

#include "backend/output/artefact.h"
#include "main.h"

#define X86 "x86_64-unknown-linux-gnu"

typedef struct setup {
    arena *a;
    diag d;
    target t;
    emit e;
} setup;

static void open_setup(setup *s, const char *cpu, precision p) {
    *s = (setup){.a = arena_new()};
    diag_init(&s->d);
    ck_assert(target_init(&s->t, X86, cpu, p, &s->d));
    build_begin(&s->e, s->a, &s->d);
    build_target(&s->e, &s->t);
}

static void close_setup(setup *s) {
    build_end(&s->e);
    diag_free(&s->d);
    arena_free(s->a);
}

START_TEST(levels_that_need_them) {
    static const struct {
        const char *cpu;
        precision p;
        bool needs;
    } table[] = {{"x86-64-v3", PRECISION_F32, false},
                 {"znver5", PRECISION_BF16, false},
                 {"sapphirerapids", PRECISION_BF16, true},
                 {"sapphirerapids", PRECISION_INT8, true}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        setup s;
        open_setup(&s, table[i].cpu, table[i].p);
        ck_assert_msg(thread_calls_needed(&s.t) == table[i].needs, "%s, %s", table[i].cpu,
                      precision_name(table[i].p));
        close_setup(&s);
    }
}
END_TEST

static const function_code *function_of(const object_code *code, const char *name) {
    for (int i = 0; i < code->count; i++)
        if (!strcmp(code->functions[i].name, name)) return &code->functions[i];
    ck_abort_msg("no function %s", name);
    return NULL;
}

START_TEST(as_machine_code) {
    setup s;
    LLVMValueRef calls[2];
    open_setup(&s, "sapphirerapids", PRECISION_INT8);
    thread_calls_emit(&s.e, &calls[0], &calls[1]);
    for (int i = 0; i < 2; i++) LLVMSetLinkage(calls[i], LLVMExternalLinkage);
    LLVMTargetMachineRef machine = codegen_machine(&s.t, 2, &s.d);
    ck_assert(machine && codegen_optimise(&s.e, machine, 2));
    LLVMMemoryBufferRef object = codegen_emit(&s.e, machine, LLVMObjectFile);
    ck_assert(object != NULL);
    object_code *code = ARENA_NEW(s.a, object_code);
    read_functions(object, &s.t, "thread.", s.a, code);
    const function_code *enter = function_of(code, "thread.enter"),
                        *leave = function_of(code, "thread.leave");
    ck_assert_str_eq(enter->items[0].opcode, "ldtilecfg");
    ck_assert(begins(enter->items[1].opcode, "ret"));
    ck_assert_str_eq(leave->items[0].opcode, "tilerelease");
    ck_assert(begins(leave->items[1].opcode, "ret"));
    LLVMDisposeTargetMachine(machine);
    close_setup(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("thread_calls");
    TCase *c = tcase_create("thread_calls");
    tcase_add_test(c, levels_that_need_them);
    tcase_add_test(c, as_machine_code);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
