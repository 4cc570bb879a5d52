// adapter_model.safetensors, or .bin: pairs of low-rank matrices, and tensors that take the place of the model's.
#include <inttypes.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/files/text.h"

#define MOST_REPLACED 4096

typedef struct reading {
    const adapter_folder *folder;
    hub_checkpoint *c;
    const weights_file *file;
    adapter_names *names;
    hub_adapters *out;
    int replaced, added, skipped;
    diag *d;
} reading;

static bool wrong(const reading *r, const char *of, const char *cause) {
    char where[900];
    snprintf(where, sizeof where, "%.500s: tensor \"%.300s\"", r->folder->weights, of);
    return diag_error(r->d, where, "%s", cause);
}

// --- Names

// Parts of a name that say where PEFT keeps a tensor, and not whose it is.
static bool is_wrapper(const char *part, size_t n) {
    static const char *const parts[] = {"base_layer", "modules_to_save", "default"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strlen(parts[i]) == n && !memcmp(part, parts[i], n)) return true;
    return false;
}

// The tensor's name in the model that was trained.
static const char *plain_name(arena *a, const char *name) {
    static const char wrapper[] = "base_model.model.";
    if (!strncmp(name, wrapper, strlen(wrapper))) name += strlen(wrapper);
    char *out = arena_alloc(a, strlen(name) + 1), *end = out;
    while (*name) {
        size_t n = strcspn(name, ".");
        if (!is_wrapper(name, n)) {
            if (end > out) *end++ = '.';
            memcpy(end, name, n);
            end += n;
        }
        name += n + (name[n] == '.');
    }
    *end = 0;
    return out;
}

// `name` with the last `from` in it replaced; NULL: it has none.
static const char *other_name(arena *a, const char *name, const char *from, const char *to) {
    const char *last = NULL;
    for (const char *at = name; (at = strstr(at, from)); at++) last = at;
    return last ? arena_printf(a, "%.*s%s%s", (int)(last - name), name, to, last + strlen(from)) : NULL;
}

// The name without its end.
static const char *without(arena *a, const char *name, const char *end) {
    return arena_strndup(a, name, strlen(name) - strlen(end));
}

// --- Factors

static bool entry(const reading *r, const char *name, int want, hub_factor *out, int64_t *shape) {
    const char *dtype;
    const int64_t *stands;
    const void *data;
    int rank;
    if (!weights_file_entry(r->file, name, &dtype, &rank, &stands, &data))
        return wrong(r, name, "is missing: a LoRA is a pair of tensors");
    if (!hub_weight_elem(dtype, &out->e))
        return wrong(r, name,
                     arena_printf(r->c->arena, "%s is not supported for weights: " HUB_WEIGHT_DTYPES, dtype));
    if (rank != want)
        return wrong(r, name,
                     arena_printf(r->c->arena, "has %d axes, and %d are expected%s", rank, want,
                                  rank > want ? " (LoRA of a convolution is not supported)" : ""));
    for (int i = 0; i < rank; i++) shape[i] = stands[i];
    *out = (hub_factor){.tensor = arena_printf(r->c->arena, "%s/%s", r->folder->label, name),
                        .e = out->e,
                        .rows = shape[0],
                        .columns = rank > 1 ? shape[1] : 1,
                        .index = -1,
                        .scale = 1};
    return true;
}

// The model's tensor of that name, with its shape; NULL, with an error, where the base model has none.
static const char *base_tensor(const reading *r, const char *name, const char *own, int rank,
                               int64_t *shape) {
    const char *found = adapter_names_find(r->names, own), *dtype;
    const int64_t *stands;
    const void *data;
    int has;
    if (!found || !hub_checkpoint_entry(r->c, found, &dtype, &has, &stands, &data)) {
        wrong(r, name,
              arena_printf(r->c->arena,
                           "is for %.200s, which the base model has not: the adapter is another model's",
                           own));
        return NULL;
    }
    if (has != rank) {
        wrong(r, name, arena_printf(r->c->arena, "is for %.200s, which has %d axes, not %d", own, has, rank));
        return NULL;
    }
    for (int i = 0; i < rank; i++) shape[i] = stands[i];
    return found;
}

static bool in_layer(const char *name) {
    for (; *name; name++)
        if (*name == '.' && name[1] >= '0' && name[1] <= '9') return true;
    return false;
}

// What stands outside of the layers may be missing: a pooler that the checkpoint was saved without. Nothing reads it.
static bool skips(reading *r, const char *own) {
    if (in_layer(own) || adapter_names_find(r->names, own)) return false;
    if (!r->skipped++)
        diag_note(r->d, r->folder->weights,
                  "what it adds to %.200s is not read: the base model has no such tensor", own);
    return true;
}

static bool same_shape(const reading *r, const char *name, const char *base, int64_t rows, int64_t columns,
                       const int64_t *shape) {
    if (rows == shape[0] && columns == shape[1]) return true;
    return wrong(r, name,
                 arena_printf(r->c->arena,
                              "and its pair give [%" PRId64 ",%" PRId64
                              "], and the base model's \"%.200s\" is [%" PRId64 ",%" PRId64
                              "]: the adapter is another model's",
                              rows, columns, base, shape[0], shape[1]));
}

static bool add_pair(reading *r, const char *layer, const char *first, const char *of, hub_factor a,
                     hub_factor b, bool turned) {
    double scale;
    if (b.columns != a.rows)
        return wrong(
            r, first,
            arena_printf(r->c->arena, "has rank %" PRId64 ", and its pair %" PRId64, a.rows, b.columns));
    if (!adapter_scale(&r->folder->config, layer, a.rows, &scale, r->d)) return false;
    b.scale = scale * r->folder->weight;
    hub_delta *delta = adapter_delta(r->out, r->c->arena, of, 1);
    delta->left[0] = b;
    delta->right[0] = a;
    delta->turned = turned;
    r->added++;
    return true;
}

