// links: hub runtime
// Spans of a context as answers: their probabilities, what reads the same, windows, and how far an answer grows
// in scripts with spaces between words and without, by real tokenizers.
#include <check.h>
#include <cjson/cJSON.h>
#include <math.h>

#include "file.h"
#include "main.h"
#include "runtime/answer/script.h"
#include "runtime/answer/spans.h"
#include "tokenizer_case.h"

#define TOKENS 10

// [CLS] q q [SEP] c0 c1 c2 c2 c3 [SEP]: the word c2 has two tokens; a character is two bytes.
static const char context[] =
    "....................................................................................."
    "aaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb cccccccccccccccccc dddddddddddddddd eeeeeeeeeeeee";
static int some_tokens(bertc_token *t) {
    const int text[] = {-1, 0, 0, -1, 1, 1, 1, 1, 1, -1}, word[] = {-1, 0, 1, -1, 0, 1, 2, 2, 3, -1};
    for (int i = 0; i < TOKENS; i++)
        t[i] = (bertc_token){.text = text[i],
                             .word = word[i],
                             .char_start = (uint32_t)i * 8,
                             .char_end = (uint32_t)i * 8 + 7,
                             .byte_start = (uint32_t)i * 16,
                             .byte_end = (uint32_t)i * 16 + 15};
    return TOKENS;
}

typedef struct found {
    store memory;
    span_list spans;
    bertc_answer *answers;
    int count;
} found;

static void add(found *f, const bertc_text *text, const bertc_token *t, int n, const float *start,
                const float *end, span_rules rules) {
    if (!f->memory.last) ck_assert(store_open(&f->memory, 1 << 16));
    ck_assert(spans_add(&f->spans, &f->memory, text, t, n, start, end, &rules));
}
static void best(found *f, span_rules rules) {
    ck_assert(spans_best(&f->spans, &f->memory, &rules, &f->answers, &f->count));
}
static void done(found *f) {
    store_close(&f->memory);
    *f = (found){0};
}

static const bertc_text text = {"q", 1, context, sizeof(context) - 1};
static const span_rules usual = {.top = 1, .longest = 15, .words = true};

static found answers_of(const float *start, const float *end, span_rules rules) {
    bertc_token t[TOKENS];
    found f = {0};
    add(&f, &text, t, some_tokens(t), start, end, rules);
    best(&f, rules);
    return f;
}

static void check_answer(const float *start, const float *end, span_rules rules, int from, int to,
                         float logits) {
    found f = answers_of(start, end, rules);
    ck_assert_int_eq(f.count, 1);
    const bertc_answer *a = f.answers;
    ck_assert(a->found);
    ck_assert_float_eq(a->logit_score, logits);
    ck_assert_uint_eq(a->char_start, (uint32_t)from * 8);
    ck_assert_uint_eq(a->char_end, (uint32_t)to * 8 + 7);
    ck_assert_uint_eq(a->byte_start, (uint32_t)from * 16);
    ck_assert_uint_eq(a->byte_end, (uint32_t)to * 16 + 15);
    done(&f);
}

START_TEST(choice) {
    span_rules two = usual, tokens = usual;
    two.longest = 2;
    tokens.words = false;
    // Best start and end lie outside of the context; within it 5..8.
    check_answer((float[]){99, 98, 9, 9, 1, 5, 2, 0, 0, 9}, (float[]){99, 98, 9, 9, 1, 1, 2, 0, 3, 9}, usual,
                 5, 8, 8);
    // End before start is no answer: 8 to 4 would sum to 20.
    check_answer((float[]){0, 0, 0, 0, 1, 1, 1, 1, 10, 0}, (float[]){0, 0, 0, 0, 10, 1, 1, 1, 2, 0}, usual, 8,
                 8, 12);
    // At most two tokens: 4 to 8 is too long.
    check_answer((float[]){0, 0, 0, 0, 10, 0, 0, 0, 0, 0}, (float[]){0, 0, 0, 0, 0, 1, 0, 0, 10, 0}, two, 4,
                 5, 11);
    // Half a word grows to the whole.
    const float half[] = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0};
    check_answer(half, half, usual, 6, 7, 18);
    check_answer(half, half, tokens, 7, 7, 18);
    // The first of equals.
    check_answer((float[10]){0}, (float[10]){0}, tokens, 4, 4, 0);
}
END_TEST

