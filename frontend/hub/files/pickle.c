// Protocol 2, of which torch.save uses these instructions. https://docs.python.org/3/library/pickletools.html
#include "frontend/hub/files/pickle.h"

#include <inttypes.h>
#include <string.h>

#include <stdarg.h>
#include <stdio.h>

// More than any checkpoint has; they bound what a hostile file can cost.
enum { MOST_BYTES = 64 << 20, MOST_VALUES = 1 << 20, MOST_STACK = 1 << 16, MOST_TEXT = 1 << 12 };

typedef struct machine {
    const unsigned char *data;
    size_t size, at, begin; // begin: of the instruction
    const char *name;
    arena *a;
    diag *d;
    pickle_value **stack; // NULL: a mark
    pickle_value **memo;
    int depth, values, memo_room;
} machine;

__attribute__((format(printf, 2, 3))) static bool wrong(const machine *m, const char *format, ...) {
    char cause[400];
    va_list list;
    va_start(list, format);
    vsnprintf(cause, sizeof cause, format, list);
    va_end(list);
    return diag_error(m->d, m->name, "byte %zu: %s", m->begin, cause);
}

// --- Bytes

static const unsigned char *take(machine *m, size_t n) {
    const unsigned char *p = m->data + m->at;
    if (n > m->size - m->at) return wrong(m, "the pickle ends within an instruction"), NULL;
    m->at += n;
    return p;
}

static bool take_number(machine *m, int bytes, uint64_t *out) {
    const unsigned char *p = take(m, (size_t)bytes);
    *out = 0;
    for (int i = bytes - 1; p && i >= 0; i--) *out = *out << 8 | p[i];
    return p != NULL;
}

// A line without its end, as GLOBAL has two.
static const char *take_line(machine *m) {
    const unsigned char *p = m->data + m->at, *end = memchr(p, '\n', m->size - m->at);
    size_t n = end ? (size_t)(end - p) : 0;
    if (!end || n > MOST_TEXT || memchr(p, 0, n)) return wrong(m, "a name does not end"), NULL;
    m->at += n + 1;
    return arena_strndup(m->a, (const char *)p, n);
}

// --- Stack

static pickle_value *make(machine *m, pickle_kind kind) {
    if (++m->values > MOST_VALUES) return wrong(m, "the pickle makes more than %d values", MOST_VALUES), NULL;
    pickle_value *v = ARENA_NEW(m->a, pickle_value);
    *v = (pickle_value){.kind = kind, .at = m->begin};
    return v;
}

static bool push(machine *m, pickle_value *v) {
    if (m->depth == MOST_STACK) return wrong(m, "the pickle's stack has more than %d values", MOST_STACK);
    m->stack[m->depth++] = v;
    return true;
}

static bool push_new(machine *m, pickle_kind kind, int64_t number) {
    pickle_value *v = make(m, kind);
    if (v) v->number = number;
    return v && push(m, v);
}

// The value on top; NULL, with an error, where there is none above the last mark.
static pickle_value *top(const machine *m) {
    pickle_value *v = m->depth ? m->stack[m->depth - 1] : NULL;
    if (!v) wrong(m, "the pickle takes a value where there is none");
    return v;
}

static pickle_value *pop(machine *m) {
    pickle_value *v = top(m);
    m->depth -= v != NULL;
    return v;
}

// Takes away the last mark and what is above it: *count values at the result.
static pickle_value **pop_mark(machine *m, int *count) {
    int at = m->depth;
    while (at > 0 && m->stack[at - 1]) at--;
    if (!at) return wrong(m, "the pickle looks for a mark where there is none"), NULL;
    *count = m->depth - at;
    m->depth = at - 1;
    return m->stack + at;
}

// --- Values

static bool is_text(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] < 32) return false;
    return true;
}

static bool push_text(machine *m, int bytes) {
    uint64_t n;
    const unsigned char *p = take_number(m, bytes, &n) ? take(m, (size_t)n) : NULL;
    if (!p) return false;
    // Long ones, and those with control characters, are no name of a tensor.
    bool name = n <= MOST_TEXT && is_text(p, (size_t)n);
    pickle_value *v = make(m, name ? PICKLE_TEXT : PICKLE_OTHER);
    if (v && name) v->text = arena_strndup(m->a, (const char *)p, (size_t)n);
    return v && push(m, v);
}

