#include "frontend/cli/serve/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/memory.h"

// --- Names

static bool in_path(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static bool names(served *m, const char *word, diag *d) {
    const char *sign = strchr(word, '=');
    m->path = word;
    if (sign && access(word, F_OK) != 0) {
        m->name = memory_must(memory_strndup(word, (size_t)(sign - word)));
        m->path = sign + 1;
    } else {
        size_t n = strlen(word);
        while (n > 1 && word[n - 1] == '/') n--;
        size_t from = n;
        while (from && word[from - 1] != '/') from--;
        m->name = memory_must(memory_strndup(word + from, n - from));
        char *dot = strrchr(m->name, '.');
        if (dot && dot > m->name && !strcmp(dot, ".so")) *dot = 0;
    }
    for (const char *c = m->name; *c; c++)
        if (!in_path(*c))
            return diag_error(d, word,
                              "the name \"%s\" would stand in paths, and has a character other than letters, "
                              "digits, '-', '_' and '.': say NAME=%s",
                              m->name, m->path);
    return *m->name || diag_error(d, word, "has no name: say NAME=PATH");
}

// --- What it is

static void describe(served *m) {
    const char *json = bertc_model_json(m->model);
    m->description = json ? cJSON_Parse(json) : NULL;
    m->dtype = cJSON_GetStringValue(cJSON_GetObjectItem(m->description, "dtype"));
}

// An embedding that the model's graph makes of length 1 is answered as it is: to do so again would change its last bits.
static bool finds_length(served *m, diag *d) {
    if (!m->info.embedding_size || !m->info.has_tokenizer) return true;
    bertc_text text = {.text = "a", .size = 1};
    bertc_text_options o = {BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST};
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    if (!bertc_answer_texts(m->session, &text, 1, &o, &r, &e)) return runtime_failed(d, &e);
    double sum = 0;
    for (int i = 0; i < r.embedding_size; i++) sum += (double)r.embedding[i] * (double)r.embedding[i];
    m->unit = fabs(sqrt(sum) - 1) < 1e-5;
    return true;
}

bool served_open(served *m, const char *word, const served_options *o, diag *d) {
    bertc_error e;
    *m = (served){.info = BERTC_MODEL_INFO_INIT};
    pthread_mutex_init(&m->reading, NULL);
    if (!names(m, word, d)) return false;
    d->subject = m->path;
    if (!opened_open(&m->opened, m->path, o->build, d)) return false;
    m->model = m->opened.model;
    if (!bertc_model_describe(m->model, &m->info, &e)) return runtime_failed(d, &e);
    if (!m->info.has_tokenizer)
        return diag_error(d, m->path,
                          "has no tokenizer, so it can answer no text: compile a folder that has one");
    describe(m);
    m->decodes = decode_kind_of(m->model);
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = o->threads,
                                .huge_pages = o->huge_pages};
    m->session = bertc_open(m->model, &so, &e);
    if (m->session) m->reader = bertc_open(m->model, NULL, &e);
    return m->reader ? finds_length(m, d) : runtime_failed(d, &e);
}

void served_close(served *m) {
    if (m->reader) bertc_close(m->reader);
    if (m->session) bertc_close(m->session);
    opened_close(&m->opened);
    cJSON_Delete(m->description);
    free(m->name);
    pthread_mutex_destroy(&m->reading);
    *m = (served){0};
}

int served_output(const served *m, const char *name) {
    for (int i = 0; i < m->info.output_count; i++)
        if (!strcmp(bertc_output_name(m->model, i), name)) return i;
    return -1;
}

static bool has_attention(const served *m) {
    for (int i = 0; i < m->info.output_count; i++)
        if (!strncmp(bertc_output_name(m->model, i), "attentions.", strlen("attentions."))) return true;
    return false;
}

bool served_can(const served *m, ability what) {
    int task = m->info.task;
    bool labels =
        task == BERTC_TASK_CLASSIFY || task == BERTC_TASK_MULTI_LABEL || task == BERTC_TASK_REGRESSION;
    switch (what) {
    case ABLE_ANY: return true;
    case ABLE_EMBED: return m->info.embedding_size > 0;
    case ABLE_SPARSE: return m->info.sparse_width > 0;
    case ABLE_VECTORS: return m->info.vector_width > 0 || served_output(m, "last_hidden_state") >= 0;
    case ABLE_LABELS: return labels;
    case ABLE_RANK: return labels && m->info.label_count == 1;
    case ABLE_ENTITIES: return task == BERTC_TASK_ENTITIES;
    case ABLE_ANSWER: return task == BERTC_TASK_ANSWER;
    case ABLE_FILL_MASK: return task == BERTC_TASK_FILL_MASK || task == BERTC_TASK_PRETRAINING;
    case ABLE_ZERO_SHOT: return task == BERTC_TASK_CLASSIFY && m->info.label_count > 1;
    case ABLE_ATTENTION: return has_attention(m);
    case ABLE_TEXT: return task != BERTC_TASK_TENSORS;
    }
    return false;
}

const char *ability_name(ability what) {
    switch (what) {
    case ABLE_EMBED: return "an embedding model";
    case ABLE_SPARSE: return "a model that gives sparse weights";
    case ABLE_VECTORS:
        return "a model that gives a vector for each token (of late interaction, or compiled with --outputs "
               "last_hidden_state)";
    case ABLE_LABELS: return "a classifier model";
    case ABLE_RANK: return "a re-ranker model";
    case ABLE_ENTITIES: return "a token classification model";
    case ABLE_ANSWER: return "a question answering model";
    case ABLE_FILL_MASK: return "a masked language model";
    case ABLE_ZERO_SHOT: return "a natural language inference model, which zero-shot classification needs";
    case ABLE_ATTENTION: return "compiled with --outputs attentions";
    case ABLE_TEXT: return "a model that answers texts";
    case ABLE_ANY: break;
    }
    return "a model";
}
