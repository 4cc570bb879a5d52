// A tokenizer's table, checked and seen through pointers. What is checked here costs the same for any
// vocabulary; the vocabulary's own elements are checked where they are used.
#include <string.h>

#include "error.h"
#include "tokenizer.h"
#include "tokenizer_trie.h"

// Address of a section whose elements have `size` bytes, NULL (with an error) where it leaves the table.
static const void *section(const bertc_tokenizer *t, bertc_section s, size_t size, const char *name,
                           bertc_error *error) {
    uint64_t end = s.at + (uint64_t)s.count * size;
    if (s.count && (s.at % 8 || s.at < sizeof *t || end > t->bytes)) {
        error_set(error, "tokenizer table: section `%s` lies outside it", name);
        return NULL;
    }
    return (const char *)t + (s.count ? s.at : 0);
}

static bool view_trie(trie *out, const bertc_tokenizer *t, bertc_section s, const char *name,
                      bertc_error *error) {
    out->nodes = section(t, s, sizeof *out->nodes, name, error);
    out->count = s.count;
    if (!out->nodes) return false;
    return s.count % 256 == 0 || error_set(error, "tokenizer table: trie `%s` has %u nodes", name, s.count);
}

static bool check_id(const tokenizer *t, int32_t id, const char *name, bertc_error *error) {
    return (id >= -1 && id < (int64_t)t->table->vocab_size) ||
           error_set(error, "tokenizer table: %s %d is no id below %u", name, id, t->table->vocab_size);
}

static bool check_string(const tokenizer *t, uint32_t at, uint32_t size, const char *name,
                         bertc_error *error) {
    uint32_t count = t->table->strings.count;
    return (at < count && size < count - at && !t->strings[at + size]) ||
           error_set(error, "tokenizer table: a text of `%s` lies outside the strings", name);
}

// A template names each sequence at most once, the text always, the pair where there is one.
static bool check_template(const tokenizer *t, const bertc_template_item *items, uint32_t count, int index,
                           uint32_t *specials, bertc_error *error) {
    uint32_t seen[2] = {0, 0};
    *specials = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].kind > BERTC_TEMPLATE_SPECIAL)
            return error_set(error, "tokenizer table: unknown template item");
        if (items[i].kind < 2 && seen[items[i].kind]++)
            return error_set(error, "tokenizer table: a template names a sequence twice");
        if (items[i].kind != BERTC_TEMPLATE_SPECIAL) continue;
        if (items[i].id < 0 || !check_id(t, items[i].id, "a template's id", error)) return false;
        ++*specials;
    }
    if (count && (!seen[0] || seen[1] != (uint32_t)index))
        return error_set(error, "tokenizer table: a template lacks a sequence, or has one too many");
    return true;
}

static bool check_steps(const tokenizer *t, const bertc_step *steps, uint32_t count, const char *name,
                        bool normalizer, bertc_error *error) {
    if (count > 1) return error_set(error, "tokenizer table: %u steps in `%s`", count, name);
    for (uint32_t i = 0; i < count; i++) {
        bool known = steps[i].kind == (normalizer ? BERTC_STEP_BERT_NORMALIZER : BERTC_STEP_BERT_SPLIT);
        if (!known) return error_set(error, "tokenizer table: unknown step %u in `%s`", steps[i].kind, name);
        if (!check_string(t, steps[i].text, steps[i].size, name, error)) return false;
        if (!check_string(t, steps[i].text2, steps[i].size2, name, error)) return false;
    }
    return true;
}

static bool check_added(tokenizer *t, bertc_error *error) {
    for (uint32_t i = 0; i < t->table->added.count; i++) {
        const bertc_added_token *a = &t->added[i];
        if (!check_string(t, a->text, a->size, "added", error)) return false;
        if (a->id >= t->table->vocab_size)
            return error_set(error, "tokenizer table: added token %u is no id below %u", a->id,
                             t->table->vocab_size);
        t->normalized += (a->flags & BERTC_ADDED_NORMALIZED) != 0;
    }
    return true;
}

