// Patterns of a tokenizer's steps, by PCRE2. Each encoder compiles them once, with the memory that matching
// needs, so that matching allocates nothing. A table may hold any pattern: limits end a match that would
// run without end.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/tokenizer/encoder.h"

#define MOST_STEPS   1000000u // of backtracking in a match
#define MOST_HEAP    65536u   // KiB
#define JIT_STACK    (1u << 20)
#define MOST_PATTERN 65536u // bytes

struct matcher {
    pcre2_general_context *memory;
    pcre2_compile_context *compiler;
    pcre2_match_context *limits;
    pcre2_match_data *found;
    pcre2_jit_stack *stack;
    pcre2_code *codes[]; // of the normaliser's steps, then of the pre-tokeniser's
};

static bool has_pattern(const bertc_step *step) {
    return step->kind == BERTC_STEP_REPLACE_PATTERN || step->kind == BERTC_STEP_SPLIT_PATTERN;
}

static const bertc_step *step_at(const encoder *e, size_t i) {
    size_t normalizer = e->t->table->normalizer.count;
    return i < normalizer ? &e->t->normalizer[i] : &e->t->pretokenizer[i - normalizer];
}

static size_t step_index(const encoder *e, const bertc_step *step) {
    return step->kind == BERTC_STEP_REPLACE_PATTERN
               ? (size_t)(step - e->t->normalizer)
               : e->t->table->normalizer.count + (size_t)(step - e->t->pretokenizer);
}

static size_t step_count(const encoder *e) {
    return (size_t)e->t->table->normalizer.count + e->t->table->pretokenizer.count;
}

static bool compile(encoder *e, size_t i, bertc_error *error) {
    const bertc_step *step = step_at(e, i);
    int code = 0;
    size_t at = 0;
    if (step->size > MOST_PATTERN) return error_set(error, "tokenizer table: a pattern is too long");
    e->matcher->codes[i] = pcre2_compile((PCRE2_SPTR)e->t->strings + step->text, step->size,
                                         BERTC_PATTERN_OPTIONS, &code, &at, e->matcher->compiler);
    if (!e->matcher->codes[i] && code == PCRE2_ERROR_HEAP_FAILED)
        return error_set(error, "out of memory for a pattern");
    if (!e->matcher->codes[i])
        return error_set(error, "tokenizer table: pattern `%.200s` is no regular expression at byte %zu",
                         e->t->strings + step->text, at);
    pcre2_jit_compile(e->matcher->codes[i], PCRE2_JIT_COMPLETE); // without it, it is interpreted
    return true;
}

bool matcher_open(encoder *e, bertc_error *error) {
    size_t count = step_count(e), patterns = 0;
    for (size_t i = 0; i < count; i++) patterns += has_pattern(step_at(e, i));
    if (!patterns) return true;
    matcher *m = e->matcher = heap_zero(1, sizeof *m + count * sizeof *m->codes);
    if (!m) return error_set(error, "out of memory");
    m->memory = pcre2_general_context_create(heap_for_pcre2, heap_free_for_pcre2, NULL);
    m->compiler = m->memory ? pcre2_compile_context_create(m->memory) : NULL;
    if (!m->compiler) return error_set(error, "out of memory");
    m->limits = pcre2_match_context_create(m->memory);
    m->found = pcre2_match_data_create(1, m->memory);
    m->stack = pcre2_jit_stack_create(32768, JIT_STACK, m->memory);
    if (!m->limits || !m->found) return error_set(error, "out of memory");
    pcre2_set_match_limit(m->limits, MOST_STEPS);
    pcre2_set_heap_limit(m->limits, MOST_HEAP);
    if (m->stack) pcre2_jit_stack_assign(m->limits, NULL, m->stack);
    for (size_t i = 0; i < count; i++) {
        if (has_pattern(step_at(e, i)) && !compile(e, i, error)) return false;
    }
    return true;
}

void matcher_close(encoder *e) {
    matcher *m = e->matcher;
    if (!m) return;
    for (size_t i = 0; i < step_count(e); i++) pcre2_code_free(m->codes[i]);
    pcre2_match_data_free(m->found);
    pcre2_match_context_free(m->limits);
    pcre2_jit_stack_free(m->stack);
    pcre2_compile_context_free(m->compiler);
    pcre2_general_context_free(m->memory);
    free(m);
    e->matcher = NULL;
}

bool matcher_next(encoder *e, const bertc_step *step, matches *m, size_t *start, size_t *end) {
    matcher *with = e->matcher;
    const pcre2_code *code = with->codes[step_index(e, step)];
    while (m->next <= m->size && !e->failed) {
        int n = pcre2_match(code, m->bytes, m->size, m->next, PCRE2_NO_UTF_CHECK, with->found, with->limits);
        if (n == PCRE2_ERROR_JIT_STACKLIMIT)
            n = pcre2_match(code, m->bytes, m->size, m->next, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, with->found,
                            with->limits);
        if (n == PCRE2_ERROR_NOMATCH) return false;
        const size_t *at = pcre2_get_ovector_pointer(with->found);
        if (n < 0 || at[0] < m->next || at[1] < at[0]) {
            e->failed = e->pattern_failed = true;
            return false;
        }
        *start = at[0];
        *end = at[1];
        bool again = at[0] == at[1] && m->any && m->last == at[1]; // an empty match where the last one ended
        if (again) {
            m->next += m->next < m->size ? utf8_length(m->bytes[m->next]) : 1;
            continue;
        }
        m->next = m->last = at[1];
        m->any = true;
        return true;
    }
    return false;
}
