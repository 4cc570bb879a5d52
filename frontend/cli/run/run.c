#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/calibrate.h"
#include "frontend/cli/run/format.h"
#include "frontend/cli/run/run.h"
#include "frontend/cli/run/shard.h"
#include "frontend/hub/files/text.h"

// What is read, and how long texts are.
static void add_texts(option_table *t, run_options *o) {
    t->group = "texts";
    options_add(t, (option_row){"pair", 0, OPTION_TEXT, "TEXT",
                                "the second text: context of a question, next sentence", &o->pair});
    options_add(t, (option_row){"input", 0, OPTION_TEXT, "FILE",
                                "answer each line of FILE (-: standard input): text (a tab before the "
                                "second), or JSON with text, pair or words",
                                &o->input});
    options_add(t, (option_row){"output", 'o', OPTION_TEXT, "FILE",
                                "write the answers here: .jsonl, .csv, .txt, .npy or .npz (of TEXT or "
                                "--input), safetensors (--tensors), .svg (--attention), .html (--explain)",
                                &o->output});
    options_add(t, (option_row){"resume", 0, OPTION_FLAG, NULL, "continue a run of --input that was stopped",
                                &o->resume});
    reading_options_add(t, &o->read,
                        "what to do with a text that is too long: error (default); truncate, truncate-first "
                        "or truncate-second (of a pair), with -left or -right for the end that is cut "
                        "(default: as the tokenizer says); or window: read it piece by piece");
    options_add(t, (option_row){"threads", 'j', OPTION_INT, "N",
                                "threads (default: 1; with files of texts and --search: one per CPU)",
                                &o->threads, 1});
    options_add(t, (option_row){"huge-pages", 0, OPTION_FLAG, NULL, "copy the weights into 2 MB pages first",
                                &o->huge_pages});
}

// What answers hold.
static void add_answers(option_table *t, run_options *o) {
    t->group = "answers";
    format_options_add(t, o);
    options_add(t, (option_row){"top-k", 0, OPTION_INT, "N",
                                "print the best N labels, answers, words, weights or lines (default: 1 label "
                                "or answer, 5 words for [MASK], all weights, 5 lines of a search)",
                                &o->top_k, 1});
    options_add(t, (option_row){"raw-scores", 0, OPTION_FLAG, NULL, "print logits instead of probabilities",
                                &o->raw_scores});
    options_add(t, (option_row){"aggregation", 0, OPTION_TEXT, "HOW",
                                "how tokens become entities: words (default), or as Transformers does: "
                                "first, simple, average, max, none",
                                &o->how_aggregated});
    options_add(t, (option_row){"max-answer", 0, OPTION_INT, "N", "the most tokens of an answer (default 15)",
                                &o->max_answer, 1});
    options_add(t, (option_row){"answer-tokens", 0, OPTION_FLAG, NULL, "don't extend answers to whole words",
                                &o->answer_tokens});
    options_add(t, (option_row){"no-answer", 0, OPTION_FLAG, NULL,
                                "allow the answer that the context holds no answer", &o->no_answer});
}

// Embeddings, dense and sparse, and vectors of tokens.
static void add_embeddings(option_table *t, run_options *o) {
    t->group = "embeddings and vectors";
    options_add(t, (option_row){"as", 0, OPTION_TEXT, "ROLE",
                                "treat the texts as `query` or `document`: use the prompt, marker and length "
                                "that the model has for these",
                                &o->as});
    reading_prompts_add(t, &o->read,
                        "put the model's prompt of this name before each text (default: the prompt of --as, "
                        "else the model's default prompt, if it has one)");
    options_add(t,
                (option_row){"dimensions", 0, OPTION_INT, "N",
                             "keep the first N numbers of an embedding (default: as the model says, or all)",
                             &o->dimensions, 1});
    options_add(t, (option_row){"normalize", 0, OPTION_FLAG, NULL,
                                "scale embeddings to length 1, after --dimensions", &o->normalize});
}

// What texts are looked for in, and what they are ranked by.
static void add_searches(option_table *t, run_options *o) {
    t->group = "search";
    options_add(t, (option_row){"similar", 0, OPTION_TEXT, "QUERIES",
                                "for each line of the file QUERIES, find the --top-k lines (default 5) of "
                                "the file given as TEXT that are most like it",
                                &o->similar});
    options_add(t, (option_row){"search", 0, OPTION_TEXT, "VECTORS",
                                "for each TEXT, find the --top-k rows (default 5) that are most like it in a "
                                "file of vectors (.npy or .npz, as --input -o writes them)",
                                &o->search});
    options_add(t, (option_row){"similarity", 0, OPTION_TEXT, "HOW",
                                "for --similar and --search: cosine, dot, euclidean, manhattan; for vectors "
                                "of tokens MaxSim or MeanMaxSim (default: as the model says, or cosine)",
                                &o->similarity});
    rank_options_add(t, o);
}

