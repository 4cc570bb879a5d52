#include "quality_tasks.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const bertc_text_options cut = {BERTC_SIZED(bertc_text_options),
                                       .truncation = BERTC_TRUNCATE_LONGEST_FIRST};

// The next line of those that are asked; NULL: the end. *line counts all lines.
static cJSON *next_of(quality *q, int step, int *line) {
    cJSON *o;
    while ((o = quality_next(q))) {
        if ((*line)++ % step == 0) return o;
        cJSON_Delete(o);
    }
    return NULL;
}

quality_counts quality_sst2(quality *q, int step) {
    quality_counts c = {0};
    cJSON *o;
    for (int line = 0; (o = next_of(q, step, &line)); cJSON_Delete(o), c.asked++) {
        const char *text = quality_string(o, "text");
        bertc_result r = quality_answer(q, &(bertc_text){.text = text, .size = strlen(text)}, &cut);
        c.right += r.scores[0].id == (int)cJSON_GetObjectItemCaseSensitive(o, "label")->valuedouble;
    }
    return c;
}

// --- Entities

typedef struct sentence {
    char text[8192];
    bertc_word words[512];
    const char *tags[512];
    int count;
} sentence;

static void read_sentence(const cJSON *o, sentence *s) {
    size_t at = 0;
    const cJSON *word, *tag;
    s->count = 0;
    cJSON_ArrayForEach(word, cJSON_GetObjectItemCaseSensitive(o, "tokens")) {
        size_t n = strlen(word->valuestring);
        ck_assert(s->count < 512 && at + n + 1 < sizeof s->text);
        if (s->count) s->text[at++] = ' ';
        memcpy(s->text + at, word->valuestring, n);
        s->words[s->count++] = (bertc_word){(uint32_t)at, (uint32_t)(at + n)};
        at += n;
    }
    s->text[at] = 0;
    int i = 0;
    cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(o, "tags")) s->tags[i++] = tag->valuestring;
    ck_assert_int_eq(i, s->count);
}

// Where the span that begins at word i ends; i where none begins there.
static int span_end(const char *const *tags, int n, int i) {
    const char *t = tags[i];
    bool goes_on = t[0] == 'I' && i && tags[i - 1][0] != 'O' && !strcmp(tags[i - 1] + 1, t + 1);
    if (t[0] == 'O' || goes_on) return i;
    for (i++; i < n && tags[i][0] == 'I' && !strcmp(tags[i] + 1, t + 1);) i++;
    return i;
}

static void count_spans(const sentence *s, const char *const *found, quality_counts *c) {
    for (int i = 0; i < s->count; i++) {
        int want = span_end(s->tags, s->count, i), got = span_end(found, s->count, i);
        bool same = want > i && got == want && !strcmp(s->tags[i] + 1, found[i] + 1);
        c->right += same;
        c->wrong += got > i && !same;
        c->missed += want > i && !same;
    }
}

quality_counts quality_entities(quality *q, int step) {
    static sentence s;
    static const char *found[512];
    quality_counts c = {0};
    cJSON *o;
    for (int line = 0; (o = next_of(q, step, &line)); cJSON_Delete(o), c.asked++) {
        read_sentence(o, &s);
        const bertc_text text = {
            .text = s.text, .size = strlen(s.text), .words = s.words, .word_count = (size_t)s.count};
        bertc_result r = quality_answer(q, &text, &cut);
        ck_assert_int_eq(r.word_count, s.count);
        while (s.count && !r.words[s.count - 1].label) s.count--; // cut off: not asked for
        for (int i = 0; i < s.count; i++) found[i] = r.words[i].label ? r.words[i].label : "O";
        count_spans(&s, found, &c);
    }
    return c;
}

// --- Questions

quality_counts quality_squad(quality *q, int step) {
    const bertc_text_options options = {
        BERTC_SIZED(bertc_text_options), .max_answer_tokens = 30, .answer_as_tokens = true,
        .max_tokens = QUALITY_WINDOW,    .windows = true,         .stride = 128};
    quality_counts c = {0};
    cJSON *o;
    for (int line = 0; (o = next_of(q, step, &line)); cJSON_Delete(o), c.asked++) {
        const char *question = quality_string(o, "question"), *context = quality_string(o, "context");
        const bertc_text text = {question, strlen(question), context, strlen(context)};
        bertc_answer a = quality_answer(q, &text, &options).answer;
        ck_assert(a.found);
        squad_score s = squad_compare(context + a.byte_start, a.byte_end - a.byte_start,
                                      cJSON_GetObjectItemCaseSensitive(o, "answers"));
        c.right += s.exact > 0;
        c.f1 += s.f1;
    }
    if (c.asked) c.f1 /= c.asked;
    return c;
}

// --- Similarity

