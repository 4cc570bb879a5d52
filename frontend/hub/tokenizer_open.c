// hub_tokenizer: finds a tokenizer's files and makes the runtime's table of them.
#include <string.h>

#include "file.h"
#include "tokenizer_spec.h"

// A JSON object beside the tokenizer: NULL, without a diagnostic, where there is none.
static bool beside(const tokenizer_spec *s, const char *name, cJSON **out) {
    const char *path = hub_path(s->a, hub_path_folder(s->a, s->file), name);
    *out = NULL;
    if (!hub_is_file(path)) return true;
    *out = hub_json_load(path, false, s->d);
    return *out != NULL;
}

static bool is_json(const hub_file *f) {
    size_t i = 0;
    while (i < f->size && strchr(" \t\r\n", f->data[i])) i++;
    return i < f->size && f->data[i] == '{';
}

// vocab.json with the merges.txt beside it.
static bool read_merges(tokenizer_spec *s, const hub_file *f, const cJSON *config, const cJSON *added) {
    const char *path = hub_path(s->a, hub_path_folder(s->a, s->file), "merges.txt");
    if (!hub_is_file(path)) return diag_error(s->d, s->file, "has no merges.txt beside it");
    hub_file merges;
    if (!hub_file_map(path, &merges, s->d)) return false;
    cJSON *vocab = hub_json_parse(s->file, f->data, f->size, s->d);
    bool ok = vocab && tokenizer_from_merges(s, vocab, (const char *)merges.data, merges.size, config, added);
    cJSON_Delete(vocab);
    hub_file_unmap(&merges);
    return ok;
}

static bool read(tokenizer_spec *s, const hub_file *f) {
    cJSON *config = NULL, *added = NULL;
    bool ok = beside(s, "tokenizer_config.json", &config);
    if (ok && hub_ends_with(s->file, "vocab.json")) {
        ok = beside(s, "added_tokens.json", &added) && read_merges(s, f, config, added);
    } else if (ok && hub_ends_with(s->file, ".json")) {
        ok = is_json(f) ? tokenizer_from_json(s, f->data, f->size) && tokenizer_roles(s, config)
                        : diag_error(s->d, s->file, "is no tokenizer.json");
    } else if (ok) {
        ok = beside(s, "added_tokens.json", &added) &&
             tokenizer_from_vocab(s, f->data, f->size, config, added);
    }
    cJSON_Delete(config);
    cJSON_Delete(added);
    return ok;
}

bool hub_tokenizer(const char *path, arena *a, const void **table, size_t *bytes, diag *d) {
    tokenizer_spec s = {
        .a = a, .d = d, .file = path, .unk_id = -1, .pad_id = -1, .cls_id = -1, .sep_id = -1, .mask_id = -1};
    if (hub_is_folder(path)) {
        s.file = hub_path(a, path, "tokenizer.json");
        if (!hub_is_file(s.file) && hub_is_file(hub_path(a, path, "merges.txt")))
            s.file = hub_path(a, path, "vocab.json");
        if (!hub_is_file(s.file)) s.file = hub_path(a, path, "vocab.txt");
        if (!hub_is_file(s.file))
            return diag_error(d, path,
                              "has no tokenizer.json, no vocab.json with merges.txt, and no vocab.txt");
    }
    hub_file f;
    if (!hub_file_map(s.file, &f, d)) return false;
    bool ok = read(&s, &f) && tokenizer_table(&s, table, bytes);
    hub_file_unmap(&f);
    return ok;
}
