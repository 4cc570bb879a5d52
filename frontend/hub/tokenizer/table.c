// The table that the runtime reads, from a tokenizer_spec.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"
#include "ir/memory.h"

typedef struct table_writer {
    uint8_t *data; // zeroed where not written
    size_t size, capacity;
    bool failed;
} table_writer;

// `bytes` bytes at a multiple of 8; their offset.
static uint32_t append(table_writer *w, const void *data, size_t bytes) {
    size_t at = (w->size + 7) & ~(size_t)7, end = at + bytes;
    if (w->failed || end > UINT32_MAX) return w->failed = true, 0;
    if (end > w->capacity) {
        size_t capacity = end * 2;
        uint8_t *grown = memory_must(memory_grow(w->data, capacity, 1));
        memset(grown + w->capacity, 0, capacity - w->capacity);
        w->data = grown;
        w->capacity = capacity;
    }
    if (bytes) memcpy(w->data + at, data, bytes);
    w->size = end;
    return (uint32_t)at;
}

static bertc_section append_section(table_writer *w, const void *data, size_t count, size_t size) {
    if (!count) return (bertc_section){0};
    return (bertc_section){append(w, data, count * size), (uint32_t)count};
}

// The strings' section while it grows; it opens with a NUL, so that 0 is no text's offset.
typedef struct strings {
    char *data;
    size_t size, capacity;
    bool failed;
} strings;

static uint32_t intern(strings *s, const char *text) {
    size_t n = (text ? strlen(text) : 0) + 1, least = s->size ? 0 : 1;
    if (!text && s->size) return 0;
    if (s->size + least + n > s->capacity) {
        size_t capacity = (s->size + least + n) * 2;
        if (capacity > INT32_MAX) return s->failed = true, 0;
        s->data = memory_must(memory_grow(s->data, capacity, 1));
        s->capacity = capacity;
    }
    if (least) s->data[s->size++] = 0;
    if (!text) return 0;
    memcpy(s->data + s->size, text, n);
    s->size += n;
    return (uint32_t)(s->size - n);
}

