// The weights, under the names that Transformers has for the task's class. One tensor is in memory at a time.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/safetensors.h"
#include "frontend/hub/save/save.h"
#include "ir/memory.h"

// A tensor of the output; from: its name in the checkpoint that was opened. fixed: training has not changed it.
typedef struct listed {
    const char *from;
    bool fixed;
    int64_t count;
} listed;

static void add_tensors(const char **list, int *count, const recipe *r) {
    if (r->kind == RECIPE_TENSOR) list[(*count)++] = r->tensor;
    for (int i = 0; i < r->part_count; i++) add_tensors(list, count, r->parts[i]);
}

static int count_tensors(const recipe *r) {
    int n = r->kind == RECIPE_TENSOR;
    for (int i = 0; i < r->part_count; i++) n += count_tensors(r->parts[i]);
    return n;
}

void hub_origin_parameters(hub_origin *o, const graph *g, arena *a) {
    int n = 0;
    for (value v = 0; v < g->count; v++) {
        const attr *r = node_attr(graph_node(g, v), ATTR_recipe);
        if (r) n += count_tensors(r->u.recipe);
    }
    o->parameters = ARENA_ARRAY(a, const char *, n + 1);
    o->fixed = ARENA_ARRAY(a, const char *, n + 1);
    for (value v = 0; v < g->count; v++) {
        const attr *r = node_attr(graph_node(g, v), ATTR_recipe);
        if (!r) continue;
        if (node_is_state(graph_node(g, v)))
            add_tensors(o->parameters, &o->parameter_count, r->u.recipe);
        else
            add_tensors(o->fixed, &o->fixed_count, r->u.recipe);
    }
}

static bool is_among(const char *const *list, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (!strcmp(list[i], name)) return true;
    return false;
}

static bool is_parameter(const hub_origin *o, const char *name) {
    return is_among(o->parameters, o->parameter_count, name);
}

typedef struct listing {
    saving *s;
    int count;
    safetensors_item *items;
    listed *sources;
} listing;

static bool is_listed(const listing *l, const char *name) {
    for (int i = 0; i < l->count; i++)
        if (!strcmp(l->items[i].name, name)) return true;
    return false;
}

static void list(listing *l, const char *from, const char *name, bool fixed) {
    safetensors_item *t = &l->items[l->count];
    const char *dtype;
    const int64_t *shape;
    const void *data;
    if (is_listed(l, name) ||
        !hub_checkpoint_entry(l->s->from->weights->checkpoint, from, &dtype, &t->rank, &shape, &data))
        return;
    t->name = name;
    t->dtype = l->s->dtype;
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++) count *= t->shape[i] = shape[i];
    t->bytes = (size_t)count * elem_size(l->s->e);
    l->sources[l->count++] = (listed){from, fixed, count};
}

static void list_module(listing *l, hub_module m, int set, hub_part p) {
    const hub_origin *from = l->s->from;
    const hub_config *c = from->config;
    const hub_weight *w = hub_weight_of(from->weights, m, set, p);
    if (!w->tensor) return;
    bool bare = hub_head_class(c->head) == HEAD_MODEL || hub_module_of(m)->scope == SCOPE_HEAD;
    const char *prefix = bare ? "" : c->family->base_prefix;
    // A tensor that the graph does not read: the pooler of an encoder, which the encoder's class has, and others' have not.
    bool trained = is_parameter(from, w->tensor), read = is_among(from->fixed, from->fixed_count, w->tensor);
    if (!trained && !read && m != MODULE_ROTARY && hub_head_class(c->head) != HEAD_MODEL) return;
    arena *a = l->s->a;
    list(l, w->tensor, arena_printf(a, "%s%s", prefix, hub_tensor_name(a, c, m, set, p)), !trained);
    // The two biases of a tied decoder are one tensor, and either may be what a reader looks for.
    if (m == MODULE_DECODER_BIAS && c->family->modules[MODULE_PREDICTION_BIAS])
        list(l, w->tensor, hub_tensor_name(a, c, MODULE_PREDICTION_BIAS, -1, PART_WEIGHT), false);
}

// W + s B A, in double. `out`: W.
static bool add_adapter(const saving *s, const hub_adapted_layer *x, float *out) {
    int64_t rank = x->rank;
    float *a = memory_alloc((size_t)(rank * x->columns), sizeof *a),
          *b = memory_alloc((size_t)(x->rows * rank), sizeof *b);
    bool ok = (a && b) || diag_error(s->d, x->tensor, "out of memory");
    ok = ok && s->to->read(s->to->user, x->a, a, rank * x->columns, s->d) &&
         s->to->read(s->to->user, x->b, b, x->rows * rank, s->d);
    for (int64_t i = 0; ok && i < x->rows; i++)
        for (int64_t k = 0; k < x->columns; k++) {
            double sum = 0;
            for (int64_t r = 0; r < rank; r++) sum += (double)b[i * rank + r] * (double)a[r * x->columns + k];
            out[i * x->columns + k] = (float)((double)out[i * x->columns + k] + x->scale * sum);
        }
    free(a);
    free(b);
    return ok;
}

