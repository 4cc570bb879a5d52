#include <string.h>

#include "bench.h"

static const bench_model base = {"base", "bert-base", NULL}, minilm = {"minilm", "minilm-l6", NULL},
                         base_classify = {"base-classify", "bert-base", "sequence-classification"},
                         minilm_classify = {"minilm-classify", "minilm-l6", "sequence-classification"},
                         mini_classify = {"mini-classify", "bert-mini", "sequence-classification"},
                         tiny = {"tiny", "bert-tiny", NULL},
                         tiny_classify = {"tiny-classify", "bert-tiny", "sequence-classification"};

static const bench_build base_one = {"base", &base, "8,32,128,384,512", "1", NULL, NULL},
                         minilm_one = {"minilm", &minilm, "32,128", "1", NULL},
                         base_eight = {"base-8", &base, "128", "8", NULL},
                         base_label = {"base-classify", &base_classify, "128", "1", NULL},
                         minilm_label = {"minilm-classify", &minilm_classify, "128", "1", NULL},
                         base_avx2 = {"base-avx2", &base, "8,32,128", "1", "x86-64-v3"},
                         base_bf16 = {"base-bf16", &base, "8,32,128,384,512", "1", NULL, "bf16"},
                         base_int8 = {"base-int8", &base, "8,32,128,384,512", "1", NULL, "int8"},
                         base_int8w = {"base-int8w", &base, "8,32,128", "1", NULL, "int8w"},
                         base_avx2_int8 = {"base-avx2-int8", &base, "8,32,128", "1", "x86-64-v3", "int8"},
                         eight_bf16 = {"base-8x-bf16", &base, "128", "8", NULL, "bf16"},
                         eight_int8 = {"base-8x-int8", &base, "128", "8", NULL, "int8"},
                         minilm_bf16 = {"minilm-bf16", &minilm, "32,128", "1", NULL, "bf16"},
                         minilm_int8 = {"minilm-int8", &minilm, "32,128", "1", NULL, "int8"},
                         tiny_bf16 = {"tiny-bf16", &tiny, "16", "2", NULL, "bf16"},
                         tiny_int8 = {"tiny-int8", &tiny, "16", "2", NULL, "int8"},
                         tiny_int8w = {"tiny-int8w", &tiny, "16", "2", NULL, "int8w"},
                         tiny_two = {"tiny", &tiny, "16", "2", NULL},
                         tiny_label = {"tiny-classify", &tiny_classify, "16", "2", NULL};

// Steps of training.
#define STEP_OF(length, texts, dtype, share) length, texts, NULL, dtype, "classify", share
static const bench_build step_base = {"train-base", &base_classify, STEP_OF("128", "16", NULL, NULL)},
                         step_base_bf16 = {"train-base-bf16", &base_classify,
                                           STEP_OF("128", "16", "bf16", NULL)},
                         step_dropout = {"train-base-dropout", &base_classify,
                                         STEP_OF("128", "16", NULL, "0.1")},
                         step_mini = {"train-mini", &mini_classify, STEP_OF("64", "32", NULL, NULL)},
                         step_mini_bf16 = {"train-mini-bf16", &mini_classify,
                                           STEP_OF("64", "32", "bf16", NULL)},
                         step_tiny = {"train-tiny", &tiny_classify, STEP_OF("16", "2", NULL, NULL)};

#define EIGHT_TIMES(n) n, n, n, n, n, n, n, n
#define EIGHT                                                                                                \
    8, {                                                                                                     \
        EIGHT_TIMES(128)                                                                                     \
    }
#define SIXTEEN                                                                                              \
    16, {                                                                                                    \
        EIGHT_TIMES(128), EIGHT_TIMES(128)                                                                   \
    }
#define THIRTY_TWO                                                                                           \
    32, {                                                                                                    \
        EIGHT_TIMES(64), EIGHT_TIMES(64), EIGHT_TIMES(64), EIGHT_TIMES(64)                                   \
    }
// A row of another precision, beside the same in float32; of the list `all` only where it is asked for.
#define BESIDE_ROW(of) .beside = of, .by_name_only = true

