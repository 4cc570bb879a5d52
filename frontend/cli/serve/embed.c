// Embeddings: of one number each, of weights for the vocabulary, and of a vector for each token.
#include <math.h>
#include <string.h>

#include "frontend/cli/serve/inputs.h"
#include "frontend/cli/serve/routes.h"

static cJSON *key(call *c, const char *name) {
    cJSON *x = cJSON_GetObjectItemCaseSensitive(c->json, name);
    return cJSON_IsNull(x) ? NULL : x;
}

static bool embeds(call *c, bool normalize) {
    c->work.keep = KEEP_EMBEDDING;
    c->normalize = normalize;
    c->work.options.plain_text = true;
    return true;
}

// Settings may follow what the texts are: ids have no prompt, and are cut and scaled here.
static bool settings(call *c) {
    if (!settings_read(c, c->json, "", false)) return false;
    if (c->dimensions > c->model->info.embedding_width)
        return call_wrong(c, "`dimensions` is %d, and the model's embeddings have %d numbers", c->dimensions,
                          c->model->info.embedding_width);
    if (c->work.kind == WORK_OUTPUT && (c->work.options.prompt || c->work.options.prompt_name))
        return call_wrong(c, "a prompt goes before a text, not before token ids");
    return true;
}

bool embed_begin(call *c) {
    return embeds(c, true) && inputs_read(c, key(c, "inputs"), "inputs") && settings(c) &&
           inputs_count(c, false);
}

// As the runtime does for texts.
static void scale(float *x, int64_t n) {
    double square = 0;
    for (int64_t i = 0; i < n; i++) square += (double)x[i] * (double)x[i];
    double length = sqrt(square);
    if (!(length > 1e-12)) length = 1e-12;
    for (int64_t i = 0; i < n; i++) x[i] = (float)((double)x[i] / length);
}

// Of token ids, the output as it is becomes what an embedding of text is.
static void from_ids(const call *c, job *j) {
    int64_t n = c->dimensions ? c->dimensions : c->model->info.embedding_size;
    if (c->work.kind != WORK_OUTPUT) return;
    j->width = n;
    if (c->normalize && (!c->model->unit || c->dimensions)) scale(j->numbers, n);
}

void embed_finish(call *c) {
    out_text(&c->reply, "[");
    for (int i = 0; i < c->work.count; i++) {
        job *j = &c->work.jobs[i];
        from_ids(c, j);
        if (i) out_text(&c->reply, ", ");
        out_floats(&c->reply, j->numbers, (size_t)j->width);
    }
    out_text(&c->reply, "]");
}

// --- OpenAI's

bool openai_begin(call *c) {
    const char *format = NULL;
    if (!embeds(c, true) || !inputs_read(c, key(c, "input"), "input") || !settings(c) ||
        !settings_text(c, c->json, "encoding_format", &format))
        return false;
    c->base64 = format && !strcmp(format, "base64");
    if (format && !c->base64 && strcmp(format, "float") != 0)
        return call_wrong(c, "`encoding_format` is \"%.40s\", which is none of float, base64", format);
    return inputs_count(c, false);
}

void openai_finish(call *c) {
    out *o = &c->reply;
    out_text(o, "{\"object\": \"list\", \"data\": [");
    for (int i = 0; i < c->work.count; i++) {
        job *j = &c->work.jobs[i];
        from_ids(c, j);
        out_format(o, "%s{\"object\": \"embedding\", \"index\": %d, \"embedding\": ", i ? ", " : "", i);
        if (c->base64)
            out_base64(o, j->numbers, (size_t)j->width * sizeof(float));
        else
            out_floats(o, j->numbers, (size_t)j->width);
        out_text(o, "}");
    }
    out_text(o, "], \"model\": ");
    out_quoted(o, c->model->name);
    out_format(o, ", \"usage\": {\"prompt_tokens\": %lld, \"total_tokens\": %lld}}", (long long)c->tokens,
               (long long)c->tokens);
}

// --- Weights for the vocabulary

bool sparse_begin(call *c) {
    c->work.keep = KEEP_SPARSE;
    c->work.options.plain_text = true;
    return inputs_read(c, key(c, "inputs"), "inputs") && settings_read(c, c->json, "", false) &&
           inputs_count(c, false);
}

