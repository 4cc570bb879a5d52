// torch.save's zip: NAME/data.pkl, NAME/data/KEY for each storage, and NAME/byteorder ("little" or "big"), all stored
// as they are. https://pytorch.org/docs/stable/notes/serialization.html
#include "frontend/hub/files/torch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/files/pickle.h"
#include "frontend/hub/files/safetensors.h"
#include "frontend/hub/files/text.h"
#include "frontend/hub/files/zip.h"

enum { MOST_RANK = 32, MOST_TENSORS = 1 << 20, MOST_DEPTH = 32, MOST_NAME = 1 << 12 };
#define LEGACY "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" // how files of before 1.6 begin

typedef struct torch_tensor {
    const char *name, *dtype;
    int rank;
    const int64_t *shape;
    const unsigned char *data;
    size_t bytes;
} torch_tensor;

// An entry of the zip file, and whether its checksum is known to be right.
typedef struct member {
    const zip_entry *entry;
    const unsigned char *data;
    size_t size;
    bool opened;
} member;

struct torch_file {
    arena *arena;
    hub_file file;
    const char *path;
    zip_index zip;
    member *members;    // by name
    const char *prefix; // of the storages' names, "NAME/data/"
    bool swapped;       // numbers have their bytes in the other order
    size_t copied;      // bytes of tensors that are copies
    int count, room;
    torch_tensor *tensors;
    torch_tensor **by_name;
};

bool hub_is_torch(const char *path) {
    unsigned char start[4];
    struct stat s;
    if (stat(path, &s) || !S_ISREG(s.st_mode)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    ssize_t n = read(fd, start, sizeof start);
    close(fd);
    if (n < (ssize_t)sizeof start) return false;
    return zip_starts(start, sizeof start) || (start[0] == 0x80 && start[1] >= 2 && start[1] <= 5);
}

static bool wrong(const torch_file *t, const char *name, const char *cause, diag *d) {
    char where[700];
    snprintf(where, sizeof where, "%.400s: tensor \"%.200s\"", t->path, name);
    return diag_error(d, where, "%s", cause);
}

// --- Entries

static int by_entry_name(const void *a, const void *b) {
    return strcmp(((const member *)a)->entry->name, ((const member *)b)->entry->name);
}

static bool index_members(torch_file *t, diag *d) {
    int n = t->zip.count;
    t->members = ARENA_ARRAY(t->arena, member, n + 1);
    for (int i = 0; i < n; i++) t->members[i] = (member){.entry = &t->zip.entries[i]};
    qsort(t->members, (size_t)n, sizeof *t->members, by_entry_name);
    for (int i = 1; i < n; i++)
        if (!by_entry_name(&t->members[i - 1], &t->members[i]))
            return diag_error(d, t->path, "holds \"%.200s\" twice", t->members[i].entry->name);
    return true;
}

static member *find_member(const torch_file *t, const char *name) {
    zip_entry key = {.name = name};
    member wanted = {.entry = &key};
    return bsearch(&wanted, t->members, (size_t)t->zip.count, sizeof wanted, by_entry_name);
}

// Its bytes, once they are checked. A checksum of 0 says that torch.save was asked for none.
static bool open_member(const torch_file *t, member *m, diag *d) {
    if (m->opened) return true;
    if (!zip_bytes(&t->zip, m->entry, &m->data, &m->size, d)) return false;
    m->opened = !m->entry->crc || zip_check(&t->zip, m->entry, m->data, m->size, d);
    return m->opened;
}

static int by_place(const void *a, const void *b) {
    const member *x = *(const member *const *)a, *y = *(const member *const *)b;
    return x->data < y->data ? -1 : x->data > y->data;
}

// No two entries that were read have bytes in common.
static bool check_apart(const torch_file *t, diag *d) {
    member **read = ARENA_ARRAY(t->arena, member *, t->zip.count + 1);
    int n = 0;
    for (int i = 0; i < t->zip.count; i++)
        if (t->members[i].opened && t->members[i].size) read[n++] = &t->members[i];
    qsort(read, (size_t)n, sizeof *read, by_place);
    for (int i = 1; i < n; i++)
        if (read[i]->data < read[i - 1]->data + read[i - 1]->size)
            return diag_error(d, t->path, "\"%.100s\" and \"%.100s\" lie over each other",
                              read[i - 1]->entry->name, read[i]->entry->name);
    return true;
}

static member *find_pickle(const torch_file *t, diag *d) {
    member *found = NULL;
    for (int i = 0; i < t->zip.count; i++) {
        const char *name = t->members[i].entry->name;
        if (!hub_ends_with(name, "/data.pkl")) continue;
        if (found) return diag_error(d, t->path, "holds two pickles, which torch.save does not write"), NULL;
        found = &t->members[i];
    }
    if (!found) diag_error(d, t->path, "is a zip archive, but none of torch.save: it holds no data.pkl");
    return found;
}

static bool read_order(torch_file *t, const char *folder, diag *d) {
    member *m = find_member(t, arena_printf(t->arena, "%s/byteorder", folder));
    if (!m) return true;
    if (!open_member(t, m, d)) return false;
    t->swapped = m->size == 3 && !memcmp(m->data, "big", 3);
    return t->swapped || (m->size == 6 && !memcmp(m->data, "little", 6)) ||
           diag_error(d, t->path, "its byteorder is neither little nor big");
}

// --- Tensors

static bool lies_in_order(const torch_tensor *x, const int64_t *strides) {
    int64_t step = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        if (x->shape[i] != 1 && strides[i] != step) return false;
        step *= x->shape[i];
    }
    return true;
}

