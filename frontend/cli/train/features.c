#include "frontend/cli/train/features.h"

#include <math.h>
#include <string.h>

#include "frontend/cli/data/cloze.h"

static bertc_text_options options_of(int64_t max_tokens) {
    return (bertc_text_options){BERTC_SIZED(bertc_text_options),
                                .truncation =
                                    max_tokens ? BERTC_TRUNCATE_LONGEST_FIRST : BERTC_TRUNCATE_NEVER,
                                .max_tokens = max_tokens};
}

typedef struct encoder {
    bertc_tokenizer_handle *tokenizer; // NULL: the session's
    bertc_session *session;
} encoder;

static encoder own(const feature_rule *rule) {
    return (encoder){.tokenizer = rule->tokenizer};
}

// max_tokens 0: nothing is cut. The tokens live until the next call.
static const char *encode(encoder with, const bertc_text *text, int64_t max_tokens,
                          const bertc_token **tokens, size_t *n, arena *a) {
    bertc_error e;
    bertc_text_options o = options_of(max_tokens);
    bool ok = with.tokenizer ? bertc_tokenizer_encode_with(with.tokenizer, text, &o, tokens, n, &e)
                             : bertc_tokenize_with(with.session, text, &o, tokens, n, &e);
    return ok ? NULL : arena_strdup(a, e.message);
}

static feature feature_new(int64_t tokens, int texts, arena *a) {
    feature f = {.tokens = tokens, .texts = texts};
    f.ids = ARENA_ARRAY(a, int32_t, tokens);
    f.types = ARENA_ARRAY(a, int32_t, tokens);
    f.words = ARENA_ARRAY(a, int32_t, tokens);
    f.bounds = ARENA_ARRAY(a, int64_t, texts + 1);
    f.bounds[texts] = tokens;
    return f;
}

static void set_tokens(feature *f, int64_t at, const bertc_token *t, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        f->ids[at + i] = t[i].id;
        f->types[at + i] = t[i].type;
        f->words[at + i] = t[i].text < 0 ? -1 : t[i].word;
    }
}

static feature *add(feature_list *out, int64_t count, arena *a) {
    out->count = count;
    out->v = ARENA_ARRAY(a, feature, count);
    return out->v;
}

// --- Labels

static const char *set_label(const feature_rule *rule, const data_example *e, feature *f, arena *a) {
    if (e->label_count != 1) return "has no label";
    f->label = data_labels_find(rule->labels, &e->labels[0]);
    return f->label >= 0 ? NULL : data_labels_unknown(rule->labels, &e->labels[0], a);
}

static const char *set_marks(const feature_rule *rule, const data_example *e, feature *f, arena *a) {
    f->numbers = data_labels_count(rule->labels);
    f->values = ARENA_ARRAY(a, float, f->numbers);
    return data_labels_mark(rule->labels, e, f->values, a);
}

static void set_numbers(const data_example *e, feature *f, arena *a) {
    f->numbers = e->number_count;
    f->values = ARENA_ARRAY(a, float, e->number_count);
    for (int i = 0; i < e->number_count; i++) f->values[i] = (float)e->numbers[i];
}

// The label of each word stands on its first token, or on all of them.
static const char *set_tags(const feature_rule *rule, const data_example *e, const bertc_token *t, feature *f,
                            arena *a) {
    f->labels = ARENA_ARRAY(a, int32_t, f->tokens);
    int32_t last = -1;
    for (int64_t i = 0; i < f->tokens; i++) {
        bool first = t[i].text == 0 && t[i].word != last;
        if (t[i].text == 0) last = t[i].word;
        f->labels[i] = FEATURE_IGNORED;
        if (t[i].text || t[i].word >= e->label_count || !(first || rule->label_all)) continue;
        f->labels[i] = data_labels_find(rule->labels, &e->labels[t[i].word]);
        if (f->labels[i] < 0) return data_labels_unknown(rule->labels, &e->labels[t[i].word], a);
    }
    return NULL;
}

