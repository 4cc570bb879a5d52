#include "frontend/hub/files/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/json.h"
#include "frontend/hub/files/text.h"
#include "frontend/hub/files/weights_file.h"
#include "runtime/abi_checksum.h"

#define MOST_FILES 4096

typedef struct hub_shard_entry {
    const char *name;
    const weights_file *file;
    int number; // of the file
} shard_entry;

typedef struct hub_module_file {
    const char *folder;
    weights_file file;
} module_file;

// A tensor that is in none of the checkpoint's own files.
typedef struct hub_given {
    const char *file;
    const char *name, *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
} given_tensor;

static bool open_file(hub_checkpoint *c, const char *path, diag *d) {
    if (!weights_file_open(path, &c->files[c->file_count], d)) return false;
    c->file_count++;
    return true;
}

// --- Shards

// Of one name the last file's comes last.
static int by_name_and_file(const void *a, const void *b) {
    const shard_entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const shard_entry *)a)->name, ((const shard_entry *)b)->name);
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Opens each file that the map names, once; `names` holds the distinct ones, sorted, as files[] does.
static bool open_shards(hub_checkpoint *c, const hub_fields *f, const char *folder, const char **names,
                        int *count) {
    int n = 0, kept = 0;
    const cJSON *v;
    cJSON_ArrayForEach(v, f->object) {
        if (!cJSON_IsString(v) || !hub_name_stays_inside(v->valuestring, true)) {
            return hub_field_wrong(f, v->string, "is no name of a file in this folder");
        }
        names[n++] = v->valuestring;
    }
    qsort(names, (size_t)n, sizeof(*names), compare_strings);
    for (int i = 0; i < n; i++) {
        if (!kept || strcmp(names[kept - 1], names[i])) names[kept++] = names[i];
    }
    *count = kept;
    if (kept > MOST_FILES) return diag_error(f->d, f->file, "names too many files: %d", kept);
    c->files = ARENA_ARRAY(c->arena, weights_file, kept + 1);
    bool ok = true; // every file that can't be opened is reported; a name keeps its number only while all can
    for (int i = 0; i < kept; i++) ok &= open_file(c, hub_path(c->arena, folder, names[i]), f->d);
    return ok;
}

// All tensors of all files, by name; of one that several files hold, the last file's.
static void index_files(hub_checkpoint *c) {
    int n = 0, kept = 0;
    for (int i = 0; i < c->file_count; i++) n += weights_file_count(&c->files[i]);
    c->index = ARENA_ARRAY(c->arena, shard_entry, n + 1);
    n = 0;
    for (int i = 0; i < c->file_count; i++)
        for (int k = 0; k < weights_file_count(&c->files[i]); k++)
            c->index[n++] = (shard_entry){weights_file_name(&c->files[i], k), &c->files[i], i};
    qsort(c->index, (size_t)n, sizeof(shard_entry), by_name_and_file);
    for (int i = 0; i < n; i++) {
        bool again = kept && !by_name(&c->index[kept - 1], &c->index[i]);
        c->index[kept - again] = c->index[i];
        kept += !again;
    }
    c->index_count = kept;
}

static const shard_entry *find_shard(const hub_checkpoint *c, const char *name) {
    shard_entry key = {.name = name};
    return c->index_count ? bsearch(&key, c->index, (size_t)c->index_count, sizeof(key), by_name) : NULL;
}

// As Transformers: the map says which files there are, and they say what is in them.
static bool read_map(hub_checkpoint *c, const hub_fields *f, const char *folder) {
    int n = cJSON_GetArraySize(f->object), files = 0, lost = 0;
    const char **names = ARENA_ARRAY(c->arena, const char *, n + 1), *first = NULL;
    if (!open_shards(c, f, folder, names, &files)) return false;
    index_files(c);
    const cJSON *v;
    cJSON_ArrayForEach(v, f->object) {
        if (!find_shard(c, v->string) && !lost++) first = v->string;
    }
    if (lost)
        diag_note(f->d, f->file, "weight_map: %d tensor%s in none of the files: %.100s%s", lost,
                  lost == 1 ? " is" : "s are", first, lost > 1 ? ", ..." : "");
    return true;
}

static bool open_index(hub_checkpoint *c, const char *path, diag *d) {
    cJSON *root = hub_json_load(path, false, d);
    if (!root) return false;
    c->sharded = true;
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(root, "weight_map");
    bool ok = cJSON_IsObject(map);
    if (ok) {
        hub_fields f = {path, "weight_map", map, d};
        ok = read_map(c, &f, hub_path_folder(c->arena, path));
    } else {
        diag_error(d, path,
                   "weight_map: is missing, or no object (MODEL is a folder, its weights, or their index)");
    }
    cJSON_Delete(root);
    return ok;
}

