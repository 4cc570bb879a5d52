// hub_open: from a folder or a file to a checked graph with its tables.
#include "frontend/hub/hub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/config/task.h"
#include "frontend/hub/encoder/lora.h"
#include "frontend/hub/encoder/static_embedding.h"
#include "frontend/hub/files/file.h"
#include "frontend/hub/files/json.h"
#include "frontend/hub/files/shard.h"
#include "frontend/hub/files/text.h"
#include "frontend/hub/save/save.h"
#include "frontend/hub/tokenizer/spec.h"
#include "frontend/hub/training.h"

typedef struct opening {
    const hub_options *options;
    arena *a;
    diag *d;
    const char *folder, *weights, *config; // where the files are
    hub_sentence sentence;
    hub_config read;
    hub_checkpoint *checkpoint;
    hub_weights tensors;
    hub_adapters adapters;
    hub_late_ids late;
    hub_fresh fresh;
    const char *outputs; // that are asked for beside the head's
    int32_t eos;         // of a late interaction's tokenizer
} opening;

// --- Which files

// What config.json names as the weights' file; NULL: nothing. (What is wrong with the config is said when it is
// read as a whole.)
static const char *named_weights(const opening *o) {
    const char *path = hub_path(o->a, o->folder, "config.json"), *name = NULL;
    if (!hub_is_file(path)) return NULL;
    diag d;
    diag_init(&d);
    cJSON *root = hub_json_load(path, false, &d);
    const hub_fields f = {path, "", root, &d};
    if (root && hub_field_text(&f, "transformers_weights", false, &name) && name)
        name = arena_strdup(o->a, name);
    cJSON_Delete(root);
    diag_free(&d);
    return name;
}

static bool find_weights(opening *o) {
    const char *named = named_weights(o);
    if (named) {
        const hub_fields f = {hub_path(o->a, o->folder, "config.json"), "", NULL, o->d};
        bool known = hub_ends_with(named, ".safetensors") || hub_ends_with(named, ".safetensors.index.json");
        if (!known || !hub_name_stays_inside(named, true))
            return hub_field_wrong(&f, "transformers_weights",
                                   "\"%.100s\" names no safetensors file or index in this folder", named);
        o->weights = hub_path(o->a, o->folder, named);
        return hub_is_file(o->weights) ||
               hub_field_wrong(&f, "transformers_weights", "%.100s is not there", named);
    }
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "model.st",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        o->weights = hub_path(o->a, o->folder, names[i]);
        if (hub_is_file(o->weights)) return true;
    }
    if (!shard_none_in(o->folder, o->a, o->d)) return false;
    static const char *const unread[] = {"tf_model.h5", "flax_model.msgpack", "model.onnx"};
    if (hub_is_file(hub_path(o->a, o->folder, "adapter_config.json")))
        return diag_error(o->d, o->folder,
                          "is an adapter, which is added to a model: bertc compile MODEL --adapter %.200s",
                          o->folder);
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
        if (hub_is_file(hub_path(o->a, o->folder, unread[i])))
            return diag_error(o->d, o->folder,
                              "holds no model.safetensors (%s is not read: save the model as safetensors, "
                              "model.save_pretrained(FOLDER))",
                              unread[i]);
    return diag_error(
        o->d, o->folder,
        "holds no model.safetensors, model.safetensors.index.json, model.st or pytorch_model.bin "
        "(MODEL may be a file of weights: FOLDER/NAME.safetensors)");
}

static bool find_files(opening *o) {
    const char *model = o->options->model;
    if (hub_is_folder(model)) {
        if (!hub_sentence_read(model, o->a, &o->sentence, o->d)) return false;
        if (!o->sentence.present) hub_sentence_fixed(model, o->a, &o->sentence);
        o->folder = o->sentence.present ? o->sentence.folder : model;
        if (!find_weights(o)) return false;
    } else if (access(model, R_OK)) {
        return diag_error(o->d, model, "can't be opened: %s", strerror(errno));
    } else if (shard_name(model, &(int){0}, &(int){0})) {
        return shard_alone(model, o->a, o->d);
    } else {
        o->folder = hub_path_folder(o->a, model);
        o->weights = model;
    }
    o->config = o->options->config ? o->options->config : hub_path(o->a, o->folder, "config.json");
    if (hub_is_folder(o->config)) o->config = hub_path(o->a, o->config, "config.json");
    return true;
}

