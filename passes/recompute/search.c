// Chooses the values that are computed again: by a policy, or the cheapest ones that bring the arena under a budget.
//
// Candidates are ordered by seconds per byte. For a budget, the search takes the shortest run of the first candidates
// that fits. Then it keeps those that the plan turns out not to need, the costliest first. Whether a graph fits is
// decided by running plan_memory on it, for each target.
#include "passes/recompute/recompute.h"

typedef struct search {
    const remake *r;
    const remake_sizes *sizes;
    diag *d;
    candidate *list;
    int count;
    bool *again;
} search;

// Bytes of the largest arena; without a target, of what the backward reads of the forward.
static int64_t measure(const search *s) {
    arena *a = arena_new();
    graph *g = remake_build(s->r, s->again, NULL, a);
    int64_t bytes = sizes_arena(s->sizes, g, a, s->d);
    arena_free(a);
    return bytes;
}

static void set(search *s, const candidate *c, bool again) {
    for (int i = 0; i < c->count; i++) s->again[c->values[i]] = again;
}

static int64_t measure_first(search *s, int n) {
    for (int i = 0; i < s->count; i++) set(s, &s->list[i], i < n);
    return measure(s);
}

// The end of the group of equal candidates that i is in: layers repeat.
static int group_end(const search *s, int i) {
    const candidate *c = &s->list[i];
    while (i < s->count && s->list[i].class == c->class && s->list[i].bytes == c->bytes &&
           !(s->list[i].seconds > c->seconds))
        i++;
    return i;
}

static bool is_chosen(const search *s, int i) {
    return s->again[s->list[i].values[0]];
}

// Keeps the last `n` of the chosen ones in list[begin..end) after all; true: `most` holds.
static bool keep_last(search *s, int begin, int end, int n, int64_t most) {
    for (int i = end - 1; i >= begin; i--) set(s, &s->list[i], end - 1 - i >= n);
    return measure(s) <= most;
}

// Of each group keeps as many as the bytes allow.
static void trim(search *s, int chosen, int64_t most) {
    for (int end = chosen, begin; end > 0; end = begin) {
        for (begin = end - 1; begin > 0 && group_end(s, begin - 1) >= end; begin--) continue;
        if (!is_chosen(s, begin)) continue;
        int low = 0, high = end - begin; // `low` is known to fit
        if (keep_last(s, begin, end, high, most)) continue;
        while (high - low > 1) {
            int middle = low + (high - low) / 2;
            if (keep_last(s, begin, end, middle, most))
                low = middle;
            else
                high = middle;
        }
        for (int i = end - 1; i >= begin; i--) set(s, &s->list[i], end - 1 - i >= low);
    }
}

static search begin_search(const remake *r, const remake_sizes *sizes, diag *d, bool *again) {
    search s = {.r = r, .sizes = sizes, .d = d, .again = again};
    s.list = candidates_find(r, &sizes->rates, &s.count);
    return s;
}

// Bytes of the forward part that the backward reads.
static int64_t measure_kept(const search *s) {
    arena *a = arena_new();
    const graph *g = remake_build(s->r, s->again, NULL, a);
    int64_t bytes = sizes_kept(s->sizes, g, a);
    arena_free(a);
    return bytes;
}

static bool is_read(const search *s, const candidate *c) {
    for (int i = 0; i < c->count; i++)
        if (s->r->read[c->values[i]]) return true;
    return false;
}

// The share of its bytes that a group must save.
#define LEAST_SAVED 0.25

// Makes a group of rows again where that is useful: what it reads then is kept in its place, so it may save
// nothing. One that the backward does not read itself waits for others that need it.
static bool choose_group(search *s, int begin, int end, int64_t *kept) {
    int64_t own = 0;
    for (int i = begin; i < end; i++) {
        if (is_read(s, &s->list[i])) own += s->list[i].bytes;
        set(s, &s->list[i], true);
    }
    int64_t bytes = measure_kept(s);
    bool useful = !own || (double)(*kept - bytes) >= LEAST_SAVED * (double)own;
    for (int i = begin; i < end && !useful; i++) set(s, &s->list[i], false);
    if (useful) *kept = bytes;
    return useful;
}

// The others leave the list: behind a residual sum they would bring all layers before it along.
static void choose_rows(search *s) {
    for (int i = 0; i < s->count; i++) set(s, &s->list[i], false);
    int64_t kept = measure_kept(s);
    int count = 0;
    for (int begin = 0, end; begin < s->count; begin = end) {
        end = group_end(s, begin);
        bool stays = s->list[begin].class != REMAKE_ROWS || choose_group(s, begin, end, &kept);
        for (int i = begin; i < end && stays; i++) s->list[count++] = s->list[i];
    }
    s->count = count;
}

void search_policy(const remake *r, const remake_sizes *sizes, remake_class last, bool *again, diag *d) {
    search s = begin_search(r, sizes, d, again);
    choose_rows(&s);
    for (int i = 0; i < s.count; i++) set(&s, &s.list[i], s.list[i].class <= last);
    trim(&s, s.count, measure(&s));
}

// The number of first candidates with which the arena is smallest.
static int find_least(search *s, int64_t *least) {
    int best = 0;
    *least = measure_first(s, 0);
    for (int i = 1; i <= s->count; i++) {
        int64_t bytes = measure_first(s, i);
        if (bytes >= *least) continue;
        *least = bytes;
        best = i;
    }
    return best;
}

// The set with the smallest arena that is found; its bytes. Where less does for `most`, one that fits there.
static int64_t choose_least(search *s, int64_t most) {
    int64_t first;
    int n = find_least(s, &first);
    measure_first(s, n);
    trim(s, n, most > first ? most : first);
    return measure(s);
}

void search_least(const remake *r, const remake_sizes *sizes, bool *again, diag *d) {
    search s = begin_search(r, sizes, d, again);
    choose_rows(&s);
    choose_least(&s, 0);
}

bool search_budget(const remake *r, const remake_sizes *sizes, int64_t most, bool *again, int64_t *least,
                   diag *d) {
    search s = begin_search(r, sizes, d, again);
    choose_rows(&s);
    int low = 0, high = 0; // `low` does not fit
    bool fits = measure_first(&s, 0) <= most;
    while (!fits && high < s.count) {
        low = high;
        high = group_end(&s, high);
        fits = measure_first(&s, high) <= most;
    }
    if (!fits) {
        *least = choose_least(&s, most);
        return *least <= most;
    }
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (measure_first(&s, middle) <= most)
            high = middle;
        else
            low = middle;
    }
    measure_first(&s, high);
    trim(&s, high, most);
    return true;
}
