// links: cli
// Late interaction, from text: each folder of models/vectors with `query_vectors` in its answers.json has what
// sentence-transformers 6.0 gives queries, documents, and texts without a role (make.py made them). In float32 and, by
// cosine, in the narrow precisions; alone or among others, on one thread or several, the bits are equal.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "models/answers.h"

#define CASES     BERTC_TESTS "/models/vectors/"
#define TOLERANCE 5e-5
#define TEXTS     8

static folder_list folders;

// The folders but for BGE-M3's, whose answers have another form (test_bge_m3.c).
static void find_cases(void) {
    folder_list all = folders_find(CASES, "", "answers.json");
    for (int i = 0; i < all.count; i++) {
        if (strcmp(all.names[i], "bge-m3") != 0)
            folders.names[folders.count++] = all.names[i];
        else
            free(all.names[i]);
    }
}

// The roles, and the keys of their texts and vectors.
static const struct {
    bertc_role role;
    const char *texts, *vectors;
} roles[] = {{BERTC_ROLE_QUERY, "queries", "query_vectors"},
             {BERTC_ROLE_DOCUMENT, "documents", "document_vectors"},
             {BERTC_ROLE_NONE, "documents", "plain_vectors"}};

typedef struct vectors {
    int count, width;
    float *rows;
} vectors;

static vectors copy_of(const bertc_result *r) {
    size_t bytes = (size_t)r->vector_count * (size_t)r->vector_width * sizeof(float);
    vectors v = {r->vector_count, r->vector_width, malloc(bytes + 1)};
    memcpy(v.rows, r->vectors, bytes);
    return v;
}

static void compare(const char *what, const cJSON *wants, const vectors *has, bool exact) {
    const cJSON *row, *x;
    int i = 0;
    ck_assert_msg(has->count == cJSON_GetArraySize(wants), "%s: %d vectors, not %d", what, has->count,
                  cJSON_GetArraySize(wants));
    cJSON_ArrayForEach(row, wants) {
        double most = 0, dot = 0, a = 0, b = 0;
        const float *own = has->rows + (size_t)i++ * (size_t)has->width;
        int k = 0;
        ck_assert_int_eq(cJSON_GetArraySize(row), has->width);
        cJSON_ArrayForEach(x, row) {
            double y = (double)own[k++];
            most = fmax(most, fabs(y - x->valuedouble));
            dot += y * x->valuedouble, a += y * y, b += x->valuedouble * x->valuedouble;
        }
        if (exact)
            ck_assert_msg(table_note(most) <= TOLERANCE, "%s, vector %d: differs by %g", what, i - 1, most);
        else
            ck_assert_msg(dot / sqrt(a * b) >= 0.995, "%s, vector %d: cosine %g", what, i - 1,
                          dot / sqrt(a * b));
    }
}

// Texts that are too long are cut, as there. All in one call, on `threads` threads; then each alone.
static int answer_all(bertc_model *model, const cJSON *answers, int role, int threads, bool exact,
                      const char *what, vectors *out) {
    bertc_text texts[TEXTS];
    bertc_result results[TEXTS] = {BERTC_RESULT_INIT}, alone = BERTC_RESULT_INIT;
    bertc_error e;
    bertc_text_options o = {BERTC_SIZED(bertc_text_options), .role = roles[role].role,
                            .truncation = BERTC_TRUNCATE_LONGEST_FIRST};
    bertc_session *s = session_of(model, threads), *one = session_of(model, 1);
    const cJSON *v, *wants = cJSON_GetObjectItemCaseSensitive(answers, roles[role].vectors);
    int n = 0;
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(answers, roles[role].texts)) {
        texts[n++] = text_of(v->valuestring);
    }
    ck_assert_msg(bertc_answer_texts(s, texts, (size_t)n, &o, results, &e), "%s: %s", what, e.message);
    for (int i = 0; i < n; i++) {
        out[i] = copy_of(&results[i]);
        if (wants) compare(what, cJSON_GetArrayItem(wants, i), &out[i], exact);
        ck_assert_msg(bertc_answer_texts(one, &texts[i], 1, &o, &alone, &e), "%s: %s", what, e.message);
        ck_assert(alone.task == BERTC_TASK_VECTORS && alone.vector_count == out[i].count);
        ck_assert_msg(!memcmp(alone.vectors, out[i].rows,
                              (size_t)alone.vector_count * (size_t)alone.vector_width * sizeof(float)),
                      "%s: \"%s\" has other bits among others", what, texts[i].text);
    }
    bertc_close(one);
    bertc_close(s);
    return n;
}

