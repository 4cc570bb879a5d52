// links: faults cli backend passes hub ir runtime
// Memory runs out, at each place: `faults_test_faults` makes some of the allocations fail, `--all` every one (half
// an hour). A word more chooses the scenarios whose names begin with it.
#include <cjson/cJSON.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/faults/faults.h"
#include "tests/faults/harness.h"

#define CASES BERTC_TESTS "/models/cases/"
#define MINI  BERTC_TESTS "/../examples/models/mini-sst2"

static const scenario commands[] = {
    {"opt", .args = {"opt", BERTC_TESTS "/ir/encoder_layer.ir"}, .points = 30},
    {"compile",
     .args = {"compile", CASES "bert-seqcls", "--mcpu", "native", "-o", "model.so", "--seq", "8", "-O", "0"},
     .points = 14, .says_times = true},
    {"compile a step",
     .args = {"compile", CASES "bert-seqcls", "--mcpu", "native", "-o", "model.so", "--seq", "8", "-O", "0",
              "--train", "classify"},
     .points = 10, .says_times = true},
    {"compile sentence model",
     .args = {"compile", CASES "st-prompts", "--mcpu", "native", "-o", "model.so", "--seq", "8", "-O", "0"},
     .points = 8, .says_times = true},
    {"compile to text", .args = {"compile", CASES "deberta-v2-conv", "-o", "model.ir", "--emit", "ir"},
     .points = 16, .says_times = true},
    {"compile to a header",
     .args = {"compile", CASES "bert-seqcls", "-o", "model.h", "--emit", "header", "--json"}, .points = 6,
     .says_times = true},
    {"run by JIT", .args = {"run", CASES "st-max", "one two", "-O", "0", "--seq", "8"}, .points = 10},
    {"run", .args = {"run", "@/labels.so", "a fine film", "dull", "--top-k", "2", "--json"}, .points = 40},
    {"run --input", .args = {"run", "@/labels.so", "--input", "@/lines.jsonl", "-o", "out.jsonl", "-j", "2"},
     .points = 60, .many = true, .may_remain = "out.jsonl"},
    {"run --input to npy",
     .args = {"run", "@/vectors.so", "--input", "@/lines.txt", "-o", "out.npy", "-j", "1"}, .points = 40,
     .many = true, .may_remain = "out.npy"},
    {"run --similar", .args = {"run", "@/vectors.so", "--similar", "@/lines.txt", "@/lines.txt", "-j", "1"},
     .points = 40, .many = true},
    {"run --input to npz",
     .args = {"run", "@/sparse.so", "--input", "@/lines.txt", "-o", "out.npz", "-j", "1"}, .points = 40,
     .many = true, .may_remain = "out.npz"},
    {"run --search", .args = {"run", "@/sparse.so", "--search", "@/stored.npz", "one", "two", "-j", "1"},
     .points = 40},
    {"compile with a router",
     .args = {"compile", BERTC_TESTS "/models/sparse/router", "--mcpu", "native", "-o", "model.so", "--seq",
              "8", "-O", "0"},
     .points = 14, .says_times = true},
    {"run --labels", .args = {"run", "@/labels.so", "--labels", "good,bad", "a fine film", "--json"},
     .points = 40},
    {"run --rank", .args = {"run", "@/scores.so", "--rank", "a cat", "@/lines.txt", "-j", "1"}, .points = 40,
     .many = true},
    {"run --summarize",
     .args = {"run", "@/vectors.so", "--summarize", "2", "@/story.txt", "-j", "1", "--json"}, .points = 40,
     .many = true},
    {"evaluate",
     .args = {"evaluate", "@/labels.so", "--data", "@/reviews.jsonl", "--group-by", "who", "--swap", "he:she",
              "-j", "1", "--json"},
     .points = 60, .many = true},
    {"evaluate a CSV of embeddings",
     .args = {"evaluate", "@/vectors.so", "--data", "@/ranked.csv", "-j", "2"}, .points = 40, .many = true},
    {"run --explain", .args = {"run", "@/labels.so", "--explain", "a fine film", "-o", "why.html"},
     .points = 40},
    {"run --explain --json", .args = {"run", "@/labels.so", "--explain", "a fine film", "--json"},
     .points = 40},
    {"run --attention", .args = {"run", "@/maps.so", "--attention", "0,0", "a fine film", "-o", "map.svg"},
     .points = 40},
    {"run --tensors",
     .args = {"run", "@/numbers.so", "--tensors", CASES "bert-seqcls/io.safetensors", "-o",
              "out.safetensors"},
     .points = 40},
    {"verify", .args = {"verify", CASES "bert-seqcls", "--seq", "8", "-O", "0"}, .points = 8,
     .says_times = true},
    {"inspect an artefact", .args = {"inspect", "@/labels.so", "--json"}, .points = 30},
    {"run a static model", .args = {"run", BERTC_TESTS "/models/answers/st-static", "one two", "", "-O", "0"},
     .points = 14},
    {"compile with an adapter",
     .args = {"compile", BERTC_TESTS "/models/answers/lora", "--adapter",
              BERTC_TESTS "/models/answers/lora/adapters/rslora", "--mcpu", "native", "-o", "model.so",
              "--seq", "8", "-O", "0"},
     .points = 14, .says_times = true},
    {"inspect a checkpoint", .args = {"inspect", CASES "st-prompts"}, .points = 30},
    {"synth", .args = {"synth", CASES "bert-seqcls/config.json", "-o", "made"}, .points = 30},
    {"tokenize", .args = {"tokenize", MINI, "unaffable cafe\xcc\x81", "--json"}, .points = 20},
    {"tokenize WordPiece", .args = {"tokenize", "@/bert.json", "unaffable cafe\xcc\x81"}, .points = 30},
    {"tokenize BPE", .args = {"tokenize", "@/modernbert.json", "it's 3 o'clock"}, .points = 30},
    {"tokenize Unigram", .args = {"tokenize", "@/deberta-v3.json", "a b\xe2\x80\xa8 c"}, .points = 30},
    {"tokenize with patterns", .args = {"tokenize", "@/eurobert.json", "it's 12345 o'clock"}, .points = 30},
};