static int compare_entries(const void *a, const void *b) {
    const trie_entry *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static bertc_section append_trie(table_writer *w, const trie_entry *entries, size_t count) {
    if (!count) return (bertc_section){0};
    uint32_t nodes = 0;
    bertc_trie_node *trie = trie_build(entries, count, &nodes);
    if (!trie) return w->failed = true, (bertc_section){0};
    bertc_section section = append_section(w, trie, nodes, sizeof *trie);
    free(trie);
    return section;
}

static bertc_section append_vocabulary(table_writer *w, const tokenizer_spec *s) {
    trie_entry *entries = ARENA_ARRAY(s->a, trie_entry, s->text_count + 1);
    size_t n = 0;
    bool bytes = s->model == BERTC_TOKENIZER_BPE && !(s->flags & BERTC_TOKENIZER_CHARACTERS);
    if (bytes && !(s->flags & BERTC_TOKENIZER_IGNORE_MERGES))
        return (bertc_section){0}; // merges alone are asked
    for (int i = 0; i < s->text_count; i++) {
        const tokenizer_piece *p = &s->by_text[i];
        const char *text = bytes ? tokenizer_bytes(s->a, p->text) : p->text;
        if (text && *text) entries[n++] = (trie_entry){text, (uint32_t)p->id};
    }
    if (bytes) qsort(entries, n, sizeof *entries, compare_entries);
    return append_trie(w, entries, n);
}

static bertc_section append_scores(table_writer *w, const tokenizer_spec *s) {
    if (s->model != BERTC_TOKENIZER_UNIGRAM) return (bertc_section){0};
    double *scores = ARENA_ARRAY(s->a, double, s->piece_count);
    for (int i = 0; i < s->piece_count; i++) scores[s->pieces[i].id] = s->pieces[i].score;
    return append_section(w, scores, (size_t)s->piece_count, sizeof *scores);
}

// A pair that is there twice has its last rank, as in Hugging Face's map.
static bertc_section append_merges(table_writer *w, const tokenizer_spec *s, uint32_t *probes) {
    if (s->model != BERTC_TOKENIZER_BPE) return (bertc_section){0};
    uint32_t slots = 16;
    while (slots < 2 * (uint32_t)s->merge_count) slots *= 2;
    bertc_merge *table = ARENA_ARRAY(s->a, bertc_merge, slots);
    for (uint32_t i = 0; i < slots; i++) table[i].rank = UINT32_MAX;
    for (int i = 0; i < s->merge_count; i++) {
        const bertc_merge *m = &s->merges[i];
        uint32_t slot = bertc_merge_slot(m->left, m->right), n = 0;
        bertc_merge *at;
        do at = &table[(slot + n++) & (slots - 1)];
        while (at->rank != UINT32_MAX && (at->left != m->left || at->right != m->right));
        *at = *m;
        if (n > *probes) *probes = n;
    }
    return append_section(w, table, slots, sizeof *table);
}

static bertc_section append_added_trie(table_writer *w, const tokenizer_spec *s) {
    trie_entry *entries = ARENA_ARRAY(s->a, trie_entry, s->added_count + 1);
    size_t n = 0;
    for (int i = 0; i < s->added_count; i++) {
        if (!(s->added[i].flags & BERTC_ADDED_NORMALIZED))
            entries[n++] = (trie_entry){s->added[i].text, (uint32_t)i};
    }
    qsort(entries, n, sizeof *entries, compare_entries);
    return append_trie(w, entries, n);
}

static bertc_section append_steps(table_writer *w, const tokenizer_spec *s, strings *text,
                                  const tokenizer_steps *steps) {
    bertc_step *out = ARENA_ARRAY(s->a, bertc_step, steps->count + 1);
    for (int i = 0; i < steps->count; i++) {
        const tokenizer_step *step = &steps->at[i];
        const char *one = step->text ? step->text : "", *two = step->text2 ? step->text2 : "";
        out[i] = (bertc_step){.kind = step->kind,
                              .flags = step->flags,
                              .text = intern(text, one),
                              .size = (uint32_t)strlen(one),
                              .text2 = intern(text, two),
                              .size2 = (uint32_t)strlen(two)};
    }
    return append_section(w, out, (size_t)steps->count, sizeof *out);
}

static bertc_section append_added(table_writer *w, const tokenizer_spec *s, strings *text) {
    bertc_added_token *out = ARENA_ARRAY(s->a, bertc_added_token, s->added_count + 1);
    for (int i = 0; i < s->added_count; i++) {
        const tokenizer_added *t = &s->added[i];
        out[i] =
            (bertc_added_token){(uint32_t)t->id, t->flags, intern(text, t->text), (uint32_t)strlen(t->text)};
    }
    return append_section(w, out, (size_t)s->added_count, sizeof *out);
}

static uint32_t ids(const tokenizer_spec *s) {
    int32_t most = -1;
    for (int i = 0; i < s->piece_count; i++) most = s->pieces[i].id > most ? s->pieces[i].id : most;
    for (int i = 0; i < s->added_count; i++) most = s->added[i].id > most ? s->added[i].id : most;
    return (uint32_t)(most + 1);
}

// An id's text; an added token's goes before the vocabulary's.
static bertc_section append_pieces(table_writer *w, const tokenizer_spec *s, strings *text, uint32_t count) {
    uint32_t *at = ARENA_ARRAY(s->a, uint32_t, count + 1);
    for (int i = 0; i < s->piece_count; i++) at[s->pieces[i].id] = intern(text, s->pieces[i].text);
    for (int i = 0; i < s->added_count; i++) at[s->added[i].id] = intern(text, s->added[i].text);
    return append_section(w, at, count, sizeof *at);
}

static bool check_template(const tokenizer_spec *s, const tokenizer_template *t, uint32_t count) {
    for (int i = 0; i < t->count; i++) {
        if (t->at[i].kind == BERTC_TEMPLATE_SPECIAL && (uint32_t)t->at[i].id >= count)
            return tokenizer_wrong(s, "post_processor", "id %d is not in the vocabulary", t->at[i].id);
    }
    return true;
}

bool tokenizer_table(const tokenizer_spec *s, const void **table, size_t *bytes) {
    table_writer w = {0};
    strings text = {0};
    bertc_tokenizer t = {.magic = BERTC_TOKENIZER_MAGIC,
                         .version = BERTC_TOKENIZER_VERSION,
                         .model = s->model,
                         .flags = s->flags,
                         .unk_score = s->unk_score,
                         .vocab_size = ids(s),
                         .max_chars = s->max_chars,
                         .max_length = s->max_length,
                         .unk_id = s->unk_id,
                         .pad_id = s->pad_id,
                         .cls_id = s->cls_id,
                         .sep_id = s->sep_id,
                         .mask_id = s->mask_id};
    if (!check_template(s, &s->single, t.vocab_size) || !check_template(s, &s->pair, t.vocab_size))
        return false;
    intern(&text, NULL);
    append(&w, &t, sizeof t);
    t.prefix = intern(&text, s->prefix ? s->prefix : "");
    t.prefix_size = s->prefix ? (uint32_t)strlen(s->prefix) : 0;
    t.suffix = intern(&text, s->suffix ? s->suffix : "");
    t.suffix_size = s->suffix ? (uint32_t)strlen(s->suffix) : 0;
    t.pieces = append_pieces(&w, s, &text, t.vocab_size);
    t.trie = append_vocabulary(&w, s);
    t.scores = append_scores(&w, s);
    t.merges = append_merges(&w, s, &t.merge_probes);
    bool bytes_alone = s->model == BERTC_TOKENIZER_BPE && !(s->flags & BERTC_TOKENIZER_CHARACTERS);
    if (bytes_alone || s->byte_fallback)
        t.byte_ids = append_section(&w, s->byte_ids, 256, sizeof *s->byte_ids);
    t.charsmap = append_section(&w, s->charsmap, s->charsmap_bytes, 1);
    t.added = append_added(&w, s, &text);
    t.added_trie = append_added_trie(&w, s);
    t.normalizer = append_steps(&w, s, &text, &s->normalizer);
    t.pretokenizer = append_steps(&w, s, &text, &s->pretokenizer);
    t.single = append_section(&w, s->single.at, (size_t)s->single.count, sizeof *s->single.at);
    t.pair = append_section(&w, s->pair.at, (size_t)s->pair.count, sizeof *s->pair.at);
    t.strings = append_section(&w, text.data, text.size, 1);
    bool ok = !w.failed && !text.failed;
    if (ok) {
        t.bytes = (uint32_t)w.size;
        memcpy(w.data, &t, sizeof t);
        *table = arena_dup(s->a, w.data, w.size);
        *bytes = w.size;
    }
    free(text.data);
    free(w.data);
    return ok || diag_error(s->d, s->file, "its tokenizer table grows too large");
}
