// links: runtime hub ir
// Nothing is allocated once a session is open: ids or text in, tensors or answers out. Counted by standing in
// front of malloc.
#include <check.h>
#include <errno.h>
#include <stdatomic.h>

#include "main.h"
#include "refuse_code.h"
#include "tokenizer_case.h"
#include "toy_task.h"

static _Atomic long allocations;

#ifdef BERTC_SANITIZED
void __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
                                               void (*)(const volatile void *));
static void on_malloc(const volatile void *p, size_t size) {
    (void)p;
    (void)size;
    allocations++;
}
static void on_free(const volatile void *p) {
    (void)p;
}
static void count_allocations(void) {
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
void *malloc(size_t n) {
    allocations++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size) {
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n) {
    allocations++;
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n) {
    allocations++;
    return __libc_memalign(align, n);
}
int posix_memalign(void **out, size_t align, size_t n) {
    allocations++;
    *out = __libc_memalign(align, n);
    return *out ? 0 : ENOMEM;
}
static void count_allocations(void) {}
#endif

// The counter counts: a test of zero must be able to fail.
START_TEST(counter) {
    long before = allocations;
    void *volatile p = malloc(10);
    free(p);
    long used = allocations - before;
    ck_assert_int_eq(used, 1);
}
END_TEST

START_TEST(tensors) {
    static const toy_variant two[] = {{"toy_s8", 0, 8, 8}, {"toy_s32", 0, 32, 32}};
    blob b = toy_memory((toy_options){.variants = two, .variant_count = 2});
    bertc_model *m = bertc_load_memory(b.data, NULL, NULL);
    bertc_session *s =
        bertc_open(m, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 3}, NULL);
    enum { BATCH = 30, LENGTH = 20 };
    static int32_t ids[BATCH * LENGTH], mask[BATCH * LENGTH];
    for (int i = 0; i < BATCH * LENGTH; i++) {
        ids[i] = 1 + i % 90;
        mask[i] = i % LENGTH <= i / LENGTH % LENGTH;
    }
    float *out[TOY_OUTPUTS];
    bertc_tensor described[TOY_OUTPUTS] = {BERTC_TENSOR_INIT};
    for (int i = 0; i < TOY_OUTPUTS; i++) out[i] = malloc(bertc_output_bytes(m, i, BATCH, LENGTH));
    long before = allocations;
    bool ok = bertc_run(s, &(bertc_batch){BERTC_SIZED(bertc_batch), BATCH, LENGTH, ids, mask, NULL}, out,
                        described, NULL);
    long used = allocations - before;
    ck_assert(ok);
    ck_assert_int_eq(used, 0);
    for (int i = 0; i < TOY_OUTPUTS; i++) free(out[i]);
    bertc_close(s);
    bertc_unload(m);
    free(b.data);
}
END_TEST

// --- Every task, on the session's largest text, cut, and on many small ones

static float some_logit(int o, int32_t id, int64_t c) {
    return (float)((id * 7 + c * 5 + o) % 11);
}

typedef struct task_case {
    bertc_task_kind kind;
    head_output first, second;
    bool labels;
} task_case;
static const task_case cases[] = {
    {BERTC_TASK_EMBEDDING, {"embedding", BERTC_S, 32}, {0}, false},
    {BERTC_TASK_SPARSE, {"sparse", BERTC_S, HEAD_VOCAB}, {0}, false},
    {BERTC_TASK_VECTORS, {"vectors", BERTC_T, 8}, {0}, false},
    {BERTC_TASK_SEVERAL, {"token_weights", BERTC_T, 0}, {"vectors", BERTC_T, 8}, false},
    {BERTC_TASK_CLASSIFY, {"logits", BERTC_S, 4}, {0}, true},
    {BERTC_TASK_MULTI_LABEL, {"logits", BERTC_S, 4}, {0}, true},
    {BERTC_TASK_REGRESSION, {"logits", BERTC_S, 4}, {0}, true},
    {BERTC_TASK_ENTITIES, {"logits", BERTC_T, 4}, {0}, true},
    {BERTC_TASK_ANSWER, {"start_logits", BERTC_T, 0}, {"end_logits", BERTC_T, 0}, false},
    {BERTC_TASK_FILL_MASK, {"logits", BERTC_R, HEAD_VOCAB}, {0}, false},
    {BERTC_TASK_NEXT_SENTENCE, {"logits", BERTC_S, 2}, {0}, false},
    {BERTC_TASK_PRETRAINING,
     {"prediction_logits", BERTC_R, HEAD_VOCAB},
     {"seq_relationship_logits", BERTC_S, 2},
     false},
};
enum { TEXTS = 1024, TEXT_BYTES = 4096 };

static bool in_windows; // can the task's texts be read so?

// Asserts nothing: Check allocates.
static bool run_all(bertc_session *s, const bertc_text *texts, size_t n, bertc_result *r, char *json,
                    size_t size, int top_k, bool windows) {
    const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST,
                                  .top_k = top_k, .windows = windows && in_windows};
    if (!bertc_answer_texts(s, texts, n, &o, r, NULL)) return false;
    for (size_t i = 0; i < n; i++) bertc_result_json(&r[i], &texts[i], json, size);
    return true;
}

