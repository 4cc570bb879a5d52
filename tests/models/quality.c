#include "quality.h"

#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/calibrate.h"
#include "reference.h"

// --- The set

static void data_path(const char *data, char *out, size_t size) {
    snprintf(out, size, BERTC_SHARED "/data/%s.dev.jsonl.xz", data);
}

const char *quality_lacks(const char *model, const char *data) {
    char path[1024];
    snprintf(path, sizeof path, BERTC_SHARED "/models/%s/config.json", model);
    if (access(path, R_OK)) return "shared";
    data_path(data, path, sizeof path);
    if (access(path, R_OK)) return "shared";
    return system("command -v xzcat >/dev/null 2>&1") == 0 ? NULL : "tools";
}

void quality_open(quality *q, const char *model, const char *data, int64_t length) {
    quality_open_as(q, model, data, length, &(quality_way){0});
}

void quality_open_as(quality *q, const char *model, const char *data, int64_t length,
                     const quality_way *way) {
    char path[1024], command[1100];
    bertc_error e;
    *q = (quality){0};
    diag_init(&q->d);
    snprintf(path, sizeof path, BERTC_SHARED "/models/%s", model);
    build_options o = {.batch = 1,
                       .optimise = 2,
                       .lengths = {1, {length}},
                       .dtype = way->dtype,
                       .mcpu = way->mcpu,
                       .hub = {.model = path}};
    arena *a = arena_new();
    calibration ranges;
    if (way->calibrate) {
        must_diag(calibrate(&o, way->calibrate, a, &ranges, &q->d), &q->d, way->calibrate);
        o.calibration = &ranges;
    }
    must_diag(opened_open(&q->model, path, &o, &q->d), &q->d, model);
    arena_free(a);
    q->session = bertc_open(q->model.model,
                            &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 1}, &e);
    ck_assert_msg(q->session != NULL, "%s: %s", model, e.message);
    data_path(data, path, sizeof path);
    snprintf(command, sizeof command, "xzcat '%s'", path);
    ck_assert_ptr_nonnull(q->lines = popen(command, "r"));
}

cJSON *quality_next(quality *q) {
    if (getline(&q->line, &q->capacity, q->lines) <= 0) return NULL;
    cJSON *o = cJSON_Parse(q->line);
    ck_assert_ptr_nonnull(o);
    return o;
}

void quality_close(quality *q) {
    free(q->line);
    pclose(q->lines);
    bertc_close(q->session);
    opened_close(&q->model);
    diag_free(&q->d);
}

const char *quality_string(const cJSON *o, const char *name) {
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(o, name);
    ck_assert_msg(cJSON_IsString(s), "no %s", name);
    return s->valuestring;
}

bertc_result quality_answer(quality *q, const bertc_text *text, const bertc_text_options *options) {
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    ck_assert_msg(bertc_answer_texts(q->session, text, 1, options, &r, &e), "%s: %s", text->text, e.message);
    return r;
}

// --- SQuAD

enum { WORDS = 512 };
typedef struct word_list {
    char *text;
    const char *word[WORDS];
    int count;
} word_list;

static word_list words_of(const char *text, size_t size) {
    word_list w = {.text = malloc(size + 1)};
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x80 && ispunct(c)) continue;
        w.text[n++] = c < 0x80 ? (char)tolower(c) : (char)c;
    }
    w.text[n] = 0;
    for (char *at = w.text, *word; (word = strtok_r(at, " \t\r\n\v\f", &at)) && w.count < WORDS;)
        if (strcmp(word, "a") && strcmp(word, "an") && strcmp(word, "the")) w.word[w.count++] = word;
    return w;
}

static squad_score compare_one(const word_list *a, const word_list *b) {
    bool used[WORDS] = {false}, same = a->count == b->count;
    int common = 0;
    for (int i = 0; same && i < a->count; i++) same = !strcmp(a->word[i], b->word[i]);
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++)
            if (!used[k] && !strcmp(a->word[i], b->word[k])) {
                used[k] = true;
                common++;
                break;
            }
    if (!a->count || !b->count) return (squad_score){same, same};
    return (squad_score){same, 2.0 * common / (a->count + b->count)};
}

squad_score squad_compare(const char *answer, size_t size, const cJSON *gold) {
    squad_score best = {0, 0};
    word_list a = words_of(answer, size);
    const cJSON *one;
    cJSON_ArrayForEach(one, gold) {
        word_list b = words_of(one->valuestring, strlen(one->valuestring));
        squad_score s = compare_one(&a, &b);
        best.exact = fmax(best.exact, s.exact);
        best.f1 = fmax(best.f1, s.f1);
        free(b.text);
    }
    free(a.text);
    return best;
}

// --- Ranks

static int by_value(const void *a, const void *b, void *values) {
    double x = ((const double *)values)[*(const int *)a], y = ((const double *)values)[*(const int *)b];
    return (x > y) - (x < y);
}

static double *ranks(const double *x, int n) {
    int *order = malloc((size_t)n * sizeof *order);
    double *rank = malloc((size_t)n * sizeof *rank), *values = malloc((size_t)n * sizeof *values);
    memcpy(values, x, (size_t)n * sizeof *x);
    for (int i = 0; i < n; i++) order[i] = i;
    qsort_r(order, (size_t)n, sizeof *order, by_value, values);
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && x[order[end]] == x[order[i]];) end++;
        for (int k = i; k < end; k++) rank[order[k]] = (i + end - 1) / 2.0;
    }
    free(order);
    free(values);
    return rank;
}

double spearman(const double *a, const double *b, int n) {
    double *x = ranks(a, n), *y = ranks(b, n), mean = (n - 1) / 2.0, xy = 0, xx = 0, yy = 0;
    for (int i = 0; i < n; i++) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    free(x);
    free(y);
    return xy / sqrt(xx * yy);
}
