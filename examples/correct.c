// A classifier that learns from corrections:  correct MODEL.so [SAVED.safetensors] <lines
// MODEL.so comes from `bertc compile MODEL --train classify`. A line is a text, which is answered, or =LABEL, which says what
// the text before should have been: then all corrections so far are learnt until each is answered right. What was learnt is kept in
// SAVED.safetensors: where that is there, the program begins with it.
// cc correct.c $(pkg-config --cflags --libs bertc) -o correct
#include <bertc_train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 64, LENGTH = 128, STEPS = 50 };

// The texts that were corrected, one behind the other, without padding.
typedef struct lesson {
    int count;
    int32_t ids[MOST * LENGTH], types[MOST * LENGTH], bounds[MOST + 1], labels[MOST];
} lesson;

static bertc_error error;

// The text's tokens behind those that are there. The label is not known yet: -100 counts for nothing.
static bool add_text(bertc_trainer *t, lesson *l, const char *line) {
    const bertc_text text = {.text = line, .size = strlen(line)};
    const bertc_token *tokens;
    size_t n;
    if (!bertc_tokenize(bertc_trainer_session(t), &text, LENGTH, BERTC_TRUNCATE_ONLY_FIRST, &tokens, &n,
                        &error))
        return false;
    int32_t at = l->bounds[l->count];
    for (size_t i = 0; i < n; i++) {
        l->ids[at + (int32_t)i] = tokens[i].id;
        l->types[at + (int32_t)i] = tokens[i].type;
    }
    l->bounds[l->count + 1] = at + (int32_t)n;
    l->labels[l->count] = -100;
    return true;
}

static bool answer(bertc_trainer *t, const char *line) {
    const bertc_text text = {.text = line, .size = strlen(line)};
    bertc_result r = BERTC_RESULT_INIT;
    const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_ONLY_FIRST,
                                  .max_tokens = LENGTH};
    if (!bertc_answer_texts(bertc_trainer_session(t), &text, 1, &o, &r, &error)) return false;
    if (r.score_count) printf("%s %.2f\n", r.scores[0].label, (double)r.scores[0].score);
    return true;
}

// One micro-batch for each correction, so that any number of them fits; the loss of all to *loss.
static bool step(bertc_trainer *t, const lesson *l, int number, float *loss) {
    *loss = 0;
    for (int i = 0; i < l->count; i++) {
        const int32_t bounds[2] = {0, l->bounds[i + 1] - l->bounds[i]};
        const bertc_target label = {BERTC_SIZED(bertc_target), .name = "labels", .integers = &l->labels[i]};
        const bertc_train_batch b = {BERTC_SIZED(bertc_train_batch),
                                     .batch = 1,
                                     .bounds = bounds,
                                     .input_ids = l->ids + l->bounds[i],
                                     .token_type_ids = l->types + l->bounds[i],
                                     .target_count = 1,
                                     .targets = &label,
                                     .scale = 1.0f / (float)l->count};
        float own;
        if (!bertc_trainer_gradients(t, &b, i == 0, &own, &error)) return false;
        *loss += own;
    }
    const bertc_train_update u = {BERTC_SIZED(bertc_train_update), .step = number, .rate = 1e-4f, .clip = 1};
    return bertc_trainer_update(t, &u, NULL, &error);
}

static bool learn(bertc_trainer *t, const lesson *l, int *steps) {
    float loss = 1;
    int before = *steps;
    while (*steps - before < STEPS && loss > 0.3f)
        if (!step(t, l, ++*steps, &loss)) return false;
    printf("learnt %d in %d steps, loss %.2f\n", l->count, *steps - before, (double)loss);
    return true;
}

static int label_number(const bertc_model *m, const char *name) {
    const char *label;
    for (int i = 0; (label = bertc_label(m, i)); i++)
        if (!strcmp(label, name)) return i;
    return -1;
}

static bool teach(bertc_trainer *t, const bertc_model *m, lesson *l, const char *name, int *steps) {
    int label = label_number(m, name);
    if (label < 0) return printf("no label is called %s\n", name), true;
    if (l->bounds[l->count + 1] == 0) return printf("no text to correct\n"), true;
    if (l->count + 1 == MOST) return printf("no room for more\n"), true;
    l->labels[l->count++] = label;
    l->bounds[l->count + 1] = 0;
    return learn(t, l, steps);
}

static bool run(bertc_trainer *t, const bertc_model *m) {
    static lesson l; // bounds[count + 1] is 0 where no text waits for a label
    static char line[4096];
    int steps = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        bool ok =
            line[0] == '=' ? teach(t, m, &l, line + 1, &steps) : answer(t, line) && add_text(t, &l, line);
        if (!ok) return false;
    }
    return true;
}

// What the program learnt when it ran before. AdamW's means are not kept: they grow again in a few steps.
static bool begin(bertc_trainer *t, const char *saved) {
    return access(saved, F_OK) != 0 || bertc_trainer_load(t, saved, BERTC_TENSOR_PARAMETER, &error);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3)
        return fprintf(stderr, "usage: %s MODEL.so [SAVED.safetensors] <lines\n", argv[0]), 2;
    bertc_model *model = bertc_load(argv[1], &error);
    bertc_trainer *t = model ? bertc_trainer_open(model, NULL, &error) : NULL;
    bool ok = t && (argc < 3 || begin(t, argv[2])) && run(t, model) &&
              (argc < 3 || bertc_trainer_save(t, argv[2], BERTC_TENSOR_PARAMETER, &error));
    if (!ok) fprintf(stderr, "%s\n", error.message);
    bertc_trainer_close(t);
    bertc_unload(model);
    return ok ? 0 : 1;
}