static const bench_row rows[] = {
    {"base-8", &base_one, 1, {8}},
    {"base-32", &base_one, 1, {32}},
    {"base-128", &base_one, 1, {128}},
    {"base-384", &base_one, 1, {384}},
    {"base-512", &base_one, 1, {512}},
    {"minilm-32", &minilm_one, 1, {32}},
    {"minilm-128", &minilm_one, 1, {128}},
    {"base-8x128", &base_eight, EIGHT},
    {"base-ragged", &base_eight, 8, {16, 32, 48, 56, 64, 72, 96, 128}, .beside = "base-8x128"},
    {"base-classify", &base_label, 1, {128}, .beside = "base-128"},
    {"minilm-classify", &minilm_label, 1, {128}, .beside = "minilm-128"},
    {"base-avx2", &base_avx2, 1, {128}, .alone = true},
    {"base-avx2-8", &base_avx2, 1, {8}, .alone = true, .by_name_only = true},
    {"base-avx2-32", &base_avx2, 1, {32}, .alone = true, .by_name_only = true},
    {"base-8-bf16", &base_bf16, 1, {8}, BESIDE_ROW("base-8")},
    {"base-32-bf16", &base_bf16, 1, {32}, BESIDE_ROW("base-32")},
    {"base-128-bf16", &base_bf16, 1, {128}, BESIDE_ROW("base-128")},
    {"base-384-bf16", &base_bf16, 1, {384}, BESIDE_ROW("base-384")},
    {"base-512-bf16", &base_bf16, 1, {512}, BESIDE_ROW("base-512")},
    {"base-8x128-bf16", &eight_bf16, EIGHT, BESIDE_ROW("base-8x128")},
    {"minilm-32-bf16", &minilm_bf16, 1, {32}, BESIDE_ROW("minilm-32")},
    {"minilm-128-bf16", &minilm_bf16, 1, {128}, BESIDE_ROW("minilm-128")},
    {"base-8-int8", &base_int8, 1, {8}, BESIDE_ROW("base-8")},
    {"base-32-int8", &base_int8, 1, {32}, BESIDE_ROW("base-32")},
    {"base-128-int8", &base_int8, 1, {128}, BESIDE_ROW("base-128")},
    {"base-384-int8", &base_int8, 1, {384}, BESIDE_ROW("base-384")},
    {"base-512-int8", &base_int8, 1, {512}, BESIDE_ROW("base-512")},
    {"base-8x128-int8", &eight_int8, EIGHT, BESIDE_ROW("base-8x128")},
    {"minilm-32-int8", &minilm_int8, 1, {32}, BESIDE_ROW("minilm-32")},
    {"minilm-128-int8", &minilm_int8, 1, {128}, BESIDE_ROW("minilm-128")},
    {"base-8-int8w", &base_int8w, 1, {8}, BESIDE_ROW("base-8")},
    {"base-32-int8w", &base_int8w, 1, {32}, BESIDE_ROW("base-32")},
    {"base-128-int8w", &base_int8w, 1, {128}, BESIDE_ROW("base-128")},
    {"avx2-8-int8", &base_avx2_int8, 1, {8}, BESIDE_ROW("base-avx2-8")},
    {"avx2-32-int8", &base_avx2_int8, 1, {32}, BESIDE_ROW("base-avx2-32")},
    {"avx2-128-int8", &base_avx2_int8, 1, {128}, BESIDE_ROW("base-avx2")},
    {"base-start", &base_one, 1, {128}, .start = true},
    {"train-base", &step_base, SIXTEEN, .by_name_only = true},
    {"train-base-dropout", &step_dropout, SIXTEEN, .by_name_only = true},
    {"train-base-bf16", &step_base_bf16, SIXTEEN, .by_name_only = true},
    {"train-mini", &step_mini, THIRTY_TWO, .by_name_only = true},
    {"train-mini-bf16", &step_mini_bf16, THIRTY_TWO, .by_name_only = true},
    {"train-tiny", &step_tiny, 2, {16, 9}, .by_name_only = true},
    {"tiny", &tiny_two, 1, {16}, .by_name_only = true},
    {"tiny-ragged", &tiny_two, 2, {7, 16}, .beside = "tiny", .by_name_only = true},
    {"tiny-classify", &tiny_label, 2, {16, 9}, .beside = "tiny", .by_name_only = true},
    {"tiny-bf16", &tiny_bf16, 1, {16}, BESIDE_ROW("tiny")},
    {"tiny-int8", &tiny_int8, 1, {16}, BESIDE_ROW("tiny")},
    {"tiny-int8w", &tiny_int8w, 1, {16}, BESIDE_ROW("tiny")},
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
    return 2 * (keys_values + others);
}

// Over all layers; a classifier's last one computes one row of each text.
static double over_layers(const bench_row *r, const model_sizes *m,
                          double (*flops)(const model_sizes *m, double n, double read)) {
    double sum = 0;
    for (int i = 0; i < r->texts; i++) {
        double n = (double)r->lengths[i];
        sum += (double)(m->layers - 1) * flops(m, n, n) + flops(m, n, m->labels ? 1 : n);
    }
    return sum;
}

static double attention_flops(const model_sizes *m, double n, double read) {
    return 4 * read * n * (double)m->hidden;
}

double row_attention_flops(const bench_row *r, const model_sizes *m) {
    return (row_trains(r) ? 3 : 1) * over_layers(r, m, attention_flops);
}

double row_flops(const bench_row *r, const model_sizes *m) {
    return (row_trains(r) ? 3 : 1) * over_layers(r, m, layer_flops) + row_attention_flops(r, m);
}

bool row_trains(const bench_row *r) {
    return r->build->train != NULL;
}

bool row_is(const bench_row *r, const char *dtype) {
    return !strcmp(r->build->dtype ? r->build->dtype : "f32", dtype);
}

double row_weight_bytes(const bench_row *r, const model_sizes *m) {
    double h = (double)m->hidden, f = (double)m->inner;
    double size = row_is(r, "f32") ? 4 : row_is(r, "bf16") ? 2 : 1;
    return (double)m->layers * (4 * h * h + 2 * h * f) * size;
}