// A whole number of `bytes` bytes, the last of which has the sign.
static bool push_long(machine *m) {
    uint64_t n, x = 0;
    if (!take_number(m, 1, &n)) return false;
    const unsigned char *p = take(m, (size_t)n);
    if (!p) return false;
    if (n > 8) return push_new(m, PICKLE_OTHER, 0);
    if (n && p[n - 1] & 128) x = UINT64_MAX;
    for (size_t i = (size_t)n; i-- > 0;) x = x << 8 | p[i];
    return push_new(m, PICKLE_INT, (int64_t)x);
}

static bool push_tuple(machine *m, pickle_value **items, int count) {
    pickle_value *v = make(m, PICKLE_TUPLE);
    if (!v) return false;
    m->values += count / 8; // they are memory too
    v->items = arena_array(m->a, (size_t)count + 1, sizeof *v->items);
    if (count) memcpy(v->items, items, (size_t)count * sizeof *items);
    v->count = count;
    return push(m, v);
}

static bool push_tuple_of(machine *m, int count) {
    int at = m->depth - count;
    for (int i = m->depth; i-- > (at < 0 ? 0 : at);)
        if (!m->stack[i]) at = -1;
    if (at < 0) return wrong(m, "the pickle takes a value where there is none");
    m->depth = at;
    return push_tuple(m, m->stack + at, count);
}

static void append(machine *m, pickle_value *v, pickle_value *item) {
    if (v->count == v->room) {
        int room = v->room ? 2 * v->room : 8;
        pickle_value **grown = arena_array(m->a, (size_t)room, sizeof *grown);
        if (v->count) memcpy(grown, v->items, (size_t)v->count * sizeof *grown);
        v->items = grown;
        v->room = room;
    }
    v->items[v->count++] = item;
}

static bool set_items(machine *m, pickle_value **items, int count) {
    pickle_value *to = top(m);
    if (!to) return false;
    if (to->kind != PICKLE_DICT || count % 2) return wrong(m, "the pickle fills what is no dictionary");
    m->values += count / 4;
    for (int i = 0; i < count; i++) append(m, to, items[i]);
    return true;
}

// --- Names

static const struct {
    const char *module, *name, *type;
    pickle_global global;
} known[] = {
    {"collections", "OrderedDict", NULL, GLOBAL_DICT},
    {"torch._utils", "_rebuild_tensor_v2", NULL, GLOBAL_TENSOR},
    {"torch._utils", "_rebuild_parameter", NULL, GLOBAL_PARAMETER},
    {"torch", "FloatStorage", "F32", GLOBAL_NUMBERS},
    {"torch", "HalfStorage", "F16", GLOBAL_NUMBERS},
    {"torch", "BFloat16Storage", "BF16", GLOBAL_NUMBERS},
    {"torch", "DoubleStorage", "F64", GLOBAL_NUMBERS},
    {"torch", "LongStorage", "I64", GLOBAL_NUMBERS},
    {"torch", "IntStorage", "I32", GLOBAL_NUMBERS},
    {"torch", "ShortStorage", "I16", GLOBAL_NUMBERS},
    {"torch", "CharStorage", "I8", GLOBAL_NUMBERS},
    {"torch", "ByteStorage", "U8", GLOBAL_NUMBERS},
    {"torch", "BoolStorage", "BOOL", GLOBAL_NUMBERS},
};

static bool push_global(machine *m) {
    const char *from = take_line(m), *name = from ? take_line(m) : NULL;
    if (!name) return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].module, from) != 0 || strcmp(known[i].name, name) != 0) continue;
        pickle_value *v = make(m, PICKLE_GLOBAL);
        if (!v) return false;
        v->global = known[i].global;
        v->text = known[i].type;
        return push(m, v);
    }
    return wrong(
        m,
        "asks for `%.100s.%.100s`, and no code of a pickle is ever run: only dictionaries of tensors are "
        "read (torch.save(model.state_dict(), FILE), or save it as safetensors)",
        from, name);
}