// --- What is said of the head

static bool settle_head(opening *o, const char **head) {
    *head = o->options->head && strcmp(o->options->head, "auto") ? o->options->head : NULL;
    const hub_training *t = &o->options->train;
    if (t->task && !hub_training_head(t, o->options->adapter_count, head, o->d)) return false;
    if (t->task) o->sentence.asked_by = arena_printf(o->a, "%s %s", hub_training_option(t), t->task);
    o->outputs = hub_several_read(o->options->outputs, o->a, &o->sentence);
    o->sentence.offers_several = hub_several_there(o->folder, o->a);
    const bool *several = o->sentence.several;
    if (several[ANSWER_SPARSE] || several[ANSWER_VECTORS]) {
        if (o->options->pooling || *head)
            return diag_error(o->d, "--outputs", "dense, sparse and colbert take no %s",
                              *head ? "--head" : "--pooling");
        *head = hub_head_name(HEAD_SEVERAL);
        return hub_several_open(o->folder, o->a, &o->sentence, o->d);
    }
    if (several[ANSWER_DENSE] && !*head) *head = hub_head_name(HEAD_EMBEDDING);
    if (!o->options->pooling) return true;
    if (o->sentence.late.present)
        return diag_error(o->d, "--pooling", "the folder gives a vector per token: nothing is pooled");
    if (!hub_pooling_read(o->options->pooling, &o->sentence)) {
        return diag_error(o->d, "--pooling", "%s is not known; known are %s, and several by commas",
                          o->options->pooling, hub_pooling_names());
    }
    const char *pools = hub_head_name(o->sentence.predicts ? HEAD_SPARSE : HEAD_EMBEDDING);
    if (*head && strcmp(*head, pools) != 0)
        return diag_error(o->d, "--pooling", "%s makes the head %s: leave out --head %s", o->options->pooling,
                          pools, *head);
    *head = pools;
    return true;
}

// --- The tokenizer

// The markers of a late interaction, and the tokens that it names: those to skip, then what fills queries up.
static void ask_for_words(opening *o, tokenizer_use *use) {
    const hub_late *l = &o->sentence.late;
    int n = l->skipped_count;
    if (!l->present) return;
    const char **words = ARENA_ARRAY(o->a, const char *, n + 1);
    for (int i = 0; i < n; i++) words[i] = l->skipped[i];
    words[n] = l->expansion_token;
    use->markers = l->markers;
    use->marker_count = 2;
    use->words = words;
    use->word_count = n + (l->expansion_token != NULL);
    use->ids = ARENA_ARRAY(o->a, int32_t, n + 1);
    use->eos = &o->eos;
    o->late.skipped = use->ids;
}

// Tokens that get no weight, as FlagEmbedding leaves them out.
static void settle_special(opening *o, const bertc_tokenizer *t) {
    const int32_t ids[] = {t->cls_id, t->sep_id, t->pad_id, t->unk_id};
    if (o->read.head != HEAD_SEVERAL) return;
    o->late.special_count = sizeof ids / sizeof *ids;
    o->late.skipped = ARENA_ARRAY(o->a, int32_t, o->late.special_count);
    memcpy(o->late.skipped, ids, sizeof ids);
}

// The mask token, or of decoders, which have none, the one that ends a text.
static bool settle_expansion(opening *o, const bertc_tokenizer *t) {
    const hub_late *l = &o->sentence.late;
    o->late.expansion = l->expansion_token ? o->late.skipped[l->skipped_count]
                        : t->mask_id >= 0  ? t->mask_id
                                           : o->eos;
    if (!l->present || !l->expansion) return true;
    if (o->late.expansion >= 0 && o->late.expansion < o->read.sizes[SIZE_VOCAB]) return true;
    return diag_error(o->d, o->folder, "queries are filled up with %s, which the %s has not",
                      l->expansion_token ? l->expansion_token : "the mask token, or else the eos token",
                      o->late.expansion < 0 ? "tokenizer" : "model");
}

