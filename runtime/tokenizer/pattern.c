// Patterns of a tokenizer's steps, by PCRE2: compiled once an encoder, with what matching needs, so that it
// allocates nothing. A table's patterns may be anything, and so may a text.
//
// A match is first tried quickly: within WINDOW bytes and QUICK_STEPS of PCRE2's own count at each start. What
// lies behind the window can't change what is found, because PCRE2 reports a match that touches its end
// (PCRE2_PARTIAL_HARD). That bounds the time a byte. A start that needs more is tried alone, by code that calls
// back at each item of the pattern: calls, and bytes passed between two of them, are taken from the budget of
// the encoder's call.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/tokenizer/encoder.h"

#define WINDOW       128u // bytes
#define QUICK_STEPS  64u  // of backtracking at a start
#define CALL_WORK    16u  // what a call back takes of the budget, beside the bytes passed
#define MOST_STEPS   (1u << 30)
#define MOST_FRAMES  16384u      // KiB of the interpreter's frames
#define FRAMES_ROOM  (40u << 20) // bytes of these while they grow by doubling
#define JIT_STACK    (1u << 20)
#define MOST_PATTERN 65536u // bytes

// A step's pattern, for quick tries and for those that are counted.
typedef struct pattern_code {
    pcre2_code *quick, *counted;
} pattern_code;