static bool check_head(const bertc_tokenizer *t, size_t size, bertc_error *error) {
    if (!t || (uintptr_t)t % 8) return error_set(error, "tokenizer table: missing or not aligned");
    if (size < sizeof *t || t->magic != BERTC_TOKENIZER_MAGIC) return error_set(error, "no tokenizer table");
    if (t->version != BERTC_TOKENIZER_VERSION)
        return error_set(error, "tokenizer table of version %u, this library reads %u", t->version,
                         BERTC_TOKENIZER_VERSION);
    if (t->bytes < sizeof *t || t->bytes > size) return error_set(error, "tokenizer table: cut short");
    if (t->vocab_size > INT32_MAX) return error_set(error, "tokenizer table: vocabulary too large");
    if (t->model != BERTC_TOKENIZER_WORDPIECE)
        return error_set(error, "tokenizer table: unknown model %u", t->model);
    return true;
}

static bool check_wordpiece(tokenizer *t, bertc_error *error) {
    const bertc_tokenizer *b = t->table;
    if (b->unk_id < 0) return error_set(error, "tokenizer table: WordPiece without an unknown token");
    if (!t->pieces_trie.count) return error_set(error, "tokenizer table: no vocabulary");
    if (!check_string(t, b->prefix, b->prefix_size, "prefix", error)) return false;
    t->continuing = 0;
    for (uint32_t i = 0; i < b->prefix_size && t->continuing != TRIE_NONE; i++)
        t->continuing = trie_step(&t->pieces_trie, t->continuing, (uint8_t)t->strings[b->prefix + i]);
    return true;
}

bool tokenizer_view(tokenizer *t, const void *table, size_t size, bertc_error *error) {
    const bertc_tokenizer *b = table;
    *t = (tokenizer){.table = b};
    if (!check_head(b, size, error)) return false;
    if (!(t->strings = section(b, b->strings, 1, "strings", error)) ||
        !(t->pieces = section(b, b->pieces, sizeof *t->pieces, "pieces", error)) ||
        !(t->added = section(b, b->added, sizeof *t->added, "added", error)) ||
        !(t->normalizer = section(b, b->normalizer, sizeof *t->normalizer, "normalizer", error)) ||
        !(t->pretokenizer = section(b, b->pretokenizer, sizeof *t->pretokenizer, "pretokenizer", error)) ||
        !(t->single = section(b, b->single, sizeof *t->single, "single", error)) ||
        !(t->pair = section(b, b->pair, sizeof *t->pair, "pair", error)) ||
        !view_trie(&t->pieces_trie, b, b->trie, "trie", error) ||
        !view_trie(&t->added_trie, b, b->added_trie, "added_trie", error))
        return false;
    if (!b->strings.count || t->strings[0] || t->strings[b->strings.count - 1])
        return error_set(error, "tokenizer table: its strings don't end");
    if (b->pieces.count != b->vocab_size) return error_set(error, "tokenizer table: ids without a text");
    return check_id(t, b->unk_id, "unk_id", error) && check_id(t, b->pad_id, "pad_id", error) &&
           check_id(t, b->cls_id, "cls_id", error) && check_id(t, b->sep_id, "sep_id", error) &&
           check_id(t, b->mask_id, "mask_id", error) && check_added(t, error) &&
           check_steps(t, t->normalizer, b->normalizer.count, "normalizer", true, error) &&
           check_steps(t, t->pretokenizer, b->pretokenizer.count, "pretokenizer", false, error) &&
           check_template(t, t->single, b->single.count, 0, &t->specials[0], error) &&
           check_template(t, t->pair, b->pair.count, 1, &t->specials[1], error) && check_wordpiece(t, error);
}

const char *tokenizer_text(const tokenizer *t, int32_t id) {
    if (id < 0 || (uint32_t)id >= t->table->vocab_size) return NULL;
    uint32_t at = t->pieces[id];
    return at && at < t->table->strings.count ? t->strings + at : NULL;
}