// A checkpoint without one is whole: its artefact takes ids alone. What was asked for must be there.
static bool open_tokenizer(opening *o, hub_model *out) {
    const char *path = o->options->tokenizer;
    if (!path && tokenizer_file(o->folder, o->a)) path = o->folder;
    if (!path && o->sentence.present && tokenizer_file(o->options->model, o->a)) path = o->options->model;
    const char *unread = path ? NULL : tokenizer_unread(o->folder, o->a);
    if (unread) diag_note(o->d, unread, TOKENIZER_UNREAD "; until then the model takes ids only");
    if (!path) return true;
    tokenizer_use use = {.lower = o->sentence.lower_case,
                         .one_type = o->read.sizes[SIZE_TYPES] <= 1,
                         .bare = o->sentence.fixed};
    ask_for_words(o, &use);
    if (!tokenizer_open(path, use, o->a, &out->tokenizer, &out->tokenizer_bytes, o->d)) return false;
    const bertc_tokenizer *t = out->tokenizer;
    settle_special(o, t);
    if (!settle_expansion(o, t)) return false;
    int64_t vocabulary = o->read.sizes[SIZE_VOCAB];
    if ((int64_t)t->vocab_size <= vocabulary) return true;
    const char *file = tokenizer_file(path, o->a);
    diag_note(o->d, file ? file : path,
              "the tokenizer's ids go up to %" PRIu32 ", the model's vocabulary has %" PRId64
              ": a text with one that is not in it will be an error",
              t->vocab_size - 1, vocabulary);
    return true;
}

// --- What is left of an embedding

// Its numbers, 0: the model gives none.
static int64_t embedding_width(const graph *g) {
    for (int i = 0; i < g->output_count; i++)
        if (!strcmp(g->outputs[i].name, "embedding")) return graph_type(g, g->outputs[i].value)->d[1].n;
    return 0;
}

static bool settle_embedding(opening *o, const hub_model *out) {
    hub_sentence *s = &o->read.sentence;
    const hub_options *asks = o->options;
    int64_t width = embedding_width(out->graph);
    if (o->read.head != HEAD_EMBEDDING) {
        s->dimensions = 0;
        return (!asks->dimensions && !asks->normalize) ||
               diag_error(o->d, asks->dimensions ? "--dimensions" : "--normalize",
                          "is for embeddings, and the model gives none");
    }
    if (asks->dimensions > width)
        return diag_error(o->d, "--dimensions",
                          "is %" PRId64 ", and the model's embeddings have %" PRId64 " numbers",
                          asks->dimensions, width);
    if (asks->dimensions) s->dimensions = asks->dimensions;
    if (s->dimensions <= -width)
        return diag_error(o->d, o->options->model,
                          "truncate_dim leaves nothing of an embedding of %" PRId64 " numbers", width);
    if (s->dimensions < 0) s->dimensions += width; // from the end, as Python's slices
    if (s->dimensions > width) s->dimensions = 0;
    s->normalize = asks->normalize;
    return true;
}

// --- The weights of queries

static const char *piece_of(const bertc_tokenizer *t, uint32_t id) {
    uint32_t at;
    memcpy(&at, (const char *)t + t->pieces.at + (size_t)id * sizeof at, sizeof at);
    return at ? (const char *)t + t->strings.at + at : NULL;
}

static int compare_token(const void *token, const void *weight) {
    return strcmp(token, ((const hub_token_weight *)weight)->token);
}