// --- What the scenarios read

static bool write_text(const char *folder, const char *name, const char *text) {
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

static bool write_tokenizer(const char *folder, const char *name) {
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/tokenizers/%s", BERTC_TESTS, name);
    char *text = harness_read(path, NULL);
    cJSON *root = cJSON_Parse(text);
    char *own = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "tokenizer"));
    bool ok = own && write_text(folder, name, own);
    cJSON_free(own);
    cJSON_Delete(root);
    free(text);
    return ok;
}

static bool setup(const char *folder) {
    static const char *const tokenizers[] = {"bert.json", "modernbert.json", "deberta-v3.json",
                                             "eurobert.json"};
    static const char *const builds[][MOST_ARGS] = {
        {"compile", MINI, "--mcpu", "native", "-o", "labels.so", "--seq", "32", "-O", "1", "--json"},
        {"compile", MINI, "--mcpu", "native", "-o", "step.so", "--graph", BERTC_TESTS "/cli/step.ir", "--seq",
         "16", "-O", "1"},
        {"compile", MINI, "--mcpu", "native", "-o", "maps.so", "--seq", "16", "-O", "1", "--outputs",
         "attentions", "--json"},
        {"compile", CASES "st-max", "--mcpu", "native", "-o", "vectors.so", "--seq", "16", "-O", "1",
         "--json"},
        {"compile", BERTC_TESTS "/models/sparse/max", "--mcpu", "native", "-o", "sparse.so", "--seq", "16",
         "-O", "1", "--json"},
        {"compile", BERTC_TESTS "/models/answers/cross", "--mcpu", "native", "-o", "scores.so", "--seq", "32",
         "-O", "1", "--json"},
        {"compile", CASES "bert-seqcls", "--mcpu", "native", "-o", "trains.so", "-O", "0", "--seq", "8",
         "--train", "classify"},
        {"compile", CASES "bert-seqcls", "--mcpu", "native", "-o", "numbers.so", "-O", "1", "--json"}};
    for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++)
        if (!write_tokenizer(folder, tokenizers[i])) return false;
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++)
        if (!harness_succeeds(folder, folder, builds[i])) return false;
    static const char *const stores[MOST_ARGS] = {"run",         "@/sparse.so", "--input",
                                                  "@/lines.txt", "-o",          "stored.npz"};
    return write_text(folder, "story.txt", "One two. Three four five. Six!\n\nSeven") &&
           write_text(folder, "lines.txt", "one\ntwo three\nfour five six\n") &&
           write_text(folder, "lines.jsonl",
                      "{\"text\":\"one\",\"pair\":\"two\"}\n{\"words\":[\"three\",\"four\"]}\n\"five\"\n") &&
           write_text(folder, "reviews.jsonl",
                      "{\"text\":\"he is fine\",\"label\":1,\"who\":\"a\"}\n{\"text\":\"dull\",\"label\":0}\n"
                      "{\"text\":\"she\",\"label\":\"positive\",\"who\":\"b\"}\n") &&
           write_text(folder, "ranked.csv", "query,positive\none,two\n\"three, four\",five\n") &&
           harness_succeeds(folder, folder, stores);
}

static void clear(const char *folder) {
    char pattern[2 * PATH_MAX];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (!glob(pattern, 0, NULL, &files)) {
        for (size_t i = 0; i < files.gl_pathc; i++) unlink(files.gl_pathv[i]);
        globfree(&files);
    }
    rmdir(folder);
}

int main(int argc, char **argv) {
    bool all = argc > 1 && !strcmp(argv[1], "--all");
    const char *chosen = argc > 1 + all ? argv[1 + all] : "";
    const char *tmp = getenv("TMPDIR");
    char folder[PATH_MAX];
    int failures = 0, run = 0;
    snprintf(folder, sizeof folder, "%s/bertc-faults-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(folder) || !fault_open() || (fault_plan(0, FAULT_ONCE), !setup(folder))) {
        printf("what the scenarios read can't be made in %s\n", folder);
        return 1;
    }
    for (int i = 0; i < library_scenario_count; i++)
        if (!strncmp(library_scenarios[i].name, chosen, strlen(chosen)))
            run++, failures += harness_check(&library_scenarios[i], folder, all);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strncmp(commands[i].name, chosen, strlen(chosen)))
            run++, failures += harness_check(&commands[i], folder, all);
    clear(folder);
    printf("%d scenarios, %d wrong runs\n", run, failures);
    return failures || !run;
}