static bool write_tensor(const listing *l, int i, output_file *o, float *numbers, void *narrow) {
    const saving *s = l->s;
    const listed *x = &l->sources[i];
    tensor_view t;
    if (!x->fixed) {
        if (!s->to->read(s->to->user, x->from, numbers, x->count, s->d)) return false;
    } else {
        if (!hub_checkpoint_find(s->from->weights->checkpoint, x->from, &t)) return false;
        elem_convert(t.e, t.data, ELEM_F32, numbers, x->count);
        const hub_adapted_layer *adapted = hub_lora_of(s->lora, x->from);
        if (adapted && !add_adapter(s, adapted, numbers)) return false;
    }
    if (s->e != ELEM_F32) elem_convert(ELEM_F32, numbers, s->e, narrow, x->count);
    return output_file_write(o, s->e == ELEM_F32 ? numbers : narrow, l->items[i].bytes, s->d);
}

static bool write_list(const listing *l, const char *path) {
    output_file o;
    int64_t most = 1;
    for (int i = 0; i < l->count; i++)
        if (l->sources[i].count > most) most = l->sources[i].count;
    float *numbers = memory_alloc((size_t)most, sizeof *numbers);
    void *narrow = memory_alloc((size_t)most, 2);
    bool ok = (numbers && narrow) || diag_error(l->s->d, path, "out of memory");
    ok = ok && safetensors_begin(&o, path, l->count, l->items, l->s->d);
    if (ok) {
        for (int i = 0; i < l->count && ok; i++) ok = write_tensor(l, i, &o, numbers, narrow);
        ok = ok && output_file_sync(&o, l->s->d) && output_file_keep(&o, l->s->d);
        output_file_drop(&o);
    }
    free(numbers);
    free(narrow);
    return ok;
}

static listing listing_of(saving *s, int64_t room) {
    return (listing){.s = s,
                     .items = ARENA_ARRAY(s->a, safetensors_item, room),
                     .sources = ARENA_ARRAY(s->a, listed, room)};
}

// The tensors of a module behind the pooling, in a file of its folder.
static bool save_step(saving *s, const hub_step *step) {
    listing l = listing_of(s, 3);
    const hub_step_tensor *const all[] = {&step->weight, &step->bias, &step->shortcut};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(step->folder) + 1;
        if (all[i]->name &&
            hub_checkpoint_entry(s->from->weights->checkpoint, all[i]->name, &(const char *){0}, &(int){0},
                                 &(const int64_t *){0}, &(const void *){0}))
            list(&l, all[i]->name, all[i]->name + n, false);
    }
    const char *folder = hub_path(s->a, s->to->folder, step->folder);
    return save_make_folder(folder, s->d) && write_list(&l, hub_path(s->a, folder, "model.safetensors"));
}

bool save_weights(saving *s) {
    const hub_config *c = s->from->config;
    int64_t sets = hub_weight_sets(c);
    listing l = listing_of(s, (sets + 1) * MODULE_COUNT * PART_COUNT + 1);
    for (int set = -1; set < sets; set++)
        for (int m = 0; m < MODULE_COUNT; m++)
            for (int p = 0; p < PART_COUNT; p++) list_module(&l, (hub_module)m, set, (hub_part)p);
    for (int i = 0; c->head == HEAD_EMBEDDING && i < c->sentence.step_count; i++) {
        const hub_step *step = &c->sentence.steps[i];
        if (step->kind != STEP_NORMALIZE && step->weights && !save_step(s, step)) return false;
    }
    return write_list(&l, hub_path(s->a, s->weights, "model.safetensors"));
}

bool save_adapter_weights(saving *s) {
    const hub_config *c = s->from->config;
    const hub_weights *w = s->from->weights;
    int64_t sets = hub_weight_sets(c);
    listing l = listing_of(s, 2 * (s->lora->count + s->lora->whole_count) + 1);
    for (int i = 0; i < s->lora->count; i++) {
        list(&l, s->lora->layers[i].a, s->lora->layers[i].a, false);
        list(&l, s->lora->layers[i].b, s->lora->layers[i].b, false);
    }
    for (int set = -1; set < sets; set++)
        for (int m = 0; m < MODULE_COUNT; m++)
            for (int p = 0; p < PART_COUNT; p++) {
                const hub_weight *of = hub_weight_of(w, (hub_module)m, set, (hub_part)p);
                if (!of->tensor || !hub_lora_trains(s->lora, of->tensor)) continue;
                const char *name = hub_class_module(s->a, c, (hub_module)m, set);
                const char *end = hub_module_of((hub_module)m)->kind == KIND_VECTOR     ? ""
                                  : p == PART_WEIGHT                                    ? ".weight"
                                  : hub_lora_is_wrapped(s->lora, w, (hub_module)m, set) ? ".base_layer.bias"
                                                                                        : ".bias";
                list(&l, of->tensor, arena_printf(s->a, LORA_WRAPPER "%s%s", name, end), false);
            }
    return write_list(&l, hub_path(s->a, s->to->folder, "adapter_model.safetensors"));
}
