// Machine code read back, for tests: an object's functions by LLVM's disassembler, and what the
// instructions of a loop are.
#ifndef TEST_MACHINE_CODE_H
#define TEST_MACHINE_CODE_H

#include <check.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Object.h>
#include <llvm-c/Target.h>
#include <stdlib.h>
#include <string.h>

#include "backend/codegen.h"

typedef struct instruction {
    uint64_t at; // bytes from the function's start
    char opcode[16], operands[104];
} instruction;

typedef struct function_code {
    const char *name;
    int count;
    instruction *items;
} function_code;

#define MOST_FUNCTIONS 1024
typedef struct object_code {
    bool arm;
    int count;
    function_code functions[MOST_FUNCTIONS];
} object_code;

static inline bool is_one_of(const char *word, const char *list) {
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0)) return true;
    return false;
}

static inline bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

// --- Reading an object

static inline void disassemble(LLVMDisasmContextRef how, const char *bytes, uint64_t size, arena *a,
                               function_code *out) {
    out->items = ARENA_ARRAY(a, instruction, size + 1);
    for (uint64_t at = 0; at < size;) {
        char text[160] = "";
        instruction *x = &out->items[out->count++];
        uint8_t *from = (uint8_t *)(uintptr_t)bytes + at;
        size_t n = LLVMDisasmInstruction(how, from, size - at, at, text, sizeof(text));
        ck_assert_msg(n > 0, "%s: no instruction at %llu", out->name, (unsigned long long)at);
        x->at = at;
        const char *from_opcode = strstr(text, "{vex}") ? strstr(text, "{vex}") + strlen("{vex}") : text;
        sscanf(from_opcode, " %15s %103[^\n]", x->opcode, x->operands);
        at += n;
    }
}

// The functions of an object whose names hold `part`. Takes the object.
static inline void read_functions(LLVMMemoryBufferRef object, const target *t, const char *part, arena *a,
                                  object_code *out) {
    *out = (object_code){.arm = begins(t->triple, "aarch64")};
    LLVMInitializeAllDisassemblers();
    const char *cpu = out->arm ? "generic" : "x86-64";
    LLVMDisasmContextRef how = LLVMCreateDisasmCPUFeatures(t->triple, cpu, t->features, NULL, 0, NULL, NULL);
    char *message = NULL;
    LLVMBinaryRef file = LLVMCreateBinary(object, NULL, &message);
    ck_assert_msg(how && file, "%s: %s", t->triple, message ? message : "LLVM has no disassembler for it");
    LLVMSectionIteratorRef section = LLVMObjectFileCopySectionIterator(file);
    LLVMSymbolIteratorRef symbol = LLVMObjectFileCopySymbolIterator(file);
    for (; !LLVMObjectFileIsSymbolIteratorAtEnd(file, symbol); LLVMMoveToNextSymbol(symbol)) {
        const char *name = LLVMGetSymbolName(symbol);
        if (!strstr(name, part)) continue;
        ck_assert_int_lt(out->count, MOST_FUNCTIONS);
        function_code *f = &out->functions[out->count++];
        f->name = arena_strdup(a, name);
        LLVMMoveToContainingSection(section, symbol);
        const char *bytes =
            LLVMGetSectionContents(section) + (LLVMGetSymbolAddress(symbol) - LLVMGetSectionAddress(section));
        disassemble(how, bytes, LLVMGetSymbolSize(symbol), a, f);
    }
    LLVMDisposeSectionIterator(section);
    LLVMDisposeSymbolIterator(symbol);
    LLVMDisposeBinary(file);
    LLVMDisposeMemoryBuffer(object);
    LLVMDisasmDispose(how);
}

// The instruction to which number `i` branches back; -1: it does not.
static inline int branches_back(const function_code *f, int i, bool arm) {
    const instruction *x = &f->items[i];
    bool branches = arm ? !strncmp(x->opcode, "b.", 2) || is_one_of(x->opcode, "b cbz cbnz tbz tbnz")
                        : x->opcode[0] == 'j';
    if (!branches || i + 1 == f->count) return -1;
    const char *last = strrchr(x->operands, '#'), *number = last ? last + 1 : x->operands;
    int64_t to = (int64_t)(arm ? x->at : f->items[i + 1].at) + strtoll(number, NULL, 0);
    for (int k = 0; k <= i; k++)
        if ((int64_t)f->items[k].at == to) return k;
    return -1;
}

// --- What a loop's instructions are

