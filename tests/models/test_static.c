// links: cli
// Static embeddings: sentence-transformers' StaticEmbedding against what it gives (answers/st-static), and model2vec's files,
// whose answers are worked out here from the tokens: the mean of table[mapping[id]] * weights[id] over all but the unknown
// one, perhaps made of length 1.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main.h"
#include "models/answers.h"

#define STATIC BERTC_TESTS "/models/answers/st-static"
enum { VOCABULARY = 131, WIDTH = 24, ROWS = 50 };

static char folder[64];

static void setup(void) {
    strcpy(folder, "/tmp/bertc-static-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *inside(const char *name) {
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text) {
    FILE *f = fopen(inside(name), "w");
    ck_assert(f && fputs(text, f) >= 0 && !fclose(f));
}

static bool open_model(const char *path, hub_options hub, opened *m, diag *d) {
    diag_init(d);
    build_options o = {.batch = 2, .optimise = 1, .lengths = {1, {64}}, .hub = hub};
    for (int i = 0; i < hub.adapter_count; i++) o.adapters.v[o.adapters.count++] = hub.adapters[i];
    return opened_open(m, path, &o, d);
}

// --- StaticEmbedding

START_TEST(as_sentence_transformers) {
    opened m;
    diag d;
    bertc_error e;
    must_diag(open_model(STATIC, (hub_options){0}, &m, &d), &d, STATIC);
    bertc_session *s = bertc_open(m.model, NULL, &e);
    cJSON *all = read_answers(STATIC, "answers.json"), *one;
    int cases = 0;
    cJSON_ArrayForEach(one, all) {
        const cJSON *want = member(one, "embedding");
        bertc_text t = text_of(string_of(one, "text"));
        bertc_result r = BERTC_RESULT_INIT;
        ck_assert_msg(bertc_answer_texts(s, &t, 1, NULL, &r, &e), "%s", e.message);
        ck_assert_int_eq(r.embedding_size, cJSON_GetArraySize(want));
        for (int i = 0; i < r.embedding_size; i++)
            ck_assert_double_le(
                table_note(fabs((double)r.embedding[i] - cJSON_GetArrayItem(want, i)->valuedouble)), 5e-5);
        cases++;
    }
    ck_assert_int_ge(cases, 5);
    table_row("static embeddings", "st-static");
    bertc_text none[] = {{.text = "", .size = 0}, {.text = "sea", .size = 3}, {.text = "  ", .size = 2}};
    bertc_result r[3] = {BERTC_RESULT_INIT};
    ck_assert_msg(bertc_answer_texts(s, none, 3, NULL, r, &e), "%s", e.message);
    for (int i = 0; i < WIDTH; i++) {
        ck_assert_float_eq(r[0].embedding[i], 0);
        ck_assert_float_eq(r[2].embedding[i], 0);
    }
    ck_assert_float_ne(r[1].embedding[0], 0);
    cJSON_Delete(all);
    bertc_close(s);
    opened_close(&m);
    diag_free(&d);
}
END_TEST

// --- model2vec

typedef struct form {
    const char *dtype, *mapping, *weights; // types; NULL: there is none
    bool normalize, modules;               // modules: modules.json says StaticEmbedding
} form;

static const form forms[] = {{"F32", NULL, NULL, false, false},  {"F32", NULL, NULL, true, false},
                             {"F16", NULL, "F32", false, false}, {"I8", NULL, NULL, true, false},
                             {"F32", "I64", "F64", true, false}, {"F64", "I32", NULL, false, false},
                             {"F32", NULL, NULL, true, true},    {"F32", "I64", "F32", false, true}};

static struct {
    double table[VOCABULARY][WIDTH], weights[VOCABULARY];
    int64_t mapping[VOCABULARY];
} numbers;

// Numbers that every type holds as they are.
static void draw(const form *l) {
    uint32_t state = 5;
    for (int i = 0; i < VOCABULARY; i++) {
        for (int k = 0; k < WIDTH; k++) {
            state = state * 1664525u + 1013904223u;
            numbers.table[i][k] = (int)(state >> 25) - 64;
            if (strcmp(l->dtype, "I8") != 0) numbers.table[i][k] /= 64;
        }
        numbers.weights[i] = l->weights ? 0.25 * (i % 7) + 0.25 : 1;
        numbers.mapping[i] = l->mapping ? (i * 13 + 5) % ROWS : i;
    }
}

static void *as_type(const char *kind, const double *from, int n, size_t *bytes) {
    char *out = calloc((size_t)n, 8);
    size_t size = !strcmp(kind, "F64") || !strcmp(kind, "I64") ? 8
                  : !strcmp(kind, "I8")                        ? 1
                  : !strcmp(kind, "F16")                       ? 2
                                                               : 4;
    for (int i = 0; i < n; i++) {
        double x = from[i];
        float f = (float)x;
        int64_t w = (int64_t)x;
        int32_t v = (int32_t)x;
        int8_t b = (int8_t)x;
        _Float16 h = (_Float16)f;
        const void *p = !strcmp(kind, "F64")   ? (void *)&x
                        : !strcmp(kind, "F32") ? (void *)&f
                        : !strcmp(kind, "F16") ? (void *)&h
                        : !strcmp(kind, "I64") ? (void *)&w
                        : !strcmp(kind, "I32") ? (void *)&v
                                               : (void *)&b;
        memcpy(out + (size_t)i * size, p, size);
    }
    *bytes = (size_t)n * size;
    return out;
}

static void write_model(const form *l) {
    double mapping[VOCABULARY];
    char config[200];
    diag d;
    diag_init(&d);
    for (int i = 0; i < VOCABULARY; i++) mapping[i] = (double)numbers.mapping[i];
    int rows = l->mapping ? ROWS : VOCABULARY, n = 1;
    safetensors_item items[3] = {
        {.name = "embeddings", .dtype = l->dtype, .rank = 2, .shape = {rows, WIDTH}}};
    items[0].data = as_type(l->dtype, &numbers.table[0][0], rows * WIDTH, &items[0].bytes);
    if (l->mapping) {
        items[n] =
            (safetensors_item){.name = "mapping", .dtype = l->mapping, .rank = 1, .shape = {VOCABULARY}};
        items[n].data = as_type(l->mapping, mapping, VOCABULARY, &items[n].bytes);
        n++;
    }
    if (l->weights) {
        items[n] =
            (safetensors_item){.name = "weights", .dtype = l->weights, .rank = 1, .shape = {VOCABULARY}};
        items[n].data = as_type(l->weights, numbers.weights, VOCABULARY, &items[n].bytes);
        n++;
    }
    must_diag(safetensors_write(inside("model.safetensors"), n, items, &d), &d, folder);
    for (int i = 0; i < n; i++) free((void *)(uintptr_t)items[i].data);
    snprintf(config, sizeof config,
             "{\"model_type\": \"model2vec\", \"architectures\": [\"StaticModel\"], \"normalize\": %s}",
             l->normalize ? "true" : "false");
    write_file("config.json", config);
    if (l->modules)
        write_file("modules.json",
                   l->normalize
                       ? "[{\"type\": \"sentence_transformers.models.StaticEmbedding\", \"path\": \".\"}, "
                         "{\"type\": "
                         "\"sentence_transformers.models.Normalize\", \"path\": \"1_Normalize\"}]"
                       : "[{\"type\": \"sentence_transformers.models.StaticEmbedding\", \"path\": \".\"}]");
    ck_assert_int_eq(symlink(STATIC "/tokenizer.json", inside("tokenizer.json")), 0);
    diag_free(&d);
}

static void expect(const form *l, const bertc_token *tokens, size_t n, int unknown, double *out) {
    double count = 0, square = 0;
    for (int k = 0; k < WIDTH; k++) out[k] = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t id = tokens[i].id;
        if (id == unknown && !l->modules) continue;
        count++;
        for (int k = 0; k < WIDTH; k++) out[k] += numbers.table[numbers.mapping[id]][k] * numbers.weights[id];
    }
    for (int k = 0; k < WIDTH; k++) {
        if (count > 0) out[k] /= count;
        square += out[k] * out[k];
    }
    for (int k = 0; l->normalize && square > 0 && k < WIDTH; k++) out[k] /= sqrt(square);
}

