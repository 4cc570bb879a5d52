// Types, attributes and recipes of the text form. Recipes are checked here before recipe.h's makers see them.
#include "ir/recipe_parts.h"
#include "ir/text_parse.h"

#include <string.h>

#define RECIPE_DEPTH 64
#define RECIPE_COUNT ((int64_t)1 << 46) // elements

static bool read_elem(parser *p, elem *out) {
    spot at = here(&p->s);
    slice w;
    if (!read_word(&p->s, false, &w, "an element type")) return false;
    for (int e = 0; e < ELEM_COUNT; e++) {
        if (!slice_is(w, elem_name((elem)e))) continue;
        *out = (elem)e;
        return true;
    }
    return scan_error(&p->s, at, "no element type is called %.*s", (int)w.n, w.at);
}

static bool read_sym(parser *p, sym *out) {
    spot at = here(&p->s);
    slice w;
    if (!read_word(&p->s, false, &w, "a length")) return false;
    for (int s = SYM_NONE + 1; s < SYM_COUNT; s++) {
        if (!slice_is(w, sym_name((sym)s))) continue;
        *out = (sym)s;
        return true;
    }
    return scan_error(&p->s, at, "no length is called %.*s", (int)w.n, w.at);
}

// "768", "T", "S+1", "L-2".
static bool read_dim(parser *p, dim *out) {
    spot at = here(&p->s);
    *out = dim_num(0);
    bool number = looks_at(&p->s, "-0123456789");
    if (!number && !read_sym(p, &out->s)) return false;
    bool more = number || looks_at(&p->s, "-") || accept(&p->s, "+");
    if (more && !read_i64(&p->s, &out->n)) return false;
    if (out->n > LENGTH_MAX || out->n < -LENGTH_MAX) return scan_error(&p->s, at, "the length is too large");
    return true;
}

static bool too_many(parser *p) {
    return scan_error(&p->s, here(&p->s), "more than %d axes", IR_MAX_RANK);
}

static bool read_dims(parser *p, int *n, dim *out) {
    *n = 0;
    if (!expect(&p->s, "[")) return false;
    while (!accept(&p->s, "]")) {
        if (*n && !expect(&p->s, ",")) return false;
        if (*n == IR_MAX_RANK) return too_many(p);
        if (!read_dim(p, &out[(*n)++])) return false;
    }
    return true;
}

static bool read_ints(parser *p, int *n, int64_t *out) {
    *n = 0;
    if (!expect(&p->s, "[")) return false;
    while (!accept(&p->s, "]")) {
        if (*n && !expect(&p->s, ",")) return false;
        if (*n == IR_MAX_RANK) return too_many(p);
        if (!read_i64(&p->s, &out[(*n)++])) return false;
    }
    return true;
}

bool read_type(parser *p, type *out) {
    *out = (type){0};
    if (!read_elem(p, &out->e) || !read_dims(p, &out->rank, out->d)) return false;
    if (accept_word(&p->s, "packed")) out->layout = LAYOUT_PACKED;
    return true;
}

// --- Recipes

static bool read_recipe(parser *p, int depth, recipe **out);

// Numbers alone, each at least 1, not too many elements.
static bool known_shape(const parser *p, spot at, const type *t, int64_t *shape) {
    int64_t n = type_count(t);
    for (int i = 0; i < t->rank; i++) {
        if (t->d[i].s != SYM_NONE || t->d[i].n < 1)
            return scan_error(&p->s, at, "the axes of a recipe must be numbers of at least 1");
        shape[i] = t->d[i].n;
    }
    return n > 0 && n <= RECIPE_COUNT ? true : scan_error(&p->s, at, "the recipe makes too many elements");
}

static bool read_tensor(parser *p, spot at, recipe_kind kind, recipe **out) {
    const char *name;
    type t;
    int64_t shape[IR_MAX_RANK];
    if (!read_string(&p->s, &name) || !expect(&p->s, ",") || !read_type(p, &t)) return false;
    if (t.layout != LAYOUT_ROW || t.e == ELEM_I1 || t.e == ELEM_I4) {
        return scan_error(&p->s, at, "a tensor of a checkpoint is row-major, and neither i1 nor i4");
    }
    if (kind == RECIPE_ZEROS && t.e != ELEM_F32) return scan_error(&p->s, at, "zeros are f32");
    if (!known_shape(p, at, &t, shape)) return false;
    *out = kind == RECIPE_ZEROS ? recipe_zeros(p->s.a, name, t.rank, shape)
                                : recipe_tensor(p->s.a, name, t.e, t.rank, shape);
    return true;
}