typedef struct loop_count {
    int multiplies,
        adds; // of vectors of numbers; a fused multiply-add, or a dot product, is both; AMX's, of tiles
    int left, right; // loads: of a number, or a group of them, for all lanes, of a vector
    int converts;    // of vectors, from one type to another: shifts, masks
    int moves;       // from vector register to vector register
    int prefetches;
    int integers; // on pointers and counts, the branch among them
    int stack;    // loads and stores of the stack
    int others;   // anything else
} loop_count;

static inline void count_x86(const instruction *x, loop_count *c) {
    const char *o = x->operands, *memory = strchr(o, '('),
               *word = x->opcode[0] == 'v' ? x->opcode + 1 : x->opcode;
    size_t n = strlen(o);
    bool stores = n > 0 && o[n - 1] == ')';
    bool fused = begins(word, "fmadd") || is_one_of(word, "dpbf16ps pdpbusd");
    if (strstr(o, "%rsp") || strstr(o, "%rbp")) {
        c->stack++;
    } else if (begins(word, "prefetch")) {
        c->prefetches++;
    } else if (begins(word, "tdp")) {
        c->multiplies++;
        c->adds++;
    } else if (begins(word, "tileload")) {
        *(begins(word, "tileloaddt1") ? &c->left : &c->right) += 1;
    } else if (is_one_of(word, "addq subq incq decq leaq cmpq testq movq") &&
               (!memory || begins(word, "lea"))) {
        c->integers++;
    } else if (word[0] == 'j') {
        c->integers++;
    } else if (fused || is_one_of(word, "mulps addps pmaddubsw pmaddwd paddd")) {
        c->multiplies += fused || begins(word, "mul") || begins(word, "pmadd");
        c->adds += fused || begins(word, "add") || begins(word, "padd");
        if (memory) *(strstr(o, "{1to") ? &c->left : &c->right) += 1;
    } else if (is_one_of(word, "pslld psrad cvtdq2ps pblendw andps pand pandd pandq")) {
        c->converts++;
        if (memory && !strstr(o, "{1to") && !strstr(o, "(%rip)")) c->right++;
    } else if (memory && !stores && is_one_of(word, "movss broadcastss pbroadcastd")) {
        c->left++;
    } else if (memory && !stores && is_one_of(word, "movaps movups movdqa movdqu movdqa64 movdqu64")) {
        c->right++;
    } else if (!memory && is_one_of(word, "movaps movups shufps pshufd permilps pxor xorps")) {
        c->moves++;
    } else {
        c->others++;
    }
}

static inline void count_arm(const instruction *x, loop_count *c) {
    const char *o = x->operands, *word = x->opcode;
    int loads = begins(word, "ldp") ? 2 : 1;
    if (strstr(o, "[sp") || begins(o, "sp,") || strstr(o, " sp,")) {
        c->stack++;
    } else if (begins(word, "prf")) {
        c->prefetches++;
    } else if (word[0] == 'b' || is_one_of(word, "cbz cbnz")) {
        c->integers++;
    } else if (is_one_of(word, "add sub subs cmp mov") && o[0] == 'x') {
        c->integers++;
    } else if (is_one_of(word, "fmla fmul fadd") && o[0] == 'v') {
        c->multiplies += word[1] == 'm';
        c->adds += word[1] == 'a' || word[2] == 'l';
    } else if (begins(word, "ld1r") || (is_one_of(word, "ldr ldur ldp") && o[0] == 's')) {
        c->left += loads;
    } else if (is_one_of(word, "ldr ldur ldp") && o[0] == 'q') {
        c->right += loads;
    } else if (is_one_of(word, "mov dup") && o[0] == 'v') {
        c->moves++;
    } else {
        c->others++;
    }
}

static inline loop_count count_loop(const function_code *f, int from, int to, bool arm) {
    loop_count c = {0};
    for (int i = from; i <= to; i++) {
        if (arm)
            count_arm(&f->items[i], &c);
        else
            count_x86(&f->items[i], &c);
    }
    return c;
}

// The loop with `multiplies` multiplications, or, where none has as many, the one with the most; false:
// there is no loop. (Loops of an epilogue may have more than the products have.)
static inline bool find_loop(const function_code *f, bool arm, int multiplies, int *from, int *to) {
    int best = -1;
    for (int i = 0; i < f->count; i++) {
        int back = branches_back(f, i, arm);
        if (back < 0) continue;
        int n = count_loop(f, back, i, arm).multiplies;
        if (best == multiplies || (n <= best && n != multiplies)) continue;
        best = n;
        *from = back;
        *to = i;
    }
    return best >= 0;
}

static inline const char *loop_text(arena *a, const function_code *f, int from, int to) {
    const char *text = "";
    for (int i = from; i <= to; i++)
        text = arena_printf(a, "%s    %s %s\n", text, f->items[i].opcode, f->items[i].operands);
    return text;
}

#endif
