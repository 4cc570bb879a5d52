// Checkpoints: the files of a Hugging Face folder, checked, become a graph with recipes over mapped
// tensors, a tokenizer table and a task table. The one public header of frontend/hub.
#ifndef BERTC_HUB_H
#define BERTC_HUB_H

#include "ir/ir.h"
#include "runtime/abi.h"

#define HUB_TASKS "classify, tag, answer, regress, embed, mlm, pretrain, states"

// Low-rank adapters that are trained in place of the weights (LoRA), with PEFT's names.
typedef struct hub_lora {
    int64_t rank;          // 0: none, and the weights are trained
    double alpha, dropout; // an adapter counts alpha / rank
    bool rooted;           // or alpha / sqrt(rank)
    // NULL, or PEFT's patterns of layers with another rank or alpha: JSON objects of numbers by regular expressions.
    const char *rank_pattern, *alpha_pattern;
    const char *
        bias; // NULL ("none"), "all" or "lora_only": the biases that are trained, of the model or of the layers with adapters
    // Linear layers, by the ends of their names behind a dot, separated by commas; or "all-linear". NULL: those of queries
    // and values.
    const char *targets;
    // Modules that are trained whole and saved with the adapter, as the classifier is: by the ends of their names, or NULL.
    const char *saved;
    bool merged; // the result is the whole model: the adapter is added to the weights
} hub_lora;
// An adapter of PEFT's, to go on with: its rank, alpha, dropout, layers and modules as *out, and its file of weights as *weights (for
// hub_training.init), both in `a`. *head: what its task_type names, as --head; NULL: nothing. False, with a diagnostic: it is none, or one
// that is no plain low-rank adapter.
bool hub_lora_read(const char *folder, arena *a, hub_lora *out, const char **weights, const char **head,
                   diag *d);

// What a model is trained for. Its parameters are then states (docs/ir.md, States).
typedef struct hub_training {
    // NULL: it is not trained. One of HUB_TASKS; `states`: the parameters alone can be written, and there is no loss.
    const char *task;
    const char *option; // that named the task, for messages; NULL: --train
    // classify: any number of labels per text; so it is too where the config says that.
    bool multi_label;
    // embed: cosines of pairs become their labels; else each anchor's positive is found among all texts of the call.
    bool cosine;
    // Of a new head: how many labels, and their names (NULL: LABEL_0, ...). 0: as the folder says.
    int64_t label_count;
    const char *const *labels;
    // A classifier that the folder has for another number of labels gives way to a new one.
    bool replaces;
    // NULL, or a file of tensors that the folder lacks. The seed is of those that are drawn.
    const char *init;
    uint64_t seed;
    // Shares that dropout drops: below 0: as the config says; else this in every place where the family drops any. The graph
    // then has the input `seed`, and nothing is dropped where its second number is 0.
    double dropout;
    double label_smoothing;
    // NULL, or [class_weight_count], a number for each label; where a text has several labels, of the texts that have it.
    const float *class_weights;
    int64_t class_weight_count;
    // Distillation: another model's outputs are targets (docs/training.md, Losses). soft: share of its loss, at that temperature
    // (0: 1).
    bool teacher;
    double temperature, soft;
    hub_lora lora;
} hub_training;

typedef struct hub_options {
    const char *model;     // folder, or a file of weights: safetensors, torch.save's, or an index of such
    const char *config;    // NULL: config.json beside the weights
    const char *tokenizer; // tokenizer.json or vocab.txt; NULL: beside the weights
    // NULL, "auto", or a head's name: model, masked-lm, next-sentence, pretraining, sequence-classification,
    // token-classification, question-answering, discriminator, embedding, sparse, vectors.
    const char *head;
    const char *pooling; // NULL: as the folder says; cls, mean, ..., or several, separated by commas; splade
    // Tokens of the longest text that is asked for; 0: as many as the config says. A model that no table of
    // positions ends takes more than these.
    int64_t longest;
    // NULL, or a list separated by commas: hidden_states, attentions, and names of outputs.
    const char *outputs;
    int64_t dimensions; // of an embedding, its first numbers; 0: as the folder says, or all
    bool normalize;     // an embedding to length 1, behind that
    // Folders of PEFT's LoRA adapters, which are added to the weights: each "DIR", "DIR=WEIGHT", or several of these
    // separated by commas.
    const char *const *adapters;
    int adapter_count;
    const char *combine; // several adapters: NULL or "sum", of their products; "linear", as PEFT calls it
    const char *task;    // NULL: none; of a model that has LoRA for several tasks
    hub_training train;
} hub_options;

