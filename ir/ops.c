// The op and attribute tables, from ops.def and attrs.def.
#include "ir/graph.h"

#include <assert.h>
#include <string.h>
#include <threads.h>

typedef struct op_row {
    const char *name, *attrs;
    int least, most, flags, gradient;
} op_row;

static const op_row ops[] = {
#define OP(name, least, most, attrs, flags, gradient)                                                        \
    [OP_##name] = {#name, attrs, least, most, flags, gradient},
#include "ir/ops.def"
#undef OP
};
static_assert(sizeof(ops) / sizeof(ops[0]) == OP_COUNT, "a row an op");

static const struct {
    const char *name;
    attr_kind kind;
} attrs[] = {
#define ATTR(name, kind) [ATTR_##name] = {#name, ATTR_KIND_##kind},
#include "ir/attrs.def"
#undef ATTR
};
static_assert(sizeof(attrs) / sizeof(attrs[0]) == ATTR_COUNT, "a row an attribute");

const char *op_name(op o) {
    return ops[o].name;
}
int op_flag_bits(op o) {
    return ops[o].flags;
}
int op_gradient_reads(op o) {
    return ops[o].gradient;
}
int op_least_inputs(op o) {
    return ops[o].least;
}
int op_most_inputs(op o) {
    return ops[o].most;
}
const char *attr_name(attr_id id) {
    return attrs[id].name;
}
attr_kind attr_kind_of(attr_id id) {
    return attrs[id].kind;
}

static bool is_word(const char *row, const char *name, size_t n) {
    return strlen(row) == n && memcmp(row, name, n) == 0;
}

op op_find(const char *name, size_t n) {
    for (int o = 0; o < OP_COUNT; o++) {
        if (is_word(ops[o].name, name, n)) return (op)o;
    }
    return OP_COUNT;
}

attr_id attr_find(const char *name, size_t n) {
    for (int id = 0; id < ATTR_COUNT; id++) {
        if (is_word(attrs[id].name, name, n)) return (attr_id)id;
    }
    return ATTR_COUNT;
}

// The rows' words, read once: every check of a graph asks for each attribute of each node.
static enum { TAKES_NONE, TAKES_OPTIONAL, TAKES_REQUIRED } taken[OP_COUNT][ATTR_COUNT];
static once_flag taken_read = ONCE_FLAG_INIT;

static void read_taken(void) {
    for (int o = 0; o < OP_COUNT; o++) {
        for (const char *at = ops[o].attrs; *at;) {
            size_t n = strcspn(at, " ?");
            attr_id id = attr_find(at, n);
            assert(id != ATTR_COUNT);
            taken[o][id] = at[n] == '?' ? TAKES_OPTIONAL : TAKES_REQUIRED;
            at += n + strspn(at + n, " ?");
        }
    }
}

bool op_takes(op o, attr_id id, bool *required) {
    call_once(&taken_read, read_taken);
    if (required) *required = taken[o][id] == TAKES_REQUIRED;
    return taken[o][id] != TAKES_NONE;
}
