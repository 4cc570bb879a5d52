// The encoder: texts through added tokens, normaliser, pre-tokeniser and model; truncation; the template.
#include "runtime/tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/tokenizer/encoder.h"

#define DEFAULT_TEXT 65536
#define NORMALIZED   3 // bytes of U+FFFD, which replaces a byte that is no UTF-8

static void free_buffers(encoder *e) {
    void *all[] = {e->repaired,
                   e->repaired_at,
                   e->norm[0].bytes,
                   e->norm[0].source,
                   e->norm[1].bytes,
                   e->norm[1].source,
                   e->norm[2].bytes,
                   e->norm[2].source,
                   e->norm[3].bytes,
                   e->norm[3].source,
                   e->run.marks,
                   e->run.sorted,
                   e->run.sources,
                   e->splits.at,
                   e->other_splits.at,
                   e->symbols,
                   e->heap,
                   e->ways,
                   e->cache,
                   e->changes,
                   e->special_ids,
                   e->raw,
                   e->out};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void make_model_buffers(encoder *e, size_t normalized) {
    if (e->t->table->model == BERTC_TOKENIZER_BPE) {
        encoder_room(e, &e->symbols, &e->symbol_capacity, normalized, sizeof *e->symbols);
        encoder_room(e, &e->heap, &e->heap_capacity, 3 * normalized, sizeof *e->heap);
    }
    if (e->t->table->model == BERTC_TOKENIZER_UNIGRAM)
        encoder_room(e, &e->ways, &e->way_capacity, normalized, sizeof *e->ways);
}

static bool composes(const tokenizer *t) {
    for (uint32_t i = 0; i < t->table->normalizer.count; i++) {
        if (t->normalizer[i].kind == BERTC_STEP_NFC || t->normalizer[i].kind == BERTC_STEP_NFKC) return true;
    }
    return false;
}

// Whether a byte of text becomes one token at most: BERT's normaliser makes no more characters than that.
static bool one_a_byte(const tokenizer *t) {
    const bertc_tokenizer *b = t->table;
    bool plain = !b->normalizer.count ||
                 (b->normalizer.count == 1 && t->normalizer[0].kind == BERTC_STEP_BERT_NORMALIZER);
    for (uint32_t i = 0; i < b->pretokenizer.count; i++) plain &= !tokenizer_rewrites(&t->pretokenizer[i]);
    return plain && (b->model == BERTC_TOKENIZER_WORDPIECE || b->model == BERTC_TOKENIZER_WORDLEVEL);
}

// Buffers for texts of `size` bytes, so that encoding these allocates nothing. What a text leaves untouched
// is never mapped.
static bool make_buffers(encoder *e, size_t size) {
    const bertc_tokenizer *b = e->t->table;
    size_t items = b->single.count > b->pair.count ? b->single.count : b->pair.count;
    if (items < 2) items = 2; // of the template that stands where there is none
    size_t normalized = budget_room(e->t, size), repaired = e->max_text * NORMALIZED, repaired_at = repaired;
    size_t tokens = 2 * (one_a_byte(e->t) ? size : normalized);
    uint32_t rewriting = 0;
    for (uint32_t i = 0; i < b->pretokenizer.count; i++)
        rewriting += tokenizer_rewrites(&e->t->pretokenizer[i]);
    e->failed = false;
    budget_text(e, size);
    encoder_room(e, &e->repaired, &repaired, NORMALIZED * size + 1, 1);
    encoder_room(e, &e->repaired_at, &repaired_at, NORMALIZED * size + 1, sizeof *e->repaired_at);
    for (uint32_t i = 0; i < 2 + (rewriting < 2 ? rewriting : 2); i++) {
        e->norm[i].size = 0;
        norm_room(e, &e->norm[i], normalized);
    }
    encoder_room(e, &e->splits.at, &e->splits.capacity, normalized, sizeof *e->splits.at);
    encoder_room(e, &e->other_splits.at, &e->other_splits.capacity, normalized, sizeof *e->splits.at);
    encoder_room(e, &e->raw, &e->raw_capacity, tokens, sizeof *e->raw);
    encoder_room(e, &e->out, &e->out_capacity, tokens + items, sizeof *e->out);
    decompose_room(e, normalized);
    if (composes(e->t)) encoder_room(e, &e->changes, &e->change_capacity, normalized, sizeof *e->changes);
    make_model_buffers(e, normalized);
    if (!e->failed) e->max_text = size;
    return !e->failed;
}

// Room for a longer text than the encoder was made for.
static bool reserve(encoder *e, size_t size, bertc_error *error) {
    if (size <= e->max_text) return true;
    if (size > ENCODER_TEXT_MAX)
        return error_set(error, "text of %zu bytes; the longest that can be encoded has %zu", size,
                         ENCODER_TEXT_MAX);
    return make_buffers(e, size) || error_set(error, "out of memory for a text of %zu bytes", size);
}

encoder *encoder_new(const tokenizer *t, size_t max_text_bytes, bertc_error *error) {
    size_t size = max_text_bytes ? max_text_bytes : DEFAULT_TEXT;
    for (uint32_t i = 0; i < t->table->added.count; i++)
        if (t->added[i].size > size) size = t->added[i].size;
    if (size > ENCODER_TEXT_MAX)
        return error_set(error, "max_text_bytes is %zu: at most %zu", size, ENCODER_TEXT_MAX), NULL;
    encoder *e = heap_zero(1, sizeof *e);
    if (e) {
        e->t = t;
        if (!matcher_open(e, error)) return encoder_free(e), NULL;
        if (make_buffers(e, size) && cache_open(e) && special_open(e)) {
            normalize_open(e);
            if (added_open(e, error)) return e;
            return encoder_free(e), NULL;
        }
        encoder_free(e);
    }
    error_set(error, "out of memory for texts of %zu bytes", size);
    return NULL;
}

void encoder_free(encoder *e) {
    if (!e) return;
    free_buffers(e);
    matcher_close(e);
    free(e->patterns);
    free(e->pattern_bytes);
    free(e);
}

static void encode_words(encoder *e, const span *s) {
    span words = *s;
    pretokenize(e, &words);
    size_t first = e->raw_count;
    for (size_t i = 0; i < e->splits.count && !e->stopped; i++, e->word++) {
        switch ((bertc_tokenizer_model)e->t->table->model) {
        case BERTC_TOKENIZER_WORDPIECE: wordpiece_encode(e, &words, e->splits.at[i]); break;
        case BERTC_TOKENIZER_BPE: bpe_encode(e, &words, e->splits.at[i]); break;
        case BERTC_TOKENIZER_WORDLEVEL: wordlevel_encode(e, &words, e->splits.at[i]); break;
        case BERTC_TOKENIZER_UNIGRAM: unigram_encode(e, &words, e->splits.at[i]); break;
        }
        e->stopped |= e->raw_count >= e->raw_stop;
    }
    if (e->t->table->flags & BERTC_TOKENIZER_TRIM && !e->t->bytes) text_trim_pieces(e, first);
}

static void encode_part(encoder *e, const span *s) {
    span normalized;
    normalize(e, s, &normalized);
    added_split_normalized(e, &normalized, encode_words);
}

static void encode_bytes(encoder *e, const char *text, size_t size) {
    e->stopped = e->failed;
    text_open(e, text, size);
    span all = {.bytes = e->text, .size = e->text_size};
    added_split_raw(e, &all, encode_part);
}

// Each of the given words alone; offsets are then moved to where it stands in the text. Beside a pair each
// may have `most` tokens.
static void encode_given(encoder *e, const bertc_text *text, size_t before, size_t most) {
    size_t chars = 0, at = 0;
    for (size_t w = 0; w < text->word_count && e->raw_count < e->raw_stop && !e->failed; w++) {
        const bertc_word *word = &text->words[w];
        e->raw_first = e->raw_count;
        if (text->pair && most) e->raw_stop = e->raw_count + most;
        chars += text_characters(text->text + at, word->start - at);
        encode_bytes(e, text->text + word->start, word->end - word->start);
        for (size_t i = e->raw_first; i < e->raw_count; i++) {
            e->raw[i].word = (int32_t)w;
            e->raw[i].char_start += (uint32_t)chars;
            e->raw[i].char_end += (uint32_t)chars;
            e->raw[i].byte_start += word->start;
            e->raw[i].byte_end += word->start;
        }
        at = word->start;
    }
    e->raw_first = before;
}

// Appends the tokens of one text; returns their number. The word that reaches `most` tokens, with the added
// tokens before it, is the last: Hugging Face stops there where it truncates, and which text of a pair is the
// longer one is decided on what was read.
static size_t encode_text(encoder *e, int index, const bertc_text *text, size_t most) {
    size_t before = e->raw_count;
    e->raw_first = before;
    e->raw_stop = most ? before + most : SIZE_MAX;
    e->text_index = index;
    e->word = 0;
    budget_text(e, index ? text->pair_size : text->size);
    if (index == 0 && text->words)
        encode_given(e, text, before, most);
    else
        encode_bytes(e, index ? text->pair : text->text, index ? text->pair_size : text->size);
    return e->raw_count - before;
}

// Tokens of each text that fit in `room`, as Hugging Face's truncate_encodings has it.
static bool truncate_lengths(size_t n[2], bool pair, size_t room, bertc_truncation truncation,
                             bertc_error *error) {
    size_t total = n[0] + n[1];
    if (total <= room) return true;
    size_t over = total - room;
    if (!room) {
        n[0] = n[1] = 0;
        return true;
    }
    if (truncation == BERTC_TRUNCATE_LONGEST_FIRST) {
        if (!pair) return n[0] = room, true;
        size_t low = n[0] < n[1] ? n[0] : n[1], high = low > room || room - low < low ? low : room - low;
        bool swapped = n[0] > n[1];
        if (low + high > room) low = room / 2, high = low + room % 2;
        n[swapped] = low;
        n[!swapped] = high;
        return true;
    }
    int which = truncation == BERTC_TRUNCATE_ONLY_SECOND;
    if (which && !pair) return error_set(error, "only the second text may be cut, and there is none");
    if (n[which] <= over)
        return error_set(error, "the %s text has %zu tokens and would have to lose %zu",
                         which ? "second" : "first", n[which], over);
    n[which] -= over;
    return true;
}

// The texts' tokens within their template.
static size_t fill_template(encoder *e, bool pair, const size_t before[2], const size_t n[2]) {
    static const bertc_template_item plain[2] = {{.kind = 0}, {.kind = 1, .type = 1}};
    const bertc_tokenizer *b = e->t->table;
    uint32_t items = pair ? b->pair.count : b->single.count;
    const bertc_template_item *item = pair ? e->t->pair : e->t->single;
    if (!items) item = plain, items = pair ? 2 : 1;
    size_t count = 0;
    if (!encoder_room(e, &e->out, &e->out_capacity, n[0] + n[1] + items, sizeof *e->out)) return 0;
    for (uint32_t i = 0; i < items; i++, item++) {
        if (item->kind == BERTC_TEMPLATE_SPECIAL) {
            e->out[count++] = (bertc_token){.id = item->id, .type = item->type, .text = -1, .word = -1};
            continue;
        }
        for (size_t k = 0; k < n[item->kind]; k++) {
            e->out[count] = e->raw[before[item->kind] + k];
            e->out[count++].type = item->type;
        }
    }
    return count;
}

// Words that are known may have been cut otherwise.
static void set_plain(encoder *e, bool plain) {
    if (plain != e->plain && e->special_count) cache_clear(e);
    e->plain = plain;
    e->skips_special = plain || e->t->table->flags & BERTC_TOKENIZER_SPLIT_SPECIAL;
}

static bool cuts_left(const encoder *e, const encode_options *o) {
    if (o->side != BERTC_TRUNCATION_DEFAULT) return o->side == BERTC_TRUNCATION_LEFT;
    return e->t->table->flags & BERTC_TOKENIZER_TRUNCATE_LEFT;
}

static bool is_over(const encode_options *o, size_t total, bertc_error *error) {
    if (o->truncation != BERTC_TRUNCATE_NEVER || total <= (size_t)o->max_tokens) return false;
    error_set(error,
              "text of %zu tokens, %zu more than the limit of %lld: it can be truncated%s (bertc run --long "
              "truncate%s; tokenize --truncate)",
              total, total - (size_t)o->max_tokens, (long long)o->max_tokens,
              o->whole ? "" : ", or read in windows", o->whole ? "" : ", --long window");
    return true;
}

// How many of a text's n tokens Hugging Face reads where it cuts on the left: whole words from the end on, up to
// the one that reaches `most` tokens.
static size_t read_back(const encoder *e, size_t first, size_t n, size_t most) {
    size_t count = 0;
    while (count < n) {
        int32_t word = e->raw[first + n - count - 1].word;
        if (count >= most && word != e->raw[first + n - count].word) break;
        count++;
    }
    return count;
}

// Cuts the texts' n tokens, from `first` on, to the call's limit.
static bool cut_texts(const encoder *e, const encode_options *o, const bertc_text *text, size_t first[2],
                      size_t n[2], bertc_error *error) {
    bool pair = text->pair != NULL;
    uint32_t specials = e->t->specials[pair];
    const size_t all[2] = {n[0], n[1]};
    if (!o->max_tokens) return true;
    if (o->max_tokens < specials)
        return error_set(error, "max_tokens is %lld, but the special tokens alone are %u",
                         (long long)o->max_tokens, specials);
    if (is_over(o, n[0] + n[1] + specials, error)) return false;
    for (int i = 0; i < 2 && pair && !text->words && cuts_left(e, o); i++)
        n[i] = read_back(e, first[i], n[i], (size_t)o->max_tokens);
    if (!truncate_lengths(n, pair, (size_t)o->max_tokens - specials, o->truncation, error)) return false;
    for (int i = 0; i < 2 && cuts_left(e, o); i++) first[i] += all[i] - n[i];
    return true;
}

bool encoder_encode(encoder *e, const bertc_text *text, const encode_options *options,
                    const bertc_token **tokens, size_t *count, bertc_error *error) {
    if (!encode_arguments(text, options, error)) return false;
    bool pair = text->pair != NULL;
    size_t size = pair && text->pair_size > text->size ? text->pair_size : text->size;
    *tokens = NULL;
    *count = 0;
    if (!reserve(e, size, error)) return false;
    e->raw_count = 0;
    budget_open(e, text->size + (pair ? text->pair_size : 0));
    set_plain(e, options->plain);
    bool whole = options->truncation == BERTC_TRUNCATE_NEVER || cuts_left(e, options);
    size_t most = whole ? 0 : (size_t)options->max_tokens;
    // the first text is read whole where only the second may be cut
    size_t n[2] = {encode_text(e, 0, text, options->truncation == BERTC_TRUNCATE_ONLY_SECOND ? 0 : most), 0};
    size_t before[2] = {0, n[0]};
    if (pair) n[1] = encode_text(e, 1, text, most);
    if (e->failed) return budget_error(e, size, error);
    if (!cut_texts(e, options, text, before, n, error)) return false;
    *count = fill_template(e, pair, before, n);
    if (e->failed) {
        *count = 0;
        return budget_error(e, size, error);
    }
    *tokens = e->out;
    return true;
}