bool hub_checkpoint_open(const char *weights, hub_checkpoint *c, diag *d) {
    *c = (hub_checkpoint){.arena = arena_new()};
    c->where = arena_strdup(c->arena, weights);
    if (hub_ends_with(weights, ".json")) return open_index(c, weights, d);
    c->files = ARENA_ARRAY(c->arena, weights_file, 1);
    return open_file(c, weights, d);
}

bool hub_checkpoint_add(hub_checkpoint *c, const char *folder, const char *weights, diag *d) {
    weights_file f;
    if (!weights_file_open(weights, &f, d)) return false;
    module_file *grown = ARENA_ARRAY(c->arena, module_file, c->module_count + 1);
    if (c->module_count) memcpy(grown, c->modules, sizeof(*grown) * (size_t)c->module_count);
    grown[c->module_count++] = (module_file){arena_strdup(c->arena, folder), f};
    c->modules = grown;
    return true;
}

void hub_checkpoint_close(hub_checkpoint *c) {
    for (int i = 0; i < c->file_count; i++) weights_file_close(&c->files[i]);
    for (int i = 0; i < c->module_count; i++) weights_file_close(&c->modules[i].file);
    if (c->other) weights_file_close(c->other);
    arena_free(c->arena);
    *c = (hub_checkpoint){0};
}

bool hub_checkpoint_unchanged(const hub_checkpoint *c, diag *d) {
    bool ok = true;
    for (int i = 0; i < c->file_count; i++) ok &= weights_file_unchanged(&c->files[i], d);
    for (int i = 0; i < c->module_count; i++) ok &= weights_file_unchanged(&c->modules[i].file, d);
    if (c->other) ok &= weights_file_unchanged(c->other, d);
    return ok;
}

static void add_file(bertc_checksum *sum, const weights_file *f) {
    const hub_file *bytes = weights_file_mapped(f);
    bertc_checksum_add(sum, bytes->data, bytes->size);
}

uint64_t hub_checkpoint_hash(const hub_checkpoint *c) {
    bertc_checksum sum = bertc_checksum_begin();
    for (int i = 0; i < c->file_count; i++) add_file(&sum, &c->files[i]);
    for (int i = 0; i < c->module_count; i++) add_file(&sum, &c->modules[i].file);
    if (c->other) add_file(&sum, c->other);
    return bertc_checksum_end(&sum);
}

// --- Tensors that it lacks

bool hub_checkpoint_open_other(hub_checkpoint *c, const char *path, diag *d) {
    weights_file *f = ARENA_NEW(c->arena, weights_file);
    if (!weights_file_open(path, f, d)) return false;
    c->other = f;
    c->other_path = arena_strdup(c->arena, path);
    c->borrowed = ARENA_ARRAY(c->arena, bool, weights_file_count(f) + 1);
    return true;
}

static void give(hub_checkpoint *c, given_tensor t) {
    given_tensor *grown = ARENA_ARRAY(c->arena, given_tensor, c->given_count + 1);
    if (c->given_count) memcpy(grown, c->given, sizeof *grown * (size_t)c->given_count);
    grown[c->given_count++] = t;
    c->given = grown;
}

void hub_checkpoint_give(hub_checkpoint *c, const char *name, int rank, const int64_t *shape,
                         const float *data) {
    const int64_t *copy = arena_dup(c->arena, shape, sizeof *shape * (size_t)rank);
    give(c, (given_tensor){c->where, name, "F32", rank, copy, data});
}

static bool lend(hub_checkpoint *c, const char *name, const char *from, given_tensor *t) {
    *t = (given_tensor){.file = c->other_path, .name = name};
    if (!c->other || !weights_file_entry(c->other, from, &t->dtype, &t->rank, &t->shape, &t->data))
        return false;
    for (int i = 0; i < weights_file_count(c->other); i++)
        if (!strcmp(weights_file_name(c->other, i), from)) c->borrowed[i] = true;
    return true;
}

bool hub_checkpoint_borrow(hub_checkpoint *c, const char *name, const char *from) {
    given_tensor t;
    if (!lend(c, name, from, &t)) return false;
    give(c, t);
    return true;
}

bool hub_checkpoint_borrow_wide(hub_checkpoint *c, const char *name, const char *from) {
    given_tensor t;
    elem e;
    int64_t n = 1;
    if (!lend(c, name, from, &t) || !hub_weight_elem(t.dtype, &e)) return false;
    for (int i = 0; i < t.rank; i++) n *= t.shape[i];
    float *data = ARENA_ARRAY(c->arena, float, n ? n : 1);
    elem_convert(e, t.data, ELEM_F32, data, n);
    t.data = data;
    t.dtype = "F32";
    give(c, t);
    return true;
}

