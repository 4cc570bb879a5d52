// An application as one was written when version 9 of the artefact format came: it is built with the headers of then
// (tests/abi/include), and must go on to work. Prints what it sees of the kept artefacts. Never changed.
#include <bertc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bertc_error error;

static int failed(const char *what) {
    printf("%s: %s\n", what, error.message);
    return 1;
}

static void print_model(const bertc_model *m) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(m, &info, NULL);
    printf("task %d, tokenizer %d, %d labels, %d outputs, %d variants, %d prompts, default %d\n", info.task,
           info.has_tokenizer, info.label_count, info.output_count, info.variant_count, info.prompt_count,
           info.default_prompt);
    printf("length %lld, batch %lld, %lld bytes of weights\n", (long long)info.max_length,
           (long long)info.max_batch, (long long)info.weight_bytes);
    printf("embedding %d of %d, similarity %d, own prompts %d, states %lld\n", info.embedding_size,
           info.embedding_width, info.similarity, info.own_prompt_count, (long long)info.state_bytes);
    for (int i = 0; bertc_label(m, i); i++) printf("label %s\n", bertc_label(m, i));
    printf("output %s, reads the first row: %d, %zu bytes\n", bertc_output_name(m, 0),
           bertc_output_reads_first(m, 0), bertc_output_bytes(m, 0, 3, 8));
    int rank = -1;
    for (int i = 0; bertc_level(m, i, &rank, NULL); i++)
        printf("level %s, rank %d\n", bertc_level(m, i, NULL, NULL), rank);
    printf("json %d, token %s, parameters %d\n", bertc_model_json(m)[0] == '{', bertc_token_text(m, 8),
           bertc_parameter_count(m));
}

static int print_tensors(bertc_session *s) {
    const int32_t ids[2][8] = {{2, 5, 6, 7, 8, 3, 0, 0}, {2, 7, 15, 3, 0, 0, 0, 0}},
                  mask[2][8] = {{1, 1, 1, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 0, 0, 0, 0}};
    const bertc_batch batch = {BERTC_SIZED(bertc_batch), .batch = 2, .length = 8, .input_ids = &ids[0][0],
                               .attention_mask = &mask[0][0]};
    float logits[4], *buffers[1] = {logits};
    bertc_tensor tensor = BERTC_TENSOR_INIT;
    if (!bertc_run(s, &batch, buffers, &tensor, &error)) return failed("run");
    printf("%s: rank %d, %lld x %lld:", tensor.name, tensor.rank, (long long)tensor.shape[0],
           (long long)tensor.shape[1]);
    for (int i = 0; i < 4; i++) printf(" %.4f", (double)tensor.data[i]);
    printf("\n");
    return 0;
}

static int print_tokens(bertc_session *s, const bertc_text *text) {
    const bertc_text_options options = {BERTC_SIZED(bertc_text_options),
                                        .truncation = BERTC_TRUNCATE_LONGEST_FIRST};
    const bertc_token *tokens;
    size_t count;
    if (!bertc_tokenize_with(s, text, &options, &tokens, &count, &error)) return failed("tokenize");
    for (size_t i = 0; i < count; i++)
        printf("%d [%u,%u) type %d text %d word %d\n", tokens[i].id, tokens[i].char_start, tokens[i].char_end,
               tokens[i].type, tokens[i].text, tokens[i].word);
    return 0;
}

static int print_answers(bertc_session *s) {
    static const char *const all[] = {"The film is very good.", "it is not a bad book", "read it, I read it"};
    bertc_text texts[3];
    bertc_result results[3] = {BERTC_RESULT_INIT};
    const bertc_text_options options = {BERTC_SIZED(bertc_text_options), .top_k = 2};
    char json[200];
    for (int i = 0; i < 3; i++) texts[i] = (bertc_text){.text = all[i], .size = strlen(all[i])};
    if (!bertc_answer_texts(s, texts, 3, &options, results, &error)) return failed("answer");
    for (int i = 0; i < 3; i++)
        printf("%s: %s %.4f, %s %.4f, %d tokens\n", all[i], results[i].scores[0].label,
               (double)results[i].scores[0].score, results[i].scores[1].label,
               (double)results[i].scores[1].score, results[i].token_count);
    bertc_result_json(&results[0], &texts[0], json, sizeof json);
    printf("%.18s\n", json);
    return print_tokens(s, &texts[0]);
}

// A model whose calls change parameters: classifier.weight by 0.25, classifier.bias by `rate`.
static int print_states(const char *path) {
    const int32_t ids[] = {2, 5, 6, 7, 8, 3};
    bertc_batch batch = {BERTC_SIZED(bertc_batch), .batch = 1,   .length = 6,
                         .input_ids = ids,         .rate = 0.5f, .step = 1};
    float logits[2], *buffers[1] = {logits}, numbers[32];
    bertc_model *m = bertc_load(path, &error);
    bertc_session *s = m ? bertc_open(m, NULL, &error) : NULL;
    if (!s) return failed("states");
    for (int call = 0; call < 3; call++) {
        if (!bertc_run(s, &batch, buffers, NULL, &error)) return failed("states");
        printf("call %d: %.4f %.4f\n", call, (double)logits[0], (double)logits[1]);
    }
    for (int i = 0; i < bertc_parameter_count(m); i++) {
        bertc_parameter p = BERTC_PARAMETER_INIT;
        if (!bertc_parameter_describe(m, i, &p, &error) || !bertc_parameter_read(s, i, numbers, &error))
            return failed("parameters");
        printf("%s: rank %d, %lld numbers, the first %.4f, the last %.4f\n", p.name, p.rank,
               (long long)p.count, (double)numbers[0], (double)numbers[p.count - 1]);
        memset(numbers, 0, sizeof numbers);
        if (!bertc_parameter_write(s, i, numbers, &error)) return failed("parameters");
    }
    if (!bertc_run(s, &batch, buffers, NULL, &error)) return failed("states");
    printf("of zeros: %.4f %.4f\n", (double)logits[0], (double)logits[1]);
    bertc_close(s);
    bertc_unload(m);
    return 0;
}

static void see(void *user, const bertc_phase_event *event) {
    *(int *)user += event->name != NULL && event->index >= 0;
}

int main(int argc, char **argv) {
    const bertc_load_options load = {BERTC_SIZED(bertc_load_options), .check_weights = true};
    int phases = 0;
    const bertc_session_options open = {BERTC_SIZED(bertc_session_options), .threads = 2,
                                        .max_text_bytes = 4096, .hook = see, .hook_user = &phases};
    if (argc != 3) return 2;
    bertc_model *m = bertc_load_with(argv[1], &load, &error);
    if (!m) return failed("load");
    print_model(m);
    bertc_session *s = bertc_open(m, &open, &error);
    int status = s ? print_tensors(s) || print_answers(s) : failed("open");
    bertc_batch none = BERTC_BATCH_INIT;
    none.batch = none.length = 1;
    if (s && !bertc_run(s, &none, NULL, NULL, &error)) failed("no ids");
    printf("phases seen: %d\n", phases > 0);
    bertc_close(s);
    bertc_unload(m);
    return status || print_states(argv[2]);
}
