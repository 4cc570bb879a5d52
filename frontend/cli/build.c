#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/graph.h"
#include "frontend/cli/memory.h"
#include "frontend/cli/probe.h"

void build_options_add(option_table *t, build_options *o, const char *usual_mcpu) {
    const char *mcpu =
        !strcmp(usual_mcpu, "portable")
            ? "portable (default: code for every level from avx2 on, with one copy of the weights), native, "
              "or a name that `bertc targets` lists; several with commas"
            : "native (default), portable, or a name that `bertc targets` lists; several with commas";
    *o = (build_options){.batch = 1, .optimise = 2, .usual_mcpu = usual_mcpu};
    t->group = "what is read of a checkpoint";
    options_add(
        t, (option_row){"graph", 0, OPTION_TEXT, "FILE",
                        "use this op graph (text of --emit ir, of any stage) instead of the checkpoint's own",
                        &o->graph});
    options_add(t, (option_row){"config", 0, OPTION_TEXT, "FILE", "config.json (default: beside the weights)",
                                &o->hub.config});
    options_add(t,
                (option_row){"tokenizer", 0, OPTION_TEXT, "FILE",
                             "tokenizer.json or vocab.txt (default: beside the weights)", &o->hub.tokenizer});
    options_add(t, (option_row){"head", 0, OPTION_TEXT, "HEAD",
                                "what the model answers: auto (default), model, masked-lm, next-sentence, "
                                "pretraining, sequence-classification, token-classification, "
                                "question-answering, discriminator, embedding, sparse, vectors",
                                &o->hub.head});
    options_add(t, (option_row){
                       "pooling", 0, OPTION_TEXT, "MODE",
                       "how the vectors of tokens become an embedding: cls, max, mean, mean_sqrt_len_tokens, "
                       "weightedmean, lasttoken; several with commas are joined end to end (default: as the "
                       "folder says, or mean). splade makes a sparse encoder of a masked LM",
                       &o->hub.pooling});
    options_add(t, (option_row){"adapter", 0, OPTION_TEXTS, "DIR",
                                "add a LoRA adapter (PEFT) to the weights. Several: DIR=WEIGHT,DIR=WEIGHT, "
                                "or give the option again",
                                &o->adapters});
    options_add(
        t, (option_row){
               "combine", 0, OPTION_TEXT, "HOW",
               "how several adapters are combined: sum (default) or linear (PEFT's add_weighted_adapter)",
               &o->hub.combine});
    options_add(t, (option_row){"task", 0, OPTION_TEXT, "NAME",
                                "for a model with one LoRA per task: the task whose LoRA is added",
                                &o->hub.task});
    options_add(
        t, (option_row){"outputs", 0, OPTION_TEXT, "LIST",
                        "more outputs: hidden_states, attentions, ...; for BGE-M3: dense, sparse, colbert",
                        &o->hub.outputs});
    options_add(t, (option_row){"train", 0, OPTION_TEXT, "TASK",
                                "the parameters are states that can be written, for a task: " HUB_TASKS,
                                &o->hub.train.task});
    t->group = "how it is compiled";
    options_add(t,
                (option_row){"seq", 0, OPTION_INTS, "LENGTHS",
                             "the most tokens of a text; one length or several: 32,128,512", &o->lengths, 1});
    options_add(t, (option_row){"batch", 0, OPTION_INT, "N", "texts of that length per call (default 1)",
                                &o->batch, 1});
    options_add(t, (option_row){"mcpu", 0, OPTION_TEXT, "CPU", mcpu, &o->mcpu});
    options_add(t, (option_row){"target", 0, OPTION_TEXT, "TRIPLE", "default: this machine's", &o->triple});
    options_add(
        t, (option_row){
               "dtype", 0, OPTION_TEXT, "TYPE",
               "element type of the products: f32 (default), bf16, int8, or int8w (only the weights in int8)",
               &o->dtype});
    options_add(t, (option_row){"keep", 0, OPTION_TEXTS, "f32:NAMES",
                                "kernels and weights that stay in f32, by names or patterns: "
                                "f32:classifier,layer.0.*. Give the option again to add more",
                                &o->keeps});
    options_add(t, (option_row){"calibrate", 0, OPTION_TEXT, "FILE",
                                "for --dtype int8: texts, one per line, that fix the scales of activations "
                                "(default: each row of a call gets its own scale)",
                                &o->calibrate});
    options_add(t,
                (option_row){"passes", 0, OPTION_TEXT, "LIST",
                             "a,b,c: exactly these passes; -a,+b: the default pipeline without a and with b",
                             &o->passes});
    options_add(t, (option_row){"print-after", 0, OPTION_TEXT, "PASS",
                                "print the IR after this pass (or after `all`) on stderr", &o->print_after});
    options_add(t, (option_row){"report", 0, OPTION_TEXT, "WHAT",
                                "print a report: fusion (on stderr), memory or time", &o->report});
    options_add(t, (option_row){"optimise", 'O', OPTION_INT, "0..3", "LLVM's optimisation level (default 2)",
                                &o->optimise, 0, 3});
}

