// SQuAD's normalisation: lower case, without punctuation (ASCII's), articles and further white space. What is a word and what is
// white space is as Python has it.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "frontend/cli/metrics/metrics.h"
#include "ir/memory.h"

// Words, as NUL-ended strings one after the other in `bytes`.
typedef struct word_list {
    char *bytes;
    const char **v;
    int64_t count;
} word_list;

static bool is_space(utf8proc_int32_t c) {
    utf8proc_category_t k = utf8proc_category(c);
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 31) || c == 0x85 || k == UTF8PROC_CATEGORY_ZS ||
           k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

static bool is_punctuation(utf8proc_int32_t c) {
    return c > 32 && c < 127 && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", (int)c);
}

// Of a word that is one in regular expressions: letters and digits (the underscore is gone by then).
static bool is_word(utf8proc_int32_t c) {
    utf8proc_category_t k = utf8proc_category(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
           (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}

#define SIGMA 0x3a3

static bool is_letter_at(const utf8proc_int32_t *c, size_t n, size_t at) {
    return at < n && is_word(c[at]) && utf8proc_category(c[at]) <= UTF8PROC_CATEGORY_LO;
}

// A sigma that ends a word has a lower case of its own.
static void lower_sigmas(utf8proc_int32_t *c, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (c[i] == SIGMA)
            c[i] = i && is_letter_at(c, n, i - 1) && !is_letter_at(c, n, i + 1) ? 0x3c2 : 0x3c3;
}

// Lower case, without punctuation, one character after the other; U+FFFD for what is no UTF-8. *count of them, the
// caller's to free.
static utf8proc_int32_t *lowered(const char *text, size_t size, size_t *count) {
    utf8proc_int32_t *out = memory_must(memory_alloc(2 * size + 1, sizeof *out)), c;
    size_t n = 0;
    for (size_t at = 0; at < size;) {
        utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &c);
        at += step > 0 ? (size_t)step : 1;
        if (step <= 0) c = 0xfffd;
        if (is_punctuation(c)) continue;
        out[n++] = c == 0x130 ? 'i' : c == SIGMA ? SIGMA : utf8proc_tolower(c);
        if (c == 0x130) out[n++] = 0x307; // the one letter whose lower case is two
    }
    lower_sigmas(out, n);
    *count = n;
    return out;
}

static bool is_article(const utf8proc_int32_t *c, size_t n) {
    return (n == 1 && c[0] == 'a') || (n == 2 && c[0] == 'a' && c[1] == 'n') ||
           (n == 3 && c[0] == 't' && c[1] == 'h' && c[2] == 'e');
}

static void blank_articles(utf8proc_int32_t *c, size_t n) {
    for (size_t at = 0, end; at < n; at = end) {
        for (end = at; end < n && is_word(c[end]);) end++;
        if (is_article(c + at, end - at))
            for (size_t i = at; i < end; i++) c[i] = ' ';
        if (end == at) end++;
    }
}

static word_list words_of(const char *text, size_t size) {
    size_t n, used = 0;
    utf8proc_int32_t *c = lowered(text, size, &n);
    word_list w = {.bytes = memory_must(memory_alloc(n + 1, 5)),
                   .v = memory_must(memory_alloc(n + 1, sizeof *w.v))};
    blank_articles(c, n);
    for (size_t at = 0; at < n; at++) {
        if (is_space(c[at])) continue;
        if (!at || is_space(c[at - 1])) w.v[w.count++] = w.bytes + used;
        used += (size_t)utf8proc_encode_char(c[at], (utf8proc_uint8_t *)w.bytes + used);
        if (at + 1 == n || is_space(c[at + 1])) w.bytes[used++] = 0;
    }
    free(c);
    return w;
}

static void words_free(word_list *w) {
    free(w->bytes);
    free((void *)w->v);
}

static bool same_words(const word_list *a, const word_list *b) {
    if (a->count != b->count) return false;
    for (int64_t i = 0; i < a->count; i++)
        if (strcmp(a->v[i], b->v[i])) return false;
    return true;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// How many words two lists have in common, each as often as both have it. Sorts them.
static int64_t common_words(const word_list *a, const word_list *b) {
    int64_t common = 0, i = 0, k = 0;
    qsort((void *)a->v, (size_t)a->count, sizeof *a->v, by_bytes);
    qsort((void *)b->v, (size_t)b->count, sizeof *b->v, by_bytes);
    while (i < a->count && k < b->count) {
        int order = strcmp(a->v[i], b->v[k]);
        common += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    return common;
}

// Of two answers that may both be nothing: SQuAD 1.1's F1 is 0 then, that of 2.0 is 1.
static answer_score compare(const char *found, size_t found_size, const word_list *gold, bool second) {
    word_list w = words_of(found, found_size);
    bool same = same_words(&w, gold), nothing = !w.count || !gold->count;
    double all = (double)(w.count + gold->count),
           f1 = nothing ? second && same : 2 * (double)common_words(&w, gold) / all;
    words_free(&w);
    return (answer_score){same, f1};
}

answer_score answer_compare(const answer_text *found, const answer_text *gold, int count, bool second) {
    answer_score best = {0, 0};
    int compared = 0;
    for (int i = 0; i < count; i++) {
        word_list w = words_of(gold[i].text, gold[i].size);
        bool counts = w.count || !second;
        answer_score one = counts ? compare(found->text, found->size, &w, second) : best;
        best = (answer_score){fmax(best.exact, one.exact), fmax(best.f1, one.f1)};
        compared += counts;
        words_free(&w);
    }
    word_list none = {0};
    return second && !compared ? compare(found->text, found->size, &none, true) : best;
}

void answer_metrics_add(answer_metrics *m, const answer_text *found, const answer_text *gold, int count) {
    answer_score first = answer_compare(found, gold, count, false),
                 second = answer_compare(found, gold, count, true);
    m->count++;
    m->exact[0] += first.exact;
    m->f1[0] += first.f1;
    m->exact[1] += second.exact;
    m->f1[1] += second.f1;
    if (count) {
        m->possible++;
        m->with_exact += second.exact;
        m->with_f1 += second.f1;
    } else {
        m->without += second.exact;
    }
}

// --- Thresholds

void answer_metrics_add_span(answer_metrics *m, const answer_text *span, double lead, const answer_text *gold,
                             int count) {
    if (m->span_count == m->span_room) {
        int64_t room = 2 * m->span_room + 256;
        answer_span *grown = ARENA_ARRAY(m->arena, answer_span, room);
        if (m->span_count) memcpy(grown, m->spans, (size_t)m->span_count * sizeof *grown);
        m->spans = grown;
        m->span_room = room;
    }
    answer_score score = answer_compare(span, gold, count, true);
    m->spans[m->span_count] =
        (answer_span){lead, m->span_count, count > 0, span->size == 0, score.exact, score.f1};
    m->span_count++;
}

static int by_lead(const void *a, const void *b) {
    const answer_span *x = a, *y = b;
    if (x->lead != y->lead) return x->lead < y->lead ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

// At first "none" is said of all questions. Then, from that of the least lead on, the span is said of one more.
answer_best answer_metrics_best(const answer_metrics *m, bool f1) {
    double sum = (double)(m->count - m->possible), most = sum, threshold = 0;
    if (!m->count || m->span_count != m->count) return (answer_best){NAN, NAN};
    answer_span *sorted = memory_must(memory_alloc((size_t)m->span_count, sizeof *sorted));
    memcpy(sorted, m->spans, (size_t)m->span_count * sizeof *sorted);
    qsort(sorted, (size_t)m->span_count, sizeof *sorted, by_lead);
    for (int64_t i = 0; i < m->span_count; i++) {
        const answer_span *s = &sorted[i];
        sum += s->possible ? f1 ? s->f1 : s->exact : s->empty ? 0 : -1;
        if (sum <= most) continue;
        most = sum;
        threshold = s->lead;
    }
    free(sorted);
    return (answer_best){most / (double)m->count, threshold};
}

// --- All

void answer_metrics_list(const answer_metrics *m, metric_list *out) {
    int64_t impossible = m->count - m->possible;
    int rule = impossible > 0;
    double n = m->count ? (double)m->count : NAN, possible = m->possible ? (double)m->possible : NAN;
    metric_add(out, "f1", m->f1[rule] / n);
    metric_add(out, "exact_match", m->exact[rule] / n);
    if (!rule) return;
    metric_add(out, "has_answer_f1", m->with_f1 / possible);
    metric_add(out, "has_answer_exact_match", m->with_exact / possible);
    metric_add(out, "no_answer_accuracy", m->without / (double)impossible);
    if (m->span_count != m->count) return;
    answer_best exact = answer_metrics_best(m, false), f1 = answer_metrics_best(m, true);
    metric_add(out, "best_exact", exact.figure);
    metric_add(out, "best_exact_thresh", exact.threshold);
    metric_add(out, "best_f1", f1.figure);
    metric_add(out, "best_f1_thresh", f1.threshold);
}
