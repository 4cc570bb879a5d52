// Text in, answer out: the part of bertc.h about tokens, the tasks that answer texts, and a tokenizer alone. bertc.h
// includes it, and says what holds for all functions.
#ifndef BERTC_TEXT_H
#define BERTC_TEXT_H

#include "bertc_base.h"
#include "bertc_task.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- Tokenizer

typedef struct bertc_token {
    int32_t id, type;
    uint32_t char_start, char_end; // offsets in its text, in characters (code points)
    uint32_t byte_start, byte_end; // and in bytes
    int32_t text;                  // 0: the first text, 1: the pair, -1: a special token of the template
    int32_t word;                  // index of the pre-token (or of the given word) in its text, -1: special
} bertc_token;

typedef enum bertc_truncation {
    BERTC_TRUNCATE_NEVER = 0, // longer text is an error that says by how much
    BERTC_TRUNCATE_LONGEST_FIRST,
    BERTC_TRUNCATE_ONLY_FIRST,
    BERTC_TRUNCATE_ONLY_SECOND
} bertc_truncation;

// Which end of a text is cut.
typedef enum bertc_truncation_side {
    BERTC_TRUNCATION_DEFAULT = 0, // as the tokenizer's files say; where they don't, the right one
    BERTC_TRUNCATION_RIGHT,       // the first tokens stay
    BERTC_TRUNCATION_LEFT         // the last tokens stay
} bertc_truncation_side;

typedef struct bertc_word {
    uint32_t start, end; // bytes of the text
} bertc_word;

typedef struct bertc_text {
    const char *text;
    size_t size;
    const char *pair; // NULL: none
    size_t pair_size;
    // NULL, or where the text's words are, in order and not overlapping: it is then split there and nowhere
    // else first, as Transformers' is_split_into_words. What lies between words is not read; bertc_token.word
    // is the index here. At most size + 1 of them.
    const bertc_word *words;
    size_t word_count;
} bertc_text;

// Tokens of one text (or pair) with special tokens; bytes that are no UTF-8 count as U+FFFD, as Python's
// errors="replace"; a NUL is a character like any other. max_tokens 0: no limit. The tokens live in the session
// until its next call.
BERTC_API bool bertc_tokenize(bertc_session *session, const bertc_text *text, int64_t max_tokens,
                              bertc_truncation truncation, const bertc_token **tokens, size_t *count,
                              bertc_error *error);
// The same with options, of which max_tokens (0: no limit), truncation, truncation_side and plain_text count;
// NULL: none is set.
struct bertc_text_options;
BERTC_API bool bertc_tokenize_with(bertc_session *session, const bertc_text *text,
                                   const struct bertc_text_options *options, const bertc_token **tokens,
                                   size_t *count, bertc_error *error);
// Text of a token id, as in the vocabulary ("##able").
BERTC_API const char *bertc_token_text(const bertc_model *model, int32_t id);

// --- Tasks: text in, answer out

typedef struct bertc_score {
    const char *label; // or the token's text
    int32_t id;
    float score;
} bertc_score;
typedef struct bertc_entity {
    const char *type;
    float score;
    uint32_t char_start, char_end, byte_start, byte_end;
    // Of BERTC_AGGREGATE_NONE: true, the token's number in its sequence, special tokens counted, and its text in
    // the vocabulary (NULL: it is the unknown token).
    bool single;
    int index;
    const char *token;
} bertc_entity;
typedef struct bertc_answer {
    // Probability, as Transformers' question-answering pipeline has it: over the context's tokens and the CLS
    // token, that of the start times that of the end; spans of the same text count together.
    float score;
    bool found; // false: the context has no answer, which counts as one with bertc_text_options.no_answer
    uint32_t char_start, char_end, byte_start, byte_end; // in the pair (the context); 0 where not found
    float logit_score;                                   // start plus end logit
} bertc_answer;
typedef struct bertc_mask {
    uint32_t char_start, char_end, byte_start, byte_end;
    int text;
    int score_count;
    const bertc_score *scores; // best first
} bertc_mask;
typedef struct bertc_sentence {
    uint32_t char_start, char_end, byte_start, byte_end;
    float score; // how central it is: the mean of its cosines to all sentences of the text
} bertc_sentence;