static void check(const char *name, const char *dtype) {
    char what[128];
    diag d;
    opened m;
    vectors all[3][TEXTS];
    int counts[3];
    cJSON *answers = read_answers(folder_in(CASES, name), "answers.json");
    diag_init(&d);
    must_diag(opened_open(&m, folder_in(CASES, name),
                          &(build_options){
                              .lengths = {.count = 1, .v = {48}}, .batch = 4, .optimise = 1, .dtype = dtype},
                          &d),
              &d, name);
    for (int role = 0; role < 3; role++) {
        snprintf(what, sizeof what, "%s, %s, %s", name, dtype ? dtype : "f32", roles[role].vectors);
        counts[role] = answer_all(m.model, answers, role, 3, !dtype, what, all[role]);
    }
    // MaxSim, within the tolerance of the sum.
    const cJSON *scores = cJSON_GetObjectItemCaseSensitive(answers, "similarity");
    for (int q = 0; q < counts[0] && !dtype; q++)
        for (int i = 0; i < counts[1]; i++) {
            const vectors *a = &all[0][q], *b = &all[1][i];
            double want = cJSON_GetArrayItem(cJSON_GetArrayItem(scores, q), i)->valuedouble,
                   has = (double)bertc_maxsim(a->rows, (size_t)a->count, b->rows, (size_t)b->count,
                                              (size_t)a->width);
            ck_assert_msg(fabs(has - want) <= TOLERANCE * fabs(want), "%s: query %d, document %d: %g, not %g",
                          name, q, i, has, want);
        }
    for (int role = 0; role < 3; role++)
        for (int i = 0; i < counts[role]; i++) free(all[role][i].rows);
    opened_close(&m);
    diag_free(&d);
    cJSON_Delete(answers);
}

START_TEST(encodes_as_sentence_transformers) {
    check(folders.names[_i], NULL);
    table_row("vectors of tokens", folders.names[_i]);
}
END_TEST

START_TEST(narrow) {
    static const char *const dtypes[] = {"bf16", "int8", "int8w"};
    check("st-expanded", dtypes[_i]);
}
END_TEST

// What hides the tokens that a query is filled up with hides nothing of a text that is not: the same bits, with other texts
// of the call filled up or not, and by ids.
START_TEST(ids_of_a_filled_query) {
    diag d;
    opened m;
    bertc_error e;
    diag_init(&d);
    must_diag(opened_open(&m, CASES "st-expanded", &(build_options){.batch = 4, .optimise = 2}, &d), &d,
              "ids");
    bertc_session *s = session_of(m.model, 1);
    const bertc_text text = {.text = "the cat", .size = 7};
    bertc_text_options o = {BERTC_SIZED(bertc_text_options), .role = BERTC_ROLE_QUERY};
    bertc_result r = BERTC_RESULT_INIT;
    const bertc_token *tokens;
    size_t n;
    ck_assert_msg(bertc_answer_texts(s, &text, 1, &o, &r, &e), "%s", e.message);
    ck_assert(r.vector_count == 11 && r.token_count == 11);
    vectors v = copy_of(&r);
    const bertc_text marked = {.text = "[unused0] the cat", .size = 17};
    ck_assert(bertc_tokenize(s, &marked, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, &e) && n < 11);
    int32_t ids[11], shown[11];
    for (size_t i = 0; i < 11; i++) ids[i] = i < n ? tokens[i].id : 4, shown[i] = i < n;
    float rows[11 * 8], *buffers[] = {rows};
    const bertc_batch batch = {BERTC_SIZED(bertc_batch), .batch = 1, .length = 11, .input_ids = ids,
                               .attention_mask = shown};
    ck_assert_msg(bertc_run(s, &batch, buffers, NULL, &e), "%s", e.message);
    ck_assert(!memcmp(rows, v.rows, sizeof rows)); // the hidden tokens' vectors too
    ck_assert_msg(bertc_text_tokens(s, &text, &o, &tokens, &n, &e), "%s", e.message); // the same ids
    ck_assert(n == 11);
    for (size_t i = 0; i < n; i++) ck_assert_int_eq(tokens[i].id, ids[i]);
    ck_assert(tokens[2].char_start == 0 && tokens[2].char_end == 3 && tokens[2].word == 0);
    ck_assert(tokens[1].text == -1 && tokens[1].byte_end == 0 && tokens[10].text == -1);
    ck_assert(!bertc_text_tokens(s, NULL, &o, &tokens, &n, &e) && !strcmp(e.message, "text is NULL"));
    ck_assert(!bertc_text_tokens(s, &text, &o, NULL, &n, &e) && !strcmp(e.message, "tokens is NULL"));
    o.windows = true;
    ck_assert(!bertc_answer_texts(s, &text, 1, &o, &r, &e));
    ck_assert_str_eq(e.message,
                     "a text that gets a vector per token is not read in windows: it can be truncated");
    free(v.rows);
    bertc_close(s);
    opened_close(&m);
    must_diag(opened_open(&m, CASES "st-expanded",
                          &(build_options){.lengths = {1, {8}}, .batch = 1, .optimise = 2}, &d),
              &d, "seq");
    s = session_of(m.model, 1);
    o.windows = false;
    ck_assert(!bertc_answer_texts(s, &text, 1, &o, &r, &e));
    ck_assert_str_eq(e.message, "queries have 11 tokens, and the model takes 8 (compile it with --seq 11)");
    bertc_close(s);
    opened_close(&m);
    diag_free(&d);
}
END_TEST

int main(int argc, char **argv) {
    find_cases();
    table_begin(argc, argv);
    Suite *suite = suite_create("vectors");
    TCase *t = tcase_create("folders");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, encodes_as_sentence_transformers, 0, folders.count);
    tcase_add_loop_test(t, narrow, 0, 3);
    tcase_add_test(t, ids_of_a_filled_query);
    suite_add_tcase(suite, t);
    return table_status(suite, &folders);
}