static bool concat_fits(const recipe *first, const recipe *part, int64_t axis) {
    const type *t = &first->type, *u = &part->type;
    if (t->e != u->e || t->rank != u->rank || u->layout != LAYOUT_ROW) return false;
    for (int i = 0; i < t->rank; i++)
        if (i != axis && !dim_eq(t->d[i], u->d[i])) return false;
    return true;
}

static bool read_concat(parser *p, spot at, int depth, recipe **out) {
    int64_t axis, total = 0;
    int count = 0, room = 4;
    recipe **parts = ARENA_ARRAY(p->s.a, recipe *, room);
    if (!read_i64(&p->s, &axis)) return false;
    while (accept(&p->s, ",")) {
        if (count == room) {
            recipe **more = ARENA_ARRAY(p->s.a, recipe *, 2 * room);
            memcpy(more, parts, sizeof(*parts) * (size_t)count);
            parts = more;
            room *= 2;
        }
        if (!read_recipe(p, depth + 1, &parts[count])) return false;
        const type *t = &parts[count]->type;
        if (axis < 0 || axis >= t->rank || !concat_fits(parts[0], parts[count], axis))
            return scan_error(&p->s, at, "the parts don't fit along axis %d", (int)axis);
        count++;
        total += type_count(t);
        if (total > RECIPE_COUNT) return scan_error(&p->s, at, "the recipe makes too many elements");
    }
    if (!count) return scan_error(&p->s, at, "a concat needs parts");
    *out = recipe_concat(p->s.a, axis, count, parts);
    return true;
}

static bool read_reshape(parser *p, spot at, recipe *of, recipe **out) {
    int64_t shape[IR_MAX_RANK];
    type t = {.e = of->type.e};
    if (!expect(&p->s, ",") || !read_dims(p, &t.rank, t.d) || !known_shape(p, at, &t, shape)) return false;
    if (of->type.layout != LAYOUT_ROW || type_count(&t) != type_count(&of->type))
        return scan_error(&p->s, at, "the shape has another number of elements");
    *out = recipe_reshape(p->s.a, of, t.rank, shape);
    return true;
}

static bool read_slice(parser *p, spot at, recipe *of, recipe **out) {
    int64_t axis, begin, end;
    if (!expect(&p->s, ",") || !read_i64(&p->s, &axis) || !expect(&p->s, ",") || !read_i64(&p->s, &begin) ||
        !expect(&p->s, ",") || !read_i64(&p->s, &end))
        return false;
    const type *t = &of->type;
    if (t->layout != LAYOUT_ROW || axis < 0 || axis >= t->rank || begin < 0 || end <= begin ||
        end > t->d[axis].n)
        return scan_error(&p->s, at, "the part is not within the axis");
    *out = recipe_slice(p->s.a, of, axis, begin, end);
    return true;
}

static bool read_diagonal(parser *p, spot at, recipe *of, recipe **out) {
    int64_t n;
    const type *t = &of->type;
    if (!expect(&p->s, ",") || !read_i64(&p->s, &n)) return false;
    if (t->layout != LAYOUT_ROW || t->rank != 2 || n < 1 || n > t->d[0].n || t->d[0].n % n ||
        type_count(t) > RECIPE_COUNT / n)
        return scan_error(&p->s, at, "the blocks don't divide the rows of a matrix");
    *out = recipe_diagonal(p->s.a, of, n);
    return true;
}

static bool read_waves(parser *p, spot at, recipe_kind kind, recipe **out) {
    type t;
    int64_t shape[IR_MAX_RANK];
    double c;
    if (!read_type(p, &t) || !known_shape(p, at, &t, shape) || !expect(&p->s, ",") || !read_f64(&p->s, &c))
        return false;
    if (t.e != ELEM_F32 || t.rank != 2 || t.layout != LAYOUT_ROW || !(c > 0))
        return scan_error(&p->s, at, "a table is f32[rows,columns], its base above 0");
    *out = recipe_waves(p->s.a, kind, shape[0], shape[1], c);
    return true;
}