static const char *set_labels(const feature_rule *rule, const data_example *e, const bertc_token *t,
                              feature *f, arena *a) {
    switch (rule->form) {
    case DATA_LABEL: return set_label(rule, e, f, a);
    case DATA_LABELS: return set_marks(rule, e, f, a);
    case DATA_TAGS: return set_tags(rule, e, t, f, a);
    case DATA_TEXT:
    case DATA_NUMBER:
    case DATA_ANSWER:
    case DATA_SCORED:
    case DATA_RANKED:
    case DATA_EMBED: break;
    }
    return NULL;
}

// --- Texts

// Each text by itself, one behind the other.
static const char *several_texts(encoder with, int64_t max_tokens, const bertc_text *texts, int count,
                                 feature *f, arena *a) {
    bertc_token *kept = NULL;
    int64_t *bounds = ARENA_ARRAY(a, int64_t, count + 1);
    for (int i = 0; i < count; i++) {
        const bertc_token *t;
        size_t n;
        const char *why = encode(with, &texts[i], max_tokens, &t, &n, a);
        if (why) return why;
        if (!n) return "has a text without tokens";
        bertc_token *all = ARENA_ARRAY(a, bertc_token, bounds[i] + (int64_t)n);
        if (i) memcpy(all, kept, (size_t)bounds[i] * sizeof *all);
        memcpy(all + bounds[i], t, n * sizeof *all);
        kept = all;
        bounds[i + 1] = bounds[i] + (int64_t)n;
    }
    *f = feature_new(bounds[count], count, a);
    f->bounds = bounds;
    set_tokens(f, 0, kept, bounds[count]);
    return NULL;
}

// The teacher's tokens of the same texts.
static const char *set_known(const feature_rule *rule, const bertc_text *texts, int count, feature *f,
                             arena *a) {
    feature *known = ARENA_NEW(a, feature);
    const encoder with = {.session = rule->teacher};
    int64_t most = rule->teacher_tokens < rule->max_tokens ? rule->teacher_tokens : rule->max_tokens;
    f->known = known;
    return several_texts(with, most, texts, count, known, a);
}

// --- A text or a pair

static const char *one_text(const feature_rule *rule, const data_example *e, feature_list *out, arena *a) {
    const bertc_token *t;
    size_t n;
    const char *why = encode(own(rule), &e->text, rule->max_tokens, &t, &n, a);
    if (why) return why;
    if (!n) return "has no tokens";
    feature *f = add(out, 1, a);
    *f = feature_new((int64_t)n, 1, a);
    set_tokens(f, 0, t, (int64_t)n);
    if (rule->form == DATA_NUMBER) set_numbers(e, f, a);
    why = rule->labels ? set_labels(rule, e, t, f, a) : NULL;
    return why || !rule->teacher ? why : set_known(rule, &e->text, 1, f, a);
}

// --- Embeddings: each text by itself

static const char *set_score(const feature_rule *rule, const data_example *e, feature *f, arena *a) {
    set_numbers(e, f, a);
    f->values[0] = (float)(e->numbers[0] / rule->score_scale);
    if (fabsf(f->values[0]) <= 1) return NULL;
    return arena_printf(a, "has the score %g: cosines lie between -1 and 1; --score-scale divides scores",
                        e->numbers[0]);
}

static const char *embed_texts(const feature_rule *rule, const data_example *e, feature_list *out, arena *a) {
    bool scored = e->number_count > 0;
    int negatives = scored ? 0 : e->negative_count;
    if (!scored && !e->positive_count) return "has no positive";
    bertc_text *texts = ARENA_ARRAY(a, bertc_text, 2 + negatives);
    texts[0] = (bertc_text){.text = e->text.text, .size = e->text.size};
    texts[1] = scored ? (bertc_text){.text = e->text.pair, .size = e->text.pair_size}
                      : (bertc_text){.text = e->positives[0].text, .size = e->positives[0].size};
    for (int i = 0; i < negatives; i++)
        texts[2 + i] = (bertc_text){.text = e->negatives[i].text, .size = e->negatives[i].size};
    feature *f = add(out, 1, a);
    const char *why = several_texts(own(rule), rule->max_tokens, texts, 2 + negatives, f, a);
    if (!why && rule->teacher) why = set_known(rule, texts, 2 + negatives, f, a);
    return why || !scored ? why : set_score(rule, e, f, a);
}

// --- Pieces: prefix and suffix of the template round a slice of what stands between