// Element by element, the last axis first; `size`: bytes of one.
static void gather(unsigned char *to, const unsigned char *from, const torch_tensor *x,
                   const int64_t *strides, size_t size, bool swapped) {
    int64_t at[MOST_RANK] = {0}, spot = 0;
    for (size_t done = 0; done < x->bytes; done += size) {
        for (size_t b = 0; b < size; b++)
            to[done + b] = from[(size_t)spot * size + (swapped ? size - 1 - b : b)];
        for (int i = x->rank - 1; i >= 0; i--) {
            spot += strides[i];
            if (++at[i] < x->shape[i]) break;
            spot -= strides[i] * x->shape[i];
            at[i] = 0;
        }
    }
}

// The first and last element lie among `numbers`. All are whole numbers from 0 on.
static bool fits(const torch_tensor *x, const int64_t *strides, int64_t offset, int64_t numbers) {
    int64_t last = offset, reach;
    if (offset < 0 || offset > numbers) return false;
    for (int i = 0; i < x->rank; i++)
        if (x->shape[i] < 0 || strides[i] < 0) return false;
    for (int i = 0; i < x->rank; i++)
        if (!x->shape[i]) return true;
    for (int i = 0; i < x->rank; i++)
        if (__builtin_mul_overflow(x->shape[i] - 1, strides[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return false;
    return last < numbers;
}

static bool take_data(torch_file *t, torch_tensor *x, const member *m, const int64_t *strides, size_t offset,
                      size_t size, diag *d) {
    x->data = m->data + offset * size;
    bool aligned = (uintptr_t)x->data % size == 0;
    if (!x->bytes || (lies_in_order(x, strides) && aligned && (!t->swapped || size == 1))) return true;
    // Copies are of some use only where the storage has as many numbers: a hostile file may repeat one for ever.
    if (x->bytes > m->size) return wrong(t, x->name, "repeats its numbers (an expanded tensor)", d);
    t->copied += x->bytes;
    if (t->copied > 2 * t->file.size + (1 << 20))
        return wrong(t, x->name, "is one of too many views of the same numbers", d);
    unsigned char *to = arena_alloc(t->arena, x->bytes);
    gather(to, x->data, x, strides, size, t->swapped);
    x->data = to;
    return true;
}

// A storage's file; NULL, with an error, where it isn't there or is too short for its numbers.
static member *storage_of(const torch_file *t, const pickle_value *storage, const char *name, size_t size,
                          diag *d) {
    member *m = find_member(t, arena_printf(t->arena, "%s%s", t->prefix, storage->items[0]->text));
    if (!m) return wrong(t, name, "its numbers are not in the archive", d), NULL;
    if (!open_member(t, m, d)) return NULL;
    if (storage->number >= 0 && (uint64_t)storage->number <= m->size / size) return m;
    return wrong(t, name, "its numbers are more than its entry in the archive holds", d), NULL;
}

static bool add_tensor(torch_file *t, const char *name, const pickle_value *v, diag *d) {
    const pickle_value *storage = v->items[0], *sizes = v->items[1], *strides = v->items[2];
    size_t size = safetensors_dtype_size(storage->text);
    if (sizes->count > MOST_RANK) return wrong(t, name, "has too many axes", d);
    if (t->count == MOST_TENSORS) return diag_error(d, t->path, "holds more than %d tensors", MOST_TENSORS);
    if (t->count == t->room) {
        int room = t->room ? 2 * t->room : 64;
        torch_tensor *grown = ARENA_ARRAY(t->arena, torch_tensor, room);
        if (t->count) memcpy(grown, t->tensors, (size_t)t->count * sizeof *grown);
        t->tensors = grown;
        t->room = room;
    }
    int64_t *shape = ARENA_ARRAY(t->arena, int64_t, sizes->count + 1), steps[MOST_RANK];
    for (int i = 0; i < sizes->count; i++) {
        shape[i] = sizes->items[i]->number;
        steps[i] = strides->items[i]->number;
    }
    torch_tensor x = {.name = name, .dtype = storage->text, .rank = sizes->count, .shape = shape};
    member *m = storage_of(t, storage, name, size, d);
    if (!m) return false;
    if (!fits(&x, steps, v->number, storage->number) ||
        !safetensors_shape_bytes(x.dtype, x.rank, x.shape, &x.bytes))
        return wrong(t, name, "its offset, sizes and strides lead out of its numbers", d);
    for (int i = 0; i < x.rank; i++)
        if (shape[i] == 1) steps[i] = 0; // it may be any number
    if (!take_data(t, &x, m, steps, (size_t)v->number, size, d)) return false;
    t->tensors[t->count++] = x;
    return true;
}

// --- Names

// A key of a dictionary as a part of a name; NULL: it is neither a text nor a number.
static const char *key_text(const torch_file *t, const pickle_value *key) {
    if (key->kind == PICKLE_TEXT) return key->text;
    return key->kind == PICKLE_INT ? arena_printf(t->arena, "%" PRId64, key->number) : NULL;
}

// The tensors of a dictionary, and of those in it. What else it holds is passed over.
static bool add_all(torch_file *t, const char *before, pickle_value *v, int depth, diag *d) {
    if (v->seen)
        return diag_error(d, t->path, "the dictionary%s%.200s appears in two places", *before ? " " : "",
                          before);
    v->seen = true;
    if (depth > MOST_DEPTH)
        return diag_error(d, t->path, "dictionaries are nested more than %d deep", MOST_DEPTH);
    for (int i = 0; i < v->count; i += 2) {
        pickle_value *item = v->items[i + 1];
        const char *key = key_text(t, v->items[i]);
        if (!key || (item->kind != PICKLE_TENSOR && item->kind != PICKLE_DICT)) continue;
        if (strlen(before) + strlen(key) > MOST_NAME)
            return diag_error(d, t->path, "a tensor's name has more than %d bytes", MOST_NAME);
        const char *name = arena_printf(t->arena, "%s%s%s", before, *before ? "." : "", key);
        bool ok =
            item->kind == PICKLE_TENSOR ? add_tensor(t, name, item, d) : add_all(t, name, item, depth + 1, d);
        if (!ok) return false;
    }
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(torch_tensor *const *)a)->name, (*(torch_tensor *const *)b)->name);
}

// A key may contain dots, so two paths may lead to one name.
static bool index_names(torch_file *t, diag *d) {
    t->by_name = ARENA_ARRAY(t->arena, torch_tensor *, t->count + 1);
    for (int i = 0; i < t->count; i++) t->by_name[i] = &t->tensors[i];
    qsort(t->by_name, (size_t)t->count, sizeof *t->by_name, by_name);
    for (int i = 1; i < t->count; i++)
        if (!by_name(&t->by_name[i - 1], &t->by_name[i]))
            return wrong(t, t->by_name[i]->name, "is there twice", d);
    return true;
}

// --- The file

static bool refuse_others(const torch_file *t, diag *d) {
    const unsigned char *p = t->file.data;
    size_t n = sizeof LEGACY - 1;
    if (zip_starts(p, t->file.size)) return true;
    if (t->file.size >= n && !memcmp(p, LEGACY, n))
        return diag_error(d, t->path,
                          "is in the format of PyTorch before version 1.6, which is not read: "
                          "torch.save(torch.load(FILE, weights_only=True), FILE) writes the one that is, and "
                          "model.save_pretrained(FOLDER) safetensors");
    return diag_error(d, t->path,
                      "is a pickle by itself, and no file of torch.save: no code of a pickle is ever run");
}

static bool read_file(torch_file *t, diag *d) {
    if (!refuse_others(t, d) || !zip_read(t->file.data, t->file.size, t->path, t->arena, &t->zip, d) ||
        !index_members(t, d))
        return false;
    member *pickle = find_pickle(t, d);
    if (!pickle || !open_member(t, pickle, d)) return false;
    const char *name = pickle->entry->name, *where = arena_printf(t->arena, "%s: \"%s\"", t->path, name);
    const char *folder = arena_strndup(t->arena, name, strlen(name) - strlen("/data.pkl"));
    t->prefix = arena_printf(t->arena, "%s/data/", folder);
    if (!read_order(t, folder, d)) return false;
    pickle_value *root = pickle_read(pickle->data, pickle->size, where, t->arena, d);
    if (!root) return false;
    if (root->kind != PICKLE_DICT)
        return diag_error(d, where,
                          "holds no dictionary of tensors (torch.save(model.state_dict(), FILE) writes one)");
    return add_all(t, "", root, 0, d) && check_apart(t, d) && index_names(t, d);
}

torch_file *torch_open(const char *path, diag *d) {
    hub_file file;
    if (!hub_file_map(path, &file, d)) return NULL;
    arena *a = arena_new();
    torch_file *t = ARENA_NEW(a, torch_file);
    *t = (torch_file){.arena = a, .file = file, .path = arena_strdup(a, path)};
    if (read_file(t, d)) return t;
    torch_close(t);
    return NULL;
}

void torch_close(torch_file *t) {
    if (!t) return;
    hub_file_unmap(&t->file);
    arena_free(t->arena);
}

const hub_file *torch_mapped(const torch_file *t) {
    return &t->file;
}

bool torch_unchanged(const torch_file *t, diag *d) {
    return hub_file_unchanged(&t->file, t->path, d);
}

int torch_count(const torch_file *t) {
    return t->count;
}

const char *torch_name(const torch_file *t, int i) {
    return t->tensors[i].name;
}

bool torch_entry(const torch_file *t, const char *name, const char **dtype, int *rank, const int64_t **shape,
                 const void **data, size_t *bytes) {
    torch_tensor key = {.name = name}, *wanted = &key;
    torch_tensor **found =
        t->count ? bsearch(&wanted, t->by_name, (size_t)t->count, sizeof(torch_tensor *), by_name) : NULL;
    if (!found) return false;
    *dtype = (*found)->dtype;
    *rank = (*found)->rank;
    *shape = (*found)->shape;
    *data = (*found)->data;
    *bytes = (*found)->bytes;
    return true;
}
