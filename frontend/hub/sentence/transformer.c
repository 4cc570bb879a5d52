// The Transformer module of a sentence-transformers folder: sentence_bert_config.json and its older names. What
// would change an answer and is not supported is an error that names it.
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/sentence/sentence.h"

// What the encoder gives must be the last layer's rows, a cross-encoder's logits, or a masked LM's.
static bool read_outputs(const hub_fields *f, hub_sentence *s) {
    static const char *const scored[] = {"sequence-classification", "scores", "logits"},
                             *const predicted[] = {"fill-mask", "token_embeddings", "logits"},
                             *const embedded[] = {"feature-extraction", "token_embeddings",
                                                  "last_hidden_state"};
    const char *task = s->predicts ? predicted[0] : embedded[0];
    if (!hub_field_text(f, "transformer_task", false, &task)) return false;
    s->scores = !strcmp(task, scored[0]);
    s->predicts = !strcmp(task, predicted[0]);
    const char *const *known = s->scores     ? scored
                               : s->predicts ? predicted
                                             : embedded,
                      *output = known[1], *method = known[2];
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(hub_field(f, "modality_config"), "text");
    const hub_fields of_text = {f->file, "modality_config.text", text, f->d};
    bool ok = hub_field_text(f, "module_output_name", false, &output) &&
              (!text || hub_field_text(&of_text, "method_output_name", false, &method));
    if (!ok) return false;
    if (strcmp(task, known[0]))
        return hub_field_wrong(f, "transformer_task", "\"%.100s\" is not supported; %s, %s and %s are", task,
                               embedded[0], scored[0], predicted[0]);
    if (strcmp(output, known[1]))
        return hub_field_wrong(f, "module_output_name", "\"%.100s\" is not supported; %s is", output,
                               known[1]);
    return !strcmp(method, known[2]) ||
           hub_field_wrong(&of_text, "method_output_name", "\"%.100s\" is not supported; %s is", method,
                           known[2]);
}

// Texts go to the model as they are: as a chat's messages they would be others.
static bool read_modalities(const hub_fields *f) {
    const cJSON *all = hub_field(f, "modality_config"), *text = NULL;
    if (!all) return true;
    if (!cJSON_IsObject(all))
        return hub_field_wrong(f, "modality_config", "is %s where an object is expected", hub_json_kind(all));
    const hub_fields of_all = {f->file, "modality_config", all, f->d};
    const char *method = "forward";
    text = hub_field(&of_all, "text");
    if (!cJSON_IsObject(text)) return hub_field_wrong(&of_all, "text", "is missing: the model takes no text");
    if (hub_field(&of_all, "message"))
        return hub_field_wrong(&of_all, "message", "is not supported: texts would become a chat's messages");
    const hub_fields of_text = {f->file, "modality_config.text", text, f->d};
    if (!hub_field_text(&of_text, "method", false, &method)) return false;
    return !strcmp(method, "forward") ||
           hub_field_wrong(&of_text, "method", "\"%.100s\" is not supported; forward is", method);
}

// Holds an object's keys against those that change no answer, and those that are read (up to NULL each).
static bool check_keys(const hub_fields *f, const char *key, const cJSON **object, const char *const *known) {
    const cJSON *v, *o = hub_field(f, key);
    *object = o;
    if (!o) return true;
    if (!cJSON_IsObject(o))
        return hub_field_wrong(f, key, "is %s where an object is expected", hub_json_kind(o));
    const hub_fields of = {f->file, key, o, f->d};
    cJSON_ArrayForEach(v, o) {
        bool found = false;
        for (const char *const *k = known; *k && !found; k++) found = !strcmp(*k, v->string);
        if (!found) return hub_field_wrong(&of, v->string, "is not supported");
    }
    return true;
}