static bool are(const pickle_value *tuple, int count, const pickle_kind *kinds) {
    if (tuple->kind != PICKLE_TUPLE || tuple->count < count) return false;
    for (int i = 0; i < count; i++)
        if (tuple->items[i]->kind != kinds[i]) return false;
    return true;
}

// A storage's persistent id: ("storage", type, key, device, numbers).
static bool load_storage(machine *m) {
    static const pickle_kind kinds[] = {PICKLE_TEXT, PICKLE_GLOBAL, PICKLE_TEXT, PICKLE_TEXT, PICKLE_INT};
    pickle_value *id = pop(m);
    if (!id) return false;
    if (!are(id, 5, kinds) || id->count > 6 || strcmp(id->items[0]->text, "storage") != 0 ||
        id->items[1]->global != GLOBAL_NUMBERS)
        return wrong(m, "the pickle loads something that is no storage of numbers");
    pickle_value *v = make(m, PICKLE_STORAGE);
    if (!v) return false;
    v->text = id->items[1]->text;
    v->number = id->items[4]->number;
    v->items = id->items + 2;
    v->count = 1;
    return push(m, v);
}

static bool are_numbers(const pickle_value *tuple) {
    for (int i = 0; i < tuple->count; i++)
        if (tuple->items[i]->kind != PICKLE_INT) return false;
    return true;
}

static bool push_tensor(machine *m, const pickle_value *given) {
    static const pickle_kind kinds[] = {PICKLE_STORAGE, PICKLE_INT, PICKLE_TUPLE, PICKLE_TUPLE};
    if (!are(given, 4, kinds) || given->count > 7 || !are_numbers(given->items[2]) ||
        !are_numbers(given->items[3]) || given->items[2]->count != given->items[3]->count)
        return wrong(m, "the pickle makes a tensor of what is no storage, offset, sizes and strides");
    pickle_value *v = make(m, PICKLE_TENSOR);
    if (!v) return false;
    v->number = given->items[1]->number;
    v->items = arena_array(m->a, 3, sizeof *v->items);
    v->count = 3;
    v->items[0] = given->items[0], v->items[1] = given->items[2], v->items[2] = given->items[3];
    return push(m, v);
}

// A "call": of the three that are known, each of which only says what a value is.
static bool reduce(machine *m) {
    pickle_value *given = pop(m), *what = given ? pop(m) : NULL;
    if (!what) return false;
    if (what->kind != PICKLE_GLOBAL || given->kind != PICKLE_TUPLE)
        return wrong(m, "the pickle calls what is no function");
    switch (what->global) {
    case GLOBAL_DICT:
        if (given->count) return wrong(m, "the pickle makes a dictionary of something");
        return push_new(m, PICKLE_DICT, 0);
    case GLOBAL_TENSOR: return push_tensor(m, given);
    case GLOBAL_PARAMETER:
        if (!given->count || given->items[0]->kind != PICKLE_TENSOR)
            return wrong(m, "the pickle makes a parameter of what is no tensor");
        return push(m, given->items[0]);
    case GLOBAL_NUMBERS: break;
    }
    return wrong(m, "the pickle calls what is no function");
}

// Attributes of a dictionary, which state_dict() has: not read.
static bool build(machine *m) {
    pickle_value *state = pop(m), *of = state ? top(m) : NULL;
    if (!of) return false;
    return of->kind == PICKLE_DICT || wrong(m, "the pickle sets attributes of what is no dictionary");
}

// --- Memo

static bool put(machine *m, int bytes) {
    uint64_t i;
    pickle_value *v = top(m);
    if (!v || !take_number(m, bytes, &i)) return false;
    if (i >= MOST_VALUES) return wrong(m, "the pickle numbers a value %" PRIu64, i);
    if ((int)i >= m->memo_room) {
        int room = m->memo_room ? m->memo_room : 256;
        while (room <= (int)i) room *= 2;
        pickle_value **grown = arena_array(m->a, (size_t)room, sizeof *grown);
        memset(grown, 0, (size_t)room * sizeof *grown);
        if (m->memo_room) memcpy(grown, m->memo, (size_t)m->memo_room * sizeof *grown);
        m->memo = grown;
        m->memo_room = room;
    }
    m->memo[i] = v;
    return true;
}