int build_options_check(const option_table *t, const build_options *o, const char *path, bool sizes) {
    const struct {
        const char *name;
        bool given;
    } all[] = {{"--graph", o->graph},
               {"--config", o->hub.config},
               {"--tokenizer", o->hub.tokenizer},
               {"--head", o->hub.head},
               {"--pooling", o->hub.pooling},
               {"--outputs", o->hub.outputs},
               {"--adapter", o->adapters.count},
               {"--combine", o->hub.combine},
               {"--task", o->hub.task},
               {"--train", o->hub.train.task},
               {"--seq", o->lengths.count && !sizes},
               {"--batch", o->batch != 1 && !sizes},
               {"--mcpu", o->mcpu},
               {"--target", o->triple},
               {"--dtype", o->dtype},
               {"--keep", o->keeps.count},
               {"--calibrate", o->calibrate},
               {"--passes", o->passes},
               {"--print-after", o->print_after},
               {"--report", o->report},
               {"-O", o->optimise != 2}};
    if (is_checkpoint(path) || access(path, R_OK)) return -1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given)
            return usage_error(t, "%s has no effect on %s, which is compiled already", all[i].name, path);
    return -1;
}

static bool check_words(const build_options *o, diag *d) {
    precision p;
    if (o->dtype && !precision_find(o->dtype, &p))
        return diag_error(d, "--dtype", "takes f32, bf16, int8 or int8w, not '%s'", o->dtype);
    for (int i = 0; i < o->keeps.count; i++)
        if (strncmp(o->keeps.v[i], "f32:", 4) || !o->keeps.v[i][4])
            return diag_error(d, "--keep", "takes f32:NAMES, not '%s'", o->keeps.v[i]);
    if (o->keeps.count && build_precision(o) == PRECISION_F32)
        return diag_error(d, "--keep", "has no effect without --dtype bf16, int8 or int8w");
    p = build_precision(o);
    if (build_makes_step(o) && (p == PRECISION_INT8 || p == PRECISION_INT8W))
        return diag_error(d, "--dtype", "%s can't be trained: a step is computed in f32 or bf16", o->dtype);
    const char *r = o->report;
    if (r && strcmp(r, "fusion") && strcmp(r, "memory") && strcmp(r, "time")) {
        return diag_error(d, "--report", "takes fusion, memory or time, not '%s'", r);
    }
    return true;
}

// Ascending, each once; the defaults where none are asked for.
static bool choose_lengths(const build_options *o, const hub_model *m, int_list *out, diag *d) {
    *out = o->lengths;
    if (!out->count) {
        int64_t longest = m->position_count < 512 ? m->position_count : 512;
        if (longest > 128) out->v[out->count++] = 128;
        out->v[out->count++] = longest;
    }
    for (int i = 0; i < out->count; i++) {
        if (out->v[i] > m->position_count) {
            return diag_error(d, "--seq", "%lld is too long: the model has %lld positions",
                              (long long)out->v[i], (long long)m->position_count);
        }
        for (int k = i; k > 0 && out->v[k - 1] > out->v[k]; k--) {
            int64_t t = out->v[k];
            out->v[k] = out->v[k - 1];
            out->v[k - 1] = t;
        }
    }
    if (o->batch > BERTC_TOKENS_MAX / out->v[out->count - 1])
        return diag_error(d, "--batch", "%lld texts of %lld tokens are more than %lld tokens in one call",
                          (long long)o->batch, (long long)out->v[out->count - 1],
                          (long long)BERTC_TOKENS_MAX);
    int n = 0;
    for (int i = 0; i < out->count; i++) {
        if (!n || out->v[n - 1] != out->v[i]) out->v[n++] = out->v[i];
    }
    out->count = n;
    return true;
}

static bool add_variants(build *b, const build_options *o, const int_list *lengths, pass_context *c) {
    for (int t = 0; t < b->target_count; t++) {
        c->target = &b->targets[t];
        graph *g = module_find(b->module, c->target->class);
        for (int i = 0; i < lengths->count; i++) {
            if (passes_add_variant(g, lengths->v[i], o->batch, c) < 0) return false;
        }
    }
    return true;
}

// The different classes of the targets; how many.
static int list_classes(const build *b, const char *out[BUILD_TARGETS_MAX]) {
    int n = 0;
    for (int i = 0; i < b->target_count; i++) {
        int k = 0;
        while (k < n && strcmp(out[k], b->targets[i].class)) k++;
        if (k == n) out[n++] = b->targets[i].class;
    }
    return n;
}

// What a step keeps in memory: the longest variant is the one that counts.
static bool choose_memory(const build *b, const build_options *o, const int_list *lengths,
                          memory_options *out, diag *d) {
    *out = (memory_options){.batch = o->batch, .targets = b->targets, .beside = o->memory_beside};
    if (lengths->count) {
        out->length = lengths->v[lengths->count - 1];
        out->target_count = b->target_count;
    }
    return !o->memory || memory_read(o->memory, out, d);
}

