#include "runtime/answer/spans.h"

#include <math.h>
#include <string.h>

#include "runtime/answer/script.h"
#include "runtime/tokenizer/unicode.h"

struct span_choice {
    double weight; // log of the sum, over what reads the same, of exp(start plus end logit)
    double score;  // the sum of its probabilities
    int64_t order; // of equal ones
    int from, to;  // tokens of the window
    uint64_t key;  // of its characters in lower case
    bertc_answer answer;
};

int spans_most(int top) {
    return top < (INT32_MAX - 10) / 2 ? 2 * top + 10 : INT32_MAX; // some will read the same
}

size_t spans_bytes(size_t choices) {
    return choices * sizeof(span_choice);
}

// --- Sorting in place

typedef bool (*choice_order)(const span_choice *a, const span_choice *b); // a stands before b

static bool by_weight(const span_choice *a, const span_choice *b) {
    return a->weight > b->weight || (a->weight == b->weight && a->order < b->order);
}
static bool by_key(const span_choice *a, const span_choice *b) {
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

// A heap whose root stands last.
static void sift_down(span_choice *v, int n, int i, choice_order before) {
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&v[child], &v[child + 1])) child++;
        if (!before(&v[i], &v[child])) return;
        span_choice t = v[i];
        v[i] = v[child];
        v[child] = t;
    }
}

static void make_heap(span_choice *v, int n, choice_order before) {
    for (int i = n / 2 - 1; i >= 0; i--) sift_down(v, n, i, before);
}

static void sort(span_choice *v, int n, choice_order before) {
    make_heap(v, n, before);
    for (int left = n - 1; left > 0; left--) {
        span_choice t = v[0];
        v[0] = v[left];
        v[left] = t;
        sift_down(v, left, 0, before);
    }
}

// --- Words

static uint32_t read_at(const char *text, size_t size, size_t at) {
    size_t bad;
    const uint8_t *p = (const uint8_t *)text + at;
    return utf8_check(p, size - at, &bad) ? utf8_next(&p) : 0xfffd;
}

// The character that begins at a byte, or has it within.
static uint32_t character_at(const bertc_text *t, size_t at) {
    while (at > 0 && at < t->pair_size && ((unsigned char)t->pair[at] & 0xc0) == 0x80) at--;
    return at < t->pair_size ? read_at(t->pair, t->pair_size, at) : 0xfffd;
}

static bool is_inner(uint32_t c) {
    return script_has_spaces(c) && !(unicode_flags(c) & UNICODE_SPACE);
}

// Do two neighbours belong to one word? A script without spaces has none that could be told from its text; and
// some tokenizers take a whole text for one.
static bool one_word(const bertc_text *t, const bertc_token *a, const bertc_token *b) {
    if (a->text != b->text || a->word != b->word || a->word < 0) return false;
    size_t end = a->byte_end, start = b->byte_start;
    return is_inner(character_at(t, end ? end - 1 : 0)) && is_inner(character_at(t, start)) &&
           (end >= start || is_inner(character_at(t, start - 1)));
}

static void widen(const bertc_text *t, const bertc_token *tokens, int n, int *from, int *to) {
    while (*from > 0 && one_word(t, &tokens[*from - 1], &tokens[*from])) --*from;
    while (*to + 1 < n && one_word(t, &tokens[*to], &tokens[*to + 1])) ++*to;
}

// FNV-1a over the characters in lower case.
static uint64_t key_of(const bertc_text *t, uint32_t from, uint32_t to) {
    uint64_t key = 0xcbf29ce484222325u;
    for (size_t at = from, length; at < to; at += length) {
        size_t bad;
        uint32_t lower[2] = {0xfffd};
        length = utf8_check((const uint8_t *)t->pair + at, to - at, &bad);
        int count = length ? unicode_lower(read_at(t->pair, to, at), lower) : 1;
        for (int i = 0; i < count; i++) key = (key ^ lower[i]) * 0x100000001b3u;
        if (!length) length = bad;
    }
    return key;
}

// --- One window

// What turns logits to probabilities: exp(logit - most) / sum.
typedef struct span_scale {
    double most, sum;
} span_scale;

static bool counts(const bertc_token *tokens, int i) {
    return tokens[i].text == 1 || (i == 0 && tokens[0].text < 0);
}

static span_scale scale_of(const bertc_token *tokens, int n, const float *logits) {
    span_scale s = {.most = -INFINITY};
    for (int i = 0; i < n; i++)
        if (counts(tokens, i) && (double)logits[i] > s.most) s.most = (double)logits[i];
    for (int i = 0; i < n; i++)
        if (counts(tokens, i)) s.sum += exp((double)logits[i] - s.most);
    return s;
}

static double probability(const span_scale *s, float logit) {
    return exp((double)logit - s->most) / s->sum;
}

