// links: cli
// The cases that are sentence-transformers folders (st-*), from text: every row of texts.json holds a text,
// perhaps a prompt or a prompt's name, and what sentence-transformers 6.0 encodes. By JIT and from a shared
// object; alone and in one call with others the bits are equal.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"
#include "models/answers.h"

#define CASES     BERTC_TESTS "/models/cases/"
#define TOLERANCE 5e-5
#define TEXTS     64

static folder_list folders;

static cJSON *read_rows(const char *name) {
    cJSON *rows = read_answers(folder_in(CASES, name), "texts.json");
    ck_assert(cJSON_IsArray(rows));
    return rows;
}

static bertc_text_options options_of(const cJSON *row) {
    return (bertc_text_options){BERTC_SIZED(bertc_text_options), .prompt = string_of(row, "prompt"),
                                .prompt_name = string_of(row, "prompt_name")};
}

static bool same_word(const char *a, const char *b) {
    return a == b || (a && b && !strcmp(a, b));
}

static void compare(const cJSON *row, const bertc_result *r, const char *what) {
    const cJSON *wants = cJSON_GetObjectItemCaseSensitive(row, "embedding"), *x;
    double largest = 1;
    int i = 0;
    ck_assert_int_eq(r->embedding_size, cJSON_GetArraySize(wants));
    cJSON_ArrayForEach(x, wants) largest = fmax(largest, fabs(x->valuedouble));
    cJSON_ArrayForEach(x, wants) {
        double has = (double)r->embedding[i++];
        ck_assert_msg(table_note(fabs(has - x->valuedouble)) <= TOLERANCE * largest,
                      "%s, \"%s\": %g, not %g, at %d", what, string_of(row, "text"), has, x->valuedouble,
                      i - 1);
    }
}

// Each row alone; then all rows with the same prompt in one call.
static void check(bertc_model *model, const cJSON *rows, const char *what) {
    bertc_error e = {""};
    bertc_session *s = session_of(model, 1);
    for (const cJSON *row = rows->child, *end; row; row = end) {
        bertc_text_options o = options_of(row);
        bertc_text texts[TEXTS];
        bertc_result results[TEXTS] = {BERTC_RESULT_INIT}, alone = BERTC_RESULT_INIT;
        float *kept[TEXTS];
        int n = 0;
        for (end = row; end && n < TEXTS && same_word(o.prompt, string_of(end, "prompt")) &&
                        same_word(o.prompt_name, string_of(end, "prompt_name"));
             end = end->next, n++) {
            texts[n] = text_of(string_of(end, "text"));
            ck_assert_msg(bertc_answer_texts(s, &texts[n], 1, &o, &alone, &e), "%s: %s", what, e.message);
            compare(end, &alone, what);
            size_t bytes = (size_t)alone.embedding_size * sizeof(float);
            kept[n] = memcpy(malloc(bytes), alone.embedding, bytes);
        }
        ck_assert_msg(bertc_answer_texts(s, texts, (size_t)n, &o, results, &e), "%s: %s", what, e.message);
        for (int i = 0; i < n; i++) {
            size_t bytes = (size_t)results[i].embedding_size * sizeof(float);
            ck_assert_msg(!memcmp(kept[i], results[i].embedding, bytes),
                          "%s: \"%s\" has other bits among others", what, texts[i].text);
            free(kept[i]);
        }
    }
    bertc_close(s);
}

static void open_case(opened *m, const char *name, diag *d) {
    diag_init(d);
    must_diag(opened_open(m, folder_in(CASES, name), &(build_options){.batch = 2, .optimise = 2}, d), d,
              name);
}

// The shared object of the same; it holds the prompts too.
static bertc_model *shared_object(const artefact *a, diag *d) {
    char path[] = "/tmp/bertc-sentences-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    backend_times times = {0};
    must_diag(backend_write(a, &(emit_options){.kind = EMIT_SO, .output = path, .optimise = 2}, &times, d), d,
              path);
    bertc_error e;
    bertc_model *model = bertc_load(path, &e);
    ck_assert_msg(model != NULL, "%s", e.message);
    unlink(path);
    return model;
}