// What else is done with texts, and tensors.
static void add_modes(option_table *t, run_options *o) {
    t->group = "labels of your own";
    zero_shot_options_add(t, o);
    t->group = "a summary";
    summarize_options_add(t, o);
    t->group = "why this answer";
    options_add(t, (option_row){"attention", 0, OPTION_INTS, "LAYER,HEAD",
                                "show how much each token of TEXT attends to each other, in this layer and "
                                "head (counted from 0): a table, or with -o an SVG of whole words",
                                &o->attention, 0});
    options_add(t, (option_row){"pieces", 0, OPTION_FLAG, NULL,
                                "with --attention -o: draw the pieces of a word separately", &o->pieces});
    options_add(t, (option_row){"explain", 0, OPTION_FLAG, NULL,
                                "show how much each word adds to the label, to each entity or to the answer: "
                                "the score minus the score without the word; with -o as HTML",
                                &o->explain});
    t->group = "token ids";
    options_add(t, (option_row){"tensors", 0, OPTION_TEXT, "FILE",
                                "run input_ids (and attention_mask, token_type_ids, position_ids, ...) from "
                                "a safetensors file, and write all outputs to -o",
                                &o->tensors});
}

static void table_init(option_table *t, run_options *o) {
    *t = (option_table){
        .usage = "bertc run model.so|MODEL [TEXT]... [OPTION]...",
        .summary = "Answers each TEXT by the model's head: label, entities, answer, words for [MASK], "
                   "embedding, sparse\n"
                   "weights or vectors. Without a TEXT it answers each line of standard input, "
                   "where a tab stands before\n"
                   "a second text. A checkpoint is compiled in memory first.",
        .example = "bertc run sentiment.so \"This movie was amazing!\""};
    *o = (run_options){.read.stride = -1};
    add_texts(t, o);
    add_answers(t, o);
    add_embeddings(t, o);
    add_searches(t, o);
    add_modes(t, o);
    shard_options_add(t, o);
    build_options_add(t, &o->build, "native");
}

// What a text gets, where it is one thing, or all of them; NULL: the best can be taken.
static const char *one_of_all(const bertc_model_info *info) {
    switch ((bertc_task_kind)info->task) {
    case BERTC_TASK_EMBEDDING: return "embeddings";
    case BERTC_TASK_VECTORS: return "vectors";
    case BERTC_TASK_ENTITIES: return "entities";
    case BERTC_TASK_NEXT_SENTENCE: return "whether a sentence is the next one";
    case BERTC_TASK_SEVERAL: return info->sparse_width ? NULL : "embeddings and vectors";
    case BERTC_TASK_TENSORS:
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION:
    case BERTC_TASK_ANSWER:
    case BERTC_TASK_FILL_MASK:
    case BERTC_TASK_PRETRAINING:
    case BERTC_TASK_SPARSE: break;
    }
    return NULL;
}

static bool answers_texts(const run_options *o, const bertc_model *model, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    if (o->how_aggregated && info.task != BERTC_TASK_ENTITIES)
        return diag_error(d, NULL, "--aggregation is for entities, and the model finds none");
    if (o->as && info.task != BERTC_TASK_EMBEDDING && info.task != BERTC_TASK_SPARSE &&
        info.task != BERTC_TASK_VECTORS && info.task != BERTC_TASK_SEVERAL)
        return diag_error(d, NULL, "--as is for embeddings, and the model gives none");
    bool embeds = info.task == BERTC_TASK_EMBEDDING;
    if (o->raw_scores && (embeds || info.task == BERTC_TASK_SPARSE || info.task == BERTC_TASK_VECTORS ||
                          info.task == BERTC_TASK_SEVERAL))
        return diag_error(d, NULL, "--raw-scores is for scores, and the model gives %s",
                          embeds ? "embeddings" : "vectors");
    const char *all = one_of_all(&info);
    if (o->top_k && all && !o->similar && !o->search)
        return diag_error(d, "--top-k", "is for answers of which some are better, and the model gives %s",
                          all);
    if ((o->max_answer || o->answer_tokens || o->no_answer) && info.task != BERTC_TASK_ANSWER)
        return diag_error(d, NULL, "%s is for questions, and the model answers none",
                          o->max_answer      ? "--max-answer"
                          : o->answer_tokens ? "--answer-tokens"
                                             : "--no-answer");
    return info.task != BERTC_TASK_TENSORS || diag_error(d, NULL,
                                                         "the model has no head that answers texts: use "
                                                         "--tensors, or compile it with --head embedding");
}