// Weights by token become weights by id, by the tokenizer; ids without one weigh nothing.
static bool weigh_tokens(opening *o, const bertc_tokenizer *t) {
    hub_query_weights *q = &o->read.sentence.queries;
    q->by_id = ARENA_ARRAY(o->a, float, t->vocab_size);
    q->count = t->vocab_size;
    int64_t found = 0;
    for (uint32_t id = 0; id < t->vocab_size; id++) {
        const char *piece = piece_of(t, id);
        const hub_token_weight *w =
            piece ? bsearch(piece, q->by_token, (size_t)q->token_count, sizeof *w, compare_token) : NULL;
        if (w) q->by_id[id] = w->weight;
        found += w != NULL;
    }
    return found || diag_error(o->d, q->folder, "its weights are of tokens of which the tokenizer has none");
}

// Queries are tokenized as documents are; their tokenizer must be the same.
static bool settle_queries(opening *o, const hub_model *out) {
    hub_query_weights *q = &o->read.sentence.queries;
    if (o->read.head != HEAD_SPARSE || !q->folder || !out->tokenizer) return true;
    if (tokenizer_file(q->folder, o->a)) {
        const void *table;
        size_t bytes;
        const tokenizer_use use = {.lower = o->sentence.lower_case,
                                   .one_type = o->read.sizes[SIZE_TYPES] <= 1};
        diag own; // what is noted of the documents' tokenizer need not be said again
        diag_init(&own);
        bool read = tokenizer_open(q->folder, use, o->a, &table, &bytes, &own);
        if (!read)
            diag_error(o->d, q->folder, "its tokenizer can't be read: %s",
                       own.count ? own.items[0].text : "");
        diag_free(&own);
        if (!read) return false;
        if (bytes != out->tokenizer_bytes || memcmp(table, out->tokenizer, bytes) != 0)
            return diag_error(o->d, q->folder,
                              "its tokenizer is another one than the documents', which is not supported");
    }
    if (!q->by_id && !weigh_tokens(o, out->tokenizer)) return false;
    int64_t vocabulary = o->read.sizes[SIZE_VOCAB];
    return q->count <= vocabulary ||
           diag_error(o->d, q->folder, "has %" PRId64 " weights, and the model's vocabulary %" PRId64,
                      q->count, vocabulary);
}

// sentence-transformers' limit, or the tokenizer's; never above the positions.
static void open_task(const opening *o, hub_model *out) {
    const bertc_tokenizer *t = out->tokenizer;
    int64_t most = o->read.sentence.max_length;
    if (!most && t) most = t->max_length;
    if (most > out->position_count) most = out->position_count;
    int32_t mask = t && t->mask_id < out->vocab_size ? t->mask_id : -1;
    out->task = hub_task_table(&o->read, most, mask, &o->late, o->a, &out->task_bytes, o->d);
}

// --- The model

bool hub_save_model(const hub_model *m, const hub_save *save, diag *d) {
    return hub_save_folder(m->origin, save, d);
}

static bool build(opening *o, hub_model *out) {
    graph *g = graph_new(o->a, "encoder");
    hub_builder b = {.g = g, .config = &o->read, .weights = &o->tensors};
    hub_build_encoder(&b);
    out->graph = g;
    if (!hub_build_head(&b, o->outputs, o->d)) return false;
    const hub_training *t = &o->options->train;
    return !t->task || hub_training_graph(t, &o->tensors, &o->read, g, o->d);
}

// What saving needs of the opening, as long as the model is there.
static const void *keep_origin(const opening *o, const hub_model *m) {
    hub_config *config = ARENA_NEW(o->a, hub_config);
    hub_weights *weights = ARENA_NEW(o->a, hub_weights);
    hub_origin *origin = ARENA_NEW(o->a, hub_origin);
    *config = o->read;
    *weights = o->tensors;
    *origin =
        (hub_origin){.model = arena_strdup(o->a, o->options->model),
                     .folder = o->folder,
                     .tokenizer = o->options->tokenizer ? arena_strdup(o->a, o->options->tokenizer) : NULL,
                     .longest = m->position_count,
                     .config = config,
                     .weights = weights};
    hub_origin_parameters(origin, m->graph, o->a);
    return origin;
}

