// The tensors of a checkpoint that the model reads. Their names may have the family's prefix, another, or
// none; a norm's are weight and bias, or gamma and beta.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/encoder/weights.h"
#include "frontend/hub/files/file.h"
#include "frontend/hub/files/text.h"

typedef struct lookup {
    hub_checkpoint *c;
    hub_weights *read;
    const hub_config *config;
    const char *base, *head; // prefixes
    int used_count;
    const char **used;
    bool head_there, head_lacks; // a tensor of the head
    hub_fresh *fresh;            // NULL: what is missing is an error
    diag *d;
} lookup;

static hub_weight *slot(const hub_weights *w, hub_module m, int set, hub_part p) {
    return &w->items[((size_t)(set + 1) * MODULE_COUNT + m) * PART_COUNT + p];
}

const hub_weight *hub_weight_of(const hub_weights *w, hub_module m, int set, hub_part p) {
    return slot(w, m, set, p);
}

// --- Names

static bool has(const lookup *l, const char *name) {
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    return hub_checkpoint_entry(l->c, name, &dtype, &rank, &shape, &data);
}

// What stands before a module's name in the checkpoint: the family's prefix, or else the shortest. NULL: the
// module is not there.
static const char *prefix_of(const lookup *l, hub_module m) {
    arena *a = l->c->arena;
    if (!l->config->family->modules[m]) return NULL;
    int set = hub_module_of(m)->scope == SCOPE_LAYER ? 0 : -1;
    const char *own = hub_tensor_name(a, l->config, m, set, PART_WEIGHT), *best = NULL;
    if (has(l, arena_printf(a, "%s%s", l->config->family->base_prefix, own)))
        return l->config->family->base_prefix;
    for (int i = 0; i < hub_checkpoint_count(l->c); i++) {
        const char *name = hub_checkpoint_name(l->c, i);
        size_t n = strlen(name), k = strlen(own);
        if (!hub_ends_with(name, own) || (n > k && name[n - k - 1] != '.')) continue;
        if (!best || n < strlen(best)) best = name;
    }
    return best ? arena_strndup(a, best, strlen(best) - strlen(own)) : NULL;
}

static bool any_begins(const lookup *l, const char *prefix) {
    for (int i = 0; i < hub_checkpoint_count(l->c); i++)
        if (!strncmp(hub_checkpoint_name(l->c, i), prefix, strlen(prefix))) return true;
    return false;
}

// The base model's prefix is the part before the word embeddings' name, or, where they stand under another,
// before a name of layer 0.
static void find_prefixes(lookup *l) {
    static const hub_module telling[] = {MODULE_WORD, MODULE_QUERY, MODULE_UP};
    const char *usual = l->config->family->base_prefix;
    l->base = NULL;
    for (size_t i = 0; i < sizeof telling / sizeof *telling && !l->base; i++)
        l->base = prefix_of(l, telling[i]);
    if (!l->base) l->base = any_begins(l, usual) ? usual : "";
    bool wrapped = hub_ends_with(l->base, usual);
    l->head = wrapped ? arena_strndup(l->c->arena, l->base, strlen(l->base) - strlen(usual)) : "";
}

// Word embeddings that the checkpoint holds under the name of the decoder that is tied to them; else `name`.
static const char *tied_name(const lookup *l, const char *name, bool *found) {
    const hub_config *c = l->config;
    if (!c->tied || !c->family->modules[MODULE_DECODER] || c->sizes[SIZE_DECODER] != c->sizes[SIZE_WORD])
        return name;
    const char *own = hub_tensor_name(l->c->arena, c, MODULE_DECODER, -1, PART_WEIGHT);
    const char *other = arena_printf(l->c->arena, "%s%s", l->head, own);
    *found = has(l, other);
    return *found ? other : name;
}