// What the passes are told, but for a step's memory.
static bool open_context(build *b, const build_options *o, const char **classes, pass_context *c, diag *d) {
    *c = (pass_context){.source = &b->model.source,
                        .diag = d,
                        .print_after = o->print_after,
                        .print_to = stderr,
                        .precision = build_precision(o),
                        .keep = build_keep(o, b->arena),
                        .classes = classes,
                        .class_count = list_classes(b, classes),
                        .train = build_makes_step(o),
                        .optimizer = o->optimizer,
                        .report = o->report && !strcmp(o->report, "fusion") ? stderr : NULL};
    b->calibration = o->calibration;
    if (c->precision == PRECISION_INT8 && !b->calibration && !o->graph) {
        calibration *rough = ARENA_ARRAY(b->arena, calibration, 1);
        if (!probe(&b->model, b->arena, rough, d)) return false;
        b->calibration = rough;
    }
    c->calibration = b->calibration;
#ifndef NDEBUG
    c->verify = true;
#endif
    return true;
}

// Passes, and the variants.
static bool make_graphs(build *b, const build_options *o, diag *d) {
    module *m = b->module;
    pass_stage last = o->stops ? o->last : STAGE_FINAL;
    bool planned = module_variant_count(m) > 0;
    const char *classes[BUILD_TARGETS_MAX];
    pass_context c;
    int_list lengths = {0};
    memory_options memory;
    memory_choice choice = {0};
    if (!open_context(b, o, classes, &c, d)) return false;
    if (!planned && last >= STAGE_PACKED && !choose_lengths(o, &b->model, &lengths, d)) return false;
    if (!choose_memory(b, o, &lengths, &memory, d)) return false;
    memory.choice = &choice;
    c.memory = &memory;
    for (int i = 0; planned && last < STAGE_FINAL && i < m->graph_count; i++)
        m->graphs[i]->variant_count = 0; // what is left is packed
    pass_stage stage = b->reached = passes_stage_of(m->graphs[0]);
    if (stage > last)
        return diag_error(d, "--stage", "%s is %s already: it can't go back to %s", o->graph,
                          passes_stage_name(stage), passes_stage_name(last));
    if (last == STAGE_FINAL && !graph_choose_classes(b, o, d)) return false;
    if (!passes_run_to(m, last, o->passes, &c)) return false;
    if (o->memory_told) memory_tell(&memory, o->memory_told);
    if (last < STAGE_FINAL || (o->graph_only && passes_stage_of(m->graphs[0]) < STAGE_PACKED)) return true;
    build_settle(b);
    return planned ? graph_choose_variants(b, o, d) : add_variants(b, o, &lengths, &c);
}

hub_options build_hub(const build_options *o) {
    hub_options hub = o->hub;
    hub.adapters = o->adapters.v;
    hub.adapter_count = o->adapters.count;
    for (int i = 0; i < o->lengths.count; i++)
        if (o->lengths.v[i] > hub.longest) hub.longest = o->lengths.v[i];
    return hub;
}

static bool open_parts(build *b, const build_options *o, diag *d) {
    double start = seconds_now();
    hub_options hub = build_hub(o);
    if (!check_words(o, d) || !build_targets(b, o, d) || !hub_open(&hub, b->arena, &b->model, d))
        return false;
    b->model_open = true;
    if (o->layers) *o->layers = b->model.layers;
    b->module =
        o->graph ? graph_from_text(o->graph, &b->model, b->arena, d) : module_alone(b->arena, b->model.graph);
    if (!b->module) return false;
    b->checkpoint_seconds = seconds_now() - start;
    start = seconds_now();
    if (!make_graphs(b, o, d)) return false;
    b->pass_seconds = seconds_now() - start;
    return true;
}

bool build_open(build *b, const build_options *o, diag *d) {
    *b = (build){.arena = arena_new()};
    if (!open_parts(b, o, d)) return false;
    const hub_model *m = &b->model;
    b->json = build_describe(b, o);
    b->artefact = (artefact){.module = b->module,
                             .targets = b->targets,
                             .target_count = b->target_count,
                             .source = &m->source,
                             .tokenizer = m->tokenizer,
                             .tokenizer_bytes = m->tokenizer_bytes,
                             .task = m->task,
                             .task_bytes = m->task_bytes,
                             .json = b->json,
                             .vocab_size = m->vocab_size,
                             .type_vocab_size = m->type_vocab_size,
                             .position_count = m->position_count,
                             .position_rule = m->position_rule,
                             .position_start = m->position_start,
                             .pad_id = m->pad_id,
                             .global_rule = m->global_rule,
                             .sep_id = m->sep_id,
                             .progress = progress_line_open(&b->line)};
    return true;
}

void build_close(build *b) {
    if (b->model_open) hub_close(&b->model);
    if (b->arena) arena_free(b->arena);
    free(b->json);
    *b = (build){0};
}