static bool read_dft(parser *p, spot at, recipe_kind kind, recipe **out) {
    type t;
    int64_t shape[IR_MAX_RANK];
    if (!read_type(p, &t) || !known_shape(p, at, &t, shape)) return false;
    if (t.e != ELEM_F32 || t.rank != 2 || t.layout != LAYOUT_ROW || shape[0] != shape[1])
        return scan_error(&p->s, at, "the matrix of a transform is f32[n,n]");
    *out = recipe_dft(p->s.a, kind, shape[0]);
    return true;
}

static bool read_numbers(parser *p, spot at, recipe **out) {
    int64_t n = 0, room = 16;
    float *numbers = ARENA_ARRAY(p->s.a, float, room);
    if (!expect(&p->s, "[")) return false;
    while (!accept(&p->s, "]")) {
        if (n && !expect(&p->s, ",")) return false;
        if (n == room) {
            float *more = ARENA_ARRAY(p->s.a, float, 2 * room);
            memcpy(more, numbers, sizeof(float) * (size_t)n);
            numbers = more;
            room *= 2;
        }
        if (!read_f32(&p->s, &numbers[n++])) return false;
    }
    if (!n) return scan_error(&p->s, at, "a vector has at least one number");
    *out = recipe_numbers(p->s.a, n, numbers);
    return true;
}

// large(r, c), whose part has been read into `of`.
static bool read_large(parser *p, spot at, recipe *of, recipe **out) {
    double c;
    if (!expect(&p->s, ",") || !read_f64(&p->s, &c)) return false;
    if (!recipe_fits(RECIPE_LARGE, 1, &of) || !(c >= 0))
        return scan_error(&p->s, at, "large takes an f32 vector and a share of at least 0");
    *out = recipe_large(p->s.a, of, c);
    return true;
}

static recipe *make_computed(arena *a, recipe_kind kind, recipe *const *parts, double eps) {
    if (kind == RECIPE_PRODUCT) return recipe_product(a, parts[0], parts[1]);
    if (kind == RECIPE_SUM) return recipe_sum(a, parts[0], parts[1]);
    if (kind == RECIPE_QUOTIENT) return recipe_quotient(a, parts[0], parts[1]);
    if (kind == RECIPE_SCALE_ROWS) return recipe_scale_rows(a, parts[0], parts[1]);
    return recipe_norm(a, parts[0], parts[1], parts[2], eps);
}

// Arithmetic on two parts or more; the first one has been read into `of`.
static bool read_computed(parser *p, spot at, int depth, recipe_kind kind, recipe *of, recipe **out) {
    recipe *parts[3] = {of};
    int n = kind == RECIPE_NORM ? 3 : 2;
    double eps = 0;
    for (int i = 1; i < n; i++)
        if (!expect(&p->s, ",") || !read_recipe(p, depth + 1, &parts[i])) return false;
    if (kind == RECIPE_NORM && (!expect(&p->s, ",") || !read_f64(&p->s, &eps))) return false;
    if (!recipe_fits(kind, n, parts) || !(eps >= 0))
        return scan_error(&p->s, at, "the parts don't fit a %s", recipe_word(kind));
    if (kind == RECIPE_PRODUCT && of->type.d[0].n > RECIPE_COUNT / parts[1]->type.d[1].n)
        return scan_error(&p->s, at, "the recipe makes too many elements");
    *out = make_computed(p->s.a, kind, parts, eps);
    return true;
}

// Scales, and what is quantised by them.
static bool read_quantized(parser *p, spot at, recipe_kind kind, recipe *of, recipe **out) {
    int64_t limit;
    if (!expect(&p->s, ",") || !read_i64(&p->s, &limit)) return false;
    if (of->type.e != ELEM_F32 || of->type.rank != 2 || of->type.layout != LAYOUT_ROW)
        return scan_error(&p->s, at, "quantizes a row-major matrix of f32");
    if (limit < 1 || limit > 127) return scan_error(&p->s, at, "limit is 1 to 127");
    *out = recipe_quantized(p->s.a, kind, of, limit);
    return true;
}

static bool read_column_sums(parser *p, spot at, recipe *of, recipe **out) {
    int64_t group, factor;
    if (!expect(&p->s, ",") || !read_i64(&p->s, &group) || !expect(&p->s, ",") || !read_i64(&p->s, &factor))
        return false;
    if (of->type.e != ELEM_I8 || of->type.rank != 2 || of->type.layout != LAYOUT_ROW)
        return scan_error(&p->s, at, "sums the columns of a row-major matrix of i8");
    if (group < 1 || of->type.d[0].n % group || factor < -128 || factor > 128)
        return scan_error(&p->s, at, "group divides the rows, and the factor is -128 to 128");
    *out = recipe_column_sums(p->s.a, of, group, factor);
    return true;
}

