// The family and the head of a config.json: by model_type, by the class of the architecture, or, where it
// names neither, by the names of the tensors.
#include <string.h>

#include "frontend/hub/config/config.h"

static const char *quoted(arena *a, const cJSON *v) {
    return cJSON_IsString(v) ? arena_printf(a, "\"%.100s\"", v->valuestring) : hub_json_kind(v);
}

static const char *known_families(arena *a) {
    char *s = arena_strdup(a, "");
    for (int i = 0; i < hub_family_count; i++) {
        if (!hub_families[i].when)
            s = arena_printf(a, "%s%s%s", s, *s ? ", " : "", hub_families[i].model_type);
    }
    return s;
}

static const char *known_classes(arena *a, const hub_family *f) {
    char *s = arena_strdup(a, "");
    for (int i = 0; i < hub_family_count; i++) {
        for (int k = 0; k < HEAD_COUNT; k++) {
            const char *name = hub_families[i].classes[k];
            if (name && (!f || f == &hub_families[i])) s = arena_printf(a, "%s%s%s", s, *s ? ", " : "", name);
        }
    }
    return s;
}

static bool read_head(const hub_fields *f, const char *wanted, const cJSON *architecture, arena *a,
                      hub_config *c) {
    if (wanted && strcmp(wanted, "auto")) {
        if (!hub_head_find(wanted, &c->head)) {
            return diag_error(f->d, "--head", "%s is not known; heads are %s", wanted, hub_head_names());
        }
        if ((c->head == HEAD_EMBEDDING) == c->sentence.late.present &&
            (c->head == HEAD_EMBEDDING || c->head == HEAD_VECTORS))
            return diag_error(f->d, "--head", "%s: the folder gives a vector per %s", wanted,
                              c->sentence.late.present ? "token" : "text, or none");
        const bool *several = c->sentence.several;
        if (c->head == HEAD_SEVERAL && !several[ANSWER_SPARSE] && !several[ANSWER_VECTORS])
            return diag_error(f->d, "--head", "several: --outputs says which, dense, sparse, colbert");
        if (c->head == HEAD_EMBEDDING || c->family->classes[hub_head_class(c->head)]) return true;
        const char *by = c->sentence.asked_by ? c->sentence.asked_by : "--head";
        return diag_error(f->d, by, "the family %s has no head %s", c->family->model_type, wanted);
    }
    const char *larger = c->family->larger;
    if (c->sentence.late.present) {
        c->head = HEAD_VECTORS;
    } else if ((c->sentence.present && !c->sentence.scores) || c->sentence.predicts) {
        c->head = c->sentence.predicts ? HEAD_SPARSE : HEAD_EMBEDDING;
    } else if (larger && cJSON_IsString(architecture) && !strcmp(architecture->valuestring, larger)) {
        diag_note(f->d, f->file, "architectures[0]: of %s the base model is read", larger);
        c->head = HEAD_MODEL;
    } else if (architecture) {
        if (!cJSON_IsString(architecture) ||
            !hub_family_head(c->family, architecture->valuestring, &c->head)) {
            return hub_field_wrong(f, "architectures[0]", "%s is not known; known are %s",
                                   quoted(a, architecture), known_classes(a, c->family));
        }
    } else {
        diag_note(f->d, f->file, "names no architecture: taken for the base model (--head picks another)");
        c->head = HEAD_MODEL;
    }
    return true;
}

// A config that names neither a model_type nor an architecture, as BioBERT's: the tensors' names tell.
static bool take_hint(const hub_fields *f, const hub_hint *hint, hub_config *c) {
    if (!hint->family)
        return hub_field_wrong(
            f, "model_type", "is missing, as are architectures, and no family's tensors are in the weights");
    if (hint->other)
        return hub_field_wrong(
            f, "model_type", "is missing, as are architectures, and the weights hold tensors of %s and of %s",
            hint->family->model_type, hint->other->model_type);
    c->family = hint->family;
    diag_note(f->d, f->file, "names no model_type: taken for %s by the names of its tensors",
              c->family->model_type);
    return true;
}

// Is the row for this config?
static bool is_for(const hub_fields *f, const hub_family *row) {
    if (!row->when) return true;
    int n = (int)strcspn(row->when, "=");
    char key[64];
    snprintf(key, sizeof key, "%.*s", n, row->when);
    const cJSON *v = hub_field(f, key);
    if (!row->when[n]) return v;
    const char *begin = row->when + n + 1;
    if (cJSON_IsFalse(v)) return !strcmp(begin, "false");
    return cJSON_IsString(v) && !strncmp(v->valuestring, begin, strlen(begin));
}

static bool tensors_say(const hub_hint *hint, const hub_family *row) {
    for (int i = 0; hint && i < hint->custom_count; i++)
        if (hint->custom[i] == row) return true;
    return false;
}

// By the model_type, or, where that is NULL, by the class. A row that is for configs with a certain key goes
// before one that is for all.
static const hub_family *find_family(const hub_fields *f, const char *model_type, const char *class,
                                     const hub_hint *hint) {
    const hub_family *found = NULL;
    hub_head h;
    for (int i = 0; i < hub_family_count; i++) {
        const hub_family *row = &hub_families[i];
        if (!is_for(f, row)) continue;
        bool larger = !model_type && row->larger && !strcmp(class, row->larger);
        if (model_type ? strcmp(model_type, row->model_type) : !larger && !hub_family_head(row, class, &h))
            continue;
        bool better = !found || (row->when && !found->when);
        if (better || (row->when && tensors_say(hint, row) && !tensors_say(hint, found))) found = row;
    }
    return found;
}

bool hub_config_architecture(const hub_fields *f, const char *wanted, const hub_hint *hint, arena *a,
                             hub_config *c) {
    const char *model_type = NULL;
    const cJSON *list = hub_field(f, "architectures");
    if (list && !cJSON_IsArray(list)) {
        return hub_field_wrong(f, "architectures", "is %s where an array is expected", hub_json_kind(list));
    }
    const cJSON *first = list ? list->child : NULL;
    if (!hub_field_text(f, "model_type", !first && !hint, &model_type)) return false;
    if (model_type) {
        c->family = find_family(f, model_type, NULL, hint);
        if (!c->family) {
            return hub_field_wrong(f, "model_type", "\"%.100s\" is not known; known are %s", model_type,
                                   known_families(a));
        }
    } else if (first) {
        c->family = cJSON_IsString(first) ? find_family(f, NULL, first->valuestring, hint) : NULL;
        if (!c->family)
            return hub_field_wrong(f, "architectures[0]", "%s is not known; known are %s", quoted(a, first),
                                   known_classes(a, NULL));
    } else if (!take_hint(f, hint, c)) {
        return false;
    }
    return read_head(f, wanted, first, a, c);
}
