// `bertc run MODEL --attention LAYER,HEAD TEXT`: whom each token looks at, as a table, JSON or SVG.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/columns.h"
#include "frontend/cli/run/draw.h"
#include "frontend/cli/run/run.h"
#include "ir/memory.h"
#include "ir/output_file.h"

typedef struct seen {
    int64_t n;
    int32_t *ids, *types;
    char **tokens;
    int64_t *words; // the number of each token's word; special tokens are words of their own
    float *weights; // [heads, n, n]
} seen;

static void seen_free(seen *x) {
    for (int64_t i = 0; x->tokens && i < x->n; i++) free(x->tokens[i]);
    free(x->tokens);
    free(x->ids);
    free(x->types);
    free(x->words);
    free(x->weights);
}

// A token's part of the text, without spaces round it; for a special token its name.
static char *token_label(const bertc_model *model, const bertc_text *text, const bertc_token *t) {
    const char *name = bertc_token_text(model, t->id), *of = t->text == 1 ? text->pair : text->text;
    if (t->text < 0 || t->byte_end <= t->byte_start) return memory_strdup(name ? name : "");
    const char *from = of + t->byte_start, *to = of + t->byte_end;
    while (from + 1 < to && (*from == ' ' || *from == '\n' || *from == '\t')) from++;
    return memory_strndup(from, (size_t)(to - from));
}

static bool read_tokens(const run_options *o, const bertc_model *model, bertc_session *s,
                        const bertc_text *text, seen *x, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_error e;
    const bertc_token *tokens;
    size_t n;
    bertc_model_describe(model, &info, NULL);
    int64_t most =
        o->read.max_tokens && o->read.max_tokens < info.max_length ? o->read.max_tokens : info.max_length;
    bertc_text_options options = run_text_options(o);
    options.max_tokens = most;
    if (!bertc_tokenize_with(s, text, &options, &tokens, &n, &e)) return runtime_failed(d, &e);
    x->n = (int64_t)n;
    x->ids = memory_zero(n, sizeof *x->ids);
    x->types = memory_zero(n, sizeof *x->types);
    x->tokens = memory_zero(n, sizeof *x->tokens);
    x->words = memory_zero(n, sizeof *x->words);
    bool ok = x->ids && x->types && x->tokens && x->words;
    for (size_t i = 0; ok && i < n; i++) {
        bool same = i && tokens[i].text >= 0 && tokens[i].text == tokens[i - 1].text &&
                    tokens[i].word == tokens[i - 1].word;
        x->words[i] = i ? x->words[i - 1] + !same : 0;
        x->ids[i] = tokens[i].id;
        x->types[i] = tokens[i].type;
        ok = (x->tokens[i] = token_label(model, text, &tokens[i])) != NULL;
    }
    return ok || diag_error(d, NULL, "out of memory for %zu tokens", n);
}

static int find_output(const bertc_model *model, int64_t layer) {
    char name[48];
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    snprintf(name, sizeof name, "attentions.%" PRId64, layer);
    for (int i = 0; i < info.output_count; i++)
        if (!strcmp(bertc_output_name(model, i), name)) return i;
    return -1;
}

static bool no_layer(const bertc_model *model, int64_t layer, diag *d) {
    char layers[200] = "";
    size_t n = 0;
    for (int64_t i = 0; i < 1000 && n < sizeof layers; i++)
        if (find_output(model, i) >= 0)
            n += (size_t)snprintf(layers + n, sizeof layers - n, "%s%" PRId64, n ? ", " : "", i);
    if (*layers)
        return diag_error(d, "--attention", "there is no layer %" PRId64 ": the model gives attentions of %s",
                          layer, layers);
    return diag_error(d, "--attention",
                      "the model gives no attentions: compile it with --outputs attentions");
}

static bool run_model(const run_options *o, const bertc_model *model, bertc_session *s, seen *x, diag *d) {
    int64_t layer = o->attention.v[0], head = o->attention.v[1];
    int output = find_output(model, layer);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_error e;
    bertc_model_describe(model, &info, NULL);
    if (output < 0) return no_layer(model, layer, d);
    bertc_tensor *tensors = memory_zero((size_t)info.output_count, sizeof *tensors);
    float **buffers = memory_zero((size_t)info.output_count, sizeof *buffers);
    x->weights = memory_alloc(bertc_output_bytes(model, output, 1, x->n), 1);
    bool ok = tensors && buffers && x->weights;
    if (ok) tensors[0].size = sizeof *tensors;
    if (!ok) diag_error(d, NULL, "out of memory for %" PRId64 " tokens", x->n);
    bertc_batch b = {BERTC_SIZED(bertc_batch), .batch = 1, .length = x->n, .input_ids = x->ids,
                     .token_type_ids = x->types};
    if (ok) {
        buffers[output] = x->weights;
        ok = bertc_run(s, &b, buffers, tensors, &e) || runtime_failed(d, &e);
    }
    if (ok && head >= tensors[output].shape[1])
        ok = diag_error(d, "--attention", "there are heads 0 to %" PRId64, tensors[output].shape[1] - 1);
    int64_t weights = ok ? tensors[output].shape[1] * x->n * x->n : 0;
    for (int64_t i = 0; ok && i < weights; i++)
        if (!isfinite(x->weights[i]))
            ok = diag_error(d, "--attention", "layer %" PRId64 " gives NaN or infinity for this text", layer);
    free(tensors);
    free(buffers);
    return ok;
}

// --- As text