void sparse_finish(call *c) {
    out *o = &c->reply;
    out_text(o, "[");
    for (int i = 0; i < c->work.count; i++) {
        const job *j = &c->work.jobs[i];
        out_text(o, i ? ", [" : "[");
        for (int k = 0; k < j->score_count; k++) {
            out_format(o, "%s{\"index\": %d, \"value\": ", k ? ", " : "", j->scores[k].id);
            out_float(o, j->scores[k].score);
            out_text(o, "}");
        }
        out_text(o, "]");
    }
    out_text(o, "]");
}

// --- A vector for each token

bool all_begin(call *c) {
    c->work.keep = KEEP_VECTORS;
    c->work.options.plain_text = true;
    bool ids = !c->model->info.vector_width;
    if (ids) c->work.output = served_output(c->model, "last_hidden_state");
    return inputs_read(c, key(c, "inputs"), "inputs") && settings_read(c, c->json, "", false) &&
           settings_flag(c, c->json, "return_tokens", &c->return_tokens) && inputs_count(c, ids);
}

static void write_vectors(out *o, const job *j) {
    out_text(o, "[");
    for (int64_t r = 0; r < j->rows; r++) {
        if (r) out_text(o, ", ");
        out_floats(o, j->numbers + r * j->width, (size_t)j->width);
    }
    out_text(o, "]");
}

void all_finish(call *c) {
    out *o = &c->reply;
    out_text(o, "[");
    for (int i = 0; i < c->work.count; i++) {
        const job *j = &c->work.jobs[i];
        if (i) out_text(o, ", ");
        if (c->return_tokens) {
            out_text(o, "{\"tokens\": ");
            if (!look_write_vector_tokens(c, j)) return;
            out_text(o, ", \"vectors\": ");
        }
        write_vectors(o, j);
        if (c->return_tokens) out_text(o, "}");
    }
    out_text(o, "]");
}

// --- Similarity of a sentence and others: the first of the texts, and the rest

bool similarity_begin(call *c) {
    cJSON *inputs = key(c, "inputs"), *parameters = key(c, "parameters"),
          *source = cJSON_GetObjectItemCaseSensitive(inputs, "source_sentence"),
          *sentences = cJSON_GetObjectItemCaseSensitive(inputs, "sentences");
    if (!cJSON_IsObject(inputs))
        return call_wrong(c, "`inputs` must be an object with source_sentence and sentences");
    if (parameters && !cJSON_IsObject(parameters)) return call_wrong(c, "`parameters` must be an object");
    if (!cJSON_IsString(source)) return call_wrong(c, "missing field `source_sentence`");
    if (!cJSON_IsArray(sentences)) return call_wrong(c, "missing field `sentences`: a list of strings");
    if (!sentences->child) return call_fail(c, 400, FAILURE_EMPTY, "Empty", "`sentences` cannot be empty");
    embeds(c, false);
    if (!settings_read(c, parameters ? parameters : c->json, "", false)) return false;
    // The first of the list, for the engine to answer them all alike.
    cJSON_InsertItemInArray(sentences, 0, cJSON_DetachItemFromObjectCaseSensitive(inputs, "source_sentence"));
    return inputs_read_list(c, NULL, sentences, "sentences") && inputs_count(c, false);
}

static float alike(bertc_similarity how, const float *a, const float *b, int64_t n) {
    double dot = 0, first = 0, second = 0, far = 0, steps = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i];
        dot += x * y, first += x * x, second += y * y;
        far += (x - y) * (x - y), steps += fabs(x - y);
    }
    if (how == BERTC_SIMILARITY_DOT) return (float)dot;
    if (how == BERTC_SIMILARITY_EUCLIDEAN) return (float)-sqrt(far);
    if (how == BERTC_SIMILARITY_MANHATTAN) return (float)-steps;
    double lengths = sqrt(first) * sqrt(second);
    return lengths > 0 ? (float)(dot / lengths) : 0;
}

void similarity_finish(call *c) {
    out_text(&c->reply, "[");
    for (int i = 1; i < c->work.count; i++) {
        if (i > 1) out_text(&c->reply, ", ");
        out_float(&c->reply, alike((bertc_similarity)c->model->info.similarity, c->work.jobs[0].numbers,
                                   c->work.jobs[i].numbers, c->work.jobs[i].width));
    }
    out_text(&c->reply, "]");
}
