// links: cli
// Sparse encoders (SPLADE), from text: each folder of models/sparse holds answers.json, the weights that
// sentence-transformers 6.0 gives the texts, perhaps by their role. In float32 and, by cosine, in the narrow precisions; from
// one session to many threads, and alone or among others, the bits are equal.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "models/answers.h"

#define CASES     BERTC_TESTS "/models/sparse/"
#define TOLERANCE 5e-5
#define TEXTS     32

static folder_list folders;

static cJSON *read_rows(const char *name) {
    cJSON *rows = read_answers(folder_in(CASES, name), "answers.json");
    ck_assert(cJSON_IsArray(rows) && cJSON_GetArraySize(rows) <= TEXTS);
    return rows;
}

static bertc_text_options options_of(const cJSON *row) {
    const char *role = string_of(row, "role");
    return (bertc_text_options){BERTC_SIZED(bertc_text_options), .role = !role ? BERTC_ROLE_NONE
                                                                         : !strcmp(role, "query")
                                                                             ? BERTC_ROLE_QUERY
                                                                             : BERTC_ROLE_DOCUMENT};
}

static double wanted(const cJSON *row, int id) {
    char key[16];
    snprintf(key, sizeof key, "%d", id);
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(row, "weights"), key);
    return v ? v->valuedouble : 0;
}

// The largest difference of a weight: of what is there, and of what should be.
static double difference(const cJSON *row, const bertc_result *r) {
    double most = 0;
    const cJSON *v;
    for (int i = 0; i < r->sparse_count; i++)
        most = fmax(most, fabs((double)r->sparse[i].score - wanted(row, r->sparse[i].id)));
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(row, "weights")) {
        double has = 0;
        for (int i = 0; i < r->sparse_count; i++)
            if (r->sparse[i].id == atoi(v->string)) has = (double)r->sparse[i].score;
        most = fmax(most, fabs(has - v->valuedouble));
    }
    return most;
}

static double cosine(const cJSON *row, const bertc_result *r) {
    double dot = 0, own = 0, other = 0;
    const cJSON *v;
    for (int i = 0; i < r->sparse_count; i++) {
        double has = (double)r->sparse[i].score;
        dot += has * wanted(row, r->sparse[i].id);
        own += has * has;
    }
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(row, "weights")) other +=
        v->valuedouble * v->valuedouble;
    return dot / sqrt(own * other);
}

static void open_case(opened *m, const char *name, build_options o, diag *d) {
    diag_init(d);
    o.batch = 4;
    o.lengths = (int_list){.count = 1, .v = {32}};
    o.optimise = 2;
    must_diag(opened_open(m, folder_in(CASES, name), &o, d), d, name);
}

// All rows of one role in one call, on `threads` threads; then each alone.
static void check(bertc_model *model, const cJSON *rows, int threads, const char *what, bool exact) {
    bertc_error e = {""};
    bertc_session *s = session_of(model, threads), *one = session_of(model, 1);
    for (const cJSON *row = rows->child, *end; row; row = end) {
        bertc_text_options o = options_of(row);
        bertc_text texts[TEXTS];
        bertc_result results[TEXTS] = {BERTC_RESULT_INIT}, alone = BERTC_RESULT_INIT;
        int n = 0;
        for (end = row; end && options_of(end).role == o.role; end = end->next)
            texts[n++] = text_of(string_of(end, "text"));
        ck_assert_msg(bertc_answer_texts(s, texts, (size_t)n, &o, results, &e), "%s: %s", what, e.message);
        for (int i = 0; i < n; i++, row = row->next) {
            if (exact)
                ck_assert_msg(table_note(difference(row, &results[i])) <= TOLERANCE,
                              "%s, \"%s\": differs by %g", what, texts[i].text, difference(row, &results[i]));
            else
                ck_assert_msg(cosine(row, &results[i]) >= 0.995, "%s, \"%s\": cosine %g", what, texts[i].text,
                              cosine(row, &results[i]));
            ck_assert_msg(bertc_answer_texts(one, &texts[i], 1, &o, &alone, &e), "%s: %s", what, e.message);
            ck_assert_int_eq(alone.sparse_count, results[i].sparse_count);
            for (int k = 0; k < alone.sparse_count; k++)
                ck_assert_msg(alone.sparse[k].id == results[i].sparse[k].id &&
                                  alone.sparse[k].score == results[i].sparse[k].score,
                              "%s: \"%s\" has other bits among others", what, texts[i].text);
        }
    }
    bertc_close(one);
    bertc_close(s);
}

START_TEST(encodes_as_sentence_transformers) {
    diag d;
    opened m;
    cJSON *rows = read_rows(folders.names[_i]);
    open_case(&m, folders.names[_i], (build_options){0}, &d);
    check(m.model, rows, 1, folders.names[_i], true);
    check(m.model, rows, 3, folders.names[_i], true);
    table_row("sparse", folders.names[_i]);
    opened_close(&m);
    cJSON_Delete(rows);
    diag_free(&d);
}
END_TEST

// A precision each for the first folders: how texts are pooled is the same in all.
static const char *const dtypes[] = {"bf16", "int8", "int8w"};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

START_TEST(narrow) {
    cJSON *rows = read_rows(folders.names[_i]);
    diag d;
    opened m;
    char what[64];
    snprintf(what, sizeof what, "%s in %s", folders.names[_i], dtypes[_i]);
    open_case(&m, folders.names[_i], (build_options){.dtype = dtypes[_i]}, &d);
    check(m.model, rows, 2, what, false);
    opened_close(&m);
    diag_free(&d);
    cJSON_Delete(rows);
}
END_TEST

int main(int argc, char **argv) {
    folders = folders_find(CASES, "", "answers.json");
    table_begin(argc, argv);
    Suite *suite = suite_create("sparse");
    TCase *t = tcase_create("folders");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, encodes_as_sentence_transformers, 0, folders.count);
    tcase_add_loop_test(t, narrow, 0, folders.count < DTYPES ? folders.count : DTYPES);
    suite_add_tcase(suite, t);
    return table_status(suite, &folders);
}
