// Perplexity of a masked language model: each token of a text but the special ones is masked alone, and the model is asked for it
// (pseudo-perplexity; Salazar et al. 2020). Where an example says which tokens are masked, it is asked for these, all at once. The figure
// is e to the mean of -log p(token), over all tokens that are asked for.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/data/cloze.h"
#include "frontend/cli/evaluate/evaluate.h"
#include "ir/memory.h"

#define LOGIT_BYTES (64u << 20) // of one call

typedef struct masked {
    evaluation *v;
    bertc_session *session;
    int32_t mask_id;
    int output; // of the logits
    int64_t vocabulary;
    int32_t *ids, *types; // of the text
    int32_t *grid_ids, *grid_types;
    int *places;     // tokens that are asked for
    int32_t *labels; // of each token: what is asked for there
    bool given;      // the text's ids have the masks already
    float *logits;
    int64_t length, rows, room; // of the text, of a call; `room`: tokens that the arrays are for
    int asked;
} masked;

static bool find_logits(masked *m, diag *d) {
    for (int i = 0; i < m->v->info.output_count; i++) {
        const char *name = bertc_output_name(m->v->model, i);
        if (!strcmp(name, "logits") || !strcmp(name, "prediction_logits")) return m->output = i, true;
    }
    return diag_error(d, NULL, "has no output logits or prediction_logits");
}

// The model's word for a masked token is its own.
static bool find_mask(masked *m, diag *d) {
    static const char *const words[] = {"[MASK]", "<mask>", "[mask]", "<MASK>"};
    bertc_error e;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const bertc_text text = {.text = words[i], .size = strlen(words[i])};
        const bertc_token *tokens;
        size_t n, own = 0, at = 0;
        if (!bertc_tokenize(m->session, &text, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, &e))
            return runtime_failed(d, &e);
        for (size_t k = 0; k < n; k++)
            if (tokens[k].text == 0) own++, at = k;
        const char *spelt = own == 1 ? bertc_token_text(m->v->model, tokens[at].id) : NULL;
        if (spelt && !strcmp(spelt, words[i])) return m->mask_id = tokens[at].id, true;
    }
    return diag_error(d, NULL, "has no token [MASK] or <mask>");
}

static bool make_room(masked *m, int64_t length) {
    m->length = length;
    size_t bytes = bertc_output_bytes(m->v->model, m->output, 1, length);
    m->vocabulary = (int64_t)(bytes / sizeof(float) / (size_t)length);
    m->rows = (int64_t)(LOGIT_BYTES / bytes);
    if (m->rows < 1) m->rows = 1;
    if (m->rows > length) m->rows = length;
    float *logits = memory_grow(m->logits, (size_t)m->rows, bytes);
    if (logits) m->logits = logits;
    if (!logits || length <= m->room) return logits != NULL;
    m->room = length;
    int32_t **const arrays[] = {&m->ids, &m->types, &m->grid_ids, &m->grid_types, &m->places, &m->labels};
    for (int i = 0; i < 6; i++) {
        free(*arrays[i]);
        // The grids: a call has at most `length` rows.
        *arrays[i] = memory_alloc((size_t)length, (i == 2 || i == 3 ? (size_t)length : 1) * sizeof(int32_t));
        if (!*arrays[i]) return m->room = 0, false;
    }
    return true;
}

// The tokens live until the next call.
static const char *tokens_of(const masked *m, const bertc_text *text, const bertc_token **tokens, size_t *n,
                             bertc_error *e) {
    bertc_text_options options = evaluate_text_options(m->v);
    if (!options.max_tokens || options.max_tokens > m->v->info.max_length)
        options.max_tokens = m->v->info.max_length;
    if (!bertc_tokenize_with(m->session, text, &options, tokens, n, e)) return e->message;
    return *n ? NULL : "has no tokens";
}

// A text: each of its own tokens is asked for.
static const char *take_text(masked *m, const bertc_text *text, bertc_error *e) {
    const bertc_token *tokens;
    size_t n;
    const char *why = tokens_of(m, text, &tokens, &n, e);
    if (why) return why;
    if (!make_room(m, (int64_t)n)) return "out of memory";
    for (size_t i = 0; i < n; i++) {
        m->ids[i] = m->labels[i] = tokens[i].id;
        m->types[i] = tokens[i].type;
        if (tokens[i].text >= 0) m->places[m->asked++] = (int)i;
    }
    return NULL;
}

// Token ids with labels.
static const char *take_ids(masked *m, const data_example *x, arena *a) {
    if (x->id_count > m->v->info.max_length)
        return arena_printf(a, "has %d tokens, and the model takes %lld", x->id_count,
                            (long long)m->v->info.max_length);
    if (!make_room(m, x->id_count)) return "out of memory";
    for (int i = 0; i < x->id_count; i++) {
        if (x->ids[i] >= m->vocabulary || x->id_labels[i] >= m->vocabulary)
            return arena_printf(a, "$.%s[%d]: the model has %lld tokens",
                                x->ids[i] >= m->vocabulary ? "input_ids" : "labels", i,
                                (long long)m->vocabulary);
        m->ids[i] = x->ids[i];
        m->types[i] = x->id_types ? x->id_types[i] : 0;
        m->labels[i] = x->id_labels[i];
        if (m->labels[i] >= 0) m->places[m->asked++] = i;
    }
    return NULL;
}

