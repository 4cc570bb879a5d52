#include "frontend/cli/evaluate/compared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/take.h"
#include "ir/memory.h"

bool compared_rule_of(const bertc_model_info *info, compared_rule *out) {
    bertc_similarity how = (bertc_similarity)info->similarity;
    bool several = info->task == BERTC_TASK_SEVERAL;
    if (info->embedding_size)
        *out = (compared_rule){COMPARED_EMBEDDING, how};
    else if (info->sparse_width)
        *out = (compared_rule){COMPARED_SPARSE, several ? BERTC_SIMILARITY_DOT : how};
    else if (info->vector_width)
        *out = (compared_rule){COMPARED_VECTORS, how};
    else
        return false;
    return true;
}

// --- Of an answer

static bool take_sparse(compared *out, const bertc_result *r) {
    size_t n = (size_t)r->sparse_count;
    bertc_score *sorted = scores_by_id(r->sparse, r->sparse_count);
    out->count = r->sparse_count;
    out->numbers = memory_alloc(n + 1, sizeof *out->numbers);
    out->ids = memory_alloc(n + 1, sizeof *out->ids);
    bool ok = sorted && out->numbers && out->ids;
    for (size_t i = 0; ok && i < n; i++) {
        out->ids[i] = sorted[i].id;
        out->numbers[i] = sorted[i].score;
    }
    free(sorted);
    return ok;
}

static bool take_rows(compared *out, const float *from, int count, int width) {
    size_t n = (size_t)count * (size_t)width;
    out->count = count;
    out->width = width;
    out->numbers = memory_alloc(n + 1, sizeof *out->numbers);
    if (out->numbers && n) memcpy(out->numbers, from, n * sizeof *out->numbers);
    return out->numbers != NULL;
}

static bool take(compared *out, compared_form form, const bertc_result *r) {
    switch (form) {
    case COMPARED_EMBEDDING: return take_rows(out, r->embedding, r->embedding_size, 1);
    case COMPARED_SPARSE: return take_sparse(out, r);
    case COMPARED_VECTORS: return take_rows(out, r->vectors, r->vector_count, r->vector_width);
    }
    return false;
}

bool compared_take(compared *out, const compared_rule *rule, const bertc_result *result) {
    double squares = 0;
    *out = (compared){0};
    if (!take(out, rule->form, result)) {
        compared_free(out);
        return false;
    }
    for (int i = 0; rule->form != COMPARED_VECTORS && i < out->count; i++)
        squares += (double)out->numbers[i] * (double)out->numbers[i];
    out->length = sqrt(squares);
    return true;
}

void compared_free(compared *x) {
    free(x->numbers);
    free(x->ids);
    *x = (compared){0};
}

// --- Likeness

// What a measure adds up over the numbers of both sides.
static double term(bertc_similarity how, double x, double y) {
    if (how == BERTC_SIMILARITY_EUCLIDEAN) return (x - y) * (x - y);
    return how == BERTC_SIMILARITY_MANHATTAN ? fabs(x - y) : x * y;
}

static double sum_dense(bertc_similarity how, const compared *x, const compared *y) {
    double sum = 0;
    for (int i = 0; i < x->count; i++) sum += term(how, (double)x->numbers[i], (double)y->numbers[i]);
    return sum;
}

// Tokens that one side alone has count against 0.
static double sum_sparse(bertc_similarity how, const compared *x, const compared *y) {
    double sum = 0;
    for (int i = 0, k = 0; i < x->count || k < y->count;) {
        bool first = k == y->count || (i < x->count && x->ids[i] <= y->ids[k]),
             second = i == x->count || (k < y->count && y->ids[k] <= x->ids[i]);
        sum += term(how, first ? (double)x->numbers[i] : 0, second ? (double)y->numbers[k] : 0);
        i += first;
        k += second;
    }
    return sum;
}

static double maxsim(const compared_rule *rule, const compared *x, const compared *y) {
    double sum =
        (double)bertc_maxsim(x->numbers, (size_t)x->count, y->numbers, (size_t)y->count, (size_t)x->width);
    return rule->how == BERTC_SIMILARITY_MEAN_MAXSIM && x->count ? sum / x->count : sum;
}

double compared_likeness(const compared_rule *rule, const compared *x, const compared *y) {
    if (rule->form == COMPARED_VECTORS) return maxsim(rule, x, y);
    double sum = rule->form == COMPARED_SPARSE ? sum_sparse(rule->how, x, y) : sum_dense(rule->how, x, y);
    switch (rule->how) {
    case BERTC_SIMILARITY_COSINE: return x->length > 0 && y->length > 0 ? sum / x->length / y->length : 0;
    case BERTC_SIMILARITY_EUCLIDEAN: return -sqrt(sum);
    case BERTC_SIMILARITY_MANHATTAN: return -sum;
    case BERTC_SIMILARITY_DOT:
    case BERTC_SIMILARITY_MAXSIM:
    case BERTC_SIMILARITY_MEAN_MAXSIM: break;
    }
    return sum;
}