typedef struct hub_model {
    graph *graph;
    tensor_source source;  // over the mapped files, valid until hub_close
    const void *tokenizer; // bertc_tokenizer, NULL: the checkpoint has none
    size_t tokenizer_bytes;
    const void *task; // bertc_task
    size_t task_bytes;
    const char *family, *head;
    int64_t vocab_size, type_vocab_size, position_count; // position_count: tokens of the longest text
    bertc_position_rule position_rule;
    int32_t position_start, pad_id, sep_id;
    bertc_rule global_rule; // of the input `global`, where the graph has it
    int64_t hidden_size, layers, heads, intermediate_size, parameters;
    const char *const *labels; // [label_count]: of a classifier of texts or tokens
    int64_t label_count;
    bool multi_label;
    const char *const *drawn; // [drawn_count]: tensors of a new head, which the folder lacks
    int drawn_count;
    void *files;        // private
    const void *origin; // private
} hub_model;

// Loads and checks a checkpoint; every problem found is in `d`, not only the first. Memory from `a`.
bool hub_open(const hub_options *options, arena *a, hub_model *out, diag *d);
void hub_close(hub_model *m);
// Are the files of the weights as they were when they were opened? For use when all that is read of them has
// been read.
bool hub_unchanged(const hub_model *m, diag *d);
// XXH64 of the bytes of the weights' files, by which a checkpoint is known. Reads all of them.
uint64_t hub_hash(const hub_model *m);

// Where a trained model goes, and where its numbers come from.
typedef struct hub_save {
    const char *folder; // made where it isn't there; files of it that have these names are replaced
    const char *dtype;  // of the weights: NULL or f32, f16, bf16
    const char *card;   // text of README.md; NULL: none
    // The `count` numbers of a parameter, by the name that its tensor has in the checkpoint that was opened, in the order
    // that they have there.
    bool (*read)(void *user, const char *name, float *out, int64_t count, diag *d);
    void *user;
    // Of a model with adapters (LoRA): they are added to the weights, and the folder is a whole model's. Else it is PEFT's:
    // adapter_config.json and adapter_model.safetensors, and config.json for its labels.
    bool merged;
} hub_save;
// Writes a folder that Transformers opens as the class of the model's head (of an embedding: that sentence-transformers
// opens): model.safetensors, config.json with the labels, the files of the tokenizer, README.md. Its files are on the disk
// when this returns true. After a failure some may be there.
bool hub_save_model(const hub_model *m, const hub_save *save, diag *d);

// The tokenizer table alone, from a folder, tokenizer.json or vocab.txt.
bool hub_tokenizer(const char *path, arena *a, const void **table, size_t *bytes, diag *d);

// "cosine", "dot", ... by bertc_similarity; NULL: it is none.
const char *hub_similarity_name(int i);
bool hub_similarity_find(const char *name, bertc_similarity *out); // false: it is none of them

// What a file is, by its first bytes or its ending, and what helps where that isn't what is wanted: goes on
// "is ...". NULL: not known, or it can't be read.
const char *hub_file_kind(const char *path);

// Does the file begin as one of torch.save does, of whichever version? It may be another zip archive or pickle.
bool hub_is_torch(const char *path);

// A safetensors file, mapped and checked: every offset within the file, ordered, not overlapping.
typedef struct safetensors safetensors;
safetensors *safetensors_open(const char *path, diag *d);
void safetensors_close(safetensors *s);
int safetensors_count(const safetensors *s);
const char *safetensors_name(const safetensors *s, int i);
// The raw entry: dtype as in the file ("F32", "I64", ...).
bool safetensors_entry(const safetensors *s, const char *name, const char **dtype, int *rank,
                       const int64_t **shape, const void **data, size_t *bytes);
typedef struct safetensors_item {
    const char *name, *dtype;
    int rank;
    int64_t shape[IR_MAX_RANK];
    const void *data;
    size_t bytes;
} safetensors_item;
// Written beside the target and renamed.
bool safetensors_write(const char *path, int n, const safetensors_item *items, diag *d);

// A checkpoint folder of a known shape ("bert-tiny" ... "bert-large", "minilm-l6", or a config.json) with
// random weights.
typedef struct synth_options {
    const char *shape, *output, *dtype; // dtype: NULL: F32
    const char *head;                   // NULL: model
    uint64_t seed;
    const progress_hook *progress; // NULL: none
} synth_options;
bool hub_synth(const synth_options *options, diag *d);

#endif