typedef struct middle {
    const bertc_token *t;
    const int32_t *labels; // of each token, where masks are chosen already; else NULL
    int64_t n, from, to;   // of all tokens; the part that is cut
} middle;

static feature piece(const middle *m, int64_t from, int64_t to, arena *a) {
    feature f = feature_new(m->n - (m->to - m->from) + (to - from), 1, a);
    set_tokens(&f, 0, m->t, m->from);
    set_tokens(&f, m->from, m->t + from, to - from);
    set_tokens(&f, m->from + to - from, m->t + m->to, m->n - m->to);
    if (!m->labels) return f;
    f.labels = ARENA_ARRAY(a, int32_t, f.tokens);
    for (int64_t i = 0; i < f.tokens; i++) {
        bool inside = i >= m->from && i < m->from + to - from;
        f.labels[i] = inside ? m->labels[from + i - m->from] : FEATURE_IGNORED;
    }
    return f;
}

// Tokens of the text numbered `text`: they stand together.
static middle middle_of(const bertc_token *t, size_t n, int32_t text) {
    middle m = {.t = t, .n = (int64_t)n, .from = (int64_t)n, .to = (int64_t)n};
    for (int64_t i = 0; i < m.n; i++) {
        if (t[i].text != text) continue;
        if (m.from == m.n) m.from = i;
        m.to = i + 1;
    }
    return m;
}

// --- Masks that are chosen already

// Token ids as they are.
static const char *given_tokens(const feature_rule *rule, const data_example *e, feature_list *out,
                                arena *a) {
    if (rule->task == TRAIN_PRETRAIN) return "has input_ids: pretrain joins lines that are texts";
    if (e->id_count > rule->max_tokens)
        return arena_printf(a, "has %d tokens: a text has %lld at most (--max-seq-length)", e->id_count,
                            (long long)rule->max_tokens);
    feature *f = add(out, 1, a);
    *f = feature_new(e->id_count, 1, a);
    f->labels = ARENA_ARRAY(a, int32_t, f->tokens);
    for (int64_t i = 0; i < f->tokens; i++) {
        const int32_t id = e->ids[i], label = e->id_labels[i];
        if (id >= rule->vocabulary || label >= rule->vocabulary)
            return arena_printf(a, "$.%s[%lld]: is %d, and the model has %d tokens",
                                id >= rule->vocabulary ? "input_ids" : "labels", (long long)i,
                                id >= rule->vocabulary ? id : label, rule->vocabulary);
        f->ids[i] = id;
        f->types[i] = e->id_types ? e->id_types[i] : 0;
        f->labels[i] = label;
    }
    return NULL;
}

// The tokens that the words of a text with masks are, one for each of its tokens `t`, which may be gone then: they are given back copied.
static const char *word_labels(const feature_rule *rule, const data_example *e, const bertc_token **t,
                               size_t n, const int32_t **labels, arena *a) {
    const char *mask = bertc_tokenizer_text(rule->tokenizer, rule->mask_id), *why;
    const bertc_token *filled;
    bertc_text text;
    size_t m;
    if (rule->task != TRAIN_MLM || !mask || !cloze_is(e, mask)) return NULL;
    if ((why = cloze_fill(e, mask, &text, a))) return why;
    bertc_token *kept = arena_dup(a, *t, n * sizeof *kept);
    int32_t *out = ARENA_ARRAY(a, int32_t, n);
    if ((why = encode(own(rule), &text, 0, &filled, &m, a))) return why;
    why = cloze_labels(e, kept, n, filled, m, rule->mask_id, out, a);
    *labels = out;
    *t = kept;
    return why;
}

// A long text in pieces of equal room, none of which shares a token with another.
static const char *text_pieces(const feature_rule *rule, const data_example *e, feature_list *out, arena *a) {
    const bertc_token *t;
    size_t n;
    const int32_t *labels = NULL;
    if (e->id_count) return given_tokens(rule, e, out, a);
    const char *why = encode(own(rule), &e->text, 0, &t, &n, a);
    if (!why) why = word_labels(rule, e, &t, n, &labels, a);
    if (why) return why;
    middle m = middle_of(t, n, 0);
    m.labels = labels;
    int64_t content = m.to - m.from, room = rule->max_tokens - (m.n - content);
    if (rule->pair_room) room = rule->pair_room;
    if (!content) return NULL;
    if (room < 1) return "has no room for a token between the special tokens";
    feature *f = add(out, (content + room - 1) / room, a);
    for (int64_t i = 0; i < out->count; i++) {
        int64_t from = m.from + i * room, to = from + room < m.to ? from + room : m.to;
        f[i] = piece(&m, from, to, a);
    }
    return NULL;
}