// A checkpoint is compiled with the output that is to be drawn.
static void ask_for_attention(run_options *o, char *name, size_t size) {
    const char *others = o->build.hub.outputs;
    if (!o->attention.count) return;
    snprintf(name, size, "%s%sattentions.%lld", others ? others : "", others ? "," : "",
             (long long)o->attention.v[0]);
    o->build.hub.outputs = name;
}

static bool run_session(const run_options *o, bertc_model *model, const arguments *words, diag *d) {
    bertc_error e;
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = (int)o->threads,
                                .huge_pages = o->huge_pages};
    bertc_session *s = bertc_open(model, &so, &e);
    if (!s) return runtime_failed(d, &e);
    bool ok = o->tensors           ? run_tensors(model, s, o->tensors, o->output, d)
              : o->attention.count ? run_attention(o, model, s, words->v[0], d)
              : o->explain         ? run_explain(o, model, s, words, d)
                                   : run_texts(o, model, s, words, d);
    bertc_close(s);
    return flush_stdout(d) && ok;
}

// False where -o names a file that is read.
static bool spares_inputs(const run_options *o, const char *model, diag *d) {
    const char *const inputs[] = {o->input, o->tensors, model};
    if (!o->output) return true;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (inputs[i] && same_file(inputs[i], o->output))
            return diag_error(d, o->output, "is what is read, and would be replaced");
    hub_options hub = o->build.hub;
    hub.model = model;
    return !is_checkpoint(model) || spares_checkpoint(&hub, o->output, d);
}

// The shard's part, if it isn't there already.
static bool run_shard(const run_options *o, const option_table *t, const shard_place *where,
                      bertc_model *model, diag *d) {
    shard s;
    bool ok = shard_open(&s, o, t, where, model, d);
    bool done = ok && o->resume && shard_done(&s);
    if (done) diag_note(d, s.part, "is whole already");
    if (ok && !done) {
        run_options own = *o;
        own.output = s.part;
        own.resume = o->resume && format_grows(o->format);
        unlink(s.manifest); // of a part that is made anew
        ok = run_input(&own, &s, model, d);
    }
    shard_close(&s);
    return ok;
}

static void run(run_options *o, const option_table *t, const shard_place *where, const arguments *rest,
                diag *d) {
    opened model;
    char outputs[1024];
    const arguments words = {rest->count - 1, rest->v + 1};
    ask_for_attention(o, outputs, sizeof outputs);
    if (!spares_inputs(o, rest->v[0], d) || !format_choose(o, d)) return;
    arena *a = arena_new();
    bool ok = calibrate_options(&o->build, rest->v[0], a, d);
    model = (opened){0};
    ok = ok && opened_open(&model, rest->v[0], &o->build, d);
    if (ok && !o->tensors && !o->attention.count)
        ok = answers_texts(o, model.model, d) && check_embedding(o, model.model, d) &&
             zero_shot_begin(o, model.model, d);
    if (ok && where->count)
        run_shard(o, t, where, model.model, d);
    else if (ok && (o->input || o->words))
        run_input(o, NULL, model.model, d);
    else if (ok && o->search)
        run_search(o, model.model, &words, d);
    else if (ok && o->similar)
        run_similar(o, model.model, words.v[0], d);
    else if (ok && o->rank)
        run_rank(o, model.model, words.v[0], d);
    else if (ok && o->summarize)
        run_summarize(o, model.model, words.v[0], d);
    else if (ok)
        run_session(o, model.model, &words, d);
    zero_shot_end(o);
    opened_close(&model);
    arena_free(a);
}