// As many words as a text may have, most of them empty.
static bool run_words(bertc_session *s, const task_case *c, const char *text, bertc_result *r) {
    static bertc_word words[TEXT_BYTES + 1];
    for (int i = 0; i <= TEXT_BYTES; i++) words[i] = i < 9 ? (bertc_word){0, 0} : (bertc_word){5, 5};
    words[9] = (bertc_word){0, 5};
    const bertc_text all = {text, TEXT_BYTES, NULL, 0, words, TEXT_BYTES + 1};
    return c->kind != BERTC_TASK_ENTITIES || bertc_answer_texts(s, &all, 1, NULL, r, NULL);
}

static bool run_prompted(bertc_session *s, const task_case *c, bertc_result *r) {
    const bertc_text text = head_text("lives in paris", NULL);
    const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .prompt = "alice "};
    return c->second.name || c->first.leading != BERTC_S || c->kind == BERTC_TASK_NEXT_SENTENCE ||
           bertc_answer_texts(s, &text, 1, &o, r, NULL);
}

START_TEST(answers) {
    static const char *const tags[] = {"O", "B-PER", "I-PER", "B-LOC", NULL};
    static bertc_text small[TEXTS];
    static bertc_result r[TEXTS] = {BERTC_RESULT_INIT};
    static char large[TEXT_BYTES + 1], json[1 << 16];
    const task_case *c = &cases[_i];
    toy_logit = some_logit;
    in_windows = c->kind != BERTC_TASK_VECTORS && c->kind != BERTC_TASK_SEVERAL;
    head_model h = head_open(c->kind, c->first, c->second, c->labels ? tags : NULL);
    bertc_session *s = bertc_open(h.model,
                                  &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 2,
                                                           .max_text_bytes = TEXT_BYTES},
                                  NULL);
    for (int i = 0; i < TEXT_BYTES; i++) large[i] = "alice [MASK] lives in paris, \xe2\x82\xac bobs "[i % 35];
    // A context after the question, as its task wants, and for the others two halves.
    const bertc_text all = {large, TEXT_BYTES / 2, large + TEXT_BYTES / 2, TEXT_BYTES / 2},
                     context = {"who", 3, large, TEXT_BYTES - 3};
    bool masks = c->kind == BERTC_TASK_FILL_MASK || c->kind == BERTC_TASK_PRETRAINING;
    for (int i = 0; i < TEXTS; i++)
        small[i] = head_text(masks ? "[MASK]" : "a", i % 2 || c->kind == BERTC_TASK_ANSWER ? "." : NULL);
    const bertc_token *tokens;
    size_t n;
    long before = allocations;
    bool ok = run_all(s, &all, 1, r, json, sizeof json, 0, false) &&
              run_all(s, &all, 1, r, json, sizeof json, 32, false) &&
              run_all(s, small, TEXTS, r, json, sizeof json, 0, false) &&
              run_all(s, &context, 1, r, json, sizeof json, 32, c->kind != BERTC_TASK_ENTITIES) &&
              run_all(s, &(bertc_text){large, TEXT_BYTES, c->kind == BERTC_TASK_ANSWER ? "." : NULL, 1}, 1, r,
                      json, sizeof json, 32, c->kind != BERTC_TASK_ANSWER) &&
              run_prompted(s, c, r) && run_words(s, c, large, r) &&
              bertc_tokenize(s, &all, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, NULL);
    long used = allocations - before;
    ck_assert(ok && n > 500);
    ck_assert_int_eq(used, 0);
    // More than that: once, then no more.
    static bertc_text many[2 * TEXTS];
    static bertc_result more[2 * TEXTS] = {BERTC_RESULT_INIT};
    for (int i = 0; i < 2 * TEXTS; i++)
        many[i] = i % 2 ? small[i / 2] : head_text("[MASK] alice", "bob [MASK] paris");
    for (int round = 0; round < 3 && ok; round++) {
        before = allocations;
        ok = run_all(s, many, 2 * TEXTS, more, json, sizeof json, 18, true);
        used = allocations - before;
    }
    ck_assert(ok);
    ck_assert_int_eq(used, 0);
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Tokenizers of each model, with patterns in normaliser and pre-tokeniser; JIT refused, too

#define LLAMA                                                                                                \
    "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"   \
    "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|"        \
    "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}}"
#define DEEP                                                                                                 \
    "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(?:a|b|[^\\\\s])+|(?:\\\\s|x)+"  \
    "\"}}"
#define UNIGRAM                                                                                              \
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",0],[\"\\u2581\",-3],[\"a\",-1],[\"aa\"," \
    "-1.5]]}"
#define CHARACTERS                                                                                           \
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"ab\":3,\"aa\":4,"  \
    "\"aaaa\":5},"                                                                                           \
    "\"merges\":[\"a b\",\"a a\",\"aa aa\"]}"
#define STEPS(list) "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" list "]},"
#define BYTES       "%s" // stands for the 256 pieces of byte-level BPE