typedef struct bertc_result {
    size_t size;
    int task; // bertc_task_kind: says which of the following are set
    int token_count;
    int window_count; // 1, or in how many windows the text was read
    int score_count;
    const bertc_score *scores; // labels, best first; of a regression in the labels' order
    int entity_count;
    const bertc_entity *entities;
    // For a text with bertc_text.words: one label a word, that of its first token. A word that has no
    // token, or was cut off, has label NULL and id -1. Entities then consist of whole words.
    int word_count;
    const bertc_score *words;
    bertc_answer answer;
    int mask_count;
    const bertc_mask *masks;
    float next_sentence; // probability; -1: no pair. With raw_scores the logit; NaN: no pair
    int embedding_size;
    const float *embedding;
    bool raw_scores; // as the options asked
    // The top_k answers, best first; `answer` is the first.
    int answer_count;
    const bertc_answer *answers;
    bool zero_shot; // `scores` are those of the call's labels (bertc_zero_shot)
    // Of a sparse model: the tokens of the vocabulary whose weight (score) is not 0, the largest first; top_k of them.
    const bertc_score *sparse;
    int sparse_count;
    // Of a model that gives a vector per token: those of the tokens that have one, in their order,
    // [vector_count, vector_width].
    int vector_count, vector_width;
    const float *vectors;
    // Of bertc_summarize; else NULL. In the text's order.
    const bertc_sentence *sentences;
    int64_t sentence_count;
    // Of a question: that the context holds no answer, with the least score and logit_score over the windows, whatever
    // bertc_text_options.no_answer says. Where a text has no CLS token the logit_score is -INFINITY. Less the best answer's logit_score
    // it is the score difference of SQuAD 2.0.
    bertc_answer no_answer;
    // [vector_count]: the token that each of the vectors belongs to, counted among those that bertc_text_tokens gives.
    const int32_t *vector_tokens;
} bertc_result;
#define BERTC_RESULT_INIT BERTC_INIT(bertc_result)

// How the tokens of a text become entities.
typedef enum bertc_aggregation {
    // Whole words, each with the label of its first token. Labels are read as they are meant: B- begins an
    // entity, I- and M- go on with one, E- and L- end one, S- and U- are one; a label without such a mark is
    // whole, "non-toxic" too; "O" alone is outside.
    BERTC_AGGREGATE_WORDS = 0,
    // Transformers' strategies. Words are pieced together by its rules, labels know B- and I- only, an
    // entity's type is what stands behind its label's first dash, and the type "O" is left out.
    BERTC_AGGREGATE_FIRST,   // a word has its first token's label
    BERTC_AGGREGATE_SIMPLE,  // no words: neighbouring tokens of one type
    BERTC_AGGREGATE_AVERAGE, // the label that is best in the mean of the tokens' probabilities
    BERTC_AGGREGATE_MAX,     // the label of the token that is surest
    BERTC_AGGREGATE_NONE     // each token that is not "O" by itself, with its label as it is
} bertc_aggregation;

// What a text is to a model that treats queries and the documents that they look for apart.
typedef enum bertc_role {
    BERTC_ROLE_NONE = 0,
    BERTC_ROLE_QUERY,   // as sentence-transformers' encode_query
    BERTC_ROLE_DOCUMENT // as its encode_document
} bertc_role;

typedef struct bertc_text_options {
    size_t size;
    bertc_truncation truncation;
    int top_k;             // 0: 5 for masks, all labels, 1 answer, all weights that are not 0
    int max_answer_tokens; // 0: 15
    // true: an answer ends where its tokens end. false: it is widened to whole words, as Transformers'
    // align_to_words does; not in scripts that put no spaces between words.
    bool answer_as_tokens;
    // The most tokens of a text, special tokens included. 0, or more than the model takes: what the model
    // takes.
    int64_t max_tokens;
    // true: a longer text is read in windows of max_tokens, and `truncation` is ignored. The pair moves
    // through the windows and the text is repeated in each; without a pair, and for entities, the text
    // moves. How the windows' answers become one:
    //   question       the best spans of all windows, those that read the same together
    //   entities       each token's label in the window where it is farthest from an edge; words for a mask likewise
    //   labels, values, next_sentence    the mean of the logits
    //   embedding      the mean of the embeddings; its length is made 1 again where that of each window is 1
    //   sparse         each token's largest weight
    // Texts of BERTC_TASK_VECTORS and BERTC_TASK_SEVERAL, and those of bertc_zero_shot, are not read in windows: an error.
    // A mean weights each window by its number of tokens of the moving text.
    bool windows;
    int stride; // tokens that neighbouring windows share; 0: 128, at most half of what moves; -1: none
    // For embeddings and labels: a prompt that is put before each text (not before its pair), in every
    // window. `prompt_name`: the model's prompt of that name; `prompt`: the prompt itself, "" for none.
    // Both NULL: that of the role, else the model's default prompt, where it has one.
    const char *prompt_name, *prompt;
    // true: scores are logits, as the head gives them, of labels, entities, answers, words for masks and
    // next_sentence. What is chosen, and its order, is the same. An entity's is the mean over its words.
    bool raw_scores;
    bertc_aggregation aggregation; // of entities. Texts with words of their own have BERTC_AGGREGATE_WORDS
    // Question answering: that the context holds no answer is an answer too, of the CLS token's score, as with
    // Transformers' handle_impossible_answer.
    bool no_answer;
    // Of an embedding: how many of its first numbers are the answer (0: what the model says, else all), and
    // whether these are made of length 1.
    int dimensions;
    bool normalize;
    bertc_truncation_side truncation_side;
    // true: text never becomes a special token ([SEP], </s>, [MASK], ...), whoever wrote it, prompts neither.
    // For texts of people who are not trusted.
    bool plain_text;
    // bertc_role, of models that give embeddings, sparse weights or vectors. Where no prompt is asked for, it picks one:
    // `query`, or the first of `document`, `passage` and `corpus` that the model has. With vectors it also picks the
    // marker, the length, and which tokens get none; with sparse weights it may say that a query's are those of its
    // tokens alone. (64 bits: earlier versions end with unused bytes here.)
    int64_t role;
} bertc_text_options;
#define BERTC_TEXT_OPTIONS_INIT BERTC_INIT(bertc_text_options)

