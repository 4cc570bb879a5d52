// Heads: the ops on the last layer's rows, and the outputs, under Transformers' names.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/config/activation.h"
#include "frontend/hub/encoder/encoder.h"

static value last(const hub_builder *b) {
    return b->hidden[b->config->layers];
}

// Is there a pooler's result? A pooler that is switched off gives the first row unchanged.
static bool pools(const hub_builder *b) {
    return hub_build_has(b, MODULE_POOLER) ||
           (b->config->family->traits & TRAIT_POOLER && b->config->off[MODULE_POOLER]);
}

static value pooler(hub_builder *b) {
    if (b->pooled == VALUE_NONE) {
        value x = hub_build_pooled(b, last(b), 1, (hub_pooling[]){POOLING_CLS});
        if (hub_build_has(b, MODULE_POOLER))
            x = graph_op1(b->g, OP_tanh, hub_build_linear(b, x, MODULE_POOLER, -1));
        b->pooled = hub_build_named(b, x, "pooler");
    }
    return b->pooled;
}

static value transformed(hub_builder *b, value x) {
    if (!hub_build_has(b, MODULE_TRANSFORM)) return x;
    x = hub_activation(b->g, b->config->predict, hub_build_linear(b, x, MODULE_TRANSFORM, -1));
    return hub_build_named(b, hub_build_norm(b, x, MODULE_TRANSFORM_NORM, -1), "transform");
}

static value with_decoder_bias(hub_builder *b, value x) {
    hub_module bias = MODULE_PREDICTION_BIAS;
    if (!hub_weight_of(b->weights, bias, -1, PART_WEIGHT)->tensor) bias = MODULE_DECODER_BIAS;
    if (!hub_build_has(b, bias)) return x;
    return graph_op2(b->g, OP_add, x, hub_build_weight(b, bias, -1, PART_WEIGHT, false));
}

// Logits over the vocabulary for the rows that the caller chooses.
static value predictions(hub_builder *b) {
    value x = transformed(b, graph_op2(b->g, OP_gather, last(b), b->rows));
    x = with_decoder_bias(b, graph_op2(b->g, OP_matmul, x, hub_build_decoder(b)));
    return hub_build_named(b, x, "predictions");
}

// log(1 + relu(x)), or the logarithm of 1 and that once more.
static value as_weight(hub_builder *b, value x) {
    graph *g = b->g;
    x = graph_op2(g, OP_maximum, x, graph_scalar(g, 0));
    for (int i = 0; i <= b->config->sentence.splade.twice; i++)
        x = graph_op1(g, OP_log, graph_op2(g, OP_add, x, graph_scalar(g, 1)));
    return x;
}

// A weight for each token of the vocabulary, [S,V]. A maximum is taken first: what follows never falls as logits
// rise, and is then computed once a text in place of once a token.
static value sparse(hub_builder *b) {
    value decoder = hub_build_decoder(b);
    value x = graph_op2(b->g, OP_matmul, transformed(b, last(b)), decoder);
    if (!b->config->sentence.splade.sum)
        return as_weight(b, with_decoder_bias(b, hub_build_pooled(b, x, 1, (hub_pooling[]){POOLING_MAX})));
    return hub_build_pooled(b, as_weight(b, with_decoder_bias(b, x)), 1, (hub_pooling[]){POOLING_SUM});
}

static value classified(hub_builder *b, value x, hub_module m, const char *name) {
    return hub_build_named(b, hub_build_linear(b, x, m, -1), name);
}

// The value that a text's classifier reads: the pooler's, or the text's row through a dense layer of its
// own; all rows, if the classifier's results are pooled.
static value summary(hub_builder *b) {
    hub_pooling pooling = b->config->pooling;
    bool transforms = b->config->family->traits & TRAIT_TRANSFORMS,
         dense = hub_build_has(b, MODULE_CLASSIFIER_DENSE);
    if (!transforms && !dense && pooling != POOLING_LAST) return pooler(b);
    value x = pooling == POOLING_LATE ? last(b) : hub_build_pooled(b, last(b), 1, &pooling);
    if (transforms) return transformed(b, x);
    if (!dense) return x;
    x = hub_build_dropped(b, x, DROP_DENSE);
    return hub_activation(b->g, b->config->classify, hub_build_linear(b, x, MODULE_CLASSIFIER_DENSE, -1));
}

static value text_logits(hub_builder *b) {
    value x = hub_build_dropped(b, summary(b), DROP_TEXT);
    x = classified(b, x, MODULE_CLASSIFIER, "classifier");
    bool late = b->config->pooling == POOLING_LATE;
    return late ? hub_build_pooled(b, x, 1, (hub_pooling[]){POOLING_MEAN}) : x;
}

// What a classifier of tokens reads.
static value tokens(hub_builder *b) {
    return b->config->family->traits & TRAIT_TRANSFORMS ? transformed(b, last(b)) : last(b);
}

// Of each token whether it was replaced, [T].
static value detected(hub_builder *b) {
    value x = hub_build_linear(b, last(b), MODULE_DETECTOR_DENSE, -1);
    x = hub_activation(b->g, b->config->activation, x);
    dim rows = dim_sym(SYM_T);
    return graph_reshape(b->g, classified(b, x, MODULE_DETECTOR, "detector"), 1, &rows);
}

// Column `i` of [T,2], as [T].
static value span_column(hub_builder *b, value spans, int i) {
    dim begin[] = {dim_num(0), dim_num(i)}, end[] = {dim_sym(SYM_T), dim_num(i + 1)}, rows = dim_sym(SYM_T);
    return graph_reshape(b->g, graph_slice(b->g, spans, 2, begin, end), 1, &rows);
}