struct matcher {
    encoder *e;
    pcre2_general_context *memory;
    pcre2_compile_context *compiler;
    pcre2_match_context *quick, *counted;
    pcre2_match_data *found;
    pcre2_jit_stack *stack;
    uint8_t *frames; // FRAMES_ROOM bytes for the interpreter
    size_t frames_used;
    bool opened;          // from then on nothing is allocated
    size_t last;          // where the last call back was
    pattern_code codes[]; // of the normaliser's steps, then of the pre-tokeniser's
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

// PCRE2's memory. Once opened it is the interpreter's frames alone that it asks for: it keeps the largest that
// it had, and copies it when it doubles it.
static void *take(size_t size, void *data) {
    matcher *m = data;
    if (!m->opened) return heap_alloc(size, 1);
    size = (size + 15) & ~(size_t)15;
    if (size > FRAMES_ROOM - m->frames_used) return NULL;
    void *p = m->frames + m->frames_used;
    m->frames_used += size;
    return p;
}

static void give(void *p, void *data) {
    matcher *m = data;
    uintptr_t at = (uintptr_t)p, frames = (uintptr_t)m->frames;
    if (at < frames || at >= frames + FRAMES_ROOM) free(p);
}

static int on_item(pcre2_callout_block *block, void *data) {
    matcher *m = data;
    size_t at = block->current_position, passed = at > m->last ? at - m->last : m->last - at;
    m->last = at;
    return encoder_work(m->e, CALL_WORK + passed) ? 0 : PCRE2_ERROR_CALLOUT;
}

static pcre2_code *compile_one(const encoder *e, const bertc_step *step, uint32_t options, int *code,
                               size_t *at) {
    return pcre2_compile((PCRE2_SPTR)e->t->strings + step->text, step->size, BERTC_PATTERN_OPTIONS | options,
                         code, at, e->matcher->compiler);
}

static bool compile(encoder *e, size_t i, bertc_error *error) {
    const bertc_step *step = step_at(e, i);
    pattern_code *out = &e->matcher->codes[i];
    int code = 0;
    size_t at = 0;
    if (step->size > MOST_PATTERN) return error_set(error, "tokenizer table: a pattern is too long");
    out->quick = compile_one(e, step, 0, &code, &at);
    if (out->quick) out->counted = compile_one(e, step, PCRE2_AUTO_CALLOUT, &code, &at);
    if (!out->counted && code == PCRE2_ERROR_HEAP_FAILED)
        return error_set(error, "out of memory for a pattern");
    if (!out->counted)
        return error_set(error, "tokenizer table: pattern `%.200s` is no regular expression at byte %zu",
                         e->t->strings + step->text, at);
    // without it, it is interpreted
    pcre2_jit_compile(out->quick, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
    return true;
}

bool matcher_open(encoder *e, bertc_error *error) {
    size_t count = step_count(e), patterns = 0;
    for (size_t i = 0; i < count; i++) patterns += has_pattern(step_at(e, i));
    if (!patterns) return true;
    matcher *m = e->matcher = heap_zero(1, sizeof *m + count * sizeof *m->codes);
    if (!m) return error_set(error, "out of memory");
    m->e = e;
    m->frames = heap_reserve(FRAMES_ROOM);
    if (m->frames && mprotect(m->frames, FRAMES_ROOM, PROT_READ | PROT_WRITE))
        return error_set(error, "out of memory");
    m->memory = pcre2_general_context_create(take, give, m);
    m->compiler = m->frames && m->memory ? pcre2_compile_context_create(m->memory) : NULL;
    if (!m->compiler) return error_set(error, "out of memory");
    m->quick = pcre2_match_context_create(m->memory);
    m->counted = pcre2_match_context_create(m->memory);
    m->found = pcre2_match_data_create(1, m->memory);
    m->stack = pcre2_jit_stack_create(32768, JIT_STACK, m->memory);
    if (!m->quick || !m->counted || !m->found) return error_set(error, "out of memory");
    pcre2_set_match_limit(m->quick, QUICK_STEPS);
    pcre2_set_match_limit(m->counted, MOST_STEPS);
    pcre2_set_depth_limit(m->counted, MOST_STEPS);
    pcre2_set_heap_limit(m->quick, MOST_FRAMES);
    pcre2_set_heap_limit(m->counted, MOST_FRAMES);
    pcre2_set_callout(m->counted, on_item, m);
    if (m->stack) pcre2_jit_stack_assign(m->quick, NULL, m->stack);
    for (size_t i = 0; i < count; i++) {
        if (has_pattern(step_at(e, i)) && !compile(e, i, error)) return false;
    }
    m->opened = true;
    return true;
}

void matcher_close(encoder *e) {
    matcher *m = e->matcher;
    if (!m) return;
    for (size_t i = 0; i < step_count(e); i++) {
        pcre2_code_free(m->codes[i].quick);
        pcre2_code_free(m->codes[i].counted);
    }
    pcre2_match_data_free(m->found);
    pcre2_match_context_free(m->quick);
    pcre2_match_context_free(m->counted);
    pcre2_jit_stack_free(m->stack);
    pcre2_compile_context_free(m->compiler);
    pcre2_general_context_free(m->memory);
    if (m->frames) munmap(m->frames, FRAMES_ROOM);
    free(m);
    e->matcher = NULL;
}

static size_t next_start(const matches *m) {
    return m->next + (m->next < m->size ? utf8_length(m->bytes[m->next]) : 1);
}

enum {
    GO_ON = 1
}; // no code of PCRE2's: it gives 0 for a match here, since there is room for its whole alone

static int match(matcher *with, const pcre2_code *code, const matches *m, size_t end, uint32_t options,
                 pcre2_match_context *context) {
    int n = pcre2_match(code, m->bytes, end, m->next, PCRE2_NO_UTF_CHECK | options, with->found, context);
    return n > 0 ? 0 : n;
}

// Tries the starts from m->next on, up to the window's end. 0: a match, GO_ON: the search goes on from a later
// m->next or by counted tries, else PCRE2's error.
static int try_quick(matcher *with, const pcre2_code *code, matches *m) {
    size_t end = m->size - m->next > WINDOW ? m->next + WINDOW : m->size;
    while (end < m->size && (m->bytes[end] & 0xc0) == 0x80) end--;
    int n = match(with, code, m, end, end < m->size ? PCRE2_PARTIAL_HARD : 0, with->quick);
    if (!n || (n == PCRE2_ERROR_NOMATCH && end == m->size)) return n;
    if (n == PCRE2_ERROR_PARTIAL) { // none begins before this start
        size_t at = pcre2_get_ovector_pointer(with->found)[0];
        if (at > m->next && at < end) m->next = at;
        m->counted = m->next + 1;
    } else if (n == PCRE2_ERROR_NOMATCH) {
        m->next = end;
    } else { // one of these starts needs more
        m->counted = end + 1;
    }
    return GO_ON;
}

// Tries the start at m->next alone.
static int try_counted(matcher *with, const pcre2_code *code, matches *m) {
    with->last = m->next;
    int n = match(with, code, m, m->size, PCRE2_ANCHORED, with->counted);
    if (n != PCRE2_ERROR_NOMATCH || m->next == m->size) return n;
    m->next = next_start(m);
    return GO_ON;
}

bool matcher_next(encoder *e, const bertc_step *step, matches *m, size_t *start, size_t *end) {
    matcher *with = e->matcher;
    const pattern_code *code = &with->codes[step_index(e, step)];
    while (m->next <= m->size && !e->failed) {
        bool counted = m->next < m->counted;
        size_t from = m->next;
        int n = counted ? try_counted(with, code->counted, m) : try_quick(with, code->quick, m);
        if (n == GO_ON) continue;
        if (n == PCRE2_ERROR_NOMATCH) return false;
        const size_t *at = pcre2_get_ovector_pointer(with->found);
        if (n < 0 || at[0] < from || at[1] < at[0]) return encoder_fail(e, ENCODER_WORK_DONE);
        *start = at[0];
        *end = at[1];
        bool again = at[0] == at[1] && m->any && m->last == at[1]; // an empty match where the last one ended
        if (again) {
            m->next = next_start(m);
            continue;
        }
        m->next = m->last = at[1];
        m->any = true;
        return true;
    }
    return false;
}
