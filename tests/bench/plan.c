#include <string.h>

#include "bench.h"

static const bench_model base = {"base", "bert-base", NULL}, minilm = {"minilm", "minilm-l6", NULL},
                         base_classify = {"base-classify", "bert-base", "sequence-classification"},
                         minilm_classify = {"minilm-classify", "minilm-l6", "sequence-classification"},
                         tiny = {"tiny", "bert-tiny", NULL},
                         tiny_classify = {"tiny-classify", "bert-tiny", "sequence-classification"};

static const bench_build base_one = {"base", &base, "32,128,384,512", "1", NULL},
                         minilm_one = {"minilm", &minilm, "32,128", "1", NULL},
                         base_eight = {"base-8", &base, "128", "8", NULL},
                         base_label = {"base-classify", &base_classify, "128", "1", NULL},
                         minilm_label = {"minilm-classify", &minilm_classify, "128", "1", NULL},
                         base_avx2 = {"base-avx2", &base, "128", "1", "x86-64-v3"},
                         tiny_two = {"tiny", &tiny, "16", "2", NULL},
                         tiny_label = {"tiny-classify", &tiny_classify, "16", "2", NULL};

static const bench_row rows[] = {
    {"base-32", &base_one, 1, {32}},
    {"base-128", &base_one, 1, {128}},
    {"base-384", &base_one, 1, {384}},
    {"base-512", &base_one, 1, {512}},
    {"minilm-32", &minilm_one, 1, {32}},
    {"minilm-128", &minilm_one, 1, {128}},
    {"base-8x128", &base_eight, 8, {128, 128, 128, 128, 128, 128, 128, 128}},
    {"base-ragged", &base_eight, 8, {16, 32, 48, 56, 64, 72, 96, 128}, .beside = "base-8x128"},
    {"base-classify", &base_label, 1, {128}, .beside = "base-128"},
    {"minilm-classify", &minilm_label, 1, {128}, .beside = "minilm-128"},
    {"base-avx2", &base_avx2, 1, {128}, .alone = true},
    {"base-start", &base_one, 1, {128}, .start = true},
    {"tiny", &tiny_two, 1, {16}, .by_name_only = true},
    {"tiny-ragged", &tiny_two, 2, {7, 16}, .beside = "tiny", .by_name_only = true},
    {"tiny-classify", &tiny_label, 2, {16, 9}, .beside = "tiny", .by_name_only = true},
    {"tiny-start", &tiny_two, 1, {16}, .start = true, .by_name_only = true},
};
#define ROW_COUNT ((int)(sizeof(rows) / sizeof(rows[0])))

const bench_row *plan_rows(int *count) {
    *count = ROW_COUNT;
    return rows;
}

const bench_row *plan_row(const char *name) {
    for (int i = 0; i < ROW_COUNT; i++) {
        if (!strcmp(rows[i].name, name)) return &rows[i];
    }
    return NULL;
}

int64_t row_length(const bench_row *r) {
    int64_t longest = 0;
    for (int i = 0; i < r->texts; i++) longest = r->lengths[i] > longest ? r->lengths[i] : longest;
    return longest;
}

int64_t row_tokens(const bench_row *r) {
    int64_t sum = 0;
    for (int i = 0; i < r->texts; i++) sum += r->lengths[i];
    return sum;
}

// One layer of a text of n tokens, of which `read` are computed past keys and values.
static double layer_flops(const model_sizes *m, double n, double read) {
    double h = (double)m->hidden, f = (double)m->inner;
    double keys_values = n * 2 * h * h, others = read * (2 * h * h + 2 * h * f);
    double attention = 2 * read * n * h;
    return 2 * (keys_values + others + attention);
}

double row_flops(const bench_row *r, const model_sizes *m) {
    double sum = 0;
    for (int i = 0; i < r->texts; i++) {
        double n = (double)r->lengths[i];
        sum += (double)(m->layers - 1) * layer_flops(m, n, n);
        sum += layer_flops(m, n, m->labels ? 1 : n);
    }
    return sum;
}