// The name in the checkpoint, or, where it has none, the one that was looked for; *found says which.
static const char *name_of(const lookup *l, hub_module m, int set, hub_part p, bool *found) {
    arena *a = l->c->arena;
    const char *own = hub_tensor_name(a, l->config, m, set, p);
    const char *name =
        arena_printf(a, "%s%s", hub_module_of(m)->scope == SCOPE_HEAD ? l->head : l->base, own);
    *found = has(l, name);
    if (!*found && l->config->family->native[m] && !l->config->native) {
        hub_config other = *l->config;
        other.native = true;
        const char *native = arena_printf(a, "%s%s", l->base, hub_tensor_name(a, &other, m, set, p));
        if ((*found = has(l, native))) return native;
    }
    if (!*found && m == MODULE_WORD) return tied_name(l, name, found);
    if (*found || hub_module_of(m)->kind != KIND_NORM) return name;
    const char *old = arena_printf(a, "%.*s%s", (int)(strrchr(name, '.') - name), name,
                                   p == PART_WEIGHT ? ".gamma" : ".beta");
    *found = has(l, old);
    return *found ? old : name;
}

// --- Checks

static bool wrong(const lookup *l, const char *name, const char *cause) {
    char where[700];
    snprintf(where, sizeof(where), "%.400s: tensor \"%.200s\"", hub_checkpoint_where(l->c, name), name);
    return diag_error(l->d, where, "%s", cause);
}

static const char *print_shape(arena *a, int rank, const int64_t *shape) {
    char *s = arena_strdup(a, "[");
    for (int i = 0; i < rank; i++) s = arena_printf(a, "%s%s%" PRId64, s, i ? "," : "", shape[i]);
    return arena_printf(a, "%s]", s);
}

static bool take_weight(lookup *l, hub_module m, int set, hub_part p, const char *name) {
    arena *a = l->c->arena;
    hub_weight w = {.tensor = name, .slice = hub_module_slice(l->config, m), .groups = 1};
    const char *dtype;
    const int64_t *shape;
    const void *data;
    if (!hub_checkpoint_entry(l->c, name, &dtype, &w.rank, &shape, &data))
        return wrong(l, name, "is missing");
    l->used[l->used_count++] = name;
    if (!hub_weight_elem(dtype, &w.e)) {
        return wrong(l, name, arena_printf(a, "%s is not supported for weights: " HUB_WEIGHT_DTYPES, dtype));
    }
    int rank = hub_tensor_shape(l->config, m, p, w.shape);
    w.one_more = w.rank == rank + 1 && shape[rank] == 1;
    if (rank >= 2) w.groups = l->config->groups_of[m];
    w.groups_first = rank >= 2 && hub_module_groups_first(l->config, m);
    bool fits = rank == w.rank || w.one_more;
    for (int i = 0; fits && i < rank; i++) fits = shape[i] == w.shape[i];
    if (!fits && l->fresh && l->fresh->replaces && hub_fresh_is_classifier(m)) {
        hub_fresh_give(l->fresh, l->c, l->config, m, p, name);
        l->used_count--;
        return take_weight(l, m, set, p, name);
    }
    if (!fits && l->fresh && l->fresh->numbered && hub_fresh_is_classifier(m)) {
        return wrong(l, name,
                     arena_printf(a,
                                  "has the shape %s; of the data's %" PRId64 " label%s it would be %s "
                                  "(--ignore-mismatched-sizes draws it anew)",
                                  print_shape(a, w.rank, shape), l->config->sizes[SIZE_LABELS],
                                  l->config->sizes[SIZE_LABELS] == 1 ? "" : "s",
                                  print_shape(a, rank, w.shape)));
    }
    if (!fits) {
        return wrong(l, name,
                     arena_printf(a, "has the shape %s, the config says %s", print_shape(a, w.rank, shape),
                                  print_shape(a, rank, w.shape)));
    }
    if (p == PART_BIAS && hub_config_own_bias(l->config, m)) w.slice = (hub_slice){0, 1, false};
    w.rank = rank;
    *slot(l->read, m, set, p) = w;
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= w.shape[i];
    l->read->parameters += count / w.slice.parts;
    return true;
}