static void describe(const opening *o, hub_model *out) {
    const hub_config *c = &o->read;
    out->source = (tensor_source){o->checkpoint, hub_checkpoint_find};
    out->family = c->family->model_type;
    out->head = hub_head_name(c->head);
    out->vocab_size = c->sizes[SIZE_VOCAB];
    // Where nothing reads them, any type will do.
    out->type_vocab_size = hub_module_use(c, MODULE_TYPE) ? c->sizes[SIZE_TYPES] : INT32_MAX;
    out->position_rule = c->position_rule;
    out->position_start = c->position_start;
    out->position_count = c->sizes[SIZE_POSITIONS] - out->position_start;
    if (c->transformed && c->transformed < out->position_count) out->position_count = c->transformed;
    out->global_rule = c->global_rule;
    out->sep_id = (int32_t)c->sep_id;
    out->pad_id = (int32_t)c->pad_id;
    out->hidden_size = c->sizes[SIZE_HIDDEN];
    out->layers = c->layers;
    out->heads = c->heads;
    out->intermediate_size = c->sizes[SIZE_INNER];
    out->parameters = o->tensors.parameters;
    bool labels = c->head == HEAD_SEQUENCE || c->head == HEAD_TOKEN;
    out->labels = labels ? c->labels : NULL;
    out->label_count = labels ? c->sizes[SIZE_LABELS] : 0;
    out->multi_label = c->head == HEAD_SEQUENCE && c->problem == PROBLEM_MULTI;
    out->drawn = o->fresh.names;
    out->origin = keep_origin(o, out);
    out->drawn_count = o->fresh.count;
}

static bool config_there(const opening *o) {
    return o->options->config || hub_is_file(o->config) ||
           diag_error(o->d, o->config, "is missing (--config FILE names it where it is elsewhere)");
}

// An adapter's head counts where no other is asked for.
static bool open_adapters(opening *o, const char **head) {
    if (!hub_adapters_open(o->options, o->config, o->checkpoint, &o->adapters, o->d)) return false;
    o->checkpoint->adapters = &o->adapters;
    if (!*head && !o->sentence.present) *head = o->adapters.head;
    return true;
}

// Tokens that no other attends to must not reach others by another way.
static bool check_hiding(const opening *o) {
    const hub_config *c = &o->read;
    if (!hub_config_hides(c)) return true;
    bool mixes = hub_module_use(c, MODULE_CONVOLUTION) || c->drops_masked;
    return !mixes ||
           diag_error(o->d, o->folder,
                      "queries are filled up with tokens that are not attended to, which is not supported "
                      "in models of its kind (%s)",
                      c->family->model_type);
}

// What is asked for that a table of embeddings has not.
static bool check_static(const opening *o, const char *head) {
    const hub_options *asks = o->options;
    if (head && strcmp(head, hub_head_name(HEAD_EMBEDDING)) != 0)
        return diag_error(o->d, "--head",
                          "%s: the model is a table of embeddings, and gives an embedding alone", head);
    if (asks->outputs && strcmp(asks->outputs, "embedding") != 0)
        return diag_error(o->d, "--outputs",
                          "%.100s: the model is a table of embeddings: it has no layers, and gives an "
                          "embedding alone",
                          asks->outputs);
    if (asks->pooling) return diag_error(o->d, "--pooling", "of a table of embeddings is the mean");
    if (asks->train.task)
        return diag_error(o->d, hub_training_option(&asks->train),
                          "is for encoders, and the model is a table of embeddings");
    if (asks->adapter_count || asks->task)
        return diag_error(o->d, asks->task ? "--task" : "--adapter",
                          "is for encoders, and the model has none");
    return true;
}

// The id of the token that is not counted; -1: there is none.
static int32_t skipped(const opening *o, const hub_model *out) {
    const bertc_tokenizer *t = out->tokenizer;
    return o->sentence.skips_unknown && t && t->unk_id >= 0 ? t->unk_id : -1;
}