START_TEST(as_model2vec) {
    static const char *const texts[] = {"the old river runs to the sea .", "\xe2\x98\x83 who is it ?",
                                        "\xe2\x98\x83 \xe2\x98\x83", "", "a dog"};
    const form *l = &forms[_i];
    opened m;
    diag d;
    bertc_error e;
    int unknown = -1, met = 0;
    draw(l);
    write_model(l);
    must_diag(open_model(folder, (hub_options){0}, &m, &d), &d, folder);
    bertc_session *s = bertc_open(m.model, NULL, &e);
    for (int i = 0; i < VOCABULARY; i++)
        if (bertc_token_text(m.model, i) && !strcmp(bertc_token_text(m.model, i), "[UNK]")) unknown = i;
    ck_assert_int_ge(unknown, 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bertc_text t = {.text = texts[i], .size = strlen(texts[i])};
        bertc_result r = BERTC_RESULT_INIT;
        const bertc_token *tokens;
        size_t n;
        double want[WIDTH];
        ck_assert(bertc_tokenize(s, &t, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, &e));
        for (size_t k = 0; k < n; k++) met += tokens[k].id == unknown;
        expect(l, tokens, n, unknown, want);
        ck_assert_msg(bertc_answer_texts(s, &t, 1, NULL, &r, &e), "%s", e.message);
        ck_assert_int_eq(r.embedding_size, WIDTH);
        for (int k = 0; k < WIDTH; k++)
            ck_assert_double_eq_tol((double)r.embedding[k], want[k],
                                    5e-5 * (strcmp(l->dtype, "I8") ? 1 : 64));
    }
    ck_assert_int_ge(met, 3);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(m.model, &info, NULL);
    bertc_close(s);
    opened_close(&m);
    diag_free(&d);
}
END_TEST