// A text with masks, and words for them.
static const char *take_cloze(masked *m, const data_example *x, const char *mask, arena *a, bertc_error *e) {
    const bertc_token *tokens, *filled;
    bertc_text text;
    size_t n, filled_n;
    const char *why = cloze_fill(x, mask, &text, a);
    if (!why) why = tokens_of(m, &x->text, &tokens, &n, e);
    if (why) return why;
    bertc_token *kept = arena_dup(a, tokens, n * sizeof *kept);
    if ((why = tokens_of(m, &text, &filled, &filled_n, e))) return why;
    if (!make_room(m, (int64_t)n)) return "out of memory";
    if ((why = cloze_labels(x, kept, n, filled, filled_n, m->mask_id, m->labels, a))) return why;
    for (size_t i = 0; i < n; i++) {
        m->ids[i] = kept[i].id;
        m->types[i] = kept[i].type;
        if (m->labels[i] >= 0) m->places[m->asked++] = (int)i;
    }
    return NULL;
}

static const char *take_example(masked *m, const data_example *x, arena *a, bertc_error *e) {
    const char *mask = bertc_token_text(m->v->model, m->mask_id);
    bool cloze = !x->id_count && mask && cloze_is(x, mask);
    m->asked = 0;
    m->given = x->id_count || cloze;
    if (x->id_count) return take_ids(m, x, a);
    return cloze ? take_cloze(m, x, mask, a, e) : take_text(m, &x->text, e);
}

// -log p of a token, and whether it is the likeliest one.
static double loss_of(const masked *m, const float *logits, int32_t id, bool *likeliest) {
    double most = (double)logits[0], sum = 0;
    for (int64_t i = 1; i < m->vocabulary; i++) most = fmax(most, (double)logits[i]);
    for (int64_t i = 0; i < m->vocabulary; i++) sum += exp((double)logits[i] - most);
    *likeliest = (double)logits[id] == most;
    return most + log(sum) - (double)logits[id];
}

// One row for each place from `from` on; where the masks are given, one for all.
static bool ask(masked *m, int from, int rows, double *loss, int64_t *right, bertc_error *e) {
    int outputs = m->v->info.output_count;
    float **buffers = memory_zero((size_t)outputs, sizeof *buffers);
    if (!buffers) return snprintf(e->message, sizeof e->message, "out of memory"), false;
    for (int i = 0; i < rows; i++) {
        int32_t *row = m->grid_ids + i * m->length;
        memcpy(row, m->ids, (size_t)m->length * sizeof *row);
        memcpy(m->grid_types + i * m->length, m->types, (size_t)m->length * sizeof *row);
        if (!m->given) row[m->places[from + i]] = m->mask_id;
    }
    bertc_batch batch = {BERTC_SIZED(bertc_batch), .batch = rows, .length = m->length,
                         .input_ids = m->grid_ids, .token_type_ids = m->grid_types};
    buffers[m->output] = m->logits;
    bool ok = bertc_run(m->session, &batch, buffers, NULL, e), likeliest;
    for (int i = 0; ok && i < (m->given ? m->asked : rows); i++) {
        int at = m->places[from + i], row = m->given ? 0 : i;
        *loss += loss_of(m, m->logits + (row * m->length + at) * m->vocabulary, m->labels[at], &likeliest);
        *right += likeliest;
    }
    free(buffers);
    return ok;
}

static void add(tally *one, double loss, int64_t right, int asked) {
    one->count++;
    one->loss += loss;
    one->tokens += asked;
    one->right_tokens += right;
}

static const char *count_text(masked *m, const data_example *e, arena *a, bertc_error *error) {
    double loss = 0;
    int64_t right = 0;
    const char *why = take_example(m, e, a, error);
    if (why) return why;
    if (m->given && m->asked && !ask(m, 0, 1, &loss, &right, error)) return error->message;
    for (int from = 0; !m->given && from < m->asked; from += (int)m->rows) {
        int rows = m->asked - from < m->rows ? m->asked - from : (int)m->rows;
        if (!ask(m, from, rows, &loss, &right, error)) return error->message;
    }
    if (!isfinite(loss)) return "has a token whose probability is 0, or no number";
    tallies *t = &m->v->tallies;
    add(&t->all, loss, right, m->asked);
    tally *group = e->group ? tallies_group(t, e->group) : NULL;
    if (e->group && !group) return "is of one group too many";
    if (group) add(group, loss, right, m->asked);
    t->ungrouped += m->v->options->group_by && !e->group;
    return NULL;
}

static void masked_free(masked *m) {
    free(m->ids);
    free(m->types);
    free(m->grid_ids);
    free(m->grid_types);
    free(m->places);
    free(m->labels);
    free(m->logits);
    if (m->session) bertc_close(m->session);
}

bool evaluate_perplexity(evaluation *v, diag *d) {
    masked m = {.v = v};
    bertc_error e;
    data_example x;
    arena *a = arena_new();
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = evaluate_threads(v->options)};
    bool shown = is_terminal(2);
    m.session = bertc_open(v->model, &so, &e);
    bool ok = m.session ? find_logits(&m, d) && find_mask(&m, d) : runtime_failed(d, &e);
    while (ok && data_next(v->source, &x, a, d)) {
        bool blank = !x.error && !x.text.size && !x.id_count; // documents end there
        const char *why = x.error ? x.error : blank ? NULL : count_text(&m, &x, a, &e);
        if (why) data_report(v->source, &x, why, d);
        arena_free(a);
        a = arena_new();
        if (shown) fprintf(stderr, "\r%lld texts\033[K", (long long)v->tallies.all.count);
    }
    if (shown) fprintf(stderr, "\r\033[K");
    arena_free(a);
    masked_free(&m);
    return ok;
}