// The `most` spans with the largest sums, best first.
static int best_spans(const bertc_token *tokens, int n, const float *start, const float *end, int longest,
                      span_choice *out, int most) {
    int count = 0;
    int64_t order = 0;
    for (int i = 0; i < n; i++) {
        if (tokens[i].text != 1) continue;
        for (int k = i; k < n && k - i < longest && tokens[k].text == 1; k++, order++) {
            span_choice c = {.weight = (double)start[i] + (double)end[k], .order = order, .from = i, .to = k};
            if (count < most) {
                out[count++] = c;
                if (count == most) make_heap(out, count, by_weight);
            } else if (by_weight(&c, &out[0])) {
                out[0] = c;
                sift_down(out, count, 0, by_weight);
            }
        }
    }
    sort(out, count, by_weight);
    return count;
}

// Room for `more` choices behind those that are there.
static bool reserve(span_list *s, store *memory, int more) {
    if (more <= s->room - s->count) return true;
    size_t room = (size_t)s->count + (size_t)more;
    if (s->room && room < 2 * (size_t)s->room) room = 2 * (size_t)s->room;
    span_choice *grown = room < INT32_MAX ? store_take(memory, room, sizeof *grown) : NULL;
    if (!grown) return false;
    if (s->count) memcpy(grown, s->choices, (size_t)s->count * sizeof *grown);
    s->choices = grown;
    s->room = (int)room;
    return true;
}

static int spans_of(int n, int longest) {
    int64_t all = (int64_t)n * (longest < n ? longest : n);
    return all < INT32_MAX ? (int)all : INT32_MAX;
}

static void add_none(span_list *s, const bertc_token *tokens, const float *start, const float *end,
                     const span_scale *of_start, const span_scale *of_end) {
    bertc_answer a = {.found = false, .logit_score = -INFINITY}; // where there is no CLS token
    if (tokens[0].text < 0) {
        a.score = (float)(probability(of_start, start[0]) * probability(of_end, end[0]));
        a.logit_score = start[0] + end[0];
    }
    if (!s->windows++) s->none = a;
    if (a.score < s->none.score) s->none.score = a.score;
    if (a.logit_score < s->none.logit_score) s->none.logit_score = a.logit_score;
}

bool spans_add(span_list *s, store *memory, const bertc_text *text, const bertc_token *tokens, int n,
               const float *start, const float *end, const span_rules *rules) {
    int most = rules->words ? spans_most(rules->top) : rules->top, all = spans_of(n, rules->longest);
    if (most > all) most = all;
    if (!reserve(s, memory, most ? most : 1)) return false;
    span_choice *c = s->choices + s->count;
    span_scale of_start = scale_of(tokens, n, start), of_end = scale_of(tokens, n, end);
    int count = best_spans(tokens, n, start, end, rules->longest, c, most);
    for (int i = 0; i < count; i++, c++) {
        c->score = probability(&of_start, start[c->from]) * probability(&of_end, end[c->to]);
        if (rules->words) widen(text, tokens, n, &c->from, &c->to);
        const bertc_token *from = &tokens[c->from], *to = &tokens[c->to];
        c->order = s->count + i;
        c->key = key_of(text, from->byte_start, to->byte_end);
        c->answer = (bertc_answer){.found = true,
                                   .char_start = from->char_start,
                                   .char_end = to->char_end,
                                   .byte_start = from->byte_start,
                                   .byte_end = to->byte_end,
                                   .logit_score = (float)c->weight};
    }
    s->count += count;
    add_none(s, tokens, start, end, &of_start, &of_end);
    return true;
}

// --- All windows

static double log_sum(double a, double b) {
    double most = a > b ? a : b;
    return isinf(most) ? most : most + log(exp(a - most) + exp(b - most));
}

// Of choices that read the same the first stays, with their scores' sum.
static void merge(span_list *s) {
    int kept = 0;
    sort(s->choices, s->count, by_key);
    for (int i = 0; i < s->count; i++) {
        span_choice *last = &s->choices[kept ? kept - 1 : 0], *c = &s->choices[i];
        if (kept && last->key == c->key) {
            last->score += c->score;
            last->weight = log_sum(last->weight, c->weight);
        } else {
            s->choices[kept++] = *c;
        }
    }
    s->count = kept;
}

bool spans_best(span_list *s, store *memory, const span_rules *rules, bertc_answer **out, int *count) {
    merge(s);
    if (rules->none) {
        if (!reserve(s, memory, 1)) return false;
        s->choices[s->count++] = (span_choice){.weight = (double)s->none.logit_score,
                                               .score = (double)s->none.score,
                                               .order = INT32_MAX,
                                               .answer = s->none};
    }
    sort(s->choices, s->count, by_weight);
    *count = s->count < rules->top ? s->count : rules->top;
    *out = store_take(memory, (size_t)(*count ? *count : 1), sizeof **out);
    for (int i = 0; *out && i < *count; i++) {
        (*out)[i] = s->choices[i].answer;
        (*out)[i].score = (float)s->choices[i].score;
    }
    return *out != NULL;
}