#define PAIRS 1500

static void embed(quality *q, const char *text, float *out, int size) {
    bertc_result r = quality_answer(q, &(bertc_text){.text = text, .size = strlen(text)}, &cut);
    ck_assert_int_eq(r.embedding_size, size);
    memcpy(out, r.embedding, (size_t)size * sizeof *out);
}

static double dot(const float *a, const float *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

quality_counts quality_similarity(quality *q, int step) {
    static double cosine[PAIRS], gold[PAIRS];
    float a[384], b[384];
    quality_counts c = {0};
    cJSON *o;
    for (int line = 0; (o = next_of(q, step, &line)); cJSON_Delete(o), c.asked++) {
        ck_assert_int_lt(c.asked, PAIRS);
        embed(q, quality_string(o, "a"), a, 384);
        embed(q, quality_string(o, "b"), b, 384);
        cosine[c.asked] = dot(a, b, 384);
        gold[c.asked] = cJSON_GetObjectItemCaseSensitive(o, "score")->valuedouble;
    }
    c.correlation = spearman(cosine, gold, c.asked);
    return c;
}

// --- Retrieval

#define CONTEXTS  2067
#define QUESTIONS 10570

quality_embeddings quality_embed(quality *q, int step) {
    quality_embeddings e = {.size = 384};
    e.context = malloc(sizeof(float) * CONTEXTS * 384);
    e.question = malloc(sizeof(float) * QUESTIONS * 384);
    e.gold = malloc(sizeof(int) * QUESTIONS);
    char *last = strdup("");
    int all = 0;
    for (cJSON *o; (o = quality_next(q)); cJSON_Delete(o)) {
        const char *context = quality_string(o, "context");
        bool other = strcmp(context, last) != 0; // questions of one context stand together
        if (other) {
            free(last);
            last = strdup(context);
            if (all++ % step == 0) embed(q, context, e.context + 384 * e.contexts++, 384);
        }
        if ((all - 1) % step || (step > 1 && !other)) continue;
        ck_assert(e.contexts <= CONTEXTS && e.questions < QUESTIONS);
        e.gold[e.questions] = e.contexts - 1;
        embed(q, quality_string(o, "question"), e.question + 384 * e.questions++, 384);
    }
    free(last);
    return e;
}

void quality_embeddings_free(quality_embeddings *e) {
    free(e->context);
    free(e->question);
    free(e->gold);
}

// The contexts nearest to question i, best first, and how many there are.
static int nearest(const quality_embeddings *e, int i, int *out) {
    double best[QUALITY_NEIGHBOURS];
    int n = 0;
    for (int k = 0; k < e->contexts; k++) {
        double x = dot(e->question + e->size * i, e->context + e->size * k, e->size);
        int at = n, last = n < QUALITY_NEIGHBOURS ? n++ : QUALITY_NEIGHBOURS - 1;
        while (at > 0 && x > best[at - 1]) at--;
        if (at == QUALITY_NEIGHBOURS) continue;
        memmove(&best[at + 1], &best[at], sizeof *best * (size_t)(last - at));
        memmove(&out[at + 1], &out[at], sizeof *out * (size_t)(last - at));
        best[at] = x;
        out[at] = k;
    }
    return n;
}

double quality_ndcg(const quality_embeddings *e) {
    double sum = 0;
    int found[QUALITY_NEIGHBOURS];
    for (int i = 0; i < e->questions; i++) {
        int n = nearest(e, i, found);
        for (int k = 0; k < n; k++)
            if (found[k] == e->gold[i]) sum += 1 / log2(k + 2);
    }
    return sum / e->questions;
}

double quality_same_neighbours(const quality_embeddings *e, const quality_embeddings *reference) {
    int same = 0, all = 0, found[QUALITY_NEIGHBOURS], wanted[QUALITY_NEIGHBOURS];
    for (int i = 0; i < e->questions; i++) {
        int n = nearest(e, i, found), m = nearest(reference, i, wanted);
        all += m;
        for (int k = 0; k < n; k++)
            for (int j = 0; j < m; j++) same += found[k] == wanted[j];
    }
    return (double)same / all;
}

static double worst_of(const float *a, const float *b, int count, int size) {
    double worst = 1;
    for (int i = 0; i < count; i++) {
        const float *x = a + size * i, *y = b + size * i;
        worst = fmin(worst, dot(x, y, size) / sqrt(dot(x, x, size) * dot(y, y, size)));
    }
    return worst;
}

double quality_worst_cosine(const quality_embeddings *e, const quality_embeddings *reference) {
    ck_assert(e->contexts == reference->contexts && e->questions == reference->questions);
    return fmin(worst_of(e->context, reference->context, e->contexts, e->size),
                worst_of(e->question, reference->question, e->questions, e->size));
}