static bool check_module(lookup *l, hub_module m, int set) {
    hub_use use = hub_module_use(l->config, m);
    const char *names[PART_COUNT];
    bool found[PART_COUNT] = {false}, ok = true;
    for (int p = 0; p < PART_COUNT; p++) {
        if (hub_config_has(l->config, m, (hub_part)p)) names[p] = name_of(l, m, set, (hub_part)p, &found[p]);
    }
    if (use == USE_NO || (use == USE_OPTIONAL && !found[PART_WEIGHT] && !found[PART_BIAS])) return true;
    for (int p = 0; p < PART_COUNT; p++) {
        if (!hub_config_has(l->config, m, (hub_part)p)) continue;
        if (hub_module_of(m)->scope == SCOPE_HEAD) *(found[p] ? &l->head_there : &l->head_lacks) = true;
        if (!found[p] && l->fresh && hub_fresh_may(m))
            hub_fresh_give(l->fresh, l->c, l->config, m, (hub_part)p, names[p]);
        ok &= take_weight(l, m, set, (hub_part)p, names[p]);
    }
    return ok;
}

// --- The decoder of a masked LM

static void forget(lookup *l, hub_module m) {
    hub_weight *w = slot(l->read, m, -1, PART_WEIGHT);
    if (!w->tensor) return;
    l->read->parameters -= w->rank == 2 ? w->shape[0] * w->shape[1] : w->shape[0];
    *w = (hub_weight){0};
}

static bool same_tensor(const lookup *l, const hub_weight *x, const hub_weight *y) {
    tensor_view a, b;
    if (x->e != y->e || !hub_checkpoint_find(l->c, x->tensor, &a) ||
        !hub_checkpoint_find(l->c, y->tensor, &b)) {
        return false;
    }
    size_t bytes = (size_t)x->shape[0] * (size_t)x->shape[1] * elem_size(x->e);
    return !memcmp(a.data, b.data, bytes);
}

// A tied decoder reads the word embeddings, and the predictions' bias. As in Transformers, if the file has
// a weight or a bias for it that differs from the tied one, the decoder reads that.
static bool settle_decoder(lookup *l) {
    const hub_weight *word = slot(l->read, MODULE_WORD, -1, PART_WEIGHT);
    const hub_weight *decoder = slot(l->read, MODULE_DECODER, -1, PART_WEIGHT);
    l->read->tied = l->config->tied;
    if (l->read->tied && decoder->tensor && word->tensor) {
        l->read->tied = same_tensor(l, word, decoder);
        if (!l->read->tied) {
            diag_note(l->d, l->c->where,
                      "tensor \"%.200s\" differs from the word embeddings: read as it stands",
                      decoder->tensor);
        }
    }
    if (l->read->tied && word->tensor && hub_adapter_changes(l->c->adapters, word->tensor))
        return wrong(l, word->tensor,
                     "has a LoRA, and the decoder is tied to it: whether it changes too, PEFT leaves to how "
                     "the adapter is "
                     "used");
    if (l->read->tied) forget(l, MODULE_DECODER);
    if (l->config->off[MODULE_DECODER_BIAS]) return true;
    if (slot(l->read, MODULE_DECODER_BIAS, -1, PART_WEIGHT)->tensor) {
        forget(l, MODULE_PREDICTION_BIAS);
    } else if (!slot(l->read, MODULE_PREDICTION_BIAS, -1, PART_WEIGHT)->tensor) {
        bool found, other = l->config->family->modules[MODULE_PREDICTION_BIAS];
        hub_module m = other ? MODULE_PREDICTION_BIAS : MODULE_DECODER_BIAS;
        const char *name = name_of(l, m, -1, PART_WEIGHT, &found);
        if (!l->fresh) return wrong(l, name, "is missing");
        hub_fresh_give(l->fresh, l->c, l->config, m, PART_WEIGHT, name);
        return take_weight(l, m, -1, PART_WEIGHT, name);
    }
    return true;
}

