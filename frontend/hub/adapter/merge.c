// What adapters add becomes a part of the recipe of the weight.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"

hub_delta *adapter_delta(hub_adapters *s, arena *a, const char *of, int count) {
    if (s->count == s->room) {
        int room = s->room ? 2 * s->room : 32;
        hub_delta *grown = ARENA_ARRAY(a, hub_delta, room);
        if (s->count) memcpy(grown, s->deltas, sizeof *grown * (size_t)s->count);
        s->deltas = grown;
        s->room = room;
    }
    hub_delta *d = &s->deltas[s->count++];
    *d = (hub_delta){.tensor = of,
                     .left = ARENA_ARRAY(a, hub_factor, count),
                     .right = ARENA_ARRAY(a, hub_factor, count),
                     .count = count,
                     .order = s->count};
    return d;
}

// Those of a tensor side by side, in the order in which they came.
static int by_tensor(const void *a, const void *b) {
    const hub_delta *x = a, *y = b;
    int order = strcmp(x->tensor, y->tensor);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

void adapter_sort(hub_adapters *s) {
    if (s->count) qsort(s->deltas, (size_t)s->count, sizeof *s->deltas, by_tensor);
}

// --- As PEFT combines adapters by "linear"

// The square root of what it counts on either side; its sign on the right.
static void split_scale(hub_factor *left, hub_factor *right) {
    double scale = left->scale;
    left->scale = sqrt(fabs(scale));
    right->scale = scale < 0 ? -left->scale : left->scale;
}

// Deltas [first, last) of one tensor become the first.
static bool combine(hub_delta *first, int count, arena *a, const char *where, diag *d) {
    hub_factor *left = ARENA_ARRAY(a, hub_factor, count), *right = ARENA_ARRAY(a, hub_factor, count);
    for (int i = 0; i < count; i++) {
        left[i] = first[i].left[0];
        right[i] = first[i].right[0];
        if (left[i].columns != left[0].columns)
            return diag_error(
                d, where,
                "tensor \"%.200s\": the adapters' ranks are %lld and %lld, and --combine linear needs "
                "equal ones",
                first->tensor, (long long)left[0].columns, (long long)left[i].columns);
        split_scale(&left[i], &right[i]);
    }
    first->left = left;
    first->right = right;
    first->count = count;
    return true;
}

bool adapter_combine(hub_adapters *s, hub_checkpoint *c, diag *d) {
    int kept = 0;
    adapter_sort(s);
    for (int i = 0, n; i < s->count; i += n) {
        for (n = 1; i + n < s->count && !strcmp(s->deltas[i].tensor, s->deltas[i + n].tensor);) n++;
        if (s->deltas[i].vector) {
            memmove(&s->deltas[kept], &s->deltas[i], sizeof *s->deltas * (size_t)n);
            kept += n;
            continue;
        }
        if (!combine(&s->deltas[i], n, c->arena, c->where, d)) return false;
        s->deltas[kept++] = s->deltas[i];
    }
    s->count = kept;
    return true;
}

// --- Recipes

static int find(const hub_adapters *s, const char *of) {
    int low = 0, high = s ? s->count : 0;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(s->deltas[middle].tensor, of) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool hub_adapter_changes(const hub_adapters *s, const char *of) {
    int at = find(s, of);
    return s && at < s->count && !strcmp(s->deltas[at].tensor, of);
}

static recipe *as_float(arena *a, recipe *r) {
    return r->type.e == ELEM_F32 ? r : recipe_cast(a, r, ELEM_F32);
}

// Times what it counts.
static recipe *of_factor(arena *a, const hub_factor *f, bool vector) {
    int64_t matrix[] = {f->rows, f->columns}, all[] = {f->parts, f->rows, f->columns};
    bool part = f->index >= 0;
    recipe *r = recipe_tensor(a, f->tensor, f->e, vector ? 1 : part ? 3 : 2, part ? all : matrix);
    if (part) r = recipe_reshape(a, recipe_slice(a, r, 0, f->index, f->index + 1), 2, matrix);
    r = as_float(a, r);
    return f->scale < 1 || f->scale > 1 ? recipe_scale(a, r, f->scale) : r;
}

static recipe *sum_of(arena *a, const hub_factor *f, int count) {
    recipe *r = of_factor(a, &f[0], false);
    for (int i = 1; i < count; i++) r = recipe_sum(a, r, of_factor(a, &f[i], false));
    return r;
}

static recipe *add_matrix(arena *a, recipe *r, const hub_delta *d) {
    recipe *left = sum_of(a, d->left, d->count), *right = sum_of(a, d->right, d->count);
    if (d->turned) {
        recipe *first = recipe_transpose(a, right);
        right = recipe_transpose(a, left);
        left = first;
    }
    return recipe_sum(a, r, recipe_product(a, left, right));
}

// As a matrix of one row: sums are of matrices.
static recipe *add_vector(arena *a, recipe *r, const hub_delta *d) {
    int64_t n = d->left[0].rows, row[] = {1, n};
    recipe *sum = recipe_sum(a, recipe_reshape(a, r, 2, row), of_factor(a, &d->left[0], true));
    return recipe_reshape(a, sum, 1, &n);
}

recipe *hub_adapted(const hub_adapters *s, arena *a, const char *of, recipe *r) {
    if (!hub_adapter_changes(s, of)) return r;
    r = as_float(a, r);
    for (int i = find(s, of); i < s->count && !strcmp(s->deltas[i].tensor, of); i++)
        r = s->deltas[i].vector ? add_vector(a, r, &s->deltas[i]) : add_matrix(a, r, &s->deltas[i]);
    return r;
}