// The CLS token and the context's five share the probability; the question and [SEP] have none of it.
START_TEST(probabilities) {
    const float start[] = {1, 99, 98, 50, 0, 3, 1, 0, 0, 50}, end[] = {2, 99, 98, 50, 0, 0, 1, 4, 0, 50};
    const double starts = exp(1) + 1 + exp(3) + exp(1) + 1 + 1, ends = exp(2) + 1 + 1 + exp(1) + exp(4) + 1;
    span_rules rules = {.top = 3, .longest = 15};
    found f = answers_of(start, end, rules);
    ck_assert_int_eq(f.count, 3);
    ck_assert_float_eq_tol(f.answers[0].score, (float)(exp(3 + 4) / starts / ends), 1e-7f); // 5..7
    ck_assert_float_eq_tol(f.answers[1].score, (float)(exp(1 + 4) / starts / ends), 1e-7f); // 6..7
    ck_assert_float_eq_tol(f.answers[2].score, (float)(exp(3 + 1) / starts / ends), 1e-7f); // 5..6
    done(&f);
    // With words, 5..6 and 5..7 are one answer: "c1 c2".
    rules.words = true;
    f = answers_of(start, end, rules);
    ck_assert_float_eq_tol(f.answers[0].score, (float)((exp(7) + exp(4)) / starts / ends), 1e-7f);
    ck_assert_float_eq(f.answers[0].logit_score, 7);
    ck_assert_uint_eq(f.answers[0].char_start, 5 * 8);
    ck_assert_uint_eq(f.answers[0].char_end, 7 * 8 + 7);
    // "c2" comes of 6..6, 6..7 and 7..7.
    ck_assert_float_eq_tol(f.answers[1].score, (float)((exp(2) + exp(5) + exp(4)) / starts / ends), 1e-7f);
    done(&f);
    // No answer is one, of the CLS token's score.
    rules = (span_rules){.top = 1 << 20, .longest = 15, .none = true};
    f = answers_of(start, end, rules);
    ck_assert_int_eq(f.count, 15 + 1);
    int none = 0;
    while (f.answers[none].found) none++;
    ck_assert_float_eq_tol(f.answers[none].score, (float)(exp(1 + 2) / starts / ends), 1e-7f);
    ck_assert_float_eq(f.answers[none].logit_score, 3);
    ck_assert_uint_eq(f.answers[none].char_end, 0);
    for (int i = 1; i < f.count; i++) ck_assert_float_ge(f.answers[i - 1].score, f.answers[i].score);
    done(&f);
}
END_TEST

// Each window has probabilities of its own. What reads the same in several counts together, but for case; of
// "no answer" the least counts.
START_TEST(windows) {
    static const char names[] = "Ada ADA \xc3\x89va \xc3\xa9va bob";
    const bertc_text of = {"q", 1, names, sizeof names - 1};
    bertc_token t[2] = {{.text = -1, .word = -1}, {.text = 1}};
    const float start[][2] = {{0, 1}, {0, 0}, {0, -1}, {0, -1}, {0, 0.5f}};
    const uint32_t at[][2] = {{0, 3}, {4, 7}, {8, 12}, {13, 17}, {18, 21}};
    span_rules rules = {.top = 9, .longest = 15, .words = true, .none = true};
    found f = {0};
    double p[5];
    for (int i = 0; i < 5; i++) {
        t[1].byte_start = t[1].char_start = at[i][0];
        t[1].byte_end = t[1].char_end = at[i][1];
        p[i] = pow(1 / (1 + exp(-(double)start[i][1])), 2);
        add(&f, &of, t, 2, start[i], start[i], rules);
    }
    best(&f, rules);
    ck_assert_int_eq(f.count, 4);
    ck_assert_float_eq_tol(f.answers[0].score, (float)(p[0] + p[1]), 1e-6f); // Ada, as it stands first
    ck_assert_uint_eq(f.answers[0].byte_start, 0);
    ck_assert_float_eq(f.answers[0].logit_score, 2);
    ck_assert_float_eq_tol(f.answers[1].score, (float)p[4], 1e-6f);
    ck_assert(!f.answers[2].found);
    ck_assert_float_eq_tol(f.answers[2].score, (float)pow(1 / (1 + exp(1)), 2), 1e-6f);
    ck_assert_float_eq_tol(f.answers[3].score, (float)(p[2] + p[3]), 1e-6f);
    ck_assert_uint_eq(f.answers[3].byte_start, 8);
    done(&f);
}
END_TEST

// --- Scripts