static void build_head(hub_builder *b, diag *d) {
    graph *g = b->g;
    value x;
    switch (b->config->head) {
    case HEAD_MODEL:
        graph_output_add(g, "last_hidden_state", last(b));
        if (pools(b)) {
            graph_output_add(g, "pooler_output", pooler(b));
        } else if (b->config->family->traits & TRAIT_POOLER) {
            diag_note(d, b->weights->checkpoint->where, "has no pooler: there is no pooler_output");
        }
        break;
    case HEAD_MASKED_LM: graph_output_add(g, "logits", predictions(b)); break;
    case HEAD_NEXT_SENTENCE:
        graph_output_add(g, "logits", classified(b, pooler(b), MODULE_RELATIONSHIP, "relationship"));
        break;
    case HEAD_PRETRAINING:
        graph_output_add(g, "prediction_logits", predictions(b));
        x = hub_build_dropped(b, pooler(b), DROP_ORDER);
        x = classified(b, x, MODULE_RELATIONSHIP, "relationship");
        graph_output_add(g, b->config->family->order ? b->config->family->order : TASK_ORDER, x);
        break;
    case HEAD_SEQUENCE: graph_output_add(g, "logits", text_logits(b)); break;
    case HEAD_TOKEN:
        x = hub_build_dropped(b, tokens(b), DROP_TOKEN);
        graph_output_add(g, "logits", classified(b, x, MODULE_TAGGER, "classifier"));
        break;
    case HEAD_ANSWER:
        x = classified(b, hub_build_dropped(b, tokens(b), DROP_SPAN), MODULE_SPAN, "spans");
        graph_output_add(g, "start_logits", span_column(b, x, 0));
        graph_output_add(g, "end_logits", span_column(b, x, 1));
        break;
    case HEAD_DISCRIMINATOR: graph_output_add(g, "logits", detected(b)); break;
    case HEAD_SEVERAL:
        if (b->config->sentence.several[ANSWER_DENSE]) graph_output_add(g, "embedding", hub_build_dense(b));
        if (b->config->sentence.several[ANSWER_SPARSE])
            graph_output_add(g, "token_weights", hub_build_token_weights(b));
        if (b->config->sentence.several[ANSWER_VECTORS])
            graph_output_add(g, "vectors", hub_build_head_vectors(b));
        break;
    case HEAD_VECTORS: graph_output_add(g, "vectors", hub_build_vectors(b)); break;
    case HEAD_SPARSE: graph_output_add(g, "sparse", hub_build_named(b, sparse(b), "sparse")); break;
    case HEAD_EMBEDDING: graph_output_add(g, "embedding", hub_build_embedding(b)); break;
    case HEAD_COUNT: break;
    }
}

// --- Outputs that are asked for

static bool has_output(const hub_builder *b, const char *name) {
    for (int i = 0; i < b->g->output_count; i++) {
        if (!strcmp(name, b->g->outputs[i].name)) return true;
    }
    return false;
}

static void add_output(hub_builder *b, const char *what, int i) {
    const char *name = arena_printf(b->g->arena, "%s.%d", what, i);
    if (has_output(b, name)) return;
    graph_output_add(b->g, name, what[0] == 'h' ? b->hidden[i] : hub_build_attentions(b, i));
}

// "WHAT": all `n` of them; "WHAT.3": that one. False where the name is another.
static bool add_series(hub_builder *b, const char *name, const char *what, int n) {
    size_t length = strlen(what);
    if (strncmp(name, what, length)) return false;
    if (!name[length]) {
        for (int i = 0; i < n; i++) add_output(b, what, i);
        return true;
    }
    char *end;
    if (name[length] != '.' || name[length + 1] < '0' || name[length + 1] > '9') return false;
    long i = strtol(name + length + 1, &end, 10);
    if (*end || i >= n) return false;
    add_output(b, what, (int)i);
    return true;
}

static bool add_named(hub_builder *b, const char *name, diag *d) {
    int layers = (int)b->config->layers, maps = b->config->family->traits & TRAIT_FOURIER ? 0 : layers;
    if (has_output(b, name)) return true;
    if (add_series(b, name, "hidden_states", layers + 1) || add_series(b, name, "attentions", maps))
        return true;
    if (!strcmp(name, "last_hidden_state")) {
        graph_output_add(b->g, name, last(b));
    } else if (!strcmp(name, "pooler_output") && pools(b)) {
        graph_output_add(b->g, name, pooler(b));
    } else {
        char attentions[80] = "";
        if (maps) snprintf(attentions, sizeof attentions, ", attentions (or one of .0 to .%d)", maps - 1);
        return diag_error(
            d, "--outputs",
            "the model has no output %.100s: there are %slast_hidden_state%s, hidden_states (or one "
            "of .0 to .%d)%s",
            name, b->config->sentence.offers_several ? "dense, sparse, colbert, " : "",
            pools(b) ? ", pooler_output" : "", layers, attentions);
    }
    return true;
}

bool hub_build_head(hub_builder *b, const char *outputs, diag *d) {
    bool ok = true;
    build_head(b, d);
    for (const char *p = outputs; p && *p;) {
        size_t n = strcspn(p, ",");
        if (n) ok &= add_named(b, arena_strndup(b->g->arena, p, n), d);
        p += n + (p[n] == ',');
    }
    return ok;
}