// The tokens that bertc_answer_texts reads of a text: of the role, prompt, max_tokens, truncation, truncation_side and
// plain_text that the options say, with the prompt's tokens and those that a query is filled up with (their `text` is -1);
// offsets count from the text's first byte. Windows don't count. The tokens live in the session until its next call.
BERTC_API bool bertc_text_tokens(bertc_session *session, const bertc_text *text,
                                 const bertc_text_options *options, const bertc_token **tokens, size_t *count,
                                 bertc_error *error);

// Answers `count` texts; results[i] for texts[i]. An error is about one text, and none is answered then. An
// answer with a number that is not finite is such an error, and so is a text without a mask token where words
// for one are all that can be answered.
// Nothing is allocated for up to 1024 texts of max_text_bytes in all (top_k up to 32, sparse answers of 2048 weights
// each); more grows the session's buffers once. Question answering takes the question as the text and the context as
// its pair; entities are looked for in the text, not in the pair.
BERTC_API bool bertc_answer_texts(bertc_session *session, const bertc_text *texts, size_t count,
                                  const bertc_text_options *options, bertc_result *results,
                                  bertc_error *error);
// The embeddings of `count` texts into embeddings[count, width], row-major, the caller's own. width: options.dimensions,
// or where that is 0 bertc_model_info.embedding_size; another one is an error. For models of BERTC_TASK_EMBEDDING, and of
// BERTC_TASK_SEVERAL that give one. What else the options say is as of bertc_answer_texts. After an error `embeddings` is as it was.
BERTC_API bool bertc_embed_texts(bertc_session *session, const bertc_text *texts, size_t count,
                                 const bertc_text_options *options, float *embeddings, int64_t width,
                                 bertc_error *error);
// One JSON object (no newline) for a result, with the keys of Transformers' pipelines: label, score, scores
// [{label, score}]; entities [{entity_group, score, word, start, end}], of BERTC_AGGREGATE_NONE
// [{entity, score, index, word, start, end}] (and labels, one for each word, where the text has words);
// answer, start, end, score, logit_score (and answers, a list of such objects, where there are several; answer
// "" says that there is none); masks [{start, end, scores [{token_str, token, score}]}]; next_sentence;
// embedding; sparse [{id, token, weight}]; vectors, a list for each token; of bertc_zero_shot two lists, labels and
// scores; of bertc_summarize sentences [{text, start, end, score}]. start and end count characters; what is not there is null. Like snprintf: returns the length that it needs without the NUL, cuts at `size`, and always
// ends in NUL (unless size is 0).
BERTC_API size_t bertc_result_json(const bertc_result *result, const bertc_text *text, char *buffer,
                                   size_t size);

// How well a document answers a query, of models that give a vector per token (BERTC_TASK_VECTORS): for each row of
// query[query_rows, width] its largest dot product with a row of document[document_rows, width]; their sum. All in
// float32. A query without rows: 0; a document without any: -1e9, so that it ranks last, as in sentence-transformers.
BERTC_API float bertc_maxsim(const float *query, size_t query_rows, const float *document,
                             size_t document_rows, size_t width);
// The same for `count` documents whose rows lie one after the other: document i has the rows bounds[i] to bounds[i + 1] - 1.
// scores[i] is what bertc_maxsim gives; what it does to the query is done once.
BERTC_API void bertc_maxsim_all(const float *query, size_t query_rows, const float *documents,
                                const int64_t *bounds, size_t count, size_t width, float *scores);