bool hub_checkpoint_check_other(const hub_checkpoint *c, const char *lacked, diag *d) {
    char list[200] = "";
    int count = c->other ? weights_file_count(c->other) : 0, unread = 0;
    for (int i = 0; i < count; i++) {
        size_t n = strlen(list);
        if (!c->borrowed[i] && unread++ < 3)
            snprintf(list + n, sizeof(list) - n, "%s%.60s", n ? ", " : "", weights_file_name(c->other, i));
    }
    if (unread && unread == count)
        return diag_error(d, c->other_path, "holds no tensor that the model lacks%s%.200s%s",
                          lacked ? ", as \"" : "", lacked ? lacked : "", lacked ? "\"" : "");
    if (unread)
        diag_note(d, c->other_path, "%d tensor%s not read: %s%s: the model has such already, or has none",
                  unread, unread == 1 ? " is" : "s are", list, unread > 3 ? ", ..." : "");
    return true;
}

const char *hub_checkpoint_where(const hub_checkpoint *c, const char *name) {
    for (int i = 0; i < c->given_count; i++)
        if (!strcmp(c->given[i].name, name)) return c->given[i].file;
    return c->where;
}

static bool find_given(const hub_checkpoint *c, const char *name, const char **dtype, int *rank,
                       const int64_t **shape, const void **data) {
    for (int i = 0; i < c->given_count; i++) {
        const given_tensor *t = &c->given[i];
        if (strcmp(t->name, name)) continue;
        *dtype = t->dtype;
        *rank = t->rank;
        *shape = t->shape;
        *data = t->data;
        return true;
    }
    return false;
}

// --- Looking up

void hub_checkpoint_rename(hub_checkpoint *c, const char **shown, int shown_count, const hub_renamed *renamed,
                           int renamed_count) {
    c->shown = shown;
    c->shown_count = shown_count;
    c->renamed = renamed;
    c->renamed_count = renamed_count;
}

static int by_shown(const void *a, const void *b) {
    return strcmp(((const hub_renamed *)a)->name, ((const hub_renamed *)b)->name);
}

const char *hub_checkpoint_tensor(const hub_checkpoint *c, const char *name) {
    const hub_renamed key = {.name = name}, *found = NULL;
    if (c->renamed_count) found = bsearch(&key, c->renamed, (size_t)c->renamed_count, sizeof key, by_shown);
    return found ? found->tensor : name;
}

int hub_checkpoint_count(const hub_checkpoint *c) {
    if (c->shown) return c->shown_count;
    return c->sharded ? c->index_count : weights_file_count(&c->files[0]);
}

const char *hub_checkpoint_name(const hub_checkpoint *c, int i) {
    if (c->shown) return c->shown[i];
    return c->sharded ? c->index[i].name : weights_file_name(&c->files[0], i);
}

// The file of the module whose FOLDER/ the name begins with, which *name loses; NULL: it is no module's.
static const weights_file *module_of(const hub_checkpoint *c, const char **name) {
    for (int i = 0; i < c->module_count; i++) {
        size_t n = strlen(c->modules[i].folder);
        if (strncmp(*name, c->modules[i].folder, n) || (*name)[n] != '/') continue;
        *name += n + 1;
        return &c->modules[i].file;
    }
    return NULL;
}

const weights_file *hub_checkpoint_module(const hub_checkpoint *c, const char *folder) {
    for (int i = 0; i < c->module_count; i++)
        if (!strcmp(c->modules[i].folder, folder)) return &c->modules[i].file;
    return NULL;
}

bool hub_checkpoint_entry(const hub_checkpoint *c, const char *name, const char **dtype, int *rank,
                          const int64_t **shape, const void **data) {
    const weights_file *file = &c->files[0];
    if (find_given(c, name, dtype, rank, shape, data)) return true;
    name = hub_checkpoint_tensor(c, name);
    const weights_file *own = module_of(c, &name);
    if (own) return weights_file_entry(own, name, dtype, rank, shape, data);
    if (c->sharded) {
        const shard_entry *e = find_shard(c, name);
        if (!e) return false;
        file = e->file;
    }
    return weights_file_entry(file, name, dtype, rank, shape, data);
}

static bool find_elem(const char *dtype, elem *e) {
    static const struct {
        const char *name;
        elem e;
    } known[] = {{"F32", ELEM_F32}, {"F16", ELEM_F16},         {"BF16", ELEM_BF16},
                 {"F64", ELEM_F64}, {"F8_E4M3", ELEM_F8_E4M3}, {"F8_E5M2", ELEM_F8_E5M2},
                 {"I32", ELEM_I32}, {"I8", ELEM_I8},           {"U8", ELEM_U8}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(dtype, known[i].name)) return *e = known[i].e, true;
    return false;
}

bool hub_weight_elem(const char *dtype, elem *e) {
    return find_elem(dtype, e) && elem_is_float(*e);
}

bool hub_checkpoint_find(void *checkpoint, const char *name, tensor_view *out) {
    const hub_checkpoint *c = checkpoint;
    const char *dtype;
    const int64_t *shape;
    if (!hub_checkpoint_entry(c, name, &dtype, &out->rank, &shape, &out->data)) return false;
    if (out->rank > IR_MAX_RANK || !find_elem(dtype, &out->e)) return false;
    for (int i = 0; i < out->rank; i++) out->shape[i] = shape[i];
    return true;
}