// The kinds that have one part, which has been read into `of`.
static bool read_unary(parser *p, spot at, recipe_kind kind, recipe *of, recipe **out) {
    bool row = of->type.layout == LAYOUT_ROW, f32 = of->type.e == ELEM_F32;
    bool matrix = of->type.rank == 2;
    double c = 1;
    elem to = ELEM_F32;
    if (kind == RECIPE_RESHAPE) return read_reshape(p, at, of, out);
    if (kind == RECIPE_SLICE) return read_slice(p, at, of, out);
    if (kind == RECIPE_DIAGONAL) return read_diagonal(p, at, of, out);
    if (kind == RECIPE_COLUMN_SUMS) return read_column_sums(p, at, of, out);
    if (recipe_quantizes(kind)) return read_quantized(p, at, kind, of, out);
    if (kind == RECIPE_TRANSPOSE) {
        if (!row || !matrix) return scan_error(&p->s, at, "transposes a row-major matrix");
        *out = recipe_transpose(p->s.a, of);
    } else if (kind == RECIPE_PACK) {
        if (!row || !matrix || !elem_packs(of->type.e))
            return scan_error(&p->s, at, "packs a row-major matrix of f32, f16, bf16, i8, u8 or i4");
        *out = recipe_pack(p->s.a, of);
    } else if (kind == RECIPE_SCALE || kind == RECIPE_SHIFT) {
        bool scales = kind == RECIPE_SCALE;
        if (!row || !f32) return scan_error(&p->s, at, "%s row-major f32", scales ? "scales" : "shifts");
        if (!expect(&p->s, ",") || !read_f64(&p->s, &c)) return false;
        *out = scales ? recipe_scale(p->s.a, of, c) : recipe_shift(p->s.a, of, c);
    } else {
        if (!expect(&p->s, ",") || !read_elem(p, &to)) return false;
        if (!row || !recipe_casts(of->type.e, to))
            return scan_error(&p->s, at, "casts row-major elements to f32, f16, bf16, i32, i8, u8 or i4");
        *out = recipe_cast(p->s.a, of, to);
    }
    return true;
}

static bool read_recipe(parser *p, int depth, recipe **out) {
    spot at = here(&p->s);
    slice w;
    int kind = 0;
    recipe *of = NULL;
    if (depth > RECIPE_DEPTH) return scan_error(&p->s, at, "the recipe is nested too deeply");
    if (!read_word(&p->s, false, &w, "a recipe")) return false;
    while (recipe_word((recipe_kind)kind) && !slice_is(w, recipe_word((recipe_kind)kind))) kind++;
    if (!recipe_word((recipe_kind)kind))
        return scan_error(&p->s, at, "no recipe is called %.*s", (int)w.n, w.at);
    if (!expect(&p->s, "(")) return false;
    bool ok;
    if (kind == RECIPE_TENSOR || kind == RECIPE_ZEROS)
        ok = read_tensor(p, at, (recipe_kind)kind, out);
    else if (kind == RECIPE_CONCAT)
        ok = read_concat(p, at, depth, out);
    else if (kind == RECIPE_COS || kind == RECIPE_SIN)
        ok = read_waves(p, at, (recipe_kind)kind, out);
    else if (kind == RECIPE_DFT_COS || kind == RECIPE_DFT_SIN)
        ok = read_dft(p, at, (recipe_kind)kind, out);
    else if (kind == RECIPE_NUMBERS)
        ok = read_numbers(p, at, out);
    else if (kind == RECIPE_LARGE)
        ok = read_recipe(p, depth + 1, &of) && read_large(p, at, of, out);
    else if (recipe_is_computed((recipe_kind)kind))
        ok = read_recipe(p, depth + 1, &of) && read_computed(p, at, depth, (recipe_kind)kind, of, out);
    else
        ok = read_recipe(p, depth + 1, &of) && read_unary(p, at, (recipe_kind)kind, of, out);
    return ok && expect(&p->s, ")");
}

// --- Attributes