static bool get(machine *m, int bytes) {
    uint64_t i;
    if (!take_number(m, bytes, &i)) return false;
    if (i >= (uint64_t)m->memo_room || !m->memo[i])
        return wrong(m, "the pickle takes value %" PRIu64 " before it is there", i);
    return push(m, m->memo[i]);
}

// --- Instructions

static bool set_item(machine *m) {
    pickle_value *pair[2];
    pair[1] = pop(m);
    pair[0] = pair[1] ? pop(m) : NULL;
    return pair[0] && set_items(m, pair, 2);
}

static bool set_marked(machine *m) {
    int count;
    pickle_value **items = pop_mark(m, &count);
    return items && set_items(m, items, count);
}

// Items of a list, which are dropped.
static bool drop_items(machine *m, bool marked) {
    int count;
    bool ok = marked ? pop_mark(m, &count) != NULL : pop(m) != NULL;
    pickle_value *to = ok ? top(m) : NULL;
    return to && (to->kind == PICKLE_OTHER || wrong(m, "the pickle fills what is no list"));
}

static bool push_marked_tuple(machine *m) {
    int count;
    pickle_value **items = pop_mark(m, &count);
    return items && push_tuple(m, items, count);
}

static bool push_number(machine *m, int bytes) {
    uint64_t x;
    return take_number(m, bytes, &x) &&
           push_new(m, PICKLE_INT, bytes == 4 ? (int32_t)(uint32_t)x : (int64_t)x);
}

static bool protocol(machine *m) {
    uint64_t version;
    if (!take_number(m, 1, &version)) return false;
    return version <= 2 || wrong(m, "pickle protocol %" PRIu64 " is not read: torch.save writes 2", version);
}

static bool push_float(machine *m) {
    return take(m, 8) && push_new(m, PICKLE_OTHER, 0);
}

static bool push_mark(machine *m) {
    return push(m, NULL);
}

// One instruction but the last.
static bool step(machine *m, unsigned char instruction) {
    switch (instruction) {
    case 0x80: return protocol(m);
    case '(': return push_mark(m);
    case 'N':
    case ']': return push_new(m, PICKLE_OTHER, 0);
    case '}': return push_new(m, PICKLE_DICT, 0);
    case ')': return push_tuple(m, NULL, 0);
    case 't': return push_marked_tuple(m);
    case 0x85:
    case 0x86:
    case 0x87: return push_tuple_of(m, instruction - 0x84);
    case 0x88:
    case 0x89: return push_new(m, PICKLE_INT, instruction == 0x88);
    case 'K': return push_number(m, 1);
    case 'M': return push_number(m, 2);
    case 'J': return push_number(m, 4);
    case 0x8a: return push_long(m);
    case 'G': return push_float(m);
    case 'X':
    case 'T': return push_text(m, 4);
    case 'U': return push_text(m, 1);
    case 'c': return push_global(m);
    case 'R': return reduce(m);
    case 'b': return build(m);
    case 'Q': return load_storage(m);
    case 'q': return put(m, 1);
    case 'r': return put(m, 4);
    case 'h': return get(m, 1);
    case 'j': return get(m, 4);
    case 's': return set_item(m);
    case 'u': return set_marked(m);
    case 'a': return drop_items(m, false);
    case 'e': return drop_items(m, true);
    default: return wrong(m, "instruction 0x%02x is none that a dictionary of tensors needs", instruction);
    }
}

pickle_value *pickle_read(const unsigned char *data, size_t size, const char *name, arena *a, diag *d) {
    machine m = {.data = data, .size = size, .name = name, .a = a, .d = d};
    if (size > MOST_BYTES) return diag_error(d, name, "has more than %d bytes", MOST_BYTES), NULL;
    m.stack = arena_array(a, MOST_STACK, sizeof *m.stack);
    for (;;) {
        m.begin = m.at;
        const unsigned char *p = take(&m, 1);
        if (!p) return NULL;
        if (*p == '.') break;
        if (!step(&m, *p)) return NULL;
    }
    pickle_value *v = pop(&m);
    if (v && (m.depth || m.at != size)) wrong(&m, "something is left behind the pickle's end"), v = NULL;
    return v;
}