// --- What is left over

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void note_unread(lookup *l) {
    char list[200] = "";
    int unread = 0;
    qsort(l->used, (size_t)l->used_count, sizeof(*l->used), compare_strings);
    for (int i = 0; i < hub_checkpoint_count(l->c); i++) {
        const char *name = hub_checkpoint_name(l->c, i);
        if (bsearch(&name, l->used, (size_t)l->used_count, sizeof(*l->used), compare_strings)) continue;
        size_t n = strlen(list);
        if (unread++ < 3) snprintf(list + n, sizeof(list) - n, "%s%.60s", n ? ", " : "", name);
    }
    if (!unread) return;
    diag_note(l->d, l->c->where, "%d tensor%s not read: %s%s", unread, unread == 1 ? " is" : "s are", list,
              unread > 3 ? ", ..." : "");
}

// Rows of the head's classifier; 0: there is none.
static int64_t classifier_rows(const lookup *l) {
    hub_module m = l->config->head == HEAD_TOKEN ? MODULE_TAGGER : MODULE_CLASSIFIER;
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    bool found;
    const char *name = name_of(l, m, -1, PART_WEIGHT, &found);
    return found && hub_checkpoint_entry(l->c, name, &dtype, &rank, &shape, &data) && rank ? shape[0] : 0;
}

// The same of a classifier that an adapter has trained; 0: none has.
static int64_t trained_rows(const lookup *l) {
    hub_module m = l->config->head == HEAD_TOKEN ? MODULE_TAGGER : MODULE_CLASSIFIER;
    if (!l->config->family->modules[m]) return 0;
    bool found;
    const char *name = name_of(l, m, -1, PART_WEIGHT, &found);
    return found && hub_checkpoint_tensor(l->c, name) != name ? classifier_rows(l) : 0;
}

static void number_labels(const lookup *l, hub_config *config, int64_t rows) {
    config->labels = ARENA_ARRAY(l->c->arena, const char *, rows);
    for (int64_t i = 0; i < rows; i++) config->labels[i] = arena_printf(l->c->arena, "LABEL_%" PRId64, i);
    config->sizes[SIZE_LABELS] = config->label_room = rows;
}

// Where id2label leaves gaps, or num_labels says otherwise, the classifier has a row a label. num_labels that
// is right makes Transformers forget id2label.
static void settle_labels(const lookup *l, hub_config *config) {
    if (l->fresh && l->fresh->numbered) return;
    if (l->fresh && config->problem == PROBLEM_REGRESSION && !classifier_rows(l)) {
        number_labels(l, config, 1);
        return;
    }
    int64_t room = config->label_room, said = config->sizes[SIZE_LABELS], rows = trained_rows(l);
    const char **named = rows ? hub_adapter_labels(l->c->adapters, rows, l->c->arena) : NULL;
    if (named) {
        config->labels = named;
        config->sizes[SIZE_LABELS] = config->label_room = rows;
        return;
    }
    if (rows && rows != said) {
        number_labels(l, config, rows);
        diag_note(l->d, config->file,
                  "id2label: the adapter's classifier has %" PRId64 " labels, which have no names", rows);
        return;
    }
    if ((room == said && !config->num_labels) || !(rows = classifier_rows(l))) return;
    if (rows == config->num_labels && rows != said) {
        number_labels(l, config, rows);
        diag_note(l->d, config->file, "num_labels: the model has so many; id2label is not read");
    } else if (room != said) {
        if (rows == room) config->sizes[SIZE_LABELS] = room;
        diag_note(l->d, config->file,
                  "id2label: names %" PRId64 " labels, the last of them %" PRId64 "; the model has %" PRId64,
                  said, room - 1, config->sizes[SIZE_LABELS]);
    }
}

