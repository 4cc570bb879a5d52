// Variants of the text form: capacities, places, schedules.
#include "ir/text_parse.h"

#include <string.h>

#define MOST_VARIANTS 64 // each has a row a value: what a short text can ask for stays small

typedef struct field {
    const char *name;
    int64_t *to;
} field;

static bool read_fields(parser *p, variant *x) {
    const field fields[] = {
        {"length", &x->length},     {"sequences", &x->sequences},     {"tokens", &x->tokens},
        {"row_tile", &x->row_tile}, {"arena_bytes", &x->arena_bytes},
    };
    const char *isa;
    if (!expect(&p->s, "{") || !expect_word(&p->s, "isa") || !expect(&p->s, "=")) return false;
    if (!read_name(&p->s, &isa, "the ISA's name")) return false;
    x->isa = arena_strdup(p->a, isa);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!expect(&p->s, ",") || !expect_word(&p->s, fields[i].name) || !expect(&p->s, "=") ||
            !read_i64(&p->s, fields[i].to))
            return false;
    }
    return expect(&p->s, "}");
}

// "at arena+4096 ld 768"
static bool read_place(parser *p, place *out) {
    static const char *const kinds[] = {"none", "weight", "arena", "input", "state"};
    enum { COUNT = sizeof kinds / sizeof *kinds };
    spot at = here(&p->s);
    slice w;
    if (!read_word(&p->s, false, &w, "weight, arena, input or state")) return false;
    int kind = 0;
    while (kind < COUNT && !slice_is(w, kinds[kind])) kind++;
    if (kind == COUNT)
        return scan_error(&p->s, at, "a place begins with weight, arena, input, state or none");
    out->kind = (place_kind)kind;
    if (!expect(&p->s, "+") || !read_i64(&p->s, &out->offset)) return false;
    return !accept_word(&p->s, "ld") || read_i64(&p->s, &out->ld);
}

// "[8,48]"
static bool read_pair(parser *p, int32_t *first, int32_t *second) {
    return expect(&p->s, "[") && read_i32(&p->s, first) && expect(&p->s, ",") && read_i32(&p->s, second) &&
           expect(&p->s, "]");
}

// "[rows[0,0], rows[8,0], columns[16,96], columns[16,48]]": one for each thread class.
static bool read_splits(parser *p, schedule *s) {
    if (!expect(&p->s, "[")) return false;
    for (int i = 0; i < THREAD_CLASSES; i++) {
        if (i && !expect(&p->s, ",")) return false;
        bool columns = accept_word(&p->s, "columns");
        if (!columns && !expect_word(&p->s, "rows")) return false;
        s->splits[i].form = columns ? FORM_COLUMNS : FORM_ROWS;
        if (!read_pair(p, &s->splits[i].block_rows, &s->splits[i].block_columns)) return false;
    }
    return expect(&p->s, "]");
}

static bool read_schedule_field(parser *p, schedule *s) {
    spot at = here(&p->s);
    slice w;
    if (!read_word(&p->s, false, &w, "a schedule's field") || !expect(&p->s, "=")) return false;
    if (slice_is(w, "tile")) return read_pair(p, &s->tile_rows, &s->tile_columns);
    if (slice_is(w, "chunk")) return read_i32(&p->s, &s->chunk);
    if (slice_is(w, "prefetch")) return read_i32(&p->s, &s->prefetch);
    if (slice_is(w, "splits")) return read_splits(p, s);
    return scan_error(&p->s, at, "a schedule has tile, chunk, prefetch and splits, not %.*s", (int)w.n, w.at);
}

// "%x at arena+64 ld 768 {tile = [8,48]}"
static bool read_row(parser *p, const scope *top, variant *x, bool *seen) {
    spot at = here(&p->s);
    value v = VALUE_NONE;
    if (!read_value(p, top, &v)) return false;
    if (seen[v]) return scan_error(&p->s, at, "the value is twice in this variant");
    seen[v] = true;
    if (accept_word(&p->s, "at") && !read_place(p, &x->places[v])) return false;
    if (!accept(&p->s, "{")) return true;
    do {
        if (!read_schedule_field(p, &x->schedules[v])) return false;
    } while (accept(&p->s, ","));
    return expect(&p->s, "}");
}

static bool read_variant(parser *p, const scope *top, variant *x) {
    const char *name;
    if (!read_name(&p->s, &name, "the variant's name") || !read_fields(p, x)) return false;
    x->name = arena_strdup(p->a, name);
    x->places = ARENA_ARRAY(p->a, place, top->g->count);
    x->schedules = ARENA_ARRAY(p->a, schedule, top->g->count);
    bool *seen = ARENA_ARRAY(p->s.a, bool, top->g->count);
    if (!expect(&p->s, "{")) return false;
    while (!accept(&p->s, "}"))
        if (!read_row(p, top, x, seen)) return false;
    return true;
}

bool read_variants(parser *p, const scope *top) {
    graph *g = top->g;
    while (accept_word(&p->s, "variant")) {
        if (g->variant_count == MOST_VARIANTS)
            return scan_error(&p->s, here(&p->s), "more than %d variants", MOST_VARIANTS);
        if (!g->variants) g->variants = ARENA_ARRAY(p->a, variant, MOST_VARIANTS);
        if (!read_variant(p, top, &g->variants[g->variant_count++])) return false;
    }
    return true;
}
