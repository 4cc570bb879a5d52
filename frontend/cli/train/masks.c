#include "frontend/cli/train/masks.h"

#include <string.h>

#include "frontend/cli/train/chance.h"

static uint64_t spot_of(int64_t epoch, int64_t example) {
    return (uint64_t)epoch << 32 ^ (uint64_t)example;
}

static void mask_one(const mask_rule *rule, uint64_t spot, int64_t i, int32_t *ids, int32_t *labels,
                     int32_t *rows) {
    double change = chance_share(chance_bits(rule->seed, CHANCE_CHANGE, spot, (uint64_t)i));
    labels[i] = ids[i];
    rows[i] = 1;
    if (change < 0.8)
        ids[i] = rule->mask_id;
    else if (change < 0.9)
        ids[i] = (int32_t)chance_below(chance_bits(rule->seed, CHANCE_TOKEN, spot, (uint64_t)i),
                                       (uint32_t)rule->vocabulary);
}

// Where what is chosen together ends that begins at `from`.
static int64_t unit_end(const mask_rule *rule, const int32_t *words, int64_t from, int64_t n) {
    int64_t end = from + 1;
    while (rule->whole_words && end < n && words[end] == words[from]) end++;
    return end;
}

int64_t mask_tokens(const mask_rule *rule, int64_t epoch, int64_t example, const int32_t *words, int64_t n,
                    int32_t *ids, int32_t *labels, int32_t *rows) {
    uint64_t spot = spot_of(epoch, example), least = UINT64_MAX;
    int64_t chosen = 0, likeliest = -1;
    for (int64_t i = 0; i < n; i++) labels[i] = FEATURE_IGNORED, rows[i] = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (words[i] < 0) continue;
        end = unit_end(rule, words, i, n);
        uint64_t bits = chance_bits(rule->seed, CHANCE_MASK, spot, (uint64_t)i);
        if (bits <= least) least = bits, likeliest = i;
        if (chance_share(bits) >= rule->share) continue;
        for (int64_t k = i; k < end; k++) mask_one(rule, spot, k, ids, labels, rows);
        chosen += end - i;
    }
    if (chosen || likeliest < 0) return chosen;
    int64_t end = unit_end(rule, words, likeliest, n);
    for (int64_t k = likeliest; k < end; k++) mask_one(rule, spot, k, ids, labels, rows);
    return end - likeliest;
}

// --- Pairs

static bool set_template(pair_template *out, const bertc_token *t, size_t n) {
    int *counts[] = {&out->prefix, &out->middle, &out->suffix}, at = 0, special = 0;
    for (size_t i = 0; i < n; i++) {
        if (t[i].text >= 0) {
            if (t[i].text != at) return false; // the texts stand in their order
            *(at ? &out->second_type : &out->first_type) = t[i].type;
            if (i + 1 == n || t[i + 1].text != at) at++;
            continue;
        }
        if (special == (int)(sizeof out->ids / sizeof *out->ids)) return false;
        out->ids[special] = t[i].id;
        out->types[special++] = t[i].type;
        ++*counts[at];
    }
    return at == 2;
}

bool pair_template_of(bertc_tokenizer_handle *tokenizer, pair_template *out, bertc_error *e) {
    const bertc_token *t;
    size_t n;
    *out = (pair_template){0};
    bertc_text text = {.text = "a", .size = 1, .pair = "b", .pair_size = 1};
    if (!bertc_tokenizer_encode(tokenizer, &text, 0, BERTC_TRUNCATE_NEVER, &t, &n, e)) return false;
    if (set_template(out, t, n)) return true;
    strcpy(e->message, "the tokenizer joins no pairs of texts");
    return false;
}

// The token that the second part begins with: a line's, or a word's of the middle half where there is one; c->tokens where the passage
// is one word.
static int64_t cut_of(const passage *c, uint64_t bits) {
    if (c->lines > 1) return c->cuts[chance_below(bits, (uint32_t)c->lines - 1)];
    int64_t from = c->tokens / 4 + chance_below(bits, (uint32_t)(c->tokens / 2 + 1)), at = from;
    while (at < c->tokens && (!at || c->words[at] == c->words[at - 1])) at++;
    if (at < c->tokens) return at;
    for (at = from < c->tokens ? from : c->tokens - 1; at > 0 && c->words[at] == c->words[at - 1];) at--;
    return at > 0 ? at : c->tokens;
}

// A passage of another document, where one is found.
static int64_t other_of(const train_set *s, int64_t i, uint64_t seed, uint64_t spot) {
    int64_t found = -1;
    for (uint64_t k = 1; k <= 16; k++) {
        int64_t j = chance_below(chance_bits(seed, CHANCE_NEXT, spot, k), (uint32_t)s->count);
        if (j == i) continue;
        found = j;
        if (s->entries[j].document != s->entries[i].document) break;
    }
    return found;
}

static int64_t put(feature *f, int64_t at, const int32_t *ids, const int32_t *words, int64_t n,
                   int32_t kind) {
    for (int64_t i = 0; i < n; i++, at++) {
        f->ids[at] = ids[i];
        f->types[at] = kind;
        f->words[at] = words[i];
    }
    return at;
}

static int64_t put_special(feature *f, int64_t at, const pair_template *t, int from, int n) {
    for (int i = from; i < from + n; i++, at++) {
        f->ids[at] = t->ids[i];
        f->types[at] = t->types[i];
        f->words[at] = -1;
    }
    return at;
}

static void join(const pair_template *t, const passage *a, int64_t n, const passage *b, int64_t from,
                 int64_t m, feature *out, arena *into) {
    *out = (feature){.tokens = n + m + pair_template_tokens(t), .texts = 1};
    out->ids = ARENA_ARRAY(into, int32_t, out->tokens);
    out->types = ARENA_ARRAY(into, int32_t, out->tokens);
    out->words = ARENA_ARRAY(into, int32_t, out->tokens);
    out->bounds = ARENA_ARRAY(into, int64_t, 2);
    out->bounds[1] = out->tokens;
    int64_t at = put_special(out, 0, t, 0, t->prefix);
    at = put(out, at, a->ids, a->words, n, t->first_type);
    at = put_special(out, at, t, t->prefix, t->middle);
    at = put(out, at, b->ids + from, b->words + from, m, t->second_type);
    put_special(out, at, t, t->prefix + t->middle, t->suffix);
}

bool pair_read(train_set *s, int64_t i, const pair_template *t, uint64_t seed, int64_t epoch, feature *out,
               arena *a, diag *d) {
    passage own, other;
    uint64_t spot = spot_of(epoch, i);
    if (!passage_read(s, i, &own, a, d)) return false;
    int64_t cut = cut_of(&own, chance_bits(seed, CHANCE_CUT, spot, 0));
    bool next = chance_bits(seed, CHANCE_NEXT, spot, 0) >> 63;
    int64_t j = next && cut < own.tokens ? -1 : other_of(s, i, seed, spot);
    if (j < 0) {
        join(t, &own, cut, &own, cut, own.tokens - cut, out, a);
        return true;
    }
    if (!passage_read(s, j, &other, a, d)) return false;
    int64_t from = cut_of(&other, chance_bits(seed, CHANCE_CUT, spot, 1));
    if (from == other.tokens) from = 0;
    if (cut == own.tokens && cut > 1) cut--;
    int64_t room = own.tokens - cut, rest = other.tokens - from;
    join(t, &own, cut, &other, from, rest < room ? rest : room, out, a);
    out->label = 1;
    return true;
}