// -1, or the exit status of a usage error. `words`: the texts on the command line.
static int check_options(const option_table *t, run_options *o, const arguments *words) {
    int texts = words->count;
    if (!!o->tensors + !!o->input + !!o->similar + !!o->search + !!o->rank + !!o->summarize +
            !!o->attention.count + o->explain >
        1)
        return usage_error(
            t, "takes one of --tensors, --input, --similar, --search, --rank, --summarize, --attention, "
               "--explain");
    bool others = o->tensors || o->input || o->similar || o->search || o->rank || o->summarize ||
                  o->attention.count || o->explain;
    if (o->output && texts && !others) o->words = words;
    int status = zero_shot_options_check(t, o);
    if (status < 0) status = rank_options_check(t, o, texts);
    if (status < 0) status = summarize_options_check(t, o, texts);
    if (status < 0) status = format_options_check(t, o);
    if (status >= 0) return status;
    bertc_similarity how;
    if (o->similarity && !o->similar && !o->search)
        return usage_error(t, "--similarity goes with --similar and --search");
    if (o->similarity && !hub_similarity_find(o->similarity, &how))
        return usage_error(
            t, "--similarity: '%s' is none of cosine, dot, euclidean, manhattan, MaxSim, MeanMaxSim",
            o->similarity);
    if ((o->dimensions || o->normalize) && (o->tensors || o->attention.count || o->explain))
        return usage_error(t, "--%s goes with texts that get an embedding",
                           o->dimensions ? "dimensions" : "normalize");
    if (o->similar && texts != 1) return usage_error(t, "--similar QUERIES takes one file to search in");
    if (o->similar && !strcmp(o->similar, "-") && !strcmp(words->v[0], "-"))
        return usage_error(t, "--similar: standard input can be QUERIES or the file to search in, not both");
    if (o->search && !texts) return usage_error(t, "--search VECTORS takes a text to search for");
    if (o->attention.count && o->attention.count != 2) return usage_error(t, "--attention takes LAYER,HEAD");
    if (o->pieces && (!o->attention.count || !o->output))
        return usage_error(t, "--pieces goes with --attention and -o");
    if (o->attention.count && texts != 1) return usage_error(t, "--attention takes one text");
    if (o->explain && !texts) return usage_error(t, "--explain takes a text");
    if (o->tensors && !o->output) return usage_error(t, "--tensors and -o go together");
    if (o->output && !o->tensors && !o->input && !o->attention.count && !o->explain && !o->words)
        return usage_error(
            t, "-o goes with TEXT, --input (-: standard input), --tensors, --attention or --explain");
    if (o->attention.count && o->output && !hub_ends_with(o->output, ".svg"))
        return usage_error(t, "--attention is drawn as .svg, not as %s: rsvg-convert makes a PNG of it",
                           o->output);
    if (o->explain && o->output && !hub_ends_with(o->output, ".html") && !hub_ends_with(o->output, ".htm"))
        return usage_error(t, "--explain is drawn as .html, not as %s", o->output);
    if (o->tensors && texts) return usage_error(t, "takes texts or --tensors, not both");
    if (o->input && texts) return usage_error(t, "takes texts or --input, not both");
    if (o->resume && (!o->input || !o->output))
        return usage_error(t, "--resume goes with --input and --output");
    if ((o->read.prompt || o->read.prompt_name) && (o->tensors || o->attention.count || o->explain))
        return usage_error(t, "--prompt goes with texts that get an embedding or labels");
    if (o->as && (o->tensors || o->attention.count || o->explain))
        return usage_error(t, "--as goes with texts that get an embedding");
    if (o->as && o->similar)
        return usage_error(t, "--similar takes QUERIES for queries and TEXT for documents: no --as");
    if ((o->raw_scores || o->how_aggregated) && (o->tensors || o->attention.count || o->similar || o->search))
        return usage_error(t, "--raw-scores and --aggregation go with texts that get an answer");
    if (o->huge_pages && (o->input || o->words || o->similar || o->rank))
        return usage_error(t, "--huge-pages would copy the weights for each thread of --input, -o, --similar "
                              "and --rank");
    if (o->read.plain_text && o->tensors) return usage_error(t, "--plain-text goes with texts");
    return -1;
}

static int merge(const run_options *o, const arguments *manifests) {
    diag d;
    diag_init(&d);
    d.subject = o->output;
    run_merge(o, manifests, &d);
    return finish(&d);
}

int command_run(int argc, char **argv) {
    option_table t;
    run_options o;
    arguments rest;
    table_init(&t, &o);
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    shard_place where;
    status = shard_options_check(&t, &o, &rest, &where);
    if (status >= 0) return status;
    if (o.merge) {
        status = format_options_check(&t, &o);
        return status < 0 ? merge(&o, &rest) : status;
    }
    if (rest.count < 1) return usage_error(&t, "needs an artefact or a checkpoint");
    status = reading_check(&t, &o.read, false);
    if (status >= 0) return status;
    if (!aggregation_of(o.how_aggregated, &o.aggregation))
        return usage_error(&t, "--aggregation: '%s' is none of words, first, simple, average, max, none",
                           o.how_aggregated);
    if (!role_of(o.as, &o.role)) return usage_error(&t, "--as: '%s' is none of query, document", o.as);
    status = build_options_check(&t, &o.build, rest.v[0], false);
    if (status >= 0) return status;
    const arguments words = {rest.count - 1, rest.v + 1};
    status = check_options(&t, &o, &words);
    if (status >= 0) return status;
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    run(&o, &t, &where, &rest, &d);
    return finish(&d);
}
