// Patterns: terms over the ops of a graph, matched downwards from a root. See rewrite.h for the language.
//
// A pattern has about a dozen tokens, and is parsed again for every attempt. Terms of ops that commute may match with
// their operands swapped. So attempts are numbered, and bit n of the number says whether the n-th such term swaps its
// operands.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

typedef struct attempt {
    rewriter *r;
    const char *p; // the rest of the pattern
    match_result *m;
    unsigned swaps;
    int commuting; // terms seen so far that commute
} attempt;

static void skip_space(attempt *a) {
    while (*a->p == ' ' || *a->p == '\n' || *a->p == '\t') a->p++;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t word_size(const char *p) {
    size_t n = 0;
    while (is_word(p[n])) n++;
    return n;
}

// Names are kept as pointers into the pattern, so their length is that of the word there.
static bool names_equal(const char *a, const char *b, size_t n) {
    return word_size(a) == n && memcmp(a, b, n) == 0;
}

static bool bind(attempt *a, const char *name, size_t n, value v) {
    match_result *m = a->m;
    for (int i = 0; i < m->count; i++)
        if (names_equal(m->names[i], name, n)) return m->values[i] == v;
    assert(m->count < MATCH_MAX);
    m->names[m->count] = name;
    m->values[m->count++] = v;
    return true;
}

// Steps over one pattern without matching it.
static void skip_pattern(attempt *a) {
    skip_space(a);
    int depth = 0;
    do {
        char c = *a->p;
        assert(c != '\0');
        if (c == '(') depth++;
        if (c == ')') depth--;
        if (c == '(' || c == ')' || c == ' ' || c == '\n' || c == '\t') {
            a->p++;
        } else {
            while (*a->p && !strchr("() \n\t", *a->p)) a->p++;
        }
    } while (depth > 0);
    if (*a->p == '@') a->p += 1 + word_size(a->p + 1);
}

static bool match_pattern(attempt *a, value v, bool root);

static bool match_operands(attempt *a, const node *n, bool swap) {
    if (!swap) {
        for (int i = 0; i < n->input_count; i++)
            if (!match_pattern(a, n->inputs[i], false)) return false;
        return true;
    }
    return match_pattern(a, n->inputs[1], false) && match_pattern(a, n->inputs[0], false);
}

static bool match_term(attempt *a, value v, bool root) {
    const graph *g = rewriter_graph(a->r);
    a->p++; // '('
    size_t size = word_size(a->p);
    op o = op_find(a->p, size);
    assert(o != OP_COUNT);
    a->p += size;
    bool shared = *a->p == '*';
    if (shared) a->p++;
    bool swap = false;
    if (op_flag_bits(o) & COMMUTES) swap = (a->swaps >> a->commuting++) & 1u;
    const node *n = graph_node(g, v);
    if (n->op != o || (!root && !shared && !has_one_use(a->r, v))) return false;
    assert(a->m->op_count < MATCH_MAX);
    a->m->ops[a->m->op_count++] = v;
    if (!match_operands(a, n, swap)) return false;
    skip_space(a);
    assert(*a->p == ')');
    a->p++;
    if (*a->p != '@') return true;
    const char *name = a->p + 1;
    a->p = name + word_size(name);
    return bind(a, name, word_size(name), v);
}

static bool match_pattern(attempt *a, value v, bool root) {
    skip_space(a);
    if (*a->p == '(') return match_term(a, v, root);
    const graph *g = rewriter_graph(a->r);
    const char *start = a->p;
    skip_pattern(a);
    if (*start == '_') return true;
    if (*start == '?' || *start == '!') {
        if (*start == '!' && !node_is_constant(graph_node(g, v))) return false;
        return bind(a, start + 1, word_size(start + 1), v);
    }
    double x;
    return value_is_scalar(g, v, &x) && (float)x == (float)strtod(start, NULL);
}

static int count_commuting(const char *p) {
    int n = 0;
    for (; *p; p++)
        if (*p == '(') {
            op o = op_find(p + 1, word_size(p + 1));
            if (o != OP_COUNT && (op_flag_bits(o) & COMMUTES)) n++;
        }
    return n;
}

bool match(rewriter *r, value root, const char *pattern, match_result *m) {
    unsigned attempts = 1u << count_commuting(pattern);
    for (unsigned swaps = 0; swaps < attempts; swaps++) {
        *m = (match_result){0};
        attempt a = {.r = r, .p = pattern, .m = m, .swaps = swaps};
        if (match_pattern(&a, root, true)) return true;
    }
    return false;
}

value match_get(const match_result *m, const char *name) {
    size_t n = strlen(name);
    for (int i = 0; i < m->count; i++)
        if (names_equal(m->names[i], name, n)) return m->values[i];
    assert(0 && "no such name in the pattern");
    return VALUE_NONE;
}
