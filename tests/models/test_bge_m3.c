// links: cli
// BGE-M3 from text: an embedding, a weight a token and a vector per token of one pass, against FlagEmbedding's rules in PyTorch
// (models/vectors/make.py). Its weights are files of torch.save. In float32 and, by cosine, in the narrow precisions; any
// choice of the three has the bits of all of them.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "models/answers.h"

#define FOLDER    BERTC_TESTS "/models/vectors/bge-m3"
#define TOLERANCE 5e-5
#define TEXTS     16

static cJSON *answers;
static bertc_text texts[TEXTS];
static int count;

static void setup(void) {
    const cJSON *row;
    answers = read_answers(FOLDER, "answers.json");
    ck_assert(cJSON_IsArray(answers) && cJSON_GetArraySize(answers) <= TEXTS);
    count = 0;
    cJSON_ArrayForEach(row, answers) {
        texts[count++] = text_of(string_of(row, "text"));
    }
}
static void teardown(void) {
    cJSON_Delete(answers);
}

static const cJSON *wanted(int i, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(answers, i), key);
}

static void compare(const char *what, const cJSON *wants, const float *has, bool exact) {
    double most = 0, dot = 0, a = 0, b = 0;
    const cJSON *x;
    cJSON_ArrayForEach(x, wants) {
        double y = (double)*has++;
        most = fmax(most, fabs(y - x->valuedouble));
        dot += y * x->valuedouble, a += y * y, b += x->valuedouble * x->valuedouble;
    }
    if (exact)
        ck_assert_msg(table_note(most) <= TOLERANCE, "%s differs by %g", what, most);
    else
        ck_assert_msg(dot / sqrt(a * b) >= 0.995, "%s: cosine %g", what, dot / sqrt(a * b));
}

static void compare_weights(const cJSON *wants, const bertc_result *r) {
    const cJSON *w;
    int i = 0;
    ck_assert_int_eq(r->sparse_count, cJSON_GetArraySize(wants));
    cJSON_ArrayForEach(w, wants) {
        const bertc_score *s = &r->sparse[i++];
        ck_assert_int_eq(s->id, cJSON_GetObjectItemCaseSensitive(w, "id")->valueint);
        ck_assert_str_eq(s->label, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(w, "token")));
        double weight = cJSON_GetObjectItemCaseSensitive(w, "weight")->valuedouble;
        ck_assert_msg(table_note(fabs((double)s->score - weight)) <= TOLERANCE, "%s: %g, not %g", s->label,
                      (double)s->score, weight);
    }
}

// The cosine of the weights by id.
static void compare_narrow_weights(const cJSON *wants, const bertc_result *r) {
    double dot = 0, a = 0, b = 0;
    const cJSON *w;
    for (int i = 0; i < r->sparse_count; i++) a += (double)r->sparse[i].score * (double)r->sparse[i].score;
    cJSON_ArrayForEach(w, wants) {
        double weight = cJSON_GetObjectItemCaseSensitive(w, "weight")->valuedouble;
        b += weight * weight;
        for (int i = 0; i < r->sparse_count; i++)
            if (r->sparse[i].id == cJSON_GetObjectItemCaseSensitive(w, "id")->valueint)
                dot += weight * (double)r->sparse[i].score;
    }
    ck_assert_msg(b < 0.1 || dot / sqrt(a * b) >= 0.995, "weights: cosine %g", dot / sqrt(a * b));
}

static void open_case(opened *m, const char *outputs, const char *dtype) {
    diag d;
    diag_init(&d);
    must_diag(opened_open(m, FOLDER,
                          &(build_options){.hub.outputs = outputs,
                                           .lengths = {.count = 1, .v = {48}},
                                           .batch = 4,
                                           .optimise = 1,
                                           .dtype = dtype},
                          &d),
              &d, outputs);
    diag_free(&d);
}

static bertc_session *answer(bertc_model *model, int threads, bertc_result *results) {
    bertc_error e;
    bertc_session *s = bertc_open(
        model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = threads}, &e);
    ck_assert_msg(s && bertc_answer_texts(s, texts, (size_t)count, NULL, results, &e), "%s", e.message);
    return s;
}

