// links: cli
// Entities by every strategy against what Transformers' token-classification pipeline gives: on a tiny model
// that stands here (answers/ner), and on small-ner of ../shared with seven sets of label names
// (answers/small-ner.json); that part is left out where ../shared is missing.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"
#include "models/answers.h"

#define ANSWERS BERTC_TESTS "/models/answers/"
#define SMALL   BERTC_SHARED "/models/small-ner"

// `config` NULL: the folder's own.
static void open_model(fixture *f, const char *folder, const char *config) {
    fixture_open(f, folder,
                 (build_options){.batch = 1, .optimise = 2, .lengths = {1, {64}}, .hub = {.config = config}});
}

static const struct {
    const char *name;
    bertc_aggregation how;
} strategies[] = {{"first", BERTC_AGGREGATE_FIRST},
                  {"simple", BERTC_AGGREGATE_SIMPLE},
                  {"average", BERTC_AGGREGATE_AVERAGE},
                  {"max", BERTC_AGGREGATE_MAX},
                  {"none", BERTC_AGGREGATE_NONE}};

static bertc_aggregation strategy_of(const char *name) {
    if (!strcmp(name, "words")) return BERTC_AGGREGATE_WORDS;
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
        if (!strcmp(strategies[i].name, name)) return strategies[i].how;
    ck_abort_msg("no strategy %s", name);
}

// The answer as JSON, as a program reads it.
static cJSON *answer(const fixture *f, const char *text, bertc_aggregation how) {
    bertc_text t = text_of(text);
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    ck_assert_msg(bertc_answer_texts(
                      f->session, &t, 1,
                      &(bertc_text_options){BERTC_SIZED(bertc_text_options), .aggregation = how}, &r, &e),
                  "%s: %s", text, e.message);
    size_t n = bertc_result_json(&r, &t, NULL, 0);
    char *json = malloc(n + 1);
    bertc_result_json(&r, &t, json, n + 1);
    cJSON *o = cJSON_Parse(json);
    ck_assert_ptr_nonnull(o);
    free(json);
    return o;
}

// Words of Transformers' groups are put together from the vocabulary's pieces; here they are the text's own.
static void check_one(const cJSON *got, const cJSON *want, const char *what) {
    const cJSON *v;
    cJSON_ArrayForEach(v, want) {
        const cJSON *g = member(got, v->string);
        if (!strcmp(v->string, "word") && !cJSON_HasObjectItem(want, "entity")) continue;
        if (cJSON_IsString(v))
            ck_assert_msg(!strcmp(g->valuestring, v->valuestring), "%s: %s is %s, not %s", what, v->string,
                          g->valuestring, v->valuestring);
        else
            ck_assert_msg(table_note(fabs(g->valuedouble - v->valuedouble)) <=
                              (strcmp(v->string, "score") ? 0 : 5e-5),
                          "%s: %s is %g, not %g", what, v->string, g->valuedouble, v->valuedouble);
    }
}

static void check(const fixture *f, const char *text, const char *strategy, const cJSON *want) {
    char what[300];
    cJSON *o = answer(f, text, strategy_of(strategy));
    const cJSON *got = member(o, "entities"), *w, *g = got->child;
    snprintf(what, sizeof what, "%s: %s", strategy, text);
    ck_assert_msg(cJSON_GetArraySize(got) == cJSON_GetArraySize(want), "%s: %d entities, not %d", what,
                  cJSON_GetArraySize(got), cJSON_GetArraySize(want));
    cJSON_ArrayForEach(w, want) {
        check_one(g, w, what);
        g = g->next;
    }
    cJSON_Delete(o);
}

START_TEST(tiny) {
    fixture f;
    cJSON *all = read_json(ANSWERS "ner/answers.json"), *one;
    int entities = 0;
    open_model(&f, ANSWERS "ner", NULL);
    cJSON_ArrayForEach(one, all) {
        const cJSON *want = member(one, "entities");
        check(&f, member(one, "text")->valuestring, member(one, "strategy")->valuestring, want);
        entities += cJSON_GetArraySize(want);
    }
    ck_assert_int_gt(entities, 50);
    table_row("entities", "ner");
    fixture_close(&f);
    cJSON_Delete(all);
}
END_TEST

// small-ner's config.json with other label names, in a file of its own.
static void write_config(const char *path, const cJSON *labels) {
    cJSON *config = read_json(SMALL "/config.json"), *names = cJSON_CreateObject();
    char key[16];
    for (int i = 0; i < cJSON_GetArraySize(labels); i++) {
        snprintf(key, sizeof key, "%d", i);
        cJSON_AddStringToObject(names, key, cJSON_GetArrayItem(labels, i)->valuestring);
    }
    cJSON_ReplaceItemInObjectCaseSensitive(config, "id2label", names);
    cJSON_DeleteItemFromObjectCaseSensitive(config, "label2id");
    char *text = cJSON_PrintUnformatted(config);
    FILE *f = fopen(path, "w");
    ck_assert(f && fputs(text, f) >= 0 && !fclose(f));
    free(text);
    cJSON_Delete(config);
}

START_TEST(label_names) {
    fixture f;
    char config[] = "/tmp/bertc_labels_XXXXXX.json";
    cJSON *all = read_json(ANSWERS "small-ner.json");
    const cJSON *set = cJSON_GetArrayItem(member(all, "sets"), _i), *texts = member(all, "texts");
    int file = mkstemps(config, 5);
    ck_assert_int_ge(file, 0);
    close(file);
    write_config(config, member(set, "labels"));
    open_model(&f, SMALL, config);
    for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++) {
        const cJSON *rows = member(set, strategies[s].name);
        for (int i = 0; i < cJSON_GetArraySize(texts); i++)
            check(&f, cJSON_GetArrayItem(texts, i)->valuestring, strategies[s].name,
                  cJSON_GetArrayItem(rows, i));
    }
    // By default as by "first", where Transformers reads the labels as they are meant.
    for (int i = 0; (_i < 2 || _i == 5) && i < cJSON_GetArraySize(texts); i++)
        check(&f, cJSON_GetArrayItem(texts, i)->valuestring, "words",
              cJSON_GetArrayItem(member(set, "first"), i));
    fixture_close(&f);
    table_row("entities, other label names", "small-ner");
    unlink(config);
    cJSON_Delete(all);
}
END_TEST

// What is asked for by no name: words are whole, and labels are read as they are meant.
START_TEST(by_default) {
    fixture f;
    open_model(&f, SMALL, NULL);
    cJSON *o = answer(&f, "Brennan Nov2018 met Angela Merkel", BERTC_AGGREGATE_WORDS);
    const cJSON *first = member(o, "entities")->child;
    ck_assert_str_eq(member(first, "word")->valuestring, "Brennan");
    ck_assert_double_eq_tol(member(first, "score")->valuedouble, 0.7782, 5e-5);
    ck_assert_str_eq(member(first->next, "word")->valuestring, "Angela Merkel");
    ck_assert_ptr_null(first->next->next);
    cJSON_Delete(o);
    fixture_close(&f);
}
END_TEST

int main(int argc, char **argv) {
    table_begin(argc, argv);
    Suite *s = suite_create("entities");
    TCase *t = tcase_create("entities");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, tiny);
    if (access(SMALL "/model.safetensors", R_OK))
        skip_part("shared", "small-ner by every strategy");
    else {
        tcase_add_loop_test(t, label_names, 0, 7);
        tcase_add_test(t, by_default);
    }
    suite_add_tcase(s, t);
    return suite_status(s);
}