// Rows that the layer's queries have; 0: there is no such tensor.
static int64_t query_rows(const lookup *l, int layer) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    bool found;
    const char *name = name_of(l, MODULE_QUERY, hub_weight_set(l->config, layer), PART_WEIGHT, &found);
    return found && hub_checkpoint_entry(l->c, name, &dtype, &rank, &shape, &data) && rank ? shape[0] : 0;
}

// Where heads are pruned, the tensors say whether they are gone, or still there as Transformers 5 has them.
static bool settle_pruned(const lookup *l, hub_config *config) {
    if (!config->pruned || !config->family->modules[MODULE_QUERY]) return true;
    arena *a = l->c->arena;
    bool whole = false;
    config->smaller = ARENA_ARRAY(a, hub_config *, config->layers);
    for (int i = 0; i < config->layers; i++) {
        int64_t rows = query_rows(l, i), left = config->heads - config->pruned[i];
        config->smaller[i] = NULL;
        if (!config->pruned[i]) continue;
        whole |= rows != left * config->sizes[SIZE_HEAD];
        if (rows != left * config->sizes[SIZE_HEAD] || !left) continue;
        if (!hub_config_prunes(config)) {
            const char *where = arena_printf(a, "%s: pruned_heads.%d", config->file, i);
            return diag_error(l->d, where, "layers with fewer heads are not supported in the family %s",
                              config->family->model_type);
        }
        config->smaller[i] = hub_config_without_heads(config, i, a);
    }
    if (whole)
        diag_note(l->d, config->file, "pruned_heads: layers whose tensors have all heads are read whole");
    return true;
}

bool hub_weights_read(hub_checkpoint *c, hub_config *config, hub_fresh *fresh, hub_weights *out, diag *d) {
    size_t slots = ((size_t)hub_weight_sets(config) + 1) * MODULE_COUNT * PART_COUNT;
    *out = (hub_weights){.checkpoint = c, .items = ARENA_ARRAY(c->arena, hub_weight, slots)};
    lookup l = {.c = c,
                .read = out,
                .config = config,
                .fresh = fresh,
                .used = ARENA_ARRAY(c->arena, const char *, slots + 1),
                .d = d};
    config->native = false;
    if (config->family->native[MODULE_QUERY] && !prefix_of(&l, MODULE_QUERY)) config->native = true;
    find_prefixes(&l);
    settle_labels(&l, config);
    if (!settle_pruned(&l, config)) return false;
    bool ok = true;
    for (int m = 0; m < MODULE_COUNT; m++) {
        if (hub_module_use(config, (hub_module)m) == USE_NO) continue;
        int64_t sets = hub_module_sets(config, (hub_module)m);
        bool bare = m == MODULE_ATTENTION_NORM && config->family->traits & TRAIT_FIRST_BARE;
        for (int64_t i = sets ? bare : -1; i < sets; i++) {
            bool layers = hub_module_of((hub_module)m)->scope == SCOPE_LAYER;
            l.config = hub_config_of_layer(config, layers ? (int)i : -1);
            ok &= check_module(&l, (hub_module)m, (int)i);
        }
        l.config = config;
    }
    if (hub_head_predicts(config->head)) ok &= settle_decoder(&l);
    if (config->head == HEAD_VECTORS) l.used[l.used_count++] = "linear.weight"; // a projection's, read apart
    if (ok) note_unread(&l);
    // Encoders are published with the config of the model that they were cut out of.
    if (l.head_lacks && !l.head_there && !fresh && slot(out, MODULE_WORD, -1, PART_WEIGHT)->tensor)
        diag_note(d, c->where, "%s: --head model compiles the encoder alone",
                  config->head == HEAD_SPARSE
                      ? "nothing of a masked-LM head is there, whose logits SPLADE pools (--pooling splade)"
                      : "nothing of the head is there");
    return ok;
}