static void print_table(const attention_map *m) {
    columns_cut(stdout, "", 14, true);
    for (int64_t k = 0; k < m->n; k++) {
        putchar(' ');
        columns_cut(stdout, m->tokens[k], 6, false);
    }
    putchar('\n');
    for (int64_t i = 0; i < m->n; i++) {
        columns_cut(stdout, m->tokens[i], 14, true);
        for (int64_t k = 0; k < m->n; k++) printf(" %6.3f", (double)m->weights[i * m->n + k]);
        putchar('\n');
    }
}

// Whom each token looks at most, where a table would be too wide.
static void print_best(const attention_map *m) {
    enum { BEST = 5 };
    for (int64_t i = 0; i < m->n; i++) {
        const float *w = m->weights + i * m->n;
        int64_t best[BEST];
        columns_cut(stdout, m->tokens[i], 14, true);
        for (int b = 0; b < BEST; b++) {
            best[b] = -1;
            for (int64_t k = 0; k < m->n; k++) {
                bool taken = false;
                for (int c = 0; c < b; c++) taken |= best[c] == k;
                if (!taken && (best[b] < 0 || w[k] > w[best[b]])) best[b] = k;
            }
            printf("  %s %.3f", m->tokens[best[b]], (double)w[best[b]]);
        }
        putchar('\n');
    }
}

static void print_map_json(const attention_map *m) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "layer", (double)m->layer);
    cJSON_AddNumberToObject(o, "head", (double)m->head);
    cJSON *tokens = cJSON_AddArrayToObject(o, "tokens"), *rows = cJSON_AddArrayToObject(o, "attention");
    for (int64_t i = 0; i < m->n; i++) {
        cJSON_AddItemToArray(tokens, cJSON_CreateString(m->tokens[i]));
        cJSON_AddItemToArray(rows, cJSON_CreateFloatArray(m->weights + i * m->n, (int)m->n));
    }
    print_json(o);
}

// --- Drawn

// The map of whole words: a word is looked at as much as its pieces together, and looks as they do in the mean. NULL: no memory.
static attention_map *join_words(const attention_map *m, const int64_t *words) {
    int64_t n = m->n ? words[m->n - 1] + 1 : 0;
    attention_map *out = memory_zero(1, sizeof *out);
    float *weights = memory_zero((size_t)n * (size_t)n + 1, sizeof *weights);
    char **names = memory_zero((size_t)n + 1, sizeof *names);
    bool ok = out && weights && names;
    for (int64_t i = 0; ok && i < m->n; i++) {
        char **name = &names[words[i]],
             *longer = memory_alloc((*name ? strlen(*name) : 0) + strlen(m->tokens[i]) + 1, 1);
        ok = longer != NULL;
        if (ok) sprintf(longer, "%s%s", *name ? *name : "", m->tokens[i]);
        free(*name);
        *name = longer;
    }
    for (int64_t i = 0; ok && i < m->n; i++) {
        int64_t pieces = 0;
        for (int64_t k = i; k >= 0 && words[k] == words[i]; k--) pieces++;
        for (int64_t k = i + 1; k < m->n && words[k] == words[i]; k++) pieces++;
        for (int64_t k = 0; k < m->n; k++)
            weights[words[i] * n + words[k]] += m->weights[i * m->n + k] / (float)pieces;
    }
    if (ok) *out = (attention_map){m->layer, m->head, n, names, weights, 0};
    if (ok) return out;
    for (int64_t i = 0; names && i < n; i++) free(names[i]);
    free(names);
    free(weights);
    free(out);
    return NULL;
}

static void joined_free(attention_map *m) {
    for (int64_t i = 0; i < m->n; i++) free(m->tokens[i]);
    free(m->tokens);
    free((void *)(uintptr_t)m->weights);
    free(m);
}

// The end of the colours: the largest weight, up to the next round number.
static double largest_weight(const attention_map *m) {
    double most = 0;
    for (int64_t i = 0; i < m->n * m->n; i++) most = fmax(most, (double)m->weights[i]);
    for (double end = 1e-4; end < 1; end *= 10)
        for (int k = 1; k <= 5; k += k == 1 ? 1 : 3)
            if (most <= end * k) return end * k;
    return 1;
}

static bool save_map(attention_map *m, const char *path, diag *d) {
    char *svg = NULL;
    size_t size = 0;
    FILE *f = memory_stream(&svg, &size);
    m->largest = largest_weight(m);
    bool ok = f && draw_attention(f, m);
    if (f && !memory_stream_end(f, &svg)) ok = false;
    ok = ok ? output_file_text(path, svg, size, true, d) : diag_error(d, path, "out of memory");
    free(svg);
    return ok;
}

static bool save_words(const run_options *o, attention_map *m, const int64_t *words, diag *d) {
    if (o->pieces) return save_map(m, o->output, d);
    attention_map *joined = join_words(m, words);
    if (!joined) return diag_error(d, o->output, "out of memory");
    bool ok = save_map(joined, o->output, d);
    joined_free(joined);
    return ok;
}

bool run_attention(const run_options *o, const bertc_model *model, bertc_session *s, const char *word,
                   diag *d) {
    seen x = {0};
    const bertc_text text = {
        .text = word, .size = strlen(word), .pair = o->pair, .pair_size = o->pair ? strlen(o->pair) : 0};
    bool ok = read_tokens(o, model, s, &text, &x, d) && run_model(o, model, s, &x, d);
    if (ok) {
        attention_map m = {o->attention.v[0],
                           o->attention.v[1],
                           x.n,
                           x.tokens,
                           x.weights + o->attention.v[1] * x.n * x.n,
                           0};
        if (o->output)
            ok = save_words(o, &m, x.words, d);
        else if (o->json)
            print_map_json(&m);
        else if (x.n <= 20)
            print_table(&m);
        else
            print_best(&m);
    }
    seen_free(&x);
    return ok;
}