START_TEST(encodes_as_sentence_transformers) {
    diag d;
    opened m;
    cJSON *rows = read_rows(folders.names[_i]);
    open_case(&m, folders.names[_i], &d);
    check(m.model, rows, folders.names[_i]);
    table_row("embeddings", folders.names[_i]);
    bertc_model *loaded = shared_object(&m.build.artefact, &d);
    check(loaded, rows, folders.names[_i]);
    bertc_unload(loaded);
    opened_close(&m);
    cJSON_Delete(rows);
    diag_free(&d);
}
END_TEST

// --- Prompts

START_TEST(prompts) {
    diag d;
    opened m;
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    const char *text;
    open_case(&m, "st-prompts", &d);
    bertc_model_describe(m.model, &info, NULL);
    ck_assert_int_eq(info.prompt_count, 3);
    ck_assert_str_eq(bertc_prompt(m.model, info.default_prompt, &text), "query");
    ck_assert_str_eq(text, "query: ");
    ck_assert_ptr_null(bertc_prompt(m.model, 3, &text));
    bertc_error e;
    bertc_result r = BERTC_RESULT_INIT;
    const bertc_word one = {0, 1};
    const bertc_text plain = {.text = "a", .size = 1},
                     in_words = {.text = "a", .size = 1, .words = &one, .word_count = 1};
    bertc_session *s = session_of(m.model, 1);
    ck_assert(!bertc_answer_texts(
        s, &plain, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .prompt_name = "none"}, &r, &e));
    ck_assert_str_eq(e.message, "the model has no prompt `none`; it has document, passage, query");
    ck_assert(!bertc_answer_texts(s, &in_words, 1, NULL, &r, &e));
    ck_assert(bertc_answer_texts(
        s, &in_words, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .prompt = ""}, &r, &e));
    bertc_close(s);
    opened_close(&m);
    diag_free(&d);
}
END_TEST

// A prompt stands in every window: what is left for the text is shorter by its tokens.
START_TEST(windows) {
    diag d;
    opened m;
    bertc_error e;
    bertc_result r = BERTC_RESULT_INIT;
    open_case(&m, "st-prompts", &d);
    bertc_session *s = session_of(m.model, 1);
    const char *text =
        "the cat sat on the mat the cat sat on the mat the cat sat on the mat the cat sat on the mat";
    const bertc_text t = {.text = text, .size = strlen(text)};
    const struct {
        const char *prompt;
        int tokens, windows;
    } cases[] = {{"", 26, 2}, {"query: ", 28, 2}, {"where is the old green river ? ", 33, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .prompt = cases[i].prompt,
                                      .windows = true, .max_tokens = 20, .stride = -1};
        ck_assert_msg(bertc_answer_texts(s, &t, 1, &o, &r, &e), "%s", e.message);
        ck_assert_int_eq(r.token_count, cases[i].tokens);
        ck_assert_int_eq(r.window_count, cases[i].windows);
        for (int k = 0; k < r.embedding_size; k++) ck_assert(isfinite(r.embedding[k]));
    }
    const bertc_text_options none = {BERTC_SIZED(bertc_text_options), .prompt = text, .windows = true,
                                     .max_tokens = 20};
    ck_assert(!bertc_answer_texts(s, &t, 1, &none, &r, &e));
    bertc_close(s);
    opened_close(&m);
    diag_free(&d);
}
END_TEST

int main(int argc, char **argv) {
    folders = folders_find(CASES, "st-", "texts.json");
    table_begin(argc, argv);
    Suite *suite = suite_create("sentences");
    TCase *t = tcase_create("folders");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, encodes_as_sentence_transformers, 0, folders.count);
    tcase_add_test(t, prompts);
    tcase_add_test(t, windows);
    suite_add_tcase(suite, t);
    return table_status(suite, &folders);
}
