// A tokenizer's table, checked, with pointers to its sections. The checks here cost the same for any
// vocabulary; the vocabulary's elements are checked where they are used.
#include <string.h>

#include "runtime/error.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/trie.h"
#include "runtime/tokenizer/unicode.h"

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
    if (at >= count || size >= count - at || t->strings[at + size])
        return error_set(error, "tokenizer table: a text of `%s` lies outside the strings", name);
    return utf8_is_valid((const uint8_t *)t->strings + at, size) ||
           error_set(error, "tokenizer table: a text of `%s` is no UTF-8", name);
}

static bool is_character(const tokenizer *t, const bertc_step *step) {
    return step->size && utf8_length((uint8_t)t->strings[step->text]) == step->size;
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

// What a step lacks, NULL where nothing.
static const char *normalizer_lacks(const tokenizer *t, const bertc_step *step) {
    switch ((bertc_normalizer_kind)step->kind) {
    case BERTC_STEP_REPLACE:
    case BERTC_STEP_REPLACE_PATTERN: return step->size ? NULL : "lacks its text";
    case BERTC_STEP_COLLAPSE: return is_character(t, step) ? NULL : "lacks its character";
    case BERTC_STEP_CHARSMAP: return t->charsmap_trie ? NULL : "lacks its map";
    case BERTC_STEP_BERT_NORMALIZER:
    case BERTC_STEP_NFC:
    case BERTC_STEP_NFKC:
    case BERTC_STEP_NMT:
    case BERTC_STEP_NORMALIZE_BYTES:
    case BERTC_STEP_NFD:
    case BERTC_STEP_NFKD:
    case BERTC_STEP_LOWERCASE:
    case BERTC_STEP_STRIP_ACCENTS:
    case BERTC_STEP_STRIP:
    case BERTC_STEP_PREPEND: return NULL;
    }
    return "is not known";
}

static const char *split_lacks(const tokenizer *t, const bertc_step *step) {
    switch ((bertc_split_kind)step->kind) {
    case BERTC_STEP_SPLIT_TEXT:
    case BERTC_STEP_SPLIT_PATTERN: return step->size ? NULL : "lacks its text";
    case BERTC_STEP_METASPACE: return is_character(t, step) ? NULL : "lacks its character";
    case BERTC_STEP_FIXED_LENGTH: return step->flags ? NULL : "has no length";
    case BERTC_STEP_BERT_SPLIT:
    case BERTC_STEP_WHITESPACE_SPLIT:
    case BERTC_STEP_WORDS:
    case BERTC_STEP_PUNCTUATION:
    case BERTC_STEP_DIGITS:
    case BERTC_STEP_BYTE_LEVEL:
    case BERTC_STEP_SPLIT_BYTES: return NULL;
    }
    return "is not known";
}

static bool check_steps(const tokenizer *t, const bertc_step *steps, uint32_t count, const char *name,
                        bool normalizer, bertc_error *error) {
    for (uint32_t i = 0; i < count; i++) {
        if (!check_string(t, steps[i].text, steps[i].size, name, error)) return false;
        if (!check_string(t, steps[i].text2, steps[i].size2, name, error)) return false;
        const char *lacks = normalizer ? normalizer_lacks(t, &steps[i]) : split_lacks(t, &steps[i]);
        if (lacks) return error_set(error, "tokenizer table: step %u in `%s` %s", steps[i].kind, name, lacks);
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
    return true;
}

static bool check_prefix(tokenizer *t, bertc_error *error) {
    const bertc_tokenizer *b = t->table;
    if (!t->pieces_trie.count) return error_set(error, "tokenizer table: no vocabulary");
    if (!check_string(t, b->prefix, b->prefix_size, "prefix", error)) return false;
    t->continuing = 0;
    for (uint32_t i = 0; i < b->prefix_size && t->continuing != TRIE_NONE; i++)
        t->continuing = trie_step(&t->pieces_trie, t->continuing, (uint8_t)t->strings[b->prefix + i]);
    return true;
}

static bool check_unknown(const tokenizer *t, bertc_error *error) {
    return t->table->unk_id >= 0 || t->table->flags & BERTC_TOKENIZER_NO_UNKNOWN ||
           error_set(error, "tokenizer table: no unknown token");
}

static bool check_wordpiece(tokenizer *t, bertc_error *error) {
    return check_unknown(t, error) && check_prefix(t, error);
}

static bool check_bpe(tokenizer *t, bertc_error *error) {
    const bertc_tokenizer *b = t->table;
    uint32_t n = b->merges.count;
    if (!n || n & (n - 1)) return error_set(error, "tokenizer table: %u merges are no power of 2", n);
    if (b->merge_probes > n) return error_set(error, "tokenizer table: %u probes", b->merge_probes);
    if (b->flags & BERTC_TOKENIZER_CHARACTERS)
        return check_prefix(t, error) && check_string(t, b->suffix, b->suffix_size, "suffix", error);
    t->bytes = true;
    if (b->byte_ids.count != 256)
        return error_set(error, "tokenizer table: pieces of %u bytes", b->byte_ids.count);
    if (b->flags & BERTC_TOKENIZER_IGNORE_MERGES && !t->pieces_trie.count)
        return error_set(error, "tokenizer table: no vocabulary");
    return true;
}

static bool check_unigram(const tokenizer *t, bertc_error *error) {
    if (!check_unknown(t, error)) return false;
    return t->pieces_trie.count || error_set(error, "tokenizer table: no vocabulary");
}

static bool check_model(tokenizer *t, bertc_error *error) {
    switch ((bertc_tokenizer_model)t->table->model) {
    case BERTC_TOKENIZER_WORDPIECE: return check_wordpiece(t, error);
    case BERTC_TOKENIZER_BPE: return check_bpe(t, error);
    case BERTC_TOKENIZER_WORDLEVEL:
    case BERTC_TOKENIZER_UNIGRAM: return check_unigram(t, error);
    }
    return error_set(error, "tokenizer table: unknown model %u", t->table->model);
}

// sentencepiece's map: the size of its trie in bytes, the trie, texts of which the last ends.
static bool check_charsmap(tokenizer *t, bertc_error *error) {
    uint32_t count = t->table->charsmap.count, trie_bytes;
    if (!count) return true;
    if (count >= 4) memcpy(&trie_bytes, t->charsmap, 4);
    if (count < 9 || trie_bytes > count - 5 || trie_bytes < 4 || t->charsmap[count - 1])
        return error_set(error, "tokenizer table: the character map is cut short");
    t->charsmap_trie = trie_bytes / 4;
    if (trie_bytes % 4) return error_set(error, "tokenizer table: the character map's trie is broken");
    return utf8_is_valid(t->charsmap + 4 + trie_bytes, count - 4 - trie_bytes) ||
           error_set(error, "tokenizer table: a text of the character map is no UTF-8");
}

static bool view_sections(tokenizer *t, bertc_error *error) {
    const bertc_tokenizer *b = t->table;
    return (t->strings = section(b, b->strings, 1, "strings", error)) &&
           (t->pieces = section(b, b->pieces, sizeof *t->pieces, "pieces", error)) &&
           (t->scores = section(b, b->scores, sizeof *t->scores, "scores", error)) &&
           (t->merges = section(b, b->merges, sizeof *t->merges, "merges", error)) &&
           (t->byte_ids = section(b, b->byte_ids, sizeof *t->byte_ids, "byte_ids", error)) &&
           (t->charsmap = section(b, b->charsmap, 1, "charsmap", error)) &&
           (t->added = section(b, b->added, sizeof *t->added, "added", error)) &&
           (t->normalizer = section(b, b->normalizer, sizeof *t->normalizer, "normalizer", error)) &&
           (t->pretokenizer = section(b, b->pretokenizer, sizeof *t->pretokenizer, "pretokenizer", error)) &&
           (t->single = section(b, b->single, sizeof *t->single, "single", error)) &&
           (t->pair = section(b, b->pair, sizeof *t->pair, "pair", error)) &&
           view_trie(&t->pieces_trie, b, b->trie, "trie", error) &&
           view_trie(&t->added_trie, b, b->added_trie, "added_trie", error);
}

bool tokenizer_view(tokenizer *t, const void *table, size_t size, bertc_error *error) {
    const bertc_tokenizer *b = table;
    *t = (tokenizer){.table = b};
    if (!check_head(b, size, error) || !view_sections(t, error)) return false;
    if (!b->strings.count || t->strings[0] || t->strings[b->strings.count - 1])
        return error_set(error, "tokenizer table: its strings don't end");
    if (b->pieces.count != b->vocab_size) return error_set(error, "tokenizer table: ids without a text");
    return check_id(t, b->unk_id, "unk_id", error) && check_id(t, b->pad_id, "pad_id", error) &&
           check_id(t, b->cls_id, "cls_id", error) && check_id(t, b->sep_id, "sep_id", error) &&
           check_id(t, b->mask_id, "mask_id", error) && check_added(t, error) && check_charsmap(t, error) &&
           check_steps(t, t->normalizer, b->normalizer.count, "normalizer", true, error) &&
           check_steps(t, t->pretokenizer, b->pretokenizer.count, "pretokenizer", false, error) &&
           check_template(t, t->single, b->single.count, 0, &t->specials[0], error) &&
           check_template(t, t->pair, b->pair.count, 1, &t->specials[1], error) && check_model(t, error);
}

bool tokenizer_rewrites(const bertc_step *step) {
    return step->kind == BERTC_STEP_METASPACE || step->kind == BERTC_STEP_SPLIT_BYTES ||
           (step->kind == BERTC_STEP_BYTE_LEVEL && step->flags & BERTC_BYTE_LEVEL_PREFIX);
}

const char *tokenizer_text(const tokenizer *t, int32_t id) {
    if (id < 0 || (uint32_t)id >= t->table->vocab_size) return NULL;
    uint32_t at = t->pieces[id];
    return at && at < t->table->strings.count ? t->strings + at : NULL;
}
