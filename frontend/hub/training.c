#include "frontend/hub/training.h"

#include <inttypes.h>
#include <string.h>

#include "frontend/hub/encoder/trainable.h"
#include "frontend/hub/objective/objective.h"

typedef struct task {
    const char *name;
    hub_head head;
    objective_kind kind;
} task;

static const task *find_task(const char *name) {
    static const task tasks[] = {
        {"classify", HEAD_SEQUENCE, OBJECTIVE_CLASSES}, {"tag", HEAD_TOKEN, OBJECTIVE_CLASSES},
        {"answer", HEAD_ANSWER, OBJECTIVE_SPANS},       {"regress", HEAD_SEQUENCE, OBJECTIVE_NUMBERS},
        {"embed", HEAD_EMBEDDING, OBJECTIVE_NEAREST},   {"mlm", HEAD_MASKED_LM, OBJECTIVE_WORDS},
        {"pretrain", HEAD_PRETRAINING, OBJECTIVE_ORDER}};
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (!strcmp(name, tasks[i].name)) return &tasks[i];
    return NULL;
}

static bool states_alone(const hub_training *t) {
    return !strcmp(t->task, "states");
}

const char *hub_training_option(const hub_training *t) {
    return t->option ? t->option : "--train";
}

bool hub_training_head(const hub_training *t, bool adapters, const char **head, diag *d) {
    const task *is = find_task(t->task);
    if (adapters)
        return diag_error(d, "--adapter",
                          "can't be trained: only what the folder itself holds is (--lora-rank trains a "
                          "new adapter)");
    if (states_alone(t)) return true;
    if (!is) return diag_error(d, hub_training_option(t), "%.100s is no task; tasks are " HUB_TASKS, t->task);
    const char *name = hub_head_name(is->head);
    if (*head && strcmp(*head, name))
        return diag_error(d, "--head", "%s: %s %s is for the head %s", *head, hub_training_option(t), t->task,
                          name);
    *head = name;
    return true;
}

// --- Labels

static bool read_initial(hub_config *config, hub_fresh *fresh, diag *d) {
    cJSON *root = hub_json_load(config->file, false, d);
    const hub_fields f = {config->file, "", root, d};
    fresh->range = 0.02;
    fresh->cutoff = 2;
    bool ok = root && hub_field_real(&f, "initializer_range", false, 0, 1e3, &fresh->range) &&
              hub_field_real(&f, "initializer_cutoff_factor", false, 1e-2, 1e3, &fresh->cutoff);
    cJSON_Delete(root);
    return ok;
}

// The data's labels in place of the folder's.
static bool set_labels(const hub_training *t, arena *a, hub_config *config, diag *d) {
    if (config->head != HEAD_SEQUENCE && config->head != HEAD_TOKEN)
        return diag_error(d, hub_training_option(t), "%s: the head %s has no labels", t->task,
                          hub_head_name(config->head));
    config->labels = ARENA_ARRAY(a, const char *, t->label_count);
    for (int64_t i = 0; i < t->label_count; i++)
        config->labels[i] = t->labels ? arena_strdup(a, t->labels[i]) : arena_printf(a, "LABEL_%" PRId64, i);
    config->sizes[SIZE_LABELS] = config->label_room = t->label_count;
    config->num_labels = 0;
    return true;
}

static bool read_drop(const hub_fields *f, const hub_drop_key *key, double *share) {
    const char *name = key->other && !hub_field(f, key->key) ? key->other : key->key;
    *share = key->usual;
    return hub_field_real(f, name, false, 0, 1, share) &&
           (*share < 1 || hub_field_wrong(f, name, "is 1, which drops everything"));
}

// Does the config ask for dropout, under whatever name?
static bool asks_to_drop(const cJSON *root) {
    const cJSON *v;
    cJSON_ArrayForEach(v, root) {
        bool names = strstr(v->string, "dropout") || strstr(v->string, "pdrop");
        if (names && cJSON_IsNumber(v) && v->valuedouble > 0) return true;
    }
    return false;
}

static bool read_places(const hub_training *t, const cJSON *root, hub_config *config, diag *d) {
    const hub_family *family = config->family;
    const hub_fields f = {config->file, "", root, d};
    bool known = false, ok = true;
    for (int i = 0; i < DROP_COUNT; i++) {
        if (!family->drops[i].key) continue;
        known = true;
        ok &= read_drop(&f, &family->drops[i], &config->drops[i]);
        if (t->dropout > 0) config->drops[i] = t->dropout;
    }
    if (known || (t->dropout < 0 && !asks_to_drop(root))) return ok;
    return diag_error(d, "--dropout",
                      "where the family %s drops numbers is not known here: --dropout 0 trains it",
                      family->model_type);
}

static bool read_drops(const hub_training *t, hub_config *config, diag *d) {
    if (!(t->dropout < 0) && !(t->dropout > 0)) return true;
    if (t->dropout >= 1) return diag_error(d, "--dropout", "%g: is not below 1", t->dropout);
    cJSON *root = hub_json_load(config->file, false, d);
    bool ok = root && read_places(t, root, config, d);
    cJSON_Delete(root);
    return ok;
}

static void set_problem(const hub_training *t, hub_config *config) {
    if (config->head != HEAD_SEQUENCE) return;
    bool numbers = !strcmp(t->task, "regress"), several = t->multi_label || config->problem == PROBLEM_MULTI;
    config->problem = numbers ? PROBLEM_REGRESSION : several ? PROBLEM_MULTI : PROBLEM_SINGLE;
    config->identity = false;
}

bool hub_training_config(const hub_training *t, arena *a, hub_checkpoint *c, hub_config *config,
                         hub_fresh *fresh, diag *d) {
    *fresh = (hub_fresh){.seed = t->seed, .numbered = t->label_count > 0, .replaces = t->replaces};
    set_problem(t, config);
    if (t->label_count && !set_labels(t, a, config, d)) return false;
    if (t->init && !hub_checkpoint_open_other(c, t->init, d)) return false;
    return read_initial(config, fresh, d) && read_drops(t, config, d);
}

void hub_training_note(const hub_fresh *fresh, const char *where, uint64_t seed, diag *d) {
    char list[300] = "";
    for (int i = 0; i < fresh->count && i < 4; i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%.60s", i ? ", " : "", fresh->names[i]);
    }
    if (fresh->count)
        diag_note(d, where, "lacks %d tensor%s of the head, drawn by seed %" PRIu64 ": %s%s", fresh->count,
                  fresh->count == 1 ? "" : "s", seed, list, fresh->count > 4 ? ", ..." : "");
}

// --- The graph

static bool check_labels(const hub_training *t, const hub_config *config, objective_kind kind, diag *d) {
    bool one = config->head == HEAD_SEQUENCE && kind == OBJECTIVE_CLASSES && config->sizes[SIZE_LABELS] == 1;
    return !one || diag_error(d, hub_training_option(t),
                              "classify: the model has one label, of which a text always is (regress trains "
                              "its number)");
}

bool hub_training_graph(const hub_training *t, const hub_weights *w, const hub_config *config, graph *g,
                        diag *d) {
    if (states_alone(t)) return hub_make_trainable(g, w, config, d);
    objective_kind kind = find_task(t->task)->kind;
    if (config->head == HEAD_SEQUENCE && config->problem == PROBLEM_MULTI) kind = OBJECTIVE_SEVERAL;
    if (kind == OBJECTIVE_NEAREST && t->cosine) kind = OBJECTIVE_COSINES;
    return check_labels(t, config, kind, d) && hub_build_objective(g, kind, t, d) &&
           hub_make_trainable(g, w, config, d);
}