typedef struct answer_bytes {
    bool there;
    uint32_t start, end; // of the context
} answer_bytes;

// The first answer is learnt, where it stands; where the data do not say where, it is where its text stands first.
static const char *find_answer(const data_example *e, answer_bytes *out) {
    *out = (answer_bytes){.there = e->answer_count > 0};
    if (!out->there) return NULL;
    const data_answer *a = &e->answers[0];
    int64_t start = a->byte_start;
    if (start < 0) {
        const char *found = memmem(e->text.pair, e->text.pair_size, a->text, a->size);
        if (!found) return "has an answer that does not stand in the context";
        start = found - e->text.pair;
    }
    out->start = (uint32_t)start;
    out->end = (uint32_t)(start + (int64_t)a->size);
    return NULL;
}

// The answer's tokens among those of the window, as Transformers' run_qa.py finds them.
static void set_answer(answer_bytes answer, const middle *m, int64_t from, int64_t to, feature *f) {
    const bertc_token *t = m->t;
    uint32_t start = answer.start, end = answer.end;
    if (from == to || t[from].byte_start > start || t[to - 1].byte_end < end) return;
    int64_t first = from, last = to - 1;
    while (first < to && t[first].byte_start <= start) first++;
    while (last >= from && t[last].byte_end >= end) last--;
    f->start = (int32_t)(first - 1 - from + m->from);
    f->end = (int32_t)(last + 1 - from + m->from);
}

static void set_bytes(const middle *m, int64_t from, int64_t to, feature *f, arena *a) {
    f->byte_starts = ARENA_ARRAY(a, uint32_t, f->tokens);
    f->byte_ends = ARENA_ARRAY(a, uint32_t, f->tokens);
    for (int64_t i = from; i < to; i++) {
        f->byte_starts[m->from + i - from] = m->t[i].byte_start;
        f->byte_ends[m->from + i - from] = m->t[i].byte_end;
    }
}

// Windows over the context, of which neighbours share `stride` tokens.
static const char *windows(const feature_rule *rule, const data_example *e, feature_list *out, arena *a) {
    const bertc_token *t;
    size_t n;
    const char *why = encode(own(rule), &e->text, 0, &t, &n, a);
    if (why) return why;
    middle m = middle_of(t, n, 1);
    int64_t content = m.to - m.from, room = rule->max_tokens - (m.n - content), step = room - rule->stride;
    if (content > room && step < 1)
        return arena_printf(a,
                            "has a question of %lld tokens, which leaves no room for windows that share %lld",
                            (long long)(m.n - content), (long long)rule->stride);
    answer_bytes answer;
    if ((why = find_answer(e, &answer))) return why;
    feature *f = add(out, content <= room ? 1 : 1 + (content - room + step - 1) / step, a);
    for (int64_t i = 0; i < out->count; i++) {
        int64_t from = m.from + i * step, to = from + room < m.to ? from + room : m.to;
        f[i] = piece(&m, from, to, a);
        set_bytes(&m, from, to, &f[i], a);
        if (answer.there) set_answer(answer, &m, from, to, &f[i]);
    }
    return NULL;
}

const char *features_of(const feature_rule *rule, const data_example *e, feature_list *out, arena *a) {
    *out = (feature_list){0};
    switch (rule->task) {
    case TRAIN_CLASSIFY:
    case TRAIN_REGRESS:
    case TRAIN_TAG: return one_text(rule, e, out, a);
    case TRAIN_ANSWER: return windows(rule, e, out, a);
    case TRAIN_EMBED: return embed_texts(rule, e, out, a);
    case TRAIN_MLM:
    case TRAIN_PRETRAIN: break;
    }
    return text_pieces(rule, e, out, a);
}
