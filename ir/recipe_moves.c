// Recipes that only move elements: finds the place of each part of a tensor in the result.
#include "ir/recipe.h"

#include <string.h>

// A recipe's result as a matrix: a matrix is itself, anything else one row.
typedef struct frame {
    int64_t rows, columns;
} frame;

static frame frame_of(const recipe *r) {
    bool matrix = r->type.rank == 2;
    return (frame){matrix ? r->type.d[0].n : 1, matrix ? r->type.d[1].n : type_count(&r->type)};
}

// Elements of the axes before `axis`, and of those behind it.
static void around(const type *t, int64_t axis, int64_t *outer, int64_t *inner) {
    *outer = *inner = 1;
    for (int i = 0; i < t->rank; i++) *(i < axis ? outer : inner) *= i == axis ? 1 : t->d[i].n;
}

typedef struct moves {
    arena *a;
    recipe_move *items;
    int count, room;
} moves;

static void add(moves *m, recipe_move x) {
    if (m->count == m->room) {
        int room = m->room ? 2 * m->room : 4;
        recipe_move *items = ARENA_ARRAY(m->a, recipe_move, room);
        if (m->count) memcpy(items, m->items, sizeof(*items) * (size_t)m->count);
        m->items = items;
        m->room = room;
    }
    m->items[m->count++] = x;
}

static bool collect(const recipe *r, moves *m);

static bool widens(const recipe *r) {
    elem from = r->parts[0]->type.e;
    return r->type.e == ELEM_F32 && elem_is_float(from) && elem_size(from) <= elem_size(ELEM_F32);
}

static void transpose(recipe_move *x) {
    *x = (recipe_move){.tensor = x->tensor,
                       .rows = x->columns,
                       .columns = x->rows,
                       .first = x->first,
                       .row_step = x->column_step,
                       .column_step = x->row_step,
                       .row = x->column,
                       .column = x->row};
}

static bool concat(const recipe *r, moves *m) {
    int64_t outer, inner, at = 0;
    bool matrix = r->type.rank == 2;
    around(&r->type, r->axis, &outer, &inner);
    if (!matrix && outer != 1) return false;
    for (int i = 0; i < r->part_count; i++) {
        int first = m->count;
        if (!collect(r->parts[i], m)) return false;
        for (int k = first; k < m->count; k++)
            *(matrix && r->axis == 0 ? &m->items[k].row : &m->items[k].column) += at;
        at += r->parts[i]->type.d[r->axis].n * (matrix ? 1 : inner);
    }
    return true;
}

// What of [at, at + n) lies within [begin, end), from begin on; `first` moves along by what is left out.
static bool clip(int64_t *at, int64_t *n, int64_t *first, int64_t step, int64_t begin, int64_t end) {
    int64_t from = *at > begin ? *at : begin, to = *at + *n < end ? *at + *n : end;
    if (from >= to) return false;
    *first += (from - *at) * step;
    *at = from - begin;
    *n = to - from;
    return true;
}

static bool slice(const recipe *r, moves *m) {
    int64_t outer, inner;
    bool matrix = r->type.rank == 2, rows = matrix && r->axis == 0;
    around(&r->type, r->axis, &outer, &inner);
    if (!matrix && outer != 1) return false;
    int first = m->count, kept = first;
    if (!collect(r->parts[0], m)) return false;
    int64_t each = matrix ? 1 : inner, begin = r->begin * each, end = begin + r->type.d[r->axis].n * each;
    for (int i = first; i < m->count; i++) {
        recipe_move x = m->items[i];
        bool there = rows ? clip(&x.row, &x.rows, &x.first, x.row_step, begin, end)
                          : clip(&x.column, &x.columns, &x.first, x.column_step, begin, end);
        if (there) m->items[kept++] = x;
    }
    m->count = kept;
    return true;
}

// Another frame: of one part that fills the old one in the order of its elements.
static bool reshape(const recipe *r, moves *m) {
    int first = m->count;
    if (!collect(r->parts[0], m)) return false;
    frame had = frame_of(r->parts[0]), has = frame_of(r);
    if (had.rows == has.rows) return true;
    recipe_move *x = &m->items[first];
    if (m->count != first + 1 || x->rows != had.rows || x->columns != had.columns) return false;
    int64_t step = x->columns > 1 ? x->column_step : x->row_step;
    if (x->rows > 1 && x->columns > 1 && x->row_step != x->columns * step) return false;
    x->rows = has.rows;
    x->columns = has.columns;
    x->row_step = has.columns * step;
    x->column_step = step;
    return true;
}

static bool collect(const recipe *r, moves *m) {
    frame f = frame_of(r);
    switch (r->kind) {
    case RECIPE_ZEROS:
    case RECIPE_TENSOR: add(m, (recipe_move){r, f.rows, f.columns, 0, f.columns, 1, 0, 0}); return true;
    case RECIPE_TRANSPOSE: {
        int first = m->count;
        if (!collect(r->parts[0], m)) return false;
        for (int i = first; i < m->count; i++) transpose(&m->items[i]);
        return true;
    }
    case RECIPE_CAST: return widens(r) && collect(r->parts[0], m);
    case RECIPE_CONCAT: return concat(r, m);
    case RECIPE_SLICE: return slice(r, m);
    case RECIPE_RESHAPE: return reshape(r, m);
    case RECIPE_PACK: return collect(r->parts[0], m);
    case RECIPE_SCALE:
    case RECIPE_DIAGONAL:
    case RECIPE_COS:
    case RECIPE_SIN:
    case RECIPE_DFT_COS:
    case RECIPE_DFT_SIN:
    case RECIPE_PRODUCT:
    case RECIPE_SUM:
    case RECIPE_NORM:
    case RECIPE_COLUMN_SCALES:
    case RECIPE_QUANTIZE_COLUMNS:
    case RECIPE_ROW_SCALES:
    case RECIPE_QUANTIZE_ROWS:
    case RECIPE_COLUMN_SUMS:
    case RECIPE_NUMBERS:
    case RECIPE_LARGE:
    case RECIPE_QUOTIENT:
    case RECIPE_SCALE_ROWS:
    case RECIPE_SHIFT:
    case RECIPE_KINDS: break;
    }
    return false;
}

// Do the part's elements follow each other in the tensor, in one order or the other?
static bool follows(const recipe_move *x) {
    bool along = x->columns == 1 || x->column_step == 1, down = x->rows == 1 || x->row_step == 1;
    if (along && (x->rows == 1 || x->row_step == x->columns)) return true;
    return down && (x->columns == 1 || x->column_step == x->rows);
}

int recipe_moves(const recipe *r, arena *a, recipe_move **out) {
    moves m = {.a = a};
    if (r->type.e != ELEM_F32 || !collect(r, &m)) return 0;
    for (int i = 0; i < m.count; i++)
        if (!follows(&m.items[i])) return 0;
    *out = m.items;
    return m.count;
}