// --- Refused

static void refuse(hub_options hub, const char *cause) {
    opened m;
    diag d;
    bool ok = open_model(folder, hub, &m, &d), said = false;
    for (int i = 0; i < d.count; i++) said |= strstr(d.items[i].text, cause) != NULL;
    if (!said) diag_print(&d, stderr);
    ck_assert_msg(!ok && said, "nothing says \"%s\"", cause);
    opened_close(&m);
    diag_free(&d);
}

static void write_tensors(const safetensors_item *items, int n) {
    diag d;
    diag_init(&d);
    must_diag(safetensors_write(inside("model.safetensors"), n, items, &d), &d, folder);
    diag_free(&d);
}

START_TEST(refused) {
    static const float zeros[VOCABULARY * WIDTH];
    static const int32_t high[VOCABULARY] = {3, 200}, low[VOCABULARY] = {-1};
    const char *lists[] = {STATIC};
    draw(&forms[0]);
    write_model(&forms[0]);
    refuse((hub_options){.head = "masked-lm"}, "--head: masked-lm: the model is a table of embeddings");
    refuse((hub_options){.pooling = "max"}, "--pooling: of a table of embeddings is the mean");
    refuse((hub_options){.adapters = lists, .adapter_count = 1}, "--adapter: is for encoders");
    refuse((hub_options){.dimensions = 25}, "have 24 numbers");
    safetensors_item items[2] = {{"embeddings", "F32", 2, {VOCABULARY, WIDTH}, zeros, sizeof zeros},
                                 {"mapping", "I32", 1, {VOCABULARY}, high, sizeof high}};
    write_tensors(items, 2);
    refuse((hub_options){0}, "maps token 1 to row 200, and there are 131");
    items[1].data = low;
    write_tensors(items, 2);
    refuse((hub_options){0}, "maps token 0 to row -1");
    items[1].dtype = "F32";
    write_tensors(items, 2);
    refuse((hub_options){0}, "must be a vector of I32 or I64");
    items[1] = (safetensors_item){"weights", "F32", 1, {4}, zeros, 16};
    write_tensors(items, 2);
    refuse((hub_options){0}, "\"weights\": has another length than the vocabulary");
    items[1].dtype = "I32";
    write_tensors(items, 2);
    refuse((hub_options){0}, "\"weights\": must be a vector of floating-point numbers");
    items[0].rank = 1;
    items[0].shape[0] = VOCABULARY * WIDTH;
    write_tensors(items, 1);
    refuse((hub_options){0}, "\"embeddings\": is no matrix of numbers");
    items[0].name = "other";
    write_tensors(items, 1);
    refuse((hub_options){0}, "\"embeddings\": is missing");
}
END_TEST

int main(int argc, char **argv) {
    table_begin(argc, argv);
    Suite *s = suite_create("static");
    TCase *t = tcase_create("static");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, as_sentence_transformers);
    tcase_add_loop_test(t, as_model2vec, 0, sizeof forms / sizeof *forms);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return suite_status(s);
}