// --- Labels that the call gives (zero-shot classification)

typedef struct bertc_zero_shot_options {
    size_t size;
    int label_count; // at least 1
    const char *const *labels;
    // A sentence in which {} (or {0}) is the label; {{ and }} are braces. NULL: "This example is {}."
    const char *hypothesis;
    bool multi_label; // each label by itself: several may hold, or none
} bertc_zero_shot_options;
#define BERTC_ZERO_SHOT_OPTIONS_INIT BERTC_INIT(bertc_zero_shot_options)
// The number of the label that means that a pair's second text follows from the first: the first one whose name begins
// with "entail", in any case, or the one that the folder's label2id has under such a name, as in Transformers. -1: there is
// none, and the last one is taken for it.
BERTC_API int bertc_entailment_label(const bertc_model *model);
// Scores `count` texts for labels that the model has not been trained on, as Transformers' zero-shot-classification
// pipeline does. The model compares pairs (natural language inference): each text is paired with the hypothesis of
// each label. The scores are a softmax over the labels' entailment logits; with multi_label, or one label, a softmax
// over each label's contradiction (the first label of the model, or the last where that is the entailment) and
// entailment. results[i].scores: `label` is the caller's string, `id` its number in `labels`; best first, the later
// label first among equals. A text that is too long is cut. Of the text options top_k (0: all labels), max_tokens,
// truncation_side, plain_text, raw_scores (the entailment logits) and the prompt (default: none) count.
BERTC_API bool bertc_zero_shot(bertc_session *session, const bertc_text *texts, size_t count,
                               const bertc_zero_shot_options *how, const bertc_text_options *options,
                               bertc_result *results, bertc_error *error);

// --- Reranking

typedef struct bertc_ranked {
    size_t index; // of the document
    float score;
} bertc_ranked;
// Scores each document as the pair of the query, by a cross-encoder (a model with one label), and writes the best
// options.top_k of them (0: all `count`) to `ranked`, by falling score, equal ones by their index. Documents have
// no pair of their own. What else the options say is as of bertc_answer_texts.
BERTC_API bool bertc_rank(bertc_session *session, const bertc_text *query, const bertc_text *documents,
                          size_t count, const bertc_text_options *options, bertc_ranked *ranked,
                          bertc_error *error);

// --- Extractive summaries

typedef struct bertc_summary_options {
    size_t size;
    int64_t sentence_count; // at least 1: how many are taken; all of a text that has fewer
    // From 0 to 1: what counts that a sentence is unlike those which are taken, against how central it is. 0: 0.3; -1: it
    // does not count.
    double novelty;
} bertc_summary_options;
#define BERTC_SUMMARY_OPTIONS_INIT BERTC_INIT(bertc_summary_options)
// Takes the sentences of a text that say most of it, by a model that gives embeddings. The text is cut into sentences
// (docs/running.md says by which rule) and each is embedded. One after the other that sentence is taken for which
// (1 - novelty) x its mean cosine to all sentences - novelty x its largest cosine to one that is taken is largest, the
// first one among equals. The text has no pair and no words of its own, and less than 4 GB; a sentence has up to
// max_text_bytes, and one with too many tokens is an error unless options.truncation cuts it. What else the options say is
// as of bertc_answer_texts; top_k does not count. Memory grows with the number of sentences.
BERTC_API bool bertc_summarize(bertc_session *session, const bertc_text *text,
                               const bertc_summary_options *how, const bertc_text_options *options,
                               bertc_result *result, bertc_error *error);

// --- A tokenizer alone, without a model (bertc tokenize FOLDER)
typedef struct bertc_tokenizer_handle bertc_tokenizer_handle;
BERTC_API bertc_tokenizer_handle *bertc_tokenizer_open(const void *table, size_t size, size_t max_text_bytes,
                                                       bertc_error *error);
BERTC_API bool bertc_tokenizer_encode(bertc_tokenizer_handle *t, const bertc_text *text, int64_t max_tokens,
                                      bertc_truncation truncation, const bertc_token **tokens, size_t *count,
                                      bertc_error *error);
BERTC_API bool bertc_tokenizer_encode_with(bertc_tokenizer_handle *t, const bertc_text *text,
                                           const bertc_text_options *options, const bertc_token **tokens,
                                           size_t *count, bertc_error *error);
BERTC_API const char *bertc_tokenizer_text(const bertc_tokenizer_handle *t, int32_t id);
BERTC_API void bertc_tokenizer_close(bertc_tokenizer_handle *t);

#ifdef __cplusplus
}
#endif
#endif