static void check(const char *dtype) {
    opened m;
    bertc_result r[TEXTS] = {BERTC_RESULT_INIT};
    open_case(&m, "dense,sparse,colbert", dtype);
    bertc_session *s = answer(m.model, 2, r);
    for (int i = 0; i < count; i++) {
        const cJSON *rows = wanted(i, "vectors"), *row;
        const float *has = r[i].vectors;
        ck_assert(r[i].task == BERTC_TASK_SEVERAL && r[i].embedding_size == 16 && r[i].vector_width == 16);
        ck_assert_int_eq(r[i].vector_count, cJSON_GetArraySize(rows));
        compare("embedding", wanted(i, "embedding"), r[i].embedding, !dtype);
        cJSON_ArrayForEach(row, rows) {
            compare("vector", row, has, !dtype);
            has += r[i].vector_width;
        }
        (dtype ? compare_narrow_weights : compare_weights)(wanted(i, "sparse"), &r[i]);
    }
    bertc_close(s);
    opened_close(&m);
}

START_TEST(answers_as_flag_embedding) {
    check(NULL);
    table_row("dense, sparse and vectors in one", "bge-m3");
}
END_TEST

START_TEST(narrow) {
    static const char *const dtypes[] = {"bf16", "int8", "int8w"};
    check(dtypes[_i]);
}
END_TEST

// The size of JSON that has the keys, and no others.
static void check_json(const bertc_result *r, bool dense, bool sparse, bool vectors) {
    static char text[1 << 16];
    ck_assert_uint_lt(bertc_result_json(r, &texts[0], text, sizeof text), sizeof text);
    cJSON *o = cJSON_Parse(text);
    ck_assert_ptr_nonnull(o);
    ck_assert_int_eq(cJSON_HasObjectItem(o, "embedding"), dense);
    ck_assert_int_eq(cJSON_HasObjectItem(o, "sparse"), sparse);
    ck_assert_int_eq(cJSON_HasObjectItem(o, "vectors"), vectors);
    cJSON_Delete(o);
}

START_TEST(any_of_them) {
    static const struct {
        const char *outputs;
        bool dense, sparse, vectors;
    } cases[] = {
        {"dense,sparse", true, true, false}, {"sparse", false, true, false}, {"colbert", false, false, true}};
    opened all, m;
    bertc_result whole[TEXTS] = {BERTC_RESULT_INIT}, r[TEXTS] = {BERTC_RESULT_INIT};
    open_case(&all, "dense,sparse,colbert", NULL);
    bertc_session *s = answer(all.model, 1, whole);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        open_case(&m, cases[k].outputs, NULL);
        bertc_session *t = answer(m.model, 1, r);
        for (int i = 0; i < count; i++) {
            check_json(&r[i], cases[k].dense, cases[k].sparse, cases[k].vectors);
            ck_assert(!cases[k].dense || !memcmp(r[i].embedding, whole[i].embedding, 16 * sizeof(float)));
            ck_assert(!cases[k].vectors || r[i].vector_count == whole[i].vector_count);
            for (int n = 0; cases[k].vectors && n < r[i].vector_count * r[i].vector_width; n++)
                ck_assert(r[i].vectors[n] == whole[i].vectors[n]);
            ck_assert(!cases[k].sparse || r[i].sparse_count == whole[i].sparse_count);
            for (int n = 0; cases[k].sparse && n < r[i].sparse_count; n++)
                ck_assert(r[i].sparse[n].id == whole[i].sparse[n].id &&
                          r[i].sparse[n].score == whole[i].sparse[n].score);
        }
        bertc_close(t);
        opened_close(&m);
    }
    bertc_close(s);
    opened_close(&all);
}
END_TEST

int main(int argc, char **argv) {
    table_begin(argc, argv);
    Suite *suite = suite_create("bge-m3");
    TCase *t = tcase_create("bge-m3");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, answers_as_flag_embedding);
    tcase_add_loop_test(t, narrow, 0, 3);
    tcase_add_test(t, any_of_them);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
