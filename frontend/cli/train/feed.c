#include "frontend/cli/train/feed.h"

#include <string.h>

void step_sum(train_step *s) {
    s->labels = s->texts = s->tokens = s->examples = 0;
    s->weight = 0;
    for (int64_t i = 0; i < s->count; i++) {
        s->labels += s->batches[i].labels;
        s->weight += s->batches[i].weight;
        s->texts += s->batches[i].texts;
        s->tokens += s->batches[i].tokens;
        s->examples += s->batches[i].examples;
    }
}

// Of next sentence prediction, whose mean over texts is added to the masks' mean over masks: the loss is divided by the masks.
// So it is of embeddings that are a teacher's, whose mean over texts is added to the anchors' mean.
static const float *next_weights(const train_step *s, const train_batch *b, arena *a) {
    float *weights = ARENA_ARRAY(a, float, b->texts);
    for (int64_t i = 0; i < b->texts; i++) weights[i] = (float)((double)s->labels / (double)s->texts);
    return weights;
}

static const int32_t *integers_of(const train_batch *b, const char *name) {
    const struct {
        const char *name;
        const int32_t *data;
    } all[] = {{"labels", b->token_labels ? b->token_labels : b->text_labels},
               {"next", b->text_labels},
               {"starts", b->starts},
               {"ends", b->ends},
               {"positives", b->partners},
               {"pairs", b->partners},
               {"candidates", b->candidates}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i].name)) return all[i].data;
    return NULL;
}

static const float *numbers_of(const train_step *s, const train_batch *b, const char *name, arena *a) {
    if (!strcmp(name, "labels")) return b->values;
    if (!strcmp(name, "teacher")) return b->teacher;
    if (!strcmp(name, "teacher_starts")) return b->teacher_starts;
    if (!strcmp(name, "teacher_ends")) return b->teacher_ends;
    if (!strcmp(name, "teacher_weights")) return next_weights(s, b, a);
    return !strcmp(name, "next_weights") && b->text_labels ? next_weights(s, b, a) : NULL;
}

bool feed_batch(bertc_train_batch *out, const bertc_model *model, const train_step *s, int64_t i, arena *a,
                diag *d) {
    const train_batch *b = &s->batches[i];
    int count = 0;
    while (bertc_target_describe(model, count, NULL, NULL, NULL)) count++;
    bertc_target *targets = ARENA_ARRAY(a, bertc_target, count);
    for (int k = 0; k < count; k++) {
        bool integers;
        const char *name = bertc_target_describe(model, k, NULL, NULL, &integers);
        targets[k] = (bertc_target){BERTC_SIZED(bertc_target), .name = name};
        if (integers)
            targets[k].integers = integers_of(b, name);
        else
            targets[k].numbers = numbers_of(s, b, name, a);
        if (!targets[k].integers && !targets[k].numbers)
            return diag_error(d, NULL, "asks for the target '%s', which the task has not", name);
    }
    *out = (bertc_train_batch){BERTC_SIZED(bertc_train_batch),
                               .batch = b->texts,
                               .bounds = b->bounds,
                               .input_ids = b->ids,
                               .token_type_ids = b->types,
                               .rows = b->rows,
                               .target_count = count,
                               .targets = targets,
                               .scale = s->labels ? (float)(1.0 / s->weight) : 0};
    return true;
}