// What is handed to from_pretrained of the model, its config and its tokenizer; each by two names.
static bool read_arguments(const hub_fields *f, hub_sentence *s) {
    static const char *const of_model[] = {"attn_implementation",
                                           "dtype",
                                           "torch_dtype",
                                           "device_map",
                                           "low_cpu_mem_usage",
                                           "use_safetensors",
                                           "trust_remote_code",
                                           "revision",
                                           "code_revision",
                                           "add_pooling_layer",
                                           NULL},
                             *const of_config[] = {"trust_remote_code",   "revision",
                                                   "code_revision",       "use_cache",
                                                   "attn_implementation", NULL},
                             *const of_tokenizer[] = {"model_max_length",
                                                      "padding_side",
                                                      "use_fast",
                                                      "trust_remote_code",
                                                      "revision",
                                                      "code_revision",
                                                      "clean_up_tokenization_spaces",
                                                      NULL};
    static const struct {
        const char *key;
        const char *const *known;
    } all[] = {{"model_args", of_model},         {"model_kwargs", of_model},
               {"config_args", of_config},       {"config_kwargs", of_config},
               {"tokenizer_args", of_tokenizer}, {"processor_kwargs", of_tokenizer}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const cJSON *o;
        if (!check_keys(f, all[i].key, &o, all[i].known)) return false;
        const hub_fields of = {f->file, all[i].key, o, f->d};
        if (o && all[i].known == of_tokenizer &&
            !hub_field_int(&of, "model_max_length", false, 1, INT32_MAX, &s->max_length))
            return false;
    }
    return true;
}

// How the tokenizer is called.
static bool read_processing(const hub_fields *f, hub_sentence *s) {
    static const char *const parts[] = {"text", "common", "audio", "image", "video", "chat_template", NULL},
                             *const of_text[] = {"max_length", "padding", "truncation", "pad_to_multiple_of",
                                                 NULL},
                             *const of_all[] = {"return_tensors", NULL};
    const cJSON *o, *part;
    if (!check_keys(f, "processing_kwargs", &o, parts) || !o) return o == NULL;
    const hub_fields of = {f->file, "processing_kwargs", o, f->d};
    if (!check_keys(&of, "common", &part, of_all) || !check_keys(&of, "text", &part, of_text)) return false;
    const hub_fields text = {f->file, "processing_kwargs.text", part, f->d};
    return !part || hub_field_int(&text, "max_length", false, 1, INT32_MAX, &s->max_length);
}

// Lengths of texts that are said to be queries, or documents, and what queries are filled up with.
static bool read_roles(const hub_fields *f, arena *a, hub_sentence *s) {
    bool ok = hub_field_int(f, "query_length", false, 1, INT32_MAX, &s->query_length);
    ok &= hub_field_int(f, "document_length", false, 1, INT32_MAX, &s->document_length);
    if (s->late.present) return hub_late_expansion(f, a, s) && ok;
    return ok && (!hub_field(f, "query_expansion") ||
                  hub_field_wrong(f, "query_expansion", "is for models that give a vector per token"));
}

bool hub_transformer_open(const char *folder, arena *a, hub_sentence *s, diag *d) {
    static const char *const names[] = {"sentence_bert_config.json",       "sentence_roberta_config.json",
                                        "sentence_distilbert_config.json", "sentence_camembert_config.json",
                                        "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
                                        "sentence_xlnet_config.json"};
    const char *path = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !path; i++) {
        const char *one = hub_path(a, folder, names[i]);
        if (hub_is_file(one)) path = one;
    }
    if (!path) return true;
    cJSON *root = hub_json_load(path, false, d);
    if (!root) return false;
    const hub_fields f = {path, "", root, d};
    bool ok = hub_field_int(&f, "max_seq_length", false, 1, INT32_MAX, &s->max_length);
    ok &= hub_field_bool(&f, "do_lower_case", false, &s->lower_case);
    ok &= read_outputs(&f, s) && read_modalities(&f) && read_arguments(&f, s) && read_processing(&f, s);
    ok = ok && read_roles(&f, a, s);
    cJSON_Delete(root);
    return ok;
}