static const char *const tokenizers[] = {
    "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" LLAMA ",{\"type\":\"ByteLevel\","
    "\"use_regex\":false}]},\"model\":{\"type\":\"BPE\",\"vocab\":{" BYTES
    "\"aa\":256,\"aaaa\":257},\"merges\":[\"a a\",\"aa aa\"]}}",
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true},\"normalizer\":"
    "{\"type\":"
    "\"NFKC\"},\"model\":{\"type\":\"BPE\",\"vocab\":{" BYTES
    "\"aa\":256,\"aaaa\":257},\"merges\":[\"a a\",\"aa aa\"]}}",
    STEPS(
        "{\"type\":\"Prepend\",\"prepend\":\"\\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
        "\"content\":\"\\u2581\"}") CHARACTERS "}",
    STEPS("{\"type\":\"NFKD\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?:a|b)+\"},\"content\":"
          "\"aaaa\"},"
          "{\"type\":\"Lowercase\"}") "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" DEEP
                                      ",{\"type\":"
                                      "\"Metaspace\",\"replacement\":\"\\u2581\"}]},\"added_tokens\":[{"
                                      "\"id\":9,\"content\":\"<a>\"},{\"id\":10,"
                                      "\"content\":\"B\",\"normalized\":true}]," UNIGRAM "}",
    STEPS("{\"type\":\"NFC\"},{\"type\":\"StripAccents\"},{\"type\":\"Nmt\"},{\"type\":\"ByteLevel\"}")
        UNIGRAM "}",
    STEPS("{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaaa\"}")
        UNIGRAM "}",
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"Sequence\","
    "\"pretokenizers\":[" LLAMA ",{\"type\":\"BertPreTokenizer\"}]},\"model\":{\"type\":\"WordPiece\",\"unk_"
    "token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,"
    "\"##a\":2}}}",
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":false},\"pre_tokenizer\":" DEEP
    ",\"model\":{\"type\":"
    "\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1}}}"};

// `file` with the pieces in the place of BYTES.
static char *with_bytes(const char *file) {
    char *out = malloc(strlen(file) + 256 * 16), *o = out;
    const char *mark = strstr(file, BYTES);
    o += sprintf(o, "%.*s", (int)(mark ? mark - file : (ptrdiff_t)strlen(file)), file);
    for (int b = 0, next = 256; mark && b < 256; b++) {
        bool itself = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        o += sprintf(o, b == '"' || b == '\\' ? "\"\\%c\":%d," : "\"\\u%04x\":%d,", itself ? b : next, b);
        next += !itself;
    }
    if (mark) strcpy(o, mark + strlen(BYTES));
    return out;
}

// Text of `size` bytes made of a piece again and again.
static void fill(char *text, size_t size, const char *piece) {
    size_t n = strlen(piece);
    for (size_t i = 0; i < size; i++) text[i] = piece[i % n];
}

static void encode_all(const char *file) {
    enum { SIZE = 4096 };
    static const char *const pieces[] = {"a",
                                         " ",
                                         "aaa b. <a>B ",
                                         "\xff",
                                         "\xef\xb7\xba",
                                         "\xce\x90",
                                         "<a>",
                                         "\xe4\xb8\xad\xe6",
                                         "\xc8\xba\xea\xb0\x81",
                                         "a\xcc\x81\xcc\xa3"};
    static char text[SIZE];
    char *json = with_bytes(file);
    tokenizer_case c;
    ck_assert_msg(case_open_text(&c, json, NULL), "%s", c.line);
    bertc_tokenizer_handle *t = bertc_tokenizer_open(c.table, c.bytes, SIZE, NULL);
    ck_assert_ptr_nonnull(t);
    size_t count = 0;
    long used[10];
    for (int i = 0; i < 10; i++) {
        const bertc_token *tokens;
        fill(text, SIZE, pieces[i]);
        long before = allocations;
        bertc_tokenizer_encode(t, &(bertc_text){text, SIZE, text, SIZE}, 0, BERTC_TRUNCATE_NEVER, &tokens,
                               &count, NULL);
        used[i] = allocations - before;
    }
    for (int i = 0; i < 10; i++)
        ck_assert_msg(!used[i], "%ld allocations for `%s`: %s", used[i], pieces[i], file);
    bertc_tokenizer_close(t);
    case_close(&c);
    free(json);
}

START_TEST(texts) {
    encode_all(tokenizers[_i]);
}
END_TEST

START_TEST(texts_without_jit) {
    ck_assert_msg(refuse_code(), "no filter of system calls");
    encode_all(tokenizers[_i]);
}
END_TEST

int main(void) {
    count_allocations();
    Suite *s = suite_create("allocations");
    TCase *t = tcase_create("allocations");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, counter);
    tcase_add_test(t, tensors);
    tcase_add_loop_test(t, answers, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(t, texts, 0, (int)(sizeof tokenizers / sizeof *tokenizers));
    tcase_add_loop_test(t, texts_without_jit, 0, (int)(sizeof tokenizers / sizeof *tokenizers));
    suite_add_tcase(s, t);
    return suite_status(s);
}
