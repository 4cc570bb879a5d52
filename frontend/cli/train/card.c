#include "frontend/cli/train/card.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

static const char *pipeline_of(train_task task) {
    switch (task) {
    case TRAIN_CLASSIFY:
    case TRAIN_REGRESS: return "text-classification";
    case TRAIN_TAG: return "token-classification";
    case TRAIN_ANSWER: return "question-answering";
    case TRAIN_EMBED: return "sentence-similarity";
    case TRAIN_MLM:
    case TRAIN_PRETRAIN: break;
    }
    return "fill-mask";
}

// The last part of a path.
static const char *name_of(const char *path) {
    const char *end = path + strlen(path);
    while (end > path + 1 && end[-1] == '/') end--;
    const char *start = end;
    while (start > path && start[-1] != '/') start--;
    return start;
}

// Does the option concern the run? Its value may be a default of another task's.
static bool concerns(const train_options *o, const char *option) {
    bool masks = o->task == TRAIN_MLM || o->task == TRAIN_PRETRAIN;
    const struct {
        const char *option;
        bool concerns;
    } some[] = {{"--doc-stride", o->task == TRAIN_ANSWER},
                {"--score-scale", o->task == TRAIN_EMBED},
                {"--mlm-probability", masks},
                {"--lora-alpha", o->lora.rank > 0},
                {"--lora-dropout", o->lora.rank > 0},
                {"--alpha", o->teacher != NULL},
                {"--temperature", o->teacher != NULL},
                {"--per-device-train-batch-size", !o->batch_tokens},
                {"--num-train-epochs", !o->max_steps}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (!strcmp(option, some[i].option)) return some[i].concerns;
    return true;
}

static void print_options(FILE *f, const train_options *given, const cJSON *options) {
    fputs("\n## Options\n\n| option | value |\n| --- | --- |\n", f);
    const cJSON *o;
    cJSON_ArrayForEach(o, options) if (concerns(given, o->string))
        fprintf(f, "| `%s` | %s |\n", o->string, cJSON_GetStringValue(o));
}

static void print_metrics(FILE *f, const train_run *r) {
    if (!r->state.metrics) return;
    const char *chosen = r->o->load_best ? ", by which the epoch was chosen" : "";
    fprintf(f, "\n## Metrics\n\nOf the %" PRId64 " examples of %s%s.\n\n", r->dev.examples,
            name_of(r->o->dev), chosen);
    fputs("| metric | value |\n| --- | --- |\n", f);
    const cJSON *m;
    cJSON_ArrayForEach(m, r->state.metrics) if (cJSON_IsNumber(m))
        fprintf(f, "| %s | %.4f |\n", m->string, m->valuedouble);
}

const char *card_text(const train_run *r, arena *a) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = memory_must(memory_stream(&text, &size));
    bool adapter = r->o->lora.rank && !r->o->lora.merged;
    fprintf(f, "---\nlibrary_name: %s\npipeline_tag: %s\n", adapter ? "peft" : "transformers",
            pipeline_of(r->o->task));
    if (adapter) fprintf(f, "base_model: %s\ntags:\n- lora\n", name_of(r->o->model));
    fputs("---\n\n", f);
    fprintf(f, "# %s\n\n", name_of(r->o->output));
    fprintf(f, "`%s`, trained by bertc %s for the task %s in %" PRId64 " of %" PRId64 " steps.\n",
            name_of(r->o->model), bertc_version(), r->o->task_name, r->state.step, r->rate.steps);
    fprintf(f, "\n## Data\n\n%s: %" PRId64 " examples, %" PRId64 " texts of up to %" PRId64 " tokens.\n",
            name_of(r->o->train), r->train.examples, r->train.count, r->train.longest);
    if (adapter)
        fprintf(f,
                "\n## Use\n\nAn adapter (LoRA), which is added to the model that it was trained on: `bertc "
                "run %s "
                "--adapter %s TEXT`.\n",
                name_of(r->o->model), name_of(r->o->output));
    print_options(f, r->o, r->state.options);
    print_metrics(f, r);
    if (!memory_stream_end(f, &text)) memory_exhausted();
    const char *kept = arena_strdup(a, text);
    free(text);
    return kept;
}
