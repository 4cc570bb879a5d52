// hub_tokenizer: finds a tokenizer's files and builds the runtime's table from them.
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/files/text.h"
#include "frontend/hub/sentence/sentence.h"
#include "frontend/hub/tokenizer/spec.h"

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
    cJSON *vocab = hub_json_parse_python(s->file, f->data, f->size, s->d);
    bool ok =
        vocab && tokenizer_from_merges(s, vocab, path, (const char *)merges.data, merges.size, config, added);
    cJSON_Delete(vocab);
    hub_file_unmap(&merges);
    return ok;
}

static bool read(tokenizer_spec *s, const hub_file *f, bool bare) {
    cJSON *config = NULL, *added = NULL;
    bool merges = hub_ends_with(s->file, "vocab.json"), whole = !merges && hub_ends_with(s->file, ".json");
    bool ok = (bare ? (config = cJSON_CreateObject()) != NULL : tokenizer_config(s, !whole, &config)) &&
              (whole || tokenizer_beside(s, "added_tokens.json", &added));
    if (ok && merges) {
        ok = read_merges(s, f, config, added);
    } else if (ok && whole) {
        ok = is_json(f) ? tokenizer_from_json(s, f->data, f->size, config) && tokenizer_roles(s, config)
                        : diag_error(s->d, s->file, "is no tokenizer.json");
    } else if (ok) {
        ok = tokenizer_from_vocab(s, f->data, f->size, config, added);
    }
    cJSON_Delete(config);
    cJSON_Delete(added);
    return ok;
}

// A step before all others, unless there is one.
static bool lower_case(tokenizer_spec *s) {
    tokenizer_steps *steps = &s->normalizer;
    for (int i = 0; i < steps->count; i++)
        if (steps->at[i].kind == BERTC_STEP_LOWERCASE) return true;
    if (!tokenizer_add_step(s, steps, (tokenizer_step){BERTC_STEP_LOWERCASE, 0, NULL, NULL}, "normalizer"))
        return false;
    const tokenizer_step last = steps->at[steps->count - 1];
    memmove(steps->at + 1, steps->at, sizeof(last) * (size_t)(steps->count - 1));
    steps->at[0] = last;
    return true;
}

// Does a piece of the vocabulary stay whole in a text? Letters and digits do; signs are parted from others.
static bool stays_whole(const char *piece) {
    for (const char *c = piece; *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9')) return false;
    return true;
}

// As sentence-transformers registers the prefixes of late interaction: the whole text, or its first word, becomes a
// special token, where the tokenizer knows it and would take it to pieces.
static void add_marker(tokenizer_spec *s, const char *text) {
    size_t space = strspn(text, " "), word = strcspn(text + space, " ");
    const char *candidates[] = {text, arena_strndup(s->a, text + space, word)};
    for (int i = 0; i < 2 && word; i++) {
        tokenizer_added *added = tokenizer_find_added(s, candidates[i]);
        int32_t id = tokenizer_find_any(s, candidates[i]);
        if (id < 0) continue;
        if (added && added->flags & BERTC_ADDED_NORMALIZED) added->flags = BERTC_ADDED_SPECIAL;
        if (!added && !stays_whole(candidates[i]))
            tokenizer_append_added(s, candidates[i], id, BERTC_ADDED_SPECIAL);
        return;
    }
}

static bool settle_words(tokenizer_spec *s, const tokenizer_use *use) {
    for (int i = 0; i < use->marker_count; i++)
        if (use->markers[i]) add_marker(s, use->markers[i]);
    for (int i = 0; i < use->word_count; i++) use->ids[i] = tokenizer_find_any(s, use->words[i]);
    if (use->eos) *use->eos = s->eos_id;
    return !use->marker_count || tokenizer_sort_added(s, "added_tokens");
}

// Leaves the texts of a template.
static void strip(tokenizer_template *t) {
    int kept = 0;
    for (int i = 0; i < t->count; i++)
        if (t->at[i].kind != BERTC_TEMPLATE_SPECIAL) t->at[kept++] = t->at[i];
    t->count = kept;
}

bool tokenizer_open(const char *path, tokenizer_use use, arena *a, const void **table, size_t *bytes,
                    diag *d) {
    tokenizer_spec s = {.a = a,
                        .d = d,
                        .file = path,
                        .unk_id = -1,
                        .pad_id = -1,
                        .cls_id = -1,
                        .sep_id = -1,
                        .mask_id = -1,
                        .eos_id = -1};
    if (hub_is_folder(path)) {
        s.file = tokenizer_file(path, a);
        const char *unread = s.file ? NULL : tokenizer_unread(path, a);
        if (unread) return diag_error(d, unread, TOKENIZER_UNREAD);
        if (!s.file)
            return diag_error(d, path,
                              "has no tokenizer.json, no vocab.json with merges.txt, and no vocab.txt");
    }
    if (hub_ends_with(s.file, ".model")) return diag_error(d, s.file, TOKENIZER_UNREAD);
    hub_file f;
    if (!hub_file_map(s.file, &f, d)) return false;
    bool ok = read(&s, &f, use.bare) && (!use.lower || lower_case(&s));
    if (ok && (use.one_type || s.no_types)) tokenizer_one_type(&s, use.one_type ? NULL : s.no_types);
    ok = ok && settle_words(&s, &use);
    if (use.bare) strip(&s.single), strip(&s.pair);
    ok = ok && tokenizer_table(&s, table, bytes);
    hub_file_unmap(&f);
    return ok;
}

const char *tokenizer_file(const char *folder, arena *a) {
    static const char *const names[] = {"tokenizer.json", "vocab.json", "vocab.txt"};
    for (int i = 0; i < 3; i++) {
        const char *path = hub_path(a, folder, names[i]);
        bool merges = i != 1 || hub_is_file(hub_path(a, folder, "merges.txt"));
        if (hub_is_file(path) && merges) return path;
    }
    return NULL;
}

const char *tokenizer_unread(const char *folder, arena *a) {
    static const char *const names[] = {"spiece.model", "sentencepiece.bpe.model", "spm.model",
                                        "tokenizer.model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = hub_path(a, folder, names[i]);
        if (hub_is_file(path)) return path;
    }
    return NULL;
}

bool hub_tokenizer(const char *path, arena *a, const void **table, size_t *bytes, diag *d) {
    hub_sentence s = hub_sentence_plain();
    if (!hub_is_folder(path)) return tokenizer_open(path, (tokenizer_use){0}, a, table, bytes, d);
    if (!hub_sentence_encoder(path, a, &s, d)) return false;
    if (!s.present) hub_sentence_fixed(path, a, &s);
    const char *folder = tokenizer_file(s.folder, a) ? s.folder : path;
    return tokenizer_open(folder, (tokenizer_use){.lower = s.lower_case, .bare = s.fixed}, a, table, bytes,
                          d);
}