// An integer of the type, into its own size.
static bool read_integer(parser *p, elem e, void *out) {
    static const struct {
        int64_t low, high;
    } ranges[ELEM_COUNT] = {
        [ELEM_I8] = {INT8_MIN, INT8_MAX}, [ELEM_U8] = {0, UINT8_MAX}, [ELEM_I4] = {-8, 7}};
    if (e == ELEM_I32) return read_i32(&p->s, out);
    spot at = here(&p->s);
    int64_t n;
    if (!read_i64(&p->s, &n)) return false;
    if (n < ranges[e].low || n > ranges[e].high)
        return scan_error(&p->s, at, "%s holds %d to %d", elem_name(e), (int)ranges[e].low,
                          (int)ranges[e].high);
    *(uint8_t *)out = (uint8_t)n;
    return true;
}

static bool read_element(parser *p, elem e, void *out) {
    if (e == ELEM_F32) return read_f32(&p->s, out);
    if (elem_is_float(e)) return read_half(&p->s, e, out);
    return read_integer(p, e, out);
}

// One number, or a list of them.
static bool read_literal(parser *p, const type *t, attr *out) {
    spot at = here(&p->s);
    if (!t) return scan_error(&p->s, at, "the type must come before a literal: -> f32[...]");
    if (t->e == ELEM_I1 || elem_is_stored(t->e))
        return scan_error(&p->s, at, "a literal can't be %s", elem_name(t->e));
    bool list = accept(&p->s, "[");
    int n = 0, room = 16;
    size_t size = elem_size(t->e);
    unsigned char *data = arena_alloc(p->s.a, size * (size_t)room);
    while (list ? !accept(&p->s, "]") : n == 0) {
        if (n && !expect(&p->s, ",")) return false;
        if (n == room) {
            unsigned char *more = arena_alloc(p->s.a, 2 * size * (size_t)room);
            memcpy(more, data, size * (size_t)n);
            data = more;
            room *= 2;
        }
        if (!read_element(p, t->e, data + size * (size_t)n++)) return false;
    }
    *out = attr_literal(t->e, n, data);
    return true;
}

static bool read_attr_value(parser *p, const type *literal, attr *out) {
    int64_t ints[IR_MAX_RANK];
    dim dims[IR_MAX_RANK];
    recipe *r;
    int n;
    switch (attr_kind_of(out->id)) {
    case ATTR_KIND_INT: return read_i64(&p->s, &out->u.i);
    case ATTR_KIND_FLOAT: return read_f64(&p->s, &out->u.f);
    case ATTR_KIND_INTS:
        if (!read_ints(p, &n, ints)) return false;
        *out = attr_ints(p->s.a, out->id, n, ints);
        return true;
    case ATTR_KIND_DIMS:
        if (!read_dims(p, &n, dims)) return false;
        *out = attr_dims(p->s.a, out->id, n, dims);
        return true;
    case ATTR_KIND_NAME: return read_name(&p->s, &out->u.name, "a word");
    case ATTR_KIND_ELEM: return read_elem(p, &out->u.e);
    case ATTR_KIND_LITERAL: return read_literal(p, literal, out);
    case ATTR_KIND_HASH: return read_hash(&p->s, &out->u.hash);
    case ATTR_KIND_FLAG: return true;
    case ATTR_KIND_RECIPE:
        if (!read_recipe(p, 0, &r)) return false;
        out->u.recipe = r;
        return true;
    }
    return false;
}

static bool read_attr(parser *p, op o, const type *literal, attr *list, int *count) {
    spot at = here(&p->s);
    slice w;
    if (!read_word(&p->s, false, &w, "an attribute")) return false;
    attr_id id = attr_find(w.at, w.n);
    if (id == ATTR_COUNT || !op_takes(o, id, NULL))
        return scan_error(&p->s, at, "%s has no attribute %.*s", op_name(o), (int)w.n, w.at);
    for (int i = 0; i < *count; i++)
        if (list[i].id == id) return scan_error(&p->s, at, "the attribute %s is given twice", attr_name(id));
    attr *a = &list[(*count)++];
    *a = (attr){.id = id};
    if (attr_kind_of(id) == ATTR_KIND_FLAG) return true;
    return expect(&p->s, "=") && read_attr_value(p, literal, a);
}

bool read_attrs(parser *p, op o, const type *literal, attr *list, int *count) {
    if (!accept(&p->s, "{")) return true;
    do {
        if (!read_attr(p, o, literal, list, count)) return false;
    } while (accept(&p->s, ","));
    return expect(&p->s, "}");
}