// A layer's two factors: lora_A.weight [r,in] and lora_B.weight [out,r] of a linear layer, or, of a table,
// lora_embedding_A [r,rows] and lora_embedding_B [width,r], whose product is turned round.
static bool read_pair(reading *r, const char *name, const char *plain, bool table) {
    arena *ar = r->c->arena;
    const char *layer = without(ar, plain, table ? ".lora_embedding_A" : ".lora_A.weight");
    const char *second = table ? other_name(ar, name, "lora_embedding_A", "lora_embedding_B")
                               : other_name(ar, name, "lora_A", "lora_B");
    int64_t x[2], y[2], shape[2];
    hub_factor a, b;
    if (!entry(r, name, 2, &a, x) || !entry(r, second, 2, &b, y)) return false;
    const char *own = arena_printf(ar, "%s.weight", layer);
    if (skips(r, own)) return true;
    const char *base = base_tensor(r, name, own, 2, shape);
    int64_t rows = table ? x[1] : y[0], columns = table ? y[0] : x[1];
    return base && same_shape(r, name, base, rows, columns, shape) &&
           add_pair(r, layer, name, base, a, b, table);
}

// lora_B.bias [out], which is added to the layer's bias.
static bool read_bias(reading *r, const char *name, const char *plain) {
    arena *ar = r->c->arena;
    const char *layer = without(ar, plain, ".lora_B.bias");
    const char *first = other_name(ar, other_name(ar, name, "lora_B", "lora_A"), ".bias", ".weight");
    int64_t x[2], y[2], shape[2];
    hub_factor a, bias;
    double scale;
    if (!entry(r, first, 2, &a, x) || !entry(r, name, 1, &bias, y)) return false;
    const char *own = arena_printf(ar, "%s.bias", layer);
    if (skips(r, own)) return true;
    const char *base = base_tensor(r, name, own, 1, shape);
    if (!base) return false;
    if (y[0] != shape[0])
        return wrong(r, name,
                     arena_printf(ar, "has %" PRId64 " numbers, and the bias %" PRId64, y[0], shape[0]));
    if (!adapter_scale(&r->folder->config, layer, a.rows, &scale, r->d)) return false;
    bias.scale = scale * r->folder->weight;
    hub_delta *delta = adapter_delta(r->out, ar, base, 1);
    delta->left[0] = bias;
    delta->vector = true;
    return true;
}

// A second half: its first one reads it.
static bool has_first(reading *r, const char *name, const char *from, const char *to) {
    const char *first = other_name(r->c->arena, name, from, to), *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    return weights_file_entry(r->file, first, &dtype, &rank, &shape, &data) ||
           wrong(r, name, "has no pair: a LoRA is a pair of tensors");
}

// --- Tensors that were trained whole: of modules_to_save, biases, tables

static bool read_whole(reading *r, const char *name, const char *plain) {
    if (++r->replaced > MOST_REPLACED)
        return wrong(r, name, "is one tensor too many that takes the place of the model's");
    const char *base = adapter_names_find(r->names, plain);
    if (!base) base = adapter_names_own(r->names, plain);
    return adapter_names_put(r->names, base, arena_printf(r->c->arena, "%s/%s", r->folder->label, name)) ||
           wrong(r, name, "takes the place of a tensor that another adapter has replaced already");
}

static bool read_tensor(reading *r, const char *name, bool whole) {
    const char *plain = plain_name(r->c->arena, name);
    bool lora = strstr(plain, ".lora_") != NULL;
    if (strstr(plain, "lora_magnitude_vector"))
        return wrong(r, name, "is of DoRA, which is not supported: merge it into its model");
    if (strstr(plain, ".original_module.")) return true;
    if (lora == whole) return true;
    if (!lora) return read_whole(r, name, plain);
    if (hub_ends_with(plain, ".lora_A.weight")) return read_pair(r, name, plain, false);
    if (hub_ends_with(plain, ".lora_embedding_A")) return read_pair(r, name, plain, true);
    if (hub_ends_with(plain, ".lora_B.bias")) return read_bias(r, name, plain);
    if (hub_ends_with(plain, ".lora_B.weight")) return has_first(r, name, "lora_B", "lora_A");
    if (hub_ends_with(plain, ".lora_embedding_B"))
        return has_first(r, name, "lora_embedding_B", "lora_embedding_A");
    return wrong(r, name, "is none of a plain LoRA's");
}

// The pairs say how the names' prefix differs from the checkpoint's, whichever of them comes first.
static void settle_prefix(reading *r) {
    adapter_names_forget_prefix(r->names);
    for (int i = 0; i < weights_file_count(r->file); i++) {
        const char *plain = plain_name(r->c->arena, weights_file_name(r->file, i)), *end = ".lora_A.weight";
        if (!hub_ends_with(plain, end)) continue;
        const char *own = arena_printf(r->c->arena, "%s.weight", without(r->c->arena, plain, end));
        if (in_layer(own)) adapter_names_find(r->names, own);
    }
}

bool adapter_read(const adapter_folder *f, hub_checkpoint *c, const weights_file *file, adapter_names *names,
                  hub_adapters *out, diag *d) {
    reading r = {.folder = f, .c = c, .file = file, .names = names, .out = out, .d = d};
    settle_prefix(&r);
    for (int whole = 0; whole < 2; whole++)
        for (int i = 0; i < weights_file_count(file); i++)
            if (!read_tensor(&r, weights_file_name(file, i), whole)) return false;
    return r.added || r.replaced ||
           diag_error(d, f->weights,
                      r.skipped ? "adds nothing to the base model: it is another model's"
                                : "holds no tensor");
}