static bool open_static(opening *o, const char *head, hub_model *out) {
    hub_static s;
    if (!check_static(o, head) || !hub_checkpoint_open(o->weights, o->checkpoint, o->d) ||
        !hub_static_read(o->checkpoint, &o->sentence, &s, &o->read, o->d) || !open_tokenizer(o, out))
        return false;
    o->tensors = (hub_weights){.checkpoint = o->checkpoint, .parameters = s.table.rows * s.table.columns};
    if (!hub_weights_add_steps(&o->tensors, &o->read, o->d)) return false;
    out->graph = graph_new(o->a, "encoder");
    hub_builder b = {.g = out->graph, .config = &o->read, .weights = &o->tensors};
    hub_build_static(&b, &s, skipped(o, out));
    if (!hub_build_head(&b, o->options->outputs, o->d) || !settle_embedding(o, out)) return false;
    describe(o, out);
    open_task(o, out);
    return true;
}

static bool read_weights(opening *o) {
    const hub_training *t = &o->options->train;
    bool head = t->task && strcmp(t->task, "states") != 0;
    if (head && !hub_training_config(t, o->a, o->checkpoint, &o->read, &o->fresh, o->d)) return false;
    if (!hub_weights_read(o->checkpoint, &o->read, head ? &o->fresh : NULL, &o->tensors, o->d)) return false;
    hub_training_note(&o->fresh, o->checkpoint->where, t->seed, o->d);
    const char *lacked = o->fresh.count ? o->fresh.names[0] : NULL;
    return (!head || !t->lora.rank || hub_lora_choose(&t->lora, &o->read, &o->fresh, &o->tensors, o->d)) &&
           hub_checkpoint_check_other(o->checkpoint, lacked, o->d);
}

static bool open_model(opening *o, hub_model *out) {
    const char *head;
    if (!hub_is_there(o->options->model, o->d) || !find_files(o) || !settle_head(o, &head)) return false;
    if (o->sentence.fixed) return open_static(o, head, out);
    // All are read before a failure of one ends the opening, so that the problems of all are reported.
    bool tensors = hub_checkpoint_open(o->weights, o->checkpoint, o->d) && open_adapters(o, &head);
    hub_hint hint = tensors ? hub_checkpoint_hint(o->checkpoint) : (hub_hint){0};
    bool config = config_there(o) && hub_config_read(o->config, head, tensors ? &hint : NULL, &o->sentence,
                                                     o->a, &o->read, o->d);
    if (!config || !tensors) return false;
    if (!check_hiding(o)) return false;
    hub_config_lengthen(&o->read, o->options->longest, o->d);
    bool tokens = open_tokenizer(o, out);
    if (!read_weights(o) || !tokens) return false;
    bool steps = o->read.head == HEAD_EMBEDDING || o->read.head == HEAD_VECTORS;
    if (steps && !hub_weights_add_steps(&o->tensors, &o->read, o->d)) return false;
    if (o->read.head == HEAD_SEVERAL && !hub_weights_add_heads(&o->tensors, &o->read, o->d)) return false;
    if (!build(o, out)) return false;
    if (!settle_embedding(o, out) || !settle_queries(o, out)) return false;
    describe(o, out);
    open_task(o, out);
    return true;
}

bool hub_open(const hub_options *options, arena *a, hub_model *out, diag *d) {
    *out = (hub_model){0};
    opening o = {.options = options, .a = a, .d = d, .checkpoint = ARENA_NEW(a, hub_checkpoint)};
    o.sentence = hub_sentence_plain();
    out->files = o.checkpoint;
    if (open_model(&o, out)) return true;
    hub_close(out);
    return false;
}

void hub_close(hub_model *m) {
    if (m->files) hub_checkpoint_close(m->files);
    *m = (hub_model){0};
}

uint64_t hub_hash(const hub_model *m) {
    return hub_checkpoint_hash(m->files);
}

bool hub_unchanged(const hub_model *m, diag *d) {
    return hub_checkpoint_unchanged(m->files, d);
}