START_TEST(scripts) {
    static const uint32_t without[] = {0x3042, 0x30a2, 0x30fc, 0x6f22, 0x20000, 0x3001,
                                       0xff0c, 0xff71, 0x3105, 0x0e01, 0x0e34,  0x0e81,
                                       0x1780, 0x17d2, 0x1000, 0x1039, 0x1950,  0x0f40},
                          with[] = {'a',    '7',    '.',    0xe9,   0x0410, 0x05d0, 0x0627,  0x0915, 0x0e3f,
                                    0xac00, 0x1100, 0xff21, 0xff11, 0x2018, 0xfffd, 0x1f600, 0x10a0, 0};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        ck_assert_msg(!script_has_spaces(without[i]), "U+%04X", without[i]);
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        ck_assert_msg(script_has_spaces(with[i]), "U+%04X", with[i]);
}
END_TEST

// The answer where token `i` of the context alone has large logits.
static bertc_answer answer_at(const bertc_text *of, const bertc_token *t, size_t n, size_t i) {
    float *logits = calloc(n, sizeof *logits);
    found f = {0};
    logits[i] = 20;
    add(&f, of, t, (int)n, logits, logits, usual);
    best(&f, usual);
    bertc_answer a = *f.answers;
    done(&f);
    free(logits);
    return a;
}

static void open_layout(tokenizer_case *c, const char *name) {
    char path[300];
    snprintf(path, sizeof path, BERTC_TESTS "/tokenizers/%s.json", name);
    char *all = file_text(path, NULL);
    cJSON *root = cJSON_Parse(all);
    char *own = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "tokenizer"));
    ck_assert_msg(own && case_open_text(c, own, NULL), "%s: %s", name, c->line);
    cJSON_free(own);
    cJSON_Delete(root);
    free(all);
}

// What the answer is where the token that holds byte `at` of the context is the best one.
static void check_grown(const char *tokenizer, const char *of, const char *within, const char *want) {
    tokenizer_case c;
    const bertc_text pair = {"q", 1, of, strlen(of)};
    const bertc_token *t;
    bertc_error e;
    size_t n, i = 0, at = (size_t)(strstr(of, within) - of);
    open_layout(&c, tokenizer);
    ck_assert(bertc_tokenizer_encode(c.handle, &pair, 0, BERTC_TRUNCATE_NEVER, &t, &n, &e));
    while (i < n && (t[i].text != 1 || at < t[i].byte_start || at >= t[i].byte_end)) i++;
    ck_assert_msg(i < n, "%s: no token at %s", tokenizer, within);
    bertc_answer a = answer_at(&pair, t, n, i);
    int from = (int)a.byte_start, size = (int)(a.byte_end - a.byte_start);
    if (want)
        ck_assert_msg((size_t)size == strlen(want) && !memcmp(of + from, want, strlen(want)),
                      "%s: \"%.*s\", not \"%s\"", tokenizer, size, of + from, want);
    else // the token
        ck_assert_msg(a.byte_start == t[i].byte_start && a.byte_end == t[i].byte_end, "%s: \"%.*s\" of %s",
                      tokenizer, size, of + from, of);
    case_close(&c);
}

START_TEST(growth) {
    static const char *const tokenizers[] = {"roberta",   "xlm-roberta",   "modernbert",       "deberta-v3",
                                             "camembert", "unigram-bytes", "sentencepiece-bpe"};
    static const struct {
        const char *context, *within, *want;
    } cases[] = {
        {"全学年にわたって小学校の国語の教科書に挿し絵が用いられている", "小学校", NULL},
        {"全学年にわたって小学校の国語の教科書に挿し絵が用いられている", "いられ", NULL},
        {"インターネットのウェブサイト", "ネット", NULL},
        {"他在北京大学学习计算机科学。", "大学", NULL},
        {"กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมือง", NULL},
        {"ວຽງຈັນເປັນນະຄອນຫຼວງ", "ເປັນ", NULL},
        {"ភ្នំពេញជារាជធានី", "ជា", NULL},
        {"ရန်ကုန်မြို့", "မြို့", NULL},
        {"reinstatements unaffable", "instat", "reinstatements"},
        {"彼はunaffableなreinstatementsと会った", "affable", "unaffable"},
        {"彼はunaffableなreinstatementsと会った", "instat", "reinstatements"},
        {"Straßenbahnhaltestellen überraschen", "bahn", "Straßenbahnhaltestellen"},
        {"достопримечательности города", "меча", "достопримечательности"},
    };
    for (size_t k = 0; k < sizeof tokenizers / sizeof *tokenizers; k++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            check_grown(tokenizers[k], cases[i].context, cases[i].within, cases[i].want);
}
END_TEST

int main(void) {
    Suite *s = suite_create("spans");
    TCase *t = tcase_create("spans");
    tcase_add_test(t, choice);
    tcase_add_test(t, probabilities);
    tcase_add_test(t, windows);
    tcase_add_test(t, scripts);
    tcase_add_test(t, growth);
    suite_add_tcase(s, t);
    return suite_status(s);
}
